/** GET /v1/trends. */
import { problemResponses } from '../../problem.ts';
import { defineQuery } from '../../store.ts';
import type { Buckets } from '../../time-buckets.ts';
import { buildBuckets } from '../../time-buckets.ts';
import { formatTime, resolveRange } from '../../time-range.ts';
import { sharesOf } from '../coverage/intervals.ts';
import type { Ledger } from '../coverage/ledger.ts';
import { podsLedgers } from '../coverage/ledger.ts';
import type { App, RouteDeps } from '../deps.ts';
import { filterParams } from '../incidents/schema.ts';
import type { BucketRow, Measure, SeriesJson, TrendJson, TrendQuery } from './schema.ts';
import { bucketRow, MEASURES, trendQuery, trendResponse } from './schema.ts';

const bucketsQuery = defineQuery(import.meta.url, './buckets.sql', bucketRow);

const MINUTE_MS = 60_000;

function measure(row: BucketRow | undefined, name: Measure): number | null {
  switch (name) {
    case 'opened':
      return row?.opened_count ?? 0;
    case 'active':
      return row?.active ?? 0;
    case 'affectedPods':
      return row?.affected_pods ?? 0;
    case 'incidentMinutes':
      return (row?.incident_ms ?? 0) / MINUTE_MS;
    case 'mttrSeconds':
      return row === undefined || row.repaired_count === 0 ? null : row.repair_sum_ms / row.repaired_count / 1_000;
  }
}

interface Group {
  readonly name: string;
  /** All groups below the top ones, together. */
  readonly other: boolean;
}

function buildSeries(group: Group, rows: readonly BucketRow[], shares: readonly (number | null)[]): SeriesJson {
  const byBucket = new Map(rows.filter((row) => row.name === group.name && (row.other === 1) === group.other).map((row) => [row.bucket, row]));
  const values = (name: Measure): (number | null)[] => shares.map((share, i) => (share === null || share === 0 ? null : measure(byBucket.get(i), name)));
  const whole = byBucket.get(shares.length);
  const total = (name: Measure): number => measure(whole, name) ?? 0;
  return {
    group: group.name,
    other: group.other,
    totals: {
      opened: total('opened'),
      active: total('active'),
      affectedPods: total('affectedPods'),
      incidentMinutes: total('incidentMinutes'),
      mttrSeconds: measure(whole, 'mttrSeconds'),
    },
    ...(Object.fromEntries(MEASURES.map((name) => [name, values(name)])) as Record<Measure, (number | null)[]>),
  };
}

/** The clusters whose blindness blanks a series: its own one where it is about one cluster. */
function ledgersBehind(group: Group, groups: readonly Group[], query: TrendQuery, ledgers: readonly Ledger[]): readonly Ledger[] {
  if (query.groupBy !== 'cluster') return ledgers;
  if (!group.other) return ledgers.filter((ledger) => ledger.cluster === group.name);
  const named = new Set(groups.filter(({ other }) => !other).map(({ name }) => name));
  return ledgers.filter((ledger) => !named.has(ledger.cluster));
}

/** The series' groups, largest first and the rest last, with their rows by bucket. */
async function readGroups(deps: RouteDeps, query: TrendQuery, buckets: Buckets, nowMs: number, signal: AbortSignal) {
  const { startMs, stepMs, count } = buckets;
  const shared = { ...filterParams(query), start: startMs, now: nowMs, dimension: query.groupBy, rank: query.rankBy };
  const ranking = {
    ...{ step: stepMs * count, count: 1, every: 1, groups: [], limit: query.top + 1 },
    ...{ with_pods: query.rankBy === 'affectedPods' ? 1 : 0, opened_from: 0 },
  };
  const rows = await deps.store.rows(bucketsQuery, { ...shared, ...ranking }, signal);
  const ranked = rows.filter(({ bucket }) => bucket === 0); // bucket 1 says the same of the whole range
  const [largest] = ranked;
  if (largest === undefined) return { groups: [], rows: [] };
  const names = ranked.slice(0, query.top).map(({ name }) => name);
  const groups: Group[] = names.map((name) => ({ name, other: false }));
  if (ranked.length > query.top) groups.push({ name: '', other: true });
  const each = { step: stepMs, count, every: 0, groups: names, limit: (count + 1) * groups.length, with_pods: 1, opened_from: largest.opened_min };
  return { groups, rows: await deps.store.rows(bucketsQuery, { ...shared, ...each }, signal) };
}

async function trend(deps: RouteDeps, query: TrendQuery, signal: AbortSignal): Promise<TrendJson> {
  const nowMs = deps.now();
  const buckets = buildBuckets(resolveRange(query, deps.config, nowMs), query.step, deps.config);
  const { startMs, stepMs, count } = buckets;
  const endMs = startMs + count * stepMs;
  const [ledgers, { groups, rows }] = await Promise.all([
    podsLedgers(deps, { clusters: query.cluster, namespaces: query.namespace, fromMs: startMs, toMs: endMs, nowMs }, signal),
    readGroups(deps, query, buckets, nowMs, signal),
  ]);
  const sharesFor = (of: readonly Ledger[]): (number | null)[] =>
    sharesOf(
      of.map(({ blind }) => blind),
      buckets,
      nowMs,
    );
  return {
    from: formatTime(startMs),
    to: formatTime(endMs),
    step: query.step,
    groupBy: query.groupBy,
    buckets: Array.from({ length: count }, (_, i) => formatTime(startMs + i * stepMs)),
    coverage: sharesFor(ledgers),
    series: groups.map((group) => buildSeries(group, rows, sharesFor(ledgersBehind(group, groups, query, ledgers)))),
  };
}

/** Registers the trend route. */
export function registerTrends(app: App, deps: RouteDeps): void {
  app.get(
    '/v1/trends',
    {
      schema: {
        operationId: 'getTrends',
        tags: ['incidents'],
        summary: 'Measures of incidents over time buckets, by any dimension',
        description:
          'Buckets begin at whole multiples of the step in UTC and are always whole, but for the last one, which is cut at now. A value is null where every cluster of its series was blind for pods through the whole bucket; `coverage` tells how much was seen.',
        querystring: trendQuery,
        response: { 200: trendResponse, ...problemResponses },
      },
    },
    (request) => trend(deps, request.query, request.signal),
  );
}
