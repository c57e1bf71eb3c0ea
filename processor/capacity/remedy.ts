/**
 * What would make a pod fit: the fewest and cheapest pods to move, else nodes to add, else the node size that ends the fragmentation.
 *
 * A move is a pod that a controller recreates elsewhere; a plan is a sequence in which every pod fits where it goes at its turn, so it can
 * be carried out in order (cordon the source first). Plans of up to three moves are searched exhaustively; longer ones are built greedily.
 */
import type { Pod } from '../../collector/objects.ts';
import type { Amounts } from './amounts.ts';
import { addAmounts, fitsInto, noAmounts, resourcesOf, amountOf } from './amounts.ts';
import type { DisruptionBudget } from './disruption-budget.ts';
import { readBudgets } from './disruption-budget.ts';
import { createCycle } from './filters.ts';
import { copiesIn } from './fit.ts';
import type { Plan } from './move-search.ts';
import { searchSteps } from './move-search.ts';
import type { PodFacts } from './pod-facts.ts';
import { asUnassigned, podFacts } from './pod-facts.ts';
import { LIST_PRICES, priceOf } from './prices.ts';
import type { NodeState, SchedulingState } from './scheduling-state.ts';
import { freeOf, largestFree } from './scheduling-state.ts';
import type { ShapeFit } from './shape-fit.ts';
import { eligibleNodes, fitSteps, isAloneOnHost } from './shape-fit.ts';
import type { Steps } from './steps.ts';
import { finish } from './steps.ts';

export interface RemedyMove {
  readonly namespace: string;
  readonly pod: string;
  readonly from: string;
  readonly to: string;
  readonly request: Amounts;
  readonly priority: number;
  /** Free on the destination before the pod arrives: the proof that it fits. */
  readonly freeBefore: Amounts;
}

export interface MovePlan {
  readonly moves: readonly RemedyMove[];
  /** Where the pod then fits, and what is free there before it comes. */
  readonly node: string;
  readonly freeAfter: Amounts;
  /** No plan has fewer moves, nor the same number at a lower cost. False: found by a heuristic, or the search was cut short. */
  readonly exact: boolean;
}

export interface NodesToAdd {
  /** For as many copies as were asked for. */
  readonly count: number;
  /** Free on such a node after its DaemonSets. */
  readonly size: Amounts;
  /** An existing node of this size. */
  readonly like: string;
  /** What an hour of all of them costs, by the prices given: no other size costs less. */
  readonly perHour: number;
}

export interface Remedy {
  readonly fit: ShapeFit;
  /** undefined: moving pods does not help, as `noMoveReason` says. */
  readonly move: MovePlan | undefined;
  readonly noMoveReason: string;
  /** undefined where an empty node of the present size could not hold the pod. */
  readonly addNodes: NodesToAdd | undefined;
  /** Allocatable at which phi falls to 0, used as evenly as now; undefined where nothing is lost, or no size up to one big node helps. */
  readonly nodeSize: { readonly size: Amounts; readonly nodes: number } | undefined;
}

export interface RemedyOptions {
  /** How many copies the nodes to add are for; default 1. A move plan is always for one. */
  readonly copies?: number;
  /** Only the nodes of one pool are looked at for the pod itself; pods may move anywhere. */
  readonly nodes?: readonly NodeState[];
  readonly budgets?: readonly DisruptionBudget[];
  /** Node checks the search may make before it settles for what it has; default 1 000 000, under a second. */
  readonly maxChecks?: number;
  /** What an hour of one more node like this one costs; default: by LIST_PRICES. */
  readonly costOf?: (node: NodeState) => number;
}

const MAX_CHECKS = 1_000_000;

/** Computes the remedy for one more pod of this shape. The state is left unchanged. */
export function findRemedy(pod: Pod, state: SchedulingState, options: RemedyOptions): Remedy {
  return finish(remedySteps(pod, state, options));
}

