import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Pod } from '../../../collector/objects.ts';
import type { CheckId } from '../../../processor/capacity/check.ts';
import { CHECKS } from '../../../processor/capacity/check.ts';
import type { Knowledge } from '../../../processor/capacity/history-checks.ts';
import { readManifests } from '../../../processor/capacity/manifest.ts';
import type { PrecheckOptions } from '../../../processor/capacity/precheck.ts';
import { runPrecheck } from '../../../processor/capacity/precheck.ts';
import type { TestCluster } from '../../helpers/capacity.ts';
import { clusterOf, node, object, pod } from '../../helpers/capacity.ts';

const SIZE = { cpu: '4', memory: '8Gi' };
type Manifest = Readonly<Record<string, unknown>>;

function workload(kind: string, podSpec: Manifest = {}, spec: Manifest = {}, container: Manifest = {}): Manifest {
  const template = {
    metadata: { labels: { app: 'web' } },
    spec: { containers: [{ name: 'app', image: 'registry.example/app:1.2', resources: { requests: { cpu: '1', memory: '1Gi' } }, ...container }], ...podSpec },
  };
  return {
    apiVersion: 'apps/v1',
    kind,
    metadata: { name: 'web', namespace: 'shop' },
    spec: { replicas: 3, selector: { matchLabels: { app: 'web' } }, template, ...spec },
  };
}

function run(documents: readonly unknown[], cluster: TestCluster, knowledge: Knowledge = {}, options: PrecheckOptions = {}) {
  const report = runPrecheck(readManifests(documents), clusterOf(cluster), knowledge, options);
  const [first] = report.workloads;
  assert.ok(first, JSON.stringify(report.problems));
  const check = (id: CheckId) => first.checks.find((each) => each.check === id)!;
  return { report, first, check };
}
const two = [node('a', SIZE), node('b', SIZE)];

test('what fits passes: placed by node, every check answered once and in order', () => {
  const { report, first } = run([workload('Deployment')], { nodes: two }, { openIncidents: () => [], imageFailures: () => [], containerPast: () => [] });
  assert.deepEqual([report.status, first.placed, first.replicas, first.message], ['pass', 3, 3, '']);
  assert.equal(
    first.placements.reduce((sum, { replicas }) => sum + replicas, 0),
    3,
  );
  assert.deepEqual(
    first.checks.map(({ check }) => check),
    CHECKS,
  );
});

test('what podtrail cannot know is unknown, which is no pass', () => {
  const { report, check } = run([workload('Deployment')], { nodes: two });
  assert.deepEqual([report.status, check('image_history').status, check('container_history').status], ['unknown', 'unknown', 'unknown']);
});

test('too little space: the number placed, the scheduler its message, the reasons node by node, and the remedy', () => {
  const pods = two.map(({ metadata: { name } }) => pod(`old-${name}`, { cpu: '1500m', memory: '1Gi' }, { on: name }));
  const { first, check } = run([workload('Deployment', {}, { replicas: 1 }, { resources: { requests: { cpu: '3', memory: '1Gi' } } })], { nodes: two, pods });
  assert.deepEqual([first.status, first.placed, first.message], ['fail', 0, '0/2 nodes are available: 2 Insufficient cpu.']);
  assert.deepEqual(first.nodes, [
    { node: 'a', reasons: ['Insufficient cpu'] },
    { node: 'b', reasons: ['Insufficient cpu'] },
  ]);
  assert.match(check('fit').fix, /^move shop\/old-a from a to b; one replica then fits on a/);
});

test('no node of the selector: which label is missing, and what there is instead', () => {
  const nodes = [node('a', SIZE, { labels: { disk: 'hdd' } }), node('b', SIZE)];
  const { check } = run([workload('Deployment', { nodeSelector: { disk: 'ssd' } })], { nodes });
  assert.deepEqual([check('selectors').status, check('taints').status], ['fail', 'pass']);
  assert.deepEqual(check('selectors').details, ['disk=ssd: 0 of 2 nodes (values there are: hdd)']);
  assert.match(check('selectors').fix, /label a node with disk=ssd/);
});

