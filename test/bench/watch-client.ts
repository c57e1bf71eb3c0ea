/**
 * One reader of the API server of api-server.ts, in a process of its own: podtrail's collector, client-node's informer, or JSON.parse alone.
 * Each loads only what it needs itself, so that memory says something.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SessionCounters } from '../../collector/change-record.ts';
import { cpuSeconds } from './measure.ts';

export interface ClientOptions {
  readonly client: 'podtrail' | 'informer' | 'parse';
  readonly port: number;
  /** Pods of the list, and lines that the watch is going to bring. */
  readonly listed: number;
  readonly lines: number;
  /** resourceVersion of the list. */
  readonly listVersion: number;
}

export interface ClientReport {
  /** From the start to the last object; of `parse` the parsing alone. */
  readonly cpuSeconds: number;
  readonly seconds: number;
  /** Resident memory before anything was read, at its highest, and with all read and a collection of garbage. */
  readonly baseBytes: number;
  readonly peakBytes: number;
  readonly steadyBytes: number;
}

/** Something that reads. */
interface Reading {
  /** Objects that came, in the list and on the watch, as far as this client can tell. */
  seen(): number;
  /** Throws unless all came, and came right. */
  check(): void;
  /** Where it is not the whole run that counts. */
  cost?(): Pick<ClientReport, 'cpuSeconds' | 'seconds'>;
}

const POLL_MS = 20;
/** Quiet time before memory is steady. */
const QUIET_MS = 1_000;
const DEADLINE_MS = 120_000;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** An API server without TLS: client-node takes it only so. */
const clusterAt = (port: number) => ({ server: `http://127.0.0.1:${port}`, 'insecure-skip-tls-verify': true });
const kubeconfigOf = (port: number): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'bench',
    clusters: [{ name: 'bench', cluster: clusterAt(port) }],
    users: [{ name: 'user', user: {} }],
    contexts: [{ name: 'bench', context: { cluster: 'bench', user: 'user' } }],
  });

/** Records of pods are larger, all others smaller. */
const SMALL_BYTES = 1_000;

