/**
 * Opens when: a running container is not ready for longer than its probe may take; or all are ready and a readiness gate is not.
 * Updates when: the probe fails in another way.
 * Resolves when: the container is ready, or no longer runs, for `recoverMs`.
 * Thresholds: `readinessMs` beyond the probe's own budget after the start (initial delay, period × failures, the startup probe's too),
 *   or after it lost readiness (ms, design §4); later while the container is on probation or its liveness probe fails as well.
 * Cannot see: probes that succeed; since when one container of several is not ready, only since when the pod is.
 */
import { conditionOf, conditionTimeMs, isNodeReady } from './conditions.ts';
import type { ContainerReading } from './container-runs.ts';
import { containersOf } from './container-runs.ts';
import { containerSubject, fieldEvidence, subjectText } from './evidence.ts';
import { findProbeCause, hasProbe, lostReadinessMs, probeBudgetMs, probeSpec, unhealthyOf } from './probe-cause.ts';
import { storiesOf } from './run-signal.ts';
import type { PodView, Scenario, Signal } from './scenario.ts';
import { isUntold, untoldSignal } from './untold.ts';

/** Times of conditions and container states are whole seconds of the same clock. */
const SLACK_MS = 2_000;

export const readinessProbeFailure: Scenario = {
  id: 'readiness_probe_failure',
  reads: ['pods', 'nodes'],
  concerns: ({ unready }) => unready,
  pod(view) {
    const { metadata, status } = view.pod;
    if (status.phase !== 'Running' || metadata.deletionTimestamp !== undefined || conditionOf(view.pod, 'Ready')?.status === 'True') return [];
    return [...containersOf(view).flatMap((container) => unready(view, container)), ...closedGate(view)];
  },
};

function unready(view: PodView, container: ContainerReading): readonly Signal[] {
  const { status, runningSinceMs, kind } = container;
  if (kind === 'init' || kind === 'ephemeral' || status.ready === true || runningSinceMs === undefined || status.started === false) return [];
  if (!hasProbe(container, 'Readiness', view.nowMs)) return [];
  const subject = containerSubject(view, view.pod, container.name);
  const lostMs = lostReadinessMs(view, runningSinceMs);
  const dueTimeMs = unreadyDueMs(view, container, runningSinceMs, lostMs);
  if (isUntold(view, dueTimeMs)) return [untoldSignal({ scenario: 'readiness_probe_failure', track: 'ready', subject, dueTimeMs })];
  const passedBefore = lostMs !== undefined || container.past.everReady;
  const found = findProbeCause(view, container, 'Readiness', view.nowMs, !passedBefore);
  const says = found.output === '' ? '' : `: ${found.output}`;
  const sinceMs = lostMs ?? runningSinceMs;
  return [
    {
      scenario: 'readiness_probe_failure',
      cause: found.cause,
      detail: passedBefore ? 'passed_before' : 'never_passed',
      flags: [],
      confidence: found.confidence,
      subject,
      track: 'ready',
      rank: found.told ? 1 : 0,
      fact: {
        value: 'ready=false',
        timeMs: sinceMs,
        says: `container ${container.name} ${lostMs === undefined ? 'started, and is not ready' : 'is no longer ready'}`,
      },
      dueTimeMs,
      recoverAfterMs: view.thresholds.recoverMs,
      summary: `${subjectText(subject)} runs but ${passedBefore ? 'is no longer' : 'has never been'} ready${says}`,
      evidence: [fieldEvidence(view.pod, `${container.path}.ready`, false, sinceMs), ...found.evidence],
      ...(found.node !== undefined && { shared: { node: found.node } }),
    },
  ];
}

/** undefined while the node does not report: nobody probes, and what the status says is old. */
function unreadyDueMs(view: PodView, container: ContainerReading, runningSinceMs: number, lostMs: number | undefined): number | undefined {
  const node = view.node(view.pod.spec.nodeName ?? '');
  if (node !== undefined && !isNodeReady(node)) return undefined;
  const budgetMs = probeBudgetMs(probeSpec(container, 'Startup')) + probeBudgetMs(probeSpec(container, 'Readiness'));
  const dueMs = (lostMs ?? runningSinceMs + budgetMs) + view.thresholds.readinessMs;
  const story = storiesOf(view).find((each) => each.container.name === container.name);
  return Math.max(dueMs, story?.probationEnd ?? 0, livenessDecidesMs(container, view.nowMs));
}

/** Until when a liveness probe that fails too may still kill the container: that story comes first. */
function livenessDecidesMs(container: ContainerReading, nowMs: number): number {
  const liveness = probeSpec(container, 'Liveness');
  const event = liveness && unhealthyOf(container, 'Liveness', nowMs);
  if (event === undefined || event.lastTimeMs < (container.runningSinceMs ?? 0)) return 0;
  return event.lastTimeMs + probeBudgetMs(liveness);
}

/** All containers are ready and the pod is not: an external controller, such as a load balancer's, has not opened its gate. */
function closedGate(view: PodView): readonly Signal[] {
  const { pod } = view;
  const ready = conditionOf(pod, 'Ready');
  const containers = conditionOf(pod, 'ContainersReady');
  if (ready?.status !== 'False' || ready.reason !== 'ReadinessGatesNotReady' || containers?.status !== 'True') return [];
  const subject = containerSubject(view, pod, '');
  const readyMs = conditionTimeMs(ready) ?? view.history.firstSeenMs;
  const containersMs = conditionTimeMs(containers) ?? readyMs;
  const sinceMs = Math.max(readyMs, containersMs);
  const gates = (pod.spec.readinessGates ?? []).map(({ conditionType }) => conditionType);
  const closed = gates.filter((gate) => conditionOf(pod, gate)?.status !== 'True');
  return [
    {
      scenario: 'readiness_probe_failure',
      cause: 'readiness_gate',
      detail: readyMs > containersMs + SLACK_MS ? 'passed_before' : 'never_passed',
      flags: [],
      confidence: 'certain',
      subject,
      track: 'ready',
      rank: 1,
      fact: { value: 'reason=ReadinessGatesNotReady', timeMs: sinceMs, says: 'its containers are ready, and it is not' },
      dueTimeMs: sinceMs + view.thresholds.readinessMs,
      recoverAfterMs: view.thresholds.recoverMs,
      summary: `the containers of ${subjectText(subject)} are ready, but the readiness gate ${closed.join(', ') || 'of the pod'} is not True`,
      evidence: [
        fieldEvidence(pod, 'status.conditions[Ready].message', ready.message ?? ready.reason, readyMs),
        ...closed.map((gate) => fieldEvidence(pod, `status.conditions[${gate}].status`, conditionOf(pod, gate)?.status ?? 'missing')),
      ],
    },
  ];
}
