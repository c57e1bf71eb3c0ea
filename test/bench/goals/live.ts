/** Goals 10 and 13: podtrail standalone as it is started, from an API server's write to the API's answer, and what it costs when nothing happens. */
import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Resource } from '../../../collector/objects.ts';
import { processorConfig } from '../../../processor/config.ts';
import { fakeKubeconfig } from '../../helpers/fake-api-server.ts';
import type { Goal } from '../goal.ts';
import { type LiveMessage, type LiveServerOptions, PROBE } from '../live-server.ts';
import { percentile, type Ratio, summarize } from '../measure.ts';
import { startStandalone, type Standalone, waitFor } from '../standalone.ts';

interface LiveServer {
  readonly child: ChildProcess;
  readonly port: number;
  counts(): Promise<NonNullable<LiveMessage['counts']>>;
}

function nextMessage<T>(child: ChildProcess, pick: (message: LiveMessage) => T | undefined): Promise<T> {
  return new Promise((resolve) => {
    const take = (message: unknown): void => {
      const found = pick(message as LiveMessage);
      if (found === undefined) return;
      child.off('message', take);
      resolve(found);
    };
    child.on('message', take);
  });
}

/** podtrail with so many clusters of one server, and these resources of each. */
export async function withStandalone(
  options: LiveServerOptions & { readonly clusters: number; readonly resources: readonly Resource[] },
  work: (podtrail: Standalone, server: LiveServer) => Promise<void>,
): Promise<void> {
  const child = fork(fileURLToPath(new URL('../live-server.ts', import.meta.url)), ['--serve-live', JSON.stringify(options)], {
    execArgv: ['--import', 'tsx'],
  });
  const folder = mkdtempSync(join(tmpdir(), 'podtrail-bench-'));
  try {
    const port = await nextMessage(child, (message) => message.port);
    const names = Array.from({ length: options.clusters }, (_, index) => `c${index}`);
    const kubeconfig = join(folder, 'config');
    writeFileSync(kubeconfig, fakeKubeconfig(Object.fromEntries(names.map((name) => [name, `http://127.0.0.1:${port}/${name}`]))));
    const clusters = names.map((name) => ({ name, context: name, resources: options.resources }));
    const counts = (): Promise<NonNullable<LiveMessage['counts']>> => {
      const answer = nextMessage(child, (message) => message.counts);
      child.send('counts');
      return answer;
    };
    const podtrail = await startStandalone({ collector: { kubeconfig, clusters, startJitterSeconds: 0 } });
    await work(podtrail, { child, port, counts });
    await podtrail.stop();
  } finally {
    child.disconnect();
    rmSync(folder, { recursive: true, force: true });
  }
}

const RATE = 1_000;
const WARM_UP_MS = 15_000;
const LATENCY_MS = 60_000;
const WINDOWS = 3;
const POLL_MS = 20;
/** How far behind the API may be at the end before this is given up, ms. */
const BEHIND_MS = 60_000;
/** The flush interval that the latency is told in, ms. */
const FLUSH_MS = processorConfig.parse({}).flushIntervalMs;

interface Probes {
  readonly sent: { readonly count: number; readonly atMs: number }[];
  /** By count: when the API told of it, or of a later one, epoch ms. */
  readonly seen: Map<number, number>;
}

/** Asks the API for the probe's last change for so long, and on until it has told of all that went out by then. */
async function followProbe(podtrail: Standalone, { child }: LiveServer, forMs: number): Promise<Probes> {
  const sent: Probes['sent'] = [];
  const seen = new Map<number, number>();
  child.on('message', ({ probe }: LiveMessage) => {
    if (probe !== undefined) sent.push(probe);
  });
  const path = `/v1/clusters/c0/pods/${PROBE.uid}/history?namespace=${PROBE.namespace}&limit=1`;
  let next = 0;
  const untilMs = performance.now() + forMs;
  for (; performance.now() < untilMs || next < inWindow(sent, untilMs).length; await delay(POLL_MS)) {
    assert.ok(performance.now() < untilMs + BEHIND_MS, `${next} of ${sent.length} probes are in the API`);
    const { changes } = await podtrail.get<{ changes: readonly { restarts: number }[] }>(path);
    const nowMs = Date.now();
    for (const latest = changes[0]?.restarts ?? 0; (sent[next]?.count ?? Number.POSITIVE_INFINITY) <= latest; next += 1) {
      seen.set(sent[next]?.count ?? 0, nowMs);
    }
  }
  return { sent, seen };
}

const inWindow = (sent: Probes['sent'], untilMs: number): Probes['sent'] => sent.filter(({ atMs }) => atMs - performance.timeOrigin < untilMs);

