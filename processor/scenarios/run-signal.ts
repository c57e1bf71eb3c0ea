/** The common part of all signals about a container's runs: when one is an incident, since when, and when it is over. */
import type { ContainerReading, CrashLoop } from './container-runs.ts';
import { containersOf, crashLoopOf, hasFailed, isFailing, probationEndMs, runPath, staysEnded, wasRetried } from './container-runs.ts';
import { containerSubject, eventEvidence, fieldEvidence, subjectText } from './evidence.ts';
import { hasEnded } from './pod-signs.ts';
import { oncePerView } from './remembered.ts';
import type { Evidence, FinishedRun, PodView, Signal, Subject } from './scenario.ts';
import type { RunEnd } from './run-end.ts';
import { endOf } from './run-end.ts';

/** Ranks within the track `run`: who knows more of the end of a run relabels who knows less. */
export const RUN_RANK = { exit: 10, init: 20, hook: 30, probe: 40, oom: 50 } as const;

/** A container that fails because of how its last run ended. */
export interface RunStory {
  readonly container: ContainerReading;
  readonly run: FinishedRun;
  readonly end: RunEnd;
  readonly loop: CrashLoop;
  /** See probationEndMs. */
  readonly probationEnd: number | undefined;
  readonly subject: Subject;
}

/** The stories of a pod's containers, one each at most. Cheap for a pod that never ended a run. */
export const storiesOf = oncePerView(readStories);

function readStories(view: PodView): readonly RunStory[] {
  if (!mayHaveEnded(view)) return [];
  const stories: RunStory[] = [];
  for (const container of containersOf(view)) {
    const run = container.runs.at(-1);
    if (run === undefined || container.kind === 'ephemeral') continue;
    const end = endOf(view, container, run);
    if (end.kind === 'completed') continue;
    const loop = crashLoopOf(view, container, end.kind === 'probe');
    const probationEnd = probationEndMs(view, container, loop);
    // An init container that failed has not recovered by running again, only by success.
    if (container.kind !== 'init' && !isFailing(view, probationEnd)) continue;
    if (staysEnded(container, run) && wasRetried(view)) continue;
    stories.push({ container, run, end, loop, probationEnd, subject: containerSubject(view, view.pod, container.name) });
  }
  return stories;
}

function mayHaveEnded({ pod }: PodView): boolean {
  const { phase, containerStatuses = [], initContainerStatuses = [] } = pod.status;
  if (phase === 'Succeeded') return false;
  return containerStatuses.some(hasEnded) || initContainerStatuses.some(hasEnded);
}

/**
 * Containers that back off after an end of which neither the status nor the past tells anything: the kubelet forgot it, and nobody
 * watched.
 */
export function unexplainedLoops(view: PodView): readonly ContainerReading[] {
  const { containerStatuses = [], initContainerStatuses = [] } = view.pod.status;
  const waits = [...containerStatuses, ...initContainerStatuses].some(({ state }) => state?.waiting?.reason === 'CrashLoopBackOff');
  if (!waits || view.pod.metadata.deletionTimestamp !== undefined) return [];
  return containersOf(view).filter(({ waiting, runs }) => waiting === 'CrashLoopBackOff' && runs.length === 0);
}

/** The signal about such a container. */
export function buildUnexplained(view: PodView, container: ContainerReading, scenario: Signal['scenario']): Signal {
  const subject = containerSubject(view, view.pod, container.name);
  return {
    scenario,
    cause: 'other',
    detail: '',
    flags: [],
    confidence: 'guess',
    subject,
    track: 'run',
    rank: 0,
    fact: { value: `restartCount=${container.restartCount}`, timeMs: view.history.firstSeenMs, says: `container ${container.name} backs off` },
    dueTimeMs: view.history.firstSeenMs,
    recoverAfterMs: view.thresholds.recoverRunningMs,
    summary: `${subjectText(subject)} is restarted again and again${restartsText(container)}; how it ends is not known`,
    evidence: [
      fieldEvidence(view.pod, `${container.path}.state.waiting.reason`, container.waiting),
      fieldEvidence(view.pod, `${container.path}.restartCount`, container.restartCount),
    ],
  };
}

