/** What the parts of a list/watch loop share: its pace, its state, and what it is given to work with. */
import type { Logger } from 'pino';
import type { ApiClient, ApiFailure } from './api-client.ts';
import type { Target } from './api-resources.ts';
import type { Appender } from './appender.ts';
import type { SessionCounters } from './change-record.ts';
import type { CollectorMetrics } from './metrics.ts';
import { type Backoff, backoffMs, sleep } from './pacing.ts';
import type { Session } from './session.ts';
import type { PodMemory } from './pod-memory.ts';

interface Bounds {
  readonly min: number;
  readonly max: number;
}

/** Pace of a loop. */
export interface Timing {
  readonly backoff: Backoff;
  /** Between the starts of two requests of one loop, ms, but for the pages of a list and the first watch after it. */
  readonly requestIntervalMs: number;
  /** Bounds of a watch's length, s; each watch draws its own, so that they do not all end together. client-go: 5 to 10 min. */
  readonly watchSeconds: Bounds;
  /** Likewise where bookmarks may not come: such a watch has to end before its silence looks like that of a dead connection. */
  readonly unmarkedWatchSeconds: Bounds;
  /** A watch that ends sooner, without a line, is empty: the answer to a version that is too old, on some servers (performance.md §1.4). */
  readonly emptyWatchMs: number;
  /** Pause after a refusal by RBAC, or of a resource that is not served, ms. */
  readonly deniedRetryMs: number;
  /** Longest time from one unabbreviated snapshot to the next, ms (design D5). */
  readonly fullSnapshotIntervalMs: number;
}

const LOOP_TIMING = {
  backoff: { minMs: 1_000, maxMs: 30_000 },
  requestIntervalMs: 1_000,
  watchSeconds: { min: 240, max: 360 },
  emptyWatchMs: 5_000,
} as const;

export interface LoopDeps {
  readonly api: ApiClient;
  readonly appender: Pick<Appender, 'hasRoom' | 'whenRoom' | 'whenAcknowledged'>;
  /** Of the watches of pods. */
  readonly pods: PodMemory;
  readonly openSession: () => Session;
  /** A session ended: its last counters. */
  readonly sessionEnded: (counters: SessionCounters) => void;
  /** A coverage note for this resource. */
  readonly note: (code: string, message: string) => void;
  /** Makes sure that the API server was the same cluster at some time after `sinceMs` (monotonic); aborts the signal if it is another one. */
  readonly ensureIdentity: (signal: AbortSignal, sinceMs: number) => Promise<void>;
  /** Why the signal aborted, as in SESSION_END. */
  readonly stopReason: () => string;
  /** Called when the state of the loop or its reason changed. */
  readonly changed: (status: LoopStatus) => void;
  /** Observed time, epoch ms. */
  readonly nowMs: () => number;
  readonly metrics: Pick<CollectorMetrics, 'listed' | 'relisted' | 'requestFailed'>;
  readonly log: Logger;
  readonly random: () => number;
}

/** `denied`: RBAC forbids it, or the API server has no such resource; it is tried again now and then. */
export type LoopState = 'waiting' | 'listing' | 'watching' | 'retrying' | 'denied' | 'stopped';

export interface LoopStatus {
  readonly state: LoopState;
  /** Observed time of the last list, watch event or bookmark, epoch ms. */
  readonly lastRecordTimeMs: number | undefined;
  /** Why there is no watch, while there is none. */
  readonly reason: string | undefined;
}

/** Why a session ended, or could not begin. */
export interface Ending {
  /** As in SESSION_END. */
  readonly reason: string;
  readonly verb: 'list' | 'watch';
  readonly failure?: ApiFailure | undefined;
}

/** One loop while it runs. */
export interface Loop {
  readonly cluster: string;
  readonly target: Target;
  readonly timing: Timing;
  readonly deps: LoopDeps;
  status: LoopStatus;
  session: Session | undefined;
  /** Connected, or between two watches without trouble: what there was to know is known. */
  live: boolean;
  /** Observed time up to which the session has received all there was; undefined before its list is whole. */
  completeTimeMs: number | undefined;
  /** Endings and failures in a row without anything received. */
  failures: number;
  /** Monotonic, ms. */
  lastRequestMs: number;
  /** When something went wrong last: what answers after it may be another cluster. Monotonic, ms. */
  troubleMs: number;
  /** When an unabbreviated snapshot is due, monotonic ms. */
  fullDueMs: number;
}

/** Pace against a real API server where a watch without a byte for this long is dead. */
export function loopTiming(watchStallSeconds: number): typeof LOOP_TIMING & Pick<Timing, 'unmarkedWatchSeconds'> {
  const { min, max } = LOOP_TIMING.watchSeconds;
  return { ...LOOP_TIMING, unmarkedWatchSeconds: { min: Math.min(min, watchStallSeconds * 0.6), max: Math.min(max, watchStallSeconds * 0.8) } };
}

export function createLoop(cluster: string, target: Target, timing: Timing, deps: LoopDeps): Loop {
  return {
    cluster,
    target,
    timing,
    deps,
    status: { state: 'waiting', lastRecordTimeMs: undefined, reason: undefined },
    session: undefined,
    live: false,
    completeTimeMs: undefined,
    failures: 0,
    lastRequestMs: Number.NEGATIVE_INFINITY,
    troubleMs: Number.NEGATIVE_INFINITY,
    fullDueMs: Number.NEGATIVE_INFINITY,
  };
}

export function enterState(loop: Loop, state: LoopState, reason?: string): void {
  if (loop.status.state === state && loop.status.reason === reason) return;
  loop.status = { ...loop.status, state, reason };
  loop.deps.changed(loop.status);
}

/** Something came in. `isLive`: just now, so that what was before it has come before it. */
export function touch(loop: Loop, isLive: boolean): void {
  const nowMs = loop.deps.nowMs();
  if (isLive) loop.completeTimeMs = nowMs;
  loop.status = { ...loop.status, lastRecordTimeMs: nowMs };
}

/** Before a request: keeps them a second apart, whatever else went wrong. `atOnce`: this one may follow the last directly. */
export async function pace(loop: Loop, signal: AbortSignal, atOnce = false): Promise<void> {
  if (!atOnce) await sleep(loop.lastRequestMs + loop.timing.requestIntervalMs - performance.now(), signal);
  loop.lastRequestMs = performance.now();
}

/** After a failure: counts it, says so, and waits. */
export async function backOff(loop: Loop, failure: ApiFailure, signal: AbortSignal): Promise<void> {
  const { cluster, target, timing, deps } = loop;
  loop.failures += 1;
  loop.troubleMs = performance.now();
  deps.metrics.requestFailed(cluster, target.resource, failure.kind);
  deps.log.debug({ ...target, kind: failure.kind, reason: failure.message, failures: loop.failures }, 'request failed');
  if (failure.kind !== 'gone') enterState(loop, 'retrying', failure.message);
  await sleep(retryDelayMs(failure, timing.backoff, loop.failures, deps.random), signal);
}

/** Back-off, and no less than the server asked for. */
export function retryDelayMs({ retryAfterMs = 0 }: ApiFailure, backoff: Backoff, attempt: number, random: () => number): number {
  return Math.max(backoffMs(backoff, attempt, random), retryAfterMs * (1 + random() / 4));
}
