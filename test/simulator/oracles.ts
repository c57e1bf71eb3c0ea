/** What must hold of every seed once all is quiet. Each oracle names what does not. */
import { isDeepStrictEqual } from 'node:util';
import type { LogRecord } from '../../collector/change-log/change-log.ts';
import type { ChangeRecord } from '../../collector/change-record.ts';
import { decodeChangeRecord } from '../../collector/change-record.ts';
import { projectObject } from '../../collector/project.ts';
import { restoreCluster } from '../../processor/checkpoint.ts';
import { incidentKey } from '../../processor/core/incident.ts';
import type { ClusterState } from '../../processor/core/state.ts';
import { namedTables } from '../../processor/core/state.ts';
import type { Replay } from '../../processor/replay.ts';
import { createReplay } from '../../processor/replay.ts';
import { columnsOf, encodeRow, TABLE_NAMES } from '../../sql/encode-row.ts';
import type { TableName } from '../../sql/rows.ts';
import type { Change } from './api-server.ts';
import { onWire } from './api-server.ts';
import type { Machine } from './machine.ts';
import type { Pipeline, SimulatedCluster } from './pipeline.ts';
import type { Store, StoredRow } from './store.ts';
import { WORLD_RESOURCES } from './world.ts';

/** What a collector's stamp may differ from the API server's clock: Date headers are whole seconds, and events travel, ms. */
const STAMP_ERROR_MS = 2_500;

/** Every record of the log, in the order of each partition. */
export function logOf({ broker, clusters }: Pipeline): ChangeRecord[] {
  const partitions = new Set(clusters.map(({ ref }) => broker.partitionOf(ref.uid)));
  return decoded([...partitions].flatMap((partition) => broker.records(partition)));
}

export function decoded(records: readonly LogRecord[]): ChangeRecord[] {
  return records.map(({ value }) => {
    const result = decodeChangeRecord(value);
    if (!result.ok) throw new Error(`the collector wrote what no processor reads: ${result.reason}`);
    return result.record;
  });
}

export function replayOf(records: readonly ChangeRecord[]): Replay {
  const replay = createReplay();
  for (const record of records) replay.push(record);
  return replay;
}

const show = (row: StoredRow): string => JSON.stringify(row, (key, value) => (key === 'version' ? undefined : value));

/**
 * Oracle 1: every table as an undisturbed run of the same records leaves it. `lastWords`: where records are gone, nobody makes the rows
 * again that a dead process sent, and what of them lands after its successor has cleared them away stays (ClickHouse cannot fence).
 */
export function differingTables(pipeline: Pipeline, replay: Replay, lastWords: boolean): string[] {
  const { store } = pipeline;
  return TABLE_NAMES.flatMap((table) => {
    const wanted = expectedRows(replay, table);
    const rows = store.final(table);
    const shown = table === 'dead_letters' ? (row: StoredRow) => show(asCoreLetter(pipeline, row)) : show;
    const [isWanted, isFound] = [new Set(wanted), new Set(rows.map(shown))];
    const missing = wanted.filter((row) => !isFound.has(row));
    const extra = rows.filter((row) => !(lastWords && store.isLate(row))).flatMap((row) => (isWanted.has(shown(row)) ? [] : [shown(row)]));
    if (missing.length + extra.length === 0) return [];
    return [`${table}: ${missing.length} rows missing, ${extra.length} too many of ${wanted.length}\n  missing ${missing[0]}\n  extra   ${extra[0]}`];
  });
}

/** Every call succeeds at once. */
const AT_ONCE: Machine = { name: 'oracle', alive: true, call: async ({ effect }) => effect(), sleep: async () => {}, dieAfter() {}, die() {} };

/** Oracle 1b: what the next process would go on from is the state that an undisturbed run ends in, but for its generation. */
export async function differingCheckpoints({ clusters, store }: Pipeline, replay: Replay): Promise<string[]> {
  const wrong: string[] = [];
  for (const { ref } of clusters) {
    const restored = await restoreCluster(store.client(AT_ONCE), ref.uid, () => wrong.push(`a checkpoint of ${ref.name} is damaged`));
    const [found, wanted] = [restored?.state, replay.state(ref.uid)].map((state) => (state === undefined ? {} : contentsOf(state)));
    const differing = Object.keys({ ...found, ...wanted }).filter((part) => !isDeepStrictEqual(found?.[part], wanted?.[part]));
    if (differing.length > 0) wrong.push(`the checkpoint of ${ref.name} differs in ${differing.join(', ')}`);
  }
  return wrong;
}

