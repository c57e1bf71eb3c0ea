/** What the trend route takes and returns. */
import { z } from 'zod';
import { epochMs, integer } from '../../store.ts';
import { stepParam } from '../../time-buckets.ts';
import { jsonTime, rangeParams } from '../../time-range.ts';
import { incidentFilters } from '../incidents/schema.ts';

export const MEASURES = ['opened', 'active', 'affectedPods', 'incidentMinutes', 'mttrSeconds'] as const;
export type Measure = (typeof MEASURES)[number];
const DIMENSIONS = ['none', 'cluster', 'namespace', 'scenario', 'cause', 'severity', 'workload', 'image', 'registry', 'node'] as const;

export const trendQuery = z.strictObject({
  ...rangeParams,
  ...incidentFilters,
  step: stepParam,
  groupBy: z.enum(DIMENSIONS).default('none').meta({ description: 'Dimension to group by.' }),
  top: z.coerce
    .number({ error: 'expected a number from 1 to 50' })
    .int()
    .min(1)
    .max(50)
    .default(10)
    .meta({ description: 'Groups with a series of their own; the rest is one series.' }),
  rankBy: z.enum(MEASURES).default('incidentMinutes').meta({ description: 'Measure over the whole range that decides which groups these are.' }),
});
export type TrendQuery = z.output<typeof trendQuery>;

const totals = z.object({
  opened: z.int(),
  active: z.int(),
  affectedPods: z.int(),
  incidentMinutes: z.number(),
  mttrSeconds: z.number().nullable(),
});

/** One value a bucket; null where the bucket is blind or has not begun. */
const values = z.array(z.number().nullable());

export const trendResponse = z
  .object({
    from: jsonTime.meta({ description: 'Start of the first bucket.' }),
    to: jsonTime.meta({ description: 'End of the last bucket; it is cut at now.' }),
    step: z.string(),
    groupBy: z.string(),
    buckets: z.array(jsonTime).meta({ description: 'Start of each bucket.' }),
    coverage: values.meta({
      description: 'Share of each bucket that podtrail could see pods in, over all clusters asked about, 0 to 1; null for a bucket that has not begun.',
    }),
    series: z
      .array(
        z.object({
          group: z.string().meta({ description: 'Value of the dimension; empty where an incident has none, and for the rest.' }),
          other: z.boolean().meta({ description: 'All groups below the top ones, together.' }),
          totals: totals.meta({ description: 'Over the whole range, blind buckets included.' }),
          opened: values.meta({ description: 'Incidents opened.' }),
          active: values.meta({ description: 'Incidents that lasted in the bucket or opened in it.' }),
          affectedPods: values.meta({ description: 'Distinct pods failing.' }),
          incidentMinutes: values.meta({ description: 'Minutes of incidents, clipped to the bucket.' }),
          mttrSeconds: values.meta({
            description:
              'Mean time from opened to resolved of incidents resolved in the bucket, without superseded and unknown ones; null where there is none.',
          }),
        }),
      )
      .meta({ description: 'Largest group first, the rest last.' }),
  })
  .meta({ id: 'Trend', description: 'Measures of incidents over time.' });
export type TrendJson = z.output<typeof trendResponse>;
export type SeriesJson = TrendJson['series'][number];

export const bucketRow = z.object({
  bucket: integer,
  name: z.string(),
  other: integer,
  opened_count: integer,
  active: integer,
  affected_pods: integer,
  incident_ms: integer,
  repaired_count: integer,
  repair_sum_ms: integer,
  opened_min: epochMs,
});
export type BucketRow = z.output<typeof bucketRow>;
