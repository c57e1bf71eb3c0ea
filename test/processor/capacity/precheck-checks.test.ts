/** Every check of the pre-check: what it is there to find, and what only looks like it and must pass. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CheckId, CheckStatus } from '../../../processor/capacity/check.ts';
import { CHECKS } from '../../../processor/capacity/check.ts';
import type { Knowledge } from '../../../processor/capacity/history-checks.ts';
import { readManifests } from '../../../processor/capacity/manifest.ts';
import { runPrecheck } from '../../../processor/capacity/precheck.ts';
import type { TestCluster } from '../../helpers/capacity.ts';
import { clusterOf, node, object, pod } from '../../helpers/capacity.ts';

type Fields = Readonly<Record<string, unknown>>;

interface Situation {
  readonly podSpec?: Fields;
  readonly container?: Fields;
  readonly spec?: Fields;
  readonly kind?: string;
  readonly cluster?: Partial<TestCluster>;
  readonly knowledge?: Knowledge;
}

interface Case {
  readonly check: CheckId;
  readonly name: string;
  readonly found: Situation;
  readonly status: CheckStatus;
  readonly reason: RegExp;
  /** As like it as can be. */
  readonly lookAlike: Situation;
}

const SIZE = { cpu: '4', memory: '8Gi' };
const zoned = [node('a', SIZE, { labels: { zone: 'x' } }), node('b', SIZE, { labels: { zone: 'y' } })];
const ALL_KNOWN: Knowledge = { imageFailures: () => [], containerPast: () => [], openIncidents: () => [], blind: [] };

function verdictOf({ podSpec = {}, container = {}, spec = {}, kind = 'Deployment', cluster = {}, knowledge = {} }: Situation) {
  const containers = [{ name: 'app', image: 'registry.example/app:1.2', resources: { requests: { cpu: '1', memory: '1Gi' } }, ...container }];
  const template = { metadata: { labels: { app: 'web' } }, spec: { containers, ...podSpec } };
  const manifest = {
    apiVersion: 'apps/v1',
    kind,
    metadata: { name: 'web', namespace: 'shop' },
    spec: { replicas: 2, selector: { matchLabels: { app: 'web' } }, template, ...spec },
  };
  const read = readManifests([manifest]);
  assert.deepEqual(read.problems, []);
  const [verdict] = runPrecheck(read, clusterOf({ nodes: zoned, ...cluster }), { ...ALL_KNOWN, ...knowledge }).workloads;
  assert.ok(verdict);
  return verdict;
}

const asking = (requests: Fields): Fields => ({ resources: { requests } });
const quota = (hard: Readonly<Record<string, string>>, used: Readonly<Record<string, string>>, namespace = 'shop') => ({
  resourcequotas: [object('ResourceQuota', 'q', { spec: { hard }, status: { hard, used } }, namespace)],
});
const range = (limit: Fields) => ({ limitranges: [object('LimitRange', 'l', { spec: { limits: [{ type: 'Container', ...limit }] } }, 'shop')] });
const tainted = (...effects: readonly string[]) =>
  effects.map((effect, index) => node(`n${index}`, SIZE, { spec: { taints: [{ key: 'dedicated', value: 'db', effect }] } }));
const required = (kind: string, topologyKey: string, app: string): Fields => ({
  affinity: { [kind]: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey, labelSelector: { matchLabels: { app } } }] } },
});
const spread = (whenUnsatisfiable: string, topologyKey = 'zone'): Fields => ({
  topologySpreadConstraints: [{ maxSkew: 1, topologyKey, whenUnsatisfiable, labelSelector: { matchLabels: { app: 'web' } } }],
});
const claim = (phase: string, volumeName?: string) =>
  object(
    'PersistentVolumeClaim',
    'data',
    { spec: { storageClassName: 'now', ...(volumeName === undefined ? {} : { volumeName }) }, status: { phase } },
    'shop',
  );
const volumeIn = (...zones: readonly string[]) =>
  object('PersistentVolume', 'v', {
    spec: { nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'zone', operator: 'In', values: zones }] }] } } },
  });
