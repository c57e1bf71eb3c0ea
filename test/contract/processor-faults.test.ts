import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import type { ClusterRef } from '../../collector/change-record.ts';
import type { OpenClickHouse } from '../../sql/client.ts';
import { openClickHouse } from '../../sql/client.ts';
import { storeConfig } from '../../sql/config.ts';
import { migrate } from '../../sql/migrate.ts';
import type { ChdbHttp, ChdbRequest, Failure } from '../helpers/chdb-http.ts';
import { startChdbHttp } from '../helpers/chdb-http.ts';
import { historyOf } from '../helpers/history.ts';
import { createMemoryLog, type MemoryLog } from '../helpers/memory-log.ts';
import type { Rows } from '../helpers/processor-run.ts';
import { allRows, assertSameRows, runToEnd, startRun } from '../helpers/processor-run.ts';
import { createRememberingLog } from '../helpers/silent-log.ts';

const ONE: ClusterRef = { uid: 'uid-one', name: 'one' };
const HISTORY = historyOf(ONE, 2);
const RETENTION = { podChangesDays: 3_650, eventsDays: 3_650, incidentsDays: 3_650, coverageDays: 3_650, capacityDays: 3_650, deadLettersDays: 3_650 };
let directory: string;
let http: ChdbHttp;
let undisturbed: Rows;
const opened: OpenClickHouse[] = [];

before(async () => {
  directory = mkdtempSync(join(tmpdir(), 'podtrail-test-faults-'));
  http = await startChdbHttp(directory);
  const { client } = await freshStore();
  await runToEnd(client, log());
  undisturbed = await allRows(client);
});
afterEach(() => {
  http.intercept = undefined;
});
after(async () => {
  for (const open of opened) await open.close();
  await http.close();
  rmSync(directory, { recursive: true, force: true });
});

function log(): MemoryLog {
  const created = createMemoryLog();
  for (const record of HISTORY) created.append(record);
  return created;
}

async function freshStore(): Promise<OpenClickHouse> {
  const database = `podtrail_test_${opened.length}`;
  const open = await openClickHouse(storeConfig.parse({ url: http.url, database }));
  opened.push(open);
  await migrate(open.client, { database, retention: RETENTION });
  return open;
}

/** Answers the statements of `kind` as `decide` says of their number, from 0. */
function failEvery(kind: RegExp, decide: (n: number) => Failure | undefined): { readonly seen: () => number } {
  let n = 0;
  http.intercept = ({ statement }: ChdbRequest) => (kind.test(statement) ? decide(n++) : undefined);
  return { seen: () => n };
}

const ROWS = /^INSERT INTO (?!checkpoint)/;
const CHECKPOINTS = /^INSERT INTO checkpoint/;
const many: Failure = { code: 252, type: 'TOO_MANY_PARTS' };

const passing: readonly { readonly name: string; readonly kind: RegExp; readonly decide: (n: number) => Failure | undefined }[] = [
  { name: 'every second insert is refused for now', kind: ROWS, decide: (n) => (n % 2 === 0 ? many : undefined) },
  { name: 'every second insert is stored but its answer is lost', kind: ROWS, decide: (n) => (n % 2 === 0 ? 'drop_after' : undefined) },
  { name: 'every third connection breaks before the insert', kind: ROWS, decide: (n) => (n % 3 === 0 ? 'drop' : undefined) },
  { name: 'every fourth part of a checkpoint is refused for now', kind: CHECKPOINTS, decide: (n) => (n % 4 === 1 ? many : undefined) },
  { name: 'every fourth part of a checkpoint is stored but its answer is lost', kind: CHECKPOINTS, decide: (n) => (n % 4 === 1 ? 'drop_after' : undefined) },
  { name: 'queries fail at first', kind: /SELECT/, decide: (n) => (n < 2 ? many : undefined) },
];
for (const { name, kind, decide } of passing) {
  test(`the same rows when ${name}`, async () => {
    const { client } = await freshStore();
    const records = log();
    const { seen } = failEvery(kind, decide);
    await runToEnd(client, records, { batchSize: 20 });
    assert.ok(seen() > 1);
    http.intercept = undefined;
    // What a failed last checkpoint left out is done again.
    await runToEnd(client, records);
    assertSameRows(await allRows(client), undisturbed);
  });
}

test('while the store refuses, reading pauses and the rows that wait stay few; then it catches up by itself', async () => {
  const { client } = await freshStore();
  let refuses = true;
  failEvery(ROWS, () => (refuses ? many : undefined));
  const { log: logger, lines } = createRememberingLog();
  const run = startRun(client, log(), { batchSize: 5, log: logger, config: { maxPendingRows: 20, maxInsertRows: 10 } });
  const failures = (): number => lines.filter(({ msg }) => msg === 'insert failed, trying again').length;
  while (failures() < 4) await new Promise((resolve) => setTimeout(resolve, 10));
  const { pendingRows, partitions } = run.processor.status();
  assert.ok(pendingRows >= 20 && pendingRows < 60, `${pendingRows} rows wait`);
  assert.ok((partitions[0]?.lagRecords ?? 0) > 100);
  refuses = false;
  await run.reader.caughtUp();
  await run.processor.stop();
  assertSameRows(await allRows(client), undisturbed);
});

test('an error that no retry helps ends the processor with its name', async () => {
  const { client } = await freshStore();
  failEvery(ROWS, () => ({ code: 16, type: 'NO_SUCH_COLUMN_IN_TABLE' }));
  await assert.rejects(startRun(client, log()).ended, { code: 'PODTRAIL_STORE_SCHEMA', retriable: false });
});

test('an error of a checkpoint that no retry helps ends the processor too, with rows stored and no checkpoint', async () => {
  const { client } = await freshStore();
  failEvery(/^INSERT INTO checkpoint_manifests/, (n) => (n > 0 ? { code: 497, type: 'ACCESS_DENIED' } : undefined));
  await assert.rejects(startRun(client, log(), { config: { checkpointRecords: 10 }, batchSize: 5 }).ended, { code: 'PODTRAIL_STORE_REFUSED' });
});

test('stopping while the store refuses takes no longer than it may, and says that rows were given up', async () => {
  const { client } = await freshStore();
  failEvery(ROWS, () => many);
  const { log: logger, lines } = createRememberingLog();
  const records = log();
  const run = startRun(client, records, { batchSize: 5, log: logger, config: { maxPendingRows: 20, stopSeconds: 1 } });
  while (run.processor.status().pendingRows < 20) await new Promise((resolve) => setTimeout(resolve, 5));
  const started = performance.now();
  await run.processor.stop();
  await run.ended;
  assert.ok(performance.now() - started < 3_000);
  assert.ok(lines.some(({ msg }) => msg === 'partition given up without a last checkpoint'));
  http.intercept = undefined;
  await runToEnd(client, records);
  assertSameRows(await allRows(client), undisturbed);
});
