/**
 * NodeName and NodeAffinity: nodeSelector and required node affinity. Follow pkg/scheduler/framework/plugins/nodename/node_name.go,
 * nodeaffinity/node_affinity.go, and GetRequiredNodeAffinity of component-helpers nodeaffinity.go (v1.34).
 */
import type { Filter, FilterFailure, Rejection } from './filter.ts';
import { PASSED } from './filter.ts';
import type { PodFacts } from './pod-facts.ts';
import { fieldsOf, integerOf, listOf, textOf, textsOf } from './reading.ts';
import type { NodeState } from './scheduling-state.ts';
import type { Labels, NodeTerm } from './selectors.ts';
import { compileLabels, compileNodeTerm, compileNodeTerms, matches, matchesNodeTerm } from './selectors.ts';

const OTHER_NAME: readonly FilterFailure[] = [{ plugin: 'NodeName', reason: "node(s) didn't match the requested node name" }];
const MISMATCH: readonly FilterFailure[] = [{ plugin: 'NodeAffinity', reason: "node(s) didn't match Pod's node affinity/selector" }];
/** What is said of nodes that the PreFilter of NodeAffinity ruled out by name. */
const NOT_NAMED: readonly FilterFailure[] = [{ plugin: 'NodeAffinity', reason: "node(s) didn't satisfy plugin(s) [NodeAffinity]" }];
const CONFLICT: Rejection = { kind: 'rejection', plugin: 'NodeAffinity', reason: 'pod affinity terms conflict' };

/** Only a pod that names its node, such as one of a manifest, needs it. */
export function createNodeName(pod: PodFacts): Filter | undefined {
  const name = textOf(pod.pod.spec.nodeName) ?? '';
  if (name === '') return undefined;
  return { plugin: 'NodeName', check: (node) => (node.name === name ? PASSED : OTHER_NAME) };
}

/** PreFilter: where every term names its nodes, the scheduler looks at no others. It comes before every filter. */
export function createNamedNodes(pod: PodFacts): Filter | Rejection | undefined {
  const names = namesOf(requiredTermsOf(pod));
  if (names === undefined) return undefined;
  if (names.size === 0) return CONFLICT;
  return { plugin: 'NodeAffinity', check: (node) => (names.has(node.name) ? PASSED : NOT_NAMED) };
}

export function createNodeAffinity(pod: PodFacts): Filter | undefined {
  if (requiredTermsOf(pod) === undefined && fieldsOf(pod.pod.spec.nodeSelector) === undefined) return undefined;
  const match = compileNodeAffinity(pod);
  return { plugin: 'NodeAffinity', check: (node) => (match(node.labels, node.name) ? PASSED : MISMATCH) };
}

/** Whether the pod's nodeSelector and required node affinity accept a node with these labels and this name. */
export function compileNodeAffinity(pod: PodFacts): (labels: Labels | undefined, nodeName: string) => boolean {
  const selector = compileLabels(pod.pod.spec.nodeSelector);
  const required = requiredTermsOf(pod);
  const terms = required === undefined ? undefined : compileNodeTerms(required);
  return (labels, nodeName) => {
    if (!matches(selector, labels)) return false;
    return terms === undefined || terms.some((term) => matchesNodeTerm(term, labels, nodeName));
  };
}

function requiredTermsOf(pod: PodFacts): readonly Readonly<Record<string, unknown>>[] | undefined {
  const required = fieldsOf(fieldsOf(fieldsOf(pod.pod.spec.affinity)?.['nodeAffinity'])?.['requiredDuringSchedulingIgnoredDuringExecution']);
  return required === undefined ? undefined : listOf(required['nodeSelectorTerms']);
}

/** The nodes named by every term; undefined as soon as one term names none. */
function namesOf(terms: readonly Readonly<Record<string, unknown>>[] | undefined): ReadonlySet<string> | undefined {
  if (terms === undefined || terms.length === 0) return undefined;
  const names = new Set<string>();
  for (const term of terms) {
    const own = namesOfTerm(term);
    if (own === undefined) return undefined;
    for (const name of own) names.add(name);
  }
  return names;
}

function namesOfTerm(term: Readonly<Record<string, unknown>>): readonly string[] | undefined {
  let names: readonly string[] | undefined;
  for (const field of listOf(term['matchFields'])) {
    if (field['key'] !== 'metadata.name' || field['operator'] !== 'In') continue;
    const values = textsOf(field['values']);
    names = names === undefined ? values : names.filter((name) => values.includes(name));
  }
  return names;
}

/** Sum of the weights of the preferred terms a node satisfies (PreferredSchedulingTerms.Score); undefined without any. */
export function compilePreferredNodes(pod: PodFacts): ((node: NodeState) => number) | undefined {
  const affinity = fieldsOf(fieldsOf(pod.pod.spec.affinity)?.['nodeAffinity']);
  const terms: { readonly term: NodeTerm; readonly weight: number }[] = [];
  for (const preferred of listOf(affinity?.['preferredDuringSchedulingIgnoredDuringExecution'])) {
    const term = compileNodeTerm(fieldsOf(preferred['preference']) ?? {});
    const weight = integerOf(preferred['weight']) ?? 0;
    if (term !== undefined && weight !== 0) terms.push({ term, weight });
  }
  if (terms.length === 0) return undefined;
  return (node) => terms.reduce((score, { term, weight }) => score + (matchesNodeTerm(term, node.labels, node.name) ? weight : 0), 0);
}
