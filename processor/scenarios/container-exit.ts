/**
 * Opens when: a container of the app, or a sidecar once the pod is initialised, ended by itself and crash-loops; or, where
 *   nothing starts it again, the pod or its Job has failed; or the pod or the Job ran into its deadline; or a Job failed and took its
 *   pods along.
 * Updates when: it ends again, with another code or after another time.
 * Resolves when: it has run without a break for `recoverRunningMs`; what is never started again, when a retry succeeded or it is gone.
 * Thresholds: CrashLoopBackOff, or `restarts` in `restartsWindowMs` (ms, design §4); immediate is a run shorter than 10 s (design §4).
 * Cannot see: the container's log, unless terminationMessagePolicy copies its tail into the termination message.
 */
import type { ContainerReading } from './container-runs.ts';
import { hasLaterSuccess, lastedMs } from './container-runs.ts';
import { conditionOf, conditionTimeMs, timeOf } from './conditions.ts';
import { crashFlags } from './crash-flags.ts';
import { containerSubject, durationText, eventEvidence, fieldEvidence, shortText, subjectText } from './evidence.ts';
import { describeExit } from './exit-codes.ts';
import { rebootSince } from './run-end.ts';
import type { RunStory } from './run-signal.ts';
import {
  buildRunSignal,
  buildUnexplained,
  crashDueMs,
  isInitialized,
  isLeftoverSidecar,
  restartsText,
  RUN_RANK,
  runEvidence,
  storiesOf,
  unexplainedLoops,
} from './run-signal.ts';
import type { ControllerView, Evidence, FinishedRun, PodView, Scenario, Signal } from './scenario.ts';

/** Shorter runs are an exit right after the start (design §4). */
const IMMEDIATE_MS = 10_000;

type ExitDetail = '' | 'command_not_found' | 'permission_denied' | 'missing_file' | 'exec_format_error' | 'no_foreground_process';

export const containerExit: Scenario = {
  id: 'container_exit',
  reads: ['pods', 'jobs'],
  concerns: ({ ran, backsOff, named, leaving }) => (ran || backsOff || named) && !leaving,
  pod: (view) => [
    ...podDeadline(view),
    ...storiesOf(view).flatMap((story) => exitSignal(view, story)),
    ...unexplainedLoops(view)
      .filter(({ kind }) => kind !== 'init')
      .map((container) => buildUnexplained(view, container, 'container_exit')),
  ],
  controller: (view) => [...jobDeadline(view), ...failedJob(view)],
};

function exitSignal(view: PodView, story: RunStory): readonly Signal[] {
  const { container, run, end, subject } = story;
  if (end.kind !== 'exit' && end.kind !== 'lost') return [];
  if (container.kind === 'init' || (container.kind === 'sidecar' && !isInitialized(view)) || isLeftoverSidecar(view, story)) return [];
  if (view.pod.status.reason === 'DeadlineExceeded') return [];
  const lasted = lastedMs(run);
  const immediate = end.kind === 'exit' && lasted !== undefined && lasted < IMMEDIATE_MS;
  const after =
    lasted === undefined ? 'ends' : immediate ? `ends within ${durationText(Math.max(lasted, 1_000))} of its start` : `ends after ${durationText(lasted)}`;
  const { flags, evidence } = crashFlags(view, story);
  const said = run.message.trim() === '' ? '' : `: ${shortText(run.message)}`;
  return [
    buildRunSignal(view, story, {
      scenario: 'container_exit',
      cause: immediate ? 'exit_immediate' : 'exit_after_run',
      detail: immediate ? exitDetail(container, run) : '',
      flags,
      confidence: end.kind === 'lost' ? 'likely' : 'certain',
      rank: RUN_RANK.exit,
      dueTimeMs: crashDueMs(view, story),
      summary: `${subjectText(subject)} ${after}: ${describeExit(run.exitCode, run.reason)}${restartsText(container)}${said}`,
      evidence: [...runEvidence(view, story), ...evidence, ...(end.kind === 'lost' ? rebootEvidence(view, run) : [])],
      ...(isOfImage(container) && { shared: { image: container.spec?.image ?? '' } }),
    }),
  ];
}

/** Why the kubelet does not know what became of a container. */
function rebootEvidence(view: PodView, run: FinishedRun): readonly Evidence[] {
  const reboot = rebootSince(view, run);
  const node = view.node(view.pod.spec.nodeName ?? '');
  return reboot === undefined || node === undefined ? [] : [eventEvidence(node, reboot)];
}

/** What runs is what the image says, so that other workloads with the image may fail alike because of it. */
function isOfImage({ spec }: ContainerReading): boolean {
  return spec?.image !== undefined && spec.command === undefined;
}

