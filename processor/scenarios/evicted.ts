/*
 * Opens when: the kubelet evicted a pod (or refused it again) for pressure or a local-storage limit, or a NoExecute taint of a living node deletes it.
 * Updates when: another pod of the workload is evicted; pressure outranks a taint.
 * Resolves when: a successor is ready or the workload has all its replicas, for recoverMs; a deleted pod's part ends with it.
 * Thresholds: none, an eviction is one at once.
 * Cannot see: usage at that moment beyond what the message says; evictions of pods whose object was deleted before it was seen.
 */
import { conditionOf, conditionTimeMs, createdMs, isNodeReady, timeOf } from './conditions.ts';
import { disruptionOf } from './disruption.ts';
import { endedPodOf } from './ended-pod.ts';
import { lostByItsPod } from './node-lost.ts';
import { containerSubject, eventEvidence, fieldEvidence, shortText, subjectText } from './evidence.ts';
import type { Evidence, PodView, Scenario, Signal } from './scenario.ts';

export const evicted: Scenario = {
  id: 'evicted',
  reads: ['nodes', 'events'],
  concerns: ({ failed, leaving }) => failed || leaving,
  pod: (view) => (view.pod.status.reason === 'Evicted' ? evictedByKubelet(view) : evictedByTaint(view)),
};

type Cause = 'memory_pressure' | 'disk_pressure' | 'ephemeral_limit' | 'pid_pressure' | 'taint_eviction' | 'other';

/**
 * pkg/kubelet/eviction: what was exceeded comes before what the node ran out of, since a limit's message names a volume or container
 * and never the node; up to 1.25 the resource is named alone, before 1.12 as [DiskPressure] or nodefs (signals.md §13).
 */
