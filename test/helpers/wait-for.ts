import { setTimeout as delay } from 'node:timers/promises';

/** Resolves once the condition holds; fails, naming it, if it does not within 10 s. For what really goes over the network. */
export async function waitFor(what: string, condition: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > deadlineMs) throw new Error(`waited in vain: ${what}`);
    await delay(2);
  }
}
