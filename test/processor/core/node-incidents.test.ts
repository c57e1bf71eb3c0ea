import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RawObject } from '../../helpers/driver.ts';
import { containerStatus, createDriver, rawPod } from '../../helpers/driver.ts';

const node = (status: 'True' | 'Unknown', since: string): RawObject => ({
  kind: 'Node',
  metadata: { name: 'n1', uid: 'uid-n1', creationTimestamp: '2026-01-01T00:00:00Z' },
  spec: {},
  status: {
    allocatable: { cpu: '1', memory: '1Gi', pods: '9' },
    conditions: [{ type: 'Ready', status, lastTransitionTime: since, message: status === 'True' ? '' : 'Kubelet stopped posting node status.' }],
  },
});
const spec = { containers: [{ name: 'app', image: 'a:1', readinessProbe: { exec: { command: ['true'] }, periodSeconds: 1, failureThreshold: 1 } }] };
const crashing = (at: string) => {
  const terminated = { exitCode: 3, reason: 'Error', startedAt: at, finishedAt: at };
  return rawPod('old', containerStatus({ waiting: { reason: 'CrashLoopBackOff' } }, { lastState: { terminated }, restartCount: 5 }), spec);
};
const web = (ready: boolean, since: string) =>
  rawPod(
    'web',
    {
      ...containerStatus({ running: { startedAt: '2026-01-15T11:00:00Z' } }, { ready, started: true }),
      conditions: ['Ready', 'ContainersReady'].map((type) => ({ type, status: ready ? 'True' : 'False', lastTransitionTime: since })),
    },
    spec,
  );

test('a lost node takes over what began with it, and leaves an incident from long before as it is', () => {
  const driver = createDriver();
  driver.begin({ nodes: [node('True', driver.at(-9_000))], pods: [crashing(driver.at(-1)), web(true, driver.at(-60))], events: [] });
  driver.advance(600);
  driver.change('MODIFIED', 'pods', web(false, driver.at(600)));
  driver.advance(40);
  const before = driver.replay.incidents();
  assert.deepEqual(
    before.map(({ scenario, state }) => [scenario, state]),
    [
      ['container_exit', 'open'],
      ['readiness_probe_failure', 'open'],
    ],
  );
  driver.change('MODIFIED', 'nodes', node('Unknown', driver.at(640)));
  // Longer than any probation and recovery: nobody reports, so nothing recovers.
  driver.advance(3_600);
  const told = () => driver.replay.incidents().map(({ scenario, subject, state, resolution }) => [scenario, subject.name, state, resolution]);
  assert.deepEqual(told(), [
    ['container_exit', 'old', 'open', null],
    ['readiness_probe_failure', 'web', 'resolved', 'superseded'],
    ['node_lost', 'n1', 'open', null],
  ]);
  driver.change('MODIFIED', 'nodes', node('True', driver.at(4_240)));
  driver.change('MODIFIED', 'pods', web(true, driver.at(4_240)));
  driver.advance(120);
  assert.deepEqual(told(), [
    ['container_exit', 'old', 'open', null],
    ['readiness_probe_failure', 'web', 'resolved', 'superseded'],
    ['node_lost', 'n1', 'resolved', 'recovered'],
  ]);
});

test('a crash loop that looks like Running when its node is lost does not recover there', () => {
  const driver = createDriver();
  const running = (at: string) => {
    const terminated = { exitCode: 3, reason: 'Error', startedAt: driver.at(-30), finishedAt: at };
    return rawPod('old', containerStatus({ running: { startedAt: at } }, { lastState: { terminated }, restartCount: 6 }), spec);
  };
  driver.begin({ nodes: [node('True', driver.at(-9_000))], pods: [crashing(driver.at(-1))], events: [] });
  driver.advance(600);
  driver.change('MODIFIED', 'pods', running(driver.at(600)));
  driver.change('MODIFIED', 'nodes', node('Unknown', driver.at(600)));
  driver.advance(3_600);
  assert.equal(driver.replay.incidents().find(({ scenario }) => scenario === 'container_exit')?.state, 'open');
});

