/** Applies a record without keeping the event loop for long. */
import { setImmediate } from 'node:timers/promises';
import type { ChangeRecord } from '../collector/change-record.ts';
import type { EmittedRow } from '../sql/rows.ts';
import type { ClusterState } from './core/state.ts';
import { stepSlices } from './core/step.ts';

/** The event loop gets a turn after this long, ms: a third of what a watch connection or a consumer notices (50 ms). */
export const SLICE_MS = 15;

/** One record, with turns for the event loop. Nothing in between may fail: a record that is half applied cannot be taken again. */
export async function applySlices(state: ClusterState, record: ChangeRecord): Promise<EmittedRow[]> {
  const slices = stepSlices(state, record);
  let started = performance.now();
  for (let slice = slices.next(); ; slice = slices.next()) {
    if (slice.done === true) return slice.value;
    if (performance.now() - started < SLICE_MS) continue;
    await setImmediate();
    started = performance.now();
  }
}
