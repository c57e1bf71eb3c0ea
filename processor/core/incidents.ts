/**
 * The incident engine (design D8): turns what the rules say of one source into the life of incidents.
 * open → recovering → resolved; joining, relabelling by a stronger signal, flaps, deletion. Deterministic: time is stream time.
 */
import type { ChangeRecord } from '../../collector/change-record.ts';
import type { KubeObject, Pod } from '../../collector/objects.ts';
import { entryOf } from '../catalogue/advice.ts';
import type { ScenarioId, Signal } from '../scenarios/scenario.ts';
import { suspectedChange } from './changes.ts';
import { inSync, isAwaited } from './coverage.ts';
import type { Emitter } from './emit.ts';
import type { Incident, Member, Resolution } from './incident.ts';
import { flagsAfter, forgetOpened, incidentId, incidentKey, incidentRow, nextIncidentId, saysTheSame, severityOf, trimEvidence } from './incident.ts';
import { parseTimeMs } from './pod-history.ts';
import { mayHaveRemedy, withRemedy } from './remedy-evidence.ts';
import type { ClusterState } from './state.ts';
import { indexIncident, nameKey, reindexShared, subjectKey, unindexIncident } from './state.ts';
import { strongestByKey } from './strongest.ts';
import { byCodeUnit } from './tables.ts';
import { replicasOf, resourceOfKind, workloadObject, workloadOf } from './workload.ts';

/** Members whose joining is told in the timeline; more would bury the story. */
const TOLD_MEMBERS = 10;
/** What was judged. `object` is its latest (or last) version. */
export interface Source {
  readonly kind: 'pod' | 'controller' | 'node';
  readonly uid: string;
  readonly object: KubeObject;
}

/** One step's work on incidents: `touched` holds the latest version of each, resolved ones too. */
export interface Engine {
  readonly state: ClusterState;
  readonly emitter: Emitter;
  touched?: Map<string, Incident>;
  /** The record in hand, for whoever must say where something went wrong. */
  readonly record?: ChangeRecord;
  /** A remedy was searched for within this record (remedy-evidence.ts). */
  hasRemedy?: boolean;
}

/** Brings incidents in line with what the rules say of a source now. Scenarios in `skipped` could not be judged: they keep their say. */
export function reconcile(engine: Engine, source: Source, signals: readonly Signal[], skipped: ReadonlySet<ScenarioId>): void {
  const { state } = engine;
  const timer = `judge/${source.kind}/${source.uid}`;
  const known = state.tables.sources.get(source.uid);
  if (signals.length === 0 && known === undefined) {
    state.timers.cancel(timer);
    return;
  }
  const strongest = strongestByKey(state, signals);
  const before = known?.memberOf ?? {};
  let wakeMs = Number.POSITIVE_INFINITY;
  for (const [key, signal] of strongest) {
    wakeMs = Math.min(wakeMs, signal.recheckTimeMs ?? wakeMs);
    const membership = before[key];
    if (membership !== undefined) memberFails(engine, source, membership.id, signal);
    else if (signal.dueTimeMs !== undefined && signal.dueTimeMs <= state.meta.streamTimeMs) join(engine, source, key, signal);
    else if (signal.dueTimeMs !== undefined) wakeMs = Math.min(wakeMs, signal.dueTimeMs);
  }
  for (const key of known === undefined ? [] : Object.keys(before).sort(byCodeUnit)) {
    const membership = before[key];
    if (membership === undefined || strongest.has(key) || skipped.has(membership.scenario)) continue;
    memberRecovers(engine, source, membership.id);
  }
  if (wakeMs === Number.POSITIVE_INFINITY || wakeMs <= state.meta.streamTimeMs) state.timers.cancel(timer);
  else state.timers.set(timer, wakeMs);
}

/** Key of a member in its table. */
export const memberKey = (incident: string, uid: string): string => `${incident}/${uid}`;

/** Has the incident's row written at the end of the step. Most steps touch none. */
export function touch(engine: Engine, incident: Incident): void {
  engine.touched ??= new Map();
  engine.touched.set(incident.id, incident);
}

