import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { createApiClient } from '../../collector/api-client.ts';
import { type ConnectionOptions, createClusterConnection } from '../../collector/cluster-connection.ts';
import { ClusterError } from '../../collector/errors.ts';
import { createKubeConfigSource } from '../../collector/kubeconfig.ts';
import { fakeKubeconfig, startFakeApiServer } from '../helpers/fake-api-server.ts';
import { tempFolder } from '../helpers/temp-folder.ts';
import { OTHER_CA, SERVER_CERTIFICATE, SERVER_KEY, TEST_CA } from '../helpers/tls-fixture.ts';

const NEVER = new AbortController().signal;
const SECRET = 'eyJhbGciOiJSUzI1NiJ9.c2VjcmV0.c2lnbmF0dXJl';

function connect(kubeconfig: string, options: Partial<ConnectionOptions> = {}) {
  const time = { ms: 0 };
  const connection = createClusterConnection({ kubeconfig, source: createKubeConfigSource(), monotonic: () => time.ms, ...options });
  return { connection, pass: (ms: number) => (time.ms += ms) };
}
const authorization = (credentials: { readonly headers: Readonly<Record<string, unknown>> }): unknown => credentials.headers['Authorization'];

/** An exec plugin: a shell script that counts its runs. */
function plugin(folder: ReturnType<typeof tempFolder>, body: string): { user: object; runs: () => number } {
  const log = join(folder.path, 'runs');
  const command = folder.write('plugin.sh', `#!/bin/sh\necho run >> '${log}'\n${body}\n`, 0o700);
  const user = { exec: { apiVersion: 'client.authentication.k8s.io/v1', command, interactiveMode: 'Never' } };
  return { user, runs: () => (existsSync(log) ? readFileSync(log, 'utf8').split('\n').length - 1 : 0) };
}
function execCredential(token: string, expirationTimestamp?: string): string {
  return `echo '${JSON.stringify({ apiVersion: 'client.authentication.k8s.io/v1', kind: 'ExecCredential', status: { token, expirationTimestamp } })}'`;
}

describe('createClusterConnection', () => {
  test('re-reads a token file after a minute, without its newline', async () => {
    const folder = tempFolder();
    const tokenFile = folder.write('token', 'first\n');
    const { connection, pass } = connect(folder.write('config', fakeKubeconfig({ a: 'http://a' }, { tokenFile })));
    assert.equal(authorization(await connection.credentials()), 'Bearer first');
    folder.write('token', 'second\n');
    pass(59_999);
    assert.equal(authorization(await connection.credentials()), 'Bearer first');
    const refused = await connection.refreshed(await connection.credentials());
    assert.equal(authorization(refused), 'Bearer second', 'a 401 asks at once');
  });

  test('picks up a changed kubeconfig, and a changed server as another endpoint', async () => {
    const folder = tempFolder();
    const file = folder.write('config', fakeKubeconfig({ a: 'https://one' }, { token: 'first' }));
    const { connection, pass } = connect(file);
    const before = await connection.credentials();
    folder.write('config', fakeKubeconfig({ a: 'https://one' }, { token: 'second' }));
    pass(60_000);
    const sameServer = await connection.credentials();
    assert.equal(authorization(sameServer), 'Bearer second');
    assert.equal(sameServer.endpoint, before.endpoint);
    folder.write('config', fakeKubeconfig({ a: 'https://two' }, { token: 'second' }));
    pass(60_000);
    const moved = await connection.credentials();
    assert.equal(connection.server(), 'https://two');
    assert.notEqual(moved.endpoint, before.endpoint);
  });

  test('a kubeconfig that goes bad is an error, and its return is picked up', async () => {
    const folder = tempFolder();
    const file = folder.write('config', fakeKubeconfig({ a: 'https://one' }));
    const { connection, pass } = connect(file);
    await connection.credentials();
    folder.write('config', '');
    pass(60_000);
    await assert.rejects(
      connection.credentials(),
      (error: unknown) => error instanceof ClusterError && error.code === 'PODTRAIL_CLUSTER_CONFIG' && error.retriable,
    );
    folder.write('config', fakeKubeconfig({ a: 'https://one' }));
    assert.equal((await connection.credentials()).server.href, 'https://one/');
  });

  test('keeps its agent, and so its connections, while only the token changes', async () => {
    const folder = tempFolder();
    const tokenFile = folder.write('token', 'first');
    const file = folder.write('config', fakeKubeconfig({ a: 'https://one' }, { tokenFile }));
    const { connection, pass } = connect(file);
    const { agent } = await connection.credentials();
    pass(60_000);
    assert.equal((await connection.credentials()).agent, agent);
    folder.write('config', fakeKubeconfig({ a: 'https://one' }, { tokenFile }, { 'tls-server-name': 'other' }));
    pass(60_000);
    assert.notEqual((await connection.credentials()).agent, agent);
  });

  test('sends what impersonation and basic authentication need', async () => {
    const folder = tempFolder();
    const impersonating = connect(folder.write('a', fakeKubeconfig({ a: 'http://a' }, { as: 'viewer', token: 't' })));
    assert.equal((await impersonating.connection.credentials()).headers['Impersonate-User'], 'viewer');
    const basic = connect(folder.write('b', fakeKubeconfig({ a: 'http://a' }, { username: 'u', password: 'p' })));
    assert.equal((await basic.connection.credentials()).auth, 'u:p');
  });
});

