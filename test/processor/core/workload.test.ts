import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RawObject } from '../../helpers/driver.ts';
import { containerStatus, createDriver, rawPod } from '../../helpers/driver.ts';

const terminated = { exitCode: 3, reason: 'Error', startedAt: '2026-01-15T11:59:30Z', finishedAt: '2026-01-15T11:59:31Z' };
const crashing = containerStatus({ waiting: { reason: 'CrashLoopBackOff' } }, { lastState: { terminated }, restartCount: 4 });
const owner = (apiVersion: string, kind: string, name: string) => ({ ownerReferences: [{ apiVersion, kind, name, uid: `uid-${name}`, controller: true }] });
const set = (metadata: Record<string, unknown>): RawObject => ({
  kind: 'ReplicaSet',
  apiVersion: 'apps/v1',
  metadata: { name: 'shop-6c9', namespace: 'shop', uid: 'uid-shop-6c9', ...metadata },
  spec: {},
  status: {},
});

const cases: readonly (readonly [name: string, sets: readonly RawObject[], pod: Record<string, unknown>, subject: string])[] = [
  ['an Argo Rollout above a ReplicaSet', [set(owner('argoproj.io/v1alpha1', 'Rollout', 'shop'))], owner('apps/v1', 'ReplicaSet', 'shop-6c9'), 'Rollout/shop'],
  ['a CloneSet that owns pods itself', [], owner('apps.kruise.io/v1alpha1', 'CloneSet', 'cart'), 'CloneSet/cart'],
  ["an operator's own kind", [], owner('kafka.strimzi.io/v1', 'StrimziPodSet', 'broker'), 'StrimziPodSet/broker'],
  ["a Job of Volcano's", [], owner('batch.volcano.sh/v1alpha1', 'Job', 'train'), 'Job.batch.volcano.sh/train'],
  ['a ReplicaSet of nobody', [set({})], owner('apps/v1', 'ReplicaSet', 'shop-6c9'), 'ReplicaSet/shop-6c9'],
  ['a bare pod', [], {}, 'Pod/a'],
  ['a static pod, which its Node only mirrors', [], owner('v1', 'Node', 'n1'), 'Pod/a'],
];
for (const [name, replicasets, metadata, subject] of cases) {
  test(`the subject is ${name}`, () => {
    const driver = createDriver();
    driver.begin({
      replicasets,
      pods: [rawPod('a', crashing, {}, metadata), rawPod('b', crashing, {}, subject === 'Pod/a' ? { ownerReferences: [] } : metadata)],
      events: [],
    });
    driver.advance(10);
    const subjects = driver.replay.incidents().map((incident) => `${incident.subject.kind}/${incident.subject.name}`);
    assert.deepEqual(
      subjects.filter((each) => each !== 'Pod/b'),
      [subject],
    );
    driver.list('replicasets', []);
    driver.change('MODIFIED', 'pods', rawPod('a', crashing, { terminationGracePeriodSeconds: 1 }, metadata));
    driver.advance(10);
    assert.equal(driver.replay.incidents().length, subjects.length, 'its last words open nothing else when the ReplicaSet is gone first');
  });
}
