/** What an operator settles by hand: a name with another uid, a cluster that is to be forgotten, records that could not be read once. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import type { ChangeRecord, ClusterRef } from '../../collector/change-record.ts';
import { SCHEMA_VERSION } from '../../collector/change-record.ts';
import { forgetCluster, replaceCluster } from '../../deploy/commands/cluster.ts';
import { buildProgram, FAMILIES } from '../../deploy/main.ts';
import { insertRows } from '../../sql/insert-rows.ts';
import { encodeRow, TABLE_NAMES } from '../../sql/encode-row.ts';
import { select, testStores } from '../helpers/clickhouse.ts';
import { historyOf } from '../helpers/history.ts';
import { readLogDirectory } from '../helpers/log-oracle.ts';
import { createMemoryLog, type MemoryLog } from '../helpers/memory-log.ts';
import { allRows, assertSameRows, runToEnd } from '../helpers/processor-run.ts';
import { tempFolder } from '../helpers/temp-folder.ts';

const ONE: ClusterRef = { uid: 'uid-one', name: 'one' };
const TWO: ClusterRef = { uid: 'uid-two', name: 'two' };
const REBUILT: ClusterRef = { uid: 'uid-rebuilt', name: 'one' };
const freshStore = testStores();

function append(log: MemoryLog, records: readonly ChangeRecord[]): void {
  for (const record of records) log.append(record);
}

/** The same story, told by another cluster some hours later. */
function later(cluster: ClusterRef): ChangeRecord[] {
  return historyOf(cluster, 2).map((record) => ({ ...record, run: `run-${cluster.uid}`, t: record.t + 7_200_000 }));
}

test('a name that is replaced takes the new cluster, keeps the history, and refuses the old cluster', async () => {
  const { client } = await freshStore();
  const log = createMemoryLog();
  append(log, historyOf(ONE, 2));
  append(log, historyOf(TWO, 1));
  await runToEnd(client, log);
  const before = await select(client, "SELECT uid, version FROM pod_changes FINAL WHERE cluster = 'one' ORDER BY ALL");
  const others = await select(client, "SELECT * FROM incidents FINAL WHERE cluster = 'two'");

  await assert.rejects(replaceCluster(client, 'none', 'x'), { exitCode: 2, message: /there is no cluster none/ });
  await assert.rejects(replaceCluster(client, 'one', ONE.uid), { exitCode: 2, message: /already/ });
  await assert.rejects(replaceCluster(client, 'one', TWO.uid), { exitCode: 2, message: /is known as two: run `podtrail cluster forget two` first/ });
  await replaceCluster(client, 'one', REBUILT.uid);

  append(log, later(REBUILT));
  append(log, historyOf(ONE, 1).slice(0, 3));
  const run = await runToEnd(client, log);
  assert.equal(await run.records('identity'), 3, 'the old cluster is refused');
  assert.equal(await run.records('applied'), later(REBUILT).length, 'nothing is read again, and all of the new cluster is taken');
  const after = await select<{ version: string }>(client, "SELECT uid, version FROM pod_changes FINAL WHERE cluster = 'one' ORDER BY ALL");
  const isOld = ({ version }: { readonly version: string }): boolean => BigInt(version) >> 40n === 1n;
  assert.deepEqual(after.filter(isOld), before);
  assert.ok(after.length > before.length);
  assert.deepEqual(await select(client, 'SELECT cluster, cluster_uid FROM clusters FINAL ORDER BY cluster'), [
    { cluster: 'one', cluster_uid: REBUILT.uid },
    { cluster: 'two', cluster_uid: TWO.uid },
  ]);
  assert.deepEqual(await select(client, "SELECT * FROM incidents FINAL WHERE cluster = 'two'"), others);
});

test('a cluster that is forgotten leaves nothing, others keep all, and it may come back as a new one', async () => {
  const { client } = await freshStore();
  const log = createMemoryLog();
  append(log, historyOf(ONE, 2));
  append(log, historyOf(TWO, 1));
  await runToEnd(client, log);
  const only = await freshStore();
  const alone = createMemoryLog();
  append(alone, historyOf(TWO, 1));
  await runToEnd(only.client, alone);

  await assert.rejects(forgetCluster(client, 'none'), { exitCode: 2 });
  await forgetCluster(client, 'one');
  assertSameRows(await allRows(client), await allRows(only.client));
  for (const table of ['checkpoint_manifests', 'checkpoint_chunks']) {
    assert.deepEqual(await select(client, 'SELECT DISTINCT cluster_uid FROM {table:Identifier}', { table }), [{ cluster_uid: TWO.uid }], table);
  }

  append(log, later(REBUILT));
  const run = await runToEnd(client, log);
  assert.equal(await run.records('applied'), later(REBUILT).length);
  for (const table of TABLE_NAMES.filter((name) => name === 'pod_changes' || name === 'incidents')) {
    assert.ok((await select(client, "SELECT 1 FROM {table:Identifier} WHERE cluster = 'one'", { table })).length > 0, table);
  }
});

test('dead letters that this release can read go to the log again, the others stay, each with the reason', async () => {
  const { client, config } = await freshStore();
  const folder = tempFolder();
  const record = { v: SCHEMA_VERSION, cluster: ONE, run: 'r', t: 1, type: 'HEARTBEAT', sessions: [] };
  const whole = JSON.stringify({ ...record, later: 'a field that an older release refused' });
  const payloads: readonly (readonly [code: string, payload: string])[] = [
    ['unknown_version', whole],
    ['unknown_version', JSON.stringify({ ...record, v: 99 })],
    ['not_json', whole.slice(0, 40)],
    ['cluster_identity', ''],
  ];
  const place = { log: 'kafka:x/y', partition: 3, part: 'record', cluster: 'one', timeMs: Date.now() - 60_000, reason: 'some' };
  await insertRows(
    client,
    'dead_letters',
    payloads.map(([code, payload], i) => encodeRow('dead_letters', { ...place, offset: BigInt(i), code, payload }, 1n)),
  );
  const directory = join(folder.path, 'log');
  const file = folder.write(
    'podtrail.json',
    JSON.stringify({
      changeLog: { kind: 'embedded', directory },
      store: { database: config.database, ...(config.url === undefined ? { directory: config.directory } : { url: config.url }) },
    }),
  );
  let code: number | undefined;
  const family = FAMILIES.filter(({ commands }) => commands.includes('dead-letters'));
  const run = async (...flags: string[]): Promise<void> => {
    const program = await buildProgram((exitCode) => {
      code = exitCode;
    }, family);
    await program.parseAsync(['node', 'podtrail', 'dead-letters', 'replay', '--config', file, ...flags]);
  };
  await run('--since', '1s');
  assert.equal(code, 0, 'none is so young');
  await run('--dry-run');
  await run();
  assert.equal(code, 1, 'some are left');
  const records = readLogDirectory(directory);
  assert.deepEqual(
    records.map(({ key, value }) => [key, Buffer.from(value).toString()]),
    [[ONE.uid, whole]],
  );
});
