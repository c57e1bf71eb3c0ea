/** The time range of a request: RFC 3339 in, epoch ms out, bounded. */
import { z } from 'zod';
import type { ApiConfig } from './config.ts';
import { invalidParameter } from './errors.ts';

/** Range of DateTime64(3) with a day to spare on either side: beyond it the engine wraps or refuses. */
const MIN_MS = Date.UTC(1970, 0, 1);
const MAX_MS = Date.UTC(2200, 0, 1);

/** A time as RFC 3339, with any offset; in a query `+` must be written %2B. */
export const timestamp = z.iso
  .datetime({ offset: true, error: 'expected an RFC 3339 time such as 2026-01-31T08:00:00Z' })
  .refine((text) => Date.parse(text) >= MIN_MS && Date.parse(text) <= MAX_MS, 'expected a time from 1970 to 2200');

/** A time of an answer: RFC 3339, UTC, milliseconds. */
export const jsonTime = z.string().meta({ format: 'date-time' });
/** Likewise, null where there is none. */
export const optionalJsonTime = z.string().nullable().meta({ format: 'date-time' });

/** `from` and `to` as query parameters. */
export const rangeParams = {
  from: timestamp
    .optional()
    .meta({ description: 'Start of the range, RFC 3339. Default: 24 hours before `to`, unless configured.', examples: ['2026-01-30T08:00:00Z'] }),
  to: timestamp.optional().meta({ description: 'End of the range, RFC 3339. Default: now.', examples: ['2026-01-31T08:00:00Z'] }),
};

export interface TimeRange {
  readonly fromMs: number;
  readonly toMs: number;
}

const DAY_MS = 86_400_000;

/** The range of a request with its defaults. Throws INVALID_RANGE: from after to, or longer than maxRangeDays. */
export function resolveRange(
  query: { readonly from?: string | undefined; readonly to?: string | undefined },
  config: Pick<ApiConfig, 'maxRangeDays' | 'defaultRangeHours'>,
  nowMs: number,
  defaultHours: number = config.defaultRangeHours,
): TimeRange {
  const toMs = query.to === undefined ? nowMs : Date.parse(query.to);
  const fromMs = query.from === undefined ? Math.max(MIN_MS, toMs - defaultHours * 3_600_000) : Date.parse(query.from);
  if (fromMs > toMs) throw invalidParameter('from', `is after \`to\` (${formatTime(toMs)})`, 'PODTRAIL_API_INVALID_RANGE');
  if (toMs - fromMs > config.maxRangeDays * DAY_MS) {
    throw invalidParameter('from', `the range is longer than ${config.maxRangeDays} days`, 'PODTRAIL_API_INVALID_RANGE');
  }
  return { fromMs, toMs };
}

/** Epoch ms as RFC 3339 UTC with milliseconds. */
export function formatTime(timeMs: number): string {
  return new Date(timeMs).toISOString();
}

/** Likewise, null for 0: the epoch means that there is none. */
export function formatOptionalTime(timeMs: number): string | null {
  return timeMs === 0 ? null : formatTime(timeMs);
}
