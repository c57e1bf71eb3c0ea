/** Clusters whose records Kafka puts where a test wants them. */
import kafkajs from 'kafkajs';

/** A uid that begins with `name`, whose records go into this partition of `partitions`. */
export function uidInPartition(name: string, partition: number, partitions: number): string {
  const choose = kafkajs.Partitioners.DefaultPartitioner();
  const partitionMetadata = Array.from({ length: partitions }, (_, partitionId) => ({
    partitionErrorCode: 0,
    partitionId,
    leader: 1,
    replicas: [1],
    isr: [1],
  }));
  for (let attempt = 0; ; attempt++) {
    const uid = `${name}-${attempt}`;
    if (choose({ topic: '', partitionMetadata, message: { key: uid, value: '' } } as never) === partition) return uid;
  }
}
