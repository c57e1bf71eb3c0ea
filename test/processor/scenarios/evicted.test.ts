import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Node, Pod, ProjectedObject } from '../../../collector/objects.ts';
import { evicted, evictionCause } from '../../../processor/scenarios/evicted.ts';
import type { SeenEvent, Signal } from '../../../processor/scenarios/scenario.ts';
import { at, atMs, node, pod, podView, seenEvent, webDeployment, workload } from '../../helpers/view.ts';

const messages: readonly (readonly [string, string])[] = [
  [
    'The node was low on resource: memory. Threshold quantity: 100Mi, available: 85Mi. Container app was using 900Mi, request is 100Mi, has larger consumption of memory. ',
    'memory_pressure',
  ],
  ['The node was low on resource: memory. Container app was using 1234Ki, which exceeds its request of 0. ', 'memory_pressure'],
  ['The node was low on resource: [MemoryPressure]. ', 'memory_pressure'],
  ['Pod was rejected: The node had condition: [MemoryPressure]. ', 'memory_pressure'],
  ['Pod The node had condition: [MemoryPressure]. ', 'memory_pressure'],
  [
    'The node was low on resource: ephemeral-storage. Threshold quantity: 10Gi, available: 9Gi. Container app was using 1Gi, request is 0, has larger consumption of ephemeral-storage. ',
    'disk_pressure',
  ],
  ['The node was low on resource: inodes. ', 'disk_pressure'],
  ['The node was low on resource: imagefs. ', 'disk_pressure'],
  ['The node was low on resource: [DiskPressure]. ', 'disk_pressure'],
  ['Pod was rejected: The node had condition: [DiskPressure]. ', 'disk_pressure'],
  ['The node had condition: [DiskPressure PIDPressure]. ', 'disk_pressure'],
  ['The node was low on resource: pids. Threshold quantity: 100, available: 7. ', 'pid_pressure'],
  ['The node had condition: [PIDPressure]. ', 'pid_pressure'],
  ['Usage of EmptyDir volume "e" exceeds the limit "5Mi". ', 'ephemeral_limit'],
  ['Container app exceeded its local ephemeral storage limit "1Gi". ', 'ephemeral_limit'],
  ['Pod ephemeral local storage usage exceeds the total limit of containers 1Gi. ', 'ephemeral_limit'],
  ['pod ephemeral local storage usage exceeds the total limit of containers {{1073741824 0} {<nil>} 1Gi BinarySI}', 'ephemeral_limit'],
  ['The node was low on disk space.', 'disk_pressure'],
  ['The node was low on compute resources.', 'other'],
  ['something new', 'other'],
  ['', 'other'],
];
for (const [message, cause] of messages) test(`evicted: ${message.slice(0, 90) || '(nothing)'}`, () => assert.equal(evictionCause(message), cause));

const LOW = 'The node was low on resource: memory. ';
const gone = (status: Partial<Pod['status']> = {}): Pod =>
  pod({
    status: {
      phase: 'Failed',
      reason: 'Evicted',
      message: LOW,
      containerStatuses: [],
      conditions: [{ type: 'DisruptionTarget', status: 'True', reason: 'TerminationByKubelet', lastTransitionTime: at(-100) }],
      ...status,
    },
  });
const successor = (ready: boolean, created = -90): Pod =>
  pod({
    metadata: { name: 'web-2', uid: 'web-2', creationTimestamp: at(created) },
    status: { conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] },
  });
const judge = (
  subject: Pod,
  objects: readonly ProjectedObject[] = [],
  events: readonly SeenEvent[] = [],
  notInSync: readonly 'nodes'[] = [],
): readonly Signal[] => evicted.pod?.(podView(subject, { objects: [...webDeployment(), ...objects], events, notInSync })) ?? [];

test('an eviction is due at once, about the workload, and names the node that workloads may share', () => {
  const [signal] = judge(gone());
  assert.deepEqual([signal?.scenario, signal?.cause, signal?.dueTimeMs], ['evicted', 'memory_pressure', atMs(-100)]);
  assert.deepEqual(signal?.subject, { kind: 'Deployment', namespace: 'shop', name: 'web', container: '' });
  assert.deepEqual(signal?.shared, { node: 'node-a' });
});

test('a limit eviction carries no DisruptionTarget and is dated by its Event, else by its containers', () => {
  const limit = gone({ message: 'Usage of EmptyDir volume "e" exceeds the limit "5Mi". ', conditions: [] });
  assert.equal(judge(limit, [], [seenEvent({ reason: 'Evicted', first: -70, last: -70 })])[0]?.fact.timeMs, atMs(-70));
  const dated = gone({ message: 'x', conditions: [], containerStatuses: [{ name: 'app', state: { terminated: { exitCode: 137, finishedAt: at(-55) } } }] });
  assert.equal(judge(dated)[0]?.fact.timeMs, atMs(-55));
});

