/** GET /v1/capacity and /v1/capacity/history: what the processor sampled. */
import { z } from 'zod';
import type { ResourcePrices } from '../../../processor/capacity/prices.ts';
import { createCursorCodec, cutPage } from '../../paging.ts';
import { problemResponses } from '../../problem.ts';
import { buildBuckets } from '../../time-buckets.ts';
import { formatTime, resolveRange } from '../../time-range.ts';
import type { App, RouteDeps } from '../deps.ts';
import { hourlyCost, pricesOf } from './cost.ts';
import type { HistoryRow, SampleRow } from './rows.ts';
import { historyQuery, LATEST_WITHIN_MS, latestQuery } from './rows.ts';
import type { CapacityQuery, HistoryJson, HistoryQuery, PoolJson, TrendPointJson } from './schema.ts';
import { capacityQuery, capacityResponse, historyParams, historyResponse, poolOf } from './schema.ts';

const cursors = createCursorCodec('capacity', z.tuple([z.string(), z.string()]));
const DAY_MS = 86_400_000;
/** Pools that are looked at for the mean prices of whole clusters. */
const MAX_POOLS = 10_000;

const ratio = (part: number, whole: number): number | null => (whole === 0 ? null : part / whole);
const keyOf = ({ cluster, pool }: SampleRow): string => `${cluster}\n${pool}`;

function buildTrend(row: SampleRow | undefined): TrendPointJson | null {
  if (row === undefined) return null;
  return {
    time: formatTime(row.time_ms),
    nodes: row.nodes,
    cpuRequestedMillicores: row.cpu_requested_millicores,
    memoryRequestedBytes: row.memory_requested_bytes,
    fragmentation: row.phi,
  };
}

/** A pool as it goes out, with its samples of before and its prices. */
export function buildPool(row: SampleRow, dayAgo: SampleRow | undefined, weekAgo: SampleRow | undefined, prices: ResourcePrices): PoolJson {
  const stranded = { cpuMillicores: row.stranded_cpu_millicores, memoryBytes: row.stranded_memory_bytes };
  return {
    cluster: row.cluster,
    pool: row.pool,
    time: formatTime(row.time_ms),
    nodes: row.nodes,
    excludedNodes: { cordoned: row.cordoned_nodes, notReady: row.not_ready_nodes, virtual: row.virtual_nodes },
    allocatable: { cpuMillicores: row.cpu_allocatable_millicores, memoryBytes: row.memory_allocatable_bytes, pods: row.pods_allocatable },
    requested: { cpuMillicores: row.cpu_requested_millicores, memoryBytes: row.memory_requested_bytes, pods: row.pods_requested },
    free: { cpuMillicores: row.cpu_free_millicores, memoryBytes: row.memory_free_bytes, pods: row.pods_free },
    allocationRatio: {
      cpu: ratio(row.cpu_requested_millicores, row.cpu_allocatable_millicores),
      memory: ratio(row.memory_requested_bytes, row.memory_allocatable_bytes),
    },
    fragmentation: row.phi,
    stranded,
    strandedShare: { cpu: ratio(stranded.cpuMillicores, row.cpu_free_millicores), memory: ratio(stranded.memoryBytes, row.memory_free_bytes) },
    cost: {
      perHour: hourlyCost(row.cpu_allocatable_millicores, row.memory_allocatable_bytes, prices),
      strandedPerHour: hourlyCost(row.stranded_cpu_millicores, row.stranded_memory_bytes, prices),
      expectedWastePerHour: hourlyCost(row.expected_waste_cpu_millicores, row.expected_waste_memory_bytes, prices),
    },
    largestPod: { cpuMillicores: row.largest_cpu_millicores, memoryBytes: row.largest_memory_bytes },
    frontier: JSON.parse(row.frontier || '[]') as PoolJson['frontier'],
    expectedWaste: { cpuMillicores: row.expected_waste_cpu_millicores, memoryBytes: row.expected_waste_memory_bytes },
    removableNodes: { atLeast: row.removable_nodes_min, atMost: row.removable_nodes_max },
    dayAgo: buildTrend(dayAgo),
    weekAgo: buildTrend(weekAgo),
  };
}

