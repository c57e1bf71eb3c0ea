import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Node, Pod, ProjectedObject, Workload } from '../../../collector/objects.ts';
import type { SeenEvent, Signal } from '../../../processor/scenarios/scenario.ts';
import { schedulingFailure } from '../../../processor/scenarios/scheduling-failure.ts';
import type { PodOptions, PodViewOptions } from '../../helpers/view.ts';
import { at, atMs, controllerView, node, object, pod, podView, seenEvent, webDeployment, workload } from '../../helpers/view.ts';

const FULL = '0/3 nodes are available: 3 Insufficient cpu.';
const MIXED =
  "0/18 nodes are available: 1 node(s) had untolerated taint(s), 1 node(s) were unschedulable, 16 node(s) didn't match Pod's node affinity/selector. no new claims to deallocate, preemption: 0/18 nodes are available: 18 Preemption is not helpful for scheduling.";

/** A pod that no scheduler could place since that many seconds. */
function pending(options: PodOptions = {}, message = FULL, since = -90): Pod {
  const condition = { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message, lastTransitionTime: at(since) };
  return pod({
    ...options,
    spec: { nodeName: undefined, ...options.spec },
    status: { phase: 'Pending', conditions: [condition], containerStatuses: [], startTime: undefined, ...options.status },
  });
}

const requests = (cpu: string, more: Record<string, string> = {}): PodOptions['container'] => ({ resources: { requests: { cpu, memory: '1Gi', ...more } } });

/** A node of a pool. */
function poolNode(
  name: string,
  pool: string,
  options: { readonly spec?: Node['spec']; readonly allocatable?: Record<string, string>; readonly zone?: string } = {},
): Node {
  const labels = { pool, 'kubernetes.io/hostname': name, 'topology.kubernetes.io/zone': options.zone ?? 'a' };
  const allocatable = { cpu: '4', memory: '8Gi', pods: '110', ...options.allocatable };
  return node({ metadata: { name, labels }, spec: options.spec, status: { allocatable, capacity: allocatable } });
}

/** A pod that takes so much of a node. */
function filler(on: string, cpu: string, name = `filler-${on}`, options: PodOptions = {}): Pod {
  return pod({
    ...options,
    metadata: { name, uid: `uid-${name}`, ownerReferences: [], ...options.metadata },
    spec: { nodeName: on, ...options.spec },
    container: requests(cpu, {}),
    ...{},
  });
}

const CORDON: Node['spec'] = { unschedulable: true, taints: [{ key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }] };
const tainted = (key: string, value = '', effect = 'NoSchedule'): Node['spec'] => ({ taints: [{ key, value, effect }] });
const selects = (pool: string): PodOptions => ({ spec: { nodeSelector: { pool } } });
const affinityTo = (pool: string): Pod['spec']['affinity'] => ({
  nodeAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'pool', operator: 'In', values: [pool] }] }] },
  },
});
const awayFrom = (app: string): Pod['spec']['affinity'] => ({
  podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { app } } }] },
});

function signalsOf(subject: Pod, options: PodViewOptions = {}): readonly Signal[] {
  return schedulingFailure.pod?.(podView(subject, options)) ?? [];
}

interface Case {
  readonly name: string;
  readonly pod: Pod;
  readonly objects?: readonly ProjectedObject[];
  readonly cause: string;
  readonly detail?: string;
  readonly confidence?: string;
  readonly says?: RegExp;
}

const three = (spec?: Node['spec'], allocatable?: Record<string, string>): readonly Node[] =>
  ['n1', 'n2', 'n3'].map((name) => poolNode(name, 'web', { spec, allocatable }));
const claim = (phase: string, rest: object = {}): ProjectedObject =>
  object(
    'PersistentVolumeClaim',
    { name: 'data' },
    { spec: { storageClassName: 'fast', volumeName: phase === 'Bound' ? 'pv-1' : undefined, accessModes: ['ReadWriteOnce'], ...rest }, status: { phase } },
  );
const usesClaim: PodOptions = { spec: { volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }] } };
const volumeIn = (zone: string): ProjectedObject =>
  object(
    'PersistentVolume',
    { name: 'pv-1' },
    {
      spec: {
        nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'topology.kubernetes.io/zone', operator: 'In', values: [zone] }] }] } },
      },
      status: { phase: 'Bound' },
    },
  );

