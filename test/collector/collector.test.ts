import assert from 'node:assert/strict';
import { existsSync, rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import pino from 'pino';
import { Registry } from 'prom-client';
import type { ChangeRecord } from '../../collector/change-record.ts';
import { type ClusterStatus, type Collector, type CollectorOptions, createCollector } from '../../collector/collector.ts';
import { collectorConfig } from '../../collector/config.ts';
import { ChangeLogError } from '../../collector/errors.ts';
import { RESOURCES } from '../../collector/objects.ts';
import { type FakeApiServer, type FakeApiServerOptions, type FakeObject, fakeKubeconfig, startFakeApiServer } from '../helpers/fake-api-server.ts';
import { createMemoryWriter, type MemoryWriter } from '../helpers/memory-writer.ts';
import { tempFolder } from '../helpers/temp-folder.ts';
import { waitFor } from '../helpers/wait-for.ts';

const QUICK = {
  backoff: { minMs: 20, maxMs: 100 },
  requestIntervalMs: 20,
  watchSeconds: { min: 240, max: 360 },
  unmarkedWatchSeconds: { min: 240, max: 360 },
  emptyWatchMs: 100,
  deniedRetryMs: 200,
};
const SECRET = 'canary-token-8f3a';

function pod(uid: string, namespace = 'shop'): FakeObject {
  return { metadata: { name: uid, namespace, uid }, spec: { containers: [{ name: 'main', image: 'app:1' }] }, status: { phase: 'Running' } };
}

interface Running {
  readonly collector: Collector;
  readonly writer: MemoryWriter;
  readonly registry: Registry;
  readonly log: string[];
  readonly fatal: Error[];
  /** Replaces the kubeconfig. */
  configure(servers: Readonly<Record<string, string>>): void;
  of(cluster: string): ClusterStatus;
  recordsOf(cluster: string): ChangeRecord[];
}

let servers: FakeApiServer[] = [];
let running: Collector[] = [];
beforeEach(() => {
  servers = [];
  running = [];
});
afterEach(async () => {
  await Promise.all(running.map((collector) => collector.stop()));
  await Promise.all(servers.map((server) => server.close()));
});

async function serve(options: FakeApiServerOptions = {}): Promise<FakeApiServer> {
  const server = await startFakeApiServer({ clusterUid: `uid-${servers.length}`, ...options });
  servers.push(server);
  return server;
}

interface StartOptions extends Partial<Omit<CollectorOptions, 'config'>> {
  /** By name and context. */
  readonly to: Readonly<Record<string, string>>;
  readonly config?: object;
  readonly cluster?: object;
  readonly user?: object;
  /** As MemoryWriter.before, from the first append on. */
  readonly before?: MemoryWriter['before'];
}

async function start({ to, config = {}, cluster = {}, user = {}, before, ...options }: StartOptions): Promise<Running> {
  const folder = tempFolder();
  const configure = (targets: Readonly<Record<string, string>>): void => {
    folder.write('config', fakeKubeconfig(targets, { ...user }));
  };
  configure(to);
  const writer = createMemoryWriter();
  if (before !== undefined) writer.before = before;
  const registry = new Registry();
  const log: string[] = [];
  const fatal: Error[] = [];
  const parsed = collectorConfig.parse({
    kubeconfig: `${folder.path}/config`,
    clusters: Object.keys(to).map((name) => ({ name, context: name, resources: ['namespaces', 'pods', 'events'], ...cluster })),
    startJitterSeconds: 0,
    stopTimeoutSeconds: 2,
    flushIntervalMs: 1,
    ...config,
  });
  const collector = createCollector(
    { config: parsed, fullSnapshotIntervalMs: 3_600_000, heartbeatIntervalMs: 20, timing: QUICK, ...options },
    { writer, registry, log: pino({ level: 'trace' }, { write: (line: string) => log.push(line) }), onFatal: (error) => fatal.push(error) },
  );
  running.push(collector);
  await collector.start();
  const of = (name: string): ClusterStatus => {
    const status = collector.status().find((each) => each.name === name);
    assert.ok(status !== undefined);
    return status;
  };
  return { collector, writer, registry, log, fatal, configure, of, recordsOf: (name) => writer.records.filter((record) => record.cluster.name === name) };
}
const allWatching = (status: ClusterStatus): boolean => status.resources.length > 0 && status.resources.every((each) => each.state === 'watching');
const warnings = (log: readonly string[]): string[] =>
  log.map((line) => JSON.parse(line)).flatMap((line) => (line.level === 40 ? [line.reason ?? line.msg] : []));

describe('a run', () => {
  test('tells its rules again with every unabbreviated list, for a reader that lost the beginning to retention', async () => {
    const server = await serve();
    const { writer } = await start({ to: { one: server.url }, rules: { graceSeconds: 60 }, fullSnapshotIntervalMs: 50 });
    await waitFor('rules told again', () => writer.records.filter((record) => record.type === 'RULES').length > 2);
  });

  test('begins with RUN_BEGIN and RULES, lists, beats, and ends its sessions before a last heartbeat', async () => {
    const server = await serve();
    server.put('pods', pod('a'));
    const { collector, writer, of } = await start({ to: { one: server.url }, rules: { graceSeconds: 60 } });
    await waitFor('all watches', () => allWatching(of('one')));
    await waitFor('a heartbeat in sync', () =>
      writer.records.some((record) => record.type === 'HEARTBEAT' && record.sessions.length === 3 && record.sessions.every((each) => each.inSync)),
    );
    await collector.stop();

    const [begin, rules] = writer.records;
    assert.ok(begin?.type === 'RUN_BEGIN');
    assert.deepEqual(
      begin.resources,
      ['namespaces', 'pods', 'events'].map((resource) => ({ resource, scope: '' })),
    );
    assert.equal(begin.serverVersion, 'v1.34.2');
    assert.ok(rules?.type === 'RULES');
    assert.deepEqual(rules.rules, { graceSeconds: 60 });
    const tail = writer.records.slice(-4);
    assert.deepEqual(
      tail.map((record) => record.type),
      ['SESSION_END', 'SESSION_END', 'SESSION_END', 'HEARTBEAT'],
    );
    const [, , , last] = tail;
    assert.ok(last?.type === 'HEARTBEAT');
    assert.deepEqual(
      last.sessions.map((each) => each.inSync),
      [false, false, false],
    );
    assert.ok(last.sessions.every((each) => each.received === each.suppressed + each.rejected + each.appended));
    assert.equal(new Set(writer.records.map((record) => record.run)).size, 1);
    assert.ok(
      writer.records.every((record, index) => record.t >= (writer.records[index - 1]?.t ?? 0)),
      'observed time never goes back',
    );
  });

  test('lists once the log has its beginning, and tells so', async () => {
    const server = await serve();
    let take = (): void => {};
    const { writer } = await start({
      to: { one: server.url },
      heartbeatIntervalMs: 60_000,
      before: () => new Promise<void>((resolve) => (take = resolve)),
    });
    await waitFor('the beginning on its way', () => writer.mostInFlight() > 0);
    await delay(50);
    assert.deepEqual(
      server.requests.filter((request) => request.verb === 'list'),
      [],
    );
    writer.before = () => undefined;
    take();
    await waitFor('a list', () => writer.records.some((record) => record.type === 'SNAPSHOT_BEGIN'));
    const told = writer.records.findIndex((record) => record.type === 'HEARTBEAT' && record.begun === true && record.tick === true);
    const types = writer.records.map(({ type }) => type);
    assert.ok(types.indexOf('RUN_BEGIN') < told && told < types.indexOf('SNAPSHOT_BEGIN'));
    assert.equal(writer.records.filter((record) => record.type === 'HEARTBEAT' && record.begun === true).length, 1);
  });

  test('ticks while nothing else is written, and only then', async () => {
    const server = await serve();
    const { writer, of } = await start({ to: { one: server.url }, heartbeatIntervalMs: 60_000, tickIntervalMs: 400 });
    await waitFor('all watches', () => allWatching(of('one')));
    const ticks = (): number => writer.records.filter((record) => record.type === 'HEARTBEAT' && record.tick === true && record.sessions.length === 0).length;
    await waitFor('ticks', () => ticks() >= 2);
    const before = ticks();
    for (let change = 0; change < 25; change += 1) {
      server.put('pods', { ...pod('a'), status: { message: String(change) } });
      await delay(50); // several in every interval
    }
    assert.ok(ticks() - before <= 1, `${ticks() - before} ticks in three intervals with changes`);
  });

  test('carries the API server’s time, not this machine’s', async () => {
    const server = await serve({ dateMs: () => Date.UTC(2031, 0, 1) });
    const { writer } = await start({ to: { one: server.url } });
    await waitFor('a record', () => writer.records.length > 0);
    assert.ok(Math.abs((writer.records[0]?.t ?? 0) - Date.UTC(2031, 0, 1)) < 2_000);
  });

  test('lists in the order of the resources, two at a time at most', async () => {
    const server = await serve();
    server.fail({ verb: 'list', fault: { kind: 'delay', ms: 15 }, times: 1_000 });
    const { of } = await start({ to: { one: server.url }, cluster: { resources: undefined } });
    await waitFor('all watches', () => allWatching(of('one')));
    const lists = server.requests.filter((request) => request.verb === 'list');
    const order = RESOURCES.filter((resource) => lists.some((request) => request.resource === resource));
    assert.deepEqual(
      lists.map((request) => request.resource),
      order,
    );
    const spans = lists.slice(2).map((request, index) => request.atMs - (lists[index]?.atMs ?? 0));
    assert.ok(Math.min(...spans) >= 12, 'the third waits for the first');
  });

  test('collects by namespace without cluster-wide rights, notes what that leaves out, and is known by its configured uid', async () => {
    const server = await serve();
    server.fail({ verb: 'get', resource: '/api/v1/namespaces/kube-system', fault: { kind: 'status', status: 403 }, times: 100 });
    for (const namespace of ['a', 'b', 'c']) server.put('pods', pod(`in-${namespace}`, namespace));
    const { writer, of } = await start({ to: { one: server.url }, cluster: { namespaces: ['a', 'b'], uid: 'configured', resources: ['nodes', 'pods'] } });
    await waitFor('all watches', () => allWatching(of('one')));
    await waitFor('both pods', () => writer.records.filter((record) => record.type === 'LISTED').length === 2);
    assert.equal(of('one').uid, 'configured');
    assert.deepEqual([...new Set(server.requests.filter((request) => request.verb !== 'get').map((request) => request.namespace))], ['a', 'b']);
    const [note] = writer.records.filter((record) => record.type === 'NOTE');
    assert.ok(note?.type === 'NOTE' && note.code === 'cluster_scoped' && note.resource === 'nodes');
  });

  test('without a configured uid is known by its endpoint where kube-system cannot be read', async () => {
    const server = await serve();
    server.fail({ verb: 'get', resource: '/api/v1/namespaces/kube-system', fault: { kind: 'status', status: 403 }, times: 100 });
    const { of } = await start({ to: { one: server.url } });
    await waitFor('the identity', () => of('one').uid !== undefined);
    assert.match(of('one').uid ?? '', /^endpoint-[0-9a-f]{32}$/);
  });

  test('ends for a log that refuses for good, and says so', async () => {
    const server = await serve();
    const { writer, fatal, of } = await start({ to: { one: server.url } });
    await waitFor('all watches', () => allWatching(of('one')));
    const error = new ChangeLogError('PODTRAIL_LOG_CORRUPT', 'bad segment');
    writer.before = () => {
      throw error;
    };
    await waitFor('the error', () => fatal.length > 0);
    assert.deepEqual(fatal, [error]);
    await waitFor('the end of the watches', () => server.watching('pods') === 0);
  });

  test('survives a log that is away for a while without losing or doubling a record', async () => {
    const server = await serve();
    const { writer, of, log } = await start({ to: { one: server.url } });
    await waitFor('all watches', () => allWatching(of('one')));
    let down = true;
    writer.before = () => {
      if (down) throw new ChangeLogError('PODTRAIL_LOG_UNAVAILABLE', 'no broker', { retriable: true });
    };
    for (let index = 0; index < 20; index += 1) server.put('pods', pod(`p${index}`));
    await waitFor('a warning', () => log.some((line) => line.includes('append failed')));
    down = false;
    await waitFor('all pods', () => writer.records.filter((record) => record.type === 'ADDED').length === 20);
    assert.equal(log.filter((line) => line.includes('append failed')).length, 1, 'warned once');
  });
});

describe('identity', () => {
  test('one cluster under two names is refused for the second', async () => {
    const server = await serve();
    const { of } = await start({ to: { one: server.url, two: server.url } });
    await waitFor('one of them', () => ['one', 'two'].some((name) => of(name).state === 'failing'));
    const states = ['one', 'two'].map((name) => of(name));
    assert.deepEqual(states.map((each) => each.state).sort(), ['collecting', 'failing']);
    assert.match(
      states.find((each) => each.state === 'failing')?.reason ?? '',
      /^clusters (one and two|two and one) are the same cluster, uid uid-0: remove one of them$/,
    );
  });

  test('a configured uid that is not the cluster’s is refused', async () => {
    const server = await serve();
    const { of, writer } = await start({ to: { one: server.url }, cluster: { uid: 'other' } });
    await waitFor('the refusal', () => of('one').state === 'failing');
    assert.equal(of('one').reason, 'cluster one is configured with uid other, but its namespace kube-system has uid uid-0');
    assert.equal(writer.records.length, 0);
  });

  test('another cluster behind the same address ends the run, and nothing of it reaches the log', async () => {
    const server = await serve();
    const { of, writer } = await start({ to: { one: server.url } });
    await waitFor('all watches', () => allWatching(of('one')));
    // As after a reinstallation: all connections end, and what answers from then on is new.
    server.fail({ verb: 'watch', fault: { kind: 'reset' }, times: 1e6 });
    for (const resource of ['namespaces', 'pods', 'events']) server.endWatches(resource, 'reset');
    await waitFor('the outage', () => of('one').state === 'failing');
    server.setClusterUid('another');
    server.put('pods', pod('foreign'));
    server.heal();
    await waitFor('the refusal', () => /another cluster/.test(of('one').reason ?? ''));
    assert.match(of('one').reason ?? '', /had uid uid-0 and now has another: it is another cluster/);
    const ends = writer.records.flatMap((record) => (record.type === 'SESSION_END' ? record.reason : []));
    assert.deepEqual(ends, ['identity', 'identity', 'identity']);
    assert.equal(JSON.stringify(writer.records).includes('foreign'), false);
    assert.ok(writer.records.every((record) => record.cluster.uid === 'uid-0'));
  });
});

describe('clusters side by side', () => {
  test('an unreachable one, one that refuses the token and one that flaps do not slow the others', async () => {
    const good = await serve();
    const refusing = await serve({ token: () => 'another token' });
    const flapping = await serve();
    flapping.fail({ fault: { kind: 'reset' }, times: 1e6 });
    const { of, recordsOf, log } = await start({
      to: { good: good.url, unreachable: 'http://127.0.0.1:1', refusing: refusing.url, flapping: flapping.url },
      user: { token: SECRET },
    });
    await waitFor('the good one', () => allWatching(of('good')));
    const startMs = performance.now();
    good.put('pods', pod('a'));
    await waitFor('its pod', () => recordsOf('good').some((record) => record.type === 'ADDED'));
    assert.ok(performance.now() - startMs < 500);
    await waitFor('the others', () => ['unreachable', 'refusing', 'flapping'].every((name) => of(name).state === 'failing'));
    assert.match(of('unreachable').reason ?? '', /^connect ECONNREFUSED/);
    assert.match(of('refusing').reason ?? '', /^API server refused the credentials/);
    assert.equal(recordsOf('unreachable').length, 0);

    await new Promise((resolve) => setTimeout(resolve, 200));
    const reasons = warnings(log);
    assert.equal(reasons.filter((reason) => /ECONNREFUSED/.test(reason)).length, 1, 'once, not at every try');

    flapping.heal();
    await waitFor('the flapping one', () => allWatching(of('flapping')));
    assert.equal(of('flapping').reason, undefined);
    assert.equal(log.join('').includes(SECRET), false, 'no token in the log');
    assert.equal(JSON.stringify(['good', 'refusing'].map(of)).includes(SECRET), false);
  });

  test('an outage of a whole API server is logged once and ends with a word', async () => {
    const server = await serve();
    const { of, log, writer } = await start({ to: { one: server.url } });
    await waitFor('all watches', () => allWatching(of('one')));
    server.fail({ fault: { kind: 'status', status: 503, message: 'starting' }, times: 1e6 });
    for (const resource of ['namespaces', 'pods', 'events']) server.endWatches(resource, 'reset');
    await waitFor('the outage', () => of('one').state === 'failing' && of('one').reason === 'API server answered 503: starting');
    await new Promise((resolve) => setTimeout(resolve, 100));
    const beats = writer.records.filter((record) => record.type === 'HEARTBEAT');
    const lastBeat = beats.at(-1);
    assert.ok(lastBeat?.type === 'HEARTBEAT' && lastBeat.sessions.every((each) => !each.inSync), 'nothing is vouched for meanwhile');
    server.heal();
    await waitFor('the recovery', () => allWatching(of('one')));
    assert.equal(warnings(log).filter((reason) => /503/.test(reason)).length, 1);
    assert.equal(log.filter((line) => line.includes('in sync')).length, 2, 'at the start, and again');
  });

  test('a stop does not wait for an exec plugin that hangs', async () => {
    const folder = tempFolder();
    const started = `${folder.path}/started`;
    const command = folder.write('plugin.sh', `#!/bin/sh\ntouch '${started}'\nwhile [ -f '${started}' ]; do sleep 0.02; done\n`, 0o700);
    const { collector } = await start({ to: { one: 'http://127.0.0.1:1' }, user: { exec: { apiVersion: 'client.authentication.k8s.io/v1', command } } });
    await waitFor('the plugin', () => existsSync(started));
    const startMs = performance.now();
    await collector.stop();
    assert.ok(performance.now() - startMs < 1_000);
    rmSync(started); // the plugin goes with its file
  });

  test('a context that is missing is tried again, and found when it appears', async () => {
    const server = await serve();
    const { of, configure } = await start({ to: { one: server.url }, cluster: { context: 'later' } });
    await waitFor('the reason', () => of('one').state === 'failing');
    assert.equal(of('one').reason, 'no context "later" in the kubeconfig');
    configure({ later: server.url });
    await waitFor('all watches', () => allWatching(of('one')));
  });
});

describe('what is told', () => {
  test('a forbidden resource is a reason of its own while the rest is collected', async () => {
    const server = await serve();
    server.fail({ verb: 'list', resource: 'events', fault: { kind: 'status', status: 403 }, times: 1e6 });
    const { of, writer } = await start({ to: { one: server.url } });
    await waitFor('the refusal', () => of('one').resources.some((each) => each.state === 'denied'));
    await waitFor('the rest', () => of('one').resources.filter((each) => each.state === 'watching').length === 2);
    assert.equal(of('one').state, 'collecting');
    assert.equal(of('one').resources.find((each) => each.resource === 'events')?.reason, 'cannot list resource "events" in API group "" at the cluster scope');
    await waitFor('the note', () => writer.records.some((record) => record.type === 'NOTE' && record.code === 'forbidden'));
  });

  test('metrics name cluster and resource, never a namespace or a pod', async () => {
    const server = await serve();
    server.put('pods', pod('pod-canary', 'namespace-canary'));
    const { of, writer, registry } = await start({ to: { one: server.url } });
    await waitFor('all watches', () => allWatching(of('one')));
    await waitFor('two heartbeats', () => writer.records.filter((record) => record.type === 'HEARTBEAT').length > 1);
    const text = await registry.metrics();
    assert.match(text, /podtrail_collector_lists_total\{cluster="one",resource="pods"\} 1/);
    assert.match(text, /podtrail_collector_received_total\{cluster="one",resource="pods"\} 1/);
    assert.match(text, /podtrail_collector_watch_age_seconds\{cluster="one",resource="pods"\} \d/);
    assert.match(text, /podtrail_collector_buffer_bytes\{cluster="one"\} \d+/);
    assert.doesNotMatch(text, /canary/);
  });

  test('only get, list and watch are asked for', async () => {
    const server = await serve();
    const { of } = await start({ to: { one: server.url }, cluster: { resources: undefined }, config: { nameOnlyResources: true } });
    await waitFor('all watches', () => allWatching(of('one')));
    assert.equal(of('one').resources.length, RESOURCES.length);
    for (const { resource, headers, verb } of server.requests) {
      if (['secrets', 'configmaps', 'serviceaccounts'].includes(resource) && verb !== 'get') assert.match(headers.accept ?? '', /as=PartialObjectMetadata/);
    }
  });
});

describe('collectorConfig', () => {
  const refused: readonly [name: string, config: object][] = [
    ['an unknown key', { clusters: [], typo: 1 }],
    ['two clusters of one name', { clusters: [{ name: 'a' }, { name: 'a' }] }],
    ['a namespace named twice', { clusters: [{ name: 'a', namespaces: ['x', 'x'] }] }],
    ['no namespace at all', { clusters: [{ name: 'a', namespaces: [] }] }],
    ['a resource that is not collected', { clusters: [{ name: 'a', resources: ['leases'] }] }],
    ['a stall time shorter than the period of bookmarks', { watchStallSeconds: 60 }],
    ['a name with a newline', { clusters: [{ name: 'a\nb' }] }],
  ];
  for (const [name, config] of refused) test(`refuses ${name}`, () => assert.equal(collectorConfig.safeParse(config).success, false));

  test('has a default for everything', () => {
    const config = collectorConfig.parse({});
    assert.deepEqual([config.clusters, config.nameOnlyResources, config.watchStallSeconds], [[], false, 150]);
  });

  test('takes the names that cloud providers give to contexts', () => {
    for (const name of ['arn:aws:eks:eu-west-1:123:cluster/prod', 'gke_project_zone_name', 'admin@kind', 'a']) {
      assert.ok(collectorConfig.safeParse({ clusters: [{ name }] }).success, name);
    }
  });
});
