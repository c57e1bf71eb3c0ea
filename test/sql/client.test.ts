import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openClickHouse, querySettings } from '../../sql/client.ts';
import { storeConfig } from '../../sql/config.ts';
import { clickhouseCodeOf, StoreError, toStoreError } from '../../sql/errors.ts';
import type { TestStore } from '../helpers/clickhouse.ts';
import { openTestStore, select, TEST_SERVER_URL } from '../helpers/clickhouse.ts';

const PROCESS = fileURLToPath(new URL('./store-process.ts', import.meta.url));
const children: ChildProcess[] = [];
let scratch: string;
let store: TestStore;

before(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'podtrail-test-client-'));
  store = await openTestStore({ migrated: false });
});
after(async () => {
  for (const child of children) if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
  await store.close();
  rmSync(scratch, { recursive: true, force: true });
});

interface Answers {
  readonly child: ChildProcess;
  next(): Promise<Record<string, unknown>>;
}

/** Starts store-process.ts; `flags` go to node. */
function start(directory: string, mode: string, flags: readonly string[] = []): Answers {
  const child = spawn(process.execPath, ['--import', 'tsx', ...flags, PROCESS, directory, mode], { stdio: ['pipe', 'pipe', 'ignore'] });
  children.push(child);
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]();
  return {
    child,
    async next() {
      const { value, done } = await lines.next();
      if (done === true) throw new Error(`store process ended with ${child.exitCode ?? child.signalCode}`);
      return JSON.parse(value as string) as Record<string, unknown>;
    },
  };
}

test('two statements in one call are refused with code 62, in a query and in a command', async () => {
  const query = 'SELECT 1; SELECT 2';
  await assert.rejects(select(store.client, query), (error) => clickhouseCodeOf(error) === 62);
  await assert.rejects(store.client.command({ query }), (error) => clickhouseCodeOf(error) === 62);
});

test('an error of the engine carries its number and its name', async () => {
  await assert.rejects(select(store.client, 'SELECT 1 FROM no_such_table'), { code: '60', type: 'UNKNOWN_TABLE' });
  await assert.rejects(select(store.client, 'SELEC 1'), { code: '62', type: 'SYNTAX_ERROR' });
  await assert.rejects(select(store.client, 'SELECT {a:String}'), { code: '456' });
});

test('settings of one call are gone with it', async () => {
  const settings = { max_result_rows: '3', max_threads: 1 };
  const query = 'SELECT number FROM numbers(5)';
  await assert.rejects(
    store.client.query({ query, format: 'JSONEachRow', clickhouse_settings: settings }).then((r) => r.json()),
    { code: '396' },
  );
  assert.equal((await select(store.client, query)).length, 5);
});

test('limits hold: time, rows and memory', async () => {
  const limits = { maxExecutionSeconds: 1, maxResultRows: 10, maxMemoryBytes: 50_000_000, maxThreads: 1 };
  const run = async (query: string): Promise<unknown> => {
    try {
      const result = await store.client.query({ query, format: 'JSONEachRow', clickhouse_settings: querySettings(limits) });
      return await result.json();
    } catch (error) {
      throw toStoreError(error, 'query');
    }
  };
  await assert.rejects(run('SELECT count() FROM numbers(100000000000) WHERE number % 7 = 3'), { code: 'PODTRAIL_QUERY_LIMIT', retriable: true });
  await assert.rejects(run('SELECT number FROM numbers(11)'), { code: 'PODTRAIL_QUERY_LIMIT', retriable: false });
  await assert.rejects(run('SELECT groupArray(number) FROM numbers(50000000)'), { code: 'PODTRAIL_STORE_BUSY', retriable: true });
  assert.deepEqual(await run('SELECT 1 AS one'), [{ one: 1 }]);
});

test('settings that results depend on are set, whatever the defaults of the engine and the zone of the machine', async () => {
  const query = `SELECT toUInt64(1) AS big, toDateTime64('2026-11-24 01:02:03.004', 3, 'UTC') AS at, timezone() AS zone,
    getSetting('async_insert') AS async_insert, getSetting('insert_deduplicate') AS dedup`;
  const [row] = await select(store.client, query);
  assert.deepEqual(row, { big: '1', at: '2026-11-24T01:02:03.004Z', zone: 'UTC', async_insert: false, dedup: false });
});

