/** What cpu and memory cost: the money in a capacity report. */
import type { ApiConfig } from '../../config.ts';

export type Prices = ApiConfig['prices'];

/** What an hour of so many millicores and bytes costs, in the currency of the prices, to four decimals. */
export function hourlyCost(cpuMillicores: number, memoryBytes: number, { coreHour, gibHour }: Prices): number {
  const cost = (cpuMillicores / 1_000) * coreHour + (memoryBytes / 1_024 ** 3) * gibHour;
  return Math.round(cost * 10_000) / 10_000;
}
