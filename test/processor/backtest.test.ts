/** Backtests: the comparison, other rules over the same records, logs that begin in the middle, and reading logs without a trace. */
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { changeLogConfig } from '../../collector/change-log/config.ts';
import { openEmbeddedChangeLog } from '../../collector/change-log/embedded-change-log.ts';
import { readEmbeddedLog } from '../../collector/change-log/read-embedded-log.ts';
import type { ChangeRecord } from '../../collector/change-record.ts';
import { decodeChangeRecord, encodeChangeRecord } from '../../collector/change-record.ts';
import { assertHeld, compareWhole, differenceTable, parseRange } from '../../deploy/commands/backtest.ts';
import type { BacktestIncident, Difference } from '../../processor/backtest.ts';
import { compareIncidents, createBacktest, isActive } from '../../processor/backtest.ts';
import { readToEnd } from '../../processor/read-log.ts';
import { containerStatus, createDriver, rawPod, START_MS } from '../helpers/driver.ts';
import { recordsOf } from '../helpers/goldens.ts';
import { historyOf, interleave } from '../helpers/history.ts';
import { createMemoryLog } from '../helpers/memory-log.ts';
import { silentLog } from '../helpers/silent-log.ts';
import { tempFolder } from '../helpers/temp-folder.ts';

const incident = (change: Partial<BacktestIncident> = {}): BacktestIncident => ({
  cluster: 'one',
  id: 'a',
  scenario: 'container_exit',
  cause: 'exit_immediate',
  muted: false,
  subject: { kind: 'Deployment', namespace: 'shop', name: 'web', container: 'app' },
  openedMs: 1_000,
  resolvedMs: 2_000,
  pods: 1,
  summary: '',
  ...change,
});
const show = (difference: Difference): string =>
  difference.kind === 'new'
    ? `+${difference.after.id}`
    : difference.kind === 'gone'
      ? `-${difference.before.id}`
      : `${difference.before.id}:${difference.before.cause}>${difference.after.id}:${difference.after.cause}`;
const differ = (before: readonly BacktestIncident[], after: readonly BacktestIncident[]): string[] => compareIncidents(before, after).differences.map(show);

