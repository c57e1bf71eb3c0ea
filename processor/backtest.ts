/**
 * Backtests: other rules over the same records, in memory, and what their incidents differ in from those that were told. Nothing is
 * stored; of what the core says, only the heads of incidents are kept, so that days of a log fit.
 */
import type { ClickHouseClient } from '@clickhouse/client';
import { z } from 'zod';
import type { ChangeRecord, Heartbeat } from '../collector/change-record.ts';
import { SCHEMA_VERSION, scopeKey } from '../collector/change-record.ts';
import { StoreError } from '../sql/errors.ts';
import { loadQuery, runQuery } from '../sql/queries.ts';
import type { IncidentRow } from '../sql/rows.ts';
import { inSync } from './core/coverage.ts';
import type { ClusterState } from './core/state.ts';
import { createClusterState } from './core/state.ts';
import { step } from './core/step.ts';

/** What a backtest knows of an incident. */
export interface BacktestIncident {
  readonly cluster: string;
  readonly id: string;
  readonly scenario: string;
  readonly cause: string;
  readonly muted: boolean;
  readonly subject: { readonly kind: string; readonly namespace: string; readonly name: string; readonly container: string };
  /** Epoch ms; resolvedMs is 0 while it is not resolved. */
  readonly openedMs: number;
  readonly resolvedMs: number;
  readonly pods: number;
  readonly summary: string;
}

export type Difference =
  | { readonly kind: 'new'; readonly after: BacktestIncident }
  | { readonly kind: 'gone'; readonly before: BacktestIncident }
  | { readonly kind: 'reclassified'; readonly before: BacktestIncident; readonly after: BacktestIncident };

export interface Comparison {
  /** Oldest first. */
  readonly differences: readonly Difference[];
  /** Incidents told alike. */
  readonly same: number;
  /** Incidents on one side alone of which that says nothing: they opened before the records were whole. */
  readonly undecided: number;
}

/** Epoch ms, both included. */
export interface BacktestRange {
  readonly fromMs: number;
  readonly toMs: number;
}

/** True if the incident was active in the range. */
export function isActive({ openedMs, resolvedMs }: BacktestIncident, { fromMs, toMs }: BacktestRange): boolean {
  return openedMs <= toMs && (resolvedMs === 0 || resolvedMs >= fromMs);
}

/**
 * Compares incidents as told before with those as they would be told: by cluster and id, then, among the rest, by subject and
 * overlap, one of the same scenario first, then the one that overlaps longest. `wholeFromMs`: since when the records of a cluster
 * were whole; what opened before and has no counterpart is undecided.
 */
export function compareIncidents(
  before: readonly BacktestIncident[],
  after: readonly BacktestIncident[],
  wholeFromMs: (cluster: string) => number = () => 0,
): Comparison {
  const pairs = matchById(before, after);
  const matched = new Set(pairs.flat());
  const isLeft = (incident: BacktestIncident): boolean => !matched.has(incident);
  pairs.push(...matchBySubject(before.filter(isLeft), after.filter(isLeft)));
  for (const incident of pairs.flat()) matched.add(incident);
  const alone: Difference[] = [
    ...before.filter(isLeft).map((incident) => ({ kind: 'gone' as const, before: incident })),
    ...after.filter(isLeft).map((incident) => ({ kind: 'new' as const, after: incident })),
  ];
  const decided = alone.filter((difference) => openedMs(difference) >= wholeFromMs(incidentOf(difference).cluster));
  const reclassified = pairs.filter(([a, b]) => isToldOtherwise(a, b)).map(([a, b]) => ({ kind: 'reclassified' as const, before: a, after: b }));
  return {
    differences: [...decided, ...reclassified].sort(byOpening),
    same: pairs.length - reclassified.length,
    undecided: alone.length - decided.length,
  };
}

type Pair = readonly [before: BacktestIncident, after: BacktestIncident];

