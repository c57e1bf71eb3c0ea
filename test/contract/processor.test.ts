import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { ChangeRecord, ClusterRef } from '../../collector/change-record.ts';
import { createReplay } from '../../processor/replay.ts';
import { TABLE_NAMES } from '../../sql/encode-row.ts';
import { readManifests, readPartitions } from '../../sql/checkpoints.ts';
import { select, testStores } from '../helpers/clickhouse.ts';
import { historyOf, interleave } from '../helpers/history.ts';
import type { MemoryLog } from '../helpers/memory-log.ts';
import { createMemoryLog, SimulatedCrash } from '../helpers/memory-log.ts';
import type { Rows } from '../helpers/processor-run.ts';
import { allRows, assertSameRows, runToEnd, startRun, withoutVersion } from '../helpers/processor-run.ts';
import { createRememberingLog } from '../helpers/silent-log.ts';

const ONE: ClusterRef = { uid: 'uid-one', name: 'one' };
const TWO: ClusterRef = { uid: 'uid-two', name: 'two' };
const HISTORY = interleave(historyOf(ONE, 3), historyOf(TWO, 2));
const freshStore = testStores();
let undisturbed: Rows;

function logOf(records: readonly ChangeRecord[], id?: string): MemoryLog {
  const log = createMemoryLog(1, id);
  for (const record of records) log.append(record);
  return log;
}

before(async () => {
  const store = await freshStore();
  await runToEnd(store.client, logOf(HISTORY), { batchSize: 1_000 });
  undisturbed = await allRows(store.client);
});

test('what is stored is what the core makes of the log in memory', () => {
  const replay = createReplay();
  for (const record of HISTORY) replay.push(record);
  assert.ok(replay.incidents().length >= 2, 'the history has incidents');
  for (const table of TABLE_NAMES) {
    assert.equal(undisturbed[table]?.length, replay.rows(table).length, table);
  }
  const ids = undisturbed['incidents']?.map((row) => JSON.parse(row).id as string).sort();
  assert.deepEqual(
    ids,
    replay
      .incidents()
      .map(({ id }) => id)
      .sort(),
  );
});

for (const batchSize of [1, 7, 64]) {
  test(`batches of ${batchSize} give the same rows`, async () => {
    const { client } = await freshStore();
    await runToEnd(client, logOf(HISTORY), { batchSize });
    assertSameRows(await allRows(client), undisturbed);
  });
}

test('crashes in the middle, each followed by a restart from the checkpoint, give the same rows', async () => {
  const { client } = await freshStore();
  const log = logOf(HISTORY);
  let crashes = 0;
  for (const lives of [2, 5, 1, 9, 3, 13, 4, 20, 6]) {
    let batches = 0;
    const before = (): void => {
      if (++batches > lives) throw new SimulatedCrash();
    };
    const run = startRun(client, log, { batchSize: 13, before, config: { checkpointRecords: 25 } });
    const outcome = await Promise.race([run.ended.catch((error: unknown) => error), run.reader.caughtUp().catch((error: unknown) => error)]);
    if (outcome instanceof SimulatedCrash) crashes++;
    else await run.processor.stop();
  }
  assert.ok(crashes >= 5, `${crashes} crashes`);
  await runToEnd(client, log);
  assertSameRows(await allRows(client), undisturbed);
});

test('after a clean stop nothing is applied again, and the commit is at the end', async () => {
  const { client } = await freshStore();
  const log = logOf(HISTORY);
  const first = await runToEnd(client, log);
  assert.equal(await first.records('applied'), HISTORY.length);
  const second = await runToEnd(client, log);
  assert.equal(await second.records('applied'), 0);
  const [partition] = await readPartitions(client);
  assert.equal(partition?.nextOffset, BigInt(HISTORY.length));
  assertSameRows(await allRows(client), undisturbed);
});

test('nothing is committed before it is in a checkpoint', async () => {
  const { client } = await freshStore();
  const log = logOf(HISTORY);
  const run = startRun(client, log, { batchSize: 10, config: { checkpointRecords: 1e9, checkpointIntervalSeconds: 3_600 } });
  await run.reader.caughtUp();
  assert.equal(log.committed(0), 0n, 'only the beginning, which the first assignment stored');
  const counts = async (): Promise<number[]> => (await readManifests(client, [ONE.uid, TWO.uid])).map(({ count }) => count);
  assert.deepEqual(await counts(), [0, 0], 'only their beginnings');
  await run.processor.stop();
  const records = [ONE, TWO].map(({ uid }) => HISTORY.filter((record) => record.cluster.uid === uid).length);
  assert.deepEqual(await counts(), [records[0], 0, records[1], 0]);
});

