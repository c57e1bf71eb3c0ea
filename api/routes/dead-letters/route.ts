/** GET /v1/dead-letters. */
import { z } from 'zod';
import { createCursorCodec, cutPage } from '../../paging.ts';
import { problemResponses } from '../../problem.ts';
import { defineQuery } from '../../store.ts';
import { resolveRange } from '../../time-range.ts';
import type { App, RouteDeps } from '../deps.ts';
import { buildDeadLetter, deadLetterRow, deadLettersQuery, deadLettersResponse, PAYLOAD_CHARS } from './schema.ts';

const list = defineQuery(import.meta.url, './list.sql', deadLetterRow);

const MAX_UINT32 = 4_294_967_295;
const MAX_UINT64 = 18_446_744_073_709_551_615n;
const offset = z
  .string()
  .regex(/^\d{1,20}$/)
  .refine((text) => BigInt(text) <= MAX_UINT64);
const cursors = createCursorCodec('dead-letters', z.tuple([z.int(), z.string(), z.int().min(0).max(MAX_UINT32), offset, z.string()]));

/** Registers the dead-letter route. */
export function registerDeadLetters(app: App, deps: RouteDeps): void {
  app.get(
    '/v1/dead-letters',
    {
      schema: {
        operationId: 'listDeadLetters',
        tags: ['balance'],
        summary: 'What could not be taken, with position and reason',
        querystring: deadLettersQuery,
        response: { 200: deadLettersResponse, ...problemResponses },
      },
    },
    async (request) => {
      const { query } = request;
      const after = cursors.decode({ ...query });
      const range = after?.range ?? resolveRange(query, deps.config, deps.now());
      const [after_time, after_log, after_partition, after_offset, after_part] = after?.key ?? [range.toMs + 1, '', 0, '0', ''];
      const filters = { clusters: query.cluster, codes: query.code, from: range.fromMs, to: range.toMs, payload_chars: PAYLOAD_CHARS };
      const key = { after_time, after_log, after_partition, after_offset, after_part };
      const rows = await deps.store.rows(list, { ...filters, ...key, limit: query.limit + 1 }, request.signal);
      const { page, last } = cutPage(rows, query.limit);
      return {
        items: page.map(buildDeadLetter),
        next: last === undefined ? null : cursors.encode({ ...query }, { range, key: [last.time_ms, last.log, last.partition, last.record_offset, last.part] }),
      };
    },
  );
}
