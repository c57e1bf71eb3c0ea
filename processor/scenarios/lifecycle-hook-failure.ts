/**
 * Opens when: the kubelet killed a container because its postStart hook failed; a container was started and its postStart hook does not
 *   come back; a preStop hook failed; or a container was killed at the end of its grace because its preStop hook sleeps as long.
 * Updates when: it happens again.
 * Resolves when: the container has run without a break for `recoverRunningMs` (postStart); its pod is gone, or the hook has not failed
 *   again for `recoverMs` (preStop).
 * Thresholds: none, at once (design §4); a postStart hook that hangs after `initStuckMs`, ms, as what holds up a start.
 * Cannot see: why a preStop hook failed, since 1.26; one that merely takes too long, unless it is a plain sleep.
 */
import type { Pod, Probe } from '../../collector/objects.ts';
import { timeOf } from './conditions.ts';
import type { ContainerReading } from './container-runs.ts';
import { containersOf, hookedStartOf } from './container-runs.ts';
import { containerSubject, eventEvidence, fieldEvidence, shortText, subjectText } from './evidence.ts';
import { deletionRequestedMs, isProcessGone } from './run-end.ts';
import type { RunStory } from './run-signal.ts';
import { buildRunSignal, endedMs, restartsText, RUN_RANK, runEvidence, storiesOf } from './run-signal.ts';
import type { Evidence, PodView, Scenario, Signal } from './scenario.ts';

export const lifecycleHookFailure: Scenario = {
  id: 'lifecycle_hook_failure',
  reads: ['pods'],
  concerns: ({ ran, leaving, hasPreStop, hasPostStart }) => hasPreStop || hasPostStart || (ran && !leaving),
  pod: (view) => [
    ...storiesOf(view).flatMap((story) => postStart(view, story)),
    ...hangingPostStart(view),
    ...hooked(view).flatMap((name) => preStop(view, name)),
  ],
};

function postStart(view: PodView, story: RunStory): readonly Signal[] {
  const { container, run, end, subject } = story;
  if (end.kind !== 'hook') return [];
  const { waiting } = container.status.state ?? {};
  const message = (waiting?.reason === 'PostStartHookError' ? waiting.message : undefined) ?? end.message;
  const shown = message === '' || waiting?.reason === 'PostStartHookError' ? [] : [fieldEvidence(view.pod, `${container.path}.state.waiting.message`, message)];
  return [
    buildRunSignal(view, story, {
      scenario: 'lifecycle_hook_failure',
      cause: 'poststart_failed',
      detail: '',
      flags: [],
      confidence: 'certain',
      rank: RUN_RANK.hook,
      dueTimeMs: endedMs(view, run),
      summary: `${subjectText(subject)} is killed because its postStart hook fails${message === '' ? '' : `: ${shortText(message, 240)}`}${restartsText(container)}`,
      evidence: [...runEvidence(view, story), ...shown],
    }),
  ];
}

/** A postStart hook that does not come back. */
function hangingPostStart(view: PodView): readonly Signal[] {
  const { pod, thresholds } = view;
  const held = pod.status.phase === 'Pending' ? hookedStartOf(view) : undefined;
  if (held === undefined) return [];
  const { container, started } = held;
  const subject = containerSubject(view, pod, container.name);
  const sinceMs = started.lastTimeMs;
  return [
    {
      scenario: 'lifecycle_hook_failure',
      cause: 'poststart_failed',
      detail: '',
      flags: [],
      confidence: 'likely',
      subject,
      track: 'create',
      rank: 0,
      fact: { value: 'postStart hangs', timeMs: sinceMs, says: `container ${container.name} was started` },
      dueTimeMs: sinceMs + thresholds.initStuckMs,
      awaits: true,
      recoverAfterMs: thresholds.recoverMs,
      summary: `${subjectText(subject)} was started, but its postStart hook has not come back`,
      evidence: [
        eventEvidence(pod, started),
        fieldEvidence(pod, `${container.path}.state.waiting.reason`, container.waiting),
        fieldEvidence(pod, `spec.containers[${container.name}].lifecycle.postStart`, Object.keys(container.spec?.lifecycle?.postStart ?? {}).join(', ')),
      ],
    },
  ];
}

/** Names of containers with a preStop hook: by the spec, or, in a list that may be trimmed, by the Event that it failed. */
function hooked({ pod, events, isSnapshot }: PodView): readonly string[] {
  const failed = events.filter(({ reason }) => isSnapshot === true && reason === 'FailedPreStopHook').map(({ fieldPath }) => fieldPath);
  const all = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])];
  return all.filter(({ name, lifecycle }) => lifecycle?.preStop !== undefined || failed.some((path) => path.endsWith(`{${name}}`))).map(({ name }) => name);
}

