/**
 * chDB behind the part of ClickHouse's HTTP interface that @clickhouse/client uses, so that several processes of a test can share
 * one ClickHouse: query, insert, command, ping; query parameters, settings, the database; gzip both ways; error numbers in body and
 * X-ClickHouse-Exception-Code, the summary header. It refuses what a server refuses: two statements, a database that is not there,
 * unknown settings. Not here: users, sessions, multipart bodies, progress headers.
 *
 * As a process: node --import tsx test/helpers/chdb-http.ts --directory D [--port P], which prints its URL and ends on SIGTERM.
 */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pathToFileURL } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import type { ChdbResult } from 'chdb';
import { Session } from 'chdb';
import { bareSql, isOneStatement } from '../../sql/statement.ts';

/** A request as the server sees it, for tests that want it to fail. */
export interface ChdbRequest {
  readonly statement: string;
  readonly settings: Readonly<Record<string, string>>;
}

export interface ChdbHttp {
  readonly url: string;
  /** Called before every statement; what it returns is the answer in place of the engine's, `drop` cuts the connection. */
  intercept: ((request: ChdbRequest) => Failure | undefined) | undefined;
  close(): Promise<void>;
}

/** An error number of the engine with its name; or no answer at all, before the statement runs or after it. */
export type Failure = { readonly code: number; readonly type: string } | 'drop' | 'drop_after';

/** Parameters of the URL that are not settings of the statement. */
const NO_SETTINGS =
  /^(?:query|query_id|database|user|password|role|session_id|default_format|param_.*|wait_end_of_query|enable_http_compression|http_.*|send_progress_.*)$/;
const TAKES_SETTINGS = /^\s*(?:SELECT|WITH|INSERT|DELETE|ALTER|OPTIMIZE|SHOW|EXISTS)\b/i;

/** Status by error number: exceptionCodeToHTTPStatus in ClickHouse src/Server/HTTP/exceptionCodeToHTTPStatus.cpp. */
const STATUS = new Map([
  ...[60, 81].map((code) => [code, 404] as const),
  ...[6, 26, 27, 36, 41, 43, 47, 53, 62, 70, 72, 117, 115, 456].map((code) => [code, 400] as const),
  ...[193, 192, 516].map((code) => [code, 403] as const),
  ...[159, 209].map((code) => [code, 408] as const),
]);

class EngineError extends Error {
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

function toEngineError(error: unknown): EngineError {
  if (error instanceof EngineError) return error;
  const { clickhouseCode = 1001, message } = error as { clickhouseCode?: number; message: string };
  return new EngineError(clickhouseCode, message.replace(/^Code: \d+\. (?:DB::Exception: )?/, ''));
}

const ESCAPES: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', '0': '\0' };

type Parameter = string | null | readonly (string | bigint)[];

function unescapeText(text: string): string {
  return text.replace(/\\(.)/gs, (_, char: string) => ESCAPES[char] ?? char);
}

/** A parameter as the client wrote it, back to the value, which chDB writes again: arrays of strings and integers, else text. */
function decodeParameter(statement: string, name: string, text: string): Parameter {
  if (text === '\\N') return null;
  if (!new RegExp(`\\{\\s*${name}\\s*:\\s*Array\\(`).test(statement)) return unescapeText(text);
  const elements = text.slice(1, -1).match(/'(?:[^'\\]|\\.)*'|[^,\s]+/gs) ?? [];
  return elements.map((element) => (element.startsWith("'") ? unescapeText(element.slice(1, -1)) : BigInt(element)));
}

interface Sessions {
  readonly read: Session;
  readonly write: Session;
}

class Engine {
  readonly #directory: string;
  readonly #byDatabase = new Map<string, Sessions>();
  constructor(directory: string) {
    this.#directory = directory;
  }

