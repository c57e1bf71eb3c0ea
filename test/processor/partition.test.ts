import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Registry } from 'prom-client';
import { nothingSaved, snapshotOf, writeRound } from '../../processor/checkpoint.ts';
import { processorConfig } from '../../processor/config.ts';
import { createClusterState } from '../../processor/core/state.ts';
import { createProcessorMetrics } from '../../processor/metrics.ts';
import { Partition } from '../../processor/partition.ts';
import { RowSink } from '../../processor/row-sink.ts';
import { silentLog } from '../helpers/silent-log.ts';
import type { Machine } from '../simulator/machine.ts';
import { createRandom } from '../simulator/random.ts';
import { createStore } from '../simulator/store.ts';

const PLACE = { log: 'log', partition: 0 };
const CLUSTER = { uid: 'uid-one', name: 'one' };
/** Every call succeeds at once. */
const MACHINE: Machine = { name: 'test', alive: true, diedMs: 0, call: async ({ effect }) => effect(), sleep: async () => {}, dieAfter() {}, die() {} };

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
  const metrics = createProcessorMetrics(new Registry(), () => ({ pendingRows: 0, partitions: [], clusters: [] }), Date.now);
  const fail = (error: unknown) => assert.fail(String(error));
  const config = processorConfig.parse({});
  const sink = new RowSink(config, { client, log: silentLog, metrics, onFatal: fail });
  const deps = { client, log: silentLog, sink, metrics, now: Date.now, stopping: new AbortController().signal, onFatal: fail };
  const partition = new Partition({ ...config, ...PLACE, partitions: 1, release: 'test' }, deps);
  const manifest = { ...PLACE, partitions: 1, nextOffset: 85n, lastOffset: 84n, lastHash: '', writtenTimeMs: 1 };
  const clusters = [{ clusterUid: CLUSTER.uid, generation: 1, count: 85 }];
  assert.equal(await partition.restore({ ...manifest, clusters }, { earliest: 0n, end: 90n }), 55n);
});
