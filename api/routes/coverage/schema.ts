/** What the coverage route takes and returns. */
import { z } from 'zod';
import { jsonTime, rangeParams } from '../../time-range.ts';
import { clusterName, textList } from '../params.ts';

export const coverageQuery = z.strictObject({
  cluster: clusterName,
  resource: textList('API plural of a resource.', 'pods', 63),
  ...rangeParams,
});

const interval = z.object({
  from: jsonTime,
  to: jsonTime,
  state: z.enum(['complete', 'blind']),
  reason: z
    .string()
    .meta({ description: 'Why it was blind: as the ledger has it, or not_collected before the first record, or silent after the last heartbeat.' }),
});

export const coverageResponse = z
  .object({
    cluster: z.string(),
    from: jsonTime,
    to: jsonTime.meta({ description: 'End of the range, cut at now.' }),
    items: z.array(
      z.object({
        resource: z.string(),
        scope: z.string().meta({ description: 'Empty for the whole cluster, else a namespace.' }),
        share: z.number().nullable().meta({ description: 'Share of the range that is complete, 0 to 1; null for an empty range.' }),
        intervals: z.array(interval).meta({ description: 'The whole range, in order, without holes.' }),
      }),
    ),
  })
  .meta({ id: 'Coverage', description: 'When podtrail could see what of a cluster.' });
