/** The configuration slice of the change log. Relations between keys are checked here; deploy/config.ts adds it to the whole. */
import { z } from 'zod';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const MIB = 1_048_576;

const embedded = z
  .strictObject({
    kind: z.literal('embedded').describe('Segment files of one process, for standalone.'),
    directory: z.string().min(1).default('data/change-log').describe('Where the segment files are; one process owns it. Relative to the working directory.'),
    segmentBytes: z
      .int()
      .min(MIB)
      .max(1_024 * MIB)
      .default(64 * MIB)
      .describe('Size at which a segment file is closed; deletion is by whole segments.'),
    retentionMs: z
      .int()
      .min(MINUTE_MS)
      .default(7 * DAY_MS)
      .describe('How long records are kept at least, if the cap allows.'),
    retentionBytes: z
      .int()
      .min(4 * MIB)
      .default(4_096 * MIB)
      .describe('Hard cap of all segments: the oldest go first, never what is not yet committed.'),
    fsyncIntervalMs: z.int().min(0).max(1_000).default(5).describe('How long an append waits for others to share its fsync.'),
  })
  .refine((options) => options.segmentBytes * 4 <= options.retentionBytes, {
    path: ['segmentBytes'],
    message: 'must be at most a quarter of retentionBytes, or deleting one segment would delete most of the log',
  });

const tls = z
  .strictObject({
    enabled: z.boolean().default(false).describe('Speak TLS with the brokers.'),
    caFile: z.string().min(1).optional().describe("PEM bundle that signs the brokers' certificates; without it the system's authorities count."),
    certFile: z.string().min(1).optional().describe('PEM client certificate; needs keyFile.'),
    keyFile: z.string().min(1).optional().describe('PEM key of certFile.'),
  })
  .refine((options) => (options.certFile === undefined) === (options.keyFile === undefined), { message: 'certFile and keyFile belong together' });

const sasl = z.strictObject({
  mechanism: z.enum(['plain', 'scram-sha-256', 'scram-sha-512']).describe('SASL mechanism.'),
  username: z.string().min(1).describe('SASL user.'),
  passwordFile: z
    .string()
    .min(1)
    .describe('The file holds the password; a trailing newline is ignored. Read again at every connection attempt of a new client.'),
});

const kafka = z
  .strictObject({
    kind: z.literal('kafka').describe('A Kafka topic that collectors and processors share.'),
    brokers: z
      .array(z.string().regex(/^\S+:\d{1,5}$/, 'must be host:port'))
      .min(1)
      .describe('Bootstrap addresses, host:port.'),
    clientId: z.string().min(1).default('podtrail').describe('What the brokers call this client in logs and quotas.'),
    topic: z
      .string()
      .regex(/^[a-zA-Z0-9._-]{1,249}$/, 'must be a Kafka topic name')
      .default('podtrail.changes')
      .describe('Topic of the change records; one per installation.'),
    createTopic: z.boolean().default(true).describe('Create the topic, with the settings documented in collector/change-log/README.md, if it does not exist.'),
    partitions: z
      .int()
      .min(1)
      .max(10_000)
      .default(12)
      .describe("Of a new topic. A cluster's records stay in one partition, so this bounds the number of processors. Never change it later."),
    replication: z.int().min(1).max(10).default(3).describe('Replicas of a new topic; from 3 on a write needs two of them.'),
    retentionMs: z
      .int()
      .min(MINUTE_MS)
      .default(7 * DAY_MS)
      .describe('Of a new topic: how long records are kept.'),
    sessionTimeoutMs: z
      .int()
      .min(1_000)
      .max(30 * MINUTE_MS)
      .default(30_000)
      .describe("After this silence a reader's partitions go to others; within the broker's group.*.session.timeout.ms."),
    heartbeatIntervalMs: z.int().min(100).max(60_000).default(3_000).describe('How often a reader says that it lives: also how soon it notices a rebalance.'),
    tls: tls.prefault({}),
    sasl: sasl.optional(),
  })
  .refine((options) => options.heartbeatIntervalMs * 3 <= options.sessionTimeoutMs, {
    path: ['heartbeatIntervalMs'],
    message: 'must be at most a third of sessionTimeoutMs: one lost heartbeat must not cost the partitions',
  });

/** Which change log, and how it is set up. */
export const changeLogConfig = z.discriminatedUnion('kind', [embedded, kafka]).prefault({ kind: 'embedded' });

export type ChangeLogConfig = z.output<typeof changeLogConfig>;
export type KafkaOptions = Extract<ChangeLogConfig, { kind: 'kafka' }>;