const causes: readonly Case[] = [
  {
    name: 'nodes of another pool that fail the selector do not make a full pool a selector mismatch',
    pod: pending(
      { ...selects('web'), container: requests('3') },
      "0/5 nodes are available: 2 Insufficient cpu, 3 node(s) didn't match Pod's node affinity/selector.",
    ),
    objects: [
      poolNode('n1', 'web'),
      poolNode('n2', 'web'),
      ...['o1', 'o2', 'o3'].map((name) => poolNode(name, 'batch')),
      filler('n1', '3500m'),
      filler('n2', '3500m'),
    ],
    cause: 'insufficient_resources',
    confidence: 'certain',
    says: /too little cpu is free on the 2 nodes that would take it$/,
  },
  {
    name: 'free space that is scattered over the pool is fragmentation',
    pod: pending({ container: requests('3') }),
    objects: [...three(), ...['n1', 'n2', 'n3'].map((on) => filler(on, '2'))],
    cause: 'resource_fragmentation',
    says: /the free room of 3 nodes together would hold it, that of no single node does$/,
  },
  {
    name: 'space on nodes the pod may not use is no fragmentation',
    pod: pending({ ...selects('web'), container: requests('3') }),
    objects: [poolNode('n1', 'web'), poolNode('o1', 'batch'), filler('n1', '2')],
    cause: 'insufficient_resources',
  },
  {
    name: 'a pod larger than any node of its pool is too big, however much is free',
    pod: pending({ container: requests('16') }),
    objects: three(),
    cause: 'insufficient_resources',
    detail: 'too_big',
    says: /asks for more cpu than 3 nodes could ever hold/,
  },
  {
    name: 'DaemonSet pods leave too little on every node: too big, not fragmented',
    pod: pending({ container: requests('3800m') }),
    objects: [
      ...three(),
      ...['n1', 'n2', 'n3'].map((on) =>
        filler(on, '500m', `ds-${on}`, {
          metadata: { ownerReferences: [{ apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'ds', uid: 'ds', controller: true }] },
        }),
      ),
    ],
    cause: 'insufficient_resources',
    detail: 'too_big',
  },
  {
    name: 'no node carries the label',
    pod: pending({ spec: { nodeSelector: { disk: 'nvme' } } }, MIXED),
    objects: three(),
    cause: 'node_selector_mismatch',
    confidence: 'certain',
    says: /no node carries the labels of its nodeSelector disk=nvme/,
  },
  {
    name: 'required node affinity that no node satisfies',
    pod: pending({ spec: { affinity: affinityTo('mars') } }, MIXED),
    objects: three(),
    cause: 'affinity_mismatch',
    says: /no node satisfies its required node affinity/,
  },
  {
    name: 'a selector that some nodes satisfy and an affinity that none of these does: the affinity',
    pod: pending({ spec: { nodeSelector: { pool: 'web' }, affinity: affinityTo('mars') } }, MIXED),
    objects: three(),
    cause: 'affinity_mismatch',
  },
  {
    name: 'a selector that no node satisfies outweighs the affinity beside it',
    pod: pending({ spec: { nodeSelector: { pool: 'venus' }, affinity: affinityTo('web') } }, MIXED),
    objects: three(),
    cause: 'node_selector_mismatch',
  },
  {
    name: 'the selected node is reserved for others; the taint is named from the node, which the message does not',
    pod: pending(selects('gpu'), MIXED),
    objects: [...three(), poolNode('gpu-1', 'gpu', { spec: tainted('dedicated', 'gpu') })],
    cause: 'untolerated_taint',
    confidence: 'certain',
    says: /does not tolerate dedicated=gpu:NoSchedule of node gpu-1/,
  },
  {
    name: 'the selected node is cordoned, by the same message',
    pod: pending(selects('old'), MIXED),
    objects: [...three(), poolNode('old-1', 'old', { spec: CORDON })],
    cause: 'no_available_node',
    confidence: 'certain',
    says: /cordoned, not ready or leaving: old-1/,
  },
  {
    name: 'the selected nodes are unreachable',
    pod: pending(selects('old'), MIXED),
    objects: [
      ...three(),
      poolNode('old-1', 'old', {
        spec: {
          taints: [
            { key: 'node.kubernetes.io/unreachable', effect: 'NoSchedule' },
            { key: 'node.kubernetes.io/unreachable', effect: 'NoExecute' },
          ],
        },
      }),
    ],
    cause: 'no_available_node',
  },
  {
    name: 'one selected node is cordoned, the other reserved: waiting may help',
    pod: pending(selects('web'), MIXED),
    objects: [poolNode('n1', 'web', { spec: CORDON }), poolNode('n2', 'web', { spec: tainted('dedicated', 'db') })],
    cause: 'no_available_node',
  },
  {
    name: 'a reserved node that is cordoned too is still reserved',
    pod: pending(selects('web'), MIXED),
    objects: [poolNode('n1', 'web', { spec: { unschedulable: true, taints: [{ key: 'dedicated', value: 'db', effect: 'NoSchedule' }] } })],
    cause: 'untolerated_taint',
  },
  {
    name: 'a pod without constraints: reserved nodes and a cordoned one are background, the full node binds',
    pod: pending(
      { container: requests('3') },
      '0/4 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint(s), 1 node(s) were unschedulable.',
    ),
    objects: [
      poolNode('n1', 'web'),
      filler('n1', '3500m'),
      poolNode('gpu-1', 'gpu', { spec: tainted('gpu') }),
      poolNode('gpu-2', 'gpu', { spec: tainted('gpu') }),
      poolNode('n2', 'web', { spec: CORDON }),
    ],
    cause: 'insufficient_resources',
  },
  {
    name: 'every node is reserved',
    pod: pending({}, '0/3 nodes are available: 3 node(s) had untolerated taint(s).'),
    objects: three(tainted('team', 'data')),
    cause: 'untolerated_taint',
  },
  {
    name: 'the control plane and workers that are not ready: the workers',
    pod: pending({}, '0/2 nodes are available: 2 node(s) had untolerated taint(s).'),
    objects: [
      poolNode('cp', 'cp', { spec: tainted('node-role.kubernetes.io/control-plane') }),
      poolNode('n1', 'web', { spec: tainted('node.kubernetes.io/not-ready') }),
    ],
    cause: 'no_available_node',
    says: /: n1$/,
  },
  {
    name: 'a PreferNoSchedule taint keeps nobody off',
    pod: pending({ container: requests('3') }),
    objects: [poolNode('n1', 'web', { spec: tainted('soft', '', 'PreferNoSchedule') }), filler('n1', '3500m')],
    cause: 'insufficient_resources',
  },
  {
    name: 'no device of the kind anywhere',
    pod: pending({ container: requests('1', { 'nvidia.com/gpu': '1' }) }, '0/3 nodes are available: 3 Insufficient nvidia.com/gpu.'),
    objects: three(),
    cause: 'extended_resource',
    says: /no nvidia.com\/gpu is free/,
  },
  {
    name: 'the device node is full of cpu and so are the others: nodes without the device do not count as near',
    pod: pending({ container: requests('3', { 'nvidia.com/gpu': '1' }) }, '0/2 nodes are available: 1 Insufficient nvidia.com/gpu, 2 Insufficient cpu.'),
    objects: [poolNode('n1', 'web'), filler('n1', '3500m'), poolNode('gpu-1', 'gpu', { allocatable: { 'nvidia.com/gpu': '8' } }), filler('gpu-1', '3500m')],
    cause: 'insufficient_resources',
    says: /too little cpu is free on the only node that would take it/,
  },
  {
    name: 'the device node is full of cpu that others have free: moving a pod off it would help',
    pod: pending({ container: requests('3', { 'nvidia.com/gpu': '1' }) }, '0/2 nodes are available: 1 Insufficient cpu, 1 Insufficient nvidia.com/gpu.'),
    objects: [poolNode('n1', 'web'), poolNode('gpu-1', 'gpu', { allocatable: { 'nvidia.com/gpu': '8' } }), filler('gpu-1', '3500m')],
    cause: 'resource_fragmentation',
    says: /the free room of 2 nodes together would hold it/,
  },
  {
    name: 'room for everything but one more pod',
    pod: pending({}, '0/1 nodes are available: 1 Too many pods.'),
    objects: [poolNode('n1', 'web', { allocatable: { pods: '1' } }), filler('n1', '100m')],
    cause: 'too_many_pods',
  },
  {
    name: 'anti-affinity to the replicas on every node',
    pod: pending(
      { metadata: { labels: { app: 'web' } }, spec: { affinity: awayFrom('web') } },
      "0/2 nodes are available: 2 node(s) didn't match pod anti-affinity rules.",
    ),
    objects: [
      poolNode('n1', 'web'),
      poolNode('n2', 'web'),
      ...['n1', 'n2'].map((on) => filler(on, '1', `web-${on}`, { metadata: { labels: { app: 'web' } } })),
    ],
    cause: 'affinity_mismatch',
    says: /didn't match pod anti-affinity rules/,
  },
  {
    name: 'anti-affinity where replicas are, and the only other node is full: room is what binds',
    pod: pending(
      { metadata: { labels: { app: 'web' } }, spec: { affinity: awayFrom('web') }, container: requests('2') },
      "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) didn't match pod anti-affinity rules.",
    ),
    objects: [...three(), ...['n1', 'n2'].map((on) => filler(on, '1', `web-${on}`, { metadata: { labels: { app: 'web' } } })), filler('n3', '3500m')],
    cause: 'insufficient_resources',
    says: /the only node that would take it/,
  },
  {
    name: 'the host port is taken',
    pod: pending(
      { container: { ports: [{ hostPort: 7777, containerPort: 7777, protocol: 'TCP' }] } },
      "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.",
    ),
    objects: [
      poolNode('n1', 'web'),
      pod({
        metadata: { name: 'holder', uid: 'holder' },
        spec: { nodeName: 'n1' },
        container: { ports: [{ hostPort: 7777, containerPort: 7777, protocol: 'TCP' }] },
      }),
    ],
    cause: 'host_port_conflict',
  },
  {
    name: 'spread over zones of which one has no node left',
    pod: pending(
      {
        metadata: { labels: { app: 'web' } },
        spec: {
          topologySpreadConstraints: [
            {
              maxSkew: 1,
              topologyKey: 'topology.kubernetes.io/zone',
              whenUnsatisfiable: 'DoNotSchedule',
              labelSelector: { matchLabels: { app: 'web' } },
              nodeTaintsPolicy: 'Ignore',
            },
          ],
        },
      },
      "0/2 nodes are available: 1 node(s) didn't match pod topology spread constraints, 1 node(s) were unschedulable.",
    ),
    objects: [
      poolNode('n1', 'web', { zone: 'a' }),
      poolNode('n2', 'web', { zone: 'b', spec: CORDON }),
      filler('n1', '1', 'web-n1', { metadata: { labels: { app: 'web' } } }),
    ],
    cause: 'topology_spread',
  },
  {
    name: 'the claim is not bound',
    pod: pending(usesClaim, 'pod has unbound immediate PersistentVolumeClaims'),
    objects: [...three(), claim('Pending')],
    cause: 'unbound_volume',
    confidence: 'certain',
  },
  {
    name: 'up to 1.25 the same counts every node',
    pod: pending(usesClaim, '0/3 nodes are available: 3 pod has unbound immediate PersistentVolumeClaims.'),
    objects: [...three(), claim('Pending')],
    cause: 'unbound_volume',
  },
  {
    name: 'the claim does not exist',
    pod: pending(usesClaim, '0/3 nodes are available: persistentvolumeclaim "data" not found.'),
    objects: three(),
    cause: 'unbound_volume',
  },
  {
    name: 'the volume is in a zone without nodes',
    pod: pending(usesClaim, '0/3 nodes are available: 3 node(s) had volume node affinity conflict.'),
    objects: [...three(), claim('Bound'), volumeIn('b')],
    cause: 'volume_topology',
  },
  {
    name: "the volume's zone has a node, which is full: nodes of other zones do not count",
    pod: pending({ ...usesClaim, container: requests('3') }, '0/4 nodes are available: 1 Insufficient cpu, 3 node(s) had volume node affinity conflict.'),
    objects: [...three(), claim('Bound'), volumeIn('b'), poolNode('b1', 'web', { zone: 'b' }), filler('b1', '3500m')],
    cause: 'insufficient_resources',
  },
  {
    name: "the volume's zone has a node, which is cordoned",
    pod: pending(usesClaim, '0/4 nodes are available: 1 node(s) were unschedulable, 3 node(s) had volume node affinity conflict.'),
    objects: [...three(), claim('Bound'), volumeIn('b'), poolNode('b1', 'web', { zone: 'b', spec: CORDON })],
    cause: 'no_available_node',
  },
  {
    name: 'a ReadWriteOncePod claim is in use',
    pod: pending(
      usesClaim,
      '0/1 nodes are available: 1 node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod.',
    ),
    objects: [poolNode('n1', 'web'), claim('Bound', { accessModes: ['ReadWriteOncePod'] }), volumeIn('a'), filler('n1', '1', 'other', usesClaim)],
    cause: 'volume_limit',
  },
  {
    name: 'what the tables do not model stands as the scheduler says it',
    pod: pending({}, '0/3 nodes are available: 3 cannot allocate all claims. still not schedulable.'),
    objects: three(),
    cause: 'resource_claim',
    confidence: 'certain',
  },
  {
    name: 'tables newer than the attempt: a node would take it now, so the message stands',
    pod: pending({}, FULL),
    objects: three(),
    cause: 'insufficient_resources',
    confidence: 'likely',
  },
  {
    name: 'a filter of no known plugin',
    pod: pending({}, '0/3 nodes are available: 3 node(s) GPU topology mismatch.'),
    objects: three(),
    cause: 'other',
    says: /GPU topology mismatch/,
  },
  {
    name: 'without nodes the message decides where it can',
    pod: pending({}, '0/3 nodes are available: 3 node(s) had volume node affinity conflict.'),
    cause: 'volume_topology',
    confidence: 'certain',
  },
  {
    name: 'without nodes the same message for four causes is a guess',
    pod: pending({ spec: { nodeSelector: { disk: 'nvme' } } }, MIXED),
    cause: 'node_selector_mismatch',
    confidence: 'guess',
  },
];

