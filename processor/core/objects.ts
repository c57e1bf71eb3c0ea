/**
 * Applies object records to the tables (design D5): sessions and their sequence, snapshots and their diff, duplicates by
 * resourceVersion, then the object itself with its rows and what must be judged again because of it.
 */
import type { ChangeRecord, ObjectRecord, SessionRecord } from '../../collector/change-record.ts';
import { compareResourceVersions, scopeKey } from '../../collector/change-record.ts';
import type { Event, Pod, ProjectedObject, Resource } from '../../collector/objects.ts';
import type { DeadLetterRow } from '../../sql/rows.ts';
import { disruptionOf } from '../scenarios/disruption.ts';
import { noteChange } from './changes.ts';
import { emitSession, expectUnannounced, extendBlindness } from './coverage.ts';
import { markDependents, markFailedJob, markRegarding, markSiblings } from './dispatch.ts';
import type { Emitter } from './emit.ts';
import { foldEvent } from './events.ts';
import { keepLineage } from './lineage.ts';
import { foldHistory } from './pod-history.ts';
import { emitLate, isDeletedSince, isWatchedByTwin, noteEnded, noteListed, noteUnread } from './overtaken.ts';
import { podChangeRow } from './pod-row.ts';
import { sameJson, sameObject } from './same-json.ts';
import type { ClusterState, SessionState, StoredObject } from './state.ts';
import { indexObject, reindexObject, unindexObject } from './state.ts';
import { byCodeUnit, hashKey } from './tables.ts';
import { markUnlistedOwner } from './unlisted-owners.ts';
import { isPutBack, noteRestored, startOver, wentBack } from './went-back.ts';
import { workloadOf } from './workload.ts';

const DAY_MS = 86_400_000;

/** What an applied record asks of the rest of the step. */
export interface Applied {
  /** The record changed nothing: it was known. */
  readonly duplicate: boolean;
  /** An object that is gone for good: its part in incidents ends. */
  readonly removed: readonly { readonly resource: Resource; readonly object: ProjectedObject }[];
  /** Why the session's resource may have lost sync, or ''. */
  readonly lost: string;
  /** The record could not be applied and went to the dead letters. */
  readonly deadLettered: boolean;
}
const NOTHING: Applied = { duplicate: false, removed: [], lost: '', deadLettered: false };
const DUPLICATE: Applied = { ...NOTHING, duplicate: true };

/** Applies a record that belongs to a session. */
export function applySessionRecord(state: ClusterState, emitter: Emitter, record: SessionRecord): Applied {
  const { meta } = state;
  const known = meta.sessions[record.session];
  if (known !== undefined && record.seq < known.nextSeq) {
    if (isObjectRecord(record)) known.duplicate += 1;
    return DUPLICATE;
  }
  const hole = known === undefined ? record.seq > 0 : record.seq > known.nextSeq;
  const session = known ?? newSession(record, meta.streamTimeMs);
  meta.sessions[record.session] = session;
  session.nextSeq = record.seq + 1;
  session.aliveTimeMs = meta.streamTimeMs;
  if (hole) {
    session.phase = 'broken';
    delete session.fromRv;
  }
  if (known === undefined) expectUnannounced(state, emitter, record);
  const applied = applyGuarded(state, emitter, session, record);
  count(state, record, applied);
  return hole ? { ...applied, lost: applied.lost || 'records_missing' } : applied;
}

/**
 * A projected object has the right types by construction; a record written by other code may not. Then it is dead-lettered whole:
 * nothing of it has been applied, because everything derived from it is computed before the first write (see upsert).
 */
function applyGuarded(state: ClusterState, emitter: Emitter, session: SessionState, record: SessionRecord): Applied {
  try {
    return applyInSession(state, emitter, session, record);
  } catch (error) {
    const reason = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    emitter.emit('dead_letters', `${record.session}\n${record.seq}`, sessionLetter(state, record, 'not_applicable', reason));
    return { ...NOTHING, deadLettered: true };
  }
}

