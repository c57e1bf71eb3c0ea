/**
 * Opens when: the kubelet killed a container because its liveness or startup probe failed, and it crash-loops; or, where nothing
 *   starts it again, the pod or its Job has failed; or a startup probe neither passes nor kills, since it cannot be run at all.
 * Updates when: it is killed again; Running and CrashLoopBackOff taking turns set the flag `oscillating`.
 * Resolves when: the container has run without a break for `recoverRunningMs`; it has started, for `recoverMs`.
 * Thresholds: CrashLoopBackOff, or `restarts` in `restartsWindowMs` (ms, design §4), or as many long runs that all ended so;
 *   `readinessMs` after the startup probe should have killed.
 * Cannot see: successes of a probe; a kill whose Events were dropped is inferred from the failures before it or from earlier kills.
 */
import { crashFlags } from './crash-flags.ts';
import { isNodeReady } from './conditions.ts';
import type { ContainerReading } from './container-runs.ts';
import { containersOf } from './container-runs.ts';
import { containerSubject, fieldEvidence, subjectText } from './evidence.ts';
import { describeExit } from './exit-codes.ts';
import { findProbeCause, hasProbe, neverPassedLiveness, probeBudgetMs, probeSpec } from './probe-cause.ts';
import type { ProbeName } from './probe-messages.ts';
import type { RunEnd } from './run-end.ts';
import { graceMs } from './run-end.ts';
import type { RunStory } from './run-signal.ts';
import { buildRunSignal, crashDueMs, isInitialized, restartsText, RUN_RANK, runEvidence, storiesOf } from './run-signal.ts';
import type { Confidence, PodView, Scenario, Signal } from './scenario.ts';

/** Clocks of Events and statuses differ by whole seconds. */
const SLACK_MS = 5_000;

export const livenessProbeFailure: Scenario = {
  id: 'liveness_probe_failure',
  reads: ['pods', 'nodes', 'jobs'],
  concerns: ({ ran, unready, leaving }) => (ran || unready) && !leaving,
  pod: (view) => [...storiesOf(view).flatMap((story) => probeKillSignal(view, story)), ...containersOf(view).flatMap((c) => neverStarted(view, c))],
};

function probeKillSignal(view: PodView, story: RunStory): readonly Signal[] {
  const { container, run, end, subject } = story;
  if (end.kind !== 'probe') return [];
  // A sidecar that never passes its startup probe holds up the initialisation: init_stuck.
  if (container.kind === 'sidecar' && end.probe === 'startup' && !isInitialized(view)) return [];
  const name: ProbeName = end.probe === 'startup' ? 'Startup' : 'Liveness';
  const found = findProbeCause(view, container, name, run.finishedTimeMs + SLACK_MS, end.probe === 'startup' || neverPassedLiveness(container));
  const { flags, evidence } = crashFlags(view, story);
  const says = found.output === '' ? '' : `: ${found.output}`;
  return [
    buildRunSignal(view, story, {
      scenario: 'liveness_probe_failure',
      cause: end.probe === 'startup' ? 'startup_probe_failed' : found.cause,
      detail: '',
      flags,
      confidence: confidenceOf(end, found.confidence),
      // Once a kill and its reason were seen, a later one that is only inferred adds nothing.
      rank: RUN_RANK.probe + (found.told ? 1 : 0) + (end.certain ? 1 : 0),
      dueTimeMs: crashDueMs(view, story),
      summary: `${subjectText(subject)} is killed because its ${end.probe} probe fails${says} (${describeExit(run.exitCode, run.reason)}${restartsText(container)})`,
      evidence: [...runEvidence(view, story), ...found.evidence, ...evidence],
      ...(found.node !== undefined && { shared: { node: found.node } }),
    }),
  ];
}

function confidenceOf(end: Extract<RunEnd, { kind: 'probe' }>, found: Confidence): Confidence {
  if (end.probe === 'startup') return end.certain ? 'certain' : 'likely';
  return end.certain || found !== 'certain' ? found : 'likely';
}

/**
 * Still not started when its startup probe must have killed it: the kubelet throws away the result of a probe that it cannot run
 * (pkg/kubelet/prober/worker.go), such as a command that the image does not have, and so waits for ever.
 */
function neverStarted(view: PodView, container: ContainerReading): readonly Signal[] {
  const { status, runningSinceMs, kind } = container;
  const probe = probeSpec(container, 'Startup');
  if (runningSinceMs === undefined || status.started !== false || kind === 'init' || kind === 'ephemeral') return [];
  if (!hasProbe(container, 'Startup', view.nowMs)) return [];
  if (view.pod.status.phase !== 'Running' || view.pod.metadata.deletionTimestamp !== undefined) return [];
  if (kind === 'sidecar' && !isInitialized(view)) return [];
  const node = view.node(view.pod.spec.nodeName ?? '');
  if (node !== undefined && !isNodeReady(node)) return [];
  const found = findProbeCause(view, container, 'Startup', view.nowMs, true);
  const subject = containerSubject(view, view.pod, container.name);
  return [
    {
      scenario: 'liveness_probe_failure',
      cause: 'startup_probe_failed',
      detail: '',
      flags: [],
      confidence: found.told ? 'certain' : 'likely',
      subject,
      track: 'ready',
      rank: found.told ? 1 : 0,
      fact: { value: 'started=false', timeMs: runningSinceMs, says: `container ${container.name} runs, and its startup probe has not passed` },
      dueTimeMs: runningSinceMs + probeBudgetMs(probe) + graceMs(view, probe) + view.thresholds.readinessMs,
      recoverAfterMs: view.thresholds.recoverMs,
      summary: `${subjectText(subject)} runs but does not count as started: its startup probe neither passes nor ends it${found.output === '' ? '' : `: ${found.output}`}`,
      evidence: [fieldEvidence(view.pod, `${container.path}.started`, false, runningSinceMs), ...found.evidence],
    },
  ];
}
