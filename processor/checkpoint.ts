/**
 * From states to checkpoints and back (design D4). A round takes references to all changed states of a partition in one turn, and
 * encodes and stores them in slices while processing goes on; buckets that did not change since the last round are named again
 * instead of written.
 */
import { randomUUID } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type { ClickHouseClient } from '@clickhouse/client';
import type { ClusterRef } from '../collector/change-record.ts';
import type { Chunk, ChunkRef, Manifest } from '../sql/checkpoints.ts';
import { loadCheckpoint, readManifests, writeChunks, writeManifests } from '../sql/checkpoints.ts';
import type { StateSnapshot } from './core/checkpoint-codec.ts';
import { CHECKPOINT_SCHEMA, encodeBucket, restoreSlices, takeSnapshot } from './core/checkpoint-codec.ts';
import type { ClusterState } from './core/state.ts';
import type { Bucket } from './core/tables.ts';
import { ProcessorError } from './errors.ts';

/** Aim for one chunk, bytes: half the cap, since one entry may come on top. */
const CHUNK_BYTES = 512 * 1024;
/** UTF-16 units of one piece of `meta`: three bytes each at most, so below the cap. */
const META_CHARS = 256 * 1024;
/** Table of the chunks that hold `meta`; the core has none of that name. */
export const META = 'meta';

/** What the last round stored of a cluster, to name again what has not changed. */
export interface SavedState {
  readonly generation: number;
  readonly count: number;
  readonly meta: string;
  readonly metaChunks: readonly ChunkRef[];
  /** Chunks by the bucket that they hold; a bucket that the state no longer uses is free to go. */
  readonly buckets: WeakMap<Bucket<unknown>, readonly ChunkRef[]>;
}

/** A cluster of which nothing is stored that could be named again. */
export function nothingSaved(generation = 0, count = -1): SavedState {
  return { generation, count, meta: '', metaChunks: [], buckets: new WeakMap() };
}

/** One cluster's part in a round: its state as it stood in one turn, and what there was before. */
export interface SnapshotOf {
  readonly snapshot: StateSnapshot;
  readonly nextOffset: bigint;
  readonly saved: SavedState;
}

/** Takes a state's part in a round, in this turn. */
export function snapshotOf(state: ClusterState, nextOffset: bigint, saved: SavedState): SnapshotOf {
  return { snapshot: takeSnapshot(state), nextOffset, saved };
}

export interface RoundContext {
  readonly client: ClickHouseClient;
  readonly log: string;
  readonly partition: number;
  readonly release: string;
  readonly nowMs: number;
}

/** A part on its way: the chunks that its manifest will name, as far as they are known. */
interface Draft {
  readonly part: SnapshotOf;
  readonly meta: ChunkRef[];
  readonly buckets: [Bucket<unknown>, ChunkRef[]][];
}

/** Text in pieces of at most META_CHARS that cut no character in two. */
function* pieces(text: string): Generator<string> {
  for (let at = 0; at < text.length; ) {
    const isSplit = (text.charCodeAt(at + META_CHARS - 1) & 0xfc00) === 0xd800; // ends with the first half of a pair
    const end = at + META_CHARS - (isSplit ? 1 : 0);
    yield text.slice(at, end);
    at = end;
  }
}

/** The chunks of a draft that are not stored yet. `refs` gets the list into which the name of each belongs. */
function* draftChunks({ part, meta, buckets }: Draft, refs: ChunkRef[][]): Generator<Chunk> {
  const { snapshot, saved } = part;
  const clusterUid = snapshot.cluster.uid;
  if (saved.meta === snapshot.meta) meta.push(...saved.metaChunks);
  else {
    for (const data of pieces(snapshot.meta)) {
      refs.push(meta);
      yield { clusterUid, id: randomUUID(), table: META, bucket: 0, data };
    }
  }
  for (const { table, index, bucket } of snapshot.buckets) {
    const known = saved.buckets.get(bucket);
    const chunks = [...(known ?? [])];
    buckets.push([bucket, chunks]);
    if (known !== undefined) continue;
    for (const data of encodeBucket(bucket, CHUNK_BYTES)) {
      refs.push(chunks);
      yield { clusterUid, id: randomUUID(), table, bucket: index, data };
    }
  }
}