function contentsOf({ meta, tables }: ClusterState): Readonly<Record<string, unknown>> {
  const contents = namedTables(tables).map(([name, table]) => [name, table.keys().map((key) => [key, table.get(key)])]);
  return JSON.parse(JSON.stringify({ ...meta, generation: 0, ...Object.fromEntries(contents) }));
}

function expectedRows<T extends TableName>(replay: Replay, table: T): string[] {
  const columns = columnsOf(table);
  return replay
    .rows(table)
    .map((row) => (JSON.parse(encodeRow(table, row, 0n)) as unknown[]).map((value, i) => [columns[i], value]))
    .map((entries) => show(Object.fromEntries(entries) as StoredRow));
}

/** Oracle 2: per session the collector's count adds up, and every copy in the log has become something. */
export function unbalancedSessions(records: readonly ChangeRecord[], replay: Replay): string[] {
  const copies = new Map<string, number>();
  const ended = new Set<string>();
  const told = new Set<string>();
  for (const record of records) {
    if (record.type === 'HEARTBEAT') {
      for (const { session } of record.sessions) if (ended.has(session)) told.add(session);
    } else if (record.type === 'SESSION_END') ended.add(record.session);
    else if (record.type === 'ADDED' || record.type === 'MODIFIED' || record.type === 'DELETED' || record.type === 'LISTED') {
      copies.set(record.session, (copies.get(record.session) ?? 0) + 1);
    }
  }
  return replay.rows('sessions').flatMap((row) => {
    if (!told.has(row.session)) return [];
    const { received, suppressed, rejected, appended, applied, duplicate, deadLettered } = row;
    const logged = copies.get(row.session) ?? 0;
    const balances = received === suppressed + rejected + appended && applied + duplicate + deadLettered === logged && logged >= appended;
    return balances ? [] : [`session does not balance, ${logged} records in the log: ${JSON.stringify(row)}`];
  });
}

/** Oracle 2b: what could not be read has its dead letter. */
export function missingLetters(pipeline: Pipeline, records: readonly ChangeRecord[]): string[] {
  const letters = new Set(
    pipeline.store
      .final('dead_letters')
      .map((letter) => asCoreLetter(pipeline, letter))
      .map((row) => `${row['log']}#${row['offset']}`),
  );
  const refused = records.flatMap((record) => (record.type === 'REJECTED' ? [`session:${record.session}#${record.seq}`] : []));
  const missing = [...new Set(refused)].filter((position) => !letters.has(position));
  return missing.length === 0 ? [] : [`${missing.length} of ${refused.length} refused objects without a dead letter, first ${missing[0]}`];
}

/** A dead letter as the core writes it: by session and seq, of which the log's offset tells. */
function asCoreLetter({ broker }: Pipeline, row: StoredRow): StoredRow {
  const decoded = decodeChangeRecord(broker.records(Number(row['partition']))[Number(row['offset'])]?.value ?? Buffer.alloc(0));
  if (!decoded.ok || !('seq' in decoded.record)) return row;
  const { session, seq, type } = decoded.record;
  return { ...row, log: `session:${session}`, partition: 0, offset: String(seq), part: type };
}

interface Interval {
  readonly from: number;
  readonly to: number;
}

/** Oracle 3: what a watch brought has one row; what has none, or was not brought, happened while blind. */
export function wrongGaps({ ref, server }: SimulatedCluster, store: Store): string[] {
  // A cluster whose first records were gone before anybody had read them begins after them: of the time before, nothing is claimed.
  const since = Number(store.final('clusters').find((row) => row['cluster'] === ref.name)?.['first_record_time'] ?? Number.POSITIVE_INFINITY);
  const blind = store
    .final('coverage')
    .filter((row) => row['cluster'] === ref.name && row['resource'] === 'pods')
    .map((row): Interval => ({ from: Number(row['from_time']), to: Number(row['to_time']) || Number.POSITIVE_INFINITY }));
  const rows = new Map<string, number>();
  for (const row of store.final('pod_changes')) {
    if (row['cluster'] !== ref.name || row['change'] === 'DAILY' || row['change'] === 'VANISHED') continue;
    const key = `${row['uid']} ${row['resource_version']}`;
    rows.set(key, (rows.get(key) ?? 0) + 1);
  }
  const changes = server.changes.filter((change) => change.resource === 'pods' && !change.isNoise && isReadable(change) && change.timeMs > since);
  const ofKey = new Map<string, number>();
  for (const change of server.changes) ofKey.set(keyOf(change), (ofKey.get(keyOf(change)) ?? 0) + 1);
  return changes.flatMap((change) => {
    const key = keyOf(change);
    const count = rows.get(key) ?? 0;
    // A version that was restored from a backup may be listed once more, and another one may get its number.
    if (count > (ofKey.get(key) ?? 0) + server.restores) return [`${count} rows of ${describeChange(change)}`];
    if (count > 0 || isWithin(blind, change.timeMs, STAMP_ERROR_MS + server.clockErrorMs)) return [];
    return [`no row, while not blind, of ${describeChange(change)}, blind ${nearest(blind, change.timeMs)}`];
  });
}

