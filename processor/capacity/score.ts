/**
 * Which of several feasible nodes the default scheduler prefers. Weights from pkg/scheduler/apis/config/v1/default_plugins.go, scores
 * from plugins/{tainttoleration,nodeaffinity,noderesources/least_allocated,noderesources/balanced_allocation,podtopologyspread/scoring,
 * interpodaffinity/scoring}.go (v1.34), in their integer arithmetic. ImageLocality is left out: image sizes are not collected.
 */
import type { Cycle } from './filters.ts';
import { createNamespaceLabels } from './inter-pod-affinity.ts';
import { compilePreferredNodes } from './node-affinity.ts';
import type { AffinityTerm, PodFacts } from './pod-facts.ts';
import { termMatches } from './pod-facts.ts';
import { podRequest } from './pod-request.ts';
import { listOf } from './reading.ts';
import type { NodeState, SchedulingState } from './scheduling-state.ts';
import type { Selector } from './selectors.ts';
import { labelOf } from './selectors.ts';
import { countUnpreferred } from './taint-toleration.ts';
import type { SpreadConstraint } from './topology-spread.ts';
import { compileConstraints, compileInclusion, isCounted } from './topology-spread.ts';

const MAX_SCORE = 100;

export interface Scorer {
  /** The total score of each node given, in order; higher is preferred. */
  score(feasible: readonly NodeState[]): readonly number[];
  update(pod: PodFacts, node: NodeState, sign: 1 | -1): void;
}

interface Part {
  readonly weight: number;
  /** Normalised to 0 … 100. */
  score(feasible: readonly NodeState[]): readonly number[];
  update?(pod: PodFacts, node: NodeState, sign: 1 | -1): void;
}

/** `spreadSelector` is what the pod's owner selects: the scheduler spreads such pods by default. */
export function createScorer(cycle: Cycle, spreadSelector: Selector | undefined): Scorer {
  const parts = [
    createTaintScore(cycle.pod),
    createNodeAffinityScore(cycle.pod),
    createLeastAllocatedScore(cycle.pod),
    createBalancedScore(cycle.pod),
    createSpreadScore(cycle, spreadSelector),
    createInterPodScore(cycle),
  ].filter((part): part is Part => part !== undefined);
  return {
    score: (feasible) => {
      const totals = feasible.map(() => 0);
      for (const part of parts) {
        part.score(feasible).forEach((score, index) => {
          totals[index] = (totals[index] ?? 0) + part.weight * score;
        });
      }
      return totals;
    },
    update: (pod, node, sign) => {
      for (const part of parts) part.update?.(pod, node, sign);
    },
  };
}

function createTaintScore(pod: PodFacts): Part {
  const tolerations = listOf(pod.pod.spec.tolerations);
  return {
    weight: 3,
    score: (feasible) => normalise(feasible.map(({ node }) => countUnpreferred(node, tolerations))).map((score) => MAX_SCORE - score),
  };
}

function createNodeAffinityScore(pod: PodFacts): Part | undefined {
  const preferred = compilePreferredNodes(pod);
  return preferred === undefined ? undefined : { weight: 2, score: (feasible) => normalise(feasible.map(preferred)) };
}

/** DefaultNormalizeScore: the largest becomes 100. */
function normalise(scores: readonly number[]): readonly number[] {
  const most = maximum(scores);
  return most === 0 ? scores : scores.map((score) => Math.floor((MAX_SCORE * score) / most));
}

function maximum(scores: readonly number[]): number {
  return scores.reduce((most, score) => Math.max(most, score), 0);
}

/** The pod's own request counts without its pod-level resources: newLeastAllocated is not told of them (noderesources/fit.go, v1.34). */
function createLeastAllocatedScore({ pod, request }: PodFacts): Part {
  const { resources, ...spec } = pod.spec;
  const { scoredCpu, scoredMemory } = resources === undefined ? request : podRequest({ ...pod, spec });
  const score = ({ scoredCpu: cpu, scoredMemory: memory, allocatable }: NodeState): number => {
    const shares = [freeShare(cpu + scoredCpu, allocatable.cpu), freeShare(memory + scoredMemory, allocatable.memory)].filter((share) => share !== undefined);
    return shares.length === 0 ? 0 : Math.floor(shares.reduce((sum, share) => sum + share, 0) / shares.length);
  };
  return { weight: 1, score: (feasible) => feasible.map(score) };
}