test('an untolerated taint on every node: which one to tolerate', () => {
  const nodes = [node('a', SIZE, { spec: { taints: [{ key: 'dedicated', value: 'gpu', effect: 'NoSchedule' }] } })];
  const { check } = run([workload('Deployment')], { nodes });
  assert.deepEqual([check('taints').status, check('taints').fix], ['fail', 'tolerate dedicated=gpu:NoSchedule, or take the taint off a node']);
});

test('a taint that alone keeps pending replicas off a node is a warning', () => {
  const nodes = [node('a', SIZE), node('b', SIZE, { spec: { taints: [{ key: 'dedicated', effect: 'NoSchedule' }] } })];
  const { first, check } = run([workload('Deployment', {}, { replicas: 6 })], { nodes });
  assert.deepEqual([first.placed, check('taints').status], [4, 'warn']);
});

test('anti-affinity to itself: more replicas than nodes', () => {
  const affinity = {
    podAntiAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { app: 'web' } } }],
    },
  };
  const { first, check } = run([workload('Deployment', { affinity })], { nodes: two });
  assert.deepEqual([first.placed, check('affinity').status], [2, 'warn']);
  assert.match(first.message, /2 node\(s\) didn't match pod anti-affinity rules/);
});

test('quota: how many replicas are created, and in whose words the rest is refused', () => {
  const quota = object('ResourceQuota', 'q', { spec: { hard: { pods: '2' } }, status: { hard: { pods: '2' }, used: { pods: '0' } } }, 'shop');
  const { first, check } = run([workload('Deployment')], { nodes: two, objects: { resourcequotas: [quota] } });
  assert.equal(first.placed, 2);
  assert.equal(check('quota').reason, '2 of 3 replicas are created: exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2');
});

test('several workloads share the space: the second sees the first', () => {
  const second = { ...workload('Deployment'), metadata: { name: 'late', namespace: 'shop' } };
  const { report } = run([workload('Deployment', {}, { replicas: 6 }), second], { nodes: two });
  assert.deepEqual(
    report.workloads.map(({ placed }) => placed),
    [6, 2],
  );
});

test('--replicas overrides the manifest, and what is too many to try is said so', () => {
  assert.equal(run([workload('Deployment')], { nodes: two }, {}, { replicas: 8 }).first.placed, 8);
  const big = [node('a', { cpu: '100000', memory: '100000Gi', pods: '100000' })];
  const { first, check } = run([workload('Deployment')], { nodes: big }, {}, { replicas: 1_000_000 });
  assert.deepEqual([first.replicas, first.placed, check('fit').status], [1_000_000, 5_000, 'unknown']);
});

const owned = (name: string, cpu: string, on: string): Pod => ({
  ...pod(name, { cpu, memory: '1Gi' }, { on, labels: { app: 'web' } }),
  metadata: { ...pod(name, {}).metadata, labels: { app: 'web' }, ownerReferences: [{ kind: 'ReplicaSet', name: 'web-1', uid: 'rs', controller: true }] },
});
const replicaSet = {
  ...object('ReplicaSet', 'web-1', { spec: {} }, 'shop'),
  metadata: { ...object('ReplicaSet', 'web-1', {}, 'shop').metadata, ownerReferences: [{ kind: 'Deployment', name: 'web', uid: 'd', controller: true }] },
};

for (const [name, strategy, placed] of [
  ['old pods make room within maxUnavailable', { rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } }, 2],
  ['without maxUnavailable no old pod leaves, and the surge fits nowhere', { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } }, 0],
  ['Recreate takes the old pods first', { type: 'Recreate' }, 2],
] as const) {
  test(`an update is no second copy: ${name}`, () => {
    const pods = [owned('web-1-a', '3', 'a'), owned('web-1-b', '3', 'b')];
    const manifest = workload('Deployment', {}, { replicas: 2, strategy }, { resources: { requests: { cpu: '3', memory: '1Gi' } } });
    const { first } = run([manifest], { nodes: two, pods, objects: { replicasets: [replicaSet] } });
    assert.deepEqual([first.update, first.placed], [true, placed]);
  });
}

