/**
 * A Kubernetes API server in this process, on loopback: lists with continue tokens, watches with bookmarks, and
 * on demand every fault that the collector must survive. Objects come from the test, one by one or as a script.
 */
import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { gzipSync } from 'node:zlib';

export interface FakeObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid: string;
    readonly resourceVersion?: string;
    readonly [field: string]: unknown;
  };
  readonly [field: string]: unknown;
}

/** One step of a script: what a client would see on its watch. */
export interface FakeChange {
  readonly resource: string;
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly object: FakeObject;
}

/** How the server treats a request instead of answering it. */
export type Fault =
  | { readonly kind: 'status'; readonly status: number; readonly message?: string; readonly retryAfter?: string }
  /** 200 and nothing more: the answer to a stale watch of Events on some servers. */
  | { readonly kind: 'empty' }
  /** Takes the request and never answers. */
  | { readonly kind: 'hang' }
  /** Sends headers and whatever it has, then nothing: a half-open connection. Its watch gets no further event. */
  | { readonly kind: 'silent' }
  | { readonly kind: 'reset' }
  /** Sends these bytes as the body, then ends; or, with `cut`, drops the connection. */
  | { readonly kind: 'body'; readonly chunks: readonly (string | Uint8Array)[]; readonly cut?: boolean }
  /** Answers as usual, later. */
  | { readonly kind: 'delay'; readonly ms: number };

export interface FaultRule {
  readonly verb?: 'list' | 'watch' | 'get';
  readonly resource?: string;
  /** Default: once. */
  readonly times?: number;
  /** Only continued pages of a list. */
  readonly continued?: boolean;
  readonly fault: Fault;
}

export interface SeenRequest {
  readonly atMs: number;
  readonly verb: 'list' | 'watch' | 'get';
  /** The path for `get`. */
  readonly resource: string;
  readonly namespace: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: http.IncomingHttpHeaders;
}

export interface FakeApiServerOptions {
  readonly clusterUid?: string;
  /** Requests without this bearer token get a 401. */
  readonly token?: () => string;
  readonly gzip?: boolean;
  /** Cuts every write of a watch: returns the lengths of its pieces. */
  readonly pieces?: (bytes: number) => readonly number[];
  readonly dateMs?: () => number;
  /** Serves https with this certificate. */
  readonly tls?: { readonly cert: string; readonly key: string };
}

export interface FakeApiServer {
  readonly url: string;
  readonly requests: readonly SeenRequest[];
  /** Adds or changes an object; its resourceVersion is the server's next, unless it brings a higher one. Returns it. */
  put(resource: string, object: FakeObject): string;
  /** Deletes by uid. */
  remove(resource: string, uid: string): void;
  apply(change: FakeChange): void;
  /** Sends a bookmark on every watch of the resource. */
  bookmark(resource: string): void;
  /** Writes raw bytes on every watch of the resource. */
  write(resource: string, bytes: string | Uint8Array): void;
  /** Forgets all history: watches from an older version, and continue tokens, get a 410. */
  compact(): void;
  /** Goes back to what it was at that version, as etcd restored from a backup: its versions count from there again, and every watch is lost. */
  restore(toVersion: string): void;
  /** Ends every watch of the resource: cleanly, or by dropping the connection. */
  endWatches(resource: string, how: 'clean' | 'reset'): void;
  /** The next requests that match are treated so; rules are used up in order. */
  fail(rule: FaultRule): void;
  /** Forgets the rules that are left. */
  heal(): void;
  watching(resource: string): number;
  resourceVersion(): string;
  setClusterUid(uid: string): void;
  close(): Promise<void>;
}

interface Watch {
  readonly resource: string;
  readonly namespace: string;
  readonly response: http.ServerResponse;
  readonly from: number;
  silent: boolean;
}
interface Past {
  readonly version: number;
  readonly line: string;
  readonly resource: string;
  readonly namespace: string;
}

