import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ChangeRecord } from '../../../collector/change-record.ts';
import type { Driver } from '../../helpers/driver.ts';
import { createDriver, rawPod, START_MS } from '../../helpers/driver.ts';

const CLUSTER = { uid: 'cluster-uid', name: 'test' };
const ofRun = (driver: Driver, run: string) => ({ v: 1, cluster: CLUSTER, run, t: START_MS + driver.now() * 1_000 });

/** What a collector writes before it lists. */
function beginRun(driver: Driver, run: string): void {
  driver.push({ ...ofRun(driver, run), type: 'RUN_BEGIN', resources: [{ resource: 'pods', scope: '' }] });
}
function tellBegun(driver: Driver, run: string): void {
  driver.push({ ...ofRun(driver, run), type: 'HEARTBEAT', sessions: [], tick: true, begun: true });
}

/** Blind intervals of the pods, seconds since START_MS. */
const blindness = (driver: Driver) =>
  driver.replay
    .rows('coverage')
    .filter((row) => row.resource === 'pods')
    .map((row) => [(row.fromTimeMs - START_MS) / 1_000, row.toTimeMs === 0 ? 'now' : (row.toTimeMs - START_MS) / 1_000, row.reason]);
const metaOf = (driver: Driver) => driver.replay.state('cluster-uid')!.meta;
const streamSeconds = (driver: Driver): number => (metaOf(driver).streamTimeMs - START_MS) / 1_000;

/** A collector that watched for 100 s and died, and the next one, whose clock was set back by so many seconds, a second later. */
function restarted(backSeconds: number): Driver {
  const first = createDriver();
  first.begin({ pods: [rawPod('a')] });
  first.advance(100);
  const second = createDriver({ run: 'run-2', replay: first.replay, startRv: 2_000 });
  second.silence(101 - backSeconds);
  return second;
}

test('a collector that begins after the clock was set back goes on from where stream time was: what nobody saw is a gap', () => {
  const driver = restarted(60);
  beginRun(driver, 'run-2');
  tellBegun(driver, 'run-2');
  driver.silence(4);
  driver.list('pods', [rawPod('a')]);
  driver.heartbeat();
  assert.equal(streamSeconds(driver), 102, 'at half the pace');
  driver.advance(40);
  assert.deepEqual(blindness(driver).at(-1), [100, 102, 'collector_restarted']);
});

test('its own gaps are where its clock now says, and times go on at the usual pace once it has caught up', () => {
  const driver = restarted(60);
  beginRun(driver, 'run-2');
  tellBegun(driver, 'run-2');
  driver.list('pods', [rawPod('a')]);
  driver.heartbeat();
  driver.advance(40);
  driver.drop('pods', '410');
  driver.silence(20);
  driver.list('pods', [rawPod('a')]);
  assert.deepEqual(blindness(driver).at(-1), [120, 130, 'collector_silent']);
  assert.ok(metaOf(driver).behind !== undefined);
  driver.advance(100);
  assert.equal(metaOf(driver).behind, undefined, 'nothing is kept of it');
  assert.equal(streamSeconds(driver), driver.now());
});

test('a run that says nothing of its beginning, or came late into the log, is taken at its word', () => {
  const silent = restarted(60);
  beginRun(silent, 'run-2');
  silent.list('pods', [rawPod('a')]);
  silent.heartbeat();
  assert.equal(streamSeconds(silent), 100);
  const late = restarted(60);
  beginRun(late, 'run-2');
  late.silence(70); // the log took so long to have it
  tellBegun(late, 'run-2');
  assert.equal(metaOf(late).behind, undefined);
  assert.equal(streamSeconds(late), 111);
});

test('a beginning that the log has twice, or tells of again, changes nothing', () => {
  const records: ChangeRecord[] = [];
  const once = restarted(60);
  beginRun(once, 'run-2');
  tellBegun(once, 'run-2');
  records.push(...once.records);
  once.list('pods', [rawPod('a')]);
  once.heartbeat();
  once.advance(20);
  const before = metaOf(once);
  const [clock, streamTimeMs] = [{ ...before.behind!['run-2'] }, before.streamTimeMs];
  for (const record of records) once.push(record);
  assert.deepEqual([metaOf(once).behind!['run-2'], metaOf(once).streamTimeMs], [clock, streamTimeMs]);
});

test('a run whose clock is behind by far goes with the rest of it when it is forgotten', () => {
  const driver = restarted(60);
  beginRun(driver, 'run-2');
  const third = createDriver({ run: 'run-3', replay: driver.replay, startRv: 3_000 });
  third.silence(102);
  third.begin({ pods: [rawPod('a')] });
  third.advance(400);
  assert.equal(metaOf(third).behind, undefined);
  assert.deepEqual(Object.keys(metaOf(third).runs), ['run-3']);
});

/** Of one cluster, both with their first list; the second one's is of `startRv`. */
function twoCollectors(startRv: number) {
  const one = createDriver();
  one.begin({ pods: [rawPod('a')] });
  const two = createDriver({ run: 'run-2', replay: one.replay, startRv });
  two.begin({ pods: [rawPod('a')] });
  return [one, two] as const;
}

test('of two collectors the one whose clock was not set forward with the other’s goes on', () => {
  const [slow, fast] = twoCollectors(10);
  fast.silence(400);
  for (let n = 0; n < 40; n++) {
    fast.advance(5);
    slow.advance(5);
  }
  slow.change('ADDED', 'pods', rawPod('b'));
  slow.heartbeat();
  const session = metaOf(slow).sessions['run-1-0'];
  assert.deepEqual([session?.phase, session?.applied, session?.appended], ['synced', 2, 2]);
  assert.deepEqual(Object.keys(metaOf(slow).runs).sort(), ['run-1', 'run-2']);
});

test('one that is dead is forgotten after as many heartbeats of the other', () => {
  const [dead, other] = twoCollectors(2_000);
  other.advance(145);
  other.silence(400);
  other.advance(5);
  assert.deepEqual(Object.keys(metaOf(dead).sessions).sort(), ['run-2-0']);
  assert.deepEqual([Object.keys(metaOf(dead).runs), metaOf(dead).beats], [['run-2'], {}]);
});
