import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Condition, Node, Pod, ProjectedObject } from '../../../collector/objects.ts';
import { nodeLost } from '../../../processor/scenarios/node-lost.ts';
import type { SeenEvent, Signal } from '../../../processor/scenarios/scenario.ts';
import type { PodOptions } from '../../helpers/view.ts';
import { at, atMs, node, nodeView, pod, podView, seenEvent } from '../../helpers/view.ts';

const unknown: Condition = {
  type: 'Ready',
  status: 'Unknown',
  reason: 'NodeStatusUnknown',
  message: 'Kubelet stopped posting node status.',
  lastTransitionTime: at(-30),
};
const notReady: Condition = { type: 'Ready', status: 'False', reason: 'KubeletNotReady', message: 'container runtime is down', lastTransitionTime: at(-30) };
const withReady = (ready: Condition, spec: Node['spec'] = {}, created = -86_400): Node =>
  node({ metadata: { creationTimestamp: at(created) }, spec, status: { conditions: [ready] } });
const daemon: PodOptions = {
  metadata: { name: 'ds', uid: 'ds', ownerReferences: [{ apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'ds', uid: 'd', controller: true }] },
};
const mirror: PodOptions = {
  metadata: { name: 'etcd', uid: 'etcd', ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: 'node-a', uid: 'n', controller: true }] },
};
const web = pod();

interface Case {
  readonly name: string;
  readonly node: Node;
  readonly pods?: readonly Pod[];
  readonly events?: readonly SeenEvent[];
  /** '' is silence. */
  readonly cause: string;
  /** Seconds from now. */
  readonly due?: number;
}
const cases: readonly Case[] = [
  { name: 'heartbeats stopped', node: withReady(unknown), cause: 'node_unreachable', due: -30 },
  { name: 'the kubelet is unwell', node: withReady(notReady), cause: 'node_not_ready', due: -30 },
  { name: 'the kubelet says that it shuts down', node: withReady({ ...notReady, message: 'node is shutting down' }), cause: 'node_shutdown' },
  {
    name: 'the shutdown manager announced it',
    node: withReady(unknown),
    events: [seenEvent({ reason: 'Shutdown', type: 'Normal', note: 'Shutdown manager detected shutdown event', last: -60 })],
    cause: 'node_shutdown',
  },
  ...['SpotInterruption', 'SpotInterrupted', 'InstanceTerminating', 'PreemptScheduled', 'RebootScheduled', 'ASGLifecycle'].map((reason) => ({
    name: `${reason} announced it`,
    node: withReady(unknown),
    events: [seenEvent({ reason, component: 'x', note: 'the instance goes', last: -300 })],
    cause: 'node_shutdown',
  })),
  {
    name: 'an announcement of yesterday does not count',
    node: withReady(unknown),
    events: [seenEvent({ reason: 'Shutdown', type: 'Normal', last: -80_000 })],
    cause: 'node_unreachable',
  },
  {
    name: 'the cloud says that the machine is off',
    node: withReady(unknown, { taints: [{ key: 'node.cloudprovider.kubernetes.io/shutdown', effect: 'NoSchedule' }] }),
    cause: 'node_shutdown',
  },
  {
    name: 'an operator says that the machine is off',
    node: withReady(unknown, { taints: [{ key: 'node.kubernetes.io/out-of-service', value: 'nodeshutdown', effect: 'NoExecute' }] }),
    cause: 'node_shutdown',
  },
  {
    name: 'a pod of it was ended by the shutdown',
    node: withReady(unknown),
    pods: [
      web,
      pod({
        metadata: { name: 'job', uid: 'job' },
        status: {
          phase: 'Failed',
          reason: 'Terminated',
          message: 'Pod was terminated in response to imminent node shutdown.',
          conditions: [{ type: 'DisruptionTarget', status: 'True', lastTransitionTime: at(-60) }],
        },
      }),
    ],
    cause: 'node_shutdown',
  },
  { name: 'only DaemonSet pods are left, and nobody drained it', node: withReady(unknown), pods: [pod(daemon), pod(mirror)], cause: 'node_unreachable' },
  { name: 'silent for a drained node', node: withReady(unknown, { unschedulable: true }), pods: [pod(daemon), pod(mirror)], cause: '' },
  {
    name: 'silent for a node that the autoscaler takes away',
    node: withReady(unknown, { taints: [{ key: 'ToBeDeletedByClusterAutoscaler', effect: 'NoSchedule' }] }),
    pods: [pod(daemon)],
    cause: '',
  },
  {
    name: 'a cordoned node that still holds work is lost all the same',
    node: withReady(unknown, { unschedulable: true }),
    pods: [web, pod(daemon)],
    cause: 'node_unreachable',
  },
  { name: 'silent for an empty node', node: withReady(unknown), pods: [], cause: '' },
  { name: 'silent for a node whose pods have all ended', node: withReady(unknown), pods: [pod({ status: { phase: 'Succeeded' } })], cause: '' },
  { name: 'silent for a ready node', node: node(), cause: '' },
  {
    name: 'silent for a node under pressure',
    node: node({
      status: {
        conditions: [
          { type: 'Ready', status: 'True' },
          { type: 'MemoryPressure', status: 'True' },
        ],
      },
    }),
    cause: '',
  },
  {
    name: 'a node that joins has time until it was ready once',
    node: withReady({ ...notReady, message: 'cni plugin not initialized', lastTransitionTime: at(-30) }, {}, -30),
    pods: [pod(daemon)],
    cause: 'node_not_ready',
    due: -30 + 600,
  },
  {
    name: 'a node that never reported has it too',
    node: withReady({ ...unknown, reason: 'NodeStatusNeverUpdated', message: 'Kubelet never posted node status.' }, {}, -90),
    pods: [pod(daemon)],
    cause: 'node_unreachable',
    due: -90 + 600,
  },
  { name: 'a young node that was ready has not', node: withReady(notReady, {}, -120), cause: 'node_not_ready', due: -30 },
];
for (const { name, node: subject, pods = [web], events = [], cause, due } of cases) {
  test(`node: ${name}`, () => {
    // What is not due opens nothing; it only keeps open what was.
    const signals = (nodeLost.node?.(nodeView(subject, events, { objects: pods })) ?? []).filter(({ dueTimeMs }) => dueTimeMs !== undefined);
    assert.deepEqual(
      signals.map((signal) => signal.cause),
      cause === '' ? [] : [cause],
    );
    if (due !== undefined) assert.equal(signals[0]?.dueTimeMs, atMs(due));
  });
}

