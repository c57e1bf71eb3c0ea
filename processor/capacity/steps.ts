/** Long computations in steps of a few milliseconds: whoever runs one decides what happens in between, or that nothing does. */

/** Each `next()` does one step; the return value is the result. */
export type Steps<T> = Generator<void, T>;

/** Runs all steps at once, for callers with nothing else to do. */
export function finish<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}
