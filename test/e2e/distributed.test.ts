/**
 * Distributed mode for real: collector, two processors and api as processes of their own over one Kafka and one ClickHouse; a
 * processor is killed in the middle and another one started. What the API then tells is what one undisturbed replay tells.
 */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { createClient } from '@clickhouse/client';
import { stringify } from 'yaml';
import { changeLogConfig, type KafkaOptions } from '../../collector/change-log/config.ts';
import { decodeChangeRecord } from '../../collector/change-record.ts';
import { createReplay, type IncidentJson } from '../../processor/replay.ts';
import { startChdbProcess } from '../helpers/chdb-process.ts';
import { TEST_SERVER_URL } from '../helpers/clickhouse.ts';
import { fakeKubeconfig, type FakeApiServer, startFakeApiServer } from '../helpers/fake-api-server.ts';
import { startKafka } from '../helpers/kafka-broker.ts';
import { createPlayedCase, type PlayedCase } from '../helpers/played-case.ts';
import { type Cli, getJson, runCli, startCli, waitForLine, waitUntil } from '../helpers/podtrail-cli.ts';
import { tempFolder } from '../helpers/temp-folder.ts';
import { readTopic } from '../helpers/topic-contents.ts';
import { uidInPartition } from '../helpers/uid-in-partition.ts';

const PLAY_SECONDS = 30;
const KILL_AFTER_SECONDS = 12;
/** A second before their objects are applied, by the recording's clock. Each opens its incident within the time that is played. */
const CASES = [
  { name: 'img-404', fromSeconds: 14 },
  { name: 'exit-sidecar', fromSeconds: 53 },
  { name: 'oom-limit', fromSeconds: 53 },
  { name: 'live-port', fromSeconds: 43 },
  { name: 'sched-quota-cpu', fromSeconds: 9 },
  { name: 'sched-selector', fromSeconds: 8 },
] as const;
const PARTITIONS = CASES.length;
const RULES = { thresholds: { unschedulableMs: 10_000 } };
const TOPIC = `podtrail.e2e.${process.pid}`;
const DATABASE = `podtrail_test_e2e_${process.pid}`;

interface Cluster {
  readonly name: string;
  readonly uid: string;
  readonly server: FakeApiServer;
  readonly played: PlayedCase;
}

async function startClusters(): Promise<Cluster[]> {
  return Promise.all(
    CASES.map(async ({ name, fromSeconds }, index) => {
      const uid = uidInPartition(name, index, PARTITIONS);
      const server = await startFakeApiServer({ clusterUid: uid });
      after(() => server.close());
      return { name, uid, server, played: createPlayedCase(server, name, fromSeconds, PLAY_SECONDS) };
    }),
  );
}

/** One ClickHouse that several processes share: the server given, else chDB behind its HTTP interface. */
async function startClickHouse(): Promise<string> {
  if (TEST_SERVER_URL !== undefined) {
    after(async () => {
      const client = createClient({ url: TEST_SERVER_URL });
      await client.command({ query: `DROP DATABASE IF EXISTS ${DATABASE}` });
      await client.close();
    });
    return TEST_SERVER_URL;
  }
  return startChdbProcess(tempFolder().path);
}

/** Partitions that a processor has, by its own metrics. */
async function partitionsOf(metricsUrl: string): Promise<number[]> {
  const text = await fetch(`${metricsUrl}/metrics`).then((response) => response.text());
  return [...text.matchAll(/^podtrail_processor_lag_records\{partition="(\d+)"\}/gm)].map((match) => Number(match[1])).sort((a, b) => a - b);
}

async function startProcessor(config: string): Promise<{ readonly cli: Cli; readonly metricsUrl: string }> {
  const cli = startCli(['processor', '--config', config]);
  return { cli, metricsUrl: await waitForLine(cli, /"url":"(http:[^"]+)","msg":"metrics listening"/, 60_000) };
}

async function stop(cli: Cli): Promise<void> {
  cli.kill('SIGTERM');
  const { code, stderr } = await cli.ended;
  assert.equal(code, 0, stderr);
}

/** What tells one incident from another, without what depends on the moment. */
function essence({ cluster, scenario, cause, flags, detail, subject, pods, state, resolution }: IncidentJson): object {
  return { cluster, scenario, cause, flags, detail, subject, pods: pods.map((pod) => pod.uid).sort(), state, resolution };
}

const byKey = (a: IncidentJson, b: IncidentJson): number => (`${a.cluster}/${a.id}` < `${b.cluster}/${b.id}` ? -1 : 1);

/** Fields that the replay and the API both have. */
function common(incident: IncidentJson, like: IncidentJson): object {
  const entries = Object.keys(like).map((key) => [key, incident[key as keyof IncidentJson]]);
  return { ...Object.fromEntries(entries), pods: [...incident.pods].sort((a, b) => (a.uid < b.uid ? -1 : 1)) };
}

interface Balance {
  readonly balanced: boolean;
  readonly clusters: readonly { readonly cluster: string; readonly appended: number; readonly difference: number; readonly unaccounted: number }[];
}

