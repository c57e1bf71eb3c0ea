/** Capacity as a table for people, whichever way the figures came. */
import type { PoolJson } from '../api/routes/capacity/schema.ts';
import type { FragmentationJson } from '../api/routes/fragmentation/schema.ts';
import { formatTable, printable } from './output.ts';

export interface ShownPool {
  readonly pool: PoolJson;
  readonly shapes: readonly FragmentationJson[];
}

const GIB = 1_024 ** 3;
/** Three digits tell enough: 1.6, 38, 1204. */
const short = (value: number): string => `${value < 10 ? Math.round(value * 10) / 10 : Math.round(value)}`;
const space = ({ cpuMillicores, memoryBytes }: PoolJson['free'] | PoolJson['largestPod']): string =>
  `${short(cpuMillicores / 1_000)}c ${short(memoryBytes / GIB)}Gi`;
const percent = (share: number | null): string => (share === null ? '-' : `${Math.round(share * 100)}%`);
const percents = ({ cpu, memory }: PoolJson['allocationRatio']): string => `${percent(cpu)}/${percent(memory)}`;
const interval = ({ atLeast, atMost }: PoolJson['removableNodes']): string => (atLeast === atMost ? String(atLeast) : `${atLeast}-${atMost}`);
const nameOf = (pool: string): string => (pool === '' ? '(all)' : pool);

/** Of each cluster one line a pool, then one a pool and shape; 80 columns where names are short. */
export function capacityTable(pools: readonly ShownPool[]): string {
  const clusters = [...new Set(pools.map(({ pool }) => pool.cluster))];
  return clusters
    .map((cluster) =>
      clusterTables(
        cluster,
        pools.filter(({ pool }) => pool.cluster === cluster),
      ),
    )
    .join('\n\n');
}

function clusterTables(cluster: string, pools: readonly ShownPool[]): string {
  const rows = pools.map(({ pool }) => [
    nameOf(pool.pool),
    String(pool.nodes),
    interval(pool.removableNodes),
    percents(pool.allocationRatio),
    space(pool.free),
    percents(pool.strandedShare),
    pool.cost.strandedPerHour.toFixed(2),
    space(pool.largestPod),
    pool.fragmentation.toFixed(2),
  ]);
  const shapes = pools.flatMap(({ shapes: own }) =>
    own.map((shape) => [
      nameOf(shape.pool),
      shape.shape,
      String(shape.k),
      String(shape.kStar),
      shape.phi.toFixed(3),
      shape.bindingResource ?? '-',
      String(shape.eligibleNodes),
      percent(shape.demand),
    ]),
  );
  return [
    `${printable(cluster)}: cpu/memory; SPARE nodes could go; LOST/H: what is stranded costs`,
    formatTable(['POOL', 'NODES', 'SPARE', 'REQUESTED', 'FREE', 'STRANDED', 'LOST/H', 'LARGEST', 'PHI'], rows),
    '',
    formatTable(['POOL', 'SHAPE', 'K', 'K*', 'PHI', 'BINDING', 'ELIGIBLE', 'DEMAND'], shapes),
  ].join('\n');
}
