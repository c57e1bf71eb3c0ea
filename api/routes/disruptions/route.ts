/** GET /v1/disruptions. */
import { z } from 'zod';
import { createCursorCodec, cutPage } from '../../paging.ts';
import { problemResponses } from '../../problem.ts';
import { defineQuery } from '../../store.ts';
import { resolveRange } from '../../time-range.ts';
import type { App, RouteDeps } from '../deps.ts';
import { buildDisruption, disruptionRow, disruptionsQuery, disruptionsResponse } from './schema.ts';

const list = defineQuery(import.meta.url, './list.sql', disruptionRow);
const cursors = createCursorCodec('disruptions', z.tuple([z.int(), z.string(), z.string(), z.string()]));

/** Registers the disruption route. */
export function registerDisruptions(app: App, deps: RouteDeps): void {
  app.get(
    '/v1/disruptions',
    {
      schema: {
        operationId: 'listDisruptions',
        tags: ['pods'],
        summary: 'Wanted disruptions: preemption, drains, evictions through the API, taints, garbage collection',
        querystring: disruptionsQuery,
        response: { 200: disruptionsResponse, ...problemResponses },
      },
    },
    async (request) => {
      const { query } = request;
      const after = cursors.decode({ ...query });
      const range = after?.range ?? resolveRange(query, deps.config, deps.now());
      const [after_time, after_cluster, after_uid, after_reason] = after?.key ?? [range.toMs + 1, '', '', ''];
      const filters = {
        clusters: query.cluster,
        namespaces: query.namespace,
        workloads: query.workload,
        nodes: query.node,
        pods: query.pod,
        reasons: query.reason,
      };
      const key = { after_time, after_cluster, after_uid, after_reason };
      const rows = await deps.store.rows(list, { ...filters, ...key, from: range.fromMs, to: range.toMs, limit: query.limit + 1 }, request.signal);
      const { page, last } = cutPage(rows, query.limit);
      return {
        items: page.map(buildDisruption),
        next: last === undefined ? null : cursors.encode({ ...query }, { range, key: [last.time_ms, last.cluster, last.pod_uid, last.reason] }),
      };
    },
  );
}