describe('incidents are compared', () => {
  const other = { kind: 'Deployment', namespace: 'shop', name: 'api', container: 'app' };
  const cases: readonly (readonly [string, readonly BacktestIncident[], readonly BacktestIncident[], readonly string[]])[] = [
    ['the same by id, whatever its times', [incident()], [incident({ openedMs: 5_000, resolvedMs: 0 })], []],
    ['one by id before one by subject', [incident({ cause: 'x' })], [incident({ id: 'b' }), incident({ cause: 'y' })], ['a:x>a:y', '+b']],
    ['one of another cluster is another, though the id is the same', [incident()], [incident({ cluster: 'two' })], ['-a', '+a']],
    ['another cause', [incident()], [incident({ cause: 'exit_after_run' })], ['a:exit_immediate>a:exit_after_run']],
    ['another scenario', [incident()], [incident({ id: 'b', scenario: 'oom_killed', cause: 'container_limit' })], ['a:exit_immediate>b:container_limit']],
    ['muted', [incident()], [incident({ muted: true })], ['a:exit_immediate>a:exit_immediate']],
    ['by subject and overlap, with another id', [incident()], [incident({ id: 'b', openedMs: 1_999 })], []],
    ['those that touch overlap', [incident()], [incident({ id: 'b', openedMs: 2_000 })], []],
    ['those that miss by a millisecond do not', [incident()], [incident({ id: 'b', openedMs: 2_001, resolvedMs: 0 })], ['-a', '+b']],
    ['an unresolved one overlaps all later ones', [incident({ resolvedMs: 0 })], [incident({ id: 'b', openedMs: 9_000, resolvedMs: 0 })], []],
    ['another subject', [incident()], [incident({ id: 'b', subject: other })], ['-a', '+b']],
    [
      'of two of a subject, the one of the same scenario',
      [incident({ id: 'x', scenario: 'oom_killed', cause: 'container_limit' }), incident({ id: 'y', openedMs: 1_900 })],
      [incident({ id: 'b' })],
      ['-x'],
    ],
    ['else the one that overlaps longest', [incident({ id: 'x', resolvedMs: 1_100 }), incident({ id: 'y', openedMs: 1_100 })], [incident({ id: 'b' })], ['-x']],
    ['each but once', [incident()], [incident({ id: 'b' }), incident({ id: 'c' })], ['+c']],
  ];
  for (const [name, before, after, expected] of cases) test(name, () => assert.deepEqual(differ(before, after), expected));

  test('what opened before the records were whole says nothing alone, and still finds its counterpart', () => {
    const early = incident({ openedMs: 999 });
    assert.deepEqual(
      compareIncidents([early], [], () => 1_000),
      { differences: [], same: 0, undecided: 1 },
    );
    assert.equal(compareIncidents([incident({ openedMs: 1_000 })], [], () => 1_000).undecided, 0);
    assert.equal(compareIncidents([early], [incident({ cause: 'y' })], () => 9_000).differences.length, 1);
  });

  const arbitrary = fc.record({
    cluster: fc.constantFrom('one', 'two'),
    id: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
    scenario: fc.constantFrom('container_exit', 'oom_killed'),
    cause: fc.constantFrom('x', 'y'),
    muted: fc.boolean(),
    subject: fc.constantFrom(incident().subject, other),
    openedMs: fc.integer({ min: 0, max: 50 }),
    resolvedMs: fc.constantFrom(0, 20, 60),
    pods: fc.constant(1),
    summary: fc.constant(''),
  });
  const side = fc.uniqueArray(arbitrary, { selector: ({ cluster, id }) => `${cluster}/${id}`, maxLength: 8 });

  test('every incident counts once, on both sides', () => {
    fc.assert(
      fc.property(side, side, (before, after) => {
        const { differences, same, undecided } = compareIncidents(before, after);
        const count = (kind: Difference['kind']): number => differences.filter((difference) => difference.kind === kind).length;
        assert.equal(undecided, 0);
        assert.equal(count('gone') + count('reclassified') + same, before.length);
        assert.equal(count('new') + count('reclassified') + same, after.length);
      }),
    );
  });

  test('turned around, what was new is gone; in any order, the same', () => {
    fc.assert(
      fc.property(side, side, (before, after) => {
        const there = compareIncidents(before, after);
        const back = compareIncidents(after, before);
        assert.deepEqual([there.same, there.differences.length], [back.same, back.differences.length]);
        assert.deepEqual(compareIncidents([...before].reverse(), [...after].reverse()), there);
        assert.deepEqual(differ(before, before), []);
      }),
    );
  });
});

describe('an incident is active in a range', () => {
  const range = { fromMs: 1_000, toMs: 2_000 };
  const cases: readonly (readonly [string, Partial<BacktestIncident>, boolean])[] = [
    ['resolved just before', { openedMs: 0, resolvedMs: 999 }, false],
    ['resolved at its start', { openedMs: 0, resolvedMs: 1_000 }, true],
    ['opened at its end', { openedMs: 2_000, resolvedMs: 0 }, true],
    ['opened just after', { openedMs: 2_001, resolvedMs: 0 }, false],
    ['opened long before, and still open', { openedMs: 0, resolvedMs: 0 }, true],
  ];
  for (const [name, times, expected] of cases) test(name, () => assert.equal(isActive(incident(times), range), expected));
});

describe('other rules over the same records', () => {
  const backtest = (records: readonly ChangeRecord[], rules: Readonly<Record<string, unknown>>) => {
    const tested = createBacktest(rules);
    for (const record of records) tested.push(record);
    return tested;
  };
  const found = (records: readonly ChangeRecord[], rules: Readonly<Record<string, unknown>>) =>
    backtest(records, rules)
      .incidents()
      .map(({ scenario, muted }) => [scenario, muted]);

  test('a rule that is off tells nothing, a mute is told', async () => {
    const records = await recordsOf('cases/exit-1.ndjson.gz');
    const match = { scenarios: ['container_exit'] };
    assert.deepEqual(found(records, {}), [['container_exit', false]]);
    assert.deepEqual(found(records, { disabled: [{ match, reason: 'test' }] }), []);
    assert.deepEqual(found(records, { mutes: [{ match, reason: 'test', until: '2099-01-01T00:00:00Z' }] }), [['container_exit', true]]);
  });

  test('rules of the records do not count', () => {
    const driver = createDriver();
    driver.begin({ pods: [], events: [], nodes: [NODE] });
    const { cluster, run, t } = driver.records[0] as ChangeRecord;
    driver.push({ v: 1, cluster, run, t, type: 'RULES', rules: { disabled: [{ match: {}, reason: 'all' }] } });
    driver.change('ADDED', 'pods', crashing('web'));
    driver.advance(10);
    assert.deepEqual(driver.replay.incidents(), []);
    assert.deepEqual(found(driver.records, {}), [['container_exit', false]]);
  });
});

