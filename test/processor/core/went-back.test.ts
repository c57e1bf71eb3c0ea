import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createClusterState } from '../../../processor/core/state.ts';
import type { Driver } from '../../helpers/driver.ts';
import { containerStatus, createDriver, rawPod } from '../../helpers/driver.ts';

const podsOf = (driver: Driver): Record<string, string> =>
  Object.fromEntries(
    [...driver.replay.state('cluster-uid')!.tables.objects.pods.values()].map(({ object }) => [
      object.metadata.name,
      (object as { status: { phase?: string } }).status.phase ?? '',
    ]),
  );
const changesOf = (driver: Driver): string[] => driver.replay.rows('pod_changes').map(({ change, name, phase }) => `${change} ${name} ${phase}`);
const blindnessOf = (driver: Driver): unknown => {
  const row = driver.replay.rows('coverage').findLast(({ resource }) => resource === 'pods');
  return row === undefined ? undefined : [row.reason, row.toTimeMs - row.fromTimeMs];
};

/** A cluster in which, since a backup at version 1002, `kept` has failed, `deleted` has gone and `made` has come. */
function beforeTheRestore(run = 'run-1'): Driver {
  const driver = createDriver({ run });
  driver.begin({ pods: [rawPod('kept'), rawPod('deleted')] });
  driver.advance(5);
  driver.goBack(5_000);
  driver.change('MODIFIED', 'pods', rawPod('kept', { phase: 'Failed' }));
  driver.change('DELETED', 'pods', rawPod('deleted'));
  driver.change('ADDED', 'pods', rawPod('made'));
  driver.advance(5);
  return driver;
}

test('a list of a lower version than its own run has seen is of a restored cluster: the tables go back with it, and its changes count', () => {
  const driver = beforeTheRestore();
  driver.drop('pods', 'restored');
  driver.advance(10);
  driver.goBack(1_002);
  driver.list('pods', [rawPod('kept', {}, {}, { resourceVersion: '1001' }), rawPod('deleted', {}, {}, { resourceVersion: '1002' })]);
  assert.deepEqual(podsOf(driver), { kept: 'Running', deleted: 'Running' });
  assert.deepEqual(changesOf(driver).slice(-3), ['LISTED kept Running', 'LISTED deleted Running', 'VANISHED made Running']);
  assert.deepEqual(blindnessOf(driver), ['restored', 10_000]);
  driver.change('MODIFIED', 'pods', rawPod('kept', { phase: 'Succeeded' }));
  driver.change('DELETED', 'pods', rawPod('deleted'));
  assert.deepEqual(podsOf(driver), { kept: 'Succeeded' });
});

test('a pod that a backup brings back long after it was forgotten opens an incident of its own, not the one of before once more', () => {
  const driver = createDriver();
  const failing = (more: Record<string, unknown> = {}) =>
    rawPod('web', containerStatus({ waiting: { reason: 'ErrImageNeverPull', message: 'not present' } }), {}, more);
  driver.begin({ pods: [failing()] });
  driver.goBack(5_000);
  driver.advance(30);
  driver.change('DELETED', 'pods', failing({ deletionTimestamp: driver.at(30) }));
  driver.advance(600);
  driver.drop('pods', 'restored');
  driver.goBack(1_002);
  driver.list('pods', [failing({ resourceVersion: '1001' })]);
  driver.advance(60);
  const incidents = driver.replay.incidents();
  assert.deepEqual(
    incidents.map(({ scenario, state }) => `${scenario} ${state}`),
    ['image_pull_failure resolved', 'image_pull_failure open'],
  );
  assert.equal(new Set(incidents.map(({ id }) => id)).size, 2);
});

test('so is one of another run that was asked for long after the higher version had come', () => {
  const before = beforeTheRestore();
  const after = createDriver({ run: 'run-2', replay: before.replay, startRv: 1_002 });
  after.silence(60);
  after.begin({ pods: [rawPod('kept', {}, {}, { resourceVersion: '1001' })] });
  assert.deepEqual(podsOf(after), { kept: 'Running' });
  after.change('ADDED', 'pods', rawPod('new'));
  assert.deepEqual(podsOf(after), { kept: 'Running', new: 'Running' });
});

test('so is one of another run that was asked for at once, when the last one ended because the server was behind it', () => {
  const first = beforeTheRestore();
  first.drop('pods', 'restored');
  const second = createDriver({ run: 'run-2', replay: first.replay });
  second.silence(12);
  second.goBack(1_002);
  second.begin({ pods: [rawPod('kept', {}, {}, { resourceVersion: '1001' })] });
  assert.deepEqual(podsOf(second), { kept: 'Running' });
});