/** As findRemedy, in steps of a few milliseconds. Between them the state is not as it was: nobody else may use it before it is done. */
export function* remedySteps(pod: Pod, state: SchedulingState, options: RemedyOptions): Steps<Remedy> {
  const facts = asUnassigned(podFacts(pod));
  const cycle = createCycle(facts, state);
  const nodes = options.nodes ?? state.nodes;
  const eligible = eligibleNodes(cycle, nodes);
  yield;
  const fit = yield* fitSteps(cycle, nodes, eligible, eligible.map(freeOf));
  const sizes = { addNodes: nodesToAdd(facts, eligible, options.copies ?? 1, options.costOf ?? listPrice), nodeSize: nodeSize(facts, eligible, fit) };
  if (fit.k > 0) return { fit, move: undefined, noMoveReason: 'the pod fits as it is', ...sizes };
  if (eligible.length === 0) return { fit, move: undefined, noMoveReason: 'no node is eligible for the pod, whatever is moved', ...sizes };
  if (!fit.couldHold) return { fit, move: undefined, noMoveReason: 'no eligible node could hold the pod even when emptied', ...sizes };
  const search = yield* searchSteps(facts, eligible, state, options.budgets ?? readBudgets(state.cluster), options.maxChecks ?? MAX_CHECKS);
  if (search.plan === undefined) {
    const reason = search.complete
      ? 'no sequence of up to three moves helps, and no longer one was found'
      : 'no sequence of moves was found within the limit of the search';
    return { fit, move: undefined, noMoveReason: reason, ...sizes };
  }
  return { fit, move: describePlan(search.plan), noMoveReason: '', ...sizes };
}

function describePlan(plan: Plan): MovePlan {
  const moves = plan.moves.map(({ pod, from, to, freeBefore }) => ({
    namespace: pod.namespace,
    pod: pod.name,
    from: from.name,
    to: to.name,
    request: pod.request.amounts,
    priority: pod.priority,
    freeBefore,
  }));
  return { moves, node: plan.node.name, freeAfter: plan.freeAfter, exact: plan.exact };
}

const listPrice = ({ allocatable }: NodeState): number => priceOf(allocatable, '', LIST_PRICES);

/** Nodes of the present sizes that hold the copies for the least money; ties go to fewer nodes, the more common size, the first by name. */
function nodesToAdd(pod: PodFacts, eligible: readonly NodeState[], copies: number, costOf: (node: NodeState) => number): NodesToAdd | undefined {
  const sizes = new Map<string, { readonly node: NodeState; readonly cost: number; nodes: number }>();
  for (const node of eligible) {
    const cost = costOf(node);
    const amounts = resourcesOf(node.allocatable).map((resource) => `${resource}=${amountOf(node.allocatable, resource)}`);
    const key = [cost, ...amounts].join();
    const known = sizes.get(key);
    if (known === undefined) sizes.set(key, { node, cost, nodes: 1 });
    else known.nodes += 1;
  }
  const options = [...sizes.values()].flatMap(({ node, cost, nodes }) => {
    const size = largestFree(node);
    if (!fitsInto(pod.request.amounts, size)) return [];
    const perNode = isAloneOnHost(pod) ? 1 : copiesIn(pod.request.amounts, size);
    const count = Math.ceil(copies / perNode);
    return [{ nodes, added: { count, size, like: node.name, perHour: count * cost } }];
  });
  return options.sort((a, b) => a.added.perHour - b.added.perHour || a.added.count - b.added.count || b.nodes - a.nodes)[0]?.added;
}

/** The same capacity and use spread evenly over nodes two, three, … times as large: the first size with which phi is 0. */
function nodeSize(pod: PodFacts, eligible: readonly NodeState[], fit: ShapeFit): Remedy['nodeSize'] {
  if (fit.phi === 0) return undefined;
  const [free, allocatable] = [noAmounts(), noAmounts()];
  for (const node of eligible) {
    addAmounts(free, freeOf(node));
    addAmounts(allocatable, node.allocatable);
  }
  for (let times = 2; times <= eligible.length; times += 1) {
    const nodes = Math.ceil(eligible.length / times);
    if (nodes * copiesIn(pod.request.amounts, divide(free, nodes)) >= fit.kStar) return { size: divide(allocatable, nodes), nodes };
  }
  return undefined;
}

function divide(amounts: Amounts, by: number): Amounts {
  return {
    cpu: Math.floor(amounts.cpu / by),
    memory: Math.floor(amounts.memory / by),
    ephemeralStorage: Math.floor(amounts.ephemeralStorage / by),
    pods: Math.floor(amounts.pods / by),
    ...(amounts.scalars === undefined ? {} : { scalars: new Map([...amounts.scalars].map(([name, value]) => [name, Math.floor(value / by)])) }),
  };
}
