import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { StoreError } from '../../sql/errors.ts';
import { applyRetention, assertSchema, forEngine, loadMigrations, migrate } from '../../sql/migrate.ts';
import type { TestStore } from '../helpers/clickhouse.ts';
import { select, testStores } from '../helpers/clickhouse.ts';

const MIGRATIONS = new URL('../../sql/migrations/', import.meta.url);
const freshStore = testStores({ migrated: false, config: { retention: {} } });
let scratch: string;

before(() => {
  scratch = mkdtempSync(join(tmpdir(), 'podtrail-test-migrations-'));
});
after(async () => {
  rmSync(scratch, { recursive: true, force: true });
});

/** A folder with the first `count` migrations of this release, and `extra` files. */
function folderWith(count: number, extra: Record<string, string> = {}): URL {
  const folder = mkdtempSync(join(scratch, 'm-'));
  for (const file of readdirSync(fileURLToPath(MIGRATIONS)).sort().slice(0, count)) copyFileSync(new URL(file, MIGRATIONS), join(folder, file));
  for (const [file, text] of Object.entries(extra)) writeFileSync(join(folder, file), text);
  return pathToFileURL(`${folder}/`);
}

const isStoreError = (code: string, pattern: RegExp) => (error: unknown) => {
  assert.ok(error instanceof StoreError, String(error));
  assert.equal(error.code, code);
  assert.match(error.message, pattern);
  return true;
};

test('a fresh database gets every migration in order, and a second run does nothing', async () => {
  const { client, database, config } = await freshStore();
  const all = loadMigrations().map(({ name }) => name);
  await assert.rejects(assertSchema(client), isStoreError('PODTRAIL_STORE_SCHEMA', /^the database has no tables of podtrail yet; run `podtrail migrate`/));
  const first = await migrate(client, { database, retention: config.retention });
  assert.deepEqual(first.applied, all);
  const second = await migrate(client, { database, retention: config.retention });
  assert.deepEqual(second.applied, []);
  const rows = await select(client, 'SELECT name FROM schema_migrations FINAL ORDER BY number');
  assert.deepEqual(
    rows.map((row) => row['name']),
    all,
  );
  await assertSchema(client);
});

test('merges make no column statistics, unless somebody has chosen some for a table', async () => {
  const { client, database, config } = await freshStore();
  await migrate(client, { database, retention: config.retention });
  const [{ known } = { known: '0' }] = await select<{ known: string }>(
    client,
    "SELECT count() AS known FROM system.merge_tree_settings WHERE name = 'auto_statistics_types'",
  );
  if (known === '0') return; // an engine from before there were any
  const chosen = (): Promise<{ name: string; types: string }[]> =>
    select(
      client,
      "SELECT name, extract(engine_full, 'auto_statistics_types = \\'([^\\']*)') AS types FROM system.tables WHERE database = currentDatabase() AND engine_full LIKE '%auto_statistics_types%' ORDER BY name",
    );
  const tables = await chosen();
  assert.equal(tables.length, loadMigrations().filter(({ sql }) => /^CREATE TABLE/m.test(sql)).length);
  assert.deepEqual(new Set(tables.map(({ types }) => types)), new Set(['']));
  await client.command({ query: "ALTER TABLE events MODIFY SETTING auto_statistics_types = 'minmax'" });
  await migrate(client, { database, retention: config.retention });
  assert.deepEqual(
    (await chosen()).filter(({ types }) => types !== ''),
    [{ name: 'events', types: 'minmax' }],
  );
});

test('a run that died between a statement and its record is finished by the next', async () => {
  const { client, database, config } = await freshStore();
  await migrate(client, { database, retention: config.retention });
  await client.command({ query: 'DELETE FROM schema_migrations WHERE number >= 3' });
  const { applied } = await migrate(client, { database, retention: config.retention });
  assert.deepEqual(
    applied,
    loadMigrations()
      .slice(3)
      .map(({ name }) => name),
  );
});

test('four migrators at once leave one schema', async () => {
  const { client, database, config } = await freshStore();
  await Promise.all(Array.from({ length: 4 }, () => migrate(client, { database, retention: config.retention })));
  await assertSchema(client);
  const [{ tables } = { tables: '' }] = await select<{ tables: string }>(
    client,
    'SELECT count() AS tables FROM system.tables WHERE database = currentDatabase()',
  );
  assert.equal(Number(tables), loadMigrations().filter(({ sql }) => /^CREATE TABLE/m.test(sql)).length);
});

test('a changed file is refused before anything is applied', async () => {
  const { client, database, config } = await freshStore();
  const folder = folderWith(2);
  const two = readdirSync(fileURLToPath(folder))[1] ?? '';
  await migrateTables(client, database, config.retention, folder);
  writeFileSync(new URL(two, folder), 'CREATE TABLE IF NOT EXISTS clusters (cluster String) ENGINE = ReplacingMergeTree ORDER BY cluster');
  writeFileSync(new URL('0002_create_more.sql', folder), 'CREATE TABLE IF NOT EXISTS more (a String) ENGINE = ReplacingMergeTree ORDER BY a');
  await assert.rejects(migrate(client, { database, retention: config.retention, folder }), isStoreError('PODTRAIL_MIGRATION_CHANGED', /0001_create_clusters/));
  assert.deepEqual(await select(client, "SELECT name FROM system.tables WHERE database = currentDatabase() AND name = 'more'"), []);
});

