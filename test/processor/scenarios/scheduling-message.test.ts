import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod } from '../../../collector/objects.ts';
import { isNodeStateTaint, parseSchedulingMessage, rankReasons } from '../../../processor/scenarios/scheduling-message.ts';
import { pod } from '../../helpers/view.ts';

const plain = pod();
const selecting = pod({ spec: { nodeSelector: { pool: 'gpu' } } });
const osOnly = (affinity: Pod['spec']['affinity']): Pod => pod({ spec: { nodeSelector: { 'kubernetes.io/os': 'linux' }, affinity } });
const zoned: Pod['spec']['affinity'] = {
  nodeAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'zone', operator: 'In', values: ['a'] }] }] },
  },
};

interface Case {
  readonly message: string;
  readonly cause: string;
  /** Only one filter's reasons are left. */
  readonly certain?: boolean;
  readonly pod?: Pod;
}

const cases: readonly Case[] = [
  // Shapes by version (signals.md §2.1).
  { message: '0/3 nodes are available: 3 Insufficient cpu.', cause: 'insufficient_resources', certain: true },
  {
    message:
      '0/3 nodes are available: 1 Insufficient memory, 2 Insufficient cpu. preemption: 0/3 nodes are available: 3 No preemption victims found for incoming pod.',
    cause: 'insufficient_resources',
    certain: true,
  },
  {
    message: '0/3 nodes are available: 3 Insufficient cpu. preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling..',
    cause: 'insufficient_resources',
    certain: true,
  },
  {
    message:
      "0/18 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint(s), 1 node(s) were unschedulable, 15 node(s) didn't match Pod's node affinity/selector. no new claims to deallocate, preemption: 0/18 nodes are available: 18 Preemption is not helpful for scheduling.",
    cause: 'insufficient_resources',
    certain: false,
  },
  { message: '0/18 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found', cause: 'unbound_volume', certain: true },
  { message: '0/4 nodes are available: 4 pod has unbound immediate PersistentVolumeClaims.', cause: 'unbound_volume', certain: true },
  { message: 'pod has unbound immediate PersistentVolumeClaims (repeated 3 times)', cause: 'unbound_volume', certain: true },
  { message: 'no nodes available to schedule pods', cause: 'no_available_node', certain: true },
  { message: '(combined from similar events): 0/2 nodes are available: 2 Too many pods.', cause: 'too_many_pods', certain: true },
  { message: '0/3 nodes are unavailable: 3 Insufficient memory.', cause: 'insufficient_resources', certain: true },
  {
    message: 'No nodes are available that match all of the following predicates:: Insufficient cpu (9), Insufficient memory (15), MatchNodeSelector (3).',
    cause: 'insufficient_resources',
  },
  {
    message: 'No nodes are available that match all of the predicates: Insufficient cpu (9), MatchNodeSelector (3). (repeated 7 times)',
    cause: 'insufficient_resources',
  },
  { message: "0/10 nodes are available: 10 node(s) didn't match node selector, 4 Insufficient cpu.", cause: 'node_selector_mismatch', pod: selecting },
  // Resources.
  { message: '0/5 nodes are available: 2 node(s) were unschedulable, 3 Insufficient pods.', cause: 'too_many_pods' },
  { message: '0/3 nodes are available: 1 Insufficient cpu, 3 Too many pods.', cause: 'too_many_pods' },
  { message: '0/1 nodes are available: 1 Insufficient cpu, 1 Too many pods.', cause: 'insufficient_resources' },
  { message: '0/3 nodes are available: 1 Too many pods, 3 Insufficient cpu.', cause: 'insufficient_resources' },
  { message: '0/4 nodes are available: 4 Insufficient nvidia.com/gpu.', cause: 'extended_resource', certain: true },
  { message: '0/4 nodes are available: 2 Insufficient cpu, 2 Insufficient nvidia.com/gpu.', cause: 'insufficient_resources' },
  {
    message: "0/6 nodes are available: 2 node(s) didn't match Pod's node affinity/selector, 4 Insufficient cpu, 4 Insufficient nvidia.com/gpu.",
    cause: 'extended_resource',
  },
  { message: '0/2 nodes are available: 2 Insufficient ephemeral-storage.', cause: 'insufficient_resources' },
  { message: '0/2 nodes are available: 2 Insufficient hugepages-2Mi.', cause: 'insufficient_resources' },
  { message: '0/2 nodes are available: 2 Insufficient attachable-volumes-aws-ebs.', cause: 'volume_limit' },
  { message: '0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had volume node affinity conflict.', cause: 'insufficient_resources', certain: false },
  { message: "0/3 nodes are available: 1 Insufficient memory, 2 node(s) didn't match pod anti-affinity rules.", cause: 'insufficient_resources' },
  // Selector and affinity: one wording, the spec tells.
  { message: "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector.", cause: 'node_selector_mismatch', pod: selecting, certain: true },
  { message: "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector.", cause: 'affinity_mismatch', pod: osOnly(zoned), certain: true },
  { message: "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity.", cause: 'node_selector_mismatch', pod: selecting },
  { message: "0/3 nodes are available: 3 node(s) didn't match node selector.", cause: 'affinity_mismatch', pod: osOnly(zoned) },
  { message: "0/3 nodes are available: 3 node(s) didn't satisfy plugin(s) [NodeAffinity].", cause: 'node_selector_mismatch', pod: selecting },
  { message: "0/3 nodes are available: 3 node(s) didn't match scheduler-enforced node affinity.", cause: 'affinity_mismatch', pod: selecting },
  {
    message: "0/3 nodes are available: 3 node(s) didn't match pod affinity/anti-affinity, 3 node(s) didn't match pod affinity rules.",
    cause: 'affinity_mismatch',
    certain: true,
  },
  { message: "0/3 nodes are available: 3 node(s) didn't satisfy existing pods anti-affinity rules.", cause: 'affinity_mismatch' },
  { message: '0/3 nodes are available: pod affinity terms conflict.', cause: 'affinity_mismatch' },
  // Taints and closed nodes.
  { message: "0/3 nodes are available: 3 node(s) had taint {dedicated: gpu}, that the pod didn't tolerate.", cause: 'untolerated_taint', certain: true },
  { message: '0/3 nodes are available: 3 node(s) had untolerated taint {dedicated: gpu}.', cause: 'untolerated_taint', certain: true },
  { message: '0/3 nodes are available: 3 node(s) had untolerated taint(s).', cause: 'untolerated_taint', certain: true },
  { message: "0/1 nodes are available: 1 node(s) had taints that the pod didn't tolerate.", cause: 'untolerated_taint' },
  { message: '0/1 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }.', cause: 'untolerated_taint' },
  {
    message: "0/4 nodes are available: 1 node(s) had taint {node-role.kubernetes.io/master: }, that the pod didn't tolerate, 3 Insufficient cpu.",
    cause: 'insufficient_resources',
    certain: true,
  },
  {
    message:
      "0/4 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, 3 node(s) didn't match pod topology spread constraints.",
    cause: 'topology_spread',
    certain: true,
  },
  {
    message:
      "0/4 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, 3 node(s) didn't match Pod's node affinity/selector.",
    cause: 'node_selector_mismatch',
    pod: selecting,
    certain: true,
  },
  {
    message: "0/4 nodes are available: 1 node(s) had untolerated taint {pool: gpu}, 3 node(s) didn't match Pod's node affinity/selector.",
    cause: 'untolerated_taint',
    pod: selecting,
    certain: false,
  },
  {
    message: "0/3 nodes are available: 1 node(s) were unschedulable, 2 node(s) didn't match Pod's node affinity/selector.",
    cause: 'no_available_node',
    pod: selecting,
    certain: false,
  },
  {
    message:
      "0/4 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }, 1 node(s) had untolerated taint {a: b}, 2 node(s) didn't match Pod's node affinity/selector.",
    cause: 'no_available_node',
    pod: selecting,
  },
  {
    message: "0/5 nodes are available: 1 node(s) were unschedulable, 4 node(s) didn't match Pod's node affinity/selector.",
    cause: 'node_selector_mismatch',
    pod: selecting,
  },
  {
    message: "0/4 nodes are available: 1 node(s) had untolerated taint {team: data}, 3 node(s) didn't match Pod's node affinity/selector.",
    cause: 'node_selector_mismatch',
    pod: selecting,
    certain: false,
  },
  {
    message: "0/2 nodes are available: 2 node(s) had taint {node.kubernetes.io/not-ready: }, that the pod didn't tolerate.",
    cause: 'no_available_node',
    certain: true,
  },
  {
    message: '0/2 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/disk-pressure: }, 1 node(s) were unschedulable.',
    cause: 'no_available_node',
    certain: true,
  },
  { message: '0/2 nodes are available: 2 node(s) had untolerated taint {node.cloudprovider.kubernetes.io/uninitialized: true}.', cause: 'no_available_node' },
  { message: '0/3 nodes are available: 1 node(s) had untolerated taint {dedicated: x}, 2 node(s) were unschedulable.', cause: 'no_available_node' },
  { message: '0/3 nodes are available: 3 node(s) were not ready, 3 node(s) were out of disk space.', cause: 'no_available_node' },
  { message: '0/3 nodes are available: 1 node(s) had disk pressure, 2 node(s) had memory pressure.', cause: 'no_available_node' },
  // Volumes.
  { message: '0/3 nodes are available: 3 node(s) had volume node affinity conflict.', cause: 'volume_topology', certain: true },
  { message: "0/3 nodes are available: 3 node(s) didn't match PersistentVolume's node affinity.", cause: 'volume_topology', certain: true },
  {
    message: "0/10 nodes are available: 3 node(s) had volume node affinity conflict, 7 node(s) didn't match Pod's node affinity/selector.",
    cause: 'volume_topology',
    certain: false,
  },
  {
    message: '0/3 nodes are available: 1 node(s) were unschedulable, 2 node(s) had volume node affinity conflict.',
    cause: 'no_available_node',
    certain: false,
  },
  {
    message:
      "0/3 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/unreachable: }, 2 node(s) didn't match PersistentVolume's node affinity.",
    cause: 'no_available_node',
  },
  { message: '0/3 nodes are available: 3 node(s) had no available volume zone.', cause: 'volume_topology' },
  { message: "0/3 nodes are available: 3 node(s) didn't find available persistent volumes to bind.", cause: 'unbound_volume' },
  { message: '0/3 nodes are available: 3 node(s) did not have enough free storage.', cause: 'unbound_volume' },
  {
    message:
      '0/1 nodes are available: 1 persistentvolumeclaim "data" not found. preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.',
    cause: 'unbound_volume',
  },
  { message: 'persistentvolumeclaim "data" not found', cause: 'unbound_volume' },
  { message: '0/1 nodes are available: persistentvolumeclaim "data" bound to non-existent persistentvolume "pv-1".', cause: 'unbound_volume' },
  { message: '0/1 nodes are available: waiting for ephemeral volume controller to create the persistentvolumeclaim "p-scratch".', cause: 'unbound_volume' },
  { message: '0/3 nodes are available: 3 node(s) exceed max volume count.', cause: 'volume_limit', certain: true },
  {
    message: '0/3 nodes are available: 3 node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode.',
    cause: 'volume_limit',
  },
  {
    message: '0/3 nodes are available: 3 node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod.',
    cause: 'volume_limit',
  },
  { message: '0/3 nodes are available: 3 node(s) had no available disk.', cause: 'volume_limit' },
  { message: 'running PreBind plugin "VolumeBinding": binding volumes: timed out waiting for the condition', cause: 'unbound_volume' },
  { message: 'running PreBind plugin "VolumeBinding": binding volumes: provisioning failed for PVC "data"', cause: 'unbound_volume' },
  // The rest.
  { message: "0/3 nodes are available: 3 node(s) didn't have free ports for the requested pod ports.", cause: 'host_port_conflict', certain: true },
  {
    message:
      "0/3 nodes are available: 1 node(s) didn't match pod topology spread constraints, 2 node(s) didn't match pod topology spread constraints (missing required label).",
    cause: 'topology_spread',
    certain: true,
  },
  {
    message:
      '0/3 nodes are available: 3 cannot allocate all claims. still not schedulable, preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.',
    cause: 'resource_claim',
    certain: true,
  },
  { message: '0/3 nodes are available: waiting for resource claim of generated object.', cause: 'resource_claim' },
  { message: '0/1 nodes are available: request gpu: device class gpu.example.com does not exist.', cause: 'resource_claim' },
  { message: '0/2 nodes are available: 2 waiting for resource driver to provide information.', cause: 'resource_claim' },
  { message: 'running PreFilter plugin "VolumeZone": storageclasses.storage.k8s.io "gp2" not found', cause: 'unbound_volume' },
  { message: "fit failure on node (a): Node didn't have enough resource: CPU, requested: 1000, used: 1420, capacity: 2000", cause: 'insufficient_resources' },
  // Karpenter (kubernetes-sigs/karpenter, InstanceTypeFilterError): requirements, size and offerings, alone and in pairs.
  ...(
    [
      ['no instance type met all requirements', 'node_selector_mismatch'],
      ['no instance type met the scheduling requirements or had a required offering', 'node_selector_mismatch'],
      ['no instance type which had enough resources and the required offering met the scheduling requirements', 'node_selector_mismatch'],
      ['no instance type met the scheduling requirements or had enough resources or had a required offering', 'insufficient_resources'],
      ['no instance type which met the scheduling requirements and had enough resources, had a required offering', 'insufficient_resources'],
      ['no instance type which met the scheduling requirements and the required offering had the required resources', 'insufficient_resources'],
      ['no instance type has enough resources (CPU request >= 1 Million, m vs M typo?)', 'insufficient_resources'],
      ['no instance type has the required offering', 'insufficient_resources'],
      ['unsatisfiable topology constraint for pod anti-affinity, key=kubernetes.io/hostname (counts = a: 1)', 'affinity_mismatch'],
      ['unsatisfiable topology constraint for topology spread, key=topology.kubernetes.io/zone (counts = a: 1)', 'topology_spread'],
      [
        'incompatible requirements, key topology.kubernetes.io/zone, topology.kubernetes.io/zone In [us-east-1a] not in topology.kubernetes.io/zone In [us-east-1b]',
        'volume_topology',
      ],
    ] as const
  ).map(([why, cause]) => ({
    message: `Failed to schedule pod, incompatible with nodepool "taints", daemonset overhead={"cpu":"1","pods":"5"}, did not tolerate team=a:NoSchedule; incompatible with nodepool "queue", daemonset overhead={"cpu":"1","pods":"5"}, ${why}`,
    cause,
    certain: false,
    pod: selecting,
  })),
  { message: 'Pod not supported on Fargate: fields not supported: HostNetwork, port contains HostIP or HostPort', cause: 'other' },
  // Other schedulers: Volcano, gpushare, HAMi, Koordinator.
  {
    message:
      "all nodes are unavailable: 1 plugin InterPodAffinity predicates failed node(s) didn't match pod affinity/anti-affinity, node(s) didn't match pod affinity rules, 2 node(s) resource fit failed.",
    cause: 'insufficient_resources',
  },
  { message: 'queue resource quota insufficient: insufficient cpu', cause: 'other' },
  { message: 'Insufficient quotas, quotaName: team-a, runtime: {"cpu":4}, used: {"cpu":4}', cause: 'other' },
  { message: '0/2 nodes are available: 2 Insufficient GPU Memory in one device.', cause: 'extended_resource' },
  { message: '0/4 nodes are available: 3 node unregistered. preemption: 0/4 nodes are available: 4 No preemption victims found.', cause: 'extended_resource' },
  { message: 'Fargate capacity is unavailable at this time. Please try again later', cause: 'insufficient_resources' },
  {
    message: 'Pod not supported on Fargate: volumes not supported: data not supported because: PVC data-web-0 not bound',
    cause: 'unbound_volume',
  },
  { message: 'Pod not supported on Fargate: invalid SecurityContext fields: AllowPrivilegeEscalation', cause: 'other' },
  { message: '0/8 nodes are available: 3 CardInsufficientMemory, 5 node(s) had untolerated taint(s).', cause: 'extended_resource' },
  { message: 'pod group is not ready, 1 Pending, 1 minAvailable', cause: 'other', certain: false },
  { message: 'waiting for minCount pods from a gang to appear in scheduling queue', cause: 'other' },
  { message: '0/3 nodes are available: 3 node(s) GPU topology mismatch.', cause: 'other', certain: false },
  { message: '', cause: 'none' },
];

