/**
 * Secrets planted wherever a cluster or a configuration may hold one come out nowhere: not in the change log, a table, a log line, an
 * error, a metric or an answer. Every place that is searched is also seen to hold what it should, so that the search itself can fail.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { RESOURCES } from '../../collector/objects.ts';
import { openClickHouse } from '../../sql/client.ts';
import { storeConfig } from '../../sql/config.ts';
import { select } from '../helpers/clickhouse.ts';
import { type FakeApiServer, type FakeObject, fakeKubeconfig, startFakeApiServer } from '../helpers/fake-api-server.ts';
import { type PodtrailProcess, readMetric, startPodtrail, waitWhile } from '../helpers/podtrail-process.ts';
import { CANARY, SECRET_OBJECTS } from '../helpers/secret-objects.ts';
import { tempFolder } from '../helpers/temp-folder.ts';

const TOKEN = `${CANARY}-token`;
const DATABASE = 'podtrail_test';
const SECRET_TEXT = `password=${CANARY} at https://joe:${CANARY}@registry.example/x with Authorization: Bearer ${CANARY}`;

type Raw = Readonly<Record<string, unknown>>;

/** The planted pod under other names, failing in ways whose messages become evidence. */
function failingPods(createdTime: string): FakeObject[] {
  const { metadata, spec } = SECRET_OBJECTS.pods as { metadata: Raw; spec: Raw };
  const waiting = (reason: string): Raw => ({
    phase: 'Pending',
    containerStatuses: [{ name: 'app', ready: false, restartCount: 0, image: 'registry.example/app:1', state: { waiting: { reason, message: SECRET_TEXT } } }],
  });
  const ended = { exitCode: 1, reason: 'Error', message: SECRET_TEXT, startedAt: createdTime, finishedAt: createdTime };
  const crashing = {
    phase: 'Running',
    containerStatuses: [
      {
        name: 'app',
        ready: false,
        restartCount: 5,
        image: 'registry.example/app:1',
        state: { waiting: { reason: 'CrashLoopBackOff', message: `back-off ${SECRET_TEXT}` } },
        lastState: { terminated: ended },
      },
    ],
  };
  const evicted = { phase: 'Failed', reason: 'Evicted', message: `The node was low on resource: memory. ${SECRET_TEXT}` };
  const statuses: Readonly<Record<string, Raw>> = {
    'planted-pull': waiting('ErrImageNeverPull'),
    'planted-name': waiting('InvalidImageName'),
    'planted-crash': crashing,
    'planted-evicted': evicted,
  };
  return Object.entries(statuses).map(([name, status]) => ({
    metadata: { ...metadata, name, namespace: 'shop', uid: `uid-${name}`, creationTimestamp: createdTime },
    spec: { ...spec, nodeName: 'planted' },
    status: { startTime: createdTime, ...status },
  }));
}

/** Everything of a directory as one text of bytes. */
function bytesBelow(directory: string): string {
  const files = readdirSync(directory, { recursive: true, encoding: 'utf8' }).map((name) => join(directory, name));
  return files.map((file) => (statSync(file).isFile() ? readFileSync(file).toString('latin1') : '')).join('\n');
}

/** Every answer of every route that is read with GET, as the document lists them. */
async function answersOf(url: string): Promise<string> {
  const document = (await (await fetch(`${url}/openapi.json`)).json()) as { paths: Record<string, Record<string, unknown>> };
  const incidents = (await (await fetch(`${url}/v1/incidents?limit=500`)).json()) as { items: { id: string }[] };
  const values: Readonly<Record<string, readonly string[]>> = {
    cluster: ['planted'],
    namespace: ['shop'],
    id: incidents.items.map(({ id }) => id),
    uid: ['uid-planted-crash', 'uid-planted-pull', 'uid-planted-evicted'],
    name: ['planted-crash'],
    pod: ['planted-crash'],
  };
  const texts: string[] = [];
  for (const [path, methods] of Object.entries(document.paths)) {
    if (!('get' in methods)) continue;
    const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? '');
    const most = Math.max(1, ...names.map((name) => values[name]?.length ?? 1));
    for (let i = 0; i < most; i++) {
      const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(values[name]?.[i % (values[name]?.length ?? 1)] ?? 'planted'));
      for (const query of ['', '?name=planted-crash', `?at=${new Date().toISOString()}`]) {
        const response = await fetch(url + filled + query, { headers: { authorization: `Bearer ${TOKEN}`, cookie: `session=${TOKEN}` } });
        texts.push(`${filled} ${response.status} ${await response.text()}`);
      }
    }
  }
  return texts.join('\n');
}

