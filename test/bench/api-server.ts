/**
 * An API server of many pods in a process of its own, so that its cost is nobody else's: lists in pages, and one watch that sends all
 * recorded changes as fast as they are taken, then goes quiet. Started with fork; tells its port and, when asked, what it sent.
 */
import http from 'node:http';
import { gzipSync } from 'node:zlib';
import { copyOf, largePod, type RawPod, recordedPods } from './fleet.ts';

export interface ServerOptions {
  /** Pods of the list. */
  readonly listed: number;
  /** Changes on the watch, over all pods in turn. */
  readonly changes: number;
  /** Pods of 12 KB instead of those recorded, of 5 KB. */
  readonly large?: boolean;
  /** Lists are packed for those who take it, as an API server packs large ones. */
  readonly gzip?: boolean;
}

/** What the parent is told. */
export interface ServerReady {
  readonly port: number;
  readonly watchBytes: number;
}

export const LIST_VERSION = 1_000_000_000;
/** Of the list, whatever limit is asked for: both sides ask for this one. */
const PAGE_LIMIT = 500;
const CHUNK_BYTES = 64 * 1_024;

/** The lines of a watch: every change is another version of one of the listed pods, in the order of the recording. */
export function* watchLines({ listed, changes, large = false }: ServerOptions): Generator<Buffer> {
  const recorded = podsOf(large);
  for (let change = 0; change < changes; change += 1) {
    const pod = recorded[change % recorded.length];
    if (pod === undefined) throw new Error('no pods were recorded');
    const index = Math.floor(change / recorded.length) % Math.max(1, listed);
    yield Buffer.from(`${JSON.stringify({ type: 'MODIFIED', object: copyOf(pod, index, LIST_VERSION + change + 1) })}\n`);
  }
}

const podsOf = (large: boolean): readonly RawPod[] => (large ? recordedPods().map(largePod) : recordedPods());

function listPage(recorded: readonly RawPod[], listed: number, start: number): string {
  const end = Math.min(start + PAGE_LIMIT, listed);
  const items = Array.from({ length: end - start }, (_, at) => {
    const { metadata, spec, status } = copyOf(recorded[(start + at) % recorded.length] as RawPod, start + at, start + at + 1);
    return { metadata, spec, status }; // kind and apiVersion stand in no item of a list
  });
  const metadata = { resourceVersion: String(LIST_VERSION), ...(end < listed ? { continue: String(end) } : {}) };
  return JSON.stringify({ kind: 'PodList', apiVersion: 'v1', metadata, items });
}

function send(response: http.ServerResponse, chunks: readonly Buffer[], start = 0): void {
  for (const [index, chunk] of chunks.entries()) {
    if (index < start || response.write(chunk)) continue;
    response.once('drain', () => send(response, chunks, index + 1));
    return;
  }
}

/** The lines in pieces of the size that a connection takes at once, cut wherever that is. */
function chunksOf(lines: Iterable<Buffer>): Buffer[] {
  const chunks: Buffer[] = [];
  let open = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  let used = 0;
  for (const line of lines) {
    for (let at = 0; at < line.length; ) {
      const copied = line.copy(open, used, at);
      at += copied;
      used += copied;
      if (used < CHUNK_BYTES) continue;
      chunks.push(open);
      open = Buffer.allocUnsafeSlow(CHUNK_BYTES);
      used = 0;
    }
  }
  chunks.push(open.subarray(0, used));
  return chunks;
}

/** The pages of the list, in order. */
export function* listPages({ listed, large = false }: ServerOptions): Generator<Buffer> {
  const recorded = podsOf(large);
  for (let start = 0; start === 0 || start < listed; start += PAGE_LIMIT) yield Buffer.from(listPage(recorded, listed, start));
}

function serve(options: ServerOptions): void {
  const chunks = chunksOf(watchLines(options));
  const pages = new Map<string, Buffer>();
  const packed = new Map<string, Buffer>();
  for (const page of listPages(options)) {
    const start = PAGE_LIMIT * pages.size;
    pages.set(String(start), page);
    if (options.gzip === true) packed.set(String(start), gzipSync(page, { level: 1 }));
  }
  const server = http.createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    response.setHeader('content-type', 'application/json');
    if (url.pathname.endsWith('/kube-system')) response.end('{"kind":"Namespace","metadata":{"name":"kube-system","uid":"uid-of-kube-system"}}');
    else if (url.pathname === '/version') response.end('{"gitVersion":"v1.34.2"}');
    else if (url.searchParams.get('watch') === null) {
      const start = url.searchParams.get('continue') ?? '0';
      const body = String(request.headers['accept-encoding']).includes('gzip') ? packed.get(start) : undefined;
      if (body !== undefined) response.setHeader('content-encoding', 'gzip');
      response.end(body ?? pages.get(start));
    } else if (Number(url.searchParams.get('resourceVersion')) === LIST_VERSION) send(response, chunks);
    else response.flushHeaders(); // gone on from the last line: nothing more comes
  });
  server.listen(0, '127.0.0.1', () => {
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    process.send?.({ port, watchBytes: chunks.reduce((sum, chunk) => sum + chunk.length, 0) } satisfies ServerReady);
  });
  process.once('disconnect', () => process.exit());
}

if (process.argv[2] === '--serve') serve(JSON.parse(process.argv[3] ?? '{}') as ServerOptions);