interface Balance {
  readonly clusters: readonly { readonly received: number; readonly unaccounted: number; readonly difference: number; readonly rejected: number }[];
  readonly gaps: readonly unknown[];
}

export const endToEnd: Goal = {
  number: 10,
  title: `latency from the API server to the API at ${RATE} changes/s`,
  async run() {
    let latencies: number[] = [];
    let checked = '';
    await withStandalone({ rate: RATE, probe: true, clusters: 1, resources: ['pods'] }, async (podtrail, server) => {
      await delay(WARM_UP_MS);
      const { sent, seen } = await followProbe(podtrail, server, LATENCY_MS);
      const counted = sent.filter(({ count }) => seen.has(count));
      assert.ok(counted.length > (0.5 * LATENCY_MS) / 100, `${sent.length} probes, ${counted.length} seen`);
      latencies = counted.map(({ count, atMs }) => (seen.get(count) ?? 0) - atMs);
      const total = await waitFor('the books to balance', 30_000, async () => {
        const { clusters } = await podtrail.get<Balance>('/v1/balance');
        return clusters[0]?.unaccounted === 0 && clusters[0].rejected === 0 ? clusters[0] : undefined;
      });
      const { changes } = await server.counts();
      assert.ok(changes >= (RATE * (WARM_UP_MS + LATENCY_MS)) / 1_000 && total.received > 0.9 * changes, `${changes} sent, ${total.received} received`);
      checked = `${counted.length} stamped changes all came, in order; the collector's books balance at ${total.received} changes`;
    });
    const size = Math.ceil(latencies.length / WINDOWS);
    const windows = Array.from({ length: WINDOWS }, (_, window) => latencies.slice(window * size, (window + 1) * size).sort((a, b) => a - b));
    const figure = (percent: number): Ratio => summarize(windows.map((window) => percentile(window, percent) / FLUSH_MS));
    return {
      figures: [{ what: `p99 over the flush interval of ${FLUSH_MS} ms (p50 ${figure(50).median.toFixed(2)})`, value: figure(99), target: { below: 2.5 } }],
      checked,
      scaled: `${LATENCY_MS / 1_000} s, spread over ${WINDOWS} parts of it; API server, podtrail and the one who asks every ${POLL_MS} ms share the machine`,
    };
  },
};

const CLUSTERS = 200;
const RESOURCES: readonly Resource[] = ['namespaces', 'nodes', 'deployments', 'statefulsets', 'jobs', 'replicasets', 'pods', 'events'];
/** 1,600 lists and watches take 10 s, and minutes on a busy machine. */
const WATCHED_MS = 180_000;
const SETTLE_MS = 20_000;
const IDLE_MS = 25_000;
const IDLE_WINDOWS = 3;

export const idle: Goal = {
  number: 13,
  title: `idle cost of ${CLUSTERS} clusters with ${RESOURCES.length} watches each`,
  async run() {
    const shares: number[] = [];
    await withStandalone({ rate: 0, clusters: CLUSTERS, resources: RESOURCES }, async (podtrail, server) => {
      const wanted = CLUSTERS * RESOURCES.length;
      await waitFor('all watches', WATCHED_MS, async () => ((await server.counts()).watches === wanted ? true : undefined));
      await delay(SETTLE_MS);
      const before = await server.counts();
      for (let window = 0; window < IDLE_WINDOWS; window += 1) {
        const [cpuSeconds, startMs] = [podtrail.cpuSeconds(), performance.now()];
        await delay(IDLE_MS);
        shares.push(((podtrail.cpuSeconds() - cpuSeconds) / ((performance.now() - startMs) / 1_000)) * 100);
      }
      assert.deepEqual(await server.counts(), before, 'no watch ended and nothing was listed again');
      const states = new Map<string, number>();
      for (let path = '/v1/clusters?limit=100'; path !== ''; ) {
        const page = await podtrail.get<{ items: readonly { state: string }[]; next: string | null }>(path);
        for (const { state } of page.items) states.set(state, (states.get(state) ?? 0) + 1);
        path = page.next === null ? '' : `/v1/clusters?limit=100&cursor=${encodeURIComponent(page.next)}`;
      }
      assert.deepEqual([...states], [['complete', CLUSTERS]]);
    });
    return {
      figures: [
        { what: 'CPU of a core, collector, change log, processor, store and API together', value: summarize(shares), target: { below: 3 }, unit: ' %' },
      ],
      checked: `all ${CLUSTERS * RESOURCES.length} watches stayed open, nothing was listed again, every cluster is complete in the API`,
      scaled: `${(IDLE_WINDOWS * IDLE_MS) / 1_000} s instead of 10 min, in ${IDLE_WINDOWS} parts; the embedded log instead of Kafka`,
    };
  },
};
