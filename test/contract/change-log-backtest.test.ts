/** Backtests over the real parts: each change log is read to its end, and the store tells what the core does. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import kafkajs from 'kafkajs';
import { encodeChangeRecord } from '../../collector/change-record.ts';
import { compareWhole } from '../../deploy/commands/backtest.ts';
import type { BacktestIncident, Difference } from '../../processor/backtest.ts';
import { createBacktest, incidentOf, readStoredIncidents } from '../../processor/backtest.ts';
import { readToEnd } from '../../processor/read-log.ts';
import { openTestStore } from '../helpers/clickhouse.ts';
import { START_MS } from '../helpers/driver.ts';
import { historyOf, interleave } from '../helpers/history.ts';
import { startKafka } from '../helpers/kafka-broker.ts';
import { createMemoryLog } from '../helpers/memory-log.ts';
import { runToEnd } from '../helpers/processor-run.ts';
import { createEmbeddedLog, createKafkaLog, type TestLog } from './change-log-logs.ts';

const HISTORY = interleave(historyOf({ uid: 'uid-one', name: 'one' }, 3), historyOf({ uid: 'uid-two', name: 'two' }, 2));
const RANGE = { fromMs: START_MS, toMs: START_MS + 86_400_000 };

function backtestOf(rules: Readonly<Record<string, unknown>>) {
  const backtest = createBacktest(rules);
  for (const record of HISTORY) backtest.push(record);
  return backtest;
}

describe('against what is stored', async () => {
  const store = await openTestStore();
  after(() => store.close());
  const log = createMemoryLog();
  for (const record of HISTORY) log.append(record);
  await runToEnd(store.client, log, { batchSize: 1_000 });
  const stored = (range = RANGE) => readStoredIncidents(store.client, ['one', 'two'], range);

  test('the same rules tell the same', async () => {
    const backtest = backtestOf({});
    const before = await stored();
    assert.ok(before.length >= 4);
    assert.deepEqual(compareWhole(before, backtest.incidents(), backtest.clusters(), RANGE), { differences: [], same: before.length, undecided: 0 });
    const byId = (a: { id: string }, b: { id: string }): number => (a.id < b.id ? -1 : 1);
    assert.deepEqual([...before].sort(byId), backtest.incidents().sort(byId), 'field by field');
  });

  test('other rules are told by their differences alone', async () => {
    const mute = { match: { clusters: ['one'], workloads: ['pod-0'] }, reason: 'test', until: '2099-01-01T00:00:00Z' };
    const backtest = backtestOf({ disabled: [{ match: { clusters: ['two'] }, reason: 'test' }], mutes: [mute] });
    const before = await stored();
    const { differences, same } = compareWhole(before, backtest.incidents(), backtest.clusters(), RANGE);
    const ofOne = before.filter(({ cluster }) => cluster === 'one');
    const told = (kind: Difference['kind']): string[] => differences.flatMap((d) => (d.kind === kind ? [incidentOf(d).id] : [])).sort();
    const ids = (incidents: readonly BacktestIncident[]): string[] => incidents.map(({ id }) => id).sort();
    assert.deepEqual(told('gone'), ids(before.filter(({ cluster }) => cluster === 'two')));
    assert.deepEqual(told('reclassified'), ids(ofOne.filter(({ subject }) => subject.name === 'pod-0')));
    assert.deepEqual([told('new'), same], [[], ofOne.length - told('reclassified').length]);
  });

  test('only what was active in the range, only of these clusters', async () => {
    const all = await stored();
    const firstMs = Math.min(...all.map(({ openedMs }) => openedMs));
    assert.deepEqual(await stored({ fromMs: 0, toMs: firstMs - 1 }), []);
    assert.ok((await stored({ fromMs: 0, toMs: firstMs })).length > 0);
    const lastMs = Math.max(...all.map(({ resolvedMs }) => resolvedMs));
    assert.ok(lastMs > 0);
    const later = await stored({ fromMs: lastMs + 1, toMs: RANGE.toMs });
    assert.deepEqual(
      later.map(({ id }) => id).sort(),
      all
        .filter(({ resolvedMs }) => resolvedMs === 0)
        .map(({ id }) => id)
        .sort(),
    );
    assert.deepEqual(await readStoredIncidents(store.client, ['other'], RANGE), []);
  });
});

/** Writes the history, reads it to its end, and returns how many records of each key there were. */
async function writeAndRead(log: TestLog): Promise<Map<string, number>> {
  const opened = await log.open();
  for (const record of HISTORY) await opened.writer.append(record.cluster.uid, [encodeChangeRecord(record)]);
  await opened.close();
  const reading = await log.open();
  const counts = new Map<string, number>();
  const result = await readToEnd(reading.reader(), (records) => {
    for (const { key } of records) counts.set(key, (counts.get(key) ?? 0) + 1);
  });
  assert.deepEqual(result, { trimmed: 0, gaps: 0 });
  await reading.close();
  return counts;
}
const EXPECTED = new Map(['uid-one', 'uid-two'].map((uid) => [uid, HISTORY.filter(({ cluster }) => cluster.uid === uid).length]));

test('the embedded log is read to its end', async () => {
  const log = await createEmbeddedLog();
  assert.deepEqual(await writeAndRead(log), EXPECTED);
  await log.destroy();
});

describe('on kafka', { timeout: 180_000 }, async () => {
  const broker = await startKafka();
  if ('skip' in broker) {
    test('all', { skip: broker.skip }, () => undefined);
    return;
  }
  after(() => broker.stop());

  test('all partitions are read to their end, and nothing is committed', async () => {
    const log = createKafkaLog(broker.brokers);
    assert.deepEqual(await writeAndRead(log), EXPECTED);
    const admin = new kafkajs.Kafka({ brokers: broker.brokers, logLevel: kafkajs.logLevel.NOTHING }).admin();
    await admin.connect();
    const { topic } = log.options;
    const [committed] = await admin.fetchOffsets({ groupId: `${topic}.readers`, topics: [topic] });
    await admin.disconnect();
    assert.deepEqual(new Set(committed?.partitions.map(({ offset }) => offset)), new Set(['-1']));
    await log.destroy();
  });
});
