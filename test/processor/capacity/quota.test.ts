/** Quota admission and LimitRanges, in the API server's words. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod, ResourceQuota } from '../../../collector/objects.ts';
import { admitPod } from '../../../processor/capacity/admission.ts';
import { createQuotaLedger } from '../../../processor/capacity/quota.ts';
import { clusterOf, object, pod } from '../../helpers/capacity.ts';

function quota(hard: Readonly<Record<string, string>>, used: Readonly<Record<string, string>> = {}, spec: Partial<ResourceQuota['spec']> = {}): ResourceQuota {
  return {
    kind: 'ResourceQuota',
    apiVersion: 'v1',
    metadata: { name: 'q', namespace: 'shop', uid: 'q', resourceVersion: '1' },
    spec: { hard, ...spec },
    status: { hard, used },
  };
}
function limited(requests: Readonly<Record<string, string>>, limits: Readonly<Record<string, string>>, spec: Partial<Pod['spec']> = {}): Pod {
  return pod('p', {}, { spec: { containers: [{ name: 'c', resources: { requests, limits } }], ...spec } });
}

for (const [name, hard, used, incoming, message] of [
  ['the last that fits', { pods: '5' }, { pods: '4' }, pod('p', {}), undefined],
  ['one too many', { pods: '5' }, { pods: '5' }, pod('p', {}), 'exceeded quota: q, requested: pods=1, used: pods=5, limited: pods=5'],
  [
    'cpu above what is left',
    { 'requests.cpu': '40' },
    { 'requests.cpu': '39' },
    pod('p', { cpu: '1500m' }),
    'exceeded quota: q, requested: requests.cpu=1500m, used: requests.cpu=39, limited: requests.cpu=40',
  ],
  ['cpu exactly what is left', { 'requests.cpu': '40' }, { 'requests.cpu': '38500m' }, pod('p', { cpu: '1500m' }), undefined],
  [
    'two resources at once',
    { cpu: '1', memory: '1Gi' },
    {},
    pod('p', { cpu: '2', memory: '2Gi' }),
    'exceeded quota: q, requested: cpu=2,memory=2Gi, used: cpu=0,memory=0, limited: cpu=1,memory=1Gi',
  ],
  [
    'no request where the quota demands one',
    { 'requests.cpu': '40', 'limits.memory': '1Gi' },
    {},
    pod('p', {}),
    'failed quota: q: must specify limits.memory for: app; requests.cpu for: app',
  ],
  [
    'a limit that counts',
    { 'limits.memory': '1Gi' },
    {},
    limited({}, { memory: '2Gi' }),
    'exceeded quota: q, requested: limits.memory=2Gi, used: limits.memory=0, limited: limits.memory=1Gi',
  ],
  [
    'pod-level resources need no container to name any',
    { 'requests.cpu': '4' },
    {},
    pod('p', {}, { spec: { resources: { requests: { cpu: '1' } } } }),
    undefined,
  ],
  [
    'devices count under requests only',
    { 'requests.example.com/gpu': '1' },
    { 'requests.example.com/gpu': '1' },
    pod('p', { 'example.com/gpu': '1' }),
    'exceeded quota: q, requested: requests.example.com/gpu=1, used: requests.example.com/gpu=1, limited: requests.example.com/gpu=1',
  ],
  ['a quota on Services only', { services: '0' }, {}, pod('p', {}), undefined],
] as const) {
  test(`quota: ${name}`, () => assert.equal(createQuotaLedger([quota(hard, used)]).charge(incoming)?.message, message));
}

const SCOPED: readonly (readonly [string, Partial<ResourceQuota['spec']>, Pod, boolean])[] = [
  ['BestEffort covers a pod without requests', { scopes: ['BestEffort'] }, pod('p', {}), true],
  ['BestEffort leaves a pod with requests alone', { scopes: ['BestEffort'] }, pod('p', { cpu: '1' }), false],
  ['NotBestEffort is the opposite', { scopes: ['NotBestEffort'] }, pod('p', { cpu: '1' }), true],
  ['Terminating covers a pod with a deadline', { scopes: ['Terminating'] }, pod('p', {}, { spec: { activeDeadlineSeconds: 5 } }), true],
  ['NotTerminating leaves it alone', { scopes: ['NotTerminating'] }, pod('p', {}, { spec: { activeDeadlineSeconds: 5 } }), false],
  ['a priority class that is listed', byClass('In', ['high']), pod('p', {}, { spec: { priorityClassName: 'high' } }), true],
  ['a priority class that is not', byClass('In', ['high']), pod('p', {}, { spec: { priorityClassName: 'low' } }), false],
  ['any priority class', byClass('Exists', []), pod('p', {}), false],
  ['scopes are ANDed', { scopes: ['BestEffort', 'Terminating'] }, pod('p', {}), false],
  [
    'affinity to other namespaces',
    { scopes: ['CrossNamespacePodAffinity'] },
    pod('p', {}, { spec: { affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'zone', namespaces: ['other'] }] } } } }),
    true,
  ],
];
function byClass(operator: string, values: readonly string[]): Partial<ResourceQuota['spec']> {
  return { scopeSelector: { matchExpressions: [{ scopeName: 'PriorityClass', operator, values }] } };
}
for (const [name, spec, incoming, covered] of SCOPED) {
  test(`quota scope: ${name}`, () => assert.equal(createQuotaLedger([quota({ pods: '0' }, {}, spec)]).charge(incoming) !== undefined, covered));
}

test('a refusal by one quota charges none', () => {
  const [a, b] = [quota({ pods: '2' }), { ...quota({ cpu: '1' }), metadata: { ...quota({}).metadata, name: 'r' } }];
  const ledger = createQuotaLedger([b, a]);
  assert.equal(ledger.charge(pod('p', { cpu: '2' }))?.quota, 'r');
  assert.equal(ledger.charge(pod('p', { cpu: '500m' })), undefined);
  assert.equal(ledger.charge(pod('p', { cpu: '500m' })), undefined);
  assert.equal(ledger.charge(pod('p', { cpu: '0' }))?.quota, 'q');
  ledger.release(pod('p', { cpu: '500m' }));
  assert.equal(ledger.charge(pod('p', { cpu: '500m' })), undefined);
});

test('a quota with quantities that cannot be read limits nothing', () => {
  assert.equal(createQuotaLedger([quota({ pods: 'five', cpu: '{}' })]).charge(pod('p', {})), undefined);
});

function withRange(limits: readonly Readonly<Record<string, unknown>>[]) {
  return clusterOf({ nodes: [], objects: { limitranges: [object('LimitRange', 'range', { spec: { limits } }, 'shop')] } });
}
const resourcesOf = (admitted: Pod) => admitted.spec.containers[0]?.resources;

test('a limit without a request is the request, before the LimitRange defaults', () => {
  const cluster = withRange([{ type: 'Container', default: { memory: '2Gi', cpu: '2' }, defaultRequest: { memory: '1Gi', cpu: '1' } }]);
  const { pod: admitted, refusals } = admitPod(limited({}, { cpu: '4' }), cluster);
  assert.deepEqual(resourcesOf(admitted), { limits: { memory: '2Gi', cpu: '4' }, requests: { memory: '1Gi', cpu: '4' } });
  assert.deepEqual(refusals, []);
});

test('a LimitRange of a manifest has the defaults that the API server would give it', () => {
  const cluster = withRange([{ type: 'Container', min: { cpu: '100m', memory: '1Mi' }, max: { memory: '1Gi' } }]);
  const { pod: admitted, refusals } = admitPod(limited({}, {}), cluster);
  assert.deepEqual(resourcesOf(admitted), { limits: { memory: '1Gi' }, requests: { cpu: '100m', memory: '1Gi' } });
  assert.deepEqual(refusals, []);
});

for (const [name, item, incoming, refusal] of [
  ['below the minimum', { type: 'Container', min: { cpu: '1' } }, limited({ cpu: '500m' }, {}), /minimum cpu usage per Container is 1, but request is lower/],
  ['no request at all', { type: 'Pod', min: { cpu: '1' } }, limited({}, {}), /minimum cpu usage per Pod is 1\. {2}No request is specified/],
  [
    'above the maximum',
    { type: 'Container', max: { memory: '1Gi' } },
    limited({}, { memory: '2Gi' }),
    /maximum memory usage per Container is 1Gi, but limit is higher/,
  ],
  [
    'no limit at all',
    { type: 'Pod', max: { memory: '1Gi' } },
    limited({ memory: '1Gi' }, {}),
    /maximum memory usage per Pod is 1Gi\. {2}No limit is specified/,
  ],
  [
    'a limit too far above the request',
    { type: 'Container', maxLimitRequestRatio: { cpu: '2' } },
    limited({ cpu: '1' }, { cpu: '3' }),
    /cpu max limit to request ratio per Container is 2, but provided ratio is 3\.00/,
  ],
  ['the pod as a whole', { type: 'Pod', max: { cpu: '1' } }, limited({}, { cpu: '2' }), /maximum cpu usage per Pod is 1, but limit is higher/],
] as const) {
  test(`LimitRange: ${name}`, () => assert.match(admitPod(incoming, withRange([item])).refusals.join(), refusal));
}

test('priority comes from the class, from the global default, or is 0', () => {
  const classes = [object('PriorityClass', 'high', { value: 1_000 }), object('PriorityClass', 'usual', { value: 7, globalDefault: true })];
  const cluster = clusterOf({ nodes: [], objects: { priorityclasses: classes } });
  const priority = (name?: string) => admitPod(pod('p', {}, { spec: { priorityClassName: name } }), cluster).pod.spec.priority;
  assert.deepEqual([priority('high'), priority(), priority('system-node-critical')], [1_000, 7, 2_000_001_000]);
  assert.equal(admitPod(pod('p', {}), clusterOf({ nodes: [] })).pod.spec.priority, 0);
});

test('tolerations for nodes that stop being ready are added once', () => {
  const admit = (each: Pod) => admitPod(each, clusterOf({ nodes: [] })).pod;
  const first = admit(pod('p', {}));
  assert.equal(first.spec.tolerations?.length, 2);
  assert.deepEqual(admit(first).spec.tolerations, first.spec.tolerations);
  assert.equal(admit(pod('p', {}, { spec: { tolerations: [{ operator: 'Exists' }] } })).spec.tolerations?.length, 1);
});

test('with hostNetwork a container port is a host port', () => {
  const spec = { hostNetwork: true, containers: [{ name: 'c', ports: [{ containerPort: 80 }, { containerPort: 81, hostPort: 9_000 }] }] };
  const ports = admitPod(pod('p', {}, { spec }), clusterOf({ nodes: [] })).pod.spec.containers[0]?.ports;
  assert.deepEqual(
    ports?.map(({ hostPort }) => hostPort),
    [80, 9_000],
  );
});
