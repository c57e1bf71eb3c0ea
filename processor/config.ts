/** The processor's slice of the configuration. Merged, checked and frozen by deploy/config.ts; units are in the names. */
import { z } from 'zod';

export const processorConfig = z.strictObject({
  groupId: z.string().min(1).max(200).default('podtrail-processor').describe('Kafka consumer group that shares the partitions among processors.'),
  flushIntervalMs: z.int().min(10).max(60_000).default(500).describe('Rows wait at most this long for others before they are inserted.'),
  maxInsertRows: z.int().min(100).max(10_000).default(5_000).describe('Most rows of one insert; as many rows waiting start one at once.'),
  maxPendingRows: z.int().min(1_000).max(1_000_000).default(20_000).describe('Rows not yet acknowledged by the store; beyond, reading pauses.'),
  checkpointIntervalSeconds: z
    .int()
    .min(1)
    .max(3_600)
    .default(10)
    .describe('Time from one checkpoint to the next; longer by itself where checkpoints take more than a twentieth of the time.'),
  checkpointRecords: z.int().min(1_000).max(100_000_000).default(500_000).describe('As many records make a checkpoint due before its time.'),
  cleanupIntervalSeconds: z.int().min(10).max(86_400).default(300).describe('Time between deletions of checkpoints that are no longer wanted.'),
  stopSeconds: z.int().min(1).max(600).default(20).describe('When the processor stops or gives up a partition, rows and a last checkpoint get this long.'),
});

export type ProcessorConfig = z.output<typeof processorConfig>;
