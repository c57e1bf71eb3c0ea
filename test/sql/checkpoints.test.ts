import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, beforeEach, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import type { Chunk, ChunkRef, Manifest } from '../../sql/checkpoints.ts';
import {
  checksumOf,
  deleteObsolete,
  loadCheckpoint,
  MAX_CHUNK_BYTES,
  readChunks,
  readManifests,
  readPartitions,
  writeChunks,
  writeManifests,
  writePartition,
} from '../../sql/checkpoints.ts';
import { encodeRow, TABLE_NAMES } from '../../sql/encode-row.ts';
import { countLostIncidents, highestGeneration, removeNewerRows, resolveLostIncidents, storedIdentities } from '../../sql/generations.ts';
import { insertRows } from '../../sql/insert-rows.ts';
import type { TestStore } from '../helpers/clickhouse.ts';
import { openTestStore, select } from '../helpers/clickhouse.ts';
import { SAMPLE_ROWS } from '../helpers/sample-rows.ts';

const UID = 'b1b0c0de-0000-4000-8000-000000000001';
const NOW = 1_795_000_000_000;
const HOUR = 3_600_000;
let store: TestStore;

before(async () => {
  store = await openTestStore();
});
after(() => store.close());
beforeEach(async () => {
  for (const table of ['checkpoint_chunks', 'checkpoint_manifests', 'checkpoint_partitions', ...TABLE_NAMES]) {
    await store.client.command({ query: 'TRUNCATE TABLE {table:Identifier}', query_params: { table } });
  }
});

function chunk(data: string, table = 'objects.pods', bucket = 0): Chunk {
  return { clusterUid: UID, id: randomUUID(), table, bucket, data };
}

function manifest(count: number, chunks: readonly ChunkRef[], overrides: Partial<Manifest> = {}): Manifest {
  const position = { log: 'kafka:pod-changes', partition: 3, nextOffset: BigInt(count) + 1n };
  const identity = { clusterUid: UID, cluster: 'prod-eu', generation: 1, count, format: 1, release: '0.1.0' };
  return { ...identity, ...position, chunks, writtenTimeMs: NOW, ...overrides };
}

/** Writes one checkpoint of two chunks, the second of which may be one that is there already. */
async function checkpoint(count: number, overrides: Partial<Manifest> = {}, shared?: ChunkRef): Promise<Manifest> {
  const writtenTimeMs = overrides.writtenTimeMs ?? NOW;
  const chunks = [chunk(`[["a",${count}]]`), ...(shared === undefined ? [chunk(`{"count":${count}}`, 'meta')] : [])];
  const refs = await writeChunks(
    store.client,
    chunks.map((c) => ({ ...c, clusterUid: overrides.clusterUid ?? UID })),
    writtenTimeMs,
  );
  const written = manifest(count, shared === undefined ? refs : [...refs, shared], overrides);
  await writeManifests(store.client, [written]);
  return written;
}

async function storedIds(): Promise<string[]> {
  const rows = await select<{ chunk_id: string }>(store.client, 'SELECT DISTINCT chunk_id FROM checkpoint_chunks ORDER BY chunk_id');
  return rows.map(({ chunk_id }) => chunk_id);
}

/** Deletes what is obsolete and waits until it is gone. */
async function cleanUp(clusterUids: readonly string[], nowMs: number): Promise<readonly string[]> {
  const { incomplete } = await deleteObsolete(store.client, clusterUids, nowMs);
  const pending = 'SELECT mutation_id FROM system.mutations WHERE database = currentDatabase() AND NOT is_done';
  while ((await select(store.client, pending)).length > 0) await setTimeout(10);
  return incomplete;
}

async function counts(): Promise<number[]> {
  return (await readManifests(store.client, [UID])).map(({ count }) => count);
}

test('a checkpoint comes back as it was written', async () => {
  const large = `["${'é"\\\n漢'.repeat(100_000)}"]`.slice(0, 400_000);
  const chunks = [chunk(large), chunk('', 'meta'), chunk('[["\\ud83d",null]]', 'objects.nodes', 7)];
  const refs = await writeChunks(store.client, chunks, NOW);
  const written = manifest(2 ** 40 - 1, refs, { nextOffset: 2n ** 63n, writtenTimeMs: NOW + 1 });
  await writeManifests(store.client, [written]);
  const { checkpoint: read, damaged } = await loadCheckpoint(store.client, UID);
  assert.deepEqual(read?.manifest, written);
  assert.deepEqual(
    read?.data,
    chunks.map(({ data }) => data),
  );
  assert.deepEqual(damaged, []);
});

