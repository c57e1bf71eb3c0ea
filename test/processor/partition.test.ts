import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClickHouseClient } from '@clickhouse/client';
import { Registry } from 'prom-client';
import type { ChangeLogReader } from '../../collector/change-log/change-log.ts';
import { type ChangeRecord, encodeChangeRecord, SCHEMA_VERSION } from '../../collector/change-record.ts';
import { nothingSaved, snapshotOf, writeRound } from '../../processor/checkpoint.ts';
import { processorConfig } from '../../processor/config.ts';
import { createClusterState, rowVersion } from '../../processor/core/state.ts';
import { createProcessorMetrics } from '../../processor/metrics.ts';
import { Partition } from '../../processor/partition.ts';
import { createProcessor } from '../../processor/processor.ts';
import { RowSink } from '../../processor/row-sink.ts';
import { writePartition } from '../../sql/checkpoints.ts';
import { silentLog } from '../helpers/silent-log.ts';
import type { Machine } from '../simulator/machine.ts';
import { createRandom } from '../simulator/random.ts';
import { createStore } from '../simulator/store.ts';

const PLACE = { log: 'log', partition: 0 };
const CLUSTER = { uid: 'uid-one', name: 'one' };
/** Every call succeeds at once. */
const MACHINE: Machine = { name: 'test', alive: true, call: async ({ effect }) => effect(), sleep: async () => {}, dieAfter() {}, die() {} };

const RUN_BEGIN: ChangeRecord = { v: SCHEMA_VERSION, cluster: CLUSTER, run: 'run', t: 1_000, type: 'RUN_BEGIN', resources: [{ resource: 'pods', scope: '' }] };
const BEGIN = { offset: 10n, key: CLUSTER.uid, value: encodeChangeRecord(RUN_BEGIN), timeMs: 1_000 };

/** A store with a checkpoint of the cluster before offset 3, and the manifest of its partition. */
async function storedAtThree(machine = MACHINE) {
  const store = createStore(createRandom(1));
  const client = store.client(machine);
  await writeRound({ client, ...PLACE, release: 'test', nowMs: 1 }, [snapshotOf(createClusterState(CLUSTER, 1), 3n, nothingSaved())]);
  const clusters = [{ clusterUid: CLUSTER.uid, generation: 1, count: 0 }];
  return { store, client, manifest: { ...PLACE, partitions: 1, nextOffset: 3n, lastOffset: 2n, lastHash: '', writtenTimeMs: 1, clusters } };
}

/** A partition over the store, before it is assigned. */
function createPartition(client: ClickHouseClient): Partition {
  const metrics = createProcessorMetrics(
    new Registry(),
    { status: () => ({ pendingRows: 0, partitions: [], clusters: [] }), observeEnds: async () => undefined },
    Date.now,
  );
  const fail = (error: unknown) => assert.fail(String(error));
  const config = processorConfig.parse({});
  const sink = new RowSink(config, { client, log: silentLog, metrics, onFatal: fail });
  const deps = { client, log: silentLog, sink, metrics, now: Date.now, stopping: new AbortController().signal, onFatal: fail };
  return new Partition({ ...config, ...PLACE, partitions: 1, release: 'test' }, deps);
}

test('a checkpoint of another generation than the named one is read on from its own offset', async () => {
  const client = createStore(createRandom(1)).client(MACHINE);
  for (const { generation, count } of [
    { generation: 1, count: 85 },
    { generation: 2, count: 55 },
  ]) {
    const state = createClusterState(CLUSTER, generation);
    state.meta.count = count;
    await writeRound({ client, ...PLACE, release: 'test', nowMs: count }, [snapshotOf(state, BigInt(count), nothingSaved())]);
  }
  const partition = createPartition(client);
  const manifest = { ...PLACE, partitions: 1, nextOffset: 85n, lastOffset: 84n, lastHash: '', writtenTimeMs: 1 };
  const clusters = [{ clusterUid: CLUSTER.uid, generation: 1, count: 85 }];
  assert.equal(await partition.restore({ ...manifest, clusters }, { earliest: 0n, end: 90n }), 55n);
});

