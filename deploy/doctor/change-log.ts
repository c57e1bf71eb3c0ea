/** The change log: the lock and the directory of the embedded one, or Kafka and its topic. Nothing is created. */
import { constants, existsSync } from 'node:fs';
import { access } from 'node:fs/promises';
import kafkajs, { type Admin } from 'kafkajs';
import { pino } from 'pino';
import type { ChangeLogConfig, KafkaOptions } from '../../collector/change-log/config.ts';
import { lockDirectory } from '../../collector/change-log/directory-lock.ts';
import { createKafkaClient, protocolErrorType } from '../../collector/change-log/kafka-client.ts';
import { MAX_RECORD_BYTES } from '../../collector/change-record.ts';
import { codeOf, type Finding, fail, messageOf, ok, warn } from './finding.ts';

/** Checks the change log of the configuration. */
export async function checkChangeLog(config: ChangeLogConfig): Promise<Finding[]> {
  return config.kind === 'kafka' ? checkKafka(config) : [await checkDirectory(config.directory)];
}

async function checkDirectory(directory: string): Promise<Finding> {
  const about = 'change log';
  if (!existsSync(directory)) return ok(about, `${directory} is not there yet: the first start makes it`);
  try {
    await access(directory, constants.R_OK | constants.W_OK);
    const lock = await lockDirectory(directory);
    await lock.release();
    return ok(about, `${directory} is free and can be written`);
  } catch (error) {
    if (codeOf(error) === 'PODTRAIL_LOG_LOCKED') return ok(about, `in use by a running podtrail (${messageOf(error)})`);
    return fail(about, messageOf(error), `give podtrail the right to write ${directory}`);
  }
}

async function checkKafka(options: KafkaOptions): Promise<Finding[]> {
  const about = `Kafka at ${options.brokers.join(', ')}`;
  let admin: Admin | undefined;
  try {
    admin = createKafkaClient(options, pino({ level: 'silent' })).admin();
    await admin.connect();
    const { brokers } = await admin.describeCluster();
    const reached = ok(about, `${brokers.length} brokers`);
    return [reached, ...(await checkTopic(admin, options, brokers.length))];
  } catch (error) {
    return [fail(about, messageOf(error), 'check changeLog.brokers, tls and sasl, and that the brokers run')];
  } finally {
    await admin?.disconnect().catch(() => undefined);
  }
}

async function checkTopic(admin: Admin, options: KafkaOptions, brokers: number): Promise<Finding[]> {
  const about = `topic ${options.topic}`;
  const partitions = await readPartitions(admin, options.topic);
  if (partitions === undefined) {
    if (!options.createTopic) return [fail(about, 'it does not exist, and createTopic is false', 'create it as collector/change-log/README.md says')];
    if (options.replication > brokers)
      return [
        fail(about, `it would get ${options.replication} replicas, but there are ${brokers} brokers`, 'lower changeLog.replication, or start more brokers'),
      ];
    return [ok(about, `not there yet: the first start makes it with ${options.partitions} partitions`)];
  }
  const replicas = Math.min(...partitions.map(({ replicas: nodes }) => nodes.length));
  const size =
    partitions.length === options.partitions
      ? ok(about, `${partitions.length} partitions, ${replicas} replicas`)
      : warn(
          about,
          `${partitions.length} partitions, but ${options.partitions} are configured`,
          'set changeLog.partitions to what the topic has; never grow it',
        );
  const few =
    replicas < 3 ? [warn(about, `${replicas} replicas: a broker that is lost takes the log with it, or stops it`, 'three replicas are the rule')] : [];
  return [size, ...few, ...(await checkSettings(admin, about, options))];
}

async function readPartitions(admin: Admin, topic: string): Promise<readonly { readonly replicas: readonly number[] }[] | undefined> {
  try {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    return topics[0]?.partitions;
  } catch (error) {
    if (protocolErrorType(error) === 'UNKNOWN_TOPIC_OR_PARTITION') return undefined;
    throw error;
  }
}

async function checkSettings(admin: Admin, about: string, options: KafkaOptions): Promise<Finding[]> {
  const configNames = ['cleanup.policy', 'retention.ms', 'max.message.bytes', 'unclean.leader.election.enable'];
  let settings: ReadonlyMap<string, string>;
  try {
    const resource = { type: kafkajs.ConfigResourceTypes.TOPIC, name: options.topic, configNames };
    const { resources } = await admin.describeConfigs({ includeSynonyms: false, resources: [resource] });
    settings = new Map(resources[0]?.configEntries.map(({ configName, configValue }) => [configName, configValue]));
  } catch (error) {
    return [warn(about, `its settings cannot be read: ${messageOf(error)}`, 'allow DescribeConfigs on the topic, or check cleanup.policy yourself')];
  }
  const findings: Finding[] = [];
  const policy = settings.get('cleanup.policy') ?? '';
  if (policy.includes('compact'))
    findings.push(fail(about, `cleanup.policy is ${policy}: only the last record of a cluster would stay`, 'set cleanup.policy to delete'));
  const retentionMs = Number(settings.get('retention.ms') ?? -1);
  if (retentionMs >= 0 && retentionMs < options.retentionMs)
    findings.push(
      warn(
        about,
        `retention.ms is ${retentionMs}, less than the configured ${options.retentionMs}`,
        'full lists go out by the configured one: make them agree',
      ),
    );
  const maxBytes = Number(settings.get('max.message.bytes') ?? Number.POSITIVE_INFINITY);
  if (maxBytes < MAX_RECORD_BYTES)
    findings.push(fail(about, `max.message.bytes is ${maxBytes}`, `records have up to ${MAX_RECORD_BYTES} bytes: set it to 1048588`));
  if (settings.get('unclean.leader.election.enable') === 'true')
    findings.push(warn(about, 'unclean.leader.election.enable is true: acknowledged records may be lost', 'set it to false'));
  return findings.length === 0 ? [ok(about, 'its settings are right')] : findings;
}
