/**
 * The nodes of one cluster with what is on them: the scheduler's snapshot. Follows NodeInfo of pkg/scheduler/framework/types.go and
 * the scheduler's cache, which counts every assigned pod that has not terminated (v1.34).
 */
import type { Node, Pod, ProjectedObject, Resource } from '../../collector/objects.ts';
import type { Amounts, QuantityProblem } from './amounts.ts';
import { addAmounts, noAmounts, readAmounts, subtractAmounts } from './amounts.ts';
import type { HostPort, PodFacts } from './pod-facts.ts';
import type { PodIndex } from './pod-index.ts';
import { listOf, sameTexts } from './reading.ts';
import type { Labels } from './selectors.ts';

/** What scheduling reads of a cluster; ClusterView of processor/scenarios/scenario.ts satisfies it. */
export interface SchedulingCluster {
  nodes(): Iterable<Node>;
  podsOnNode(name: string): Iterable<Pod>;
  pods(): Iterable<Pod>;
  /** The same in no order, where that is cheaper: the order of the pods of a scheduling state decides nothing. */
  unorderedPods?(): Iterable<Pod>;
  /** Where the cluster keeps track of its pods: which of them came, changed or went since an earlier answer; without one, or after too many, all may have. */
  podsSince?(position: number | undefined): PodsSince;
  object(resource: Resource, namespace: string, name: string): ProjectedObject | undefined;
  inSync(resource: Resource): boolean;
  /** All objects of a resource, where the cluster can list them: without it static volumes cannot be matched. */
  objects?(resource: Resource): Iterable<ProjectedObject>;
  /** The state of this cluster where one is kept up to date (capacity-state.ts); else it is built for each question. */
  schedulingState?(): SchedulingState;
}

export interface PodsSince {
  /** What to ask with next. */
  readonly position: number;
  /** Without `pod`: it is gone. undefined: nobody knows. */
  readonly changes: readonly { readonly uid: string; readonly pod: Pod | undefined }[] | undefined;
}

/** A node and what is on it; changed in place by this file only. */
export interface NodeState {
  readonly name: string;
  node: Node;
  labels: Labels | undefined;
  allocatable: Amounts;
  /** Quantities of its status that could not be read; they count 0, so that nothing fits by mistake. */
  problems: readonly QuantityProblem[];
  /** Sum of the effective requests; requested.pods is the number of pods. */
  readonly requested: Amounts;
  /** As requested, with a minimum for containers that request nothing (PodRequest.scoredCpu): for scoring. */
  scoredCpu: number;
  scoredMemory: number;
  readonly pods: Set<PodFacts>;
  /** Host ports in use: `protocol/port` to the addresses they are bound to, with how often. */
  readonly ports: Map<string, Map<string, number>>;
  /** Pods here with a pod affinity term that scoring reads. */
  readonly affinityPods: Set<PodFacts>;
  /** What DaemonSet and static pods request here: never free whatever else moves. */
  readonly staying: Amounts;
  /** Why capacity figures leave the node out; undefined: it counts. */
  exclusion: Exclusion | undefined;
  /** Rises with every change of the node and of what is on it. */
  revision: number;
  readonly index: PodIndex;
}

export interface SchedulingState {
  /** By name, so that ties break alike everywhere. */
  readonly nodes: readonly NodeState[];
  readonly byName: ReadonlyMap<string, NodeState>;
  readonly cluster: SchedulingCluster;
  /** Pods waiting for preemption to finish, by the node they are nominated to. */
  readonly nominated: ReadonlyMap<string, ReadonlySet<PodFacts>>;
  readonly index: PodIndex;
  /** Rises with every change of a node or pod, where that is kept track of: what was computed at one version holds until the next. */
  version?(): number;
}

