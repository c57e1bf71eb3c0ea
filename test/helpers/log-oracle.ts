/** The change log as it stands, replayed in memory without a disturbance, against what processors made of it in a store. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ClickHouseClient } from '@clickhouse/client';
import type { LogRecord } from '../../collector/change-log/change-log.ts';
import { readFrame } from '../../collector/change-log/segment.ts';
import { type ChangeRecord, decodeChangeRecord } from '../../collector/change-record.ts';
import { createReplay, type Replay } from '../../processor/replay.ts';
import { readManifests, readPartitions } from '../../sql/checkpoints.ts';
import { openClickHouse } from '../../sql/client.ts';
import type { StoreConfig } from '../../sql/config.ts';
import { encodeRow, TABLE_NAMES } from '../../sql/encode-row.ts';
import { insertRows, MAX_INSERT_ROWS } from '../../sql/insert-rows.ts';
import { migrate } from '../../sql/migrate.ts';
import { allRows, assertSameRows, withoutVersion } from './processor-run.ts';

/** The records of an embedded log that no process has open, read without touching it; fails on a hole, or on damage but at the very end. */
export function readLogDirectory(directory: string): LogRecord[] {
  const records: LogRecord[] = [];
  const files = readdirSync(directory)
    .filter((name) => name.endsWith('.log'))
    .sort();
  for (const file of files) {
    const buffer = readFileSync(join(directory, file));
    let at = 0;
    while (at < buffer.length) {
      const found = readFrame(buffer, at);
      if (found.kind !== 'frame') {
        assert.equal(file, files.at(-1), `${file} is damaged at byte ${at}`);
        break;
      }
      const { record } = found;
      if (records.length > 0) assert.equal(record.offset, (records.at(-1)?.offset ?? 0n) + 1n, 'the log has a hole');
      records.push(record);
      at = found.end;
    }
  }
  return records;
}

/** Partitions of a log: what is in each, in order. */
export type LogContents = ReadonlyMap<number, readonly LogRecord[]>;

/**
 * Compares every table in the store with the rows of one undisturbed replay of the records that are checkpointed, and the number of
 * records that each cluster counted with what is in the log. Positions of dead letters aside. Returns the replay, gone on to the log's end.
 */
export async function assertStoreIsReplay(client: ClickHouseClient, config: StoreConfig, log: LogContents): Promise<Replay> {
  const replay = createReplay();
  const counts = new Map<string, number>();
  const next = new Map((await readPartitions(client)).map(({ partition, nextOffset }) => [partition, nextOffset]));
  const left: ChangeRecord[] = [];
  for (const [partition, records] of log) {
    for (const { offset, value } of records) {
      const decoded = decodeChangeRecord(value);
      assert.ok(decoded.ok, `record ${offset} is none`);
      const { record } = decoded;
      if (offset < (next.get(partition) ?? 0n)) {
        replay.push(record);
        counts.set(record.cluster.uid, (counts.get(record.cluster.uid) ?? 0) + 1);
      } else left.push(record);
    }
  }
  assert.ok(counts.size > 0, 'nothing was checkpointed');
  for (const [uid, count] of counts) {
    const [newest] = await readManifests(client, [uid]);
    assert.deepEqual([newest?.generation, newest?.count], [1, count], 'generation and records counted, by the newest checkpoint');
  }
  const oracle = await openClickHouse({ ...config, database: `${config.database}_oracle` });
  try {
    await migrate(oracle.client, { database: `${config.database}_oracle`, retention: config.retention });
    for (const table of TABLE_NAMES) {
      const lines = replay.rows(table).map((row) => encodeRow(table, row as never, 0n));
      for (let at = 0; at < lines.length; at += MAX_INSERT_ROWS) await insertRows(oracle.client, table, lines.slice(at, at + MAX_INSERT_ROWS));
    }
    const view = (row: string): string => withoutVersion(row).replace(/"log":"[^"]*","partition":\d+,"offset":"\d+","part":"[^"]*"/, '');
    assertSameRows(await allRows(client), await allRows(oracle.client), view);
  } finally {
    await oracle.close();
  }
  for (const record of left) replay.push(record);
  return replay;
}
