/** The collector: a loop for every cluster, each on its own, all writing to one change log. */
import { setMaxListeners } from 'node:events';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { ChangeLogWriter } from './change-log/change-log.ts';
import { TICK_INTERVAL_MS } from './change-record.ts';
import { type ClusterCollector, type ClusterStatus, createClusterCollector } from './cluster-collector.ts';
import { createIdentityRegistry } from './cluster-identity.ts';
import type { CollectorConfig } from './config.ts';
import { createKubeConfigSource, type KubeConfigSource } from './kubeconfig.ts';
import { loopTiming, type Timing } from './loop.ts';
import { createCollectorMetrics, type WatchAge } from './metrics.ts';
import { sleep } from './pacing.ts';
import { createPodMemory } from './pod-memory.ts';

export type { ClusterStatus, ResourceStatus } from './cluster-collector.ts';

export interface CollectorOptions {
  readonly config: CollectorConfig;
  /** Longest time from one unabbreviated snapshot of a resource to the next, ms: a quarter of the log's retention (design D5). */
  readonly fullSnapshotIntervalMs: number;
  /** Rule configuration, sent to the processor through the log (design D2). */
  readonly rules?: Readonly<Record<string, unknown>>;
  /** For tests. */
  readonly timing?: Partial<Timing>;
  readonly heartbeatIntervalMs?: number;
  readonly tickIntervalMs?: number;
}

export interface CollectorDeps {
  readonly writer: ChangeLogWriter;
  readonly log: Logger;
  readonly registry: Registry;
  /** Something no retry helps: the change log refuses a batch for good, or a bug. Without it the process ends. */
  readonly onFatal?: (error: Error) => void;
  readonly source?: KubeConfigSource;
  readonly random?: () => number;
}

export interface Collector {
  /** Resolves when the loops run; it waits for no cluster. */
  start(): Promise<void>;
  /** Ends all watches and sessions, waits until the log has taken what is buffered, or the configured time is over. Idempotent. */
  stop(): Promise<void>;
  status(): readonly ClusterStatus[];
}

/** Ticks of all clusters together, a second: beyond, each ticks more slowly, so that being idle stays cheap. */
const TICKS_A_SECOND = 40;

/** Room for a page of a list, whatever the number of clusters. */
const MIN_BUFFER_BYTES = 2 * 1_024 * 1_024;

export function createCollector(options: CollectorOptions, deps: CollectorDeps): Collector {
  const { config } = options;
  const { random = Math.random, onFatal = endProcess } = deps;
  const controller = new AbortController();
  setMaxListeners(0, controller.signal); // every cluster listens
  const timing: Timing = {
    ...loopTiming(config.watchStallSeconds),
    deniedRetryMs: config.deniedRetrySeconds * 1_000,
    fullSnapshotIntervalMs: options.fullSnapshotIntervalMs,
    ...options.timing,
  };
  const clusters: ClusterCollector[] = [];
  const shared = {
    writer: deps.writer,
    pods: createPodMemory(),
    log: deps.log,
    random,
    source: deps.source ?? createKubeConfigSource(),
    identities: createIdentityRegistry(),
    metrics: createCollectorMetrics(deps.registry, { watchAges: () => watchAges(clusters), buffers: () => buffersOf(clusters) }),
  };
  const maxBufferBytes = Math.max(MIN_BUFFER_BYTES, Math.floor(config.bufferBytes / Math.max(1, config.clusters.length)));
  const { rules, heartbeatIntervalMs } = options;
  const tickIntervalMs = options.tickIntervalMs ?? Math.max(TICK_INTERVAL_MS, (config.clusters.length * 1_000) / TICKS_A_SECOND);
  for (const cluster of config.clusters)
    clusters.push(createClusterCollector(cluster, { config, timing, maxBufferBytes, rules, heartbeatIntervalMs, tickIntervalMs }, shared));

  const runOne = async (cluster: ClusterCollector): Promise<void> => {
    if (clusters.length > 1) await sleep(random() * config.startJitterSeconds * 1_000, controller.signal);
    await cluster.run(controller.signal).catch(onFatal);
  };
  let running: Promise<unknown> | undefined;
  return {
    async start() {
      running ??= Promise.all(clusters.map(runOne));
    },
    async stop() {
      controller.abort();
      await running;
    },
    status: () => clusters.map((cluster) => cluster.status()),
  };
}

function endProcess(error: Error): void {
  setImmediate(() => {
    throw error;
  });
}

function* buffersOf(clusters: readonly ClusterCollector[]): Iterable<{ readonly cluster: string; readonly bytes: number }> {
  for (const cluster of clusters) yield { cluster: cluster.status().name, bytes: cluster.bufferedBytes() };
}

/** Observed time is the API server's: near enough to this machine's for an age that is watched in minutes. */
function* watchAges(clusters: readonly ClusterCollector[]): Iterable<WatchAge> {
  for (const cluster of clusters) {
    const { name, resources } = cluster.status();
    for (const { resource, lastRecordTimeMs } of resources) {
      if (lastRecordTimeMs !== undefined) yield { cluster: name, resource, ageSeconds: Math.max(0, (Date.now() - lastRecordTimeMs) / 1_000) };
    }
  }
}
