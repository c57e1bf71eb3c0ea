/** Goals 9 and 17: from the change log into chDB, beside inserting the bytes that come out of it; and what a stored observation takes on disk. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { ClickHouseClient } from '@clickhouse/client';
import { Registry } from 'prom-client';
import { changeLogConfig } from '../../../collector/change-log/config.ts';
import { type EmbeddedChangeLog, openEmbeddedChangeLog } from '../../../collector/change-log/embedded-change-log.ts';
import { processorConfig } from '../../../processor/config.ts';
import { createProcessor } from '../../../processor/processor.ts';
import { TABLE_NAMES } from '../../../sql/encode-row.ts';
import { openTestStore, select, type TestStore } from '../../helpers/clickhouse.ts';
import { silentLog } from '../../helpers/silent-log.ts';
import { type Cluster, FAILING, HEALTHY, recordedClusters } from '../fleet.ts';
import type { Goal } from '../goal.ts';
import { cpuSeconds, PAIRS, summarize } from '../measure.ts';

const CHECKPOINT_TABLES = ['checkpoint_chunks', 'checkpoint_manifests', 'checkpoint_partitions'];
const APPEND_RECORDS = 1_000;
/** A fifth of the default, so that the wait of the last rows for others counts for little in so short a run. */
const FLUSH_MS = 100;
/** Rows of one raw insert: beyond, the gain is small. */
const RAW_ROWS = 10_000;

