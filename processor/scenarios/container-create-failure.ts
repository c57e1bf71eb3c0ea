/*
 * Opens when: a container or its sandbox cannot be created or started, the kubelet refuses it for security, or the API server refuses the pod.
 *   Or nothing is said at all and its containers are not there (cause other).
 * Updates when: the error of the latest attempt means something else; a named cause outranks runtime_error and sandbox_failed.
 * Resolves when: the container started, the sandbox is up, or the controller creates pods again, for recoverMs.
 * Thresholds: createMs since the first failing attempt, failedCreates refusals of a controller, at once for pods that ended by it; ms and count (design §4).
 * Cannot see: what a process did after it started (container_exit), a workload's own RBAC denials (only its log has them), a webhook's reason beyond its text.
 */
import type { Pod } from '../../collector/objects.ts';
import { conditionOf, conditionTimeMs, createdMs, isBound, isNodeReady, isTerminal, timeOf } from './conditions.ts';
import { hookedStartOf } from './container-runs.ts';
import { endedPodOf } from './ended-pod.ts';
import { containerSubject, eventEvidence, fieldEvidence, lastingText, nameOf, shortText, subjectText, tableEvidence } from './evidence.ts';
import { createdBy, failedCreateOf, refusalDueMs } from './failed-create.ts';
import type { ControllerView, PodView, Scenario, Signal } from './scenario.ts';
import type { StartFailure } from './start-failures.ts';
import { isNotYetCreated, startFailuresOf } from './start-failures.ts';
import { coreOf } from './start-messages.ts';
import { isUntold, untoldSignal } from './untold.ts';

export const containerCreateFailure: Scenario = {
  id: 'container_create_failure',
  reads: ['replicasets', 'events'],
  concerns: ({ failed, waits, ran, bound, leaving }) => failed || ((waits || ran) && bound && !leaving),
  pod(view) {
    const failures = startFailuresOf(view);
    const own = failures.flatMap((failure) => (failure.scenario === 'container_create_failure' ? [startSignal(view, failure)] : []));
    return [...own, ...(failures.length === 0 ? silentStart(view) : []), ...refusedByKubelet(view)];
  },
  controller: refusedCreation,
};

const TRACK = 'create';

/** What is said of each cause; the message follows. */
const PHRASES: Readonly<Record<string, string>> = {
  bad_command: 'its command cannot be executed',
  missing_command: 'neither the pod nor the image names a command',
  security_policy: 'a security policy forbids it',
  admission_denied: 'admission denied it',
  rbac_forbidden: 'permission is missing',
  missing_service_account: 'its ServiceAccount does not exist',
  memory_limit_too_low: 'its memory limit is too low to start at all',
  sandbox_failed: 'its sandbox cannot be set up',
  runtime_error: 'the container runtime fails',
};

/** A cause that is only "the runtime said so" gives way to one that is named. */
function rankOf(cause: string): number {
  if (cause === 'other') return 5;
  return cause === 'sandbox_failed' || cause === 'runtime_error' ? 15 : 20;
}

/** Causes that a node can have for several workloads: what is wrong in their specs they do not have from it. */
const OF_NODE: readonly string[] = ['sandbox_failed', 'runtime_error', 'other'];

function startSignal(view: PodView, failure: StartFailure): Signal {
  const { pod, thresholds } = view;
  const { cause, container, text, sinceMs, specific } = failure;
  const subject = containerSubject(view, pod, container);
  const ended = isTerminal(pod);
  return {
    scenario: 'container_create_failure',
    cause,
    detail: '',
    flags: [],
    confidence: specific ? 'certain' : 'likely',
    subject,
    track: TRACK,
    rank: rankOf(cause),
    fact: {
      value: `${cause}${container === '' ? '' : ` ${container}`}`,
      timeMs: sinceMs,
      says: container === '' ? 'it cannot start' : `container ${container} cannot start`,
    },
    dueTimeMs: ended ? sinceMs : sinceMs + thresholds.createMs,
    ...(failure.recheckTimeMs !== undefined && { recheckTimeMs: failure.recheckTimeMs }),
    recoverAfterMs: thresholds.recoverMs,
    summary: `${subjectText(subject)} cannot start: ${PHRASES[cause] ?? 'it cannot be created'}: ${shortText(coreOf(text), 200)}`,
    evidence: failure.evidence,
    shared: { ...(OF_NODE.includes(cause) && { node: pod.spec.nodeName ?? '' }), ...imageAtFault(pod, failure) },
  };
}

/** The image whose own command it is that cannot be started, or that has none. */
function imageAtFault({ spec }: Pod, { cause, container }: StartFailure): { readonly image?: string } {
  const own = [...spec.containers, ...(spec.initContainers ?? [])].find(({ name }) => name === container);
  if (own?.image === undefined || own.command !== undefined || (cause !== 'bad_command' && cause !== 'missing_command')) return {};
  return { image: own.image };
}

