/** One way to ClickHouse for every role: a server or cluster by URL, or chDB in this process, with the same settings for both. */
import { readFile } from 'node:fs/promises';
import type { ClickHouseClient, ClickHouseClientConfigOptions, ClickHouseSettings } from '@clickhouse/client';
import { ClickHouseLogLevel, createClient } from '@clickhouse/client';
import type { StoreConfig } from './config.ts';
import { openEmbedded } from './embedded.ts';
import { StoreError } from './errors.ts';

/** Defaults of the engine change by version, so every one that results depend on is set. */
const BASE_SETTINGS: ClickHouseSettings = {
  async_insert: 0, // an acknowledged insert is stored (promise 1)
  insert_deduplicate: 0, // idempotence comes from keys and versions (design D3), not from block hashes
  max_partitions_per_insert_block: '0', // a replay spans months, and the times of objects are whatever a cluster says
  input_format_skip_unknown_fields: 0,
  date_time_input_format: 'best_effort',
  date_time_output_format: 'iso',
  output_format_json_quote_64bit_integers: 1,
  session_timezone: 'UTC',
};

/** An open ClickHouse. `close` waits for what runs and is idempotent; with chDB it must come before the process ends. */
export interface OpenClickHouse {
  readonly client: ClickHouseClient;
  readonly embedded: boolean;
  close(): Promise<void>;
}

async function readSecret(file: string, what: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (cause) {
    throw new StoreError('PODTRAIL_STORE_CONFIG', `reading ${what} ${file} failed`, { cause });
  }
}

async function tlsOf({ caFile, certFile, keyFile }: StoreConfig): Promise<ClickHouseClientConfigOptions['tls']> {
  if (caFile === undefined) {
    if (certFile !== undefined || keyFile !== undefined) throw new StoreError('PODTRAIL_STORE_CONFIG', 'certFile and keyFile need caFile');
    return undefined;
  }
  const ca_cert = await readSecret(caFile, 'caFile');
  if (certFile === undefined && keyFile === undefined) return { ca_cert };
  if (certFile === undefined || keyFile === undefined) throw new StoreError('PODTRAIL_STORE_CONFIG', 'certFile and keyFile go together');
  return { ca_cert, cert: await readSecret(certFile, 'certFile'), key: await readSecret(keyFile, 'keyFile') };
}

async function createServerClient(config: StoreConfig, url: string): Promise<ClickHouseClient> {
  const password = config.passwordFile === undefined ? config.password : (await readSecret(config.passwordFile, 'passwordFile')).toString('utf8').trim();
  const compressed = config.compression === 'gzip';
  const options = {
    url,
    username: config.user,
    password: password ?? '',
    application: 'podtrail',
    // The header and not the option, so that `migrate` can ask without a database that is not there yet.
    http_headers: { 'X-ClickHouse-Database': config.database },
    request_timeout: config.requestTimeoutSeconds * 1_000,
    max_open_connections: config.maxConnections,
    compression: { request: compressed, response: compressed },
    // An error in the middle of a query must be an error of the call, not the tail of its result.
    clickhouse_settings: { ...BASE_SETTINGS, wait_end_of_query: 1, ...config.settings } satisfies ClickHouseSettings,
    log: { level: ClickHouseLogLevel.OFF }, // callers log what they catch, with names of their own
  };
  // TLS options on a plain URL would be dropped in silence.
  const tls = await tlsOf(config);
  if (tls !== undefined && !url.startsWith('https:')) throw new StoreError('PODTRAIL_STORE_CONFIG', 'caFile, certFile and keyFile need an https url');
  return createClient({ ...options, tls });
}

/**
 * Opens the store that `config` names: `url` wins over `directory`. A server is not asked anything yet, so it may be down.
 * Throws StoreError: PODTRAIL_STORE_CONFIG, and with chDB PODTRAIL_CHDB_MISSING, PODTRAIL_STORE_LOCKED, PODTRAIL_STORE_UNAVAILABLE.
 */
export async function openClickHouse(config: StoreConfig): Promise<OpenClickHouse> {
  if (config.url !== undefined) {
    const client = await createServerClient(config, config.url);
    return { client, embedded: false, close: () => client.close() };
  }
  const { directory, database, memoryBytes } = config;
  if (directory === undefined) throw new StoreError('PODTRAIL_STORE_CONFIG', 'neither url nor directory is set');
  const connection = await openEmbedded({ directory, database, memoryBytes, settings: { ...BASE_SETTINGS, ...config.settings } });
  const client = createClient({ connection, log: { level: ClickHouseLogLevel.OFF } });
  return { client, embedded: true, close: () => client.close() };
}

/** Limits of one query that somebody else decides the size of. */
export interface QueryLimits {
  readonly maxExecutionSeconds: number;
  readonly maxResultRows: number;
  readonly maxMemoryBytes: number;
  readonly maxThreads: number;
}

/** The settings that make the engine keep `limits`: beyond one, the query fails with PODTRAIL_QUERY_LIMIT or _STORE_BUSY (memory). */
export function querySettings(limits: QueryLimits): ClickHouseSettings {
  return {
    max_execution_time: limits.maxExecutionSeconds,
    max_result_rows: String(limits.maxResultRows),
    result_overflow_mode: 'throw',
    max_memory_usage: String(limits.maxMemoryBytes),
    max_threads: limits.maxThreads,
  };
}