const onClaim: Fields = { volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }] };
const fromSecret = (optional: boolean): Fields => ({ env: [{ name: 'X', valueFrom: { secretKeyRef: { name: 'keys', key: 'x', optional } } }] });
const liveness = (periodSeconds: number): Fields => ({ livenessProbe: { periodSeconds, failureThreshold: 3, httpGet: { port: 80 } } });
const limitedTo = (memory: string): Fields => ({ resources: { requests: { cpu: '1' }, limits: { memory } } });
const killedAt = (limit: string): Knowledge => ({ containerPast: () => [{ container: 'app', oomAtLimits: [limit], probeFailures: [] }] });
const timedOut = (probe: string): Knowledge => ({
  containerPast: () => [{ container: 'app', oomAtLimits: [], probeFailures: [{ probe, cause: 'probe_timeout', incidents: 2 }] }],
});
const pullFailure = { image: 'registry.example/app:1.2', cause: 'registry_auth', cluster: 'prod', lastTime: '2026-01-15T12:00:00Z', incidents: 1 } as const;
const busy = (cpu: string, priority = 0) => zoned.map(({ metadata: { name } }) => pod(`old-${name}`, { cpu }, { on: name, spec: { priority } }));
const attachedVolumes = (count: number): Partial<TestCluster> => {
  const driver = { name: 'disk.example', allocatable: { count } };
  const csi = (name: string) => object('PersistentVolume', `pv-${name}`, { spec: { csi: { driver: 'disk.example', volumeHandle: name } } });
  const bound = (name: string) => object('PersistentVolumeClaim', name, { spec: { volumeName: `pv-${name}` }, status: { phase: 'Bound' } }, 'shop');
  const other = pod('other', { cpu: '1' }, { on: 'a', spec: { volumes: [{ name: 'o', persistentVolumeClaim: { claimName: 'other' } }] } });
  const objects = {
    csinodes: [object('CSINode', 'a', { spec: { drivers: [driver] } })],
    persistentvolumes: [csi('data'), csi('other')],
    persistentvolumeclaims: [bound('data'), bound('other')],
  };
  return { nodes: [node('a', SIZE)], pods: [other], objects };
};

