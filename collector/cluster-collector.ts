/** One cluster, for as long as it is configured: found out which it is, collected, and tried again for ever. Shares nothing with other clusters but the writer and the memory of pods. */
import type { Logger } from 'pino';
import { type ApiClient, type ApiFailure, createApiClient } from './api-client.ts';
import { planTargets, type Target, type TargetPlan } from './api-resources.ts';
import type { ChangeLogWriter } from './change-log/change-log.ts';
import { type ClusterConnection, createClusterConnection } from './cluster-connection.ts';
import { type ClusterIdentity, type IdentityRegistry, identityError, readIdentity } from './cluster-identity.ts';
import { type ClusterRun, createClusterRun } from './cluster-run.ts';
import type { ClusterConfig, CollectorConfig } from './config.ts';
import { ClusterError } from './errors.ts';
import type { KubeConfigSource } from './kubeconfig.ts';
import type { LoopState, LoopStatus, Timing } from './loop.ts';
import type { CollectorMetrics } from './metrics.ts';
import type { Resource } from './objects.ts';
import { backoffMs, sleep, unlessAborted } from './pacing.ts';
import type { PodMemory } from './pod-memory.ts';

export interface ResourceStatus extends LoopStatus {
  readonly resource: Resource;
  readonly scope: string;
  readonly state: LoopState;
}

export interface ClusterStatus {
  readonly name: string;
  /** '' until a kubeconfig was read. */
  readonly server: string;
  readonly uid?: string;
  /** `failing`: nothing at all is collected at the moment. */
  readonly state: 'connecting' | 'collecting' | 'failing';
  readonly reason?: string;
  readonly resources: readonly ResourceStatus[];
}

export interface ClusterOptions {
  readonly config: CollectorConfig;
  readonly timing: Timing;
  readonly maxBufferBytes: number;
  readonly rules: Readonly<Record<string, unknown>> | undefined;
  readonly heartbeatIntervalMs?: number | undefined;
  readonly tickIntervalMs?: number | undefined;
}

export interface ClusterDeps {
  readonly writer: ChangeLogWriter;
  readonly pods: PodMemory;
  readonly source: KubeConfigSource;
  readonly identities: IdentityRegistry;
  readonly metrics: CollectorMetrics;
  readonly log: Logger;
  readonly random: () => number;
}

export interface ClusterCollector {
  /** Runs until the signal aborts, then drains. Rejects only for what no retry helps: a change log that refuses, or a bug. */
  run(signal: AbortSignal): Promise<void>;
  status(): ClusterStatus;
  /** Change records that wait for the change log. */
  bufferedBytes(): number;
}

/** Between two looks at the identity while all is well. */
const IDENTITY_MAX_AGE_MS = 300_000;

interface Connected {
  readonly identity: ClusterIdentity;
  readonly endpoint: string;
  readonly serverVersion: string | undefined;
}

export function createClusterCollector(cluster: ClusterConfig, options: ClusterOptions, deps: ClusterDeps): ClusterCollector {
  const { config, timing } = options;
  const connection = createClusterConnection({ ...cluster, kubeconfig: cluster.kubeconfig ?? config.kubeconfig, source: deps.source });
  const api = createApiClient(connection, { watchStallMs: config.watchStallSeconds * 1_000 });
  const plan = planTargets({ ...cluster, nameOnly: config.nameOnlyResources });
  const log = deps.log.child({ component: 'collector', cluster: cluster.name });
  const troubles = createTroubles(log);
  let connected: Connected | undefined;
  let clusterRun: ClusterRun | undefined;
  let reason: string | undefined;

  const connect = async (signal: AbortSignal): Promise<Connected> => {
    const { endpoint = '' } = (await unlessAborted(connection.credentials(), signal)) ?? {};
    const version = await api.get('/version', signal);
    const identity = await readIdentity(cluster.name, api, { configuredUid: cluster.uid, endpoint }, signal);
    if (!identity.ok) throw connectError(identity.failure);
    deps.identities.claim(cluster.name, identity.value.uid);
    const { gitVersion } = (version.ok ? version.value : {}) as { gitVersion?: unknown };
    return { identity: identity.value, endpoint, serverVersion: typeof gitVersion === 'string' ? gitVersion : undefined };
  };

  const collect = async (to: Connected, signal: AbortSignal): Promise<void> => {
    const run = createClusterRun(
      { ...options, ...runOptions(config, plan), cluster: { uid: to.identity.uid, name: cluster.name }, serverVersion: to.serverVersion },
      {
        ...deps,
        api,
        log,
        nowMs: connection.clock.nowMs,
        verifyIdentity: createIdentityCheck(cluster, to, api, connection),
        loopChanged: (target, status) => troubles.loopChanged(target, status, run.reflectors()),
      },
    );
    clusterRun = run;
    log.info({ server: connection.server(), uid: to.identity.uid, identity: to.identity.from, loops: plan.targets.length }, 'collecting');
    await run.run(signal).finally(() => {
      clusterRun = undefined;
    });
  };

  const run = async (signal: AbortSignal): Promise<void> => {
    for (let attempt = 1; !signal.aborted; attempt += 1) {
      try {
        connected = await connect(signal);
        reason = undefined;
        attempt = 0;
        await collect(connected, signal);
      } catch (error) {
        if (signal.aborted && error instanceof ClusterError) break;
        if (!(error instanceof ClusterError)) throw error;
        connected = undefined;
        reason = error.message;
        troubles.report({ code: error.code, server: connection.server() }, reason);
        await sleep(error.retriable ? backoffMs(timing.backoff, attempt, deps.random) : timing.deniedRetryMs, signal);
      }
    }
    connection.close();
  };

  return {
    run,
    status: () => buildStatus(cluster.name, connection.server(), connected, reason, clusterRun),
    bufferedBytes: () => clusterRun?.bufferedBytes() ?? 0,
  };
}

