/** Whether a failing pod is a newcomer of a workload that was just scaled out while its older siblings are well (seed article, liveness). */
import type { Workload } from '../../collector/objects.ts';
import { conditionOf, timeOf } from './conditions.ts';
import { eventEvidence, nameOf, tableEvidence } from './evidence.ts';
import type { Evidence, PodView, SeenEvent, WorkloadChange } from './scenario.ts';

/** A pod that first failed this long after its creation still failed as a newcomer. */
const NEWCOMER_MS = 600_000;
/** Siblings this much older were there before the scale-out. */
const OLDER_MS = 120_000;
/** The Event of the scale-out and the creation of the pod lie this near. */
const NEAR_MS = 60_000;

/** Evidence of the scale-out, or undefined. `failedMs`: when the pod failed first, as far as is known. */
export function scaleOutOf(view: PodView, failedMs: number): readonly Evidence[] | undefined {
  const { pod } = view;
  const owner = pod.metadata.ownerReferences?.find(({ controller }) => controller === true);
  const bornMs = timeOf(pod.metadata.creationTimestamp);
  if (owner === undefined || bornMs === undefined || failedMs - bornMs > NEWCOMER_MS) return undefined;
  const workload = view.workload(view.workloadOf(pod));
  const event =
    workload &&
    view.eventsOf(workload.metadata.uid).findLast(({ reason, note, firstTimeMs, lastTimeMs }) => {
      const isUp =
        (reason === 'ScalingReplicaSet' && /^Scaled up/i.test(note) && note.includes(owner.name)) ||
        (reason === 'SuccessfulRescale' && !/below target/i.test(note));
      return isUp && firstTimeMs <= bornMs + NEAR_MS && lastTimeMs >= bornMs - NEAR_MS;
    });
  if (workload === undefined) return undefined;
  const scaled = event === undefined ? seenScaleOut(view, workload, bornMs) : eventEvidence(workload, event);
  if (scaled === undefined || isRollout(view.eventsOf(workload.metadata.uid), owner.name, bornMs)) return undefined;
  const older: string[] = [];
  for (const sibling of view.podsIn(pod.metadata.namespace)) {
    const sameOwner = sibling.metadata.ownerReferences?.some(({ uid }) => uid === owner.uid) === true;
    const isOlder = (timeOf(sibling.metadata.creationTimestamp) ?? bornMs) <= bornMs - OLDER_MS;
    if (sameOwner && isOlder && conditionOf(sibling, 'Ready')?.status === 'True') older.push(nameOf(sibling));
  }
  if (older.length === 0) return undefined;
  return [scaled, tableEvidence(workload, 'older pods of the same revision that are ready', older.slice(0, 5).join(', '))];
}

/** spec.replicas was seen to rise: Events are rationed and expire, and a StatefulSet has none. */
function seenScaleOut(view: PodView, workload: Workload, bornMs: number): Evidence | undefined {
  const { kind, metadata } = workload;
  const near = (change: WorkloadChange): boolean => Math.abs(change.timeMs - bornMs) <= NEAR_MS;
  const changes = view.changesOf?.({ kind, namespace: metadata.namespace, name: metadata.name, uid: metadata.uid }).filter(near) ?? [];
  const scaled = changes.findLast((change) => change.kind === 'scale_out');
  if (scaled === undefined || changes.some((change) => change.kind === 'rollout')) return undefined;
  return { ...tableEvidence(workload, 'spec.replicas', scaled.text), timeMs: scaled.timeMs };
}

/** A rollout scales the new revision up as well, but another one down. */
function isRollout(events: readonly SeenEvent[], revision: string, bornMs: number): boolean {
  return events.some(({ reason, note, lastTimeMs }) => {
    const isDown = reason === 'ScalingReplicaSet' && /^Scaled down/i.test(note) && !note.includes(revision);
    return isDown && lastTimeMs >= bornMs - NEWCOMER_MS;
  });
}
