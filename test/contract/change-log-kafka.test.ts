/** What the change log on Kafka promises beyond the contract: the topic, the partitioner, broker faults, rebalances, lost offsets. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import kafkajs, { type Admin } from 'kafkajs';
import { createKafkaChangeLog } from '../../collector/change-log/kafka-change-log.ts';
import { ChangeLogError } from '../../collector/errors.ts';
import { startKafka, TEST_USER } from '../helpers/kafka-broker.ts';
import { OTHER_CA, TEST_CA } from '../helpers/tls-fixture.ts';
import { bytes, ReaderDriver } from './change-log-driver.ts';
import { createKafkaLog, kafkaOptions, silent } from './change-log-logs.ts';

/** Longer than REQUEST_TIMEOUT_MS of the client. */
const SILENT_MS = 20_000;
const READER = fileURLToPath(new URL('change-log-reader.ts', import.meta.url));

describe('kafka change log beside the contract', { timeout: 180_000 }, async () => {
  const broker = await startKafka();
  if ('skip' in broker) {
    test('all', { skip: broker.skip }, () => undefined);
    return;
  }
  after(() => broker.stop());
  const { brokers } = broker;
  const withAdmin = async <T>(call: (admin: Admin) => Promise<T>): Promise<T> => {
    const admin = new kafkajs.Kafka({ brokers, logLevel: kafkajs.logLevel.NOTHING }).admin();
    await admin.connect();
    return call(admin).finally(() => admin.disconnect());
  };

  test('creates the topic with the documented settings', async () => {
    const log = createKafkaLog(brokers, { retentionMs: 3_600_000 });
    const { topic } = log.options;
    const opened = await log.open();
    await opened.writer.append('k', [bytes('x')]);
    const { resources } = await withAdmin((admin) =>
      admin.describeConfigs({ includeSynonyms: false, resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic }] }),
    );
    const settings = new Map(resources[0]?.configEntries.map(({ configName, configValue }) => [configName, configValue]));
    const expected = {
      'cleanup.policy': 'delete',
      'retention.ms': '3600000',
      'compression.type': 'producer',
      'max.message.bytes': '1048588',
      'message.timestamp.type': 'LogAppendTime',
      'min.insync.replicas': '1',
      'unclean.leader.election.enable': 'false',
    };
    assert.deepEqual(Object.fromEntries(Object.keys(expected).map((name) => [name, settings.get(name)])), expected);
    await opened.close();
    await log.destroy();
  });

  test('does not create the topic when it may not: writer and reader say which topic is missing', async () => {
    const options = kafkaOptions(brokers, { createTopic: false });
    const log = createKafkaChangeLog(options, { log: silent });
    const isMissing = (error: unknown) =>
      error instanceof ChangeLogError && error.code === 'PODTRAIL_LOG_MISSING' && !error.retriable && error.message.includes(options.topic);
    await assert.rejects(log.writer.append('k', [bytes('x')]), isMissing);
    await assert.rejects(new ReaderDriver().start(log.reader({ groupId: 'g' })).finished, isMissing);
    assert.ok(!(await withAdmin((admin) => admin.listTopics())).includes(options.topic));
    await log.close();
  });

  test('refuses a compacted topic: it would lose all but the last record of each cluster', async () => {
    const log = createKafkaLog(brokers);
    const { topic } = log.options;
    await withAdmin((admin) => admin.createTopics({ topics: [{ topic, configEntries: [{ name: 'cleanup.policy', value: 'compact,delete' }] }] }));
    const opened = await log.open();
    await assert.rejects(opened.writer.append('k', [bytes('x')]), (error) => error instanceof ChangeLogError && /compact/.test(error.message));
    await opened.close();
    await log.destroy();
  });

  // Hashes from Kafka's own test of murmur2: UtilsTest.testMurmur2 in clients/src/test/java/org/apache/kafka/common/utils.
  const hashes = { '21': -973_932_308, foobar: -790_332_482, 'a-little-bit-long-string': -985_981_536, 'a-little-bit-longer-string': -1_486_304_829 };
  test('puts a key where the Java client would put it', async () => {
    const log = createKafkaLog(brokers, { partitions: 12 });
    const { writer, reader, close } = await log.open();
    await Promise.all(Object.keys(hashes).map((key) => writer.append(key, [bytes(key)])));
    const driver = new ReaderDriver().start(reader());
    await driver.until(() => driver.records.length === Object.keys(hashes).length);
    for (const { partition, record } of driver.records) {
      assert.equal(partition, ((hashes[record.key as keyof typeof hashes] ?? 0) & 0x7fffffff) % 12, record.key);
    }
    await close();
    await log.destroy();
  });

  test('reports the gap when retention overtakes a running reader', async () => {
    const log = createKafkaLog(brokers, { partitions: 1 });
    const { writer, reader, close } = await log.open();
    await writer.append('k', ['0', '1'].map(bytes));
    const held = deferred();
    const driver = new ReaderDriver({ batch: () => held.promise.then(() => undefined) }).start(reader());
    await driver.until(() => driver.batches.length === 1);
    await writer.append('k', ['2', '3', '4', '5'].map(bytes));
    await delay(1_000); // the reader has parked the partition: it is not fetched
    await withAdmin(async (admin) => {
      await admin.fetchTopicOffsets(log.options.topic); // loads the metadata, which deleteTopicRecords does not
      await admin.deleteTopicRecords({ topic: log.options.topic, partitions: [{ partition: 0, offset: '5' }] });
    });
    held.resolve();
    await driver.until(() => driver.records.length === 3);
    assert.deepEqual(driver.gaps, [{ partition: 0, wanted: 2n, earliest: 5n }]);
    assert.deepEqual(driver.values, ['0', '1', '5']);
    await close();
    await log.destroy();
  });

  test('a rebalance while a reader finishes its last batch gives it nothing any more', async () => {
    const log = createKafkaLog(brokers, { partitions: 1 });
    const { writer, reader, close } = await log.open();
    await writer.append('k', [bytes('0')]);
    const held = deferred();
    const stopping = reader();
    const first = new ReaderDriver({ batch: () => held.promise.then(() => undefined) }).start(stopping);
    await first.until(() => first.batches.length === 1);
    const stopped = stopping.stop();
    const second = new ReaderDriver().start(reader());
    await delay(3_000); // the group rebalances; the first reader is still in it
    held.resolve();
    await stopped;
    await second.until(() => second.records.length === 1);
    assert.deepEqual([first.assignments.length, first.revocations.length, first.records.length], [1, 1, 1]);
    await close();
    await log.destroy();
  });

  test('refuses to read on when the topic has grown: its keys have moved', async () => {
    const log = createKafkaLog(brokers, { partitions: 2 });
    const { writer, reader, close } = await log.open();
    const isGrown = (error: unknown) => error instanceof ChangeLogError && !error.retriable && /no longer its 2 partitions/.test(error.message);
    const driver = new ReaderDriver().start(reader());
    await driver.until(() => driver.held.size === 2);
    await withAdmin((admin) => admin.createPartitions({ topicPartitions: [{ topic: log.options.topic, count: 3 }] }));
    await assert.rejects(writer.append('k', [bytes('x')]), isGrown);
    await assert.rejects(new ReaderDriver().start(reader()).finished, isGrown);
    const other = await log.open(); // knows only the grown topic; its coming and going makes the group look at it again
    const passing = new ReaderDriver().start(other.reader());
    await Promise.race([passing.until(() => passing.held.size > 0), driver.finished.catch(() => undefined)]);
    await other.close();
    await assert.rejects(driver.finished, isGrown);
    await close();
    await log.destroy();
  });

  test('a reader that was suspended beyond its session loses its partitions, and joins again when it wakes', { timeout: 90_000 }, async () => {
    const log = createKafkaLog(brokers, { partitions: 2 });
    const opened = await log.open();
    await opened.writer.append('k', [bytes('0')]);
    const zombie = startReader(brokers[0] ?? '', log.options.topic);
    await zombie.until((lines) => lines.some((line) => line === 'record 0'));
    const driver = new ReaderDriver().start(opened.reader());
    await driver.until(() => driver.held.size === 1);
    zombie.child.kill('SIGSTOP');
    await driver.until(() => driver.held.size === 2);
    await opened.writer.append('k', [bytes('1')]);
    await driver.until(() => driver.values.includes('0') && driver.values.includes('1'));
    zombie.child.kill('SIGCONT');
    await driver.until(() => driver.held.size === 1); // it is back
    await zombie.until((lines) => lines.filter((line) => line.startsWith('revoked')).length >= 2);
    zombie.child.stdin?.end();
    await driver.until(() => driver.held.size === 2);
    assert.equal(await zombie.exitCode, 0);
    await opened.close();
    await log.destroy();
  });
});

