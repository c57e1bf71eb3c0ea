/**
 * Brings a database to the schema of this release: numbered files in order, each one statement that can be run again, recorded
 * with its checksum. Forward only. A crash in the middle, or two migrators at once, leave nothing that the next run does not mend.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ClickHouseClient } from '@clickhouse/client';
import { z } from 'zod';
import type { RetentionConfig } from './config.ts';
import { StoreError, toStoreError } from './errors.ts';
import type { Query } from './queries.ts';
import { loadQuery, runCommand, runQuery } from './queries.ts';
import { isOneStatement } from './statement.ts';

const CREATE_DATABASE = loadQuery(import.meta.url, './queries/create-database.sql');
const APPLIED = loadQuery(import.meta.url, './queries/applied-migrations.sql');
const ENGINE = loadQuery(import.meta.url, './queries/database-engine.sql');
const RECORD = loadQuery(import.meta.url, './queries/record-migration.sql');
const TABLES_WITH_STATISTICS = loadQuery(import.meta.url, './queries/tables-with-statistics.sql');
const DROP_STATISTICS = loadQuery(import.meta.url, './queries/drop-statistics.sql');
const TABLE_RETENTION = loadQuery(import.meta.url, './queries/table-retention.sql');

export interface Migration {
  readonly number: number;
  /** File name without its ending. */
  readonly name: string;
  readonly sql: string;
  /** sha256 of the file, hex, with LF line ends whatever git made of them. */
  readonly checksum: string;
}

export interface MigrateOptions {
  readonly database: string;
  readonly retention: RetentionConfig;
  /** Version of this release, recorded with what it applies; package.json's by default. */
  readonly release?: string;
  /** Folder of the files; only tests name another. */
  readonly folder?: URL;
}

const appliedRow = z.object({ number: z.coerce.number(), name: z.string(), checksum: z.string(), release: z.string() });
type AppliedRow = z.output<typeof appliedRow>;

function packageVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return z.object({ version: z.string() }).parse(JSON.parse(text)).version;
}

/** Reads the migrations of `folder` in order. Throws PODTRAIL_QUERY_INVALID for a file that breaks the rules of style Q1. */
export function loadMigrations(folder: URL = new URL('./migrations/', import.meta.url)): Migration[] {
  const files = readdirSync(fileURLToPath(folder)).filter((file) => file.endsWith('.sql'));
  return files.sort().map((file, index) => {
    const sql = readFileSync(new URL(file, folder), 'utf8').replaceAll('\r\n', '\n');
    const name = basename(file, '.sql');
    const number = Number(/^(\d{4})_[a-z0-9_]+$/.exec(name)?.[1] ?? Number.NaN);
    if (number !== index) throw new StoreError('PODTRAIL_QUERY_INVALID', `migration ${file} should be number ${String(index).padStart(4, '0')}`);
    if (!isOneStatement(sql)) throw new StoreError('PODTRAIL_QUERY_INVALID', `migration ${file} is not exactly one statement`);
    return { number, name, sql, checksum: createHash('sha256').update(sql).digest('hex') };
  });
}

/**
 * In a database of engine Replicated every table must replicate too; path and replica name come from the server's own defaults
 * (default_replica_path, default_replica_name). Anywhere else the statement is as the file says.
 */
export function forEngine(sql: string, databaseEngine: string): string {
  return databaseEngine === 'Replicated' ? sql.replace(/^ENGINE = ReplacingMergeTree\b/m, 'ENGINE = ReplicatedReplacingMergeTree') : sql;
}

function checkApplied(applied: readonly AppliedRow[], migrations: readonly Migration[]): void {
  for (const row of applied) {
    const migration = migrations[row.number];
    if (migration === undefined) {
      const message = `the database has migration ${row.name}, which podtrail ${row.release} applied and this release does not know`;
      throw new StoreError('PODTRAIL_MIGRATION_NEWER', `${message}; run that release or a later one`);
    }
    if (migration.checksum !== row.checksum) {
      const message = `migration ${migration.name} was applied by podtrail ${row.release} with other contents`;
      throw new StoreError('PODTRAIL_MIGRATION_CHANGED', `${message}; a merged migration never changes, so add a new one instead`);
    }
  }
}

type Command = Parameters<ClickHouseClient['command']>[0];

async function command(client: ClickHouseClient, params: Command, what: string): Promise<void> {
  try {
    await client.command(params);
  } catch (error) {
    throw toStoreError(error, what);
  }
}

/**
 * Applies what is missing, then what depends on the engine, then the retention. Throws StoreError: PODTRAIL_MIGRATION_CHANGED, PODTRAIL_MIGRATION_NEWER (both before
 * anything is touched), or as toStoreError says; after a retriable one the call may be repeated.
 */
