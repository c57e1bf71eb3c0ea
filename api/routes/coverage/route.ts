/** GET /v1/coverage. */
import { ApiError } from '../../errors.ts';
import { problemResponsesOfOne } from '../../problem.ts';
import { formatTime, resolveRange } from '../../time-range.ts';
import type { App, RouteDeps } from '../deps.ts';
import type { Interval } from './intervals.ts';
import { fillComplete, sharesOf } from './intervals.ts';
import { ledgersOf } from './ledger.ts';
import { coverageQuery, coverageResponse } from './schema.ts';

/** Registers the coverage route. */
export function registerCoverage(app: App, deps: RouteDeps): void {
  app.get(
    '/v1/coverage',
    {
      schema: {
        operationId: 'getCoverage',
        tags: ['clusters'],
        summary: 'Complete and blind intervals of a cluster, by resource',
        querystring: coverageQuery,
        response: { 200: coverageResponse, ...problemResponsesOfOne },
      },
    },
    async (request) => {
      const { query, signal } = request;
      const nowMs = deps.now();
      const range = resolveRange(query, deps.config, nowMs);
      const bounds: Interval = { fromMs: range.fromMs, toMs: Math.max(range.fromMs, Math.min(range.toMs, nowMs)) };
      const [known] = await ledgersOf(deps, { clusters: [query.cluster], resources: query.resource, ...bounds, nowMs }, signal);
      if (known === undefined) throw new ApiError('PODTRAIL_API_NOT_FOUND', 'no cluster of this name has been seen');
      const stepMs = bounds.toMs - bounds.fromMs;
      return {
        cluster: known.row.cluster,
        from: formatTime(bounds.fromMs),
        to: formatTime(bounds.toMs),
        items: known.ledgers.map(({ resource, scope, blind }) => ({
          resource,
          scope,
          share: stepMs === 0 ? null : (sharesOf([blind], { startMs: bounds.fromMs, stepMs, count: 1 }, bounds.toMs)[0] ?? null),
          intervals: fillComplete(blind, bounds).map(({ fromMs, toMs, state, reason }) => ({ from: formatTime(fromMs), to: formatTime(toMs), state, reason })),
        })),
      };
    },
  );
}
