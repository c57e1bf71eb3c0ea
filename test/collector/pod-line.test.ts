import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { readPodLine } from '../../collector/pod-line.ts';
import { createPodMemory, type PodMemory } from '../../collector/pod-memory.ts';
import { renderObject, renderPodParts } from '../../collector/rendered-object.ts';
import { decodeWatchLine } from '../../collector/watch-stream.ts';
import { recordedLines } from '../helpers/recorded.ts';

/** What a line comes to: parsed whole and rendered, or with the help of the memory. */
function outcome(line: Buffer, memory?: PodMemory): unknown {
  const decoded = decodeWatchLine(line, memory);
  if (decoded.kind === 'change') {
    const { type, object, resourceVersion } = decoded;
    return { type, resourceVersion, rendered: renderObject('pods', object) };
  }
  if (decoded.kind !== 'pod') return decoded;
  return { type: decoded.pod.type, resourceVersion: decoded.resourceVersion, rendered: renderPodParts(decoded.pod) };
}

/** Whether it was read with the help of the memory; three times, as what comes again is known. */
function assertSame(line: string | Buffer, memory: PodMemory): boolean {
  const wanted = outcome(Buffer.from(line));
  for (let time = 0; time < 3; time += 1) assert.deepEqual(outcome(Buffer.from(line), memory), wanted);
  return readPodLine(Buffer.from(line), memory) !== undefined;
}

/** Text that is looked for, or looks like it. */
const TEXTS = ['uid', 'resourceVersion', '"', '}}', '","labels":{', ']}', '},"spec":{', '\\', 'é😀', ''];
const text = fc.oneof(fc.constantFrom(...TEXTS), fc.string({ unit: 'binary' }));
const json = (value: fc.Arbitrary<unknown>): fc.Arbitrary<string> => value.map((each) => JSON.stringify(each));
const labels = json(fc.dictionary(fc.constantFrom('a', 'uid', 'resourceVersion', 'managedFields'), text, { maxKeys: 2 }));
const quoted = json(text);

/** Members of an object in some order, now and then one twice, or with its name written otherwise. */
function members(fields: Readonly<Record<string, fc.Arbitrary<string>>>): fc.Arbitrary<string> {
  const all = Object.entries(fields).map(([name, value]) => value.map((each) => `"${name}":${each}`));
  const inOrder = fc.tuple(...all.map((each) => fc.option(each, { freq: 20, nil: undefined }))).map((each) => each.filter((member) => member !== undefined));
  const extra = fc.oneof(...all, ...all.map((each) => each.map((member) => member.replace('e', '\\u0065'))));
  const disturbed = fc.tuple(inOrder, extra, fc.nat()).map(([some, one, at]) => some.toSpliced(at % (some.length + 1), 0, one));
  return fc.oneof({ weight: 4, arbitrary: inOrder }, { weight: 1, arbitrary: disturbed }).map((each) => `{${each.join(',')}}`);
}

const metadata = members({
  name: fc.oneof(fc.constant('"web"'), quoted),
  namespace: fc.constant('"shop"'),
  uid: fc.constantFrom('"u"', '"v"', '""', '7'),
  resourceVersion: fc.oneof(
    { weight: 9, arbitrary: fc.nat().map((each) => `"${each}"`) },
    { weight: 1, arbitrary: fc.constantFrom('7', '""', '"7a"', 'null') },
  ),
  creationTimestamp: fc.constantFrom('"2026-01-01T00:00:00Z"', 'null'),
  labels,
  annotations: json(fc.dictionary(fc.constantFrom('deployment.kubernetes.io/revision', 'x'), text, { maxKeys: 2 })),
  managedFields: fc.oneof(fc.constantFrom('[{"f:a":{"]":{}}}]', '[{"a":{}}]', 'null', '[]'), json(fc.jsonValue())),
});
const spec = fc.oneof(
  fc.constantFrom('{"containers":[{"name":"app","env":[{"name":"A","value":"s3cret"}]}],"nodeName":"n1"}', '{"containers":[]}', '{}', 'null', '[]'),
  json(fc.dictionary(fc.constantFrom('nodeName', 'x', 'status'), fc.jsonValue(), { maxKeys: 3 })),
);
const condition = json(fc.record({ type: text, status: fc.constantFrom('True', 'False'), message: text }, { requiredKeys: ['type'] }));
const statuses = fc.array(fc.oneof({ weight: 9, arbitrary: condition }, { weight: 1, arbitrary: json(fc.jsonValue()) }), { maxLength: 3 });
const container = json(fc.record({ name: fc.constantFrom('app', 'b'), ready: fc.boolean(), restartCount: fc.nat(3), state: fc.jsonValue() }));
const listOf = (items: fc.Arbitrary<string>): fc.Arbitrary<string> => fc.array(items, { maxLength: 3 }).map((each) => `[${each.join(',')}]`);
const status = members({
  phase: quoted,
  conditions: fc.oneof(
    statuses.map((each) => `[${each.join(',')}]`),
    json(fc.jsonValue()),
  ),
  hostIP: quoted,
  podIPs: json(fc.jsonValue()),
  initContainerStatuses: listOf(container),
  containerStatuses: fc.oneof({ weight: 4, arbitrary: listOf(container) }, { weight: 1, arbitrary: json(fc.jsonValue()) }),
  qosClass: quoted,
});
const object = members({ kind: fc.constant('"Pod"'), apiVersion: fc.constant('"v1"'), metadata, spec, status });
const line = fc.tuple(fc.constantFrom('ADDED', 'MODIFIED', 'DELETED'), object).map(([type, pod]) => `{"type":"${type}","object":${pod}}`);

