/*
 * Opens when: a pod outlives its deletion timestamp, or a container used up a whole long grace and had to be killed.
 * Updates when: what holds it changes (the containers ended and a finalizer is left, the node is lost); node_failure outranks the rest.
 * Resolves when: the pod is gone.
 * Thresholds: terminatingMs past metadata.deletionTimestamp, which includes the grace period; ignored_signal at once from a grace of 60 s on (design §4).
 * Cannot see: unmounts that hang (the kubelet only logs them), processes in uninterruptible sleep, containers that outlive a forced deletion.
 */
import type { ContainerStatus, Node, PersistentVolumeClaim, Pod } from '../../collector/objects.ts';
import { conditionOf, conditionTimeMs, isBound, isNodeReady, isTerminal, isUnreported, timeOf } from './conditions.ts';
import { containerSubject, durationText, eventEvidence, fieldEvidence, nameOf, subjectText, tableEvidence } from './evidence.ts';
import type { Confidence, Evidence, PodView, Scenario, SeenEvent, Signal } from './scenario.ts';
import { isUntold, untoldSignal } from './untold.ts';

export const stuckTerminating: Scenario = {
  id: 'stuck_terminating',
  reads: ['nodes', 'events'],
  concerns: ({ leaving }) => leaving,
  pod(view) {
    const deletionMs = timeOf(view.pod.metadata.deletionTimestamp);
    if (deletionMs === undefined) return [];
    const ignored = ignoredSignals(view, deletionMs);
    return view.isGone === true ? ignored : [stuckSignal(view, deletionMs), ...ignored];
  },
};

const TRACK = 'terminate';

interface Hold {
  readonly cause: 'finalizer' | 'kill_failed' | 'node_failure' | 'volume_detach' | 'other';
  readonly confidence: Confidence;
  readonly why: string;
  readonly evidence: readonly Evidence[];
  readonly claim?: string;
}

const RANKS: Readonly<Record<Hold['cause'], number>> = { node_failure: 30, finalizer: 20, kill_failed: 20, volume_detach: 15, other: 5 };

function stuckSignal(view: PodView, deletionMs: number): Signal {
  const { pod, thresholds } = view;
  const subject = containerSubject(view, pod, '');
  const dueTimeMs = deletionMs + thresholds.terminatingMs;
  if (isUntold(view, dueTimeMs)) return untoldSignal({ scenario: 'stuck_terminating', track: TRACK, subject, dueTimeMs });
  const hold = holdOf(view);
  return {
    scenario: 'stuck_terminating',
    cause: hold.cause,
    detail: '',
    flags: [],
    confidence: hold.confidence,
    subject,
    track: TRACK,
    rank: RANKS[hold.cause],
    fact: { value: 'deletionTimestamp', timeMs: deletionMs, says: 'the grace of its deletion is over' },
    dueTimeMs,
    awaits: true,
    recoverAfterMs: thresholds.recoverMs,
    summary: `${nameOf(pod)}${subject.kind === 'Pod' ? '' : ` of ${subjectText(subject)}`} ${view.nowMs < dueTimeMs ? 'is being deleted' : 'does not go away'}: ${hold.why}`,
    evidence: [fieldEvidence(pod, 'metadata.deletionTimestamp', pod.metadata.deletionTimestamp ?? '', deletionMs), ...hold.evidence],
    shared: { ...(hold.cause === 'node_failure' && { node: pod.spec.nodeName ?? '' }), ...(hold.claim !== undefined && { claim: hold.claim }) },
  };
}

/** The kubelet tries again, and says so, at least this often, ms: its back-off between syncs of a pod ends at 5 min. */
const KILL_RETRY_MS = 300_000;

/** What holds the pod, in the order in which its end proceeds: the kubelet stops containers, tears down volumes, then finalizers count. */
function holdOf(view: PodView): Hold {
  const { pod, events } = view;
  const alive = statusesOf(pod).filter(({ state }) => state?.running !== undefined);
  const waiting = statusesOf(pod).filter(({ state }) => state?.terminated === undefined && state?.running === undefined);
  // A pod whose node never said a word of it has no statuses at all.
  const ended = isTerminal(pod) || (statusesOf(pod).length > 0 && alive.length === 0 && waiting.length === 0);
  if (isBound(pod) && !ended) {
    const lost = lostNode(view);
    if (lost !== undefined) return lost;
  }
  const killFailed = events.filter(({ reason }) => reason === 'FailedKillPod' || reason === 'ExceededGracePeriod').at(-1);
  if (alive.length > 0) return killFailedHold(view, alive, killFailed);
  // The kubelet still tries to tear the sandbox down: nobody is asked for the finalizers before that.
  if (killFailed !== undefined && !isTerminal(pod) && view.nowMs - killFailed.lastTimeMs <= KILL_RETRY_MS) return killFailedHold(view, [], killFailed);
  const finalizers = pod.metadata.finalizers ?? [];
  if (finalizers.length > 0) {
    return {
      cause: 'finalizer',
      confidence: 'certain',
      why: `finalizer ${finalizers.join(', ')} is not removed`,
      evidence: [fieldEvidence(pod, 'metadata.finalizers', finalizers.join(', '))],
    };
  }
  if (killFailed !== undefined) return killFailedHold(view, [], killFailed);
  return isBound(pod) && ended ? volumeHold(view) : otherHold(view, waiting);
}