/** A sidecar ends with its pod: once no container of the app runs or is to run again, its exit says nothing. */
export function isLeftoverSidecar(view: PodView, { container }: RunStory): boolean {
  if (container.kind !== 'sidecar') return false;
  const app = containersOf(view).filter(({ kind }) => kind === 'app');
  return (
    app.length > 0 &&
    app.every(({ status, runs, ...rest }) => {
      const last = runs.at(-1);
      return status.state?.terminated !== undefined && last !== undefined && staysEnded({ status, runs, ...rest }, last);
    })
  );
}

/** Initialisation is over: what a sidecar does from now on is no init failure. */
export function isInitialized({ pod }: PodView): boolean {
  const condition = pod.status.conditions?.find(({ type }) => type === 'Initialized');
  if (condition !== undefined) return condition.status === 'True';
  return (pod.status.containerStatuses ?? []).some(({ state, restartCount }) => state?.running !== undefined || (restartCount ?? 0) > 0);
}

/**
 * When the end of a run is an incident: at CrashLoopBackOff or the restarts threshold, or, where the kubelet starts nothing
 * again, when the pod or its Job has failed.
 */
export function crashDueMs(view: PodView, { container, run, loop }: RunStory): number | undefined {
  const over = staysEnded(container, run) ? hasFailed(view) : loop.crossed;
  return over ? endedMs(view, run) : undefined;
}

/** When a run ended; where the runtime does not say, when the pod was first seen. */
export function endedMs(view: PodView, run: FinishedRun): number {
  return run.finishedTimeMs > 0 ? run.finishedTimeMs : view.history.firstSeenMs;
}

/** What a rule adds to a story. */
export type RunFinding = Pick<Signal, 'scenario' | 'cause' | 'detail' | 'flags' | 'confidence' | 'rank' | 'dueTimeMs' | 'summary' | 'evidence'> &
  Partial<Pick<Signal, 'shared' | 'recoverAfterMs'>>;

/** The signal about a story. */
export function buildRunSignal(view: PodView, story: RunStory, finding: RunFinding): Signal {
  const { container, run, probationEnd, subject } = story;
  const { recoverMs, recoverRunningMs } = view.thresholds;
  return {
    subject,
    track: 'run',
    fact: { value: `restartCount=${container.restartCount}`, timeMs: endedMs(view, run), says: endText(container, run) },
    recoverAfterMs: staysEnded(container, run) ? recoverMs : recoverRunningMs,
    ...(probationEnd !== undefined && probationEnd > view.nowMs && { recheckTimeMs: probationEnd }),
    ...finding,
  };
}

/** `container app ended with exit code 137 (OOMKilled)`. */
function endText({ name }: ContainerReading, { exitCode, reason }: FinishedRun): string {
  return `container ${name} ended with exit code ${exitCode}${reason === '' || reason === 'Error' ? '' : ` (${reason})`}`;
}

/** What the status says of the run that ended, and the Event that explains it. */
export function runEvidence(view: PodView, { container, run, end }: RunStory): readonly Evidence[] {
  const { pod } = view;
  const path = runPath(container);
  const evidence = [
    fieldEvidence(pod, `${path}.exitCode`, run.exitCode, run.finishedTimeMs),
    fieldEvidence(pod, `${path}.reason`, run.reason, run.finishedTimeMs),
    fieldEvidence(pod, `${container.path}.restartCount`, container.restartCount),
  ];
  if (run.message.trim() !== '') evidence.push(fieldEvidence(pod, `${path}.message`, run.message.trim(), run.finishedTimeMs));
  const { waiting } = container.status.state ?? {};
  if (waiting !== undefined) evidence.push(fieldEvidence(pod, `${container.path}.state.waiting`, `${waiting.reason ?? ''}: ${waiting.message ?? ''}`));
  if ('event' in end && end.event !== undefined) evidence.push(eventEvidence(pod, end.event));
  return evidence;
}

/** `, 4 restarts`; nothing before the first. */
export function restartsText({ restartCount }: ContainerReading): string {
  if (restartCount === 0) return '';
  return restartCount === 1 ? ', 1 restart' : `, ${restartCount} restarts`;
}