function preStop(view: PodView, name: string): readonly Signal[] {
  const container = containersOf(view).find((each) => each.name === name);
  return container === undefined ? [] : [...failedPreStop(view, container), ...endlessPreStop(view, container)].slice(0, 1);
}

const TIMED_OUT = /timed? ?out|deadline|exceeded|context canceled/i;

function failedPreStop(view: PodView, container: ContainerReading): readonly Signal[] {
  const { pod, nowMs, thresholds } = view;
  const event = container.events.findLast(({ reason }) => reason === 'FailedPreStopHook');
  if (event === undefined || isProcessGone(event.note)) return [];
  const isDeleting = pod.metadata.deletionTimestamp !== undefined;
  const oldMs = event.lastTimeMs + thresholds.recoverMs;
  if (!isDeleting && nowMs >= oldMs) return [];
  const detail = TIMED_OUT.test(event.note) || isKilledAtGrace(view, container) ? 'timeout' : '';
  return [
    {
      ...preStopSignal(view, container, detail, [eventEvidence(pod, event)]),
      fact: { value: 'FailedPreStopHook', timeMs: event.firstTimeMs, says: `the preStop hook of container ${container.name} failed` },
      dueTimeMs: event.firstTimeMs,
      ...(!isDeleting && { recheckTimeMs: oldMs }),
    },
  ];
}

/** The hook sleeps at least as long as the pod may take to end, and SIGKILL came when that time was over. */
function endlessPreStop(view: PodView, container: ContainerReading): readonly Signal[] {
  const grace = graceSeconds(view.pod);
  const hook = container.spec?.lifecycle?.preStop;
  const sleeps = sleepSeconds(hook);
  const requestedMs = deletionRequestedMs(view);
  if (requestedMs === undefined || sleeps === undefined || sleeps < grace || !isKilledAtGrace(view, container)) return [];
  const evidence = [
    fieldEvidence(view.pod, `spec.containers[${container.name}].lifecycle.preStop`, `sleeps ${sleeps} s`),
    fieldEvidence(view.pod, 'spec.terminationGracePeriodSeconds', grace),
    fieldEvidence(view.pod, `${container.path}.state.terminated.exitCode`, 137),
  ];
  const says = `container ${container.name} is killed while its preStop hook runs`;
  const fact = { value: 'preStop=timeout', timeMs: requestedMs + grace * 1_000, says };
  return [{ ...preStopSignal(view, container, 'timeout', evidence), fact, dueTimeMs: fact.timeMs }];
}

function preStopSignal(view: PodView, container: ContainerReading, detail: '' | 'timeout', evidence: readonly Evidence[]): Omit<Signal, 'fact' | 'dueTimeMs'> {
  const subject = containerSubject(view, view.pod, container.name);
  return {
    scenario: 'lifecycle_hook_failure',
    cause: 'prestop_failed',
    detail,
    flags: [],
    confidence: 'certain',
    subject,
    track: 'terminate',
    rank: 0,
    recoverAfterMs: view.thresholds.recoverMs,
    summary: `the preStop hook of ${subjectText(subject)} ${detail === 'timeout' ? 'takes longer than the grace period' : 'fails'}`,
    evidence,
  };
}

function graceSeconds(pod: Pod): number {
  return pod.spec.terminationGracePeriodSeconds ?? 30;
}

/** SIGKILL no sooner than the end of the grace period, but for the whole seconds of the times. */
function isKilledAtGrace(view: PodView, container: ContainerReading): boolean {
  const requestedMs = deletionRequestedMs(view);
  const end = container.status.state?.terminated;
  const finishedMs = timeOf(end?.finishedAt);
  if (requestedMs === undefined || finishedMs === undefined) return false;
  return end?.exitCode === 137 && end.reason !== 'OOMKilled' && finishedMs >= requestedMs + graceSeconds(view.pod) * 1_000 - 2_000;
}

/** Seconds that a hook sleeps: the sleep action (since 1.29), or a command that is nothing but a sleep at its end. */
function sleepSeconds(hook: Probe | undefined): number | undefined {
  if (hook?.sleep?.seconds !== undefined) return hook.sleep.seconds;
  const seconds = /(?:^|[\s/;&])sleep (\d+)s?\s*$/.exec((hook?.exec?.command ?? []).join(' '))?.[1];
  return seconds === undefined ? undefined : Number(seconds);
}