test('an update under a full quota needs room beside the old pods only if none may be missing', () => {
  const quota = object('ResourceQuota', 'q', { spec: { hard: { pods: '2' } }, status: { hard: { pods: '2' }, used: { pods: '2' } } }, 'shop');
  const pods = [owned('web-1-a', '1', 'a'), owned('web-1-b', '1', 'b')];
  const objects = { replicasets: [replicaSet], resourcequotas: [quota] };
  const quotaOf = (maxUnavailable: number) =>
    run([workload('Deployment', {}, { replicas: 2, strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable } } })], { nodes: two, pods, objects }).check(
      'quota',
    ).status;
  assert.deepEqual([quotaOf(0), quotaOf(1)], ['fail', 'pass']);
});

test('a DaemonSet has a pod on each node that its template allows, cordoned ones included', () => {
  const nodes = [node('a', SIZE, { labels: { os: 'linux' } }), node('b', SIZE, { labels: { os: 'linux' }, spec: { unschedulable: true } }), node('c', SIZE)];
  const { first } = run([workload('DaemonSet', { nodeSelector: { os: 'linux' } })], { nodes });
  assert.deepEqual(first.placements, [
    { node: 'a', replicas: 1 },
    { node: 'b', replicas: 1 },
  ]);
});

test('a StatefulSet brings its claims: those that wait for a consumer, and those provisioned at once', () => {
  const classes = (volumeBindingMode: string) => ({ storageclasses: [object('StorageClass', 'fast', { provisioner: 'disk.example', volumeBindingMode })] });
  const volumeClaimTemplates = [{ metadata: { name: 'data' }, spec: { storageClassName: 'fast', resources: { requests: { storage: '1Gi' } } } }];
  for (const mode of ['WaitForFirstConsumer', 'Immediate']) {
    const { first, check } = run([workload('StatefulSet', {}, { volumeClaimTemplates })], { nodes: two, objects: classes(mode) });
    assert.deepEqual([first.placed, check('claims').status], [3, 'pass'], mode);
  }
  const { check } = run([workload('StatefulSet', {}, { volumeClaimTemplates })], { nodes: two });
  assert.equal(check('claims').status, 'fail', 'no such class');
});

test('a Job runs as many pods at once as parallelism and completions allow; a CronJob as its template', () => {
  const job = { completions: 2, parallelism: 5, selector: undefined };
  assert.equal(run([workload('Job', {}, job)], { nodes: two }).first.replicas, 2);
  const cron = {
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: { name: 'c' },
    spec: { schedule: '* * * * *', jobTemplate: { spec: { parallelism: 3, template: { spec: { containers: [{ name: 'a', image: 'i:1' }] } } } } },
  };
  assert.equal(run([cron], { nodes: two }).first.replicas, 3);
});

test('higher priority evicts, and whom', () => {
  const pods = [pod('low', { cpu: '4', memory: '1Gi' }, { on: 'a' })];
  const { first, check } = run([workload('Deployment', { priority: 100 }, { replicas: 1 })], { nodes: [node('a', SIZE)], pods });
  assert.deepEqual([first.placed, check('fit').status, check('fit').details], [1, 'warn', ['shop/low would be evicted from a']]);
  const never = run([workload('Deployment', { priority: 100, preemptionPolicy: 'Never' }, { replicas: 1 })], { nodes: [node('a', SIZE)], pods });
  assert.equal(never.first.placed, 0);
});

test('references: missing where podtrail looks, unknown where it may not, found in the manifest itself', () => {
  const volumes = [{ name: 'v', configMap: { name: 'settings' } }];
  const withRef = workload('Deployment', { volumes, serviceAccountName: 'default' });
  assert.equal(run([withRef], { nodes: two }).check('references').status, 'fail');
  assert.deepEqual(run([withRef], { nodes: two }).check('references').details, ['configmaps shop/settings (spec.volumes[0].configMap.name)']);
  assert.equal(run([withRef], { nodes: two, blind: ['configmaps'] }).check('references').status, 'unknown');
  const settings = { kind: 'ConfigMap', apiVersion: 'v1', metadata: { name: 'settings', namespace: 'shop' } };
  assert.equal(run([withRef, settings], { nodes: two }).check('references').status, 'pass');
  const optional = workload('Deployment', { volumes: [{ name: 'v', configMap: { name: 'settings', optional: true } }] });
  assert.equal(run([optional], { nodes: two }).check('references').status, 'pass');
});

