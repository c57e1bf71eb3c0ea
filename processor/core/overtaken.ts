/**
 * Two collectors of one cluster: a list of one may show later versions than the watch of the other has brought yet. What that one then
 * brings is history: it must not move the tables back, but it happened, was delivered, and has its row like every other change.
 */
import type { ChangeRecord, ObjectRecord } from '../../collector/change-record.ts';
import { compareResourceVersions, scopeKey } from '../../collector/change-record.ts';
import type { Pod } from '../../collector/objects.ts';
import type { Emitter } from './emit.ts';
import { podChangeRow } from './pod-row.ts';
import type { ClusterState, SessionState } from './state.ts';
import { workloadOf } from './workload.ts';

/** A version of an object that a list showed before the watch of another session did. */
export interface Overtaken {
  /** Of the object, or of the list that did not name it any more. */
  readonly rv: string;
  readonly isGone: boolean;
  /** Observed time of the row that says so, epoch ms: whatever was before is older than it. */
  readonly timeMs: number;
}

/** A deletion that came on a watch of which records are missing. */
export interface Ended {
  readonly rv: string;
  /** Stream time, epoch ms. */
  readonly timeMs: number;
}

/** From when a list was taken to when it comes it is no longer than this, ms: collectors that say nothing for as long are forgotten. */
const LIST_ON_ITS_WAY_MS = 150_000;

/** Up to where the session has shown every version: what it watched last, or its list. */
export const positionOf = ({ rv, listRv }: SessionState): string => rv ?? listRv;

/** Sessions of the same resource and scope: of two collectors, or one after the other. */
export const areTwins = (a: SessionState, b: SessionState): boolean => a.session !== b.session && a.resource === b.resource && a.scope === b.scope;

/** Other sessions of the same resource that still bring everything there is. */
function watchingTwins(state: ClusterState, session: SessionState): SessionState[] {
  return Object.values(state.meta.sessions).filter((other) => other.phase === 'synced' && areTwins(session, other));
}

/** A list of `session` showed the object at version `rv`, or, if that is undefined, that it is gone. */
export function noteListed(state: ClusterState, session: SessionState, uid: string, rv: string | undefined): void {
  const shown = { rv: rv ?? session.listRv, isGone: rv === undefined, timeMs: state.meta.streamTimeMs };
  if (!watchingTwins(state, session).some((other) => compareResourceVersions(positionOf(other), shown.rv) < 0)) return;
  state.tables.overtaken.set(uid, [...(state.tables.overtaken.get(uid) ?? []), shown]);
}

/** An object that cannot be read is in the list all the same: it is not gone, and what led to this version has yet to come from others. */
export function noteUnread(state: ClusterState, session: SessionState, { uid, rv }: Extract<ChangeRecord, { type: 'REJECTED' }>): void {
  state.tables.listed.set(`${session.session}/${uid}`, 1);
  if (session.resource === 'pods') noteListed(state, session, uid, rv || session.listRv);
}

/** Writes the row of a change of a pod that the tables are past already. False if it has one, or if that cannot be told. */
export function emitLate(state: ClusterState, emitter: Emitter, session: SessionState, record: ObjectRecord): boolean {
  const timeMs = lateTimeMs(state, session, record);
  if (timeMs === undefined) return false;
  const pod = record.object as Pod;
  emitter.emit(
    'pod_changes',
    `${record.uid}\n${timeMs}\n${record.rv}`,
    podChangeRow(state.cluster.name, pod, workloadOf(state, pod), record.type, timeMs, undefined),
  );
  return true;
}

/** The watch of another session of the same resource has shown this version, or would have if it were worth a record. */
export function isWatchedByTwin(state: ClusterState, session: SessionState, rv: string): boolean {
  return Object.values(state.meta.sessions).some((other) => areTwins(session, other) && hasWatched(other, rv));
}

function hasWatched(session: SessionState, rv: string): boolean {
  if (compareResourceVersions(rv, positionOf(session)) > 0) return false;
  if (session.fromRv !== undefined) return compareResourceVersions(rv, session.fromRv) >= 0;
  return session.syncedTimeMs > 0 && compareResourceVersions(rv, session.listRv) > 0;
}

/** When it happened at the latest; undefined if it has been shown before, or if that cannot be told. */
function lateTimeMs(state: ClusterState, session: SessionState, { uid, rv, t }: ObjectRecord): number | undefined {
  if (session.phase !== 'synced' || isWatchedByTwin(state, session, rv)) return undefined;
  const overtaken = state.tables.overtaken.get(uid);
  if (overtaken === undefined) {
    // A list that came before this session was heard of may have shown it, and was not noted.
    const isListed = Object.values(state.meta.sessions).some(
      (other) => areTwins(session, other) && other.firstTimeMs <= session.firstTimeMs && compareResourceVersions(rv, other.listRv) <= 0,
    );
    return isListed || state.tables.objects[session.resource].has(uid) ? undefined : t;
  }
  if (overtaken.some((shown) => !shown.isGone && shown.rv === rv)) return undefined;
  const later = overtaken.filter((shown) => compareResourceVersions(rv, shown.rv) < 0);
  return Math.min(t, ...later.map(({ timeMs }) => timeMs - 1));
}

/** Notes a deletion of which `completeRv` says nothing, since its session has a hole, while another collector may be listing. */
export function noteEnded(state: ClusterState, session: SessionState, { resource, uid, rv }: ObjectRecord): void {
  if (resource !== 'pods' || session.phase !== 'broken' || Object.keys(state.meta.runs).length < 2) return;
  state.tables.ended.set(uid, { rv, timeMs: state.meta.streamTimeMs });
}

/** An object that the list names and that is not there was deleted after the list was taken: another session has shown more. */
export function isDeletedSince({ meta, tables }: ClusterState, { resource, scope, listRv }: SessionState, { uid, rv }: ObjectRecord): boolean {
  const ended = resource === 'pods' ? tables.ended.get(uid) : undefined;
  if (ended !== undefined && compareResourceVersions(listRv, ended.rv) < 0) return true;
  const complete = meta.completeRv[scopeKey(resource, scope)];
  return complete !== undefined && compareResourceVersions(listRv, complete) < 0 && compareResourceVersions(rv, complete) <= 0;
}

/** True while another session that watches has yet to bring what this one has shown. */
export function isAheadOfTwin(state: ClusterState, session: SessionState): boolean {
  return watchingTwins(state, session).some((other) => compareResourceVersions(positionOf(other), positionOf(session)) < 0);
}

/** Forgets what every session that watches has come past. Cheap while there is nothing. */
export function sweepOvertaken(state: ClusterState): void {
  const { overtaken, ended } = state.tables;
  for (const uid of ended.unsortedKeys()) {
    if (state.meta.streamTimeMs - (ended.get(uid) as Ended).timeMs > LIST_ON_ITS_WAY_MS) ended.delete(uid);
  }
  if (overtaken.size === 0) return;
  const positions = Object.values(state.meta.sessions).flatMap((session) =>
    session.resource === 'pods' && session.phase === 'synced' ? [positionOf(session)] : [],
  );
  const [first] = positions.sort(compareResourceVersions);
  for (const uid of overtaken.keys()) {
    const last = overtaken.get(uid)?.at(-1)?.rv ?? '';
    if (first === undefined || compareResourceVersions(first, last) >= 0) overtaken.delete(uid);
  }
}
