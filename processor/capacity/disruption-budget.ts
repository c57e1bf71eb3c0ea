/**
 * PodDisruptionBudgets as preemption and evictions ask them: how many more of a budget's pods may go now (status.disruptionsAllowed).
 * Follows filterPodsWithPDBViolation of pkg/scheduler/framework/plugins/defaultpreemption/default_preemption.go (v1.34).
 */
import type { PodFacts } from './pod-facts.ts';
import { fieldsOf, integerOf } from './reading.ts';
import type { SchedulingCluster } from './scheduling-state.ts';
import type { Selector } from './selectors.ts';
import { compileLabelSelector, matches } from './selectors.ts';

export interface DisruptionBudget {
  readonly namespace: string;
  readonly name: string;
  readonly selector: Selector;
  /** Evictions allowed now, ≥ 0. */
  readonly allowed: number;
}

/** All budgets of the cluster; none where they cannot be listed. */
export function readBudgets(cluster: SchedulingCluster): readonly DisruptionBudget[] {
  return [...(cluster.objects?.('poddisruptionbudgets') ?? [])].map((object) => {
    const fields = fieldsOf(object) ?? {};
    return {
      namespace: object.metadata.namespace,
      name: object.metadata.name,
      selector: compileLabelSelector(fieldsOf(fields['spec'])?.['selector']),
      allowed: Math.max(0, integerOf(fieldsOf(fields['status'])?.['disruptionsAllowed']) ?? 0),
    };
  });
}

/** Splits pods into those whose eviction, in this order, would break a budget and those whose would not. */
export function splitByBudget(pods: readonly PodFacts[], budgets: readonly DisruptionBudget[]): { readonly violating: PodFacts[]; readonly free: PodFacts[] } {
  const left = new Map(budgets.map((budget) => [budget, budget.allowed]));
  const [violating, free]: [PodFacts[], PodFacts[]] = [[], []];
  for (const pod of pods) {
    const own = budgets.filter((budget) => budget.namespace === pod.namespace && matches(budget.selector, pod.labels));
    for (const budget of own) left.set(budget, (left.get(budget) ?? 0) - 1);
    (own.some((budget) => (left.get(budget) ?? 0) < 0) ? violating : free).push(pod);
  }
  return { violating, free };
}