function assertClean(where: string, text: string, mustHold: string | RegExp): void {
  const at = text.indexOf(CANARY);
  assert.equal(at, -1, `${where}: …${text.slice(Math.max(0, at - 200), at + 60)}…`);
  assert.ok(typeof mustHold === 'string' ? text.includes(mustHold) : mustHold.test(text), `${where} does not hold ${mustHold}: ${text.slice(0, 2_000)}`);
}

function plant(server: FakeApiServer): void {
  for (const resource of RESOURCES) server.put(resource, SECRET_OBJECTS[resource] as FakeObject);
  for (const pod of failingPods(new Date(Date.now() - 120_000).toISOString())) server.put('pods', pod);
  const refusal = { kind: 'status', status: 403, message: `User "joe" with token=${CANARY} cannot list` } as const;
  server.fail({ verb: 'list', resource: 'limitranges', fault: refusal, times: 100 });
  server.fail({ verb: 'list', resource: 'jobs', fault: { kind: 'status', status: 500, message: `backend says ${SECRET_TEXT}` }, times: 2 });
}

/** Kubeconfigs that do not work, each with a secret in the way of the message. */
function brokenClusters(write: (name: string, text: string, mode?: number) => string, url: string): Raw[] {
  const plugin = write('plugin.sh', `#!/bin/sh\necho '{"token":"${CANARY}"}'\necho 'refused: token=${CANARY}' >&2\nexit 1\n`, 0o700);
  const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: plugin, interactiveMode: 'Never', env: [{ name: 'SECRET', value: CANARY }] };
  const kubeconfigs = {
    'wrong-token': fakeKubeconfig({ x: url }, { token: `${CANARY}-wrong` }),
    'wrong-password': fakeKubeconfig({ x: url }, { username: 'joe', password: CANARY }),
    'bad-plugin': fakeKubeconfig({ x: url }, { exec }),
    unreachable: fakeKubeconfig({ x: 'http://127.0.0.1:1' }, { token: CANARY }),
  };
  return Object.entries(kubeconfigs).map(([name, text]) => ({ name, kubeconfig: write(`${name}.kubeconfig`, text) }));
}

async function stop(podtrail: PodtrailProcess): Promise<void> {
  podtrail.kill('SIGTERM');
  assert.equal((await podtrail.exited).code, 0, podtrail.output().slice(-2_000));
}