/** Applies files without the retention, which needs all tables. */
async function migrateTables(client: TestStore['client'], database: string, retention: TestStore['config']['retention'], folder: URL): Promise<void> {
  await migrate(client, { database, retention, folder }).catch((error: unknown) => {
    if (!(error instanceof StoreError) || error.code !== 'PODTRAIL_STORE_SCHEMA') throw error;
  });
}

test('a database of a later release is refused and names it', async () => {
  const { client, database, config } = await freshStore();
  await migrate(client, { database, retention: config.retention });
  const number = loadMigrations().length;
  const later = { number, name: `${number}_of_tomorrow`, checksum: 'c', release: '9.9.9', applied_time: 0 };
  await client.insert({ table: 'schema_migrations', values: [later], format: 'JSONEachRow' });
  await assert.rejects(migrate(client, { database, retention: config.retention }), isStoreError('PODTRAIL_MIGRATION_NEWER', /9\.9\.9/));
  await assert.rejects(assertSchema(client), isStoreError('PODTRAIL_MIGRATION_NEWER', /9\.9\.9/));
});

test('a reading role is told to migrate a database that is behind', async () => {
  const { client, database, config } = await freshStore();
  await migrateTables(client, database, config.retention, folderWith(3));
  await assert.rejects(assertSchema(client), isStoreError('PODTRAIL_STORE_SCHEMA', /0003_create_events.*podtrail migrate/));
});

test('retention follows the configuration and is set only where it differs', async () => {
  const { client, database, config } = await freshStore();
  await migrate(client, { database, retention: config.retention });
  assert.deepEqual(await applyRetention(client, config.retention), []);
  assert.deepEqual(await applyRetention(client, { ...config.retention, eventsDays: 7 }), ['events']);
  assert.deepEqual(await applyRetention(client, { ...config.retention, eventsDays: 7 }), []);
  const [events] = await select(client, "SELECT engine_full FROM system.tables WHERE database = currentDatabase() AND name = 'events'");
  assert.match(String(events?.['engine_full']), /TTL .*first_time.*\b7\b/);
});

test('rows go with their whole partition, and a younger partition stays', async () => {
  const { client, database, config } = await freshStore();
  await migrate(client, { database, retention: config.retention });
  const nowMs = Date.now();
  const values = [0, 30, 500].map((daysAgo, i) => ({ log: 'l', partition: 0, offset: i, part: 'record', time: nowMs - daysAgo * 86_400_000 }));
  await client.insert({ table: 'dead_letters', values, format: 'JSONEachRow' });
  await client.command({ query: 'OPTIMIZE TABLE dead_letters FINAL' });
  assert.deepEqual(await select(client, 'SELECT offset FROM dead_letters ORDER BY offset'), [{ offset: '0' }, { offset: '1' }]);
});

test('every file is one re-runnable statement under a header that says what a row is', () => {
  for (const { name, sql } of loadMigrations()) {
    assert.match(sql, /^-- One row:/, name);
    assert.match(sql, /^(CREATE TABLE IF NOT EXISTS|ALTER TABLE \S+ (ADD|DROP|MODIFY) (COLUMN|INDEX) IF (NOT )?EXISTS) /m, name);
    assert.doesNotMatch(sql, /ON CLUSTER/i, name);
  }
});

test('files out of order, with two statements, or misnamed are refused', () => {
  const cases: readonly Record<string, string>[] = [
    { '0002_gap.sql': 'SELECT 1' },
    { '0001_two.sql': 'SELECT 1; SELECT 2' },
    { '1_short.sql': 'SELECT 1' },
    { '0001_a.sql': 'SELECT 1', '0001_b.sql': 'SELECT 1' },
  ];
  for (const extra of cases) assert.throws(() => loadMigrations(folderWith(1, extra)), isStoreError('PODTRAIL_QUERY_INVALID', /migration/));
});

test('line ends do not change a checksum', () => {
  const [lf] = loadMigrations(folderWith(0, { '0000_a.sql': 'SELECT\n1\n' }));
  const [crlf] = loadMigrations(folderWith(0, { '0000_a.sql': 'SELECT\r\n1\r\n' }));
  assert.equal(lf?.checksum, crlf?.checksum);
});

test('tables of a replicated database replicate', () => {
  for (const { name, sql } of loadMigrations()) {
    if (/^CREATE TABLE/m.test(sql)) assert.match(forEngine(sql, 'Replicated'), /^ENGINE = ReplicatedReplacingMergeTree/m, name);
    else assert.equal(forEngine(sql, 'Replicated'), sql, name);
    assert.equal(forEngine(sql, 'Atomic'), sql, name);
  }
});
