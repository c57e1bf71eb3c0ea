/** One run: everything collected from one cluster from the moment its identity is known until it stops, written as one run id. */
import { randomUUID } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import type { Logger } from 'pino';
import type { ApiClient } from './api-client.ts';
import type { Target, TargetPlan } from './api-resources.ts';
import { type Appender, createAppender } from './appender.ts';
import type { ChangeLogWriter } from './change-log/change-log.ts';
import { type ChangeRecord, type ClusterRef, HEARTBEAT_INTERVAL_MS, SCHEMA_VERSION, type SessionCounters } from './change-record.ts';
import type { LoopDeps, LoopStatus, Timing } from './loop.ts';
import type { CollectorMetrics, Outcomes } from './metrics.ts';
import { sleep } from './pacing.ts';
import { createReflector, type Reflector } from './reflector.ts';
import { createKnownObjects, createSession } from './session.ts';
import type { PodMemory } from './pod-memory.ts';

export interface RunOptions {
  readonly cluster: ClusterRef;
  readonly plan: TargetPlan;
  readonly serverVersion: string | undefined;
  /** Goes out as a RULES record. */
  readonly rules: Readonly<Record<string, unknown>> | undefined;
  readonly timing: Timing;
  readonly maxBufferBytes: number;
  readonly flushIntervalMs: number;
  readonly stopTimeoutMs: number;
  readonly heartbeatIntervalMs?: number | undefined;
  /** Default: no ticks. */
  readonly tickIntervalMs?: number | undefined;
}

export interface RunDeps {
  readonly api: ApiClient;
  readonly writer: ChangeLogWriter;
  readonly pods: PodMemory;
  /** Observed time, epoch ms. */
  readonly nowMs: () => number;
  /** As in LoopDeps; throws if the API server is another cluster. */
  readonly verifyIdentity: (signal: AbortSignal, sinceMs: number) => Promise<void>;
  readonly loopChanged: (target: Target, status: LoopStatus) => void;
  readonly metrics: CollectorMetrics;
  readonly log: Logger;
  readonly random: () => number;
}

export interface ClusterRun {
  /** Runs until the signal aborts; then drains. Rejects if it cannot go on: another cluster, a log that refuses, a bug. */
  run(signal: AbortSignal): Promise<void>;
  reflectors(): readonly Reflector[];
  /** Change records that wait for the change log. */
  bufferedBytes(): number;
}

/**
 * A run waits for the log to have its beginning, ms, but not for ever: what comes after it can then be told from what another run has
 * written, whatever became of the API server's clock in between.
 */
const BEGIN_WAIT_MS = HEARTBEAT_INTERVAL_MS;

export function createClusterRun(options: RunOptions, deps: RunDeps): ClusterRun {
  const { cluster, plan, timing } = options;
  const runId = randomUUID();
  const controller = new AbortController();
  setMaxListeners(0, controller.signal); // every loop and every request listens
  let end: { readonly reason: string; readonly error?: Error } | undefined;
  const stop = (reason: string, error?: Error): void => {
    end ??= error === undefined ? { reason } : { reason, error };
    controller.abort();
  };
  const appender = buildAppender(options, deps, (error) => stop('log_failed', error));
  const append = (body: RunRecordBody): void => appender.push({ v: SCHEMA_VERSION, cluster, run: runId, t: deps.nowMs(), ...body } as ChangeRecord);
  const heart = createHeart(cluster.name, deps.metrics);
  const verifyIdentity = async (signal: AbortSignal, sinceMs: number): Promise<void> => {
    try {
      await deps.verifyIdentity(signal, sinceMs);
    } catch (error) {
      stop('identity', error as Error);
    }
  };

  const reflectors = plan.targets.map((target) => {
    const known = createKnownObjects();
    const openSession = () => createSession({ cluster, run: runId, session: randomUUID(), ...target, clock: deps.nowMs, emit: appender.push, known });
    const loopDeps: LoopDeps = {
      ...deps,
      appender,
      openSession,
      sessionEnded: heart.sessionEnded,
      note: (code, message) => append({ type: 'NOTE', ...target, code, message }),
      ensureIdentity: verifyIdentity,
      stopReason: () => end?.reason ?? 'stopped',
      changed: (status) => deps.loopChanged(target, status),
    };
    return createReflector(cluster.name, target, timing, loopDeps);
  });

  const beat = (): void => {
    // Without room nothing is received, so there is nothing to vouch for; and the buffer must not grow by its own heartbeats.
    if (appender.hasRoom()) append({ type: 'HEARTBEAT', sessions: heart.beat(reflectors) });
  };

  let written = 0;
  const tick = (): void => {
    const { pushed } = appender.counts();
    if (pushed === written && appender.hasRoom()) append({ type: 'HEARTBEAT', sessions: [], tick: true });
    written = appender.counts().pushed;
  };

  /** Resolves when the log has all that was written so far. */
  const tellBegun = async (): Promise<void> => {
    await appender.whenAcknowledged(controller.signal);
    if (!controller.signal.aborted) append({ type: 'HEARTBEAT', sessions: [], tick: true, begun: true });
  };

  const run = async (signal: AbortSignal): Promise<void> => {
    const onAbort = (): void => stop('stopped');
    signal.addEventListener('abort', onAbort);
    if (signal.aborted) onAbort();
    append({ type: 'RUN_BEGIN', resources: [...plan.targets], serverVersion: options.serverVersion });
    const tellRules = (): void => {
      if (options.rules !== undefined) append({ type: 'RULES', rules: options.rules });
    };
    tellRules();
    await Promise.race([tellBegun(), sleep(BEGIN_WAIT_MS, controller.signal)]);
    // As lists do, so that a reader that lost the beginning to the log's retention gets to know them.
    const reminders = setInterval(tellRules, timing.fullSnapshotIntervalMs);
    for (const resource of plan.skipped) append({ type: 'NOTE', resource, scope: '', code: 'cluster_scoped', message: skippedMessage(resource) });
    const heartbeats = setInterval(beat, options.heartbeatIntervalMs ?? HEARTBEAT_INTERVAL_MS);
    const ticks = options.tickIntervalMs === undefined ? undefined : setInterval(tick, options.tickIntervalMs);
    await Promise.all([
      untilAborted(controller.signal),
      ...reflectors.map((reflector) => reflector.run(controller.signal).catch((error) => stop('failed', error))),
    ]);
    clearInterval(heartbeats);
    clearInterval(reminders);
    clearInterval(ticks);
    signal.removeEventListener('abort', onAbort);
    beat();
    await drain(appender, options, deps.log);
    if (end?.error !== undefined) throw end.error;
  };
  return { run, reflectors: () => reflectors, bufferedBytes: () => appender.counts().bufferedBytes };
}

