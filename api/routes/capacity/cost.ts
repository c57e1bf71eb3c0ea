/** What cpu and memory cost: the money in a capacity report. */
import type { ResourcePrices } from '../../../processor/capacity/prices.ts';
import type { ApiConfig } from '../../config.ts';
import type { SampleRow } from './rows.ts';

export type Prices = ApiConfig['prices'];
type Sized = Pick<SampleRow, 'pool' | 'cpu_allocatable_millicores' | 'memory_allocatable_bytes'>;

/** Fractions of a currency are told to four decimals. */
export function roundCost(cost: number): number {
  return Math.round(cost * 10_000) / 10_000;
}

/** What an hour of so many millicores and bytes costs, in the currency of the prices. */
export function hourlyCost(cpuMillicores: number, memoryBytes: number, { coreHour, gibHour }: ResourcePrices): number {
  return roundCost((cpuMillicores / 1_000) * coreHour + (memoryBytes / 1_024 ** 3) * gibHour);
}

/** The prices of a pool; of a whole cluster, pool '', those that its `pools` have on average, by what they have. */
export function pricesOf(pool: string, pools: readonly Sized[], prices: Prices): ResourcePrices {
  if (pool !== '') return Object.hasOwn(prices.pools, pool) ? (prices.pools[pool] ?? prices) : prices;
  const mean = (amountOf: (row: Sized) => number, price: 'coreHour' | 'gibHour'): number => {
    const total = pools.reduce((sum, row) => sum + amountOf(row), 0);
    return total === 0 ? prices[price] : pools.reduce((sum, row) => sum + amountOf(row) * pricesOf(row.pool, [], prices)[price], 0) / total;
  };
  return { coreHour: mean((row) => row.cpu_allocatable_millicores, 'coreHour'), gibHour: mean((row) => row.memory_allocatable_bytes, 'gibHour') };
}
