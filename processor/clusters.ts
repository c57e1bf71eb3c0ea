/**
 * The clusters of one partition as the shell sees them: where each one's state comes from, which generation its rows have (design D3),
 * and from which offset on its records count.
 */
import type { ClickHouseClient } from '@clickhouse/client';
import type { Logger } from 'pino';
import type { ClusterRef } from '../collector/change-record.ts';
import { readManifests } from '../sql/checkpoints.ts';
import { countLostIncidents, highestGeneration, removeNewerRows, resolveLostIncidents, storedIdentities } from '../sql/generations.ts';
import type { SavedState } from './checkpoint.ts';
import { nothingSaved, restoreCluster } from './checkpoint.ts';
import { inSync } from './core/coverage.ts';
import { restate } from './core/restate.ts';
import type { ClusterState } from './core/state.ts';
import { createClusterState, rowVersion } from './core/state.ts';
import type { RowSink } from './row-sink.ts';

/**
 * Stream time in sync after which an incident of a lost generation that has not come back is over, ms: the longest grace of any rule
 * (10 min while a scale-up is under way, design §4) and then some.
 */
const LOST_AFTER_MS = 15 * 60_000;

/** One cluster whose records are applied here. */
export interface TrackedCluster {
  readonly state: ClusterState;
  /** Records below it are in the state already. */
  nextOffset: bigint;
  saved: SavedState;
  /** Incidents of an older generation wait to come back or to be ended; since when podtrail sees, in stream time, 0 if it does not. */
  lost: { sinceMs: number } | undefined;
}

export interface ClustersDeps {
  readonly client: ClickHouseClient;
  readonly log: Logger;
  readonly sink: RowSink;
}

/** Where records come from; offsets of another place mean nothing here. */
export interface LogPlace {
  readonly log: string;
  readonly partition: number;
}

/**
 * Restores a cluster that has a checkpoint; undefined if it has none. `place` is undefined for a log that only looks like the one
 * before. Throws StoreError, PODTRAIL_CHECKPOINT_FORMAT.
 */
export async function trackRestored(deps: ClustersDeps, place: LogPlace | undefined, clusterUid: string): Promise<TrackedCluster | undefined> {
  const { client, log } = deps;
  const restored = await restoreCluster(client, clusterUid, ({ cluster, generation, count, format }, why) => {
    if (why === 'damaged') log.error({ cluster, generation, count }, 'checkpoint is damaged, passing it over');
    else log.warn({ cluster, generation, count, format }, 'checkpoint is of an earlier release, reading the log again from its beginning');
  });
  if (restored === undefined) return undefined;
  const { state, manifest } = restored;
  const isHere = manifest.log === place?.log && manifest.partition === place.partition;
  const { generation, count } = state.meta;
  const saved = isHere ? nothingSaved(generation, count) : nothingSaved();
  const tracked: TrackedCluster = { state, nextOffset: isHere ? manifest.nextOffset : 0n, saved, lost: undefined };
  if (!isHere) await beginGeneration(deps, tracked);
  tracked.lost = await lostIncidents(client, state);
  log.info({ cluster: state.cluster.name, generation: state.meta.generation, count, nextOffset: String(tracked.nextOffset) }, 'cluster restored');
  return tracked;
}

/** As trackRestored, if what is stored is beyond `mine`: another reader has the partition, and this one has not heard of it. */
async function trackNewer(deps: ClustersDeps, place: LogPlace, { state: { cluster, meta } }: TrackedCluster): Promise<TrackedCluster | undefined> {
  const isNewer = ({ generation, count }: { readonly generation: number; readonly count: number }): boolean =>
    generation > meta.generation || (generation === meta.generation && count > meta.count);
  if (!(await readManifests(deps.client, [cluster.uid])).some(isNewer)) return undefined;
  const stored = await trackRestored(deps, place, cluster.uid);
  return stored !== undefined && isNewer(stored.state.meta) ? stored : undefined;
}

/** Starts a cluster without a checkpoint, in a generation above whatever is stored of it. */
export async function trackNew({ client, log }: ClustersDeps, cluster: ClusterRef): Promise<TrackedCluster> {
  const generation = (await highestGeneration(client, cluster)) + 1;
  const state = createClusterState(cluster, generation);
  log.info({ cluster: cluster.name, generation }, 'cluster is new here');
  return { state, nextOffset: 0n, saved: nothingSaved(), lost: await lostIncidents(client, state) };
}

