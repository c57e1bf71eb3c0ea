/** Folds the versions of a pod into what its present status does not say: finished runs, restarts, the last named error. */
import type { ContainerState, ContainerStatus, Pod } from '../../collector/objects.ts';
import { isNoRun } from '../scenarios/exit-codes.ts';
import type { ContainerHistory, FinishedRun, PodHistory } from '../scenarios/scenario.ts';

/** Runs and restarts kept per container. */
const KEPT = 10;

/** Waiting reasons of the image pull: they alternate and are one state (signals.md §3). */
const PULL_REASONS = new Set(['ErrImagePull', 'ImagePullBackOff', 'RegistryUnavailable', 'ImageInspectError', 'SignatureValidationFailed']);
/** Waiting reasons that are no error of their own. */
const CALM_REASONS = new Set(['', 'ContainerCreating', 'PodInitializing', 'CrashLoopBackOff']);

/** Epoch ms of an RFC 3339 time, or undefined; 1970 (what runtimes write for "never") counts as undefined. */
export function parseTimeMs(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const time = Date.parse(text);
  return Number.isNaN(time) || time <= 0 ? undefined : time;
}

/** The history after this version of the pod; the same object when nothing was learnt. */
export function foldHistory(previous: PodHistory | undefined, pod: Pod, nowMs: number): PodHistory {
  let containers: Record<string, ContainerHistory> | undefined = previous === undefined ? {} : undefined;
  const started = parseTimeMs(pod.status.startTime) ?? parseTimeMs(pod.metadata.creationTimestamp) ?? nowMs;
  for (const list of [pod.status.initContainerStatuses, pod.status.containerStatuses]) {
    for (const status of list ?? []) {
      const before = (containers ?? previous?.containers)?.[status.name];
      const after = foldContainer(before, status, started, nowMs);
      if (after === before) continue;
      containers ??= { ...previous?.containers };
      containers[status.name] = after;
    }
  }
  if (previous !== undefined && containers === undefined) return previous;
  return { firstSeenMs: previous?.firstSeenMs ?? nowMs, containers: containers ?? {} };
}

const EMPTY: ContainerHistory = { runs: [], restarts: [], everStarted: false, everReady: false, longestRunMs: 0 };

function foldContainer(previous: ContainerHistory | undefined, status: ContainerStatus, podStartMs: number, nowMs: number): ContainerHistory {
  const before = previous ?? { ...EMPTY, restarts: [{ count: 0, timeMs: podStartMs }] };
  const count = status.restartCount ?? 0;
  const runs = addRun(addRun(before.runs, status.lastState, count), status.state, count);
  const waiting = foldWaiting(before, status, nowMs);
  const lastError = foldLastError(before, status, nowMs);
  const restarts = foldRestarts(before, status, nowMs);
  const everStarted = before.everStarted || status.started === true || status.state?.running !== undefined || runs.some((r) => r.startedTimeMs > 0);
  const everReady = before.everReady || (status.ready === true && status.state?.running !== undefined);
  const same =
    previous !== undefined &&
    runs === before.runs &&
    waiting === before.waiting &&
    lastError === before.lastError &&
    restarts === before.restarts &&
    everStarted === before.everStarted &&
    everReady === before.everReady;
  if (same) return previous;
  const longestRunMs = runs.reduce((longest, r) => Math.max(longest, r.startedTimeMs > 0 ? r.finishedTimeMs - r.startedTimeMs : 0), before.longestRunMs);
  return { runs, restarts, everStarted, everReady, longestRunMs, ...(waiting && { waiting }), ...(lastError && { lastError }) };
}

function addRun(runs: readonly FinishedRun[], state: ContainerState | undefined, restartCount: number): readonly FinishedRun[] {
  const end = state?.terminated;
  if (end === undefined || isNoRun(end)) return runs;
  const run: FinishedRun = {
    restartCount,
    startedTimeMs: parseTimeMs(end.startedAt) ?? 0,
    finishedTimeMs: parseTimeMs(end.finishedAt) ?? 0,
    exitCode: end.exitCode ?? 0,
    reason: end.reason ?? '',
    message: end.message ?? '',
  };
  // The same run shows as state and later as lastState; its times, code and reason stay.
  const known = runs.some(
    (r) => r.finishedTimeMs === run.finishedTimeMs && r.startedTimeMs === run.startedTimeMs && r.exitCode === run.exitCode && r.reason === run.reason,
  );
  if (known) return runs;
  return [...runs, run].sort((a, b) => a.finishedTimeMs - b.finishedTimeMs).slice(-KEPT);
}

function foldRestarts(before: ContainerHistory, status: ContainerStatus, nowMs: number): ContainerHistory['restarts'] {
  const count = status.restartCount ?? 0;
  const last = before.restarts.at(-1);
  if (last !== undefined && count <= last.count) return before.restarts;
  const timeMs =
    parseTimeMs(status.state?.running?.startedAt) ??
    parseTimeMs(status.state?.terminated?.startedAt) ??
    parseTimeMs(status.lastState?.terminated?.startedAt) ??
    parseTimeMs(status.lastState?.terminated?.finishedAt) ??
    nowMs;
  return [...before.restarts, { count, timeMs }].slice(-KEPT);
}

function foldWaiting(before: ContainerHistory, status: ContainerStatus, nowMs: number): ContainerHistory['waiting'] {
  const waiting = status.state?.waiting;
  if (waiting === undefined) return undefined;
  const reason = waiting.reason ?? '';
  const was = before.waiting;
  if (was?.reason === reason) return was;
  const continues = was !== undefined && PULL_REASONS.has(reason) && PULL_REASONS.has(was.reason);
  return { reason, sinceMs: continues ? was.sinceMs : nowMs };
}

/** ≤ 1.31 `Back-off pulling image "x"` alone; ≥ 1.32 the cause follows after `: ErrImagePull: ` (signals.md §3). */
function namesCause(reason: string, message: string): boolean {
  return reason !== 'ImagePullBackOff' || message.includes('ErrImagePull') || !message.startsWith('Back-off pulling image');
}

function foldLastError(before: ContainerHistory, status: ContainerStatus, nowMs: number): ContainerHistory['lastError'] {
  const waiting = status.state?.waiting;
  const reason = waiting?.reason ?? '';
  const message = waiting?.message ?? '';
  const was = before.lastError;
  if (CALM_REASONS.has(reason) || message === '' || !namesCause(reason, message)) return was;
  const entered = before.waiting?.reason !== reason;
  if (was !== undefined && !entered && was.message === message && was.reason === reason) return was;
  // A back-off repeats the error of the attempt before it: only a failed attempt counts.
  const attempts = reason !== 'ImagePullBackOff' && (entered || was?.message !== message) ? 1 : 0;
  return { reason, message, timeMs: nowMs, count: Math.max(1, (was?.count ?? 0) + attempts) };
}
