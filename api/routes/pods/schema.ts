/** What the pod routes take and return. */
import { z } from 'zod';
import { nextCursor, pageParams } from '../../paging.ts';
import { epochMs, integer } from '../../store.ts';
import { formatOptionalTime, formatTime, jsonTime, optionalJsonTime, rangeParams, timestamp } from '../../time-range.ts';
import { incidentSchema } from '../incidents/schema.ts';
import { clusterList, clusterName, namespaceList, uid } from '../params.ts';

export const clusterParams = z.strictObject({ cluster: clusterName });
export const atQuery = z.strictObject({
  at: timestamp.optional().meta({ description: 'The moment to look at, RFC 3339. Default: now.', examples: ['2026-01-31T08:00:00Z'] }),
  namespace: namespaceList,
  ...pageParams,
});
export type AtQuery = z.output<typeof atQuery>;

export const podParams = z.strictObject({ cluster: clusterName, uid });
export const historyQuery = z.strictObject({
  ...rangeParams,
  from: rangeParams.from.meta({ description: 'Start of the range, RFC 3339. Default: 7 days before `to`.', examples: ['2026-01-30T08:00:00Z'] }),
  namespace: z
    .string()
    .min(1)
    .max(63)
    .optional()
    .meta({ description: 'Its namespace, if you know it: the answer is the same, and comes sooner.', examples: ['shop'] }),
  ...pageParams,
});
export type HistoryQuery = z.output<typeof historyQuery>;

export const findQuery = z.strictObject({
  name: z
    .array(z.string().min(1).max(253), { error: 'expected the name of a pod' })
    .min(1)
    .max(50)
    .meta({ description: 'Name of a pod, exactly. Repeat for any of several.', examples: [['checkout-6c9f7d5b4-x2x7k']] }),
  namespace: namespaceList,
  cluster: clusterList,
  ...rangeParams,
  from: rangeParams.from.meta({ description: 'Start of the range, RFC 3339. Default: 7 days before `to`.', examples: ['2026-01-30T08:00:00Z'] }),
  ...pageParams,
});
export type FindQuery = z.output<typeof findQuery>;

const podFields = {
  namespace: z.string(),
  name: z.string(),
  uid: z.string(),
  change: z.string().meta({ description: 'ADDED, MODIFIED, DELETED, LISTED (first seen in a list), VANISHED (gone no later than) or DAILY (rewritten).' }),
  observedTime: jsonTime,
  phase: z.string(),
  status: z.string().meta({ description: 'What kubectl prints as STATUS.' }),
  ready: z.string().meta({ examples: ['1/2'] }),
  restarts: z.int(),
  node: z.string(),
  workload: z.object({ kind: z.string(), name: z.string() }),
  createdTime: optionalJsonTime,
  deletionTime: optionalJsonTime.meta({ description: 'null unless it is being deleted.' }),
  specHash: z.string(),
  containers: z.array(z.unknown()).meta({ description: 'State of each container.' }),
  conditions: z.array(z.unknown()).meta({ description: 'Conditions that are not as they should be.' }),
};
const podChange = z.object(podFields).meta({ id: 'PodState', description: 'A pod as it stood at observedTime.' });
type PodJson = z.output<typeof podChange>;

export const atResponse = z
  .object({
    cluster: z.string(),
    at: jsonTime,
    coverage: z
      .array(z.object({ scope: z.string(), state: z.enum(['complete', 'blind']), reason: z.string() }))
      .meta({ description: 'Whether podtrail saw pods at that time; while it was blind the states are the last ones known.' }),
    items: z.array(podChange),
    next: nextCursor,
  })
  .meta({ id: 'PodList', description: 'Pods alive at a time, by namespace and name.' });

const eventSchema = z.object({
  uid: z.string(),
  type: z.string(),
  reason: z.string(),
  note: z.string(),
  component: z.string(),
  fieldPath: z.string(),
  count: z.int(),
  firstTime: jsonTime,
  lastTime: jsonTime,
});
export const historyResponse = z
  .object({
    cluster: z.string(),
    uid: z.string(),
    from: jsonTime,
    to: jsonTime,
    changes: z.array(podChange).meta({ description: 'Newest first.' }),
    next: nextCursor.meta({ description: 'Cursor of more changes; Events and incidents come with the first page only.' }),
    events: z.array(eventSchema).meta({ description: 'Kubernetes Events about the pod, newest first, at most 500.' }),
    incidents: z.array(incidentSchema).meta({ description: 'Incidents that it is a member of, newest first, at most 100.' }),
  })
  .meta({ id: 'PodHistory', description: 'What happened to one pod.' });