test('the node is the subject, and how much is bound to it is evidence', () => {
  const [signal] = nodeLost.node?.(nodeView(withReady(unknown), [], { objects: [web, pod(daemon)] })) ?? [];
  assert.deepEqual(signal?.subject, { kind: 'Node', namespace: '', name: 'node-a', container: '' });
  assert.equal(signal?.track, 'node');
  assert.equal(signal?.evidence.find(({ path }) => path === 'pods bound')?.value, '2');
  assert.match(signal?.summary ?? '', /^Node node-a is unreachable: Kubelet stopped posting node status\.; 2 pods are bound to it$/);
});

test('the threshold past NotReady is configurable', () => {
  const [signal] = nodeLost.node?.(nodeView(withReady(unknown), [], { objects: [web], thresholds: { nodeNotReadyMs: 20_000 } })) ?? [];
  assert.equal(signal?.dueTimeMs, atMs(-10));
});

const bound = (since: number): Condition => ({ type: 'PodScheduled', status: 'True', lastTransitionTime: at(since) });
const judge = (
  subject: Pod,
  objects: readonly ProjectedObject[] = [],
  events: readonly SeenEvent[] = [],
  notInSync: readonly 'nodes'[] = [],
): readonly Signal[] => nodeLost.pod?.(podView(subject, { objects, events, notInSync })) ?? [];

