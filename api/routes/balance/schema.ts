/** What the balance route takes and returns: the proof of promise 4 (nothing is dropped in silence). */
import { z } from 'zod';
import { nextCursor, pageParams } from '../../paging.ts';
import { epochMs, integer } from '../../store.ts';
import { formatTime, jsonTime, rangeParams } from '../../time-range.ts';
import { clusterList } from '../params.ts';

export const balanceQuery = z.strictObject({ ...rangeParams, cluster: clusterList, ...pageParams });

const counters = {
  received: z.int().meta({ description: 'Objects and watch events that the API server delivered.' }),
  suppressed: z.int().meta({ description: 'Unchanged in what podtrail keeps.' }),
  rejected: z.int().meta({ description: 'Could not be projected; each is a dead letter.' }),
  appended: z.int().meta({ description: 'Acknowledged by the change log.' }),
  applied: z.int().meta({ description: 'Taken by the processor.' }),
  duplicate: z.int().meta({ description: 'Read again, or known already; changed nothing.' }),
  deadLettered: z.int().meta({ description: 'Could not be taken; each is a dead letter.' }),
  unaccounted: z.int().meta({ description: 'received − suppressed − rejected − appended: what the collector has not acknowledged yet, or lost.' }),
  difference: z.int().meta({ description: 'appended − applied − duplicate − deadLettered: what the processor has not read yet, or lost.' }),
};

export const balanceResponse = z
  .object({
    from: jsonTime,
    to: jsonTime,
    balanced: z.boolean().meta({ description: 'Every difference is 0. Not so while records are under way.' }),
    clusters: z.array(z.object({ cluster: z.string(), sessions: z.int(), ...counters })),
    sessions: z
      .array(
        z.object({
          cluster: z.string(),
          session: z.string(),
          run: z.string(),
          resource: z.string(),
          scope: z.string(),
          firstTime: jsonTime,
          lastTime: jsonTime,
          ...counters,
        }),
      )
      .meta({ description: 'One page, newest first.' }),
    next: nextCursor.meta({ description: 'Cursor of more sessions; clusters and gaps are always whole.' }),
    gaps: z
      .array(z.object({ cluster: z.string(), resource: z.string(), scope: z.string(), from: jsonTime, to: jsonTime, reason: z.string() }))
      .meta({ description: 'Blind intervals within the range, cut to it.' }),
  })
  .meta({ id: 'Balance', description: 'What came in and what became of it, by session and cluster, and when podtrail was blind.' });

export const totalsRow = z.object({
  cluster: z.string(),
  session_count: integer,
  received_sum: integer,
  suppressed_sum: integer,
  rejected_sum: integer,
  appended_sum: integer,
  applied_sum: integer,
  duplicate_sum: integer,
  dead_lettered_sum: integer,
});
export const sessionRow = z.object({
  cluster: z.string(),
  session: z.string(),
  run: z.string(),
  resource: z.string(),
  scope: z.string(),
  received: integer,
  suppressed: integer,
  rejected: integer,
  appended: integer,
  applied: integer,
  duplicate: integer,
  dead_lettered: integer,
  first_ms: epochMs,
  last_ms: epochMs,
});

interface Counted {
  readonly received: number;
  readonly suppressed: number;
  readonly rejected: number;
  readonly appended: number;
  readonly applied: number;
  readonly duplicate: number;
  readonly deadLettered: number;
}

function withDifferences(counted: Counted): Counted & { unaccounted: number; difference: number } {
  const { received, suppressed, rejected, appended, applied, duplicate, deadLettered } = counted;
  return { ...counted, unaccounted: received - suppressed - rejected - appended, difference: appended - applied - duplicate - deadLettered };
}

/** The balance of a cluster. */
export function buildTotals(row: z.output<typeof totalsRow>): z.output<typeof balanceResponse>['clusters'][number] {
  const counted = withDifferences({
    received: row.received_sum,
    suppressed: row.suppressed_sum,
    rejected: row.rejected_sum,
    appended: row.appended_sum,
    applied: row.applied_sum,
    duplicate: row.duplicate_sum,
    deadLettered: row.dead_lettered_sum,
  });
  return { cluster: row.cluster, sessions: row.session_count, ...counted };
}

/** The balance of a session. */
export function buildSession(row: z.output<typeof sessionRow>): z.output<typeof balanceResponse>['sessions'][number] {
  const { cluster, session, run, resource, scope, received, suppressed, rejected, appended, applied, duplicate } = row;
  const counted = withDifferences({ received, suppressed, rejected, appended, applied, duplicate, deadLettered: row.dead_lettered });
  return { cluster, session, run, resource, scope, firstTime: formatTime(row.first_ms), lastTime: formatTime(row.last_ms), ...counted };
}