/**
 * Stores one round: chunks of all parts, then their manifests. The rows of every part must be stored before (design D4). Returns
 * what to hand to the next round as `saved`, by cluster uid, and the bytes written. Throws StoreError; what was written is then
 * named by nobody and goes with the next clean-up.
 */
export async function writeRound(
  context: RoundContext,
  parts: readonly SnapshotOf[],
): Promise<{ readonly saved: ReadonlyMap<string, SavedState>; readonly bytes: number }> {
  const lists: ChunkRef[][] = [];
  const drafts: Draft[] = parts.map((part) => ({ part, meta: [], buckets: [] }));
  let bytes = 0;
  function* chunks(): Generator<Chunk> {
    for (const draft of drafts) {
      for (const chunk of draftChunks(draft, lists)) {
        bytes += chunk.data.length;
        yield chunk;
      }
    }
  }
  const refs = await writeChunks(context.client, chunks(), context.nowMs);
  for (const [index, ref] of refs.entries()) lists[index]?.push(ref);
  await writeManifests(
    context.client,
    drafts.map((draft) => manifestOf(context, draft)),
  );
  const saved = drafts.map(({ part, meta, buckets }): [string, SavedState] => {
    const { cluster, generation, count } = part.snapshot;
    return [cluster.uid, { generation, count, meta: part.snapshot.meta, metaChunks: meta, buckets: new WeakMap(buckets) }];
  });
  return { saved: new Map(saved), bytes };
}

function manifestOf({ log, partition, release, nowMs }: RoundContext, { part, meta, buckets }: Draft): Manifest {
  const { cluster, generation, count } = part.snapshot;
  return {
    clusterUid: cluster.uid,
    cluster: cluster.name,
    generation,
    count,
    log,
    partition,
    nextOffset: part.nextOffset,
    format: CHECKPOINT_SCHEMA,
    release,
    chunks: [...meta, ...buckets.flatMap(([, chunks]) => chunks)],
    writtenTimeMs: nowMs,
  };
}

/** A state as restored, with the manifest that it comes from. */
export interface Restored {
  readonly state: ClusterState;
  readonly manifest: Manifest;
}

/**
 * Restores the newest whole checkpoint of a cluster that this release can read; undefined if there is none, and its log is to be read
 * from the beginning. `passedOver` is told of those that are damaged, and of an earlier release's that this one does not read. Throws
 * PODTRAIL_CHECKPOINT_FORMAT if there is none but a later release's: going on without would shadow what that wrote.
 */
export async function restoreCluster(
  client: ClickHouseClient,
  clusterUid: string,
  passedOver: (manifest: Manifest, why: 'damaged' | 'of an earlier format') => void,
): Promise<Restored | undefined> {
  const { checkpoint, damaged } = await loadCheckpoint(client, clusterUid, ({ format }) => format === CHECKPOINT_SCHEMA);
  for (const manifest of damaged) passedOver(manifest, 'damaged');
  if (checkpoint === undefined) {
    const [newest] = await readManifests(client, [clusterUid]);
    if (newest === undefined || damaged.length > 0) return undefined;
    const { cluster, format, release } = newest;
    if (format > CHECKPOINT_SCHEMA) {
      const message = `the checkpoint of cluster ${cluster} has format ${format} of podtrail ${release}, this release reads ${CHECKPOINT_SCHEMA}`;
      throw new ProcessorError('PODTRAIL_CHECKPOINT_FORMAT', `${message}; run podtrail ${release}`);
    }
    passedOver(newest, 'of an earlier format');
    return undefined;
  }
  const { manifest, data } = checkpoint;
  const cluster: ClusterRef = { uid: manifest.clusterUid, name: manifest.cluster };
  const chunks = manifest.chunks.map(({ table }, index) => ({ table, data: data[index] ?? '' }));
  const meta = chunks.flatMap(({ table, data: piece }) => (table === META ? piece : [])).join('');
  const slices = restoreSlices(
    cluster,
    meta,
    chunks.filter(({ table }) => table !== META),
  );
  for (;;) {
    const slice = slices.next();
    if (slice.done === true) return { state: slice.value, manifest };
    await setImmediate();
  }
}
