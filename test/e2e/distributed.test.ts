/**
 * Separate processes, as in production: a collector of three clusters, two processors and an API over a real Kafka broker and one
 * ClickHouse endpoint, with a processor killed and replaced in the middle.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Kafka, logLevel } from 'kafkajs';
import type { LogRecord } from '../../collector/change-log/change-log.ts';
import type { IncidentJson } from '../../processor/replay.ts';
import { openClickHouse } from '../../sql/client.ts';
import { retentionConfig, storeConfig } from '../../sql/config.ts';
import { fakeKubeconfig, startFakeApiServer } from '../helpers/fake-api-server.ts';
import { createFleetPlayer } from '../helpers/fleet.ts';
import { startKafka } from '../helpers/kafka-broker.ts';
import { assertStoreIsReplay } from '../helpers/log-oracle.ts';
import { type PodtrailProcess, readMetric, startPodtrail, waitWhile } from '../helpers/podtrail-process.ts';
import { tempFolder } from '../helpers/temp-folder.ts';

const CLUSTERS = { alpha: 'fleet/batch-1.ndjson.gz', beta: 'fleet/batch-2.ndjson.gz', gamma: 'fleet/batch-3.ndjson.gz' } as const;
const DATABASE = `podtrail_test_${process.pid}`;
const RETENTION = Object.fromEntries(Object.keys(retentionConfig.shape).map((key) => [key, 3_650]));
const FACADE = fileURLToPath(new URL('../helpers/chdb-http.ts', import.meta.url));

/** A ClickHouse endpoint: the server that the environment names, else chDB behind HTTP in a process of its own. */
async function startStore(directory: string): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const given = process.env['PODTRAIL_TEST_CLICKHOUSE_URL'];
  if (given !== undefined) return { url: given, stop: async () => {} };
  const child: ChildProcess = spawn(process.execPath, ['--import', 'tsx', FACADE, '--directory', directory], { stdio: ['ignore', 'pipe', 'inherit'] });
  const stdout = child.stdout;
  if (stdout === null) throw new Error('no output');
  const [url] = (await once(createInterface({ input: stdout }), 'line')) as [string];
  return {
    url,
    async stop() {
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      await exited;
    },
  };
}

