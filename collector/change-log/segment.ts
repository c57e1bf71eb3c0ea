/**
 * The format of a segment file: frames, one a record, back to back. Pure functions over buffers.
 *
 *   magic 4 | bodyBytes 4 | crc 4 | body: offset 8, timeMs 8, keyBytes 2, key, value        (big endian)
 *
 * The CRC-32 covers bodyBytes and body. The magic never occurs in UTF-8 text, which makes it a cheap place to start again
 * after damage; the checksum decides.
 */
import { crc32 } from 'node:zlib';
import { MAX_RECORD_BYTES } from '../change-record.ts';
import type { LogRecord } from './change-log.ts';

/** 0xF5 is no byte of any UTF-8 sequence (RFC 3629). */
const MAGIC = Buffer.from([0xf5, 0x70, 0x74, 0x6c]);
const BODY_AT = 12;
const KEY_AT = BODY_AT + 18;
/** Longest key, bytes: what its length field holds. */
export const MAX_KEY_BYTES = 65_535;
/** No whole frame is longer, bytes: a longer one is damage. */
export const MAX_FRAME_BYTES = KEY_AT + MAX_KEY_BYTES + MAX_RECORD_BYTES;

/** Size of the frame of one record, bytes. */
export function frameBytes(key: Uint8Array, value: Uint8Array): number {
  return KEY_AT + key.byteLength + value.byteLength;
}

/** Writes one frame into target at `at`; returns the position after it. The caller has made room and checked the sizes. */
export function writeFrame(target: Buffer, at: number, offset: bigint, timeMs: number, key: Uint8Array, value: Uint8Array): number {
  const end = at + frameBytes(key, value);
  MAGIC.copy(target, at);
  target.writeUInt32BE(end - at - BODY_AT, at + 4);
  target.writeBigUInt64BE(offset, at + BODY_AT);
  target.writeBigUInt64BE(BigInt(timeMs), at + BODY_AT + 8);
  target.writeUInt16BE(key.byteLength, at + BODY_AT + 16);
  target.set(key, at + KEY_AT);
  target.set(value, at + KEY_AT + key.byteLength);
  target.writeUInt32BE(checksum(target, at, end), at + 8);
  return end;
}

/** What stands at a position: a whole frame, the beginning of one that needs more bytes than there are, or neither. */
export type FrameAt = { readonly kind: 'frame'; readonly record: LogRecord; readonly end: number } | { readonly kind: 'short' } | { readonly kind: 'damaged' };

const SHORT: FrameAt = { kind: 'short' };
const DAMAGED: FrameAt = { kind: 'damaged' };

/** Reads the frame at `at`. The record's value is a view of the buffer. Never throws. */
export function readFrame(buffer: Buffer, at: number): FrameAt {
  const available = buffer.length - at;
  if (MAGIC.compare(buffer, at, Math.min(at + 4, buffer.length), 0, Math.min(4, available)) !== 0) return DAMAGED;
  if (available < KEY_AT) return SHORT;
  const bytes = BODY_AT + buffer.readUInt32BE(at + 4);
  if (bytes < KEY_AT || bytes > MAX_FRAME_BYTES) return DAMAGED;
  if (available < bytes) return SHORT;
  const end = at + bytes;
  const keyEnd = at + KEY_AT + buffer.readUInt16BE(at + BODY_AT + 16);
  if (keyEnd > end || buffer.readUInt32BE(at + 8) !== checksum(buffer, at, end)) return DAMAGED;
  const record = {
    offset: buffer.readBigUInt64BE(at + BODY_AT),
    timeMs: Number(buffer.readBigUInt64BE(at + BODY_AT + 8)),
    key: buffer.toString('utf8', at + KEY_AT, keyEnd),
    value: buffer.subarray(keyEnd, end),
  };
  return { kind: 'frame', record, end };
}

/** Position at or after `from` where a frame may begin, or -1. Looks at the magic alone: readFrame decides. */
export function findMagic(buffer: Buffer, from: number): number {
  return buffer.indexOf(MAGIC, from);
}

function checksum(buffer: Buffer, at: number, end: number): number {
  return crc32(buffer.subarray(at + BODY_AT, end), crc32(buffer.subarray(at + 4, at + 8)));
}