function statusesOf({ status }: Pod): readonly ContainerStatus[] {
  return [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])];
}

/** Nobody on the node can stop the containers; their statuses are frozen as they were last reported. */
function lostNode(view: PodView): Hold | undefined {
  const { pod } = view;
  const name = pod.spec.nodeName ?? '';
  const node = view.node(name);
  if (node !== undefined) return isNodeReady(node) ? undefined : nodeHold(`node ${name} is not ready`, 'certain', nodeEvidence(node));
  if (view.inSync('nodes')) return nodeHold(`node ${name} is gone`, 'certain', [tableEvidence(pod, `nodes named ${name}`, 0)]);
  const notice = view.events.filter(({ reason }) => reason === 'NodeNotReady').at(-1);
  if (notice === undefined && !isUnreported(pod) && pod.status.reason !== 'NodeLost') return undefined;
  return nodeHold(`nobody reports for it from node ${name}`, 'likely', notice === undefined ? [] : [eventEvidence(pod, notice)]);
}

function nodeHold(why: string, confidence: Confidence, evidence: readonly Evidence[]): Hold {
  return { cause: 'node_failure', confidence, why, evidence };
}

function nodeEvidence(node: Node): readonly Evidence[] {
  const ready = conditionOf(node, 'Ready');
  return [fieldEvidence(node, 'status.conditions[Ready]', `${ready?.status ?? 'absent'}: ${ready?.message ?? ''}`, conditionTimeMs(ready))];
}

function killFailedHold(view: PodView, alive: readonly ContainerStatus[], failed: SeenEvent | undefined): Hold {
  const killing = view.events.filter(({ reason }) => reason === 'Killing').at(-1);
  const names = alive.map(({ name }) => name).join(', ');
  const isOver = view.nowMs >= (timeOf(view.pod.metadata.deletionTimestamp) ?? 0);
  return {
    cause: 'kill_failed',
    confidence: failed === undefined ? 'likely' : 'certain',
    why: names === '' ? 'its sandbox cannot be torn down' : `container ${names} still runs${isOver ? ' after its grace period' : ''}`,
    evidence: [
      ...alive.map(({ name, state }) => fieldEvidence(view.pod, `status.containerStatuses[${name}].state.running.startedAt`, state?.running?.startedAt ?? '')),
      ...(failed === undefined ? [] : [eventEvidence(view.pod, failed)]),
      ...(killing === undefined ? [] : [eventEvidence(view.pod, killing)]),
    ],
  };
}

/** All containers ended, nothing waits for it in the API: the kubelet is still unmounting, which no Event tells (signals.md §12b). */
function volumeHold(view: PodView): Hold {
  const { pod } = view;
  const claims = (pod.spec.volumes ?? []).flatMap(({ persistentVolumeClaim }) => persistentVolumeClaim?.claimName ?? []);
  const used = claims.map((claim) => ({ claim, volume: volumeOf(view, claim) }));
  const inUse = view.node(pod.spec.nodeName ?? '')?.status.volumesInUse ?? [];
  const held = used.find(({ volume }) => volume !== undefined && inUse.some((name) => name.includes(volume)));
  const said = view.events.filter(({ reason, note }) => /unmount|detach/i.test(`${reason} ${note}`)).at(-1);
  const mounts = (pod.spec.volumes ?? []).some((volume) => volume.projected === undefined && volume.configMap === undefined && volume.secret === undefined);
  if (held === undefined && said === undefined && !mounts) return otherHold(view, []);
  return {
    cause: 'volume_detach',
    confidence: held !== undefined || said !== undefined ? 'certain' : 'likely',
    why: 'its containers ended and its volumes are still in use on the node',
    evidence: [
      ...(held?.volume === undefined ? [] : [tableEvidence(pod, `status.volumesInUse of node ${pod.spec.nodeName ?? ''}`, held.volume)]),
      ...(said === undefined ? [] : [eventEvidence(pod, said)]),
    ],
    ...(claims.length > 0 && { claim: `${pod.metadata.namespace}/${held?.claim ?? claims[0]}` }),
  };
}

