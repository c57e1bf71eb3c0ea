/**
 * The one way of a cluster's change records into the change log: in order, one batch in flight, retried whole until it is
 * acknowledged. What was pushed is never dropped, so a watch may go on from what it pushed; the buffer's limit is kept by those
 * who push, who stop receiving when there is no room (design D10).
 */
import type { ChangeLogWriter } from './change-log/change-log.ts';
import { type ChangeRecord, createRecordEncoder } from './change-record.ts';
import { ChangeLogError } from './errors.ts';
import { type Backoff, backoffMs, sleep } from './pacing.ts';

export interface Appender {
  /** Takes a record, whether there is room or not: check hasRoom before receiving more. `objectJson` as in RecordEncoder. */
  push(record: ChangeRecord, objectJson?: string): void;
  hasRoom(): boolean;
  /** Resolves when the buffer is down to half of its limit, or the signal aborts. */
  whenRoom(signal: AbortSignal): Promise<void>;
  /** Resolves when all that was pushed up to this call is acknowledged, or the signal aborts. */
  whenAcknowledged(signal: AbortSignal): Promise<void>;
  /** Records pushed and acknowledged since the start; the difference is in the buffer. */
  counts(): { readonly pushed: number; readonly acknowledged: number; readonly bufferedBytes: number };
  /** Flushes at once and waits, at most `deadlineMs`. Returns the number of records that were not acknowledged. */
  stop(deadlineMs: number): Promise<number>;
}

export interface AppenderOptions {
  /** The records' key: the cluster's uid. */
  readonly key: string;
  readonly maxBufferBytes: number;
  readonly flushRecords?: number;
  readonly flushBytes?: number;
  /** How long a record may wait for company, ms: until this process's clock is a multiple of it. */
  readonly flushIntervalMs?: number;
  readonly backoff?: Backoff;
}

export interface AppenderDeps {
  readonly writer: ChangeLogWriter;
  readonly acknowledged?: (records: number, bytes: number, seconds: number) => void;
  /** A retriable failure; the batch is tried again. */
  readonly failed?: (error: ChangeLogError) => void;
  /** The log will not take this batch, ever: nothing is appended any more. Called once. */
  readonly onFatal: (error: Error) => void;
  readonly random?: () => number;
  /** Monotonic, ms. */
  readonly monotonic?: () => number;
}

/** Large enough to spread the cost of a round trip, small enough to be encoded within one turn (performance.md §0.11, §7). */
const FLUSH_RECORDS = 500;
const FLUSH_BYTES = 512 * 1_024;
const FLUSH_INTERVAL_MS = 50;
const BACKOFF: Backoff = { minMs: 100, maxMs: 5_000 };

export function createAppender(options: AppenderOptions, deps: AppenderDeps): Appender {
  const { maxBufferBytes, flushRecords = FLUSH_RECORDS, flushBytes = FLUSH_BYTES, flushIntervalMs = FLUSH_INTERVAL_MS } = options;
  const queue = createQueue(flushRecords, flushBytes);
  const waiters = createWaiters();
  const { monotonic = () => performance.now() } = deps;
  const encode = createRecordEncoder();
  const abandon = new AbortController();
  let bufferedBytes = 0;
  let pushed = 0;
  let acknowledged = 0;
  let timer: NodeJS.Timeout | undefined;
  let pumping = false;
  let stopping = false;

  const pump = async (): Promise<void> => {
    pumping = true;
    do {
      const batch = queue.take();
      const startMs = performance.now();
      if (!(await appendWhole(batch, options, deps, abandon))) return;
      const bytes = batch.reduce((sum, value) => sum + value.length, 0);
      acknowledged += batch.length;
      bufferedBytes -= bytes;
      deps.acknowledged?.(batch.length, bytes, (performance.now() - startMs) / 1_000);
      waiters.settle();
    } while (queue.isFull() || (stopping && !queue.isEmpty()));
    pumping = false;
    schedule();
  };
  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (!pumping && !queue.isEmpty() && !abandon.signal.aborted) void pump();
  };
  const schedule = (): void => {
    if (pumping || queue.isEmpty()) return;
    if (stopping || queue.isFull()) flush();
    // The appenders of all clusters at the same moment, so that they share what the log does for a batch: an fsync.
    else timer ??= setTimeout(flush, flushIntervalMs - (monotonic() % flushIntervalMs));
  };

  return {
    push(record, objectJson) {
      const value = encode(record, objectJson);
      queue.add(value);
      bufferedBytes += value.length;
      pushed += 1;
      schedule();
    },
    hasRoom: () => bufferedBytes < maxBufferBytes,
    whenRoom: (signal) => waiters.until(() => bufferedBytes <= maxBufferBytes / 2, signal),
    whenAcknowledged(signal) {
      const position = pushed;
      return waiters.until(() => acknowledged >= position, signal);
    },
    counts: () => ({ pushed, acknowledged, bufferedBytes }),
    async stop(deadlineMs) {
      stopping = true;
      const deadline = setTimeout(() => abandon.abort(), deadlineMs);
      flush();
      await waiters.until(() => acknowledged >= pushed, abandon.signal);
      clearTimeout(deadline);
      clearTimeout(timer);
      return pushed - acknowledged;
    },
  };
}

/** Tries until the log has the batch. False if that was given up: by the signal, or for an error that no retry helps. */
async function appendWhole(batch: readonly Buffer[], options: AppenderOptions, deps: AppenderDeps, abandon: AbortController): Promise<boolean> {
  for (let attempt = 1; !abandon.signal.aborted; attempt += 1) {
    try {
      await deps.writer.append(options.key, batch);
      return true;
    } catch (error) {
      if (!(error instanceof ChangeLogError && error.retriable)) {
        abandon.abort();
        deps.onFatal(error as Error);
        return false;
      }
      deps.failed?.(error);
      await sleep(backoffMs(options.backoff ?? BACKOFF, attempt, deps.random ?? Math.random), abandon.signal);
    }
  }
  return false;
}

/** Encoded records in order, taken batch by batch. */
function createQueue(batchRecords: number, batchBytes: number) {
  let values: Buffer[] = [];
  let bytes = 0;
  return {
    add(value: Buffer): void {
      values.push(value);
      bytes += value.length;
    },
    isEmpty: (): boolean => values.length === 0,
    /** There is a batch's worth. */
    isFull: (): boolean => values.length >= batchRecords || bytes >= batchBytes,
    /** The oldest records, as many as a batch holds, and one at least. */
    take(): Buffer[] {
      let count = 0;
      let taken = 0;
      for (const value of values) {
        if (count > 0 && (count >= batchRecords || taken + value.length > batchBytes)) break;
        count += 1;
        taken += value.length;
      }
      const batch = values.slice(0, count);
      values = values.slice(count);
      bytes -= taken;
      return batch;
    },
  };
}

/** Promises that wait for a condition which only an acknowledgement can bring about. */
function createWaiters() {
  const waiters = new Map<() => void, () => boolean>();
  return {
    until: (ready: () => boolean, signal: AbortSignal): Promise<void> =>
      new Promise((resolve) => {
        if (ready() || signal.aborted) return resolve();
        const done = (): void => {
          waiters.delete(done);
          signal.removeEventListener('abort', done);
          resolve();
        };
        waiters.set(done, ready);
        signal.addEventListener('abort', done);
      }),
    settle(): void {
      for (const [done, ready] of [...waiters]) if (ready()) done();
    },
  };
}
