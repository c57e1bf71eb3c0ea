/**
 * A change log in memory for tests of its readers: partitions of records, readers that share them, retention that overtakes, batches
 * of any size, and calls that are repeated as the port promises.
 */
import type { Assignment, ChangeLogReader, LogRecord, ReaderHandlers } from '../../collector/change-log/change-log.ts';
import { callHandler } from '../../collector/change-log/call-handler.ts';
import type { ChangeRecord } from '../../collector/change-record.ts';
import { encodeChangeRecord } from '../../collector/change-record.ts';
import { silentLog } from './silent-log.ts';

export interface MemoryLog {
  id: string;
  /** Appends a record, or bytes that may be none, and returns its offset. */
  append(record: ChangeRecord | Uint8Array, options?: { readonly key?: string; readonly partition?: number }): bigint;
  /** Deletes what is before `offset`. */
  trim(partition: number, offset: bigint): void;
  committed(partition: number): bigint | undefined;
  reader(options?: ReaderOptions): MemoryReader;
}

export interface ReaderOptions {
  readonly partitions?: readonly number[];
  /** With 0 it is assigned its partitions and handed nothing. */
  readonly batchSize?: number;
  /** Called before every batch; throw to end the reader as a crash would, without `revoked`. */
  readonly before?: (batch: { readonly partition: number; readonly records: readonly LogRecord[] }) => void;
}

export interface MemoryReader extends ChangeLogReader {
  /** Resolves when all records are handled; the reader goes on. Rejects if run() does. */
  caughtUp(): Promise<void>;
}

interface Partition {
  readonly records: LogRecord[];
  earliest: bigint;
  committed: bigint | undefined;
}

/** The log's own time of what is no record. */
const SOME_TIME_MS = Date.parse('2026-01-15T12:00:00Z');
const END: LogRecord = { offset: -1n, key: '', value: new Uint8Array(), timeMs: 0 };

export function createMemoryLog(partitionCount = 1, id = 'memory:1'): MemoryLog {
  const partitions: Partition[] = Array.from({ length: partitionCount }, () => ({ records: [], earliest: 0n, committed: undefined }));
  const partitionOf = (number: number): Partition => partitions[number] as Partition;
  const end = (number: number): bigint => BigInt(partitionOf(number).records.length);
  const log: MemoryLog = {
    id,
    append(record, { key, partition = 0 } = {}) {
      const { records } = partitionOf(partition);
      const offset = BigInt(records.length);
      const value = record instanceof Uint8Array ? record : encodeChangeRecord(record);
      const uid = record instanceof Uint8Array ? 'unknown' : record.cluster.uid;
      records.push({ offset, key: key ?? uid, value, timeMs: record instanceof Uint8Array ? SOME_TIME_MS : record.t });
      return offset;
    },
    trim(partition, offset) {
      partitionOf(partition).earliest = offset;
    },
    committed: (partition) => partitionOf(partition).committed,
    reader: (options) => createReader(log, options ?? {}, { partitionOf, end, partitionCount }),
  };
  return log;
}

interface Shelf {
  readonly partitionOf: (number: number) => Partition;
  readonly end: (number: number) => bigint;
  readonly partitionCount: number;
}

function createReader(log: MemoryLog, options: ReaderOptions, shelf: Shelf): MemoryReader {
  const { partitions = Array.from({ length: shelf.partitionCount }, (_, i) => i), batchSize = 100, before } = options;
  const stop = new AbortController();
  const next = new Map<number, bigint>();
  let running: Promise<void> | undefined;
  let tellFailure: (error: unknown) => void = () => {};
  const failed = new Promise<never>((_, reject) => {
    tellFailure = reject;
  });
  failed.catch(() => undefined);
  const isCaughtUp = (): boolean => partitions.every((partition) => next.get(partition) === shelf.end(partition));
  const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1));
  const call = <T>(what: string, attempt: () => Promise<T>) => callHandler(attempt, { signal: stop.signal, log: silentLog, what });

  async function assign(handlers: ReaderHandlers, partition: number): Promise<void> {
    const shelved = shelf.partitionOf(partition);
    const assignment: Assignment = { partition, earliest: shelved.earliest, end: shelf.end(partition), committed: shelved.committed };
    const start = await call('assigned', () => handlers.assigned(assignment));
    if (start !== undefined) next.set(partition, start.value);
  }

  async function readOnce(handlers: ReaderHandlers, partition: number): Promise<void> {
    const shelved = shelf.partitionOf(partition);
    const from = next.get(partition) ?? 0n;
    if (from < shelved.earliest) {
      await call('outOfRange', () => handlers.outOfRange(partition, from, shelved.earliest));
      next.set(partition, shelved.earliest);
      return;
    }
    const records = shelved.records.slice(Number(from), Number(from) + batchSize);
    if (records.length === 0) return;
    before?.({ partition, records });
    const batch = { partition, records, end: shelf.end(partition) };
    const commit = await call('batch', () => handlers.batch(batch, async () => {}));
    if (commit === undefined) return;
    if (commit.value !== undefined) shelved.committed = commit.value;
    next.set(partition, (records.at(-1) ?? END).offset + 1n);
  }

  async function run(handlers: ReaderHandlers): Promise<void> {
    let isCrash = false;
    try {
      for (const partition of partitions) await assign(handlers, partition);
      while (!stop.signal.aborted) {
        for (const partition of partitions) await readOnce(handlers, partition);
        if (isCaughtUp() || batchSize === 0) await turn();
      }
    } catch (error) {
      isCrash = error instanceof SimulatedCrash;
      tellFailure(error);
      throw error;
    } finally {
      if (!isCrash) for (const partition of partitions) await handlers.revoked(partition);
    }
  }

  return {
    identity: async () => ({ log: log.id, partitions: shelf.partitionCount }),
    endOffsets: async () => new Map(partitions.map((partition) => [partition, shelf.end(partition)])),
    run: (handlers) => (running ??= run(handlers)),
    async stop() {
      stop.abort();
      await running?.catch(() => undefined);
    },
    async caughtUp() {
      while (!isCaughtUp()) await Promise.race([turn(), failed]);
    },
  };
}

/** Thrown by `before` to end a reader without ceremony. */
export class SimulatedCrash extends Error {}
