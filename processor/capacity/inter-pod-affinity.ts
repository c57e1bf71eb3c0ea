/**
 * InterPodAffinity: required pod affinity and anti-affinity, and the anti-affinity of the pods already there. Follows
 * pkg/scheduler/framework/plugins/interpodaffinity/filtering.go and plugin.go (v1.34).
 */
import type { Filter, FilterFailure } from './filter.ts';
import { PASSED } from './filter.ts';
import type { AffinityTerm, PodFacts } from './pod-facts.ts';
import { termMatches } from './pod-facts.ts';
import type { NodeState, SchedulingCluster, SchedulingState } from './scheduling-state.ts';
import type { Labels } from './selectors.ts';
import { labelOf } from './selectors.ts';

const PLUGIN = 'InterPodAffinity';
const NO_AFFINITY: readonly FilterFailure[] = [{ plugin: PLUGIN, reason: "node(s) didn't match pod affinity rules" }];
const REPELLED: readonly FilterFailure[] = [{ plugin: PLUGIN, reason: "node(s) didn't match pod anti-affinity rules" }];
const REPELLED_BY_EXISTING: readonly FilterFailure[] = [{ plugin: PLUGIN, reason: "node(s) didn't satisfy existing pods anti-affinity rules" }];

/** How many pods matched, by topology key, then value. */
type PairCounts = Map<string, Map<string, number>>;

export function createInterPodAffinity(pod: PodFacts, state: SchedulingState): Filter | undefined {
  return isConcerned(pod, state) ? createFilter(pod, state) : undefined;
}

/** Whether a rule of the pod, or of another one about it, may say something of a node; most pods have neither. */
function isConcerned(pod: PodFacts, { cluster, index, nominated }: SchedulingState): boolean {
  if (pod.affinity.length + pod.antiAffinity.length + nominated.size > 0) return true;
  let own: Labels | undefined;
  let isKnown = false;
  for (const { term } of index.carriedTerms(pod.namespace)) {
    if (!isKnown) [own, isKnown] = [createNamespaceLabels(cluster)(pod.namespace), true];
    if (termMatches(term, pod, own)) return true;
  }
  return false;
}

function createFilter(pod: PodFacts, state: SchedulingState): Filter {
  const namespaceLabels = createNamespaceLabels(state.cluster);
  const own = namespaceLabels(pod.namespace);
  const counts = { attracting: new Map(), repelling: new Map(), repelledBy: new Map() } as const;
  const countMatches = (other: PodFacts, node: NodeState, sign: 1 | -1): void => {
    const labels = namespaceLabels(other.namespace);
    if (matchesAll(pod.affinity, other, labels)) for (const term of pod.affinity) add(counts.attracting, node, term.topologyKey, sign);
    for (const term of pod.antiAffinity) if (termMatches(term, other, labels)) add(counts.repelling, node, term.topologyKey, sign);
  };
  const update = (other: PodFacts, node: NodeState, sign: 1 | -1): void => {
    for (const term of other.antiAffinity) if (termMatches(term, pod, own)) add(counts.repelledBy, node, term.topologyKey, sign);
    if (pod.affinity.length + pod.antiAffinity.length > 0) countMatches(other, node, sign);
  };
  for (const { term, domains } of state.index.carriedTerms(pod.namespace)) {
    if (termMatches(term, pod, own)) for (const [value, count] of domains) addValue(counts.repelledBy, term.topologyKey, value, count);
  }
  const terms = [...pod.affinity, ...pod.antiAffinity];
  for (const namespace of namespacesOf(terms, state)) {
    for (const [other, node] of state.index.inNamespace(namespace)) countMatches(other, node, 1);
  }
  const attractsItself = matchesAll(pod.affinity, pod, own);
  return {
    plugin: PLUGIN,
    check: (node) => {
      if (!isAttracted(pod.affinity, counts.attracting, node, attractsItself)) return NO_AFFINITY;
      if (pod.antiAffinity.some(({ topologyKey }) => countAt(counts.repelling, node, topologyKey) > 0)) return REPELLED;
      for (const topologyKey of counts.repelledBy.keys()) if (countAt(counts.repelledBy, node, topologyKey) > 0) return REPELLED_BY_EXISTING;
      return PASSED;
    },
    update,
  };
}

/** The namespaces whose pods the terms may be about. */
export function namespacesOf(terms: readonly AffinityTerm[], { index }: SchedulingState): Iterable<string> {
  if (terms.some(({ namespaceSelector }) => namespaceSelector.requirements !== undefined)) return index.namespaces();
  return new Set(terms.flatMap(({ namespaces }) => namespaces));
}

/** Labels of namespaces by name; undefined for one that was never seen. */
export function createNamespaceLabels(cluster: SchedulingCluster): (namespace: string) => Labels | undefined {
  const known = new Map<string, Labels | undefined>();
  return (namespace) => {
    if (!known.has(namespace)) {
      const object = cluster.object('namespaces', '', namespace);
      known.set(namespace, object === undefined ? undefined : (object.metadata.labels ?? {}));
    }
    return known.get(namespace);
  };
}

/** One pod has to match every term; no terms match none. */
function matchesAll(terms: readonly AffinityTerm[], pod: PodFacts, namespaceLabels: Labels | undefined): boolean {
  return terms.length > 0 && terms.every((term) => termMatches(term, pod, namespaceLabels));
}

/** The first of a series that wants its own kind may go anywhere that has the labels. */
function isAttracted(terms: readonly AffinityTerm[], counts: PairCounts, node: NodeState, attractsItself: boolean): boolean {
  let found = true;
  for (const { topologyKey } of terms) {
    if (labelOf(node.labels, topologyKey) === undefined) return false;
    if (countAt(counts, node, topologyKey) === 0) found = false;
  }
  return found || (counts.size === 0 && attractsItself);
}

function countAt(counts: PairCounts, node: NodeState, topologyKey: string): number {
  const value = labelOf(node.labels, topologyKey);
  return value === undefined ? 0 : (counts.get(topologyKey)?.get(value) ?? 0);
}

function add(counts: PairCounts, node: NodeState, topologyKey: string, sign: 1 | -1): void {
  const value = labelOf(node.labels, topologyKey);
  if (value !== undefined) addValue(counts, topologyKey, value, sign);
}

function addValue(counts: PairCounts, topologyKey: string, value: string, delta: number): void {
  const values = counts.get(topologyKey) ?? new Map<string, number>();
  const count = (values.get(value) ?? 0) + delta;
  if (count === 0) values.delete(value);
  else values.set(value, count);
  if (values.size === 0) counts.delete(topologyKey);
  else counts.set(topologyKey, values);
}
