/** The configuration slice of the change log. Relations between keys are checked here; deploy/config.ts adds it to the whole. */
import { z } from 'zod';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const MIB = 1_048_576;

const embedded = z
  .strictObject({
    kind: z.literal('embedded'),
    /** Where the segment files are; one process owns it. Relative to the working directory. */
    directory: z.string().min(1).default('data/change-log'),
    /** Size at which a segment file is closed, 1 MiB to 1 GiB. Deletion is by whole segments. */
    segmentBytes: z
      .int()
      .min(MIB)
      .max(1_024 * MIB)
      .default(64 * MIB),
    /** How long records are kept at least, if the cap allows, ms, from 1 minute. */
    retentionMs: z
      .int()
      .min(MINUTE_MS)
      .default(7 * DAY_MS),
    /** Hard cap of all segments, bytes: the oldest go first, never what is not yet committed. */
    retentionBytes: z
      .int()
      .min(4 * MIB)
      .default(4_096 * MIB),
    /** How long an append waits for others to share its fsync, 0 to 1000 ms. */
    fsyncIntervalMs: z.int().min(0).max(1_000).default(5),
  })
  .refine((options) => options.segmentBytes * 4 <= options.retentionBytes, {
    path: ['segmentBytes'],
    message: 'must be at most a quarter of retentionBytes, or deleting one segment would delete most of the log',
  });

const tls = z
  .strictObject({
    enabled: z.boolean().default(false),
    /** PEM files; without caFile the system's authorities count, without certFile and keyFile the client shows none. */
    caFile: z.string().min(1).optional(),
    certFile: z.string().min(1).optional(),
    keyFile: z.string().min(1).optional(),
  })
  .refine((options) => (options.certFile === undefined) === (options.keyFile === undefined), { message: 'certFile and keyFile belong together' });

const sasl = z.strictObject({
  mechanism: z.enum(['plain', 'scram-sha-256', 'scram-sha-512']),
  username: z.string().min(1),
  /** The file holds the password; a trailing newline is ignored. Read again at every connection attempt of a new client. */
  passwordFile: z.string().min(1),
});

const kafka = z
  .strictObject({
    kind: z.literal('kafka'),
    /** Bootstrap addresses, host:port. */
    brokers: z.array(z.string().regex(/^\S+:\d{1,5}$/, 'must be host:port')).min(1),
    clientId: z.string().min(1).default('podtrail'),
    topic: z
      .string()
      .regex(/^[a-zA-Z0-9._-]{1,249}$/, 'must be a Kafka topic name')
      .default('podtrail.changes'),
    /** Create the topic, with the settings documented in collector/change-log/README.md, if it does not exist. */
    createTopic: z.boolean().default(true),
    /** Of a new topic. A cluster's records stay in one partition, so this bounds the number of processors. Never change it later. */
    partitions: z.int().min(1).max(10_000).default(12),
    /** Replicas of a new topic, 1 to 10; from 3 on a write needs two of them. */
    replication: z.int().min(1).max(10).default(3),
    /** Of a new topic: how long records are kept, ms, from 1 minute. */
    retentionMs: z
      .int()
      .min(MINUTE_MS)
      .default(7 * DAY_MS),
    /** After this silence a reader's partitions go to others, 1 s to 30 min (within the broker's group.*.session.timeout.ms). */
    sessionTimeoutMs: z
      .int()
      .min(1_000)
      .max(30 * MINUTE_MS)
      .default(30_000),
    /** How often a reader says that it lives, ms: also how soon it notices a rebalance. */
    heartbeatIntervalMs: z.int().min(100).max(60_000).default(3_000),
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
export type EmbeddedConfig = Extract<ChangeLogConfig, { kind: 'embedded' }>;
export type KafkaOptions = Extract<ChangeLogConfig, { kind: 'kafka' }>;
