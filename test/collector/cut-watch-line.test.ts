import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { cutWatchLine } from '../../collector/cut-watch-line.ts';
import { createSpecMemory, type SpecMemory } from '../../collector/spec-memory.ts';
import { recordedObjects } from '../helpers/recorded.ts';

type Open = Record<string, unknown>;

/** What cutting must give: the line parsed whole, and then without both. */
function parseThenDelete(line: string, cutSpec: boolean): { event: unknown; spec: unknown } {
  const event = JSON.parse(line) as unknown;
  if (!isOpen(event) || !isOpen(event['object'])) return { event, spec: undefined };
  const { object } = event;
  if (isOpen(object['metadata']) && Object.hasOwn(object['metadata'], 'managedFields')) object['metadata']['managedFields'] = null;
  const spec = cutSpec && isOpen(object['spec']) ? object['spec'] : undefined;
  if (spec !== undefined) object['spec'] = null;
  return { event, spec };
}
const isOpen = (value: unknown): value is Open => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Cuts it; with a memory twice, as the second time the spec is known. */
function assertSame(line: string, specs?: SpecMemory): void {
  const wanted = parseThenDelete(line, specs !== undefined);
  for (let time = 0; time < 2; time += 1) {
    const { text, spec } = cutWatchLine(Buffer.from(line), specs);
    assert.deepEqual({ event: JSON.parse(text), spec: spec && JSON.parse(spec.toString()) }, wanted);
  }
}

/** Names that are looked for, in every place, and text that looks like JSON. */
const NAMES = ['object', 'metadata', 'spec', 'managedFields', 'uid', 'type', 'a', '"', '},"spec":{', ']},"a', '],"a', 'é😀', ''];
const text = fc.constantFrom(...NAMES, '\\');
/** Of a key that ends in a backslash JSON.parse of Node 24.21 makes another: `[{"x":{"a":1,"\\\\":1}},{"x":{"a":1,"\\"":1}}]`. */
const name = fc.constantFrom(...NAMES);
const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { depthSize: 'medium' },
    text,
    fc.string({ unit: 'binary' }),
    fc.constantFrom(null, true, 0, -1.5e300, '\\"', '\u2028', ']}', '{['),
    fc.array(tie('any'), { maxLength: 3 }),
    fc.dictionary(name, tie('any'), { maxKeys: 5 }),
  ),
})).any;
/** As API servers write them, objects in objects, and anything else. */
const managedFields = fc.oneof(value, fc.array(fc.dictionary(name, fc.oneof(name, fc.dictionary(name, fc.dictionary(name, name)))), { maxLength: 3 }));
const metadata = fc.record({ name, uid: fc.constantFrom('u', 'v'), labels: value, managedFields, annotations: value }, { requiredKeys: [] });
const object = fc.record({ kind: name, metadata: fc.oneof(metadata, value), spec: value, status: value }, { requiredKeys: [] });
const event = fc.oneof(
  {
    weight: 9,
    arbitrary: fc.record(
      { type: name, object: fc.oneof({ weight: 9, arbitrary: object }, { weight: 1, arbitrary: value }), more: value },
      { requiredKeys: ['object'] },
    ),
  },
  { weight: 1, arbitrary: value },
);

describe('cutWatchLine', () => {
  test('gives what parsing and deleting gives, of anything', () => {
    let cut = 0;
    const specs = createSpecMemory(); // of all lines: what is known of a uid is nearly always another spec
    fc.assert(
      fc.property(event, fc.boolean(), (any, cutSpec) => {
        const line = JSON.stringify(any);
        cut += cutWatchLine(Buffer.from(line), createSpecMemory()).spec === undefined ? 0 : 1;
        assertSame(line, cutSpec ? specs : undefined);
      }),
      { numRuns: 3_000 },
    );
    assert.ok(cut > 20, `${cut} specs were cut`); // about 100 of 3,000, at random
  });

  test('and of every recorded pod', () => {
    const specs = createSpecMemory();
    for (const { object: recorded } of recordedObjects('fleet/batch-3.ndjson.gz')) {
      const line = JSON.stringify({ type: 'MODIFIED', object: recorded });
      for (const memory of [specs, undefined]) assertSame(line, memory);
    }
  });

  test('what follows on a spec that is known decides as if it were not', () => {
    const specs = createSpecMemory();
    const lineOf = (spec: string, rest = '}}'): Buffer => Buffer.from(`{"type":"ADDED","object":{"metadata":{"uid":"u"},"spec":${spec}${rest}`);
    const first = cutWatchLine(lineOf('{"a":1}'), specs).spec;
    assert.equal(cutWatchLine(lineOf('{"a":1}', ',"status":{}}}'), specs).spec, first, 'the very bytes');
    for (const [spec, rest, text] of [
      ['{"a":1}', '', undefined],
      ['{"a":1}', '2}}', undefined],
      ['{"a":12}', '}}', '{"type":"ADDED","object":{"metadata":{"uid":"u"},"spec":null}}'],
    ] as const) {
      const cut = cutWatchLine(lineOf(spec, rest), specs);
      if (text === undefined) assert.throws(() => JSON.parse(cut.text));
      else assert.deepEqual([cut.text, String(cut.spec)], [text, spec]);
    }
  });

  test('a bracket in a string, or a list in a field, does not end managedFields', () => {
    for (const fields of ['[{"k":"]},\\"a"}]', '[{"v:[\\"x\\"]":{}}]', '[{"a":[1]},{"b":2}]', '[{"a":"],"},{"b":"x]}"}]', '[]', '[{"a":"]"}]']) {
      for (const rest of [',"name":"x"}', '},"spec":{"a":1}', '}', ',"1":"x"}', '},"1":{}']) {
        assertSame(`{"object":{"metadata":{"managedFields":${fields}${rest}}}`, createSpecMemory());
      }
    }
  });

  test('keys in another order are found as well', () => {
    const line = '{"object":{"spec":{"a":1},"metadata":{"managedFields":[{}],"name":"x"}},"type":"ADDED"}';
    const { text, spec } = cutWatchLine(Buffer.from(line), createSpecMemory());
    assert.equal(text, '{"object":{"spec":null,"metadata":{"managedFields":null,"name":"x"}},"type":"ADDED"}');
    assert.equal(String(spec), '{"a":1}');
  });

  test('the spec stays in unless it is asked for, and if it is no object', () => {
    for (const [line, cutSpec] of [
      ['{"object":{"spec":{"a":1}}}', false],
      ['{"object":{"spec":[1]}}', true],
      ['{"object":{"spec":null}}', true],
    ] as const) {
      assert.deepEqual(cutWatchLine(Buffer.from(line), cutSpec ? createSpecMemory() : undefined), { text: line, spec: undefined });
    }
  });

  test('what is broken stays broken, and nothing throws', () => {
    const whole = '{"type":"ADDED","object":{"metadata":{"name":"a","managedFields":[{"k":"\\"]"}]},"spec":{"x":"}"},"status":{}}}';
    const specs = createSpecMemory();
    for (let length = 0; length < whole.length; length += 1) {
      const { text } = cutWatchLine(Buffer.from(whole.slice(0, length)), specs);
      assert.throws(() => JSON.parse(text), `${length} bytes: ${text}`);
    }
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        cutWatchLine(Buffer.from(bytes), specs);
      }),
    );
  });

  test('a line with spaces is left to JSON.parse', () => {
    const line = '{ "type": "ADDED", "object": {"spec": {}} }';
    assert.deepEqual(cutWatchLine(Buffer.from(line), createSpecMemory()), { text: line, spec: undefined });
  });
});
