/**
 * Whose the pods of a vanished controller are. The garbage collector removes a Job or ReplicaSet before its pods: without this the last
 * words of a pod would be about that, and open an incident of their own.
 */
import type { ProjectedObject } from '../../collector/objects.ts';
import type { ClusterState } from './state.ts';
import { resourceOfKind } from './workload.ts';

/** Kept this long, and on as long as pods of it are left, ms. */
const KEPT_MS = 3_600_000;

/** Call when an object is gone, before its pods are. Deployments have none of their own, but their ReplicaSets may. */
export function keepLineage(state: ClusterState, { kind, apiVersion, metadata }: ProjectedObject): void {
  if (resourceOfKind(kind) === undefined || metadata.ownerReferences === undefined) return;
  if (kind !== 'Deployment' && state.indexes.podsByOwner.get(metadata.uid).length === 0) return;
  state.tables.lineage.set(metadata.uid, { kind, apiVersion, metadata });
  state.timers.set(`lineage/${metadata.uid}`, state.meta.streamTimeMs + KEPT_MS);
}

/** The time of a kept controller is over. */
export function lineageDue(state: ClusterState, uid: string): void {
  if (state.indexes.podsByOwner.get(uid).length === 0) state.tables.lineage.delete(uid);
  else state.timers.set(`lineage/${uid}`, state.meta.streamTimeMs + KEPT_MS);
}