  /** A pair of sessions per database: chDB runs the statements of one session one after another. */
  async #sessions(database: string): Promise<Sessions> {
    const known = this.#byDatabase.get(database);
    if (known !== undefined) return known;
    const sessions = { read: new Session(this.#directory), write: new Session(this.#directory) };
    try {
      for (const session of [sessions.read, sessions.write]) await session.queryAsync(`USE \`${database.replaceAll('`', '``')}\``);
    } catch (error) {
      sessions.read.close();
      sessions.write.close();
      throw error;
    }
    const raced = this.#byDatabase.get(database) ?? sessions;
    this.#byDatabase.set(database, raced);
    return raced;
  }

  async run(
    database: string,
    statement: string,
    body: Buffer,
    settings: Record<string, string>,
    params: Record<string, Parameter>,
  ): Promise<ChdbResult | undefined> {
    const { read, write } = await this.#sessions(database);
    const insert = /^INSERT INTO ([\w.]+)(?: \(([\w, ]+)\))? FORMAT (\w+)\s*$/.exec(statement);
    if (insert !== null) {
      const [, table = '', columns, format] = insert;
      if (body.length === 0) return undefined;
      await write.insert({
        table,
        ...(columns === undefined ? {} : { columns: columns.split(', ') }),
        values: body,
        format: format as 'JSONEachRow',
        settings,
      });
      return undefined;
    }
    if (!isOneStatement(statement)) throw new EngineError(62, 'Syntax error (Multi-statements are not allowed) (SYNTAX_ERROR)');
    const list = Object.entries(settings).map(([name, value]) => `${name} = '${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`);
    const takes = list.length > 0 && TAKES_SETTINGS.test(bareSql(statement));
    const sql = takes ? `${statement.replace(/[;\s]+$/, '')}\nSETTINGS ${list.join(', ')}` : statement;
    const session = /^\s*(?:SELECT|WITH|SHOW|EXISTS)\b/i.test(bareSql(statement)) ? read : write;
    return Object.keys(params).length > 0
      ? session.queryBindAsync(sql, params, { format: 'TabSeparated' })
      : session.queryAsync(sql, { format: 'TabSeparated' });
  }

  close(): void {
    for (const { read, write } of this.#byDatabase.values()) {
      read.close();
      write.close();
    }
  }
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks);
  return request.headers['content-encoding'] === 'gzip' ? promisify(gunzip)(body) : body;
}

async function answer(request: IncomingMessage, response: ServerResponse, params: URLSearchParams, result: ChdbResult | undefined): Promise<void> {
  const bytes = Buffer.from(result?.bytes() ?? new Uint8Array());
  const compressed = params.get('enable_http_compression') === '1' && String(request.headers['accept-encoding']).includes('gzip');
  const summary = { read_rows: String(result?.rowsRead ?? 0), read_bytes: String(result?.bytesRead ?? 0), elapsed_ns: '0' };
  const zero = { written_rows: '0', written_bytes: '0', total_rows_to_read: '0', result_rows: '0', result_bytes: '0' };
  response.writeHead(200, {
    'Content-Type': 'text/plain; charset=UTF-8',
    'X-ClickHouse-Query-Id': params.get('query_id') ?? randomUUID(),
    'X-ClickHouse-Timezone': 'UTC',
    'X-ClickHouse-Summary': JSON.stringify({ ...summary, ...zero }),
    ...(compressed ? { 'Content-Encoding': 'gzip' } : {}),
  });
  response.end(compressed ? await promisify(gzip)(bytes) : bytes);
}

function refuse(response: ServerResponse, { code, message }: EngineError): void {
  response.writeHead(STATUS.get(code) ?? 500, { 'Content-Type': 'text/plain; charset=UTF-8', 'X-ClickHouse-Exception-Code': String(code) });
  response.end(`Code: ${code}. DB::Exception: ${message} (version 26.7.2.1)\n`);
}

async function handle(engine: Engine, http: ChdbHttp, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://localhost');
  const body = await readBody(request);
  if (url.pathname === '/ping') {
    response.end('Ok.\n');
    return;
  }
  const params = url.searchParams;
  const given = [...params].filter(([name]) => !NO_SETTINGS.test(name));
  const settings = Object.fromEntries(given);
  const statement = params.get('query') ?? body.toString('utf8');
  const bound = [...params].filter(([name]) => name.startsWith('param_')).map(([name, text]) => [name.slice(6), text] as const);
  const parameters = Object.fromEntries(bound.map(([name, text]) => [name, decodeParameter(statement, name, text)]));
  const data = params.has('query') ? body : Buffer.alloc(0);
  const database = params.get('database') ?? String(request.headers['x-clickhouse-database'] ?? 'default');
  const failure = http.intercept?.({ statement, settings });
  try {
    if (typeof failure === 'object') throw new EngineError(failure.code, `made to fail (${failure.type})`);
    if (failure === 'drop') request.socket.destroy();
    if (failure === 'drop') return;
    const result = await engine.run(database, statement, data, settings, parameters);
    if (failure === 'drop_after') request.socket.destroy();
    else await answer(request, response, params, result);
  } catch (error) {
    refuse(response, toEngineError(error));
  }
}

/** Starts the server on 127.0.0.1. One per process and directory. */
export async function startChdbHttp(directory: string, port = 0): Promise<ChdbHttp> {
  const engine = new Engine(directory);
  const running = new Set<Promise<void>>();
  const server = createServer((request, response) => {
    const handled = handle(engine, http, request, response)
      .catch((error: NodeJS.ErrnoException) => {
        // A client that was killed in the middle of its request gets no answer, and is no trouble of the server's.
        if (error.code !== 'ECONNRESET') throw error;
      })
      .finally(() => running.delete(handled));
    running.add(handled);
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const http: ChdbHttp = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    intercept: undefined,
    async close() {
      server.close();
      server.closeIdleConnections();
      await Promise.allSettled(running);
      server.closeAllConnections();
      engine.close();
    },
  };
  return http;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { values } = parseArgs({ options: { directory: { type: 'string' }, port: { type: 'string', default: '0' } } });
  if (values.directory === undefined) throw new Error('--directory is needed');
  const http = await startChdbHttp(values.directory, Number(values.port));
  process.on('SIGTERM', () => void http.close().then(() => process.exit(0)));
  process.stdout.write(`${http.url}\n`);
}
