/**
 * Owners that nobody lists (ReplicationController, CloneSet, VirtualMachineInstance …) and that are refused their pods. An Event is all
 * there is of them: it makes the owner known, and a pod of it, its next success or its silence ends the matter.
 */
import type { Event, Pod, Workload } from '../../collector/objects.ts';
import { isPodRefusal, SILENT_MS } from '../scenarios/failed-create.ts';
import { inSync, isAwaited } from './coverage.ts';
import type { Engine } from './incidents.ts';
import { reconcile, sourceGone } from './incidents.ts';
import type { ClusterState } from './state.ts';
import { controllerUid } from './state.ts';
import { resourceOfKind } from './workload.ts';

/** Takes note of an owner that an Event names, and of what later Events say of it. */
export function noteUnlistedOwner(state: ClusterState, event: Event): void {
  const { kind, namespace, name, uid } = event.regarding;
  const known = state.tables.unlisted.has(uid);
  if (!known && (namespace === '' || uid === '' || isListed(state, kind) || !isPodRefusal(event))) return;
  if (!known)
    state.tables.unlisted.set(uid, { kind, apiVersion: '', metadata: { name, namespace, uid, resourceVersion: '' }, spec: {}, status: {} } satisfies Workload);
  state.tables.dirty.set(`controller/${uid}`, 1);
  if (isPodRefusal(event)) state.timers.set(`silent/${uid}`, state.meta.streamTimeMs + SILENT_MS);
}

/** A new pod may be what its owner was refused. */
export function markUnlistedOwner(state: ClusterState, pod: Pod): void {
  const uid = controllerUid(pod);
  if (state.tables.unlisted.has(uid)) state.tables.dirty.set(`controller/${uid}`, 1);
}

/** Nothing was heard of a refusal for long: it has what it wants, or is gone. Where Events were not seen meanwhile, their next list tells those of the last hour. */
export function ownerIsSilent(engine: Engine, uid: string): void {
  const { state } = engine;
  const owner = state.tables.unlisted.get(uid);
  if (owner === undefined) return;
  if (!inSync(state, 'events')) {
    state.timers.set(`silent/${uid}`, state.meta.streamTimeMs + SILENT_MS);
    return;
  }
  state.tables.unlisted.delete(uid);
  const source = { kind: 'controller', uid, object: owner } as const;
  if (state.indexes.podsByOwner.get(uid).length > 0) reconcile(engine, source, [], new Set());
  else sourceGone(engine, source, 'has no pods and is not refused any more: it is gone, or wants none');
}

/** A namespace takes everything in it along. */
export function ownersGone(engine: Engine, namespace: string): void {
  const { unlisted } = engine.state.tables;
  for (const uid of unlisted.keys()) {
    const owner = unlisted.get(uid);
    if (owner?.metadata.namespace !== namespace) continue;
    unlisted.delete(uid);
    engine.state.timers.cancel(`silent/${uid}`);
    sourceGone(engine, { kind: 'controller', uid, object: owner }, 'is gone with its namespace');
  }
}

/** Objects of this kind are in the tables, or will be. */
function isListed(state: ClusterState, kind: string): boolean {
  if (kind === 'Pod' || kind === 'Node') return true;
  const resource = resourceOfKind(kind);
  return resource !== undefined && (inSync(state, resource) || isAwaited(state, resource));
}