describe('kafka change log and its broker', async () => {
  const broker = await startKafka({ exclusive: true });
  if ('skip' in broker) {
    test('all', { skip: broker.skip }, () => undefined);
    return;
  }
  after(() => broker.stop());

  for (const fault of ['restarted in the orderly way', 'killed', 'silent for longer than a request waits'] as const) {
    test(`loses nothing and goes on by itself when the broker is ${fault}`, { timeout: 180_000 }, async () => {
      const log = createKafkaLog(broker.brokers);
      const { writer, reader, close } = await log.open();
      const driver = new ReaderDriver({ assigned: async ({ committed, earliest }) => committed ?? earliest }).start(reader());
      let count = 0;
      let isDone = false;
      const writing = (async () => {
        for (; !isDone; count += 1) await retry(() => writer.append(`k${count % 5}`, [bytes(`${count}`)]));
      })();
      await driver.until(() => driver.records.length > 50);
      if (fault === 'killed') await broker.kill();
      if (fault === 'silent for longer than a request waits') await broker.pause(SILENT_MS);
      else await broker.restart();
      const before = count;
      await driver.until(() => count > before + 50);
      isDone = true;
      await writing;
      await driver.until(() => new Set(driver.values).size === count);
      await close();
      await log.destroy();
    });
  }

  test('with the broker down appends, offsets and identity fail as retriable, and stopping takes no time', { timeout: 120_000 }, async () => {
    const log = createKafkaLog(broker.brokers);
    const { writer, reader, close } = await log.open();
    await writer.append('k', [bytes('0')]);
    const reading = reader();
    const driver = new ReaderDriver().start(reading);
    await driver.until(() => driver.records.length === 1);
    await broker.kill();
    const isRetriable = (error: unknown) => error instanceof ChangeLogError && error.code === 'PODTRAIL_LOG_UNAVAILABLE' && error.retriable;
    await Promise.all([
      assert.rejects(writer.append('k', [bytes('1')]), isRetriable),
      assert.rejects(reading.endOffsets(), isRetriable),
      assert.rejects(reading.identity(), isRetriable),
    ]);
    const startMs = Date.now();
    await reading.stop();
    assert.ok(Date.now() - startMs < 15_000);
    await driver.finished;
    await broker.restart();
    await retry(() => writer.append('k', [bytes('2')]));
    await close();
    await log.destroy();
  });
});

