/**
 * chDB behind @clickhouse/client's `connection` option, made to behave as a server does. chdb/connection would do, but for four
 * things, each measured on chDB 3.4.0: it turns settings into SET, which outlives the statement; it runs two statements a call;
 * it has one session, in which a long query holds up the inserts; and it decodes and copies every insert, at twice the cost of
 * handing the bytes over.
 */
import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { ClickHouseClientConfigOptions, ClickHouseSettings } from '@clickhouse/client';
import { ClickHouseError } from '@clickhouse/client';
import type { ChdbResult, Session } from 'chdb';
import { StoreError, toStoreError } from './errors.ts';
import { bareSql, isOneStatement } from './statement.ts';

type Connection = NonNullable<ClickHouseClientConfigOptions['connection']>;
type QueryParams = Parameters<Connection['query']>[0];
type InsertParams = Parameters<Connection['insert']>[0];

export interface EmbeddedOptions {
  readonly directory: string;
  readonly database: string;
  readonly memoryBytes: number;
  /** Settings of every statement. */
  readonly settings: ClickHouseSettings;
}

/** Settings of the HTTP interface, of which the engine in process knows nothing. */
const HTTP_ONLY = new Set(['wait_end_of_query', 'enable_http_compression', 'send_progress_in_http_headers']);
/** Statements whose SETTINGS clause holds query settings; that of CREATE would go into the table. */
const TAKES_SETTINGS = /^\s*(?:SELECT|WITH|INSERT|DELETE|ALTER|OPTIMIZE)\b/i;
/** Caches may grow to half of memory by default, which is the whole budget of a small machine (system.server_settings). */
const MARK_CACHE_SHARE = 0.1;

