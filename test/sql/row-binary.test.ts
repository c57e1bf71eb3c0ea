import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readStringRows } from '../../sql/row-binary.ts';
import { testStores } from '../helpers/clickhouse.ts';
import { stringRows } from '../helpers/row-binary.ts';

const freshStore = testStores();
const texts = (bytes: Buffer, columns: number): string[][] => [...readStringRows(bytes, columns)].map((row) => row.map((text) => text.toString()));

test('rows come back as they were, whatever stands in them', () => {
  const text = fc.oneof(fc.string({ unit: 'grapheme' }), fc.string({ minLength: 120, maxLength: 300 }));
  fc.assert(
    fc.property(fc.array(fc.tuple(text, text)), (rows) => {
      assert.deepEqual(texts(stringRows(rows), 2), rows);
    }),
  );
});

test('an answer that was cut is an error wherever it was cut, unless between two rows', () => {
  const rows = [
    ['a', 'x'.repeat(200)],
    ['b', ''],
  ];
  const bytes = stringRows(rows);
  const firstRow = stringRows(rows.slice(0, 1)).length;
  for (let end = 1; end < bytes.length; end += 1) {
    if (end === firstRow) assert.deepEqual(texts(bytes.subarray(0, end), 2), rows.slice(0, 1));
    else assert.throws(() => texts(bytes.subarray(0, end), 2), RangeError, `cut at ${end}`);
  }
});

test('the engine writes what is read here', async () => {
  const { client } = await freshStore();
  const query = "SELECT toString(number), repeat('é\\n\"', number * 100) FROM numbers(200) FORMAT RowBinary";
  const { stream } = await client.exec({ query });
  const found = texts(Buffer.concat(await stream.toArray()), 2);
  assert.deepEqual(
    found,
    Array.from({ length: 200 }, (_, at) => [String(at), 'é\n"'.repeat(at * 100)]),
  );
});
