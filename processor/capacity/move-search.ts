/** Searches the moves that make room for one pod: iterative deepening over the number of moves, then a greedy plan. */
import type { Amounts } from './amounts.ts';
import { addAmounts, amountOf, copyAmounts, fitsInto, resourcesOf, subtractAmounts } from './amounts.ts';
import type { DisruptionBudget } from './disruption-budget.ts';
import { splitByBudget } from './disruption-budget.ts';
import type { Filter } from './filter.ts';
import type { Cycle } from './filters.ts';
import { createCycle, failuresOn } from './filters.ts';
import { reasonToStay } from './movable.ts';
import type { PodFacts } from './pod-facts.ts';
import { asUnassigned } from './pod-facts.ts';
import { compareText } from './reading.ts';
import type { NodeState, SchedulingState } from './scheduling-state.ts';
import { addPod, copiesOnNode, freeOf, removePod } from './scheduling-state.ts';
import { shapeKey } from './shape.ts';
import type { Steps } from './steps.ts';

export interface Move {
  readonly pod: PodFacts;
  readonly from: NodeState;
  readonly to: NodeState;
  readonly freeBefore: Amounts;
}
export interface Plan {
  readonly moves: readonly Move[];
  readonly node: NodeState;
  readonly freeAfter: Amounts;
  readonly exact: boolean;
}
export interface MoveSearch {
  readonly plan: Plan | undefined;
  /** The exhaustive part was not cut short. */
  readonly complete: boolean;
}

/** Exhaustive up to here; beyond it a plan is built greedily and called a heuristic. */
const MAX_EXACT_MOVES = 3;
const MAX_HEURISTIC_MOVES = 20;

/** Fewest moves first, then the lowest priority moved, then the smallest. Lexicographic. */
type Cost = readonly [moves: number, priority: number, size: number];

interface Search {
  readonly wanted: Cycle;
  readonly state: SchedulingState;
  readonly budgets: readonly DisruptionBudget[];
  readonly cycles: Map<string, Cycle>;
  /** The filters, of `wanted` and of the cycles, that count pods and so are told of moves. */
  watching: Filter[];
  readonly moves: Move[];
  readonly moved: Set<PodFacts>;
  checks: number;
  /** What `checks` was when others had their last turn. */
  turn: number;
  best: { readonly plan: Plan; readonly cost: Cost } | undefined;
}

/** Looks for the cheapest plan after which `pod` fits on one of `targets`. The state is left unchanged. */
export function* searchSteps(
  pod: PodFacts,
  targets: readonly NodeState[],
  state: SchedulingState,
  budgets: readonly DisruptionBudget[],
  maxChecks: number,
): Steps<MoveSearch> {
  const wanted = createCycle(pod, state);
  const search: Search = {
    wanted,
    state,
    budgets,
    cycles: new Map(),
    watching: wanted.filters.filter(watches),
    moves: [],
    moved: new Set(),
    checks: maxChecks,
    turn: maxChecks,
    best: undefined,
  };
  for (let moves = 1; moves <= MAX_EXACT_MOVES && search.checks > 0; moves += 1) {
    for (const target of targets) {
      forgetCycles(search);
      yield* makeRoom(search, search.wanted, target, moves, () => record(search, target));
      yield;
    }
    if (search.best !== undefined) return { plan: { ...search.best.plan, exact: search.checks > 0 }, complete: search.checks > 0 };
  }
  const complete = search.checks > 0;
  return { plan: yield* buildGreedily(search, targets, Math.min(maxChecks, GREEDY_CHECKS)), complete };
}

/**
 * Tries every way to take up to `moves` pods off `node` so that the pod of `cycle` fits there; each pod taken off goes to a node that
 * takes it at once, or that is made room on with the moves left. `done` is called with the state as it then is.
 */
function* makeRoom(search: Search, cycle: Cycle, node: NodeState, moves: number, done: () => Steps<void>): Steps<void> {
  for (const evicted of yield* evictionsFrom(search, cycle.pod, node, moves)) {
    if (search.checks <= 0) return;
    const spare = moves - evicted.length;
    yield* moveAll(search, evicted, node, spare, done);
    // With a move to spare the order matters: what leaves first may make room for what makes room for the other.
    if (spare > 0 && evicted.length > 1) yield* moveAll(search, [...evicted].reverse(), node, spare, done);
  }
}

/** Moves the pods off `from` one after another, then calls `done`. */
function* moveAll(search: Search, pods: readonly PodFacts[], from: NodeState, spare: number, done: () => Steps<void>): Steps<void> {
  const [pod, ...rest] = pods;
  if (pod === undefined) {
    yield* done();
    return;
  }
  const cycle = cycleOf(search, pod);
  const next = (to: NodeState, left: number): Steps<void> =>
    carryOut(search, { pod, from, to, freeBefore: freeOf(to) }, () => moveAll(search, rest, from, left, done));
  for (const to of search.state.nodes) {
    if (isSettled(search, pods)) return;
    if (isTurn(search)) yield;
    if (to !== from && accepts(search, cycle, to)) yield* next(to, spare);
  }
  if (spare === 0) return;
  for (const to of search.state.nodes) {
    if (isSettled(search, pods)) return;
    if (to === from) continue;
    const before = search.moves.length;
    yield* makeRoom(search, cycle, to, spare, function* () {
      if (accepts(search, cycle, to)) yield* next(to, spare - (search.moves.length - before));
    });
  }
}

