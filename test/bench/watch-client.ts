/** One reader of the API server of api-server.ts, in a process of its own: podtrail's collector, client-node's informer, or JSON.parse alone. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CoreV1Api, KubeConfig, makeInformer } from '@kubernetes/client-node';
import { Registry } from 'prom-client';
import { decodeChangeRecord, type SessionCounters } from '../../collector/change-record.ts';
import { createCollector } from '../../collector/collector.ts';
import { collectorConfig } from '../../collector/config.ts';
import { fakeKubeconfig } from '../helpers/fake-api-server.ts';
import { silentLog } from '../helpers/silent-log.ts';
import { LIST_VERSION } from './api-server.ts';
import { cpuSeconds } from './measure.ts';

export interface ClientOptions {
  readonly client: 'podtrail' | 'informer' | 'parse';
  readonly port: number;
  readonly listed: number;
  /** Lines that the watch is going to bring. */
  readonly lines: number;
}

export interface ClientReport {
  readonly cpuSeconds: number;
  /** Resident memory before anything was read, at its highest, and with all read and a collection of garbage. */
  readonly baseBytes: number;
  readonly peakBytes: number;
  readonly steadyBytes: number;
  /** Objects that came, in the list and on the watch, as far as this client can tell. */
  readonly seen: number;
}

const rss = (): number => process.memoryUsage.rss();
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Starts to read and tells how many objects have come; `check` is called when all have. */
interface Reading {
  seen(): number;
  check(): void;
}

function readWithPodtrail({ port, listed, lines }: ClientOptions): Reading {
  const folder = mkdtempSync(join(tmpdir(), 'podtrail-bench-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const kubeconfig = join(folder, 'config');
  writeFileSync(kubeconfig, fakeKubeconfig({ bench: `http://127.0.0.1:${port}` }));
  const config = collectorConfig.parse({ kubeconfig, clusters: [{ name: 'bench', context: 'bench', resources: ['pods'] }] });
  let counters: SessionCounters | undefined;
  let objects = 0;
  const writer = {
    async append(_key: string, values: readonly Uint8Array[]): Promise<void> {
      for (const value of values) {
        if (value.length >= SMALL_BYTES) objects += 1;
        else counters = countersOf(value) ?? counters;
      }
    },
    close: async () => {},
  };
  const collector = createCollector(
    { config, fullSnapshotIntervalMs: 3_600_000, heartbeatIntervalMs: 250 },
    { writer, log: silentLog, registry: new Registry() },
  );
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
}

/** Records of pods are larger, all others smaller. */
const SMALL_BYTES = 1_000;

function countersOf(value: Uint8Array): SessionCounters | undefined {
  const decoded = decodeChangeRecord(value);
  assert.ok(decoded.ok);
  return decoded.record.type === 'HEARTBEAT' ? decoded.record.sessions[0] : undefined;
}

function readWithInformer({ port }: ClientOptions): Reading {
  const config = new KubeConfig();
  config.loadFromString(fakeKubeconfig({ bench: `http://127.0.0.1:${port}` }));
  config.setCurrentContext('bench');
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
  for (const verb of ['add', 'update', 'delete'] as const) {
    informer.on(verb as 'add', () => {
      seen += 1;
    });
  }
  void informer.start();
  return { seen: () => seen, check: () => assert.ok(informer.list().length > 0) };
}

/** Reads first, and parses when all is there. */
function readWithParse({ port, lines }: ClientOptions): Reading {
  let seen = 0;
  const chunks: Buffer[] = [];
  http.get({ host: '127.0.0.1', port, path: `/api/v1/pods?watch=1&resourceVersion=${LIST_VERSION}` }, (response) => {
    let newlines = 0;
    response.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) newlines += 1;
      if (newlines === lines) parse();
    });
  });
  function parse(): void {
    const body = Buffer.concat(chunks);
    startSeconds = cpuSeconds();
    for (let start = 0, end = body.indexOf(10); end >= 0; start = end + 1, end = body.indexOf(10, start)) {
      JSON.parse(body.toString('utf8', start, end));
      seen += 1;
    }
  }
  return { seen: () => seen, check: () => {} };
}

let startSeconds = 0;

async function run(options: ClientOptions): Promise<ClientReport> {
  const { client, listed, lines } = options;
  globalThis.gc?.();
  const baseBytes = rss();
  startSeconds = cpuSeconds();
  const reading = client === 'podtrail' ? readWithPodtrail(options) : client === 'informer' ? readWithInformer(options) : readWithParse(options);
  const expected = (client === 'parse' ? 0 : listed) + lines;
  let peakBytes = baseBytes;
  while (reading.seen() < expected) {
    await pause(50);
    peakBytes = Math.max(peakBytes, rss());
  }
  const seconds = cpuSeconds() - startSeconds;
  await pause(500);
  for (let time = 0; time < 3; time += 1) globalThis.gc?.();
  await pause(500);
  const report = { cpuSeconds: seconds, baseBytes, peakBytes, steadyBytes: rss(), seen: reading.seen() };
  assert.equal(report.seen, expected);
  reading.check();
  return report;
}

process.send?.(await run(JSON.parse(process.argv[2] ?? '{}') as ClientOptions));
process.exit();
