/** Why one pod does not fit: every failing filter on every node, and whether fragmentation or plain lack of space is to blame. */
import type { Node, Pod } from '../../collector/objects.ts';
import { fitsInto } from './amounts.ts';
import type { FilterFailure } from './filter.ts';
import type { Cycle } from './filters.ts';
import { assume, createCycle, failuresOn, forget } from './filters.ts';
import type { Fit } from './fit.ts';
import { bindingResource, copiesIn, phiOf, pooledCopies } from './fit.ts';
import type { PodFacts } from './pod-facts.ts';
import { podFacts } from './pod-facts.ts';
import { compareText } from './reading.ts';
import type { NodeState, SchedulingCluster, SchedulingState } from './scheduling-state.ts';
import { createSchedulingState, exclusionOf, freeOf, largestFree } from './scheduling-state.ts';
import { labelOf } from './selectors.ts';

export type { SchedulingCluster } from './scheduling-state.ts';

export interface NodeVerdict {
  readonly node: Node;
  /** Every failing filter plugin, not only the first, in the scheduler's order; empty: the pod fits. */
  readonly failures: readonly FilterFailure[];
}

export interface ShapeFit extends Fit {
  /** Nodes are eligible, but none of them, emptied of all but its DaemonSet and static pods, could hold the pod. */
  readonly tooBig: boolean;
  /** Nodes that pass every filter but NodeResourcesFit, without cordoned, not-ready and virtual ones. */
  readonly eligible: number;
  /** Some eligible node's allocatable less its DaemonSet and static pods could hold it. */
  readonly couldHold: boolean;
}

export interface Diagnosis {
  /** All nodes, by name. */
  readonly nodes: readonly NodeVerdict[];
  readonly fit: ShapeFit;
}

/** Judges a pod against the cluster as it is now. O(nodes + pods); never throws over projected objects. */
export function diagnose(pod: Pod, cluster: SchedulingCluster): Diagnosis {
  return diagnoseIn(pod, createSchedulingState(cluster));
}

/** As diagnose, over a state that is already built; leaves it unchanged. */
export function diagnoseIn(pod: Pod, state: SchedulingState): Diagnosis {
  const facts = podFacts(pod);
  const cycle = createCycle(facts, state);
  const nodes = state.nodes.map((node) => ({ node: node.node, failures: failuresOn(cycle, node) }));
  return { nodes, fit: fitOf(cycle, eligibleNodes(cycle)) };
}

/** The nodes that capacity figures of this pod are about. */
export function eligibleNodes(cycle: Cycle): readonly NodeState[] {
  return cycle.state.nodes.filter((node) => exclusionOf(node.node) === undefined && failuresOn(cycle, node, 'NodeResourcesFit').length === 0);
}

/** K, K*, phi and what could ever hold the pod, over the eligible nodes given. */
export function fitOf(cycle: Cycle, eligible: readonly NodeState[]): ShapeFit {
  const { amounts } = cycle.pod.request;
  const frees = eligible.map(freeOf);
  const k = countCopies(cycle, eligible);
  const kStar = Math.max(k, pooledCopies(amounts, frees));
  const couldHold = eligible.some((node) => fitsInto(amounts, largestFree(node)));
  return {
    k,
    kStar,
    phi: phiOf(k, kStar),
    bindingResource: bindingResource(amounts, frees),
    tooBig: eligible.length > 0 && !couldHold,
    eligible: eligible.length,
    couldHold,
  };
}

/** K: the sum over the nodes, or the copies placed one after another where one copy changes where the next may go. */
export function countCopies(cycle: Cycle, eligible: readonly NodeState[]): number {
  if (dependsOnItself(cycle)) return placeCopies(cycle, eligible);
  const perNode = isAloneOnNode(cycle.pod) ? 1 : Number.POSITIVE_INFINITY;
  return eligible.reduce((sum, node) => sum + Math.min(perNode, copiesIn(cycle.pod.request.amounts, freeOf(node))), 0);
}

/** Host ports or hostname anti-affinity to itself: at most one copy a node. */
function isAloneOnNode(pod: PodFacts): boolean {
  return pod.ports.length > 0 || pod.antiAffinity.some((term) => term.topologyKey === HOSTNAME);
}
const HOSTNAME = 'kubernetes.io/hostname';

/** Spread constraints, ReadWriteOncePod claims, and affinity or wider anti-affinity: whether a copy matches decides where the next fits. */
function dependsOnItself({ filters, pod }: Cycle): boolean {
  if (filters.some((filter) => filter.plugin === 'PodTopologySpread' || filter.plugin === 'VolumeRestrictions')) return true;
  return pod.affinity.length > 0 || pod.antiAffinity.length > 0;
}

/**
 * Places copies until none fits, each time on the first node that takes one, and takes them off again. Nodes of one domain come one
 * after another and the domain with the fewest copies first, so that a skew never blocks what an even spread would allow.
 */
function placeCopies(cycle: Cycle, eligible: readonly NodeState[]): number {
  const placed: { readonly copy: PodFacts; readonly node: NodeState }[] = [];
  const keys = cycle.pod.pod.spec.topologySpreadConstraints?.[0]?.topologyKey ?? HOSTNAME;
  const domainOf = (node: NodeState): string => labelOf(node.labels, keys) ?? '';
  const copiesByDomain = new Map(eligible.map((node) => [domainOf(node), 0]));
  let open = [...eligible];
  while (open.length > 0 && placed.length < MAX_COPIES) {
    open.sort((a, b) => (copiesByDomain.get(domainOf(a)) ?? 0) - (copiesByDomain.get(domainOf(b)) ?? 0) || compareText(a.name, b.name));
    const node = open.find((each) => failuresOn(cycle, each).length === 0);
    if (node === undefined) break;
    const copy = { ...cycle.pod };
    assume(cycle, copy, node);
    placed.push({ copy, node });
    copiesByDomain.set(domainOf(node), (copiesByDomain.get(domainOf(node)) ?? 0) + 1);
    open = open.filter((each) => copiesIn(cycle.pod.request.amounts, freeOf(each)) > 0);
  }
  for (const { copy, node } of placed) forget(cycle, copy, node);
  return placed.length;
}

/** Beyond this many copies the exact number no longer tells anyone anything. */
const MAX_COPIES = 10_000;
