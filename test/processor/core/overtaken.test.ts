import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ChangeRecord } from '../../../collector/change-record.ts';
import { createReplay } from '../../../processor/replay.ts';
import { createDriver, rawPod, START_MS } from '../../helpers/driver.ts';

/** Rows of a pod as those who read them order them: change, version, and seconds after the start. */
function storyOf(driver: ReturnType<typeof createDriver>, name: string): (string | number)[][] {
  const rows = driver.replay.rows('pod_changes').filter((row) => row.name === name);
  return rows.sort((a, b) => a.observedTimeMs - b.observedTimeMs).map((row) => [row.change, row.resourceVersion, (row.observedTimeMs - START_MS) / 1_000]);
}

/** A collector at version 1003, and another whose list of ten seconds later is at 1022; the first one has not brought what was between. */
function createOvertaken() {
  const slow = createDriver();
  slow.begin({ pods: [rawPod('a'), rawPod('gone')] });
  const fast = createDriver({ run: 'run-2', replay: slow.replay, startRv: 1_020 });
  fast.silence(10);
  fast.begin({ pods: [rawPod('a', {}, {}, { resourceVersion: '1006' })] });
  slow.silence(12);
  return { slow, fast };
}

test('what a collector brings after the list of another has its row, before what that list showed, and moves nothing back', () => {
  const { slow, fast } = createOvertaken();
  slow.change('MODIFIED', 'pods', rawPod('a', { phase: 'Failed' }));
  fast.change('MODIFIED', 'pods', rawPod('a', { message: 'newest' }));
  for (const phase of ['Pending', 'Unknown']) slow.change('MODIFIED', 'pods', rawPod('a', { phase }));
  assert.deepEqual(storyOf(slow, 'a'), [
    ['LISTED', '1001', 0],
    ['MODIFIED', '1004', 9.999],
    ['MODIFIED', '1005', 9.999],
    ['LISTED', '1006', 10],
    ['MODIFIED', '1023', 12],
  ]);
  assert.equal(slow.replay.state('cluster-uid')?.tables.objects.pods.get('uid-a')?.rv, '1023');
});

test('a pod that the list of another collector no longer named is told to its end', () => {
  const { slow } = createOvertaken();
  slow.change('DELETED', 'pods', rawPod('gone', { phase: 'Failed' }));
  slow.change('ADDED', 'pods', rawPod('brief'));
  slow.change('DELETED', 'pods', rawPod('brief'));
  assert.deepEqual(storyOf(slow, 'gone'), [
    ['LISTED', '1002', 0],
    ['DELETED', '1004', 9.999],
    ['VANISHED', '1022', 10],
  ]);
  assert.deepEqual(storyOf(slow, 'brief'), [
    ['ADDED', '1005', 12],
    ['DELETED', '1006', 12],
  ]);
  assert.equal(slow.replay.state('cluster-uid')?.tables.objects.pods.size, 1);
});

test('of a pod that the list of another collector showed in a state nobody can read, the slower one tells what was before', () => {
  const slow = createDriver();
  slow.begin({ pods: [rawPod('a')] });
  const fast = createDriver({ run: 'run-2', replay: slow.replay, startRv: 1_020 });
  fast.silence(10);
  const unreadable = rawPod('late');
  fast.begin({ pods: [rawPod('a'), { ...unreadable, metadata: { ...unreadable.metadata, name: '' } }] });
  fast.change('MODIFIED', 'pods', rawPod('late', { message: 'can be read again' }));
  slow.silence(12);
  slow.change('ADDED', 'pods', rawPod('late'));
  assert.deepEqual(storyOf(slow, 'late'), [
    ['ADDED', '1003', 9.999],
    ['MODIFIED', '1024', 10],
  ]);
});

test('what the watch of another collector has shown is a duplicate', () => {
  const slow = createDriver();
  slow.begin({ pods: [rawPod('a')] });
  const fast = createDriver({ run: 'run-2', replay: slow.replay });
  fast.begin({ pods: [rawPod('a')] });
  for (const driver of [fast, slow]) for (const phase of ['Failed', 'Pending']) driver.change('MODIFIED', 'pods', rawPod('a', { phase }));
  assert.deepEqual(
    storyOf(slow, 'a').map(([, rv]) => rv),
    ['1001', '1003', '1004'],
  );
  slow.heartbeat();
  const [session] = slow.replay.rows('sessions').filter((row) => row.run === 'run-1');
  assert.deepEqual([session?.applied, session?.duplicate], [1, 2]);
});

test('what was overtaken is forgotten once the other collector has come past it, or is gone', () => {
  const passes = createOvertaken();
  for (let n = 0; n < 20; n++) passes.slow.change('MODIFIED', 'pods', rawPod('a', { message: String(n) }));
  const dies = createOvertaken();
  for (const { slow, fast } of [passes, dies]) {
    const { overtaken } = slow.replay.state('cluster-uid')!.tables;
    assert.equal(overtaken.size, 2);
    fast.silence(5);
    fast.advance(slow === dies.slow ? 200 : 5);
    assert.equal(overtaken.size, 0);
  }
});