function newSession(record: SessionRecord, nowMs: number): SessionState {
  const { session, run, resource, scope } = record;
  const counters = { received: 0, suppressed: 0, rejected: 0, appended: 0, applied: 0, duplicate: 0, deadLettered: 0 };
  const times = { firstTimeMs: nowMs, syncedTimeMs: 0, aliveTimeMs: nowMs, completeTimeMs: nowMs };
  return { session, run, resource, scope, nextSeq: 0, phase: 'listing', listRv: '', listedCount: 0, ...times, ...counters };
}

function isObjectRecord(record: ChangeRecord): record is ObjectRecord {
  return record.type === 'ADDED' || record.type === 'MODIFIED' || record.type === 'DELETED' || record.type === 'LISTED';
}

function count(state: ClusterState, record: SessionRecord, applied: Applied): void {
  const session = state.meta.sessions[record.session];
  if (session === undefined || !isObjectRecord(record)) return;
  session[applied.duplicate ? 'duplicate' : applied.deadLettered ? 'deadLettered' : 'applied'] += 1;
}

function applyInSession(state: ClusterState, emitter: Emitter, session: SessionState, record: SessionRecord): Applied {
  switch (record.type) {
    case 'SNAPSHOT_BEGIN':
      return beginSnapshot(state, session, record);
    case 'LISTED':
      return applyListed(state, emitter, session, record);
    case 'REJECTED':
      if (session.phase === 'listing') {
        session.listedCount += 1;
        if (record.uid !== '') noteUnread(state, session, record);
      }
      emitter.emit('dead_letters', `${record.session}\n${record.seq}`, sessionLetter(state, record, 'rejected', record.reason));
      return record.deleted === true && session.outdated !== true ? { ...NOTHING, removed: endUnread(state, emitter, session, record) } : NOTHING;
    case 'SNAPSHOT_END':
      return endSnapshot(state, emitter, session, record);
    case 'SESSION_END':
      return endSession(state, emitter, session, record);
    default:
      return applyChange(state, emitter, session, record);
  }
}

function beginSnapshot(state: ClusterState, session: SessionState, record: Extract<ChangeRecord, { type: 'SNAPSHOT_BEGIN' }>): Applied {
  dropListed(state, session);
  const isBack = wentBack(state, session, record);
  if (isBack) startOver(state, session);
  delete session.fromRv;
  delete session.outdated;
  Object.assign(session, { phase: 'listing', listRv: record.rv, listedCount: 0, syncedTimeMs: 0 } satisfies Partial<SessionState>);
  return { ...NOTHING, lost: isBack ? 'restored' : 'relist' };
}

function endSession(state: ClusterState, emitter: Emitter, session: SessionState, record: Extract<ChangeRecord, { type: 'SESSION_END' }>): Applied {
  const toldTimeMs = record.completeTimeMs ?? record.t;
  const completeTimeMs = session.phase === 'synced' ? toldTimeMs : Math.min(session.completeTimeMs, toldTimeMs);
  dropListed(state, session);
  const ended = Object.assign(session, { ...record.counters, phase: 'ended', completeTimeMs, listedCount: 0 } satisfies Partial<SessionState>);
  emitSession(state, emitter, ended);
  extendBlindness(state, emitter, ended, record.reason);
  if (record.reason === 'restored') noteRestored(state, ended, record.t);
  return { ...NOTHING, lost: record.reason };
}

/** Letters of the core are named by session and seq: the log's offset is the shell's to know. */
function sessionLetter(state: ClusterState, record: SessionRecord, code: string, reason: string): DeadLetterRow {
  const uid = 'uid' in record ? record.uid : '';
  return {
    log: `session:${record.session}`,
    partition: 0,
    offset: BigInt(record.seq),
    part: record.type,
    cluster: state.cluster.name,
    timeMs: record.t,
    code,
    reason,
    payload: JSON.stringify({ resource: record.resource, uid }),
  };
}

function dropListed(state: ClusterState, session: SessionState): void {
  if (session.listedCount === 0) return;
  const prefix = `${session.session}/`;
  for (const key of state.tables.listed.unsortedKeys()) if (key.startsWith(prefix)) state.tables.listed.delete(key);
}

function isComplete(state: ClusterState, session: SessionState, rv: string): boolean {
  const complete = state.meta.completeRv[scopeKey(session.resource, session.scope)];
  return complete !== undefined && compareResourceVersions(rv, complete) <= 0;
}

