import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { findMagic, frameBytes, MAX_FRAME_BYTES, readFrame, writeFrame } from '../../../collector/change-log/segment.ts';

const anyRecord = fc.record({
  offset: fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }),
  timeMs: fc.integer({ min: 0, max: 8_640_000_000_000_000 }),
  key: fc.string({ unit: 'grapheme', maxLength: 40 }),
  value: fc.uint8Array({ maxLength: 200 }),
});
type AnyRecord = typeof anyRecord extends fc.Arbitrary<infer T> ? T : never;

function encode({ offset, timeMs, key, value }: AnyRecord): Buffer {
  const keyBytes = Buffer.from(key, 'utf8');
  const buffer = Buffer.alloc(frameBytes(keyBytes, value));
  assert.equal(writeFrame(buffer, 0, offset, timeMs, keyBytes, value), buffer.length);
  return buffer;
}

describe('segment frame', () => {
  test('reads back what was written, wherever it stands', () => {
    fc.assert(
      fc.property(anyRecord, fc.uint8Array({ maxLength: 30 }), fc.uint8Array({ maxLength: 30 }), (record, before, after) => {
        const frame = encode(record);
        const found = readFrame(Buffer.concat([before, frame, after]), before.length);
        assert.ok(found.kind === 'frame');
        assert.equal(found.end, before.length + frame.length);
        assert.deepEqual({ ...found.record, value: Uint8Array.from(found.record.value) }, { ...record, key: Buffer.from(record.key, 'utf8').toString('utf8') });
      }),
    );
  });

  test('no bit can change unnoticed', () => {
    fc.assert(
      fc.property(anyRecord, fc.nat(), (record, bit) => {
        const frame = encode(record);
        const at = bit % (frame.length * 8);
        frame.writeUInt8(frame.readUInt8(at >> 3) ^ (1 << (at & 7)), at >> 3);
        assert.notEqual(readFrame(frame, 0).kind, 'frame');
      }),
      { numRuns: 2_000 },
    );
  });

  test('cut anywhere it is short, not damaged', () => {
    fc.assert(
      fc.property(anyRecord, (record) => {
        const frame = encode(record);
        for (let length = 0; length < frame.length; length += 1) assert.equal(readFrame(frame.subarray(0, length), 0).kind, 'short');
      }),
      { numRuns: 20 },
    );
  });

  test('any bytes are read without throwing, and only whole frames pass', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat({ max: 300 }), (bytes, at) => {
        const found = readFrame(Buffer.from(bytes), Math.min(at, bytes.length));
        assert.notEqual(found.kind, 'frame'); // 2^-32 for a checksum by chance
      }),
    );
  });

  test('a length beyond the largest frame is damage, not a frame to wait for', () => {
    const frame = encode({ offset: 1n, timeMs: 1, key: 'k', value: new Uint8Array(10) });
    frame.writeUInt32BE(MAX_FRAME_BYTES, 4);
    assert.equal(readFrame(frame, 0).kind, 'damaged');
  });

  test('no text holds the magic', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 100 }), (text) => assert.equal(findMagic(Buffer.from(text, 'utf8'), 0), -1)),
      { numRuns: 30 },
    );
  });
});
