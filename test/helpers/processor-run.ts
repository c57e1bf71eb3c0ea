/** Runs processors over a log in memory and a real store, and reads back what they stored. */
import assert from 'node:assert/strict';
import type { ClickHouseClient } from '@clickhouse/client';
import { Registry } from 'prom-client';
import type { ProcessorConfig } from '../../processor/config.ts';
import { processorConfig } from '../../processor/config.ts';
import type { Processor } from '../../processor/processor.ts';
import { createProcessor } from '../../processor/processor.ts';
import { TABLE_NAMES } from '../../sql/encode-row.ts';
import type { TableName } from '../../sql/rows.ts';
import { select } from './clickhouse.ts';
import type { MemoryLog, MemoryReader, ReaderOptions } from './memory-log.ts';
import { silentLog } from './silent-log.ts';

export interface RunOptions extends ReaderOptions {
  readonly config?: Partial<ProcessorConfig>;
  readonly newLog?: boolean;
  readonly maxStoreBytes?: number;
  readonly release?: string;
  readonly log?: typeof silentLog;
}

export interface Run {
  readonly processor: Processor;
  readonly reader: MemoryReader;
  /** Settles as start() does. */
  readonly ended: Promise<void>;
  /** Value of podtrail_processor_lag_records, of the first partition. */
  lag(): Promise<number | undefined>;
  /** Value of podtrail_processor_records_total. */
  records(outcome: string): Promise<number>;
}

/** Starts a processor; short intervals, and a checkpoint every 40 records unless told otherwise. */
export function startRun(client: ClickHouseClient, log: MemoryLog, options: RunOptions = {}): Run {
  const reader = log.reader(options);
  const registry = new Registry();
  const defaults = processorConfig.parse({});
  const config = { ...defaults, flushIntervalMs: 10, checkpointRecords: 40, stopSeconds: 10, ...options.config };
  const { newLog = false, release = '0.1.0' } = options;
  const processor = createProcessor(
    { config, release, newLog },
    { reader, store: { client, maxBytes: options.maxStoreBytes }, log: options.log ?? silentLog, registry },
  );
  const ended = processor.start();
  ended.catch(() => undefined);
  return {
    processor,
    reader,
    ended,
    async lag() {
      const metric = await registry.getSingleMetric('podtrail_processor_lag_records')?.get();
      return metric?.values[0]?.value;
    },
    async records(outcome) {
      const metric = await registry.getSingleMetric('podtrail_processor_records_total')?.get();
      return metric?.values.find(({ labels }) => labels['outcome'] === outcome)?.value ?? 0;
    },
  };
}

/** Runs until everything in the log is applied, then stops cleanly. */
export async function runToEnd(client: ClickHouseClient, log: MemoryLog, options: RunOptions = {}): Promise<Run> {
  const run = startRun(client, log, options);
  await run.reader.caughtUp();
  await run.processor.stop();
  await run.ended;
  return run;
}

export type Rows = Readonly<Record<TableName, readonly string[]>>;

/** Every row of every table as it stands, sorted. */
export async function allRows(client: ClickHouseClient): Promise<Rows> {
  const rows: Partial<Record<TableName, string[]>> = {};
  for (const table of TABLE_NAMES) {
    const found = await select(client, 'SELECT * FROM {table:Identifier} FINAL', { table });
    rows[table] = found.map((row) => JSON.stringify(row)).sort();
  }
  return rows as Rows;
}

/** Fails on the first row that differs, by `view` of it, and shows no more than that one. */
export function assertSameRows(actual: Rows, expected: Rows, view: (row: string) => string = (row) => row): void {
  for (const table of TABLE_NAMES) {
    const [found, wanted] = [actual, expected].map((rows) => rows[table].map(view).sort()) as [string[], string[]];
    const at = Array.from({ length: Math.max(found.length, wanted.length) }, (_, i) => i).find((i) => found[i] !== wanted[i]);
    if (at !== undefined) assert.equal(found[at], wanted[at], `${table}: row ${at} of ${found.length} and ${wanted.length}`);
  }
}

/** A row without the version, for comparing generations. */
export function withoutVersion(row: string): string {
  return row.replace(/,"version":"\d+"/, '');
}
