/** Walks the segments from an offset on. Everything it cannot deliver it reports as a gap: nothing is skipped in silence. */
import { type FileHandle, open } from 'node:fs/promises';
import type { LogRecord } from './change-log.ts';
import type { Segment, SegmentLog } from './segment-log.ts';
import { findFrame, readFrames } from './segment-reader.ts';

/** `gap`: the records from `next` up to `to` are gone (deleted, or damaged); the cursor stands at `to`. */
export type CursorRead =
  | { readonly kind: 'records'; readonly records: readonly LogRecord[] }
  | { readonly kind: 'gap'; readonly wanted: bigint; readonly to: bigint }
  | { readonly kind: 'end' };

const END: CursorRead = { kind: 'end' };

/** Close it after use: it holds a file open. */
export class LogCursor {
  readonly #log: SegmentLog;
  #next: bigint;
  #file: { readonly handle: FileHandle; readonly base: bigint } | undefined;
  #position = 0;

  constructor(log: SegmentLog, next: bigint) {
    this.#log = log;
    this.#next = next;
  }

  /** Offset of the next record to deliver. */
  get next(): bigint {
    return this.#next;
  }

  /** The next records (at most 1000, about 1 MiB), a gap, or the end of what is durable. */
  async read(): Promise<CursorRead> {
    for (;;) {
      const found = this.#log.locate(this.#next);
      if (found === undefined) return this.#gap(this.#log.earliest);
      const { segment, nextBase } = found;
      if (!(await this.#enter(segment))) return this.#gap(nextBase ?? this.#log.nextOffset);
      if (this.#position >= segment.size) {
        if (nextBase !== undefined) {
          if (nextBase > this.#next) return this.#gap(nextBase);
          continue;
        }
        return this.#next < this.#log.nextOffset ? this.#gap(this.#log.nextOffset) : END;
      }
      const read = await this.#readFrom(segment);
      if (read !== undefined) return read;
    }
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.handle.close();
  }

  /** Reads one piece; undefined when it held nothing to deliver yet. */
  async #readFrom(segment: Segment): Promise<CursorRead | undefined> {
    const handle = this.#file?.handle;
    if (handle === undefined) return undefined;
    const limit = segment.size;
    const frames = await readFrames(handle, this.#position, limit);
    const wanted = this.#next;
    const records = takeConsecutive(frames.records, wanted);
    const first = frames.records.find((record) => record.offset >= wanted);
    if (first !== undefined && records.length === 0) return this.#gap(first.offset); // read again from the same position
    this.#next = wanted + BigInt(records.length);
    const isAll = records.length === 0 || records.at(-1) === frames.records.at(-1);
    if (isAll) this.#position = frames.end;
    if (records.length > 0) return { kind: 'records', records };
    if (frames.isDamaged) {
      const found = await findFrame(handle, frames.end + 1, limit, this.#next);
      this.#position = found < 0 ? limit : found;
    }
    return undefined;
  }

  /** Opens the segment's file unless it is open; false if the file is gone. */
  async #enter(segment: Segment): Promise<boolean> {
    if (this.#file?.base === segment.base) return true;
    await this.close();
    try {
      this.#file = { handle: await open(segment.path, 'r'), base: segment.base };
      this.#position = 0;
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
      throw error;
    }
  }

  #gap(to: bigint): CursorRead {
    const wanted = this.#next;
    this.#next = to;
    return { kind: 'gap', wanted, to };
  }
}

/** The records from `offset` on, up to the first hole. */
function takeConsecutive(records: readonly LogRecord[], offset: bigint): LogRecord[] {
  const taken: LogRecord[] = [];
  for (const record of records) {
    if (record.offset < offset) continue;
    if (record.offset !== offset + BigInt(taken.length)) break;
    taken.push(record);
  }
  return taken;
}
