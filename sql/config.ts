/** The store's slice of the configuration. Merged, checked and frozen by deploy/config.ts; units are in the names. */
import { z } from 'zod';

const days = (fallback: number, what: string) =>
  z.int().min(1).max(3_650).default(fallback).describe(`Days that ${what} are kept; whole partitions go at once.`);

export const retentionConfig = z.strictObject({
  podChangesDays: days(90, 'changes of pods'),
  eventsDays: days(90, 'Kubernetes Events'),
  incidentsDays: days(400, 'incidents with members and timeline, and disruptions'),
  coverageDays: days(400, 'blind intervals and balances of sessions'),
  capacityDays: days(400, 'capacity samples'),
  deadLettersDays: days(90, 'dead letters'),
});

export const storeConfig = z.strictObject({
  url: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('HTTP address of a ClickHouse server or cluster; without it the embedded chDB is used.'),
  directory: z.string().min(1).optional().describe('Data directory of the embedded chDB; one process at a time.'),
  database: z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9_]{0,62}$/)
    .default('podtrail')
    .describe('Database of all tables; `podtrail migrate` creates it.'),
  user: z.string().min(1).default('default').describe('User on the server.'),
  password: z.string().optional().describe('Password on the server; prefer passwordFile.'),
  passwordFile: z.string().min(1).optional().describe('File that holds the password; wins over password.'),
  caFile: z.string().min(1).optional().describe('PEM bundle that signs the certificate of the server.'),
  certFile: z.string().min(1).optional().describe('PEM client certificate; needs keyFile and caFile.'),
  keyFile: z.string().min(1).optional().describe('PEM key of certFile.'),
  requestTimeoutSeconds: z.int().min(1).max(3_600).default(60).describe('A request to the server without an answer for this long is broken off.'),
  maxConnections: z.int().min(1).max(256).default(10).describe('Connections to the server at once.'),
  compression: z.enum(['none', 'gzip']).default('gzip').describe('Compression of inserts and results between here and the server.'),
  settings: z
    .record(z.string().regex(/^[a-z_][a-z0-9_]*$/), z.union([z.string(), z.int()]))
    .default({})
    .describe('More ClickHouse settings for every statement, such as insert_quorum on a cluster.'),
  memoryBytes: z
    .int()
    .min(256 * 1024 ** 2)
    .default(2 * 1024 ** 3)
    .describe('Memory that the embedded chDB may use; beyond it statements fail and are tried again.'),
  maxBytes: z
    .int()
    .min(1024 ** 2)
    .default(20 * 1024 ** 3)
    .describe('Disk that the embedded chDB may fill; beyond it the oldest changes of pods and Events go, never what is not yet checkpointed.'),
  retention: retentionConfig.prefault({}),
});

export type RetentionConfig = z.output<typeof retentionConfig>;
export type StoreConfig = z.output<typeof storeConfig>;