/** An empty node whose pods will be in `index`. */
export function createNodeState(node: Node, index: PodIndex): NodeState {
  const state: NodeState = {
    name: node.metadata.name,
    node,
    labels: undefined,
    allocatable: noAmounts(),
    problems: [],
    requested: noAmounts(),
    scoredCpu: 0,
    scoredMemory: 0,
    pods: new Set(),
    ports: new Map(),
    affinityPods: new Set(),
    staying: noAmounts(),
    exclusion: undefined,
    revision: 0,
    index,
  };
  describeNode(state, node);
  return state;
}

/** The same node without its pods; those that come are in `index`. */
export function emptiedNode(state: NodeState, index: PodIndex): NodeState {
  const empty = { requested: noAmounts(), scoredCpu: 0, scoredMemory: 0, pods: new Set<PodFacts>(), staying: noAmounts() };
  return { ...state, ...empty, ports: new Map(), affinityPods: new Set(), index };
}

/** Takes over a newer version of the same node; what is on it stays. */
export function describeNode(state: NodeState, node: Node): void {
  const problems: QuantityProblem[] = [];
  const isMoved = !sameTexts(state.labels, node.metadata.labels);
  if (isMoved) for (const pod of state.pods) state.index.remove(pod, state);
  state.revision += 1;
  state.node = node;
  state.labels = node.metadata.labels;
  if (isMoved) for (const pod of state.pods) state.index.add(pod, state);
  state.exclusion = exclusionOf(node);
  state.allocatable = readAmounts(node.status.allocatable, 'status.allocatable', problems);
  state.problems = problems;
}

export function isAssigned(pod: Pod): boolean {
  return pod.spec.nodeName !== undefined && pod.spec.nodeName !== '';
}

/** Succeeded and Failed pods count nothing, wherever they are. */
export function isTerminal(pod: Pod): boolean {
  return pod.status.phase === 'Succeeded' || pod.status.phase === 'Failed';
}

/** Bound and not yet terminal: a terminating pod holds what it has until it is gone. */
export function holdsResources(pod: Pod): boolean {
  return isAssigned(pod) && !isTerminal(pod);
}

/** Assumes the pod on the node. Adding the same facts twice changes nothing. */
export function addPod(state: NodeState, pod: PodFacts): void {
  if (state.pods.has(pod)) return;
  state.pods.add(pod);
  state.revision += 1;
  count(state, pod, 1);
  state.index.add(pod, state);
  if (scoringReads(pod)) state.affinityPods.add(pod);
}

/** Takes the pod off the node again; a pod that is not there changes nothing. */
export function removePod(state: NodeState, pod: PodFacts): void {
  if (!state.pods.delete(pod)) return;
  state.revision += 1;
  count(state, pod, -1);
  state.index.remove(pod, state);
  state.affinityPods.delete(pod);
}

function scoringReads(pod: PodFacts): boolean {
  return pod.affinity.length + pod.preferredAffinity.length + pod.preferredAntiAffinity.length > 0;
}

function count(state: NodeState, pod: PodFacts, sign: 1 | -1): void {
  addAmounts(state.requested, pod.request.amounts, sign);
  if (pod.stays) addAmounts(state.staying, pod.request.amounts, sign);
  state.scoredCpu += sign * pod.request.scoredCpu;
  state.scoredMemory += sign * pod.request.scoredMemory;
  for (const port of pod.ports) countPort(state.ports, port, sign);
}

function countPort(ports: NodeState['ports'], { ip, protocol, port }: HostPort, sign: 1 | -1): void {
  const key = `${protocol}/${port}`;
  const addresses = ports.get(key) ?? new Map<string, number>();
  const uses = (addresses.get(ip) ?? 0) + sign;
  if (uses > 0) addresses.set(ip, uses);
  else addresses.delete(ip);
  if (addresses.size > 0) ports.set(key, addresses);
  else ports.delete(key);
}

export type Exclusion = 'cordoned' | 'not_ready' | 'virtual';

/**
 * Why capacity figures leave a node out: cordoned, not ready (by condition or by a lifecycle taint), or virtual. undefined: it counts.
 * The scheduler never asks this; it is kept off such nodes by their taints.
 */
