/**
 * From the moment an incident's condition and grace are met to its being in the API:
 *
 *   node --import tsx test/bench/live-latency.ts --fake [--pods 60]               against a fake API server
 *   KUBECONFIG=… node --import tsx test/bench/live-latency.ts [--pods 60] [--node NAME]   against a real cluster, its current context;
 *                                                                       --node: where the pods run, if some nodes have no kubelet
 *
 * Starts podtrail standalone on it, makes that many pods that fail in several ways in a namespace of their own, which is deleted again, and
 * asks the API ten times a second. What an incident says it was opened at is when its rule was met, by the API server's clock, which the
 * collector knows to half a second. Exit code 1 if the 99th percentile is over two seconds, or a pod without an incident is left.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { setTimeout as delay } from 'node:timers/promises';
import { CoreV1Api, KubeConfig, type V1Pod } from '@kubernetes/client-node';
import { fakeKubeconfig, startFakeApiServer } from '../helpers/fake-api-server.ts';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { percentile } from './measure.ts';
import { startStandalone, type Standalone, waitFor } from './standalone.ts';

const TARGET_MS = 2_000;
const POLL_MS = 100;
const READY_MS = 120_000;
/** Longest wait for the last incident: the grace, a pull that times out, and room. */
const LAST_MS = 120_000;

/** Somewhere that pods can fail. */
interface Ground {
  readonly kubeconfig: string;
  /** Makes a pod that fails in one of the ways; returns its name. */
  breakPod(index: number): Promise<string>;
  clean(): Promise<void>;
}

/** Shorter than the defaults, and no different but for that: all incidents but those of bad image names wait for them. */
const RULES = { thresholds: { dependencyMs: 10_000, createMs: 10_000, unschedulableMs: 10_000, transientPullFailures: 1 } };

const NAMESPACE = `podtrail-latency-${process.pid}`;

