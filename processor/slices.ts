/** Runs what takes long without keeping the event loop for long. */
import { setImmediate } from 'node:timers/promises';
import type { ChangeRecord } from '../collector/change-record.ts';
import type { EmittedRow } from '../sql/rows.ts';
import type { ClusterState } from './core/state.ts';
import { stepSlices } from './core/step.ts';

/** The event loop gets a turn after this long, ms: a third of what a watch connection or a consumer notices (50 ms). */
export const SLICE_MS = 15;

/** One record, with turns for the event loop. Nothing in between may fail: a record that is half applied cannot be taken again. */
export async function applySlices(state: ClusterState, record: ChangeRecord): Promise<EmittedRow[]> {
  return runSlices(stepSlices(state, record));
}

/** Runs the steps, and gives the event loop a turn after every `sliceMs` of them. Rejects with what a step throws. */
export async function runSlices<T>(steps: Generator<void, T>, sliceMs = SLICE_MS): Promise<T> {
  let started = performance.now();
  for (let step = steps.next(); ; step = steps.next()) {
    if (step.done === true) return step.value;
    if (performance.now() - started < sliceMs) continue;
    await setImmediate();
    started = performance.now();
  }
}
