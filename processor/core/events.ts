/** Folds Kubernetes Events into a bounded list per object (design D10), and writes their rows. */
import type { Event } from '../../collector/objects.ts';
import type { SeenEvent } from '../scenarios/scenario.ts';
import type { Emitter } from './emit.ts';
import { parseTimeMs } from './pod-history.ts';
import type { ClusterState } from './state.ts';
import { hashKey } from './tables.ts';

/** Events kept per object; kubelet and controllers keep 10 distinct messages per reason before they merge (signals.md §17). */
const KEPT_PER_OBJECT = 40;
/** Kept this long after they were last seen, ms: twice the API server's default time to live of an hour. */
const KEPT_MS = 2 * 3_600_000;
const SWEEP_EVERY_MS = 60_000;
/** The table is swept in this many turns, one a minute. */
const SWEEP_TURNS = 16;

/** Enters an Event. False when it says nothing new. */
export function foldEvent(state: ClusterState, emitter: Emitter, event: Event): boolean {
  const nowMs = state.meta.streamTimeMs;
  const { uid, creationTimestamp } = event.metadata;
  const { uid: regarding, fieldPath } = event.regarding;
  const list = state.tables.events.get(regarding) ?? [];
  const first = parseTimeMs(event.firstTime) ?? parseTimeMs(creationTimestamp) ?? nowMs;
  const seen: SeenEvent = {
    uid,
    type: event.type,
    reason: event.reason,
    note: event.note,
    component: event.component,
    fieldPath: fieldPath ?? '',
    firstTimeMs: first,
    lastTimeMs: Math.max(first, parseTimeMs(event.lastTime) ?? first),
    count: event.count,
    ...(event.related && { related: event.related }),
    about: aboutOf(event, list[0]),
  };
  const known = list.find((e) => e.uid === uid);
  if (known !== undefined && known.count === seen.count && known.lastTimeMs === seen.lastTimeMs && known.note === seen.note) return false;
  const next = known === undefined ? [...list, seen] : list.map((e) => (e === known ? seen : e));
  if (next.length > 1) next.sort((a, b) => a.lastTimeMs - b.lastTimeMs || (a.uid < b.uid ? -1 : 1));
  state.tables.events.set(regarding, next.length > KEPT_PER_OBJECT ? next.slice(-KEPT_PER_OBJECT) : next);
  emitEvent(state, emitter, regarding, seen);
  return true;
}

/** One for all Events about an object, since there may be many. */
function aboutOf({ metadata: { namespace }, regarding: { kind, name } }: Event, other: SeenEvent | undefined): NonNullable<SeenEvent['about']> {
  const about = other?.about;
  return about?.kind === kind && about.namespace === namespace && about.name === name ? about : { kind, namespace, name };
}

/** Writes the row of an Event, unless it is of a checkpoint that does not say what it is about. */
export function emitEvent(state: ClusterState, emitter: Emitter, regardingUid: string, seen: SeenEvent): void {
  const { about } = seen;
  if (about === undefined) return;
  emitter.emit('events', seen.uid, {
    cluster: state.cluster.name,
    namespace: about.namespace,
    uid: seen.uid,
    regardingKind: about.kind,
    regardingName: about.name,
    regardingUid,
    fieldPath: seen.fieldPath,
    type: seen.type,
    reason: seen.reason,
    note: seen.note,
    component: seen.component,
    firstTimeMs: seen.firstTimeMs,
    lastTimeMs: seen.lastTimeMs,
    count: seen.count,
  });
}

/** Drops Events past their time, a part of the table a minute; call it on every record, it is cheap when not due. */
export function sweepEvents(state: ClusterState, previousMs: number): void {
  const nowMs = state.meta.streamTimeMs;
  const turn = Math.floor(nowMs / SWEEP_EVERY_MS);
  if (turn === Math.floor(previousMs / SWEEP_EVERY_MS)) return;
  const { events } = state.tables;
  for (const key of events.unsortedKeys()) {
    if (hashKey(key) % SWEEP_TURNS !== turn % SWEEP_TURNS) continue;
    const list = events.get(key) ?? [];
    const kept = list.filter((e) => nowMs - e.lastTimeMs <= KEPT_MS);
    if (kept.length === 0) events.delete(key);
    else if (kept.length < list.length) events.set(key, kept);
  }
}
