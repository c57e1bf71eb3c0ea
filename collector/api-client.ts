/** Get, list and watch on one API server, over node:http(s). Nothing here throws for what a server or a network does: it is data. */
import http from 'node:http';
import https from 'node:https';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { acceptHeader, collectionPath } from './api-resources.ts';
import type { ClusterConnection, Credentials } from './cluster-connection.ts';
import { decodeListPage, type PageDocument } from './list-page.ts';
import type { Resource } from './objects.ts';
import { createSlots, type Slots, unlessAborted } from './pacing.ts';
import { redactText } from './redact.ts';

/** Why a request gave nothing. `message` is fit for logs and status: no credentials, no object content. */
export interface ApiFailure {
  readonly kind:
    | 'gone' // 410: the resourceVersion or continue token is too old
    | 'forbidden' // 403
    | 'not_served' // 404, 405, 406: this API server has no such resource
    | 'unauthorized' // 401, with fresh credentials too
    | 'throttled' // 429
    | 'server' // any other status
    | 'network' // no answer, or half of one
    | 'credentials' // nothing was sent: no kubeconfig, or a plugin failed
    | 'bad_response'; // an answer that is not what was asked for
  readonly message: string;
  /** The server asked for a pause, ms. */
  readonly retryAfterMs?: number;
}
export type ApiResult<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly failure: ApiFailure };

export interface ListPage {
  /** ListMeta's, the same on every page of a list. */
  readonly resourceVersion: string;
  /** '' on the last page. */
  readonly continueToken: string;
  /** Taken once; throws BadPageError where it turns out to be no JSON. */
  readonly items: Iterable<unknown>;
}

export interface WatchRequest {
  readonly resource: Resource;
  readonly scope: string;
  readonly resourceVersion: string;
  /** The server ends the watch after about this long. */
  readonly timeoutSeconds: number;
}
export interface WatchHandlers {
  /** The server accepted the watch. */
  opened(): void;
  /** The next bytes of the stream. False ends the watch. */
  bytes(chunk: Buffer): boolean;
}
export type WatchEnd =
  /** The stream ended as HTTP says a stream ends. */
  | { readonly kind: 'closed' }
  /** The handler asked for it, or the signal. */
  | { readonly kind: 'stopped' }
  /** No byte for the stall time: a half-open connection, or a server that hangs. */
  | { readonly kind: 'stalled' }
  | { readonly kind: 'failed'; readonly failure: ApiFailure };

export interface ListRequest {
  readonly resource: Resource;
  readonly scope: string;
  readonly continueToken: string;
  readonly limit?: number;
}

export interface ApiClient {
  /** A JSON document. */
  get(path: string, signal: AbortSignal): Promise<ApiResult<unknown>>;
  /** One page of at most `limit` items, PAGE_LIMIT by default; `continueToken` '' for the first. */
  list(request: ListRequest, signal: AbortSignal): Promise<ApiResult<ListPage>>;
  watch(request: WatchRequest, handlers: WatchHandlers, signal: AbortSignal): Promise<WatchEnd>;
  /** A list takes one of these for all of its pages. */
  readonly listSlots: Slots;
}

/** kubectl's chunk size, and client-go's pager's; about 6 MB of pods (performance.md §1.4). */
export const PAGE_LIMIT = 500;
/** More at a time and a large API server's memory is at stake: 16 lists of 400 MB killed one (KEP-3157). */
const LISTS_AT_A_TIME = 2;
/** An API server gives up on a request after 60 s (--request-timeout), so a silence longer than this is a dead connection. */
const REQUEST_IDLE_MS = 90_000;
const CONNECT_TIMEOUT_MS = 15_000;
/** Largest page, bytes once unpacked: below V8's longest string of 512 MiB. */
const MAX_PAGE_BYTES = 256 * 1_024 * 1_024;
const MAX_ERROR_BYTES = 64 * 1_024;
const MAX_RETRY_AFTER_MS = 600_000;

export interface ApiClientOptions {
  /** A watch without a byte for this long is dead, ms. */
  readonly watchStallMs: number;
  readonly requestIdleMs?: number;
  readonly connectTimeoutMs?: number;
}

