/**
 * Stream time counts on (design D2). A collector that begins anew has the API server's clock, and if that was set back meanwhile, what it
 * says lies before what the last one said. Its times are moved up to where the stream is, and go on at half the pace until its clock has
 * come that far, as the clock of a collector that lives through it does (collector/server-clock.ts).
 */
import type { ChangeRecord } from '../../collector/change-record.ts';
import type { ClusterState } from './state.ts';

/** What is known of a run that began behind stream time; nothing is kept of others. */
export interface RunClock {
  /** Stream time when the run came into the log, ms. */
  readonly atMs: number;
  /**
   * What the run's clock showed then, at the latest. Absent until it says so: that its first record is old may also mean that the log took
   * its time, and another collector went on.
   */
  fromMs?: number;
}

/** How fast time goes while the clock is behind. */
const RATE = 0.5;

/** The record with its times on the stream's clock; the same one unless its run is behind. */
export function countOn({ meta }: ClusterState, record: ChangeRecord): ChangeRecord {
  if (record.type === 'RUN_BEGIN' && meta.runs[record.run] === undefined && record.t < meta.streamTimeMs) {
    meta.behind = { ...meta.behind, [record.run]: { atMs: meta.streamTimeMs } };
  }
  const clock = meta.behind?.[record.run];
  if (clock === undefined) return record;
  if (record.type === 'HEARTBEAT' && record.begun === true) clock.fromMs ??= record.t;
  const { atMs, fromMs } = clock;
  if (fromMs === undefined) return record;
  const onStream = (ms: number): number => Math.max(ms, Math.floor(atMs + (ms - fromMs) * RATE));
  if (onStream(record.t) > record.t) return retimed(record, onStream);
  forgetClock(meta, record.run);
  return record;
}

/** Nothing of the run is moved from here on. */
export function forgetClock(meta: ClusterState['meta'], run: string): void {
  if (meta.behind === undefined) return;
  delete meta.behind[run];
  if (Object.keys(meta.behind).length === 0) delete meta.behind;
}

/** With every time of its run's clock made another. */
function retimed(record: ChangeRecord, to: (ms: number) => number): ChangeRecord {
  const t = to(record.t);
  switch (record.type) {
    case 'SNAPSHOT_BEGIN':
      return { ...record, t, ...(record.askedTimeMs !== undefined && { askedTimeMs: to(record.askedTimeMs) }) };
    case 'SESSION_END':
      return { ...record, t, ...(record.completeTimeMs !== undefined && { completeTimeMs: to(record.completeTimeMs) }) };
    case 'HEARTBEAT': {
      const sessions = record.sessions.map((of) => (of.completeTimeMs === undefined ? of : { ...of, completeTimeMs: to(of.completeTimeMs) }));
      return { ...record, t, sessions };
    }
    default:
      return { ...record, t };
  }
}
