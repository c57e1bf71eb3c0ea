import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ChangeRecord, SessionRecord } from '../../../collector/change-record.ts';
import { containerStatus, createDriver, rawPod, START_MS } from '../../helpers/driver.ts';

const coverageOf = (driver: ReturnType<typeof createDriver>, resource = 'pods') =>
  driver.replay
    .rows('coverage')
    .filter((row) => row.resource === resource)
    .map((row) => [
      (row.fromTimeMs - driver.replay.rows('clusters')[0]!.firstRecordTimeMs) / 1_000,
      row.toTimeMs === 0 ? 'now' : (row.toTimeMs - row.fromTimeMs) / 1_000,
      row.reason,
    ]);

const replicaSet = {
  kind: 'ReplicaSet',
  apiVersion: 'apps/v1',
  metadata: { name: 'web', namespace: 'shop', uid: 'uid-web' },
  spec: { replicas: 2 },
  status: { replicas: 2 },
};
const ownedPod = (name: string, status: Record<string, unknown> = {}) =>
  rawPod(name, status, {}, { ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web', uid: 'uid-web', controller: true }] });

test('a resource is blind until its first list is complete', () => {
  const driver = createDriver();
  driver.begin({ pods: [rawPod('a')] });
  assert.deepEqual(coverageOf(driver), [[0, 0, 'starting']]);
});

test('a session that ends makes the resource blind until the next list', () => {
  const driver = createDriver();
  driver.begin({ pods: [rawPod('a')] });
  driver.advance(10);
  driver.drop('pods', 'gone_410');
  driver.advance(20);
  assert.deepEqual(coverageOf(driver).at(-1), [10, 'now', 'gone_410']);
  driver.list('pods', [rawPod('a')]);
  assert.deepEqual(coverageOf(driver).at(-1), [10, 20, 'gone_410']);
});

test('silence of the collector is blindness from its last sign of life, and a late session that lost nothing is not', () => {
  const driver = createDriver();
  driver.begin({ pods: [rawPod('a')] });
  driver.advance(10);
  driver.silence(60);
  driver.heartbeat();
  assert.deepEqual(coverageOf(driver).at(-1), [10, 0, 'resumed_without_loss']);
  driver.silence(60);
  driver.list('pods', [rawPod('a')]);
  assert.deepEqual(coverageOf(driver).at(-1), [70, 60, 'collector_silent']);
});

test('a heartbeat that the log has twice does not end a session that began after it', () => {
  const driver = createDriver();
  driver.begin({ pods: [rawPod('a')] });
  driver.advance(5);
  driver.drop('pods', 'gone_410');
  driver.heartbeat();
  const [said] = driver.records.slice(-1) as [ChangeRecord];
  driver.silence(2);
  driver.list('pods', [rawPod('a')]);
  driver.push(said);
  driver.advance(10);
  assert.deepEqual(coverageOf(driver).at(-1), [5, 2, 'gone_410']);
});

test('what a collector began to collect in records that are gone is blind from the first that is left', () => {
  const driver = createDriver();
  driver.begin({ pods: [rawPod('a')] });
  driver.advance(20);
  const left = createDriver({ startRv: 2_000 });
  const [begun, ...rest] = driver.records.filter(({ type }) => type === 'HEARTBEAT');
  left.push({ ...(begun as ChangeRecord), type: 'RULES', rules: {} } as ChangeRecord);
  for (const record of rest) left.push(record);
  assert.deepEqual(coverageOf(left), [[0, 'now', 'records_missing']]);
  left.silence(21);
  left.list('pods', [rawPod('a')]);
  assert.deepEqual(coverageOf(left), [[0, 21, 'records_missing']]);
});

test('a tick lets time pass, and is no sign of life', () => {
  const driver = createDriver();
  driver.begin({ pods: [rawPod('a')] });
  const tick = (seconds: number): void => {
    const { v, cluster, run } = driver.records[0] as ChangeRecord;
    driver.push({ v, cluster, run, t: START_MS + seconds * 1_000, type: 'HEARTBEAT', sessions: [], tick: true });
  };
  tick(15);
  assert.deepEqual(coverageOf(driver), [[0, 0, 'starting']], 'its sessions go on');
  tick(16);
  assert.deepEqual(coverageOf(driver).at(-1), [0, 'now', 'collector_silent']);
});

test('a tick fires what is due', () => {
  const pending = rawPod('a', containerStatus({ waiting: { reason: 'CreateContainerError', message: 'context deadline exceeded' } }), {});
  const incidents = [0, 1].map((ticks) => {
    const driver = createDriver();
    driver.begin({ pods: [pending] });
    driver.advance(59);
    const { v, cluster, run } = driver.records[0] as ChangeRecord;
    if (ticks > 0) driver.push({ v, cluster, run, t: START_MS + 61_000, type: 'HEARTBEAT', sessions: [], tick: true });
    return driver.replay.rows('incidents').map(({ scenario, openedTimeMs }) => [scenario, (openedTimeMs - START_MS) / 1_000]);
  });
  assert.deepEqual(incidents, [[], [['container_create_failure', 60]]]);
});

/** SESSION_END of the driver's last session of pods, complete until that many seconds ago. */
function endOf(driver: ReturnType<typeof createDriver>, secondsAgo: number): ChangeRecord {
  const last = driver.records.findLast((record) => 'seq' in record) as SessionRecord;
  const { v, cluster, run, session, seq, resource, scope } = last;
  const t = START_MS + driver.now() * 1_000;
  return { v, cluster, run, session, seq: seq + 1, resource, scope, t, type: 'SESSION_END', reason: '410', completeTimeMs: t - secondsAgo * 1_000 };
}

test('a recovery that was under way takes longer by what of it nobody watched, and one that begins with the list that ends a blindness does not', () => {
  const broken = containerStatus({ waiting: { reason: 'ErrImageNeverPull', message: 'not present' } });
  const resolvedAt = (mend: (driver: ReturnType<typeof createDriver>) => void): number => {
    const driver = createDriver();
    driver.begin({ replicasets: [replicaSet], pods: [ownedPod('a', broken), ownedPod('b')] });
    driver.advance(30);
    mend(driver);
    driver.advance(1_000);
    const [incident] = driver.replay.rows('incidents');
    assert.deepEqual([incident?.state, incident?.resolution], ['resolved', 'recovered']);
    return ((incident?.resolvedTimeMs ?? 0) - START_MS) / 1_000;
  };
  const blind = (driver: ReturnType<typeof createDriver>): void => {
    driver.drop('pods', 'gone_410');
    driver.advance(400);
    driver.list('pods', [ownedPod('b')]);
  };
  const watched = resolvedAt((driver) => driver.change('DELETED', 'pods', ownedPod('a', broken))) - 30;
  assert.equal(resolvedAt(blind), 430 + watched);
  const interrupted = resolvedAt((driver) => {
    driver.change('DELETED', 'pods', ownedPod('a', broken));
    driver.advance(10);
    blind(driver);
  });
  assert.equal(interrupted, 30 + 400 + watched);
});

test('a session that ends with a connection long dead makes the resource blind from when that was complete last', () => {
  const driver = createDriver();
  driver.begin({ pods: [rawPod('a')] });
  driver.advance(150);
  driver.push(endOf(driver, 120));
  driver.list('pods', [rawPod('a')]);
  assert.deepEqual(coverageOf(driver).at(-1), [30, 120, '410']);
});

test('blindness that began later than that is preceded by another interval', () => {
  const driver = createDriver();
  driver.begin({ pods: [rawPod('a')] });
  driver.advance(100);
  driver.silence(60);
  driver.push({ v: 1, cluster: { uid: 'cluster-uid', name: 'test' }, run: 'run-2', t: START_MS + driver.now() * 1_000, type: 'RUN_BEGIN', resources: [] });
  driver.push(endOf(driver, 120));
  driver.list('pods', [rawPod('a')]);
  assert.deepEqual(coverageOf(driver).slice(1), [
    [100, 60, 'collector_silent'],
    [40, 60, '410'],
  ]);
});

test('a collector that is restarted before its silence is noticed leaves a gap all the same', () => {
  const first = createDriver();
  first.begin({ pods: [rawPod('a')] });
  first.advance(10);
  const second = createDriver({ run: 'run-2', replay: first.replay, startRv: 2_000 });
  second.silence(20);
  second.begin({ pods: [rawPod('a')] });
  assert.deepEqual(coverageOf(first), [[0, 0, 'starting']]);
  second.advance(20);
  assert.deepEqual(coverageOf(first).at(-1), [10, 10, 'collector_restarted']);
});

test('a session out of sync is known for as long as its own run names it, whatever the run of another collector says', () => {
  const first = createDriver();
  first.begin({ pods: [rawPod('a')] });
  const second = createDriver({ run: 'run-2', replay: first.replay, startRv: 10 });
  second.begin({ pods: [rawPod('a')] });
  const [counters] = first.records.flatMap((record) => (record.type === 'HEARTBEAT' ? record.sessions : []));
  for (let seconds = 5; seconds <= 200; seconds += 5) {
    second.advance(5);
    first.silence(5);
    const { v, cluster, run } = first.records[0] as ChangeRecord;
    first.push({ v, cluster, run, t: START_MS + first.now() * 1_000, type: 'HEARTBEAT', sessions: [{ ...counters!, inSync: false }] });
  }
  first.change('ADDED', 'pods', rawPod('b'));
  first.heartbeat();
  assert.deepEqual(
    first.replay
      .rows('sessions')
      .filter((row) => row.session === 'run-1-0')
      .map(({ applied, appended }) => [applied, appended]),
    [[2, 2]],
  );
});

test('a hole in the sequence makes the resource blind, and its records still count as facts', () => {
  const driver = createDriver();
  driver.begin({ pods: [rawPod('a')] });
  const lost = createDriver();
  lost.begin({ pods: [rawPod('a')] });
  lost.change('MODIFIED', 'pods', rawPod('a', { phase: 'Failed' }));
  lost.change('ADDED', 'pods', rawPod('b'));
  driver.push(lost.records.at(-1)!);
  assert.equal(coverageOf(driver).at(-1)?.[2], 'records_missing');
  assert.ok(driver.replay.rows('pod_changes').some((row) => row.name === 'b'));
});

test('what is deleted in a state that cannot be read is gone, with its incident, and has its dead letter', () => {
  const driver = createDriver();
  driver.begin({ pods: [rawPod('a', containerStatus({ waiting: { reason: 'ErrImageNeverPull', message: 'not present' } })), rawPod('b')] });
  driver.advance(30);
  const unreadable = (name: string) => ({ ...rawPod(name), metadata: { name: 7 as unknown as string, uid: `uid-${name}` } });
  driver.change('MODIFIED', 'pods', unreadable('a'));
  assert.ok(driver.replay.state('cluster-uid')!.tables.objects.pods.has('uid-a'), 'still there, in the state that was read last');
  assert.deepEqual(
    driver.replay.incidents().map(({ state }) => state),
    ['open'],
  );
  driver.change('DELETED', 'pods', unreadable('a'));
  assert.deepEqual([...driver.replay.state('cluster-uid')!.tables.objects.pods.keys()], ['uid-b']);
  assert.equal(driver.replay.rows('pod_changes').find((row) => row.uid === 'uid-a' && row.change === 'VANISHED')?.name, 'a');
  driver.change('DELETED', 'pods', unreadable('a'));
  assert.equal(driver.replay.rows('pod_changes').filter((row) => row.change === 'VANISHED').length, 1, 'once');
  assert.equal(driver.replay.rows('dead_letters').length, 3);
  driver.advance(600);
  assert.deepEqual(
    driver.replay.incidents().map(({ state }) => state),
    ['resolved'],
  );
});

test('what a whole list does not name is gone no later than then; an unfinished list says nothing', () => {
  const driver = createDriver();
  driver.begin({ pods: [rawPod('a'), rawPod('b')] });
  driver.drop('pods');
  driver.advance(30);
  const cut = createDriver({ run: 'run-2', startRv: 5_000 });
  cut.begin({ pods: [rawPod('a')] });
  for (const record of cut.records.filter((r) => r.type === 'SNAPSHOT_BEGIN' || r.type === 'LISTED')) driver.push({ ...record, t: record.t + 30_000 });
  assert.ok(driver.replay.state('cluster-uid')!.tables.objects.pods.has('uid-b'), 'void without its END');
  driver.list('pods', [rawPod('a', {}, {}, { resourceVersion: '9000' })]);
  assert.ok(driver.replay.state('cluster-uid')!.tables.objects.pods.has('uid-b') === false);
  const vanished = driver.replay.rows('pod_changes').find((row) => row.change === 'VANISHED');
  assert.equal(vanished?.name, 'b');
});

test('duplicates change nothing but counters, and the balance holds', () => {
  const once = createDriver();
  const twice = createDriver();
  for (const driver of [once, twice]) {
    driver.begin({ pods: [rawPod('a')], nodes: [] });
    driver.change('MODIFIED', 'pods', rawPod('a', { phase: 'Failed' }));
    driver.change('DELETED', 'pods', rawPod('a', { phase: 'Failed' }));
    driver.heartbeat();
  }
  for (const record of [...twice.records]) twice.replay.push(record);
  assert.deepEqual(twice.replay.rows('pod_changes'), once.replay.rows('pod_changes'));
  const balance = once.replay.rows('sessions').find((row) => row.resource === 'pods');
  assert.equal(balance?.received, 3);
  assert.equal(balance.appended, 3);
  assert.equal(balance.applied, 3);
});

test('two collectors of one cluster give the results of one', () => {
  const one = createDriver();
  one.begin({ pods: [rawPod('a')] });
  const script = (driver: ReturnType<typeof createDriver>) => {
    driver.advance(5);
    driver.change('MODIFIED', 'pods', rawPod('a', { phase: 'Failed' }));
    driver.change('ADDED', 'pods', rawPod('b'));
    driver.change('DELETED', 'pods', rawPod('b'));
    driver.advance(5);
  };
  script(one);
  const other = createDriver({ run: 'run-2' });
  other.begin({ pods: [rawPod('a')] });
  script(other);
  const both = createDriver();
  const merged = one.records.flatMap((record, i) => [record, other.records[i]!]);
  for (const record of merged) both.push(record);
  assert.deepEqual(both.replay.rows('pod_changes'), one.replay.rows('pod_changes'));
  assert.ok(!both.replay.state('cluster-uid')!.tables.objects.pods.has('uid-b'));
});

test('a resource that may not be read is noted and not waited for', () => {
  const driver = createDriver();
  driver.begin({ pods: [] });
  driver.push({
    v: 1,
    cluster: { uid: 'cluster-uid', name: 'test' },
    run: 'run-1',
    t: driver.records.at(-1)!.t,
    type: 'NOTE',
    resource: 'nodes',
    scope: '',
    code: 'forbidden',
    message: 'cannot list nodes',
  });
  const row = driver.replay.rows('coverage').find((r) => r.resource === 'nodes');
  assert.equal(row?.reason, 'forbidden: cannot list nodes');
});

/** A heartbeat of the driver's run in which its sessions say what has come last on their watches. */
function tellSessions(driver: ReturnType<typeof createDriver>, told: { readonly inSync: boolean; readonly completeSeconds: number }): void {
  const last = driver.records.findLast((record) => record.type === 'HEARTBEAT');
  if (last?.type !== 'HEARTBEAT') throw new Error('no heartbeat yet');
  const sessions = last.sessions.map((counters) => ({ ...counters, inSync: told.inSync, completeTimeMs: START_MS + told.completeSeconds * 1_000 }));
  driver.push({ ...last, t: START_MS + driver.now() * 1_000, sessions });
}

test('a collector that dies with a connection on which nothing came leaves a gap from what came last', () => {
  const driver = createDriver();
  driver.begin({ pods: [rawPod('a')] });
  driver.advance(60);
  for (let seconds = 65; seconds <= 100; seconds += 5) {
    driver.silence(5);
    tellSessions(driver, { inSync: true, completeSeconds: 62 });
  }
  driver.silence(60);
  driver.list('pods', [rawPod('a')]);
  assert.deepEqual(coverageOf(driver).at(-1), [62, 98, 'collector_silent']);
});

test('a session that was silent and then goes on has lost nothing', () => {
  const driver = createDriver();
  driver.begin({ pods: [rawPod('a')] });
  driver.advance(10);
  for (let n = 0; n < 10; n++) {
    driver.silence(5);
    tellSessions(driver, { inSync: false, completeSeconds: 12 });
  }
  tellSessions(driver, { inSync: true, completeSeconds: 60 });
  assert.deepEqual(coverageOf(driver).at(-1), [12, 0, 'resumed_without_loss']);
});

test('a silent watch of one collector does not hide what the other missed meanwhile, however often', () => {
  const silent = createDriver();
  silent.begin({ pods: [rawPod('a')] });
  const other = createDriver({ run: 'run-2', replay: silent.replay, startRv: 2_000 });
  other.begin({ pods: [rawPod('a')] });
  for (const seconds of [10, 10]) {
    other.advance(seconds);
    silent.silence(seconds);
    tellSessions(silent, { inSync: true, completeSeconds: 5 });
    other.drop('pods', '410');
    other.silence(3);
    silent.silence(3);
    other.list('pods', [rawPod('a')]);
  }
  assert.deepEqual(coverageOf(silent), [[0, 0, 'starting']], 'the silent one is believed');
  silent.push({ ...endOf(silent, 0), completeTimeMs: START_MS + 5_000 } as ChangeRecord);
  assert.deepEqual(coverageOf(silent).slice(1), [
    [10, 3, 'collector_restarted'],
    [23, 3, 'collector_restarted'],
  ]);
});
