/** Equal, adjoining buckets of time, for whatever is told over time. */
import { z } from 'zod';
import type { ApiConfig } from './config.ts';
import { invalidParameter } from './errors.ts';
import type { TimeRange } from './time-range.ts';

const MINUTE_MS = 60_000;
/** Steps divide a day, so that buckets begin at full UTC hours and days. */
export const STEPS_MS = {
  '5m': 5 * MINUTE_MS,
  '10m': 10 * MINUTE_MS,
  '15m': 15 * MINUTE_MS,
  '30m': 30 * MINUTE_MS,
  '1h': 60 * MINUTE_MS,
  '2h': 120 * MINUTE_MS,
  '3h': 180 * MINUTE_MS,
  '6h': 360 * MINUTE_MS,
  '12h': 720 * MINUTE_MS,
  '1d': 1_440 * MINUTE_MS,
} as const;
type Step = keyof typeof STEPS_MS;

/** `step` as a query parameter. */
export const stepParam = z
  .enum(Object.keys(STEPS_MS) as [Step, ...Step[]])
  .default('1h')
  .meta({ description: 'Length of a bucket; buckets begin at whole multiples of it in UTC.' });

/** Bucket i is [startMs + i · stepMs, startMs + (i + 1) · stepMs). */
export interface Buckets {
  readonly startMs: number;
  readonly stepMs: number;
  readonly count: number;
}

/** The buckets that cover a range, at whole multiples of the step. Throws INVALID_RANGE where there are more than configured. */
export function buildBuckets(range: TimeRange, step: Step, config: Pick<ApiConfig, 'maxTrendBuckets'>): Buckets {
  const stepMs = STEPS_MS[step];
  const startMs = Math.floor(range.fromMs / stepMs) * stepMs;
  const count = Math.max(1, Math.ceil((range.toMs - startMs) / stepMs));
  if (count > config.maxTrendBuckets) {
    throw invalidParameter('step', `gives ${count} buckets, more than ${config.maxTrendBuckets}; take a longer step`, 'PODTRAIL_API_INVALID_RANGE');
  }
  return { startMs, stepMs, count };
}
