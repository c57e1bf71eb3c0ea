import assert from 'node:assert/strict';
import { delimiter, join } from 'node:path';
import { describe, test } from 'node:test';
import { ClusterError } from '../../collector/errors.ts';
import { createKubeConfigSource } from '../../collector/kubeconfig.ts';
import { fakeKubeconfig } from '../helpers/fake-api-server.ts';
import { tempFolder } from '../helpers/temp-folder.ts';

describe('createKubeConfigSource', () => {
  const folder = tempFolder();
  const two = folder.write('two', fakeKubeconfig({ a: 'https://a:6443', b: 'https://b:6443' }, { token: 't' }));
  const source = createKubeConfigSource(join(folder.path, 'no-home'), join(folder.path, 'no-token'));

  test('selects the current context, or the one asked for', () => {
    assert.equal(source.context(two, undefined).server, 'https://a:6443');
    assert.equal(source.context(two, 'b').server, 'https://b:6443');
    assert.equal(source.context(two, 'b').user['token'], 't');
  });

  test('lists contexts with their servers', () => {
    const a = { name: 'a', server: 'https://a:6443' };
    assert.deepEqual(source.files(two), { contexts: [a, { name: 'b', server: 'https://b:6443' }], current: a, inCluster: false });
  });

  test('without files there are no contexts, and the service account counts only if it is there', () => {
    assert.deepEqual(source.files(undefined), { contexts: [], current: undefined, inCluster: false });
    const token = folder.write('token', 'x');
    assert.equal(createKubeConfigSource(join(folder.path, 'no-home'), token).files(undefined).inCluster, true);
  });

  test('a service account is the token, the CA beside it, and the server that the environment names', () => {
    const token = folder.write('account/token', 'x');
    const account = (env: NodeJS.ProcessEnv) => createKubeConfigSource(join(folder.path, 'no-home'), token, env).context(undefined, undefined);
    const { server, cluster, user } = account({ KUBERNETES_SERVICE_HOST: '10.0.0.1', KUBERNETES_SERVICE_PORT: '443' });
    assert.equal(server, 'https://10.0.0.1:443');
    assert.deepEqual(cluster, { server, 'certificate-authority': join(folder.path, 'account/ca.crt') });
    assert.deepEqual(user, { tokenFile: token });
    assert.equal(account({ KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '443' }).server, 'https://[fd00::1]:443');
    assert.throws(() => account({ KUBERNETES_SERVICE_HOST: '10.0.0.1' }), /no KUBERNETES_SERVICE_HOST and _PORT$/);
  });

  test('reads ~/.kube/config by default', () => {
    const home = tempFolder();
    const inHome = createKubeConfigSource(home.path, join(home.path, 'no-token'));
    assert.throws(() => inHome.context(undefined, undefined), /^ClusterError: no kubeconfig at ~\/\.kube\/config$/);
    home.write('.kube/config', fakeKubeconfig({ a: 'https://home' }));
    assert.equal(inHome.context(undefined, undefined).server, 'https://home');
  });

  test('merges several files: the first that names a thing wins, missing ones are skipped', () => {
    const first = folder.write('first', fakeKubeconfig({ b: 'https://first:1' }, { token: 'first' }));
    const paths = [first, join(folder.path, 'missing'), two].join(delimiter);
    assert.equal(source.context(paths, undefined).server, 'https://first:1');
    assert.equal(source.context(paths, 'a').server, 'https://a:6443');
    assert.equal(source.context(paths, 'a').user['token'], 'first');
  });

  test('relative paths belong to the folder of the file', () => {
    const file = folder.write(
      'paths',
      fakeKubeconfig({ a: 'https://a' }, { 'client-key': 'k.pem', tokenFile: 'token' }, { 'certificate-authority': 'pki/ca.pem' }),
    );
    const { cluster, user } = source.context(file, undefined);
    assert.equal(cluster['certificate-authority'], join(folder.path, 'pki/ca.pem'));
    assert.deepEqual(user, { 'client-key': join(folder.path, 'k.pem'), tokenFile: join(folder.path, 'token') });
  });

  test('the text changes with this context, not with others', () => {
    const file = folder.write('changing', fakeKubeconfig({ a: 'https://a', b: 'https://b' }));
    const before = source.context(file, 'a').text;
    folder.write('changing', fakeKubeconfig({ a: 'https://a', b: 'https://elsewhere' }));
    assert.equal(source.context(file, 'a').text, before);
    folder.write('changing', fakeKubeconfig({ a: 'https://elsewhere', b: 'https://b' }));
    assert.notEqual(source.context(file, 'a').text, before);
  });

  const broken: readonly [name: string, text: string, context: string | undefined, message: RegExp][] = [
    ['a context that is not there', fakeKubeconfig({ a: 'https://a' }), 'z', /^no context "z" in the kubeconfig$/],
    ['no current context', JSON.stringify({ clusters: [] }), undefined, /no current-context/],
    [
      'a context of no cluster',
      JSON.stringify({ 'current-context': 'a', contexts: [{ name: 'a', context: { cluster: 'gone' } }] }),
      undefined,
      /names no cluster/,
    ],
    ['a server that is no URL', fakeKubeconfig({ a: 'not a url' }), undefined, /is not a URL/],
    ['YAML that is none, without quoting it', 'token: [s3cret', undefined, /^kubeconfig \S+ is not valid YAML$/],
    ['a list instead of a document', '[1]', undefined, /no current-context/],
  ];
  for (const [name, text, context, message] of broken) {
    test(`refuses ${name}`, () => {
      const file = folder.write('broken', text);
      assert.throws(
        () => source.context(file, context),
        (error: unknown) => error instanceof ClusterError && error.code === 'PODTRAIL_CLUSTER_CONFIG' && error.retriable && message.test(error.message),
      );
    });
  }
});
