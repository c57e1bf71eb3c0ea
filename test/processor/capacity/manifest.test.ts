import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readManifests } from '../../../processor/capacity/manifest.ts';

const container = { name: 'app', image: 'registry.example/app:1', resources: { requests: { cpu: '1' } } };
function deployment(spec: Readonly<Record<string, unknown>> = {}, podSpec: Readonly<Record<string, unknown>> = {}) {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web' },
    spec: {
      replicas: 2,
      selector: { matchLabels: { app: 'web' } },
      template: { metadata: { labels: { app: 'web' } }, spec: { containers: [container], ...podSpec } },
      ...spec,
    },
  };
}
const inTemplate = (rest: string): string => `spec.template.spec.${rest}`;

test('a sound manifest has no problems; what makes pods is told from the rest', () => {
  const { workloads, others, problems } = readManifests([
    deployment(),
    null,
    { kind: 'ConfigMap', apiVersion: 'v1', metadata: { name: 'c' }, data: { a: 'b' } },
  ]);
  assert.deepEqual([workloads.map(({ kind }) => kind), others.map(({ kind }) => kind), problems], [['Deployment'], ['ConfigMap'], []]);
});

test('a List is taken apart, and its items are named by their place', () => {
  const { workloads, problems } = readManifests([{ kind: 'List', apiVersion: 'v1', items: [deployment(), deployment({ replica: 3 })] }]);
  assert.equal(workloads.length, 2);
  assert.deepEqual(problems, [{ document: 1, path: ['items', 1, 'spec', 'replica'], message: 'is not a known field of DeploymentSpec' }]);
});

for (const [name, document, path, message] of [
  ['an unknown field', deployment({}, { nodeSelectors: {} }), inTemplate('nodeSelectors'), 'is not a known field of PodSpec'],
  ['a field of the wrong level', deployment({ containers: [] }), 'spec.containers', 'is not a known field of DeploymentSpec'],
  [
    'a bad quantity',
    deployment({}, { containers: [{ ...container, resources: { limits: { memory: '1 GB' } } }] }),
    inTemplate('containers.0.resources.limits.memory'),
    '"1 GB" is not a quantity such as 500m, 1.5 or 2Gi',
  ],
  [
    'a negative quantity',
    deployment({}, { containers: [{ ...container, resources: { requests: { cpu: -1 } } }] }),
    inTemplate('containers.0.resources.requests.cpu'),
    '-1 must not be negative',
  ],
  ['a number where text belongs', deployment({}, { nodeSelector: { zone: 1 } }), inTemplate('nodeSelector.zone'), 'is the number 1, not text: write "1"'],
  ['text where a number belongs', deployment({ replicas: '3' }), 'spec.replicas', 'is the string 3, not a whole number'],
  ['a map where a list belongs', deployment({}, { tolerations: { key: 'a' } }), inTemplate('tolerations'), 'is not a list'],
  ['a list where a map belongs', deployment({}, { nodeSelector: ['a'] }), inTemplate('nodeSelector'), 'is not a map'],
  ['text where an object belongs', deployment({}, { affinity: 'zone' }), inTemplate('affinity'), 'is not an object (Affinity)'],
  ['a negative number of replicas', deployment({ replicas: -1 }), 'spec.replicas', 'is -1, below 0'],
  [
    'a port beyond the last',
    deployment({}, { containers: [{ ...container, ports: [{ containerPort: 65_536 }] }] }),
    inTemplate('containers.0.ports.0.containerPort'),
    'is 65536, not within 1 and 65535',
  ],
  [
    'an operator of another language',
    deployment({}, { tolerations: [{ key: 'a', operator: 'Equals' }] }),
    inTemplate('tolerations.0.operator'),
    'is "Equals", not one of Equal, Exists, Lt, Gt',
  ],
  ['two containers of one name', deployment({}, { containers: [container, container] }), inTemplate('containers.1.name'), 'is the name of an earlier one too'],
  [
    'a name that no API server takes',
    { ...deployment(), metadata: { name: 'Web_App' } },
    'metadata.name',
    'is "Web_App", not up to 253 lower case letters, digits, - and .',
  ],
  ['a kind in lower case', { ...deployment(), kind: 'deployment' }, 'kind', 'deployment is not a kind: write Deployment'],
  [
    'a quota that no one could keep',
    { kind: 'ResourceQuota', apiVersion: 'v1', metadata: { name: 'q' }, spec: { hard: { cpu: '2cores' } } },
    'spec.hard.cpu',
    '"2cores" is not a quantity such as 500m, 1.5 or 2Gi',
  ],
  [
    'a LimitRange whose default goes by another name',
    { kind: 'LimitRange', apiVersion: 'v1', metadata: { name: 'l' }, spec: { limits: [{ type: 'Container', defaults: {} }] } },
    'spec.limits.0.defaults',
    'is not a known field of LimitRangeItem',
  ],
  ['no containers', deployment({}, { containers: [] }), '', 'has no containers'],
  ['no kind', { metadata: { name: 'a' } }, '', 'kind: is missing'],
  ['no name', { kind: 'Pod', spec: {} }, '', 'metadata.name: is missing'],
  ['text', 'hello', '', 'is not an object'],
] as const) {
  test(`names the place and the fault of ${name}`, () => {
    const { problems } = readManifests([null, document]);
    assert.deepEqual([problems[0]?.document, problems[0]?.path.join('.'), problems[0]?.message], [2, path, message]);
  });
}

test('null counts as absent, and an int or a string where either is allowed', () => {
  const probe = { httpGet: { port: 'http' } };
  const { problems } = readManifests([
    deployment({ strategy: null }, { affinity: null, containers: [{ ...container, livenessProbe: probe, readinessProbe: { tcpSocket: { port: 80 } } }] }),
  ]);
  assert.deepEqual(problems, []);
});

test('a document with thousands of faults gives twenty, and the next one its own', () => {
  const bad = Object.fromEntries(Array.from({ length: 5_000 }, (_, index) => [`field${index}`, 1]));
  const { problems } = readManifests([deployment({}, bad), deployment({}, { nope: 1 })]);
  assert.deepEqual([problems.filter(({ document }) => document === 1).length, problems.filter(({ document }) => document === 2).length], [20, 1]);
});

test('never throws, whatever a document is', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.oneof(
          fc.anything(),
          fc.object({ maxDepth: 3 }).map((spec) => deployment(spec)),
          fc.object({ maxDepth: 3 }).map((spec) => deployment({}, spec)),
        ),
      ),
      (documents) => {
        assert.ok(readManifests(documents).problems.every(({ document }) => document >= 1));
      },
    ),
  );
});

test('what is at the edge of a rule is no mistake', () => {
  const ports = [
    { containerPort: 1, hostPort: 0, protocol: '' },
    { containerPort: 65_535, protocol: 'SCTP' },
  ];
  const spread = [{ maxSkew: 1, minDomains: 1, topologyKey: 'zone', whenUnsatisfiable: 'ScheduleAnyway' }];
  const sidecar = { ...container, name: 'b-2', restartPolicy: 'Always', ports };
  const tolerations = [{ operator: 'Exists', effect: '' }];
  const sound = deployment({ replicas: 0 }, { initContainers: [sidecar], topologySpreadConstraints: spread, tolerations, restartPolicy: 'Always' });
  assert.deepEqual(readManifests([{ ...sound, metadata: { name: 'web.example-1' } }]).problems, []);
});
