import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ChangeRecord, ClusterRef } from '../../collector/change-record.ts';
import { readManifests, readPartitions, writeManifests } from '../../sql/checkpoints.ts';
import type { TestStore } from '../helpers/clickhouse.ts';
import { select, testStores } from '../helpers/clickhouse.ts';
import { historyOf } from '../helpers/history.ts';
import type { MemoryLog } from '../helpers/memory-log.ts';
import { createMemoryLog, SimulatedCrash } from '../helpers/memory-log.ts';
import { allRows, assertSameRows, runToEnd, startRun } from '../helpers/processor-run.ts';

const ONE: ClusterRef = { uid: 'uid-one', name: 'one' };
const HISTORY = historyOf(ONE, 2);
const freshStore = testStores();

function logOf(records: readonly ChangeRecord[], partitions = 1, id = 'memory:1'): MemoryLog {
  const log = createMemoryLog(partitions, id);
  for (const record of records) log.append(record);
  return log;
}

const refusals: readonly { readonly name: string; readonly log: () => MemoryLog; readonly message: RegExp }[] = [
  { name: 'with another identity', log: () => logOf(HISTORY, 1, 'memory:2'), message: /is memory:2 with 1 partitions, but was memory:1 with 1;/ },
  { name: 'with more partitions', log: () => logOf(HISTORY, 3), message: /is memory:1 with 3 partitions, but was memory:1 with 1;/ },
  { name: 'that ends before what was read', log: () => logOf(HISTORY.slice(0, 50)), message: /ends at 50, but was read up to \d+;/ },
  { name: 'with another record in the place of the last one', log: () => logOf([...HISTORY].reverse()), message: /record \d+ is another;/ },
];
for (const { name, log, message } of refusals) {
  test(`a log ${name} is refused with the remedy, and nothing is changed`, async () => {
    const { client } = await freshStore();
    await runToEnd(client, logOf(HISTORY));
    const rows = await allRows(client);
    await assert.rejects(startRun(client, log()).ended, (error: Error & { code?: string }) => {
      assert.equal(error.code, 'PODTRAIL_LOG_CHANGED');
      assert.match(error.message, message);
      assert.match(error.message, /start once with --new-log/);
      return true;
    });
    assertSameRows(await allRows(client), rows);
    const again = await runToEnd(client, logOf(HISTORY));
    assert.equal(await again.records('applied'), 0);
  });

  test(`a log ${name} is read from its beginning with --new-log, and from then on it is the log`, async () => {
    const { client } = await freshStore();
    await runToEnd(client, logOf(HISTORY));
    const replacement = log();
    const first = await runToEnd(client, replacement, { newLog: true });
    const applied = await first.records('applied');
    assert.equal(
      applied,
      [...(await readPartitions(client))].filter(({ log: id }) => id === replacement.id).reduce((sum, p) => sum + Number(p.nextOffset), 0),
    );
    const [manifest] = await readManifests(client, [ONE.uid]);
    assert.deepEqual([manifest?.log, manifest?.generation], [replacement.id, 2]);
    assert.ok((manifest?.count ?? 0) > HISTORY.length, 'the state was kept');
    const second = await runToEnd(client, replacement);
    assert.equal(await second.records('applied'), 0);
  });
}

/** A processor that stores all rows of the log but no checkpoint of them, and then crashes. */
async function crashBeyondCheckpoint(client: TestStore['client'], log: MemoryLog): Promise<void> {
  let isOver = false;
  const before = (): void => {
    if (isOver) throw new SimulatedCrash();
  };
  const run = startRun(client, log, { before, config: { checkpointRecords: 1e9, checkpointIntervalSeconds: 3_600 } });
  await run.reader.caughtUp();
  while (run.processor.status().pendingRows > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  isOver = true;
  log.append(HISTORY.at(-1) as ChangeRecord);
  await assert.rejects(run.ended, SimulatedCrash);
}

const VERSION = (1n << 40n) + 60n;
const beyond = async (client: TestStore['client']): Promise<number> =>
  (await select(client, 'SELECT uid FROM pod_changes WHERE version > {version:UInt64} AND bitShiftRight(version, 40) = 1', { version: VERSION })).length;

test('a new log takes the place of what a crashed processor had stored beyond its checkpoint', async () => {
  const { client } = await freshStore();
  await runToEnd(client, logOf(HISTORY.slice(0, 60)));
  const checkpointed = await allRows(client);
  await crashBeyondCheckpoint(client, logOf(HISTORY));
  assert.ok((await beyond(client)) > 0, 'the crash left rows beyond the checkpoint');
  const replacement = createMemoryLog(1, 'memory:2');
  await runToEnd(client, replacement, { newLog: true });
  // The cluster is restored when its first record comes, whether or not the flag is still there.
  replacement.append(HISTORY[59] as ChangeRecord);
  await runToEnd(client, replacement);
  assert.equal(await beyond(client), 0);
  const after = await allRows(client);
  const heads = (rows: readonly string[]): unknown[] => rows.map((row) => JSON.parse(row) as Record<string, unknown>).map(({ id, state }) => [id, state]);
  assert.ok(checkpointed.incidents.length > 0);
  assert.deepEqual(heads(after.incidents), heads(checkpointed.incidents), 'heads stand as in the checkpoint, although newer rows had replaced them');
});

test('after a gap, what was stored beyond the checkpoint goes, since it cannot be made again', async () => {
  const { client } = await freshStore();
  const log = logOf(HISTORY.slice(0, 60));
  await runToEnd(client, log);
  for (const record of HISTORY.slice(60)) log.append(record);
  await crashBeyondCheckpoint(client, log);
  assert.ok((await beyond(client)) > 0);
  log.trim(0, BigInt(HISTORY.length - 5));
  await runToEnd(client, log);
  assert.equal(await beyond(client), 0);
  assert.equal((await readManifests(client, [ONE.uid]))[0]?.generation, 2);
});

/** Gives the checkpoints that are stored to another release, with checksums of their own. */
async function rewriteManifests(client: TestStore['client'], format: number, release: string): Promise<void> {
  for (const manifest of await readManifests(client, [ONE.uid])) {
    await client.command({ query: 'DELETE FROM checkpoint_manifests WHERE count = {count:UInt64}', query_params: { count: manifest.count } });
    await writeManifests(client, [{ ...manifest, format, release }]);
  }
}

test('without a checkpoint but one of an earlier format, the log is read again from its beginning, in a new generation', async () => {
  const { client } = await freshStore();
  const log = logOf(HISTORY);
  await runToEnd(client, log);
  const ids = async (): Promise<unknown[]> => (await select(client, 'SELECT id FROM incidents FINAL ORDER BY id')).map(({ id }) => id);
  const before = await ids();
  await rewriteManifests(client, 1, '0.0.1');
  await runToEnd(client, log);
  const [newest] = await readManifests(client, [ONE.uid]);
  assert.deepEqual([newest?.generation, newest?.count], [2, HISTORY.length]);
  assert.ok(before.length > 0);
  assert.deepEqual(await ids(), before);
});

test("a later release's checkpoint is refused, not forgotten", async () => {
  const { client } = await freshStore();
  const log = logOf(HISTORY);
  await runToEnd(client, log);
  await rewriteManifests(client, 999, '9.0.0');
  await assert.rejects(startRun(client, log).ended, { code: 'PODTRAIL_CHECKPOINT_FORMAT', message: /format 999 of podtrail 9\.0\.0/ });
});