export async function startFakeApiServer(options: FakeApiServerOptions = {}): Promise<FakeApiServer> {
  const objects = new Map<string, Map<string, FakeObject>>();
  const history: Past[] = [];
  const watches = new Set<Watch>();
  const snapshots = new Map<string, { readonly version: string; readonly items: readonly FakeObject[] }>();
  const requests: SeenRequest[] = [];
  const sockets = new Set<Socket>();
  const timers = new Set<NodeJS.Timeout>();
  let rules: { rule: FaultRule; left: number }[] = [];
  let version = 1_000;
  let compacted = 0;
  let clusterUid = options.clusterUid ?? 'uid-of-kube-system';
  let lists = 0;

  const later = (ms: number, task: () => void): void => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      task();
    }, ms);
    timers.add(timer);
  };

  const send = (watch: Watch, bytes: Buffer): void => {
    if (watch.silent) return;
    let start = 0;
    for (const length of options.pieces?.(bytes.length) ?? [bytes.length]) {
      watch.response.write(bytes.subarray(start, start + length));
      start += length;
    }
  };
  const broadcast = (past: Past): void => {
    history.push(past);
    for (const watch of watches) if (past.version > watch.from && isOf(watch, past)) send(watch, Buffer.from(past.line));
  };

  const change = (type: FakeChange['type'], resource: string, object: FakeObject): string => {
    version = Math.max(version + 1, Number(object.metadata.resourceVersion ?? 0));
    const stored = { ...object, metadata: { ...object.metadata, resourceVersion: String(version) } };
    const ofResource = objects.get(resource) ?? new Map<string, FakeObject>();
    objects.set(resource, ofResource);
    if (type === 'DELETED') ofResource.delete(object.metadata.uid);
    else ofResource.set(object.metadata.uid, stored);
    broadcast({ version, resource, namespace: object.metadata.namespace ?? '', line: `${JSON.stringify({ type, object: stored })}\n` });
    return String(version);
  };

  const json = (response: http.ServerResponse, status: number, body: unknown, headers: http.OutgoingHttpHeaders = {}): void => {
    const text = JSON.stringify(body);
    const gzip = options.gzip === true && status === 200;
    response.writeHead(status, { 'content-type': 'application/json', ...(gzip ? { 'content-encoding': 'gzip' } : {}), ...headers });
    response.end(gzip ? gzipSync(text) : text);
  };
  const refuse = (response: http.ServerResponse, status: number, message: string, headers: http.OutgoingHttpHeaders = {}): unknown =>
    json(response, status, { kind: 'Status', apiVersion: 'v1', status: 'Failure', message, code: status }, headers);

  const list = (response: http.ServerResponse, seen: SeenRequest): unknown => {
    const limit = Number(seen.query['limit'] ?? Number.POSITIVE_INFINITY);
    let id = '';
    let start = 0;
    if (seen.query['continue'] !== undefined) [id = '', start = 0] = JSON.parse(Buffer.from(seen.query['continue'], 'base64').toString()) as [string, number];
    else {
      lists += 1;
      id = `list-${lists}`;
      const items = [...(objects.get(seen.resource)?.values() ?? [])].filter((object) => seen.namespace === '' || object.metadata.namespace === seen.namespace);
      snapshots.set(id, { version: String(version), items });
    }
    const snapshot = snapshots.get(id);
    if (snapshot === undefined) return refuse(response, 410, 'The provided continue parameter is too old to display a consistent list result.');
    const end = Math.min(start + limit, snapshot.items.length);
    const more = end < snapshot.items.length;
    const metadata = { resourceVersion: snapshot.version, ...(more ? { continue: Buffer.from(JSON.stringify([id, end])).toString('base64') } : {}) };
    const items = snapshot.items.slice(start, end).map(({ kind: _kind, apiVersion: _apiVersion, ...item }) => item);
    return json(response, 200, { kind: 'List', apiVersion: 'v1', metadata, items: items.length === 0 ? null : items });
  };

  const openWatch = (request: http.IncomingMessage, response: http.ServerResponse, seen: SeenRequest, silent: boolean): unknown => {
    const from = Number(seen.query['resourceVersion']);
    if (from < compacted) return refuse(response, 410, `too old resource version: ${from} (${compacted})`);
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    const watch: Watch = { resource: seen.resource, namespace: seen.namespace, response, from, silent };
    watches.add(watch);
    request.once('close', () => watches.delete(watch));
    for (const past of history) if (past.version > from && isOf(watch, past)) send(watch, Buffer.from(past.line));
    later(Number(seen.query['timeoutSeconds'] ?? 300) * 1_000, () => {
      watches.delete(watch);
      response.end();
    });
    return undefined;
  };

  const answer = (request: http.IncomingMessage, response: http.ServerResponse, seen: SeenRequest): unknown => {
    if (options.token !== undefined && request.headers.authorization !== `Bearer ${options.token()}`) return refuse(response, 401, 'Unauthorized');
    if (seen.verb === 'list') return list(response, seen);
    if (seen.verb === 'watch') return openWatch(request, response, seen, false);
    if (seen.resource === '/version') return json(response, 200, { gitVersion: 'v1.34.2' });
    if (seen.resource === '/api/v1/namespaces/kube-system')
      return json(response, 200, { kind: 'Namespace', metadata: { name: 'kube-system', uid: clusterUid } });
    return refuse(response, 404, 'the server could not find the requested resource');
  };

  const inject = (fault: Fault, request: http.IncomingMessage, response: http.ServerResponse, seen: SeenRequest): unknown => {
    switch (fault.kind) {
      case 'status':
        return refuse(response, fault.status, fault.message ?? 'injected', fault.retryAfter === undefined ? {} : { 'retry-after': fault.retryAfter });
      case 'empty':
        response.writeHead(200);
        response.end();
        return undefined;
      case 'hang':
        return undefined;
      case 'silent':
        return openWatch(request, response, seen, true);
      case 'reset':
        request.socket.destroy();
        return undefined;
      case 'body':
        response.writeHead(200);
        for (const chunk of fault.chunks) response.write(chunk);
        if (fault.cut !== true) response.end();
        else setImmediate(() => request.socket.destroy());
        return undefined;
      case 'delay':
        return later(fault.ms, () => answer(request, response, seen));
    }
  };

  const handle = (request: http.IncomingMessage, response: http.ServerResponse): void => {
    if (options.dateMs !== undefined) response.setHeader('date', new Date(options.dateMs()).toUTCString());
    const seen = parseRequest(request);
    requests.push(seen);
    const found = rules.find(({ rule, left }) => left > 0 && matches(rule, seen));
    if (found === undefined) {
      answer(request, response, seen);
      return;
    }
    found.left -= 1;
    inject(found.rule.fault, request, response, seen);
  };
  const server = options.tls === undefined ? http.createServer(handle) : https.createServer(options.tls, handle);
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  const ofResource = (resource: string): Watch[] => [...watches].filter((watch) => watch.resource === resource);
  return {
    url: `${options.tls === undefined ? 'http' : 'https'}://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    put: (resource, object) => change(objects.get(resource)?.has(object.metadata.uid) === true ? 'MODIFIED' : 'ADDED', resource, object),
    remove(resource, uid) {
      const object = objects.get(resource)?.get(uid);
      if (object === undefined) throw new Error(`no ${resource} with uid ${uid}`);
      change('DELETED', resource, object);
    },
    apply: ({ type, resource, object }) => {
      change(type, resource, object);
    },
    bookmark(resource) {
      const line = `${JSON.stringify({ type: 'BOOKMARK', object: { metadata: { resourceVersion: String(version) } } })}\n`;
      for (const watch of ofResource(resource)) send(watch, Buffer.from(line));
    },
    write(resource, bytes) {
      for (const watch of ofResource(resource)) send(watch, Buffer.from(bytes));
    },
    compact() {
      version += 1;
      compacted = version;
      history.length = 0;
      snapshots.clear();
    },
    restore(toVersion) {
      version = Number(toVersion);
      const kept = history.filter((past) => past.version <= version);
      history.splice(0, history.length, ...kept);
      snapshots.clear();
      for (const ofKind of objects.values()) ofKind.clear();
      for (const { resource, line } of kept) {
        const { type, object } = JSON.parse(line) as { type: FakeChange['type']; object: FakeObject };
        if (type === 'DELETED') objects.get(resource)?.delete(object.metadata.uid);
        else objects.get(resource)?.set(object.metadata.uid, object);
      }
      for (const watch of [...watches]) watch.response.socket?.destroy();
      watches.clear();
    },
    endWatches(resource, how) {
      for (const watch of ofResource(resource)) {
        watches.delete(watch);
        if (how === 'clean') watch.response.end();
        else watch.response.socket?.destroy();
      }
    },
    fail: (rule) => {
      rules.push({ rule, left: rule.times ?? 1 });
    },
    heal: () => {
      rules = [];
    },
    watching: (resource) => ofResource(resource).length,
    resourceVersion: () => String(version),
    setClusterUid: (uid) => {
      clusterUid = uid;
    },
    async close() {
      for (const timer of timers) clearTimeout(timer);
      server.close();
      for (const socket of sockets) socket.destroy();
      if (server.listening) await once(server, 'close');
    },
  };
}

function isOf(watch: Watch, past: Past): boolean {
  return watch.resource === past.resource && (watch.namespace === '' || watch.namespace === past.namespace);
}

function matches(rule: FaultRule, seen: SeenRequest): boolean {
  if (rule.verb !== undefined && rule.verb !== seen.verb) return false;
  if (rule.resource !== undefined && rule.resource !== seen.resource) return false;
  return rule.continued === undefined || rule.continued === (seen.query['continue'] !== undefined);
}

/** /api/v1[/namespaces/NS]/RESOURCE and /apis/GROUP/VERSION[/namespaces/NS]/RESOURCE are lists and watches, the rest is get. */
function parseRequest(request: http.IncomingMessage): SeenRequest {
  const url = new URL(request.url ?? '/', 'http://fake');
  const query = Object.fromEntries(url.searchParams);
  const collection = /^\/(?:api\/v1|apis\/[^/]+\/[^/]+)(?:\/namespaces\/([^/]+))?\/([a-z]+)$/.exec(url.pathname);
  const base = { atMs: performance.now(), query, headers: request.headers };
  if (collection === null) return { ...base, verb: 'get', resource: url.pathname, namespace: '' };
  return { ...base, verb: query['watch'] === undefined ? 'list' : 'watch', resource: collection[2] ?? '', namespace: collection[1] ?? '' };
}

/** A kubeconfig for servers, one context each, by name; all with one user, and with these settings of the cluster. */
export function fakeKubeconfig(
  servers: Readonly<Record<string, string>>,
  user: Readonly<Record<string, unknown>> = {},
  cluster: Readonly<Record<string, unknown>> = {},
): string {
  const names = Object.keys(servers);
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': names[0],
    clusters: names.map((name) => ({ name, cluster: { ...cluster, server: servers[name] } })),
    users: [{ name: 'user', user }],
    contexts: names.map((name) => ({ name, context: { cluster: name, user: 'user' } })),
  });
}
