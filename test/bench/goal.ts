/** A goal of performance: what is measured beside what, and what came out. */
import type { Ratio } from './measure.ts';

/** One figure of a goal. */
export interface Figure {
  readonly what: string;
  readonly value: Ratio;
  /** What it is held against. `above`: it must not be lower; `below`: it must not be higher. Without one it is only told. */
  readonly target?: { readonly above: number } | { readonly below: number };
  /** Behind the numbers, e.g. ' ms'; '' for a ratio. */
  readonly unit?: string;
}

export interface Outcome {
  readonly figures: readonly Figure[];
  /** What was checked in this run: the figures hold only if it does, so it throws where it does not. */
  readonly checked: string;
  /** What was smaller than the goal says, or other than it says. */
  readonly scaled: string;
  /** Does the measured side once more, for a profile of where its time goes. */
  readonly profiled?: () => unknown;
  /** The same where it cannot be done after the run: its largest costs. */
  readonly costs?: readonly string[];
}

export interface Goal {
  /** As in the list of goals. */
  readonly number: number;
  readonly title: string;
  run(): Promise<Outcome>;
}

export function isMet({ value: { median }, target }: Figure): boolean {
  if (target === undefined) return true;
  return 'above' in target ? median >= target.above : median <= target.below;
}
