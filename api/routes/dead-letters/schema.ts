/** What the dead-letter route takes and returns. */
import { z } from 'zod';
import { nextCursor, pageParams } from '../../paging.ts';
import { epochMs, integer } from '../../store.ts';
import { formatTime, jsonTime, rangeParams } from '../../time-range.ts';
import { clusterList, textList } from '../params.ts';

/** Characters of a payload that a list shows. */
export const PAYLOAD_CHARS = 2_000;

export const deadLettersQuery = z.strictObject({
  ...rangeParams,
  cluster: clusterList,
  code: textList('Why it could not be taken.', 'bad_shape', 64),
  ...pageParams,
});

const deadLetterSchema = z
  .object({
    log: z.string(),
    partition: z.int(),
    offset: z.string().meta({ description: '64-bit, so a string.', examples: ['812'] }),
    part: z.string().meta({ description: 'record, or what of it failed.' }),
    cluster: z.string(),
    time: jsonTime,
    code: z.string(),
    reason: z.string(),
    payload: z.string().meta({ description: `The first ${PAYLOAD_CHARS} characters.` }),
    payloadBytes: z.int(),
  })
  .meta({ id: 'DeadLetter', description: 'A record that could not be taken, or a rule that failed on one.' });

export const deadLettersResponse = z
  .object({ items: z.array(deadLetterSchema), next: nextCursor })
  .meta({ id: 'DeadLetterList', description: 'Newest first.' });

export const deadLetterRow = z.object({
  log: z.string(),
  partition: integer,
  record_offset: z.string(),
  part: z.string(),
  cluster: z.string(),
  code: z.string(),
  reason: z.string(),
  payload_start: z.string(),
  payload_bytes: integer,
  time_ms: epochMs,
});

/** The dead letter of a row. */
export function buildDeadLetter(row: z.output<typeof deadLetterRow>): z.output<typeof deadLetterSchema> {
  const { log, partition, part, cluster, code, reason } = row;
  const payload = { payload: row.payload_start, payloadBytes: row.payload_bytes };
  return { log, partition, offset: row.record_offset, part, cluster, time: formatTime(row.time_ms), code, reason, ...payload };
}
