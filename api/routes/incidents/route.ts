/** GET /v1/incidents and GET /v1/incidents/{id}. */
import { z } from 'zod';
import { ApiError } from '../../errors.ts';
import { createCursorCodec, cutPage } from '../../paging.ts';
import { problemResponses, problemResponsesOfOne } from '../../problem.ts';
import { defineQuery, groupRows } from '../../store.ts';
import { formatTime, resolveRange } from '../../time-range.ts';
import type { AdviceAbout, App, RouteDeps } from '../deps.ts';
import type { HeadRow, MemberRow } from './rows.ts';
import { buildIncident, buildMember, headRow, memberRow } from './rows.ts';
import { composeStory, foldedEventRow, STORY_ENTRIES, timelineRow } from './story.ts';
import type { IncidentDetailJson, IncidentJson, ListQuery } from './schema.ts';
import { filterParams, listQuery, listResponse, oneParams, oneQuery, oneResponse } from './schema.ts';

const list = defineQuery(import.meta.url, './list.sql', headRow);
const byId = defineQuery(import.meta.url, './by-id.sql', headRow);
const members = defineQuery(import.meta.url, './members.sql', memberRow);
const timeline = defineQuery(import.meta.url, './timeline.sql', timelineRow);
const events = defineQuery(import.meta.url, './events.sql', foldedEventRow);

/** Members of each incident in a list. */
const LIST_PODS = 20;
const MAX_MEMBERS = 1_000;
const MAX_TOLD = 1_000;
/** Pods whose Events are part of the story; of hundreds that fail alike the first tell it. */
const STORY_PODS = 200;
/** Scheduling, pulls and starts before the first symptom belong to the story, ms, and what is said just after its end. */
const STORY_LEAD_MS = 5 * 60_000;
const STORY_TRAIL_MS = 60_000;
/** An Event is counted on for a day at most: the API server keeps it an hour past its last time. */
const EVENT_SPAN_MS = 24 * 3_600_000;

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

/** Commands are about a pod that fails now, if there is one, and the node that it is on. */
function adviceAbout(incident: IncidentJson, members: readonly MemberRow[]): AdviceAbout {
  const { subject, image, registry, node, claim } = incident;
  const member = members.find(({ state }) => state === 'failing') ?? members[0];
  const pod = member && { namespace: member.pod_namespace, name: member.pod_name, uid: member.pod_uid };
  return { subject, shared: { image, registry, node: node ?? (member?.node || null), claim }, pod };
}

const NAMED_OBJECT = /^([A-Za-z]+) (?:([a-z0-9.-]+)\/)?([a-z0-9.:-]+)$/;

/** What else of an incident Kubernetes speaks about: its subject, and the controllers and claims that its evidence names. */
function storyObjects({ subject, evidence }: IncidentJson): { readonly namespace: string; readonly key: string }[] {
  const named = evidence.filter(({ object }) => !/^(?:Pod|Node) /.test(object)).map(({ object }) => NAMED_OBJECT.exec(object) ?? []);
  const objects = [
    [subject.kind, subject.namespace, subject.name],
    ...named.filter((match) => match.length > 0).map(([, kind, namespace, name]) => [kind, namespace, name]),
  ];
  // Events about nodes are filed in the namespace default.
  return objects.map(([kind, namespace, name]) => ({ namespace: namespace || 'default', key: `${kind}/${namespace ?? ''}/${name}` }));
}

async function storyOf(deps: RouteDeps, head: HeadRow, incident: IncidentJson, members: readonly MemberRow[], signal?: AbortSignal) {
  const objects = storyObjects(incident);
  // What befalls a node's pods is told by the node.
  const pods = incident.subject.kind === 'Node' ? [] : members.slice(0, STORY_PODS);
  const from = Math.min(head.first_symptom_ms || head.opened_ms, head.opened_ms) - STORY_LEAD_MS;
  const [told, said] = await Promise.all([
    deps.store.rows(timeline, { cluster: head.cluster, id: head.id, opened: head.opened_ms, oldest: STORY_ENTRIES, newest: MAX_TOLD }, signal),
    deps.store.rows(
      events,
      {
        cluster: head.cluster,
        namespaces: [...new Set([...objects.map(({ namespace }) => namespace), ...pods.map((pod) => pod.pod_namespace)])],
        uids: pods.map((pod) => pod.pod_uid),
        objects: [...new Set(objects.map(({ key }) => key))],
        from,
        to: (head.resolved_ms || deps.now()) + STORY_TRAIL_MS,
        begun: from - EVENT_SPAN_MS,
        limit: STORY_ENTRIES,
      },
      signal,
    ),
  ]);
  const joined = members.map((member) => ({ name: member.pod_name, firstMs: member.first_ms }));
  return composeStory({ told, events: said, members: joined, podCount: head.pods });
}

async function oneIncident(deps: RouteDeps, id: string, lang: 'en' | 'zh', signal?: AbortSignal): Promise<IncidentDetailJson> {
  const [head] = await deps.store.rows(byId, { id }, signal);
  if (head === undefined) throw new ApiError('PODTRAIL_API_NOT_FOUND', 'no incident has this id');
  const pods = await membersOf(deps, [head], MAX_MEMBERS, signal);
  const memberRows = pods.get(`${head.cluster}/${head.id}`) ?? [];
  const incident = buildIncident(head, memberRows.slice(0, LIST_PODS));
  const story = await storyOf(deps, head, incident, memberRows, signal);
  return {
    ...incident,
    members: memberRows.map(buildMember),
    timeline: story.map(({ timeMs, untilMs, ...entry }) => ({ ...entry, time: formatTime(timeMs), until: untilMs > timeMs ? formatTime(untilMs) : null })),
    advice: deps.advice?.(incident.scenario, incident.cause, lang, adviceAbout(incident, memberRows)) ?? null,
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
