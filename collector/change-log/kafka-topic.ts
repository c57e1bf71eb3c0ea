/** The topic: created with the settings of README.md, checked where it exists, and the offsets it holds. */
import { setTimeout as delay } from 'node:timers/promises';
import kafkajs from 'kafkajs';
import type { Logger } from 'pino';
import { ChangeLogError } from '../errors.ts';
import type { KafkaOptions } from './config.ts';
import { type KafkaAdmin, protocolErrorType } from './kafka-client.ts';

/** Kafka's own default of message.max.bytes (broker configuration), set so that a broker's other default cannot refuse a record. */
const MAX_MESSAGE_BYTES = 1_048_588;

const VISIBLE_TIMEOUT_MS = 5_000;
const VISIBLE_POLL_MS = 100;

export interface TopicBounds {
  /** Offset of the oldest record still there. */
  readonly earliest: bigint;
  /** Offset after the newest record. */
  readonly end: bigint;
}

/**
 * Makes sure that the topic exists and returns its number of partitions. Throws ChangeLogError PODTRAIL_LOG_MISSING if it may not
 * be created or is compacted, a retriable one if Kafka cannot be asked.
 */
export async function ensureTopic(admin: KafkaAdmin, options: KafkaOptions, log: Logger): Promise<number> {
  const { topic, partitions } = options;
  const found = (await countPartitions(admin, topic)) ?? (await createTopic(admin, options, log));
  if (found !== partitions) log.warn({ topic, found, configured: partitions }, 'topic has another number of partitions than configured');
  await refuseCompacted(admin, topic, log);
  return found;
}

async function createTopic(admin: KafkaAdmin, options: KafkaOptions, log: Logger): Promise<number> {
  const { topic, partitions, replication, retentionMs } = options;
  if (!options.createTopic) throw new ChangeLogError('PODTRAIL_LOG_MISSING', `topic ${topic} does not exist and createTopic is false`);
  const settings = {
    'cleanup.policy': 'delete',
    'retention.ms': String(retentionMs),
    'compression.type': 'producer',
    'max.message.bytes': String(MAX_MESSAGE_BYTES),
    'message.timestamp.type': 'LogAppendTime', // retention must not depend on the clocks of collectors
    'min.insync.replicas': replication >= 3 ? '2' : '1',
    'unclean.leader.election.enable': 'false',
  };
  const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }));
  const created = await admin.use(`create topic ${topic}`, (client) =>
    client.createTopics({ topics: [{ topic, numPartitions: partitions, replicationFactor: replication, configEntries }] }),
  );
  if (created) log.info({ topic, partitions, replication, retentionMs }, 'topic created');
  // A broker may hear of the new topic a moment after the controller has confirmed it.
  for (let waitedMs = 0; waitedMs < VISIBLE_TIMEOUT_MS; waitedMs += VISIBLE_POLL_MS) {
    const count = await countPartitions(admin, topic);
    if (count !== undefined) return count;
    await delay(VISIBLE_POLL_MS);
  }
  throw new ChangeLogError('PODTRAIL_LOG_UNAVAILABLE', `topic ${topic} was created but is not visible after ${VISIBLE_TIMEOUT_MS} ms`, { retriable: true });
}

async function countPartitions(admin: KafkaAdmin, topic: string): Promise<number | undefined> {
  return admin.use(`look up topic ${topic}`, async (client) => {
    try {
      const { topics } = await client.fetchTopicMetadata({ topics: [topic] });
      return topics[0]?.partitions.length;
    } catch (error) {
      if (protocolErrorType(error) === 'UNKNOWN_TOPIC_OR_PARTITION') return undefined;
      throw error;
    }
  });
}

/** All records of a cluster have one key: compaction would leave only the last of them. */
async function refuseCompacted(admin: KafkaAdmin, topic: string, log: Logger): Promise<void> {
  let policy: string | undefined;
  try {
    const resource = { type: kafkajs.ConfigResourceTypes.TOPIC, name: topic, configNames: ['cleanup.policy'] };
    const { resources } = await admin.use(`describe topic ${topic}`, (client) => client.describeConfigs({ includeSynonyms: false, resources: [resource] }));
    policy = resources[0]?.configEntries[0]?.configValue;
  } catch (error) {
    log.warn({ err: error, topic }, 'topic settings not readable, cleanup.policy not checked'); // the right to do so is optional
    return;
  }
  if (policy?.includes('compact') === true) {
    throw new ChangeLogError(
      'PODTRAIL_LOG_MISSING',
      `topic ${topic} has cleanup.policy ${policy}: it would lose all but each cluster's last record, use delete`,
    );
  }
}

/** A topic that grows while it is in use puts keys into other partitions: their records are no longer in one order. */
export function grownError(topic: string, partitions: number): ChangeLogError {
  return new ChangeLogError('PODTRAIL_LOG_CORRUPT', `topic ${topic} has no longer its ${partitions} partitions: its keys have moved, and their order is lost`);
}

/** What each partition holds now. Rejects with a retriable ChangeLogError. */
export async function fetchBounds(admin: KafkaAdmin, topic: string): Promise<ReadonlyMap<number, TopicBounds>> {
  const offsets = await admin.use(`fetch offsets of ${topic}`, (client) => client.fetchTopicOffsets(topic));
  return new Map(offsets.map(({ partition, low, high }) => [partition, { earliest: BigInt(low), end: BigInt(high) }]));
}

/** The offset that the group committed for a partition, if any. */
export async function fetchCommitted(admin: KafkaAdmin, topic: string, groupId: string, partition: number): Promise<bigint | undefined> {
  const found = await admin.use(`fetch committed offset of ${topic}[${partition}]`, (client) => client.fetchOffsets({ groupId, topics: [topic] }));
  const offset = found[0]?.partitions.find((entry) => entry.partition === partition)?.offset;
  return offset === undefined || offset.startsWith('-') ? undefined : BigInt(offset); // -1: none; -2: kafkajs' "earliest"
}