test('two processors on one partition, one of which does not know that it lost it, give the same rows', async () => {
  const { client } = await freshStore();
  const log = logOf(HISTORY);
  const runs = [3, 17].map((batchSize) => startRun(client, log, { batchSize, config: { checkpointRecords: 15 } }));
  for (const run of runs) await run.reader.caughtUp();
  for (const run of runs) await run.processor.stop();
  assertSameRows(await allRows(client), undisturbed);
  const again = await runToEnd(client, log);
  assert.equal(await again.records('applied'), 0);
});

test('a checkpoint whose chunk is gone is passed over for the one before, with the same rows', async () => {
  const { client } = await freshStore();
  const log = logOf(HISTORY);
  const { log: logger, lines } = createRememberingLog();
  await runToEnd(client, log, { batchSize: 20, config: { checkpointRecords: 50 } });
  const [newest] = await readManifests(client, [ONE.uid]);
  await client.command({ query: 'DELETE FROM checkpoint_chunks WHERE chunk_id = {id:String}', query_params: { id: newest?.chunks.at(-1)?.id } });
  const run = await runToEnd(client, log, { log: logger });
  assert.ok((await run.records('applied')) > 0);
  assert.ok(lines.some(({ msg, cluster }) => msg === 'checkpoint is damaged, passing it over' && cluster === 'one'));
  assertSameRows(await allRows(client), undisturbed);
});

test('a cluster that lost all its checkpoints is read again from the beginning, in a new generation', async () => {
  const { client } = await freshStore();
  const log = logOf(HISTORY);
  await runToEnd(client, log);
  await client.command({ query: 'DELETE FROM checkpoint_manifests WHERE cluster_uid = {uid:String}', query_params: { uid: ONE.uid } });
  const run = await runToEnd(client, log);
  assert.equal(await run.records('applied'), historyOf(ONE, 3).length);
  assertSameRows(await allRows(client), undisturbed, withoutVersion);
  const generations = await select(client, 'SELECT cluster, max(bitShiftRight(version, 40)) AS generation FROM pod_changes GROUP BY cluster ORDER BY cluster');
  assert.deepEqual(generations, [
    { cluster: 'one', generation: '2' },
    { cluster: 'two', generation: '1' },
  ]);
});

test('without any checkpoint, open incidents that do not come back are ended as unknown', async () => {
  const { client } = await freshStore();
  await runToEnd(client, logOf(HISTORY));
  const open = "SELECT id FROM incidents FINAL WHERE state != 'resolved' AND cluster = 'one' ORDER BY id";
  const before = await select(client, open);
  assert.ok(before.length > 0, 'the history leaves incidents open');
  for (const table of ['checkpoint_manifests', 'checkpoint_chunks', 'checkpoint_partitions']) {
    await client.command({ query: 'TRUNCATE TABLE {table:Identifier}', query_params: { table } });
  }
  // The cluster as it was at first, all pods well, and then heartbeats only: 14 minutes of them, and two more.
  const start = historyOf(ONE, 1);
  const heartbeat = start.find(({ type }) => type === 'HEARTBEAT') as ChangeRecord;
  const beats = (minutes: number, from: number): ChangeRecord[] =>
    Array.from({ length: minutes * 12 }, (_, i) => ({ ...heartbeat, t: heartbeat.t + from * 60_000 + (i + 1) * 5_000 }));
  const log = logOf([...start.slice(0, start.indexOf(heartbeat) + 1), ...beats(14, 0)], 'memory:other');
  await runToEnd(client, log);
  assert.deepEqual(await select(client, open), before, 'not yet: a grace of ten minutes may still be running');
  for (const record of beats(17, 14)) log.append(record);
  await runToEnd(client, log);
  assert.deepEqual(await select(client, open), []);
  const ended = await select(client, "SELECT id FROM incidents FINAL WHERE resolution = 'unknown' ORDER BY id");
  assert.deepEqual(ended, before);
});

test('what is no record goes to the dead letters with its place and reason, and the rest goes on', async () => {
  const { client } = await freshStore();
  const log = createMemoryLog();
  log.append(Buffer.from('{'), { key: 'nobody' });
  for (const record of historyOf(ONE, 1)) log.append(record);
  const misplaced = log.append(historyOf(TWO, 1)[0] as ChangeRecord, { key: ONE.uid });
  const future = log.append(Buffer.from(JSON.stringify({ v: 99 })), { key: ONE.uid });
  const run = await runToEnd(client, log);
  assert.equal(await run.records('invalid'), 2);
  assert.equal(await run.records('misplaced'), 1);
  const letters = await select(client, "SELECT log, partition, offset, part, cluster, code, payload != '' AS shown FROM dead_letters FINAL ORDER BY offset");
  const letter = (offset: bigint, cluster: string, code: string) => ({
    log: 'memory:1',
    partition: 0,
    offset: String(offset),
    part: 'record',
    cluster,
    code,
    shown: 1,
  });
  assert.deepEqual(letters, [letter(0n, '', 'not_json'), letter(misplaced, 'one', 'key_mismatch'), letter(future, 'one', 'unknown_version')]);
  assert.ok((await select(client, "SELECT id FROM incidents FINAL WHERE cluster = 'one'")).length > 0);
});

