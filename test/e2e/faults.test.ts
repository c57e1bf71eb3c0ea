/** What podtrail stands on fails for a while: memory stays flat, it says what happens, catches up by itself, and nothing is lost or doubled. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { KafkaOptions } from '../../collector/change-log/config.ts';
import { changeLogConfig } from '../../collector/change-log/config.ts';
import { openClickHouse } from '../../sql/client.ts';
import { retentionConfig, storeConfig } from '../../sql/config.ts';
import { migrate } from '../../sql/migrate.ts';
import { startChdbHttp } from '../helpers/chdb-http.ts';
import { type FakeApiServer, fakeKubeconfig, startFakeApiServer } from '../helpers/fake-api-server.ts';
import { assertComplete, createFleetPlayer, waitUntilTaken } from '../helpers/fleet.ts';
import { startKafka } from '../helpers/kafka-broker.ts';
import { assertStoreIsReplay, readLogDirectory } from '../helpers/log-oracle.ts';
import { type PodtrailProcess, readMetric, startPodtrail, waitWhile } from '../helpers/podtrail-process.ts';
import { tempFolder } from '../helpers/temp-folder.ts';
import { readTopic } from '../helpers/topic-contents.ts';

/** How long what is down stays down, s. */
const OUTAGE_SECONDS = Number(process.env['PODTRAIL_TEST_OUTAGE_SECONDS'] ?? 10);
/** What a process may grow during an outage, bytes: garbage that waits to be collected, not what waits to be sent. */
const GROWTH_BYTES = 120 * 1_048_576;
const DATABASE = 'podtrail_test';
const RETENTION = Object.fromEntries(Object.keys(retentionConfig.shape).map((key) => [key, 3_650]));

function says(podtrail: PodtrailProcess, msg: string): boolean {
  return podtrail.lines().some((line) => line.msg === msg);
}

/** Address in the line that a role logs when it serves its metrics, or prints when it serves the API. */
function urlOf(podtrail: PodtrailProcess): string {
  return /"url":"([^"]+)"[^\n]*"metrics listening"|podtrail is at (\S+)/.exec(podtrail.output())?.slice(1).find(Boolean) ?? '';
}

/** Everything that a server holds has come as far as the tables. */
async function settle(server: FakeApiServer, collector: PodtrailProcess, processor: PodtrailProcess): Promise<void> {
  await waitUntilTaken(server, collector);
  await waitWhile('no change waits for the log', collector, async () => (await readMetric(urlOf(collector), 'podtrail_collector_buffer_bytes')) === 0);
  await waitWhile('the processor has caught up', processor, async () => (await readMetric(urlOf(processor), 'podtrail_processor_lag_records')) === 0);
}

/** Kubernetes' default grace period, ms: what has not stopped by then is killed. */
const GRACE_MS = 30_000;

async function assertStops(podtrail: PodtrailProcess): Promise<void> {
  podtrail.kill('SIGTERM');
  await waitWhile('it stops', podtrail, () => podtrail.hasExited(), GRACE_MS);
  assert.deepEqual(await podtrail.exited, { code: 0, signal: null }, podtrail.output().slice(-2_000));
}