for (const { message, cause, certain, pod: subject = plain } of cases) {
  test(`scheduler says: ${message || '(nothing)'}`, () => {
    const { ranked, certain: sure } = rankReasons(parseSchedulingMessage(message, subject), subject);
    assert.equal(ranked[0]?.cause ?? 'none', cause);
    if (certain !== undefined) assert.equal(sure, certain);
  });
}

test('counts, the number of nodes and the resource are read; what preemption says is not counted again', () => {
  const read = parseSchedulingMessage(
    "0/9 nodes are available: 2 node(s) had taint {a: b}, that the pod didn't tolerate, 7 Insufficient cpu. preemption: 0/9 nodes are available: 9 No preemption victims found for incoming pod.",
    plain,
  );
  assert.equal(read.total, 9);
  assert.deepEqual(
    read.reasons.map(({ count, cause, resource, taintKey }) => ({ count, cause, resource, taintKey })),
    [
      { count: 2, cause: 'untolerated_taint', resource: undefined, taintKey: 'a' },
      { count: 7, cause: 'insufficient_resources', resource: 'cpu', taintKey: undefined },
    ],
  );
});

const taints: readonly (readonly [string, boolean])[] = [
  ['node.kubernetes.io/unreachable', true],
  ['node.kubernetes.io/unschedulable', true],
  ['node.cloudprovider.kubernetes.io/shutdown', true],
  ['ToBeDeletedByClusterAutoscaler', true],
  ['karpenter.sh/disrupted', true],
  ['node.cilium.io/agent-not-ready', true],
  ['ebs.csi.aws.com/agent-not-ready', true],
  ['node-role.kubernetes.io/control-plane', false],
  ['nvidia.com/gpu', false],
  ['dedicated', false],
  ['kubernetes.azure.com/scalesetpriority', false],
  ['cloud.google.com/gke-spot', false],
  ['CriticalAddonsOnly', false],
];
for (const [key, isState] of taints) {
  test(`taint ${key} ${isState ? 'speaks of the node' : 'reserves the node'}`, () => assert.equal(isNodeStateTaint(key), isState));
}
