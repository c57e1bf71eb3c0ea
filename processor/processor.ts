/** The processor: reads the partitions that the change log assigns to it, and keeps their clusters' history in the store. */
import { setTimeout as delay } from 'node:timers/promises';
import type { ClickHouseClient } from '@clickhouse/client';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { Assignment, ChangeLogReader, ReaderHandlers } from '../collector/change-log/change-log.ts';
import type { PartitionManifest } from '../sql/checkpoints.ts';
import { readPartitions } from '../sql/checkpoints.ts';
import type { ProcessorConfig } from './config.ts';
import { ProcessorError } from './errors.ts';
import { createProcessorMetrics } from './metrics.ts';
import type { LogBounds } from './partition.ts';
import { Partition } from './partition.ts';
import { RowSink } from './row-sink.ts';
import type { StateAnswer } from './states.ts';

export interface ProcessorOptions {
  readonly config: ProcessorConfig;
  /** Version of this release, as checkpoints carry it. */
  readonly release: string;
  /** The change log is another one than before: keep the states, and read it from the beginning (design D4). For one start. */
  readonly newLog?: boolean;
}

export interface ProcessorDeps {
  readonly reader: ChangeLogReader;
  /** Migrated to the schema of this release. */
  readonly store: {
    readonly client: ClickHouseClient;
    /** Cap of its data, bytes, where it is embedded (design D10). */
    readonly maxBytes?: number | undefined;
  };
  readonly log: Logger;
  readonly registry: Registry;
  /** Wall clock, epoch ms. */
  readonly now?: () => number;
}

/** What a processor is at. */
export interface ProcessorStatus {
  readonly pendingRows: number;
  readonly partitions: readonly {
    readonly partition: number;
    readonly nextOffset: bigint;
    /** Records in the log that are not applied yet. */
    readonly lagRecords: number;
    /** Of the last checkpoint, wall clock; 0 before the first. */
    readonly checkpointTimeMs: number;
  }[];
  readonly clusters: readonly {
    readonly cluster: string;
    readonly clusterUid: string;
    readonly generation: number;
    readonly records: number;
    readonly streamTimeMs: number;
    readonly openIncidents: number;
  }[];
}

export interface Processor {
  /**
   * Reads until stop(). Rejects with what no retry helps: PODTRAIL_LOG_CHANGED, PODTRAIL_CHECKPOINT_FORMAT, PODTRAIL_PROCESSOR_INVARIANT, or a StoreError or
   * ChangeLogError that is not retriable. Call it once.
   */
  start(): Promise<void>;
  /** Finishes the batch in hand, stores its rows and a last checkpoint, within stopSeconds; then start() resolves. Idempotent. */
  stop(): Promise<void>;
  status(): ProcessorStatus;
  /** The live state of a cluster that is processed here, by its name. Not to be changed. */
  state(cluster: string): StateAnswer;
}

/** A partition manifest to go on from, or the clusters to keep of one that no longer holds. */
type Chosen = { readonly goOn: PartitionManifest } | { readonly keep: readonly string[] };

/** Which partition manifest holds for a partition now: one to go on from, or the clusters to keep of one that no longer does. */
export function chooseManifest(
  manifests: readonly PartitionManifest[],
  here: { readonly log: string; readonly partition: number; readonly partitions: number },
  newLog: boolean,
): Chosen {
  const own = manifests.find(({ log, partition }) => log === here.log && partition === here.partition);
  if (newLog) return { keep: own?.clusters.map(({ clusterUid }) => clusterUid) ?? [] };
  if (own !== undefined && own.partitions === here.partitions) return { goOn: own };
  const known = manifests.find(({ log, partitions }) => log === here.log && partitions === here.partitions);
  if (manifests.length === 0 || (own === undefined && known !== undefined)) return { keep: [] };
  const before = own ?? manifests[0];
  const message = `the change log is ${here.log} with ${here.partitions} partitions, but was ${before?.log} with ${before?.partitions}`;
  throw new ProcessorError('PODTRAIL_LOG_CHANGED', `${message}; start once with --new-log to keep the state and read it from the beginning`);
}

function stateAmong(partitions: readonly Partition[], cluster: string): StateAnswer {
  if (partitions.length === 0) return { kind: 'unavailable', reason: 'the processor is starting; try again' };
  const tracked = partitions.flatMap((partition) => [...partition.clusters]).find(({ state }) => state.cluster.name === cluster);
  return tracked === undefined ? { kind: 'no_cluster' } : { kind: 'state', state: tracked.state, checkpointTimeMs: undefined };
}

/** The log has grown since the assignment, and whoever had the partition before may have read and checkpointed that already. */
async function boundsNow(reader: ChangeLogReader, partition: number, { earliest, end }: LogBounds, chosen: Chosen): Promise<LogBounds> {
  if (!('goOn' in chosen) || chosen.goOn.lastOffset < end) return { earliest, end };
  const newest = (await reader.endOffsets()).get(partition) ?? end;
  return { earliest, end: newest > end ? newest : end };
}

/** Longest time that a scrape waits for the log to say where it ends, ms; after that, what is known counts. */
const OBSERVE_ENDS_MS = 1_000;