function runOptions(config: CollectorConfig, plan: TargetPlan) {
  return { plan, flushIntervalMs: config.flushIntervalMs, stopTimeoutMs: config.stopTimeoutSeconds * 1_000 };
}

function connectError({ kind, message }: ApiFailure): ClusterError {
  const refused = kind === 'unauthorized' || kind === 'credentials';
  return new ClusterError(refused ? 'PODTRAIL_CLUSTER_REFUSED' : 'PODTRAIL_CLUSTER_UNREACHABLE', message, { retriable: true });
}

/** Throws when the API server is another cluster than the run began with; what it does not answer is no proof. */
function createIdentityCheck(cluster: ClusterConfig, { identity, endpoint }: Connected, api: ApiClient, connection: ClusterConnection) {
  let verified = { endpoint, atMs: performance.now() };
  let pending: { readonly startMs: number; readonly check: Promise<void> } | undefined;
  const check = async (currentEndpoint: string, startMs: number, signal: AbortSignal): Promise<void> => {
    const found = await readIdentity(cluster.name, api, { configuredUid: cluster.uid, endpoint: currentEndpoint }, signal);
    if (!found.ok) return;
    const { uid, from } = found.value;
    // RBAC may change while this runs: only the same kind of evidence can contradict.
    if (from === identity.from && uid !== identity.uid) {
      throw identityError(`cluster ${cluster.name} had uid ${identity.uid} and now has ${uid}: it is another cluster`);
    }
    verified = { endpoint: currentEndpoint, atMs: startMs };
  };
  return async (signal: AbortSignal, sinceMs: number): Promise<void> => {
    const current = await unlessAborted(connection.credentials(), signal).catch(() => undefined);
    if (current === undefined) return;
    const nowMs = performance.now();
    if (current.endpoint === verified.endpoint && verified.atMs > sinceMs && nowMs - verified.atMs < IDENTITY_MAX_AGE_MS) return;
    // The loops of a cluster get into trouble together: one look serves all who asked before it began.
    if (pending === undefined || pending.startMs <= sinceMs) pending = { startMs: nowMs, check: check(current.endpoint, nowMs, signal) };
    const mine = pending;
    await mine.check.finally(() => {
      if (pending === mine) pending = undefined;
    });
  };
}

/** Logs each trouble once, however many loops meet it how often, until all is well again; and that all is well. */
function createTroubles(log: Logger) {
  const reported = new Set<string>();
  let well = false;
  const report = (fields: object, reason: string): void => {
    well = false;
    if (reported.has(reason)) return;
    reported.add(reason);
    log.warn({ ...fields, reason }, 'cluster or resource cannot be collected, retrying');
  };
  return {
    report,
    loopChanged(target: Target, { state, reason }: LoopStatus, loops: readonly { status(): LoopStatus }[]): void {
      if (state === 'retrying' && reason !== undefined) report(target, reason);
      const states = loops.map((loop) => loop.status().state);
      if (well || !states.every((each) => each === 'watching' || each === 'denied')) return;
      well = true;
      reported.clear();
      log.info({ loops: states.length, denied: states.filter((each) => each === 'denied').length }, 'in sync');
    },
  };
}

function buildStatus(name: string, server: string, connected: Connected | undefined, reason: string | undefined, run: ClusterRun | undefined): ClusterStatus {
  const resources = (run?.reflectors() ?? []).map((reflector) => ({ ...reflector.target, ...reflector.status() }));
  const uid = connected === undefined ? {} : { uid: connected.identity.uid };
  if (run === undefined) {
    return reason === undefined ? { name, server, state: 'connecting', resources } : { name, server, ...uid, state: 'failing', reason, resources };
  }
  const working = resources.some((each) => each.state === 'watching' || each.reason === undefined);
  const trouble = resources.find((each) => each.state !== 'denied' && each.reason !== undefined) ?? resources.find((each) => each.reason !== undefined);
  if (working || trouble?.reason === undefined) return { name, server, ...uid, state: 'collecting', resources };
  return { name, server, ...uid, state: 'failing', reason: trouble.reason, resources };
}
