/**
 * npm run simulate -- [--seeds N] [--seed S]: runs N seeds (default 1) from S on (default 1), prints the number of every one that fails,
 * and exits 1 if any does.
 */
import { parseArgs } from 'node:util';
import { describeOutcome, simulate } from './simulate.ts';

const { values } = parseArgs({ options: { seeds: { type: 'string', default: '1' }, seed: { type: 'string', default: '1' } } });
const [first, count] = [Number(values.seed), Number(values.seeds)];
const startMs = performance.now();
let records = 0;
let failed = 0;
for (let seed = first; seed < first + count; seed++) {
  const outcome = await simulate(seed);
  records += outcome.records;
  if (outcome.wrong.length === 0) continue;
  failed += 1;
  process.stderr.write(`${describeOutcome(outcome)}\n`);
}
process.stdout.write(`${count} seeds, ${failed} failed, ${records} records, ${((performance.now() - startMs) / 1_000).toFixed(1)} s\n`);
if (failed > 0) process.exitCode = 1;
