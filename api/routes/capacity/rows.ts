/** Rows of the capacity queries, and the amounts they hold. */
import { z } from 'zod';
import { defineQuery, epochMs, integer } from '../../store.ts';

const sampleRow = z.object({
  cluster: z.string(),
  pool: z.string(),
  shape: z.string(),
  time_ms: epochMs,
  nodes: integer,
  cpu_allocatable_millicores: integer,
  cpu_requested_millicores: integer,
  cpu_free_millicores: integer,
  memory_allocatable_bytes: integer,
  memory_requested_bytes: integer,
  memory_free_bytes: integer,
  pods_allocatable: integer,
  pods_requested: integer,
  pods_free: integer,
  k: integer,
  k_star: integer,
  phi: z.number(),
  binding: z.string(),
  origin: z.string(),
  demand: z.number(),
  cordoned_nodes: integer,
  not_ready_nodes: integer,
  virtual_nodes: integer,
  expected_waste_cpu_millicores: integer,
  expected_waste_memory_bytes: integer,
  frontier: z.string(),
  stranded_cpu_millicores: integer,
  stranded_memory_bytes: integer,
  largest_cpu_millicores: integer,
  largest_memory_bytes: integer,
  removable_nodes_min: integer,
  removable_nodes_max: integer,
});
export type SampleRow = z.output<typeof sampleRow>;

/** The last samples; /v1/capacity and /v1/fragmentation share it. */
export const latestQuery = defineQuery(import.meta.url, './latest.sql', sampleRow);

/** A sample older than this is not the present: the cluster is not seen, ms. */
export const LATEST_WITHIN_MS = 3_600_000;

const historyRow = z.object({
  bucket: integer,
  samples: integer,
  node_mean: z.number(),
  cpu_allocatable: z.number(),
  cpu_requested: z.number(),
  cpu_free: z.number(),
  memory_allocatable: z.number(),
  memory_requested: z.number(),
  memory_free: z.number(),
  stranded_cpu: z.number(),
  stranded_memory: z.number(),
  k_min: integer,
  k_star_min: integer,
  phi_mean: z.number(),
});
export type HistoryRow = z.output<typeof historyRow>;
export const historyQuery = defineQuery(import.meta.url, './history.sql', historyRow);
