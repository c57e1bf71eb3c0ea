/** Waiting: sleeps that can be cut short, jittered back-off, and slots for what must not run all at once. */

/** Resolves after `ms`, or at once when the signal aborts. Never rejects: callers look at the signal. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted || ms <= 0) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
  });
}

/** The promise's value, or undefined as soon as the signal aborts: for what cannot be cancelled itself. */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  if (signal.aborted) {
    promise.catch(() => {}); // nobody is left to hear of it
    return undefined;
  }
  let onAbort: () => void = () => {};
  const aborted = new Promise<undefined>((resolve) => {
    onAbort = () => resolve(undefined);
    signal.addEventListener('abort', onAbort);
  });
  return Promise.race([promise, aborted]).finally(() => signal.removeEventListener('abort', onAbort));
}

/** Lets everything else that is due run first. */
export function yieldToEventLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

export interface Backoff {
  readonly minMs: number;
  readonly maxMs: number;
}

/**
 * The wait before retry number `attempt` (from 1): uniform between the minimum and an exponentially growing ceiling, so that the
 * many loops of one API server spread out, and never below the minimum.
 */
export function backoffMs({ minMs, maxMs }: Backoff, attempt: number, random: () => number): number {
  const ceiling = Math.min(maxMs, minMs * 2 ** Math.min(attempt, 30));
  return minMs + random() * (ceiling - minMs);
}

/** At most `slots` callers at a time, in the order of asking. */
export interface Slots {
  /** Runs `task` when a slot is free; undefined if the signal aborts before that. */
  run<T>(task: () => Promise<T>, signal: AbortSignal): Promise<T | undefined>;
}

export function createSlots(slots: number): Slots {
  let free = slots;
  const waiting: (() => void)[] = [];
  const acquire = (signal: AbortSignal): Promise<boolean> =>
    new Promise((resolve) => {
      if (signal.aborted) return resolve(false);
      if (free > 0) {
        free -= 1;
        return resolve(true);
      }
      const cancel = (): void => {
        waiting.splice(waiting.indexOf(enter), 1);
        resolve(false);
      };
      const enter = (): void => {
        signal.removeEventListener('abort', cancel);
        resolve(true);
      };
      waiting.push(enter);
      signal.addEventListener('abort', cancel, { once: true });
    });
  const release = (): void => {
    const next = waiting.shift();
    if (next === undefined) free += 1;
    else next();
  };
  return {
    async run(task, signal) {
      if (!(await acquire(signal))) return undefined;
      try {
        return await task();
      } finally {
        release();
      }
    },
  };
}
