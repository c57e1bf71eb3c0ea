/**
 * How few nodes would do: first-fit decreasing with eligibility from above, the L1 bound from below. Every pod may move but DaemonSet and
 * static pods, which a node brings with it. Pods whose rules look at other pods or that have claims stay where they are, and so do those
 * that somebody's anti-affinity is about: that keeps the packing valid, at the price of a lower "at least".
 */
import type { Amounts } from './amounts.ts';
import { addAmounts, amountOf, copyAmounts, noAmounts, resourcesOf, subtractAmounts } from './amounts.ts';
import { createCycle, failuresOn } from './filters.ts';
import type { ContentsOf } from './node-contents.ts';
import { createContents, NO_INDEX } from './node-contents.ts';
import { asUnassigned } from './pod-facts.ts';
import { compareText } from './reading.ts';
import type { NodeState, SchedulingState } from './scheduling-state.ts';
import { addPod, copiesOnNode, emptiedNode, freeOf } from './scheduling-state.ts';
import type { ShapeCount } from './shape.ts';
import { addCount } from './shape.ts';
import type { Steps } from './steps.ts';
import { finish } from './steps.ts';

/** Nodes that could go, as an interval: what a packing achieves, and what no packing can exceed. */
export interface RemovableNodes {
  readonly atLeast: number;
  readonly atMost: number;
}

export interface Packing {
  /** Nodes that the packing uses; undefined where first-fit found no place for some pod. */
  readonly used: number | undefined;
  /** Free space of each node after it, in the order of `nodes`. */
  readonly frees: readonly Amounts[];
}

/** The interval for the nodes of one pool. The state is left unchanged. */
export function removableNodes(nodes: readonly NodeState[], state: SchedulingState): RemovableNodes {
  return finish(removableSteps(nodes, state));
}

/** As removableNodes, in steps of a few milliseconds. */
export function* removableSteps(nodes: readonly NodeState[], state: SchedulingState, input?: PackingInput): Steps<RemovableNodes> {
  const empty = nodes.filter((node) => node.requested.pods === node.staying.pods).length;
  const { used } = yield* packSteps(nodes, state, input);
  const atLeast = Math.max(empty, used === undefined ? 0 : nodes.length - used);
  return { atLeast, atMost: Math.max(atLeast, nodes.length - neededNodes(nodes)) };
}

/** max_r of the fewest nodes, largest first, whose allocatable less what stays there holds all that is requested of r. */
export function neededNodes(nodes: readonly NodeState[]): number {
  const demand = noAmounts();
  const rooms = nodes.map((node) => {
    addAmounts(demand, subtractAmounts(node.requested, node.staying));
    return subtractAmounts(node.allocatable, node.staying);
  });
  return resourcesOf(demand).reduce((most, resource) => Math.max(most, fewest(rooms, resource, amountOf(demand, resource))), 0);
}

function fewest(rooms: readonly Amounts[], resource: string, demand: number): number {
  const sorted = rooms.map((room) => amountOf(room, resource)).sort((a, b) => b - a);
  let [nodes, held] = [0, 0];
  for (const room of sorted) {
    if (held >= demand) break;
    held += room;
    nodes += 1;
  }
  return nodes;
}

/** Node visits between two steps: a few milliseconds. */
const VISITS_A_STEP = 40_000;

/** What packings of overlapping sets of nodes share. */
export interface PackingInput {
  readonly contentsOf: ContentsOf;
  /** The pods of these nodes that may move. */
  readonly moving: ReadonlyMap<string, ShapeCount>;
}

/** First-fit decreasing over the shapes of the pods that may move: nodes that cannot be emptied first, then the largest. */
export function* packSteps(nodes: readonly NodeState[], state: SchedulingState, input = inputOf(nodes, state)): Steps<Packing> {
  const { contentsOf, moving } = input;
  const isShared = ![...moving.values()].some(isAlone);
  const scratch = nodes.map((node) => scratchNode(contentsOf(node).rest, isShared));
  const packed: SchedulingState = { nodes: scratch, byName: new Map(), cluster: state.cluster, nominated: new Map(), index: NO_INDEX };
  const used = new Set(scratch.filter((node) => node.requested.pods > node.staying.pods));
  const share = createShares(nodes);
  const sorted = [...moving.values()].sort((a, b) => share(b) - share(a) || compareText(a.key, b.key));
  let open = [...scratch].sort((a, b) => Number(used.has(b)) - Number(used.has(a)) || b.allocatable.cpu - a.allocatable.cpu || compareText(a.name, b.name));
  let [complete, visits] = [true, 0];
  for (const group of sorted) {
    if (!packGroup(group, open, packed, used)) complete = false;
    visits += open.length;
    if (visits < VISITS_A_STEP) continue;
    visits = 0;
    open = open.filter(hasRoom);
    yield;
  }
  return { used: complete ? used.size : undefined, frees: scratch.map(freeOf) };
}

/** Something of everything that pods commonly need is left. */
function hasRoom({ allocatable, requested }: NodeState): boolean {
  return requested.pods < allocatable.pods && (requested.cpu < allocatable.cpu || requested.memory < allocatable.memory);
}

/** The larger of the cpu and memory shares of a mean node. */
function createShares(nodes: readonly NodeState[]): (group: ShapeCount) => number {
  const total = noAmounts();
  for (const node of nodes) addAmounts(total, node.allocatable);
  return ({ facts }) => Math.max(facts.request.amounts.cpu / (total.cpu || 1), facts.request.amounts.memory / (total.memory || 1));
}

function inputOf(nodes: readonly NodeState[], state: SchedulingState): PackingInput {
  const contentsOf = createContents(state);
  const moving = new Map<string, ShapeCount>();
  for (const node of nodes) for (const shape of contentsOf(node).moving) addCount(moving, shape);
  return { contentsOf, moving };
}

/** Two pods of the shape would take each other's host port. */
const isAlone = ({ facts }: ShapeCount): boolean => facts.ports.length > 0;

/** A copy to fill up. `isShared`: only what is requested on it will change, so that it need not have pods and ports of its own. */
function scratchNode(rest: NodeState, isShared: boolean): NodeState {
  if (isShared) return { ...rest, requested: copyAmounts(rest.requested) };
  const scratch = emptiedNode(rest, NO_INDEX);
  for (const pod of rest.pods) addPod(scratch, pod);
  return scratch;
}

/** What copiesOnNode has asked already. */
const RESOURCES = ['NodeResourcesFit'];

/** Puts the group's pods on the first nodes that take them; false if some found no place. */
function packGroup(group: ShapeCount, open: readonly NodeState[], state: SchedulingState, used: Set<NodeState>): boolean {
  const { facts, count } = group;
  const cycle = createCycle(asUnassigned(facts), state);
  const { amounts } = facts.request;
  const alone = isAlone(group);
  let left = count;
  for (const node of open) {
    const room = copiesOnNode(amounts, node);
    if (room === 0 || failuresOn(cycle, node, RESOURCES).length > 0) continue;
    const copies = Math.min(left, alone ? 1 : room);
    if (alone) addPod(node, { ...facts });
    else addAmounts(node.requested, amounts, copies);
    used.add(node);
    left -= copies;
    if (left === 0) return true;
  }
  return left === 0;
}
