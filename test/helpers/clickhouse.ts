/**
 * A ClickHouse for tests: a database of its own in a chDB of this process (temp directory, removed at exit), or on the server of
 * PODTRAIL_TEST_CLICKHOUSE_URL. Names carry `podtrail_test`, and nothing else is ever dropped (style S6).
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import type { ClickHouseClient } from '@clickhouse/client';
import { openClickHouse } from '../../sql/client.ts';
import type { StoreConfig } from '../../sql/config.ts';
import { retentionConfig, storeConfig } from '../../sql/config.ts';
import { migrate } from '../../sql/migrate.ts';

export interface TestStore {
  readonly client: ClickHouseClient;
  readonly database: string;
  readonly config: StoreConfig;
  readonly embedded: boolean;
  /** Drops the database and closes the client. */
  close(): Promise<void>;
}

let directory: string | undefined;
let opened = 0;

/** chDB holds one directory a process; databases in it keep tests apart. */
function sharedDirectory(): string {
  if (directory !== undefined) return directory;
  const created = mkdtempSync(join(tmpdir(), 'podtrail-test-chdb-'));
  process.on('exit', () => rmSync(created, { recursive: true, force: true }));
  directory = created;
  return created;
}

/** As long as the configuration allows: the rows of a recording may be older than any default, and would vanish when they please. */
const LONGEST = Object.fromEntries(Object.keys(retentionConfig.shape).map((key) => [key, 3_650]));

/** The server to test against, if one is given. */
export const TEST_SERVER_URL = process.env['PODTRAIL_TEST_CLICKHOUSE_URL'];

export interface TestStoreOptions {
  /** Default: true, with the tables of this release. */
  readonly migrated?: boolean;
  readonly config?: Record<string, unknown>;
}

/** What opens fresh databases for a test file, which are all closed after its tests. Call it once a file, outside of any test. */
export function testStores(options: TestStoreOptions = {}): () => Promise<TestStore> {
  const stores: TestStore[] = [];
  after(async () => {
    for (const store of stores) await store.close();
  });
  return async () => {
    const store = await openTestStore(options);
    stores.push(store);
    return store;
  };
}

/** Opens a fresh database. */
export async function openTestStore(options: TestStoreOptions = {}): Promise<TestStore> {
  opened++;
  const database = `podtrail_test_${process.pid}_${opened}`;
  const where = TEST_SERVER_URL === undefined ? { directory: sharedDirectory() } : { url: TEST_SERVER_URL };
  const config = storeConfig.parse({ database, retention: LONGEST, ...where, ...options.config });
  const { client, embedded, close } = await openClickHouse(config);
  if (options.migrated !== false) await migrate(client, { database, retention: config.retention });
  return {
    client,
    database,
    config,
    embedded,
    async close() {
      const http_headers = { 'X-ClickHouse-Database': 'system' };
      await client.command({ query: 'DROP DATABASE IF EXISTS {database:Identifier}', query_params: { database }, http_headers });
      await close();
    },
  };
}

/** Rows of one query, as JSON gives them: 64-bit integers as strings, times as RFC 3339. */
export async function select<T = Record<string, unknown>>(client: ClickHouseClient, query: string, query_params: Record<string, unknown> = {}): Promise<T[]> {
  const result = await client.query({ query, query_params, format: 'JSONEachRow' });
  return result.json<T>();
}