/** Containers of a bound pod that are not there, and neither status nor Event says why: the Events have expired, or were never to be had. */
function silentStart(view: PodView): readonly Signal[] {
  const { pod, thresholds } = view;
  if (!isBound(pod) || (pod.status.phase ?? 'Pending') !== 'Pending' || pod.metadata.deletionTimestamp !== undefined || !isNotYetCreated(pod)) return [];
  const node = view.node(pod.spec.nodeName ?? '');
  const nodeFails = node === undefined ? view.inSync('nodes') : !isNodeReady(node);
  const last = view.events.findLast(({ reason }) => KUBELET_STEPS.includes(reason));
  // A pull under way has a rule of its own, and so has a container that its postStart hook holds up.
  if (nodeFails || last?.reason === 'Pulling' || hookedStartOf(view) !== undefined) return [];
  const sinceMs = Math.max(
    last?.lastTimeMs ?? 0,
    timeOf(pod.status.startTime) ?? conditionTimeMs(conditionOf(pod, 'PodScheduled')) ?? createdMs(pod),
    ...(pod.status.initContainerStatuses ?? []).map(({ state }) => timeOf(state?.terminated?.finishedAt) ?? 0),
  );
  const subject = containerSubject(view, pod, '');
  const graceMs = thresholds.initStuckMs * 2;
  const dueTimeMs = sinceMs + graceMs;
  if (isUntold(view, dueTimeMs)) return [untoldSignal({ scenario: 'container_create_failure', track: TRACK, subject, dueTimeMs })];
  const ground = conditionOf(pod, 'PodReadyToStartContainers')?.status ?? 'unknown';
  const volumes = (pod.spec.volumes ?? []).filter(({ projected }) => projected === undefined).map(({ name }) => name);
  return [
    {
      scenario: 'container_create_failure',
      cause: 'other',
      detail: '',
      flags: [],
      confidence: 'guess',
      subject,
      track: TRACK,
      rank: 0,
      fact: { value: 'containers awaited', timeMs: sinceMs, says: 'its containers are not created' },
      dueTimeMs,
      awaits: true,
      recoverAfterMs: thresholds.recoverMs,
      summary: `containers of ${subjectText(subject)} are not created ${lastingText(view.nowMs, sinceMs, graceMs)}, and no Event says why`,
      evidence: [
        fieldEvidence(pod, 'status.conditions[PodReadyToStartContainers].status', ground, sinceMs),
        ...(ground !== 'True' && volumes.length > 0 ? [tableEvidence(pod, 'volumes that may be awaited', volumes.join(', '))] : []),
      ],
      shared: { node: pod.spec.nodeName ?? '' },
    },
  ];
}

/** Steps of a start that the kubelet tells. */
const KUBELET_STEPS: readonly string[] = ['Pulling', 'Pulled', 'Created', 'Failed', 'BackOff'];

/** Kubelet admission on grounds of security: the pod ends at once and nothing of it is ever created (signals.md §15). */
const SECURITY_REASONS: readonly string[] = ['AppArmor', 'SysctlForbidden'];

function refusedByKubelet(view: PodView): readonly Signal[] {
  const { pod, thresholds } = view;
  const { phase, reason = '', message = '' } = pod.status;
  if (phase !== 'Failed' || !SECURITY_REASONS.includes(reason)) return [];
  const event = view.events.find((candidate) => candidate.reason === reason);
  const sinceMs = event?.firstTimeMs ?? timeOf(pod.status.startTime) ?? createdMs(pod);
  const ended = endedPodOf(view, pod, sinceMs);
  if (!ended.stands) return [];
  const subject = containerSubject(view, pod, '');
  return [
    {
      scenario: 'container_create_failure',
      cause: 'security_policy',
      detail: '',
      flags: [],
      confidence: 'certain',
      subject,
      track: TRACK,
      rank: 20,
      fact: { value: `status.reason=${reason}`, timeMs: sinceMs, says: `refused by the kubelet: ${reason}` },
      dueTimeMs: sinceMs,
      recheckTimeMs: ended.recheckTimeMs,
      recoverAfterMs: thresholds.recoverMs,
      summary: `${subjectText(subject)}: the kubelet refused a pod for security: ${reason}: ${shortText(message)}`,
      evidence: [fieldEvidence(pod, 'status.reason', reason, sinceMs), fieldEvidence(pod, 'status.message', message)],
      shared: { node: pod.spec.nodeName ?? '' },
    },
  ];
}

/** The API server refuses the pods of a controller, so that there is no pod to judge. */
function refusedCreation(view: ControllerView): readonly Signal[] {
  const failed = failedCreateOf(view);
  if (failed?.scenario !== 'container_create_failure') return [];
  const { controller, thresholds } = view;
  const { kind, namespace, name } = view.workloadOf(controller);
  const subject = { kind, namespace, name, container: '' };
  const { condition } = failed;
  return [
    {
      scenario: 'container_create_failure',
      cause: failed.cause,
      detail: failed.detail,
      flags: [],
      confidence: failed.cause === 'other' ? 'likely' : 'certain',
      subject,
      track: TRACK,
      rank: rankOf(failed.cause),
      fact: { value: `FailedCreate ${nameOf(controller)}`, timeMs: failed.sinceMs, says: `its ${createdBy(controller)} are refused` },
      dueTimeMs: refusalDueMs(view, failed),
      recoverAfterMs: thresholds.recoverMs,
      summary: `${subjectText(subject)}: ${createdBy(controller)} are not created: ${PHRASES[failed.cause] ?? 'the API server refuses'}: ${shortText(failed.message, 200)}`,
      evidence: [
        ...(condition === undefined ? [] : [fieldEvidence(controller, `status.conditions[${condition.type}]`, condition.message ?? '', failed.sinceMs)]),
        ...(failed.event === undefined ? [] : [eventEvidence(controller, failed.event)]),
      ],
    },
  ];
}