describe('readPodLine', () => {
  test('comes to what parsing, projecting and rendering comes to, of pods in any order of fields, twice or written otherwise', () => {
    const memory = createPodMemory(); // of all lines: what is known of a uid is nearly always another pod
    let read = 0;
    fc.assert(
      fc.property(line, (each) => {
        read += assertSame(each, memory) ? 1 : 0;
      }),
      { numRuns: 1_500 },
    );
    assert.ok(read > 150, `${read} of 1,500 lines were read`);
  });

  test('and if a byte of it is another one, or missing', () => {
    const memory = createPodMemory();
    const bytes = fc.constantFrom(...Buffer.from('"\\{}[],:0a \r'));
    fc.assert(
      fc.property(line, fc.nat(), bytes, fc.boolean(), (each, place, byte, isMissing) => {
        const whole = Buffer.from(each);
        assertSame(whole, memory); // its pieces are known
        const at = place % whole.length;
        const managed = [whole.indexOf('"managedFields":'), whole.indexOf('"spec":')] as const;
        // What is not looked at may be anything.
        if (managed[0] !== -1 && at > managed[0] && at < managed[1]) return;
        const middle = isMissing ? Buffer.alloc(0) : Buffer.from([byte]);
        assertSame(Buffer.concat([whole.subarray(0, at), middle, whole.subarray(at + 1)]), memory);
      }),
      { numRuns: 1_500 },
    );
  });

  test('reads every recorded pod, first and again', () => {
    const memory = createPodMemory();
    let read = 0;
    for (const { resource, type, object: pod } of recordedLines('fleet/batch-3.ndjson.gz')) {
      if (resource !== 'pods' || type === 'LIST' || type === 'BOOKMARK') continue;
      assert.ok(assertSame(JSON.stringify({ type, object: pod }), memory));
      read += 1;
    }
    assert.ok(read > 100);
  });

  test('a line that ends within a piece that is known is not read', () => {
    const memory = createPodMemory();
    const whole = Buffer.from(
      '{"type":"ADDED","object":{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a","uid":"u","resourceVersion":"1","labels":{"a":"}"}},"spec":{"x":"}"},"status":{"phase":"Running"}}}',
    );
    assert.ok(assertSame(whole, memory));
    for (let length = 0; length < whole.length; length += 1) assert.equal(assertSame(whole.subarray(0, length), memory), false);
  });

  test('keeps nothing of the bytes that it was lent', () => {
    const memory = createPodMemory();
    const [first, again] = [1, 2].map((version) =>
      Buffer.from(
        `{"type":"ADDED","object":{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a","uid":"u","resourceVersion":"${version}"},"spec":{},"status":{"conditions":[{"type":"a","status":"b"}]}}}`,
      ),
    ) as [Buffer, Buffer];
    readPodLine(first, memory);
    first.fill(0x20);
    assert.equal(readPodLine(again, memory)?.spec, readPodLine(again, memory)?.spec);
    assert.equal(readPodLine(again, memory)?.resourceVersion, '2');
  });
});