for (const each of causes) {
  test(`scheduling_failure: ${each.name}`, () => {
    const signals = signalsOf(each.pod, { objects: each.objects ?? [] });
    assert.deepEqual(
      signals.map(({ cause, detail }) => [cause, detail]),
      [[each.cause, each.detail ?? '']],
    );
    if (each.confidence !== undefined) assert.equal(signals[0]?.confidence, each.confidence);
    if (each.says !== undefined) assert.match(signals[0]?.summary ?? '', each.says);
  });
}

test('a verdict about room carries K, K*, phi and the binding resource as evidence', () => {
  const [signal] = signalsOf(pending({ container: requests('3') }), { objects: [...three(), ...['n1', 'n2', 'n3'].map((on) => filler(on, '2'))] });
  assert.equal(signal?.evidence.find(({ path }) => path === 'fit')?.value, 'K=0, K*=2, phi=1, binding cpu');
  assert.equal(signal?.evidence.find(({ path }) => path === 'filters failed on 3 nodes')?.value, '3 NodeResourcesFit');
});

test('the candidates are ranked where only nodes decide', () => {
  const [signal] = signalsOf(pending({ spec: { nodeSelector: { disk: 'nvme' } } }, MIXED));
  assert.match(
    signal?.evidence.find(({ path }) => path === 'candidate causes')?.value ?? '',
    /^1\. node_selector_mismatch, 2\. no_available_node, 3\. untolerated_taint; kubectl get nodes/,
  );
});

