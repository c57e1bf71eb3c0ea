import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { BadPageError } from '../../collector/errors.ts';
import { decodeListPage } from '../../collector/list-page.ts';
import { recordedObjects } from '../helpers/recorded.ts';

type Open = Record<string, unknown>;
const isOpen = (value: unknown): value is Open => typeof value === 'object' && value !== null && !Array.isArray(value);

/** What must come out: the page parsed whole, and then without managedFields; where these stand in a name that is there twice matters to nobody. */
function parseThenDelete(page: string): { metadata: unknown; items: unknown } {
  const { metadata, items } = JSON.parse(page) as Open;
  return { metadata, items: Array.isArray(items) ? items.map(withoutManagedFields) : items };
}

function withoutManagedFields(item: unknown): unknown {
  if (!isOpen(item) || !isOpen(item['metadata']) || !Object.hasOwn(item['metadata'], 'managedFields')) return item;
  return { ...item, metadata: { ...item['metadata'], managedFields: null } };
}

function decode(page: string | Buffer): { metadata: unknown; items: unknown } {
  const { metadata, items } = decodeListPage(Buffer.from(page));
  const isList = typeof items === 'object' && items !== null && Symbol.iterator in items;
  return { metadata, items: isList ? [...(items as Iterable<unknown>)].map(withoutManagedFields) : items };
}

const pageOf = (items: readonly unknown[]): string =>
  JSON.stringify({ kind: 'PodList', apiVersion: 'v1', metadata: { resourceVersion: '7', continue: 'next' }, items });

/** Names that are looked for, in every place, and text that looks like the end of an item. */
const NAMES = ['items', 'metadata', 'managedFields', 'a', ',{"metadata":{', '},{', ']}', '"', 'é😀'];
const text = fc.constantFrom(...NAMES, '\\');
/** Of a key that ends in a backslash JSON.parse of Node 24.21 makes another: `[{"x":{"a":1,"\\\\":1}},{"x":{"a":1,"\\"":1}}]`. */
const name = fc.constantFrom(...NAMES);
const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { depthSize: 'medium' },
    text,
    fc.constantFrom(null, true, -1.5),
    fc.array(tie('any'), { maxLength: 3 }),
    fc.dictionary(name, tie('any'), { maxKeys: 4 }),
  ),
})).any;
const item = fc.oneof(
  { weight: 4, arbitrary: fc.record({ metadata: value, spec: value, status: value }, { requiredKeys: [] }) },
  { weight: 1, arbitrary: value },
);

describe('decodeListPage', () => {
  test('gives what parsing and deleting gives, of anything', () => {
    fc.assert(
      fc.property(fc.array(item, { maxLength: 5 }), (items) => {
        const page = pageOf(items);
        assert.deepEqual(decode(page), parseThenDelete(page));
      }),
      { numRuns: 2_000 },
    );
    fc.assert(
      fc.property(value, (document) => {
        const page = JSON.stringify(document);
        if (document !== null) assert.deepEqual(decode(page), parseThenDelete(page));
      }),
    );
  });

  test('and of every recorded pod', () => {
    const pods = [...recordedObjects('fleet/batch-3.ndjson.gz')].map(({ object }) => object);
    const page = pageOf(pods);
    assert.deepEqual(decode(page), parseThenDelete(page));
  });

  test('keys in another order, spaces, and no items', () => {
    for (const page of [
      '{"items":[{"metadata":{"name":"a"}}],"metadata":{"resourceVersion":"1"}}',
      '{ "metadata": {"resourceVersion":"1"}, "items": [ {"metadata":{"name":"a"}} ] }',
      '{"metadata":{"resourceVersion":"1"},"items":null}',
      '{"metadata":{"resourceVersion":"1"},"items":[]}\n',
      '{"metadata":{"resourceVersion":"1"},"items":[{"spec":{}},{"metadata":{}}],"more":1}',
      '{"metadata":{"resourceVersion":"1"}}',
    ]) {
      assert.deepEqual(decode(page), parseThenDelete(page), page);
    }
  });

  test('a page that is cut off never looks whole, nor one with a broken item', () => {
    const page = pageOf([{ metadata: { name: 'a', managedFields: [{ x: { y: {} } }] }, spec: { b: ']}' } }, { metadata: { name: 'b' } }]);
    for (let length = 0; length < page.length; length += 1) assert.throws(() => decode(page.slice(0, length)), `${length} bytes`);
    assert.throws(() => decode(page.replace('"spec":{', '"spec":{,')), BadPageError);
    assert.throws(() => decode(page.replace('"name":"b"', '"name":b')), BadPageError);
  });
});
