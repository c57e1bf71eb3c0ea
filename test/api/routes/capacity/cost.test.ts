import assert from 'node:assert/strict';
import { test } from 'node:test';
import { apiConfig } from '../../../../api/config.ts';
import { hourlyCost } from '../../../../api/routes/capacity/cost.ts';

test('space has a price by its cores and GiB', () => {
  const { prices } = apiConfig.parse({});
  assert.equal(hourlyCost(4_000, 16 * 1_024 ** 3, prices), 0.184);
  assert.equal(hourlyCost(500, 0, prices), 0.015);
  assert.equal(hourlyCost(0, 0, prices), 0);
  assert.equal(hourlyCost(4_000, 16 * 1_024 ** 3, apiConfig.parse({ prices: { coreHour: 1, gibHour: 0 } }).prices), 4);
});
