/**
 * kill -9 of every role over one Kafka and one ClickHouse, and of the broker once: the tables end up as one undisturbed run of the same
 * log would leave them, and the log has all that the API servers hold.
 */
import assert from 'node:assert/strict';
import { after, type TestContext, test } from 'node:test';
import { changeLogConfig, type KafkaOptions } from '../../collector/change-log/config.ts';
import { openClickHouse } from '../../sql/client.ts';
import { readPartitions } from '../../sql/checkpoints.ts';
import { retentionConfig, storeConfig } from '../../sql/config.ts';
import { migrate } from '../../sql/migrate.ts';
import { startChdbProcess } from '../helpers/chdb-process.ts';
import { fakeKubeconfig, startFakeApiServer } from '../helpers/fake-api-server.ts';
import { assertComplete, createFleetPlayer, waitUntilTaken } from '../helpers/fleet.ts';
import { startKafka } from '../helpers/kafka-broker.ts';
import { SEED, startKilling } from '../helpers/kills.ts';
import { assertStoreIsReplay } from '../helpers/log-oracle.ts';
import { type PodtrailProcess, readMetricValues, waitWhile } from '../helpers/podtrail-process.ts';
import { tempFolder } from '../helpers/temp-folder.ts';
import { readTopic } from '../helpers/topic-contents.ts';
import { uidInPartition } from '../helpers/uid-in-partition.ts';

const PARTITIONS = 2;
const RETENTION = Object.fromEntries(Object.keys(retentionConfig.shape).map((key) => [key, 3_650]));
const DATABASE = 'podtrail_test';

/** Of each role: after which of its lines a kill may come. */
const MOMENTS = {
  collector: [/"metrics listening"/, /"collecting"/, /"in sync"/],
  processor: [/"metrics listening"/, /"partition assigned"/, /"partition assigned"/],
  api: [/podtrail is at/],
} as const;
type Role = keyof typeof MOMENTS;
const PLACES: readonly Role[] = ['collector', 'processor', 'processor', 'api'];
/** Who is killed, by place: the api has nothing to lose. */
const VICTIMS = [0, 0, 1, 1, 2, 2, 3];
/** The broker is down for this long, ms. */
const BROKER_DOWN_MS = 3_000;

function urlOf(podtrail: PodtrailProcess): string {
  return /"url":"([^"]+)"[^\n]*"metrics listening"|podtrail is at (\S+)/.exec(podtrail.output())?.slice(1).find(Boolean) ?? '';
}

async function startFleets() {
  return Promise.all(
    ['fleet/batch-1.ndjson.gz', 'fleet/batch-2.ndjson.gz'].map(async (recording, partition) => {
      const name = `fleet-${partition + 1}`;
      const uid = uidInPartition(name, partition, PARTITIONS);
      const server = await startFakeApiServer({ clusterUid: uid });
      after(() => server.close());
      return { name, uid, server, player: createFleetPlayer(server, recording) };
    }),
  );
}

