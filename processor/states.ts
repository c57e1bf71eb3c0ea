/**
 * Where the state of a cluster is for somebody who asks: live in this process, or the newest checkpoint, restored read-only. A restored
 * state is kept for the next questions, since a person asks more than one.
 */
import { setImmediate } from 'node:timers/promises';
import type { ClickHouseClient } from '@clickhouse/client';
import type { Logger } from 'pino';
import type { Manifest } from '../sql/checkpoints.ts';
import { readChunks, readManifests } from '../sql/checkpoints.ts';
import { storedIdentities } from '../sql/generations.ts';
import { META } from './checkpoint.ts';
import { CHECKPOINT_SCHEMA } from './core/checkpoint-codec.ts';
import type { ClusterState, Meta } from './core/state.ts';
import { createClusterState, createTables } from './core/state.ts';

/** What can be said when no state can be had. */
export type NoState =
  | { readonly kind: 'no_cluster' }
  /** Not now, or not here: the reason is for whoever asks. */
  | { readonly kind: 'unavailable'; readonly reason: string };

/** checkpointTimeMs: when the state was written, wall clock; undefined: it is the live one. Whoever asks must not change it. */
export type StateAnswer = { readonly kind: 'state'; readonly state: ClusterState; readonly checkpointTimeMs: number | undefined } | NoState;

/** An answer, and the state it comes from. */
export interface Answered<T> {
  readonly kind: 'answer';
  readonly answer: T;
  /** Stream time of the state, epoch ms; 0 before the first record. */
  readonly asOfMs: number;
  /** When a checkpoint was stored, wall clock; undefined for a live state. */
  readonly checkpointTimeMs: number | undefined;
}
/** The state has no such pool, shape or pod; the reason says which. */
export interface NotFound {
  readonly kind: 'not_found';
  readonly reason: string;
}
/** What comes of a question about a cluster. */
export type Answer<T> = Answered<T> | NotFound | NoState;

/** Finds the state of a cluster by its name. Rejects with StoreError. */
export type FindState = (cluster: string) => Promise<StateAnswer>;

/** Encoded bytes of the largest state restored, some 15 000 pods; as objects it takes about three times that. */
const MAX_STATE_BYTES = 64 * 1024 ** 2;
/** Restored states kept. */
const MAX_KEPT = 2;
/** A state is not compared with the newest checkpoint for this long, ms: half of the shortest usual pace of checkpoints. */
const FRESH_MS = 5_000;
/** Without questions for this long all kept states go, ms. */
const IDLE_MS = 60_000;
/** Questions that wait for their turn to restore, one at a time. */
const MAX_WAITING = 16;
/** Chunks fetched at once: what one query takes. */
const CHUNKS_AT_ONCE = 8;

export interface CheckpointStatesOptions {
  readonly maxStateBytes?: number;
  readonly freshMs?: number;
}

export interface CheckpointStatesDeps {
  readonly client: ClickHouseClient;
  readonly log: Logger;
  /** Wall clock, epoch ms. */
  readonly now?: () => number;
}

type Loaded = { readonly state: ClusterState } | { readonly refused: string };
interface Kept {
  readonly manifest: Manifest;
  readonly loaded: Loaded;
  checkedMs: number;
}

