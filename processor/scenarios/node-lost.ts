/*
 * Opens when: a node that holds pods is not ready, shuts down, or is gone from the cluster while pods are still bound to it. An empty
 *   one takes nothing with it: nothing opens.
 * Updates when: the reason becomes clearer; a shutdown outranks unreachable and not ready, a deleted node outranks all.
 * Resolves when: the node is ready again for recoverMs; that its pods were moved away meanwhile is no recovery. Deletion of the node
 *   ends its own story.
 * Thresholds: nodeNotReadyMs past the Ready transition; a node that never was ready has scaleUpMs from its creation; ms (design §4).
 * Cannot see: whether the pods of an unreachable node still run; when a deleted node was deleted.
 */
import type { Condition, Node, Pod } from '../../collector/objects.ts';
import { conditionOf, conditionTimeMs, createdMs, isBound, isNodeBound, isTerminal, isUnreported, timeOf } from './conditions.ts';
import { eventEvidence, fieldEvidence, nameOf, shortText, tableEvidence } from './evidence.ts';
import type { Confidence, Evidence, NodeView, PodView, Scenario, SeenEvent, Signal } from './scenario.ts';

export const nodeLost: Scenario = {
  id: 'node_lost',
  reads: ['nodes', 'events'],
  node: nodeSignals,
  concerns: ({ failed, bound, onNode }) => failed || (bound && !onNode),
  pod: podSignals,
};

type Cause = 'node_unreachable' | 'node_not_ready' | 'node_shutdown' | 'node_deleted';

const RANKS: Readonly<Record<Cause, number>> = { node_unreachable: 20, node_not_ready: 20, node_shutdown: 30, node_deleted: 40 };
const PHRASES: Readonly<Record<Cause, string>> = {
  node_unreachable: 'is unreachable',
  node_not_ready: 'is not ready',
  node_shutdown: 'shuts down or was shut down',
  node_deleted: 'is gone',
};

interface Finding {
  readonly cause: Cause;
  readonly confidence: Confidence;
  readonly fact: Signal['fact'];
  readonly dueTimeMs: number | undefined;
  readonly why: string;
  readonly evidence: readonly Evidence[];
}

function signalOf(view: NodeView | PodView, node: string, { cause, confidence, fact, dueTimeMs, why, evidence }: Finding): Signal {
  return {
    scenario: 'node_lost',
    cause,
    detail: '',
    flags: [],
    confidence,
    subject: { kind: 'Node', namespace: '', name: node, container: '' },
    track: 'node',
    rank: RANKS[cause],
    fact,
    dueTimeMs,
    recoverAfterMs: view.thresholds.recoverMs,
    summary: `Node ${node} ${PHRASES[cause]}: ${why}`,
    evidence,
    shared: { node },
  };
}

/** Judged by the Ready condition: Unknown is written by the node controller when heartbeats stop, False by a kubelet that is unwell. */
function nodeSignals(view: NodeView): readonly Signal[] {
  const node = view.subjectNode;
  const ready = conditionOf(node, 'Ready');
  if (ready === undefined || ready.status === 'True' || node.metadata.deletionTimestamp !== undefined) return [];
  const bound = [...view.podsOnNode(node.metadata.name)].filter((pod) => !isTerminal(pod));
  const loses = bound.filter((pod) => !isNodeBound(pod));
  // No pod is lost with an empty node, nor with one that was drained or is being scaled down and holds only its daemons: that opens
  // nothing, and ends nothing that was opened before.
  const losesNothing = bound.length === 0 || (loses.length === 0 && isLeaving(node));
  const sinceMs = conditionTimeMs(ready) ?? createdNodeMs(node);
  const shutdown = shutdownEvidence(view, sinceMs);
  const cause: Cause =
    shutdown.length > 0 || /shutting down/i.test(ready.message ?? '') ? 'node_shutdown' : ready.status === 'Unknown' ? 'node_unreachable' : 'node_not_ready';
  const pods = bound.length === 0 ? 'no pod is bound to it' : `${bound.length} ${bound.length === 1 ? 'pod is' : 'pods are'} bound to it`;
  return [
    signalOf(view, node.metadata.name, {
      cause,
      confidence: 'certain',
      fact: { value: `Ready=${ready.status}`, timeMs: sinceMs, says: `Ready turned ${ready.status}` },
      dueTimeMs: losesNothing
        ? undefined
        : wasNeverReady(node, ready)
          ? createdNodeMs(node) + view.thresholds.scaleUpMs
          : sinceMs + view.thresholds.nodeNotReadyMs,
      why: `${shortText(ready.message ?? ready.reason ?? '')}; ${pods}`,
      evidence: [
        fieldEvidence(node, 'status.conditions[Ready]', `${ready.status}: ${ready.reason ?? ''}: ${ready.message ?? ''}`, sinceMs),
        ...shutdown,
        tableEvidence(node, 'pods bound', bound.length),
        ...(loses.length === bound.length ? [] : [tableEvidence(node, 'of these DaemonSet and static pods', bound.length - loses.length)]),
      ],
    }),
  ];
}