/** Everything in a topic, by partition. */
async function readTopic(brokers: string[], topic: string): Promise<Map<number, LogRecord[]>> {
  const kafka = new Kafka({ brokers, logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  const ends = new Map((await admin.fetchTopicOffsets(topic)).map(({ partition, high }) => [partition, BigInt(high)]));
  await admin.disconnect();
  const contents = new Map<number, LogRecord[]>([...ends.keys()].map((partition) => [partition, []]));
  const isComplete = (): boolean => [...ends].every(([partition, end]) => end === 0n || contents.get(partition)?.at(-1)?.offset === end - 1n);
  const consumer = kafka.consumer({ groupId: `${topic}-oracle` });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await new Promise<void>((resolve, reject) => {
    consumer
      .run({
        eachMessage: async ({ partition, message }) => {
          const { offset, key, value, timestamp } = message;
          contents.get(partition)?.push({ offset: BigInt(offset), key: String(key), value: value ?? new Uint8Array(), timeMs: Number(timestamp) });
          if (isComplete()) resolve();
        },
      })
      .catch(reject);
  });
  await consumer.disconnect();
  return contents;
}

const urlIn = (podtrail: PodtrailProcess, msg: string): string => String(podtrail.lines().find((line) => line.msg === msg)?.['url'] ?? '');

async function isCaughtUp(processors: readonly PodtrailProcess[]): Promise<boolean> {
  const lags = await Promise.all(processors.map((p) => readMetric(urlIn(p, 'metrics listening'), 'podtrail_processor_lag_records')));
  return lags.some((lag) => lag !== undefined) && lags.every((lag) => lag === undefined || lag === 0);
}

/** All pages of /v1/incidents, oldest first. */
async function incidentsOver(url: string): Promise<IncidentJson[]> {
  const items: IncidentJson[] = [];
  for (let cursor = ''; ; ) {
    const from = '2026-11-01T00:00:00Z';
    const query = new URLSearchParams({ from, limit: '100', ...(cursor !== '' && { cursor }) });
    const response = await fetch(`${url}/v1/incidents?${query}`);
    assert.equal(response.status, 200, await response.clone().text());
    const page = (await response.json()) as { items: IncidentJson[]; next: string | null };
    items.push(...page.items);
    if (page.next === null) return items;
    cursor = page.next;
  }
}

const told = (incidents: readonly IncidentJson[]): string[] =>
  incidents
    .map((i) =>
      JSON.stringify([
        i.id,
        i.cluster,
        i.scenario,
        i.cause,
        i.detail,
        i.subject,
        i.state,
        i.resolution,
        i.openedTime,
        i.resolvedTime,
        i.flaps,
        i.pods.map((p) => p.uid).sort(),
      ]),
    )
    .sort();

test('roles as separate processes give what one process gives, over the death of a processor', async (t) => {
  const kafka = await startKafka();
  if ('skip' in kafka) {
    t.skip(kafka.skip);
    return;
  }
  const folder = tempFolder();
  const store = await startStore(`${folder.path}/store`);
  const servers = await Promise.all(Object.keys(CLUSTERS).map((name) => startFakeApiServer({ clusterUid: `uid-of-${name}` })));
  const urls = Object.fromEntries(Object.keys(CLUSTERS).map((name, i) => [name, servers[i]!.url]));
  const topic = `podtrail.test.${process.pid}`;
  const changeLog = { kind: 'kafka', brokers: kafka.brokers, topic, partitions: 4, replication: 1, sessionTimeoutMs: 6_000, heartbeatIntervalMs: 1_000 };
  const settings = { url: store.url, database: DATABASE, retention: RETENTION };
  const config = folder.write(
    'podtrail.json',
    JSON.stringify({
      collector: { kubeconfig: folder.write('kubeconfig', fakeKubeconfig(urls)), startJitterSeconds: 0 },
      changeLog,
      processor: { flushIntervalMs: 100, checkpointIntervalSeconds: 1, groupId: topic },
      store: settings,
      api: { port: 0, maxRangeDays: 3_660 },
      operations: { port: 0 },
    }),
  );
  const role = (...args: string[]): PodtrailProcess => startPodtrail([...args, '--config', config]);
  const started: PodtrailProcess[] = [];
  const start = (...args: string[]): PodtrailProcess => {
    const podtrail = role(...args);
    started.push(podtrail);
    return podtrail;
  };
  try {
    const migrated = await role('migrate').exited;
    assert.equal(migrated.code, 0);
    const players = Object.values(CLUSTERS).map((recording, i) => createFleetPlayer(servers[i]!, recording));
    const flags = Object.keys(CLUSTERS).flatMap((name) => ['--cluster', `${name}=${name}`]);
    const collector = start('collector', ...flags);
    const [first, second] = [start('processor'), start('processor')];
    const api = start('api');
    for (const server of servers) await waitWhile('watches are open', collector, () => server.watching('pods') > 0 && server.watching('events') > 0);
    const assigned = (p: PodtrailProcess): number => p.lines().filter((line) => line.msg === 'partition assigned').length;
    await waitWhile('both processors have partitions', second, () => assigned(first) > 0 && assigned(second) > 0);

    await Promise.all(players.map((player) => player.play(Math.floor(player.left() / 2), 4_000)));
    first.kill('SIGKILL');
    const third = start('processor');
    await Promise.all(players.map((player) => player.play(player.left(), 4_000)));
    await waitWhile('the new processor has partitions', third, () => assigned(third) > 0);
    collector.kill('SIGTERM');
    assert.deepEqual(await collector.exited, { code: 0, signal: null });
    await waitWhile('the processors have caught up', third, () => isCaughtUp([second, third]));
    for (const processor of [second, third]) {
      processor.kill('SIGTERM');
      assert.deepEqual(await processor.exited, { code: 0, signal: null }, processor.output().slice(-2_000));
    }

    const client = await openClickHouse(storeConfig.parse(settings));
    try {
      const replay = await assertStoreIsReplay(client.client, storeConfig.parse(settings), await readTopic(kafka.brokers, topic));
      assert.ok(replay.incidents().length >= 40, `${replay.incidents().length} incidents`);
      const url = /podtrail is at (\S+)/.exec(api.output())?.[1] ?? '';
      // A list shows the first 20 pods of an incident; no recorded one has more.
      assert.deepEqual(told(await incidentsOver(url)), told(replay.incidents()));
      const balance = (await (await fetch(`${url}/v1/balance?from=2026-11-01T00:00:00Z`)).json()) as {
        balanced: boolean;
        clusters: { deadLettered: number; difference: number }[];
      };
      assert.deepEqual([balance.balanced, balance.clusters.map((c) => [c.deadLettered, c.difference])], [true, balance.clusters.map(() => [0, 0])]);
      assert.equal(balance.clusters.length, 3);
    } finally {
      await client.close();
    }
    api.kill('SIGTERM');
    assert.deepEqual(await api.exited, { code: 0, signal: null });
  } finally {
    for (const podtrail of started) if (!podtrail.hasExited()) podtrail.kill('SIGKILL');
    for (const server of servers) await server.close();
    await store.stop();
    await kafka.stop();
  }
});
