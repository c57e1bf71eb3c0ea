/**
 * Everything the processor knows of one cluster. Owned and changed by step.ts alone; a checkpoint is `meta` plus the tables.
 * Values in tables are immutable; indexes and the timer heap are derived from them and rebuilt on restore.
 */
import type { ClusterRef } from '../../collector/change-record.ts';
import type { KubeObject, Pod, ProjectedObject, Resource, Workload } from '../../collector/objects.ts';
import { RESOURCES } from '../../collector/objects.ts';
import type { PodHistory, SeenEvent } from '../scenarios/scenario.ts';
import type { Change } from './changes.ts';
import type { Incident, Member, OpenedTable, SourceState } from './incident.ts';
import { groupKeys, incidentKey } from './incident.ts';
import type { Journal } from './journal.ts';
import { createJournal } from './journal.ts';
import type { Ended, Overtaken } from './overtaken.ts';
import type { RunClock } from './run-clock.ts';
import type { Rules } from './rules-config.ts';
import { DEFAULT_RULES } from './rules-config.ts';
import type { Index, Table } from './tables.ts';
import { createIndex, createTable } from './tables.ts';
import type { Timers } from './timers.ts';
import { createTimers } from './timers.ts';

/** The latest projected object of a uid. */
export interface StoredObject {
  readonly rv: string;
  readonly object: ProjectedObject;
}

/** What is kept of a pod that is gone. */
export interface DepartedPod {
  readonly pod: Pod;
  readonly history: PodHistory | undefined;
}

/** Counters of promise 4 on the processor's side, and what the collector said last. Part of `meta`, and so written in place. */
export interface SessionState {
  readonly session: string;
  readonly run: string;
  readonly resource: Resource;
  readonly scope: string;
  nextSeq: number;
  /**
   * listing: between BEGIN and END. synced: list complete, no hole since. broken: a hole, or entered in the middle. ended: kept for a
   * while, so that its records are known when a batch is repeated.
   */
  phase: 'listing' | 'synced' | 'broken' | 'ended';
  /** resourceVersion of the list in hand. */
  listRv: string;
  /** The newest resourceVersion that came on its watch; none before the first. */
  rv?: string;
  /** When it came, in stream time; absent in states of releases that did not keep it. */
  rvTimeMs?: number;
  /** The oldest one that came on its watch after a hole; none without a hole. From it up to `rv` nothing is missing. */
  fromRv?: string;
  /** The cluster went back since (went-back.ts): what still comes of this session is of versions that are no more. */
  outdated?: true;
  /** LISTED and REJECTED seen of the list in hand. */
  listedCount: number;
  readonly firstTimeMs: number;
  /** When its list was complete; 0 before. */
  syncedTimeMs: number;
  /** Last record of it, or heartbeat that named it in sync. */
  aliveTimeMs: number;
  /** Until when nothing of it is missing, as its list, its heartbeats and its end say; once it is broken or ended this stays. */
  completeTimeMs: number;
  received: number;
  suppressed: number;
  rejected: number;
  appended: number;
  applied: number;
  duplicate: number;
  deadLettered: number;
}

/** What podtrail can see of one (resource, scope). */
export interface SyncState {
  readonly inSync: boolean;
  /** Start of the blind interval while not in sync. */
  readonly blindFromMs: number;
  /** When the list of the earliest of the sessions that see, or saw last, was whole; 0 before the first. */
  readonly sightFromMs: number;
  readonly reason: string;
  /** It cannot be collected at all (forbidden, not served): nobody waits for it, and absence is never read from it. */
  readonly uncollectable: boolean;
}

