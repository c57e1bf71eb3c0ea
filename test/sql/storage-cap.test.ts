import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { ClickHouseClient } from '@clickhouse/client';
import { encodeRow } from '../../sql/encode-row.ts';
import { insertRows } from '../../sql/insert-rows.ts';
import { enforceStorageCap } from '../../sql/storage-cap.ts';
import type { TestStore } from '../helpers/clickhouse.ts';
import { openTestStore, select, TEST_SERVER_URL } from '../helpers/clickhouse.ts';
import { historyOf } from '../helpers/history.ts';
import { createMemoryLog } from '../helpers/memory-log.ts';
import { runToEnd } from '../helpers/processor-run.ts';
import { event, podChange } from '../api/rows.ts';
import { createRememberingLog } from '../helpers/silent-log.ts';

const DAY_MS = 86_400_000;
const FIRST_DAY_MS = Date.parse('2026-01-28T12:00:00Z');
const SAVED = [{ cluster: 'a', version: 100n }];
const stores: TestStore[] = [];
after(async () => {
  for (const store of stores) await store.close();
});

/** Six days of pod changes, from 28 January to 2 February, and Events of both months, all of version 1 unless told otherwise. */
async function storeOfSixDays(versionOfDay: (day: number) => bigint = () => 1n): Promise<ClickHouseClient> {
  const store = await openTestStore();
  stores.push(store);
  for (let day = 0; day < 6; day++) {
    const timeMs = FIRST_DAY_MS + day * DAY_MS;
    const version = versionOfDay(day);
    await insertRows(store.client, 'pod_changes', [encodeRow('pod_changes', podChange({ cluster: 'a', observedTimeMs: timeMs, uid: `pod-${day}` }), version)]);
    await insertRows(store.client, 'events', [
      encodeRow('events', event({ cluster: 'a', firstTimeMs: timeMs, lastTimeMs: timeMs, uid: `event-${day}` }), version),
    ]);
  }
  return store.client;
}

const names = (dropped: readonly { readonly table: string; readonly partition: string }[]): string[] => dropped.map((d) => `${d.table} ${d.partition}`);

test('within the cap nothing goes', async () => {
  const client = await storeOfSixDays();
  const { dropped, beforeBytes, afterBytes } = await enforceStorageCap(client, 1024 ** 3, SAVED);
  assert.deepEqual(dropped, []);
  assert.equal(beforeBytes, afterBytes);
});

test('the oldest goes first, a month when its last day has come, and no more than is needed', async () => {
  const client = await storeOfSixDays();
  const { beforeBytes } = await enforceStorageCap(client, 1024 ** 3, SAVED);
  const first = await enforceStorageCap(client, beforeBytes - 1, SAVED);
  assert.deepEqual(names(first.dropped), ['pod_changes 20260128']);
  assert.ok(first.afterBytes < beforeBytes);
  const rest = await enforceStorageCap(client, 1, SAVED);
  assert.deepEqual(names(rest.dropped), ['pod_changes 20260129', 'pod_changes 20260130', 'pod_changes 20260131', 'events 202601', 'pod_changes 20260201']);
});

test('the newest partition of a table stays, whatever the cap', async () => {
  const client = await storeOfSixDays();
  const { afterBytes } = await enforceStorageCap(client, 1, SAVED);
  assert.ok(afterBytes > 1);
  assert.deepEqual(await select(client, 'SELECT uid FROM pod_changes FINAL'), [{ uid: 'pod-5' }]);
  assert.deepEqual(await select(client, 'SELECT uid FROM events FINAL ORDER BY uid'), [{ uid: 'event-4' }, { uid: 'event-5' }]);
  assert.deepEqual((await enforceStorageCap(client, 1, SAVED)).dropped, [], 'again: nothing left');
});

test('rows that no checkpoint covers keep their partition; the next oldest goes instead', async () => {
  const client = await storeOfSixDays((day) => (day === 0 ? 101n : 100n));
  const { dropped } = await enforceStorageCap(client, 1, SAVED);
  assert.deepEqual(names(dropped), ['pod_changes 20260129', 'pod_changes 20260130', 'pod_changes 20260131', 'pod_changes 20260201']);
});

test('rows of a cluster that has no checkpoint keep theirs', async () => {
  const client = await storeOfSixDays();
  assert.deepEqual((await enforceStorageCap(client, 1, [{ cluster: 'b', version: 100n }])).dropped, []);
});

test('the processor keeps the cap after a checkpoint, warns, and goes on', { skip: TEST_SERVER_URL !== undefined && 'a server has no cap' }, async () => {
  const store = await openTestStore();
  stores.push(store);
  const one = { uid: 'uid-one', name: 'one' };
  const past = { ...podChange({ cluster: 'one', observedTimeMs: FIRST_DAY_MS - 90 * DAY_MS, uid: 'old' }) };
  await insertRows(store.client, 'pod_changes', [encodeRow('pod_changes', past, 1n)]);
  const { log, lines } = createRememberingLog();
  const records = createMemoryLog();
  for (const record of historyOf(one, 2)) records.append(record);
  await runToEnd(store.client, records, { log, maxStoreBytes: 1, config: { cleanupIntervalSeconds: 0, checkpointRecords: 40 } });
  const warned = lines.filter(({ msg }) => msg === 'store is over its cap, its oldest data is dropped');
  assert.deepEqual(
    warned.map(({ table, partition, level }) => [table, partition, level]),
    [['pod_changes', '20251030', 40]],
  );
  assert.ok(lines.some(({ msg }) => msg === 'store is over its cap, and nothing more may be dropped'));
  assert.ok((await select(store.client, "SELECT uid FROM pod_changes FINAL WHERE uid != 'old'")).length > 0);
});
