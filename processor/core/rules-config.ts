/**
 * Rule configuration: thresholds of design.md §4. It reaches the core as a RULES record of the log, so that a replay sees what
 * the live run saw. An invalid one is refused as a whole and the one in force stays.
 */
import { z } from 'zod';
import type { Thresholds } from '../scenarios/scenario.ts';

const ms = (fallbackSeconds: number, doc: string) =>
  z
    .number()
    .min(0)
    .max(86_400_000)
    .default(fallbackSeconds * 1_000)
    .describe(doc);
const times = (fallback: number, doc: string) => z.number().int().min(1).max(1_000).default(fallback).describe(doc);

/** Defaults are design.md §4's; times in ms. */
export const thresholdsSchema = z.strictObject({
  transientPullFailures: times(2, 'failed pulls with a transient error before an incident opens'),
  unschedulableMs: ms(60, 'a pod may stay unschedulable this long'),
  scaleUpMs: ms(600, 'the same while a node scale-up for it is under way'),
  dependencyMs: ms(60, 'a missing dependency may last this long'),
  createMs: ms(60, 'a failing container creation may last this long'),
  initStuckMs: ms(300, 'an init container may run this long'),
  readinessMs: ms(30, "a container may stay unready this long beyond its probe's own budget"),
  restarts: times(3, 'restarts within the window that make an incident'),
  restartsWindowMs: ms(600, 'the window of `restarts`'),
  failedCreates: times(2, 'refused pod creations that make an incident'),
  terminatingMs: ms(60, 'a pod may outlive its deletion timestamp by this'),
  nodeNotReadyMs: ms(0, 'a node may be not ready this long'),
  recoverMs: ms(60, 'stability after which readiness, dependency, image, init, scheduling and node incidents are resolved'),
  recoverRunningMs: ms(600, 'uninterrupted running after which exits, probe kills and OOM are resolved'),
});

/** The defaults, in force until a RULES record says otherwise. */
export const DEFAULT_THRESHOLDS: Thresholds = thresholdsSchema.parse({});

/** Configuration of all rules; every key optional. */
export const rulesSchema = z.strictObject({ thresholds: thresholdsSchema.partial().default({}) });
export type RulesConfig = z.output<typeof rulesSchema>;

/** Reads the payload of a RULES record. Never throws. */
export function decodeRules(value: unknown): { readonly ok: true; readonly thresholds: Thresholds } | { readonly ok: false; readonly reason: string } {
  const parsed = rulesSchema.safeParse(value);
  if (!parsed.success) return { ok: false, reason: z.prettifyError(parsed.error) };
  const given = Object.entries(parsed.data.thresholds).filter(([, v]) => v !== undefined);
  return { ok: true, thresholds: { ...DEFAULT_THRESHOLDS, ...Object.fromEntries(given) } };
}
