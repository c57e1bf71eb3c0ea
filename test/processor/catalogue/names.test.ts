import assert from 'node:assert/strict';
import { test } from 'node:test';
import { namesOf } from '../../../processor/catalogue/advice.ts';

const subject = (kind: string, name: string, namespace = '') => ({ kind, namespace, name, container: '' });

test('a workload, its pod and its container', () => {
  const names = namesOf({ subject: { ...subject('Deployment', 'web', 'shop'), container: 'app' }, pod: { namespace: 'shop', name: 'web-1' } });
  assert.deepEqual(names, { namespace: 'shop', pod: 'web-1', container: 'app', workload: 'web', workloadKind: 'deployment', subject: 'web' });
});

test('what is no workload does not name one', () => {
  for (const kind of ['Node', 'Image', 'Registry', 'PersistentVolumeClaim', 'ResourceQuota']) {
    const names = namesOf({ subject: subject(kind, 'x') });
    assert.deepEqual([names.workload, names.workloadKind], [undefined, undefined], kind);
  }
});

test('a shared claim loses the namespace that -n gives', () => {
  assert.equal(namesOf({ subject: subject('StatefulSet', 'db', 'shop'), shared: { claim: 'shop/data' } }).claim, 'data');
  assert.equal(namesOf({ subject: subject('PersistentVolumeClaim', 'shop/data', 'shop') }).claim, 'data');
});