/** One question at a time, whoever asks: a log that does not answer is not asked more often for being scraped. */
function createEndObserver(reader: ChangeLogReader, partitions: ReadonlyMap<number, Partition>): () => Promise<void> {
  let asking: Promise<void> | undefined;
  const ask = async (): Promise<void> => {
    const ends = await reader.endOffsets();
    for (const [number, partition] of partitions) partition.observeEnd(ends.get(number) ?? 0n);
  };
  return async () => {
    asking ??= ask()
      .catch(() => undefined)
      .finally(() => {
        asking = undefined;
      });
    await Promise.race([asking, delay(OBSERVE_ENDS_MS, undefined, { ref: false })]);
  };
}

function describeStatus(pendingRows: number, partitions: ReadonlyMap<number, Partition>): ProcessorStatus {
  const clusters = [...partitions.values()].flatMap((partition) => [...partition.clusters]);
  return {
    pendingRows,
    partitions: [...partitions].map(([partition, { nextOffset, lag, checkpointTimeMs }]) => ({ partition, nextOffset, lagRecords: lag, checkpointTimeMs })),
    clusters: clusters.map(({ state: { cluster, meta, tables } }) => ({
      cluster: cluster.name,
      clusterUid: cluster.uid,
      generation: meta.generation,
      records: meta.count,
      streamTimeMs: meta.streamTimeMs,
      openIncidents: tables.incidents.size,
    })),
  };
}

export function createProcessor(options: ProcessorOptions, deps: ProcessorDeps): Processor {
  const { config, release } = options;
  const { reader, log, now = Date.now } = deps;
  const { client } = deps.store;
  const partitions = new Map<number, Partition>();
  const renewed = new Set<number>();
  const stopping = new AbortController();
  let failWith: (error: unknown) => void = () => {};
  const failure = new Promise<never>((_, reject) => {
    failWith = reject;
  });
  const status = (): ProcessorStatus => describeStatus(sink.pendingRows, partitions);
  const metrics = createProcessorMetrics(deps.registry, { status, observeEnds: createEndObserver(reader, partitions) }, now);
  const sink = new RowSink(config, { client, log, metrics, onFatal: failWith });
  const partitionDeps = { client, maxStoreBytes: deps.store.maxBytes, log, sink, metrics, now, stopping: stopping.signal, onFatal: failWith };
  let running: Promise<void> | undefined;

  async function assigned({ partition, ...known }: Assignment): Promise<bigint> {
    const identity = await reader.identity();
    const here = { log: identity.log, partition, partitions: identity.partitions };
    const isNew = options.newLog === true && !renewed.has(partition);
    const chosen = chooseManifest(await readPartitions(client), here, isNew);
    const bounds = await boundsNow(reader, partition, known, chosen);
    const created = new Partition({ ...config, ...here, release }, partitionDeps);
    const start = 'goOn' in chosen ? await created.restore(chosen.goOn, bounds) : await created.restart(chosen.keep, bounds);
    renewed.add(partition);
    partitions.set(partition, created);
    log.info({ partition, start: String(start), end: String(bounds.end), lag: created.lag }, 'partition assigned');
    return start;
  }

  function partitionOf(number: number): Partition {
    const partition = partitions.get(number);
    if (partition === undefined) throw new ProcessorError('PODTRAIL_PROCESSOR_INVARIANT', `partition ${number} was not assigned`);
    return partition;
  }

  /** The next owner does again what is not checkpointed, so this is worth some time and no more. */
  async function revoked(number: number): Promise<void> {
    const partition = partitions.get(number);
    if (partition === undefined || !partitions.delete(number)) return;
    const timeout = new AbortController();
    const tooLate = delay(config.stopSeconds * 1_000, undefined, { signal: timeout.signal }).then(() => {
      throw new ProcessorError('PODTRAIL_PROCESSOR_STOPPED', `no checkpoint within ${config.stopSeconds} s`);
    });
    try {
      await Promise.race([partition.close(), tooLate]);
      log.info({ partition: number, nextOffset: String(partition.nextOffset) }, 'partition given up');
    } catch (error) {
      log.warn({ err: error, partition: number }, 'partition given up without a last checkpoint');
    } finally {
      timeout.abort();
      await tooLate.catch(() => undefined);
    }
  }

  const handlers: ReaderHandlers = {
    assigned,
    batch: ({ partition, records, end }, heartbeat) => partitionOf(partition).apply(records, end, heartbeat),
    revoked,
    outOfRange: (partition, wanted, earliest) => partitionOf(partition).skipTo(earliest, wanted),
  };

  async function run(): Promise<void> {
    failure.catch(() => undefined); // told through the race, or to nobody once that is over
    try {
      await Promise.race([reader.run(handlers), failure]);
    } finally {
      stopping.abort();
      await reader.stop();
      sink.abort();
    }
  }

  return {
    start: () => (running ??= run()),
    async stop() {
      stopping.abort();
      await reader.stop();
      await running?.catch(() => undefined); // start() has told its caller
    },
    status,
    state: (cluster) => stateAmong([...partitions.values()], cluster),
  };
}
