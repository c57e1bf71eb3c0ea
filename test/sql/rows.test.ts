import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { columnsOf, encodeRow, TABLE_NAMES } from '../../sql/encode-row.ts';
import { StoreError } from '../../sql/errors.ts';
import { insertRows, MAX_INSERT_ROWS } from '../../sql/insert-rows.ts';
import type { RowsByTable, TableName } from '../../sql/rows.ts';
import type { TestStore } from '../helpers/clickhouse.ts';
import { openTestStore, select } from '../helpers/clickhouse.ts';
import { SAMPLE_ROWS } from '../helpers/sample-rows.ts';

let store: TestStore;
before(async () => {
  store = await openTestStore();
  // The epoch, which stands for none, is older than any retention.
  for (const table of TABLE_NAMES.filter((name) => name !== 'clusters')) {
    await store.client.command({ query: 'ALTER TABLE {table:Identifier} REMOVE TTL', query_params: { table } });
  }
});
after(() => store.close());

async function roundTrip<T extends TableName>(table: T, row: RowsByTable[T], version = 1n): Promise<Record<string, unknown>> {
  await store.client.command({ query: 'TRUNCATE TABLE {table:Identifier}', query_params: { table } });
  await insertRows(store.client, table, [encodeRow(table, row, version)]);
  const rows = await select(store.client, 'SELECT * FROM {table:Identifier}', { table });
  assert.equal(rows.length, 1);
  return rows[0] ?? {};
}

/** What a column should hold, by the name of the field it comes from. */
function expected(field: string, value: unknown): unknown {
  if (field.endsWith('TimeMs') || field === 'timeMs') return new Date(value as number).toISOString();
  return value;
}

function snakeCase(field: string): string {
  return field.replace(/Ms$/, '').replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function compare(table: TableName, row: object, stored: Record<string, unknown>): void {
  assert.equal(Object.keys(stored).length, Object.keys(row).length + 1, `${table}: fields and columns differ in number`);
  for (const [field, value] of Object.entries(row)) {
    const column = snakeCase(field);
    assert.ok(column in stored, `${table} has no column ${column}`);
    const actual = stored[column];
    const wanted = expected(field, value);
    // 64-bit integers come back as strings.
    if (typeof wanted === 'number' || typeof wanted === 'bigint') assert.equal(String(actual), String(wanted), `${table}.${column}`);
    else assert.deepEqual(actual, wanted, `${table}.${column}`);
  }
}

for (const table of TABLE_NAMES) {
  test(`a row of ${table} comes back as it went in`, async () => {
    const row = SAMPLE_ROWS[table];
    compare(table, row, await roundTrip(table, row as never, (3n << 40n) + 7n));
  });

  test(`a row of ${table} takes what no cluster should send`, async () => {
    const hostile = '\u0000\t\n\r\\\'"`;--/*\u2028 \ud83d\ude00 é 漢字 {x:String} \\N $y';
    const row = mapFields(SAMPLE_ROWS[table], { string: () => hostile, number: (field) => (/TimeMs$|^timeMs$/.test(field) ? 0 : 2 ** 31) });
    compare(table, row, await roundTrip(table, row as never, 2n ** 64n - 1n));
  });

  test(`a row of ${table} may be empty`, async () => {
    const row = mapFields(SAMPLE_ROWS[table], { string: () => '', number: () => 0 });
    compare(table, row, await roundTrip(table, row as never, 0n));
  });
}

function mapFields(row: object, by: { string: (field: string) => string; number: (field: string) => number }): object {
  const map = (field: string, value: unknown): unknown => {
    if (typeof value === 'string') return by.string(field);
    if (typeof value === 'number') return by.number(field);
    if (typeof value === 'bigint') return BigInt(by.number(field));
    return (value as readonly string[]).map(() => by.string(field));
  };
  return Object.fromEntries(Object.entries(row).map(([field, value]) => [field, map(field, value)]));
}

test('counts up to 2^53 are exact, beyond they are clamped, and nonsense is 0', async () => {
  const cases: readonly (readonly [number, string])[] = [
    [2 ** 53 - 1, '9007199254740991'],
    [2 ** 60, '9007199254740991'],
    [-1, '0'],
    [Number.NaN, '0'],
    [Number.POSITIVE_INFINITY, '9007199254740991'],
    [1.9, '1'],
  ];
  for (const [count, wanted] of cases) {
    const stored = await roundTrip('events', { ...SAMPLE_ROWS.events, count });
    assert.equal(stored['count'], wanted, String(count));
  }
  const stored = await roundTrip('pod_changes', { ...SAMPLE_ROWS.pod_changes, restarts: 2 ** 40 });
  assert.equal(stored['restarts'], 2 ** 32 - 1);
});

test('times beyond 2100, before 1970 and not a time at all do not fail a block', async () => {
  const cases: readonly (readonly [number, string])[] = [
    [8.64e15, '2100-01-01T00:00:00.000Z'],
    [-1, '1970-01-01T00:00:00.000Z'],
    [Number.NaN, '1970-01-01T00:00:00.000Z'],
    [1, '1970-01-01T00:00:00.001Z'],
    [1_795_000_000_123.9, '2026-11-18T11:06:40.123Z'],
  ];
  for (const [createdTimeMs, wanted] of cases) {
    const stored = await roundTrip('pod_changes', { ...SAMPLE_ROWS.pod_changes, createdTimeMs });
    assert.equal(stored['created_time'], wanted, String(createdTimeMs));
  }
});

test('half a surrogate pair becomes U+FFFD, and text that looks like its escape stays', async () => {
  const stored = await roundTrip('disruptions', { ...SAMPLE_ROWS.disruptions, message: 'a\ud83d|\udc00|\\ud83d|\\\\udfff|\ud83d\ude00' });
  assert.equal(stored['message'], 'a\ufffd|\ufffd|\\ud83d|\\\\udfff|\ud83d\ude00');
});

test('any text survives the way', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.string({ unit: 'binary' }), { minLength: 1, maxLength: 20 }), async (texts) => {
      await store.client.command({ query: 'TRUNCATE TABLE incident_timeline' });
      const lines = texts.map((text, seq) => encodeRow('incident_timeline', { ...SAMPLE_ROWS.incident_timeline, seq, text }, 1n));
      await insertRows(store.client, 'incident_timeline', lines);
      const rows = await select(store.client, 'SELECT text FROM incident_timeline ORDER BY seq');
      assert.deepEqual(
        rows.map((row) => row['text']),
        texts.map((text) => Buffer.from(text).toString()),
      );
    }),
    { numRuns: 25 },
  );
});