/** The client, and how many chunks each request asked for. */
function countRequests(): { readonly client: TestStore['client']; readonly asked: number[] } {
  const asked: number[] = [];
  const exec: TestStore['client']['exec'] = (params: Parameters<TestStore['client']['exec']>[0]) => {
    asked.push(((params.query_params?.['ids'] ?? []) as readonly string[]).length);
    return store.client.exec(params);
  };
  return { client: Object.assign(Object.create(store.client), { exec }), asked };
}

test('chunks come back in order, in as many requests as their bytes and number need', async () => {
  const large = Array.from({ length: 9 }, (_, i) => chunk(`${i}`.repeat(MAX_CHUNK_BYTES), 'objects.pods', i));
  const small = Array.from({ length: 600 }, (_, i) => chunk(`chunk ${i}`, 'timers', i));
  const refs = await writeChunks(store.client, [...large, ...small], NOW);
  const { client, asked } = countRequests();
  const read = await readChunks(client, UID, refs);
  assert.ok(read.every((data, index) => data === [...large, ...small][index]?.data));
  assert.equal(read.length, 609);
  assert.deepEqual(asked, [8, 500, 101]);
});

test('of chunks whose bytes an older manifest does not say, eight are read at once', async () => {
  const chunks = Array.from({ length: 20 }, (_, i) => chunk(`chunk ${i}`, 'objects.pods', i));
  const refs = (await writeChunks(store.client, chunks, NOW)).map(({ bytes: _, ...ref }) => ref);
  await writeManifests(store.client, [manifest(1, refs)]);
  const { client, asked } = countRequests();
  const { checkpoint: read } = await loadCheckpoint(client, UID);
  assert.deepEqual(
    read?.data,
    chunks.map(({ data }) => data),
  );
  assert.deepEqual(asked, [8, 8, 4]);
});

test('a chunk of 1 MiB is taken, a byte more is refused', async () => {
  await writeChunks(store.client, [chunk('x'.repeat(MAX_CHUNK_BYTES))], NOW);
  await assert.rejects(writeChunks(store.client, [chunk(`${'x'.repeat(MAX_CHUNK_BYTES)}y`)], NOW), { code: 'PODTRAIL_QUERY_INVALID' });
  await assert.rejects(writeChunks(store.client, [chunk('é'.repeat(MAX_CHUNK_BYTES / 2 + 1))], NOW), { code: 'PODTRAIL_QUERY_INVALID' });
});

test('the highest generation wins, then the highest count; and none is a cluster without one', async () => {
  assert.equal((await loadCheckpoint(store.client, UID)).checkpoint, undefined);
  await checkpoint(100);
  await checkpoint(50, { generation: 2 });
  await checkpoint(70, { generation: 2 });
  await checkpoint(900, { clusterUid: 'another' });
  const { checkpoint: read } = await loadCheckpoint(store.client, UID);
  assert.deepEqual([read?.manifest.generation, read?.manifest.count], [2, 70]);
});

test('writing a checkpoint twice changes nothing', async () => {
  const chunks = [chunk('one')];
  for (let i = 0; i < 2; i++) await writeManifests(store.client, [manifest(5, await writeChunks(store.client, chunks, NOW))]);
  const { checkpoint: read } = await loadCheckpoint(store.client, UID);
  assert.deepEqual(read?.data, ['one']);
  assert.deepEqual(await counts(), [5]);
});

const damages: readonly { readonly name: string; readonly query: string }[] = [
  { name: 'a chunk is missing', query: 'DELETE FROM checkpoint_chunks WHERE chunk_id = {id:String}' },
  {
    name: 'a chunk is cut',
    query: 'ALTER TABLE checkpoint_chunks UPDATE data = substring(data, 1, length(data) - 1) WHERE chunk_id = {id:String} SETTINGS mutations_sync = 2',
  },
  { name: 'a chunk is empty', query: "ALTER TABLE checkpoint_chunks UPDATE data = '' WHERE chunk_id = {id:String} SETTINGS mutations_sync = 2" },
];
for (const { name, query } of damages) {
  test(`falls back to the checkpoint before when ${name}, and says which it passed over`, async () => {
    const older = await checkpoint(10);
    const newer = await checkpoint(20);
    for (const { id } of newer.chunks.slice(-1)) await store.client.command({ query, query_params: { id } });
    const { checkpoint: read, damaged } = await loadCheckpoint(store.client, UID);
    assert.deepEqual(read?.manifest, older);
    assert.deepEqual(damaged, [newer]);
  });
}

test('a manifest that is damaged itself does not count', async () => {
  await checkpoint(10);
  for (const change of ['next_offset = 7', "chunks = '[]'", "chunks = '[{'"]) {
    await checkpoint(20);
    const query = `ALTER TABLE checkpoint_manifests UPDATE ${change} WHERE count = 20 SETTINGS mutations_sync = 2`;
    await store.client.command({ query });
    assert.equal((await loadCheckpoint(store.client, UID)).checkpoint?.manifest.count, 10, change);
    await store.client.command({ query: 'DELETE FROM checkpoint_manifests WHERE count = 20' });
  }
});

