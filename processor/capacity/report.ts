/** The capacity report of one cluster: figures per pool, and over all nodes, from a scheduling state. */
import type { Amounts } from './amounts.ts';
import { addAmounts, amountOf, noAmounts, resourcesOf } from './amounts.ts';
import type { Cycle } from './filters.ts';
import { createCycle } from './filters.ts';
import type { FrontierPoint, Mix } from './fragmentation.ts';
import { demandMix, expectedWaste, freeSpaceFrontier, largestPod, strandedIn, weightedIndex } from './fragmentation.ts';
import type { ContentsOf } from './node-contents.ts';
import { createContents } from './node-contents.ts';
import type { RemovableNodes } from './packing.ts';
import { removableSteps } from './packing.ts';
import { asUnassigned } from './pod-facts.ts';
import { DEFAULT_POOL_LABELS, poolOf } from './pools.ts';
import { compareText } from './reading.ts';
import type { NodeState, SchedulingCluster, SchedulingState } from './scheduling-state.ts';
import { copiesOnNode, freeOf } from './scheduling-state.ts';
import type { Shape, ShapeCount } from './shape.ts';
import { addCount, shapeId, shapeKey, sortShapes } from './shape.ts';
import type { ShapeFit } from './shape-fit.ts';
import { eligibleNodes, fitSteps } from './shape-fit.ts';
import type { Steps } from './steps.ts';
import { finish } from './steps.ts';

/** The pool name of the figures over the whole cluster. */
export const WHOLE_CLUSTER = '';

export interface ShapeReport extends ShapeFit {
  readonly shape: string;
  readonly origin: 'configured' | 'requested';
  /** Share of the pool's pods that have this shape, 0 … 1; 0 for a shape nobody runs. */
  readonly demand: number;
}

export interface PoolReport {
  /** WHOLE_CLUSTER, or the pool's name. */
  readonly pool: string;
  /** Nodes that count; the others are counted by why they do not. */
  readonly nodes: number;
  readonly excluded: { readonly cordoned: number; readonly notReady: number; readonly virtual: number };
  readonly allocatable: Amounts;
  readonly requested: Amounts;
  readonly free: Amounts;
  /** ΣQ/ΣA by resource; says nothing about fit. */
  readonly allocationRatio: Readonly<Record<string, number>>;
  readonly shapes: readonly ShapeReport[];
  /** Φ over the shapes requested. */
  readonly weightedIndex: number;
  /** Free space whose counterpart in the pool's demand mix is gone, and its share of the free space. */
  readonly stranded: Mix;
  readonly strandedShare: Mix;
  /** The largest pod of the pool's demand mix that fits now. */
  readonly largest: Mix;
  readonly frontier: readonly FrontierPoint[];
  /** Strict expected waste over the shapes requested: millicores and bytes. */
  readonly expectedWaste: Mix;
  readonly removable: RemovableNodes;
}

export interface ReportOptions {
  /** Configured shapes; the most requested ones are added. */
  readonly shapes: readonly Shape[];
  /** How many of the shapes that pods have are reported, 0 … 100. */
  readonly requestedShapes: number;
  readonly poolLabels?: readonly string[];
}

export const DEFAULT_REQUESTED_SHAPES = 10;

/**
 * Computes the report in steps of a few milliseconds: each `next()` does one, the return value is the report, the whole cluster first,
 * then the pools by name. The nodes and pods of the state must not change before it is done, so a caller that goes on with records in
 * between keeps a state for reports alone; claims are not looked at, and namespaces are as they are at the first step.
 */
