/** Lines of encodeRow into their table, as bytes that neither the client nor chDB parses. */
import { Readable } from 'node:stream';
import type { ClickHouseClient } from '@clickhouse/client';
import { columnsOf } from './encode-row.ts';
import { StoreError, toStoreError } from './errors.ts';
import type { TableName } from './rows.ts';

/** Rows of one insert: beyond, the gain is small and building the bytes holds up the event loop (measured: 2 µs a row). */
export const MAX_INSERT_ROWS = 10_000;

/**
 * Inserts one block; resolves when it is stored. Inserting the same lines again changes nothing (design D3), so after any retriable
 * StoreError the caller repeats the whole block.
 */
export async function insertRows(client: ClickHouseClient, table: TableName, lines: readonly string[]): Promise<void> {
  if (lines.length === 0) return;
  if (lines.length > MAX_INSERT_ROWS) throw new StoreError('PODTRAIL_QUERY_INVALID', `${lines.length} rows for ${table} are more than ${MAX_INSERT_ROWS}`);
  const query = `INSERT INTO ${table} (${columnsOf(table).join(', ')}) FORMAT JSONCompactEachRow`;
  const bytes = Buffer.from(`${lines.join('\n')}\n`);
  try {
    // exec and not insert, which takes JSON formats only as values that it encodes itself.
    const { stream } = await client.exec({ query, values: Readable.from([bytes], { objectMode: false }) });
    for await (const _ of stream); // empty; read to its end, so that the socket is free again
  } catch (error) {
    throw toStoreError(error, `insert of ${lines.length} rows into ${table}`);
  }
}