const NODE = {
  kind: 'Node',
  metadata: { name: 'n1', uid: 'uid-n1' },
  spec: {},
  status: { allocatable: { cpu: '1', memory: '1Gi', pods: '9' }, conditions: [{ type: 'Ready', status: 'True' }] },
};
const crashing = (name: string) => {
  const at = '2026-01-15T11:59:51Z';
  const lastState = { terminated: { exitCode: 3, reason: 'Error', startedAt: at, finishedAt: at } };
  return rawPod(name, containerStatus({ waiting: { reason: 'CrashLoopBackOff' } }, { restartCount: 9, lastState }));
};

/** Fills in the objects of lists that say `unchanged`, as a collector does at least every quarter of the retention. */
function unabbreviated(): (record: ChangeRecord) => ChangeRecord {
  const latest = new Map<string, Extract<ChangeRecord, { type: 'LISTED' }>['object']>();
  return (record) => {
    if ('object' in record && record.object !== undefined) latest.set(record.uid, record.object);
    return record.type === 'LISTED' ? { ...record, object: latest.get(record.uid) } : record;
  };
}

describe('records that begin in the middle', () => {
  /** Lists at 0 s, a crash loop at 60 s, whole lists again at 120 s, another crash loop at 150 s. */
  function story() {
    const driver = createDriver();
    driver.begin({ pods: [rawPod('old')], nodes: [NODE], events: [] });
    driver.advance(60);
    driver.change('ADDED', 'pods', crashing('early'));
    driver.advance(60);
    const relisted = driver.records.length;
    driver.list('pods', [rawPod('old'), crashing('early')]);
    driver.list('events', []);
    driver.advance(15);
    driver.list('nodes', [NODE]);
    driver.advance(15);
    driver.change('ADDED', 'pods', crashing('late'));
    driver.advance(60);
    return { abbreviated: driver.records, records: driver.records.map(unabbreviated()), relisted };
  }
  const wholeFromSeconds = (records: readonly ChangeRecord[]): number | undefined => {
    const tested = createBacktest({});
    for (const record of records) tested.push(record);
    const [cluster] = tested.clusters();
    return cluster?.wholeFromMs === undefined ? undefined : (cluster.wholeFromMs - START_MS) / 1_000;
  };

  test('are whole from the first heartbeat after all lists', () => {
    const { abbreviated, records, relisted } = story();
    assert.equal(wholeFromSeconds(records), 0);
    assert.equal(wholeFromSeconds(records.slice(10)), 140, 'pods were listed at 120 s, nodes at 135 s');
    assert.equal(wholeFromSeconds(records.slice(10, relisted)), undefined);
    assert.equal(wholeFromSeconds(abbreviated.slice(10)), undefined, 'lists that only name what is unknown here tell nothing');
  });

  test('tell the same from there on, and nothing is said of what came before', () => {
    const { records } = story();
    const [whole, cut] = [createBacktest({}), createBacktest({})];
    for (const record of records) whole.push(record);
    for (const record of records.slice(records.findIndex((record) => record.type === 'ADDED') + 1)) cut.push(record);
    const range = { fromMs: START_MS, toMs: START_MS + 300_000 };
    const compared = compareWhole(whole.incidents(), cut.incidents(), cut.clusters(), range);
    assert.deepEqual([compared.differences, compared.same], [[], 2]);
    const nothing = compareWhole(whole.incidents(), [], cut.clusters(), range);
    assert.deepEqual([nothing.differences.map(({ kind }) => kind), nothing.undecided], [['gone'], 1]);
  });

  test('a cluster that the log does not hold is not compared', () => {
    const range = { fromMs: 0, toMs: 10_000 };
    assert.deepEqual(compareWhole([incident({ cluster: 'elsewhere' })], [], [{ cluster: 'one', firstMs: 0, lastMs: 9_000, wholeFromMs: 0 }], range), {
      differences: [],
      same: 0,
      undecided: 0,
    });
  });
});

