/**
 * Who took a pod away on purpose: preemption, eviction through the API (drain, descheduler, autoscaler), a NoExecute taint, garbage
 * collection. These are recorded and counted, and are not incidents (design §4). What the kubelet ends because the node is starved
 * or shuts down is an incident (evicted, node_lost), so it is not listed here.
 */
import type { Pod } from '../../collector/objects.ts';
import { timeOf } from './conditions.ts';
import type { SeenEvent } from './scenario.ts';

/** A wanted disruption of a pod. */
export interface Disruption {
  /** DisruptionTarget's reason in its released spelling, also where an older version shows the same thing otherwise. */
  readonly reason: string;
  readonly message: string;
  /** Epoch ms as the pod dates it. */
  readonly timeMs: number;
}

/** Reasons of DisruptionTarget that are somebody's decision: signals.md §14. 1.25 (alpha) spelled preemption otherwise. */
const WANTED: ReadonlyMap<string, string> = new Map([
  ['PreemptionByScheduler', 'PreemptionByScheduler'],
  ['PreemptionByKubeScheduler', 'PreemptionByScheduler'],
  ['EvictionByEvictionAPI', 'EvictionByEvictionAPI'],
  ['DeletionByTaintManager', 'DeletionByTaintManager'],
  ['DeletionByDeviceTaintManager', 'DeletionByDeviceTaintManager'],
  ['DeletionByPodGC', 'DeletionByPodGC'],
]);

/** Events on the victim that say the same before DisruptionTarget (on by default from 1.26). */
const EVENT_REASONS: ReadonlyMap<string, string> = new Map([
  ['Preempted', 'PreemptionByScheduler'],
  ['TaintManagerEviction', 'DeletionByTaintManager'],
  ['DeviceTaintManagerEviction', 'DeletionByDeviceTaintManager'],
]);

/**
 * The disruption that ends this pod, if one does. A DisruptionTarget on a pod that is neither being deleted nor ended is an attempt
 * that may still fail (the disruption controller resets it after 2 min: signals.md §14), so it does not count yet.
 */
export function disruptionOf(pod: Pod, events: readonly SeenEvent[] = []): Disruption | undefined {
  const deletion = timeOf(pod.metadata.deletionTimestamp);
  const ended = pod.status.phase === 'Failed';
  if (deletion === undefined && !ended) return undefined;
  const target = pod.status.conditions?.find((condition) => condition.type === 'DisruptionTarget' && condition.status === 'True');
  const wanted = target === undefined ? undefined : (WANTED.get(target.reason ?? '') ?? kubeletPreemption(pod));
  if (target !== undefined && wanted !== undefined) {
    return { reason: wanted, message: target.message ?? '', timeMs: timeOf(target.lastTransitionTime) ?? deletion ?? endOf(pod) };
  }
  if (target !== undefined) return undefined;
  const preempted = kubeletPreemption(pod);
  if (preempted !== undefined) return { reason: preempted, message: pod.status.message ?? '', timeMs: endOf(pod) };
  return deletion === undefined ? undefined : fromEvents(events);
}

/** The kubelet makes room for a critical pod: phase Failed, reason Preempting; its DisruptionTarget says TerminationByKubelet. */
function kubeletPreemption(pod: Pod): string | undefined {
  return pod.status.reason === 'Preempting' ? 'PreemptionByKubelet' : undefined;
}

function fromEvents(events: readonly SeenEvent[]): Disruption | undefined {
  for (const event of [...events].reverse()) {
    const reason = EVENT_REASONS.get(event.reason);
    if (reason === undefined) continue;
    if (event.note.startsWith('Cancelling deletion')) return undefined;
    return { reason, message: event.note, timeMs: event.lastTimeMs };
  }
  return undefined;
}

/** When a pod ended, as well as it says itself: its last container, else when it became not ready. */
function endOf(pod: Pod): number {
  const finished = (pod.status.containerStatuses ?? []).map((status) => timeOf(status.state?.terminated?.finishedAt) ?? 0);
  const ready = timeOf(pod.status.conditions?.find((condition) => condition.type === 'Ready')?.lastTransitionTime) ?? 0;
  const started = timeOf(pod.status.startTime) ?? timeOf(pod.metadata.creationTimestamp) ?? 0;
  return Math.max(0, ...finished) || ready || started;
}