test('the remains of an eviction mean nothing once a successor is ready', () => {
  assert.equal(judge(gone(), [successor(false)]).length, 1);
  assert.equal(judge(gone(), [successor(true)]).length, 0);
  assert.equal(judge(gone(), [successor(true, -500)]).length, 1, 'a pod that was there before is no successor');
});

test('the remains of an eviction mean nothing once the workload has what it wants, but not before it had time to notice', () => {
  const owner = webDeployment()[1]!;
  const whole = [workload('Deployment', { spec: { replicas: 2 }, status: { readyReplicas: 2 } }), owner];
  const at100 = evicted.pod?.(podView(gone(), { objects: whole })) ?? [];
  assert.equal(at100.length, 0);
  const young =
    evicted.pod?.(podView(gone({ conditions: [{ type: 'DisruptionTarget', status: 'True', lastTransitionTime: at(-59) }] }), { objects: whole })) ?? [];
  assert.equal(young.length, 1);
  assert.equal(young[0]?.recheckTimeMs, atMs(60));
});

test('a pod without a message is told by the Event', () => {
  const [signal] = judge(gone({ message: undefined }), [], [seenEvent({ reason: 'Evicted', note: 'The node was low on resource: pids. ' })]);
  assert.equal(signal?.cause, 'pid_pressure');
});

test('the kubelet announced it, but the pod has not ended yet', () => {
  assert.deepEqual(judge(pod(), [], [seenEvent({ reason: 'Evicted', note: LOW })]), []);
});

const byTaint = (
  conditions: Pod['status']['conditions'] = [
    {
      type: 'DisruptionTarget',
      status: 'True',
      reason: 'DeletionByTaintManager',
      message: 'Taint manager: deleting due to NoExecute taint',
      lastTransitionTime: at(-15),
    },
  ],
): Pod => pod({ metadata: { deletionTimestamp: at(15), deletionGracePeriodSeconds: 30 }, status: { conditions } });
const tainted = (status: string): Node =>
  node({ spec: { taints: [{ key: 'maintenance', effect: 'NoExecute' }] }, status: { conditions: [{ type: 'Ready', status }] } });

test('a NoExecute taint on a living node evicts', () => {
  const [signal] = judge(byTaint(), [tainted('True')]);
  assert.deepEqual([signal?.cause, signal?.confidence, signal?.dueTimeMs], ['taint_eviction', 'certain', atMs(-15)]);
  assert.match(signal?.summary ?? '', /NoExecute taint that it does not tolerate: maintenance/);
});
test('before DisruptionTarget the taint manager only left an Event', () => {
  const events = [seenEvent({ reason: 'TaintManagerEviction', type: 'Normal', component: 'taint-controller', note: 'Marking for deletion Pod shop/web-1' })];
  assert.equal(judge(byTaint([]), [tainted('True')], events)[0]?.cause, 'taint_eviction');
});
test('on a lost node the taint is a consequence that node_lost tells', () => {
  assert.deepEqual(judge(byTaint(), [tainted('Unknown')]), []);
  assert.deepEqual(judge(byTaint(), []), [], 'the node is gone');
});
test('where nodes may not be read, a taint eviction is only likely', () => assert.equal(judge(byTaint(), [], [], ['nodes'])[0]?.confidence, 'likely'));
test('where nodes may not be read, a pod that nobody reports for was on a lost one', () => {
  const silent = byTaint([
    { type: 'DisruptionTarget', status: 'True', reason: 'DeletionByTaintManager', lastTransitionTime: at(-15) },
    { type: 'Ready', status: 'False', lastTransitionTime: at(-315) },
    { type: 'ContainersReady', status: 'True' },
  ]);
  assert.deepEqual(judge(silent, [], [], ['nodes']), []);
});
test('a drain is no eviction by the node', () => {
  assert.deepEqual(
    judge(byTaint([{ type: 'DisruptionTarget', status: 'True', reason: 'EvictionByEvictionAPI', lastTransitionTime: at(-15) }]), [tainted('True')]),
    [],
  );
});
test('kubelet preemption and shutdown are no evictions', () => {
  for (const reason of ['Preempting', 'Terminated', 'NodeShutdown', 'OutOfcpu']) assert.deepEqual(judge(pod({ status: { phase: 'Failed', reason } })), []);
});