describe('the range', () => {
  const now = Date.parse('2026-01-31T12:00:00Z');
  test('takes times and durations', () => {
    assert.deepEqual(parseRange({}, 5, now), { fromMs: 5, toMs: now });
    assert.deepEqual(parseRange({ from: '24h', to: '2026-01-31T11:00:00+01:00' }, 0, now), {
      fromMs: now - 86_400_000,
      toMs: Date.parse('2026-01-31T10:00:00Z'),
    });
  });
  for (const [name, options] of [
    ['no time', { from: 'yesterday' }],
    ['a number', { to: '5' }],
    ['the wrong way round', { from: '1h', to: '2h' }],
  ] as const) {
    test(`refuses ${name}`, () => assert.throws(() => parseRange(options, 0, now), { exitCode: 2 }));
  }

  const held = [{ cluster: 'one', firstMs: 1_000, lastMs: 9_000, wholeFromMs: 5_000 }];
  const cases: readonly (readonly [string, number, number, boolean])[] = [
    ['before the log was whole', 0, 4_999, false],
    ['up to the moment when it was', 0, 5_000, true],
    ['from its last record on', 9_000, 20_000, true],
    ['after its last record', 9_001, 20_000, false],
  ];
  for (const [name, fromMs, toMs, isHeld] of cases) {
    test(`${name}: ${isHeld ? 'is compared' : 'is refused with what there is'}`, () => {
      const check = (): void => assertHeld(held, { fromMs, toMs });
      if (isHeld) check();
      else assert.throws(check, /holds what can be replayed from 1970-01-01T00:00:05\.000Z to 1970-01-01T00:00:09\.000Z.*--recording/);
    });
  }
  test('an empty log is refused', () => assert.throws(() => assertHeld([], { fromMs: 0, toMs: 1 }), /no records/));
});

describe('a log is read to its end', () => {
  const HISTORY = interleave(historyOf({ uid: 'uid-one', name: 'one' }, 2), historyOf({ uid: 'uid-two', name: 'two' }, 1));

  test('all partitions, also empty ones, and nothing is committed', async () => {
    const log = createMemoryLog(3);
    for (const record of HISTORY) log.append(record, { partition: record.cluster.uid === 'uid-one' ? 0 : 2 });
    const read = new Map<string, bigint[]>();
    const result = await readToEnd(log.reader(), (records) => {
      for (const { key, offset } of records) read.set(key, [...(read.get(key) ?? []), offset]);
    });
    assert.deepEqual(result, { trimmed: 0, gaps: 0 });
    for (const uid of ['uid-one', 'uid-two']) {
      const expected = HISTORY.filter(({ cluster }) => cluster.uid === uid).map((_, i) => BigInt(i));
      assert.deepEqual(read.get(uid), expected);
    }
    assert.deepEqual([0, 1, 2].map(log.committed), [undefined, undefined, undefined]);
  });

  test('and no further: what comes meanwhile is left', async () => {
    const log = createMemoryLog();
    for (const record of HISTORY.slice(0, 30)) log.append(record);
    let count = 0;
    await readToEnd(log.reader({ batchSize: 10 }), (records) => {
      count += records.length;
      log.append(HISTORY[30] as ChangeRecord);
    });
    assert.equal(count, 30);
  });

  test('from where it begins', async () => {
    const log = createMemoryLog();
    for (const record of HISTORY.slice(0, 30)) log.append(record);
    log.trim(0, 12n);
    const offsets: bigint[] = [];
    assert.deepEqual(await readToEnd(log.reader(), (records) => offsets.push(...records.map(({ offset }) => offset))), { trimmed: 1, gaps: 0 });
    assert.deepEqual([offsets[0], offsets.length], [12n, 18]);
  });

  test('retention that overtakes is told, and is no end', async () => {
    const log = createMemoryLog();
    for (const record of HISTORY.slice(0, 30)) log.append(record);
    const offsets: bigint[] = [];
    const result = await readToEnd(log.reader({ batchSize: 10 }), (records) => {
      offsets.push(...records.map(({ offset }) => offset));
      log.trim(0, 25n);
    });
    assert.deepEqual([result.gaps, offsets.length, offsets.at(-1)], [1, 15, 29n]);
  });

  test('an empty log has an end too', async () => assert.deepEqual(await readToEnd(createMemoryLog(2).reader(), () => assert.fail()), { trimmed: 0, gaps: 0 }));

  test('an error ends it', async () => {
    const log = createMemoryLog();
    log.append(HISTORY[0] as ChangeRecord);
    const failing = (): void => {
      throw new Error('no room');
    };
    await assert.rejects(readToEnd(log.reader(), failing), /no room/);
  });
});

