import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import kafkajs from 'kafkajs';
import { openEmbeddedChangeLog } from '../../collector/change-log/embedded-change-log.ts';
import { diagnose, findingText } from '../../deploy/commands/doctor.ts';
import { loadConfig } from '../../deploy/config.ts';
import { checkNode } from '../../deploy/doctor/runtime.ts';
import { openTestStore } from '../helpers/clickhouse.ts';
import { type FakeApiServer, type FakeApiServerOptions, fakeKubeconfig, startFakeApiServer } from '../helpers/fake-api-server.ts';
import { startKafka } from '../helpers/kafka-broker.ts';
import { startPodtrail } from '../helpers/podtrail-process.ts';
import { silentLog } from '../helpers/silent-log.ts';
import { tempFolder } from '../helpers/temp-folder.ts';

/** What doctor says of a configuration, one text a finding. */
async function say(tree: Readonly<Record<string, unknown>>): Promise<string[]> {
  const folder = tempFolder();
  const collector = { kubeconfig: folder.write('empty-kubeconfig', fakeKubeconfig({})) };
  const file = folder.write('podtrail.json', JSON.stringify({ dataDirectory: join(folder.path, 'data'), collector, ...tree }));
  return (await diagnose(loadConfig({ file, env: {} }), [])).map(findingText);
}

async function sayOfCluster(prepare: (server: FakeApiServer) => void, options: FakeApiServerOptions = {}, token = 'good'): Promise<string[]> {
  const server = await startFakeApiServer({ token: () => 'good', ...options });
  prepare(server);
  const kubeconfig = tempFolder().write('kubeconfig', fakeKubeconfig({ prod: server.url }, { token }));
  try {
    return (await say({ collector: { kubeconfig } })).filter((text) => text.includes('cluster prod'));
  } finally {
    await server.close();
  }
}

test('a cluster that gives everything is well', async () => {
  const said = await sayOfCluster(() => undefined);
  assert.deepEqual(
    said.filter((text) => !text.startsWith('ok')),
    [],
  );
  assert.match(said.join('\n'), /API server v1\.34\.2/);
  assert.match(said.join('\n'), /uid uid-of-kube-system/);
  assert.match(said.join('\n'), /all 19 resources can be listed and watched/);
});

const troubles: readonly (readonly [name: string, prepare: (server: FakeApiServer) => void, options: FakeApiServerOptions, said: RegExp])[] = [
  [
    'list is refused',
    (server) => server.fail({ verb: 'list', resource: 'jobs', fault: { kind: 'status', status: 403 } }),
    {},
    /^fail .*cannot list resource "jobs" in API group "batch" at the cluster scope\n +→ apply deploy\/k8s\/rbac\.yaml/m,
  ],
  [
    'watch is refused',
    (server) => server.fail({ verb: 'watch', resource: 'pods', fault: { kind: 'status', status: 403 } }),
    {},
    /^fail .*cannot watch resource "pods"/m,
  ],
  [
    'a resource is not served',
    (server) => server.fail({ verb: 'list', resource: 'csinodes', fault: { kind: 'status', status: 404 } }),
    {},
    /^warn .*it serves no csinodes/m,
  ],
  [
    'kube-system cannot be read',
    (server) => server.fail({ verb: 'get', resource: '/api/v1/namespaces/kube-system', fault: { kind: 'status', status: 403 } }),
    {},
    /^warn .*address is its identity/m,
  ],
  ['the clocks differ', () => undefined, { dateMs: () => Date.now() + 90_000 }, /^warn .*its clock is (89|90)\.\d s ahead of this one\n +→ .*NTP/m],
  [
    'the version is too old',
    (server) => server.fail({ verb: 'get', resource: '/version', fault: { kind: 'body', chunks: ['{"gitVersion":"v1.20.1"}'] } }),
    {},
    /^fail .*API server v1\.20\.1 is too old/m,
  ],
  ['the token is wrong', () => undefined, { token: () => 'another' }, /^fail .*refused the credentials.*\n +→ renew/m],
];
for (const [name, prepare, options, expected] of troubles) {
  test(`says so when ${name}`, async () => assert.match((await sayOfCluster(prepare, options)).join('\n'), expected));
}

test('an address where nothing answers is said, with the address', async () => {
  const kubeconfig = tempFolder().write('kubeconfig', fakeKubeconfig({ prod: 'http://127.0.0.1:1' }));
  assert.match((await say({ collector: { kubeconfig } })).join('\n'), /^fail {2}cluster prod: http:\/\/127\.0\.0\.1:1: .*ECONNREFUSED/m);
});

test('Node is checked against the engines of the package', () => {
  assert.equal(checkNode('20.18.9').status, 'fail');
  assert.equal(checkNode('20.19.0').status, 'ok');
  assert.equal(checkNode('24.0.0').status, 'ok');
});

