/** What is in a Kafka topic, read by the real reader. */
import type { LogRecord } from '../../collector/change-log/change-log.ts';
import type { KafkaOptions } from '../../collector/change-log/config.ts';
import { createKafkaChangeLog } from '../../collector/change-log/kafka-change-log.ts';
import { readToEnd } from '../../processor/read-log.ts';
import { silentLog } from './silent-log.ts';

/** Every record, by partition. The consumer group is one of its own. */
export async function readTopic(options: KafkaOptions): Promise<Map<number, LogRecord[]>> {
  const log = createKafkaChangeLog(options, { log: silentLog });
  const contents = new Map<number, LogRecord[]>();
  await readToEnd(log.reader({ groupId: `${options.topic}.oracle.${process.pid}` }), (records, partition) => {
    contents.set(partition, [...(contents.get(partition) ?? []), ...records]);
  });
  await log.close();
  return contents;
}