describe('the embedded log of a podtrail that does not run', () => {
  const HISTORY = historyOf({ uid: 'uid-one', name: 'one' }, 1);
  async function written(directory: string) {
    const options = changeLogConfig.parse({ kind: 'embedded', directory, fsyncIntervalMs: 0 });
    assert.ok(options.kind === 'embedded');
    const log = await openEmbeddedChangeLog(options, { log: silentLog });
    for (const record of HISTORY) await log.writer.append('uid-one', [encodeChangeRecord(record)]);
    return log;
  }
  async function readAll(directory: string): Promise<ChangeRecord[]> {
    const read: ChangeRecord[] = [];
    for await (const { records, position, total } of readEmbeddedLog(directory)) {
      assert.ok(position <= total);
      for (const { value } of records) {
        const decoded = decodeChangeRecord(value);
        if (decoded.ok) read.push(decoded.record);
      }
    }
    return read;
  }
  const contents = async (directory: string): Promise<(readonly [string, string])[]> =>
    Promise.all((await readdir(directory)).sort().map(async (name) => [name, (await readFile(join(directory, name))).toString('base64')] as const));

  test('is read whole, and left as it was', async () => {
    const directory = tempFolder().path;
    await (await written(directory)).close();
    const before = await contents(directory);
    assert.deepEqual(await readAll(directory), HISTORY);
    assert.deepEqual(await contents(directory), before);
  });

  test('is refused while a process uses it', async () => {
    const directory = tempFolder().path;
    const log = await written(directory);
    await assert.rejects(readAll(directory), { code: 'PODTRAIL_LOG_LOCKED' });
    await log.close();
  });

  test('and can be opened again after a reader that gave up', async () => {
    const directory = tempFolder().path;
    await (await written(directory)).close();
    for await (const piece of readEmbeddedLog(directory)) {
      assert.ok(piece.records.length > 0);
      break;
    }
    await (await written(directory)).close();
  });

  test('that is not there is missing, and is not made', async () => {
    const directory = join(tempFolder().path, 'none');
    await assert.rejects(readAll(directory), { code: 'PODTRAIL_LOG_MISSING' });
    await assert.rejects(readdir(directory), { code: 'ENOENT' });
  });
});

test('the table names both stories of each incident', () => {
  const table = differenceTable([
    { kind: 'gone', before: incident() },
    { kind: 'new', after: incident({ id: 'b', cause: 'x' }) },
    { kind: 'reclassified', before: incident(), after: incident({ muted: true }) },
  ]);
  const columns = table.split('\n').map((line) => line.split(/ {2,}/).slice(0, 6));
  assert.deepEqual(columns.slice(1), [
    ['gone', '1970-01-01T00:00:01.000Z', 'one', 'Deployment/shop/web/app', 'container_exit/exit_immediate', '-'],
    ['new', '1970-01-01T00:00:01.000Z', 'one', 'Deployment/shop/web/app', '-', 'container_exit/x'],
    ['reclassified', '1970-01-01T00:00:01.000Z', 'one', 'Deployment/shop/web/app', 'container_exit/exit_immediate', 'container_exit/exit_immediate (muted)'],
  ]);
});
