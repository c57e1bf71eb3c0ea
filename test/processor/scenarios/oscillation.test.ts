/** Rules and engine together over hours of stream time: Running between two ends of a container is no recovery (design D8). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Driver } from '../../helpers/driver.ts';
import { containerStatus, createDriver, rawPod } from '../../helpers/driver.ts';

const SPEC = {
  containers: [{ name: 'app', image: 'registry.example/app:1', livenessProbe: { exec: { command: ['check'] }, periodSeconds: 10, failureThreshold: 3 } }],
};

/** A container that a liveness probe kills after each run; keeps its restarts and the Events of its kills. */
function createVictim(driver: Driver) {
  let restartCount = 0;
  let kills = 0;
  let last = {};
  let startedAt = '';
  const show = (state: Record<string, unknown>): void =>
    driver.change('MODIFIED', 'pods', rawPod('web', containerStatus(state, { restartCount, lastState: last }), SPEC));
  return {
    start(): void {
      startedAt = driver.at(driver.now());
      show({ running: { startedAt } });
    },
    kill(): void {
      kills += 1;
      const note = 'Container app failed liveness probe, will be restarted';
      const times = { firstTimestamp: driver.at(driver.now()), lastTimestamp: driver.at(driver.now()) };
      const regarding = { kind: 'Pod', namespace: 'shop', name: 'web', uid: 'uid-web', fieldPath: 'spec.containers{app}' };
      driver.change('ADDED', 'events', {
        kind: 'Event',
        metadata: { name: `web.${kills}`, namespace: 'shop', uid: `kill-${kills}` },
        involvedObject: regarding,
        ...{ reason: 'Killing', type: 'Normal', message: note, count: 1, source: { component: 'kubelet' }, ...times },
      });
      last = { terminated: { exitCode: 137, reason: 'Error', startedAt, finishedAt: driver.at(driver.now()) } };
    },
    backOff(): void {
      show({ waiting: { reason: 'CrashLoopBackOff', message: 'back-off restarting failed container' } });
    },
    restart(): void {
      restartCount += 1;
      this.start();
    },
  };
}

function begin(): Driver {
  const driver = createDriver();
  driver.begin({ pods: [rawPod('web', containerStatus({ waiting: { reason: 'ContainerCreating' } }), SPEC)], events: [] });
  return driver;
}
const told = (driver: Driver) =>
  driver.replay.incidents().map(({ scenario, cause, flags, state, resolution, flaps }) => ({ scenario, cause, flags, state, resolution, flaps }));

test('CrashLoopBackOff with Running in between is one open incident, and recovers after ten minutes of one run', () => {
  const driver = begin();
  const victim = createVictim(driver);
  victim.start();
  for (const pause of [0, 10, 20, 40, 80, 160, 300]) {
    driver.advance(35);
    victim.kill();
    if (pause > 0) victim.backOff();
    driver.advance(pause);
    victim.restart();
  }
  const open = { scenario: 'liveness_probe_failure', cause: 'probe_exec', flags: ['oscillating'], state: 'open', resolution: null, flaps: 0 };
  driver.advance(60);
  assert.deepEqual(told(driver), [open]);
  driver.advance(30);
  assert.deepEqual(told(driver), [{ ...open, state: 'recovering' }]);
  driver.advance(505);
  assert.deepEqual(told(driver), [{ ...open, state: 'recovering' }]);
  driver.advance(10);
  assert.deepEqual(told(driver), [{ ...open, state: 'resolved', resolution: 'recovered' }]);
});

test('a container that is killed every twelve minutes is one open incident from the third time on', () => {
  const driver = begin();
  const victim = createVictim(driver);
  victim.start();
  for (let turn = 0; turn < 8; turn++) {
    driver.advance(720);
    victim.kill();
    victim.restart();
    driver.advance(5);
    assert.equal(told(driver).length, turn < 2 ? 0 : 1, `after ${turn + 1} kills`);
  }
  assert.deepEqual(told(driver), [
    { scenario: 'liveness_probe_failure', cause: 'probe_exec', flags: ['oscillating'], state: 'open', resolution: null, flaps: 0 },
  ]);
});

test('two kills in ten minutes, and one a day, are none', () => {
  const driver = begin();
  const victim = createVictim(driver);
  victim.start();
  for (const run of [100, 400, 20_000, 20_000]) {
    driver.advance(run);
    victim.kill();
    victim.restart();
  }
  driver.advance(30);
  assert.deepEqual(told(driver), []);
});