async function preparePodtrail({ port, listed, lines }: ClientOptions): Promise<() => Reading> {
  const { createCollector } = await import('../../collector/collector.ts');
  const { collectorConfig } = await import('../../collector/config.ts');
  const { decodeChangeRecord } = await import('../../collector/change-record.ts');
  const { silentLog } = await import('../helpers/silent-log.ts');
  const { Registry } = await import('prom-client');
  const folder = mkdtempSync(join(tmpdir(), 'podtrail-bench-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const kubeconfig = join(folder, 'config');
  writeFileSync(kubeconfig, kubeconfigOf(port));
  const config = collectorConfig.parse({ kubeconfig, clusters: [{ name: 'bench', context: 'bench', resources: ['pods'] }] });
  let counters: SessionCounters | undefined;
  let objects = 0;
  const take = (value: Uint8Array): void => {
    if (value.length >= SMALL_BYTES) {
      objects += 1;
      return;
    }
    const decoded = decodeChangeRecord(value);
    assert.ok(decoded.ok);
    if (decoded.record.type === 'HEARTBEAT') counters = decoded.record.sessions[0] ?? counters;
  };
  const writer = { append: async (_key: string, values: readonly Uint8Array[]) => values.forEach(take), close: async () => {} };
  const collector = createCollector(
    { config, fullSnapshotIntervalMs: 3_600_000, heartbeatIntervalMs: 100 },
    { writer, log: silentLog, registry: new Registry() },
  );
  return () => {
    void collector.start();
    return {
      seen: () => counters?.received ?? 0,
      check() {
        assert.ok(counters !== undefined);
        const { received, suppressed, appended, rejected } = counters;
        assert.deepEqual({ received, rejected, appended }, { received: listed + lines, rejected: 0, appended: received - suppressed });
        assert.equal(objects, appended);
      },
    };
  };
}

async function prepareInformer({ port, listed, lines }: ClientOptions): Promise<() => Reading> {
  const { CoreV1Api, KubeConfig, makeInformer } = await import('@kubernetes/client-node');
  const config = new KubeConfig();
  config.loadFromString(kubeconfigOf(port));
  const api = config.makeApiClient(CoreV1Api);
  const informer = makeInformer(config, '/api/v1/pods', async () => {
    const list = await api.listPodForAllNamespaces({ limit: 500 });
    for (let next = list.metadata?._continue; next !== undefined; ) {
      const page = await api.listPodForAllNamespaces({ limit: 500, _continue: next });
      list.items.push(...page.items);
      next = page.metadata?._continue;
    }
    return list;
  });
  let seen = 0;
  let failure: unknown;
  for (const verb of ['add', 'update', 'delete'] as const) {
    informer.on(verb as 'add', () => {
      seen += 1;
    });
  }
  informer.on('error', (error: unknown) => {
    failure = error;
  });
  return () => {
    void informer.start();
    return {
      seen() {
        if (failure !== undefined) throw failure;
        return seen;
      },
      check: () => assert.ok(informer.list().length >= Math.max(1, listed) && seen === listed + lines),
    };
  };
}

/** Reads first, and parses when all is there: pages of a list as they are, lines one by one. */
async function prepareParse({ port, listed, lines, listVersion }: ClientOptions): Promise<() => Reading> {
  const read = (path: string): Promise<Buffer> =>
    new Promise((resolve) => {
      http.get({ host: '127.0.0.1', port, path }, (response) => {
        const chunks: Buffer[] = [];
        let newlines = 0;
        response.on('data', (chunk: Buffer) => {
          chunks.push(chunk);
          for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) newlines += 1;
          if (lines > 0 && newlines === lines) resolve(Buffer.concat(chunks));
        });
        response.once('end', () => resolve(Buffer.concat(chunks)));
      });
    });
  const bodies: Buffer[] = [];
  if (lines > 0) bodies.push(await read(`/api/v1/pods?watch=1&resourceVersion=${listVersion}`));
  else for (let start = 0; start < listed; start += 500) bodies.push(await read(`/api/v1/pods?limit=500&continue=${start}`));
  return () => {
    let seen = 0;
    const [started, startedMs] = [cpuSeconds(), performance.now()];
    for (const body of bodies) {
      if (lines === 0) seen += JSON.parse(body.toString()).items.length;
      for (let start = 0, end = body.indexOf(10); end >= 0; start = end + 1, end = body.indexOf(10, start)) {
        JSON.parse(body.toString('utf8', start, end));
        seen += 1;
      }
    }
    const cost = { cpuSeconds: cpuSeconds() - started, seconds: (performance.now() - startedMs) / 1_000 };
    if (lines > 0) seen += listed;
    return { seen: () => seen, check: () => {}, cost: () => cost };
  };
}

const PREPARE = { podtrail: preparePodtrail, informer: prepareInformer, parse: prepareParse };

async function run(options: ClientOptions): Promise<ClientReport> {
  const start = await PREPARE[options.client](options);
  globalThis.gc?.();
  const rss = (): number => process.memoryUsage.rss();
  const baseBytes = rss();
  const [started, startedMs] = [cpuSeconds(), performance.now()];
  const reading = start();
  let peakBytes = baseBytes;
  while (reading.seen() < options.listed + options.lines) {
    assert.ok(performance.now() - startedMs < DEADLINE_MS, `${options.client} saw ${reading.seen()} of ${options.listed} and ${options.lines}`);
    await pause(POLL_MS);
    peakBytes = Math.max(peakBytes, rss());
  }
  const cost = reading.cost?.() ?? { cpuSeconds: cpuSeconds() - started, seconds: (performance.now() - startedMs) / 1_000 };
  await pause(QUIET_MS / 2);
  for (let time = 0; time < 3; time += 1) globalThis.gc?.();
  await pause(QUIET_MS / 2);
  assert.equal(reading.seen(), options.listed + options.lines);
  reading.check();
  return { ...cost, baseBytes, peakBytes, steadyBytes: rss() };
}

process.send?.(await run(JSON.parse(process.argv[2] ?? '{}') as ClientOptions));
process.exit();
