import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { cutWatchLine } from '../../collector/cut-watch-line.ts';
import { recordedObjects } from '../helpers/recorded.ts';

type Open = Record<string, unknown>;

/** What cutting must give: the line parsed whole, and then without managedFields. */
function parseThenDelete(line: string): unknown {
  const event = JSON.parse(line) as unknown;
  const metadata = isOpen(event) && isOpen(event['object']) ? event['object']['metadata'] : undefined;
  if (isOpen(metadata) && Object.hasOwn(metadata, 'managedFields')) metadata['managedFields'] = null;
  return event;
}
const isOpen = (value: unknown): value is Open => typeof value === 'object' && value !== null && !Array.isArray(value);

function assertSame(line: string): void {
  assert.deepEqual(JSON.parse(cutWatchLine(Buffer.from(line))), parseThenDelete(line));
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
    fc.assert(
      fc.property(event, (any) => {
        const line = JSON.stringify(any);
        cut += cutWatchLine(Buffer.from(line)) === line ? 0 : 1;
        assertSame(line);
      }),
      { numRuns: 3_000 },
    );
    assert.ok(cut > 20, `${cut} lines were cut`);
  });

  test('and of every recorded pod', () => {
    for (const { object: recorded } of recordedObjects('fleet/batch-3.ndjson.gz')) assertSame(JSON.stringify({ type: 'MODIFIED', object: recorded }));
  });

  test('a bracket in a string, or a list in a field, does not end managedFields', () => {
    for (const fields of ['[{"k":"]},\\"a"}]', '[{"v:[\\"x\\"]":{}}]', '[{"a":[1]},{"b":2}]', '[{"a":"],"},{"b":"x]}"}]', '[]', '[{"a":"]"}]']) {
      for (const rest of [',"name":"x"}', '},"spec":{"a":1}', '}', ',"1":"x"}', '},"1":{}']) {
        assertSame(`{"object":{"metadata":{"managedFields":${fields}${rest}}}`);
      }
    }
  });

  test('keys in another order are found as well', () => {
    const text = cutWatchLine(Buffer.from('{"object":{"spec":{"a":1},"metadata":{"managedFields":[{}],"name":"x"}},"type":"ADDED"}'));
    assert.equal(text, '{"object":{"spec":{"a":1},"metadata":{"managedFields":null,"name":"x"}},"type":"ADDED"}');
  });

  test('what is broken stays broken, and nothing throws', () => {
    const whole = '{"type":"ADDED","object":{"metadata":{"name":"a","managedFields":[{"k":"\\"]"}]},"spec":{"x":"}"},"status":{}}}';
    for (let length = 0; length < whole.length; length += 1) {
      const text = cutWatchLine(Buffer.from(whole.slice(0, length)));
      assert.throws(() => JSON.parse(text), `${length} bytes: ${text}`);
    }
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        cutWatchLine(Buffer.from(bytes));
      }),
    );
  });

  test('a line with spaces is left to JSON.parse', () => {
    const line = '{ "type": "ADDED", "object": {"spec": {}} }';
    assert.equal(cutWatchLine(Buffer.from(line)), line);
  });
});