for (const [name, container, podSpec, status, reason] of [
  [
    'a probe of a port nobody named',
    { readinessProbe: { httpGet: { port: 'web' } } },
    {},
    'fail',
    /readiness probe uses port web, which no port of the container is named/,
  ],
  ['a request above the limit', { resources: { requests: { cpu: '2' }, limits: { cpu: '1' } } }, {}, 'fail', /request of 2 cpu is above the limit of 1/],
  ['a memory limit without its suffix', { resources: { limits: { memory: '512' } } }, {}, 'fail', /memory limit of 512 is too low/],
  ['a mount of a volume that is not there', { volumeMounts: [{ name: 'data', mountPath: '/data' }] }, {}, 'fail', /no volume of the pod is named data/],
  [
    'a mount over /proc',
    { volumeMounts: [{ name: 'v', mountPath: '/proc/' }] },
    { volumes: [{ name: 'v', emptyDir: {} }] },
    'fail',
    /hides what the container needs/,
  ],
  [
    'two mounts at one path',
    {
      volumeMounts: [
        { name: 'v', mountPath: '/x' },
        { name: 'v', mountPath: '/x/' },
      ],
    },
    { volumes: [{ name: 'v', emptyDir: {} }] },
    'fail',
    /two volumes are mounted at \/x/,
  ],
  ['an image name in capitals', { image: 'registry.example/App:1' }, {}, 'fail', /not a valid image name/],
  ['an image without a version', { image: 'registry.example/app' }, {}, 'warn', /names no fixed version/],
  ['a command in one word', { command: ['sh -c true'] }, {}, 'warn', /looked up as one program/],
  [
    'a preStop that sleeps through the grace period',
    { lifecycle: { preStop: { sleep: { seconds: 40 } } } },
    {},
    'warn',
    /preStop sleeps 40 s of a grace period of 30 s/,
  ],
  ['an impatient liveness probe', { livenessProbe: { periodSeconds: 5, httpGet: { port: 80 } } }, {}, 'warn', /kills it 15 s after its start/],
  [
    'a liveness probe with a startup probe',
    { livenessProbe: { periodSeconds: 5, httpGet: { port: 80 } }, startupProbe: { failureThreshold: 30, httpGet: { port: 80 } } },
    {},
    'pass',
    /consistent/,
  ],
  ['a digest', { image: 'registry.example/app@sha256:0123' }, {}, 'pass', /consistent/],
] as const) {
  test(`parameters: ${name}`, () => {
    const { check } = run([workload('Deployment', podSpec, {}, container)], { nodes: two });
    assert.equal(check('parameters').status, status);
    assert.match(check('parameters').reason, reason);
  });
}

test('history: OOM kills at this limit, failed pulls and open incidents', () => {
  const knowledge: Knowledge = {
    containerPast: () => [{ container: 'app', oomAtLimits: ['1Gi'], probeFailures: [{ probe: 'liveness', cause: 'probe_timeout', incidents: 2 }] }],
    imageFailures: () => [
      { image: 'registry.example/app:1.2', same: 'image', cause: 'registry_auth', cluster: 'prod', lastTime: '2026-01-15T12:00:00Z', incidents: 3, open: true },
    ],
    openIncidents: () => ['node_lost n7'],
  };
  const manifest = workload(
    'Deployment',
    {},
    {},
    { resources: { requests: { cpu: '1' }, limits: { memory: '1Gi' } }, livenessProbe: { httpGet: { port: 80 } } },
  );
  const { check } = run([manifest], { nodes: two }, knowledge);
  assert.deepEqual(
    [check('parameters').status, check('container_history').status, check('image_history').status, check('cluster_health').status],
    ['pass', 'warn', 'fail', 'warn'],
  );
  assert.deepEqual(check('container_history').details, [
    'container app was killed for memory at a limit of 1Gi; the limit is 1Gi',
    'the liveness probe of container app failed before: probe_timeout, 2 incidents',
  ]);
  assert.deepEqual(check('cluster_health').details, ['open: node_lost n7']);
});

