import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { cutWatchLine } from '../../collector/cut-watch-line.ts';
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

function assertSame(line: string, cutSpec: boolean): void {
  const { text, spec } = cutWatchLine(Buffer.from(line), cutSpec);
  assert.deepEqual({ event: JSON.parse(text), spec: spec && JSON.parse(spec.toString()) }, parseThenDelete(line, cutSpec));
}

/** Names that are looked for, in every place, and text that looks like JSON. */
const name = fc.constantFrom('object', 'metadata', 'spec', 'managedFields', 'type', 'a', '"', '\\', '},"spec":{', 'é😀', '');
const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { depthSize: 'medium' },
    name,
    fc.string({ unit: 'binary' }),
    fc.constantFrom(null, true, 0, -1.5e300, '\\"', '\u2028', ']}', '{['),
    fc.array(tie('any'), { maxLength: 3 }),
    fc.dictionary(name, tie('any'), { maxKeys: 5 }),
  ),
})).any;
const metadata = fc.record({ name, labels: value, managedFields: value, annotations: value }, { requiredKeys: [] });
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
    fc.assert(
      fc.property(event, fc.boolean(), (any, cutSpec) => {
        const line = JSON.stringify(any);
        cut += cutWatchLine(Buffer.from(line), true).spec === undefined ? 0 : 1;
        assertSame(line, cutSpec);
      }),
      { numRuns: 3_000 },
    );
    assert.ok(cut > 20, `${cut} specs were cut`); // about 100 of 3,000, at random
  });

  test('and of every recorded pod', () => {
    for (const { object: recorded } of recordedObjects('fleet/batch-3.ndjson.gz')) {
      const line = JSON.stringify({ type: 'MODIFIED', object: recorded });
      for (const cutSpec of [true, false]) assertSame(line, cutSpec);
    }
  });

  test('keys in another order are found as well', () => {
    const line = '{"object":{"spec":{"a":1},"metadata":{"managedFields":[{}],"name":"x"}},"type":"ADDED"}';
    const { text, spec } = cutWatchLine(Buffer.from(line), true);
    assert.equal(text, '{"object":{"spec":null,"metadata":{"managedFields":null,"name":"x"}},"type":"ADDED"}');
    assert.equal(String(spec), '{"a":1}');
  });

  test('the spec stays in unless it is asked for, and if it is no object', () => {
    for (const [line, cutSpec] of [
      ['{"object":{"spec":{"a":1}}}', false],
      ['{"object":{"spec":[1]}}', true],
      ['{"object":{"spec":null}}', true],
    ] as const) {
      assert.deepEqual(cutWatchLine(Buffer.from(line), cutSpec), { text: line, spec: undefined });
    }
  });

  test('what is broken stays broken, and nothing throws', () => {
    const whole = '{"type":"ADDED","object":{"metadata":{"name":"a","managedFields":[{"k":"\\"]"}]},"spec":{"x":"}"},"status":{}}}';
    for (let length = 0; length < whole.length; length += 1) {
      const { text } = cutWatchLine(Buffer.from(whole.slice(0, length)), true);
      assert.throws(() => JSON.parse(text), `${length} bytes: ${text}`);
    }
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        cutWatchLine(Buffer.from(bytes), true);
      }),
    );
  });

  test('a line with spaces is left to JSON.parse', () => {
    const line = '{ "type": "ADDED", "object": {"spec": {}} }';
    assert.deepEqual(cutWatchLine(Buffer.from(line), true), { text: line, spec: undefined });
  });
});
