/** Deployments and CronJobs whose ReplicaSet or Job the API server refuses: neither a pod nor its controller exists. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RawObject } from '../../helpers/driver.ts';
import { createDriver } from '../../helpers/driver.ts';

const denied = (what: string): string => `admission webhook "validate.kyverno.svc-fail" denied the request: ${what} has no team label`;

const deployment = (condition: object): RawObject => ({
  kind: 'Deployment',
  apiVersion: 'apps/v1',
  metadata: { name: 'web', namespace: 'shop', uid: 'd1', generation: 2 },
  spec: { replicas: 2 },
  status: {
    observedGeneration: 2,
    replicas: 2,
    readyReplicas: 2,
    conditions: [{ type: 'Progressing', lastTransitionTime: '2026-01-15T12:00:10Z', ...condition }],
  },
});
const progressing = deployment({ status: 'True', reason: 'NewReplicaSetAvailable' });
const refused = deployment({
  status: 'False',
  reason: 'ReplicaSetCreateError',
  message: `Failed to create new replica set "web-5d4c": ${denied('ReplicaSet')}`,
});
const cronJob: RawObject = {
  kind: 'CronJob',
  apiVersion: 'batch/v1',
  metadata: { name: 'report', namespace: 'shop', uid: 'c1' },
  spec: { schedule: '*/5 * * * *' },
  status: {},
};
const event = (uid: string, regarding: RawObject, reason: string, message: string, count: number, last: string): RawObject => ({
  kind: 'Event',
  apiVersion: 'v1',
  metadata: { name: uid, namespace: 'shop', uid },
  involvedObject: { kind: regarding.kind, apiVersion: regarding.apiVersion, namespace: 'shop', name: regarding.metadata.name, uid: regarding.metadata.uid },
  type: reason.startsWith('Successful') ? 'Normal' : 'Warning',
  reason,
  message,
  count,
  firstTimestamp: '2026-01-15T12:00:10Z',
  lastTimestamp: last,
});
const jobRefused = (count: number, last = '2026-01-15T12:00:40Z'): RawObject =>
  event('e1', cronJob, 'FailedCreate', `Error creating job: ${denied('Job')}`, count, last);

test('a Deployment that may not create its new ReplicaSet is an incident while its old pods run, until it may', () => {
  const driver = createDriver();
  driver.begin({ pods: [], events: [], nodes: [], replicasets: [], deployments: [progressing] });
  driver.advance(10);
  driver.change('MODIFIED', 'deployments', refused);
  driver.advance(55);
  assert.deepEqual(driver.replay.incidents(), []);
  driver.advance(15);
  const [incident] = driver.replay.incidents();
  assert.deepEqual([incident?.cause, incident?.subject.kind, incident?.subject.name, incident?.state], ['admission_denied', 'Deployment', 'web', 'open']);
  driver.change('MODIFIED', 'deployments', progressing);
  driver.advance(70);
  assert.equal(driver.replay.incidents()[0]?.state, 'resolved');
});

test('a CronJob that may not create its Job is one at the second refusal, until it may', () => {
  const driver = createDriver();
  driver.begin({ pods: [], events: [], nodes: [], cronjobs: [cronJob] });
  driver.advance(30);
  driver.change('ADDED', 'events', jobRefused(1));
  driver.advance(20);
  assert.deepEqual(driver.replay.incidents(), []);
  driver.change('MODIFIED', 'events', jobRefused(2));
  driver.advance(10);
  const [incident] = driver.replay.incidents();
  assert.deepEqual([incident?.cause, incident?.subject.kind, incident?.subject.name], ['admission_denied', 'CronJob', 'report']);
  driver.change('ADDED', 'events', event('e2', cronJob, 'SuccessfulCreate', 'Created job report-29', 1, '2026-01-15T12:01:00Z'));
  driver.advance(70);
  assert.equal(driver.replay.incidents()[0]?.state, 'resolved');
});
