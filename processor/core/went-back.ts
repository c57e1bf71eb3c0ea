/**
 * A cluster whose etcd was restored from a backup: its objects are older than what is known of them, those made since are gone, and its
 * resourceVersions count once more from a number that they had passed. What was compared by them before says nothing from then on.
 */
import type { ChangeRecord } from '../../collector/change-record.ts';
import { compareResourceVersions, scopeKey } from '../../collector/change-record.ts';
import { areTwins, positionOf } from './overtaken.ts';
import type { ClusterState, SessionState, StoredObject } from './state.ts';

type SnapshotBegin = Extract<ChangeRecord, { type: 'SNAPSHOT_BEGIN' }>;

/** As much older than a list a version must have come for the list to prove anything, ms: clocks of API servers differ, and events travel. */
const BEYOND_DOUBT_MS = 30_000;

/**
 * Is the list that begins of a cluster that went back? A list is a consistent read, so it is at least as new as what anyone had seen when it
 * was asked for: its own run, or, a good while before, another one. A lower list of which that is not certain is just late.
 */
export function wentBack(state: ClusterState, session: SessionState, { rv, askedTimeMs }: SnapshotBegin): boolean {
  const { completeRv, completeAtMs, sessions } = state.meta;
  const key = scopeKey(session.resource, session.scope);
  const isLongAgo = (atMs: number | undefined): boolean => askedTimeMs !== undefined && atMs !== undefined && askedTimeMs - atMs > BEYOND_DOUBT_MS;
  if (compareResourceVersions(completeRv[key] ?? '', rv) > 0 && isLongAgo(completeAtMs[key])) return true;
  // What came after a hole counts too: nothing is complete up to there, but it was seen.
  const ahead = Object.values(sessions).filter((other) => areTwins(other, session) && compareResourceVersions(positionOf(other), rv) > 0);
  return ahead.some((other) => other.run === session.run || isLongAgo(other.rvTimeMs ?? other.aliveTimeMs));
}

/** The session ended because the server was at a lower version than it had come to: a lower list that was asked for since proves it too. */
export function noteRestored({ meta }: ClusterState, session: SessionState, timeMs: number): void {
  const key = scopeKey(session.resource, session.scope);
  const latestMs = timeMs - BEYOND_DOUBT_MS - 1;
  const atMs = meta.completeAtMs[key];
  if (atMs !== undefined) meta.completeAtMs[key] = Math.min(atMs, latestMs);
  if (session.rvTimeMs !== undefined) session.rvTimeMs = Math.min(session.rvTimeMs, latestMs);
}

/** Forgets the order of all that was known of the resource: the list that begins replaces it, and no other session goes on. */
export function startOver(state: ClusterState, session: SessionState): void {
  const { meta, tables } = state;
  delete meta.completeRv[scopeKey(session.resource, session.scope)];
  const objects = tables.objects[session.resource];
  for (const uid of objects.keys()) {
    const stored = objects.get(uid) as StoredObject;
    if (session.scope === '' || stored.object.metadata.namespace === session.scope) objects.set(uid, { ...stored, rv: '' });
  }
  if (session.resource === 'pods') {
    for (const table of [tables.overtaken, tables.ended]) for (const uid of table.unsortedKeys()) table.delete(uid);
    meta.timesRestored = (meta.timesRestored ?? 0) + 1;
  }
  for (const other of Object.values(meta.sessions)) {
    if (!areTwins(other, session)) continue;
    if (other.phase !== 'ended') other.phase = 'broken';
    Object.assign(other, { listRv: '', outdated: true } satisfies Partial<SessionState>);
    delete other.rv;
    delete other.fromRv;
  }
}

/** The list would show the stored version if there still was one: the cluster went back, and has come past its versions since. */
export function isPutBack({ listRv }: SessionState, rv: string, stored: string): boolean {
  return rv !== stored && compareResourceVersions(stored, listRv) <= 0;
}