test('a second cluster under a name that is taken is refused, and the first is not touched', async () => {
  const { client } = await freshStore();
  const log = logOf(historyOf(ONE, 1));
  await runToEnd(client, log);
  const rows = await allRows(client);
  const impostor = historyOf({ uid: 'uid-other', name: 'one' }, 1);
  const renamed = historyOf({ uid: ONE.uid, name: 'renamed' }, 1);
  for (const record of [...impostor.slice(0, 3), ...renamed.slice(0, 2)]) log.append(record);
  const run = await runToEnd(client, log);
  assert.equal(await run.records('identity'), 5);
  const after = await allRows(client);
  assert.equal(after['dead_letters']?.length, 5);
  assert.match(String(after['dead_letters']?.[0]), /podtrail cluster forget/);
  assertSameRows({ ...after, dead_letters: [] }, rows);
});

test('records that the log no longer has are reported, and reading goes on at the earliest', async () => {
  const { client } = await freshStore();
  const log = logOf(HISTORY.slice(0, 100));
  await runToEnd(client, log);
  for (const record of HISTORY.slice(100)) log.append(record);
  log.trim(0, 160n);
  const { log: logger, lines } = createRememberingLog();
  const run = await runToEnd(client, log, { log: logger });
  assert.equal(await run.records('applied'), HISTORY.length - 160);
  const gap = lines.find(({ msg }) => String(msg).startsWith('records are gone from the log'));
  assert.deepEqual([gap?.['wanted'], gap?.['earliest'], gap?.['level']], ['100', '160', 50]);
  const blind = await select(
    client,
    "SELECT from_time, to_time FROM coverage FINAL WHERE cluster = 'one' AND resource = 'pods' ORDER BY from_time DESC LIMIT 1",
  );
  assert.deepEqual(blind, [{ from_time: '2026-01-15T12:02:35.000Z', to_time: '2026-01-15T12:17:22.000Z' }], 'until the next full list');
});

test('the lag is of the log as it is now, whatever is in hand: a processor that stands still falls behind', async () => {
  const log = logOf(HISTORY);
  const store = await freshStore();
  const run = startRun(store.client, log, { batchSize: 0 }); // assigned, and then handed nothing
  while ((await run.lag()) === undefined) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(await run.lag(), HISTORY.length);
  log.append(HISTORY.at(-1) as ChangeRecord);
  assert.equal(await run.lag(), HISTORY.length + 1);
  await run.processor.stop();
});

test('status names partitions and clusters with their lag', async () => {
  const { client } = await freshStore();
  const log = logOf(HISTORY);
  const run = startRun(client, log);
  await run.reader.caughtUp();
  const { partitions, clusters } = run.processor.status();
  assert.deepEqual(
    partitions.map(({ partition, nextOffset, lagRecords }) => ({ partition, nextOffset, lagRecords })),
    [{ partition: 0, nextOffset: BigInt(HISTORY.length), lagRecords: 0 }],
  );
  assert.deepEqual(
    clusters.map(({ cluster, clusterUid, generation }) => ({ cluster, clusterUid, generation })),
    [
      { cluster: 'one', clusterUid: 'uid-one', generation: 1 },
      { cluster: 'two', clusterUid: 'uid-two', generation: 1 },
    ],
  );
  assert.ok(clusters.every(({ openIncidents }) => openIncidents > 0));
  await run.processor.stop();
  assert.deepEqual(run.processor.status(), { pendingRows: 0, partitions: [], clusters: [] });
});

test('several partitions keep their clusters and their commits apart', async () => {
  const { client } = await freshStore();
  const log = createMemoryLog(2);
  for (const record of historyOf(ONE, 3)) log.append(record, { partition: 0 });
  for (const record of historyOf(TWO, 2)) log.append(record, { partition: 1 });
  const runs = [[0], [1]].map((partitions) => startRun(client, log, { partitions }));
  for (const run of runs) await run.reader.caughtUp();
  for (const run of runs) await run.processor.stop();
  // A rebalance: one processor takes both.
  const both = await runToEnd(client, log);
  assert.equal(await both.records('applied'), 0);
  assertSameRows(await allRows(client), undisturbed);
});