/** The incident that a difference is about: as it would be told, if it would be. */
export function incidentOf(difference: Difference): BacktestIncident {
  return difference.kind === 'gone' ? difference.before : difference.after;
}
const openedMs = (difference: Difference): number => incidentOf(difference).openedMs;
const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
const compareIncidentIds = (a: BacktestIncident, b: BacktestIncident): number => compareText(a.cluster, b.cluster) || compareText(a.id, b.id);
const byOpening = (a: Difference, b: Difference): number =>
  openedMs(a) - openedMs(b) || compareIncidentIds(incidentOf(a), incidentOf(b)) || compareText(a.kind, b.kind);

function isToldOtherwise(a: BacktestIncident, b: BacktestIncident): boolean {
  return a.scenario !== b.scenario || a.cause !== b.cause || a.muted !== b.muted;
}

function matchById(before: readonly BacktestIncident[], after: readonly BacktestIncident[]): Pair[] {
  const key = ({ cluster, id }: BacktestIncident): string => JSON.stringify([cluster, id]);
  const known = new Map(before.map((incident) => [key(incident), incident]));
  return after.flatMap((incident) => {
    const counterpart = known.get(key(incident));
    return counterpart === undefined ? [] : [[counterpart, incident] as const];
  });
}

function matchBySubject(before: readonly BacktestIncident[], after: readonly BacktestIncident[]): Pair[] {
  const bySubject = new Map<string, BacktestIncident[]>();
  for (const incident of before) bySubject.set(subjectKey(incident), [...(bySubject.get(subjectKey(incident)) ?? []), incident]);
  const candidates = after.flatMap((incident) =>
    (bySubject.get(subjectKey(incident)) ?? []).flatMap((other) => {
      const overlapMs = overlap(other, incident);
      return overlapMs < 0 ? [] : [{ pair: [other, incident] as const, isAlike: other.scenario === incident.scenario, overlapMs }];
    }),
  );
  candidates.sort(
    (a, b) =>
      Number(b.isAlike) - Number(a.isAlike) ||
      b.overlapMs - a.overlapMs ||
      compareIncidentIds(a.pair[0], b.pair[0]) ||
      compareIncidentIds(a.pair[1], b.pair[1]),
  );
  const taken = new Set<BacktestIncident>();
  return candidates.flatMap(({ pair }) => {
    if (pair.some((incident) => taken.has(incident))) return [];
    for (const incident of pair) taken.add(incident);
    return [pair];
  });
}

function subjectKey({ cluster, subject: { kind, namespace, name, container } }: BacktestIncident): string {
  return JSON.stringify([cluster, kind, namespace, name, container]);
}

/** Largest time, so that differences of two open ends stay numbers. */
const NEVER_MS = 8_640_000_000_000_000;

/** Length of the common time, ms; 0 if they only touch, negative if they do not. */
function overlap(a: BacktestIncident, b: BacktestIncident): number {
  return Math.min(a.resolvedMs || NEVER_MS, b.resolvedMs || NEVER_MS) - Math.max(a.openedMs, b.openedMs);
}

/** What a backtest saw of a cluster. */
export interface BacktestCluster {
  readonly cluster: string;
  readonly firstMs: number;
  readonly lastMs: number;
  /** Since when nothing that the live processor saw was missing: records that begin in the middle tell little before a full list. */
  readonly wholeFromMs: number | undefined;
}

export interface Backtest {
  /** Applies the next record of any cluster; those that carry rules are passed over. */
  push(record: ChangeRecord): void;
  /** Every incident so far. */
  incidents(): BacktestIncident[];
  clusters(): BacktestCluster[];
  /** How often a rule threw. */
  ruleErrors(): number;
}