test('nodes that are not ready, and a cluster without any', () => {
  assert.equal(run([workload('Deployment')], { nodes: [node('a', SIZE, { ready: 'False' }), node('b', SIZE)] }).check('cluster_health').status, 'warn');
  assert.equal(run([workload('Deployment')], { nodes: [node('a', SIZE, { ready: 'False' })] }).check('cluster_health').status, 'fail');
  const empty = run([workload('Deployment')], { nodes: [] });
  assert.deepEqual([empty.check('cluster_health').status, empty.first.message], ['fail', 'no nodes available to schedule pods']);
});

test('unusable manifests fail as a whole and are named', () => {
  const report = runPrecheck(readManifests([workload('Deployment', { nodeSelector: 'x' })]), clusterOf({ nodes: two }));
  assert.deepEqual([report.status, report.problems[0]?.path.join('.')], ['fail', 'spec.template.spec.nodeSelector']);
});

test('never throws over manifests of any shape', () => {
  const value = fc.oneof({ maxDepth: 3 }, fc.string(), fc.integer(), fc.constant(null), fc.array(fc.anything(), { maxLength: 3 }), fc.object({ maxDepth: 2 }));
  const fields = fc.constantFrom(
    'affinity',
    'tolerations',
    'topologySpreadConstraints',
    'nodeSelector',
    'volumes',
    'initContainers',
    'resources',
    'overhead',
    'nodeName',
    'priority',
    'hostNetwork',
    'imagePullSecrets',
  );
  const kind = fc.constantFrom('Pod', 'Deployment', 'StatefulSet', 'DaemonSet', 'Job', 'CronJob', 'ReplicaSet');
  fc.assert(
    fc.property(
      kind,
      fc.dictionary(fields, value),
      fc.dictionary(fc.constantFrom('replicas', 'strategy', 'volumeClaimTemplates', 'selector', 'jobTemplate', 'parallelism'), value),
      (each, podSpec, spec) => {
        const manifest = workload(each, podSpec, spec);
        const asPod = { ...manifest, spec: { containers: [{ name: 'a' }], ...podSpec } };
        runPrecheck(readManifests([each === 'Pod' ? asPod : manifest]), clusterOf({ nodes: two }), {}, { replicas: 2 });
      },
    ),
    { numRuns: 300 },
  );
});

test('manifests that make no pods were not checked, which is no pass', () => {
  const rollout = { kind: 'Rollout', apiVersion: 'argoproj.io/v1alpha1', metadata: { name: 'r' }, spec: { replicas: 3 } };
  const report = runPrecheck(readManifests([rollout]), clusterOf({ nodes: two }));
  assert.deepEqual(report, { status: 'unknown', workloads: [], problems: [] });
});

/** A pod of the Deployment web that runs, `tookSeconds` from start to ready. */
function running(name: string, tookSeconds: number, more: { restarts?: number; containers?: Pod['spec']['containers'] } = {}): Pod {
  const startedMs = Date.parse('2026-01-15T12:00:00Z');
  const at = (seconds: number): string => new Date(startedMs + seconds * 1_000).toISOString();
  return pod(
    name,
    {},
    {
      on: 'a',
      owner: 'ReplicaSet',
      spec: { containers: more.containers ?? [{ name: 'app' }] },
      status: {
        phase: 'Running',
        conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: at(tookSeconds) }],
        containerStatuses: [{ name: 'app', restartCount: more.restarts ?? 0, state: { running: { startedAt: at(0) } } }],
      },
    },
  );
}

