/**
 * Capacity sampled every minute of stream time, by pool and shape. The record that passes a minute pays for its sample: the whole of it is
 * computed from the state before that record, so it is of one moment and a function of the log (design D2). A large cluster's takes some
 * tenths of a second, so it comes in steps between which the shell gives the event loop its turn; nobody applies a record in between.
 */
import type { ProjectedObject } from '../../collector/objects.ts';
import type { Amounts } from '../capacity/amounts.ts';
import { forgetState, schedulingStateOf, schedulingStateSteps } from '../capacity/capacity-state.ts';
import type { PoolReport, ShapeReport } from '../capacity/report.ts';
import { reportCapacity, reportSteps } from '../capacity/report.ts';
import type { SchedulingState } from '../capacity/scheduling-state.ts';
import type { Shape, ShapeConfig } from '../capacity/shape.ts';
import { buildShape } from '../capacity/shape.ts';
import type { Steps } from '../capacity/steps.ts';
import type { CapacitySampleRow } from '../../sql/rows.ts';
import type { ClusterView } from '../scenarios/scenario.ts';
import { inSync } from './coverage.ts';
import type { Emitter } from './emit.ts';
import type { CapacityRules } from './rules-config.ts';
import type { ClusterState } from './state.ts';
import { viewOf } from './view.ts';

export const SAMPLE_INTERVAL_MS = 60_000;
const TIMER = 'capacity/sample';

/** Sees to it that the next minute is sampled. */
export function scheduleSample({ meta, timers }: ClusterState): void {
  if (timers.due(TIMER) === undefined) timers.set(TIMER, minuteOf(meta.streamTimeMs) + SAMPLE_INTERVAL_MS);
}

/** The last whole minute. */
function minuteOf(timeMs: number): number {
  return Math.floor(timeMs / SAMPLE_INTERVAL_MS) * SAMPLE_INTERVAL_MS;
}

/**
 * Samples the minute that stream time has reached, in steps of a few milliseconds. While the nodes are not in sight there is no sample: a
 * gap is not an empty cluster. The state must not change before it is done.
 */
export function* sampleSteps(state: ClusterState, view: ClusterView, emitter: Emitter): Generator<void, void> {
  scheduleSample(state);
  if (!inSync(state, 'nodes')) return;
  const timeMs = minuteOf(state.meta.streamTimeMs);
  try {
    const pools = yield* poolSteps(yield* schedulingStateSteps(view), state.meta.rules.capacity);
    for (const pool of pools) for (const row of sampleRows(state.cluster.name, pool, timeMs)) emitter.emit('capacity_samples', keyOf(row), row);
  } catch (error) {
    forgetState(view);
    deadLetter(state, emitter, error);
  }
}

/** A report, and what it was made of besides nodes and pods. */
interface Made {
  readonly version: number;
  readonly capacity: CapacityRules;
  readonly namespaces: readonly (ProjectedObject | undefined)[];
  readonly pools: readonly PoolReport[];
}

const lastMade = new WeakMap<SchedulingState, Made>();

/** The report of a state; the last one where nothing has changed since, as in most minutes of most clusters. */
function* poolSteps(scheduling: SchedulingState, capacity: CapacityRules): Steps<readonly PoolReport[]> {
  const { cluster, index } = scheduling;
  const version = scheduling.version?.() ?? 0;
  const namespaces = [...index.namespaces()].map((name) => cluster.object('namespaces', '', name));
  const last = lastMade.get(scheduling);
  const holds = last !== undefined && last.version === version && last.capacity === capacity && namespaces.every((each, at) => each === last.namespaces[at]);
  if (holds) return last.pools;
  const { poolLabels, shapes, requestedShapes } = capacity;
  const pools = yield* reportSteps(scheduling, { shapes: shapesOf(shapes), requestedShapes, poolLabels });
  lastMade.set(scheduling, { version, capacity, namespaces, pools });
  return pools;
}

const keyOf = ({ pool, shape, timeMs }: CapacitySampleRow): string => `${pool}\n${shape}\n${timeMs}`;

const built = new WeakMap<readonly ShapeConfig[], readonly Shape[]>();

/** Configured shapes; the configuration was checked when it came. */
export function shapesOf(configs: readonly ShapeConfig[]): readonly Shape[] {
  const known = built.get(configs);
  if (known !== undefined) return known;
  const shapes = configs.flatMap((config) => {
    const result = buildShape(config);
    return result.ok ? [result.shape] : [];
  });
  built.set(configs, shapes);
  return shapes;
}

