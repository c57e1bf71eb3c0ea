import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type ChangeRecord, createRecordEncoder, decodeChangeRecord, encodeChangeRecord } from '../../collector/change-record.ts';
import { createRecordingEncoder } from '../../collector/recording.ts';
import { recordedLines } from '../helpers/recorded.ts';

const decode = (value: unknown) => decodeChangeRecord(Buffer.from(JSON.stringify(value)));
/** A field that nobody knows: it is ignored, but it keeps a record from the short way past the schema. */
const viaSchema = (value: object) => decode({ ...value, 'no such field': 1 });

const text = fc.oneof(fc.constantFrom('', 'a', 'x'.repeat(64), 'x'.repeat(65), 'x'.repeat(128), 'x'.repeat(129), 'x'.repeat(254)), fc.string({ maxLength: 5 }));
const junk = fc.oneof(fc.jsonValue(), fc.constantFrom(-1, 0.5, 2 ** 53, 8_640_000_000_000_001, null, [], {}), text);
/** Mostly `good`, so that records get past the other fields. */
const mostly = <T>(good: fc.Arbitrary<T>) => fc.oneof({ weight: 15, arbitrary: good }, { weight: 1, arbitrary: junk });
const count = fc.nat();

const metadata = fc.record(
  { name: mostly(text), namespace: mostly(text), uid: mostly(text), resourceVersion: mostly(text), labels: junk },
  { requiredKeys: ['name', 'namespace', 'uid', 'resourceVersion'] },
);
const object = fc.record({ kind: mostly(text), apiVersion: mostly(text), metadata: mostly(metadata), spec: junk }, { requiredKeys: ['kind', 'apiVersion'] });
const envelope = {
  v: mostly(fc.constant(1)),
  cluster: mostly(fc.record({ uid: mostly(fc.constant('u')), name: mostly(text) })),
  run: mostly(fc.constant('r')),
  t: mostly(count),
};
const record = fc.record(
  {
    ...envelope,
    session: mostly(fc.constant('s')),
    seq: mostly(count),
    resource: mostly(fc.constantFrom('pods', 'events', 'constructor')),
    scope: mostly(text),
    type: mostly(fc.constantFrom('LISTED', 'ADDED', 'MODIFIED', 'DELETED', 'REJECTED')),
    uid: mostly(fc.constantFrom('u', 'v')),
    rv: mostly(text),
    object: mostly(object),
  },
  { requiredKeys: ['v', 'cluster', 'run', 't', 'session', 'seq', 'resource', 'scope', 'type', 'uid', 'rv'] },
);

const counters = fc.record(
  {
    session: mostly(text),
    resource: mostly(fc.constantFrom('pods', 'events', 'constructor')),
    scope: mostly(text),
    nextSeq: mostly(count),
    inSync: mostly(fc.boolean()),
    received: mostly(count),
    suppressed: mostly(count),
    rejected: mostly(count),
    appended: mostly(count),
    completeTimeMs: mostly(count),
  },
  { requiredKeys: ['session', 'resource', 'scope', 'nextSeq', 'inSync', 'received', 'suppressed', 'rejected', 'appended'] },
);
const heartbeat = fc.record(
  {
    ...envelope,
    type: mostly(fc.constant('HEARTBEAT')),
    sessions: mostly(fc.array(mostly(counters), { maxLength: 2 })),
    tick: mostly(fc.constant(true)),
  },
  { requiredKeys: ['v', 'cluster', 'run', 't', 'type', 'sessions'] },
);

test('the short way past the schema says what the schema says, of any record', () => {
  let accepted = 0;
  fc.assert(
    fc.property(fc.oneof(record, heartbeat), (value) => {
      const decoded = decode(value);
      accepted += decoded.ok ? 1 : 0;
      assert.deepStrictEqual(decoded, viaSchema(value));
    }),
    { numRuns: 6_000 },
  );
  assert.ok(accepted > 100, `${accepted} records were valid`);
});

test('and of a recording', () => {
  const encoder = createRecordingEncoder({ cluster: { name: 'demo' } });
  const records = [...recordedLines('fleet/batch-3.ndjson.gz').flatMap((line) => encoder.push(line)), ...encoder.end()];
  for (const each of records) {
    const decoded = decodeChangeRecord(encodeChangeRecord(each));
    assert.ok(decoded.ok);
    assert.deepStrictEqual(decoded, viaSchema(each));
  }
});

test('a key that would be a prototype goes no short way', () => {
  const bytes = (extra: string) =>
    Buffer.from(
      `{"v":1,"cluster":{"uid":"u","name":"n"},"run":"r","t":0,"session":"s","seq":0,"resource":"pods","scope":"","type":"ADDED","uid":"u","rv":"1","object":{"kind":"Pod","apiVersion":"v1","__proto__":{"spec":1},"metadata":{"name":"a","namespace":"b","uid":"u","resourceVersion":"1"}}${extra}}`,
    );
  assert.deepStrictEqual(decodeChangeRecord(bytes('')), decodeChangeRecord(bytes(',"no such field":1')));
});

test('an object that was stringified before gives the same bytes', () => {
  fc.assert(
    fc.property(record, (value) => {
      const whole = value as unknown as Parameters<typeof encodeChangeRecord>[0];
      const json = JSON.stringify(value.object);
      if (json !== undefined) assert.deepEqual(decode(JSON.parse(createRecordEncoder()(whole, json).toString())), decode(value));
    }),
  );
});

test('records that share memory leave each other alone', () => {
  const encode = createRecordEncoder();
  const note = (message: string): ChangeRecord =>
    ({ v: 1, cluster: { uid: 'u', name: 'n' }, run: 'r', t: 0, type: 'NOTE', resource: 'pods', scope: '', code: 'c', message }) as ChangeRecord;
  const lengths = [0, 1, 700, 9_000, 60_000, 200_000]; // some with memory of their own
  const notes = Array.from({ length: 120 }, (_, index) => note('é😀x'.repeat((lengths[index % lengths.length] ?? 0) / 4)));
  const encoded = notes.map((each) => encode(each));
  assert.deepEqual(
    encoded.map(String),
    notes.map((each) => JSON.stringify(each)),
  );
});
