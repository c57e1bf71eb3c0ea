/** Capacity as a table for people, whichever way the figures came. */
import type { PoolJson } from '../api/routes/capacity/schema.ts';
import type { FragmentationJson } from '../api/routes/fragmentation/schema.ts';
import { formatTable } from './output.ts';

export interface ShownPool {
  readonly pool: PoolJson;
  readonly shapes: readonly FragmentationJson[];
}

const GIB = 1_024 ** 3;
const cores = (millicores: number): string => `${Math.round(millicores / 100) / 10}`;
const gibibytes = (bytes: number): string => `${Math.round((bytes / GIB) * 10) / 10}Gi`;
const percent = (share: number | null): string => (share === null ? '-' : `${Math.round(share * 100)}%`);
const nameOf = (pool: string): string => (pool === '' ? '(whole cluster)' : pool);

/** One line a pool, then one a pool and shape. */
export function capacityTable(pools: readonly ShownPool[]): string {
  const header = ['CLUSTER', 'POOL', 'NODES', 'CPU', 'MEMORY', 'CPU FREE', 'MEM FREE', 'STRANDED', 'LOST/H', 'LARGEST POD', 'PHI', 'REMOVABLE'];
  const rows = pools.map(({ pool }) => [
    pool.cluster,
    nameOf(pool.pool),
    String(pool.nodes),
    percent(pool.allocationRatio.cpu),
    percent(pool.allocationRatio.memory),
    cores(pool.free.cpuMillicores),
    gibibytes(pool.free.memoryBytes),
    `${percent(pool.strandedShare.cpu)}/${percent(pool.strandedShare.memory)}`,
    pool.cost.strandedPerHour.toFixed(2),
    `${cores(pool.largestPod.cpuMillicores)}c ${gibibytes(pool.largestPod.memoryBytes)}`,
    pool.fragmentation.toFixed(2),
    pool.removableNodes.atLeast === pool.removableNodes.atMost
      ? String(pool.removableNodes.atLeast)
      : `${pool.removableNodes.atLeast}-${pool.removableNodes.atMost}`,
  ]);
  const shapes = pools.flatMap(({ shapes: own }) =>
    own.map((shape) => [
      shape.cluster,
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
  return `${formatTable(header, rows)}\n\n${formatTable(['CLUSTER', 'POOL', 'SHAPE', 'K', 'K*', 'PHI', 'BINDING', 'ELIGIBLE', 'DEMAND'], shapes)}`;
}