/** The version is another object than the one kept: the record that brought it was lost, and a list that abbreviated gave its number to the one before. */
function isMistaken(state: ClusterState, { resource, uid, rv, object }: ObjectRecord): boolean {
  const stored = state.tables.objects[resource].get(uid);
  return object !== undefined && stored?.rv === rv && !sameObject(stored.object, object);
}

function advance(state: ClusterState, session: SessionState, rv: string): void {
  if (isComplete(state, session, rv)) return;
  const key = scopeKey(session.resource, session.scope);
  state.meta.completeRv[key] = rv;
  state.meta.completeAtMs[key] = state.meta.streamTimeMs;
}

function applyListed(state: ClusterState, emitter: Emitter, session: SessionState, record: Extract<ChangeRecord, { type: 'LISTED' }>): Applied {
  if (session.outdated === true) return DUPLICATE;
  session.listedCount += 1;
  state.tables.listed.set(`${session.session}/${record.uid}`, 1);
  const stored = storedRv(state, record.resource, record.uid);
  if (stored === undefined && isDeletedSince(state, session, record)) return DUPLICATE;
  if (stored !== undefined && compareResourceVersions(record.rv, stored) <= 0 && !isPutBack(session, record.rv, stored) && !isMistaken(state, record)) {
    return NOTHING;
  }
  if (record.object === undefined) {
    // Events that expired here are not missed.
    if (record.resource === 'events' || restamp(state, record.resource, record.uid, record.rv)) return NOTHING;
    // Abbreviated against a state that was lost with older records: only an unabbreviated list can tell.
    session.phase = 'broken';
    return { ...NOTHING, lost: 'abbreviated_unknown' };
  }
  upsert(state, emitter, record.resource, record.object, record.rv, 'LISTED');
  if (record.resource === 'pods') noteListed(state, session, record.uid, record.rv);
  return NOTHING;
}

/** The object is at a newer version that differs in nothing podtrail keeps. */
function restamp(state: ClusterState, resource: Resource, uid: string, rv: string): boolean {
  const stored = state.tables.objects[resource].get(uid);
  if (stored !== undefined) state.tables.objects[resource].set(uid, { ...stored, rv });
  return stored !== undefined;
}

function storedRv(state: ClusterState, resource: Resource, uid: string): string | undefined {
  return state.tables.objects[resource].get(uid)?.rv;
}

function applyChange(
  state: ClusterState,
  emitter: Emitter,
  session: SessionState,
  record: Extract<ChangeRecord, { type: 'ADDED' | 'MODIFIED' | 'DELETED' }>,
): Applied {
  if (session.outdated === true) return DUPLICATE;
  const stored = storedRv(state, record.resource, record.uid);
  // Of an object that is not there the tables do not say whether it was once.
  const isPast = stored === undefined ? isWatchedByTwin(state, session, record.rv) : compareResourceVersions(record.rv, stored) <= 0;
  const isOld = isPast || isComplete(state, session, record.rv);
  const isLate = isOld && record.resource === 'pods' && emitLate(state, emitter, session, record);
  if (session.phase === 'synced') advance(state, session, record.rv);
  else session.fromRv ??= record.rv;
  session.rv = record.rv;
  session.rvTimeMs = state.meta.streamTimeMs;
  if (isOld) return isLate ? NOTHING : DUPLICATE;
  if (record.type !== 'DELETED') {
    upsert(state, emitter, record.resource, record.object, record.rv, record.type);
    return NOTHING;
  }
  // The last state may be news (a pod's final status), so it is applied before it goes.
  if (record.resource !== 'events') upsert(state, emitter, record.resource, record.object, record.rv, 'DELETED');
  noteEnded(state, session, record);
  return { ...NOTHING, removed: remove(state, record.resource, record.uid) };
}

/** Uids that the list in hand does not name, though it should, in order. */
function absentFrom(state: ClusterState, session: SessionState): string[] {
  const table = state.tables.objects[session.resource];
  const absent: string[] = [];
  for (const uid of table.unsortedKeys()) {
    if (state.tables.listed.has(`${session.session}/${uid}`)) continue;
    const { rv, object } = table.get(uid) as StoredObject;
    if (session.scope !== '' && object.metadata.namespace !== session.scope) continue;
    if (compareResourceVersions(rv, session.listRv) <= 0) absent.push(uid);
  }
  return absent.sort(byCodeUnit);
}

