/**
 * One partition of the change log while it is ours: read → step → rows → checkpoint → commit, in that order (design D4). Whatever fails
 * and may pass is thrown with `retriable`, and the same batch may come again: what is applied is not applied twice.
 */
import { createHash } from 'node:crypto';
import { setImmediate, setTimeout as delay } from 'node:timers/promises';
import type { ClickHouseClient } from '@clickhouse/client';
import type { Logger } from 'pino';
import type { LogRecord } from '../collector/change-log/change-log.ts';
import type { ClusterRef } from '../collector/change-record.ts';
import type { PartitionManifest } from '../sql/checkpoints.ts';
import { deleteObsolete, writePartition } from '../sql/checkpoints.ts';
import type { SnapshotOf } from './checkpoint.ts';
import { nothingSaved, snapshotOf, writeRound } from './checkpoint.ts';
import type { TrackedCluster } from './clusters.ts';
import { conflictMessage, identityConflict, passGap, settleLost, trackNew, trackRestored, watchLost } from './clusters.ts';
import type { ProcessorConfig } from './config.ts';
import { rowVersion } from './core/state.ts';
import { letterOf, placed } from './dead-letters.ts';
import { isRetriable, ProcessorError } from './errors.ts';
import type { ProcessorMetrics, RecordOutcome } from './metrics.ts';
import type { RowSink } from './row-sink.ts';
import { createRecordDecoder } from './record-decoder.ts';
import { keepStoreCap } from './store-cap.ts';
import { applySlices, SLICE_MS } from './slices.ts';

/** How long one call may wait for the store to take rows, ms, before the reader gets its turn. */
const MAX_WAIT_MS = 10_000;
/** Checkpoints take at most this share of the time. */
const CHECKPOINT_SHARE = 0.05;
/** How long records of a cluster are refused before its identity is looked up again, ms. */
const REFUSED_MS = 60_000;

export interface PartitionOptions extends Pick<ProcessorConfig, 'checkpointIntervalSeconds' | 'checkpointRecords' | 'cleanupIntervalSeconds'> {
  readonly log: string;
  readonly partition: number;
  readonly partitions: number;
  readonly release: string;
}

export interface PartitionDeps {
  readonly client: ClickHouseClient;
  readonly log: Logger;
  readonly sink: RowSink;
  readonly metrics: ProcessorMetrics;
  /** Wall clock, epoch ms. */
  readonly now: () => number;
  /** Aborted when the processor stops: nobody waits for the store any longer than it must. */
  readonly stopping: AbortSignal;
  /** Cap of the store's data, bytes, where it is ours alone; undefined where others look after it. */
  readonly maxStoreBytes?: number | undefined;
  /** Told of an error outside any call that no retry helps. */
  readonly onFatal: (error: unknown) => void;
}

const hashOf = (value: Uint8Array): string => createHash('sha256').update(value).digest('hex').slice(0, 32);

/** The records that the log holds: from the earliest up to before the end. */
export interface LogBounds {
  readonly earliest: bigint;
  readonly end: bigint;
}

/** What the last round that is stored holds. */
interface Done {
  readonly nextOffset: bigint;
  readonly timeMs: number;
}

/** Created by an assignment, ended by close(). Its methods are called one at a time; rounds run beside them. */
export class Partition {
  readonly #options: PartitionOptions;
  readonly #deps: PartitionDeps;
  readonly #decode = createRecordDecoder();
  readonly #clusters = new Map<string, TrackedCluster>();
  /** Uids whose records are refused, with the reason. */
  readonly #refused = new Map<string, { readonly reason: string; readonly untilMs: number }>();
  #nextOffset = 0n;
  #earliest = 0n;
  #end = 0n;
  #last: LogRecord | undefined;
  #lastIdentity: { readonly offset: bigint; readonly hash: string } | undefined;
  #unverified: { readonly offset: bigint; readonly hash: string } | undefined;
  #done: Done = { nextOffset: 0n, timeMs: 0 };
  #committed: bigint | undefined;
  #round: Promise<void> | undefined;
  #dueTimeMs = 0;
  #recordsSinceRound = 0;
  /** The core threw in the middle of a record: this state must never be stored. */
  #isBroken = false;
  #cleanupTimeMs: number;

