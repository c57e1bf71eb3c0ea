/** Keeps the scheduling state of one cluster up to date, object by object: O(1) a pod, O(1) a node but for the order of names. */
import type { Node, Pod } from '../../collector/objects.ts';
import type { PodFacts } from './pod-facts.ts';
import { podFacts } from './pod-facts.ts';
import { createPodIndex } from './pod-index.ts';
import { compareText } from './reading.ts';
import type { NodeState, SchedulingCluster, SchedulingState } from './scheduling-state.ts';
import { addPod, createNodeState, describeNode, holdsResources, isAssigned, isTerminal, removePod } from './scheduling-state.ts';

export interface CapacityState {
  /** The state now. The same object until a node comes or goes; its nodes change in place. */
  scheduling(): SchedulingState;
  /** Rises with every change: an answer computed at one version holds until the next. */
  version(): number;
  /** Adds the node or takes over its newer version. */
  setNode(node: Node): void;
  removeNode(name: string): void;
  /** Adds the pod or replaces its older version (by uid). Handing over the same object again changes nothing. */
  setPod(pod: Pod): void;
  removePod(uid: string): void;
}

/** An empty state; pods may arrive before their node. */
export function createCapacityState(cluster: SchedulingCluster): CapacityState {
  const byName = new Map<string, NodeState>();
  const index = createPodIndex();
  const pods = new Map<string, PodFacts>();
  /** Pods on nodes that are not known (yet), by node name. */
  const homeless = new Map<string, Set<PodFacts>>();
  const nominated = new Map<string, Set<PodFacts>>();
  let [version, state]: [number, SchedulingState | undefined] = [0, undefined];

  const attach = (facts: PodFacts): void => {
    const { pod } = facts;
    if (holdsResources(pod)) {
      const node = byName.get(pod.spec.nodeName ?? '');
      if (node === undefined) addTo(homeless, pod.spec.nodeName ?? '', facts);
      else addPod(node, facts);
    } else if (nominatedNode(pod) !== '') addTo(nominated, nominatedNode(pod), facts);
  };
  const detach = (facts: PodFacts): void => {
    const name = facts.pod.spec.nodeName ?? '';
    const node = byName.get(name);
    if (node !== undefined) removePod(node, facts);
    removeFrom(homeless, name, facts);
    removeFrom(nominated, nominatedNode(facts.pod), facts);
  };
  return {
    scheduling() {
      state ??= { nodes: [...byName.values()].sort((a, b) => compareText(a.name, b.name)), byName, cluster, nominated, index };
      return state;
    },
    version: () => version,
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
      for (const facts of node.pods) {
        removePod(node, facts);
        addTo(homeless, name, facts);
      }
    },
    setPod(pod) {
      const { uid } = pod.metadata;
      const known = pods.get(uid);
      if (known?.pod === pod) return;
      version += 1;
      if (known !== undefined) detach(known);
      const facts = podFacts(pod);
      pods.set(uid, facts);
      attach(facts);
    },
    removePod(uid) {
      const known = pods.get(uid);
      if (known === undefined) return;
      version += 1;
      detach(known);
      pods.delete(uid);
    },
  };
}

/** The state of a cluster now: the one it keeps, or one built for the occasion in O(nodes + pods). */
export function schedulingStateOf(cluster: SchedulingCluster): SchedulingState {
  return cluster.schedulingState?.() ?? buildSchedulingState(cluster);
}

/** A state of its own, which the caller may change. */
export function buildSchedulingState(cluster: SchedulingCluster): SchedulingState {
  const capacity = createCapacityState(cluster);
  for (const node of cluster.nodes()) capacity.setNode(node);
  for (const pod of cluster.pods()) capacity.setPod(pod);
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
