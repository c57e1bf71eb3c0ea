/**
 * npm run simulate -- [--seeds N] [--from S] [--jobs J]: runs N seeds (default 1) from S on (default 1) in J processes (default 2), prints
 * every one that fails with how to run it again, and exits 1 if any does.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { describeOutcome, simulate } from './simulate.ts';

interface Tally {
  readonly seeds: number;
  readonly failed: number;
  readonly records: number;
}
const NOTHING: Tally = { seeds: 0, failed: 0, records: 0 };
const sum = (a: Tally, b: Tally): Tally => ({ seeds: a.seeds + b.seeds, failed: a.failed + b.failed, records: a.records + b.records });

/** A seed leaves much short-lived behind: a large nursery saves a tenth of the time. */
const WORKER_OPTIONS = ['--max-semi-space-size=64', '--import', 'tsx'];

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1' },
    from: { type: 'string', default: '1' },
    jobs: { type: 'string', default: '2' },
    share: { type: 'string' },
  },
});
const [from, seeds, jobs] = [Number(values.from), Number(values.seeds), Number(values.jobs)];
if (values.share === undefined) await runAll();
else {
  process.once('disconnect', () => process.exit(1)); // who asked is gone
  const tally = await runShare(Number(values.share));
  process.send?.(tally, () => process.exit());
}

/** Seeds of one process: every `jobs`-th. */
async function runShare(first: number): Promise<Tally> {
  let tally = NOTHING;
  for (let seed = from + first; seed < from + seeds; seed += jobs) {
    const outcome = await simulate(seed);
    tally = sum(tally, { seeds: 1, failed: outcome.wrong.length === 0 ? 0 : 1, records: outcome.records });
    if (outcome.wrong.length > 0) process.stderr.write(`${describeOutcome(outcome)}\n`);
  }
  return tally;
}

async function runAll(): Promise<void> {
  const startMs = performance.now();
  const shares = await Promise.all(Array.from({ length: Math.min(jobs, seeds) }, (_, first) => startShare(first)));
  const all = shares.reduce(sum, NOTHING);
  process.stdout.write(`${all.seeds} seeds, ${all.failed} failed, ${all.records} records, ${((performance.now() - startMs) / 1_000).toFixed(1)} s\n`);
  if (all.failed > 0 || all.seeds < seeds) process.exitCode = 1;
}

async function startShare(first: number): Promise<Tally> {
  const args = [...process.argv.slice(2), '--share', String(first)];
  const child = fork(fileURLToPath(import.meta.url), args, { execArgv: WORKER_OPTIONS });
  let tally = NOTHING; // a process that dies has run nothing
  child.on('message', (message) => {
    tally = message as Tally;
  });
  await once(child, 'exit');
  return tally;
}