describe('exec plugins', () => {
  test('run once for callers at the same time, and not again while their token is valid', async () => {
    const folder = tempFolder();
    const { user, runs } = plugin(folder, execCredential(SECRET, '2999-01-01T00:00:00Z'));
    const { connection, pass } = connect(folder.write('config', fakeKubeconfig({ a: 'http://a' }, { ...user })));
    const all = await Promise.all([connection.credentials(), connection.credentials(), connection.credentials()]);
    assert.deepEqual(all.map(authorization), Array(3).fill(`Bearer ${SECRET}`));
    pass(60_000);
    await connection.credentials();
    assert.equal(runs(), 1);
  });

  test('run again after a 401, though the token is valid still, but not for every loop that got one', async () => {
    const folder = tempFolder();
    const { user, runs } = plugin(folder, execCredential(SECRET, '2999-01-01T00:00:00Z'));
    const { connection, pass } = connect(folder.write('config', fakeKubeconfig({ a: 'http://a' }, { ...user })));
    const used = await connection.credentials();
    pass(10_000);
    await Promise.all([connection.refreshed(used), connection.refreshed(used)]);
    await connection.refreshed(used);
    assert.equal(runs(), 2);
    const again = await connection.credentials();
    await connection.refreshed(again);
    assert.equal(runs(), 2, 'not within 10 s of the last time');
    pass(10_000);
    await connection.refreshed(again);
    assert.equal(runs(), 3);
  });

  const failures: readonly [name: string, body: string, message: RegExp][] = [
    ['that fail say what they wrote to stderr', 'echo "not logged in" >&2; exit 1', /^exec plugin \S+plugin\.sh failed: not logged in$/],
    ['that print a token to stderr do not leak it', `echo "bad token: ${SECRET}" >&2; exit 1`, /^exec plugin \S+plugin\.sh failed: bad token/],
    ['that print no ExecCredential do not leak it', `echo 'token ${SECRET}'`, /^exec plugin \S+plugin\.sh failed: its output is not an ExecCredential$/],
  ];
  for (const [name, body, message] of failures) {
    test(name, async () => {
      const folder = tempFolder();
      const { user } = plugin(folder, body);
      const { connection } = connect(folder.write('config', fakeKubeconfig({ a: 'http://a' }, { ...user })));
      await assert.rejects(connection.credentials(), (error: unknown) => {
        assert.ok(error instanceof ClusterError && error.code === 'PODTRAIL_CLUSTER_REFUSED' && error.retriable);
        assert.match(error.message, message);
        assert.ok(!error.message.includes(SECRET));
        return true;
      });
    });
  }

  test('that are missing are named', async () => {
    const folder = tempFolder();
    const user = { exec: { apiVersion: 'client.authentication.k8s.io/v1', command: 'no-such-plugin' } };
    const { connection } = connect(folder.write('config', fakeKubeconfig({ a: 'http://a' }, user)));
    await assert.rejects(connection.credentials(), /^ClusterError: exec plugin no-such-plugin failed: ENOENT/);
  });

  test('that hang are given up on, are not started beside themselves, and count when they come back', async () => {
    const folder = tempFolder();
    const gate = join(folder.path, 'gate');
    const { user, runs } = plugin(
      folder,
      `while [ -d '${folder.path}' ] && [ ! -f '${gate}' ]; do sleep 0.02; done\n${execCredential(SECRET, '2999-01-01T00:00:00Z')}`,
    );
    const { connection } = connect(folder.write('config', fakeKubeconfig({ a: 'http://a' }, { ...user })), { pluginTimeoutMs: 50 });
    for (let attempt = 0; attempt < 3; attempt += 1) await assert.rejects(connection.credentials(), /plugin\.sh not ready within 50 ms$/);
    folder.write('gate', '');
    let token: unknown;
    for (let attempt = 0; attempt < 100 && token === undefined; attempt += 1) token = await connection.credentials().then(authorization, () => undefined);
    assert.equal(token, `Bearer ${SECRET}`);
    assert.equal(runs(), 1);
  });

  test('that hang when asked again after a 401 are not started beside themselves either', async () => {
    const folder = tempFolder();
    const asked = join(folder.path, 'asked');
    const hang = `[ -f '${asked}' ] && while [ -d '${folder.path}' ]; do sleep 0.02; done`;
    const { user, runs } = plugin(folder, `${hang}\ntouch '${asked}'\n${execCredential(SECRET, '2999-01-01T00:00:00Z')}`);
    const { connection, pass } = connect(folder.write('config', fakeKubeconfig({ a: 'http://a' }, { ...user })), { pluginTimeoutMs: 500 });
    const used = await connection.credentials();
    for (let attempt = 0; attempt < 2; attempt += 1) {
      pass(10_000);
      await assert.rejects(connection.refreshed(used), /not ready within 500 ms$/);
    }
    assert.equal(runs(), 2);
  });
});