  constructor(options: PartitionOptions, deps: PartitionDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#dueTimeMs = deps.now() + options.checkpointIntervalSeconds * 1_000;
    this.#cleanupTimeMs = deps.now() + options.cleanupIntervalSeconds * 1_000;
  }

  get nextOffset(): bigint {
    return this.#nextOffset;
  }

  get lag(): number {
    return Math.max(0, Number(this.#end - this.#nextOffset));
  }

  /** The log ends there, or further. */
  observeEnd(end: bigint): void {
    if (end > this.#end) this.#end = end;
  }

  get checkpointTimeMs(): number {
    return this.#done.timeMs;
  }

  get clusters(): Iterable<TrackedCluster> {
    return this.#clusters.values();
  }

  /**
   * Restores what `manifest` names, and returns the offset to read from: that of the last record it knows, if it is still there, so
   * that the log can be recognised by it. Throws PODTRAIL_LOG_CHANGED if the log is shorter than what was read from it.
   */
  async restore(manifest: PartitionManifest, { earliest, end }: LogBounds): Promise<bigint> {
    const { lastOffset, lastHash } = manifest;
    if (lastOffset >= end) throw this.#logChanged(`it ends at ${end}, but was read up to ${lastOffset}`);
    this.#end = end;
    this.#earliest = earliest;
    let next = manifest.nextOffset;
    for (const { clusterUid, generation, count } of manifest.clusters) {
      const tracked = await trackRestored(this.#deps, this.#options, clusterUid);
      if (tracked !== undefined) this.#clusters.set(clusterUid, tracked);
      const { meta } = tracked?.state ?? { meta: { generation: 0, count: 0 } };
      // One of another generation, a zombie's, may be ahead of the one that is named or behind it: only its own offset says where it stands.
      const isNamed = meta.generation === generation && meta.count >= count;
      const from = tracked?.nextOffset ?? earliest; // without a checkpoint that is whole: from the beginning
      if (!isNamed && from < next) next = from;
    }
    this.#nextOffset = next;
    this.#done = { nextOffset: next, timeMs: manifest.writtenTimeMs };
    if (lastOffset < earliest) return next;
    this.#lastIdentity = { offset: lastOffset, hash: lastHash };
    this.#unverified = this.#lastIdentity;
    if (next < lastOffset) return next;
    return lastOffset;
  }

  /**
   * Starts a partition that was never read, or whose log is another than before: the states of `clusterUids` are kept, their offsets are
   * forgotten, and reading begins at the earliest record. What is remembered of it says so from here on.
   */
  async restart(clusterUids: readonly string[], { earliest, end }: LogBounds): Promise<bigint> {
    this.#end = end;
    this.#earliest = earliest;
    this.#nextOffset = earliest;
    for (const clusterUid of clusterUids) {
      const tracked = await trackRestored(this.#deps, undefined, clusterUid);
      if (tracked !== undefined) this.#clusters.set(clusterUid, tracked);
    }
    await this.#runRound();
    return earliest;
  }

  /** Applies records in offset order and returns the offset to commit when it has moved. */
  async apply(records: readonly LogRecord[], end: bigint, heartbeat: () => Promise<void>): Promise<bigint | undefined> {
    this.#end = end;
    let sliceStart = performance.now();
    for (const record of records) {
      this.#verify(record);
      if (record.offset >= this.#nextOffset) {
        const tracked = this.#clusters.get(record.key) ?? (await this.#track(record));
        this.#deps.metrics.record(await this.#applyRecord(record, tracked));
        this.#nextOffset = record.offset + 1n;
        this.#last = record;
        this.#recordsSinceRound++;
      } else this.#deps.metrics.record('skipped');
      if (performance.now() - sliceStart < SLICE_MS && this.#deps.sink.hasRoom) continue;
      await setImmediate();
      await heartbeat();
      await this.#waitForRoom(heartbeat);
      sliceStart = performance.now();
    }
    for (const tracked of this.#clusters.values()) if (tracked.lost !== undefined) await settleLost(this.#deps, tracked);
    this.#beginRoundIfDue();
    return this.#toCommit();
  }

  /** The reader goes on at `earliest`: the records before are gone. The core stays blind until it has seen full lists. */
  async skipTo(earliest: bigint, wanted: bigint): Promise<void> {
    const { log, metrics, sink } = this.#deps;
    const { partition } = this.#options;
    log.error({ partition, wanted: String(wanted), earliest: String(earliest) }, 'records are gone from the log, going on at the earliest');
    metrics.gap(partition);
    await sink.flush();
    await this.#round;
    this.#unverified = undefined;
    this.#earliest = earliest;
    for (const [uid, tracked] of this.#clusters) this.#clusters.set(uid, await this.#passGap(tracked));
    if (this.#nextOffset < earliest) this.#nextOffset = earliest;
  }

  /** Stores what is applied, checkpoints it, and ends. Throws if it cannot; the next owner then does some of it again. */
  async close(): Promise<void> {
    await this.#round;
    if (this.#isBroken) throw new ProcessorError('PODTRAIL_PROCESSOR_INVARIANT', 'a state that the core failed on is not stored');
    if (this.#isDirty()) await this.#runRound();
    await this.#deps.sink.flush();
  }

  #isDirty(): boolean {
    return this.#nextOffset > this.#done.nextOffset || this.#changed().length > 0;
  }

  #changed(): TrackedCluster[] {
    return [...this.#clusters.values()].filter(({ state: { meta }, saved }) => meta.count !== saved.count || meta.generation !== saved.generation);
  }

  #logChanged(how: string): ProcessorError {
    const { log, partition } = this.#options;
    const message = `partition ${partition} of ${log} is not the log that was read before: ${how}`;
    return new ProcessorError('PODTRAIL_LOG_CHANGED', `${message}; start once with --new-log to keep the state and read it from the beginning`);
  }

  /** The last record of the checkpoint must be the one that it was. */
  #verify(record: LogRecord): void {
    const wanted = this.#unverified;
    if (wanted === undefined || record.offset < wanted.offset) return;
    this.#unverified = undefined;
    if (record.offset > wanted.offset) {
      this.#deps.log.warn({ offset: String(wanted.offset) }, 'the last record of the checkpoint is gone, the log cannot be recognised by it');
    } else if (hashOf(record.value) !== wanted.hash) throw this.#logChanged(`record ${wanted.offset} is another`);
  }

  /** The cluster of a record that is not tracked yet; undefined if its records are refused or say nothing of a cluster. */
  async #track(record: LogRecord): Promise<TrackedCluster | undefined> {
    const { client, log, now } = this.#deps;
    if ((this.#refused.get(record.key)?.untilMs ?? 0) > now()) return undefined;
    this.#refused.delete(record.key);
    const decoded = this.#decode(record.value);
    if (!decoded.ok || decoded.record.cluster.uid !== record.key) return undefined;
    const { cluster } = decoded.record;
    let tracked = await trackRestored(this.#deps, this.#options, record.key);
    // Its first checkpoint may stand alone, without one of the partition that would have led the reader to the gap.
    if (tracked !== undefined) tracked = await this.#passGap(tracked);
    if (tracked === undefined) {
      const namesake = [...this.#clusters.values()].find(({ state }) => state.cluster.name === cluster.name);
      const conflict = namesake === undefined ? await identityConflict(client, cluster) : conflictMessage(cluster, namesake.state.cluster);
      if (conflict !== undefined) {
        log.error({ cluster: cluster.name, uid: cluster.uid, reason: conflict }, 'records of the cluster are refused');
        this.#refused.set(record.key, { reason: conflict, untilMs: now() + REFUSED_MS });
        return undefined;
      }
      tracked = await this.#trackBeginning(cluster, record);
    }
    this.#clusters.set(record.key, tracked);
    return tracked;
  }

  #passGap(tracked: TrackedCluster): Promise<TrackedCluster> {
    return passGap(this.#deps, this.#options, tracked, this.#earliest, (passed) => this.#storeAlone(passed, this.#earliest));
  }

  /** Two readers may begin a cluster at once: whoever is late goes on with the other's, since a second generation would shadow its rows. */
  async #trackBeginning(cluster: ClusterRef, record: LogRecord): Promise<TrackedCluster> {
    const begun = await trackNew(this.#deps, cluster);
    const other = begun.state.meta.generation > 1 ? await trackRestored(this.#deps, this.#options, cluster.uid) : undefined;
    if (other === undefined) await this.#storeAlone(begun, record.offset);
    return other ?? begun;
  }

  /**
   * A cluster's first checkpoint, and its first one after a gap, is stored before any record that it does not hold is applied: whoever
   * reads from there again, before there is another one, makes the same rows (design D4).
   */
  async #storeAlone(tracked: TrackedCluster, offset: bigint): Promise<void> {
    const { client, now } = this.#deps;
    const { log, partition, release } = this.#options;
    const { saved } = await writeRound({ client, log, partition, release, nowMs: now() }, [snapshotOf(tracked.state, offset, tracked.saved)]);
    tracked.nextOffset = offset;
    tracked.saved = saved.get(tracked.state.cluster.uid) ?? tracked.saved;
  }

  async #applyRecord(record: LogRecord, tracked: TrackedCluster | undefined): Promise<RecordOutcome> {
    if (tracked !== undefined && record.offset < tracked.nextOffset) return 'skipped';
    const refused = this.#refused.get(record.key);
    if (refused !== undefined) return this.#deadLetter(record, tracked, 'identity', 'cluster_identity', refused.reason);
    const decoded = this.#decode(record.value);
    if (!decoded.ok) return this.#deadLetter(record, tracked, 'invalid', decoded.code, decoded.reason);
    const { cluster } = decoded.record;
    if (tracked === undefined || cluster.uid !== record.key) {
      return this.#deadLetter(record, tracked, 'misplaced', 'key_mismatch', `the record of cluster uid ${cluster.uid} has the key ${record.key}`);
    }
    if (cluster.name !== tracked.state.cluster.name) {
      return this.#deadLetter(record, tracked, 'identity', 'cluster_identity', conflictMessage(cluster, tracked.state.cluster));
    }
    try {
      const rows = await applySlices(tracked.state, decoded.record);
      this.#deps.sink.add(placed(rows, this.#options, record.offset));
    } catch (cause) {
      this.#isBroken = true;
      const message = `the core failed on ${this.#options.log}[${this.#options.partition}] offset ${record.offset}`;
      throw new ProcessorError('PODTRAIL_PROCESSOR_INVARIANT', message, { cause });
    }
    tracked.nextOffset = record.offset + 1n;
    watchLost(tracked);
    return 'applied';
  }

  #deadLetter(record: LogRecord, tracked: TrackedCluster | undefined, outcome: RecordOutcome, code: string, reason: string): RecordOutcome {
    const { log, partition } = this.#options;
    const row = letterOf(record, { log, partition, cluster: tracked?.state.cluster.name ?? '', code, reason });
    const version = tracked === undefined ? 0n : rowVersion(tracked.state.meta);
    this.#deps.sink.add([{ table: 'dead_letters', key: '', row, version }]);
    return outcome;
  }

  async #waitForRoom(heartbeat: () => Promise<void>): Promise<void> {
    const { sink } = this.#deps;
    const deadline = performance.now() + MAX_WAIT_MS;
    while (!sink.hasRoom) {
      if (this.#deps.stopping.aborted) throw new ProcessorError('PODTRAIL_PROCESSOR_STOPPED', 'the processor stops');
      if (performance.now() > deadline) throw new ProcessorError('PODTRAIL_SINK_BUSY', `the store has not taken ${sink.pendingRows} rows`);
      const timeout = new AbortController();
      await Promise.race([sink.progress(), delay(1_000, undefined, { signal: timeout.signal }).catch(() => undefined)]);
      timeout.abort();
      await heartbeat();
    }
  }

  #toCommit(): bigint | undefined {
    const { nextOffset, timeMs } = this.#done;
    if (timeMs === 0 || nextOffset === this.#committed) return undefined;
    this.#committed = nextOffset;
    return nextOffset;
  }

  #beginRoundIfDue(): void {
    const isDue = this.#deps.now() >= this.#dueTimeMs || this.#recordsSinceRound >= this.#options.checkpointRecords;
    if (!isDue || this.#round !== undefined || this.#isBroken || !this.#isDirty()) return;
    this.#round = this.#runRound()
      .catch((error: unknown) => {
        this.#deps.metrics.checkpointFailed();
        if (!isRetriable(error)) this.#deps.onFatal(error);
        else this.#deps.log.warn({ err: error, partition: this.#options.partition }, 'checkpoint failed, trying again later');
      })
      .finally(() => {
        this.#round = undefined;
      });
  }

  /** One round over all clusters that changed. Everything it refers to is taken before the first await. */
  async #runRound(): Promise<void> {
    const { client, now, sink, metrics } = this.#deps;
    const started = now();
    const parts = new Map<TrackedCluster, SnapshotOf>();
    for (const tracked of this.#changed()) parts.set(tracked, snapshotOf(tracked.state, tracked.nextOffset, tracked.saved));
    const others = [...this.#clusters.values()].filter((tracked) => !parts.has(tracked)).map(({ state, saved }) => ({ clusterUid: state.cluster.uid, saved }));
    const nextOffset = this.#nextOffset;
    const identity = this.#last === undefined ? this.#lastIdentity : { offset: this.#last.offset, hash: hashOf(this.#last.value) };
    this.#recordsSinceRound = 0;
    this.#dueTimeMs = started + this.#options.checkpointIntervalSeconds * 1_000;
    await sink.flush();
    const { log, partition, partitions, release } = this.#options;
    const { saved, bytes } = await writeRound({ client, log, partition, release, nowMs: started }, [...parts.values()]);
    for (const tracked of parts.keys()) tracked.saved = saved.get(tracked.state.cluster.uid) ?? nothingSaved();
    const clusters = [...[...saved].map(([clusterUid, state]) => ({ clusterUid, saved: state })), ...others];
    const named = clusters.map(({ clusterUid, saved: { generation, count } }) => ({ clusterUid, generation, count }));
    const last = { lastOffset: identity?.offset ?? -1n, lastHash: identity?.hash ?? '' };
    await writePartition(client, { log, partition, partitions, nextOffset, ...last, clusters: named, writtenTimeMs: started });
    this.#lastIdentity = identity;
    this.#done = { nextOffset, timeMs: started };
    const tookMs = now() - started;
    metrics.checkpointed(tookMs / 1_000, bytes);
    this.#dueTimeMs = Math.max(this.#dueTimeMs, now() + tookMs / CHECKPOINT_SHARE);
    await this.#cleanUpIfDue();
  }

  async #cleanUpIfDue(): Promise<void> {
    const { client, log, now } = this.#deps;
    if (now() < this.#cleanupTimeMs) return;
    this.#cleanupTimeMs = now() + this.#options.cleanupIntervalSeconds * 1_000;
    try {
      const { incomplete } = await deleteObsolete(client, [...this.#clusters.keys()], now());
      for (const clusterUid of incomplete) {
        const tracked = this.#clusters.get(clusterUid);
        if (tracked === undefined) continue;
        log.warn({ cluster: tracked.state.cluster.name }, 'chunks of the last checkpoint are gone, the next one writes all');
        tracked.saved = nothingSaved();
      }
      await keepStoreCap(this.#deps, this.#clusters.values(), this.#deps.maxStoreBytes);
    } catch (error) {
      log.warn({ err: error }, 'old checkpoints and data were not deleted, trying again later');
    }
  }
}
