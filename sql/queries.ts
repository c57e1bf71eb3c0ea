/** Queries are .sql files beside the code that runs them, read once at start; values reach the engine only as bound parameters. */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ClickHouseClient, ClickHouseSettings } from '@clickhouse/client';
import { z } from 'zod';
import { StoreError, toStoreError } from './errors.ts';
import { isOneStatement, parametersOf } from './statement.ts';

export interface Query {
  /** The file's name without its ending, for messages and metrics. */
  readonly name: string;
  readonly sql: string;
  readonly parameters: ReadonlySet<string>;
}

type Scalar = string | number | bigint | boolean;
/** Values by parameter. A Date is not among them: it loses its milliseconds on the way; bind epoch ms as Int64 (style Q5). */
export type QueryValues = Readonly<Record<string, Scalar | readonly Scalar[]>>;

/** Reads the .sql file `path` beside the module `base` (its import.meta.url). Throws PODTRAIL_QUERY_INVALID unless it is one statement. */
export function loadQuery(base: string, path: string): Query {
  const file = fileURLToPath(new URL(path, base));
  const sql = readFileSync(file, 'utf8');
  const name = basename(file, '.sql');
  if (!isOneStatement(sql)) throw new StoreError('PODTRAIL_QUERY_INVALID', `query ${name} is not exactly one statement`);
  return { name, sql, parameters: parametersOf(sql) };
}

function checkParameters({ name, parameters }: Query, values: QueryValues): void {
  const missing = [...parameters].filter((parameter) => !Object.hasOwn(values, parameter));
  const unknown = Object.keys(values).filter((parameter) => !parameters.has(parameter));
  if (missing.length + unknown.length > 0) {
    throw new StoreError('PODTRAIL_QUERY_INVALID', `query ${name}: not bound [${missing.join(', ')}], not in the query [${unknown.join(', ')}]`);
  }
  const date = Object.keys(values).find((parameter) => (values[parameter] as unknown) instanceof Date);
  if (date !== undefined) throw new StoreError('PODTRAIL_QUERY_INVALID', `query ${name}: ${date} is a Date; bind epoch ms as Int64`);
}

export interface RunOptions {
  readonly settings?: ClickHouseSettings;
  readonly signal?: AbortSignal;
}

/** Runs a query and checks every row by `schema`. Throws StoreError: PODTRAIL_ROW_INVALID, or as toStoreError says. */
export async function runQuery<S extends z.ZodType>(
  client: ClickHouseClient,
  query: Query,
  values: QueryValues,
  schema: S,
  options: RunOptions = {},
): Promise<z.output<S>[]> {
  checkParameters(query, values);
  let rows: unknown;
  try {
    const result = await client.query({
      query: query.sql,
      query_params: { ...values },
      format: 'JSONEachRow',
      clickhouse_settings: options.settings,
      abort_signal: options.signal,
    });
    rows = await result.json();
  } catch (error) {
    throw toStoreError(error, `query ${query.name}`);
  }
  const parsed = z.array(schema).safeParse(rows);
  if (!parsed.success)
    throw new StoreError('PODTRAIL_ROW_INVALID', `query ${query.name} returned rows of another shape: ${z.prettifyError(parsed.error).slice(0, 500)}`);
  return parsed.data;
}

/** Runs a statement without a result (DDL, DELETE, ALTER). Throws StoreError as toStoreError says. */
export async function runCommand(client: ClickHouseClient, query: Query, values: QueryValues, options: RunOptions = {}): Promise<void> {
  checkParameters(query, values);
  try {
    await client.command({ query: query.sql, query_params: { ...values }, clickhouse_settings: options.settings, abort_signal: options.signal });
  } catch (error) {
    throw toStoreError(error, `statement ${query.name}`);
  }
}
