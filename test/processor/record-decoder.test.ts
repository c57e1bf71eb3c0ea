/** The decoder that remembers specs says of every record what decodeChangeRecord says, whatever came before. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeChangeRecord, encodeChangeRecord } from '../../collector/change-record.ts';
import type { DecodedRecord } from '../../collector/change-record.ts';
import { createRecordDecoder } from '../../processor/record-decoder.ts';
import { encodeLines } from '../helpers/goldens.ts';
import { recordedLines } from '../helpers/recorded.ts';

const specOf = (decoded: DecodedRecord): unknown =>
  decoded.ok && 'object' in decoded.record && decoded.record.object !== undefined ? (decoded.record.object as { spec?: unknown }).spec : undefined;

for (const path of ['cases/rollout-big.ndjson.gz', 'fleet/batch-2.ndjson.gz']) {
  test(`${path}: the same records, and one spec for all versions that have the same`, () => {
    const decode = createRecordDecoder();
    const last = new Map<string, unknown>();
    let shared = 0;
    for (const record of encodeLines(recordedLines(path))) {
      const bytes = encodeChangeRecord(record);
      const decoded = decode(bytes);
      assert.deepEqual(decoded, decodeChangeRecord(bytes));
      assert.ok(decoded.ok);
      const spec = specOf(decoded);
      if (spec === undefined || !('uid' in record)) continue;
      const before = last.get(record.uid);
      if (before === spec) shared += 1;
      else if (before !== undefined) assert.notDeepEqual(before, spec);
      last.set(record.uid, spec);
    }
    assert.ok(shared > 100, `${shared} specs were shared`);
  });
}

const envelope = { v: 1, cluster: { uid: 'c', name: 'c' }, run: 'r', t: 1, session: 's', seq: 0, resource: 'pods', scope: '', type: 'MODIFIED', rv: '1' };
/** Texts that look like the places which the decoder looks for. */
const text = fc.constantFrom('', 'a', ',"spec":{', ',"status":{', '"spec":{"a":1},"status":{', '\\', '"', 'é\u{1f600}', '\ud800');
const value = fc.letrec((tie) => ({
  any: fc.oneof({ depthSize: 'small' }, text, fc.integer(), fc.constant(null), fc.array(tie('any'), { maxLength: 2 }), tie('fields')),
  fields: fc.dictionary(fc.constantFrom('spec', 'status', 'metadata', 'object', 'a', '__proto__'), tie('any'), { maxKeys: 4, noNullPrototype: true }),
})).fields;
const metadata = value.map((more) => ({ ...more, name: 'p', namespace: 'n', uid: 'u', resourceVersion: '1' }));
const object = fc
  .record({ metadata, spec: value, status: value, more: value, order: fc.shuffledSubarray(['metadata', 'spec', 'status', 'more']) })
  .map(({ order, ...parts }) => ({ kind: 'Pod', apiVersion: 'v1', ...Object.fromEntries(order.map((key) => [key, parts[key as keyof typeof parts]])) }));
const written = fc.record({ uid: fc.constantFrom('u', 'w'), object }).map((record) => JSON.stringify({ ...envelope, ...record }));

/** What a disk or another program may make of it. */
const disturbed = fc
  .record({ text: written, at: fc.nat(), cut: fc.nat(9), put: fc.constantFrom('', '', '', '}', '"', ',"spec":{}', ',"spec":{},"status":{}') })
  .map(({ text: record, at, cut, put }) => {
    const from = at % record.length;
    return put === '' && cut > 2 ? record : record.slice(0, from) + put + record.slice(from + (put === '' ? cut : 0));
  });

test('whatever the record looks like, and whatever came before', () => {
  fc.assert(
    fc.property(fc.array(disturbed, { minLength: 1, maxLength: 8 }), fc.integer({ min: 1, max: 8 }), (texts, maxSpecs) => {
      const decode = createRecordDecoder(maxSpecs);
      for (const each of [...texts, ...texts]) assert.deepEqual(decode(Buffer.from(each)), decodeChangeRecord(Buffer.from(each)));
    }),
    { numRuns: 1_000 },
  );
});

test('a spec is forgotten when as many others have come since', () => {
  const decode = createRecordDecoder(4);
  const bytes = (uid: string): Buffer =>
    Buffer.from(
      JSON.stringify({
        ...envelope,
        uid,
        object: { kind: 'Pod', apiVersion: 'v1', metadata: { name: 'p', namespace: 'n', uid, resourceVersion: '1' }, spec: { containers: [] }, status: {} },
      }),
    );
  const first = specOf(decode(bytes('a')));
  assert.notEqual(first, undefined);
  for (const uid of ['b', 'c', 'a']) decode(bytes(uid));
  assert.equal(specOf(decode(bytes('a'))), first, 'what comes again is kept');
  for (const uid of ['d', 'e', 'f', 'g']) decode(bytes(uid));
  assert.notEqual(specOf(decode(bytes('a'))), first);
});
