/**
 * PodTopologySpread, the constraints that forbid (DoNotSchedule). Follows pkg/scheduler/framework/plugins/podtopologyspread/
 * filtering.go and common.go (v1.34): terminating pods and other namespaces do not count, and a pod that carries the match label keys
 * is compared only with pods that share their values.
 */
import type { Filter, FilterFailure } from './filter.ts';
import { PASSED } from './filter.ts';
import { compileNodeAffinity } from './node-affinity.ts';
import type { PodFacts } from './pod-facts.ts';
import { integerOf, listOf, textOf, textsOf } from './reading.ts';
import type { NodeState, SchedulingState } from './scheduling-state.ts';
import type { Selector } from './selectors.ts';
import { compileLabelSelector, labelOf, matches, narrow } from './selectors.ts';
import { untoleratedTaint } from './taint-toleration.ts';

const PLUGIN = 'PodTopologySpread';
const MISSING_LABEL: readonly FilterFailure[] = [{ plugin: PLUGIN, reason: "node(s) didn't match pod topology spread constraints (missing required label)" }];
const TOO_SKEWED: readonly FilterFailure[] = [{ plugin: PLUGIN, reason: "node(s) didn't match pod topology spread constraints" }];

export interface SpreadConstraint {
  readonly topologyKey: string;
  readonly maxSkew: number;
  readonly minDomains: number;
  readonly selector: Selector;
  readonly honourAffinity: boolean;
  readonly honourTaints: boolean;
}

/** The pod's constraints of one kind; nodeAffinityPolicy defaults to Honor, nodeTaintsPolicy to Ignore, minDomains to 1. */
export function compileConstraints(pod: PodFacts, whenUnsatisfiable: 'DoNotSchedule' | 'ScheduleAnyway'): readonly SpreadConstraint[] {
  return listOf<object>(pod.pod.spec.topologySpreadConstraints).flatMap((each) => {
    const constraint = each as Readonly<Record<string, unknown>>;
    if ((textOf(constraint['whenUnsatisfiable']) || 'DoNotSchedule') !== whenUnsatisfiable) return [];
    let selector = compileLabelSelector(constraint['labelSelector']);
    for (const key of textsOf(constraint['matchLabelKeys'])) {
      const value = labelOf(pod.labels, key);
      if (value !== undefined) selector = narrow(selector, key, 'In', value);
    }
    const compiled = {
      topologyKey: textOf(constraint['topologyKey']) ?? '',
      maxSkew: integerOf(constraint['maxSkew']) ?? 1,
      minDomains: integerOf(constraint['minDomains']) ?? 1,
      selector,
      honourAffinity: (textOf(constraint['nodeAffinityPolicy']) ?? 'Honor') === 'Honor',
      honourTaints: textOf(constraint['nodeTaintsPolicy']) === 'Honor',
    };
    return [compiled];
  });
}

export function createTopologySpread(pod: PodFacts, state: SchedulingState): Filter | undefined {
  const constraints = compileConstraints(pod, 'DoNotSchedule');
  if (constraints.length === 0) return undefined;
  const includes = compileInclusion(pod, constraints);
  const domains = constraints.map((constraint, index) => {
    const counts = countIncluded(constraint, pod.namespace, state, (node) => includes(node, index));
    return { constraint, counts, minimum: minimumOf(counts), self: matches(constraint.selector, pod.labels) ? 1 : 0 };
  });
  return {
    plugin: PLUGIN,
    check: (node) => {
      for (const { constraint, counts, minimum, self } of domains) {
        const value = labelOf(node.labels, constraint.topologyKey);
        if (value === undefined) return MISSING_LABEL;
        const least = counts.size < constraint.minDomains ? 0 : minimum;
        if ((counts.get(value) ?? 0) + self - least > constraint.maxSkew) return TOO_SKEWED;
      }
      return PASSED;
    },
    update: (other, node, sign) => {
      if (other.namespace !== pod.namespace) return;
      domains.forEach((domain, index) => {
        const { constraint, counts } = domain;
        if (!isCounted(other, constraint.selector) || !includes(node, index)) return;
        const value = labelOf(node.labels, constraint.topologyKey) ?? '';
        counts.set(value, (counts.get(value) ?? 0) + sign);
        domain.minimum = minimumOf(counts);
      });
    },
  };
}

/** Matching pods by domain for one constraint taken alone; every domain that counts is in it. */
export function countDomains(pod: PodFacts, state: SchedulingState, constraint: SpreadConstraint): ReadonlyMap<string, number> {
  const includes = compileInclusion(pod, [constraint]);
  return countIncluded(constraint, pod.namespace, state, (node) => includes(node, 0));
}

function countIncluded(constraint: SpreadConstraint, namespace: string, state: SchedulingState, includes: (node: NodeState) => boolean): Map<string, number> {
  const counts = new Map<string, number>();
  for (const node of state.nodes) {
    const value = labelOf(node.labels, constraint.topologyKey) ?? '';
    if (!counts.has(value) && includes(node)) counts.set(value, 0);
  }
  for (const [pod, node] of state.index.inNamespace(namespace)) {
    if (!isCounted(pod, constraint.selector) || !includes(node)) continue;
    const value = labelOf(node.labels, constraint.topologyKey) ?? '';
    counts.set(value, (counts.get(value) ?? 0) + 1);
  }
  return counts;
}

/** A node counts for a constraint if it has the labels of all of them and the constraint's policies accept it. */
export function compileInclusion(pod: PodFacts, constraints: readonly SpreadConstraint[]): (node: NodeState, index: number) => boolean {
  const accepts = compileNodeAffinity(pod);
  const tolerations = listOf(pod.pod.spec.tolerations);
  return (node, index) => {
    const constraint = constraints[index];
    if (constraint === undefined || constraints.some(({ topologyKey }) => labelOf(node.labels, topologyKey) === undefined)) return false;
    if (constraint.honourAffinity && !accepts(node.labels, node.name)) return false;
    return !constraint.honourTaints || untoleratedTaint(node.node, tolerations) === undefined;
  };
}

/** Terminating pods do not count, and an empty selector counts none, as in countPodsMatchSelector. */
export function isCounted(pod: PodFacts, selector: Selector): boolean {
  return !pod.terminating && selector.requirements !== undefined && selector.requirements.length > 0 && matches(selector, pod.labels);
}

/** No domain at all leaves int32's largest, which minDomains (at least 1) then turns into 0. */
function minimumOf(counts: ReadonlyMap<string, number>): number {
  let minimum = Number.MAX_SAFE_INTEGER;
  for (const count of counts.values()) minimum = Math.min(minimum, count);
  return minimum;
}
