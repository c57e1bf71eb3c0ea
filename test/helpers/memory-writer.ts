/** A change log writer that keeps what it takes, and fails or waits on demand. */
import type { ChangeLogWriter } from '../../collector/change-log/change-log.ts';
import { type ChangeRecord, decodeChangeRecord } from '../../collector/change-record.ts';

export interface MemoryWriter extends ChangeLogWriter {
  /** What was acknowledged, in order, decoded as a processor would. */
  readonly records: ChangeRecord[];
  readonly batches: { readonly key: string; readonly values: readonly Uint8Array[] }[];
  /** Runs before an append is taken: throw to refuse it, return a promise to delay it. */
  before: (key: string, values: readonly Uint8Array[]) => unknown;
  /** Most appends of one key that were ever in flight at the same time. */
  mostInFlight(): number;
}

export function createMemoryWriter(): MemoryWriter {
  const inFlight = new Map<string, number>();
  let most = 0;
  const writer: MemoryWriter = {
    records: [],
    batches: [],
    before: () => undefined,
    mostInFlight: () => most,
    async append(key, values) {
      const now = (inFlight.get(key) ?? 0) + 1;
      inFlight.set(key, now);
      most = Math.max(most, now);
      try {
        await writer.before(key, values);
        writer.batches.push({ key, values });
        for (const value of values) writer.records.push(decode(value));
      } finally {
        inFlight.set(key, now - 1);
      }
    },
    close: async () => {},
  };
  return writer;
}

function decode(value: Uint8Array): ChangeRecord {
  const decoded = decodeChangeRecord(value);
  if (!decoded.ok) throw new Error(`the collector wrote what no processor reads: ${decoded.reason}`);
  return decoded.record;
}