export function exclusionOf(node: Node): Exclusion | undefined {
  if (isVirtual(node)) return 'virtual';
  if (node.spec.unschedulable === true) return 'cordoned';
  if (listOf(node.status.conditions).find((condition) => condition.type === 'Ready')?.status !== 'True') return 'not_ready';
  const taints = listOf(node.spec.taints).filter((taint) => taint.effect !== 'PreferNoSchedule');
  if (taints.some((taint) => taint.key === 'node.kubernetes.io/unschedulable' || LEAVING_TAINTS.includes(taint.key))) return 'cordoned';
  return taints.some((taint) => LIFECYCLE_TAINTS.includes(taint.key)) ? 'not_ready' : undefined;
}

/** Taints of the node lifecycle and cloud controllers: kubernetes.io/docs/reference/labels-annotations-taints. */
const LIFECYCLE_TAINTS: readonly string[] = [
  'node.kubernetes.io/not-ready',
  'node.kubernetes.io/unreachable',
  'node.kubernetes.io/network-unavailable',
  'node.kubernetes.io/memory-pressure',
  'node.kubernetes.io/disk-pressure',
  'node.kubernetes.io/pid-pressure',
  'node.kubernetes.io/out-of-service',
  'node.cloudprovider.kubernetes.io/uninitialized',
  'node.cloudprovider.kubernetes.io/shutdown',
];
/** Set by cluster-autoscaler (utils/taints/taints.go) and Karpenter (karpenter.sh concepts/disruption) on nodes about to go. */
const LEAVING_TAINTS: readonly string[] = ['ToBeDeletedByClusterAutoscaler', 'karpenter.sh/disrupted', 'karpenter.sh/disruption'];

/** virtual-kubelet sets label type and its taint; EKS Fargate labels its nodes (docs.aws.amazon.com/eks fargate). */
function isVirtual(node: Node): boolean {
  const labels = node.metadata.labels;
  if (labels?.['type'] === 'virtual-kubelet' || labels?.['eks.amazonaws.com/compute-type'] === 'fargate') return true;
  return listOf(node.spec.taints).some((taint) => taint.key === 'virtual-kubelet.io/provider');
}

/** Allocatable less the pods that stay there: the most that could ever be free on this node. */
export function largestFree(state: NodeState): Amounts {
  return subtractAmounts(state.allocatable, state.staying);
}

/** Free space of the node: max(0, allocatable − requested) of each resource. */
export function freeOf(state: NodeState): Amounts {
  return subtractAmounts(state.allocatable, state.requested);
}

/** Copies of a request that the node's free space takes: copiesIn of freeOf, without making either. */
export function copiesOnNode(request: Amounts, { allocatable, requested }: NodeState): number {
  let copies = request.pods > 0 ? floorShare(allocatable.pods - requested.pods, request.pods) : Number.POSITIVE_INFINITY;
  if (copies > 0 && request.cpu > 0) copies = Math.min(copies, floorShare(allocatable.cpu - requested.cpu, request.cpu));
  if (copies > 0 && request.memory > 0) copies = Math.min(copies, floorShare(allocatable.memory - requested.memory, request.memory));
  if (copies > 0 && request.ephemeralStorage > 0) {
    copies = Math.min(copies, floorShare(allocatable.ephemeralStorage - requested.ephemeralStorage, request.ephemeralStorage));
  }
  if (request.scalars !== undefined) {
    for (const [name, value] of request.scalars) {
      if (value > 0) copies = Math.min(copies, floorShare((allocatable.scalars?.get(name) ?? 0) - (requested.scalars?.get(name) ?? 0), value));
    }
  }
  return copies === Number.POSITIVE_INFINITY ? 0 : copies;
}

function floorShare(free: number, request: number): number {
  return free < request ? 0 : Math.floor(free / request);
}