export function* reportSteps(live: SchedulingState, options: ReportOptions): Steps<readonly PoolReport[]> {
  const state = { ...live, cluster: freezeNamespaces(live) };
  const contentsOf = createContents(state);
  const pools = yield* poolNodes(state, options.poolLabels ?? DEFAULT_POOL_LABELS, contentsOf);
  const frees = new Map(state.nodes.map((node) => [node, freeOf(node)]));
  const whole = pools[0];
  const shapes = whole === undefined ? [] : selectShapes(whole.demand, options);
  const fits = new Map(pools.map((pool) => [pool, [] as ShapeFigures[]]));
  for (const shape of shapes) {
    const cycle = createCycle(asUnassigned(shape.facts), state);
    const eligible = new Set(eligibleNodes(cycle, whole?.counted ?? []));
    yield;
    for (const pool of pools) {
      fits.get(pool)?.push(yield* figuresOf(shape, cycle, pool, eligible, frees));
      yield;
    }
  }
  const reports: PoolReport[] = [];
  for (const pool of pools) {
    const known = pools.length === 2 ? reports[0] : undefined;
    const removable = known === undefined ? yield* removableSteps(pool.counted, state, { contentsOf, moving: pool.moving }) : known.removable;
    reports.push(buildReport(pool, fits.get(pool) ?? [], frees, removable));
    yield;
  }
  return reports;
}

/** Only the namespaces that have pods, and nothing else: the same answer whatever happens to the cluster meanwhile. */
function freezeNamespaces({ cluster, index }: SchedulingState): SchedulingCluster {
  const namespaces = new Map([...index.namespaces()].map((name) => [name, cluster.object('namespaces', '', name)]));
  return {
    nodes: () => [],
    pods: () => [],
    podsOnNode: () => [],
    inSync: () => false,
    object: (resource, _namespace, name) => (resource === 'namespaces' ? namespaces.get(name) : undefined),
  };
}

/** The report at once, for callers with nothing else to do. */
export function reportCapacity(state: SchedulingState, options: ReportOptions): readonly PoolReport[] {
  return finish(reportSteps(state, options));
}

/** One pool while it is reported: its nodes that count, why the others do not, and what its pods ask for. */
interface Pool {
  readonly name: string;
  readonly counted: NodeState[];
  readonly excluded: { cordoned: number; notReady: number; virtual: number };
  readonly demand: Map<string, ShapeCount>;
  /** Those of them that a packing may put elsewhere. */
  readonly moving: Map<string, ShapeCount>;
}

/** Pods a step looks at before it yields: a few milliseconds. */
const PODS_A_STEP = 5_000;

/** The whole cluster, then the pools by name. */
function* poolNodes(state: SchedulingState, labels: readonly string[], contentsOf: ContentsOf): Steps<readonly Pool[]> {
  const create = (name: string): Pool => ({
    name,
    counted: [],
    excluded: { cordoned: 0, notReady: 0, virtual: 0 },
    demand: new Map(),
    moving: new Map(),
  });
  const [whole, pools] = [create(WHOLE_CLUSTER), new Map<string, Pool>()];
  let pods = 0;
  for (const node of state.nodes) {
    const name = poolOf(node.node, labels);
    const pool = pools.get(name) ?? create(name);
    pools.set(name, pool);
    for (const each of [whole, pool]) exclude(each, node);
    if (node.exclusion !== undefined) continue;
    const { demand, moving } = contentsOf(node);
    for (const shape of demand) addCount(pool.demand, shape);
    for (const shape of moving) addCount(pool.moving, shape);
    pods += node.pods.size;
    if (pods < PODS_A_STEP) continue;
    pods = 0;
    yield;
  }
  const sorted = [...pools.values()].sort((a, b) => compareText(a.name, b.name));
  for (const pool of sorted) {
    for (const shape of pool.demand.values()) addCount(whole.demand, shape);
    for (const shape of pool.moving.values()) addCount(whole.moving, shape);
  }
  return [whole, ...sorted];
}

function exclude({ counted, excluded }: Pool, node: NodeState): void {
  if (node.exclusion === undefined) counted.push(node);
  if (node.exclusion === 'cordoned') excluded.cordoned += 1;
  if (node.exclusion === 'not_ready') excluded.notReady += 1;
  if (node.exclusion === 'virtual') excluded.virtual += 1;
}

