/** What /v1/capacity and /v1/capacity/history take and return. */
import { z } from 'zod';
import { nextCursor, pageParams } from '../../paging.ts';
import { stepParam } from '../../time-buckets.ts';
import { jsonTime, rangeParams, timestamp } from '../../time-range.ts';
import { clusterList, clusterName, textList } from '../params.ts';

/** The whole cluster in a request, where '' cannot stand; no label value begins with a dash. Answers call it ''. */
const WHOLE_CLUSTER = '-';

/** The pool that a request means, as it is stored. */
export function poolOf(name: string): string {
  return name === WHOLE_CLUSTER ? '' : name;
}

export const poolList = textList('Name of a node pool; "-" is the whole cluster. Without one: all pools, and the whole cluster as pool "".', 'general');
export const at = timestamp
  .optional()
  .meta({ description: 'The last sample at this time, at most an hour older. Default: now.', examples: ['2026-01-31T08:00:00Z'] });

export const capacityQuery = z.strictObject({ cluster: clusterList, pool: poolList, at, ...pageParams });
export type CapacityQuery = z.output<typeof capacityQuery>;

const amounts = z.object({
  cpuMillicores: z.int(),
  memoryBytes: z.number(),
});
const trend = z
  .object({ time: jsonTime, nodes: z.int(), cpuRequestedMillicores: z.int(), memoryRequestedBytes: z.number(), fragmentation: z.number() })
  .nullable();

const poolSchema = z
  .object({
    cluster: z.string(),
    pool: z.string().meta({ description: 'Name of the pool; "" is the whole cluster.', examples: ['general'] }),
    time: jsonTime.meta({ description: 'When the sample was taken, by the time of the cluster.' }),
    nodes: z.int().meta({ description: 'Nodes that count: neither cordoned nor not ready nor virtual.' }),
    excludedNodes: z.object({ cordoned: z.int(), notReady: z.int(), virtual: z.int() }),
    allocatable: amounts.extend({ pods: z.int() }),
    requested: amounts.extend({ pods: z.int() }),
    free: amounts.extend({ pods: z.int() }),
    allocationRatio: z
      .object({ cpu: z.number().nullable(), memory: z.number().nullable() })
      .meta({ description: 'Requested by allocatable; says nothing about fit. null without nodes.' }),
    fragmentation: z
      .number()
      .meta({ description: 'Share of what would fit if free space were pooled that does not fit, weighted by the shapes requested; 0 to 1.' }),
    stranded: amounts.meta({ description: 'Free space that nothing can use because the other resource is gone.' }),
    strandedShare: z.object({ cpu: z.number().nullable(), memory: z.number().nullable() }),
    cost: z
      .object({ perHour: z.number(), strandedPerHour: z.number(), expectedWastePerHour: z.number() })
      .meta({ description: 'Of the allocatable, the stranded and the wasted cpu and memory, by api.prices, in its currency.' }),
    largestPod: amounts.meta({ description: "The largest pod of the pool's demand mix that fits now." }),
    frontier: z.array(amounts.extend({ nodes: z.int() })).meta({ description: 'The largest free spaces, and how many nodes have at least that much.' }),
    expectedWaste: amounts.meta({ description: 'Free space that the shapes requested cannot use, weighted by their share.' }),
    removableNodes: z.object({ atLeast: z.int(), atMost: z.int() }),
    dayAgo: trend.meta({ description: 'The same a day before; null where there was no sample.' }),
    weekAgo: trend,
  })
  .meta({ id: 'CapacityPool', description: 'Capacity of a node pool by requests, as the scheduler sees it.' });
export type PoolJson = z.output<typeof poolSchema>;
export type TrendPointJson = NonNullable<z.output<typeof trend>>;

export const capacityResponse = z.object({ items: z.array(poolSchema), next: nextCursor }).meta({ id: 'CapacityList' });

export const historyParams = z.strictObject({
  cluster: clusterName,
  pool: z.string().min(1).max(253).default(WHOLE_CLUSTER).meta({ description: 'Name of the pool; "-" is the whole cluster.' }),
  shape: z.string().max(256).default('').meta({ description: 'A shape of /v1/fragmentation; without it the pool itself.' }),
  ...rangeParams,
  step: stepParam,
});
export type HistoryQuery = z.output<typeof historyParams>;

const series = z.array(z.number().nullable());

export const historyResponse = z
  .object({
    cluster: z.string(),
    pool: z.string(),
    shape: z.string(),
    step: z.string(),
    buckets: z.array(jsonTime).meta({ description: 'Start of each bucket.' }),
    samples: z.array(z.int()).meta({ description: 'Samples behind each bucket; 0 where podtrail did not see the cluster, and every value is null.' }),
    nodes: series,
    cpuAllocatableMillicores: series,
    cpuRequestedMillicores: series,
    cpuFreeMillicores: series,
    memoryAllocatableBytes: series,
    memoryRequestedBytes: series,
    memoryFreeBytes: series,
    strandedCpuMillicores: series,
    strandedMemoryBytes: series,
    k: series.meta({ description: 'Least number of copies of the shape that fitted.' }),
    kStar: series,
    phi: series.meta({ description: 'Mean; of a pool the index weighted by the shapes requested.' }),
  })
  .meta({ id: 'CapacityHistory', description: 'Means over buckets of samples, each of a minute.' });
export type HistoryJson = z.output<typeof historyResponse>;
