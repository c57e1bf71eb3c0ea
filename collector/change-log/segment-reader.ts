/** Reads frames from one segment file in bounded pieces. Both functions only read, below a limit that the caller knows is durable. */
import type { FileHandle } from 'node:fs/promises';
import type { LogRecord } from './change-log.ts';
import { findMagic, readFrame } from './segment.ts';

/** A piece ends at 1000 records or 1 MiB, so that a reader's memory is bounded and its handler yields often. Any frame fits. */
const MAX_RECORDS = 1_000;
const CHUNK_BYTES = 1_048_576;

export interface Frames {
  readonly records: readonly LogRecord[];
  /** Position after the last of them. */
  readonly end: number;
  /** No whole frame stands at `end`, though the limit is not reached. */
  readonly isDamaged: boolean;
}

/** Reads whole frames from `position` on, at least one if one stands there. */
export async function readFrames(handle: FileHandle, position: number, limit: number): Promise<Frames> {
  const buffer = await readExactly(handle, position, Math.min(CHUNK_BYTES, limit - position));
  const records: LogRecord[] = [];
  let at = 0;
  while (records.length < MAX_RECORDS && at < buffer.length) {
    const found = readFrame(buffer, at);
    if (found.kind === 'damaged') return { records, end: position + at, isDamaged: true };
    if (found.kind === 'short') return { records, end: position + at, isDamaged: records.length === 0 };
    records.push(found.record);
    at = found.end;
  }
  return { records, end: position + at, isDamaged: position < limit && buffer.length === 0 };
}

/** Position of the first whole frame at or after `from` with an offset of at least `minOffset`, or -1. */
export async function findFrame(handle: FileHandle, from: number, limit: number, minOffset: bigint): Promise<number> {
  let position = from;
  while (position < limit) {
    const buffer = await readExactly(handle, position, Math.min(CHUNK_BYTES, limit - position));
    if (buffer.length === 0) return -1;
    for (let at = findMagic(buffer, 0); at >= 0; at = findMagic(buffer, at + 1)) {
      const first = (await readFrames(handle, position + at, limit)).records[0];
      if (first !== undefined && first.offset >= minOffset) return position + at;
    }
    position += Math.max(1, buffer.length - 3); // a magic may straddle two chunks
  }
  return -1;
}

/** Reads until `bytes` are there or the file ends. */
async function readExactly(handle: FileHandle, position: number, bytes: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafeSlow(bytes); // unpooled: records are views of it and may live long
  let filled = 0;
  while (filled < bytes) {
    const { bytesRead } = await handle.read(buffer, filled, bytes - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer.subarray(0, filled);
}