test('a lost node stays lost when its pods were moved away; an empty one opens nothing', () => {
  const driver = createDriver();
  driver.begin({ nodes: [node('True', driver.at(-9_000))], pods: [web(true, driver.at(-60))], events: [] });
  driver.advance(60);
  driver.change('MODIFIED', 'nodes', node('Unknown', driver.at(60)));
  driver.advance(10);
  driver.change('DELETED', 'pods', web(true, driver.at(-60)));
  driver.advance(600);
  const told = () => driver.replay.incidents().map(({ scenario, state, resolution }) => [scenario, state, resolution]);
  assert.deepEqual(told(), [['node_lost', 'open', null]]);
  assert.equal(driver.replay.incidents()[0]?.suspectedChange, null, 'that it was lost is what happened, not why');
  driver.change('MODIFIED', 'nodes', node('True', driver.at(670)));
  driver.advance(120);
  assert.deepEqual(told(), [['node_lost', 'resolved', 'recovered']]);
  driver.change('MODIFIED', 'nodes', node('Unknown', driver.at(790)));
  driver.advance(600);
  assert.equal(told().length, 1);
});

test('a pod that was over before its node was lost stays what it was', () => {
  const driver = createDriver();
  const terminated = { exitCode: 4, reason: 'Error', startedAt: driver.at(20), finishedAt: driver.at(30) };
  const over = rawPod('job-1', { ...containerStatus({ terminated }), phase: 'Failed' }, { restartPolicy: 'Never' });
  driver.begin({ nodes: [node('True', driver.at(-9_000))], pods: [web(true, driver.at(-60))], events: [] });
  driver.advance(30);
  driver.change('ADDED', 'pods', over);
  driver.advance(30);
  driver.change('MODIFIED', 'nodes', node('Unknown', driver.at(60)));
  driver.advance(60);
  assert.deepEqual(
    driver.replay.incidents().map(({ scenario, state }) => [scenario, state]),
    [
      ['container_exit', 'open'],
      ['node_lost', 'open'],
    ],
  );
});

test('what still fails when the node is back speaks for itself once the node has been well for a while', () => {
  const driver = createDriver();
  driver.begin({ nodes: [node('True', driver.at(-9_000))], pods: [web(true, driver.at(-60))], events: [] });
  driver.advance(600);
  driver.change('MODIFIED', 'nodes', node('Unknown', driver.at(600)));
  driver.change('MODIFIED', 'pods', web(false, driver.at(600)));
  driver.advance(300);
  driver.change('MODIFIED', 'nodes', node('True', driver.at(900)));
  driver.advance(55);
  const told = () => driver.replay.incidents().map(({ scenario, state }) => [scenario, state]);
  assert.deepEqual(told(), [['node_lost', 'recovering']]);
  driver.advance(10);
  assert.deepEqual(told(), [
    ['node_lost', 'resolved'],
    ['readiness_probe_failure', 'open'],
  ]);
});

test('what fails on for the same reason when the node is back is another incident, with an id of its own', () => {
  const driver = createDriver();
  driver.begin({ nodes: [node('True', driver.at(-9_000))], pods: [web(true, driver.at(-60))], events: [] });
  driver.advance(600);
  const failing = web(false, driver.at(600));
  driver.change('MODIFIED', 'pods', failing);
  driver.advance(40);
  driver.change('MODIFIED', 'nodes', node('Unknown', driver.at(640)));
  driver.advance(300);
  driver.change('MODIFIED', 'nodes', node('True', driver.at(940)));
  driver.advance(120);
  const incidents = driver.replay.incidents();
  assert.deepEqual(
    incidents.map(({ scenario, state, resolution }) => [scenario, state, resolution]),
    [
      ['readiness_probe_failure', 'resolved', 'superseded'],
      ['node_lost', 'resolved', 'recovered'],
      ['readiness_probe_failure', 'open', null],
    ],
  );
  assert.equal(new Set(incidents.map(({ id }) => id)).size, 3);
});
