/** Promise 3: the same log gives byte-identical rows, whatever the restarts, duplicates, locale or time zone. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ChangeRecord } from '../../collector/change-record.ts';
import { decodeChangeRecord, encodeChangeRecord } from '../../collector/change-record.ts';
import { encodeBucket, restoreState, takeSnapshot } from '../../processor/core/checkpoint-codec.ts';
import type { ClusterState } from '../../processor/core/state.ts';
import { createClusterState } from '../../processor/core/state.ts';
import { step } from '../../processor/core/step.ts';
import type { EmittedRow } from '../../sql/rows.ts';
import { recordsOf } from '../helpers/goldens.ts';

const CASES = ['live-exec', 'sched-quota-cpu', 'img-rollout', 'sched-frag', 'ok-rollout', 'oom-limit'];

const text = (row: EmittedRow): string => JSON.stringify(row, (_, value) => (typeof value === 'bigint' ? `${value}n` : value));

function checkpointed(state: ClusterState): ClusterState {
  const { cluster, meta, buckets } = takeSnapshot(state);
  const chunks = buckets.flatMap(({ table, bucket }) => [...encodeBucket(bucket, 10_000)].map((data) => ({ table, data })));
  // Chunks come back in any order.
  return restoreState(cluster, meta, chunks.reverse());
}

/** Rows of a run that is restarted from a checkpoint before each of the records named. */
function run(records: readonly ChangeRecord[], restarts: ReadonlySet<number> = new Set()): string[] {
  let state = createClusterState(records[0]!.cluster, 1);
  const rows: string[] = [];
  for (const [index, record] of records.entries()) {
    if (restarts.has(index)) state = checkpointed(state);
    for (const row of step(state, record)) rows.push(text(row));
  }
  return rows;
}

for (const name of CASES) {
  const path = `cases/${name}.ndjson.gz`;

  test(`${name}: a restart from a checkpoint at any record changes no byte`, async () => {
    const records = await recordsOf(path);
    const expected = run(records);
    assert.ok(expected.some((row) => row.startsWith('{"table":"capacity_samples"')));
    const every = Math.ceil(records.length / 12);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: every - 1 }), (offset) => {
        const restarts = new Set<number>();
        for (let i = offset; i < records.length; i += every) restarts.add(i);
        assert.deepEqual(run(records, restarts), expected);
      }),
      { numRuns: 8 },
    );
  });

  test(`${name}: repeated records change nothing but counts`, async () => {
    const records = await recordsOf(path);
    const final = (all: readonly ChangeRecord[]): Map<string, string> => {
      const state = createClusterState(all[0]!.cluster, 1);
      const rows = new Map<string, string>();
      for (const record of all) {
        for (const row of step(state, record)) if (row.table !== 'sessions') rows.set(`${row.table}\n${row.key}`, text({ ...row, version: 0n }));
      }
      return rows;
    };
    const expected = final(records);
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(records.length - 1), fc.integer({ min: 1, max: 20 })), { minLength: 1, maxLength: 6 }), (repeats) => {
        const doubled = [...records];
        // A batch that is retried: a run of records comes once more right after itself.
        for (const [at, length] of repeats.sort((a, b) => b[0] - a[0]))
          doubled.splice(Math.min(records.length, at + length), 0, ...records.slice(at, at + length));
        assert.deepEqual(final(doubled), expected);
      }),
      { numRuns: 10 },
    );
  });

  test(`${name}: records survive the log`, async () => {
    for (const record of await recordsOf(path))
      assert.deepEqual(decodeChangeRecord(encodeChangeRecord(record)), { ok: true, record: JSON.parse(JSON.stringify(record)) });
  });
}

test('locale and time zone change no byte', () => {
  const script = new URL('../helpers/rows-hash.ts', import.meta.url).pathname;
  const hash = (env: NodeJS.ProcessEnv): string =>
    execFileSync(process.execPath, ['--import', 'tsx', script, 'cases/live-exec.ndjson.gz', 'cases/sched-frag.ndjson.gz'], {
      env: { ...process.env, ...env },
      encoding: 'utf8',
    });
  const expected = hash({ TZ: 'UTC', LANG: 'C' });
  assert.match(expected, /^[0-9a-f]{64}$/);
  assert.equal(hash({ TZ: 'Asia/Kathmandu', LANG: 'tr_TR.UTF-8', LC_ALL: 'tr_TR.UTF-8' }), expected);
  assert.equal(hash({ TZ: 'America/St_Johns', LANG: 'ar_EG.UTF-8', LC_ALL: 'ar_EG.UTF-8' }), expected);
});