test('an unknown column fails an insert', async () => {
  await store.client.command({ query: 'CREATE TABLE IF NOT EXISTS narrow (a String) ENGINE = MergeTree ORDER BY a' });
  await assert.rejects(store.client.insert({ table: 'narrow', values: [{ a: 'x', b: 'y' }], format: 'JSONEachRow' }), { code: '117' });
  await store.client.insert({ table: 'narrow', values: [{ a: "q'\\\n" }], format: 'JSONEachRow' });
  assert.deepEqual(await select(store.client, 'SELECT a FROM narrow'), [{ a: "q'\\\n" }]);
});

test('a long query holds up neither an insert nor a ping', { skip: TEST_SERVER_URL !== undefined && 'a server has a thread for each' }, async () => {
  let done = false;
  const slow = select(store.client, 'SELECT sum(sleepEachRow(0.1)) AS s FROM numbers(20) SETTINGS max_block_size = 1').finally(() => {
    done = true;
  });
  await store.client.command({ query: 'CREATE TABLE IF NOT EXISTS quick (a String) ENGINE = MergeTree ORDER BY a' });
  await store.client.insert({ table: 'quick', values: [{ a: 'x' }], format: 'JSONEachRow' });
  assert.deepEqual(await store.client.ping(), { success: true });
  assert.equal(done, false);
  await slow;
});

test('closing waits for what runs, and refuses what comes after', async () => {
  const other = await openTestStore({ migrated: false });
  const running = select(other.client, 'SELECT sum(sleepEachRow(0.05)) AS s FROM numbers(4) SETTINGS max_block_size = 1');
  await other.close();
  assert.deepEqual(await running, [{ s: '0' }]);
  if (other.embedded) await assert.rejects(select(other.client, 'SELECT 1'), { code: 'PODTRAIL_STORE_UNAVAILABLE' });
});

test('a second process on the directory is told so, and the first goes on', async () => {
  const directory = join(scratch, 'locked');
  const first = start(directory, 'hold');
  assert.deepEqual(await first.next(), { open: true });
  const refused = await start(directory, 'open').next();
  assert.equal(refused['code'], 'PODTRAIL_STORE_LOCKED');
  assert.match(String(refused['message']), new RegExp(`in use by another process \\(pid ${first.child.pid}\\)`));
  first.child.stdin?.write('query\n');
  assert.deepEqual(await first.next(), { rows: [{ one: 1 }] });
  if (first.child.exitCode === null) await once(first.child, 'exit');
  assert.deepEqual(await start(directory, 'open').next(), { open: true });
});

test('what was acknowledged before a kill -9 is there after it', async () => {
  const directory = join(scratch, 'killed');
  const writer = start(directory, 'insert-until-killed');
  let acknowledged = -1;
  while (acknowledged < 20) acknowledged = Number((await writer.next())['stored']);
  writer.child.kill('SIGKILL');
  await once(writer.child, 'exit');
  // In a process of its own, since this one has its directory already.
  const reader = start(directory, 'hold');
  assert.deepEqual(await reader.next(), { open: true });
  reader.child.kill('SIGKILL');
  await once(reader.child, 'exit');
  const counted = await countRows(directory);
  assert.ok(counted > acknowledged, `${counted} rows of ${acknowledged + 1}`);
});

/** Rows of incident_timeline in a directory, counted by another process. */
async function countRows(directory: string): Promise<number> {
  const script = `import { Session } from 'chdb';
    const s = new Session(${JSON.stringify(directory)});
    console.log((await s.queryAsync('SELECT count() FROM podtrail.incident_timeline', { format: 'TSV' })).text().trim());
    s.close();`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'ignore'] });
  children.push(child);
  let text = '';
  for await (const chunk of child.stdout) text += String(chunk);
  return Number(text);
}