test('without any whole checkpoint there is none', async () => {
  await checkpoint(10);
  await store.client.command({ query: 'TRUNCATE TABLE checkpoint_chunks' });
  const { checkpoint: read, damaged } = await loadCheckpoint(store.client, UID);
  assert.equal(read, undefined);
  assert.equal(damaged.length, 1);
});

test('checkpoints that the caller cannot read are passed over', async () => {
  await checkpoint(10);
  await checkpoint(20, { format: 2 });
  const { checkpoint: read } = await loadCheckpoint(store.client, UID, ({ format }) => format === 1);
  assert.equal(read?.manifest.count, 10);
});

test('the two newest checkpoints stay, and what they share with older ones', async () => {
  const old = NOW - HOUR;
  const first = await checkpoint(10, { writtenTimeMs: old });
  const shared = first.chunks[1] as ChunkRef;
  const second = await checkpoint(20, { writtenTimeMs: old }, shared);
  const third = await checkpoint(30, { writtenTimeMs: old }, shared);
  assert.deepEqual(await cleanUp([UID], NOW), []);
  assert.deepEqual(await counts(), [30, 20]);
  assert.deepEqual(await storedIds(), [...new Set([...second.chunks, ...third.chunks].map(({ id }) => id))].sort());
  const { checkpoint: read } = await loadCheckpoint(store.client, UID);
  assert.deepEqual(read?.manifest, third);
});

test('chunks of a checkpoint that is being written stay', async () => {
  for (const count of [10, 20]) await checkpoint(count, { writtenTimeMs: NOW - HOUR });
  const [fresh] = await writeChunks(store.client, [chunk('in flight')], NOW - 30_000);
  const [stale] = await writeChunks(store.client, [chunk('abandoned')], NOW - HOUR);
  await cleanUp([UID], NOW);
  const ids = await storedIds();
  assert.ok(ids.includes(fresh?.id ?? ''));
  assert.ok(!ids.includes(stale?.id ?? ''));
});

test('one checkpoint alone is never touched, nor is another cluster', async () => {
  await checkpoint(10, { writtenTimeMs: NOW - HOUR });
  for (const count of [1, 2, 3]) await checkpoint(count, { clusterUid: 'another', writtenTimeMs: NOW - HOUR });
  const before = await storedIds();
  await cleanUp([UID], NOW);
  assert.deepEqual(await storedIds(), before);
  await cleanUp([UID, 'another'], NOW);
  assert.equal((await storedIds()).length, before.length - 2);
  assert.deepEqual(await counts(), [10]);
});

test('the last checkpoint of the release before stays for a day', async () => {
  const rollBack = await checkpoint(20, { release: '0.0.9', writtenTimeMs: NOW - 23 * HOUR });
  await checkpoint(10, { release: '0.0.9', writtenTimeMs: NOW - 23 * HOUR });
  for (const count of [30, 40, 50]) await checkpoint(count, { writtenTimeMs: NOW - HOUR });
  await cleanUp([UID], NOW);
  assert.deepEqual(await counts(), [50, 40, 20]);
  const { checkpoint: read } = await loadCheckpoint(store.client, UID, ({ release }) => release === '0.0.9');
  assert.deepEqual(read?.manifest, rollBack);
  await cleanUp([UID], NOW + 2 * HOUR);
  assert.deepEqual(await counts(), [50, 40]);
});

test('a broken checkpoint does not push out a whole one, and its cluster is named', async () => {
  for (const count of [10, 20]) await checkpoint(count, { writtenTimeMs: NOW - HOUR });
  const broken = await checkpoint(30, { writtenTimeMs: NOW - HOUR });
  await store.client.command({ query: 'DELETE FROM checkpoint_chunks WHERE chunk_id = {id:String}', query_params: { id: broken.chunks[0]?.id } });
  assert.deepEqual(await cleanUp([UID], NOW), [UID]);
  assert.equal((await loadCheckpoint(store.client, UID)).checkpoint?.manifest.count, 20);
});

test('a partition remembers how far it is checkpointed, the last written first', async () => {
  const clusters = [
    { clusterUid: UID, generation: 3, count: 2 ** 40 - 1 },
    { clusterUid: 'another', generation: 1, count: 0 },
  ];
  const empty = { log: 'a', partition: 1, partitions: 12, nextOffset: 0n, lastOffset: -1n, lastHash: '', clusters: [], writtenTimeMs: NOW };
  const full = { ...empty, nextOffset: 2n ** 63n, lastOffset: 2n ** 62n, lastHash: 'abc', clusters, writtenTimeMs: NOW + 1 };
  const other = { ...empty, log: 'b', partitions: 1, writtenTimeMs: NOW + 2 };
  for (const manifest of [empty, full, other]) await writePartition(store.client, manifest);
  assert.deepEqual(await readPartitions(store.client), [other, full]);
});

