/**
 * The segment files of one directory: <base offset>.log, records in offset order, appended to the newest. What `nextOffset` and
 * the sizes say is durable: they move only after fdatasync, and nobody reads beyond them, so no reader ever saw a record that a
 * crash takes back. The caller owns the directory (directory-lock.ts) and calls append one at a time.
 */
import { type FileHandle, mkdir, open, readdir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { ChangeLogError } from '../errors.ts';
import { frameBytes, writeFrame } from './segment.ts';
import { findFrame, readFrames } from './segment-reader.ts';

export interface SegmentOptions {
  readonly directory: string;
  /** A segment that would grow beyond this is closed and the next one begun. */
  readonly segmentBytes: number;
  /** Segments whose records are all older than this are deleted. */
  readonly retentionMs: number;
  /** Hard cap of all segments: the oldest go first, and when none may go, append rejects. */
  readonly retentionBytes: number;
}

export interface SegmentDeps {
  readonly log: Logger;
  readonly now: () => number;
  /** No record at or above this offset may be deleted (design D10). */
  readonly retentionFloor: () => bigint;
}

export interface Segment {
  readonly base: bigint;
  readonly path: string;
  /** Durable bytes. */
  size: number;
  /** Time of its first record; undefined while it has none that can be read. */
  firstTimeMs: number | undefined;
}

export interface PendingRecord {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

export class SegmentLog {
  readonly #options: SegmentOptions;
  readonly #deps: SegmentDeps;
  /** Oldest first; the last is the active one. Never empty after open. */
  #segments: Segment[] = [];
  #active: FileHandle | undefined;
  /** Set when a failed write may have left bytes beyond the durable size that could not be cut off yet. */
  #hasDebris = false;
  #nextOffset = 0n;
  #lastTimeMs = 0;

  private constructor(options: SegmentOptions, deps: SegmentDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  /**
   * Opens or creates the log; a torn tail is cut off. `minNextOffset`: offsets below it were in use once and are not given out
   * again, even if the files that held them are gone.
   */
  static async open(options: SegmentOptions, deps: SegmentDeps, minNextOffset: bigint): Promise<SegmentLog> {
    const segments = new SegmentLog(options, deps);
    await mkdir(options.directory, { recursive: true });
    await segments.#load();
    if (segments.#nextOffset < minNextOffset) {
      deps.log.error({ wanted: String(minNextOffset), next: String(segments.#nextOffset) }, 'the end of the log is missing');
      segments.#nextOffset = minNextOffset;
      await segments.#roll();
    } else if (segments.#segments.length === 0) await segments.#roll();
    await segments.trim(0);
    return segments;
  }

  get earliest(): bigint {
    return this.#segments[0]?.base ?? this.#nextOffset;
  }

  /** Offset of the next record to be appended: everything below it is durable. */
  get nextOffset(): bigint {
    return this.#nextOffset;
  }

  get sizeBytes(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.size, 0);
  }

  /** The segment that holds or would hold the offset, and the base of the one after it. Undefined below the earliest. */
  locate(offset: bigint): { readonly segment: Segment; readonly nextBase: bigint | undefined } | undefined {
    const index = this.#segments.findLastIndex((segment) => segment.base <= offset);
    const segment = this.#segments[index];
    return segment && { segment, nextBase: this.#segments[index + 1]?.base };
  }

  /**
   * Appends the records and makes them durable; all of them or, as far as readers can see, none. Rejects with a retriable
   * ChangeLogError: PODTRAIL_LOG_FULL at the cap or without disk space, PODTRAIL_LOG_UNAVAILABLE on any other failure.
   */
  async append(records: readonly PendingRecord[]): Promise<void> {
    const bytes = records.reduce((sum, record) => sum + frameBytes(record.key, record.value), 0);
    try {
      await this.#makeRoom(bytes);
      const timeMs = Math.max(this.#lastTimeMs, this.#deps.now());
      const buffer = Buffer.allocUnsafe(bytes);
      let at = 0;
      let offset = this.#nextOffset;
      for (const record of records) {
        at = writeFrame(buffer, at, offset, timeMs, record.key, record.value);
        offset += 1n;
      }
      const segment = this.#newest();
      await this.#write(segment, buffer);
      segment.size += bytes;
      segment.firstTimeMs ??= timeMs;
      this.#lastTimeMs = timeMs;
      this.#nextOffset = offset;
    } catch (error) {
      throw asLogError(error, `append ${records.length} records at offset ${this.#nextOffset}`);
    }
  }

  /** Deletes the oldest segments that retention no longer keeps, so that `extraBytes` more fit. Never throws. */
  async trim(extraBytes: number): Promise<void> {
    const { retentionBytes, retentionMs, directory } = this.#options;
    const floor = this.#deps.retentionFloor();
    let deleted = 0;
    for (;;) {
      const [oldest, second] = this.#segments;
      if (oldest === undefined || second === undefined || second.base > floor) break;
      const newestTimeMs = second.firstTimeMs ?? Number.POSITIVE_INFINITY; // records before it are no newer
      const isOver = this.sizeBytes + extraBytes > retentionBytes;
      if (!isOver && newestTimeMs > this.#deps.now() - retentionMs) break;
      try {
        await unlink(oldest.path);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
          this.#deps.log.warn({ err: error, path: oldest.path }, 'segment not deleted');
          break;
        }
      }
      this.#segments = this.#segments.slice(1);
      deleted += 1;
      this.#deps.log[isOver ? 'warn' : 'info']({ path: oldest.path, earliest: String(second.base), isOver }, 'segment deleted');
    }
    if (deleted > 0) await syncDirectory(directory).catch((error) => this.#deps.log.warn({ err: error }, 'directory not synced'));
  }

  async close(): Promise<void> {
    await this.#active?.close();
    this.#active = undefined;
  }

  #newest(): Segment {
    const newest = this.#segments.at(-1);
    if (newest === undefined) throw new Error('segment log is not open');
    return newest;
  }

  async #load(): Promise<void> {
    const names = (await readdir(this.#options.directory)).filter((name) => /^\d{20}\.log$/.test(name)).sort();
    for (const name of names) {
      const path = join(this.#options.directory, name);
      this.#segments.push({ base: BigInt(name.slice(0, 20)), path, size: (await stat(path)).size, firstTimeMs: undefined });
    }
    for (const segment of this.#segments.slice(0, -1)) segment.firstTimeMs = await readFirstTime(segment);
    const newest = this.#segments.at(-1);
    if (newest !== undefined) await this.#repair(newest);
  }

  /** Finds the end of the newest segment and cuts off what follows the last whole record. */
  async #repair(segment: Segment): Promise<void> {
    this.#active = await open(segment.path, 'r+');
    this.#nextOffset = segment.base;
    let position = 0;
    let end = 0;
    while (position < segment.size) {
      const frames = await readFrames(this.#active, position, segment.size);
      for (const record of frames.records) {
        segment.firstTimeMs ??= record.timeMs;
        this.#lastTimeMs = record.timeMs;
        this.#nextOffset = record.offset + 1n;
      }
      end = frames.records.length > 0 ? frames.end : end;
      position = frames.isDamaged ? await findFrame(this.#active, frames.end + 1, segment.size, this.#nextOffset) : frames.end;
      if (position < 0) break;
    }
    if (end === segment.size) return;
    this.#deps.log.warn({ path: segment.path, droppedBytes: segment.size - end, next: String(this.#nextOffset) }, 'torn tail cut off');
    segment.size = end;
    this.#hasDebris = true;
    await this.#clearDebris(segment);
  }

  /** Begins a new segment if the active one is full or old, and trims; throws PODTRAIL_LOG_FULL if the cap leaves no room. */
  async #makeRoom(bytes: number): Promise<void> {
    const { segmentBytes, retentionBytes, retentionMs } = this.#options;
    const newest = this.#newest();
    // By age too, so that a quiet log does not keep one segment, and with it old records, for ever.
    const isOld = newest.firstTimeMs !== undefined && newest.firstTimeMs < this.#deps.now() - retentionMs / 4;
    if (newest.size > 0 && (newest.size + bytes > segmentBytes || isOld)) {
      await this.#roll();
      await this.trim(bytes);
    }
    if (this.sizeBytes + bytes <= retentionBytes) return;
    if (this.#newest().size > 0 && this.#deps.retentionFloor() >= this.#nextOffset) await this.#roll(); // all is read: all may go
    await this.trim(bytes);
    if (this.sizeBytes + bytes <= retentionBytes) return;
    const text = `append ${bytes} bytes failed: the log holds ${this.sizeBytes} of ${retentionBytes} bytes and nothing before offset ${this.#deps.retentionFloor()} is left to delete`;
    throw new ChangeLogError('PODTRAIL_LOG_FULL', text, { retriable: true });
  }

  async #roll(): Promise<void> {
    const { directory } = this.#options;
    const path = join(directory, `${String(this.#nextOffset).padStart(20, '0')}.log`);
    const previous = this.#segments.at(-1);
    if (previous !== undefined) await this.#clearDebris(previous);
    const handle = await open(path, 'w+');
    try {
      await syncDirectory(directory);
    } catch (error) {
      await handle.close();
      throw error;
    }
    await this.#active?.close();
    this.#active = handle;
    this.#segments.push({ base: this.#nextOffset, path, size: 0, firstTimeMs: undefined });
  }

  async #write(segment: Segment, buffer: Buffer): Promise<void> {
    const handle = this.#active;
    if (handle === undefined) throw new Error('segment log is closed');
    await this.#clearDebris(segment);
    this.#hasDebris = true;
    try {
      for (let written = 0; written < buffer.length; ) {
        written += (await handle.write(buffer, written, buffer.length - written, segment.size + written)).bytesWritten;
      }
      await handle.datasync();
      this.#hasDebris = false;
    } catch (error) {
      // After a failed fdatasync the kernel may have dropped the pages: nothing of this write may stay.
      await this.#clearDebris(segment).catch(() => undefined);
      throw error;
    }
  }

  async #clearDebris(segment: Segment): Promise<void> {
    if (!this.#hasDebris || this.#active === undefined) return;
    await this.#active.truncate(segment.size);
    await this.#active.datasync();
    this.#hasDebris = false;
  }
}

/** Makes created, renamed and deleted names of a directory durable. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function readFirstTime(segment: Segment): Promise<number | undefined> {
  const handle = await open(segment.path, 'r');
  try {
    return (await readFrames(handle, 0, segment.size)).records[0]?.timeMs;
  } finally {
    await handle.close();
  }
}

const NO_SPACE = ['ENOSPC', 'EDQUOT', 'EFBIG'];

/** Maps any failure of the file system to a retriable ChangeLogError. */
export function asLogError(error: unknown, attempted: string): ChangeLogError {
  if (error instanceof ChangeLogError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  const kind = NO_SPACE.includes(code ?? '') ? 'PODTRAIL_LOG_FULL' : 'PODTRAIL_LOG_UNAVAILABLE';
  return new ChangeLogError(kind, `${attempted} failed: ${message}`, { cause: error, retriable: true });
}
