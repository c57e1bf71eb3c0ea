/**
 * Who may enter the store. chDB cannot cancel a query and a server only stops one late, so the limit stands before it: a few at
 * once, a bounded queue, a bounded wait. A turn is held until the store has really answered, whether or not anyone still listens.
 */
import { ApiError } from './errors.ts';

export interface AdmissionOptions {
  readonly concurrency: number;
  readonly queue: number;
  readonly queueMs: number;
}

export interface Admission {
  /**
   * Runs `work` when it is its turn. Rejects with PODTRAIL_API_OVERLOADED when the queue is full or the wait too long; leaves the
   * queue when `signal` aborts.
   */
  run<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T>;
  running(): number;
  waiting(): number;
}

/** First come, first served. */
export function createAdmission(options: AdmissionOptions): Admission {
  let running = 0;
  const queue = new Set<() => void>();

  function release(): void {
    running -= 1;
    const next = queue.values().next();
    if (next.done !== true) next.value();
  }

  function enter(signal: AbortSignal | undefined): Promise<void> | undefined {
    if (running < options.concurrency) {
      running += 1;
      return undefined;
    }
    if (queue.size >= options.queue) throw new ApiError('PODTRAIL_API_OVERLOADED', `${queue.size} queries are waiting already`);
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        queue.delete(admit);
        clearTimeout(timer);
        signal?.removeEventListener('abort', abort);
      };
      const admit = (): void => {
        leave();
        running += 1;
        resolve();
      };
      const give = (error: ApiError): void => {
        leave();
        reject(error);
      };
      const abort = (): void => give(new ApiError('PODTRAIL_API_REQUEST_TIMEOUT', 'the client left before its turn came'));
      const timer = setTimeout(() => give(new ApiError('PODTRAIL_API_OVERLOADED', `no turn came within ${options.queueMs} ms`)), options.queueMs);
      signal?.addEventListener('abort', abort, { once: true });
      queue.add(admit);
      if (signal?.aborted === true) abort();
    });
  }

  return {
    async run(work, signal) {
      await enter(signal);
      try {
        return await work();
      } finally {
        release();
      }
    },
    running: () => running,
    waiting: () => queue.size,
  };
}
