import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { ClickHouseClient, ClickHouseSettings } from '@clickhouse/client';
import { openClickHouse } from '../../sql/client.ts';
import { storeConfig } from '../../sql/config.ts';
import { encodeRow } from '../../sql/encode-row.ts';
import { toStoreError } from '../../sql/errors.ts';
import { insertRows } from '../../sql/insert-rows.ts';
import { migrate } from '../../sql/migrate.ts';
import type { ChdbHttp } from '../helpers/chdb-http.ts';
import { startChdbHttp } from '../helpers/chdb-http.ts';
import { select } from '../helpers/clickhouse.ts';
import { SAMPLE_ROWS } from '../helpers/sample-rows.ts';

let scratch: string;
let http: ChdbHttp;
let client: ClickHouseClient;
const config = () => storeConfig.parse({ url: http.url, database: 'podtrail_test_http' });

before(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'podtrail-test-http-'));
  http = await startChdbHttp(join(scratch, 'inner'));
  ({ client } = await openClickHouse(config()));
  await migrate(client, { database: 'podtrail_test_http', retention: config().retention });
});
after(async () => {
  await client.close();
  await http.close();
  rmSync(scratch, { recursive: true, force: true });
});

test('a migrated database takes rows and gives them back, compressed both ways', async () => {
  const lines = Array.from({ length: 500 }, (_, seq) => encodeRow('incident_timeline', { ...SAMPLE_ROWS.incident_timeline, seq, text: `é${seq}` }, 1n));
  await insertRows(client, 'incident_timeline', lines);
  const rows = await select(client, 'SELECT text FROM incident_timeline ORDER BY seq');
  assert.equal(rows.length, 500);
  assert.deepEqual(rows[499], { text: 'é499' });
});

test('parameters arrive as they were', async () => {
  const hostile = 'a\'b\\c\t\n"; SELECT 1 -- é漢\u0000';
  const params = { text: hostile, list: [hostile, ''], number: 2 ** 53 - 1, big: 2n ** 64n - 1n };
  const query = 'SELECT {text:String} AS text, {list:Array(String)} AS list, {number:UInt64} AS number, {big:UInt64} AS big';
  assert.deepEqual(await select(client, query, params), [{ text: hostile, list: [hostile, ''], number: '9007199254740991', big: '18446744073709551615' }]);
});

test('it refuses what a server refuses', async () => {
  const cases: readonly (readonly [string, string])[] = [
    ['SELECT 1; SELECT 2', '62'],
    ['SELECT 1 FROM nowhere', '60'],
    ['SELECT {a:String}', '456'],
    ['SELECT no_such_column FROM events', '47'],
  ];
  for (const [query, code] of cases) await assert.rejects(select(client, query), { code }, query);
  await assert.rejects(client.query({ query: 'SELECT 1', clickhouse_settings: { no_such_setting: 1 } as ClickHouseSettings }), { code: '115' });
  const other = await openClickHouse({ ...config(), database: 'podtrail_test_absent' });
  const absent = select(other.client, 'SELECT 1').catch((error) => Promise.reject(toStoreError(error, 'query')));
  await assert.rejects(absent, { code: 'PODTRAIL_STORE_SCHEMA', clickhouseCode: 81 });
  await other.close();
});

test('a ping is answered, and settings of one call are gone with it', async () => {
  assert.deepEqual(await client.ping(), { success: true });
  const limited = client.query({ query: 'SELECT number FROM numbers(5)', format: 'JSONEachRow', clickhouse_settings: { max_result_rows: '3' } });
  await assert.rejects(limited, { code: '396' });
  assert.equal((await select(client, 'SELECT number FROM numbers(5)')).length, 5);
});

test('failures are as a test asks for: an error of the engine, no answer, an answer that gets lost', async () => {
  const line = encodeRow('coverage', SAMPLE_ROWS.coverage, 1n);
  const rows = async (): Promise<number> => (await select(client, 'SELECT reason FROM coverage')).length;
  const insert = async (failure: ChdbHttp['intercept']): Promise<unknown> => {
    http.intercept = failure;
    try {
      return await insertRows(client, 'coverage', [line]);
    } finally {
      http.intercept = undefined;
    }
  };
  const many = () => ({ code: 252, type: 'TOO_MANY_PARTS' });
  await assert.rejects(insert(many), { code: 'PODTRAIL_STORE_BUSY', clickhouseCode: 252, retriable: true });
  await assert.rejects(
    insert(() => 'drop'),
    { code: 'PODTRAIL_STORE_UNAVAILABLE', retriable: true },
  );
  assert.equal(await rows(), 0);
  await assert.rejects(
    insert(() => 'drop_after'),
    { code: 'PODTRAIL_STORE_UNAVAILABLE', retriable: true },
  );
  assert.equal(await rows(), 1);
});

test('as a process it serves others until SIGTERM', async () => {
  const helper = fileURLToPath(new URL('../helpers/chdb-http.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', helper, '--directory', join(scratch, 'outer')], { stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    const { value } = await createInterface({ input: child.stdout })[Symbol.asyncIterator]().next();
    const opened = await Promise.all([1, 2].map(() => openClickHouse(storeConfig.parse({ url: value, database: 'podtrail_test_two' }))));
    await Promise.all(opened.map((open) => migrate(open.client, { database: 'podtrail_test_two', retention: config().retention })));
    const [one, two] = opened.map((open) => open.client);
    await insertRows(one as ClickHouseClient, 'coverage', [encodeRow('coverage', SAMPLE_ROWS.coverage, 1n)]);
    assert.equal((await select(two as ClickHouseClient, 'SELECT reason FROM coverage')).length, 1);
    await Promise.all(opened.map((open) => open.close()));
  } finally {
    child.kill('SIGTERM');
  }
  assert.deepEqual(await once(child, 'exit'), [0, null]);
});