/** The small, JSON-able rest of the state. */
export interface Meta {
  generation: number;
  /** Records of this cluster consumed, duplicates too: with the generation the version of every row (design D3). */
  count: number;
  streamTimeMs: number;
  firstTimeMs: number;
  lastHeartbeatMs: number;
  serverVersion: string;
  rules: Rules;
  sessions: Record<string, SessionState>;
  /** Time of the last heartbeat of each run: an older one is a repetition. */
  runs: Record<string, number>;
  /** Heartbeats of others since that one, by run; absent while there is one run. */
  beats?: Record<string, number>;
  /** By scopeKey: what the runs said they collect, and how far that is so. */
  sync: Record<string, SyncState>;
  /** By scopeKey: highest resourceVersion up to which the tables are complete. */
  completeRv: Record<string, string>;
  /** Likewise: stream time at which it became the highest, ms. */
  completeAtMs: Record<string, number>;
  /** How often the pods went back to those of a backup (went-back.ts); absent while they never have. */
  timesRestored?: number;
  /** By run, of those that began behind stream time and have not come up with it (run-clock.ts); absent while there is none. */
  behind?: Record<string, RunClock>;
}

export interface ClusterState {
  readonly cluster: ClusterRef;
  readonly meta: Meta;
  readonly tables: Tables;
  readonly timers: Timers;
  readonly indexes: Indexes;
  /** Of the pods. */
  readonly journal: Journal;
}

/** Every table of the state, by the name it has in a checkpoint. */
export interface Tables {
  /** Latest objects by uid; of events nothing is kept here (see `events`). */
  readonly objects: Readonly<Record<Resource, Table<StoredObject>>>;
  /** By pod uid. */
  readonly histories: Table<PodHistory>;
  /** Pods that ended a moment ago, by uid: Events about their end may come after it (signals.md §17). */
  readonly departed: Table<DepartedPod>;
  /** Controlled controllers that are gone, by uid, while pods of theirs may be left: whose those are is still known. */
  readonly lineage: Table<KubeObject>;
  /** By uid: owners of kinds that are not listed and that are refused their pods. Of their spec and status nothing is known. */
  readonly unlisted: Table<Workload>;
  /** Spec hashes already stored, by pod uid. */
  readonly specs: Table<string>;
  /** Recent Events by uid of the object they regard. */
  readonly events: Table<readonly SeenEvent[]>;
  /** Recent changes of workloads, quotas and nodes, by what they are about (changes.ts). */
  readonly changes: Table<readonly Change[]>;
  /** By source uid: what the rules said of it last. */
  readonly sources: Table<SourceState>;
  readonly opened: OpenedTable;
  /** Unresolved incidents by id. */
  readonly incidents: Table<Incident>;
  /** By `incident id/source uid`. */
  readonly members: Table<Member>;
  /** `session/uid` of the lists in hand. */
  readonly listed: Table<1>;
  /** By pod uid: what a list showed before the watch of another collector has. */
  readonly overtaken: Table<readonly Overtaken[]>;
  /** By pod uid: deletions that a list on its way may be too old to know of (overtaken.ts). */
  readonly ended: Table<Ended>;
  /** `kind/uid` of what must be judged again once podtrail can see. */
  readonly dirty: Table<1>;
  /** Likewise, but waiting for a table that a rule reads to be in sync. */
  readonly held: Table<1>;
  readonly timers: Table<number>;
}

export interface Indexes {
  /** resource → `namespace/name` → uids (several while a name is being reused). */
  readonly byName: Readonly<Record<Resource, Index>>;
  readonly podsByNode: Index;
  readonly podsByNamespace: Index;
  /** Owner uid → uids of pods it controls directly. */
  readonly podsByOwner: Index;
  /** Owner uid → uids of the ReplicaSets it controls: the revisions of a Deployment. */
  readonly setsByOwner: Index;
  /** incidentKey → id of the unresolved incident. */
  readonly openByKey: Map<string, string>;
  /** incident id → member keys. */
  readonly membersOf: Index;
  /** `kind/namespace/name` of a subject → incident ids. */
  readonly incidentsBySubject: Index;
  /** groupKey → ids of unresolved incidents that share it; parents are not among them. */
  readonly alike: Index;
}