function settingLiteral(name: string, value: unknown): string {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) throw new StoreError('PODTRAIL_QUERY_INVALID', `"${name}" is no name of a setting`);
  return typeof value === 'number' ? `${name} = ${value}` : `${name} = '${String(value).replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

function settingList(settings: Readonly<Record<string, unknown>> | undefined): string[] {
  const entries = Object.entries(settings ?? {}).filter(([name, value]) => value !== undefined && !HTTP_ONLY.has(name));
  return entries.map(([name, value]) => settingLiteral(name, value));
}

/** The statement with its settings, or the error 62 that a server would give for two. */
function prepareStatement({ query, clickhouse_settings }: QueryParams): string {
  if (!isOneStatement(query)) {
    throw new ClickHouseError({ message: 'Syntax error: Multi-statements are not allowed', code: '62', type: 'SYNTAX_ERROR' });
  }
  const settings = settingList(clickhouse_settings);
  if (settings.length === 0) return query;
  if (!TAKES_SETTINGS.test(bareSql(query))) {
    throw new StoreError('PODTRAIL_QUERY_INVALID', `settings ${settings.join(', ')} cannot go with this statement`);
  }
  return `${query}\nSETTINGS ${settings.join(', ')}`;
}

/** An error of chDB as the client throws those of a server: number in `code`, name in `type`. */
function toClickHouseError(error: unknown): unknown {
  const { clickhouseCode, message } = error as { clickhouseCode?: number; message?: string };
  if (clickhouseCode === undefined || message === undefined) return error;
  const type = /\(([A-Z][A-Z0-9_]+)\)[^()]*$/.exec(message)?.[1];
  const mapped = new ClickHouseError({ message: message.replace(/^Code: \d+\. (?:DB::Exception: )?/, ''), code: String(clickhouseCode), type });
  mapped.cause = error;
  return mapped;
}

/** chDB writes this file when it takes the lock of the directory, and only then. */
function lockOwner(directory: string): string {
  try {
    return readFileSync(join(directory, 'status'), 'utf8');
  } catch {
    return '';
  }
}

async function loadChdb(): Promise<typeof import('chdb')> {
  try {
    return await import('chdb');
  } catch (cause) {
    const message =
      `the embedded ClickHouse (chDB) does not load on ${process.platform}-${process.arch}: it exists for Linux with glibc and macOS, ` +
      'on x64 and arm64; use a ClickHouse server instead: set store.url (PODTRAIL_STORE__URL)';
    throw new StoreError('PODTRAIL_CHDB_MISSING', message, { cause });
  }
}

/**
 * Opens `directory`, which is created if need be, with `database` in it. Throws StoreError: PODTRAIL_CHDB_MISSING,
 * PODTRAIL_STORE_LOCKED (another process has the directory, and is not disturbed), PODTRAIL_STORE_UNAVAILABLE, _REFUSED.
 */
export async function openEmbedded(options: EmbeddedOptions): Promise<Connection> {
  const { Session } = await loadChdb();
  const { directory, database, memoryBytes } = options;
  const args = [
    `--max_server_memory_usage=${memoryBytes}`,
    `--mark_cache_size=${Math.floor(memoryBytes * MARK_CACHE_SHARE)}`,
    '--memory_worker_use_cgroup=0', // the cgroup holds our own heap too, which is not the engine's to answer for
  ];
  try {
    mkdirSync(directory, { recursive: true });
  } catch (cause) {
    throw new StoreError('PODTRAIL_STORE_UNAVAILABLE', `creating ${directory} failed`, { cause });
  }
  const ownerBefore = lockOwner(directory);
  const open = (): Session => {
    try {
      return new Session(directory, { connectionArgs: args });
    } catch (cause) {
      // The engine keeps its error 76 (lock taken) to itself, but leaves the owner's file as it was.
      const owner = lockOwner(directory);
      if (owner === '' || owner !== ownerBefore) {
        throw new StoreError('PODTRAIL_STORE_UNAVAILABLE', `opening the embedded ClickHouse in ${directory} failed`, { cause });
      }
      const pid = /PID: (\d+)/.exec(owner)?.[1] ?? 'unknown';
      throw new StoreError('PODTRAIL_STORE_LOCKED', `${directory} is in use by another process (pid ${pid}); stop it, or use another data directory`, {
        cause,
      });
    }
  };
  const writer = open();
  const reader = open();
  try {
    for (const session of [writer, reader]) await prepareSession(session, database, settingList(options.settings));
  } catch (error) {
    reader.close();
    writer.close();
    throw toStoreError(toClickHouseError(error), `opening the embedded ClickHouse in ${directory}`);
  }
  return new EmbeddedConnection(writer, reader);
}

/** What a session is given once holds for all its statements. */
async function prepareSession(session: Session, database: string, settings: readonly string[]): Promise<void> {
  await session.queryAsync(`CREATE DATABASE IF NOT EXISTS ${database}`);
  await session.queryAsync(`USE ${database}`);
  if (settings.length > 0) await session.queryAsync(`SET ${settings.join(', ')}`);
}

async function toBuffer(values: string | Readable): Promise<Buffer> {
  if (typeof values === 'string') return Buffer.from(values);
  const chunks: Buffer[] = [];
  for await (const chunk of values) chunks.push(typeof chunk === 'string' ? Buffer.from(chunk) : chunk);
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
}

/** Inserts and commands run one after another on one session, queries on another, so that neither waits for the other. */
class EmbeddedConnection implements Connection {
  readonly #writer: Session;
  readonly #reader: Session;
  readonly #running = new Set<Promise<unknown>>();
  #closed = false;

  constructor(writer: Session, reader: Session) {
    this.#writer = writer;
    this.#reader = reader;
  }

  async #run<T>(start: () => Promise<T>): Promise<T> {
    if (this.#closed) throw new StoreError('PODTRAIL_STORE_UNAVAILABLE', 'the embedded ClickHouse is closed');
    const running = start();
    const settled = running.then(
      () => undefined,
      () => undefined,
    );
    this.#running.add(settled);
    try {
      return await running;
    } catch (error) {
      throw toClickHouseError(error);
    } finally {
      this.#running.delete(settled);
    }
  }

  #statement(session: Session, params: QueryParams): Promise<ChdbResult> {
    const { query_params, abort_signal } = params;
    return this.#run(async () => {
      const sql = prepareStatement(params);
      if (query_params === undefined || Object.keys(query_params).length === 0) return session.queryAsync(sql, { signal: abort_signal });
      return session.queryBindAsync(sql, query_params, { signal: abort_signal });
    });
  }

  async query(params: QueryParams): ReturnType<Connection['query']> {
    const result = await this.#statement(this.#reader, params);
    return { ...answer(params), stream: readable(result.bytes()) };
  }

  async command(params: QueryParams): ReturnType<Connection['command']> {
    await this.#statement(this.#writer, params);
    return answer(params);
  }

  async exec(params: Parameters<Connection['exec']>[0]): ReturnType<Connection['exec']> {
    if (params.values !== undefined) {
      await this.#insert(params, params.values);
      return { ...answer(params), stream: Readable.from([]) };
    }
    const result = await this.#statement(this.#writer, params);
    return { ...answer(params), stream: readable(result.bytes()) };
  }

  async insert(params: InsertParams): ReturnType<Connection['insert']> {
    await this.#insert(params, params.values);
    return answer(params);
  }

  async #insert(params: QueryParams, values: string | Readable): Promise<void> {
    const target = /^INSERT INTO ([\w.]+)(?: \(([\w, ]+)\))? FORMAT (\w+)$/.exec(params.query);
    if (target === null) throw new StoreError('PODTRAIL_QUERY_INVALID', `insert "${params.query}" is not supported by the embedded ClickHouse`);
    const [, table = '', columns, format = ''] = target;
    const settings = Object.entries(params.clickhouse_settings ?? {}).filter(([name, value]) => value !== undefined && !HTTP_ONLY.has(name));
    const bytes = await toBuffer(values);
    await this.#run(() =>
      this.#writer.insert({
        table,
        ...(columns === undefined ? {} : { columns: columns.split(', ') }),
        values: bytes,
        format: format as 'JSONEachRow', // the engine knows best which it takes
        settings: Object.fromEntries(settings) as Record<string, string | number>,
        signal: params.abort_signal,
      }),
    );
  }

  async ping(): ReturnType<Connection['ping']> {
    try {
      await this.#run(() => this.#writer.queryAsync('SELECT 1'));
      return { success: true };
    } catch (error) {
      return { success: false, error: error as Error };
    }
  }

  /** Waits for what runs: closing a busy session aborts the engine for the whole process. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await Promise.all(this.#running);
    this.#reader.close();
    this.#writer.close();
  }
}

function answer(params: { readonly query_id?: string }): { query_id: string; response_headers: Record<string, never>; http_status_code: number } {
  return { query_id: params.query_id ?? randomUUID(), response_headers: {}, http_status_code: 200 };
}

function readable(bytes: Uint8Array): Readable {
  const stream = Readable.from([Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)], { objectMode: false });
  stream.on('error', () => {}); // ResultSet.close() destroys an unread stream with an error that nobody waits for
  return stream;
}
