import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadConfig } from '../../deploy/config.ts';
import { CommandError } from '../../deploy/errors.ts';
import { tempFolder } from '../helpers/temp-folder.ts';

const folder = tempFolder();

function refusal(env: Readonly<Record<string, string>>, yaml?: string): CommandError {
  try {
    loadConfig({ env, file: yaml === undefined ? undefined : folder.write('refused.yaml', yaml) });
  } catch (error) {
    assert.ok(error instanceof CommandError);
    assert.equal(error.exitCode, 2);
    return error;
  }
  throw new assert.AssertionError({ message: 'it was not refused' });
}

test('a setting is taken from the flag, else the environment, else the file, else its default', () => {
  const file = folder.write('order.yaml', 'api: {port: 2, queryQueue: 2, maxRangeDays: 2}\n');
  const env = { PODTRAIL_API__PORT: '3', PODTRAIL_API__QUERY_QUEUE: '3' };
  const { api } = loadConfig({ file, env, overrides: { 'api.port': 4, 'api.host': undefined } });
  assert.deepEqual(
    { port: api.port, queryQueue: api.queryQueue, maxRangeDays: api.maxRangeDays, host: api.host },
    { port: 4, queryQueue: 3, maxRangeDays: 2, host: '127.0.0.1' },
  );
  assert.equal(loadConfig({ env: { ...env, PODTRAIL_CONFIG: file } }).api.maxRangeDays, 2, 'PODTRAIL_CONFIG names the file');
});

const VARIABLES: readonly {
  readonly name: string;
  readonly env: Readonly<Record<string, string>>;
  readonly read: (config: ReturnType<typeof loadConfig>) => unknown;
  readonly value: unknown;
}[] = [
  { name: 'a number', env: { PODTRAIL_PROCESSOR__FLUSH_INTERVAL_MS: '250' }, read: (c) => c.processor.flushIntervalMs, value: 250 },
  { name: 'a fraction', env: { PODTRAIL_COLLECTOR__START_JITTER_SECONDS: '0.5' }, read: (c) => c.collector.startJitterSeconds, value: 0.5 },
  { name: 'a boolean', env: { PODTRAIL_API__ALLOW_REMOTE: 'true' }, read: (c) => c.api.allowRemote, value: true },
  { name: 'a boolean that is off', env: { PODTRAIL_COLLECTOR__NAME_ONLY_RESOURCES: 'off' }, read: (c) => c.collector.nameOnlyResources, value: false },
  { name: 'a text that looks like a number', env: { PODTRAIL_STORE__PASSWORD: '0042' }, read: (c) => c.store.password, value: '0042' },
  { name: 'a text that looks like YAML', env: { PODTRAIL_STORE__PASSWORD: '*a: {b' }, read: (c) => c.store.password, value: '*a: {b' },
  {
    name: 'a list, separated by commas',
    env: { PODTRAIL_API__ALLOWED_HOSTS: 'a.example, b.example' },
    read: (c) => c.api.allowedHosts,
    value: ['a.example', 'b.example'],
  },
  { name: 'a list as YAML', env: { PODTRAIL_API__ALLOWED_HOSTS: '["a.example"]' }, read: (c) => c.api.allowedHosts, value: ['a.example'] },
  {
    name: 'mappings in a list',
    env: { PODTRAIL_COLLECTOR__CLUSTERS: '[{name: one, namespaces: [a, b]}]' },
    read: (c) => c.collector.clusters,
    value: [{ name: 'one', namespaces: ['a', 'b'] }],
  },
  { name: 'a map', env: { PODTRAIL_STORE__SETTINGS: '{insert_quorum: 2}' }, read: (c) => c.store.settings, value: { insert_quorum: 2 } },
  {
    name: 'the kind of the change log',
    env: { PODTRAIL_CHANGE_LOG__KIND: 'kafka', PODTRAIL_CHANGE_LOG__BROKERS: 'k1:9092,k2:9092' },
    read: (c) => c.changeLog.kind === 'kafka' && c.changeLog.brokers,
    value: ['k1:9092', 'k2:9092'],
  },
  {
    name: 'the embedded change log without its kind',
    env: { PODTRAIL_CHANGE_LOG__FSYNC_INTERVAL_MS: '7' },
    read: (c) => c.changeLog.kind === 'embedded' && c.changeLog.fsyncIntervalMs,
    value: 7,
  },
  { name: 'a threshold', env: { PODTRAIL_RULES__THRESHOLDS__RESTARTS: '5' }, read: (c) => c.rules.thresholds.restarts, value: 5 },
  {
    name: 'an empty variable, which counts as not set',
    env: { PODTRAIL_STORE__URL: '', PODTRAIL_NEVER_HEARD_OF: '' },
    read: (c) => c.store.url,
    value: undefined,
  },
  { name: 'KUBECONFIG', env: { KUBECONFIG: '/a:/b' }, read: (c) => c.collector.kubeconfig, value: '/a:/b' },
];