export function createApiClient(connection: ClusterConnection, options: ApiClientOptions): ApiClient {
  const { requestIdleMs = REQUEST_IDLE_MS, connectTimeoutMs = CONNECT_TIMEOUT_MS, watchStallMs } = options;

  /** Sends a GET; on a 401 once more with fresh credentials. */
  async function exchange(path: string, options: Omit<SendOptions, 'connectTimeoutMs'>): Promise<ApiResult<Exchange>> {
    let credentials: Credentials | undefined;
    for (let attempt = 1; ; attempt += 1) {
      try {
        const wanted = credentials === undefined ? connection.credentials() : connection.refreshed(credentials);
        credentials = await unlessAborted(wanted, options.signal);
      } catch (error) {
        return fail('credentials', (error as Error).message);
      }
      if (credentials === undefined) return fail('network', 'stopped');
      const sentMs = performance.now();
      const exchanged = await send(credentials, path, { ...options, connectTimeoutMs });
      if (!exchanged.ok) return exchanged;
      const { response } = exchanged.value;
      connection.clock.observe(response.headers.date, sentMs, performance.now());
      if (response.statusCode === 200) return exchanged;
      const failure = await readFailure(exchanged.value);
      if (failure.kind !== 'unauthorized' || attempt > 1) return { ok: false, failure };
    }
  }

  async function getJson<T>(path: string, accept: string, decode: (body: Buffer) => T, signal: AbortSignal): Promise<ApiResult<T>> {
    const exchanged = await exchange(path, { accept, encoding: 'gzip', idleMs: requestIdleMs, signal });
    if (!exchanged.ok) return exchanged;
    const body = await readBody(exchanged.value, MAX_PAGE_BYTES);
    if (!body.ok) return body;
    try {
      return { ok: true, value: decode(body.value) };
    } catch {
      return fail('bad_response', `GET ${pathOnly(path)} answered ${body.value.length} bytes that are not JSON`);
    }
  }

  return {
    listSlots: createSlots(LISTS_AT_A_TIME),
    get: (path, signal) => getJson(path, 'application/json', (body): unknown => JSON.parse(body.toString('utf8')), signal),
    async list({ resource, scope, continueToken, limit = PAGE_LIMIT }, signal) {
      const query = `?limit=${limit}${continueToken === '' ? '' : `&continue=${encodeURIComponent(continueToken)}`}`;
      const page = await getJson(collectionPath(resource, scope) + query, acceptHeader(resource, 'list'), decodeListPage, signal);
      return page.ok ? checkPage(resource, page.value) : page;
    },
    async watch({ resource, scope, resourceVersion, timeoutSeconds }, handlers, signal) {
      const query = `?watch=1&allowWatchBookmarks=true&resourceVersion=${encodeURIComponent(resourceVersion)}&timeoutSeconds=${timeoutSeconds}`;
      const accept = acceptHeader(resource, 'watch');
      const exchanged = await exchange(collectionPath(resource, scope) + query, { accept, encoding: 'identity', idleMs: watchStallMs, signal });
      if (exchanged.ok) return stream(exchanged.value, handlers, signal);
      if (signal.aborted) return { kind: 'stopped' };
      return { kind: 'failed', failure: exchanged.failure };
    },
  };
}

/** A response whose body is still to be read. */
interface Exchange {
  readonly request: http.ClientRequest;
  readonly response: http.IncomingMessage;
  /** The connection went silent, and was cut for it. */
  readonly stalled: () => boolean;
}

interface SendOptions {
  readonly accept: string;
  /** API servers pack large lists, 20 times smaller, and never a watch: a proxy that packed one would hold its events back. */
  readonly encoding: 'gzip' | 'identity';
  readonly idleMs: number;
  readonly connectTimeoutMs: number;
  readonly signal: AbortSignal;
}

async function send(credentials: Credentials, path: string, options: SendOptions): Promise<ApiResult<Exchange>> {
  const first = await sendOnce(credentials, path, options);
  // A server may close an idle connection just as it is used again: that says nothing about the server, so try another one.
  return !first.ok && first.staleConnection && !options.signal.aborted ? sendOnce(credentials, path, options) : first;
}

type Sent = { readonly ok: true; readonly value: Exchange } | { readonly ok: false; readonly failure: ApiFailure; readonly staleConnection: boolean };

function sendOnce(
  { server, headers, auth, agent }: Credentials,
  path: string,
  { accept, encoding, idleMs, connectTimeoutMs, signal }: SendOptions,
): Promise<Sent> {
  const secure = server.protocol === 'https:';
  return new Promise((resolve) => {
    let stalled = false;
    const request = (secure ? https : http).request({
      protocol: server.protocol,
      hostname: server.hostname.replace(/^\[|\]$/g, ''), // URL keeps the brackets of an IPv6 address
      port: server.port === '' ? undefined : server.port,
      path: server.pathname.replace(/\/$/, '') + path,
      method: 'GET',
      headers: { ...headers, accept, 'accept-encoding': encoding, 'user-agent': 'podtrail' },
      auth,
      agent,
      timeout: idleMs,
      signal,
    });
    request.once('socket', (socket) => {
      if (!socket.connecting) return;
      const timer = setTimeout(() => request.destroy(new Error(`no connection within ${connectTimeoutMs} ms`)), connectTimeoutMs);
      socket.once(secure ? 'secureConnect' : 'connect', () => clearTimeout(timer));
      request.once('close', () => clearTimeout(timer));
    });
    request.on('timeout', () => {
      stalled = true;
      request.destroy(new Error(`no answer within ${idleMs} ms`));
    });
    request.once('response', (response) => resolve({ ok: true, value: { request, response, stalled: () => stalled } }));
    request.on('error', (error: NodeJS.ErrnoException) => {
      const staleConnection = request.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
      resolve({ ok: false, failure: { kind: 'network', message: describeError(error) }, staleConnection });
    });
    request.end();
  });
}

