/** K, K* and phi of one pod's shape over a scheduling state: which nodes are eligible, and how many copies they take. */
import type { Amounts } from './amounts.ts';
import { fitsInto } from './amounts.ts';
import type { Cycle } from './filters.ts';
import { assume, failuresOn, forget } from './filters.ts';
import type { Fit } from './fit.ts';
import { bindingResource, copiesIn, phiOf, pooledCopies } from './fit.ts';
import { createNamespaceLabels, namespacesOf } from './inter-pod-affinity.ts';
import type { AffinityTerm, PodFacts } from './pod-facts.ts';
import { termMatches } from './pod-facts.ts';
import type { NodeState } from './scheduling-state.ts';
import { freeOf, largestFree } from './scheduling-state.ts';
import { labelOf } from './selectors.ts';
import type { Steps } from './steps.ts';
import { finish } from './steps.ts';
import type { SpreadConstraint } from './topology-spread.ts';
import { compileConstraints, countDomains, isCounted } from './topology-spread.ts';

export interface ShapeFit extends Fit {
  /** Nodes are eligible, but none of them, emptied of all but its DaemonSet and static pods, could hold the pod. */
  readonly tooBig: boolean;
  /** Nodes that pass every filter but NodeResourcesFit, without cordoned, not-ready and virtual ones. */
  readonly eligible: number;
  /** Some eligible node's allocatable less its DaemonSet and static pods could hold it. */
  readonly couldHold: boolean;
}

const RESOURCES = ['NodeResourcesFit'];
const RESOURCES_AND_SPREAD = ['NodeResourcesFit', 'PodTopologySpread'];

/** The fit over all nodes of the state. Leaves it unchanged. */
export function fitShape(cycle: Cycle): ShapeFit {
  const eligible = eligibleNodes(cycle, cycle.state.nodes);
  return fitEligible(cycle, cycle.state.nodes, eligible, eligible.map(freeOf));
}

/** The fit over the nodes given, of which `eligible` are eligible, with their free space in the same order. */
export function fitEligible(cycle: Cycle, nodes: readonly NodeState[], eligible: readonly NodeState[], frees: readonly Amounts[]): ShapeFit {
  return finish(fitSteps(cycle, nodes, eligible, frees));
}