/** Nothing cheaper than what is known can come of moving these pods too, or the search has come to its limit. */
function isSettled({ best, moves, checks }: Search, pods: readonly PodFacts[]): boolean {
  if (checks <= 0) return true;
  return best !== undefined && compareCosts(costOf([...moves.map(({ pod }) => pod), ...pods]), best.cost) >= 0;
}

/** Checks between two steps: a few milliseconds. */
const CHECKS_A_STEP = 500;

/** So many checks were made that others get a turn. */
function isTurn(search: Search): boolean {
  if (search.turn - search.checks < CHECKS_A_STEP) return false;
  search.turn = search.checks;
  return true;
}

/** Whether the pod passes every filter on the node as things are. Counts as one check. */
function accepts(search: Search, cycle: Cycle, node: NodeState): boolean {
  search.checks -= 1;
  return node.exclusion === undefined && copiesOnNode(cycle.pod.request.amounts, node) > 0 && failuresOn(cycle, node).length === 0;
}

/** Makes the move, goes on, and takes it back. */
function* carryOut(search: Search, move: Move, then: () => Steps<void>): Steps<void> {
  const { pod, from, to } = move;
  shift(search, pod, from, to);
  search.moves.push(move);
  search.moved.add(pod);
  yield* then();
  search.moved.delete(pod);
  search.moves.pop();
  shift(search, pod, to, from);
}

/** Counts as a check, and one more for every UPDATES_A_CHECK filters that are told. */
function shift(search: Search, pod: PodFacts, from: NodeState, to: NodeState): void {
  removePod(from, pod);
  addPod(to, pod);
  for (const filter of search.watching) {
    filter.update?.(pod, from, -1);
    filter.update?.(pod, to, 1);
  }
  search.checks -= 1 + Math.floor(search.watching.length / UPDATES_A_CHECK);
}
const UPDATES_A_CHECK = 8;

const watches = (filter: Filter): boolean => filter.update !== undefined;

/** Cycles of pods that are looked at no more would have to be told of every move. Only between targets: nobody holds one then. */
function forgetCycles(search: Search): void {
  if (search.cycles.size < MAX_CYCLES) return;
  search.cycles.clear();
  search.watching = search.wanted.filters.filter(watches);
}
const MAX_CYCLES = 32;

/** Records the plan if the pod fits now and nothing cheaper is known. */
function* record(search: Search, node: NodeState): Steps<void> {
  if (isTurn(search)) yield;
  if (!accepts(search, search.wanted, node) || breaksBudget(search)) return;
  const cost = costOf(search.moves.map(({ pod }) => pod));
  if (search.best !== undefined && compareCosts(cost, search.best.cost) >= 0) return;
  search.best = { plan: { moves: [...search.moves], node, freeAfter: freeOf(node), exact: true }, cost };
}

function breaksBudget({ moves, budgets }: Search): boolean {
  return (
    splitByBudget(
      moves.map(({ pod }) => pod),
      budgets,
    ).violating.length > 0
  );
}

function costOf(pods: readonly PodFacts[]): Cost {
  const priority = pods.reduce((sum, pod) => sum + pod.priority, 0);
  return [pods.length, priority, pods.reduce((sum, { request }) => sum + sizeOf(request.amounts), 0)];
}

/** Cores plus GiB/4: one number for cost, weighed as general purpose nodes are. */
function sizeOf({ cpu, memory }: Amounts): number {
  return cpu / 1_000 + memory / (4 * 1_024 ** 3);
}

function compareCosts(a: Cost, b: Cost): number {
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2];
}

/** One cycle for all pods that are alike. */
function cycleOf(search: Search, pod: PodFacts): Cycle {
  const key = likeness(pod);
  const known = search.cycles.get(key);
  if (known !== undefined) return known;
  const cycle = createCycle(asUnassigned(pod), search.state);
  search.cycles.set(key, cycle);
  search.watching.push(...cycle.filters.filter(watches));
  return cycle;
}

/**
 * Sets of up to `moves` movable pods whose going would leave room for `pod`, cheapest first; of interchangeable pods the first only. What
 * is looked at for them counts as checks, TRIES_A_CHECK for one, so that a node full of small pods cannot outlast the search's limit.
 */