export async function migrate(client: ClickHouseClient, options: MigrateOptions): Promise<{ readonly applied: readonly string[] }> {
  const { database, release = packageVersion() } = options;
  const migrations = loadMigrations(options.folder);
  const [bookkeeping] = migrations;
  if (bookkeeping === undefined) throw new StoreError('PODTRAIL_QUERY_INVALID', 'there are no migrations');
  // Asked from another database, because a server refuses every statement in one that is not there.
  const http_headers = { 'X-ClickHouse-Database': 'system' };
  await command(client, { query: CREATE_DATABASE.sql, query_params: { database }, http_headers }, `creation of database ${database}`);
  const [{ engine } = { engine: '' }] = await runQuery(client, ENGINE, { database }, z.object({ engine: z.string() }));
  await command(client, { query: forEngine(bookkeeping.sql, engine) }, `migration ${bookkeeping.name}`);
  const rows = await runQuery(client, APPLIED, {}, appliedRow);
  checkApplied(rows, migrations);
  const known = new Set(rows.map((row) => row.number));
  const applied: string[] = [];
  for (const migration of migrations) {
    if (known.has(migration.number)) continue;
    const { number, name, checksum, sql } = migration;
    await command(client, { query: forEngine(sql, engine) }, `migration ${name}`);
    await runCommand(client, RECORD, { number, name, checksum, release });
    applied.push(name);
  }
  await dropStatistics(client);
  await applyRetention(client, options.retention);
  return { applied };
}

/**
 * Not by a migration: an engine that knows no such setting refuses it, as does one that shows its settings to other users only. Then
 * statistics stay, as they do where somebody has chosen some for a table.
 */
async function dropStatistics(client: ClickHouseClient): Promise<void> {
  try {
    const tables = await runQuery(client, TABLES_WITH_STATISTICS, {}, z.object({ name: z.string() }));
    for (const { name } of tables) await runCommand(client, DROP_STATISTICS, { table: name });
  } catch (error) {
    if (!(error instanceof StoreError && error.code === 'PODTRAIL_STORE_REFUSED')) throw error;
  }
}

/** Which limit keeps which tables. Checkpoints and clusters are not kept by time. */
const RETENTION: Readonly<Record<string, keyof RetentionConfig>> = {
  pod_changes: 'podChangesDays',
  events: 'eventsDays',
  incidents: 'incidentsDays',
  incident_members: 'incidentsDays',
  incident_timeline: 'incidentsDays',
  disruptions: 'incidentsDays',
  coverage: 'coverageDays',
  sessions: 'coverageDays',
  capacity_samples: 'capacityDays',
  dead_letters: 'deadLettersDays',
};
const RETENTION_QUERIES: readonly (readonly [string, Query])[] = Object.keys(RETENTION).map((table) => [
  table,
  loadQuery(import.meta.url, `./retention/${table}.sql`),
]);

/** Sets the TTL of every table that has another than `retention` says. Returns the tables that it changed. */
export async function applyRetention(client: ClickHouseClient, retention: RetentionConfig): Promise<readonly string[]> {
  const rows = await runQuery(client, TABLE_RETENTION, {}, z.object({ name: z.string(), days: z.coerce.number() }));
  const current = new Map(rows.map(({ name, days }) => [name, days]));
  const changed: string[] = [];
  for (const [table, query] of RETENTION_QUERIES) {
    const key = RETENTION[table];
    if (key === undefined || current.get(table) === retention[key]) continue;
    await runCommand(client, query, { days: retention[key] });
    changed.push(table);
  }
  return changed;
}

/**
 * Throws unless the database is at the schema of this release: PODTRAIL_STORE_SCHEMA if it is behind (run `podtrail migrate`),
 * PODTRAIL_MIGRATION_NEWER or _CHANGED as migrate does. For roles that only read.
 */
export async function assertSchema(client: ClickHouseClient): Promise<void> {
  const migrations = loadMigrations();
  const rows = await runQuery(client, APPLIED, {}, appliedRow).catch((cause: unknown) => {
    if (!(cause instanceof StoreError && cause.code === 'PODTRAIL_STORE_SCHEMA')) throw cause;
    throw new StoreError('PODTRAIL_STORE_SCHEMA', 'the database has no tables of podtrail yet; run `podtrail migrate` with this release', { cause });
  });
  checkApplied(rows, migrations);
  const known = new Set(rows.map((row) => row.number));
  const missing = migrations.filter(({ number }) => !known.has(number)).map(({ name }) => name);
  if (missing.length > 0) throw new StoreError('PODTRAIL_STORE_SCHEMA', `the database lacks ${missing.join(', ')}; run \`podtrail migrate\` with this release`);
}
