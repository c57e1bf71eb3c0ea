/** Generations of a cluster's rows (design D3): version = generation · 2^40 + records consumed. */
import type { ClickHouseClient } from '@clickhouse/client';
import { z } from 'zod';
import { TABLE_NAMES } from './encode-row.ts';
import { loadQuery, runCommand, runQuery } from './queries.ts';
import type { TableName } from './rows.ts';

const COUNT_NEWER = loadQuery(import.meta.url, './queries/count-newer-rows.sql');
const DELETE_NEWER = loadQuery(import.meta.url, './queries/delete-newer-rows.sql');
const HIGHEST_VERSION = loadQuery(import.meta.url, './queries/highest-version.sql');
const HIGHEST_GENERATION = loadQuery(import.meta.url, './queries/highest-generation.sql');

const COUNT_LOST = loadQuery(import.meta.url, './queries/count-lost-incidents.sql');
const RESOLVE_LOST = loadQuery(import.meta.url, './queries/resolve-lost-incidents.sql');
const IDENTITY = loadQuery(import.meta.url, './queries/cluster-identity.sql');

/** Bits of a version below the generation. */
const COUNT_BITS = 40n;

/** Above the version of every row. */
const NO_VERSION = 2n ** 64n - 1n;

/**
 * Removes the rows of `cluster` (its name) above `version` and below `below` from every table; done here when it returns, on other replicas soon
 * after. Returns how many went, duplicates not yet merged included. Repeatable.
 */
export async function removeNewerRows(
  client: ClickHouseClient,
  cluster: string,
  version: bigint,
  below = NO_VERSION,
): Promise<Readonly<Partial<Record<TableName, number>>>> {
  const removed: Partial<Record<TableName, number>> = {};
  for (const table of TABLE_NAMES) {
    const values = { table, cluster, version, below };
    const [{ rows } = { rows: 0 }] = await runQuery(client, COUNT_NEWER, values, z.object({ rows: z.coerce.number() }));
    if (rows === 0) continue; // a DELETE is a mutation of every part, even where nothing matches
    await runCommand(client, DELETE_NEWER, values, { settings: { lightweight_deletes_sync: '1' } });
    removed[table] = rows;
  }
  return removed;
}

/** The highest generation that any row or checkpoint of a cluster carries; 0 if it has none. Reads all versions of its rows. */
export async function highestGeneration(client: ClickHouseClient, cluster: { readonly uid: string; readonly name: string }): Promise<number> {
  const [{ generation } = { generation: 0 }] = await runQuery(
    client,
    HIGHEST_GENERATION,
    { cluster: cluster.uid },
    z.object({ generation: z.coerce.number() }),
  );
  let highest = generation;
  for (const table of TABLE_NAMES) {
    const [{ version } = { version: 0n }] = await runQuery(client, HIGHEST_VERSION, { table, cluster: cluster.name }, z.object({ version: z.coerce.bigint() }));
    highest = Math.max(highest, Number(version >> COUNT_BITS));
  }
  return highest;
}

/** First version of a generation: whatever is below it belongs to an older one. */
export function generationFloor(generation: number): bigint {
  return BigInt(generation) << COUNT_BITS;
}

/** How many incidents of `cluster` (its name) are open in a generation below `generation`. */
export async function countLostIncidents(client: ClickHouseClient, cluster: string, generation: number): Promise<number> {
  const values = { cluster, version: generationFloor(generation) };
  const [{ incidents } = { incidents: 0 }] = await runQuery(client, COUNT_LOST, values, z.object({ incidents: z.coerce.number() }));
  return incidents;
}

/**
 * Resolves as `unknown` what countLostIncidents counts, at `timeMs` with `version`, which must be of `generation`. For a cluster that
 * lost its checkpoint, once everything that still fails has come back. Repeatable.
 */
export async function resolveLostIncidents(
  client: ClickHouseClient,
  cluster: string,
  generation: number,
  at: { readonly timeMs: number; readonly version: bigint },
): Promise<void> {
  await runCommand(client, RESOLVE_LOST, { cluster, floor: generationFloor(generation), timeMs: at.timeMs, version: at.version });
}

/** Names and uids stored that are either of the two; one row with both equal, or none, means that they go together. */
export async function storedIdentities(
  client: ClickHouseClient,
  cluster: { readonly uid: string; readonly name: string },
): Promise<readonly { readonly uid: string; readonly name: string }[]> {
  const rows = await runQuery(client, IDENTITY, { ...cluster }, z.object({ cluster: z.string(), cluster_uid: z.string() }));
  return rows.map((row) => ({ uid: row.cluster_uid, name: row.cluster }));
}