/** Stores the new version of an unresolved incident. */
export function put(engine: Engine, incident: Incident): void {
  reindexShared(engine.state.indexes, engine.state.tables.incidents.get(incident.id), incident);
  engine.state.tables.incidents.set(incident.id, incident);
  touch(engine, incident);
}

/** Adds an entry to the incident's story. */
export function tell(engine: Engine, incident: Incident, kind: string, timeMs: number, text: string): Incident {
  const seq = incident.timelineSeq;
  const { name } = engine.state.cluster;
  const row = { cluster: name, incidentId: incident.id, openedTimeMs: incident.openedMs, seq, timeMs, kind, text };
  engine.emitter.emit('incident_timeline', `${incident.id}\n${seq}`, row);
  return { ...incident, timelineSeq: seq + 1, updatedMs: engine.state.meta.streamTimeMs };
}

function nameOf(object: KubeObject): string {
  const { namespace, name } = object.metadata;
  return `${object.kind} ${namespace === '' ? name : `${namespace}/${name}`}`;
}

function join(engine: Engine, source: Source, key: string, signal: Signal): void {
  const open = engine.state.indexes.openByKey.get(key);
  if (open !== undefined) memberFails(engine, source, open, signal);
  else if (!isToldOfDeparted(engine.state, source, signal)) openIncident(engine, source, signal);
}

/** A late Event about a pod that is gone makes no second incident of what it had. */
function isToldOfDeparted({ cluster, tables }: ClusterState, { uid }: Source, signal: Signal): boolean {
  return tables.departed.has(uid) && tables.opened.get(uid)?.[incidentId(cluster.uid, signal)] !== undefined;
}

function openIncident(engine: Engine, source: Source, signal: Signal): void {
  const { state } = engine;
  const nowMs = state.meta.streamTimeMs;
  const { track, rank, subject, scenario, cause, detail, flags, confidence, summary, recoverAfterMs } = signal;
  const opened: Incident = {
    id: nextIncidentId(state.cluster.uid, state.tables.opened, source.uid, signal, state.meta.timesRestored ?? 0),
    ...{ track, rank, subject, scenario, cause, detail, flags, confidence, summary, recoverAfterMs },
    decidedBy: source.uid,
    state: 'open',
    resolution: '',
    shared: signal.shared ?? {},
    evidence: trimEvidence(signal),
    firstSymptomMs: Math.min(signal.fact.timeMs, nowMs),
    openedMs: nowMs,
    updatedMs: nowMs,
    resolvedMs: 0,
    recoveringSinceMs: 0,
    sawHealth: false,
    flaps: 0,
    failing: 0,
    members: 0,
    pods: 0,
    timelineSeq: 0,
    supersededBy: '',
    parent: '',
    isParent: false,
    groupKey: '',
  };
  const remedied = withRemedy(engine, opened, source);
  const change = suspectedChange(state, remedied);
  const blamed = change === undefined ? remedied : { ...tell(engine, remedied, 'change', Date.parse(change.time), change.text), suspectedChange: change };
  const symptom = tell(engine, blamed, 'symptom', opened.firstSymptomMs, `${nameOf(source.object)}: ${signal.fact.says}`);
  const incident = tell(engine, symptom, 'opened', nowMs, `${scenario}/${cause}: ${summary}`);
  indexIncident(state.indexes, incident);
  put(engine, incident);
  memberFails(engine, source, incident.id, signal);
}

/** The source fails in this incident: a new member, a lasting one, or one that relapses. */
function memberFails(engine: Engine, source: Source, id: string, signal: Signal): void {
  const { state } = engine;
  let incident = state.tables.incidents.get(id);
  if (incident === undefined) return;
  const nowMs = state.meta.streamTimeMs;
  const known = state.tables.members.get(memberKey(id, source.uid));
  if (known?.state !== 'failing') {
    if (known === undefined && incident.members > 0 && incident.members < TOLD_MEMBERS)
      incident = tell(engine, incident, 'member', nowMs, `${nameOf(source.object)} fails alike`);
    const joins = known === undefined ? 1 : 0;
    const pods = incident.pods + (source.kind === 'pod' ? joins : 0);
    incident = { ...incident, failing: incident.failing + 1, members: incident.members + joins, pods };
    const firstMs = known?.firstMs ?? Math.min(signal.fact.timeMs, nowMs);
    addMember(engine, incident, { ...memberOf(source, id), firstMs, lastMs: nowMs, state: 'failing' });
    setMembership(engine, source.uid, incidentKey(incident.track, incident.subject), { id, scenario: signal.scenario });
  }
  if (incident.state === 'recovering') incident = relapse(engine, incident, source);
  incident = relabel(engine, incident, source, signal);
  if (incident !== state.tables.incidents.get(id)) put(engine, incident);
}

