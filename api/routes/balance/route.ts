/** GET /v1/balance. */
import { z } from 'zod';
import { createCursorCodec, cutPage } from '../../paging.ts';
import { problemResponses } from '../../problem.ts';
import { defineQuery } from '../../store.ts';
import type { TimeRange } from '../../time-range.ts';
import { formatTime, resolveRange } from '../../time-range.ts';
import { ledgersOf, MAX_CLUSTERS } from '../coverage/ledger.ts';
import type { App, RouteDeps } from '../deps.ts';
import { balanceQuery, balanceResponse, buildSession, buildTotals, sessionRow, totalsRow } from './schema.ts';

const totals = defineQuery(import.meta.url, './totals.sql', totalsRow);
const sessions = defineQuery(import.meta.url, './sessions.sql', sessionRow);
const cursors = createCursorCodec('balance', z.tuple([z.int(), z.string(), z.string()]));

type Gap = z.output<typeof balanceResponse>['gaps'][number];

/** Blind intervals within the range; before a cluster's first record there was nothing to lose. */
async function gapsOf(deps: RouteDeps, clusters: readonly string[], range: TimeRange, nowMs: number, signal: AbortSignal): Promise<Gap[]> {
  const known = await ledgersOf(deps, { clusters, resources: [], ...range, nowMs }, signal);
  return known.flatMap(({ ledgers }) =>
    ledgers.flatMap(({ cluster, resource, scope, blind }) =>
      blind
        .filter(({ reason }) => reason !== 'not_collected')
        .map(({ fromMs, toMs, reason }) => ({ cluster, resource, scope, from: formatTime(fromMs), to: formatTime(toMs), reason })),
    ),
  );
}

/** Registers the balance route. */
export function registerBalance(app: App, deps: RouteDeps): void {
  app.get(
    '/v1/balance',
    {
      schema: {
        operationId: 'getBalance',
        tags: ['balance'],
        summary: 'What came in and what became of it: nothing is dropped in silence',
        querystring: balanceQuery,
        response: { 200: balanceResponse, ...problemResponses },
      },
    },
    async (request) => {
      const { query, signal } = request;
      const nowMs = deps.now();
      const after = cursors.decode({ ...query });
      const range = after?.range ?? resolveRange(query, deps.config, nowMs);
      const [after_first, after_cluster, after_session] = after?.key ?? [range.toMs + 1, '', ''];
      const shared = { clusters: query.cluster, from: range.fromMs, to: range.toMs };
      const [totalRows, rows, gaps] = await Promise.all([
        deps.store.rows(totals, { ...shared, limit: MAX_CLUSTERS }, signal),
        deps.store.rows(sessions, { ...shared, after_first, after_cluster, after_session, limit: query.limit + 1 }, signal),
        gapsOf(deps, query.cluster, range, nowMs, signal),
      ]);
      const { page, last } = cutPage(rows, query.limit);
      const clusters = totalRows.map(buildTotals);
      return {
        from: formatTime(range.fromMs),
        to: formatTime(range.toMs),
        balanced: clusters.every(({ unaccounted, difference }) => unaccounted === 0 && difference === 0),
        clusters,
        sessions: page.map(buildSession),
        next: last === undefined ? null : cursors.encode({ ...query }, { range, key: [last.first_ms, last.cluster, last.session] }),
        gaps,
      };
    },
  );
}