/** The diff (design D5): what the whole list does not name was deleted no later than now. */
function endSnapshot(state: ClusterState, emitter: Emitter, session: SessionState, record: Extract<ChangeRecord, { type: 'SNAPSHOT_END' }>): Applied {
  const whole = session.phase === 'listing' && session.listedCount === record.count && session.listRv !== '';
  const stale = isComplete(state, session, session.listRv);
  const removed: { resource: Resource; object: ProjectedObject }[] = [];
  if (whole && !stale && session.resource !== 'events') {
    for (const uid of absentFrom(state, session)) {
      const stored = state.tables.objects[session.resource].get(uid) as StoredObject;
      if (session.resource === 'pods') {
        emitVanished(state, emitter, stored.object as Pod, session.listRv);
        noteListed(state, session, uid, undefined);
      }
      removed.push(...remove(state, session.resource, uid));
    }
  }
  dropListed(state, session);
  if (!whole) {
    Object.assign(session, { phase: 'broken', listedCount: 0 } satisfies Partial<SessionState>);
    return { ...NOTHING, lost: 'snapshot_incomplete' };
  }
  advance(state, session, session.listRv);
  Object.assign(session, { phase: 'synced', syncedTimeMs: record.t, completeTimeMs: record.t, listedCount: 0 } satisfies Partial<SessionState>);
  return { ...NOTHING, removed };
}

/** What was deleted in a state that cannot be read ends in the one that is known. */
function endUnread(state: ClusterState, emitter: Emitter, { resource }: SessionState, { uid, rv }: Extract<ChangeRecord, { type: 'REJECTED' }>) {
  const stored = state.tables.objects[resource].get(uid);
  if (stored === undefined || (rv !== '' && compareResourceVersions(rv, stored.rv) <= 0)) return [];
  if (resource === 'pods') emitVanished(state, emitter, stored.object as Pod, rv || stored.rv);
  return remove(state, resource, uid);
}

function upsert(state: ClusterState, emitter: Emitter, resource: Resource, object: ProjectedObject, rv: string, change: string): void {
  if (resource === 'events') {
    if (foldEvent(state, emitter, object as Event)) markRegarding(state, object as Event);
    return;
  }
  if (resource === 'pods') {
    upsertPod(state, emitter, object as Pod, rv, change);
    return;
  }
  const before = state.tables.objects[resource].get(object.metadata.uid)?.object;
  if (before !== undefined || resource !== 'nodes' || change === 'ADDED') noteChange(state, resource, before, object);
  put(state, resource, object, rv, before);
  markDependents(state, resource, object, before);
}

/** Everything is derived before anything is written, so that an object with wrong types leaves no trace. */
function upsertPod(state: ClusterState, emitter: Emitter, received: Pod, rv: string, change: string): void {
  const { uid } = received.metadata;
  const before = state.tables.objects.pods.get(uid)?.object as Pod | undefined;
  // All versions of a pod share one spec: a copy that came is garbage at once, instead of being kept and moved by the collector.
  const isCopy = before !== undefined && before.spec !== received.spec && sameJson(before.spec, received.spec);
  const pod = isCopy ? { ...received, spec: before.spec } : received;
  const nowMs = state.meta.streamTimeMs;
  const history = state.tables.histories.get(uid);
  const folded = foldHistory(history, pod, nowMs);
  const mayBeTaken = pod.metadata.deletionTimestamp !== undefined || pod.status.phase === 'Failed';
  const disruption = mayBeTaken ? disruptionOf(pod, state.tables.events.get(uid) ?? []) : undefined;
  emitPod(state, emitter, pod, before, change);
  put(state, 'pods', pod, rv, before);
  if (folded !== history) state.tables.histories.set(uid, folded);
  if (disruption !== undefined) emitDisruption(state, emitter, pod, disruption);
  state.tables.dirty.set(`pod/${uid}`, 1);
  if (history === undefined) markUnlistedOwner(state, pod);
  if (pod.status.phase === 'Succeeded') markSiblings(state, pod);
  // Spread over the day by uid, so that a whole cluster is not rewritten at once.
  if (before === undefined) state.timers.set(`daily/${uid}`, nextDaily(uid, nowMs));
}