/** Creates a backtest of these rules, as the configuration gives them. */
export function createBacktest(rules: Readonly<Record<string, unknown>>): Backtest {
  const states = new Map<string, ClusterState>();
  const wholeFrom = new Map<string, number>();
  const incidents = new Map<string, BacktestIncident>();
  let ruleErrors = 0;
  function apply(state: ClusterState, record: ChangeRecord): void {
    for (const emitted of step(state, record)) {
      if (emitted.table === 'incidents') incidents.set(`${state.cluster.uid}\n${emitted.row.id}`, fromRow(emitted.row));
      else if (emitted.table === 'dead_letters' && emitted.row.code === 'rule_threw') ruleErrors++;
    }
  }
  return {
    push(record) {
      if (record.type === 'RULES') return;
      const { cluster, run, t } = record;
      let state = states.get(cluster.uid);
      if (state === undefined) {
        state = createClusterState(cluster, 1);
        states.set(cluster.uid, state);
        apply(state, { v: SCHEMA_VERSION, cluster, run, t, type: 'RULES', rules: { ...rules } });
      }
      apply(state, record);
      if (record.type === 'HEARTBEAT' && !wholeFrom.has(cluster.uid) && seesAll(state, record)) wholeFrom.set(cluster.uid, state.meta.streamTimeMs);
    },
    incidents: () => [...incidents.values()],
    clusters: () =>
      [...states.values()].map(({ cluster, meta }) => ({
        cluster: cluster.name,
        firstMs: meta.firstTimeMs,
        lastMs: meta.streamTimeMs,
        wholeFromMs: wholeFrom.get(cluster.uid),
      })),
    ruleErrors: () => ruleErrors,
  };
}

/** Everything that the collector has in sync is in sync here too. */
function seesAll(state: ClusterState, { sessions }: Heartbeat): boolean {
  const isSeen = ({ resource, scope, inSync: wanted }: Heartbeat['sessions'][number]): boolean =>
    !wanted || state.meta.sync[scopeKey(resource, scope)]?.inSync === true;
  return inSync(state, 'pods') && sessions.every(isSeen);
}

function fromRow(row: IncidentRow): BacktestIncident {
  const { cluster, id, scenario, cause, flags, pods, summary } = row;
  const subject = { kind: row.subjectKind, namespace: row.subjectNamespace, name: row.subjectName, container: row.subjectContainer };
  return { cluster, id, scenario, cause, muted: flags.includes('muted'), subject, openedMs: row.openedTimeMs, resolvedMs: row.resolvedTimeMs, pods, summary };
}

const STORED = loadQuery(import.meta.url, './stored-incidents.sql');
/** More incidents than anyone compares; they are held in memory. */
const MAX_STORED = 200_000;

const ms = z.coerce.number();
const storedRow = z.object({
  cluster: z.string(),
  id: z.string(),
  scenario: z.string(),
  cause: z.string(),
  muted: z.coerce.boolean(),
  subject_kind: z.string(),
  subject_namespace: z.string(),
  subject_name: z.string(),
  subject_container: z.string(),
  opened_ms: ms,
  resolved_ms: ms,
  pods: z.coerce.number(),
  summary: z.string(),
});

/**
 * Stored incidents of these clusters, by name, that were active in the range. Throws StoreError, PODTRAIL_QUERY_LIMIT if there are
 * more than 200 000.
 */
export async function readStoredIncidents(client: ClickHouseClient, clusters: readonly string[], { fromMs, toMs }: BacktestRange): Promise<BacktestIncident[]> {
  const rows = await runQuery(client, STORED, { clusters, from: fromMs, to: toMs, limit: MAX_STORED + 1 }, storedRow);
  if (rows.length > MAX_STORED) throw new StoreError('PODTRAIL_QUERY_LIMIT', `more than ${MAX_STORED} incidents are stored of the range; choose a shorter one`);
  return rows.map(({ cluster, id, scenario, cause, muted, pods, summary, ...row }) => ({
    cluster,
    id,
    scenario,
    cause,
    muted,
    subject: { kind: row.subject_kind, namespace: row.subject_namespace, name: row.subject_name, container: row.subject_container },
    openedMs: row.opened_ms,
    resolvedMs: row.resolved_ms,
    pods,
    summary,
  }));
}