function memberOf(source: Source, incident: string): Omit<Member, 'firstMs' | 'lastMs' | 'state'> {
  const { kind, metadata } = source.object;
  const node = kind === 'Pod' ? ((source.object as Pod).spec.nodeName ?? '') : '';
  return { incidentId: incident, kind, namespace: metadata.namespace, name: metadata.name, uid: source.uid, node };
}

/** Stores a member, new or changed, and writes its row. */
export function addMember(engine: Engine, incident: Incident, member: Member): void {
  const key = memberKey(incident.id, member.uid);
  engine.state.tables.members.set(key, member);
  engine.state.indexes.membersOf.add(incident.id, key);
  if (member.kind !== 'Pod') return;
  engine.emitter.emit('incident_members', key, {
    cluster: engine.state.cluster.name,
    incidentId: incident.id,
    openedTimeMs: incident.openedMs,
    podNamespace: member.namespace,
    podName: member.name,
    podUid: member.uid,
    node: member.node,
    firstTimeMs: member.firstMs,
    lastTimeMs: member.lastMs,
    state: member.state,
  });
}

/** Notes, or forgets, that a source is a member of the incident with this key. */
export function setMembership(engine: Engine, uid: string, key: string, membership: { readonly id: string; readonly scenario: ScenarioId } | undefined): void {
  const { sources } = engine.state.tables;
  const { [key]: _before, ...others } = sources.get(uid)?.memberOf ?? {};
  const next = membership === undefined ? others : { ...others, [key]: membership };
  if (Object.keys(next).length === 0) sources.delete(uid);
  else sources.set(uid, { memberOf: next });
}

function relapse(engine: Engine, incident: Incident, source: Source): Incident {
  engine.state.timers.cancel(`recover/${incident.id}`);
  const flaps = incident.flaps + (incident.sawHealth ? 1 : 0);
  const open: Incident = { ...incident, state: 'open', recoveringSinceMs: 0, sawHealth: false, flaps };
  return tell(engine, open, incident.sawHealth ? 'flap' : 'note', engine.state.meta.streamTimeMs, `${nameOf(source.object)} fails again`);
}

/** A stronger signal renames the incident; an equal one only from the source that named it; a weaker one never (design D8). */
function relabel(engine: Engine, incident: Incident, source: Source, signal: Signal): Incident {
  const stronger = signal.rank > incident.rank;
  if (!stronger && (signal.rank < incident.rank || source.uid !== incident.decidedBy)) return incident;
  const { scenario, cause, detail, confidence, summary, rank, recoverAfterMs } = signal;
  const same = scenario === incident.scenario && cause === incident.cause && detail === incident.detail;
  // Most signals are those of the record before.
  if (same && !mayHaveRemedy(incident) && saysTheSame(incident, signal)) return incident;
  const flags = same ? flagsAfter(incident, signal) : [...signal.flags];
  const renamed: Incident = {
    ...incident,
    ...{ scenario, cause, detail, confidence, summary, rank, recoverAfterMs, flags },
    evidence: trimEvidence(signal),
    shared: signal.shared ?? incident.shared,
    decidedBy: source.uid,
  };
  const next = withRemedy(engine, renamed, source, incident);
  const nowMs = engine.state.meta.streamTimeMs;
  if (!same)
    return tell(
      engine,
      next,
      'relabelled',
      nowMs,
      `${scenario}/${cause}${detail === '' ? '' : ` (${detail})`}, was ${incident.scenario}/${incident.cause}: ${summary}`,
    );
  if (saysTheSame(incident, next)) return incident;
  const isMuted = next.flags.includes('muted');
  if (isMuted === incident.flags.includes('muted')) return { ...next, updatedMs: nowMs };
  return tell(engine, next, 'note', nowMs, isMuted ? 'muted by the rules' : 'no longer muted');
}