function createdNodeMs(node: Node): number {
  return timeOf(node.metadata.creationTimestamp) ?? 0;
}

/** A condition that took its status this soon after the node's creation has had no other: the kubelet registers not ready. */
const REGISTRATION_MS = 10_000;

/** A node that is still joining: its network plugin or first heartbeat is awaited, and nothing was lost with it. */
function wasNeverReady(node: Node, ready: Condition): boolean {
  if (ready.reason === 'NodeStatusNeverUpdated') return true;
  const changedMs = conditionTimeMs(ready);
  return changedMs !== undefined && changedMs <= createdNodeMs(node) + REGISTRATION_MS;
}

/** Cordoned, or marked by an autoscaler: cluster-autoscaler's taint, Karpenter's of v1 and before. */
function isLeaving(node: Node): boolean {
  return (
    node.spec.unschedulable === true ||
    (node.spec.taints ?? []).some(({ key }) => key === 'ToBeDeletedByClusterAutoscaler' || key.startsWith('karpenter.sh/disrupt'))
  );
}

/** Taints by which a cloud or an operator says that the machine is off: kubernetes.io well-known taints. */
const OFF_TAINTS: readonly string[] = ['node.cloudprovider.kubernetes.io/shutdown'];
/**
 * The kubelet's shutdown manager (1.23), and notices of a machine that is taken away: node-problem-detector's and AKS' scheduled events,
 * aws-node-termination-handler, Karpenter's interruption controller.
 */
const SHUTDOWN_REASONS: readonly string[] = [
  'Shutdown',
  'NodeShutdown',
  'PreemptScheduled',
  'TerminateScheduled',
  'RebootScheduled',
  'RedeployScheduled',
  'SpotInterruption',
  'SpotInterrupted',
  'ScheduledEvent',
  'ASGLifecycle',
  'StateChange',
  'InstanceStopping',
  'InstanceTerminating',
  'TerminatingOnInterruption',
  'DeletingNode',
];
/** A notice belongs to the loss that follows within this time, ms: clouds give 30 s to 15 min of notice. */
const NOTICE_MS = 900_000;

function shutdownEvidence(view: NodeView, sinceMs: number): readonly Evidence[] {
  const node = view.subjectNode;
  const taint = (node.spec.taints ?? []).find(
    ({ key, value }) => OFF_TAINTS.includes(key) || (key === 'node.kubernetes.io/out-of-service' && value === 'nodeshutdown'),
  );
  const notice = view.events.find((event) => SHUTDOWN_REASONS.includes(event.reason) && event.lastTimeMs >= sinceMs - NOTICE_MS);
  const ended = [...view.podsOnNode(node.metadata.name)].find((pod) => isShutDown(pod) && endOf(pod) >= sinceMs - NOTICE_MS);
  return [
    ...(taint === undefined ? [] : [fieldEvidence(node, 'spec.taints', taint.value ? `${taint.key}=${taint.value}` : taint.key)]),
    ...(notice === undefined ? [] : [eventEvidence(node, notice)]),
    ...(ended === undefined ? [] : [fieldEvidence(ended, 'status.reason', ended.status.reason ?? '', endOf(ended))]),
  ];
}

/** Ended or refused by a kubelet that shuts down: Terminated and NodeShutdown since 1.22, Shutdown before (signals.md §14). */
function isShutDown({ status }: Pod): boolean {
  const { phase, reason = '', message = '' } = status;
  if (phase !== 'Failed') return false;
  return reason === 'NodeShutdown' || reason === 'Shutdown' || (reason === 'Terminated' && /shutdown|shutting/i.test(message));
}

function endOf(pod: Pod): number {
  const times = [conditionOf(pod, 'DisruptionTarget'), conditionOf(pod, 'Ready')].map((condition) => conditionTimeMs(condition) ?? 0);
  const finished = (pod.status.containerStatuses ?? []).map(({ state }) => timeOf(state?.terminated?.finishedAt) ?? 0);
  return Math.max(0, ...times, ...finished) || createdMs(pod);
}

