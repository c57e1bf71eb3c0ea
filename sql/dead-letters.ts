/** Dead letters as they are stored, for whoever replays them. */
import type { ClickHouseClient } from '@clickhouse/client';
import { z } from 'zod';
import { loadQuery, runQuery } from './queries.ts';

const DEAD_LETTERS = loadQuery(import.meta.url, './queries/dead-letters.sql');
/** A payload is 64 KiB at most. */
const PAGE = 200;

const letterRow = z.object({
  log: z.string(),
  partition: z.coerce.number(),
  offset: z.coerce.bigint(),
  cluster: z.string(),
  code: z.string(),
  reason: z.string(),
  payload: z.string(),
});
export type StoredDeadLetter = z.output<typeof letterRow>;

/** Dead letters that are records, in the order of their logs. Throws StoreError. */
export async function* readDeadLetters(client: ClickHouseClient, sinceMs: number): AsyncGenerator<StoredDeadLetter, void, undefined> {
  let after = { log: '', partition: -1, offset: 0n };
  for (;;) {
    const page = await runQuery(client, DEAD_LETTERS, { since: sinceMs, ...after, limit: PAGE }, letterRow);
    yield* page;
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return;
    after = { log: last.log, partition: last.partition, offset: last.offset };
  }
}