/** The rows of a sample taken at once, for callers with nothing else to do. */
export function sampleNow(state: ClusterState): readonly CapacitySampleRow[] {
  const { poolLabels, shapes, requestedShapes } = state.meta.rules.capacity;
  const pools = reportCapacity(schedulingStateOf(viewOf(state)), { shapes: shapesOf(shapes), requestedShapes, poolLabels });
  return pools.flatMap((pool) => sampleRows(state.cluster.name, pool, state.meta.streamTimeMs));
}

/** The rows of one pool: itself, then its shapes. */
export function sampleRows(cluster: string, pool: PoolReport, timeMs: number): readonly CapacitySampleRow[] {
  const base = { ...NOTHING, cluster, pool: pool.pool, timeMs };
  return [{ ...base, ...poolFigures(pool) }, ...pool.shapes.map((shape) => ({ ...base, ...shapeFigures(shape) }))];
}

const NOTHING: Omit<CapacitySampleRow, 'cluster' | 'pool' | 'timeMs'> = {
  shape: '',
  nodes: 0,
  ...amountFigures({ cpu: 0, memory: 0, pods: 0 }, { cpu: 0, memory: 0, pods: 0 }, { cpu: 0, memory: 0, pods: 0 }),
  k: 0,
  kStar: 0,
  phi: 0,
  binding: '',
  origin: '',
  demand: 0,
  cordonedNodes: 0,
  notReadyNodes: 0,
  virtualNodes: 0,
  expectedWasteCpuMillicores: 0,
  expectedWasteMemoryBytes: 0,
  frontier: '',
  strandedCpuMillicores: 0,
  strandedMemoryBytes: 0,
  largestCpuMillicores: 0,
  largestMemoryBytes: 0,
  removableNodesMin: 0,
  removableNodesMax: 0,
};

type Main = Pick<Amounts, 'cpu' | 'memory' | 'pods'>;

function amountFigures(allocatable: Main, requested: Main, free: Main) {
  return {
    cpuAllocatableMillicores: allocatable.cpu,
    cpuRequestedMillicores: requested.cpu,
    cpuFreeMillicores: free.cpu,
    memoryAllocatableBytes: allocatable.memory,
    memoryRequestedBytes: requested.memory,
    memoryFreeBytes: free.memory,
    podsAllocatable: allocatable.pods,
    podsRequested: requested.pods,
    podsFree: free.pods,
  };
}

function poolFigures({ nodes, excluded, allocatable, requested, free, ...pool }: PoolReport): Partial<CapacitySampleRow> {
  const frontier = pool.frontier.map((point) => ({ cpuMillicores: point.cpu, memoryBytes: point.memory, nodes: point.nodes }));
  return {
    nodes,
    ...amountFigures(allocatable, requested, free),
    phi: pool.weightedIndex,
    cordonedNodes: excluded.cordoned,
    notReadyNodes: excluded.notReady,
    virtualNodes: excluded.virtual,
    expectedWasteCpuMillicores: Math.round(pool.expectedWaste.cpu),
    expectedWasteMemoryBytes: Math.round(pool.expectedWaste.memory),
    frontier: JSON.stringify(frontier),
    strandedCpuMillicores: Math.round(pool.stranded.cpu),
    strandedMemoryBytes: Math.round(pool.stranded.memory),
    largestCpuMillicores: Math.floor(pool.largest.cpu),
    largestMemoryBytes: Math.floor(pool.largest.memory),
    removableNodesMin: pool.removable.atLeast,
    removableNodesMax: pool.removable.atMost,
  };
}

function shapeFigures({ shape, origin, demand, eligible, k, kStar, phi, bindingResource }: ShapeReport): Partial<CapacitySampleRow> {
  return { shape, origin, demand, nodes: eligible, k, kStar, phi, binding: bindingResource ?? '' };
}

/** Capacity must not stop the history of pods (design D10). */
function deadLetter({ cluster, meta }: ClusterState, emitter: Emitter, error: unknown): void {
  emitter.emit('dead_letters', TIMER, {
    log: 'capacity',
    partition: 0,
    offset: BigInt(meta.count),
    part: 'sample',
    cluster: cluster.name,
    timeMs: meta.streamTimeMs,
    code: 'capacity_threw',
    reason: error instanceof Error ? `${error.name}: ${error.message}` : String(error),
    payload: '',
  });
}