/** Since when a source is well: for what keeps a container from running it is its start, else now. */
function wellSinceMs(engine: Engine, incident: Incident, source: Source): number {
  const nowMs = engine.state.meta.streamTimeMs;
  if (source.kind !== 'pod' || (incident.track !== 'run' && incident.track !== 'pull')) return nowMs;
  const { initContainerStatuses = [], containerStatuses = [] } = (source.object as Pod).status;
  const status = [...initContainerStatuses, ...containerStatuses].find((s) => s.name === incident.subject.container);
  return Math.min(nowMs, parseTimeMs(status?.state?.running?.startedAt) ?? nowMs);
}

function memberRecovers(engine: Engine, source: Source, id: string): void {
  const { state } = engine;
  const incident = state.tables.incidents.get(id);
  const member = state.tables.members.get(memberKey(id, source.uid));
  if (incident === undefined || member?.state !== 'failing') return;
  // A pod on its way out says nothing about health, and its container's start nothing about recovery.
  const leaving = source.object.metadata.deletionTimestamp !== undefined;
  const sinceMs = leaving ? state.meta.streamTimeMs : wellSinceMs(engine, incident, source);
  addMember(engine, incident, { ...member, lastMs: state.meta.streamTimeMs, state: leaving ? 'gone' : 'recovering' });
  const after = { ...incident, failing: incident.failing - 1, sawHealth: incident.sawHealth || !leaving };
  calm(engine, after, Math.max(sinceMs, incident.recoveringSinceMs), `${nameOf(source.object)} is ${leaving ? 'being deleted' : 'well'}`);
}

/** One failing member less. When it was the last, recovery begins, and its time counts from `sinceMs`. */
function calm(engine: Engine, incident: Incident, sinceMs: number, text: string): void {
  if (incident.failing > 0 || incident.state !== 'open') {
    put(engine, incident);
    return;
  }
  const recovering: Incident = { ...incident, state: 'recovering', recoveringSinceMs: sinceMs };
  put(engine, tell(engine, recovering, 'recovering', engine.state.meta.streamTimeMs, text));
  engine.state.timers.set(`recover/${incident.id}`, Math.max(engine.state.meta.streamTimeMs, sinceMs + incident.recoverAfterMs));
}

/** A source is gone for good: its memberships end, and with the last one and its subject the incident (`deleted`). */
export function sourceGone(engine: Engine, source: Source, what = 'is gone'): void {
  const { state } = engine;
  const memberships = state.tables.sources.get(source.uid)?.memberOf ?? {};
  for (const key of Object.keys(memberships).sort(byCodeUnit)) {
    const id = memberships[key]?.id ?? '';
    const incident = state.tables.incidents.get(id);
    const member = state.tables.members.get(memberKey(id, source.uid));
    if (incident === undefined || member === undefined) continue;
    addMember(engine, incident, { ...member, lastMs: state.meta.streamTimeMs, state: 'gone' });
    const after = { ...incident, failing: incident.failing - (member.state === 'failing' ? 1 : 0) };
    calm(engine, after, state.meta.streamTimeMs, `${nameOf(source.object)} ${what}`);
    resolveIfSubjectGone(engine, id);
  }
  state.tables.sources.delete(source.uid);
  if (!state.tables.departed.has(source.uid)) forgetOpened(state, source.kind, source.uid);
  state.timers.cancel(`judge/${source.kind}/${source.uid}`);
}

/** An object that is the subject of incidents may be gone: those without a failing member end with it. */
export function subjectGone(engine: Engine, object: KubeObject): void {
  for (const id of engine.state.indexes.incidentsBySubject.get(
    subjectKey({ kind: object.kind, namespace: object.metadata.namespace, name: object.metadata.name }),
  )) {
    resolveIfSubjectGone(engine, id);
  }
}

