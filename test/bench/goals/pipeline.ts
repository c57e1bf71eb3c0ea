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
import { type Goal, isMet } from '../goal.ts';
import { cpuSeconds, PAIRS, summarize } from '../measure.ts';
import { largestCosts } from '../profile.ts';

const CHECKPOINT_TABLES = ['checkpoint_chunks', 'checkpoint_manifests', 'checkpoint_partitions'];
const APPEND_RECORDS = 1_000;
/** Rows of one raw insert: beyond, the gain is small. */
const RAW_ROWS = 10_000;

interface Filled {
  readonly log: EmbeddedChangeLog;
  readonly records: number;
  readonly watched: Cluster['watched'];
}

/** A log of the recordings. Of the records nothing is kept beside it: a heap of them would cost every collection of garbage. */
async function withLog<T>(recordings: readonly string[], copies: number, work: (filled: Filled) => Promise<T>, large = false): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'podtrail-bench-'));
  const config = changeLogConfig.parse({ kind: 'embedded', directory: join(directory, 'log') });
  assert.ok(config.kind === 'embedded');
  const log = await openEmbeddedChangeLog(config, { log: silentLog });
  let records = 0;
  let watched: Cluster['watched'] = { podChanges: 0, podBytes: 0, bytes: 0 };
  try {
    for (const recording of recordings) {
      for (const cluster of recordedClusters([recording], copies, large)) {
        const key = cluster.records[0]?.cluster.uid ?? '';
        for (let at = 0; at < cluster.bytes.length; at += APPEND_RECORDS) await log.writer.append(key, cluster.bytes.slice(at, at + APPEND_RECORDS));
        records += cluster.bytes.length;
        watched = sumOf(watched, cluster.watched);
      }
    }
    globalThis.gc?.();
    return await work({ log, records, watched });
  } finally {
    await log.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

const sumOf = (a: Cluster['watched'], b: Cluster['watched']): Cluster['watched'] => ({
  podChanges: a.podChanges + b.podChanges,
  podBytes: a.podBytes + b.podBytes,
  bytes: a.bytes + b.bytes,
});

async function empty(client: ClickHouseClient): Promise<void> {
  for (const table of [...TABLE_NAMES, ...CHECKPOINT_TABLES]) await client.command({ query: `TRUNCATE TABLE ${table}` });
}

/** Processes the whole log into an empty store; seconds from the start to the last row stored. */
async function processLog(log: EmbeddedChangeLog, client: ClickHouseClient): Promise<number> {
  await empty(client);
  const startMs = performance.now();
  const processor = createProcessor(
    { config: processorConfig.parse({}), release: 'bench' },
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
function recordInserts(client: ClickHouseClient): { readonly client: ClickHouseClient; readonly inserts: Map<string, Buffer[]> } {
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
  readonly rows: number;
  readonly bytes: Buffer;
}

function blocksOf(inserts: ReadonlyMap<string, Buffer[]>): RawBlock[] {
  return [...inserts].flatMap(([query, parts]) => {
    const lines = Buffer.concat(parts).toString().split('\n').slice(0, -1);
    const blocks: RawBlock[] = [];
    for (let at = 0; at < lines.length; at += RAW_ROWS) {
      const block = lines.slice(at, at + RAW_ROWS);
      blocks.push({ query, rows: block.length, bytes: Buffer.from(`${block.join('\n')}\n`) });
    }
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

const COPIES = 60;

export const pipelineSpeed: Goal = {
  number: 9,
  title: 'pipeline from the change log into chDB, all rows stored, over inserting its bytes raw',
  async run() {
    const { client } = await openTestStore();
    return withLog(HEALTHY, COPIES, async ({ log, records }) => {
      const recorded = recordInserts(client);
      await processLog(log, recorded.client);
      const wanted = await contents(client);
      const blocks = blocksOf(recorded.inserts);
      recorded.inserts.clear();
      await processLog(log, client); // V8 compiles the core as it is used: the first pass costs three times the third
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
      const rows = blocks.reduce((sum, block) => sum + block.rows, 0);
      const figures = [
        { what: `records/s (${Math.round(summarize(rates).median / 1_000)} k/s)`, value: summarize(ratios), target: { above: 0.33 } },
        { what: 'CPU, raw over pipeline', value: summarize(cpuRatios), target: { above: 0.33 } },
      ];
      return {
        figures,
        checked: `after every run the same rows in all tables as the raw bytes make, by hash; ${rows} rows of ${records} records`,
        scaled: `${records} recorded records of healthy rollouts instead of 10 M, from the embedded log; with the default configuration and the checkpoints that fall due`,
        costs: figures.every(isMet) ? [] : await largestCosts(() => processLog(log, client)),
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
      const copies = DISK_COPIES / (recordings === FAILING ? 6 : 1);
      const watched = await withLog(
        recordings,
        copies,
        async (filled) => {
          await processLog(filled.log, store.client);
          return filled.watched;
        },
        large,
      );
      const pods = await diskOf(store, ['pod_changes']);
      const all = await diskOf(store, TABLE_NAMES);
      assert.ok(pods.rows > 0 && pods.rows < 2 * watched.podChanges);
      const watchBytes = watched.podBytes / watched.podChanges;
      const each = pods.bytes / pods.rows;
      figures.push({
        what: `${what}: ${each.toFixed(0)} B of ${watchBytes.toFixed(0)} B`,
        value: summarize([(each / watchBytes) * 150]),
        target: { below: 1 },
        unit: '/150',
      });
      figures.push({
        what: `${what}: all tables over all that was watched`,
        value: summarize([(all.bytes / watched.bytes) * 150]),
        target: { below: 1 },
        unit: '/150',
      });
      checks.push(`${pods.rows} changes of pods stored of ${watched.podChanges} watched`);
    }
    return {
      figures,
      checked: `after OPTIMIZE FINAL, by system.parts: ${checks.join('; ')}`,
      scaled: 'recorded namespaces many times over with uids and names of their own, instead of 10 M rows',
    };
  },
};