const CAUSES: readonly (readonly [RegExp, Cause])[] = [
  [/local ephemeral storage (?:limit|usage)|exceeds the (?:total )?limit|emptydir volume/i, 'ephemeral_limit'],
  [/low on (?:resource: )?\[?(?:memory|allocatablememory)|condition: \[[^\]]*MemoryPressure|\[MemoryPressure/i, 'memory_pressure'],
  [/low on (?:resource: )?\[?(?:ephemeral-storage|inodes|nodefs|imagefs|containerfs|disk)|condition: \[[^\]]*DiskPressure|\[DiskPressure/i, 'disk_pressure'],
  [/low on (?:resource: )?\[?pids?|condition: \[[^\]]*PIDPressure|\[PIDPressure/i, 'pid_pressure'],
];

/** Why the kubelet evicted, by its message. */
export function evictionCause(message: string): Cause {
  return CAUSES.find(([pattern]) => pattern.test(message))?.[1] ?? 'other';
}

const PHRASES: Readonly<Record<Cause, string>> = {
  memory_pressure: 'the node ran out of memory',
  disk_pressure: 'the node ran out of disk space',
  pid_pressure: 'the node ran out of process ids',
  ephemeral_limit: 'it exceeded its limit of local storage',
  taint_eviction: 'a NoExecute taint that it does not tolerate',
  other: 'the kubelet evicted it',
};

function evictedByKubelet(view: PodView): readonly Signal[] {
  const { pod } = view;
  if (pod.status.phase !== 'Failed') return [];
  const event = view.events.find(({ reason }) => reason === 'Evicted');
  const message = pod.status.message || (event?.note ?? '');
  const cause = evictionCause(message);
  const target = conditionOf(pod, 'DisruptionTarget');
  const finished = (pod.status.containerStatuses ?? []).flatMap(({ state }) => timeOf(state?.terminated?.finishedAt) ?? []);
  const sinceMs = conditionTimeMs(target) ?? event?.firstTimeMs ?? (Math.max(0, ...finished) || conditionTimeMs(conditionOf(pod, 'Ready'))) ?? createdMs(pod);
  const ended = endedPodOf(view, pod, sinceMs);
  if (!ended.stands) return [];
  const evidence = [
    fieldEvidence(pod, 'status.reason', 'Evicted', sinceMs),
    fieldEvidence(pod, 'status.message', message.trim()),
    ...pressureEvidence(view, cause),
  ];
  return [signalOf(view, cause, { value: 'status.reason=Evicted', timeMs: sinceMs, says: 'evicted by the kubelet' }, message, evidence, ended.recheckTimeMs)];
}

const CONDITION_OF: Readonly<Partial<Record<Cause, string>>> = {
  memory_pressure: 'MemoryPressure',
  disk_pressure: 'DiskPressure',
  pid_pressure: 'PIDPressure',
};

/** What the node says of the same while it lasts. */
function pressureEvidence(view: PodView, cause: Cause): readonly Evidence[] {
  const type = CONDITION_OF[cause];
  const node = view.node(view.pod.spec.nodeName ?? '');
  const condition = node === undefined || type === undefined ? undefined : conditionOf(node, type);
  // Pressure is over minutes later; what it says then would read as a contradiction.
  if (node === undefined || condition?.status !== 'True') return [];
  return [fieldEvidence(node, `status.conditions[${condition.type}]`, condition.status, conditionTimeMs(condition))];
}

/**
 * Deleted by the taint manager. On a node that is not ready this is a consequence of the lost node, which node_lost tells; on a
 * living one somebody reserved or retired it.
 */
function evictedByTaint(view: PodView): readonly Signal[] {
  const { pod } = view;
  const disruption = disruptionOf(pod, view.events);
  if (disruption?.reason !== 'DeletionByTaintManager') return [];
  const node = view.node(pod.spec.nodeName ?? '');
  if (node === undefined ? view.inSync('nodes') || lostByItsPod(pod, view.events) !== undefined : !isNodeReady(node)) return [];
  const taints = (node?.spec.taints ?? []).filter(({ effect }) => effect === 'NoExecute').map(({ key, value }) => (value ? `${key}=${value}` : key));
  const event = view.events.find(({ reason }) => reason === 'TaintManagerEviction');
  const evidence = [
    ...(conditionOf(pod, 'DisruptionTarget') === undefined
      ? []
      : [fieldEvidence(pod, 'status.conditions[DisruptionTarget]', `${disruption.reason}: ${disruption.message}`, disruption.timeMs)]),
    ...(event === undefined ? [] : [eventEvidence(pod, event)]),
    ...(node === undefined || taints.length === 0 ? [] : [fieldEvidence(node, 'spec.taints', `${taints.join(', ')} (NoExecute)`)]),
  ];
  return [
    signalOf(
      view,
      'taint_eviction',
      { value: 'DeletionByTaintManager', timeMs: disruption.timeMs, says: 'evicted because of a taint' },
      taints.join(', '),
      evidence,
    ),
  ];
}

function signalOf(view: PodView, cause: Cause, fact: Signal['fact'], said: string, evidence: readonly Evidence[], recheckTimeMs?: number): Signal {
  const { pod, thresholds } = view;
  const subject = containerSubject(view, pod, '');
  const node = pod.spec.nodeName ?? '';
  return {
    scenario: 'evicted',
    cause,
    detail: '',
    flags: [],
    confidence: cause === 'other' || (cause === 'taint_eviction' && view.node(node) === undefined) ? 'likely' : 'certain',
    subject,
    track: 'evict',
    rank: cause === 'taint_eviction' || cause === 'other' ? 10 : 20,
    fact,
    dueTimeMs: fact.timeMs,
    ...(recheckTimeMs !== undefined && { recheckTimeMs }),
    recoverAfterMs: thresholds.recoverMs,
    summary: `${subjectText(subject)}: a pod was evicted from node ${node}: ${PHRASES[cause]}${said === '' ? '' : `: ${shortText(said)}`}`,
    evidence,
    ...(cause !== 'ephemeral_limit' && { shared: { node } }),
  };
}
