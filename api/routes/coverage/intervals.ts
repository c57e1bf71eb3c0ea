/** Arithmetic of what podtrail could see: blind intervals of one (cluster, resource, scope), their complement, and shares of buckets. Pure. */
import type { Buckets } from '../../time-buckets.ts';

/** Half-open, epoch ms. */
export interface Interval {
  readonly fromMs: number;
  readonly toMs: number;
}
export interface BlindInterval extends Interval {
  readonly reason: string;
}
export interface CoverageInterval extends BlindInterval {
  readonly state: 'complete' | 'blind';
}

/** What is known of a cluster's life: nothing before the first record, nothing after the last heartbeat. */
export interface ClusterLife {
  readonly firstRecordTimeMs: number;
  readonly lastHeartbeatTimeMs: number;
}

/** A blind interval as stored; toTimeMs 0 while it lasts. */
export interface StoredBlind {
  readonly fromTimeMs: number;
  readonly toTimeMs: number;
  readonly reason: string;
}

/**
 * The blind intervals within bounds, sorted and disjoint; of two that overlap the earlier keeps its reason. Added to the stored ones:
 * `not_collected` before the cluster's first record, and `silent` since its last heartbeat when that is older than silentAfterMs.
 */
export function buildBlind(stored: readonly StoredBlind[], life: ClusterLife, bounds: Interval, nowMs: number, silentAfterMs: number): BlindInterval[] {
  const candidates: BlindInterval[] = stored.map((row) => ({
    fromMs: row.fromTimeMs,
    toMs: row.toTimeMs === 0 ? Number.POSITIVE_INFINITY : row.toTimeMs,
    reason: row.reason,
  }));
  candidates.push({ fromMs: Number.NEGATIVE_INFINITY, toMs: life.firstRecordTimeMs, reason: 'not_collected' });
  if (isSilent(life, nowMs, silentAfterMs)) candidates.push({ fromMs: life.lastHeartbeatTimeMs, toMs: Number.POSITIVE_INFINITY, reason: 'silent' });
  candidates.sort((a, b) => a.fromMs - b.fromMs || b.toMs - a.toMs);
  const blind: BlindInterval[] = [];
  let doneMs = bounds.fromMs;
  for (const candidate of candidates) {
    const fromMs = Math.max(candidate.fromMs, doneMs);
    const toMs = Math.min(candidate.toMs, bounds.toMs);
    if (fromMs >= toMs) continue;
    blind.push({ fromMs, toMs, reason: candidate.reason });
    doneMs = toMs;
  }
  return blind;
}

/** Whether a cluster has not been heard of for longer than its collector's pace explains. */
export function isSilent(life: ClusterLife, nowMs: number, silentAfterMs: number): boolean {
  return nowMs - life.lastHeartbeatTimeMs > silentAfterMs;
}

/** The whole of the bounds as alternating complete and blind intervals; neighbours with the same reason are one. */
export function fillComplete(blind: readonly BlindInterval[], bounds: Interval): CoverageInterval[] {
  const intervals: CoverageInterval[] = [];
  let doneMs = bounds.fromMs;
  for (const { fromMs, toMs, reason } of blind) {
    if (fromMs > doneMs) intervals.push({ fromMs: doneMs, toMs: fromMs, state: 'complete', reason: '' });
    const before = intervals.at(-1);
    if (before?.state === 'blind' && before.reason === reason) intervals[intervals.length - 1] = { ...before, toMs };
    else intervals.push({ fromMs, toMs, state: 'blind', reason });
    doneMs = toMs;
  }
  if (doneMs < bounds.toMs) intervals.push({ fromMs: doneMs, toMs: bounds.toMs, state: 'complete', reason: '' });
  return intervals;
}

/**
 * Share of each bucket that was seen, 0 to 1, over several ledgers of disjoint blind intervals (0 where there is no ledger); null for a
 * bucket that has not begun. The last bucket is cut at endMs: the future is neither seen nor blind.
 */
export function sharesOf(ledgers: readonly (readonly Interval[])[], buckets: Buckets, endMs: number): (number | null)[] {
  const { startMs, stepMs, count } = buckets;
  const blindMs = new Array<number>(count).fill(0);
  for (const { fromMs, toMs } of ledgers.flat()) {
    const stopMs = Math.min(toMs, endMs, startMs + count * stepMs);
    if (fromMs >= stopMs) continue;
    for (let i = Math.max(0, Math.floor((fromMs - startMs) / stepMs)); startMs + i * stepMs < stopMs; i++) {
      const bucketMs = startMs + i * stepMs;
      blindMs[i] = (blindMs[i] ?? 0) + Math.min(stopMs, bucketMs + stepMs) - Math.max(fromMs, bucketMs);
    }
  }
  return blindMs.map((blind, i) => {
    const lengthMs = Math.min(startMs + (i + 1) * stepMs, endMs) - (startMs + i * stepMs);
    if (lengthMs <= 0) return null;
    return ledgers.length === 0 ? 0 : 1 - blind / (lengthMs * ledgers.length);
  });
}
