/**
 * Whom the scheduler would evict to place a pod of higher priority. Follows SelectVictimsOnNode of plugins/defaultpreemption/
 * default_preemption.go and pickOneNodeForPreemption of framework/preemption/preemption.go (v1.34), over all nodes rather than a sample.
 */
import type { DisruptionBudget } from './disruption-budget.ts';
import { splitByBudget } from './disruption-budget.ts';
import type { Cycle } from './filters.ts';
import { assume, failuresOn, forget } from './filters.ts';
import type { PodFacts } from './pod-facts.ts';
import { compareText, textOf } from './reading.ts';
import type { NodeState } from './scheduling-state.ts';
import type { Steps } from './steps.ts';

export interface Preemption {
  readonly node: NodeState;
  /** Most important first. */
  readonly victims: readonly PodFacts[];
  readonly budgetViolations: number;
}

/** Pods looked at between two steps: a few milliseconds. */
const PODS_A_STEP = 100;

/** The preemption the scheduler would choose, or undefined; leaves the state unchanged. */
export function* preemptionSteps(cycle: Cycle, budgets: readonly DisruptionBudget[]): Steps<Preemption | undefined> {
  if (textOf(cycle.pod.pod.spec['preemptionPolicy']) === 'Never' || cycle.rejection !== undefined) return undefined;
  let best: Preemption | undefined;
  let pods = 0;
  for (const node of cycle.state.nodes) {
    const candidate = victimsOn(cycle, node, budgets);
    if (candidate !== undefined && (best === undefined || comparePreemptions(candidate, best) < 0)) best = candidate;
    pods += node.pods.size;
    if (pods < PODS_A_STEP) continue;
    pods = 0;
    yield;
  }
  return best;
}

/** Takes every pod of lower priority off the node, then reprieves as many as possible, budgets first, the important before the rest. */
function victimsOn(cycle: Cycle, node: NodeState, budgets: readonly DisruptionBudget[]): Preemption | undefined {
  const candidates = [...node.pods].filter((pod) => pod.priority < cycle.pod.priority).sort(compareImportance);
  if (candidates.length === 0) return undefined;
  for (const pod of candidates) forget(cycle, pod, node);
  const victims: PodFacts[] = [];
  let budgetViolations = 0;
  if (failuresOn(cycle, node).length === 0) {
    const { violating, free } = splitByBudget(candidates, budgets);
    for (const pod of [...violating, ...free]) {
      assume(cycle, pod, node);
      if (failuresOn(cycle, node).length === 0) continue;
      forget(cycle, pod, node);
      victims.push(pod);
      if (violating.includes(pod)) budgetViolations += 1;
    }
  }
  for (const pod of candidates) if (!node.pods.has(pod)) assume(cycle, pod, node);
  return victims.length === 0 ? undefined : { node, victims: victims.sort(compareImportance), budgetViolations };
}

/** Higher priority first, then the one that runs longer. */
function compareImportance(a: PodFacts, b: PodFacts): number {
  return b.priority - a.priority || compareText(startOf(a), startOf(b)) || compareText(a.name, b.name);
}

/** RFC 3339 with equal offsets sorts as text. */
function startOf(pod: PodFacts): string {
  return textOf(pod.pod.status.startTime) ?? '';
}

/** Fewest broken budgets, lowest top priority, lowest sum of priorities, fewest victims, latest start of the most important, name. */
function comparePreemptions(a: Preemption, b: Preemption): number {
  const top = ({ victims }: Preemption): number => victims[0]?.priority ?? 0;
  const sum = ({ victims }: Preemption): number => victims.reduce((total, { priority }) => total + priority + 2 ** 31, 0);
  const earliest = (each: Preemption): string =>
    each.victims.filter(({ priority }) => priority === top(each)).reduce((least, pod) => (least === '' || startOf(pod) < least ? startOf(pod) : least), '');
  return (
    a.budgetViolations - b.budgetViolations ||
    top(a) - top(b) ||
    sum(a) - sum(b) ||
    a.victims.length - b.victims.length ||
    compareText(earliest(b), earliest(a)) ||
    compareText(a.node.name, b.node.name)
  );
}