/** Why a process ends at once: by what its shell or runtime says in the code (signals.md §19), else in the termination message. */
export function exitDetail({ restartPolicy }: Pick<ContainerReading, 'restartPolicy'>, { exitCode, message }: FinishedRun): ExitDetail {
  if (exitCode === 0) return restartPolicy === 'Always' ? 'no_foreground_process' : '';
  if (/exec format error/i.test(message)) return 'exec_format_error';
  if (/error while loading shared libraries|cannot open shared object|missing dynamic library/i.test(message)) return 'missing_file';
  if (exitCode === 127) return 'command_not_found';
  if (exitCode === 126) return 'permission_denied';
  if (/command not found|executable file .{0,200}not found/i.test(message)) return 'command_not_found';
  if (/no such file or directory|cannot find module|unable to access jarfile|can'?t open|could not find or load main class|filenotfound|enoent/i.test(message))
    return 'missing_file';
  return /permission denied|eacces/i.test(message) ? 'permission_denied' : '';
}

/** spec.activeDeadlineSeconds of the pod: the kubelet ends all of it, restartPolicy or not. */
function podDeadline(view: PodView): readonly Signal[] {
  const { pod } = view;
  if (pod.status.reason !== 'DeadlineExceeded' || pod.metadata.deletionTimestamp !== undefined) return [];
  const subject = containerSubject(view, pod, '');
  const startMs = timeOf(pod.status.startTime) ?? view.history.firstSeenMs;
  const endMs = startMs + (pod.spec.activeDeadlineSeconds ?? 0) * 1_000;
  return [
    deadlineSignal({
      subject,
      fact: { value: 'reason=DeadlineExceeded', timeMs: endMs, says: 'its deadline is reached' },
      dueTimeMs: endMs,
      recoverAfterMs: view.thresholds.recoverMs,
      summary: `a pod of ${subjectText(subject)} was ended because it was active longer than activeDeadlineSeconds=${pod.spec.activeDeadlineSeconds ?? '?'}`,
      evidence: [
        fieldEvidence(pod, 'status.reason', 'DeadlineExceeded'),
        fieldEvidence(pod, 'status.message', pod.status.message ?? ''),
        fieldEvidence(pod, 'spec.activeDeadlineSeconds', pod.spec.activeDeadlineSeconds ?? ''),
      ],
    }),
  ];
}

/** The deadline of a Job: its controller deletes the pods, so only the Job tells. */
function jobDeadline(view: ControllerView): readonly Signal[] {
  const { controller: job } = view;
  const failed = conditionOf(job, 'Failed') ?? conditionOf(job, 'FailureTarget');
  if (job.kind !== 'Job' || failed?.status !== 'True' || failed.reason !== 'DeadlineExceeded' || hasLaterSuccess(view, job)) return [];
  const { kind, namespace, name } = view.workloadOf(job);
  const subject = { kind, namespace, name, container: '' };
  const atMs = conditionTimeMs(failed) ?? view.nowMs;
  return [
    deadlineSignal({
      subject,
      fact: { value: 'reason=DeadlineExceeded', timeMs: atMs, says: 'its deadline is reached' },
      dueTimeMs: atMs,
      recoverAfterMs: view.thresholds.recoverMs,
      summary: `Job ${namespace}/${job.metadata.name} was ended because it was active longer than activeDeadlineSeconds=${job.spec.activeDeadlineSeconds ?? '?'}`,
      evidence: [
        fieldEvidence(job, 'status.conditions[Failed].reason', 'DeadlineExceeded', atMs),
        fieldEvidence(job, 'status.conditions[Failed].message', failed.message ?? '', atMs),
        fieldEvidence(job, 'spec.activeDeadlineSeconds', job.spec.activeDeadlineSeconds ?? ''),
      ],
    }),
  ];
}

/**
 * A Job that failed and whose pods are gone: its controller deletes those that still run when it gives up, as with restartPolicy
 * OnFailure. It keeps open what its pods showed, until a retry succeeds or it is removed (design D8).
 */
function failedJob(view: ControllerView): readonly Signal[] {
  const { controller: job } = view;
  const failed = conditionOf(job, 'Failed');
  if (job.kind !== 'Job' || failed?.status !== 'True' || failed.reason === 'DeadlineExceeded' || hasLaterSuccess(view, job)) return [];
  for (const pod of view.podsIn(job.metadata.namespace)) if (pod.metadata.ownerReferences?.some(({ uid }) => uid === job.metadata.uid)) return [];
  const { kind, namespace, name } = view.workloadOf(job);
  const [only, ...others] = job.spec.template?.spec?.containers ?? [];
  const atMs = conditionTimeMs(failed) ?? view.nowMs;
  const why = `${failed.reason ?? 'Failed'}: ${failed.message ?? ''}`;
  return [
    {
      scenario: 'container_exit',
      cause: 'other',
      detail: '',
      flags: [],
      confidence: 'guess',
      subject: { kind, namespace, name, container: only !== undefined && others.length === 0 ? only.name : '' },
      track: 'run',
      rank: 0,
      ofWorkload: true,
      fact: { value: 'Failed=True', timeMs: atMs, says: 'has failed' },
      dueTimeMs: atMs,
      recoverAfterMs: view.thresholds.recoverMs,
      summary: `Job ${namespace}/${job.metadata.name} has failed and its pods are gone: ${shortText(why)}`,
      evidence: [fieldEvidence(job, 'status.conditions[Failed]', why, atMs)],
    },
  ];
}

function deadlineSignal(rest: Pick<Signal, 'subject' | 'fact' | 'dueTimeMs' | 'recoverAfterMs' | 'summary' | 'evidence'>): Signal {
  return { scenario: 'container_exit', cause: 'deadline_exceeded', detail: '', flags: [], confidence: 'certain', track: 'run', rank: RUN_RANK.exit, ...rest };
}