/** The empty tables, or those that `restore` fills by name. */
export function createTables(entries: (name: string) => Iterable<readonly [string, unknown]> = () => []): Tables {
  const table = <V>(name: string): Table<V> => createTable(entries(name) as Iterable<readonly [string, V]>);
  const objects = Object.fromEntries(RESOURCES.map((r) => [r, table<StoredObject>(`objects.${r}`)])) as Tables['objects'];
  return {
    objects,
    histories: table('histories'),
    departed: table('departed'),
    lineage: table('lineage'),
    unlisted: table('unlisted'),
    specs: table('specs'),
    events: table('events'),
    changes: table('changes'),
    sources: table('sources'),
    opened: table('opened'),
    incidents: table('incidents'),
    members: table('members'),
    listed: table('listed'),
    overtaken: table('overtaken'),
    ended: table('ended'),
    dirty: table('dirty'),
    held: table('held'),
    timers: table('timers'),
  };
}

/** Every table with its checkpoint name, in a fixed order. */
export function namedTables(tables: Tables): readonly (readonly [string, Table<unknown>])[] {
  const { objects, ...rest } = tables;
  const named: (readonly [string, Table<unknown>])[] = RESOURCES.map((r) => [`objects.${r}`, objects[r] as Table<unknown>]);
  for (const name of Object.keys(rest) as (keyof typeof rest)[]) named.push([name, rest[name] as Table<unknown>]);
  return named;
}

function buildIndexes(tables: Tables): Indexes {
  const indexes: Indexes = {
    byName: Object.fromEntries(RESOURCES.map((r) => [r, createIndex()])) as unknown as Indexes['byName'],
    podsByNode: createIndex(),
    podsByNamespace: createIndex(),
    podsByOwner: createIndex(),
    setsByOwner: createIndex(),
    openByKey: new Map(),
    membersOf: createIndex(),
    incidentsBySubject: createIndex(),
    alike: createIndex(),
  };
  for (const resource of RESOURCES) for (const stored of tables.objects[resource].values()) indexObject(indexes, resource, stored.object);
  for (const incident of tables.incidents.values()) enterIncident(indexes, incident);
  for (const key of tables.members.keys()) enterMember(indexes, key);
  return indexes;
}

function enterIncident(indexes: Indexes, incident: Incident): void {
  indexIncident(indexes, incident);
  reindexShared(indexes, undefined, incident);
}

function enterMember(indexes: Indexes, key: string): void {
  indexes.membersOf.add(key.slice(0, key.indexOf('/')), key);
}

/**
 * Enters one key of a checkpoint into a state that holds none of it yet, with all that is derived from it, in any order. A table that
 * this release does not know is passed over.
 */
export type EnterEntry = (table: string, key: string, value: unknown) => void;

export function createEntry(state: ClusterState): EnterEntry {
  const { indexes, timers } = state;
  const tables = new Map(namedTables(state.tables));
  return (name, key, value) => {
    if (name === 'timers') return timers.set(key, value as number);
    tables.get(name)?.set(key, value);
    if (name.startsWith('objects.')) indexObject(indexes, name.slice('objects.'.length) as Resource, (value as StoredObject).object);
    else if (name === 'members') enterMember(indexes, key);
    else if (name === 'incidents') enterIncident(indexes, value as Incident);
  };
}

/** A new cluster's state, or one restored from a checkpoint's meta and tables. */
export function createClusterState(cluster: ClusterRef, generation: number, restored?: { readonly meta: Meta; readonly tables: Tables }): ClusterState {
  const tables = restored?.tables ?? createTables();
  // Of the releases that did not know them, fields are empty.
  const meta: Meta =
    restored !== undefined
      ? { ...restored.meta, completeAtMs: restored.meta.completeAtMs ?? {} }
      : {
          generation,
          count: 0,
          streamTimeMs: 0,
          firstTimeMs: 0,
          lastHeartbeatMs: 0,
          serverVersion: '',
          rules: DEFAULT_RULES,
          sessions: {},
          runs: {},
          sync: {},
          completeRv: {},
          completeAtMs: {},
        };
  return { cluster, meta, tables, timers: createTimers(tables.timers), indexes: buildIndexes(tables), journal: createJournal() };
}