const keyOf = ({ object, rv }: Change): string => `${object.metadata.uid} ${rv}`;

function isReadable({ resource, object }: Change): boolean {
  return projectObject(resource, onWire(object)).ok;
}

function describeChange({ type, rv, timeMs, object }: Change): string {
  return `${type} of ${object.metadata.name} ${object.metadata.uid} rv ${rv} at ${new Date(timeMs).toISOString()}`;
}

function isWithin(intervals: readonly Interval[], timeMs: number, slackMs: number): boolean {
  return intervals.some(({ from, to }) => from - slackMs <= timeMs && timeMs <= to + slackMs);
}

function nearest(intervals: readonly Interval[], timeMs: number): string {
  const [first] = [...intervals].sort((a, b) => Math.abs(a.from - timeMs) - Math.abs(b.from - timeMs));
  return first === undefined ? 'never' : `${new Date(first.from).toISOString()} to ${Number.isFinite(first.to) ? new Date(first.to).toISOString() : 'now'}`;
}

/** Blind intervals that do not end although all is well before `quietMs`, by the cluster's clock. */
export function lastingBlindness({ ref }: SimulatedCluster, store: Store, quietMs: number): string[] {
  return store
    .final('coverage')
    .filter((row) => row['cluster'] === ref.name && Number(row['to_time']) === 0 && Number(row['from_time']) < quietMs)
    .map((row) => `still blind: ${show(row)}`);
}

/** Oracle 4: the tables are the API server's, at most one incident is open per subject and track, and what fails is in one. */
export function wrongEnd({ ref, server, world }: SimulatedCluster, replay: Replay, store: Store): string[] {
  const state = replay.state(ref.uid);
  if (state === undefined) return [`nothing is known of ${ref.name}`];
  const wrong: string[] = [];
  for (const resource of WORLD_RESOURCES) {
    if (resource === 'events') continue;
    const known = new Map([...state.tables.objects[resource].keys()].map((uid) => [uid, state.tables.objects[resource].get(uid)?.object]));
    for (const [uid, raw] of server.objects(resource)) {
      const projection = projectObject(resource, onWire(raw));
      const wanted = bare(projection.ok ? projection.object : undefined);
      if (bare(known.get(uid)) !== wanted) wrong.push(`${resource} ${uid} is ${bare(known.get(uid))}, not ${wanted}`);
      known.delete(uid);
    }
    for (const uid of known.keys()) wrong.push(`${resource} ${uid} is long gone`);
  }
  const keys = [...state.tables.incidents.values()].filter(({ isParent }) => !isParent).map(({ track, subject }) => incidentKey(track, subject));
  if (new Set(keys).size < keys.length) wrong.push(`two open incidents of one subject: ${keys.sort().join(' ')}`);
  return [...wrong, ...wrongMembers(ref.name, world.failing(), store)];
}

function bare(object: unknown): string {
  return JSON.stringify(object, (key, value) => (key === 'resourceVersion' ? undefined : value)) ?? 'absent';
}

function wrongMembers(cluster: string, failing: ReadonlySet<string>, store: Store): string[] {
  const open = new Map(store.final('incidents').flatMap((row) => (row['cluster'] === cluster && row['state'] !== 'resolved' ? [[row['id'], row]] : [])));
  const members = store.final('incident_members').filter((row) => open.has(row['incident_id']) && row['state'] === 'failing');
  const named = new Set(members.map((row) => row['pod_uid']));
  const silent = [...failing].filter((uid) => !named.has(uid)).map((uid) => `pod ${uid} fails and is in no open incident`);
  const wrong = members
    .filter((row) => !failing.has(row['pod_uid'] as string))
    .map((row) => `pod ${row['pod_uid']} is well but in ${show(open.get(row['incident_id']) ?? {})}`);
  const idle = [...open.values()]
    .filter((row) => !members.some((member) => member['incident_id'] === row['id']))
    .map((row) => `nobody fails in open ${show(row)}`);
  return [...silent, ...wrong, ...idle];
}