function stream({ request, response, stalled }: Exchange, handlers: WatchHandlers, signal: AbortSignal): Promise<WatchEnd> {
  return new Promise((resolve) => {
    let stopped = false;
    let message = 'connection lost';
    response.on('error', (error) => {
      message = describeError(error);
    });
    response.on('data', (chunk: Buffer) => {
      if (stopped || handlers.bytes(chunk)) return;
      stopped = true;
      request.destroy();
    });
    response.once('close', () => {
      if (stopped || signal.aborted) resolve({ kind: 'stopped' });
      else if (stalled()) resolve({ kind: 'stalled' });
      else if (response.complete) resolve({ kind: 'closed' });
      else resolve({ kind: 'failed', failure: { kind: 'network', message } });
    });
    handlers.opened();
  });
}

async function readBody({ request, response, stalled }: Exchange, maxBytes: number): Promise<ApiResult<Buffer>> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of unpacked(response)) {
      bytes += chunk.length;
      if (bytes > maxBytes) return fail('bad_response', `answer of over ${maxBytes} bytes`);
      chunks.push(chunk);
    }
    return { ok: true, value: Buffer.concat(chunks) };
  } catch (error) {
    return fail('network', stalled() ? 'answer stalled' : describeError(error as Error));
  } finally {
    if (!response.complete) request.destroy();
  }
}

function unpacked(response: http.IncomingMessage): AsyncIterable<Buffer> {
  if (response.headers['content-encoding'] !== 'gzip') return response;
  // pipeline, unlike pipe, ends the one when the other fails; the error comes out of the iteration.
  return pipeline(response, createGunzip(), () => {});
}

async function readFailure(exchange: Exchange): Promise<ApiFailure> {
  const { statusCode: status = 0, headers } = exchange.response;
  const body = await readBody(exchange, MAX_ERROR_BYTES);
  return failureOf(status, body.ok ? statusMessage(body.value) : '', parseRetryAfter(headers['retry-after']));
}

function statusMessage(body: Buffer): string {
  try {
    const { message } = JSON.parse(body.toString('utf8')) as { message?: unknown };
    return typeof message === 'string' ? message : '';
  } catch {
    return ''; // a proxy's HTML page
  }
}

/** A Status, from an HTTP status or from an ERROR event of a watch, as a failure; webhooks and proxies put into its message what they like. */
export function failureOf(status: number, message: string, retryAfterMs?: number): ApiFailure {
  const what = status === 401 ? 'API server refused the credentials' : `API server answered ${status}`;
  const text = message === '' ? what : `${what}: ${redactText(message).slice(0, 300)}`;
  return { kind: kindOf(status), message: text, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
}

function kindOf(status: number): ApiFailure['kind'] {
  switch (status) {
    case 401:
      return 'unauthorized';
    case 403:
      return 'forbidden';
    case 404:
    case 405:
    case 406:
      return 'not_served';
    case 410:
      return 'gone';
    case 429:
      return 'throttled';
    default:
      return 'server';
  }
}

/** Seconds or an HTTP date (RFC 9110, section 10.2.3). */
function parseRetryAfter(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const seconds = Number(header);
  const ms = Number.isFinite(seconds) ? seconds * 1_000 : Date.parse(header) - Date.now();
  return Number.isFinite(ms) ? Math.min(MAX_RETRY_AFTER_MS, Math.max(0, ms)) : undefined;
}

function checkPage(resource: Resource, { metadata, items }: PageDocument): ApiResult<ListPage> {
  const { resourceVersion, continue: continueToken } = (metadata ?? {}) as { resourceVersion?: unknown; continue?: unknown };
  // An empty Go slice is written as null.
  if (typeof resourceVersion !== 'string' || resourceVersion === '' || !(items === null || isIterable(items))) {
    return fail('bad_response', `list of ${resource} has no resourceVersion or no items`);
  }
  return { ok: true, value: { resourceVersion, continueToken: typeof continueToken === 'string' ? continueToken : '', items: items ?? [] } };
}

function isIterable(value: unknown): value is Iterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.iterator in value;
}

function fail(kind: ApiFailure['kind'], message: string): { readonly ok: false; readonly failure: ApiFailure } {
  return { ok: false, failure: { kind, message } };
}

/** Without what differs from try to try, so that the same trouble reads the same. */
function describeError(error: NodeJS.ErrnoException): string {
  if (error instanceof AggregateError) return error.errors.map((each: Error) => describeError(each)).join('; '); // one per address tried
  return error.code === undefined || error.message.includes(error.code) ? error.message : `${error.code}: ${error.message}`;
}

function pathOnly(path: string): string {
  return path.replace(/\?.*/, '');
}
