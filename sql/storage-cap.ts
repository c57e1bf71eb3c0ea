/**
 * Keeps the embedded store below its cap (design D10): the oldest partitions of the two tables that grow without end go first. Never
 * one that holds rows which no checkpoint covers, and never a table's newest, from which the present is read. If that is not enough it
 * is said, and inserts go on: the cap is a limit to history, not to work.
 */
import type { ClickHouseClient } from '@clickhouse/client';
import { z } from 'zod';
import { loadQuery, runCommand, runQuery } from './queries.ts';

const PARTITIONS = loadQuery(import.meta.url, './queries/store-partitions.sql');
const COUNT_UNSAVED = loadQuery(import.meta.url, './queries/count-unsaved-rows.sql');
const DROP = loadQuery(import.meta.url, './queries/drop-partition.sql');

/** Partitions are days (YYYYMMDD) of one and months (YYYYMM) of the other. */
const DROPPABLE = ['pod_changes', 'events'] as const;

const partitionRow = z.object({ table: z.string(), partition: z.string(), bytes: z.coerce.number() });
type PartitionSize = z.output<typeof partitionRow>;

/** What the newest checkpoint of a cluster, by its name, covers: its rows up to this version. */
export interface SavedVersion {
  readonly cluster: string;
  readonly version: bigint;
}

export interface CapResult {
  /** On disk before and after, bytes. */
  readonly beforeBytes: number;
  readonly afterBytes: number;
  /** What went, oldest first. */
  readonly dropped: readonly PartitionSize[];
}

/** The last day of a partition, for comparing those of different tables. */
function lastDay(partition: string): string {
  return partition.length === 6 ? `${partition}31` : partition;
}

function oldestFirst(a: PartitionSize, b: PartitionSize): number {
  const [left, right] = [lastDay(a.partition), lastDay(b.partition)];
  return left < right ? -1 : left > right ? 1 : 0;
}

/** All partitions that may go, oldest first: of each table all but its newest. */
function candidates(sizes: readonly PartitionSize[]): PartitionSize[] {
  const perTable = DROPPABLE.map((table) =>
    sizes
      .filter((size) => size.table === table)
      .sort(oldestFirst)
      .slice(0, -1),
  );
  return perTable.flat().sort(oldestFirst);
}

/** Drops the oldest data until the database is within `maxBytes`, as far as it may. Throws StoreError; repeatable. */
export async function enforceStorageCap(client: ClickHouseClient, maxBytes: number, saved: readonly SavedVersion[]): Promise<CapResult> {
  const sizes = await runQuery(client, PARTITIONS, {}, partitionRow);
  const beforeBytes = sizes.reduce((sum, { bytes }) => sum + bytes, 0);
  const dropped: PartitionSize[] = [];
  let afterBytes = beforeBytes;
  const versions = { clusters: saved.map(({ cluster }) => cluster), versions: saved.map(({ version }) => version) };
  for (const candidate of beforeBytes > maxBytes ? candidates(sizes) : []) {
    if (afterBytes <= maxBytes) break;
    const { table, partition, bytes } = candidate;
    const [{ rows } = { rows: 0 }] = await runQuery(client, COUNT_UNSAVED, { table, partition, ...versions }, z.object({ rows: z.coerce.number() }));
    if (rows > 0) continue;
    await runCommand(client, DROP, { table, partition });
    dropped.push(candidate);
    afterBytes -= bytes;
  }
  return { beforeBytes, afterBytes, dropped };
}