test('a cluster whose first checkpoint stands alone leaves no rows of the records that are gone since', async () => {
  const store = createStore(createRandom(1));
  const client = store.client(MACHINE);
  const first = createClusterState(CLUSTER, 1);
  await writeRound({ client, ...PLACE, release: 'test', nowMs: 1 }, [snapshotOf(first, 3n, nothingSaved())]);
  const gone = { cluster: CLUSTER.name, resource: 'pods', scope: '', from_time: 1, to_time: 0, version: String(rowVersion(first.meta) + 5n) };
  await client.insert({ table: 'coverage', values: [gone] });
  const partition = createPartition(client);
  await partition.restart([], { earliest: 10n, end: 11n });
  await partition.apply([BEGIN], 11n, async () => {});
  await partition.close();
  assert.deepEqual(
    store.final('coverage').map((row) => Number(row['from_time'])),
    [1_000],
  );
  assert.deepEqual(
    [...partition.clusters].map(({ state: { meta } }) => [meta.generation, meta.count]),
    [[2, 1]],
  );
});

test('two readers that come to the same gap at once go on in one generation, and leave each other its rows', async () => {
  const { store, client, manifest } = await storedAtThree();
  const [one, other] = [createPartition(client), createPartition(client)];
  for (const partition of [one, other]) await partition.restore(manifest, { earliest: 10n, end: 11n });
  await one.skipTo(10n, 3n);
  await one.apply([BEGIN], 11n, async () => {});
  await one.close();
  const made = store.final('coverage').length;
  assert.ok(made > 0);
  await other.skipTo(10n, 3n);
  assert.equal(store.final('coverage').length, made);
  assert.deepEqual(
    [...one.clusters, ...other.clusters].map(({ state: { meta } }) => meta.generation),
    [2, 2],
  );
  const next = createPartition(client);
  await next.restore(manifest, { earliest: 10n, end: 11n });
  assert.deepEqual(
    [...next.clusters].map(({ state: { meta }, nextOffset }) => [meta.generation, meta.count, nextOffset]),
    [[2, 1, 11n]],
    'the second one goes on with what the first has made',
  );
});

test('a reader that has lost its partition, and meets a gap before it hears of it, goes on with what its successor has made of it', async () => {
  const { client, manifest } = await storedAtThree();
  const [zombie, successor] = [createPartition(client), createPartition(client)];
  await zombie.restore(manifest, { earliest: 0n, end: 11n });
  await zombie.apply([{ ...BEGIN, offset: 3n }], 11n, async () => {}); // what nobody has a checkpoint of
  await successor.restore(manifest, { earliest: 10n, end: 11n });
  await successor.skipTo(10n, 3n);
  await zombie.skipTo(10n, 4n);
  assert.deepEqual(
    [...zombie.clusters].map(({ state: { meta }, nextOffset }) => [meta.generation, meta.count, nextOffset]),
    [[2, 0, 10n]],
  );
});

test('a gap is one generation, however often the store fails on the way past it', async () => {
  let failing = '';
  const call: Machine['call'] = async ({ effect, broken }) => {
    if (failing !== '' && new Error().stack?.includes(failing) === true) throw broken();
    return effect();
  };
  const { client, manifest } = await storedAtThree({ ...MACHINE, call });
  const partition = createPartition(client);
  await partition.restore(manifest, { earliest: 10n, end: 11n });
  for (const step of ['writeChunks', 'writeManifests']) {
    failing = step;
    await assert.rejects(partition.skipTo(10n, 3n));
  }
  failing = '';
  await partition.skipTo(10n, 3n);
  assert.deepEqual(
    [...partition.clusters].map(({ state: { meta }, nextOffset }) => [meta.generation, nextOffset]),
    [[2, 10n]],
  );
});

test('a log that has grown since the assignment, and was read on by the reader before, is the same log', async () => {
  const client = createStore(createRandom(1)).client(MACHINE);
  await writePartition(client, { ...PLACE, partitions: 1, nextOffset: 6n, lastOffset: 5n, lastHash: 'x', clusters: [], writtenTimeMs: 1 });
  let start: bigint | undefined;
  const reader: ChangeLogReader = {
    identity: async () => ({ log: PLACE.log, partitions: 1 }),
    endOffsets: async () => new Map([[0, 6n]]),
    async run(handlers) {
      start = await handlers.assigned({ partition: 0, earliest: 0n, end: 5n, committed: undefined });
      await handlers.revoked(0);
    },
    stop: async () => {},
  };
  const deps = { reader, store: { client }, log: silentLog, registry: new Registry() };
  await createProcessor({ config: processorConfig.parse({}), release: 'test' }, deps).start();
  assert.equal(start, 5n);
});