async function withLog<T>(clusters: readonly Cluster[], work: (log: EmbeddedChangeLog) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'podtrail-bench-'));
  const config = changeLogConfig.parse({ kind: 'embedded', directory: join(directory, 'log') });
  assert.ok(config.kind === 'embedded');
  const log = await openEmbeddedChangeLog(config, { log: silentLog });
  try {
    for (const { records, bytes } of clusters) {
      const key = records[0]?.cluster.uid ?? '';
      for (let at = 0; at < bytes.length; at += APPEND_RECORDS) await log.writer.append(key, bytes.slice(at, at + APPEND_RECORDS));
    }
    return await work(log);
  } finally {
    await log.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function empty(client: ClickHouseClient): Promise<void> {
  for (const table of [...TABLE_NAMES, ...CHECKPOINT_TABLES]) await client.command({ query: `TRUNCATE TABLE ${table}` });
}

/** Processes the whole log into an empty store; seconds from the start to the last row stored. */
async function processLog(log: EmbeddedChangeLog, client: ClickHouseClient): Promise<number> {
  await empty(client);
  const startMs = performance.now();
  const processor = createProcessor(
    { config: processorConfig.parse({ flushIntervalMs: FLUSH_MS }), release: 'bench' },
    { reader: log.reader(), store: { client }, log: silentLog, registry: new Registry() },
  );
  const ended = processor.start();
  for (;;) {
    await Promise.race([delay(2), ended]);
    const { pendingRows, partitions } = processor.status();
    if (pendingRows === 0 && partitions[0]?.lagRecords === 0) break;
  }
  const seconds = (performance.now() - startMs) / 1_000;
  await processor.stop();
  await ended;
  return seconds;
}

/** The client, and all bytes that are inserted through it, by statement. */
function recordInserts(client: ClickHouseClient): { readonly client: ClickHouseClient; readonly inserts: ReadonlyMap<string, Buffer[]> } {
  const inserts = new Map<string, Buffer[]>();
  const exec: ClickHouseClient['exec'] = async (params: Parameters<ClickHouseClient['exec']>[0] & { readonly values?: Readable }) => {
    if (params.values === undefined) return client.exec(params);
    const bytes = Buffer.concat(await params.values.toArray());
    if (!CHECKPOINT_TABLES.some((table) => params.query.includes(table))) inserts.set(params.query, [...(inserts.get(params.query) ?? []), bytes]);
    return client.exec({ ...params, values: Readable.from([bytes], { objectMode: false }) });
  };
  return { client: Object.assign(Object.create(client), { exec }) as ClickHouseClient, inserts };
}

interface RawBlock {
  readonly query: string;
  readonly bytes: Buffer;
}

function blocksOf(inserts: ReadonlyMap<string, Buffer[]>): RawBlock[] {
  return [...inserts].flatMap(([query, parts]) => {
    const lines = Buffer.concat(parts).toString().split('\n').slice(0, -1);
    const blocks: RawBlock[] = [];
    for (let at = 0; at < lines.length; at += RAW_ROWS) blocks.push({ query, bytes: Buffer.from(`${lines.slice(at, at + RAW_ROWS).join('\n')}\n`) });
    return blocks;
  });
}

async function insertRaw(blocks: readonly RawBlock[], client: ClickHouseClient): Promise<number> {
  await empty(client);
  const startMs = performance.now();
  for (const { query, bytes } of blocks) {
    const { stream } = await client.exec({ query, values: Readable.from([bytes], { objectMode: false }) });
    for await (const _ of stream);
  }
  return (performance.now() - startMs) / 1_000;
}

/** Rows of every table, without those that another one replaces, and a hash of all of them. */
async function contents(client: ClickHouseClient): Promise<unknown> {
  const found: Record<string, unknown> = {};
  for (const table of TABLE_NAMES) found[table] = await select(client, `SELECT count() AS rows, groupBitXor(cityHash64(*)) AS hash FROM ${table} FINAL`);
  return found;
}

const COPIES = 12;

export const pipelineSpeed: Goal = {
  number: 9,
  title: 'pipeline from the change log into chDB, all rows stored, over inserting its bytes raw',
  async run() {
    const clusters = recordedClusters(HEALTHY, COPIES);
    const records = clusters.reduce((sum, { bytes }) => sum + bytes.length, 0);
    const store = await openTestStore();
    const { client } = store;
    return withLog(clusters, async (log) => {
      const recorded = recordInserts(client);
      await processLog(log, recorded.client);
      const wanted = await contents(client);
      const blocks = blocksOf(recorded.inserts);
      await insertRaw(blocks, client);
      assert.deepEqual(await contents(client), wanted, 'the raw bytes are the same rows');
      const rates: number[] = [];
      const ratios: number[] = [];
      const cpuRatios: number[] = [];
      for (let pair = 0; pair < PAIRS; pair += 1) {
        const before = cpuSeconds();
        const raw = await insertRaw(blocks, client);
        const between = cpuSeconds();
        const whole = await processLog(log, client);
        const after = cpuSeconds();
        assert.deepEqual(await contents(client), wanted);
        ratios.push(raw / whole);
        cpuRatios.push((between - before) / (after - between));
        rates.push(records / whole);
      }
      const rows = blocks.reduce((sum, { bytes }) => sum + bytes.toString().split('\n').length - 1, 0);
      return {
        figures: [
          { what: `records/s (${Math.round(summarize(rates).median / 1_000)} k/s)`, value: summarize(ratios), target: { above: 0.33 } },
          { what: 'CPU, raw over pipeline', value: summarize(cpuRatios), target: { above: 0.33 } },
        ],
        checked: `after every run the same rows in all tables as the raw bytes make, by hash; ${rows} rows of ${records} records`,
        scaled: `${records} recorded records of healthy rollouts instead of 10 M, from the embedded log; flush interval ${FLUSH_MS} ms; with the checkpoints that fall due`,
        profiled: () => processLog(log, client),
      };
    });
  },
};

const DISK_COPIES = 30;

interface Disk {
  readonly bytes: number;
  readonly rows: number;
}

async function diskOf({ client, database }: TestStore, tables: readonly string[]): Promise<Disk> {
  for (const table of tables) await client.command({ query: `OPTIMIZE TABLE ${table} FINAL` });
  const [found] = await select<{ bytes: string; rows: string }>(
    client,
    `SELECT sum(bytes_on_disk) AS bytes, sum(rows) AS rows FROM system.parts
     WHERE active AND database = {database:String} AND has({tables:Array(String)}, table)`,
    { database, tables },
  );
  return { bytes: Number(found?.bytes), rows: Number(found?.rows) };
}

export const disk: Goal = {
  number: 17,
  title: 'disk: bytes of a stored observation over those that the watch brought of it',
  async run() {
    const store = await openTestStore();
    const figures = [];
    const checks: string[] = [];
    for (const [what, recordings, large] of [
      ['pods of 12 KB, healthy rollouts', HEALTHY, true],
      ['pods as recorded, without managedFields, healthy rollouts', HEALTHY, false],
      ['pods as recorded, nothing but failures', FAILING, false],
    ] as const) {
      const clusters = recordedClusters(recordings, DISK_COPIES / (recordings === FAILING ? 6 : 1), large);
      const watched = clusters.map((each) => each.watched);
      const sum = (key: keyof Cluster['watched']): number => watched.reduce((total, each) => total + each[key], 0);
      await withLog(clusters, (log) => processLog(log, store.client));
      const pods = await diskOf(store, ['pod_changes']);
      const all = await diskOf(store, TABLE_NAMES);
      assert.ok(pods.rows > 0 && pods.rows < 2 * sum('podChanges'));
      const watchBytes = sum('podBytes') / sum('podChanges');
      const each = pods.bytes / pods.rows;
      figures.push({
        what: `${what}: ${each.toFixed(0)} B of ${watchBytes.toFixed(0)} B`,
        value: summarize([(each / watchBytes) * 150]),
        target: { below: 1 },
        unit: '/150',
      });
      figures.push({
        what: `${what}: all tables over all that was watched`,
        value: summarize([(all.bytes / sum('bytes')) * 150]),
        target: { below: 1 },
        unit: '/150',
      });
      checks.push(`${pods.rows} changes of pods stored of ${sum('podChanges')} watched`);
    }
    return {
      figures,
      checked: `after OPTIMIZE FINAL, by system.parts: ${checks.join('; ')}`,
      scaled: 'recorded namespaces many times over with uids and names of their own, instead of 10 M rows',
    };
  },
};
