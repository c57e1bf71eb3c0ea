/**
 * Keyset paging. A cursor is opaque to clients: it holds the key of the last item, the range as first resolved (a default `to` would
 * move on between pages), and a fingerprint of the filters, so that a cursor of another question is refused instead of half right.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { invalidParameter } from './errors.ts';
import type { TimeRange } from './time-range.ts';

const MAX_LIMIT = 500;

/** `limit` and `cursor` as query parameters. */
export const pageParams = {
  limit: z.coerce
    .number({ error: `expected a number from 1 to ${MAX_LIMIT}` })
    .int()
    .min(1)
    .max(MAX_LIMIT)
    .default(100)
    .meta({ description: 'Items of one page.', examples: [100] }),
  cursor: z.string().min(1).max(2_048).optional().meta({ description: '`next` of the page before, with the same other parameters.' }),
};

/** `next` of a list. */
export const nextCursor = z.string().nullable().meta({ description: 'Cursor of the next page; null on the last one.' });

export interface Cursor<K> {
  readonly range: TimeRange;
  readonly key: K;
}

export interface CursorCodec<K> {
  encode(query: Readonly<Record<string, unknown>>, cursor: Cursor<K>): string;
  /** The cursor in `query.cursor`, undefined without one. Throws INVALID_CURSOR. */
  decode(query: Readonly<Record<string, unknown>>): Cursor<K> | undefined;
}

/** What must not change between pages: everything but the cursor and the page size. */
function fingerprint(route: string, query: Readonly<Record<string, unknown>>): string {
  const entries = Object.entries(query).filter(([key, value]) => key !== 'cursor' && key !== 'limit' && value !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256')
    .update(JSON.stringify([route, entries]))
    .digest('base64url')
    .slice(0, 12);
}

const time = z.int().min(0).max(8_640_000_000_000_000); // ECMAScript's largest time value

/** The codec of one route, for keys of the given shape. */
export function createCursorCodec<K>(route: string, key: z.ZodType<K>): CursorCodec<K> {
  const shape = z.tuple([z.literal(1), z.string(), time, time, key]);
  return {
    encode(query, cursor) {
      const value = [1, fingerprint(route, query), cursor.range.fromMs, cursor.range.toMs, cursor.key];
      return Buffer.from(JSON.stringify(value), 'utf8').toString('base64url');
    },
    decode(query) {
      if (typeof query['cursor'] !== 'string') return undefined;
      const parsed = shape.safeParse(parseJson(Buffer.from(query['cursor'], 'base64url').toString('utf8')));
      if (!parsed.success) throw invalidParameter('cursor', 'is not a cursor of this route', 'PODTRAIL_API_INVALID_CURSOR');
      const [, print, fromMs, toMs, last] = parsed.data;
      if (print !== fingerprint(route, query)) throw invalidParameter('cursor', 'belongs to other parameters', 'PODTRAIL_API_INVALID_CURSOR');
      return { range: { fromMs, toMs }, key: last };
    },
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Cuts the row that was read beyond the limit: it only says that there is a next page. */
export function cutPage<T>(rows: readonly T[], limit: number): { readonly page: readonly T[]; readonly last: T | undefined } {
  if (rows.length <= limit) return { page: rows, last: undefined };
  const page = rows.slice(0, limit);
  return { page, last: page.at(-1) };
}