describe('kafka change log with TLS and SASL', async () => {
  const broker = await startKafka({ secure: true });
  if ('skip' in broker) {
    test('all', { skip: broker.skip }, () => undefined);
    return;
  }
  const directory = await mkdtemp(join(tmpdir(), 'podtrail-kafka-secrets-'));
  const secret = async (name: string, text: string) => {
    await writeFile(join(directory, name), text);
    return join(directory, name);
  };
  const passwordFile = await secret('password', `${TEST_USER.password}\n`);
  const caFile = await secret('ca.pem', TEST_CA);
  after(async () => {
    await broker.stop();
    await rm(directory, { recursive: true });
  });

  for (const mechanism of ['plain', 'scram-sha-512'] as const) {
    test(`writes and reads with ${mechanism}`, async () => {
      const sasl = { mechanism, username: TEST_USER.username, passwordFile };
      const log = createKafkaLog(broker.secureBrokers ?? [], { tls: { enabled: true, caFile }, sasl });
      const { writer, reader, close } = await log.open();
      await writer.append('k', [bytes('x')]);
      const driver = new ReaderDriver().start(reader());
      await driver.until(() => driver.records.length === 1);
      await close();
    });
  }

  test('says why when the password or the authority is wrong, and never says the password', async () => {
    const sasl = { mechanism: 'plain', username: TEST_USER.username, passwordFile: await secret('wrong', 'wrong-password') } as const;
    const wrongPassword = await createKafkaLog(broker.secureBrokers ?? [], { tls: { enabled: true, caFile }, sasl }).open();
    const wrongAuthority = await createKafkaLog(broker.secureBrokers ?? [], { tls: { enabled: true, caFile: await secret('other.pem', OTHER_CA) } }).open();
    for (const [log, why] of [
      [wrongPassword, /[Aa]uthentication failed/],
      [wrongAuthority, /certificate/],
    ] as const) {
      await assert.rejects(log.writer.append('k', [bytes('x')]), (error) => {
        assert.ok(error instanceof ChangeLogError && error.code === 'PODTRAIL_LOG_UNAVAILABLE');
        assert.match(error.message, why);
        assert.doesNotMatch(inspect(error, { depth: 10 }), /wrong-password/);
        return true;
      });
      await log.close();
    }
  });
});

function deferred(): { readonly promise: Promise<void>; resolve: () => void } {
  let resolve = () => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

/** As every caller of the writer does: the whole batch again after a retriable error. */
async function retry(append: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      return await append();
    } catch (error) {
      if (!(error instanceof ChangeLogError && error.retriable)) throw error;
      await delay(100);
    }
  }
}

interface ReaderProcess {
  readonly child: ChildProcess;
  readonly exitCode: Promise<number | null>;
  until(condition: (lines: readonly string[]) => boolean): Promise<void>;
}

/** A reader in a process of its own: it prints what is called, and stops when its standard input ends. */
function startReader(address: string, topic: string): ReaderProcess {
  const child = spawn(process.execPath, ['--import', 'tsx', READER, address, topic], { stdio: ['pipe', 'pipe', 'inherit'] });
  const exitCode = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const lines: string[] = [];
  const waiting = new Set<() => void>();
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line);
    for (const wake of waiting) wake();
  });
  const until = async (condition: (lines: readonly string[]) => boolean) => {
    while (!condition(lines)) {
      await new Promise<void>((resolve, reject) => {
        waiting.add(resolve);
        void exitCode.then((code) => reject(new Error(`the reader process ended with ${code}`)));
      });
    }
  };
  return { child, exitCode, until };
}