test('a broker that is down, a ClickHouse that refuses, SIGTERM in the middle of it and once more: nothing is lost', async (context) => {
  const broker = await startKafka({ exclusive: true });
  if ('skip' in broker) return context.skip(broker.skip);
  const folder = tempFolder();
  const clickhouse = await startChdbHttp(join(folder.path, 'store'));
  const server = await startFakeApiServer();
  after(() => Promise.all([broker.stop(), clickhouse.close(), server.close()]));

  const log = { kind: 'kafka', brokers: broker.brokers, partitions: 1, replication: 1, sessionTimeoutMs: 3_000, heartbeatIntervalMs: 500 };
  const settings = storeConfig.parse({ url: clickhouse.url, database: DATABASE, retention: RETENTION });
  const config = folder.write(
    'podtrail.json',
    JSON.stringify({
      collector: { kubeconfig: folder.write('kubeconfig', fakeKubeconfig({ fleet: server.url })), startJitterSeconds: 0, stopTimeoutSeconds: 2 },
      changeLog: log,
      processor: { flushIntervalMs: 50, checkpointIntervalSeconds: 1, maxPendingRows: 1_000, maxInsertRows: 100 },
      store: { url: clickhouse.url, database: DATABASE, retention: RETENTION },
      operations: { port: 0 },
    }),
  );
  const store = await openClickHouse(settings);
  after(() => store.close());
  await migrate(store.client, { database: DATABASE, retention: settings.retention });
  const start = (role: string): PodtrailProcess => startPodtrail([role, '--config', config]);
  const player = createFleetPlayer(server, 'fleet/batch-1.ndjson.gz');
  const share = Math.ceil(player.left() / 6);

  let collector = start('collector');
  let processor = start('processor');
  await waitWhile('metrics are served', processor, () => urlOf(processor) !== '' && urlOf(collector) !== '');
  await player.play(share, 500);
  await settle(server, collector, processor);

  await context.test('broker down', async () => {
    const before = { collector: collector.rssBytes(), processor: processor.rssBytes() };
    await broker.kill();
    await player.play(share, OUTAGE_SECONDS * 1_000);
    assert.ok(says(collector, 'append failed, retrying'), 'the collector says nothing of it');
    assert.ok(((await readMetric(urlOf(collector), 'podtrail_collector_buffer_bytes')) ?? 0) > 0, 'no metric tells that changes wait');
    assert.ok(collector.rssBytes() - before.collector < GROWTH_BYTES, 'the collector grows');
    assert.ok(processor.rssBytes() - before.processor < GROWTH_BYTES, 'the processor grows');
    await broker.restart();
    await settle(server, collector, processor);
    assert.ok(says(collector, 'change log takes records again'), 'the collector does not say that it is over');
  });

  await context.test('SIGTERM while the broker is down', async () => {
    await broker.kill();
    await player.play(20, 1_000);
    await Promise.all([assertStops(collector), assertStops(processor)]);
    assert.ok(says(collector, 'stopped before the change log took everything'), 'the collector does not say what it gave up');
    await broker.restart();
    collector = start('collector');
    processor = start('processor');
    await waitWhile('metrics are served', processor, () => urlOf(processor) !== '' && urlOf(collector) !== '');
    await settle(server, collector, processor);
  });

  await context.test('ClickHouse refuses', async () => {
    const before = processor.rssBytes();
    clickhouse.intercept = ({ statement }) => (statement.startsWith('INSERT') ? { code: 243, type: 'NOT_ENOUGH_SPACE' } : undefined);
    await player.play(share, OUTAGE_SECONDS * 1_000);
    assert.ok(says(processor, 'insert failed, trying again'), 'the processor says nothing of it');
    assert.ok(processor.rssBytes() - before < GROWTH_BYTES, 'the processor grows');
    clickhouse.intercept = undefined;
    await settle(server, collector, processor);
  });

  await context.test('SIGTERM in the middle of a batch', async () => {
    const playing = player.play(share, 1_000);
    await delay(300);
    await assertStops(processor);
    await playing;
    processor = start('processor');
    await settle(server, collector, processor);
    assert.ok(says(processor, 'cluster restored'));
  });

  await context.test('a second SIGTERM ends a stop that takes long, at once', async () => {
    clickhouse.intercept = ({ statement }) => (statement.startsWith('INSERT') ? { code: 252, type: 'TOO_MANY_PARTS' } : undefined);
    await player.play(share, 500);
    await waitWhile('rows wait', processor, () => says(processor, 'insert failed, trying again'));
    processor.kill('SIGTERM');
    await waitWhile('it stops', processor, () => processor.output().includes('"msg":"stopping'));
    await delay(300);
    assert.equal(processor.hasExited(), false, 'it waits for the store');
    const startedMs = performance.now();
    processor.kill('SIGTERM');
    assert.deepEqual(await processor.exited, { code: 1, signal: null });
    assert.ok(performance.now() - startedMs < 1_000);
    clickhouse.intercept = undefined;
    processor = start('processor');
  });

  await player.play(player.left(), 500);
  await settle(server, collector, processor);
  await assertStops(collector);
  await waitWhile('the processor has caught up', processor, async () => (await readMetric(urlOf(processor), 'podtrail_processor_lag_records')) === 0);
  await assertStops(processor);
  const kafka = changeLogConfig.parse(log) as KafkaOptions;
  await assertComplete(server, await assertStoreIsReplay(store.client, settings, await readTopic(kafka)));
});