const CASES: readonly Case[] = [
  {
    check: 'fit',
    name: 'no node has enough free',
    found: { container: asking({ cpu: '3' }), cluster: { pods: busy('1500m') } },
    status: 'fail',
    reason: /0 of 2 replicas .*0\/2 nodes are available: 2 Insufficient cpu/,
    lookAlike: { container: asking({ cpu: '3' }), cluster: { pods: busy('1500m').map((each) => ({ ...each, status: { phase: 'Succeeded' } })) } },
  },
  {
    check: 'fit',
    name: 'it fits by evicting others',
    found: { podSpec: { priority: 10 }, container: asking({ cpu: '3' }), cluster: { pods: busy('1500m') } },
    status: 'warn',
    reason: /2 pods of lower priority would be evicted/,
    lookAlike: { podSpec: { priority: 10 }, container: asking({ cpu: '2' }), cluster: { pods: busy('1500m') } },
  },
  {
    check: 'quota',
    name: 'a full quota',
    found: { cluster: { objects: quota({ pods: '5' }, { pods: '4' }) } },
    status: 'fail',
    reason: /1 of 2 replicas are created: exceeded quota: q, requested: pods=1, used: pods=5, limited: pods=5/,
    lookAlike: { cluster: { objects: quota({ pods: '5' }, { pods: '5' }, 'other') } },
  },
  {
    check: 'quota',
    name: 'a quota on what nobody requests',
    found: { cluster: { objects: quota({ 'limits.memory': '9Gi' }, {}) } },
    status: 'fail',
    reason: /0 of 2 replicas are created: failed quota: q: must specify limits\.memory for: app/,
    lookAlike: { cluster: { objects: { ...quota({ 'limits.memory': '9Gi' }, {}), ...range({ default: { memory: '2Gi' } }) } } },
  },
  {
    check: 'limits',
    name: 'below the minimum of a LimitRange',
    found: { container: asking({ memory: '64Mi' }), cluster: { objects: range({ min: { memory: '128Mi' } }) } },
    status: 'fail',
    reason: /minimum memory usage per Container is 128Mi/,
    lookAlike: { container: asking({ memory: '128Mi' }), cluster: { objects: range({ min: { memory: '128Mi' } }) } },
  },
  {
    check: 'selectors',
    name: 'a label that no node has',
    found: { podSpec: { nodeSelector: { zone: 'z' } } },
    status: 'fail',
    reason: /no node of 2 passes: 2 node\(s\) didn't match Pod's node affinity\/selector/,
    lookAlike: { podSpec: { nodeSelector: { zone: 'x' } } },
  },
  {
    check: 'taints',
    name: 'every node keeps it off',
    found: { cluster: { nodes: tainted('NoSchedule', 'NoExecute') } },
    status: 'fail',
    reason: /no node of 2 passes: 2 node\(s\) had untolerated taint\(s\)/,
    lookAlike: { cluster: { nodes: tainted('PreferNoSchedule', 'PreferNoSchedule') } },
  },
  {
    check: 'affinity',
    name: 'it wants to be near what is not there',
    found: { podSpec: required('podAffinity', 'zone', 'cache') },
    status: 'fail',
    reason: /2 node\(s\) didn't match pod affinity rules/,
    lookAlike: { podSpec: required('podAffinity', 'zone', 'web') },
  },
  {
    check: 'affinity',
    name: 'it keeps away from itself, and there are too few nodes',
    found: { podSpec: required('podAntiAffinity', 'zone', 'web'), spec: { replicas: 3 } },
    status: 'warn',
    reason: /2 of 2 nodes are ruled out for the pending pods by this alone/,
    lookAlike: { podSpec: required('podAntiAffinity', 'zone', 'web'), spec: { replicas: 2 } },
  },
  {
    check: 'spread',
    name: 'no node has the topology',
    found: { podSpec: spread('DoNotSchedule', 'rack') },
    status: 'fail',
    reason: /missing required label/,
    lookAlike: { podSpec: spread('ScheduleAnyway', 'rack') },
  },
  {
    check: 'spread',
    name: 'one domain is full, so the other may not take more',
    found: { podSpec: spread('DoNotSchedule'), spec: { replicas: 4 }, cluster: { pods: [pod('big', { cpu: '3' }, { on: 'a' })] } },
    status: 'warn',
    reason: /1 of 2 nodes are ruled out for the pending pods by this alone/,
    lookAlike: { podSpec: spread('DoNotSchedule'), spec: { replicas: 3 }, cluster: { pods: [pod('big', { cpu: '3' }, { on: 'a' })] } },
  },
  {
    check: 'host_ports',
    name: 'the port is taken everywhere',
    found: {
      container: { ports: [{ containerPort: 80, hostPort: 80 }] },
      cluster: {
        nodes: [node('a', SIZE)],
        pods: [pod('p', {}, { on: 'a', spec: { containers: [{ name: 'c', ports: [{ containerPort: 1, hostPort: 80 }] }] } })],
      },
    },
    status: 'fail',
    reason: /1 node\(s\) didn't have free ports/,
    lookAlike: {
      container: { ports: [{ containerPort: 80, hostPort: 80, protocol: 'UDP' }] },
      spec: { replicas: 1 },
      cluster: {
        nodes: [node('a', SIZE)],
        pods: [pod('p', {}, { on: 'a', spec: { containers: [{ name: 'c', ports: [{ containerPort: 1, hostPort: 80 }] }] } })],
      },
    },
  },
  {
    check: 'claims',
    name: 'the volume is where no node is',
    found: { podSpec: onClaim, cluster: { objects: { persistentvolumeclaims: [claim('Bound', 'v')], persistentvolumes: [volumeIn('z')] } } },
    status: 'fail',
    reason: /no node of 2 passes/,
    lookAlike: { podSpec: onClaim, cluster: { objects: { persistentvolumeclaims: [claim('Bound', 'v')], persistentvolumes: [volumeIn('z', 'x', 'y')] } } },
  },
  {
    check: 'claims',
    name: 'an unbound claim that nobody waits with',
    found: {
      podSpec: onClaim,
      cluster: { objects: { persistentvolumeclaims: [claim('Pending')], storageclasses: [object('StorageClass', 'now', { volumeBindingMode: 'Immediate' })] } },
    },
    status: 'fail',
    reason: /unbound immediate PersistentVolumeClaims/,
    lookAlike: {
      podSpec: onClaim,
      cluster: {
        objects: {
          persistentvolumeclaims: [claim('Pending')],
          storageclasses: [object('StorageClass', 'now', { provisioner: 'disk.example', volumeBindingMode: 'WaitForFirstConsumer' })],
        },
      },
    },
  },
  {
    check: 'claims',
    name: 'no more volumes can be attached',
    found: { podSpec: onClaim, cluster: attachedVolumes(1) },
    status: 'fail',
    reason: /exceed max volume count/,
    lookAlike: { podSpec: onClaim, cluster: attachedVolumes(2) },
  },
  {
    check: 'references',
    name: 'a Secret that does not exist',
    found: { container: fromSecret(false) },
    status: 'fail',
    reason: /secrets shop\/keys \(spec\.containers\[0\]\.env\[0\]\.valueFrom\.secretKeyRef\.name\)/,
    lookAlike: { container: fromSecret(true) },
  },
  {
    check: 'references',
    name: 'a ServiceAccount that may exist, where podtrail may not look',
    found: { podSpec: { serviceAccountName: 'robot' }, cluster: { blind: ['serviceaccounts'] } },
    status: 'unknown',
    reason: /podtrail may not look/,
    lookAlike: {
      podSpec: { serviceAccountName: 'robot' },
      cluster: { blind: ['secrets'], objects: { serviceaccounts: [object('ServiceAccount', 'robot', {}, 'shop')] } },
    },
  },
  {
    check: 'parameters',
    name: 'a liveness probe without patience',
    found: { container: liveness(5) },
    status: 'warn',
    reason: /the liveness probe kills it 15 s after its start/,
    lookAlike: { container: liveness(10) },
  },
  {
    check: 'parameters',
    name: 'a mount over what the container runs on',
    found: { container: { volumeMounts: [{ name: 'v', mountPath: '/usr' }] }, podSpec: { volumes: [{ name: 'v', emptyDir: {} }] } },
    status: 'fail',
    reason: /hides what the container needs/,
    lookAlike: { container: { volumeMounts: [{ name: 'v', mountPath: '/usr/share/data' }] }, podSpec: { volumes: [{ name: 'v', emptyDir: {} }] } },
  },
  {
    check: 'parameters',
    name: 'a command that is a sentence',
    found: { container: { command: ['run --fast'] } },
    status: 'warn',
    reason: /looked up as one program/,
    lookAlike: { container: { command: ['sh', '-c', 'run --fast'] } },
  },
  {
    check: 'image_history',
    name: 'this image fails to be pulled',
    found: { knowledge: { imageFailures: () => [{ ...pullFailure, same: 'image', open: true }] } },
    status: 'fail',
    reason: /pulling this image has failed before and does so now/,
    lookAlike: {
      knowledge: { imageFailures: (images) => (images.includes('registry.example/app:1.3') ? [{ ...pullFailure, same: 'image', open: true }] : []) },
    },
  },
  {
    check: 'image_history',
    name: 'its registry failed, for another image',
    found: { knowledge: { imageFailures: () => [{ ...pullFailure, same: 'registry', open: true }] } },
    status: 'warn',
    reason: /pulls from this registry have failed before/,
    lookAlike: { knowledge: { imageFailures: () => [] } },
  },
  {
    check: 'container_history',
    name: 'it was killed at this limit',
    found: { container: limitedTo('1Gi'), knowledge: killedAt('1024Mi') },
    status: 'warn',
    reason: /killed for memory at a limit of 1024Mi; the limit is 1Gi/,
    lookAlike: { container: limitedTo('2Gi'), knowledge: killedAt('1024Mi') },
  },
  {
    check: 'container_history',
    name: 'this probe timed out before',
    found: { container: liveness(10), knowledge: timedOut('liveness') },
    status: 'warn',
    reason: /the liveness probe of container app failed before: probe_timeout, 2 incidents/,
    lookAlike: { container: liveness(10), knowledge: timedOut('readiness') },
  },
  {
    check: 'cluster_health',
    name: 'a node is not ready',
    found: { cluster: { nodes: [...zoned, node('c', SIZE, { ready: 'Unknown' })] } },
    status: 'warn',
    reason: /node c is not ready/,
    lookAlike: { cluster: { nodes: [...zoned, node('c', SIZE, { spec: { unschedulable: true } })] } },
  },
  {
    check: 'cluster_health',
    name: 'podtrail does not see everything',
    found: { knowledge: { blind: ['pods: the watch is behind'] } },
    status: 'warn',
    reason: /not seen: pods: the watch is behind/,
    lookAlike: { knowledge: { blind: [] } },
  },
  {
    check: 'cluster_health',
    name: 'an open incident of the namespace',
    found: { knowledge: { openIncidents: () => ['node_lost/unreachable: n7'] } },
    status: 'warn',
    reason: /open: node_lost\/unreachable: n7/,
    lookAlike: { knowledge: { openIncidents: (namespace) => (namespace === 'shop' ? [] : ['oom_killed/limit: x']) } },
  },
];

for (const { check, name, found, status, reason, lookAlike } of CASES) {
  test(`${check}: ${name}`, () => {
    const hit = verdictOf(found).checks.find((each) => each.check === check);
    assert.equal(hit?.status, status, hit?.reason);
    assert.match([hit?.reason, ...(hit?.details ?? [])].join('\n'), reason);
    if (status === 'fail' || status === 'warn') assert.notEqual(hit?.fix, '', 'says what would make it pass');
    const missed = verdictOf(lookAlike).checks.find((each) => each.check === check);
    assert.equal(missed?.status, 'pass', `look-alike: ${missed?.reason}`);
  });
}

test('no check goes without a case', () => {
  assert.deepEqual(new Set(CASES.map(({ check }) => check)), new Set(CHECKS));
});