/** The states of the newest checkpoints in the store. Writes nothing. */
export function createCheckpointStates(deps: CheckpointStatesDeps, options: CheckpointStatesOptions = {}): FindState {
  const { client, log, now = Date.now } = deps;
  const { maxStateBytes = MAX_STATE_BYTES, freshMs = FRESH_MS } = options;
  /** By the cluster's name, the one asked about last at the end. */
  const kept = new Map<string, Kept>();
  let turn: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  let idle: NodeJS.Timeout | undefined;

  function keep(cluster: string, entry: Kept): Kept {
    kept.delete(cluster);
    kept.set(cluster, entry);
    const [oldest] = kept.keys();
    if (kept.size > MAX_KEPT && oldest !== undefined) kept.delete(oldest);
    clearTimeout(idle);
    idle = setTimeout(() => kept.clear(), IDLE_MS).unref();
    return entry;
  }

  function freshOne(cluster: string): Kept | undefined {
    const entry = kept.get(cluster);
    return entry !== undefined && now() - entry.checkedMs < freshMs ? keep(cluster, entry) : undefined;
  }

  async function load(cluster: string): Promise<Kept | NoState> {
    const fresh = freshOne(cluster); // somebody before us in the queue asked the same
    if (fresh !== undefined) return fresh;
    const checkedMs = now();
    const identity = (await storedIdentities(client, { uid: '', name: cluster })).find(({ name }) => name === cluster);
    if (identity === undefined) return { kind: 'no_cluster' };
    const manifests = await readManifests(client, [identity.uid]);
    const known = kept.get(cluster);
    for (const manifest of manifests) {
      if (manifest.format !== CHECKPOINT_SCHEMA) continue;
      if (known !== undefined && isSame(known.manifest, manifest)) return keep(cluster, { ...known, checkedMs });
      const loaded = await restoreReadOnly(client, manifest, maxStateBytes);
      if (loaded !== undefined) return keep(cluster, { manifest, loaded, checkedMs });
      log.warn({ cluster, generation: manifest.generation, count: manifest.count }, 'checkpoint is damaged or was just replaced, passing it over');
    }
    return { kind: 'unavailable', reason: unreadable(cluster, manifests) };
  }

  return async (cluster) => {
    let entry: Kept | NoState | undefined = freshOne(cluster);
    if (entry === undefined) {
      if (waiting >= MAX_WAITING) return { kind: 'unavailable', reason: 'too many questions are waiting; try again' };
      waiting++;
      const mine = turn.then(() => load(cluster)).finally(() => waiting--);
      turn = mine.catch(() => undefined);
      entry = await mine;
    }
    if ('kind' in entry) return entry;
    const { loaded, manifest } = entry;
    return 'refused' in loaded
      ? { kind: 'unavailable', reason: loaded.refused }
      : { kind: 'state', state: loaded.state, checkpointTimeMs: manifest.writtenTimeMs };
  };
}

const isSame = (a: Manifest, b: Manifest): boolean => a.clusterUid === b.clusterUid && a.generation === b.generation && a.count === b.count;

function unreadable(cluster: string, manifests: readonly Manifest[]): string {
  const [newest] = manifests;
  if (newest === undefined) return `cluster ${cluster} has no checkpoint yet; try again`;
  if (newest.format === CHECKPOINT_SCHEMA) return `the checkpoint of cluster ${cluster} was just replaced; try again`;
  return `the checkpoint of cluster ${cluster} is of podtrail ${newest.release}, which this release does not read`;
}

/** Undefined if a chunk is missing or damaged. Every chunk is parsed in a turn of its own: this process has others to answer. */
async function restoreReadOnly(client: ClickHouseClient, manifest: Manifest, maxBytes: number): Promise<Loaded | undefined> {
  const { clusterUid, cluster, chunks } = manifest;
  const entries = new Map<string, [string, unknown][]>();
  let meta = '';
  let bytes = 0;
  for (let at = 0; at < chunks.length; at += CHUNKS_AT_ONCE) {
    const refs = chunks.slice(at, at + CHUNKS_AT_ONCE);
    for (const [index, data] of (await readChunks(client, clusterUid, refs)).entries()) {
      const table = refs[index]?.table ?? '';
      if (data === undefined) return undefined;
      bytes += data.length;
      if (bytes > maxBytes) return { refused: `the state of cluster ${cluster} is larger than the ${maxBytes} bytes that are read for one question` };
      if (table === META) meta += data;
      else entries.set(table, (entries.get(table) ?? []).concat(JSON.parse(data) as [string, unknown][]));
      await setImmediate();
    }
  }
  const parsed = JSON.parse(meta) as Meta;
  const tables = createTables((name) => entries.get(name) ?? []);
  return { state: createClusterState({ uid: clusterUid, name: cluster }, parsed.generation, { meta: parsed, tables }) };
}