/** As fitEligible, in steps of a few milliseconds. The state must not change before it is done. */
export function* fitSteps(cycle: Cycle, nodes: readonly NodeState[], eligible: readonly NodeState[], frees: readonly Amounts[]): Steps<ShapeFit> {
  const { amounts } = cycle.pod.request;
  const k = yield* countCopies(cycle, nodes, eligible, frees);
  yield;
  const kStar = Math.max(k, pooledCopies(amounts, frees));
  yield;
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

/** The nodes that capacity figures of this shape are about. */
export function eligibleNodes(cycle: Cycle, nodes: readonly NodeState[], except: readonly string[] = RESOURCES): readonly NodeState[] {
  return nodes.filter((node) => node.exclusion === undefined && failuresOn(cycle, node, except).length === 0);
}

/** A rule of the shape about its own copies, which ties together the nodes that share a value of the topology key. */
type DomainRule =
  | { readonly kind: 'spread'; readonly topologyKey: string; readonly constraint: SpreadConstraint }
  | { readonly kind: 'apart'; readonly topologyKey: string }
  | { readonly kind: 'together'; readonly topologyKey: string };

function* countCopies(cycle: Cycle, nodes: readonly NodeState[], eligible: readonly NodeState[], frees: readonly Amounts[]): Steps<number> {
  const { pod } = cycle;
  const rules = rulesOf(cycle);
  if (rules.length === 0 && !usesOwnVolumes(cycle)) {
    return eligible.reduce((sum, _node, index) => sum + copiesOn(pod, frees[index]), 0);
  }
  const open = rules.some(({ kind }) => kind === 'spread') ? eligibleNodes(cycle, nodes, RESOURCES_AND_SPREAD) : eligible;
  const [rule] = rules;
  if (rule === undefined || rules.length > 1 || usesOwnVolumes(cycle)) return yield* placeCopies(cycle, open);
  return copiesUnder(rule, cycle, open);
}

function copiesOn(pod: PodFacts, free: Amounts | undefined): number {
  if (free === undefined) return 0;
  const copies = copiesIn(pod.request.amounts, free);
  return isAloneOnNode(pod) ? Math.min(1, copies) : copies;
}

const HOSTNAME = 'kubernetes.io/hostname';

/** Two copies would take each other's host port. */
function isAloneOnNode(pod: PodFacts): boolean {
  return pod.ports.length > 0;
}

/** One copy a node: host ports, or anti-affinity by host to what carries its own labels. */
export function isAloneOnHost(pod: PodFacts): boolean {
  return isAloneOnNode(pod) || pod.antiAffinity.some((term) => term.topologyKey === HOSTNAME && termMatches(term, pod, undefined));
}

/** Copies of a pod that uses a ReadWriteOncePod claim or a disk of its own shut each other out. */
function usesOwnVolumes({ filters }: Cycle): boolean {
  return filters.some((filter) => filter.plugin === 'VolumeRestrictions');
}

function rulesOf({ pod, state }: Cycle): readonly DomainRule[] {
  const spread = compileConstraints(pod, 'DoNotSchedule').filter(({ selector }) => isCounted(pod, selector));
  if (spread.length + pod.antiAffinity.length + pod.affinity.length === 0) return [];
  const labels = createNamespaceLabels(state.cluster)(pod.namespace);
  const isOwn = (term: AffinityTerm): boolean => termMatches(term, pod, labels);
  const together = pod.affinity.length > 0 && pod.affinity.every(isOwn) ? pod.affinity : [];
  return [
    ...spread.map((constraint) => ({ kind: 'spread', topologyKey: constraint.topologyKey, constraint }) as const),
    ...pod.antiAffinity.filter(isOwn).map(({ topologyKey }) => ({ kind: 'apart', topologyKey }) as const),
    ...together.map(({ topologyKey }) => ({ kind: 'together', topologyKey }) as const),
  ];
}

/** What one rule leaves of the copies that each domain could take. */
function copiesUnder(rule: DomainRule, cycle: Cycle, open: readonly NodeState[]): number {
  const capacity = new Map<string, number>();
  for (const node of open) {
    const domain = labelOf(node.labels, rule.topologyKey);
    const copies = copiesOn(cycle.pod, freeOf(node));
    // Without the label an anti-affinity never applies: the node is a domain of its own without a limit.
    const key = domain === undefined ? `\0${node.name}` : domain;
    capacity.set(key, (capacity.get(key) ?? 0) + copies);
  }
  if (rule.kind === 'apart') {
    return [...capacity].reduce((sum, [domain, copies]) => sum + (domain.startsWith('\0') ? copies : Math.min(1, copies)), 0);
  }
  if (rule.kind === 'together') {
    const domains = [...capacity.values()];
    const started = isStarted(cycle, open);
    return started ? domains.reduce((sum, copies) => sum + copies, 0) : Math.max(0, ...domains);
  }
  return copiesSpread(rule.constraint, cycle, capacity);
}

/** Whether some pod satisfies the affinity already: then eligibility has picked the domains. */
function isStarted({ pod, state }: Cycle, open: readonly NodeState[]): boolean {
  const labels = createNamespaceLabels(state.cluster);
  if (open.length === 0) return false;
  for (const namespace of namespacesOf(pod.affinity, state)) {
    for (const other of state.index.inNamespace(namespace).keys()) if (pod.affinity.every((term) => termMatches(term, other, labels(namespace)))) return true;
  }
  return false;
}

/** Filling the emptiest domain first, no domain ends more than maxSkew above the one that is full first. */
function copiesSpread(constraint: SpreadConstraint, { pod, state }: Cycle, capacity: ReadonlyMap<string, number>): number {
  const counts = countDomains(pod, state, constraint);
  const ends = [...counts].map(([domain, count]) => count + (capacity.get(domain) ?? 0));
  const lowest = counts.size < constraint.minDomains || ends.length === 0 ? 0 : Math.min(...ends);
  let copies = 0;
  for (const [domain, room] of capacity) if (counts.has(domain)) copies += Math.max(0, Math.min(room, lowest + constraint.maxSkew - (counts.get(domain) ?? 0)));
  return copies;
}

/** Several rules at once are played through, copy by copy, up to this many; K is then "at least". */
const MAX_PLAYED = 500;

/** Places copies on the first node that takes one, the emptiest domain of the first spread constraint first, and takes them off again. */
function* placeCopies(cycle: Cycle, open: readonly NodeState[]): Steps<number> {
  const topologyKey = compileConstraints(cycle.pod, 'DoNotSchedule')[0]?.topologyKey ?? HOSTNAME;
  const domainOf = (node: NodeState): string => labelOf(node.labels, topologyKey) ?? '';
  const copies = new Map<string, number>();
  const placed: { readonly copy: PodFacts; readonly node: NodeState }[] = [];
  let candidates = open.filter((node) => copiesOn(cycle.pod, freeOf(node)) > 0);
  while (candidates.length > 0 && placed.length < MAX_PLAYED) {
    const rank = (node: NodeState): number => copies.get(domainOf(node)) ?? 0;
    const node = firstTaking(cycle, candidates, rank);
    if (node === undefined) break;
    const copy = { ...cycle.pod };
    assume(cycle, copy, node);
    placed.push({ copy, node });
    copies.set(domainOf(node), rank(node) + 1);
    if (copiesOn(cycle.pod, freeOf(node)) === 0) candidates = candidates.filter((each) => each !== node);
    yield;
  }
  for (const { copy, node } of placed) forget(cycle, copy, node);
  return placed.length;
}

/** The first node that takes a copy: of those with the lowest rank, in the order given, then the next rank. */
function firstTaking(cycle: Cycle, candidates: readonly NodeState[], rank: (node: NodeState) => number): NodeState | undefined {
  const ranks = [...new Set(candidates.map(rank))].sort((a, b) => a - b);
  for (const lowest of ranks) {
    const node = candidates.find((each) => rank(each) === lowest && failuresOn(cycle, each).length === 0);
    if (node !== undefined) return node;
  }
  return undefined;
}
