/** The two implementations as the contract suite sees them, and where they differ. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Kafka, logLevel } from 'kafkajs';
import { pino } from 'pino';
import type { ChangeLogReader, ChangeLogWriter } from '../../collector/change-log/change-log.ts';
import { changeLogConfig, type KafkaOptions } from '../../collector/change-log/config.ts';
import { openEmbeddedChangeLog } from '../../collector/change-log/embedded-change-log.ts';
import { createKafkaChangeLog } from '../../collector/change-log/kafka-change-log.ts';

/** Where the implementations differ by nature, and why. The suite asks here instead of knowing names. */
export interface Differences {
  /** Kafka shares partitions among readers; the embedded log has one, so a second reader waits until the first ends. */
  readonly partitions: number;
  /** Kafka's retention is blind; the embedded log's keeps what a running reader has yet to read (design D10). */
  readonly isTrimmedUnderReaders: boolean;
  /** Silence after which Kafka takes a reader for dead, ms; inside one process there is no such thing. */
  readonly sessionTimeoutMs: number;
}

export interface OpenLog {
  readonly writer: ChangeLogWriter;
  reader(): ChangeLogReader;
  close(): Promise<void>;
}

/** One log; it can be opened again and again. */
export interface TestLog {
  open(): Promise<OpenLog>;
  /** Makes the log forget the records below its end, as retention would; the log has been read and committed to the end. */
  trim(): Promise<void>;
  destroy(): Promise<void>;
}

export const silent = pino({ level: process.env['PODTRAIL_TEST_LOG_LEVEL'] ?? 'silent' });

export const embeddedDifferences: Differences = { partitions: 1, isTrimmedUnderReaders: false, sessionTimeoutMs: 0 };
export const kafkaDifferences: Differences = { partitions: 4, isTrimmedUnderReaders: true, sessionTimeoutMs: 6_000 };

export async function createEmbeddedLog(): Promise<TestLog> {
  const directory = await mkdtemp(join(tmpdir(), 'podtrail-log-'));
  const open = (retentionMs: number, now?: () => number) =>
    openEmbeddedChangeLog({ directory, segmentBytes: 65_536, retentionMs, retentionBytes: 1_073_741_824, fsyncIntervalMs: 0 }, { log: silent, now });
  return {
    open: () => open(3_600_000),
    trim: async () => {
      const log = await open(1, () => Date.now() + 3_600_000); // everything is old
      await log.writer.append('trim', [Buffer.from('the only record left')]);
      await log.close();
      await (await open(1, () => Date.now() + 3_600_000)).close();
    },
    destroy: () => rm(directory, { recursive: true }),
  };
}

export function kafkaOptions(brokers: readonly string[], overrides: Partial<KafkaOptions> = {}): KafkaOptions {
  const { partitions, sessionTimeoutMs } = kafkaDifferences;
  const topic = `podtrail.test.${randomUUID()}`;
  const parsed = changeLogConfig.parse({ kind: 'kafka', brokers, topic, partitions, replication: 1, sessionTimeoutMs, heartbeatIntervalMs: 500, ...overrides });
  if (parsed.kind !== 'kafka') throw new Error('unreachable');
  return parsed;
}

export function createKafkaLog(brokers: readonly string[], overrides: Partial<KafkaOptions> = {}): TestLog & { readonly options: KafkaOptions } {
  const options = kafkaOptions(brokers, overrides);
  const admin = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING }).admin();
  const withAdmin = async (call: () => Promise<unknown>) => {
    await admin.connect();
    await call();
    await admin.disconnect();
  };
  return {
    options,
    open: async () => {
      const log = createKafkaChangeLog(options, { log: silent });
      return { writer: log.writer, reader: () => log.reader({ groupId: `${options.topic}.readers` }), close: () => log.close() };
    },
    trim: () =>
      withAdmin(async () => {
        const offsets = await admin.fetchTopicOffsets(options.topic);
        const partitions = offsets.filter(({ high }) => high !== '0').map(({ partition, high }) => ({ partition, offset: String(BigInt(high) - 1n) }));
        await admin.deleteTopicRecords({ topic: options.topic, partitions });
      }),
    destroy: () => withAdmin(() => admin.deleteTopics({ topics: [options.topic] })),
  };
}