test('the workload is the subject, the claim at fault is what workloads may share', () => {
  const [signal] = signalsOf(pending(usesClaim, 'pod has unbound immediate PersistentVolumeClaims'), { objects: [...webDeployment(), claim('Pending')] });
  assert.deepEqual(signal?.subject, { kind: 'Deployment', namespace: 'shop', name: 'web', container: '' });
  assert.deepEqual(signal?.shared, { claim: 'shop/data' });
});

const trigger = (last: number): SeenEvent => seenEvent({ reason: 'TriggeredScaleUp', type: 'Normal', component: 'cluster-autoscaler', fieldPath: '', last });
const refused = (last: number): SeenEvent =>
  seenEvent({
    reason: 'NotTriggerScaleUp',
    type: 'Normal',
    component: 'cluster-autoscaler',
    fieldPath: '',
    note: "pod didn't trigger scale-up: 1 max node group size reached",
    last,
  });
const due: readonly { readonly name: string; readonly events?: readonly SeenEvent[]; readonly seconds: number }[] = [
  { name: '60 s after it became unschedulable', seconds: 60 },
  { name: '10 min while an autoscaler adds nodes', events: [trigger(-20)], seconds: 600 },
  {
    name: '10 min while Karpenter has nominated it',
    events: [seenEvent({ reason: 'Nominated', type: 'Normal', component: 'karpenter', last: -20 })],
    seconds: 600,
  },
  { name: '60 s when the autoscaler refuses', events: [refused(-20)], seconds: 60 },
  { name: '60 s when a scale-up was tried and the last word is a refusal', events: [trigger(-25), refused(-10)], seconds: 60 },
  { name: '10 min when a scale-up began after a refusal', events: [refused(-25), trigger(-10)], seconds: 600 },
  {
    name: '60 s when Karpenter gave up',
    events: [
      seenEvent({ reason: 'Nominated', component: 'karpenter', last: -25 }),
      seenEvent({ reason: 'FailedScheduling', component: 'karpenter', note: 'Failed to schedule pod, incompatible with nodepool "default"', last: -10 }),
    ],
    seconds: 60,
  },
];
for (const { name, events, seconds } of due) {
  test(`scheduling_failure is due ${name}`, () => {
    const [signal] = signalsOf(pending({ container: requests('1') }), { events, objects: three(undefined, { cpu: '100m' }) });
    assert.equal(signal?.fact.timeMs, atMs(-90));
    assert.equal(signal?.dueTimeMs, atMs(-90 + seconds));
  });
}

