/**
 * Checkpoints in ClickHouse (design D4): immutable chunks first, then the manifest that names them; the highest (generation, count)
 * of a cluster whose chunks are all there and unharmed wins. Writing anything twice changes nothing. Clusters are known here by uid,
 * the key of their records; rows carry their name.
 */
import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type { ClickHouseClient } from '@clickhouse/client';
import { z } from 'zod';
import { StoreError, toStoreError } from './errors.ts';
import type { Query } from './queries.ts';
import { loadQuery, runCommand, runQuery } from './queries.ts';
import { readStringRows } from './row-binary.ts';

const MANIFESTS = loadQuery(import.meta.url, './queries/checkpoint-manifests.sql');
const CHUNK_DATA = loadQuery(import.meta.url, './queries/checkpoint-chunk-data.sql');
const CHUNK_IDS = loadQuery(import.meta.url, './queries/checkpoint-chunk-ids.sql');
const PARTITIONS = loadQuery(import.meta.url, './queries/checkpoint-partitions.sql');
const DELETE_CHUNKS = loadQuery(import.meta.url, './queries/delete-chunks.sql');
const DELETE_MANIFESTS = loadQuery(import.meta.url, './queries/delete-manifests.sql');

/** Hard cap of a chunk's data, bytes of UTF-8 (design D4): what one turn of the event loop may parse. */
export const MAX_CHUNK_BYTES = 1024 ** 2;
/** Bytes and chunks that one query fetches: results are buffered whole by chDB, and ids travel in the URL. */
const QUERY_BYTES = 8 * 1024 ** 2;
const CHUNKS_A_QUERY = 500;
/** Bytes and rows of one insert of chunks: few parts, and little memory. */
const INSERT_BYTES = 4 * 1024 ** 2;
const INSERT_ROWS = 1_000;
/** Ids of one DELETE: they travel in the URL, of which a server takes 1 MiB (http_max_uri_size). */
const IDS_A_DELETE = 2_000;
/** Younger chunks may belong to a checkpoint that is being written. */
const IN_FLIGHT_MS = 60_000;
/** How long the previous release's last checkpoint stays, for a roll-back (design D4). */
const ROLL_BACK_MS = 24 * 3_600_000;

/** A piece of a cluster's state on its way to the store. `id` is fresh and unique among all clusters. */
export interface Chunk {
  readonly clusterUid: string;
  readonly id: string;
  readonly table: string;
  readonly bucket: number;
  readonly data: string;
}

export interface ChunkRef {
  readonly id: string;
  readonly table: string;
  readonly bucket: number;
  /** checksumOf(data). */
  readonly checksum: string;
  /** Of the data in UTF-8; older manifests do not say. */
  readonly bytes?: number | undefined;
}

/** One checkpoint of one cluster. */
export interface Manifest {
  readonly clusterUid: string;
  readonly cluster: string;
  readonly generation: number;
  /** Records of the cluster consumed. */
  readonly count: number;
  /** Identity of the change log, and the partition of it that held the cluster. */
  readonly log: string;
  readonly partition: number;
  /** Offset after the cluster's last record in this state. */
  readonly nextOffset: bigint;
  /** Version of the encoding of the chunks. */
  readonly format: number;
  readonly release: string;
  readonly chunks: readonly ChunkRef[];
  readonly writtenTimeMs: number;
}

/** How far one partition is checkpointed. */
export interface PartitionManifest {
  readonly log: string;
  readonly partition: number;
  /** Partitions of the log when this was written. */
  readonly partitions: number;
  /** Offset after the last record that the checkpoints below hold. */
  readonly nextOffset: bigint;
  /** Identity of the record before nextOffset: its offset and a hash of its bytes; -1 and '' if there was none. */
  readonly lastOffset: bigint;
  readonly lastHash: string;
  /** Every cluster seen, with its checkpoint that holds all of its records before nextOffset. */
  readonly clusters: readonly { readonly clusterUid: string; readonly generation: number; readonly count: number }[];
  readonly writtenTimeMs: number;
}

/** A checkpoint that is whole: its manifest and the data of all its chunks, in the manifest's order. */
export interface Checkpoint {
  readonly manifest: Manifest;
  readonly data: readonly string[];
}