test('without chDB the remedy is named', async () => {
  const resolve = `export const resolve = (s, c, next) => {
    if (s === 'chdb') throw Object.assign(new Error('no chdb'), { code: 'ERR_MODULE_NOT_FOUND' });
    return next(s, c);
  };`;
  const url = (code: string): string => `data:text/javascript,${encodeURIComponent(code)}`;
  const hide = `import { register } from 'node:module'; register(${JSON.stringify(url(resolve))});`;
  const answer = await start(join(scratch, 'missing'), 'open', ['--import', url(hide)]).next();
  assert.equal(answer['code'], 'PODTRAIL_CHDB_MISSING');
  assert.match(String(answer['message']), /use a ClickHouse server instead: set store\.url/);
});

test('a directory that cannot be used is told apart from a locked one', async () => {
  const file = join(scratch, 'file');
  writeFileSync(file, '');
  assert.equal((await start(join(file, 'below'), 'open').next())['code'], 'PODTRAIL_STORE_UNAVAILABLE');
  const foreign = join(scratch, 'foreign');
  mkdirSync(foreign);
  writeFileSync(join(foreign, 'metadata'), 'not a directory');
  writeFileSync(join(foreign, 'status'), 'PID: 1\n');
  assert.equal((await start(foreign, 'open').next())['code'], 'PODTRAIL_STORE_REFUSED');
});

test('a configuration that cannot work is refused before anything is opened', async () => {
  const cases: readonly (readonly [Record<string, unknown>, RegExp])[] = [
    [{}, /neither url nor directory/],
    [{ url: 'http://127.0.0.1:1', passwordFile: '/nonexistent/password' }, /reading passwordFile/],
    [{ url: 'https://127.0.0.1:1', certFile: '/nonexistent/cert' }, /need caFile/],
    [{ url: 'http://127.0.0.1:1', caFile: fileURLToPath(import.meta.url) }, /need an https url/],
  ];
  for (const [config, message] of cases) {
    await assert.rejects(openClickHouse(storeConfig.parse(config)), (error: unknown) => {
      assert.ok(error instanceof StoreError);
      assert.equal(error.code, 'PODTRAIL_STORE_CONFIG');
      assert.match(error.message, message);
      return true;
    });
  }
  for (const bad of [{ url: 'ftp://x' }, { database: 'a; DROP' }, { settings: { 'max threads': 1 } }, { password: 'x', colour: 'red' }]) {
    assert.equal(storeConfig.safeParse(bad).success, false, JSON.stringify(bad));
  }
});

test('a server that does not answer is an error that may pass', async () => {
  const { client, close } = await openClickHouse(storeConfig.parse({ url: 'http://127.0.0.1:1' }));
  await assert.rejects(
    select(client, 'SELECT 1').catch((error) => Promise.reject(toStoreError(error, 'query'))),
    { code: 'PODTRAIL_STORE_UNAVAILABLE', retriable: true },
  );
  await close();
});

const codes: readonly (readonly [string | undefined, string, boolean])[] = [
  [undefined, 'PODTRAIL_STORE_UNAVAILABLE', true],
  ['252', 'PODTRAIL_STORE_BUSY', true],
  ['241', 'PODTRAIL_STORE_BUSY', true],
  ['242', 'PODTRAIL_STORE_BUSY', true],
  ['243', 'PODTRAIL_STORE_FULL', true],
  ['16', 'PODTRAIL_STORE_SCHEMA', false],
  ['60', 'PODTRAIL_STORE_SCHEMA', false],
  ['516', 'PODTRAIL_STORE_REFUSED', false],
  ['27', 'PODTRAIL_STORE_REFUSED', false],
];
for (const [code, name, retriable] of codes) {
  test(`the engine's error ${code ?? 'of no number'} is ${name}${retriable ? ', and may pass' : ''}`, () => {
    const error = toStoreError(Object.assign(new Error('x'), { code }), 'insert of 3 rows into events');
    assert.deepEqual([error.code, error.retriable], [name, retriable]);
    assert.match(error.message, /^insert of 3 rows into events failed: x/);
  });
}