async function capacity(deps: RouteDeps, query: CapacityQuery, signal: AbortSignal) {
  const cursor = cursors.decode({ ...query });
  const atMs = cursor?.range.toMs ?? (query.at === undefined ? deps.now() : Date.parse(query.at));
  const [cluster, pool] = cursor?.key ?? ['', ''];
  // The whole cluster is pool '', so the first page begins below every name; a later one right after its last row.
  const after = [cluster, pool, ''];
  const rowsAt = (
    timeMs: number,
    about: { clusters: readonly string[]; pools: readonly string[] },
    from: readonly string[],
    limit: number,
  ): Promise<SampleRow[]> =>
    deps.store.rows(latestQuery, { ...about, shapes: [], of_shapes: 0, from: timeMs - LATEST_WITHIN_MS, at: timeMs, after: [...from], limit }, signal);
  const rows = await rowsAt(atMs, { clusters: query.cluster, pools: query.pool.map(poolOf) }, after, query.limit + 1);
  const { page, last } = cutPage(rows, query.limit);
  const shown = { clusters: [...new Set(page.map((row) => row.cluster))], pools: [...new Set(page.map((row) => row.pool))] };
  const past =
    page.length === 0
      ? [[], []]
      : await Promise.all([1, 7].map((days) => rowsAt(atMs - days * DAY_MS, shown, ['', '', ''], shown.clusters.length * shown.pools.length)));
  const [dayAgo, weekAgo] = past.map((samples) => new Map(samples.map((row) => [keyOf(row), row])));
  const { prices } = deps.config;
  const mixed = Object.keys(prices.pools).length === 0 ? [] : page.filter((row) => row.pool === '').map((row) => row.cluster);
  const pools = mixed.length === 0 ? [] : await rowsAt(atMs, { clusters: mixed, pools: [] }, ['', '', ''], MAX_POOLS);
  const pricesFor = ({ cluster: own, pool: name }: SampleRow) =>
    pricesOf(
      name,
      pools.filter((row) => row.cluster === own && row.pool !== ''),
      prices,
    );
  return {
    items: page.map((row) => buildPool(row, dayAgo?.get(keyOf(row)), weekAgo?.get(keyOf(row)), pricesFor(row))),
    next: last === undefined ? null : cursors.encode({ ...query }, { range: { fromMs: 0, toMs: atMs }, key: [last.cluster, last.pool] }),
  };
}

async function history(deps: RouteDeps, query: HistoryQuery, signal: AbortSignal): Promise<HistoryJson> {
  const { cluster, shape, step } = query;
  const pool = poolOf(query.pool);
  const { startMs, stepMs, count } = buildBuckets(resolveRange(query, deps.config, deps.now()), step, deps.config);
  const rows = await deps.store.rows(historyQuery, { cluster, pool, shape, start: startMs, step: stepMs, count }, signal);
  const byBucket = new Map(rows.map((row) => [row.bucket, row]));
  const buckets = Array.from({ length: count }, (_, index) => index);
  const series = (value: (row: HistoryRow) => number): (number | null)[] =>
    buckets.map((index) => {
      const row = byBucket.get(index);
      return row === undefined ? null : value(row);
    });
  return {
    ...{ cluster, pool, shape, step },
    buckets: buckets.map((index) => formatTime(startMs + index * stepMs)),
    samples: buckets.map((index) => byBucket.get(index)?.samples ?? 0),
    nodes: series((row) => row.node_mean),
    cpuAllocatableMillicores: series((row) => row.cpu_allocatable),
    cpuRequestedMillicores: series((row) => row.cpu_requested),
    cpuFreeMillicores: series((row) => row.cpu_free),
    memoryAllocatableBytes: series((row) => row.memory_allocatable),
    memoryRequestedBytes: series((row) => row.memory_requested),
    memoryFreeBytes: series((row) => row.memory_free),
    strandedCpuMillicores: series((row) => row.stranded_cpu),
    strandedMemoryBytes: series((row) => row.stranded_memory),
    k: series((row) => row.k_min),
    kStar: series((row) => row.k_star_min),
    phi: series((row) => row.phi_mean),
  };
}

/** Registers the routes. */
export function registerCapacity(app: App, deps: RouteDeps): void {
  app.get(
    '/v1/capacity',
    {
      schema: {
        operationId: 'listCapacity',
        tags: ['capacity'],
        summary: 'Capacity of every cluster and node pool, with the change since a day and a week ago',
        description: 'From the last sample of each cluster; a cluster that podtrail has not seen for an hour is not in it.',
        querystring: capacityQuery,
        response: { 200: capacityResponse, ...problemResponses },
      },
    },
    (request) => capacity(deps, request.query, request.signal),
  );
  app.get(
    '/v1/capacity/history',
    {
      schema: {
        operationId: 'getCapacityHistory',
        tags: ['capacity'],
        summary: 'A pool, or a shape in it, over time',
        querystring: historyParams,
        response: { 200: historyResponse, ...problemResponses },
      },
    },
    (request) => history(deps, request.query, request.signal),
  );
}
