/** GET /v1/clusters. */
import { z } from 'zod';
import { createCursorCodec, cutPage } from '../../paging.ts';
import { problemResponses } from '../../problem.ts';
import { formatOptionalTime, formatTime } from '../../time-range.ts';
import { isSilent } from '../coverage/intervals.ts';
import type { ClusterRow, ResourceState } from '../coverage/ledger.ts';
import { clustersOf, lifeOf, resourcesOf } from '../coverage/ledger.ts';
import type { App, RouteDeps } from '../deps.ts';
import type { ClusterJson } from './schema.ts';
import { clustersQuery, clustersResponse } from './schema.ts';

const cursors = createCursorCodec('clusters', z.tuple([z.string()]));

function stateOf(row: ClusterRow, resources: readonly ResourceState[], nowMs: number, silentAfterMs: number): ClusterJson['state'] {
  if (isSilent(lifeOf(row), nowMs, silentAfterMs)) return 'silent';
  const pods = resources.filter(({ resource }) => resource === 'pods');
  if (!pods.some(({ state }) => state === 'in_sync')) return 'blind';
  return resources.every(({ state }) => state === 'in_sync') ? 'complete' : 'partial';
}

function buildCluster(row: ClusterRow, nowMs: number, silentAfterMs: number): ClusterJson {
  const resources = resourcesOf(row);
  return {
    cluster: row.cluster,
    uid: row.cluster_uid,
    serverVersion: row.server_version,
    state: stateOf(row, resources, nowMs, silentAfterMs),
    firstRecordTime: formatOptionalTime(row.first_record_ms),
    lastRecordTime: formatOptionalTime(row.last_record_ms),
    lastHeartbeatTime: formatOptionalTime(row.last_heartbeat_ms),
    lagSeconds: row.last_record_ms === 0 ? null : Math.max(0, (nowMs - row.last_record_ms) / 1_000),
    resources,
  };
}

/** Registers the cluster route. */
export function registerClusters(app: App, deps: RouteDeps): void {
  const silentAfterMs = deps.config.silentAfterSeconds * 1_000;
  app.get(
    '/v1/clusters',
    {
      schema: {
        operationId: 'listClusters',
        tags: ['clusters'],
        summary: 'Clusters with coverage, lag and last record',
        querystring: clustersQuery,
        response: { 200: clustersResponse, ...problemResponses },
      },
    },
    async (request) => {
      const { query } = request;
      const nowMs = deps.now();
      const [after] = cursors.decode({ ...query })?.key ?? [''];
      const rows = await clustersOf(deps, query.cluster, after, query.limit + 1, request.signal);
      const { page, last } = cutPage(rows, query.limit);
      return {
        time: formatTime(nowMs),
        demo: deps.demo,
        process: deps.status?.() ?? null,
        items: page.map((row) => buildCluster(row, nowMs, silentAfterMs)),
        next: last === undefined ? null : cursors.encode({ ...query }, { range: { fromMs: 0, toMs: 0 }, key: [last.cluster] }),
      };
    },
  );
}
