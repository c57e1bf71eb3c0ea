/** Keeps the scheduling state of one cluster up to date, object by object: O(1) a pod, O(1) a node but for the order of names. */
import type { Node, Pod } from '../../collector/objects.ts';
import type { PodFacts } from './pod-facts.ts';
import { podFacts, renewFacts } from './pod-facts.ts';
import { createPodIndex } from './pod-index.ts';
import { compareText } from './reading.ts';
import type { NodeState, PodsSince, SchedulingCluster, SchedulingState } from './scheduling-state.ts';
import { addPod, createNodeState, describeNode, holdsResources, isAssigned, isTerminal, removePod } from './scheduling-state.ts';
import type { Steps } from './steps.ts';
import { finish, visitSteps } from './steps.ts';

export interface CapacityState {
  /** The state now. The same object until a node comes or goes; its nodes change in place. */
  scheduling(): SchedulingState;
  /** Adds the node or takes over its newer version. */
  setNode(node: Node): void;
  removeNode(name: string): void;
  /** Adds the pod or replaces its older version (by uid). Handing over the same object again changes nothing. */
  setPod(pod: Pod): void;
  removePod(uid: string): void;
  /** Makes the state hold exactly these objects, looking only at whether they are the same as before: O(nodes + pods), but quick. */
  sync(nodes: () => Iterable<Node>, pods: () => Iterable<Pod>): void;
  /** As sync, in steps of a few milliseconds. The objects must not change before it is done. */
  syncSteps(nodes: () => Iterable<Node>, pods: () => Iterable<Pod>): Steps<void>;
  /** As syncSteps, where only these pods can be others than before. */
  catchUpSteps(nodes: () => Iterable<Node>, changes: NonNullable<PodsSince['changes']>): Steps<void>;
}

interface Tables {
  readonly byName: Map<string, NodeState>;
  readonly pods: Map<string, PodFacts>;
  /** Pods on nodes that are not known (yet), by node name. */
  readonly homeless: Map<string, Set<PodFacts>>;
  readonly nominated: Map<string, Set<PodFacts>>;
}

/** Pods that are looked at between two steps: 10 ms where all are new and nothing is compiled yet, as after a restart; else less than one. */
const PODS_A_STEP = 150;
/** Nodes likewise. */
const NODES_A_STEP = 200;

/** An empty state; pods may arrive before their node. */
export function createCapacityState(cluster: SchedulingCluster): CapacityState {
  const tables: Tables = { byName: new Map(), pods: new Map(), homeless: new Map(), nominated: new Map() };
  const { byName, pods, homeless, nominated } = tables;
  const index = createPodIndex();
  let [version, state]: [number, SchedulingState | undefined] = [0, undefined];
  function* syncNodes(eachNode: () => Iterable<Node>): Steps<void> {
    const nodesSeen = yield* visitSteps(eachNode(), NODES_A_STEP, capacity.setNode);
    if (nodesSeen !== byName.size) yield* keepOnly(eachNode(), ({ metadata }) => metadata.name, byName, capacity.removeNode);
  }
  const capacity: CapacityState = {
    scheduling() {
      state ??= { nodes: [...byName.values()].sort((a, b) => compareText(a.name, b.name)), byName, cluster, nominated, index, version: () => version };
      return state;
    },
    setNode(node) {
      const { name } = node.metadata;
      const known = byName.get(name);
      if (known?.node === node) return;
      version += 1;
      if (known !== undefined) {
        describeNode(known, node);
        return;
      }
      state = undefined;
      const added = createNodeState(node, index);
      byName.set(name, added);
      for (const facts of homeless.get(name) ?? []) addPod(added, facts);
      homeless.delete(name);
    },
    removeNode(name) {
      const node = byName.get(name);
      if (node === undefined) return;
      [version, state] = [version + 1, undefined];
      byName.delete(name);
      for (const facts of [...node.pods]) {
        removePod(node, facts);
        addTo(homeless, name, facts);
      }
    },
    setPod(pod) {
      const known = pods.get(pod.metadata.uid);
      if (known?.pod === pod) return;
      version += 1;
      if (known !== undefined) {
        if (sitsAlike(known.pod, pod) && renewFacts(known, pod)) return;
        detach(tables, known);
      }
      const facts = podFacts(pod);
      pods.set(pod.metadata.uid, facts);
      attach(tables, facts);
    },
    removePod(uid) {
      const known = pods.get(uid);
      if (known === undefined) return;
      version += 1;
      detach(tables, known);
      pods.delete(uid);
    },
    sync(eachNode, eachPod) {
      finish(capacity.syncSteps(eachNode, eachPod));
    },
    *syncSteps(eachNode, eachPod) {
      yield* syncNodes(eachNode);
      const podsSeen = yield* visitSteps(eachPod(), PODS_A_STEP, capacity.setPod);
      if (podsSeen !== pods.size) yield* keepOnly(eachPod(), ({ metadata }) => metadata.uid, pods, capacity.removePod);
    },
    *catchUpSteps(eachNode, changes) {
      yield* syncNodes(eachNode);
      yield* visitSteps(changes, PODS_A_STEP, ({ uid, pod }) => (pod === undefined ? capacity.removePod(uid) : capacity.setPod(pod)));
    },
  };
  return capacity;
}