export const findResponse = z
  .object({
    items: z.array(
      z.object({
        cluster: z.string(),
        namespace: z.string(),
        name: z.string(),
        uid: z.string(),
        createdTime: optionalJsonTime,
        firstTime: jsonTime.meta({ description: 'First and last seen within the range.' }),
        lastTime: jsonTime,
        gone: z.boolean().meta({ description: 'It was deleted, or was absent from a later list.' }),
        phase: z.string(),
        status: z.string(),
        node: z.string(),
        workload: z.object({ kind: z.string(), name: z.string() }),
      }),
    ),
    next: nextCursor,
  })
  .meta({ id: 'PodSearch', description: 'Pods of a name, one item a uid, newest created first.' });
export type FoundJson = z.output<typeof findResponse>['items'][number];

const podColumns = {
  namespace: z.string(),
  name: z.string(),
  uid: z.string(),
  change: z.string(),
  phase: z.string(),
  status: z.string(),
  ready: z.string(),
  restarts: integer,
  node: z.string(),
  workload_kind: z.string(),
  workload_name: z.string(),
  containers: z.string(),
  conditions: z.string(),
  spec_hash: z.string(),
  observed_ms: epochMs,
  created_ms: epochMs,
  deletion_ms: epochMs,
};
export const podRow = z.object(podColumns);
/** Versions are opaque here, and above 2^53. */
export const changeRow = z.object({ ...podColumns, row_version: z.string() });
export const eventRow = z.object({
  uid: z.string(),
  type: z.string(),
  reason: z.string(),
  note: z.string(),
  component: z.string(),
  field_path: z.string(),
  count: integer,
  first_ms: epochMs,
  last_ms: epochMs,
});
export const foundRow = z.object({
  cluster: z.string(),
  namespace: z.string(),
  name: z.string(),
  uid: z.string(),
  created_ms: epochMs,
  first_ms: epochMs,
  last_ms: epochMs,
  latest: z.tuple([z.string(), z.string(), z.string(), z.string(), z.string(), z.string()]),
});

function parseList(text: string): unknown[] {
  try {
    const parsed: unknown = JSON.parse(text);
    return Array.isArray(parsed) ? parsed : [];
  } catch {
    return []; // '' where there is nothing to say
  }
}

/** A pod's state of a row. */
export function buildPod(row: z.output<typeof podRow>): PodJson {
  return {
    namespace: row.namespace,
    name: row.name,
    uid: row.uid,
    change: row.change,
    observedTime: formatTime(row.observed_ms),
    phase: row.phase,
    status: row.status,
    ready: row.ready,
    restarts: row.restarts,
    node: row.node,
    workload: { kind: row.workload_kind, name: row.workload_name },
    createdTime: formatOptionalTime(row.created_ms),
    deletionTime: formatOptionalTime(row.deletion_ms),
    specHash: row.spec_hash,
    containers: parseList(row.containers),
    conditions: parseList(row.conditions),
  };
}

/** A Kubernetes Event of a row. */
export function buildEvent(row: z.output<typeof eventRow>): z.output<typeof eventSchema> {
  const { uid: eventUid, type, reason, note, component, count } = row;
  return {
    uid: eventUid,
    type,
    reason,
    note,
    component,
    fieldPath: row.field_path,
    count,
    firstTime: formatTime(row.first_ms),
    lastTime: formatTime(row.last_ms),
  };
}

/** One uid of a name. */
export function buildFound(row: z.output<typeof foundRow>): FoundJson {
  const [change, phase, status, node, kind, workload] = row.latest;
  return {
    cluster: row.cluster,
    namespace: row.namespace,
    name: row.name,
    uid: row.uid,
    createdTime: formatOptionalTime(row.created_ms),
    firstTime: formatTime(row.first_ms),
    lastTime: formatTime(row.last_ms),
    gone: change === 'DELETED' || change === 'VANISHED',
    phase,
    status,
    node,
    workload: { kind, name: workload },
  };
}
