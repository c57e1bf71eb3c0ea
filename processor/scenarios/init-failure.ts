/**
 * Opens when: an init container fails and is backed off, restarted too often, or never started again; was OOM-killed; or runs for
 *   long. Of a sidecar the same while the pod is not initialised: it blocks as long as its startup probe does not pass.
 * Updates when: it fails again, or in another way.
 * Resolves when: no init container fails or is stuck for `recoverMs`: an init container is well only once it has succeeded.
 * Thresholds: CrashLoopBackOff, or `restarts` in `restartsWindowMs`; OOM at once; stuck after `initStuckMs` (ms, design §4), or after
 *   the sidecar's startup budget where that is longer.
 * Cannot see: what an init container that hangs waits for.
 */
import type { ContainerReading } from './container-runs.ts';
import { containersOf, lastedMs } from './container-runs.ts';
import { containerSubject, durationText, fieldEvidence, lastingText, shortText, subjectText } from './evidence.ts';
import { describeExit } from './exit-codes.ts';
import { oomCause } from './oom-killed.ts';
import { findProbeCause, probeBudgetMs, probeSpec } from './probe-cause.ts';
import type { RunFinding, RunStory } from './run-signal.ts';
import {
  buildRunSignal,
  buildUnexplained,
  crashDueMs,
  endedMs,
  isInitialized,
  restartsText,
  RUN_RANK,
  runEvidence,
  storiesOf,
  unexplainedLoops,
} from './run-signal.ts';
import type { PodView, Scenario, Signal } from './scenario.ts';

export const initFailure: Scenario = {
  id: 'init_failure',
  reads: ['pods', 'nodes', 'jobs'],
  concerns: ({ initializes }) => initializes,
  pod(view) {
    const { initContainerStatuses = [], phase } = view.pod.status;
    if (initContainerStatuses.length === 0 || phase === 'Succeeded' || isInitialized(view)) return [];
    const failed = storiesOf(view).filter(({ container }) => isInit(container));
    const unexplained = unexplainedLoops(view).filter(({ kind }) => kind === 'init');
    return [
      ...failed.flatMap((story) => failedInit(view, story)),
      ...unexplained.map((container) => buildUnexplained(view, container, 'init_failure')),
      ...stuckInit(view, failed),
    ];
  },
};

function isInit({ kind }: ContainerReading): boolean {
  return kind === 'init' || kind === 'sidecar';
}

function failedInit(view: PodView, story: RunStory): readonly Signal[] {
  const finding = findingOf(view, story);
  if (finding === undefined) return [];
  return [buildRunSignal(view, story, { scenario: 'init_failure', flags: [], recoverAfterMs: view.thresholds.recoverMs, ...finding })];
}

type InitFinding = Omit<RunFinding, 'scenario' | 'flags'>;

function findingOf(view: PodView, story: RunStory): InitFinding | undefined {
  const { container, run, end, subject } = story;
  const exit = `${describeExit(run.exitCode, run.reason)}${restartsText(container)}`;
  const evidence = runEvidence(view, story);
  if (end.kind === 'oom') {
    const found = oomCause(view, story);
    const summary = `init ${subjectText(subject)} was OOM-killed (${exit})`;
    const { confidence } = found;
    return {
      cause: 'init_oom',
      detail: '',
      confidence,
      rank: RUN_RANK.init + 2,
      dueTimeMs: endedMs(view, run),
      summary,
      evidence: [...evidence, ...found.evidence],
    };
  }
  if (end.kind === 'probe' && end.probe === 'startup') {
    const found = findProbeCause(view, container, 'Startup', run.finishedTimeMs, true);
    const summary = `sidecar ${subjectText(subject)} holds up the initialisation: its startup probe never passes${found.output === '' ? '' : `: ${found.output}`}`;
    const confidence = end.certain ? 'certain' : 'likely';
    // One run that took as long as may be is enough.
    const wasStuck = (lastedMs(run) ?? 0) >= view.thresholds.initStuckMs ? endedMs(view, run) : undefined;
    return {
      cause: 'init_stuck',
      detail: 'sidecar_startup_probe',
      confidence,
      rank: RUN_RANK.init + 1,
      dueTimeMs: crashDueMs(view, story) ?? wasStuck,
      summary,
      evidence: [...evidence, ...found.evidence],
    };
  }
  if (end.kind !== 'exit' && end.kind !== 'lost') return undefined;
  const lasted = lastedMs(run);
  const after = lasted === undefined ? '' : ` after ${durationText(Math.max(lasted, 1_000))}`;
  const said = run.message.trim() === '' ? '' : `: ${shortText(run.message)}`;
  const summary = `init ${subjectText(subject)} fails${after}: ${exit}${said}`;
  const confidence = end.kind === 'lost' ? 'likely' : 'certain';
  return { cause: 'init_exit', detail: '', confidence, rank: RUN_RANK.init, dueTimeMs: crashDueMs(view, story), summary, evidence };
}

/** The init container that holds up all others: the first, in order, that is not done; unless it has already failed. */
function stuckInit(view: PodView, failed: readonly RunStory[]): readonly Signal[] {
  if (view.pod.metadata.deletionTimestamp !== undefined) return [];
  const blocking = containersOf(view).find((container) => isInit(container) && !isDone(container));
  const sinceMs = blocking?.runningSinceMs;
  if (blocking === undefined || sinceMs === undefined || failed.some(({ container }) => container.name === blocking.name)) return [];
  const subject = containerSubject(view, view.pod, blocking.name);
  const isSidecar = blocking.kind === 'sidecar';
  const graceMs = Math.max(view.thresholds.initStuckMs, isSidecar ? probeBudgetMs(probeSpec(blocking, 'Startup')) : 0);
  const found = isSidecar ? findProbeCause(view, blocking, 'Startup', view.nowMs, true) : undefined;
  return [
    {
      scenario: 'init_failure',
      cause: 'init_stuck',
      detail: isSidecar ? 'sidecar_startup_probe' : '',
      flags: [],
      confidence: 'certain',
      subject,
      track: 'run',
      rank: RUN_RANK.init,
      fact: { value: `running since ${blocking.status.state?.running?.startedAt ?? ''}`, timeMs: sinceMs, says: `init container ${blocking.name} started` },
      dueTimeMs: sinceMs + graceMs,
      awaits: true,
      recoverAfterMs: view.thresholds.recoverMs,
      summary: isSidecar
        ? `sidecar ${subjectText(subject)} holds up the initialisation: its startup probe has not passed ${lastingText(view.nowMs, sinceMs, graceMs)}`
        : `init ${subjectText(subject)} has been running ${lastingText(view.nowMs, sinceMs, graceMs)}`,
      evidence: [
        fieldEvidence(view.pod, `${blocking.path}.state.running.startedAt`, blocking.status.state?.running?.startedAt ?? '', sinceMs),
        ...(found?.evidence ?? []),
      ],
    },
  ];
}

/** An init container is done when it succeeded, a sidecar when it has started. */
function isDone({ kind, status }: ContainerReading): boolean {
  return kind === 'sidecar' ? status.started === true : status.state?.terminated?.exitCode === 0;
}
