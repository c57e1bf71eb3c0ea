/** The contract of the change log's port, once for each implementation. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { MAX_RECORD_BYTES } from '../../collector/change-record.ts';
import { ChangeLogError } from '../../collector/errors.ts';
import { type KafkaBroker, startKafka } from '../helpers/kafka-broker.ts';
import { bytes, ReaderDriver, RetriableError } from './change-log-driver.ts';
import { createEmbeddedLog, createKafkaLog, type Differences, embeddedDifferences, kafkaDifferences, type OpenLog, type TestLog } from './change-log-logs.ts';

const KEYS = ['cluster-a', 'cluster-b', 'cluster-c', 'cluster-d', 'cluster-e'];

describe('embedded change log', () => describeContract(createEmbeddedLog, embeddedDifferences));

describe('kafka change log', async () => {
  const broker = await startKafka();
  if ('skip' in broker) {
    test('contract', { skip: broker.skip }, () => undefined);
    return;
  }
  after(() => (broker as KafkaBroker).stop());
  describeContract(async () => createKafkaLog(broker.brokers), kafkaDifferences);
});

function describeContract(create: () => Promise<TestLog>, differences: Differences): void {
  /** Each test has a log of its own; what it leaves open is closed. */
  const contract = (name: string, body: (log: TestLog, open: () => Promise<OpenLog>) => Promise<void>) =>
    test(name, { timeout: 120_000 }, async () => {
      const log = await create();
      const opened: OpenLog[] = [];
      const open = async () => {
        const next = await log.open();
        opened.push(next);
        return next;
      };
      try {
        await body(log, open);
      } finally {
        for (const one of opened) await one.close();
        await log.destroy();
      }
    });

  contract('hands out keys, values and times as appended, in order per key, with dense offsets', async (_, open) => {
    const { writer, reader } = await open();
    const beforeMs = Date.now();
    await Promise.all(
      KEYS.map((key) =>
        writer.append(
          key,
          [0, 1, 2].map((n) => bytes(`${key}#${n}`)),
        ),
      ),
    );
    await Promise.all(
      KEYS.map((key) =>
        writer.append(
          key,
          [3, 4].map((n) => bytes(`${key}#${n}`)),
        ),
      ),
    );
    const driver = new ReaderDriver().start(reader());
    await driver.until(() => driver.records.length === KEYS.length * 5);
    for (const key of KEYS) {
      const ofKey = driver.records.filter(({ record }) => record.key === key);
      assert.deepEqual(
        ofKey.map(({ record }) => Buffer.from(record.value).toString('utf8')),
        [0, 1, 2, 3, 4].map((n) => `${key}#${n}`),
      );
      assert.equal(new Set(ofKey.map(({ partition }) => partition)).size, 1);
      for (const { record } of ofKey) assert.ok(record.timeMs >= beforeMs - 1_000 && record.timeMs <= Date.now() + 1_000);
    }
    for (const { partition, earliest } of driver.assignments) {
      const offsets = driver.records.filter((one) => one.partition === partition).map(({ record }) => record.offset);
      assert.deepEqual(
        offsets,
        offsets.map((_, index) => earliest + BigInt(index)),
      );
    }
  });

  contract('keeps what was acknowledged over a close and a reopen', async (_, open) => {
    const first = await open();
    await first.writer.append('k', [bytes('one'), bytes('two')]);
    await first.close();
    const second = await open();
    await second.writer.append('k', [bytes('three')]);
    const driver = new ReaderDriver().start(second.reader());
    await driver.until(() => driver.records.length === 3);
    assert.deepEqual(driver.values, ['one', 'two', 'three']);
  });

  contract('starts at the offset that assigned returns, whatever was committed', async (_, open) => {
    const { writer, reader } = await open();
    await writer.append('k', ['0', '1', '2', '3'].map(bytes));
    const first = new ReaderDriver({ batch: async () => 1n });
    const firstReader = reader();
    first.start(firstReader);
    await first.until(() => first.records.length === 4);
    await firstReader.stop();
    const second = new ReaderDriver({ assigned: async ({ end }) => (end === 0n ? 0n : 2n) }).start(reader());
    await second.until(() => second.records.length === 2);
    assert.deepEqual(second.values, ['2', '3']);
  });

  contract('shows the committed offset to the next reader, after a reopen too', async (_, open) => {
    const first = await open();
    await first.writer.append('k', ['0', '1', '2'].map(bytes));
    const fresh = new ReaderDriver({ batch: async () => 2n });
    const reader = first.reader();
    fresh.start(reader);
    await fresh.until(() => fresh.records.length === 3);
    assert.ok(fresh.assignments.every(({ committed }) => committed === undefined));
    await reader.stop();
    await first.close();
    const again = new ReaderDriver().start((await open()).reader());
    await again.until(() => again.records.length === 3);
    const partition = again.records[0]?.partition;
    assert.equal(again.assignments.find((assignment) => assignment.partition === partition)?.committed, 2n);
  });

  contract('shows earliest, end and lag', async (_, open) => {
    const { writer, reader } = await open();
    const idle = reader();
    await writer.append('k', ['0', '1', '2'].map(bytes));
    const ends = await idle.endOffsets();
    assert.equal(ends.size, differences.partitions);
    assert.equal(
      [...ends.values()].reduce((sum, end) => sum + end, 0n),
      3n,
    );
    const driver = new ReaderDriver().start(idle);
    await driver.until(() => driver.records.length === 3);
    const [batch] = driver.batches;
    assert.equal(batch?.end, 3n);
    assert.deepEqual(
      driver.assignments
        .map(({ end }) => end)
        .sort()
        .at(-1),
      3n,
    );
  });

  contract('has one identity over reopens', async (_, open) => {
    const first = await open();
    const identity = await first.reader().identity();
    assert.equal(identity.partitions, differences.partitions);
    await first.close();
    assert.deepEqual(await (await open()).reader().identity(), identity);
  });

  contract('an empty log assigns, waits, and wakes for the first record', async (_, open) => {
    const { writer, reader } = await open();
    const driver = new ReaderDriver().start(reader());
    await driver.until(() => driver.assignments.length === differences.partitions);
    for (const { earliest, end } of driver.assignments) assert.deepEqual([earliest, end], [0n, 0n]);
    await writer.append('k', [bytes('first')]);
    await driver.until(() => driver.records.length === 1);
  });

  contract('two readers share the work; none of 3000 records is lost when one joins and one leaves', async (_, open) => {
    const { writer, reader } = await open();
    const batch = async ({ records }: { records: readonly { offset: bigint }[] }) => (records.at(-1)?.offset ?? 0n) + 1n;
    const assigned = async ({ committed, earliest }: { committed: bigint | undefined; earliest: bigint }) => committed ?? earliest;
    const readers = [reader(), reader()] as const;
    const drivers = [new ReaderDriver({ batch, assigned }), new ReaderDriver({ batch, assigned })] as const;
    const append = (from: number) =>
      Promise.all(
        KEYS.map((key) =>
          writer.append(
            key,
            range(200).map((n) => bytes(`${key}#${from + n}`)),
          ),
        ),
      );
    const seen = () => new Set([...drivers[0].values, ...drivers[1].values]).size;
    drivers[0].start(readers[0]);
    await append(0);
    await drivers[0].until(() => seen() === 1_000);
    drivers[1].start(readers[1]);
    if (differences.partitions > 1) await drivers[1].until(() => drivers[1].held.size === differences.partitions / 2);
    await append(200);
    await readers[0].stop();
    await append(400);
    await drivers[1].until(() => drivers[1].held.size === differences.partitions && seen() === 3_000);
    assert.equal(drivers[0].held.size, 0);
  });

  contract('keeps its membership while handlers take longer than a session', async (_, open) => {
    const { writer, reader } = await open();
    await writer.append('k', [bytes('slow')]);
    const slow = differences.sessionTimeoutMs * 1.3;
    const assigned = () => delay(slow, 0n);
    const batch = ({ records }: { records: readonly { offset: bigint }[] }) => delay(records[0]?.offset === 0n ? slow : 0, undefined);
    const driver = new ReaderDriver({ assigned, batch }).start(reader());
    await driver.until(() => driver.records.length === 1);
    assert.equal(driver.assignments.length, differences.partitions);
    assert.deepEqual(driver.revocations, []);
    await writer.append('k', [bytes('next')]);
    await driver.until(() => driver.records.length === 2);
    assert.deepEqual(driver.values, ['slow', 'next']);
  });

  contract('calls again with the same batch after a retriable error', async (_, open) => {
    const { writer, reader } = await open();
    await writer.append('k', ['0', '1'].map(bytes));
    let failures = 2;
    const batch = async () => {
      failures -= 1;
      if (failures >= 0) throw new RetriableError('sink is down');
      return undefined;
    };
    const driver = new ReaderDriver({ batch }).start(reader());
    await driver.until(() => driver.records.length === 2);
    assert.equal(driver.batches.length, 3);
    assert.deepEqual(driver.batches[1], driver.batches[0]);
    assert.deepEqual(driver.batches[2], driver.batches[0]);
  });

  contract('ends with the error of a handler that is not retriable, and revokes', async (_, open) => {
    const { writer, reader } = await open();
    await writer.append('k', [bytes('bad')]);
    const broken = new Error('invariant broken');
    const driver = new ReaderDriver({ batch: () => Promise.reject(broken) }).start(reader());
    await assert.rejects(driver.finished, broken);
    assert.equal(driver.held.size, 0);
    assert.equal(driver.batches.length, 1);
  });

  contract('stop finishes the batch in hand, commits it, revokes, and calls nothing after', async (_, open) => {
    const { writer, reader } = await open();
    await writer.append('k', ['0', '1'].map(bytes));
    const stopping = reader();
    let stopped: Promise<void> | undefined;
    const batch = async ({ end }: { end: bigint }) => {
      stopped = stopping.stop();
      await writer.append('k', [bytes('2')]);
      await delay(50);
      return end;
    };
    const driver = new ReaderDriver({ batch }).start(stopping);
    await driver.finished;
    await stopped;
    assert.deepEqual(driver.values, ['0', '1']);
    assert.equal(driver.held.size, 0);
    assert.equal(driver.revocations.length, driver.assignments.length);
    const next = new ReaderDriver({ assigned: async ({ committed }) => committed ?? 0n }).start(reader());
    await next.until(() => next.records.length === 1);
    assert.deepEqual(next.values, ['2']);
  });

  contract('stop ends a reader whose handler keeps failing', async (_, open) => {
    const { writer, reader } = await open();
    await writer.append('k', [bytes('0')]);
    const failing = reader();
    const driver = new ReaderDriver({ batch: () => Promise.reject(new RetriableError('sink is down')) }).start(failing);
    await driver.until(() => driver.batches.length > 0);
    await failing.stop();
    await driver.finished;
    assert.equal(driver.held.size, 0);
  });

  contract('says so and goes on at the earliest record when the start is older than the log keeps', async (log, open) => {
    const first = await open();
    await first.writer.append(
      'k',
      range(500).map((n) => bytes(`${n}`.padEnd(200, '.'))),
    );
    const done = new ReaderDriver({ batch: async ({ records }) => (records.at(-1)?.offset ?? 0n) + 1n });
    const reader = first.reader();
    done.start(reader);
    await done.until(() => done.records.length === 500);
    await reader.stop();
    await first.close();
    await log.trim();
    const driver = new ReaderDriver({ assigned: async () => 0n }).start((await open()).reader());
    await driver.until(() => driver.records.length === 1);
    const [gap] = driver.gaps;
    assert.ok(gap !== undefined && gap.wanted === 0n && gap.earliest > 0n);
    assert.equal(driver.records[0]?.record.offset, gap.earliest);
    assert.equal(driver.gaps.length, 1);
  });

  contract('says so and goes on at the earliest record when the start is beyond the end', async (_, open) => {
    const { writer, reader } = await open();
    await writer.append('k', [bytes('only')]);
    const driver = new ReaderDriver({ assigned: async ({ end }) => (end === 0n ? 0n : 77n) }).start(reader());
    await driver.until(() => driver.records.length === 1);
    assert.deepEqual(
      driver.gaps.map(({ wanted, earliest }) => [wanted, earliest]),
      [[77n, 0n]],
    );
  });

  contract('carries 20000 records from concurrent writers without loss', async (_, open) => {
    const { writer, reader } = await open();
    const driver = new ReaderDriver({ batch: async ({ records }) => (records.at(-1)?.offset ?? 0n) + 1n }).start(reader());
    const writeKey = async (key: string) => {
      for (const round of range(20))
        await writer.append(
          key,
          range(200).map((n) => bytes(`${key}#${round * 200 + n}`.padEnd(300, '.'))),
        );
    };
    await Promise.all(KEYS.map(writeKey));
    await driver.until(() => driver.records.length === 20_000);
    assert.equal(new Set(driver.values).size, 20_000);
    assert.ok(Math.max(...driver.batches.map(({ offsets }) => offsets.length)) <= 1_000);
  });

  contract('carries records of the largest size, several in one append', async (_, open) => {
    const { writer, reader } = await open();
    const large = range(3).map((n) => Buffer.alloc(MAX_RECORD_BYTES, incompressible(n)));
    await writer.append('k', large);
    const driver = new ReaderDriver().start(reader());
    await driver.until(() => driver.records.length === 3);
    for (const [index, { record }] of driver.records.entries()) assert.ok(large[index]?.equals(record.value));
  });

  contract('refuses a record over the limit and an append after close; appends nothing for no values', async (_, open) => {
    const { writer, reader } = await open();
    await assert.rejects(writer.append('k', [Buffer.alloc(MAX_RECORD_BYTES + 1)]), RangeError);
    await writer.append('k', []);
    await writer.append('k', [bytes('fits')]);
    const ends = await reader().endOffsets();
    assert.equal(
      [...ends.values()].reduce((sum, end) => sum + end, 0n),
      1n,
    );
    await writer.close();
    await writer.close();
    await assert.rejects(writer.append('k', [bytes('late')]), (error) => error instanceof ChangeLogError && !error.retriable);
  });
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

/** Bytes that gzip cannot shrink, the same for the same seed. */
function incompressible(seed: number): Buffer {
  const buffer = Buffer.alloc(65_537);
  let state = seed + 1;
  for (let at = 0; at < buffer.length; at += 1) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    buffer[at] = state >>> 16;
  }
  return buffer;
}