test(`every role killed again and again over Kafka leaves the tables of one undisturbed run (PODTRAIL_TEST_SEED=${SEED})`, async (context: TestContext) => {
  const broker = await startKafka({ exclusive: true });
  if ('skip' in broker) return context.skip(broker.skip);
  after(() => broker.stop());
  const folder = tempFolder();
  const [url, fleets] = await Promise.all([startChdbProcess(folder.path), startFleets()]);
  const changeLog = {
    kind: 'kafka',
    brokers: broker.brokers,
    partitions: PARTITIONS,
    replication: 1,
    sessionTimeoutMs: 3_000,
    heartbeatIntervalMs: 500,
  };
  // One that nobody reaches, which must be nobody else's trouble.
  const servers = { ...Object.fromEntries(fleets.map(({ name, server }) => [name, server.url])), unreachable: 'http://127.0.0.1:1' };
  const kubeconfig = folder.write('kubeconfig', fakeKubeconfig(servers));
  const config = folder.write(
    'podtrail.json',
    JSON.stringify({
      collector: { clusters: Object.keys(servers).map((name) => ({ name, kubeconfig, context: name })), startJitterSeconds: 0 },
      changeLog,
      processor: { flushIntervalMs: 50, checkpointIntervalSeconds: 1 },
      store: { url, database: DATABASE, retention: RETENTION },
      api: { port: 0 },
      operations: { port: 0 },
    }),
  );
  const settings = storeConfig.parse({ url, database: DATABASE, retention: RETENTION });
  const store = await openClickHouse(settings);
  after(() => store.close());
  await migrate(store.client, { database: DATABASE, retention: settings.retention });

  const players = fleets.map(({ player }) => player);
  const killing = startKilling(players);
  after(() => killing.end());
  const start = (place: number): Promise<PodtrailProcess> => killing.start([PLACES[place] as Role, '--config', config]);
  const running: PodtrailProcess[] = [];
  for (const place of PLACES.keys()) running.push(await start(place));
  const killed: Record<Role, number> = { collector: 0, processor: 0, api: 0 };
  for (let kill = killing.next(); kill !== undefined; kill = killing.next()) {
    const place = killing.draw(VICTIMS);
    const role = PLACES[place] as Role;
    await killing.killAfter(running[place] as PodtrailProcess, killing.draw<RegExp>(MOMENTS[role]));
    running[place] = await start(place);
    killed[role]++;
    if (kill !== 5) continue;
    await broker.kill();
    await Promise.all(players.map((player) => player.play(20, BROKER_DOWN_MS)));
    await broker.restart();
  }
  context.diagnostic(`${killing.describe()}, ${JSON.stringify(killed)}, and of the broker once`);
  assert.ok(killed.collector > 0 && killed.processor > 0);

  const [collector, ...others] = running as [PodtrailProcess, ...PodtrailProcess[]];
  await Promise.all(players.map((player) => player.play(player.left(), 500)));
  for (const { server } of fleets) await waitUntilTaken(server, collector);
  assert.equal((await fetch(`${urlOf(collector)}/readyz`)).status, 200, 'one cluster that is not reached makes the collector unready');
  collector.kill('SIGTERM');
  assert.deepEqual(await collector.exited, { code: 0, signal: null }, collector.output().slice(-2_000));
  const [one, other, api] = others as [PodtrailProcess, PodtrailProcess, PodtrailProcess];
  // The last one that was killed may still be starting, while the other processor has taken over all there is.
  for (const podtrail of others) await waitWhile('it is up', podtrail, () => urlOf(podtrail) !== '');
  await waitWhile('the processors have caught up', one, async () => {
    const lags = await Promise.all([one, other].map((podtrail) => readMetricValues(urlOf(podtrail), 'podtrail_processor_lag_records')));
    return lags.flat().length === PARTITIONS && lags.flat().every((lag) => lag === 0);
  });
  const { items } = (await (await fetch(`${urlOf(api)}/v1/incidents?limit=500`)).json()) as { items: { cluster: string }[] };
  for (const podtrail of others) podtrail.kill('SIGTERM');
  for (const podtrail of others) assert.deepEqual(await podtrail.exited, { code: 0, signal: null }, podtrail.output().slice(-2_000));

  const contents = await readTopic(changeLogConfig.parse(changeLog) as KafkaOptions);
  for (const [partition, records] of contents) {
    const checkpointed = (await readPartitions(store.client)).find((each) => each.partition === partition);
    assert.equal(checkpointed?.nextOffset, (records.at(-1)?.offset ?? -1n) + 1n, `partition ${partition} was left unfinished`);
  }
  const replay = await assertStoreIsReplay(store.client, settings, contents);
  for (const { name, uid, server } of fleets) {
    await assertComplete(server, replay, uid);
    assert.ok(
      items.some(({ cluster }) => cluster === name),
      `the API tells nothing of ${name}`,
    );
  }
});