async function fakeGround(): Promise<Ground> {
  const server = await startFakeApiServer();
  const folder = mkdtempSync(join(tmpdir(), 'podtrail-bench-'));
  const kubeconfig = join(folder, 'config');
  writeFileSync(kubeconfig, fakeKubeconfig({ fake: server.url }));
  const waitingOf = (index: number) => [
    { reason: 'CreateContainerConfigError', message: `configmap "settings-${index}" not found` },
    { reason: 'CreateContainerError', message: 'context deadline exceeded' },
    { reason: 'InvalidImageName', message: 'Failed to apply default image tag "A:B:C": couldn\'t parse image name "A:B:C": invalid reference format' },
  ];
  return {
    kubeconfig,
    async breakPod(index) {
      const name = `broken-${index}`;
      const now = `${new Date().toISOString().slice(0, 19)}Z`;
      const metadata = { name, namespace: NAMESPACE, uid: `uid-${name}`, creationTimestamp: now };
      const state = { waiting: waitingOf(index)[index % 3] };
      const container = { name: 'app', image: 'registry.invalid/none:1' };
      const containerStatuses = [{ ...container, ready: false, restartCount: 0, state, lastState: {}, imageID: '' }];
      const conditions = [{ type: 'PodScheduled', status: 'True', lastTransitionTime: now }];
      const status = { phase: 'Pending', startTime: now, conditions, containerStatuses };
      server.put('pods', { metadata, spec: { nodeName: 'n1', restartPolicy: 'Always', containers: [container] }, status });
      return name;
    },
    async clean() {
      await server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function liveGround(kubeconfig: string, nodeName: string | undefined): Promise<Ground> {
  const config = new KubeConfig();
  config.loadFromString(readFileSync(kubeconfig, 'utf8'));
  const api = config.makeApiClient(CoreV1Api);
  await api.createNamespace({ body: { metadata: { name: NAMESPACE } } });
  const container = { name: 'app', image: 'busybox', imagePullPolicy: 'IfNotPresent' };
  const on = nodeName === undefined ? {} : { nodeName };
  const specsOf = (index: number): readonly V1Pod['spec'][] => [
    { ...on, containers: [{ ...container, envFrom: [{ configMapRef: { name: `settings-${index}` } }] }] },
    { ...on, containers: [{ ...container, image: `registry-${index}.invalid/none:1` }] },
    { containers: [container], nodeSelector: { 'podtrail/none': `such-${index}` } },
    { ...on, containers: [{ ...container, image: 'A:B:C' }] },
  ];
  return {
    kubeconfig,
    async breakPod(index) {
      const name = `broken-${index}`;
      const spec = specsOf(index)[index % 4];
      await api.createNamespacedPod({
        namespace: NAMESPACE,
        body: { metadata: { name }, ...(spec && { spec: { ...spec, terminationGracePeriodSeconds: 0 } }) },
      });
      return name;
    },
    clean: async () => void (await api.deleteNamespace({ name: NAMESPACE })),
  };
}

interface Incidents {
  readonly items: readonly { readonly id: string; readonly openedTime: string; readonly subject: { readonly name: string }; readonly scenario: string }[];
}

interface Seen {
  readonly scenario: string;
  readonly ms: number;
}

/** Asks for incidents until every pod has one; when each was there first. */
async function watchIncidents(podtrail: Standalone, expected: () => ReadonlySet<string> | undefined, seen: Map<string, Seen>): Promise<void> {
  const path = `/v1/incidents?namespace=${NAMESPACE}&limit=500`;
  await waitFor('an incident of every pod', READY_MS + LAST_MS, async () => {
    const { items } = await podtrail.get<Incidents>(path);
    const nowMs = Date.now();
    for (const { openedTime, subject, scenario } of items) {
      if (!seen.has(subject.name)) seen.set(subject.name, { scenario, ms: nowMs - Date.parse(openedTime) });
    }
    await delay(POLL_MS - 50);
    const names = expected();
    return names !== undefined && [...names].every((name) => seen.has(name)) ? true : undefined;
  });
}

function report(seen: readonly Seen[]): boolean {
  const scenarios = [...new Set(seen.map(({ scenario }) => scenario))].sort();
  for (const scenario of ['', ...scenarios]) {
    const of = seen.filter((each) => scenario === '' || each.scenario === scenario).map(({ ms }) => ms);
    const [p50, p99, max] = [50, 99, 100].map((percent) =>
      percentile(
        [...of].sort((a, b) => a - b),
        percent,
      ),
    );
    console.log(`${(scenario || 'all').padEnd(28)} ${String(of.length).padStart(4)} incidents  p50 ${p50} ms  p99 ${p99} ms  max ${max} ms`);
  }
  const sorted = seen.map(({ ms }) => ms).sort((a, b) => a - b);
  const isMet = percentile(sorted, 99) <= TARGET_MS;
  console.log(`${isMet ? 'meets' : 'MISSES'} p99 ≤ ${TARGET_MS} ms from condition and grace met to the incident in the API, asked every ${POLL_MS} ms`);
  return isMet;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { fake: { type: 'boolean', default: false }, pods: { type: 'string', default: '60' }, node: { type: 'string' } },
  });
  const kubeconfig = process.env['KUBECONFIG'];
  if (!values.fake && kubeconfig === undefined) throw new Error('set KUBECONFIG, or say --fake');
  const ground = values.fake || kubeconfig === undefined ? await fakeGround() : await liveGround(kubeconfig, values.node);
  try {
    const podtrail = await startStandalone({ rules: RULES }, { KUBECONFIG: ground.kubeconfig });
    await waitFor('a whole first list', READY_MS, async () => {
      const { clusters } = await podtrail.get<{ clusters: readonly { sessions: number; appended: number; difference: number }[] }>('/v1/balance');
      return clusters[0] !== undefined && clusters[0].difference === 0 ? true : undefined;
    });
    const seen = new Map<string, Seen>();
    let all: ReadonlySet<string> | undefined;
    const watching = watchIncidents(podtrail, () => all, seen);
    const names = new Set<string>();
    for (let index = 0; index < Number(values.pods); index += 1) {
      names.add(await ground.breakPod(index));
      await delay(100 + (index % 10) * 70); // so that they meet flushes and ticks at any moment
    }
    all = names;
    await watching;
    if (!report([...names].map((name) => seen.get(name) as Seen))) process.exitCode = 1;
    await podtrail.stop();
  } finally {
    await ground.clean();
  }
}

await main();
