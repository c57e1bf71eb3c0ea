/** GET /v1/clusters/{cluster}/pods (time travel), GET /v1/clusters/{cluster}/pods/{uid}/history, GET /v1/pods. */
import { z } from 'zod';
import { ApiError } from '../../errors.ts';
import { createCursorCodec, cutPage } from '../../paging.ts';
import { problemResponses, problemResponsesOfOne } from '../../problem.ts';
import { defineQuery } from '../../store.ts';
import { formatTime, resolveRange } from '../../time-range.ts';
import { clustersOf, podsLedgers } from '../coverage/ledger.ts';
import type { App, RouteDeps } from '../deps.ts';
import { listIncidents } from '../incidents/route.ts';
import { listQuery } from '../incidents/schema.ts';
import * as schema from './schema.ts';

const podsAt = defineQuery(import.meta.url, './at.sql', schema.podRow);
const changesOf = defineQuery(import.meta.url, './changes.sql', schema.changeRow);
const eventsOf = defineQuery(import.meta.url, './events.sql', schema.eventRow);
const find = defineQuery(import.meta.url, './find.sql', schema.foundRow);

/** A living pod's row is rewritten daily (design D3); the rest is margin for a processor that lags. */
const LOOK_BACK_MS = 26 * 3_600_000;
const WEEK_HOURS = 7 * 24;
const MAX_EVENTS = 500;
const MAX_INCIDENTS = 100;
/** Above every time in the tables (sql/rows.ts clamps to 2100). */
const FAR_FUTURE_MS = Date.UTC(2200, 0, 1);

const atCursors = createCursorCodec('pods-at', z.tuple([z.string(), z.string(), z.string()]));
const changeCursors = createCursorCodec('pod-history', z.tuple([z.int(), z.string().regex(/^\d{1,19}$/)]));
const findCursors = createCursorCodec('pods-find', z.tuple([z.int(), z.string(), z.string()]));

async function podsAtTime(deps: RouteDeps, cluster: string, query: schema.AtQuery, signal: AbortSignal) {
  const after = atCursors.decode({ ...query, cluster });
  const nowMs = deps.now();
  const atMs = after?.range.toMs ?? (query.at === undefined ? nowMs : Date.parse(query.at));
  const [after_namespace, after_name, after_uid] = after?.key ?? ['', '', ''];
  const values = { cluster, namespaces: query.namespace, since: atMs - LOOK_BACK_MS, at: atMs, after_namespace, after_name, after_uid, limit: query.limit + 1 };
  const [[known], rows, ledgers] = await Promise.all([
    clustersOf(deps, [cluster], '', 1, signal),
    deps.store.rows(podsAt, values, signal),
    podsLedgers(deps, { clusters: [cluster], namespaces: query.namespace, fromMs: atMs - 1, toMs: atMs, nowMs }, signal),
  ]);
  if (known === undefined) throw new ApiError('PODTRAIL_API_NOT_FOUND', 'no cluster of this name has been seen');
  const { page, last } = cutPage(rows, query.limit);
  return {
    cluster,
    at: formatTime(atMs),
    coverage: ledgers.map(({ scope, blind }) => ({
      scope,
      state: blind.length > 0 ? ('blind' as const) : ('complete' as const),
      reason: blind[0]?.reason ?? '',
    })),
    items: page.map(schema.buildPod),
    next: last === undefined ? null : atCursors.encode({ ...query, cluster }, { range: { fromMs: 0, toMs: atMs }, key: [last.namespace, last.name, last.uid] }),
  };
}

async function history(deps: RouteDeps, pod: { readonly cluster: string; readonly uid: string }, query: schema.HistoryQuery, signal: AbortSignal) {
  const scoped = { ...query, ...pod };
  const after = changeCursors.decode(scoped);
  const range = after?.range ?? resolveRange(query, deps.config, deps.now(), WEEK_HOURS);
  const [afterObserved, afterVersion] = after?.key ?? [range.toMs + 1, '0'];
  const shared = { ...pod, namespaces: query.namespace === undefined ? [] : [query.namespace], from: range.fromMs, to: range.toMs };
  const first = after === undefined;
  const of = listQuery.parse({ from: formatTime(range.fromMs), to: formatTime(range.toMs), cluster: [pod.cluster], pod: [pod.uid], limit: MAX_INCIDENTS });
  const [rows, events, incidents] = await Promise.all([
    deps.store.rows(changesOf, { ...shared, after_observed: afterObserved, after_version: afterVersion, limit: query.limit + 1 }, signal),
    first ? deps.store.rows(eventsOf, { ...shared, limit: MAX_EVENTS }, signal) : [],
    first ? listIncidents(deps, of, signal) : { items: [] },
  ]);
  if (first && rows.length + events.length + incidents.items.length === 0)
    throw new ApiError('PODTRAIL_API_NOT_FOUND', 'no pod of this uid was seen in this range');
  const { page, last } = cutPage(rows, query.limit);
  return {
    ...pod,
    from: formatTime(range.fromMs),
    to: formatTime(range.toMs),
    changes: page.map(schema.buildPod),
    next: last === undefined ? null : changeCursors.encode(scoped, { range, key: [last.observed_ms, last.row_version] }),
    events: events.map(schema.buildEvent),
    incidents: incidents.items,
  };
}

async function findPods(deps: RouteDeps, query: schema.FindQuery, signal: AbortSignal) {
  const after = findCursors.decode({ ...query });
  const range = after?.range ?? resolveRange(query, deps.config, deps.now(), WEEK_HOURS);
  const [after_created, after_cluster, after_uid] = after?.key ?? [FAR_FUTURE_MS, '', ''];
  const rows = await deps.store.rows(
    find,
    {
      names: query.name,
      clusters: query.cluster,
      namespaces: query.namespace,
      from: range.fromMs,
      to: range.toMs,
      after_created,
      after_cluster,
      after_uid,
      limit: query.limit + 1,
    },
    signal,
  );
  const { page, last } = cutPage(rows, query.limit);
  return {
    items: page.map(schema.buildFound),
    next: last === undefined ? null : findCursors.encode({ ...query }, { range, key: [last.created_ms, last.cluster, last.uid] }),
  };
}

/** Registers the pod routes. */
export function registerPods(app: App, deps: RouteDeps): void {
  app.get(
    '/v1/clusters/:cluster/pods',
    {
      schema: {
        operationId: 'listPodsAt',
        tags: ['pods'],
        summary: 'Pods of a cluster as they stood at a time',
        params: schema.clusterParams,
        querystring: schema.atQuery,
        response: { 200: schema.atResponse, ...problemResponsesOfOne },
      },
    },
    (request) => podsAtTime(deps, request.params.cluster, request.query, request.signal),
  );
  app.get(
    '/v1/clusters/:cluster/pods/:uid/history',
    {
      schema: {
        operationId: 'getPodHistory',
        tags: ['pods'],
        summary: 'Changes, Events and incidents of one pod',
        params: schema.podParams,
        querystring: schema.historyQuery,
        response: { 200: schema.historyResponse, ...problemResponsesOfOne },
      },
    },
    (request) => history(deps, request.params, request.query, request.signal),
  );
  app.get(
    '/v1/pods',
    {
      schema: {
        operationId: 'findPods',
        tags: ['pods'],
        summary: 'Pods of a name over time, over all clusters',
        querystring: schema.findQuery,
        response: { 200: schema.findResponse, ...problemResponses },
      },
    },
    (request) => findPods(deps, request.query, request.signal),
  );
}
