/**
 * Bound SQL against ClickHouse for the routes: one .sql file a query, under admission control and the limits of the configuration.
 * What the engine says of a failure goes to the log and never to a client.
 */
import type { ClickHouseClient } from '@clickhouse/client';
import { z } from 'zod';
import { querySettings } from '../sql/client.ts';
import type { StoreError } from '../sql/errors.ts';
import { toStoreError } from '../sql/errors.ts';
import type { QueryValues, Query as SqlQuery } from '../sql/queries.ts';
import { loadQuery, runQuery } from '../sql/queries.ts';
import type { Admission } from './admission.ts';
import type { ApiConfig } from './config.ts';
import type { ProblemCode } from './errors.ts';
import { ApiError } from './errors.ts';

/** A query file with the shape of its rows. */
export interface Query<T> {
  /** `folder/file` without its ending: the label in metrics. */
  readonly name: string;
  readonly query: SqlQuery;
  readonly row: z.ZodType<T>;
}

export interface Store {
  /** Rows of one query. Throws ApiError: OVERLOADED, QUERY_TIMEOUT, QUERY_TOO_EXPENSIVE, STORE_UNAVAILABLE, INTERNAL. */
  rows<T>(query: Query<T>, values: QueryValues, signal?: AbortSignal): Promise<T[]>;
  /** Resolves when the store answers at all, else throws STORE_UNAVAILABLE; shared by callers at the same time. */
  ping(): Promise<void>;
}

export interface StoreDeps {
  readonly client: ClickHouseClient;
  readonly database: string;
  readonly admission: Admission;
  /** Called once a query with its outcome: `ok` or the code of the error. */
  readonly observe: (query: string, outcome: string, seconds: number) => void;
}

/** A number of up to 64 bits, quoted or not: which of both is a setting of the client. Exact below 2^53. */
export const integer = z.coerce.number().int();
/** Epoch ms of a DateTime64; 0 where the column holds the epoch, which means none. */
export const epochMs = integer;

/** Reads `file` beside the module `base` (its import.meta.url), once at start. */
export function defineQuery<T>(base: string, file: string, row: z.ZodType<T>): Query<T> {
  const query = loadQuery(base, file);
  const folder = new URL(file, base).pathname.split('/').at(-2) ?? '';
  return { name: `${folder}/${query.name}`, query, row };
}

/** Rows by a key, in their order. */
export function groupRows<T>(rows: readonly T[], keyOf: (row: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const row of rows) {
    const group = groups.get(keyOf(row));
    if (group === undefined) groups.set(keyOf(row), [row]);
    else group.push(row);
  }
  return groups;
}

const EXPENSIVE: readonly [ProblemCode, string] = ['PODTRAIL_API_QUERY_TOO_EXPENSIVE', 'ask for a shorter range, fewer clusters or a smaller limit'];
const SLOW: readonly [ProblemCode, string] = ['PODTRAIL_API_QUERY_TIMEOUT', 'ask for a shorter range or fewer clusters, or try again'];
const ABSENT: readonly [ProblemCode, string] = ['PODTRAIL_API_STORE_UNAVAILABLE', 'the store did not answer; try again'];

// Numbers of ClickHouse src/Common/ErrorCodes.cpp.
const TIMEOUTS = new Set([159, 160]); // TIMEOUT_EXCEEDED, TOO_SLOW
const MEMORY_LIMIT_EXCEEDED = 241;

function problemOf(error: StoreError): readonly [ProblemCode, string] {
  switch (error.code) {
    case 'PODTRAIL_QUERY_LIMIT':
      return TIMEOUTS.has(error.clickhouseCode ?? 0) ? SLOW : EXPENSIVE;
    case 'PODTRAIL_STORE_BUSY':
      return error.clickhouseCode === MEMORY_LIMIT_EXCEEDED ? EXPENSIVE : ABSENT;
    case 'PODTRAIL_STORE_UNAVAILABLE':
      return ABSENT;
    default:
      return ['PODTRAIL_API_INTERNAL', 'the request failed; the log has the reason'];
  }
}

/** What a query threw, as the client may see it; the original is the cause. */
export function toApiError(name: string, thrown: unknown): ApiError {
  if (thrown instanceof ApiError) return thrown;
  const cause = toStoreError(thrown, `query ${name}`);
  const [code, message] = problemOf(cause);
  return new ApiError(code, message, { cause });
}

const PING = { max_execution_time: 2 };

/** A store over one client. Tables are named by {db:Identifier}, which is bound here. */
export function createStore(config: ApiConfig, deps: StoreDeps): Store {
  const { client, database, admission } = deps;
  const settings = querySettings({
    maxExecutionSeconds: config.queryTimeoutSeconds,
    maxResultRows: config.queryMaxResultRows,
    maxMemoryBytes: config.queryMaxMemoryBytes,
    maxThreads: config.queryMaxThreads,
  });
  let pinging: Promise<void> | undefined;

  async function ping(): Promise<void> {
    try {
      const result = await client.query({ query: 'SELECT 1', format: 'JSONEachRow', clickhouse_settings: PING });
      await result.json();
    } catch (cause) {
      throw new ApiError(...ABSENT, { cause: toStoreError(cause, 'ping') });
    }
  }

  return {
    async rows(query, values, signal) {
      const started = performance.now();
      const observe = (outcome: string): void => deps.observe(query.name, outcome, (performance.now() - started) / 1_000);
      try {
        // No signal for the query itself: chDB would go on with it after its turn had been given away.
        const rows = await admission.run(() => runQuery(client, query.query, { ...values, db: database }, query.row, { settings }), signal);
        observe('ok');
        return rows;
      } catch (thrown) {
        const error = toApiError(query.name, thrown);
        observe(error.code);
        throw error;
      }
    },
    ping() {
      pinging ??= ping().finally(() => {
        pinging = undefined;
      });
      return pinging;
    },
  };
}