/** A file system of its own of this size, as the disk that is full; undefined where mounting is not allowed. */
function mountSmall(directory: string, megabytes: number): (() => void) | undefined {
  mkdirSync(directory, { recursive: true });
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', directory], { stdio: 'ignore' });
  if (status !== 0) return undefined;
  return () => void spawnSync('umount', ['-l', directory], { stdio: 'ignore' });
}

interface SmallDisk {
  readonly under: string;
  /** Below the data directory. */
  readonly directory: string;
  readonly megabytes: number;
  /** What is said of it, and with which code. */
  readonly says: string;
  readonly code: string;
  /** What is said when it is over, if anything. */
  readonly ends?: string;
}
const SMALL_DISKS: readonly SmallDisk[] = [
  {
    under: 'change log stops the watches',
    directory: 'change-log',
    megabytes: 12,
    says: 'append failed, retrying',
    code: 'PODTRAIL_LOG_FULL',
    ends: 'change log takes records again',
  },
  { under: 'store stops the processor at its place', directory: 'store', megabytes: 200, says: 'insert failed, trying again', code: 'PODTRAIL_STORE_FULL' },
];

async function fillAndFree(data: string, disk: SmallDisk, write: (name: string, text: string) => string): Promise<void> {
  const server = await startFakeApiServer();
  after(() => server.close());
  const config = write(
    'podtrail.json',
    JSON.stringify({
      collector: { kubeconfig: write('kubeconfig', fakeKubeconfig({ fleet: server.url })), startJitterSeconds: 0, bufferBytes: 4_194_304 },
      changeLog: { kind: 'embedded', segmentBytes: 1_048_576, fsyncIntervalMs: 0 },
      processor: { flushIntervalMs: 50, checkpointIntervalSeconds: 1 },
      store: { database: DATABASE, retention: RETENTION },
      api: { port: 0 },
    }),
  );
  const player = createFleetPlayer(server, 'fleet/batch-3.ndjson.gz');
  const podtrail = startPodtrail(['standalone', '--config', config, '--data', data]);
  await waitWhile('the API is up', podtrail, () => urlOf(podtrail) !== '');
  await player.play(200, 300);
  await settle(server, podtrail, podtrail);
  const before = podtrail.rssBytes();
  const filler = join(data, disk.directory, 'filler');
  assert.throws(() => writeFileSync(filler, Buffer.alloc(disk.megabytes * 1_048_576)), { code: 'ENOSPC' }); // takes what there is
  await player.play(Math.ceil(player.left() / 2), 1_000);
  await waitWhile('it says what is full', podtrail, () =>
    podtrail.lines().some(({ msg, err }) => msg === disk.says && (err as { code?: string }).code === disk.code),
  );
  await delay(2_000);
  assert.equal((await fetch(`${urlOf(podtrail)}/v1/incidents`)).status, 200, 'the API answers meanwhile');
  assert.ok(podtrail.rssBytes() - before < GROWTH_BYTES, 'it grows');
  rmSync(filler);
  await player.play(player.left(), 500);
  await waitWhile('it says that it is over', podtrail, () => disk.ends === undefined || says(podtrail, disk.ends));
  await settle(server, podtrail, podtrail);
  await assertStops(podtrail);
  const settings = storeConfig.parse({ directory: join(data, 'store'), database: DATABASE, retention: RETENTION });
  const store = await openClickHouse(settings);
  try {
    await assertComplete(server, await assertStoreIsReplay(store.client, settings, new Map([[0, readLogDirectory(join(data, 'change-log'))]])));
  } finally {
    await store.close();
  }
}

for (const disk of SMALL_DISKS) {
  test(`a full disk under the ${disk.under}, not the process; with space again it catches up`, async (context) => {
    const folder = tempFolder();
    const data = join(folder.path, 'data');
    const unmount = mountSmall(join(data, disk.directory), disk.megabytes);
    if (unmount === undefined) return context.skip('SKIPPED: a full disk needs the right to mount a tmpfs');
    try {
      await fillAndFree(data, disk, folder.write);
    } finally {
      unmount();
    }
  });
}
