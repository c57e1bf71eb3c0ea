import assert from 'node:assert/strict';
import type https from 'node:https';
import { describe, test } from 'node:test';
import { KubeConfig } from '@kubernetes/client-node';
import fc from 'fast-check';
import { createAuthentication } from '../../collector/authentication.ts';
import { createKubeConfigSource, type Fields } from '../../collector/kubeconfig.ts';
import { fakeKubeconfig } from '../helpers/fake-api-server.ts';
import { tempFolder } from '../helpers/temp-folder.ts';

const folder = tempFolder();
const file = folder.write('file', 'content of a file');
const source = createKubeConfigSource(folder.path, `${folder.path}/no-token`);

function contextOf(user: Fields, cluster: Fields = {}) {
  return source.context(folder.write('config', fakeKubeconfig({ a: 'https://a:6443' }, user, cluster)), undefined);
}
const apply = (user: Fields, cluster: Fields = {}): Promise<https.RequestOptions> => createAuthentication(contextOf(user, cluster), 5_000).apply();

/** What says something: client-node makes an agent of its own. */
function comparable({ agent, headers, ...request }: https.RequestOptions): object {
  return { ...request, headers: { ...headers } };
}

describe('createAuthentication', () => {
  const text = fc.oneof(fc.constantFrom('', 'a'), fc.string());
  const data = fc.oneof(fc.constant(''), fc.base64String());
  const user = fc.record(
    {
      'client-certificate': fc.constantFrom('', file),
      'client-certificate-data': data,
      'client-key': fc.constantFrom('', file),
      'client-key-data': data,
      token: text,
      username: text,
      password: text,
      as: text,
    },
    { requiredKeys: [] },
  );
  const cluster = fc.record(
    {
      'certificate-authority': fc.constantFrom('', file),
      'certificate-authority-data': data,
      'tls-server-name': text,
      'insecure-skip-tls-verify': fc.boolean(),
    },
    { requiredKeys: [] },
  );

  test('says of certificates, tokens and passwords what client-node says', async () => {
    await fc.assert(
      fc.asyncProperty(user, cluster, async (someUser, someCluster) => {
        const context = contextOf(someUser, someCluster);
        const request: https.RequestOptions = {};
        const config = new KubeConfig();
        config.loadFromString(context.text);
        await config.applyToHTTPSOptions(request);
        // It writes a password that is not there as `undefined`.
        if ('username' in someUser && !('password' in someUser) && request.auth !== undefined) request.auth = `${someUser.username}:`;
        assert.deepEqual(comparable(await createAuthentication(context, 5_000).apply()), comparable(request));
      }),
      { numRuns: 300 },
    );
  });

  test('a token file goes before a token, and is read each time', async () => {
    const tokenFile = folder.write('token', 'first');
    const authentication = createAuthentication(contextOf({ tokenFile, token: 'other' }), 5_000);
    assert.deepEqual((await authentication.apply()).headers, { Authorization: 'Bearer first' });
    folder.write('token', 'second');
    assert.deepEqual((await authentication.apply()).headers, { Authorization: 'Bearer second' });
  });

  test('leaves providers and proxies to client-node, a token file with them', async () => {
    const provider = { 'auth-provider': { name: 'gcp', config: { 'access-token': 'of-provider', expiry: '2999-01-01T00:00:00Z' } } };
    assert.deepEqual((await apply(provider)).headers, { Authorization: 'Bearer of-provider' });
    const tokenFile = folder.write('token', 'of-file');
    const proxied = await apply({ tokenFile, token: 'other' }, { 'proxy-url': 'http://proxy.example:3128' });
    assert.deepEqual(proxied.headers, { Authorization: 'Bearer of-file' });
    assert.equal(proxied.agent?.constructor.name, 'HttpsProxyAgent');
  });

  const refused: readonly [name: string, user: Fields, cluster: Fields, message: RegExp][] = [
    ['a file that is not there', { 'client-key': `${folder.path}/gone` }, {}, /^ClusterError: credentials failed: ENOENT/],
    ['a token that is no text', { token: 5, 'client-key': `${folder.path}/gone` }, {}, /^ClusterError: credentials failed: ENOENT/],
    ['a plugin without a command', { exec: {} }, {}, /^ClusterError: credentials failed: No command/],
    ['a plugin that is none', { exec: 'aws' }, {}, /^ClusterError: credentials failed: No command/],
  ];
  for (const [name, someUser, someCluster, message] of refused) {
    test(`refuses ${name}`, () => assert.rejects(apply(someUser, someCluster), message));
  }
});
