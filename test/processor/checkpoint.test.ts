import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClickHouseClient } from '@clickhouse/client';
import type { SavedState } from '../../processor/checkpoint.ts';
import { nothingSaved, snapshotOf, writeRound } from '../../processor/checkpoint.ts';
import type { ClusterState } from '../../processor/core/state.ts';
import { createClusterState } from '../../processor/core/state.ts';

const CLUSTER = { uid: 'u', name: 'c' };
const CONTEXT = { log: 'l', partition: 2, release: '0.1.0', nowMs: 5 };

type Row = Record<string, unknown>;

/** The one call of the client that a round makes. */
function createStore(refuse: (table: string) => boolean = () => false) {
  const chunks: Row[] = [];
  const manifests: Row[] = [];
  const insert = async ({ table, values }: { table: string; values: Row[] }): Promise<void> => {
    if (refuse(table)) throw Object.assign(new Error('too many parts'), { code: '252' });
    (table === 'checkpoint_chunks' ? chunks : manifests).push(...values);
  };
  return { client: { insert } as unknown as ClickHouseClient, chunks, manifests };
}

function stateWith(entries: Record<string, number>): ClusterState {
  const state = createClusterState(CLUSTER, 3);
  for (const [key, value] of Object.entries(entries)) state.tables.timers.set(key, value);
  return state;
}

async function round(store: ReturnType<typeof createStore>, state: ClusterState, saved: SavedState): Promise<SavedState> {
  const result = await writeRound({ client: store.client, ...CONTEXT }, [snapshotOf(state, 7n, saved)]);
  return result.saved.get(CLUSTER.uid) as SavedState;
}

const idsOf = (manifest: Row | undefined): string[] => (JSON.parse(String(manifest?.['chunks'])) as { id: string }[]).map(({ id }) => id);

test('a first round writes everything, and the manifest names it', async () => {
  const store = createStore();
  await round(store, stateWith({ 'judge/pod/a': 1 }), nothingSaved());
  assert.deepEqual(
    store.chunks.map((chunk) => [chunk['table_name'], chunk['cluster_uid']]),
    [
      ['meta', 'u'],
      ['timers', 'u'],
    ],
  );
  const [manifest] = store.manifests;
  assert.deepEqual(
    idsOf(manifest),
    store.chunks.map((chunk) => chunk['chunk_id']),
  );
  assert.deepEqual([manifest?.['generation'], manifest?.['count'], manifest?.['next_offset'], manifest?.['partition']], [3, 0, '7', 2]);
});

test('what has not changed is named again and not written', async () => {
  const store = createStore();
  const state = stateWith({ 'judge/pod/a': 1 });
  state.tables.specs.set('a', 'hash');
  const saved = await round(store, state, nothingSaved());
  const before = store.chunks.length;
  state.tables.specs.set('b', 'hash');
  await round(store, state, saved);
  assert.deepEqual(
    store.chunks.slice(before).map((chunk) => chunk['table_name']),
    ['specs'],
  );
  const [first, second] = store.manifests.map(idsOf);
  assert.equal(second?.length, first?.length);
  assert.equal(second?.filter((id) => first?.includes(id)).length, 2, 'meta and timers');
});

test('a snapshot holds what was there when it was taken, whatever comes after', async () => {
  const store = createStore();
  const state = stateWith({ a: 1 });
  const part = snapshotOf(state, 1n, nothingSaved());
  state.tables.timers.set('a', 2);
  state.tables.timers.set('b', 3);
  await writeRound({ client: store.client, ...CONTEXT }, [part]);
  assert.equal(store.chunks.find((chunk) => chunk['table_name'] === 'timers')?.['data'], '[["a",1]]');
});

test('a round that fails leaves what was saved, so that the next one writes the change', async () => {
  let refuses = false;
  const store = createStore((table) => refuses && table === 'checkpoint_manifests');
  const state = stateWith({ a: 1 });
  const saved = await round(store, state, nothingSaved());
  state.tables.timers.set('a', 2);
  refuses = true;
  await assert.rejects(round(store, state, saved), { code: 'PODTRAIL_STORE_BUSY', retriable: true });
  refuses = false;
  await round(store, state, saved);
  const last = idsOf(store.manifests.at(-1));
  const data = store.chunks.filter((chunk) => last.includes(String(chunk['chunk_id'])) && chunk['table_name'] === 'timers').map((chunk) => chunk['data']);
  assert.deepEqual(data, ['[["a",2]]']);
});

test('a large meta goes in pieces that cut no character in two', async () => {
  const store = createStore();
  for (const prefix of ['', 'x']) {
    store.chunks.length = 0;
    const state = createClusterState(CLUSTER, 1);
    state.meta.serverVersion = prefix + '😀'.repeat(300_000);
    await round(store, state, nothingSaved());
    const pieces = store.chunks.map((chunk) => String(chunk['data']));
    assert.ok(pieces.length > 2);
    assert.equal(pieces.join(''), JSON.stringify(state.meta));
    for (const piece of pieces) {
      assert.equal(Buffer.from(piece).toString(), piece, 'no half of a pair');
      assert.ok(Buffer.byteLength(piece) <= 1024 ** 2);
    }
  }
});

test('clusters of one round share their inserts', async () => {
  const inserts: string[] = [];
  const insert = async ({ table }: { table: string }): Promise<void> => void inserts.push(table);
  const parts = Array.from({ length: 50 }, (_, i) => snapshotOf(createClusterState({ uid: `u${i}`, name: `c${i}` }, 1), 1n, nothingSaved()));
  const { saved } = await writeRound({ client: { insert } as unknown as ClickHouseClient, ...CONTEXT }, parts);
  assert.deepEqual(inserts, ['checkpoint_chunks', 'checkpoint_manifests']);
  assert.equal(saved.size, 50);
});