function freeShare(requested: number, capacity: number): number | undefined {
  if (capacity === 0) return undefined;
  return requested > capacity ? 0 : Math.floor(((capacity - requested) * MAX_SCORE) / capacity);
}

/** Skipped for pods that request neither cpu nor memory. */
function createBalancedScore(pod: PodFacts): Part | undefined {
  const { cpu, memory } = pod.request.amounts;
  if (cpu === 0 && memory === 0) return undefined;
  const usedShare = (requested: number, capacity: number): number => Math.min(1, requested / capacity);
  const score = ({ requested, allocatable }: NodeState): number => {
    if (allocatable.cpu === 0 || allocatable.memory === 0) return MAX_SCORE;
    const difference = usedShare(requested.cpu + cpu, allocatable.cpu) - usedShare(requested.memory + memory, allocatable.memory);
    return Math.trunc((1 - Math.abs(difference / 2)) * MAX_SCORE);
  };
  return { weight: 1, score: (feasible) => feasible.map(score) };
}

const HOSTNAME = 'kubernetes.io/hostname';
const ZONE = 'topology.kubernetes.io/zone';

/** The pod's own soft constraints; for a pod without any constraint the built-in ones over what its owner selects. */
function softConstraints(pod: PodFacts, spreadSelector: Selector | undefined): readonly SpreadConstraint[] {
  if (listOf(pod.pod.spec.topologySpreadConstraints).length > 0) return compileConstraints(pod, 'ScheduleAnyway');
  if (spreadSelector === undefined) return [];
  const common = { selector: spreadSelector, minDomains: 1, honourAffinity: true, honourTaints: false };
  return [
    { ...common, topologyKey: HOSTNAME, maxSkew: 3 },
    { ...common, topologyKey: ZONE, maxSkew: 5 },
  ];
}

function createSpreadScore(cycle: Cycle, spreadSelector: Selector | undefined): Part | undefined {
  const { pod, state } = cycle;
  const constraints = softConstraints(pod, spreadSelector);
  if (constraints.length === 0) return undefined;
  const requireAll = listOf(pod.pod.spec.topologySpreadConstraints).length > 0;
  const included = constraints.map((constraint) => compileInclusion(pod, [constraint]));
  const isIgnored = (node: NodeState): boolean => requireAll && constraints.some(({ topologyKey }) => labelOf(node.labels, topologyKey) === undefined);
  const countOn = createMatchCounts(pod.namespace, constraints, state);
  const countDomains = (index: number, topologyKey: string, domains: Map<string, number>): void => {
    for (const node of state.nodes) {
      const value = labelOf(node.labels, topologyKey);
      const known = value === undefined ? undefined : domains.get(value);
      if (value === undefined || known === undefined || isIgnored(node) || !included[index]?.(node, 0)) continue;
      domains.set(value, known + countOn.get(index, node));
    }
  };
  const score = (feasible: readonly NodeState[]): readonly number[] => {
    const counted = feasible.filter((node) => !isIgnored(node));
    const weighted = constraints.map(({ topologyKey, maxSkew }, index) => {
      const values = new Set(counted.map((node) => labelOf(node.labels, topologyKey) ?? ''));
      const size = topologyKey === HOSTNAME ? counted.length : values.size;
      const perValue = new Map([...values].map((value) => [value, 0]));
      if (topologyKey !== HOSTNAME) countDomains(index, topologyKey, perValue);
      return { topologyKey, skew: maxSkew - 1, weight: Math.log(size + 2), perValue };
    });
    const raw = feasible.map((node) => {
      if (isIgnored(node)) return undefined;
      const sum = weighted.reduce((total, { topologyKey, skew, weight, perValue }, index) => {
        const value = labelOf(node.labels, topologyKey);
        if (value === undefined) return total;
        const count = topologyKey === HOSTNAME ? countOn.get(index, node) : (perValue.get(value) ?? 0);
        return total + count * weight + skew;
      }, 0);
      return Math.round(sum);
    });
    return invert(raw);
  };
  return { weight: 2, score, update: countOn.update };
}

