/** Coverage of clusters as read from the store: who is known, what they collect, and the blind intervals of each. */
import { z } from 'zod';
import { ApiError } from '../../errors.ts';
import { defineQuery, epochMs, groupRows } from '../../store.ts';
import type { RouteDeps } from '../deps.ts';
import type { BlindInterval, ClusterLife, Interval } from './intervals.ts';
import { buildBlind } from './intervals.ts';

const clusterRow = z.object({
  cluster: z.string(),
  cluster_uid: z.string(),
  server_version: z.string(),
  resources: z.string(),
  first_record_ms: epochMs,
  last_record_ms: epochMs,
  last_heartbeat_ms: epochMs,
});
export type ClusterRow = z.output<typeof clusterRow>;
const blindRow = z.object({ cluster: z.string(), resource: z.string(), scope: z.string(), from_ms: epochMs, to_ms: epochMs, reason: z.string() });
type BlindRow = z.output<typeof blindRow>;

const listClusters = defineQuery(import.meta.url, '../clusters/list.sql', clusterRow);
const listBlind = defineQuery(import.meta.url, './blind.sql', blindRow);

/** More clusters than this are not looked at in one request; a fleet has hundreds. */
export const MAX_CLUSTERS = 2_000;
const MAX_INTERVALS = 50_000;

/** Clusters by name, after `after`. */
export function clustersOf(deps: RouteDeps, clusters: readonly string[], after: string, limit: number, signal?: AbortSignal): Promise<ClusterRow[]> {
  return deps.store.rows(listClusters, { clusters, after, limit }, signal);
}

/** Blind intervals that touch the range, sorted by cluster, resource, scope and start. Throws QUERY_TOO_EXPENSIVE where there are too many. */
async function blindOf(
  deps: RouteDeps,
  at: { readonly clusters: readonly string[]; readonly resources: readonly string[]; readonly fromMs: number; readonly toMs: number },
  signal?: AbortSignal,
): Promise<BlindRow[]> {
  const values = { clusters: at.clusters, resources: at.resources, from: at.fromMs, to: at.toMs, limit: MAX_INTERVALS + 1 };
  const rows = await deps.store.rows(listBlind, values, signal);
  if (rows.length > MAX_INTERVALS) {
    throw new ApiError('PODTRAIL_API_QUERY_TOO_EXPENSIVE', `more than ${MAX_INTERVALS} blind intervals; ask for a shorter range or fewer clusters`);
  }
  return rows;
}

/** A cluster's row as what intervals.ts wants to know of its life. */
export function lifeOf(row: ClusterRow): ClusterLife {
  return { firstRecordTimeMs: row.first_record_ms, lastHeartbeatTimeMs: row.last_heartbeat_ms };
}

const resourcesColumn = z.array(z.object({ resource: z.string(), scope: z.string(), state: z.string(), reason: z.string() }));
/** What a cluster's collectors collect and how that stands: in_sync, blind or uncollectable. */
export type ResourceState = z.output<typeof resourcesColumn>[number];

/** The JSON column `resources`; empty where an older release wrote another shape. */
export function resourcesOf(row: ClusterRow): ResourceState[] {
  try {
    return resourcesColumn.parse(JSON.parse(row.resources));
  } catch {
    return [];
  }
}

/** When podtrail could not see one resource of one cluster, or of one namespace of it where it collects by namespace. */
export interface Ledger {
  readonly cluster: string;
  readonly resource: string;
  /** '' for the whole cluster, else a namespace. */
  readonly scope: string;
  /** Sorted and disjoint, within the bounds. */
  readonly blind: readonly BlindInterval[];
}

export interface LedgerQuery extends Interval {
  /** Empty: all. */
  readonly clusters: readonly string[];
  /** Empty: all. */
  readonly resources: readonly string[];
  readonly nowMs: number;
}

/** Every (resource, scope) that a cluster collects or has a blind interval of, in order. */
function keysOf(row: ClusterRow, blind: readonly BlindRow[], resources: readonly string[]): { readonly resource: string; readonly scope: string }[] {
  const collected = resourcesOf(row).filter(({ resource }) => resources.length === 0 || resources.includes(resource));
  const keys = new Map([...collected, ...blind].map(({ resource, scope }) => [`${resource}/${scope}`, { resource, scope }]));
  return [...keys].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, key]) => key);
}

/** The ledgers of each known cluster, by name. Bounds are cut at now. */
export async function ledgersOf(
  deps: RouteDeps,
  query: LedgerQuery,
  signal?: AbortSignal,
): Promise<{ readonly row: ClusterRow; readonly ledgers: Ledger[] }[]> {
  const { clusters, resources, fromMs, nowMs } = query;
  const bounds = { fromMs, toMs: Math.max(fromMs, Math.min(query.toMs, nowMs)) };
  const [rows, blind] = await Promise.all([clustersOf(deps, clusters, '', MAX_CLUSTERS, signal), blindOf(deps, { clusters, resources, ...bounds }, signal)]);
  const byCluster = groupRows(blind, ({ cluster }) => cluster);
  return rows.map((row) => {
    const own = byCluster.get(row.cluster) ?? [];
    const stored = groupRows(own, ({ resource, scope }) => `${resource}/${scope}`);
    const ledgers = keysOf(row, own, resources).map(({ resource, scope }) => {
      const intervals = (stored.get(`${resource}/${scope}`) ?? []).map(({ from_ms, to_ms, reason }) => ({ fromTimeMs: from_ms, toTimeMs: to_ms, reason }));
      return { cluster: row.cluster, resource, scope, blind: buildBlind(intervals, lifeOf(row), bounds, nowMs, deps.config.silentAfterSeconds * 1_000) };
    });
    return { row, ledgers };
  });
}

export interface PodsQuery extends Interval {
  /** Empty: all. */
  readonly clusters: readonly string[];
  /** Empty: all. */
  readonly namespaces: readonly string[];
  readonly nowMs: number;
}

/** The ledgers of pods that a question about these namespaces rests on. A cluster that has none yet never saw a pod: blind throughout. */
export async function podsLedgers(deps: RouteDeps, query: PodsQuery, signal?: AbortSignal): Promise<Ledger[]> {
  const { clusters, namespaces, fromMs, toMs, nowMs } = query;
  const known = await ledgersOf(deps, { clusters, resources: ['pods'], fromMs, toMs, nowMs }, signal);
  return known.flatMap(({ row, ledgers }) => {
    const never = { cluster: row.cluster, resource: 'pods', scope: '', blind: [{ fromMs, toMs, reason: 'not_collected' }] };
    const asked = ledgers.filter(({ scope }) => scope === '' || namespaces.length === 0 || namespaces.includes(scope));
    return asked.length > 0 ? asked : [never];
  });
}
