/** What the cluster route takes and returns. */
import { z } from 'zod';
import { nextCursor, pageParams } from '../../paging.ts';
import { jsonTime, optionalJsonTime } from '../../time-range.ts';
import { clusterList } from '../params.ts';

export const clustersQuery = z.strictObject({ cluster: clusterList, ...pageParams });

const clusterSchema = z
  .object({
    cluster: z.string(),
    uid: z.string().meta({ description: 'uid of the namespace kube-system.' }),
    serverVersion: z.string(),
    state: z
      .enum(['complete', 'partial', 'blind', 'silent'])
      .meta({ description: 'silent: nothing heard for longer than heartbeats explain; blind: pods are not in sync; partial: something else is not.' }),
    firstRecordTime: optionalJsonTime,
    lastRecordTime: optionalJsonTime,
    lastHeartbeatTime: optionalJsonTime,
    lagSeconds: z.number().nullable().meta({ description: 'Now less the last record; null where there is none.' }),
    resources: z
      .array(z.object({ resource: z.string(), scope: z.string(), state: z.string(), reason: z.string() }))
      .meta({ description: 'What is collected: in_sync, blind or uncollectable, and why. scope is empty for the whole cluster, else a namespace.' }),
  })
  .meta({ id: 'Cluster', description: 'A cluster and how well podtrail sees it.' });

export const clustersResponse = z
  .object({
    time: jsonTime.meta({ description: 'Now, as this process has it.' }),
    demo: z.boolean().meta({ description: 'A recording plays instead of real clusters.' }),
    process: z.unknown().meta({ description: 'Live status of this process, when it collects or processes too; else null.' }),
    items: z.array(clusterSchema),
    next: nextCursor,
  })
  .meta({ id: 'ClusterList', description: 'Clusters by name.' });
export type ClusterJson = z.output<typeof clusterSchema>;
