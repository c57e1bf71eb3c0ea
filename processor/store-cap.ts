/** The cap of the embedded store (design D10) as the processor keeps it: after a checkpoint, and not below what that covers. */
import type { ClickHouseClient } from '@clickhouse/client';
import type { Logger } from 'pino';
import { generationFloor } from '../sql/generations.ts';
import { enforceStorageCap } from '../sql/storage-cap.ts';
import type { TrackedCluster } from './clusters.ts';

/** Drops the oldest data beyond `maxBytes`, with a warning; does nothing without a cap. Throws StoreError. */
export async function keepStoreCap(
  { client, log }: { readonly client: ClickHouseClient; readonly log: Logger },
  clusters: Iterable<TrackedCluster>,
  maxBytes: number | undefined,
): Promise<void> {
  if (maxBytes === undefined) return;
  const saved = [...clusters].map(({ state, saved: { generation, count } }) => ({
    cluster: state.cluster.name,
    version: generationFloor(generation) + BigInt(Math.max(0, count)),
  }));
  const { beforeBytes, afterBytes, dropped } = await enforceStorageCap(client, maxBytes, saved);
  for (const { table, partition, bytes } of dropped) log.warn({ table, partition, bytes, maxBytes }, 'store is over its cap, its oldest data is dropped');
  if (afterBytes > maxBytes) log.warn({ beforeBytes, afterBytes, maxBytes }, 'store is over its cap, and nothing more may be dropped');
}