/** sha256, hex, of what a chunk or a manifest says. */
export function checksumOf(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

/** What a manifest's checksum covers: all of it but the time, in a fixed order. */
function manifestText(m: Manifest): string {
  const chunks = m.chunks.map(({ id, table, bucket, checksum }) => [id, table, bucket, checksum]);
  const position = [m.log, m.partition, m.nextOffset.toString()];
  return JSON.stringify([m.clusterUid, m.cluster, m.generation, m.count, position, m.format, m.release, chunks]);
}

async function insert(client: ClickHouseClient, table: string, values: readonly object[]): Promise<void> {
  try {
    await client.insert({ table, values, format: 'JSONEachRow' });
  } catch (error) {
    throw toStoreError(error, `insert of ${values.length} rows into ${table}`);
  }
}

function chunkRow({ clusterUid, id, table, bucket, data }: Chunk, nowMs: number) {
  return { cluster_uid: clusterUid, chunk_id: id, table_name: table, bucket, checksum: checksumOf(data), written_time: nowMs, data };
}

/**
 * Stores chunks of any clusters as they are produced, and returns what a manifest says of each, in order; they count only once one
 * does. Throws PODTRAIL_QUERY_INVALID for a chunk that is too large.
 */
export async function writeChunks(client: ClickHouseClient, chunks: Iterable<Chunk>, nowMs: number): Promise<ChunkRef[]> {
  const refs: ChunkRef[] = [];
  let rows: ReturnType<typeof chunkRow>[] = [];
  let bytes = 0;
  for (const chunk of chunks) {
    const { id, table, bucket, data } = chunk;
    const size = Buffer.byteLength(data);
    if (size > MAX_CHUNK_BYTES) throw new StoreError('PODTRAIL_QUERY_INVALID', `chunk ${id} of ${table} has ${size} bytes, more than ${MAX_CHUNK_BYTES}`);
    const row = chunkRow(chunk, nowMs);
    refs.push({ id, table, bucket, checksum: row.checksum, bytes: size });
    rows.push(row);
    bytes += size;
    if (bytes >= INSERT_BYTES || rows.length >= INSERT_ROWS) {
      await insert(client, 'checkpoint_chunks', rows);
      rows = [];
      bytes = 0;
    }
    await setImmediate(); // producing, hashing and escaping a chunk takes milliseconds
  }
  if (rows.length > 0) await insert(client, 'checkpoint_chunks', rows);
  return refs;
}

/** Stores manifests; from here on their checkpoints count. All their chunks must be stored. */
export async function writeManifests(client: ClickHouseClient, manifests: readonly Manifest[]): Promise<void> {
  if (manifests.length === 0) return;
  const rows = manifests.map((manifest) => ({
    cluster_uid: manifest.clusterUid,
    cluster: manifest.cluster,
    generation: manifest.generation,
    count: manifest.count,
    log: manifest.log,
    partition: manifest.partition,
    next_offset: manifest.nextOffset.toString(),
    format: manifest.format,
    release: manifest.release,
    chunks: JSON.stringify(manifest.chunks),
    checksum: checksumOf(manifestText(manifest)),
    written_time: manifest.writtenTimeMs,
  }));
  await insert(client, 'checkpoint_manifests', rows);
}

const chunkRefs = z.array(z.object({ id: z.string(), table: z.string(), bucket: z.number(), checksum: z.string(), bytes: z.number().optional() }));
const manifestRow = z.object({
  cluster_uid: z.string(),
  cluster: z.string(),
  generation: z.coerce.number(),
  count: z.coerce.number(),
  log: z.string(),
  partition: z.coerce.number(),
  next_offset: z.coerce.bigint(),
  format: z.coerce.number(),
  release: z.string(),
  chunks: z.string(),
  checksum: z.string(),
  written_time_ms: z.coerce.number(),
});

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The manifest of a row, unless what is stored is not what was written. */
function decodeManifest(row: z.output<typeof manifestRow>): Manifest | undefined {
  const chunks = chunkRefs.safeParse(parseJson(row.chunks));
  if (!chunks.success) return undefined;
  const manifest = {
    clusterUid: row.cluster_uid,
    cluster: row.cluster,
    generation: row.generation,
    count: row.count,
    log: row.log,
    partition: row.partition,
    nextOffset: row.next_offset,
    format: row.format,
    release: row.release,
    chunks: chunks.data,
    writtenTimeMs: row.written_time_ms,
  };
  return checksumOf(manifestText(manifest)) === row.checksum ? manifest : undefined;
}

/** Manifests of `clusterUids`, those of a cluster newest first. One that is damaged is left out. */
export async function readManifests(client: ClickHouseClient, clusterUids: readonly string[]): Promise<Manifest[]> {
  const rows = await runQuery(client, MANIFESTS, { clusters: clusterUids }, manifestRow);
  return rows.flatMap((row) => decodeManifest(row) ?? []);
}

/** `refs` as they are fetched together. */
function* groupsOf(refs: readonly ChunkRef[]): Generator<readonly ChunkRef[]> {
  let group: ChunkRef[] = [];
  let bytes = 0;
  for (const ref of refs) {
    const size = ref.bytes ?? MAX_CHUNK_BYTES;
    if (group.length === CHUNKS_A_QUERY || (group.length > 0 && bytes + size > QUERY_BYTES)) {
      yield group;
      group = [];
      bytes = 0;
    }
    group.push(ref);
    bytes += size;
  }
  if (group.length > 0) yield group;
}

/** What is stored under these ids, by id. */
async function fetchChunks(client: ClickHouseClient, clusterUid: string, refs: readonly ChunkRef[]): Promise<ReadonlyMap<string, Buffer>> {
  const found = new Map<string, Buffer>();
  try {
    // exec and not query, which answers in text formats alone.
    const { stream } = await client.exec({ query: CHUNK_DATA.sql, query_params: { cluster: clusterUid, ids: refs.map(({ id }) => id) } });
    const parts: Buffer[] = [];
    for await (const part of stream) parts.push(part);
    for (const [id, data] of readStringRows(Buffer.concat(parts), 2)) if (id !== undefined && data !== undefined) found.set(id.toString(), data);
  } catch (error) {
    throw toStoreError(error, `query ${CHUNK_DATA.name}`);
  }
  return found;
}

/** The data of `refs` in their order; undefined where a chunk is missing or damaged. Yields to the event loop after each. */
export async function readChunks(client: ClickHouseClient, clusterUid: string, refs: readonly ChunkRef[]): Promise<(string | undefined)[]> {
  const verified: (string | undefined)[] = [];
  for (const group of groupsOf(refs)) {
    const found = await fetchChunks(client, clusterUid, group);
    for (const { id, checksum } of group) {
      const data = found.get(id);
      verified.push(data !== undefined && checksumOf(data) === checksum ? data.toString() : undefined);
      await setImmediate();
    }
  }
  return verified;
}

/**
 * The newest whole checkpoint of a cluster among those that `accepts`, and the ones passed over because a chunk is missing or
 * damaged. Never a half one.
 */
export async function loadCheckpoint(
  client: ClickHouseClient,
  clusterUid: string,
  accepts: (manifest: Manifest) => boolean = () => true,
): Promise<{ readonly checkpoint: Checkpoint | undefined; readonly damaged: readonly Manifest[] }> {
  const damaged: Manifest[] = [];
  for (const manifest of await readManifests(client, [clusterUid])) {
    if (!accepts(manifest)) continue;
    const data = await readChunks(client, clusterUid, manifest.chunks);
    if (data.every((chunk) => chunk !== undefined)) return { checkpoint: { manifest, data }, damaged };
    damaged.push(manifest);
  }
  return { checkpoint: undefined, damaged };
}

/** Stores how far a partition is checkpointed. The manifests it counts on must be stored. */
export async function writePartition(client: ClickHouseClient, manifest: PartitionManifest): Promise<void> {
  const row = {
    log: manifest.log,
    partition: manifest.partition,
    partitions: manifest.partitions,
    next_offset: manifest.nextOffset.toString(),
    last_offset: manifest.lastOffset.toString(),
    last_hash: manifest.lastHash,
    clusters: JSON.stringify(manifest.clusters.map(({ clusterUid, generation, count }) => [clusterUid, generation, count])),
    written_time: manifest.writtenTimeMs,
  };
  await insert(client, 'checkpoint_partitions', [row]);
}

const partitionRow = z.object({
  log: z.string(),
  partition: z.coerce.number(),
  partitions: z.coerce.number(),
  next_offset: z.coerce.bigint(),
  last_offset: z.coerce.bigint(),
  last_hash: z.string(),
  clusters: z.string(),
  written_time_ms: z.coerce.number(),
});
const partitionClusters = z.array(z.tuple([z.string(), z.number(), z.number()]));

/** Every partition of every log ever read, the last written first. */
export async function readPartitions(client: ClickHouseClient): Promise<PartitionManifest[]> {
  const rows = await runQuery(client, PARTITIONS, {}, partitionRow);
  return rows.map((row) => ({
    log: row.log,
    partition: row.partition,
    partitions: row.partitions,
    nextOffset: row.next_offset,
    lastOffset: row.last_offset,
    lastHash: row.last_hash,
    clusters: partitionClusters.parse(parseJson(row.clusters)).map(([clusterUid, generation, count]) => ({ clusterUid, generation, count })),
    writtenTimeMs: row.written_time_ms,
  }));
}

/** The two newest whole manifests of a cluster, and the previous release's last if it is young enough to roll back to. */
function manifestsToKeep(manifests: readonly Manifest[], nowMs: number): Manifest[] {
  const [newest, second] = manifests;
  const rollBack = manifests.find((m) => m.release !== newest?.release && m.writtenTimeMs >= nowMs - ROLL_BACK_MS);
  return [newest, second, rollBack].filter((m) => m !== undefined);
}

/** One mutation a call, and nobody waits for it: until it is done, what it deletes is merely not wanted. */
async function deleteByIds(client: ClickHouseClient, query: Query, clusters: readonly string[], ids: readonly string[]): Promise<void> {
  for (let at = 0; at < ids.length; at += IDS_A_DELETE) {
    const settings = { lightweight_deletes_sync: '0' };
    await runCommand(client, query, { clusters, ids: ids.slice(at, at + IDS_A_DELETE) }, { settings });
  }
}

const chunkIdRow = z.object({ cluster_uid: z.string(), chunk_id: z.string(), written_time_ms: z.coerce.number() });

/**
 * Deletes what no restore of `clusterUids` will want, soon. Returns the clusters whose newest manifest lacks chunks, as when another
 * processor deleted what it held for its own: their next checkpoint must reference nothing and write everything.
 */
export async function deleteObsolete(
  client: ClickHouseClient,
  clusterUids: readonly string[],
  nowMs: number,
): Promise<{ readonly incomplete: readonly string[] }> {
  const stored = await runQuery(client, CHUNK_IDS, { clusters: clusterUids }, chunkIdRow);
  const storedIds = new Set(stored.map(({ chunk_id }) => chunk_id));
  const isWhole = (m: Manifest): boolean => m.chunks.every(({ id }) => storedIds.has(id));
  const manifests = await readManifests(client, clusterUids);
  const incomplete: string[] = [];
  const obsolete: string[] = [];
  const wanted = new Set<string>();
  const settled = new Set<string>();
  for (const clusterUid of clusterUids) {
    const own = manifests.filter((m) => m.clusterUid === clusterUid);
    if (own[0] !== undefined && !isWhole(own[0])) incomplete.push(clusterUid);
    const kept = manifestsToKeep(own.filter(isWhole), nowMs);
    for (const { chunks } of kept) for (const { id } of chunks) wanted.add(id);
    const second = kept[1];
    if (second === undefined) continue;
    settled.add(clusterUid);
    const older = own.slice(own.indexOf(second)).filter((m) => !kept.includes(m));
    obsolete.push(...older.map((m) => `${clusterUid} ${m.generation} ${m.count}`));
  }
  await deleteByIds(client, DELETE_MANIFESTS, clusterUids, obsolete);
  const isObsolete = (chunk: z.output<typeof chunkIdRow>): boolean =>
    settled.has(chunk.cluster_uid) && !wanted.has(chunk.chunk_id) && chunk.written_time_ms < nowMs - IN_FLIGHT_MS;
  await deleteByIds(
    client,
    DELETE_CHUNKS,
    clusterUids,
    stored.filter(isObsolete).map(({ chunk_id }) => chunk_id),
  );
  return { incomplete };
}