test('rows of a cluster above a version go from every table, others stay', async () => {
  const version = (1n << 40n) + 100n;
  for (const table of TABLE_NAMES) {
    const row = SAMPLE_ROWS[table];
    const lines = [version, version + 1n].map((v, i) => encodeRow(table, { ...row, cluster: 'prod-eu', ...(i === 1 ? other(table) : {}) } as never, v));
    await insertRows(store.client, table, [...lines, encodeRow(table, { ...row, cluster: 'prod-us' } as never, version + 1n)]);
  }
  const removed = await removeNewerRows(store.client, 'prod-eu', version);
  assert.deepEqual(removed, Object.fromEntries(TABLE_NAMES.map((table) => [table, 1])));
  for (const table of TABLE_NAMES) {
    const rows = await select(store.client, 'SELECT cluster, version FROM {table:Identifier} FINAL ORDER BY cluster', { table });
    const kept = [
      { cluster: 'prod-eu', version: String(version) },
      { cluster: 'prod-us', version: String(version + 1n) },
    ];
    // Replaced is gone for good: by the row that was removed (a cluster has one row), or by prod-us (a position has one dead letter).
    assert.deepEqual(rows, table === 'dead_letters' || table === 'clusters' ? kept.slice(1) : kept, table);
  }
  assert.deepEqual(await removeNewerRows(store.client, 'prod-eu', version), {});
});

/** Another key of the table. */
function other(table: string): object {
  const keys: Record<string, object> = {
    clusters: {},
    sessions: { session: 's-2' },
    disruptions: { podUid: 'p-2' },
    dead_letters: { offset: 813n },
    capacity_samples: { shape: '4c8Gi' },
  };
  return keys[table] ?? (table === 'incident_members' ? { podUid: 'p-2' } : table === 'incident_timeline' ? { seq: 1 } : { uid: 'u-2', id: 'i-2', scope: 'x' });
}

test('the highest generation is found in rows and in checkpoints', async () => {
  const cluster = { uid: UID, name: 'prod-eu' };
  assert.equal(await highestGeneration(store.client, cluster), 0);
  await insertRows(store.client, 'coverage', [encodeRow('coverage', SAMPLE_ROWS.coverage, (7n << 40n) + 5n)]);
  assert.equal(await highestGeneration(store.client, cluster), 7);
  await checkpoint(1, { generation: 9 });
  assert.equal(await highestGeneration(store.client, cluster), 9);
  assert.equal(await highestGeneration(store.client, { uid: 'none', name: 'none' }), 0);
});

test('incidents that an older generation left open are ended once, those that came back are not', async () => {
  const head = (id: string, version: bigint, state = 'open'): string => encodeRow('incidents', { ...SAMPLE_ROWS.incidents, id, state }, version);
  const [old, now] = [1n << 40n, 2n << 40n];
  await insertRows(store.client, 'incidents', [head('lost', old + 5n), head('back', old + 6n), head('over', old + 7n, 'resolved'), head('back', now + 1n)]);
  assert.equal(await countLostIncidents(store.client, 'prod-eu', 2), 1);
  const at = { timeMs: NOW, version: now + 9n };
  for (let i = 0; i < 2; i++) await resolveLostIncidents(store.client, 'prod-eu', 2, at);
  assert.equal(await countLostIncidents(store.client, 'prod-eu', 2), 0);
  const query = 'SELECT id, state, resolution, toUnixTimestamp64Milli(resolved_time) AS at, version FROM incidents FINAL ORDER BY id';
  assert.deepEqual(await select(store.client, query), [
    { id: 'back', state: 'open', resolution: '', at: '0', version: String(now + 1n) },
    { id: 'lost', state: 'resolved', resolution: 'unknown', at: String(NOW), version: String(now + 9n) },
    { id: 'over', state: 'resolved', resolution: '', at: '0', version: String(old + 7n) },
  ]);
});

test('a cluster is known by name and by uid', async () => {
  await insertRows(store.client, 'clusters', [encodeRow('clusters', SAMPLE_ROWS.clusters, 1n)]);
  const known = [{ uid: UID, name: 'prod-eu' }];
  assert.deepEqual(await storedIdentities(store.client, { uid: UID, name: 'renamed' }), known);
  assert.deepEqual(await storedIdentities(store.client, { uid: 'replaced', name: 'prod-eu' }), known);
  assert.deepEqual(await storedIdentities(store.client, { uid: 'new', name: 'new' }), []);
});

test('checksums are those of sha256', () => {
  assert.equal(checksumOf('abc'), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'); // FIPS 180-4, example
});