/** NormalizeScore of PodTopologySpread: few matching pods score high; ignored nodes score 0. */
function invert(raw: readonly (number | undefined)[]): readonly number[] {
  const known = raw.filter((score) => score !== undefined);
  const [most, least] = [maximum(known), known.reduce((a, b) => Math.min(a, b), Number.MAX_SAFE_INTEGER)];
  return raw.map((score) => {
    if (score === undefined) return 0;
    return most === 0 ? MAX_SCORE : Math.floor((MAX_SCORE * (most + least - score)) / most);
  });
}

/** Matching pods of the namespace by constraint and node. */
function createMatchCounts(namespace: string, constraints: readonly SpreadConstraint[], { index: pods }: SchedulingState) {
  const counts = constraints.map(({ selector }) => {
    const onNode = new Map<NodeState, number>();
    for (const [pod, node] of pods.inNamespace(namespace)) if (isCounted(pod, selector)) onNode.set(node, (onNode.get(node) ?? 0) + 1);
    return onNode;
  });
  return {
    get: (index: number, node: NodeState): number => counts[index]?.get(node) ?? 0,
    update(pod: PodFacts, node: NodeState, sign: 1 | -1): void {
      if (pod.namespace !== namespace) return;
      constraints.forEach(({ selector }, index) => {
        const onNode = counts[index];
        if (isCounted(pod, selector)) onNode?.set(node, (onNode.get(node) ?? 0) + sign);
      });
    },
  };
}

/** HardPodAffinityWeight, the scheduler's default for required terms of the pods already there. */
const HARD_WEIGHT = 1;

function createInterPodScore({ pod, state }: Cycle): Part {
  const namespaceLabels = createNamespaceLabels(state.cluster);
  const own = namespaceLabels(pod.namespace);
  const scores = new Map<string, Map<string, number>>();
  const add = (node: NodeState, { topologyKey }: AffinityTerm, weight: number): void => {
    const value = labelOf(node.labels, topologyKey);
    if (value === undefined) return;
    const values = scores.get(topologyKey) ?? new Map<string, number>();
    values.set(value, (values.get(value) ?? 0) + weight);
    scores.set(topologyKey, values);
  };
  const update = (other: PodFacts, node: NodeState, sign: 1 | -1): void => {
    const labels = namespaceLabels(other.namespace);
    for (const term of pod.preferredAffinity) if (termMatches(term, other, labels)) add(node, term, sign * term.weight);
    for (const term of pod.preferredAntiAffinity) if (termMatches(term, other, labels)) add(node, term, -sign * term.weight);
    for (const term of other.affinity) if (termMatches(term, pod, own)) add(node, term, sign * HARD_WEIGHT);
    for (const term of other.preferredAffinity) if (termMatches(term, pod, own)) add(node, term, sign * term.weight);
    for (const term of other.preferredAntiAffinity) if (termMatches(term, pod, own)) add(node, term, -sign * term.weight);
  };
  const wantsAll = pod.preferredAffinity.length + pod.preferredAntiAffinity.length > 0;
  for (const node of state.nodes) for (const other of wantsAll ? node.pods : node.affinityPods) update(other, node, 1);
  const score = (feasible: readonly NodeState[]): readonly number[] => {
    const raw = feasible.map((node) => [...scores].reduce((sum, [key, values]) => sum + (values.get(labelOf(node.labels, key) ?? '') ?? 0), 0));
    const least = raw.reduce((a, b) => Math.min(a, b), Number.MAX_SAFE_INTEGER);
    const range = raw.reduce((a, b) => Math.max(a, b), Number.MIN_SAFE_INTEGER) - least;
    return raw.map((each) => (range > 0 ? Math.trunc(MAX_SCORE * ((each - least) / range)) : 0));
  };
  return { weight: 2, score, update };
}
