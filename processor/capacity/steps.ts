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

/** Visits each item, with a step after every `every` of them. Returns their number. */
export function* visitSteps<T>(items: Iterable<T>, every: number, visit: (item: T) => void): Steps<number> {
  let visited = 0;
  for (const item of items) {
    visit(item);
    visited += 1;
    if (visited % every === 0) yield;
  }
  return visited;
}