test('a pod that some node would take by now gets the time of one more attempt, and decides nothing against what was decided', () => {
  const [signal] = signalsOf(pending(), { objects: three() });
  assert.deepEqual([signal?.dueTimeMs, signal?.recheckTimeMs, signal?.rank], [atMs(-90 + 60 + 300), atMs(30), 1]);
});

test('before a pod is due the message decides, at its time the nodes do', () => {
  const objects = [...three(), poolNode('gpu-1', 'gpu', { spec: tainted('dedicated', 'gpu') })];
  assert.equal(signalsOf(pending(selects('gpu'), MIXED, -59), { objects })[0]?.cause, 'node_selector_mismatch');
  assert.equal(signalsOf(pending(selects('gpu'), MIXED, -60), { objects })[0]?.cause, 'untolerated_taint');
});

test('what the autoscaler said is evidence', () => {
  const [signal] = signalsOf(pending(), { events: [refused(-20)], objects: three(undefined, { cpu: '100m' }) });
  assert.equal(
    signal?.evidence.some(({ path }) => path === 'NotTriggerScaleUp'),
    true,
  );
});

const silent: readonly { readonly name: string; readonly pod: Pod; readonly events?: readonly SeenEvent[] }[] = [
  { name: 'bound', pod: pod() },
  { name: 'bound in this instant: PodScheduled is True', pod: pending({ status: { conditions: [{ type: 'PodScheduled', status: 'True' }] } }) },
  { name: 'on its way out', pod: pending({ metadata: { deletionTimestamp: at(10) } }) },
  {
    name: 'held by a scheduling gate',
    pod: pending({
      spec: { schedulingGates: [{ name: 'kueue.x-k8s.io/admission' }] },
      status: {
        conditions: [{ type: 'PodScheduled', status: 'False', reason: 'SchedulingGated', message: 'Scheduling is blocked due to non-empty scheduling gates' }],
      },
    }),
  },
  { name: 'failed before it was ever bound', pod: pending({ status: { phase: 'Failed' } }) },
];
for (const each of silent)
  test(`scheduling_failure is silent for a pod ${each.name}`, () => assert.deepEqual(signalsOf(each.pod, { events: each.events }), []));