describe('TLS', () => {
  const inline = (pem: string): string => Buffer.from(pem).toString('base64');
  async function getVersion(cluster: object) {
    const server = await startFakeApiServer({ tls: { cert: SERVER_CERTIFICATE, key: SERVER_KEY } });
    try {
      const folder = tempFolder();
      const { connection } = connect(folder.write('config', fakeKubeconfig({ a: server.url }, {}, { ...cluster })));
      const api = createApiClient(connection, { watchStallMs: 10_000 });
      const version = await api.get('/version', NEVER);
      connection.close();
      return version;
    } finally {
      await server.close();
    }
  }

  test('a server whose certificate the CA signed is trusted', async () => {
    assert.deepEqual(await getVersion({ 'certificate-authority-data': inline(TEST_CA) }), { ok: true, value: { gitVersion: 'v1.34.2' } });
  });

  test('another CA is refused, and the reason says so', async () => {
    const version = await getVersion({ 'certificate-authority-data': inline(OTHER_CA) });
    assert.ok(!version.ok && version.failure.kind === 'network');
    assert.match(version.failure.message, /certificate/i);
  });

  test('a server of another name is refused', async () => {
    const version = await getVersion({ 'certificate-authority-data': inline(TEST_CA), 'tls-server-name': 'elsewhere.example' });
    assert.ok(!version.ok);
    assert.match(version.failure.message, /ERR_TLS_CERT_ALTNAME_INVALID|altnames/);
  });

  test('verification can be switched off by the kubeconfig', async () => {
    assert.ok((await getVersion({ 'insecure-skip-tls-verify': true })).ok);
  });
});