/** What a record of the run as a whole says, without the envelope. */
type RunRecordBody = ChangeRecord extends infer R ? (R extends { session: string } ? never : Omit<R, 'v' | 'cluster' | 'run' | 't'>) : never;

function buildAppender({ cluster, maxBufferBytes, flushIntervalMs }: RunOptions, { writer, metrics, log }: RunDeps, onFatal: (error: Error) => void): Appender {
  let failing = false;
  return createAppender(
    { key: cluster.uid, maxBufferBytes, flushIntervalMs },
    {
      writer,
      onFatal,
      acknowledged(records, bytes, seconds) {
        metrics.acknowledged(cluster.name, records, bytes, seconds);
        if (failing) log.info('change log takes records again');
        failing = false;
      },
      failed(error) {
        metrics.appendFailed(cluster.name);
        if (!failing) log.warn({ err: error }, 'append failed, retrying');
        failing = true;
      },
    },
  );
}

async function drain(appender: Appender, { stopTimeoutMs }: RunOptions, log: Logger): Promise<void> {
  const lost = await appender.stop(stopTimeoutMs);
  // Not data lost: the next run lists everything. What happened in between is a gap, and shows as one.
  if (lost > 0) log.warn({ records: lost, stopTimeoutMs }, 'stopped before the change log took everything');
}

function skippedMessage(resource: string): string {
  return `resource "${resource}" is cluster-scoped, and this cluster is collected by namespace`;
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** Counters for heartbeats and metrics. A session that ended is in one more heartbeat, so that its balance is complete. */
function createHeart(cluster: string, metrics: Pick<CollectorMetrics, 'outcomes'>) {
  const counted = new Map<string, Outcomes>();
  let ended: SessionCounters[] = [];
  const count = (now: SessionCounters): void => {
    const before = counted.get(now.session);
    if (before?.received === now.received) return; // as of nearly all watches at nearly all times
    metrics.outcomes(cluster, now.resource, {
      received: now.received - (before?.received ?? 0),
      suppressed: now.suppressed - (before?.suppressed ?? 0),
      rejected: now.rejected - (before?.rejected ?? 0),
      appended: now.appended - (before?.appended ?? 0),
    });
    counted.set(now.session, now);
  };
  return {
    sessionEnded(counters: SessionCounters): void {
      ended.push({ ...counters, inSync: false });
    },
    beat(reflectors: readonly Reflector[]): SessionCounters[] {
      const sessions = [...ended, ...reflectors.flatMap((reflector) => reflector.counters() ?? [])];
      for (const counters of sessions) count(counters);
      for (const { session } of ended) counted.delete(session);
      ended = [];
      return sessions;
    },
  };
}
