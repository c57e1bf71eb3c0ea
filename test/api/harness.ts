/** A database with rows, and the application over it, for the suites of the api. */
import type { ClickHouseClient } from '@clickhouse/client';
import pino from 'pino';
import { Registry } from 'prom-client';
import type { ApiDeps, ApiOptions } from '../../api/app.ts';
import { buildApp } from '../../api/app.ts';
import { apiConfig } from '../../api/config.ts';
import type { App } from '../../api/routes/deps.ts';
import { encodeRow } from '../../sql/encode-row.ts';
import { insertRows } from '../../sql/insert-rows.ts';
import type { RowsByTable, TableName } from '../../sql/rows.ts';
import { openTestStore } from '../helpers/clickhouse.ts';

/** What the application takes for now. */
export const NOW = Date.UTC(2026, 0, 31, 12, 0, 0);
export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

export interface Database {
  readonly client: ClickHouseClient;
  readonly database: string;
  insert<T extends TableName>(table: T, rows: readonly RowsByTable[T][], version?: number): Promise<void>;
  /** Empties tables; only of a database of a test (style S6). */
  clear(...tables: readonly TableName[]): Promise<void>;
  close(): Promise<void>;
}

/** A fresh database at the schema of this release. */
export async function createDatabase(): Promise<Database> {
  const { client, database, close } = await openTestStore();
  return {
    client,
    database,
    insert: (table, rows, version = 1) =>
      insertRows(
        client,
        table,
        rows.map((row) => encodeRow(table, row, BigInt(version))),
      ),
    async clear(...tables) {
      for (const table of tables) await client.command({ query: 'TRUNCATE TABLE {table:Identifier}', query_params: { table } });
    },
    close,
  };
}

/** The application as a test wants it; its log goes to `lines`, its clock stands at NOW. */
export async function createApi(
  store: { readonly client: ClickHouseClient; readonly database: string },
  options: Partial<ApiOptions> = {},
  deps: Partial<ApiDeps> = {},
): Promise<{ readonly app: App; readonly lines: string[]; readonly registry: Registry }> {
  const lines: string[] = [];
  const registry = new Registry();
  const log = pino({ level: 'trace' }, { write: (line: string) => lines.push(line) });
  const { demo, ...config } = options;
  const { client, database } = store;
  const given = { ...apiConfig.parse(config), ...(demo === undefined ? {} : { demo }) };
  const app = await buildApp(given, { client, database, log, registry, now: () => NOW, ...deps });
  return { app, lines, registry };
}

/** GET with its JSON. */
export async function get(app: App, url: string, headers: Record<string, string> = {}) {
  const response = await app.inject({ method: 'GET', url, headers });
  const body = response.body === '' ? undefined : response.json();
  return { status: response.statusCode, body, headers: response.headers };
}

/** Every item of a paged list. */
export async function getAll(app: App, url: string) {
  const items = [];
  let cursor: string | null = null;
  do {
    const { status, body } = await get(app, cursor === null ? url : `${url}&cursor=${cursor}`);
    if (status !== 200) throw new Error(`${url}: ${status} ${JSON.stringify(body)}`);
    items.push(...body.items);
    cursor = body.next;
  } while (cursor !== null);
  return items;
}