/** What only pods show: a node that is gone, and, where nodes may not be read, one that must be lost. */
function podSignals(view: PodView): readonly Signal[] {
  const { pod } = view;
  if (!isBound(pod)) return [];
  const name = pod.spec.nodeName ?? '';
  const node = view.node(name);
  const known = view.inSync('nodes');
  if (isShutDown(pod)) return node === undefined || !known ? [signalOf(view, name, shutDownFinding(pod))] : [];
  if (node !== undefined) return [];
  if (isCollected(pod)) return deletedSignals(view, name);
  if (known) return isTerminal(pod) ? [] : deletedSignals(view, name);
  const finding = lostByItsPod(pod, view.events);
  return finding === undefined ? [] : [signalOf(view, name, finding)];
}

function shutDownFinding(pod: Pod): Finding {
  const timeMs = endOf(pod);
  const evidence = [fieldEvidence(pod, 'status.reason', pod.status.reason ?? '', timeMs), fieldEvidence(pod, 'status.message', pod.status.message ?? '')];
  return {
    cause: 'node_shutdown',
    confidence: 'certain',
    fact: { value: `status.reason=${pod.status.reason}`, timeMs, says: 'ended with its node' },
    dueTimeMs: timeMs,
    why: shortText(pod.status.message ?? ''),
    evidence,
  };
}

/** Failed by the garbage collector because its node is gone. */
function isCollected(pod: Pod): boolean {
  const target = conditionOf(pod, 'DisruptionTarget');
  return target?.status === 'True' && target.reason === 'DeletionByPodGC' && /node no longer exists/i.test(target.message ?? '');
}

/** Watches of pods and nodes are not ordered: a pod may be seen on a new node before the node itself, so it must have been bound a while. */
const WATCH_SKEW_MS = 60_000;

function deletedSignals(view: PodView, name: string): readonly Signal[] {
  const { pod, nowMs } = view;
  if (isNodeBound(pod)) return [];
  const collected = isCollected(pod) ? conditionOf(pod, 'DisruptionTarget') : undefined;
  const boundMs = Math.max(conditionTimeMs(conditionOf(pod, 'PodScheduled')) ?? createdMs(pod), 0);
  // Nothing dates the removal of a node but what it leaves behind, so the observed time stands in.
  const timeMs = conditionTimeMs(collected) ?? nowMs;
  const evidence = [
    ...(view.inSync('nodes') ? [tableEvidence(pod, `nodes named ${name}`, 0)] : []),
    fieldEvidence(pod, 'spec.nodeName', name),
    ...(collected === undefined ? [] : [fieldEvidence(pod, 'status.conditions[DisruptionTarget]', `${collected.reason}: ${collected.message ?? ''}`, timeMs)]),
  ];
  const finding: Finding = {
    cause: 'node_deleted',
    confidence: 'certain',
    fact: { value: 'Node absent', timeMs, says: `its node ${name} is not there any more` },
    dueTimeMs: boundMs + WATCH_SKEW_MS,
    why: `${nameOf(pod)} is still bound to it`,
    evidence,
  };
  return [signalOf(view, name, finding)];
}

/**
 * Without the node: a pod that the node controller marked says that nobody reports for it. Before 1.27 it could write NodeLost.
 */
export function lostByItsPod(pod: Pod, events: readonly SeenEvent[]): Finding | undefined {
  const ready = conditionOf(pod, 'Ready');
  const notice = events.filter(({ reason }) => reason === 'NodeNotReady').at(-1);
  const legacy = pod.status.reason === 'NodeLost' || pod.status.phase === 'Unknown';
  const contradicts = isUnreported(pod);
  if (!legacy && !contradicts) return undefined;
  const timeMs = conditionTimeMs(ready) ?? notice?.firstTimeMs ?? createdMs(pod);
  const evidence = [
    ...(legacy ? [fieldEvidence(pod, 'status.reason', pod.status.reason ?? pod.status.phase ?? '')] : []),
    ...(contradicts ? [fieldEvidence(pod, 'status.conditions[Ready]', 'False, while ContainersReady is True', timeMs)] : []),
    ...(notice === undefined ? [] : [eventEvidence(pod, notice)]),
  ];
  const confidence = legacy || notice !== undefined ? 'likely' : 'guess';
  return {
    cause: 'node_unreachable',
    confidence,
    fact: { value: 'Ready=False', timeMs, says: 'nobody reports for it any more' },
    dueTimeMs: timeMs,
    why: `nobody reports for ${nameOf(pod)} any more`,
    evidence,
  };
}
