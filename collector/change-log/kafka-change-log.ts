/** The change log on Kafka: one topic, key = cluster uid, so that a partition holds whole clusters in order (design D1). */
import type { Logger } from 'pino';
import type { ChangeLogReader, ChangeLogWriter } from './change-log.ts';
import type { KafkaOptions } from './config.ts';
import { createKafkaClient, KafkaAdmin } from './kafka-client.ts';
import { KafkaReader } from './kafka-reader.ts';
import { ensureTopic, grownError } from './kafka-topic.ts';
import { KafkaWriter } from './kafka-writer.ts';

export interface KafkaChangeLog {
  readonly writer: ChangeLogWriter;
  /** A member of the consumer group: the partitions are shared among all readers of the group, in all processes. */
  reader(options: { readonly groupId: string }): ChangeLogReader;
  /** Stops the readers, flushes and disconnects. Idempotent. */
  close(): Promise<void>;
}

/** Connects on first use. Throws only what a missing or unreadable password or certificate file throws, when it connects. */
export function createKafkaChangeLog(options: KafkaOptions, deps: { readonly log: Logger }): KafkaChangeLog {
  const { log } = deps;
  const createClient = () => createKafkaClient(options, log);
  const admin = new KafkaAdmin(createClient);
  let partitions: number | undefined;
  const ensure = async () => {
    const found = await ensureTopic(admin, options, log);
    partitions ??= found;
    if (found !== partitions) throw grownError(options.topic, partitions);
    return found;
  };
  const writer = new KafkaWriter(options.topic, { createClient, ensureTopic: ensure });
  const readers: KafkaReader[] = [];
  return {
    writer,
    reader: ({ groupId }) => {
      const { topic, sessionTimeoutMs, heartbeatIntervalMs } = options;
      const reader = new KafkaReader({ topic, groupId, sessionTimeoutMs, heartbeatIntervalMs }, { log, admin, createClient, ensureTopic: ensure });
      readers.push(reader);
      return reader;
    },
    close: async () => {
      await Promise.all(readers.map((reader) => reader.stop()));
      await writer.close();
      await admin.close();
    },
  };
}