function* evictionsFrom(search: Search, pod: PodFacts, node: NodeState, moves: number): Steps<readonly (readonly PodFacts[])[]> {
  const { amounts } = pod.request;
  if (node.exclusion !== undefined || !fitsInto(amounts, subtractAmounts(node.allocatable, node.staying))) return [];
  const candidates = movableOn(search, node);
  const sets: PodFacts[][] = [];
  let tries = 0;
  function* extend(chosen: readonly PodFacts[], from: number, freed: Amounts): Steps<void> {
    if (chosen.length > 0 && fitsInto(amounts, freed)) sets.push([...chosen]);
    if (chosen.length === moves) return;
    for (let index = from; index < candidates.length && search.checks > 0; index += 1) {
      const next = candidates[index];
      tries += 1;
      if (tries % TRIES_A_CHECK === 0) search.checks -= 1;
      if (next === undefined || isRepetition(candidates, index, chosen)) continue;
      if (chosen.length + 1 === moves && !covers(amounts, freed, next)) continue;
      const more = copyAmounts(freed);
      addAmounts(more, next.request.amounts);
      yield* extend([...chosen, next], index + 1, more);
    }
    if (isTurn(search)) yield;
  }
  yield* extend([], 0, addFree(node));
  return sets.sort((a, b) => compareCosts(costOf(a), costOf(b)));
}

/** A look at a candidate takes about this fraction of a check. */
const TRIES_A_CHECK = 10;

/** allocatable − requested, negative where a node is overcommitted. */
function addFree({ allocatable, requested }: NodeState): Amounts {
  const free = copyAmounts(allocatable);
  addAmounts(free, requested, -1);
  return free;
}

function covers(amounts: Amounts, freed: Amounts, pod: PodFacts): boolean {
  return resourcesOf(amounts).every((resource) => amountOf(amounts, resource) <= amountOf(freed, resource) + amountOf(pod.request.amounts, resource));
}

/** An equal pod before it was passed over, so taking this one instead tries the same thing twice. */
function isRepetition(candidates: readonly PodFacts[], index: number, chosen: readonly PodFacts[]): boolean {
  const [pod, previous] = [candidates[index], candidates[index - 1]];
  if (pod === undefined || previous === undefined || chosen.includes(previous)) return false;
  return likeness(pod) === likeness(previous);
}

const likenesses = new WeakMap<PodFacts, string>();

/**
 * Equal for pods that are interchangeable: for the filters, their own and those of other pods, which may ask for their labels, and in what
 * moving them costs.
 */
function likeness(pod: PodFacts): string {
  let known = likenesses.get(pod);
  if (known === undefined) {
    const owner = pod.pod.metadata.ownerReferences?.[0]?.uid ?? pod.pod.metadata.uid;
    const labels = Object.entries(pod.labels ?? {}).sort(([a], [b]) => compareText(a, b));
    known = JSON.stringify([pod.priority, pod.namespace, owner, pod.claims.length > 0 ? pod.name : '', shapeKey(pod), labels]);
    likenesses.set(pod, known);
  }
  return known;
}

function movableOn(search: Search, node: NodeState): readonly PodFacts[] {
  return [...node.pods]
    .filter((pod) => !search.moved.has(pod) && reasonToStay(pod.pod) === undefined)
    .sort((a, b) => compareCosts(costOf([a]), costOf([b])) || compareText(likeness(a), likeness(b)) || compareText(a.name, b.name));
}

/** Largest movable pods off the target first, each to the first node that takes it; the target with the fewest moves wins. */
function* buildGreedily(search: Search, targets: readonly NodeState[], checks: number): Steps<Plan | undefined> {
  let best: Plan | undefined;
  search.checks = Math.max(search.checks, checks);
  for (const target of targets) {
    forgetCycles(search);
    const plan = search.checks <= 0 ? undefined : yield* emptyGreedily(search, target);
    if (plan !== undefined && (best === undefined || plan.moves.length < best.moves.length)) best = plan;
    yield;
  }
  return best;
}
const GREEDY_CHECKS = 200_000;

function* emptyGreedily(search: Search, target: NodeState): Steps<Plan | undefined> {
  const moves: Move[] = [];
  const queue = [...movableOn(search, target)].reverse();
  while (!accepts(search, search.wanted, target) && moves.length < MAX_HEURISTIC_MOVES) {
    const pod = queue.shift();
    if (pod === undefined) break;
    const cycle = cycleOf(search, pod);
    const to = search.state.nodes.find((node) => node !== target && accepts(search, cycle, node));
    if (isTurn(search)) yield;
    if (to === undefined || splitByBudget([...moves.map((move) => move.pod), pod], search.budgets).violating.length > 0) continue;
    moves.push({ pod, from: target, to, freeBefore: freeOf(to) });
    shift(search, pod, target, to);
  }
  const plan = moves.length > 0 && accepts(search, search.wanted, target) ? { moves, node: target, freeAfter: freeOf(target), exact: false } : undefined;
  for (const { pod, from, to } of [...moves].reverse()) shift(search, pod, to, from);
  return plan;
}
