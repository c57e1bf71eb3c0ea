import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import type { QueryValues } from '../../sql/queries.ts';
import { loadQuery, runCommand, runQuery } from '../../sql/queries.ts';
import type { TestStore } from '../helpers/clickhouse.ts';
import { openTestStore } from '../helpers/clickhouse.ts';

let store: TestStore;
let folder: string;
before(async () => {
  store = await openTestStore({ migrated: false });
  folder = mkdtempSync(join(tmpdir(), 'podtrail-test-queries-'));
});
after(async () => {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

function query(sql: string): ReturnType<typeof loadQuery> {
  writeFileSync(join(folder, 'sample.sql'), sql);
  return loadQuery(pathToFileURL(join(folder, 'module.ts')).href, './sample.sql');
}

test('rows come back as the schema says', async () => {
  const sql = "-- {name}\nSELECT {name:String} AS name, toUInt64({big:UInt64}) AS big, fromUnixTimestamp64Milli({at:Int64}, 'UTC') AS at";
  const row = z.object({ name: z.string(), big: z.coerce.bigint(), at: z.iso.datetime({ precision: 3 }) });
  const values = { name: "it's \\ {x:String}", big: 2n ** 63n, at: 1_795_000_000_123 };
  assert.deepEqual(await runQuery(store.client, query(sql), values, row), [{ name: "it's \\ {x:String}", big: 2n ** 63n, at: '2026-11-18T11:06:40.123Z' }]);
});

test('rows of another shape are an error, not data', async () => {
  await assert.rejects(runQuery(store.client, query('-- x\nSELECT 1 AS a'), {}, z.object({ a: z.string() })), {
    code: 'PODTRAIL_ROW_INVALID',
    retriable: false,
  });
});

test('what is not bound, not there, or a Date is refused before it is sent', async () => {
  const sample = query('-- x\nSELECT {a:String} AS a');
  const cases: readonly (readonly [QueryValues, RegExp])[] = [
    [{}, /sample: not bound \[a\]/],
    [{ a: 'x', b: 'y' }, /not in the query \[b\]/],
    [{ a: new Date(0) as unknown as string }, /a is a Date/],
  ];
  for (const [values, message] of cases) await assert.rejects(runQuery(store.client, sample, values, z.unknown()), { code: 'PODTRAIL_QUERY_INVALID', message });
});

test('a file with two statements is refused when it is read', () => {
  assert.throws(() => query('-- x\nSELECT 1; SELECT 2'), { code: 'PODTRAIL_QUERY_INVALID' });
});

test('an error of the engine names the query', async () => {
  await assert.rejects(runQuery(store.client, query('-- x\nSELECT 1 FROM absent'), {}, z.unknown()), {
    code: 'PODTRAIL_STORE_SCHEMA',
    message: /^query sample failed: .*absent/,
  });
  await assert.rejects(runCommand(store.client, query('-- x\nDROP TABLE absent'), {}), { message: /^statement sample failed/ });
});

test('README lists the codes of errors.ts', () => {
  const read = (file: string): string => readFileSync(new URL(`../../sql/${file}`, import.meta.url), 'utf8');
  const codes = (text: string): string[] => [...new Set(text.match(/PODTRAIL_[A-Z_]*[A-Z]/g))].filter((code) => !code.startsWith('PODTRAIL_STORE__')).sort();
  const declared = codes(read('errors.ts').split('interface Options')[0] ?? '');
  assert.ok(declared.length > 10);
  const documented = codes(read('README.md').split('## Errors')[1] ?? '');
  assert.deepEqual(documented, declared);
});
