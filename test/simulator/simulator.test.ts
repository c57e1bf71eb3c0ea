import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeOutcome, simulate } from './simulate.ts';

/** A few of them: `npm run simulate -- --seeds N` runs more, and CI a thousand. */
const SEEDS = 20;
const BUDGET_MS = 30_000;

test('whatever fails in a storm: nothing lost, nothing doubled, every gap recorded', async (context) => {
  const startMs = performance.now();
  let seed = 0;
  while (seed < SEEDS && performance.now() - startMs < BUDGET_MS) {
    seed += 1;
    const outcome = await simulate(seed);
    assert.ok(outcome.wrong.length === 0, describeOutcome(outcome));
  }
  context.diagnostic(`${seed} seeds`);
  assert.ok(seed > 5, 'too slow to mean anything');
});

test('a seed replays: the same records, whatever ran before it', async () => {
  const logs: string[] = [];
  for (const seed of [7, 8, 7]) {
    await simulate(seed, (_, records) => {
      logs.push(JSON.stringify(records));
    });
  }
  assert.ok(logs[0] === logs[2], 'seed 7 is another the second time');
  assert.notEqual(logs[0], logs[1]);
});