/** Whether both versions of a pod count in the same place. */
function sitsAlike(a: Pod, b: Pod): boolean {
  return a.spec === b.spec && isTerminal(a) === isTerminal(b) && a.status.nominatedNodeName === b.status.nominatedNodeName;
}

function attach({ byName, homeless, nominated }: Tables, facts: PodFacts): void {
  const { pod } = facts;
  if (holdsResources(pod)) {
    const name = pod.spec.nodeName ?? '';
    const node = byName.get(name);
    if (node === undefined) addTo(homeless, name, facts);
    else addPod(node, facts);
  } else if (nominatedNode(pod) !== '') addTo(nominated, nominatedNode(pod), facts);
}

function detach({ byName, homeless, nominated }: Tables, facts: PodFacts): void {
  const name = facts.pod.spec.nodeName ?? '';
  const node = byName.get(name);
  if (node !== undefined) removePod(node, facts);
  removeFrom(homeless, name, facts);
  removeFrom(nominated, nominatedNode(facts.pod), facts);
}

/** Removes what is known but not present. */
function* keepOnly<T>(present: Iterable<T>, keyOf: (item: T) => string, known: ReadonlyMap<string, unknown>, remove: (key: string) => void): Steps<void> {
  const kept = new Set<string>();
  yield* visitSteps(present, PODS_A_STEP, (item) => kept.add(keyOf(item)));
  yield* visitSteps(known.keys(), PODS_A_STEP, (key) => {
    if (!kept.has(key)) remove(key);
  });
}

interface Kept {
  readonly capacity: CapacityState;
  /** Of the changes of its pods (podsSince), what it has seen; undefined: not all pods. */
  position: number | undefined;
}

/** The state last built for a cluster. A cluster is told by its `nodes` function: views of single objects are copies of its view. */
const lastStates = new WeakMap<SchedulingCluster['nodes'], Kept>();

/** The state of a cluster now: the one it keeps, or the one of the last question brought up to date. Not to be changed for good. */
export function schedulingStateOf(cluster: SchedulingCluster): SchedulingState {
  return finish(schedulingStateSteps(cluster));
}

/** As schedulingStateOf, in steps of a few milliseconds. The cluster must not change before it is done. */
export function* schedulingStateSteps(cluster: SchedulingCluster): Steps<SchedulingState> {
  if (cluster.schedulingState !== undefined) return cluster.schedulingState();
  const kept = lastStates.get(cluster.nodes) ?? { capacity: createCapacityState(cluster), position: undefined };
  lastStates.set(cluster.nodes, kept);
  const { position, changes } = cluster.podsSince?.(kept.position) ?? {};
  if (changes === undefined) yield* kept.capacity.syncSteps(cluster.nodes, cluster.unorderedPods ?? cluster.pods);
  else yield* kept.capacity.catchUpSteps(cluster.nodes, changes);
  kept.position = position;
  return kept.capacity.scheduling();
}

/** After an error in the middle of a question the state may be off: the next question builds it anew. */
export function forgetState(cluster: SchedulingCluster): void {
  lastStates.delete(cluster.nodes);
}

/** A state of its own, which the caller may change. */
export function buildSchedulingState(cluster: SchedulingCluster): SchedulingState {
  return finish(buildStateSteps(cluster));
}

/** As buildSchedulingState, in steps of a few milliseconds. */
export function* buildStateSteps(cluster: SchedulingCluster): Steps<SchedulingState> {
  const capacity = createCapacityState(cluster);
  yield* capacity.syncSteps(
    () => cluster.nodes(),
    () => (cluster.unorderedPods ?? cluster.pods).call(cluster),
  );
  return capacity.scheduling();
}

/** The node that an unassigned, living pod waits for after a preemption; '' if none. */
function nominatedNode(pod: Pod): string {
  return isAssigned(pod) || isTerminal(pod) ? '' : (pod.status.nominatedNodeName ?? '');
}

function addTo(sets: Map<string, Set<PodFacts>>, key: string, facts: PodFacts): void {
  const there = sets.get(key);
  if (there === undefined) sets.set(key, new Set([facts]));
  else there.add(facts);
}

function removeFrom(sets: Map<string, Set<PodFacts>>, key: string, facts: PodFacts): void {
  const there = sets.get(key);
  if (there?.delete(facts) === true && there.size === 0) sets.delete(key);
}