test('a pod bound to a node that is gone: due once the watches cannot be out of step any more', () => {
  const [signal] = judge(pod({ status: { phase: 'Running', conditions: [bound(-59)] } }));
  assert.deepEqual([signal?.cause, signal?.dueTimeMs], ['node_deleted', atMs(1)]);
  assert.equal(judge(pod({ status: { phase: 'Running', conditions: [bound(-61)] } }))[0]?.dueTimeMs, atMs(-1));
  assert.equal(signal?.subject.name, 'node-a');
});
test('collected because its node is gone: dated by that', () => {
  const target = { type: 'DisruptionTarget', status: 'True', reason: 'DeletionByPodGC', message: 'PodGC: node no longer exists', lastTransitionTime: at(-3) };
  const [signal] = judge(pod({ status: { phase: 'Failed', conditions: [bound(-900), target] } }));
  assert.deepEqual([signal?.cause, signal?.fact.timeMs], ['node_deleted', atMs(-3)]);
  const [unread] = judge(pod({ status: { phase: 'Failed', conditions: [bound(-900), target] } }), [], [], ['nodes']);
  assert.equal(unread?.cause, 'node_deleted', 'the collector of garbage says so where nodes may not be read');
});

const silent: readonly { readonly name: string; readonly pod: Pod; readonly objects?: readonly ProjectedObject[]; readonly notInSync?: readonly 'nodes'[] }[] =
  [
    { name: 'whose node is there, well or not: the node tells', pod: web, objects: [withReady(unknown)] },
    { name: 'of a DaemonSet, left behind by a scaled-down node', pod: pod(daemon) },
    { name: 'that is static', pod: pod(mirror) },
    { name: 'that has ended', pod: pod({ status: { phase: 'Succeeded', conditions: [bound(-900)] } }) },
    { name: 'that failed by itself', pod: pod({ status: { phase: 'Failed', conditions: [bound(-900)] } }) },
    { name: 'that is not bound', pod: pod({ spec: { nodeName: undefined } }) },
    { name: 'while absence of a node means nothing', pod: web, notInSync: ['nodes'] },
    {
      name: 'that waits for a readiness gate, nodes unknown',
      pod: pod({
        spec: { readinessGates: [{ conditionType: 'lb' }] },
        status: {
          conditions: [
            { type: 'Ready', status: 'False' },
            { type: 'ContainersReady', status: 'True' },
          ],
        },
      }),
      notInSync: ['nodes'],
    },
    {
      name: 'that is not ready by its probe, nodes unknown',
      pod: pod({
        status: {
          conditions: [
            { type: 'Ready', status: 'False' },
            { type: 'ContainersReady', status: 'False' },
          ],
        },
      }),
      notInSync: ['nodes'],
    },
    {
      name: 'that a shutdown ended, on a node that is back',
      pod: pod({ status: { phase: 'Failed', reason: 'NodeShutdown', message: 'Pod was rejected as the node is shutting down.' } }),
      objects: [node()],
    },
  ];
for (const { name, pod: subject, objects, notInSync } of silent)
  test(`node_lost is silent for a pod ${name}`, () => assert.deepEqual(judge(subject, objects, [], notInSync), []));

const contradiction: Condition[] = [
  { type: 'Ready', status: 'False', lastTransitionTime: at(-25) },
  { type: 'ContainersReady', status: 'True' },
];
test('without nodes a pod tells of its lost node', () => {
  const lost = pod({ status: { phase: 'Running', conditions: contradiction } });
  assert.deepEqual(
    judge(lost, [], [], ['nodes']).map(({ cause, confidence, dueTimeMs }) => [cause, confidence, dueTimeMs]),
    [['node_unreachable', 'guess', atMs(-25)]],
  );
  const notice = seenEvent({ reason: 'NodeNotReady', component: 'node-controller', note: 'Node is not ready', fieldPath: '' });
  assert.equal(judge(lost, [], [notice], ['nodes'])[0]?.confidence, 'likely');
  assert.equal(judge(pod({ status: { phase: 'Unknown', reason: 'NodeLost' } }), [], [], ['nodes'])[0]?.cause, 'node_unreachable');
});
test('without nodes a shutdown shows on the pods that it ended', () => {
  for (const [reason, message] of [
    ['Terminated', 'Pod was terminated in response to imminent node shutdown.'],
    ['NodeShutdown', 'Pod was rejected: Pod was rejected as the node is shutting down.'],
    ['Shutdown', 'Node is shutting, evicting pods'],
  ] as const) {
    assert.equal(judge(pod({ status: { phase: 'Failed', reason, message } }), [], [], ['nodes'])[0]?.cause, 'node_shutdown');
  }
});