test('collector, processors and api over Kafka and ClickHouse tell what one replay tells, over the death of a processor', async (t) => {
  const kafka = await startKafka();
  if ('skip' in kafka) return t.skip(kafka.skip);
  after(() => kafka.stop());
  const [clusters, storeUrl] = await Promise.all([startClusters(), startClickHouse()]);
  const folder = tempFolder();
  const kubeconfig = folder.write('kubeconfig', fakeKubeconfig(Object.fromEntries(clusters.map(({ name, server }) => [name, server.url]))));
  const changeLog = {
    kind: 'kafka',
    brokers: kafka.brokers,
    topic: TOPIC,
    partitions: PARTITIONS,
    replication: 1,
    sessionTimeoutMs: 4_000,
    heartbeatIntervalMs: 500,
  };
  const config = folder.write(
    'podtrail.yaml',
    stringify({
      changeLog,
      collector: { kubeconfig, startJitterSeconds: 0, clusters: clusters.map(({ name }) => ({ name, context: name })) },
      processor: { groupId: TOPIC, checkpointIntervalSeconds: 2 },
      store: { url: storeUrl, database: DATABASE },
      api: { port: 0 },
      operations: { port: 0 },
      rules: RULES,
    }),
  );

  const migrated = await runCli(['migrate', '--config', config]);
  assert.equal(migrated.code, 0, migrated.stderr);
  const collector = startCli(['collector', '--config', config]);
  const api = startCli(['api', '--config', config]);
  const [first, second] = await Promise.all([startProcessor(config), startProcessor(config)]);
  const url = await waitForLine(api, /podtrail is at (\S+)/, 60_000);
  await waitUntil('every cluster is watched', collector, () => (clusters.every(({ server }) => server.watching('pods') > 0) ? true : undefined), 60_000);
  await waitUntil('both processors have partitions', second.cli, async () => {
    const [one, other] = await Promise.all([partitionsOf(first.metricsUrl), partitionsOf(second.metricsUrl)]);
    return one.length > 0 && other.length > 0 && one.length + other.length === PARTITIONS ? true : undefined;
  });

  const playing = Promise.all(clusters.map(({ played }) => played.play()));
  await new Promise((resolve) => setTimeout(resolve, KILL_AFTER_SECONDS * 1_000));
  const orphans = await partitionsOf(first.metricsUrl);
  assert.ok(orphans.length > 0);
  first.cli.kill('SIGKILL');
  const third = await startProcessor(config);
  await playing;
  await waitUntil('all partitions are taken over', third.cli, async () => {
    const [one, other] = await Promise.all([partitionsOf(second.metricsUrl), partitionsOf(third.metricsUrl)]);
    return other.length > 0 && one.length + other.length === PARTITIONS ? true : undefined;
  });

  const expected = clusters.flatMap(({ name, uid, played }) => {
    const replay = createReplay();
    for (const record of played.records({ name, uid })) {
      replay.push(record);
      if (record.type === 'RUN_BEGIN') replay.push({ v: record.v, cluster: record.cluster, run: record.run, t: record.t, type: 'RULES', rules: RULES });
    }
    return replay.incidents();
  });
  await stop(collector);
  const balance = await waitUntil('the books are balanced', api, async () => {
    const found = await getJson<Balance>(`${url}/v1/balance`);
    return found?.balanced === true && found.clusters.length === CASES.length ? found : undefined;
  });
  for (const { cluster, appended, difference, unaccounted } of balance.clusters) {
    assert.ok(appended > 20, `${cluster}: ${appended}`);
    assert.deepEqual({ difference, unaccounted }, { difference: 0, unaccounted: 0 }, cluster);
  }
  assert.deepEqual((await getJson<{ items: unknown[] }>(`${url}/v1/dead-letters`))?.items, []);

  // The processors' last rows may still be on their way: they are stored when they stop.
  await Promise.all([stop(second.cli), stop(third.cli)]);
  const { items } = (await getJson<{ items: IncidentJson[] }>(`${url}/v1/incidents?limit=500`)) ?? { items: [] };
  assert.deepEqual(new Set(items.map(({ cluster }) => cluster)), new Set(CASES.map(({ name }) => name)), 'every cluster has its incident');
  assert.deepEqual([...items].sort(byKey).map(essence), [...expected].sort(byKey).map(essence));

  const replay = createReplay();
  for (const records of (await readTopic(changeLogConfig.parse(changeLog) as KafkaOptions)).values()) {
    for (const { value } of records) {
      const decoded = decodeChangeRecord(value);
      assert.ok(decoded.ok);
      replay.push(decoded.record);
    }
  }
  const replayed = replay.incidents().sort(byKey);
  assert.deepEqual(
    [...items].sort(byKey).map((incident, i) => common(incident, replayed[i] ?? incident)),
    replayed.map((incident) => common(incident, incident)),
    'byte for byte what a replay of the topic tells',
  );
  await stop(api);
});
