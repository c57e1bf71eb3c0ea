/**
 * The port of the change log. Two implementations, one contract suite: Kafka (kafka-change-log.ts) and segment files
 * (embedded-change-log.ts). Records of one key stay in order within one partition; a partition is read by one reader at a time,
 * or, in a moment of rebalance, by two: readers must be idempotent (design D2, D3).
 */

/** A record as read. Offsets are bigint in code (style N3). */
export interface LogRecord {
  readonly offset: bigint;
  readonly key: string;
  readonly value: Uint8Array;
  /** The log's own time of the record, epoch ms. */
  readonly timeMs: number;
}

export interface ChangeLogWriter {
  /**
   * Appends the values under one key, in order; resolves when all are durable (fsync, or acks=all). Rejects with a retriable
   * ChangeLogError when it cannot say so: the caller retries the whole batch, so duplicates are possible, holes are not.
   * At most one append per key may be in flight.
   */
  append(key: string, values: readonly Uint8Array[]): Promise<void>;
  /** Waits for appends in flight, then closes. Idempotent. */
  close(): Promise<void>;
}

/** A partition as assigned to this reader. */
export interface Assignment {
  readonly partition: number;
  /** Offset of the oldest record still there. */
  readonly earliest: bigint;
  /** Offset after the newest record at assignment. */
  readonly end: bigint;
  /** The committed offset (next to read), only a hint (design D4). */
  readonly committed: bigint | undefined;
}

export interface ChangeLogReader {
  /** Identity of the log, kept in checkpoints: another topic, cluster or data directory gives another id. */
  identity(): Promise<{ readonly log: string; readonly partitions: number }>;
  /**
   * Reads until stop(). Per partition the handlers are called one at a time and in this order: assigned, batch*, revoked.
   * A handler that throws a retriable error is called again with the same batch after a back-off; any other error rejects run().
   */
  run(handlers: ReaderHandlers): Promise<void>;
  /** Finishes the batch in hand, leaves the group, resolves run(). Idempotent. */
  stop(): Promise<void>;
  /** Offset after the newest record, per partition; for lag. */
  endOffsets(): Promise<ReadonlyMap<number, bigint>>;
}

export interface ReaderHandlers {
  /** Returns the offset to start at. May be slow: the reader keeps its membership alive meanwhile. */
  assigned(assignment: Assignment): Promise<bigint>;
  /**
   * Handles records in offset order. Returns the offset to commit (next to read), or undefined for no commit.
   * `heartbeat` keeps the membership alive during long batches.
   */
  batch(
    batch: { readonly partition: number; readonly records: readonly LogRecord[]; readonly end: bigint },
    heartbeat: () => Promise<void>,
  ): Promise<bigint | undefined>;
  /** The partition went to another reader (or the reader stops): drop its state. No batch of it follows. */
  revoked(partition: number): Promise<void>;
  /** The start offset, or the next one to read, is older than the log keeps: reading goes on at `earliest` (design D4). */
  outOfRange(partition: number, wanted: bigint, earliest: bigint): Promise<void>;
}
