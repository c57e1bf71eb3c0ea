import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RawObject } from '../../helpers/driver.ts';
import { containerStatus, createDriver, rawPod } from '../../helpers/driver.ts';

const node: RawObject = {
  kind: 'Node',
  metadata: { name: 'n1', uid: 'uid-n1' },
  spec: {},
  status: { allocatable: { cpu: '1', memory: '1Gi', pods: '9' }, conditions: [{ type: 'Ready', status: 'True' }] },
};
const job = (name: string, failedAt?: string): RawObject => ({
  kind: 'Job',
  apiVersion: 'batch/v1',
  metadata: { name, namespace: 'shop', uid: `uid-${name}`, creationTimestamp: '2026-01-15T11:58:00Z' },
  spec: { template: { spec: { containers: [{ name: 'app', image: 'a:1' }] } } },
  status: {
    conditions: failedAt === undefined ? [] : [{ type: 'Failed', status: 'True', reason: 'BackoffLimitExceeded', lastTransitionTime: failedAt }],
  },
});
const crashing = (at: string, metadata: Record<string, unknown> = {}) => {
  const terminated = { exitCode: 3, reason: 'Error', startedAt: at, finishedAt: at };
  const status = containerStatus({ waiting: { reason: 'CrashLoopBackOff' } }, { lastState: { terminated }, restartCount: 3 });
  const ownerReferences = [{ apiVersion: 'batch/v1', kind: 'Job', name: 'work', uid: 'uid-work', controller: true }];
  return rawPod('work-x', status, { restartPolicy: 'OnFailure' }, { ownerReferences, ...metadata });
};
const begin = (jobs: readonly RawObject[], pods: readonly RawObject[]) => {
  const driver = createDriver();
  driver.begin({ nodes: [node], jobs, pods, events: [] });
  const told = () => driver.replay.incidents().map(({ cause, state, resolution, subject }) => [cause, state, resolution, `${subject.kind}/${subject.name}`]);
  return { driver, told };
};
const leaving = (at: string) => crashing('2026-01-15T11:59:30Z', { deletionTimestamp: at, deletionGracePeriodSeconds: 1 });

test('a Job that gave up and took its pods along stays failed until it is removed', () => {
  const { driver, told } = begin([job('work')], [crashing('2026-01-15T11:59:30Z')]);
  driver.advance(30);
  driver.change('MODIFIED', 'pods', leaving(driver.at(30)));
  driver.change('DELETED', 'pods', leaving(driver.at(30)));
  driver.change('MODIFIED', 'jobs', job('work', driver.at(30)));
  driver.advance(3_600);
  assert.deepEqual(told(), [['exit_immediate', 'open', null, 'Job/work']]);
  driver.change('DELETED', 'jobs', job('work', driver.at(30)));
  assert.deepEqual(told(), [['exit_immediate', 'resolved', 'deleted', 'Job/work']]);
});

test('in the other order too: the Job has failed, then its pod goes', () => {
  const { driver, told } = begin([job('work', '2026-01-15T11:59:50Z')], [crashing('2026-01-15T11:59:30Z')]);
  driver.advance(30);
  driver.change('DELETED', 'pods', leaving(driver.at(30)));
  driver.advance(3_600);
  assert.deepEqual(told(), [['exit_immediate', 'open', null, 'Job/work']]);
});

test('a failed Job of which nobody saw a pod is told without a cause; one that still runs is not', () => {
  const { driver, told } = begin([job('work', '2026-01-15T11:59:50Z'), job('other')], []);
  driver.advance(30);
  assert.deepEqual(told(), [['other', 'open', null, 'Job/work']]);
});