/** The configured shapes, then the most frequent others of the whole cluster. */
function selectShapes(demand: ReadonlyMap<string, ShapeCount>, options: ReportOptions): readonly Shape[] {
  const named = new Set(options.shapes.map((shape) => shapeKey(shape.facts)));
  const requested = sortShapes(demand)
    .filter(({ key }) => !named.has(key))
    .slice(0, options.requestedShapes)
    .map(({ facts }) => ({ id: shapeId(facts), facts, origin: 'requested', weight: 1 }) as const);
  return [...options.shapes, ...requested];
}

interface ShapeFigures {
  readonly report: ShapeReport;
  readonly weight: number;
  /** Free space of the pool's nodes that take no copy. */
  readonly unusable: Mix;
}

function* figuresOf(shape: Shape, cycle: Cycle, pool: Pool, eligible: ReadonlySet<NodeState>, frees: ReadonlyMap<NodeState, Amounts>): Steps<ShapeFigures> {
  const nodes = pool.counted.filter((node) => eligible.has(node));
  const free = (node: NodeState): Amounts => frees.get(node) ?? noAmounts();
  const fit = yield* fitSteps(cycle, pool.counted, nodes, nodes.map(free));
  const unusable = { cpu: 0, memory: 0 };
  for (const node of pool.counted) {
    if (eligible.has(node) && copiesOnNode(shape.facts.request.amounts, node) > 0) continue;
    unusable.cpu += free(node).cpu;
    unusable.memory += free(node).memory;
  }
  const total = [...pool.demand.values()].reduce((sum, { count }) => sum + count, 0);
  const demand = share(pool.demand.get(shapeKey(shape.facts))?.count ?? 0, total);
  return { report: { shape: shape.id, origin: shape.origin, demand, ...fit }, weight: shape.weight, unusable };
}

function buildReport(pool: Pool, figures: readonly ShapeFigures[], frees: ReadonlyMap<NodeState, Amounts>, removable: RemovableNodes): PoolReport {
  const own = pool.counted.map((node) => frees.get(node) ?? noAmounts());
  const totals = totalsOf(pool.counted, own);
  const mix = demandMix(totals.requested);
  const stranded = own.map((free) => strandedIn(free, mix)).reduce(addMix, { cpu: 0, memory: 0 });
  return {
    pool: pool.name,
    nodes: pool.counted.length,
    excluded: pool.excluded,
    ...totals,
    shapes: figures.map(({ report }) => report),
    weightedIndex: weightedIndex(figures.map(({ report, weight }) => ({ share: report.demand, phi: report.phi, weight }))),
    stranded,
    strandedShare: { cpu: share(stranded.cpu, totals.free.cpu), memory: share(stranded.memory, totals.free.memory) },
    largest: largestPod(own, mix),
    frontier: freeSpaceFrontier(own),
    expectedWaste: expectedWaste(figures.map(({ report, unusable }) => ({ share: report.demand, unusable }))),
    removable,
  };
}

function totalsOf(nodes: readonly NodeState[], frees: readonly Amounts[]): Pick<PoolReport, 'allocatable' | 'requested' | 'free' | 'allocationRatio'> {
  const [allocatable, requested, free] = [noAmounts(), noAmounts(), noAmounts()];
  for (const node of nodes) {
    addAmounts(allocatable, node.allocatable);
    addAmounts(requested, node.requested);
  }
  for (const each of frees) addAmounts(free, each);
  const ratios = resourcesOf(allocatable).map((resource) => [resource, amountOf(requested, resource) / amountOf(allocatable, resource)] as const);
  return { allocatable, requested, free, allocationRatio: Object.fromEntries(ratios) };
}

function addMix(a: Mix, b: Mix): Mix {
  return { cpu: a.cpu + b.cpu, memory: a.memory + b.memory };
}

function share(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}
