/** What nodes cost: which size is the cheapest to add. Prices are per hour of a core and of a GiB, in any one currency. */
import type { Amounts } from './amounts.ts';

export interface ResourcePrices {
  readonly coreHour: number;
  readonly gibHour: number;
}

export interface NodePrices extends ResourcePrices {
  /** Pools with prices of their own, such as spot or GPU nodes. */
  readonly pools?: Readonly<Record<string, ResourcePrices>>;
}

/** General purpose nodes of large clouds, about: 0.03 dollars an hour of a core, 0.004 of a GiB. Their proportion is what matters here. */
export const LIST_PRICES: NodePrices = { coreHour: 0.03, gibHour: 0.004 };

/** An hour of a node with these amounts in this pool. */
export function priceOf({ cpu, memory }: Pick<Amounts, 'cpu' | 'memory'>, pool: string, prices: NodePrices): number {
  const own = prices.pools !== undefined && Object.hasOwn(prices.pools, pool) ? prices.pools[pool] : undefined;
  const { coreHour, gibHour } = own ?? prices;
  return (cpu / 1_000) * coreHour + (memory / 1_024 ** 3) * gibHour;
}
