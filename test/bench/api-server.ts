/**
 * An API server of many pods in a process of its own, so that its cost is nobody else's: lists in pages, and one watch that sends all
 * recorded changes as fast as they are taken, then goes quiet. Started with fork; tells its port and, when asked, what it sent.
 */
import http from 'node:http';
import { copyOf, largePod, recordedPods } from './fleet.ts';

export interface ServerOptions {
  /** Pods of the list. */
  readonly listed: number;
  /** Changes on the watch, over all pods in turn. */
  readonly changes: number;
  /** Pods of 12 KB instead of those recorded, of 5 KB. */
  readonly large?: boolean;
}

/** What the parent is told. */
export interface ServerReady {
  readonly port: number;
  readonly lines: number;
  readonly watchBytes: number;
}

export const LIST_VERSION = 1_000_000_000;
const CHUNK_BYTES = 64 * 1_024;

/** The lines of a watch, made once: every change is another version of one of the listed pods, in the order of the recording. */
export function watchLines({ listed, changes, large = false }: ServerOptions): Buffer[] {
  const recorded = large ? recordedPods().map(largePod) : recordedPods();
  return Array.from({ length: changes }, (_, change) => {
    const pod = recorded[change % recorded.length];
    if (pod === undefined) throw new Error('no pods were recorded');
    const index = Math.floor(change / recorded.length) % Math.max(1, listed);
    return Buffer.from(`${JSON.stringify({ type: 'MODIFIED', object: copyOf(pod, index, LIST_VERSION + change + 1) })}\n`);
  });
}

function listPage(listed: number, start: number, limit: number): string {
  const recorded = recordedPods();
  const end = Math.min(start + limit, listed);
  const items = Array.from({ length: end - start }, (_, at) =>
    copyOf(recorded[(start + at) % recorded.length] as (typeof recorded)[number], start + at, start + at + 1),
  );
  const metadata = { resourceVersion: String(LIST_VERSION), ...(end < listed ? { continue: String(end) } : {}) };
  return JSON.stringify({ kind: 'PodList', apiVersion: 'v1', metadata, items });
}

function send(response: http.ServerResponse, body: Buffer, start = 0): void {
  for (let at = start; at < body.length; at += CHUNK_BYTES) {
    if (response.write(body.subarray(at, at + CHUNK_BYTES))) continue;
    response.once('drain', () => send(response, body, at + CHUNK_BYTES));
    return;
  }
}

function serve(options: ServerOptions): void {
  const lines = watchLines(options);
  const body = Buffer.concat(lines);
  const pages = new Map<string, string>();
  for (let start = 0; start === 0 || start < options.listed; start += 500) pages.set(String(start), listPage(options.listed, start, 500));
  const server = http.createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    response.setHeader('content-type', 'application/json');
    if (url.pathname.endsWith('/kube-system')) response.end('{"kind":"Namespace","metadata":{"name":"kube-system","uid":"uid-of-kube-system"}}');
    else if (url.pathname === '/version') response.end('{"gitVersion":"v1.34.2"}');
    else if (url.searchParams.get('watch') === null) response.end(pages.get(url.searchParams.get('continue') ?? '0'));
    else if (Number(url.searchParams.get('resourceVersion')) === LIST_VERSION) send(response, body);
    else response.flushHeaders(); // gone on from the last line: nothing more comes
  });
  server.listen(0, '127.0.0.1', () => {
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    process.send?.({ port, lines: lines.length, watchBytes: body.length } satisfies ServerReady);
  });
  process.once('disconnect', () => process.exit());
}

if (process.argv[2] === '--serve') serve(JSON.parse(process.argv[3] ?? '{}') as ServerOptions);
