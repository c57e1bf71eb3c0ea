/**
 * Pods that ended for good but stay as objects: evicted, rejected, shut down. Their status never changes again, so what is wrong now
 * is whether the workload still lacks what it lost.
 */
import type { Pod, Workload } from '../../collector/objects.ts';
import { conditionOf, createdMs } from './conditions.ts';
import type { ClusterView } from './scenario.ts';

/** How the end of a pod weighs now. */
export interface EndedPod {
  /** Nothing has taken the pod's place. */
  readonly stands: boolean;
  /** When to look again: a replacement does not change the ended pod. Grows with its age, so that old remains cost nothing. */
  readonly recheckTimeMs: number;
}

/** Whether the end of this pod, dated factMs, is still felt by its workload. */
export function endedPodOf(view: ClusterView, pod: Pod, factMs: number): EndedPod {
  const ageMs = Math.max(0, view.nowMs - factMs);
  // Controllers need a moment to see the end, so their counts are not believed before.
  const settled = ageMs >= view.thresholds.recoverMs;
  const stands = !hasSuccessor(view, pod, factMs) && !(settled && isWhole(view, pod));
  return { stands, recheckTimeMs: view.nowMs + Math.max(view.thresholds.recoverMs, ageMs) };
}

/** A pod of the same workload that came after and is ready, or is done. */
function hasSuccessor(view: ClusterView, pod: Pod, factMs: number): boolean {
  const { kind, name } = view.workloadOf(pod);
  if (kind === 'Pod') return false;
  for (const other of view.podsIn(pod.metadata.namespace)) {
    // The cheapest first: a workload whose pods are refused leaves thousands of failed ones.
    if (other.status.phase !== 'Running' && other.status.phase !== 'Succeeded') continue;
    // Creation is dated to the second, and by another clock than the end.
    if (other.metadata.uid === pod.metadata.uid || createdMs(other) < factMs - 1_000) continue;
    const workload = view.workloadOf(other);
    if (workload.kind !== kind || workload.name !== name) continue;
    if (other.status.phase === 'Succeeded' || conditionOf(other, 'Ready')?.status === 'True') return true;
  }
  return false;
}

/** The workload has all the replicas it wants, or wants none any more. False where it is not collected. */
function isWhole(view: ClusterView, pod: Pod): boolean {
  const workload = view.workload(view.workloadOf(pod));
  if (workload === undefined) return false;
  if (workload.kind === 'CronJob') return isDone(directJob(view, pod));
  return workload.kind === 'Job' ? isDone(workload) : readyOf(workload) >= desiredOf(workload);
}

function directJob(view: ClusterView, pod: Pod): Workload | undefined {
  const owner = pod.metadata.ownerReferences?.find(({ kind }) => kind === 'Job');
  return owner === undefined ? undefined : (view.object('jobs', pod.metadata.namespace, owner.name) as Workload | undefined);
}

function isDone(job: Workload | undefined): boolean {
  return job !== undefined && conditionOf(job, 'Complete')?.status === 'True';
}

function desiredOf({ kind, spec, status }: Workload): number {
  return kind === 'DaemonSet' ? (status.desiredNumberScheduled ?? 0) : (spec.replicas ?? 1);
}

function readyOf({ kind, status }: Workload): number {
  return (kind === 'DaemonSet' ? status.numberReady : status.readyReplicas) ?? 0;
}