test('a pod that nobody schedules: no condition, no Event, due 60 s after its creation', () => {
  const lonely = pending({ metadata: { creationTimestamp: at(-30) }, spec: { schedulerName: 'volcano' }, status: { conditions: [] } });
  const [signal] = signalsOf(lonely);
  assert.equal(signal?.cause, 'scheduler_absent');
  assert.equal(signal?.dueTimeMs, atMs(30));
  assert.match(signal?.summary ?? '', /scheduler volcano has not looked at Pod shop\/web-1/);
});

test('the default scheduler is silent about a pod whose resource claim is not there', () => {
  const waiting = (schedulerName?: string) =>
    signalsOf(
      pending({
        spec: { ...(schedulerName && { schedulerName }), resourceClaims: [{ name: 'gpu', resourceClaimName: 'gpu-claim' }] },
        status: { conditions: [] },
      }),
    );
  assert.deepEqual([waiting()[0]?.cause, waiting()[0]?.confidence], ['resource_claim', 'likely']);
  assert.equal(waiting('volcano')[0]?.cause, 'scheduler_absent');
});

test('a scheduler that only writes Events is not absent', () => {
  const events = [
    seenEvent({ reason: 'FailedScheduling', component: 'volcano', note: '0/3 nodes are unavailable: 3 Insufficient memory.', first: -100, last: -5 }),
  ];
  const [signal] = signalsOf(pending({ status: { conditions: [] } }), { events });
  assert.equal(signal?.cause, 'insufficient_resources');
  assert.equal(signal?.fact.timeMs, atMs(-100));
});