test('embedded parts: not there yet, there, and in use', async () => {
  assert.match((await say({})).join('\n'), /^ok .*change log: .*not there yet[\s\S]*^ok .*chDB: .*not there yet/m);
  const folder = tempFolder();
  const directory = join(folder.path, 'log');
  mkdirSync(directory);
  const changeLog = { kind: 'embedded', directory };
  assert.match((await say({ changeLog })).join('\n'), /^ok .*is free and can be written/m);
  const open = await openEmbeddedChangeLog(
    { directory, segmentBytes: 1_048_576, retentionMs: 60_000, retentionBytes: 8_388_608, fsyncIntervalMs: 0 },
    { log: silentLog },
  );
  assert.match((await say({ changeLog })).join('\n'), /^ok .*in use by a running podtrail/m);
  await open.close();
});

test('a store: this schema, a schema that is behind, and nothing that answers', async () => {
  const current = await openTestStore();
  const { url, directory, database } = current.config;
  const where = url === undefined ? { directory, database } : { url, database };
  assert.match((await say({ store: where })).join('\n'), /^ok .*version \d+\.\d+[\s\S]*^ok .*the schema is this release's/m);
  await current.client.command({ query: 'ALTER TABLE schema_migrations DELETE WHERE number = 3 SETTINGS mutations_sync = 2' });
  assert.match((await say({ store: where })).join('\n'), /^warn .*the database lacks 0003_create_events.*\n +→ run `podtrail migrate`/m);
  assert.match((await say({ store: { url: 'http://127.0.0.1:1' } })).join('\n'), /^fail .*ClickHouse at 127\.0\.0\.1:1: .*\n +→ check store\.url/m);
  await current.close();
});

test('Kafka: nothing answers', async () => {
  assert.match(
    (await say({ changeLog: { kind: 'kafka', brokers: ['127.0.0.1:1'] } })).join('\n'),
    /^fail {2}Kafka at 127\.0\.0\.1:1: .*\n +→ check changeLog\.brokers/m,
  );
});

test('Kafka: a topic that is missing, right, and compacted', async (context) => {
  const broker = await startKafka();
  if ('skip' in broker) return context.skip(broker.skip);
  const topic = `podtrail.test.doctor.${process.pid}`;
  const changeLog = { kind: 'kafka', brokers: broker.brokers, topic, partitions: 2, replication: 1 };
  const admin = new kafkajs.Kafka({ brokers: broker.brokers, logLevel: kafkajs.logLevel.NOTHING }).admin();
  await admin.connect();
  try {
    assert.match((await say({ changeLog })).join('\n'), /^ok .*not there yet: the first start makes it with 2 partitions/m);
    assert.match((await say({ changeLog: { ...changeLog, createTopic: false } })).join('\n'), /^fail .*does not exist, and createTopic is false/m);
    assert.match((await say({ changeLog: { ...changeLog, replication: 3 } })).join('\n'), /^fail .*would get 3 replicas, but there are 1 brokers/m);
    await admin.createTopics({
      waitForLeaders: true,
      topics: [{ topic, numPartitions: 2, replicationFactor: 1, configEntries: [{ name: 'cleanup.policy', value: 'compact' }] }],
    });
    const said = (await say({ changeLog: { ...changeLog, partitions: 12 } })).join('\n');
    assert.match(said, /^warn .*2 partitions, but 12 are configured/m);
    assert.match(said, /^fail .*cleanup\.policy is compact.*\n +→ set cleanup\.policy to delete/m);
  } finally {
    await admin.deleteTopics({ topics: [topic] }).catch(() => undefined);
    await admin.disconnect();
    await broker.stop();
  }
});

test('the command prints the findings and exits with 1 when something fails, with 0 otherwise', async () => {
  const server = await startFakeApiServer();
  const folder = tempFolder();
  const config = (url: string): string =>
    folder.write(
      `${url.length}.json`,
      JSON.stringify({
        dataDirectory: join(folder.path, 'data'),
        collector: { kubeconfig: folder.write(`kubeconfig-${url.length}`, fakeKubeconfig({ prod: url })) },
      }),
    );
  try {
    const [well, ill] = [startPodtrail(['doctor', '--config', config(server.url)]), startPodtrail(['doctor', '--config', config('http://127.0.0.1:1')])];
    assert.equal((await well.exited).code, 0, well.output());
    assert.match(well.output(), /^ok {4}cluster prod: all 19 resources/m);
    assert.equal((await ill.exited).code, 1, ill.output());
    assert.match(ill.output(), /^fail {2}cluster prod/m);
  } finally {
    await server.close();
  }
});