test('what the list of another collector showed stays so while nobody else watches, and though that list never ended', () => {
  const slow = createDriver();
  slow.begin({ pods: [rawPod('a')] });
  const fast = createDriver({ run: 'run-2', replay: slow.replay, startRv: 1_020 });
  fast.silence(10);
  fast.begin({ pods: [rawPod('a', {}, {}, { resourceVersion: '1006' })] });
  const unended = createReplay();
  for (const record of [...slow.records, ...fast.records]) if (record.run === 'run-1' || record.type !== 'SNAPSHOT_END') unended.push(record);
  const recordsBefore = slow.records.length;
  slow.silence(12);
  slow.heartbeat();
  for (const phase of ['Failed', 'Pending']) slow.change('MODIFIED', 'pods', rawPod('a', { phase }));
  for (const record of slow.records.slice(recordsBefore)) unended.push(record);
  assert.deepEqual(
    unended.rows('pod_changes').map((row) => [row.change, row.resourceVersion]),
    [
      ['LISTED', '1001'],
      ['LISTED', '1006'],
      ['MODIFIED', '1003'],
      ['MODIFIED', '1004'],
    ],
  );
});

test('a session that is heard of only after the list of another does not tell again what that list showed', () => {
  const late = createDriver();
  late.begin({ pods: [rawPod('a')] });
  late.change('MODIFIED', 'pods', rawPod('a', { phase: 'Failed' }));
  const early = createDriver({ run: 'run-2', startRv: 1_020 });
  early.begin({ pods: [rawPod('a', { phase: 'Failed' }, {}, { resourceVersion: '1003' })] });
  early.change('DELETED', 'pods', rawPod('a', { phase: 'Failed' }));
  for (const record of late.records) early.push(record);
  assert.deepEqual(
    early.replay.rows('pod_changes').map((row) => [row.change, row.resourceVersion]),
    [
      ['LISTED', '1003'],
      ['DELETED', '1023'],
    ],
  );
});

test('repeated records change nothing', () => {
  const { slow, fast } = createOvertaken();
  slow.change('MODIFIED', 'pods', rawPod('a', { phase: 'Failed' }));
  slow.change('DELETED', 'pods', rawPod('gone'));
  const records: ChangeRecord[] = [...slow.records.slice(0, 5), ...fast.records, ...slow.records.slice(5)];
  const twice = createReplay();
  for (const record of [...records, ...records]) twice.push(record);
  assert.equal(twice.rows('pod_changes').length, slow.replay.rows('pod_changes').length);
});

test('a list that is older than what another collector with a hole saw end does not bring it back', () => {
  const one = createDriver();
  one.begin({ pods: [rawPod('a'), rawPod('b')] });
  for (const phase of ['Failed', 'Pending']) one.change('MODIFIED', 'pods', rawPod('a', { phase }));
  const two = createDriver({ run: 'run-2' });
  two.silence(1);
  two.begin({ pods: [rawPod('a', { phase: 'Pending' }, {}, { resourceVersion: '1005' }), rawPod('b')] });
  const list = two.records.splice(0);
  const rest = one.records.splice(0);
  one.change('DELETED', 'pods', rawPod('a', { phase: 'Pending' }));
  const isLost = (record: ChangeRecord): boolean => record.type === 'MODIFIED' && record.rv === '1004';
  const holed = createReplay();
  const [begin] = list.filter((record) => record.type === 'RUN_BEGIN');
  for (const record of [...rest.filter((each) => !isLost(each)), begin!, ...one.records, ...list]) holed.push(record);
  assert.deepEqual(
    holed.rows('pod_changes').map((row) => [row.change, row.name, row.resourceVersion]),
    [
      ['LISTED', 'a', '1001'],
      ['LISTED', 'b', '1002'],
      ['MODIFIED', 'a', '1005'],
      ['DELETED', 'a', '1006'],
    ],
  );
  assert.equal(holed.state('cluster-uid')?.tables.objects.pods.size, 1);
});

test('of two collectors that both have a hole, the later one does not bring back what the other saw end', () => {
  const one = createDriver();
  one.begin({ pods: [rawPod('a')] });
  const two = createDriver({ run: 'run-2', replay: one.replay });
  two.begin({ pods: [rawPod('a')] });
  for (const driver of [one, two]) for (let n = 0; n < 4; n++) driver.change(n === 3 ? 'DELETED' : 'MODIFIED', 'pods', rawPod('a', { message: String(n) }));
  const holed = createReplay();
  const isLost = (record: ChangeRecord): boolean => record.type === 'MODIFIED' && record.rv === '1003';
  for (const record of [...one.records, ...two.records]) if (!isLost(record)) holed.push(record);
  assert.deepEqual(
    holed.rows('pod_changes').map((row) => [row.change, row.resourceVersion]),
    [
      ['LISTED', '1001'],
      ['MODIFIED', '1004'],
      ['MODIFIED', '1005'],
      ['DELETED', '1006'],
    ],
  );
  assert.equal(holed.state('cluster-uid')?.tables.objects.pods.size, 0);
});
