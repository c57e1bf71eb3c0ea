/** A reader as a process: node change-log-reader.ts ADDRESS TOPIC. Prints a line for every call, stops when standard input ends. */
import { createKafkaChangeLog } from '../../collector/change-log/kafka-change-log.ts';
import { kafkaOptions, silent } from './change-log-logs.ts';

const [address = '', topic = ''] = process.argv.slice(2);
const log = createKafkaChangeLog(kafkaOptions([address], { topic, partitions: 2 }), { log: silent });
const reader = log.reader({ groupId: `${topic}.readers` });
const say = (line: string) => process.stdout.write(`${line}\n`);
process.stdin.resume().once('end', () => void log.close());
await reader.run({
  assigned: async ({ partition, earliest }) => {
    say(`assigned ${partition}`);
    return earliest;
  },
  batch: async ({ records }) => {
    for (const { value } of records) say(`record ${Buffer.from(value).toString('utf8')}`);
    return undefined;
  },
  revoked: async (partition) => void say(`revoked ${partition}`),
  outOfRange: async (partition) => void say(`gap ${partition}`),
});
