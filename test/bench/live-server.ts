/**
 * API servers of many clusters in a process of its own, under /c0, /c1, …: empty lists, watches with bookmarks, and in the first cluster,
 * once it is watched, changes of pods at a pace. Started with fork; tells its port, when it stamped the probe, and on demand its counts.
 */
import http from 'node:http';
import { LIST_VERSION } from './api-server.ts';
import { calmPod, copyOf, type RawPod } from './fleet.ts';

export interface LiveServerOptions {
  /** Changes of pods a second, over 1 000 pods in turn. */
  readonly rate: number;
  /** Beside them the probe changes ten times a second. */
  readonly probe?: boolean;
  /** Pods that are listed in the first cluster. */
  readonly listed?: number;
}

/** What the parent is told, one at a time. */
export interface LiveMessage {
  readonly port?: number;
  /** A change of the probe went out: its restart count, and when, epoch ms. */
  readonly probe?: { readonly count: number; readonly atMs: number };
  readonly counts?: { readonly watches: number; readonly lists: number; readonly changes: number };
}

export const PROBE = { name: 'probe', namespace: 'bench', uid: 'uid-of-the-probe' };
const PODS = 1_000;
const TURN_MS = 10;
const PROBE_MS = 97;
/** As API servers send them: about every minute. */
const BOOKMARK_MS = 60_000;

const tell = (message: LiveMessage): void => {
  if (process.connected) process.send?.(message);
};

function probePod(pod: RawPod, count: number, version: number): RawPod {
  const [status] = (pod.status['containerStatuses'] ?? []) as readonly object[];
  const metadata = { ...pod.metadata, ...PROBE, resourceVersion: String(version) };
  return { ...pod, metadata, status: { ...pod.status, containerStatuses: [{ ...status, restartCount: count }] } };
}

/** Pods that run well; what changes of them is a label. */
function createChanges(rate: number, probe: boolean, write: (line: string) => void): { start(): void; changes(): number } {
  const calm = calmPod();
  let version = LIST_VERSION;
  let changes = 0;
  let probes = 0;
  const send = (object: RawPod): void => {
    changes += 1;
    write(`${JSON.stringify({ type: 'MODIFIED', object })}\n`);
  };
  return {
    changes: () => changes,
    start() {
      const startMs = performance.now();
      let sent = 0;
      setInterval(() => {
        for (const due = ((performance.now() - startMs) / 1_000) * rate; sent < due; sent += 1) {
          const pod = copyOf(calm, sent % PODS, ++version);
          send({ ...pod, metadata: { ...pod.metadata, labels: { round: String(Math.floor(sent / PODS)) } } });
        }
      }, TURN_MS);
      if (!probe) return;
      setInterval(() => {
        probes += 1;
        send(probePod(calm, probes, ++version));
        tell({ probe: { count: probes, atMs: Date.now() } });
      }, PROBE_MS);
    },
  };
}

/** A page as it was asked for; items of a list have no kind. */
function listPage(query: URLSearchParams, listed: number): string {
  const calm = calmPod();
  const start = Number(query.get('continue') ?? 0);
  const end = Math.min(listed, start + Number(query.get('limit') ?? 500));
  const items = Array.from({ length: Math.max(0, end - start) }, (_, at) => {
    const { metadata, spec, status } = copyOf(calm, start + at, start + at + 1);
    return { metadata, spec, status };
  });
  const metadata = { resourceVersion: String(LIST_VERSION), ...(end < listed ? { continue: String(end) } : {}) };
  return JSON.stringify({ kind: 'List', apiVersion: 'v1', metadata, items });
}

function serve({ rate, probe = false, listed = 0 }: LiveServerOptions): void {
  const watches = new Set<http.ServerResponse>();
  let lists = 0;
  let pods: http.ServerResponse | undefined;
  const changes = createChanges(rate, probe, (line) => pods?.write(line));
  let isStarted = false;
  const server = http.createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const [, cluster = '', ...rest] = url.pathname.split('/');
    response.setHeader('content-type', 'application/json');
    if (url.pathname.endsWith('/kube-system')) response.end(JSON.stringify({ kind: 'Namespace', metadata: { name: 'kube-system', uid: `uid-of-${cluster}` } }));
    else if (url.pathname.endsWith('/version')) response.end('{"gitVersion":"v1.34.2"}');
    else if (url.searchParams.get('watch') === null) {
      lists += 1;
      response.end(listPage(url.searchParams, cluster === 'c0' && rest.at(-1) === 'pods' ? listed : 0));
    } else {
      watches.add(response);
      response.once('close', () => watches.delete(response));
      response.flushHeaders();
      if (rate === 0 || cluster !== 'c0' || rest.at(-1) !== 'pods') return;
      pods = response;
      if (!isStarted) changes.start();
      isStarted = true;
    }
  });
  server.keepAliveTimeout = 300_000;
  setInterval(() => {
    const line = `${JSON.stringify({ type: 'BOOKMARK', object: { metadata: { resourceVersion: String(LIST_VERSION) } } })}\n`;
    for (const watch of watches) if (watch !== pods) watch.write(line);
  }, BOOKMARK_MS);
  server.listen(0, '127.0.0.1', () => {
    const address = server.address();
    tell({ port: typeof address === 'object' && address !== null ? address.port : 0 });
  });
  process.on('message', () => tell({ counts: { watches: watches.size, lists, changes: changes.changes() } }));
  process.once('disconnect', () => process.exit());
}

if (process.argv[2] === '--serve-live') serve(JSON.parse(process.argv[3] ?? '{}') as LiveServerOptions);
