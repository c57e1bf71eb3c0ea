/** Calls a reader's handler as the port promises: a retriable error is retried with the same arguments, any other is the caller's. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';

const FIRST_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 30_000;

export interface CallOptions {
  /** Aborted when the call is no longer wanted: an attempt under way is awaited, no other is made. */
  readonly signal: AbortSignal;
  readonly log: Logger;
  /** What is attempted, lower case, for the log. */
  readonly what: string;
}

/** Resolves to the value, or to undefined if the signal ended the attempts. Rejects with the first error that is not retriable. */
export async function callHandler<T>(call: () => Promise<T>, options: CallOptions): Promise<{ readonly value: T } | undefined> {
  for (let backoffMs = FIRST_BACKOFF_MS; !options.signal.aborted; backoffMs = Math.min(2 * backoffMs, MAX_BACKOFF_MS)) {
    try {
      return { value: await call() };
    } catch (error) {
      if (!isRetriable(error)) throw error;
      options.log.warn({ err: error, backoffMs }, `${options.what} failed, trying again`);
      await delay(backoffMs * (0.75 + Math.random() / 2), undefined, { signal: options.signal }).catch(() => undefined);
    }
  }
  return undefined;
}

function isRetriable(error: unknown): boolean {
  return error instanceof Error && 'retriable' in error && error.retriable === true;
}

/**
 * Lets timers and sockets have a turn. Neither log needs more from a handler to keep its membership: the embedded one has none,
 * and the Kafka reader's fetch loop sends the heartbeats.
 */
export async function yieldToEventLoop(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}
