/** Reads a change log once, from its earliest record to the end that it has now, without committing anything. */
import type { ChangeLogReader, LogRecord } from '../collector/change-log/change-log.ts';

/** What was read. */
export interface ReadLog {
  /** Partitions whose beginning is gone: the log no longer holds their first record. */
  readonly trimmed: number;
  /** How often records were gone that should have come next. */
  readonly gaps: number;
}

/**
 * Hands over every record in the order of its partition. The reader is stopped when this returns; give it a consumer group of its
 * own, or it takes partitions from others. Rejects as the reader does, and with what `take` throws.
 */
export async function readToEnd(reader: ChangeLogReader, take: (records: readonly LogRecord[], partition: number) => void): Promise<ReadLog> {
  const pending = new Set((await reader.endOffsets()).keys());
  const ends = new Map<number, bigint>();
  const next = new Map<number, bigint>();
  const trimmed = new Set<number>();
  let gaps = 0;
  let finish: () => void = () => {};
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  /** Ends the partition when it has been read; the reader is stopped from outside, since it waits for its handlers. */
  const advance = (partition: number, offset: bigint): void => {
    next.set(partition, offset);
    if (offset >= (ends.get(partition) ?? 0n)) pending.delete(partition);
    if (pending.size === 0) finish();
  };
  const reading = reader.run({
    async assigned({ partition, earliest, end }) {
      if (!ends.has(partition)) ends.set(partition, end);
      if (earliest > 0n) trimmed.add(partition);
      const start = next.get(partition) ?? earliest; // assigned once more: go on
      advance(partition, start);
      return start;
    },
    async batch({ partition, records }, heartbeat) {
      const end = ends.get(partition) ?? 0n;
      const from = next.get(partition) ?? 0n;
      take(
        records.filter(({ offset }) => offset >= from && offset < end),
        partition,
      );
      const last = records.at(-1);
      if (last !== undefined) advance(partition, last.offset + 1n);
      await heartbeat();
      return undefined;
    },
    async revoked() {},
    async outOfRange(partition, _wanted, earliest) {
      gaps++;
      advance(partition, earliest);
    },
  });
  try {
    if (pending.size > 0) await Promise.race([reading, finished]);
  } finally {
    await reader.stop();
  }
  await reading;
  return { trimmed: trimmed.size, gaps };
}
