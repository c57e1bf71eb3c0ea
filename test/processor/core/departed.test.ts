/** Events about a pod's end may come after the pod is gone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Driver, RawObject } from '../../helpers/driver.ts';
import { containerStatus, createDriver, rawPod } from '../../helpers/driver.ts';

const node: RawObject = {
  kind: 'Node',
  metadata: { name: 'n1', uid: 'uid-n1', creationTimestamp: '2026-01-01T00:00:00Z' },
  spec: {},
  status: { allocatable: { cpu: '4', memory: '4Gi', pods: '9' }, conditions: [{ type: 'Ready', status: 'True' }] },
};
const running = containerStatus({ running: { startedAt: '2026-01-15T11:59:01Z' } }, { ready: true, started: true });
const hooked = { containers: [{ name: 'app', image: 'a:1', lifecycle: { preStop: { exec: { command: ['true'] } } } }] };
const leaving = (at: string): RawObject => rawPod('web', running, hooked, { deletionTimestamp: at, deletionGracePeriodSeconds: 30 });

const event = (name: string, reason: string, message: string, time: string): RawObject => ({
  kind: 'Event',
  apiVersion: 'v1',
  metadata: { name, namespace: 'shop', uid: `uid-${name}` },
  involvedObject: { kind: 'Pod', apiVersion: 'v1', namespace: 'shop', name: 'web', uid: 'uid-web', fieldPath: 'spec.containers{app}' },
  type: 'Warning',
  reason,
  message,
  count: 1,
  firstTimestamp: time,
  lastTimestamp: time,
});
const hookFailed = (name: string, time: string): RawObject => event(name, 'FailedPreStopHook', 'PreStopHook failed', time);

/** A pod that is asked to end at second 30 and is gone at `goneAt`. */
function endPod(goneAt: number): Driver {
  const driver = createDriver();
  driver.begin({ nodes: [node], pods: [rawPod('web', running, hooked)], events: [] });
  driver.advance(30);
  driver.change('MODIFIED', 'pods', leaving(driver.at(60)));
  driver.advance(goneAt - 30);
  driver.change('DELETED', 'pods', leaving(driver.at(60)));
  return driver;
}

const told = (driver: Driver) => driver.replay.incidents().map(({ scenario, state, resolution }) => [scenario, state, resolution]);

test('what a late Event says of the end of a pod is told once, however many Events say it', () => {
  const driver = endPod(62);
  assert.deepEqual(told(driver), []);
  driver.change('ADDED', 'events', hookFailed('e1', driver.at(61)));
  const [first] = driver.replay.incidents();
  driver.advance(5);
  driver.change('ADDED', 'events', event('e2', 'FailedKillPod', 'error killing pod', driver.at(61)));
  assert.deepEqual(told(driver), [['lifecycle_hook_failure', 'resolved', 'deleted']]);
  assert.equal(driver.replay.incidents()[0]?.openedTime, first?.openedTime);
});

test('a pod that is gone is stuck no more, whatever Events come late', () => {
  const driver = endPod(100);
  driver.advance(115);
  driver.change('ADDED', 'events', event('e1', 'FailedKillPod', 'error killing pod: failed to "KillContainer"', driver.at(99)));
  assert.deepEqual(told(driver), []);
});