const probed = { name: 'app', livenessProbe: { httpGet: { port: 80 } } };
for (const [name, pods, expected] of [
  [
    'the quickest start of those seen is longer than the probe waits',
    [running('x', 95), running('y', 90)],
    /seen to take 90 s from start to ready, and the liveness probe kills it after 30 s/,
  ],
  ['one started in time: the other was only not ready again for a while', [running('x', 95), running('y', 30)], undefined],
  ['a pod that has restarted says nothing', [running('x', 95, { restarts: 1 })], undefined],
  ['nor does one with several containers', [running('x', 95, { containers: [{ name: 'app' }, { name: 'sidecar' }] })], undefined],
  ['nor one that the same probe let live', [running('x', 95, { containers: [probed] })], undefined],
  [
    'one that a more patient probe let live counts',
    [running('x', 95, { containers: [{ ...probed, livenessProbe: { periodSeconds: 40 } }] })],
    /seen to take 95 s/,
  ],
] as const) {
  test(`start-up times: ${name}`, () => {
    const owner = {
      ...object('ReplicaSet', 'owner', {}, 'shop'),
      metadata: {
        name: 'owner',
        namespace: 'shop',
        uid: 'owner-ReplicaSet',
        resourceVersion: '1',
        ownerReferences: [{ kind: 'Deployment', name: 'web', uid: 'd', controller: true }],
      },
    };
    const { check } = run([workload('Deployment', {}, {}, { livenessProbe: probed.livenessProbe })], { nodes: two, pods, objects: { replicasets: [owner] } });
    const { status, reason } = check('parameters');
    assert.equal(status, expected === undefined ? 'pass' : 'warn');
    if (expected !== undefined) assert.match(reason, expected);
  });
}

test('scheduling gates and another scheduler: the fit is for when nothing holds the pods back, and the parameters say what does', () => {
  const { first, check } = run([workload('Deployment', { schedulingGates: [{ name: 'example.com/wait' }], schedulerName: 'batch' })], { nodes: two });
  assert.deepEqual([first.placed, check('fit').status, check('parameters').status], [3, 'pass', 'warn']);
  assert.match(check('parameters').details[0] ?? '', /wait for their scheduling gates \(example\.com\/wait\)/);
  assert.match(check('parameters').details[1] ?? '', /scheduler batch places the pods/);
  assert.equal(run([workload('Deployment', { schedulerName: 'default-scheduler' })], { nodes: two }).check('parameters').status, 'pass');
});

test('a pod that names its node passes by the scheduler: cordoned is no matter to it, a full node and NoExecute are', () => {
  const cordoned = node('a', SIZE, { spec: { unschedulable: true, taints: [{ key: 'x', effect: 'NoSchedule' }] } });
  const evicting = node('b', SIZE, { spec: { taints: [{ key: 'x', effect: 'NoExecute' }] } });
  const placed = (nodeName: string, replicas: number) => run([workload('Deployment', { nodeName }, { replicas })], { nodes: [cordoned, evicting] }).first;
  assert.deepEqual(placed('a', 3).placements, [{ node: 'a', replicas: 3 }]);
  assert.equal(placed('a', 6).placed, 4, 'four cores');
  assert.equal(placed('b', 1).placed, 0);
  const gone = placed('c', 1);
  assert.deepEqual([gone.placed, gone.checks.find(({ check }) => check === 'selectors')?.status], [0, 'fail']);
});

test('the next run of a CronJob comes beside the last one, unless its policy forbids or replaces that', () => {
  const job = {
    ...object('Job', 'owner', {}, 'shop'),
    metadata: {
      name: 'owner',
      namespace: 'shop',
      uid: 'j',
      resourceVersion: '1',
      ownerReferences: [{ kind: 'CronJob', name: 'web', uid: 'c', controller: true }],
    },
  };
  const pods = [pod('last', { cpu: '3' }, { on: 'a', owner: 'Job' })];
  const template = { spec: { containers: [{ name: 'app', image: 'registry.example/app:1', resources: { requests: { cpu: '3' } } }] } };
  const cron = (concurrencyPolicy?: string) => ({
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: { name: 'web', namespace: 'shop' },
    spec: { schedule: '* * * * *', concurrencyPolicy, jobTemplate: { spec: { template } } },
  });
  const placed = (policy?: string) => run([cron(policy)], { nodes: [node('a', SIZE)], pods, objects: { jobs: [job] } }).first;
  assert.deepEqual(
    [placed(), placed('Allow'), placed('Forbid'), placed('Replace')].map((each) => each.placed),
    [0, 0, 1, 1],
  );
  assert.equal(placed().update, true);
});