function resolveIfSubjectGone(engine: Engine, id: string): void {
  const incident = engine.state.tables.incidents.get(id);
  if (incident !== undefined && incident.failing === 0 && isSubjectGone(engine.state, incident))
    resolve(engine, incident, 'deleted', `${incident.subject.kind} ${incident.subject.name} is gone`);
}

const SUBJECT_TABLES: Readonly<Record<string, 'pods' | 'nodes' | 'resourcequotas' | 'persistentvolumeclaims' | 'namespaces'>> = {
  Pod: 'pods',
  Node: 'nodes',
  ResourceQuota: 'resourcequotas',
  PersistentVolumeClaim: 'persistentvolumeclaims',
  Namespace: 'namespaces',
};

/** True only for kinds that are collected: absence of what nobody lists says nothing. */
function isSubjectGone(state: ClusterState, incident: Incident): boolean {
  const { kind, namespace, name } = incident.subject;
  const resource = SUBJECT_TABLES[kind] ?? resourceOfKind(kind);
  if (resource === undefined || isAwaited(state, resource) || (inSync(state, 'pods') && !inSync(state, resource))) return false;
  return state.indexes.byName[resource].get(nameKey(namespace, name)).length === 0;
}

/** The recovery time of an incident is over. */
export function recoveryDue(engine: Engine, id: string): void {
  const incident = engine.state.tables.incidents.get(id);
  if (incident?.state !== 'recovering') return;
  const members = engine.state.indexes.membersOf.get(id).map((key) => engine.state.tables.members.get(key));
  const healthy = members.some((m) => m?.state === 'recovering') || hasPods(engine.state, incident);
  resolve(
    engine,
    incident,
    healthy ? 'recovered' : 'deleted',
    healthy ? `stable for ${Math.round(incident.recoverAfterMs / 1_000)} s` : 'nothing of it is left',
  );
}

function hasPods(state: ClusterState, incident: Incident): boolean {
  const { kind, namespace, name } = incident.subject;
  return state.indexes.podsByNamespace.get(namespace).some((uid) => {
    const pod = state.tables.objects.pods.get(uid)?.object;
    const workload = pod && workloadOf(state, pod);
    return workload?.kind === kind && workload.name === name;
  });
}

/** Ends an incident; it leaves the state, its rows stay. */
export function resolve(engine: Engine, incident: Incident, resolution: Resolution, text: string): void {
  const { state } = engine;
  const { tables, indexes } = state;
  const nowMs = state.meta.streamTimeMs;
  const told = tell(engine, incident, resolution === 'superseded' ? 'superseded' : 'resolved', nowMs, text);
  const resolved: Incident = { ...told, state: 'resolved', resolution, resolvedMs: nowMs, failing: 0 };
  for (const key of indexes.membersOf.get(incident.id)) {
    const member = tables.members.get(key) as Member;
    if (member.state !== 'gone') addMember(engine, incident, { ...member, state: 'recovered' });
    tables.members.delete(key);
    indexes.membersOf.remove(incident.id, key);
    setMembership(engine, member.uid, incidentKey(incident.track, incident.subject), undefined);
  }
  // What its node explained must speak for itself again.
  if (incident.track === 'node') for (const uid of indexes.podsByNode.get(incident.subject.name)) tables.dirty.set(`pod/${uid}`, 1);
  unindexIncident(indexes, incident);
  tables.incidents.delete(incident.id);
  state.timers.cancel(`recover/${incident.id}`);
  touch(engine, resolved);
}

/** Writes the heads of all incidents that this step touched. */
export function emitIncidents(engine: Engine): void {
  const { state, emitter, touched } = engine;
  if (touched === undefined) return;
  for (const [id, incident] of touched) {
    const { desired, ready } = replicasOf(workloadObject(state, incident.subject));
    const impact = { desired, ready, affected: incident.failing };
    emitter.emit(
      'incidents',
      id,
      incidentRow(state.cluster.name, incident, impact, severityOf(entryOf(incident.scenario, incident.cause)?.severity ?? 'warning', impact)),
    );
  }
}
