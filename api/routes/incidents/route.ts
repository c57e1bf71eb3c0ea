/** GET /v1/incidents and GET /v1/incidents/{id}. */
import { z } from 'zod';
import { ApiError } from '../../errors.ts';
import { createCursorCodec, cutPage } from '../../paging.ts';
import { problemResponses, problemResponsesOfOne } from '../../problem.ts';
import { defineQuery, groupRows } from '../../store.ts';
import { formatTime, resolveRange } from '../../time-range.ts';
import type { AdviceAbout, App, RouteDeps } from '../deps.ts';
import type { HeadRow, MemberRow } from './rows.ts';
import { buildIncident, buildMember, headRow, memberRow, timelineRow } from './rows.ts';
import type { IncidentDetailJson, IncidentFilters, IncidentJson } from './schema.ts';
import { filterParams, listQuery, listResponse, oneParams, oneQuery, oneResponse } from './schema.ts';

const list = defineQuery(import.meta.url, './list.sql', headRow);
const byId = defineQuery(import.meta.url, './by-id.sql', headRow);
const members = defineQuery(import.meta.url, './members.sql', memberRow);
const timeline = defineQuery(import.meta.url, './timeline.sql', timelineRow);

/** Members of each incident in a list. */
const LIST_PODS = 20;
const MAX_MEMBERS = 1_000;
const MAX_TIMELINE = 1_000;

const cursors = createCursorCodec('incidents', z.tuple([z.int(), z.string(), z.string()]));

/** Members of incidents by `cluster/id`, at most `each` of one. */
async function membersOf(deps: RouteDeps, heads: readonly HeadRow[], each: number, signal?: AbortSignal): Promise<ReadonlyMap<string, MemberRow[]>> {
  if (heads.length === 0) return new Map();
  const opened = heads.map((head) => head.opened_ms);
  const rows = await deps.store.rows(
    members,
    {
      clusters: [...new Set(heads.map((head) => head.cluster))],
      ids: heads.map((head) => head.id),
      from: Math.min(...opened),
      to: Math.max(...opened),
      each,
      limit: each * heads.length,
    },
    signal,
  );
  return groupRows(rows, (row) => `${row.cluster}/${row.incident_id}`);
}

interface ListQuery extends IncidentFilters {
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly limit: number;
  readonly cursor?: string | undefined;
}

/** One page of incidents; `next` is null on the last. Used by the pods routes too. */
export async function listIncidents(deps: RouteDeps, query: ListQuery, signal?: AbortSignal): Promise<{ items: IncidentJson[]; next: string | null }> {
  const after = cursors.decode({ ...query });
  const range = after?.range ?? resolveRange(query, deps.config, deps.now());
  const [afterOpened, afterCluster, afterId] = after?.key ?? [range.toMs + 1, '', ''];
  const rows = await deps.store.rows(
    list,
    {
      ...filterParams(query),
      from: range.fromMs,
      to: range.toMs,
      after_opened: afterOpened,
      after_cluster: afterCluster,
      after_id: afterId,
      limit: query.limit + 1,
    },
    signal,
  );
  const { page, last } = cutPage(rows, query.limit);
  const pods = await membersOf(deps, page, LIST_PODS, signal);
  return {
    items: page.map((head) => buildIncident(head, pods.get(`${head.cluster}/${head.id}`) ?? [])),
    next: last === undefined ? null : cursors.encode({ ...query }, { range, key: [last.opened_ms, last.cluster, last.id] }),
  };
}

function adviceAbout(incident: IncidentJson): AdviceAbout {
  const { subject, image, registry, node, claim } = incident;
  return { subject, shared: { image, registry, node, claim }, pod: incident.pods[0] };
}

async function oneIncident(deps: RouteDeps, id: string, lang: 'en' | 'zh', signal?: AbortSignal): Promise<IncidentDetailJson> {
  const [head] = await deps.store.rows(byId, { id }, signal);
  if (head === undefined) throw new ApiError('PODTRAIL_API_NOT_FOUND', 'no incident has this id');
  const [pods, story] = await Promise.all([
    membersOf(deps, [head], MAX_MEMBERS, signal),
    deps.store.rows(timeline, { cluster: head.cluster, id: head.id, opened: head.opened_ms, limit: MAX_TIMELINE }, signal),
  ]);
  const memberRows = pods.get(`${head.cluster}/${head.id}`) ?? [];
  const incident = buildIncident(head, memberRows.slice(0, LIST_PODS));
  return {
    ...incident,
    members: memberRows.map(buildMember),
    timeline: story.reverse().map((entry) => ({ seq: entry.seq, time: formatTime(entry.time_ms), kind: entry.kind, text: entry.text })),
    advice: deps.advice?.(incident.scenario, incident.cause, lang, adviceAbout(incident)) ?? null,
  };
}

/** Registers the incident routes. */
export function registerIncidents(app: App, deps: RouteDeps): void {
  app.get(
    '/v1/incidents',
    {
      schema: {
        operationId: 'listIncidents',
        tags: ['incidents'],
        summary: 'Incidents that were active in a time range',
        description:
          'Newest opened first, in a stable order: paging by cursor gives every incident once, also while they change. An incident is in the range when it opened before `to` and was not resolved before `from`.',
        querystring: listQuery,
        response: { 200: listResponse, ...problemResponses },
      },
    },
    (request) => listIncidents(deps, request.query, request.signal),
  );
  app.get(
    '/v1/incidents/:id',
    {
      schema: {
        operationId: 'getIncident',
        tags: ['incidents'],
        summary: 'One incident with timeline, evidence, members and advice',
        params: oneParams,
        querystring: oneQuery,
        response: { 200: oneResponse, ...problemResponsesOfOne },
      },
    },
    (request) => oneIncident(deps, request.params.id, request.query.lang, request.signal),
  );
}
