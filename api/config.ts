/** The api's slice of the configuration. Merged, checked and frozen by deploy/config.ts; units are in the names. */
import { z } from 'zod';

const MINUTES_A_DAY = 1_440;

export const apiConfig = z.strictObject({
  /** Address to listen on. Anything but loopback needs allowRemote. */
  host: z.string().min(1).max(255).default('127.0.0.1').describe('Address to listen on; other than loopback only with allowRemote.'),
  port: z.int().min(0).max(65_535).default(8080).describe('TCP port; 0 takes a free one.'),
  allowRemote: z.boolean().default(false).describe('Listen beyond loopback although the API has no authentication yet.'),
  allowedHosts: z
    .array(z.string().min(1).max(255))
    .max(100)
    .default([])
    .describe('Host names, besides loopback ones, that requests may carry while allowRemote is off (a proxy on this machine).'),
  defaultRangeHours: z.int().min(1).max(8_760).default(24).describe('`from` when a request names none: this long before `to`.'),
  maxRangeDays: z.int().min(1).max(3_660).default(92).describe('Longest time range that one request may ask for.'),
  maxTrendBuckets: z.int().min(1).max(MINUTES_A_DAY).default(800).describe('Most buckets of one trend: 800 hold a month of hours.'),
  silentAfterSeconds: z.int().min(15).max(3_600).default(30).describe('Without a heartbeat for this long a cluster counts as blind since the last one.'),
  queryConcurrency: z.int().min(1).max(64).default(4).describe('Queries in the store at once; chDB cannot cancel one, so this is the real limit.'),
  queryQueue: z.int().min(0).max(10_000).default(64).describe('Queries that may wait for their turn; the next is refused with 503.'),
  queryQueueSeconds: z.int().min(1).max(60).default(5).describe('Longest wait for a turn; then 503.'),
  queryTimeoutSeconds: z.int().min(1).max(300).default(10).describe('max_execution_time of a query; then 503.'),
  queryMaxResultRows: z.int().min(1_000).max(10_000_000).default(200_000).describe('max_result_rows of a query; then 422.'),
  queryMaxMemoryBytes: z
    .int()
    .min(64 * 1024 ** 2)
    .default(1024 ** 3)
    .describe('max_memory_usage of a query; then 422.'),
  queryMaxThreads: z.int().min(1).max(64).default(2).describe('max_threads of a query, so that ingestion keeps its share of the cores.'),
  requestTimeoutSeconds: z.int().min(1).max(300).default(15).describe('A request whose head and body are not in by then is answered 408.'),
  bodyLimitBytes: z
    .int()
    .min(1_024)
    .max(16 * 1024 ** 2)
    .default(64 * 1024)
    .describe('Largest request body; then 413.'),
  prices: z
    .strictObject({
      coreHour: z.number().min(0).max(1_000).default(0.03).describe('An hour of one core, in any currency.'),
      gibHour: z.number().min(0).max(1_000).default(0.004).describe('An hour of one GiB of memory.'),
      pools: z
        .record(z.string().min(1).max(253), z.strictObject({ coreHour: z.number().min(0).max(1_000), gibHour: z.number().min(0).max(1_000) }))
        .default({})
        .describe('Node pools with prices of their own, such as spot or GPU nodes: {gpu: {coreHour: 0.5, gibHour: 0.01}}.'),
    })
    .prefault({})
    .describe(
      'What nodes cost, for /v1/capacity and the nodes that a remedy adds; default: about the list price of general purpose nodes of large clouds, in dollars.',
    ),
  shutdownSeconds: z.int().min(1).max(300).default(10).describe('Requests in flight get this long to finish when the server stops.'),
});

export type ApiConfig = z.output<typeof apiConfig>;