/** version of the rows that the record in hand emits (design D3). */
export function rowVersion(meta: Meta): bigint {
  return (BigInt(meta.generation) << 40n) + BigInt(meta.count);
}

/** `namespace/name`, the key of byName. */
export function nameKey(namespace: string, name: string): string {
  return `${namespace}/${name}`;
}

/** uid of the controlling owner, or ''. */
export function controllerUid(object: KubeObject): string {
  for (const owner of object.metadata.ownerReferences ?? []) if (owner.controller === true) return owner.uid;
  return '';
}

function eachIndex(indexes: Indexes, resource: Resource, object: ProjectedObject, act: (index: Index, key: string) => void): void {
  if (resource !== 'pods' && resource !== 'replicasets') return;
  const owner = controllerUid(object);
  if (owner !== '') act(resource === 'pods' ? indexes.podsByOwner : indexes.setsByOwner, owner);
  if (resource !== 'pods') return;
  act(indexes.podsByNamespace, object.metadata.namespace);
  const { nodeName } = (object as Pod).spec;
  if (nodeName) act(indexes.podsByNode, nodeName);
}

/** Enters an object into the indexes. */
export function indexObject(indexes: Indexes, resource: Resource, object: ProjectedObject): void {
  const { uid, namespace, name } = object.metadata;
  indexes.byName[resource].add(nameKey(namespace, name), uid);
  eachIndex(indexes, resource, object, (index, key) => index.add(key, uid));
}

/** Takes an object out of the indexes. */
export function unindexObject(indexes: Indexes, resource: Resource, object: ProjectedObject): void {
  const { uid, namespace, name } = object.metadata;
  indexes.byName[resource].remove(nameKey(namespace, name), uid);
  eachIndex(indexes, resource, object, (index, key) => index.remove(key, uid));
}

/** Replaces an object in the indexes by its next version. What they are about changes rarely, and entering costs them their order. */
export function reindexObject(indexes: Indexes, resource: Resource, before: ProjectedObject, after: ProjectedObject): void {
  const { namespace, name } = before.metadata;
  const isSame =
    namespace === after.metadata.namespace &&
    name === after.metadata.name &&
    controllerUid(before) === controllerUid(after) &&
    (resource !== 'pods' || (before as Pod).spec.nodeName === (after as Pod).spec.nodeName);
  if (isSame) return;
  unindexObject(indexes, resource, before);
  indexObject(indexes, resource, after);
}

/** `kind/namespace/name`, the key of incidentsBySubject. */
export function subjectKey(subject: { readonly kind: string; readonly namespace: string; readonly name: string }): string {
  return `${subject.kind}/${subject.namespace}/${subject.name}`;
}

/** Moves an incident among those alike when what it shares, its scenario or its cause has changed. */
export function reindexShared(indexes: Indexes, before: Incident | undefined, after: Incident): void {
  if (before !== undefined && before.shared === after.shared && before.scenario === after.scenario && before.cause === after.cause) return;
  if (before !== undefined && !before.isParent) for (const { key } of groupKeys(before)) indexes.alike.remove(key, before.id);
  if (!after.isParent) for (const { key } of groupKeys(after)) indexes.alike.add(key, after.id);
}

function openKey(incident: Incident): string {
  return incident.isParent ? incident.groupKey : incidentKey(incident.track, incident.subject);
}

/** Enters an unresolved incident into the indexes. */
export function indexIncident(indexes: Indexes, incident: Incident): void {
  indexes.openByKey.set(openKey(incident), incident.id);
  indexes.incidentsBySubject.add(subjectKey(incident.subject), incident.id);
}

/** Takes a resolved incident out of the indexes. */
export function unindexIncident(indexes: Indexes, incident: Incident): void {
  indexes.openByKey.delete(openKey(incident));
  if (!incident.isParent) for (const { key } of groupKeys(incident)) indexes.alike.remove(key, incident.id);
  indexes.incidentsBySubject.remove(subjectKey(incident.subject), incident.id);
}