test('secrets of clusters and kubeconfigs are found nowhere', async () => {
  const folder = tempFolder();
  const server = await startFakeApiServer({ token: () => TOKEN });
  plant(server);
  const data = join(folder.path, 'data');
  const kubeconfig = folder.write('kubeconfig', fakeKubeconfig({ planted: server.url }, { token: TOKEN }));
  const clusters = [{ name: 'planted', kubeconfig }, ...brokenClusters(folder.write, server.url)];
  const config = folder.write(
    'podtrail.json',
    JSON.stringify({
      logging: { level: 'trace' },
      collector: { clusters, nameOnlyResources: true, startJitterSeconds: 0 },
      processor: { flushIntervalMs: 50, checkpointIntervalSeconds: 1 },
      store: { database: DATABASE },
      api: { port: 0 },
    }),
  );
  const podtrail = startPodtrail(['standalone', '--config', config, '--data', data]);
  try {
    const url = (): string => /podtrail is at (\S+)/.exec(podtrail.output())?.[1] ?? '';
    await waitWhile('incidents are open', podtrail, async () => ((await readMetric(url(), 'podtrail_processor_open_incidents')) ?? 0) >= 3);
    // A change that is no JSON, one that is no object, and the end of a watch in the middle of one.
    server.write('pods', `{"type":"MODIFIED","object":{"metadata":{"name":"${CANARY}"\n`);
    server.write('pods', `{"type":"ERROR","object":{"kind":"Status","code":500,"message":"${SECRET_TEXT}"}}\n`);
    await waitWhile('the bad change is counted', podtrail, async () => ((await readMetric(url(), 'podtrail_collector_rejected_total')) ?? 0) > 0);
    await waitWhile('the bad change is a dead letter', podtrail, async () => {
      const { items } = (await (await fetch(`${url()}/v1/dead-letters`)).json()) as { items: unknown[] };
      return items.length > 0;
    });
    assertClean('metrics', await (await fetch(`${url()}/metrics`)).text(), 'cluster="planted"');
    assertClean('answers', await answersOf(url()), /v1\/incidents\/\w+ 200 .*planted-crash/);
    await fetch(`${url()}/v1/pods?name=${CANARY}`);
    await fetch(`${url()}/v1/nothing/${CANARY}`);
    await stop(podtrail);
    assertClean('log lines', podtrail.output(), 'bad-plugin');
    assertClean('change log', bytesBelow(join(data, 'change-log')), 'planted-crash');
    assertClean('files of the store', bytesBelow(join(data, 'store')), 'pod_changes');
    const store = await openClickHouse(storeConfig.parse({ directory: join(data, 'store'), database: DATABASE }));
    try {
      const tables = await select<{ name: string }>(store.client, 'SELECT name FROM system.tables WHERE database = currentDatabase() AND total_rows > 0');
      assert.ok(tables.length >= 10, `only ${tables.map(({ name }) => name).join(', ')} hold rows`);
      for (const { name } of tables) {
        const rows = await select(store.client, 'SELECT * FROM {name:Identifier}', { name });
        assertClean(name, JSON.stringify(rows), /\w/);
      }
    } finally {
      await store.close();
    }
  } finally {
    podtrail.kill('SIGKILL');
    await server.close();
  }
});

test('passwords of the configuration are in no log line and no error', async () => {
  const folder = tempFolder();
  const password = folder.write('password', `${CANARY}\n`);
  const kafka = { kind: 'kafka', brokers: ['127.0.0.1:1'], sasl: { mechanism: 'plain', username: 'u', passwordFile: password } };
  const store = { url: 'http://127.0.0.1:1', password: CANARY };
  const configs: readonly (readonly [name: string, config: unknown, said: string])[] = [
    ['nothing answers', { logging: { level: 'trace' }, changeLog: kafka, store }, '127.0.0.1:1'],
    ['a value of another type', { store: { password: [CANARY] } }, 'store.password'],
    ['an address that is none', { store: { url: `ftp://joe:${CANARY}@host` } }, 'store.url'],
    ['an address with a password', { logging: { level: 'trace' }, changeLog: kafka, store: { url: `http://joe:${CANARY}@127.0.0.1:1` } }, '127.0.0.1:1'],
  ];
  const clusters = [{ name: 'x', kubeconfig: folder.write('kubeconfig', `users: [{name: u, user: {token: ${CANARY}\n`) }];
  const elsewhere = { PODTRAIL_DATA_DIRECTORY: join(folder.path, 'data') };
  const runs: readonly (readonly [name: string, podtrail: PodtrailProcess, said: string])[] = [
    ...configs.map(
      ([name, config, said]) => [name, startPodtrail(['processor', '--config', folder.write(`${name}.json`, JSON.stringify(config))]), said] as const,
    ),
    [
      'a kubeconfig that is no YAML',
      startPodtrail(['standalone', '--config', folder.write('c.json', JSON.stringify({ collector: { clusters } }))]),
      'kubeconfig',
    ],
    ['a configuration that is no YAML', startPodtrail(['migrate', '--config', folder.write('c.yaml', `store: {password: [${CANARY}`)]), 'c.yaml'],
    [
      'a password from the environment',
      startPodtrail(['migrate'], { PODTRAIL_STORE__PASSWORD: CANARY, PODTRAIL_STORE__URL: 'http://127.0.0.1:1' }),
      '127.0.0.1:1',
    ],
    [
      'a variable that is no YAML',
      startPodtrail(['migrate'], { PODTRAIL_COLLECTOR__CLUSTERS: `[{name: ${CANARY}`, ...elsewhere }),
      'PODTRAIL_COLLECTOR__CLUSTERS',
    ],
  ];
  for (const [name, podtrail, said] of runs) {
    assert.notEqual((await podtrail.exited).code, 0, name);
    assertClean(name, podtrail.output(), said);
  }
});