test('so is one when the higher version came after a hole, so that nothing was complete up to it', () => {
  for (const [run, resources] of [
    ['run-1', ['nodes', 'pods']],
    ['run-2', ['pods']],
  ] as const) {
    const whole = beforeTheRestore();
    const left = whole.records.slice(whole.records.findIndex((record) => record.type === 'MODIFIED')); // the log has lost the rest
    const driver = createDriver({ run, startRv: 1_002 });
    for (const record of left) driver.push(record);
    driver.silence(45);
    // Its heartbeats went on: that it lived is not that it saw.
    const last = left.findLast((record) => record.type === 'HEARTBEAT')!;
    driver.push({ ...last, t: last.t + 25_000 } as typeof last);
    assert.deepEqual(podsOf(driver), { kept: 'Failed', made: 'Running' });
    for (const resource of resources) driver.list(resource, resource === 'pods' ? [rawPod('kept', {}, {}, { resourceVersion: '1001' })] : []);
    assert.deepEqual(podsOf(driver), { kept: 'Running' }, run);
    driver.change('ADDED', 'pods', rawPod('new'));
    assert.deepEqual(podsOf(driver), { kept: 'Running', new: 'Running' }, run);
  }
});

test('one of another run that was asked for about then is only late, and changes nothing', () => {
  const first = beforeTheRestore();
  const second = createDriver({ run: 'run-2', replay: first.replay, startRv: 1_002 });
  second.silence(20);
  second.begin({ pods: [rawPod('kept', {}, {}, { resourceVersion: '1001' }), rawPod('deleted', {}, {}, { resourceVersion: '1002' })] });
  assert.deepEqual(podsOf(first), { kept: 'Failed', made: 'Running' });
});

test('a second collector that still speaks of the time before is not heard until it lists again, and then goes on with the first', () => {
  const first = beforeTheRestore();
  const second = createDriver({ run: 'run-2', replay: first.replay, startRv: 5_003 });
  second.silence(10);
  const seen = [rawPod('kept', { phase: 'Failed' }), rawPod('made')];
  second.begin({ pods: seen });
  first.drop('pods', 'restored');
  first.advance(10);
  first.goBack(1_002);
  first.list('pods', [rawPod('kept', {}, {}, { resourceVersion: '1001' })]);
  second.silence(10);
  second.change('MODIFIED', 'pods', rawPod('kept', { phase: 'Unknown' }));
  assert.deepEqual(podsOf(first), { kept: 'Running' }, 'a version of the time before');
  first.change('ADDED', 'pods', rawPod('new'));
  second.goBack(1_003);
  second.list('pods', [rawPod('kept', {}, {}, { resourceVersion: '1001' })]);
  assert.deepEqual(podsOf(first), { kept: 'Running', new: 'Running' }, 'a list that is behind the first collector, but of the same life');
});

test('a cluster that went back, and has come past its versions before anybody looked, is put right by the next list', () => {
  const driver = beforeTheRestore();
  driver.drop('pods');
  driver.goBack(6_000);
  driver.list('pods', [rawPod('kept', {}, {}, { resourceVersion: '1001' }), rawPod('deleted', {}, {}, { resourceVersion: '1002' })]);
  assert.deepEqual(podsOf(driver), { kept: 'Running', deleted: 'Running' });
});

test('an object whose last change was lost with older records is put right by the next whole list, though its version is known', () => {
  const driver = createDriver();
  driver.begin({ pods: [rawPod('kept')] });
  driver.goBack(2_000);
  driver.list('pods', [rawPod('kept', {}, {}, { resourceVersion: '2001' })]); // abbreviated, as if the run had sent a change to Failed before
  const other = createDriver({ run: 'run-2', replay: driver.replay, startRv: 2_010 });
  other.silence(20);
  other.begin({ pods: [rawPod('kept', { phase: 'Failed' }, {}, { resourceVersion: '2001' })] });
  assert.deepEqual(podsOf(driver), { kept: 'Failed' });
});

test('a checkpoint of a release that did not note when a version had come is read', () => {
  const { meta, tables } = createClusterState({ uid: 'u', name: 'n' }, 1);
  const { completeAtMs: _, ...older } = meta;
  assert.deepEqual(createClusterState({ uid: 'u', name: 'n' }, 1, { meta: older as typeof meta, tables }).meta.completeAtMs, {});
});