test('Karpenter speaks only of pods that a scheduler refused: its Event alone shows that there is one', () => {
  const events = [seenEvent({ reason: 'FailedScheduling', component: 'karpenter', note: 'Failed to schedule pod, did not tolerate team=a:NoSchedule' })];
  assert.equal(signalsOf(pending({ status: { conditions: [] } }), { events })[0]?.cause, 'untolerated_taint');
});

test('the word of the scheduler counts before that of Karpenter, whichever came last', () => {
  const events = [
    seenEvent({ reason: 'FailedScheduling', note: '0/3 nodes are available: 3 Too many pods.', lastTimeMs: atMs(-90) }),
    seenEvent({ reason: 'FailedScheduling', component: 'karpenter', note: 'Failed to schedule pod, did not tolerate team=a:NoSchedule' }),
  ];
  assert.equal(signalsOf(pending({ status: { conditions: [] } }), { events })[0]?.cause, 'too_many_pods');
});

const rejectedBy = (reason: string, message = 'Pod was rejected: x', more: PodOptions = {}): Pod =>
  pod({ ...more, status: { phase: 'Failed', reason, message, startTime: at(-20), containerStatuses: [], ...more.status } });
for (const reason of [
  'OutOfcpu',
  'OutOfmemory',
  'OutOfpods',
  'OutOfnvidia.com/gpu',
  'NodeAffinity',
  'NodePorts',
  'TaintToleration',
  'UnexpectedAdmissionError',
  'TopologyAffinityError',
  'PodOSNotSupported',
  'VolumeAttachmentLimitExceeded',
  'MatchNodeSelector',
]) {
  test(`the kubelet refused with ${reason}: at once`, () => {
    const [signal] = signalsOf(rejectedBy(reason));
    assert.equal(signal?.cause, 'node_admission_rejected');
    assert.equal(signal?.dueTimeMs, atMs(-20));
    assert.deepEqual(signal?.shared, { node: 'node-a' });
  });
}
for (const reason of ['Evicted', 'NodeShutdown', 'Terminated', 'Preempting', 'DeadlineExceeded', 'SysctlForbidden', 'AppArmor', '']) {
  test(`a Failed pod with reason '${reason}' was not refused for the node's sake`, () => assert.deepEqual(signalsOf(rejectedBy(reason)), []));
}
test('the kubelet refused for a reason of a later version: its wording tells', () => {
  assert.equal(signalsOf(rejectedBy('QuantumFluxUnavailable'))[0]?.cause, 'node_admission_rejected');
  assert.deepEqual(signalsOf(rejectedBy('QuantumFluxUnavailable', 'the job gave up')), []);
});
test('a scheduler failed the pod that it will not place', () => {
  const [signal] = signalsOf(rejectedBy('ApplicationRejected', "application 'spark-1' rejected", { spec: { nodeName: '', schedulerName: 'yunikorn' } }));
  assert.deepEqual([signal?.cause, signal?.confidence, signal?.shared], ['other', 'likely', undefined]);
  assert.match(signal?.summary ?? '', /scheduler yunikorn refused a pod: ApplicationRejected/);
});
test('a refused pod whose successor is ready is history', () => {
  const successor = pod({ metadata: { name: 'web-2', uid: 'web-2', creationTimestamp: at(-19) }, status: { conditions: [{ type: 'Ready', status: 'True' }] } });
  assert.equal(signalsOf(rejectedBy('OutOfcpu'), { objects: webDeployment() }).length, 1);
  assert.deepEqual(signalsOf(rejectedBy('OutOfcpu'), { objects: [...webDeployment(), successor] }), []);
});

