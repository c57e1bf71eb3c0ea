/** What the disruption route takes and returns. */
import { z } from 'zod';
import { nextCursor, pageParams } from '../../paging.ts';
import { epochMs } from '../../store.ts';
import { formatTime, jsonTime, rangeParams } from '../../time-range.ts';
import { clusterList, namespaceList, textList } from '../params.ts';

export const disruptionsQuery = z.strictObject({
  ...rangeParams,
  cluster: clusterList,
  namespace: namespaceList,
  workload: textList('Workload of the pod: NAME or KIND/NAME.', 'Deployment/checkout', 320),
  node: textList('Node of the pod.', 'node-7'),
  pod: textList('Name or uid of the pod.', 'checkout-6c9f7d5b4-x2x7k'),
  reason: textList("DisruptionTarget's reason.", 'EvictionByEvictionAPI', 128),
  ...pageParams,
});

const disruptionSchema = z
  .object({
    cluster: z.string(),
    pod: z.object({ namespace: z.string(), name: z.string(), uid: z.string() }),
    node: z.string(),
    workload: z.object({ kind: z.string(), name: z.string() }),
    reason: z.string().meta({ examples: ['PreemptionByScheduler'] }),
    message: z.string(),
    time: jsonTime,
  })
  .meta({
    id: 'Disruption',
    description: 'A pod that was taken away on purpose: preemption, drain, eviction through the API, taint, garbage collection. Not an incident.',
  });

export const disruptionsResponse = z
  .object({ items: z.array(disruptionSchema), next: nextCursor })
  .meta({ id: 'DisruptionList', description: 'Newest first.' });

export const disruptionRow = z.object({
  cluster: z.string(),
  namespace: z.string(),
  pod_name: z.string(),
  pod_uid: z.string(),
  node: z.string(),
  workload_kind: z.string(),
  workload_name: z.string(),
  reason: z.string(),
  message: z.string(),
  time_ms: epochMs,
});

/** The disruption of a row. */
export function buildDisruption(row: z.output<typeof disruptionRow>): z.output<typeof disruptionSchema> {
  const { cluster, node, reason, message } = row;
  const pod = { namespace: row.namespace, name: row.pod_name, uid: row.pod_uid };
  return { cluster, pod, node, workload: { kind: row.workload_kind, name: row.workload_name }, reason, message, time: formatTime(row.time_ms) };
}