function volumeOf(view: PodView, claim: string): string | undefined {
  return (view.object('persistentvolumeclaims', view.pod.metadata.namespace, claim) as PersistentVolumeClaim | undefined)?.spec.volumeName;
}

/** Never started: the kubelet is busy with a pull or a mount that it does not interrupt. */
function otherHold(view: PodView, waiting: readonly ContainerStatus[]): Hold {
  const last = view.events.filter(({ component }) => component === 'kubelet').at(-1);
  const why = waiting.length > 0 ? `container ${waiting.map(({ name }) => name).join(', ')} is still being created` : 'nothing that the API shows holds it';
  return { cause: 'other', confidence: 'guess', why, evidence: last === undefined ? [] : [eventEvidence(view.pod, last)] };
}

/** A shorter grace that is used up is a matter of taste, ms (design §4). */
const LONG_GRACE_MS = 60_000;
/** Times of a status have whole seconds, and the runtime needs some to report. */
const SLACK_MS = 2_000;
/** A kill this long after the grace was not the end of the grace: the node was away. */
const LATE_MS = 30_000;

/** Containers that did nothing on SIGTERM for a whole grace and ended by SIGKILL. */
function ignoredSignals(view: PodView, deletionMs: number): readonly Signal[] {
  const { pod, thresholds } = view;
  return (pod.status.containerStatuses ?? []).flatMap((status) => {
    const end = status.state?.terminated;
    const finishedMs = timeOf(end?.finishedAt);
    if (end?.exitCode !== 137 || end.reason !== 'Error' || finishedMs === undefined) return [];
    const { requestMs, graceMs } = graceOf(view, deletionMs, status.name);
    const usedMs = finishedMs - requestMs;
    if (graceMs < LONG_GRACE_MS || usedMs < graceMs - SLACK_MS || usedMs > graceMs + LATE_MS) return [];
    // The hook that never returned is at fault, and lifecycle_hook_failure says so.
    if (view.events.some(({ reason, fieldPath }) => reason === 'FailedPreStopHook' && fieldPath.endsWith(`{${status.name}}`))) return [];
    const hook = pod.spec.containers.find(({ name }) => name === status.name)?.lifecycle?.preStop;
    const subject = containerSubject(view, pod, status.name);
    return [
      {
        scenario: 'stuck_terminating',
        cause: 'ignored_signal',
        detail: '',
        flags: [],
        confidence: hook === undefined ? 'certain' : 'likely',
        subject,
        track: TRACK,
        rank: 10,
        fact: { value: 'exitCode=137', timeMs: finishedMs, says: `container ${status.name} is ended by SIGKILL` },
        dueTimeMs: finishedMs,
        // The next pod of an ordered scale-down or rollout takes as long to end.
        recoverAfterMs: thresholds.recoverMs + graceMs,
        summary: `${subjectText(subject)} ignored SIGTERM for its whole grace of ${durationText(graceMs)} and was killed`,
        evidence: [
          fieldEvidence(pod, 'spec.terminationGracePeriodSeconds', graceMs / 1_000),
          fieldEvidence(pod, `status.containerStatuses[${status.name}].state.terminated.exitCode`, 137, finishedMs),
        ],
      } satisfies Signal,
    ];
  });
}

/**
 * When the deletion was asked for and with how much grace. The deletion timestamp includes the grace; at the very end the kubelet
 * sets both anew with a grace of 0 (signals.md §12b), and then only the Killing Event dates the request.
 */
function graceOf(view: PodView, deletionMs: number, container: string): { readonly requestMs: number; readonly graceMs: number } {
  const { metadata, spec } = view.pod;
  const asked = metadata.deletionGracePeriodSeconds ?? 0;
  if (asked > 0) return { requestMs: deletionMs - asked * 1_000, graceMs: asked * 1_000 };
  const killing = view.events.find(({ reason, fieldPath }) => reason === 'Killing' && fieldPath.endsWith(`{${container}}`));
  const graceMs = (spec.terminationGracePeriodSeconds ?? 30) * 1_000;
  return { requestMs: killing?.firstTimeMs ?? Number.POSITIVE_INFINITY, graceMs };
}
