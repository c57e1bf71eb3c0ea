import assert from 'node:assert/strict';
import { test } from 'node:test';
import { apiConfig } from '../../../../api/config.ts';
import { hourlyCost, pricesOf } from '../../../../api/routes/capacity/cost.ts';

test('space has a price by its cores and GiB', () => {
  const { prices } = apiConfig.parse({});
  assert.equal(hourlyCost(4_000, 16 * 1_024 ** 3, prices), 0.184);
  assert.equal(hourlyCost(500, 0, prices), 0.015);
  assert.equal(hourlyCost(0, 0, prices), 0);
  assert.equal(hourlyCost(4_000, 16 * 1_024 ** 3, apiConfig.parse({ prices: { coreHour: 1, gibHour: 0 } }).prices), 4);
});

test('a pool may have prices of its own; a whole cluster costs what its pools cost together', () => {
  const GIB = 1_024 ** 3;
  const { prices } = apiConfig.parse({ prices: { coreHour: 1, gibHour: 0, pools: { gpu: { coreHour: 4, gibHour: 1 } } } });
  const row = (pool: string, cpu: number, memory: number) => ({ pool, cpu_allocatable_millicores: cpu, memory_allocatable_bytes: memory });
  const pools = [row('general', 3_000, 9 * GIB), row('gpu', 1_000, 3 * GIB)];
  const cost = (pool: string, cpu: number, memory: number) => hourlyCost(cpu, memory, pricesOf(pool, pools, prices));
  assert.deepEqual([cost('general', 3_000, 9 * GIB), cost('gpu', 1_000, 3 * GIB), cost('', 4_000, 12 * GIB)], [3, 7, 10]);
  assert.deepEqual(pricesOf('', [], prices), { coreHour: 1, gibHour: 0 });
});