/** Why records of a cluster are refused (design D1): its name or its uid is taken. Undefined if they go together. */
export async function identityConflict(client: ClickHouseClient, cluster: ClusterRef): Promise<string | undefined> {
  const taken = (await storedIdentities(client, cluster)).find(({ uid, name }) => uid !== cluster.uid || name !== cluster.name);
  return taken === undefined ? undefined : conflictMessage(cluster, taken);
}

/** The message of a conflict, with the remedy. */
export function conflictMessage(cluster: ClusterRef, taken: ClusterRef): string {
  const known = `cluster ${cluster.name} with uid ${cluster.uid} conflicts with ${taken.name} with uid ${taken.uid}`;
  return `${known}; run \`podtrail cluster forget\` or \`podtrail cluster replace\``;
}

/**
 * Raises the generation: the records that made the rows above this state may not come again as they were, so those rows go, and the
 * what the state says, which such a row may have replaced, is written again.
 */
export async function beginGeneration({ client, log, sink }: ClustersDeps, { state }: TrackedCluster): Promise<void> {
  const { cluster, meta } = state;
  const removed = await removeNewerRows(client, cluster.name, rowVersion(meta));
  meta.generation = Math.max(meta.generation, await highestGeneration(client, cluster)) + 1;
  sink.add(restate(state));
  log.warn({ cluster: cluster.name, generation: meta.generation, removed }, 'began a new generation');
}

/**
 * After a gap: what was stored beyond this state cannot be made again from the log, so the state goes on in the next generation. Two readers
 * may come to the same gap at once: both go on in the same one, and neither clears away what the other has made in it, so the state
 * must be stored, with the offset after the gap, before a record is applied to it: by `store`. If that fails the state is as it was: whoever
 * tries again is at the same gap.
 */
async function afterGap({ client, log, sink }: ClustersDeps, { state }: TrackedCluster, store: () => Promise<void>): Promise<void> {
  const { cluster, meta } = state;
  const before = meta.generation;
  const generation = before + 1;
  const removed = await removeNewerRows(client, cluster.name, rowVersion(meta), rowVersion({ ...meta, generation }));
  try {
    meta.generation = generation;
    sink.add(restate(state));
    await sink.flush();
    await store();
  } catch (error) {
    meta.generation = before;
    throw error;
  }
  log.warn({ cluster: cluster.name, generation, removed }, 'went on in a new generation after a gap');
}

/**
 * Goes on at the earliest record if records that the cluster has not seen may be gone; where another reader came here first, with what that
 * has stored. `store`: as afterGap.
 */
export async function passGap(
  deps: ClustersDeps,
  place: LogPlace,
  mine: TrackedCluster,
  earliest: bigint,
  store: (tracked: TrackedCluster) => Promise<void>,
): Promise<TrackedCluster> {
  if (mine.nextOffset >= earliest) return mine;
  const tracked = (await trackNewer(deps, place, mine)) ?? mine;
  if (tracked.nextOffset < earliest) await afterGap(deps, tracked, () => store(tracked));
  return tracked;
}

async function lostIncidents(client: ClickHouseClient, state: ClusterState): Promise<TrackedCluster['lost']> {
  const { cluster, meta } = state;
  return (await countLostIncidents(client, cluster.name, meta.generation)) > 0 ? { sinceMs: 0 } : undefined;
}

/** Takes note of whether podtrail sees the cluster, for settleLost. Call after every record. */
export function watchLost({ lost, state }: TrackedCluster): void {
  if (lost === undefined) return;
  if (!inSync(state, 'pods')) lost.sinceMs = 0;
  else if (lost.sinceMs === 0) lost.sinceMs = state.meta.streamTimeMs;
}

/** Ends incidents of older generations once podtrail has seen the cluster for long enough. */
export async function settleLost({ client, log, sink }: ClustersDeps, tracked: TrackedCluster): Promise<void> {
  const { lost, state } = tracked;
  const timeMs = state.meta.streamTimeMs;
  if (lost === undefined || lost.sinceMs === 0 || timeMs - lost.sinceMs < LOST_AFTER_MS) return;
  await sink.flush(); // those that came back must be known to have
  await resolveLostIncidents(client, state.cluster.name, state.meta.generation, { timeMs, version: rowVersion(state.meta) });
  tracked.lost = undefined;
  log.info({ cluster: state.cluster.name }, 'incidents of an older generation that did not come back are resolved');
}
