/** Pods that find no node, and nodes that are lost or evict. */
import type { RawObject } from '../../helpers/driver.ts';
import type { Fields, Situation } from '../../helpers/situations.ts';
import { at, container, event, node, object, pod, statusOf, unscheduled } from '../../helpers/situations.ts';

const ZONE = 'topology.kubernetes.io/zone';
const claimed = { volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }] };
const volumeIn = (zone: string): readonly RawObject[] => [
  object('PersistentVolumeClaim', 'data', { spec: { volumeName: 'pv-1' }, status: { phase: 'Bound' } }),
  object('PersistentVolume', 'pv-1', {
    spec: {
      claimRef: { namespace: 'shop', name: 'data', uid: 'uid-data' },
      nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [{ key: ZONE, operator: 'In', values: [zone] }] }] } },
    },
    status: { phase: 'Bound' },
  }),
];
const running = (name: string, metadata = {}): RawObject => pod(name, statusOf({ running: { startedAt: at(-500) } }, { ready: true }), {}, metadata);
const notReady = (status: string, reason: string, message: string): RawObject =>
  node('n1', { conditions: [{ type: 'Ready', status, reason, message, lastTransitionTime: at(-30) }] });
const evicted = (message: string): RawObject =>
  pod('web', { phase: 'Failed', reason: 'Evicted', message, ...statusOf({ terminated: { exitCode: 137, reason: 'Error', finishedAt: at(-20) } }) });
const asksFor = (resources: Fields): Fields => ({ containers: [container({ resources: { requests: resources } })] });

export const PLACEMENT: readonly Situation[] = [
  {
    cause: 'scheduling_failure/volume_topology',
    objects: [
      unscheduled('0/1 nodes are available: 1 node(s) had volume node affinity conflict.', claimed),
      node('n1', {}, {}, { [ZONE]: 'a' }),
      ...volumeIn('b'),
    ],
    // The volume is where the node is: what the scheduler said is over, and its next attempt awaited.
    alike: [
      unscheduled('0/1 nodes are available: 1 Insufficient cpu.', { ...claimed, ...asksFor({ cpu: '8' }) }),
      node('n1', {}, {}, { [ZONE]: 'a' }),
      ...volumeIn('a'),
    ],
    alikeIs: 'scheduling_failure/insufficient_resources',
  },
  {
    cause: 'scheduling_failure/volume_limit',
    objects: [unscheduled('0/1 nodes are available: 1 node(s) exceed max volume count.', claimed), ...volumeIn('a')],
    alike: [unscheduled('0/1 nodes are available: 1 node(s) did not have enough free storage.', claimed), ...volumeIn('a')],
    alikeIs: 'scheduling_failure/unbound_volume',
  },
  {
    cause: 'scheduling_failure/too_many_pods',
    objects: [unscheduled('0/1 nodes are available: 1 Too many pods.'), node('n1', { allocatable: { cpu: '4', memory: '8Gi', pods: '1' } }), running('other')],
    alike: [
      unscheduled('0/1 nodes are available: 1 Insufficient memory.', asksFor({ memory: '9Gi' })),
      node('n1', { allocatable: { cpu: '4', memory: '8Gi', pods: '2' } }),
      running('other'),
    ],
    alikeIs: 'scheduling_failure/insufficient_resources',
  },
  {
    cause: 'scheduling_failure/extended_resource',
    objects: [unscheduled('0/1 nodes are available: 1 Insufficient nvidia.com/gpu.', asksFor({ 'nvidia.com/gpu': '1' })), node('n1')],
    alike: [
      unscheduled('0/1 nodes are available: 1 Insufficient cpu.', asksFor({ cpu: '8', 'nvidia.com/gpu': '1' })),
      node('n1', { allocatable: { cpu: '4', memory: '8Gi', pods: '9', 'nvidia.com/gpu': '1' } }),
    ],
    alikeIs: 'scheduling_failure/insufficient_resources',
  },
  {
    cause: 'scheduling_failure/scheduler_absent',
    objects: [pod('web', { phase: 'Pending', startTime: undefined }, { nodeName: undefined, schedulerName: 'volcano' }), node('n1')],
    alike: [pod('web', { phase: 'Pending', startTime: undefined }, { nodeName: undefined, schedulingGates: [{ name: 'example.com/gate' }] }), node('n1')],
    alikeIs: '',
  },
  {
    cause: 'node_lost/node_not_ready',
    objects: [notReady('False', 'KubeletNotReady', 'container runtime is down'), running('web')],
    // No pod is lost with an empty node.
    alike: [notReady('False', 'KubeletNotReady', 'container runtime is down')],
    alikeIs: '',
  },
  {
    cause: 'node_lost/node_shutdown',
    objects: [notReady('False', 'KubeletNotReady', 'node is shutting down'), running('web')],
    alike: [node('n1'), event(node('n1'), 'Shutdown', 'Shutdown manager detected shutdown event', -4_000), running('web')],
    alikeIs: '',
  },
  {
    cause: 'node_lost/node_deleted',
    objects: [node('n2'), running('web')],
    // What ended before is not lost.
    alike: [node('n2'), pod('web', { phase: 'Succeeded', ...statusOf({ terminated: { exitCode: 0, reason: 'Completed', finishedAt: at(-60) } }) })],
    alikeIs: '',
  },
  {
    cause: 'evicted/disk_pressure',
    objects: [node('n1'), evicted('The node was low on resource: ephemeral-storage. Threshold quantity: 1Gi, available: 900Mi. ')],
    alike: [node('n1'), evicted('Container app exceeded its local ephemeral storage limit "1Gi". ')],
    alikeIs: 'evicted/ephemeral_limit',
  },
  {
    cause: 'evicted/pid_pressure',
    objects: [node('n1'), evicted('The node was low on resource: pids. Threshold quantity: 100, available: 90. ')],
    alike: [node('n1'), evicted('Pod was rejected: The node had condition: [MemoryPressure]. ')],
    alikeIs: 'evicted/memory_pressure',
  },
  {
    cause: 'evicted/taint_eviction',
    objects: [node('n1'), running('web', leavingBy('DeletionByTaintManager', 'Taint manager: deleting due to NoExecute taint'))].map(withTarget),
    alike: [node('n1'), running('web', leavingBy('EvictionByEvictionAPI', 'Eviction API: evicting'))].map(withTarget),
    alikeIs: '',
  },
];

/** Still within its grace when the recording ends. */
function leavingBy(reason: string, message: string): Fields {
  return { deletionTimestamp: at(1_800), deletionGracePeriodSeconds: 1_830, target: { reason, message } };
}

function withTarget(raw: RawObject): RawObject {
  const { target, ...metadata } = raw.metadata as RawObject['metadata'] & { readonly target?: object };
  if (target === undefined) return raw;
  const conditions = [{ type: 'DisruptionTarget', status: 'True', lastTransitionTime: at(-30), ...target }];
  return { ...raw, metadata, status: { ...(raw['status'] as object), conditions } };
}