const QUOTA =
  'Error creating: pods "web-7d9c-abcde" is forbidden: exceeded quota: q, requested: requests.cpu=5m, used: requests.cpu=20m, limited: requests.cpu=20m';
const replicaSet = (conditions: Workload['status']['conditions'] = []): Workload =>
  workload('ReplicaSet', { metadata: { name: 'web-7d9c' }, spec: { replicas: 3 }, status: { replicas: 1, conditions } });
const replicaFailure = {
  type: 'ReplicaFailure',
  status: 'True',
  reason: 'FailedCreate',
  message: QUOTA.slice('Error creating: '.length),
  lastTransitionTime: at(-50),
};
const failedCreate = (count: number, note = QUOTA): SeenEvent =>
  seenEvent({ reason: 'FailedCreate', component: 'replicaset-controller', fieldPath: '', note, first: -50, last: -5, count });
const quota = object('ResourceQuota', { name: 'q' }, { spec: {}, status: { hard: { 'requests.cpu': '20m' }, used: { 'requests.cpu': '20m' } } });

function quotaSignals(controller: Workload, events: readonly SeenEvent[], objects: readonly ProjectedObject[] = [quota]): readonly Signal[] {
  return schedulingFailure.controller?.(controllerView(controller, events, { objects })) ?? [];
}

test('quota refuses for the second time: due at once, about the quota', () => {
  const [signal] = quotaSignals(replicaSet([replicaFailure]), [failedCreate(2)]);
  assert.equal(signal?.cause, 'quota_exceeded');
  assert.deepEqual(signal?.subject, { kind: 'ResourceQuota', namespace: 'shop', name: 'q', container: '' });
  assert.equal(signal?.dueTimeMs, atMs(-50));
  assert.equal(signal?.evidence.at(-1)?.value, 'requests.cpu 20m of 20m');
});

test('quota refused once: due only if it lasts', () => {
  assert.equal(quotaSignals(replicaSet([replicaFailure]), [failedCreate(1)])[0]?.dueTimeMs, atMs(-50 + 60));
  assert.equal(quotaSignals(workload('StatefulSet', { spec: { replicas: 3 }, status: { replicas: 1 } }), [failedCreate(1)])[0]?.dueTimeMs, undefined);
});

test('quota is silent once the controller creates again', () => {
  assert.deepEqual(quotaSignals(replicaSet(), [failedCreate(9)]), []);
  const created = seenEvent({ reason: 'SuccessfulCreate', type: 'Normal', last: -2 });
  assert.deepEqual(quotaSignals(workload('StatefulSet', { spec: { replicas: 3 }, status: { replicas: 2 } }), [failedCreate(9), created]), []);
});

test('a security policy is not a quota', () => {
  assert.deepEqual(
    quotaSignals(replicaSet([{ ...replicaFailure, message: 'pods "x" is forbidden: violates PodSecurity "restricted:latest": privileged' }]), []),
    [],
  );
});
