/**
 * The core in memory: records in, the rows of every table as they would stand in ClickHouse out. `podtrail replay`, goldens and
 * backtests use it; nothing here is another implementation of anything.
 */
import type { ChangeRecord } from '../collector/change-record.ts';
import type { IncidentMemberRow, IncidentRow, RowsByTable, TableName } from '../sql/rows.ts';
import type { Evidence } from './scenarios/scenario.ts';
import type { ClusterState } from './core/state.ts';
import { createClusterState } from './core/state.ts';
import { step } from './core/step.ts';

/** Rows of a table by key; the last one of a key stands, as with ReplacingMergeTree. */
type Stored = { [T in TableName]: Map<string, RowsByTable[T]> };

export interface Replay {
  /** Applies the next record of any cluster. */
  push(record: ChangeRecord): void;
  /** A table's rows in the order in which their keys first came up. */
  rows<T extends TableName>(table: T): RowsByTable[T][];
  /** Every incident in the published shape, oldest first. */
  incidents(): IncidentJson[];
  /** The state of a cluster by uid, for those who look inside. */
  state(clusterUid: string): ClusterState | undefined;
}

/** Creates an empty replay; `generation` is that of the rows. */
export function createReplay(generation = 1): Replay {
  const states = new Map<string, ClusterState>();
  const stored = new Map<TableName, Map<string, unknown>>();
  const tableOf = <T extends TableName>(table: T): Stored[T] => {
    let rows = stored.get(table);
    if (rows === undefined) {
      rows = new Map();
      stored.set(table, rows);
    }
    return rows as Stored[T];
  };
  const rows = <T extends TableName>(table: T): RowsByTable[T][] => [...tableOf(table).values()] as RowsByTable[T][];
  return {
    push(record) {
      let state = states.get(record.cluster.uid);
      if (state === undefined) {
        state = createClusterState(record.cluster, generation);
        states.set(record.cluster.uid, state);
      }
      for (const emitted of step(state, record)) {
        (tableOf(emitted.table) as Map<string, unknown>).set(`${record.cluster.uid}\n${emitted.key}`, emitted.row);
      }
    },
    rows,
    incidents() {
      const members = new Map<string, IncidentMemberRow[]>();
      for (const member of rows('incident_members')) {
        const key = `${member.cluster}\n${member.incidentId}`;
        members.set(key, [...(members.get(key) ?? []), member]);
      }
      return rows('incidents')
        .map((row) => incidentJson(row, members.get(`${row.cluster}\n${row.id}`) ?? []))
        .sort((a, b) => compare(a.openedTime, b.openedTime) || compare(a.id, b.id));
    },
    state: (uid) => states.get(uid),
  };
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
const iso = (timeMs: number): string => new Date(timeMs).toISOString();

/** An incident as the CLI prints it and the API answers: one line of ndjson. Times RFC 3339, null where there is none. */
export interface IncidentJson {
  readonly id: string;
  readonly cluster: string;
  readonly scenario: string;
  readonly cause: string;
  readonly flags: readonly string[];
  readonly confidence: string;
  readonly detail: string;
  readonly state: string;
  readonly resolution: string | null;
  readonly severity: string;
  readonly subject: { readonly kind: string; readonly namespace: string; readonly name: string; readonly container: string };
  readonly pods: readonly { readonly namespace: string; readonly name: string; readonly uid: string }[];
  readonly impact: unknown;
  readonly openedTime: string;
  readonly updatedTime: string;
  readonly resolvedTime: string | null;
  readonly firstSymptomTime: string;
  readonly flaps: number;
  readonly summary: string;
  readonly evidence: unknown;
  readonly suspectedChange: unknown;
  readonly supersededBy: string | null;
  readonly parent: string | null;
}

/** The published shape of an incident row and its members. */
export function incidentJson(row: IncidentRow, members: readonly IncidentMemberRow[]): IncidentJson {
  return {
    id: row.id,
    cluster: row.cluster,
    scenario: row.scenario,
    cause: row.cause,
    flags: row.flags,
    confidence: row.confidence,
    detail: row.detail,
    state: row.state,
    resolution: row.resolution || null,
    severity: row.severity,
    subject: { kind: row.subjectKind, namespace: row.subjectNamespace, name: row.subjectName, container: row.subjectContainer },
    pods: members.map((m) => ({ namespace: m.podNamespace, name: m.podName, uid: m.podUid })),
    impact: JSON.parse(row.impact),
    openedTime: iso(row.openedTimeMs),
    updatedTime: iso(row.updatedTimeMs),
    resolvedTime: row.resolvedTimeMs === 0 ? null : iso(row.resolvedTimeMs),
    firstSymptomTime: iso(row.firstSymptomTimeMs),
    flaps: row.flaps,
    summary: row.summary,
    evidence: (JSON.parse(row.evidence) as Evidence[]).map(({ timeMs, ...e }) => ({ ...e, time: timeMs === undefined ? null : iso(timeMs) })),
    suspectedChange: row.suspectedChange === '' ? null : JSON.parse(row.suspectedChange),
    supersededBy: row.supersededBy || null,
    parent: row.parent || null,
  };
}
