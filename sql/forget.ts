/** Forgets a cluster, or gives its name to another (design D1). No processor may be at work on it meanwhile: it would write it all again. */
import type { ClickHouseClient } from '@clickhouse/client';
import { readPartitions, writePartition } from './checkpoints.ts';
import { encodeRow } from './encode-row.ts';
import { generationFloor, highestGeneration, removeNewerRows } from './generations.ts';
import { insertRows } from './insert-rows.ts';
import { loadQuery, runCommand } from './queries.ts';
import type { TableName } from './rows.ts';

const MANIFESTS = loadQuery(import.meta.url, './queries/forget-manifests.sql');
const CHUNKS = loadQuery(import.meta.url, './queries/forget-chunks.sql');
/** Done when the call returns, so that the next start does not find them. */
const AT_ONCE = { settings: { lightweight_deletes_sync: '1' } };

/** Removes what is checkpointed of a uid; where its log is read on stays. Repeatable. */
export async function forgetState(client: ClickHouseClient, uid: string): Promise<void> {
  for (const partition of await readPartitions(client)) {
    const clusters = partition.clusters.filter(({ clusterUid }) => clusterUid !== uid);
    if (clusters.length < partition.clusters.length) await writePartition(client, { ...partition, clusters, writtenTimeMs: partition.writtenTimeMs + 1 });
  }
  await runCommand(client, MANIFESTS, { cluster: uid }, AT_ONCE);
  await runCommand(client, CHUNKS, { cluster: uid }, AT_ONCE);
}

/** Removes all rows of a cluster by its name, from every table. Returns how many went, by table. Repeatable. */
export async function forgetRows(client: ClickHouseClient, name: string): Promise<Readonly<Partial<Record<TableName, number>>>> {
  return removeNewerRows(client, name, 0n);
}

/** Gives a name to another uid: records of the uid before it are refused from now on. The rows under the name stay. */
export async function claimName(client: ClickHouseClient, cluster: { readonly name: string; readonly uid: string }): Promise<void> {
  const { name, uid } = cluster;
  const row = { cluster: name, clusterUid: uid, serverVersion: '', firstRecordTimeMs: 0, lastRecordTimeMs: 0, lastHeartbeatTimeMs: 0, resources: '[]' };
  const version = generationFloor((await highestGeneration(client, cluster)) + 1);
  await insertRows(client, 'clusters', [encodeRow('clusters', row, version)]);
}