for (const { name, env, read, value } of VARIABLES) {
  test(`the environment gives ${name}`, () => {
    assert.deepEqual(read(loadConfig({ env })), value);
  });
}

test('a kubeconfig in the file goes before KUBECONFIG', () => {
  assert.equal(loadConfig({ file: folder.write('kc.yaml', 'collector: {kubeconfig: /mine}\n'), env: { KUBECONFIG: '/other' } }).collector.kubeconfig, '/mine');
});

test('what Kubernetes says of Services in the environment is no setting', () => {
  const env = {
    PODTRAIL_API_SERVICE_HOST: '10.0.0.1',
    PODTRAIL_API_SERVICE_PORT: '80',
    PODTRAIL_API_SERVICE_PORT_HTTP: '80',
    PODTRAIL_API_PORT: 'tcp://10.0.0.1:80',
    PODTRAIL_API_PORT_80_TCP: 'tcp://10.0.0.1:80',
    PODTRAIL_API_PORT_80_TCP_ADDR: '10.0.0.1',
    PODTRAIL_SERVICE_HOST: '10.0.0.2',
    PODTRAIL_PORT: 'tcp://10.0.0.2:80',
  };
  assert.deepEqual(loadConfig({ env }), loadConfig({ env: {} }));
});

test('the embedded parts are below the data directory, or where they are said to be', () => {
  const places = (overrides: Record<string, unknown>): unknown[] => {
    const { changeLog, store } = loadConfig({ env: {}, overrides });
    return [changeLog.kind === 'embedded' && changeLog.directory, store.directory];
  };
  assert.deepEqual(places({}), ['data/change-log', 'data/store']);
  assert.deepEqual(places({ dataDirectory: '/var/lib/podtrail' }), ['/var/lib/podtrail/change-log', '/var/lib/podtrail/store']);
  assert.deepEqual(places({ dataDirectory: 'd', 'store.directory': '/fast' }), ['d/change-log', '/fast']);
});

test('it is frozen, all the way down', () => {
  const config = loadConfig({ env: {} });
  assert.throws(() => Object.assign(config.api, { port: 1 }), TypeError);
  assert.throws(() => (config.rules.mutes as unknown[]).push(1), TypeError);
});

const REFUSED: readonly { readonly name: string; readonly env?: Readonly<Record<string, string>>; readonly yaml?: string; readonly says: RegExp }[] = [
  { name: 'an unknown key', yaml: 'procesor: {}\n', says: /refused\.yaml\) is not valid:[\s\S]*"procesor"/ },
  { name: 'an unknown key further down', yaml: 'store: {retention: {podsDays: 3}}\n', says: /"podsDays"[\s\S]*at store\.retention/ },
  { name: 'every wrong key at once', yaml: 'api: {port: -1, queryQueue: many}\n', says: /at api\.port[\s\S]*at api\.queryQueue/ },
  {
    name: 'keys that contradict each other',
    yaml: 'changeLog: {kind: kafka, brokers: [a:1], heartbeatIntervalMs: 20000}\n',
    says: /third of sessionTimeoutMs/,
  },
  { name: 'two clusters of one name', yaml: 'collector: {clusters: [{name: a}, {name: a}]}\n', says: /two clusters have the same name/ },
  { name: 'a file that is no mapping', yaml: '- a\n', says: /is not a mapping/ },
  { name: 'a file that is no YAML', yaml: 'a: [\n', says: /read configuration .*refused\.yaml failed/ },
  { name: 'an unknown variable', env: { PODTRAIL_STORAGE__URL: 'x' }, says: /PODTRAIL_STORAGE__URL is no setting/ },
  { name: 'a variable with one underscore too few', env: { PODTRAIL_API_PORT: '9090' }, says: /PODTRAIL_API_PORT is no setting/ },
  { name: 'a variable of the wrong type, by its name', env: { PODTRAIL_API__PORT: 'http' }, says: /\(PODTRAIL_API__PORT\)[\s\S]*expected number/ },
];

for (const { name, env = {}, yaml, says } of REFUSED) {
  test(`it refuses ${name}`, () => {
    assert.match(refusal(env, yaml).message, says);
  });
}

test('a value that is refused is not repeated: it may be a secret', () => {
  const { message } = refusal({ PODTRAIL_STORE__SETTINGS: '{hunter2: [' });
  assert.match(message, /PODTRAIL_STORE__SETTINGS is not a YAML value/);
  assert.doesNotMatch(message, /hunter2/);
});
