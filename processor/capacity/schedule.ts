/** Places pods one after another as the default scheduler would, and says why the rest stay pending. */
import type { DisruptionBudget } from './disruption-budget.ts';
import type { FilterFailure } from './filter.ts';
import type { Cycle } from './filters.ts';
import { assume, createCycle, firstFailuresOn, forget, namesNode } from './filters.ts';
import type { PodFacts } from './pod-facts.ts';
import { preemptionSteps } from './preemption.ts';
import { compareText, listOf } from './reading.ts';
import type { Scorer } from './score.ts';
import { createScorer } from './score.ts';
import type { NodeState, SchedulingState } from './scheduling-state.ts';
import type { Selector } from './selectors.ts';
import type { Steps } from './steps.ts';
import { finish, visitSteps } from './steps.ts';

export interface ScheduleOptions {
  /** What the owner of the pods selects, for the scheduler's default spreading. */
  readonly spreadSelector?: Selector;
  /** The replicas differ in name only, so that what holds for one holds for all. */
  readonly identical: boolean;
  /** Given: pods of lower priority may be evicted for the replicas. Absent: nobody is. */
  readonly budgets?: readonly DisruptionBudget[];
}

export interface Placement {
  readonly pod: PodFacts;
  readonly node: NodeState;
  /** Evicted to make room. */
  readonly victims: readonly PodFacts[];
}

export interface Schedule {
  readonly placements: readonly Placement[];
  readonly pending: readonly PodFacts[];
  /** Why the first pending pod fits nowhere, at the end: per node the reasons of the first failing plugin. Empty if none is pending. */
  readonly failures: ReadonlyMap<string, readonly FilterFailure[]>;
  /** The scheduler's own message about it, without its remarks on preemption; '' if none is pending. */
  readonly message: string;
  /** Scheduler reason to number of nodes. */
  readonly reasons: ReadonlyMap<string, number>;
}

/** Schedules the pods in order. The state keeps what was placed and loses the victims; undoSchedule puts it back. */
export function schedulePods(pods: readonly PodFacts[], state: SchedulingState, options: ScheduleOptions): Schedule {
  return finish(scheduleSteps(pods, state, options));
}

/** As schedulePods, in steps of a few milliseconds. The state must not change before it is done. */
export function* scheduleSteps(pods: readonly PodFacts[], state: SchedulingState, options: ScheduleOptions): Steps<Schedule> {
  const placements: Placement[] = [];
  const pending: PodFacts[] = [];
  let search: Search | undefined;
  for (const pod of pods) {
    if (isGated(pod) || (options.identical && pending.length > 0)) {
      pending.push(pod);
      continue;
    }
    if (!options.identical || search === undefined) {
      search = createSearch(pod, state, options);
      yield;
    }
    const placement = yield* placeOne(search, pod, options);
    if (placement === undefined) pending.push(pod);
    else placements.push(placement);
    yield;
  }
  const first = pending[0];
  if (first === undefined) return { placements, pending, failures: new Map(), message: '', reasons: new Map() };
  if (isGated(first)) return { placements, pending, failures: new Map(), message: GATED, reasons: new Map() };
  const cycle = createCycle(first, state);
  const failures = new Map(state.nodes.map((node) => [node.name, firstFailuresOn(cycle, node)]));
  const reasons = countReasons(failures.values());
  return { placements, pending, failures, reasons, message: messageOf(cycle, reasons) };
}

/** What the API server says of a pod with scheduling gates (pkg/registry/core/pod/strategy.go, v1.34). */
const GATED = 'Scheduling is blocked due to non-empty scheduling gates';

function isGated({ pod }: PodFacts): boolean {
  return listOf(pod.spec['schedulingGates']).length > 0;
}

/** Takes the placed pods off their nodes and puts the victims back. */
export function undoSchedule({ placements }: Schedule, cycleOf: SchedulingState): void {
  for (const { pod, node, victims } of [...placements].reverse()) {
    const cycle = { pod, state: cycleOf, filters: [], rejection: undefined };
    forget(cycle, pod, node);
    for (const victim of victims) assume(cycle, victim, node);
  }
}

/** One shape's search over the nodes: what each node said last, and which of them have to be asked again. */
interface Search {
  readonly cycle: Cycle;
  readonly scorer: Scorer;
  readonly feasible: Map<NodeState, boolean>;
}

function createSearch(pod: PodFacts, state: SchedulingState, options: ScheduleOptions): Search {
  const cycle = createCycle(pod, state);
  return { cycle, scorer: createScorer(cycle, options.spreadSelector), feasible: new Map() };
}

function* placeOne(search: Search, pod: PodFacts, options: ScheduleOptions): Steps<Placement | undefined> {
  const { cycle, scorer } = search;
  const feasible: NodeState[] = [];
  yield* visitSteps(cycle.state.nodes, NODES_A_STEP, (each) => {
    if (isFeasible(search, each)) feasible.push(each);
  });
  const node = feasible.length === 0 ? undefined : choose(feasible, scorer);
  if (node !== undefined) {
    move(search, pod, node, 1);
    return { pod, node, victims: [] };
  }
  const preemption = options.budgets === undefined || namesNode(pod) ? undefined : yield* preemptionSteps(cycle, options.budgets);
  if (preemption === undefined) return undefined;
  for (const victim of preemption.victims) move(search, victim, preemption.node, -1);
  move(search, pod, preemption.node, 1);
  return { pod, node: preemption.node, victims: preemption.victims };
}

/** Nodes that are asked between two steps: a few milliseconds. */
const NODES_A_STEP = 1_000;

function isFeasible(search: Search, node: NodeState): boolean {
  const known = search.feasible.get(node);
  if (known !== undefined) return known;
  const feasible = firstFailuresOn(search.cycle, node).length === 0;
  search.feasible.set(node, feasible);
  return feasible;
}

/** A pod that came or went changes its own node, and every node where a filter counts over domains. */
function move({ cycle, scorer, feasible }: Search, pod: PodFacts, node: NodeState, sign: 1 | -1): void {
  if (sign === 1) assume(cycle, pod, node);
  else forget(cycle, pod, node);
  scorer.update(pod, node, sign);
  if (cycle.filters.some((filter) => filter.update !== undefined)) feasible.clear();
  else feasible.delete(node);
}

/** The best score; where the scheduler would draw lots, the first by name. */
function choose(feasible: readonly NodeState[], scorer: Scorer): NodeState | undefined {
  if (feasible.length === 1) return feasible[0];
  const scores = scorer.score(feasible);
  return feasible.reduce((best, node, index) => ((scores[index] ?? 0) > best.score ? { node, score: scores[index] ?? 0 } : best), {
    node: feasible[0],
    score: scores[0] ?? 0,
  }).node;
}

function countReasons(failures: Iterable<readonly FilterFailure[]>): ReadonlyMap<string, number> {
  const reasons = new Map<string, number>();
  for (const each of failures) for (const { reason } of each) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  return reasons;
}

/** FitError.Error of pkg/scheduler/framework/types.go: `0/12 nodes are available: 12 Insufficient cpu.` */
export function messageOf({ state, rejection }: Pick<Cycle, 'state' | 'rejection'>, reasons: ReadonlyMap<string, number>): string {
  if (state.nodes.length === 0) return 'no nodes available to schedule pods';
  const prefix = `0/${state.nodes.length} nodes are available:`;
  if (rejection !== undefined) return `${prefix} ${rejection.reason}.`;
  const parts = [...reasons].map(([reason, count]) => `${count} ${reason}`).sort(compareText);
  return `${prefix} ${parts.join(', ')}.`;
}
