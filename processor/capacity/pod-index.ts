/**
 * Where the pods of a state are, by namespace, and whom their required anti-affinity is about: what keeps a scheduling cycle from looking
 * at every pod of the cluster. Kept up to date by addPod and removePod of scheduling-state.ts.
 */
import type { AffinityTerm, PodFacts } from './pod-facts.ts';
import type { NodeState } from './scheduling-state.ts';
import { labelOf } from './selectors.ts';

/** One distinct anti-affinity term with the pods that carry it, by value of its topology key. */
export interface CarriedTerm {
  readonly term: AffinityTerm;
  readonly domains: ReadonlyMap<string, number>;
}

export interface PodIndex {
  add(pod: PodFacts, node: NodeState): void;
  remove(pod: PodFacts, node: NodeState): void;
  /** The pods of one namespace and their nodes. */
  inNamespace(namespace: string): ReadonlyMap<PodFacts, NodeState>;
  namespaces(): Iterable<string>;
  /** The terms that may be about pods of this namespace. */
  carriedTerms(namespace: string): Iterable<CarriedTerm>;
  /** Rises as distinct terms come and go; undefined while one picks namespaces by their labels, which change by themselves. */
  termsRevision(): number | undefined;
}

const NOBODY: ReadonlyMap<PodFacts, NodeState> = new Map();
/** Terms with a namespace selector may be about any namespace. */
const ANY_NAMESPACE = '';

type Carried = Map<string, { readonly term: AffinityTerm; readonly domains: Map<string, number>; pods: number }>;

export function createPodIndex(): PodIndex {
  const byNamespace = new Map<string, Map<PodFacts, NodeState>>();
  const carried = new Map<string, Carried>();
  let termsRevision = 0;
  const countTerm = (term: AffinityTerm, node: NodeState, sign: 1 | -1): void => {
    for (const namespace of term.namespaceSelector.requirements === undefined ? term.namespaces : [ANY_NAMESPACE]) {
      const terms = carried.get(namespace) ?? new Map();
      const entry = terms.get(term.key) ?? { term, domains: new Map<string, number>(), pods: 0 };
      if (entry.pods === 0 || entry.pods + sign === 0) termsRevision += 1;
      entry.pods += sign;
      count(entry.domains, labelOf(node.labels, term.topologyKey), sign);
      if (entry.pods > 0) terms.set(term.key, entry);
      else terms.delete(term.key);
      if (terms.size > 0) carried.set(namespace, terms);
      else carried.delete(namespace);
    }
  };
  return {
    add(pod, node) {
      const there = byNamespace.get(pod.namespace);
      if (there === undefined) byNamespace.set(pod.namespace, new Map([[pod, node]]));
      else there.set(pod, node);
      for (const term of pod.antiAffinity) countTerm(term, node, 1);
    },
    remove(pod, node) {
      const there = byNamespace.get(pod.namespace);
      there?.delete(pod);
      if (there?.size === 0) byNamespace.delete(pod.namespace);
      for (const term of pod.antiAffinity) countTerm(term, node, -1);
    },
    inNamespace: (namespace) => byNamespace.get(namespace) ?? NOBODY,
    namespaces: () => byNamespace.keys(),
    *carriedTerms(namespace) {
      yield* carried.get(namespace)?.values() ?? [];
      yield* carried.get(ANY_NAMESPACE)?.values() ?? [];
    },
    termsRevision: () => (carried.has(ANY_NAMESPACE) ? undefined : termsRevision),
  };
}

function count(domains: Map<string, number>, domain: string | undefined, sign: 1 | -1): void {
  if (domain === undefined) return;
  const pods = (domains.get(domain) ?? 0) + sign;
  if (pods > 0) domains.set(domain, pods);
  else domains.delete(domain);
}