function put(state: ClusterState, resource: Resource, object: ProjectedObject, rv: string, before: ProjectedObject | undefined): void {
  state.tables.objects[resource].set(object.metadata.uid, { rv, object });
  if (resource === 'pods') state.journal.note(object.metadata.uid, state.tables.objects.pods.size);
  if (before === undefined) indexObject(state.indexes, resource, object);
  else reindexObject(state.indexes, resource, before, object);
}

/** The next time of day at which this pod's row is rewritten (design D3). */
export function nextDaily(uid: string, nowMs: number): number {
  const offset = hashKey(uid) % DAY_MS;
  return (Math.floor((nowMs - offset) / DAY_MS) + 1) * DAY_MS + offset;
}

/** Writes a row of the pod's history; the spec only when this pod's spec is new. `before`: the version that the last row was of. */
export function emitPod(state: ClusterState, emitter: Emitter, pod: Pod, before: Pod | undefined, change: string): void {
  const { uid } = pod.metadata;
  const hash = state.tables.specs.get(uid);
  const stored = hash === undefined || before === undefined ? undefined : { spec: before.spec, hash };
  const row = podChangeRow(state.cluster.name, pod, workloadOf(state, pod), change, state.meta.streamTimeMs, stored);
  if (row.specHash !== hash) state.tables.specs.set(uid, row.specHash);
  emitter.emit('pod_changes', `${uid}\n${row.observedTimeMs}\n${row.resourceVersion}`, row);
}

/** `rv`: the version at which the pod is known to be gone. Its own would put this row in the place of one that came in the same millisecond. */
const emitVanished = (state: ClusterState, emitter: Emitter, pod: Pod, rv: string): void =>
  emitPod(state, emitter, { ...pod, metadata: { ...pod.metadata, resourceVersion: rv } }, pod, 'VANISHED');

function emitDisruption(state: ClusterState, emitter: Emitter, pod: Pod, disruption: NonNullable<ReturnType<typeof disruptionOf>>): void {
  const { uid, namespace, name } = pod.metadata;
  const workload = workloadOf(state, pod);
  emitter.emit('disruptions', `${uid}\n${disruption.reason}`, {
    cluster: state.cluster.name,
    namespace,
    podName: name,
    podUid: uid,
    node: pod.spec.nodeName ?? '',
    workloadKind: workload.kind,
    workloadName: workload.name,
    ...disruption,
  });
}

function remove(state: ClusterState, resource: Resource, uid: string): { resource: Resource; object: ProjectedObject }[] {
  if (resource === 'events') return []; // expiry after its time to live, not news
  const { tables } = state;
  const stored = tables.objects[resource].get(uid);
  if (stored === undefined) return [];
  unindexObject(state.indexes, resource, stored.object);
  tables.objects[resource].delete(uid);
  if (resource === 'pods') {
    state.journal.note(uid, tables.objects.pods.size);
    depart(state, stored.object as Pod);
    for (const table of [tables.histories, tables.specs, tables.dirty, tables.held]) table.delete(uid);
    tables.dirty.delete(`pod/${uid}`);
    tables.held.delete(`pod/${uid}`);
    state.timers.cancel(`daily/${uid}`);
    state.timers.cancel(`judge/pod/${uid}`);
    markFailedJob(state, stored.object);
  } else {
    keepLineage(state, stored.object);
    noteChange(state, resource, stored.object, undefined);
    markDependents(state, resource, stored.object, stored.object);
  }
  return [{ resource, object: stored.object }];
}

/** An Event about a pod's end (a hook that failed, an eviction) may come this much after the end itself, ms. */
const DEPARTED_MS = 120_000;

/** Only pods that ended in the open: of one that vanished in a gap nobody knows when, and nothing may open because of a gap. */
function depart(state: ClusterState, pod: Pod): void {
  const { uid, deletionTimestamp } = pod.metadata;
  if (deletionTimestamp === undefined) return;
  state.tables.departed.set(uid, { pod, history: state.tables.histories.get(uid) });
  state.timers.set(`forget/${uid}`, state.meta.streamTimeMs + DEPARTED_MS);
}
