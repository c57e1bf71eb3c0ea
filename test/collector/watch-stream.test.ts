import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { createLineSplitter, decodeWatchLine } from '../../collector/watch-stream.ts';

function split(chunks: readonly Buffer[], maxLineBytes?: number): { lines: string[]; tooLong: number; rest: string } {
  const lines: string[] = [];
  let tooLong = 0;
  const splitter = createLineSplitter(
    (line) => {
      lines.push(line.toString());
      return true;
    },
    () => {
      tooLong += 1;
      return true;
    },
    maxLineBytes,
  );
  for (const chunk of chunks) splitter.push(chunk);
  return { lines, tooLong, rest: splitter.rest().toString() };
}

function cutAt(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const borders = [...new Set([0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length])].sort((a, b) => a - b);
  return borders.slice(1).map((end, index) => bytes.subarray(borders[index], end));
}

describe('createLineSplitter', () => {
  test('gives the same lines wherever the bytes are cut', () => {
    const line = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('{"a":"\u2028"}', '😀é\ud7ff', '')).map((text) => text.replaceAll('\n', ' '));
    fc.assert(
      fc.property(fc.array(line), line, fc.array(fc.nat(), { maxLength: 20 }), (lines, rest, cuts) => {
        // Through UTF-8 and back, as lone surrogates do not survive it.
        const expected = [...lines, rest].map((text) => Buffer.from(text).toString());
        const bytes = Buffer.from([...lines, rest].join('\n'));
        const found = split(cutAt(bytes, cuts));
        assert.deepEqual([...found.lines, found.rest], expected);
      }),
    );
  });

  test('gives the same lines byte by byte', () => {
    const bytes = Buffer.from('{"é":"😀"}\r\n\n{"b":1}\nunfinished');
    const found = split([...bytes].map((byte) => Buffer.from([byte])));
    assert.deepEqual(found, { lines: ['{"é":"😀"}\r', '', '{"b":1}'], tooLong: 0, rest: 'unfinished' });
  });

  test('takes a line as long as the limit, and drops one that is a byte longer, in one chunk or many', () => {
    const bytes = Buffer.from(`${'a'.repeat(10)}\n${'b'.repeat(11)}\nc\n`);
    for (const chunks of [[bytes], [...bytes].map((byte) => Buffer.from([byte]))]) {
      assert.deepEqual(split(chunks, 10), { lines: ['a'.repeat(10), 'c'], tooLong: 1, rest: '' });
    }
  });

  test('a line of 1.5 MB in chunks of 1 KB comes whole', () => {
    const text = 'x'.repeat(1_500_000);
    const bytes = Buffer.from(`${text}\n`);
    const chunks = Array.from({ length: Math.ceil(bytes.length / 1_024) }, (_, index) => bytes.subarray(index * 1_024, (index + 1) * 1_024));
    assert.equal(split(chunks).lines[0], text);
  });

  test('stops within a chunk when the handler says so, and for good', () => {
    const lines: string[] = [];
    const splitter = createLineSplitter(
      (line) => {
        lines.push(line.toString());
        return line.toString() !== 'b';
      },
      () => true,
    );
    assert.equal(splitter.push(Buffer.from('a\nb\nc\n')), false);
    assert.equal(splitter.push(Buffer.from('d\n')), false);
    assert.deepEqual(lines, ['a', 'b']);
  });
});

describe('decodeWatchLine', () => {
  const cases: readonly [name: string, line: string, expected: object][] = [
    [
      'a change with its version',
      '{"type":"ADDED","object":{"metadata":{"resourceVersion":"7"}}}',
      { kind: 'change', type: 'ADDED', object: { metadata: { resourceVersion: '7' } }, resourceVersion: '7' },
    ],
    ['a change of something that is no object', '{"type":"DELETED","object":3}', { kind: 'change', type: 'DELETED', object: 3, resourceVersion: '' }],
    ['a bookmark', '{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9"}}}', { kind: 'bookmark', resourceVersion: '9' }],
    ['a bookmark without a version', '{"type":"BOOKMARK","object":null}', { kind: 'bookmark', resourceVersion: '' }],
    ['a Status', '{"type":"ERROR","object":{"code":410,"message":"too old"}}', { kind: 'error', status: 410, message: 'too old' }],
    ['an ERROR without a Status', '{"type":"ERROR"}', { kind: 'error', status: 500, message: 'ERROR event without a message' }],
    ['trailing CR', '{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9"}}}\r', { kind: 'bookmark', resourceVersion: '9' }],
    ['an empty line', '\r', { kind: 'blank' }],
    ['a broken line, without quoting it', '{"type":"ADDED","object":{"token":"s3cr', { kind: 'undecodable', reason: 'watch line of 39 bytes is not JSON' }],
    ['JSON that is no watch event', '[1]', { kind: 'undecodable', reason: 'watch line is not a watch event' }],
    ['null', 'null', { kind: 'undecodable', reason: 'watch line is not a watch event' }],
    ['an unknown type', '{"type":"PATCHED","object":{}}', { kind: 'undecodable', reason: 'watch line is not a watch event' }],
  ];
  for (const [name, line, expected] of cases) {
    test(`decodes ${name}`, () => assert.deepEqual(decodeWatchLine(Buffer.from(line)), expected));
  }

  test('never throws', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (line) => {
        decodeWatchLine(Buffer.from(line));
      }),
    );
  });
});
