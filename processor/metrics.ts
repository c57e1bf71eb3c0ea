/** Prometheus metrics of the processor. Labels: table, partition, cluster name and closed sets of words; never a namespace or a pod. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { TableName } from '../sql/rows.ts';

/** What is asked at scrape time. */
export interface GaugeSource {
  status(): ProcessorGauges;
  /** Lets the status know where the log ends by now: a batch in hand knows only where it ended when that was read. Never rejects. */
  observeEnds(): Promise<void>;
}

export interface ProcessorGauges {
  readonly pendingRows: number;
  readonly partitions: readonly {
    readonly partition: number;
    readonly lagRecords: number;
    /** Wall clock; 0 before the first. */
    readonly checkpointTimeMs: number;
  }[];
  readonly clusters: readonly { readonly cluster: string; readonly streamTimeMs: number; readonly openIncidents: number }[];
}

/** applied: went through the core. skipped: already in the state. The others are dead letters by reason. */
export type RecordOutcome = 'applied' | 'skipped' | 'invalid' | 'misplaced' | 'identity';

export interface ProcessorMetrics {
  record(outcome: RecordOutcome): void;
  inserted(table: TableName, rows: number, seconds: number): void;
  insertFailed(table: TableName): void;
  checkpointed(seconds: number, bytes: number): void;
  checkpointFailed(): void;
  gap(partition: number): void;
}

/** Registers podtrail_processor_*. */
export function createProcessorMetrics(registry: Registry, gauges: GaugeSource, now: () => number): ProcessorMetrics {
  const registers = [registry];
  const prefix = 'podtrail_processor_';
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Counter({ name: prefix + name, help, labelNames, registers });
  const records = counter('records_total', 'Change records read, by what became of them.', ['outcome']);
  const rows = counter('rows_total', 'Rows acknowledged by the store.', ['table']);
  const failures = counter('insert_failures_total', 'Inserts that failed and were tried again.', ['table']);
  const checkpointFailures = counter('checkpoint_failures_total', 'Checkpoints that failed and were put off.');
  const checkpointBytes = counter('checkpoint_bytes_total', 'Bytes of state written to checkpoints.');
  const gaps = counter('gaps_total', 'Times that records were gone from the log before they were read.', ['partition']);
  const insertSeconds = new Histogram({
    name: `${prefix}insert_duration_seconds`,
    help: 'One insert, from sending it to its acknowledgement.',
    labelNames: ['table'],
    buckets: [0.005, 0.02, 0.05, 0.1, 0.5, 1, 5, 30],
    registers,
  });
  const checkpointSeconds = new Histogram({
    name: `${prefix}checkpoint_duration_seconds`,
    help: 'One checkpoint of a partition, from the snapshot to its manifest.',
    buckets: [0.05, 0.2, 0.5, 1, 5, 30, 120],
    registers,
  });
  registerGauges(registry, gauges, now);
  return {
    record: (outcome) => records.inc({ outcome }),
    inserted(table, count, seconds) {
      rows.inc({ table }, count);
      insertSeconds.observe({ table }, seconds);
    },
    insertFailed: (table) => failures.inc({ table }),
    checkpointed(seconds, bytes) {
      checkpointSeconds.observe(seconds);
      checkpointBytes.inc(bytes);
    },
    checkpointFailed: () => checkpointFailures.inc(),
    gap: (partition) => gaps.inc({ partition }),
  };
}

function registerGauges(registry: Registry, gauges: GaugeSource, now: () => number): void {
  const gauge = (name: string, help: string, labelNames: readonly string[], read: (g: Gauge, values: ProcessorGauges) => void): void => {
    const created: Gauge = new Gauge({
      name: `podtrail_processor_${name}`,
      help,
      labelNames: [...labelNames],
      registers: [registry],
      async collect() {
        await gauges.observeEnds();
        created.reset();
        read(created, gauges.status());
      },
    });
  };
  gauge('pending_rows', 'Rows that the store has not acknowledged yet.', [], (g, { pendingRows }) => g.set(pendingRows));
  gauge('lag_records', 'Records in the log that are not applied yet.', ['partition'], (g, { partitions }) => {
    for (const { partition, lagRecords } of partitions) g.set({ partition }, lagRecords);
  });
  gauge('checkpoint_age_seconds', 'Time since the last checkpoint of a partition.', ['partition'], (g, { partitions }) => {
    for (const { partition, checkpointTimeMs } of partitions) if (checkpointTimeMs > 0) g.set({ partition }, (now() - checkpointTimeMs) / 1_000);
  });
  gauge('stream_age_seconds', 'How far stream time is behind the clock.', ['cluster'], (g, { clusters }) => {
    for (const { cluster, streamTimeMs } of clusters) g.set({ cluster }, (now() - streamTimeMs) / 1_000);
  });
  gauge('open_incidents', 'Incidents that are not resolved.', ['cluster'], (g, { clusters }) => {
    for (const { cluster, openIncidents } of clusters) g.set({ cluster }, openIncidents);
  });
}