test('the higher version of a key wins, in whatever order they are written, and once written twice is once', async () => {
  await store.client.command({ query: 'TRUNCATE TABLE incidents' });
  const head = (state: string, version: bigint): string => encodeRow('incidents', { ...SAMPLE_ROWS.incidents, state }, version);
  await insertRows(store.client, 'incidents', [head('resolved', 30n)]);
  await insertRows(store.client, 'incidents', [head('open', 10n), head('recovering', 20n)]);
  await insertRows(store.client, 'incidents', [head('resolved', 30n)]);
  assert.deepEqual(await select(store.client, 'SELECT state, version FROM incidents FINAL'), [{ state: 'resolved', version: '30' }]);
});

test('a row for another shape of the table is refused, not half-taken', async () => {
  await assert.rejects(insertRows(store.client, 'coverage', [encodeRow('disruptions', SAMPLE_ROWS.disruptions, 1n)]), (error: unknown) => {
    assert.ok(error instanceof StoreError);
    assert.equal(error.retriable, false);
    return true;
  });
});

test('a block has a largest size', async () => {
  const line = encodeRow('coverage', SAMPLE_ROWS.coverage, 1n);
  await insertRows(store.client, 'coverage', new Array(MAX_INSERT_ROWS).fill(line));
  await assert.rejects(insertRows(store.client, 'coverage', new Array(MAX_INSERT_ROWS + 1).fill(line)), { code: 'PODTRAIL_QUERY_INVALID' });
});

test('the columns of a row are those of its table', async () => {
  for (const table of TABLE_NAMES) {
    const rows = await select(store.client, 'SELECT name FROM system.columns WHERE database = currentDatabase() AND table = {table:String}', { table });
    assert.deepEqual([...columnsOf(table)].sort(), rows.map((row) => String(row['name'])).sort(), table);
  }
});
