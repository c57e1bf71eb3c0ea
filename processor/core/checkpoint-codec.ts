/**
 * A state as a checkpoint carries it (design D4): `meta`, and per table its buckets. Taking a snapshot costs references only;
 * encoding is done bucket by bucket at the shell's pace. A bucket whose map is the one of the last snapshot need not be
 * written again.
 */
import type { ClusterRef } from '../../collector/change-record.ts';
import type { ClusterState, Meta } from './state.ts';
import { createClusterState, createEntry, createTables, namedTables } from './state.ts';
import type { Bucket } from './tables.ts';

/** Raised when a state of before cannot be read as it is: such a checkpoint is refused, never half-loaded. */
export const CHECKPOINT_SCHEMA = 2;

export interface BucketRef {
  readonly table: string;
  /** Position among the table's buckets: (table, index) names a bucket as long as the table does not grow. */
  readonly index: number;
  readonly bucket: Bucket<unknown>;
}
export interface StateSnapshot {
  readonly cluster: ClusterRef;
  readonly generation: number;
  readonly count: number;
  /** JSON. */
  readonly meta: string;
  /** Without the empty ones. */
  readonly buckets: readonly BucketRef[];
}

/** Takes a consistent snapshot in one turn. */
export function takeSnapshot(state: ClusterState): StateSnapshot {
  const buckets: BucketRef[] = [];
  for (const [table, contents] of namedTables(state.tables)) {
    for (const [index, bucket] of contents.snapshot().entries()) if (bucket.size > 0) buckets.push({ table, index, bucket });
  }
  const { generation, count } = state.meta;
  return { cluster: state.cluster, generation, count, meta: JSON.stringify(state.meta), buckets };
}

/** Encodes a bucket as JSON arrays of [key, value], each about `maxBytes` long at most (one entry may exceed it). */
export function* encodeBucket(bucket: Bucket<unknown>, maxBytes: number): Generator<string> {
  let parts: string[] = [];
  let bytes = 0;
  for (const entry of bucket) {
    const text = JSON.stringify(entry);
    const size = Buffer.byteLength(text);
    if (bytes > 0 && bytes + size > maxBytes) {
      yield `[${parts.join(',')}]`;
      parts = [];
      bytes = 0;
    }
    parts.push(text);
    bytes += size + 1;
  }
  if (parts.length > 0) yield `[${parts.join(',')}]`;
}

/** One encoded chunk of a table. */
export interface EncodedChunk {
  readonly table: string;
  readonly data: string;
}

/** Rebuilds the state. The chunks are whole and verified by the caller; throws SyntaxError if one is not JSON. */
export function restoreState(cluster: ClusterRef, meta: string, chunks: Iterable<EncodedChunk>): ClusterState {
  const slices = restoreSlices(cluster, meta, chunks);
  for (;;) {
    const slice = slices.next();
    if (slice.done === true) return slice.value;
  }
}

/** As restoreState, in slices of one chunk: a large state takes seconds, and the event loop needs its turns. */
export function* restoreSlices(cluster: ClusterRef, meta: string, chunks: Iterable<EncodedChunk>): Generator<void, ClusterState> {
  const parsed = JSON.parse(meta) as Meta;
  const state = createClusterState(cluster, parsed.generation, { meta: parsed, tables: createTables() });
  const enter = createEntry(state);
  for (const { table, data } of chunks) {
    for (const [key, value] of JSON.parse(data) as [string, unknown][]) enter(table, key, value);
    yield;
  }
  return state;
}
