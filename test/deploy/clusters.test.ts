import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collectorConfig } from '../../collector/config.ts';
import { createKubeConfigSource } from '../../collector/kubeconfig.ts';
import { chooseClusters, chooseContext, describeAbsence } from '../../deploy/clusters.ts';
import { CommandError } from '../../deploy/errors.ts';
import { fakeKubeconfig } from '../helpers/fake-api-server.ts';
import { tempFolder } from '../helpers/temp-folder.ts';

const folder = tempFolder();
const kubeconfig = folder.write('kubeconfig', fakeKubeconfig({ dev: 'https://dev:6443', 'old one!': 'https://live:6443' }));
const noCurrent = folder.write('no-current', fakeKubeconfig({ dev: 'https://dev:6443' }).replace('"current-context":"dev"', '"current-context":""'));
/** No home, no service account. */
const bare = createKubeConfigSource(`${folder.path}/nobody`, `${folder.path}/no-token`);
const inPod = createKubeConfigSource(`${folder.path}/nobody`, folder.write('token', 't'));

const choose = (config: object, flags: readonly string[] = [], source = bare) => chooseClusters(collectorConfig.parse(config), flags, source);
const refuses = (says: RegExp, config: object, flags: readonly string[], source = bare) =>
  assert.throws(
    () => choose(config, flags, source),
    (error) => error instanceof CommandError && error.exitCode === 2 && says.test(error.message),
  );

const CASES: readonly {
  readonly name: string;
  readonly config: object;
  readonly flags?: readonly string[];
  readonly source?: typeof bare;
  readonly chosen: unknown;
}[] = [
  { name: 'nothing at all', config: {}, chosen: [] },
  { name: 'the current context', config: { kubeconfig }, chosen: [[{ name: 'dev', context: 'dev' }, 'dev (context dev at https://dev:6443)']] },
  { name: 'the service account of the pod', config: {}, source: inPod, chosen: [[{ name: 'in-cluster' }, 'in-cluster (the service account of this pod)']] },
  {
    name: 'what the configuration names',
    config: { kubeconfig, clusters: [{ name: 'a', context: 'dev', namespaces: ['x', 'y'] }, { name: 'b' }] },
    chosen: [
      [{ name: 'a', context: 'dev', namespaces: ['x', 'y'] }, 'a (context dev at https://dev:6443, namespaces x, y only)'],
      [{ name: 'b' }, 'b (context dev at https://dev:6443)'],
    ],
  },
  {
    name: 'a context by its name, made one of a cluster',
    config: { kubeconfig },
    flags: ['old one!'],
    chosen: [[{ name: 'old-one', context: 'old one!' }, 'old-one (context old one! at https://live:6443)']],
  },
  {
    name: 'a context under another name',
    config: { kubeconfig },
    flags: ['eu=old one!'],
    chosen: [[{ name: 'eu', context: 'old one!' }, 'eu (context old one! at https://live:6443)']],
  },
  {
    name: 'the current context under another name',
    config: { kubeconfig },
    flags: ['mine'],
    chosen: [[{ name: 'mine' }, 'mine (context dev at https://dev:6443)']],
  },
  {
    name: 'one of the configuration, with its settings',
    config: { kubeconfig, clusters: [{ name: 'a', context: 'dev', uid: 'u' }, { name: 'b' }] },
    flags: ['a'],
    chosen: [[{ name: 'a', context: 'dev', uid: 'u' }, 'a (context dev at https://dev:6443)']],
  },
  { name: 'the pod itself under a name', config: {}, flags: ['home'], source: inPod, chosen: [[{ name: 'home' }, 'home (the service account of this pod)']] },
];

for (const { name, config, flags, source, chosen } of CASES) {
  test(`chooses ${name}`, () => {
    assert.deepEqual(
      choose(config, flags, source).map((cluster) => [cluster.config, cluster.about]),
      chosen,
    );
  });
}

test('refuses contexts that there are not, and says which there are', () => {
  refuses(/cluster eu: there is no kube context nope; there are: dev, old one!/, { kubeconfig }, ['eu=nope']);
  refuses(/cluster eu: there is no kube context nope; there are: none/, {}, ['eu=nope'], inPod);
  refuses(/cluster eu: there is no current kube context; there are: dev/, { kubeconfig: noCurrent }, ['eu']);
});

test('refuses names that no cluster can have, and one name twice', () => {
  for (const flag of ['=dev', 'a=', 'a b', '-x']) refuses(/--cluster/, { kubeconfig }, [flag]);
  refuses(/two clusters have the same name/, { kubeconfig }, ['a=dev', 'a=old one!']);
});

test('says why there is no context to take', () => {
  const absence = (config: object) => describeAbsence(collectorConfig.parse(config), bare);
  assert.equal(absence({}), 'no kube context is configured (~/.kube/config has none)');
  assert.equal(absence({ kubeconfig: '/nowhere' }), 'no kube context is configured (/nowhere has none)');
  assert.equal(absence({ kubeconfig: noCurrent }), 'no kube context is current (there are dev: choose with --cluster)');
});

test('a context alone is a cluster, whatever it is called', () => {
  const config = collectorConfig.parse({ kubeconfig });
  assert.deepEqual(chooseContext(config, 'old one!', bare), {
    config: { name: 'old-one', context: 'old one!' },
    about: 'old-one (context old one! at https://live:6443)',
  });
  assert.throws(
    () => chooseContext(config, 'none', bare),
    (error) => error instanceof CommandError && error.exitCode === 2 && error.message === 'there is no kube context none; there are: dev, old one!',
  );
});
