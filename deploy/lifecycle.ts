/** Start, run until told to stop, stop in order, and the exit code that says how it went. */
import type { Logger } from 'pino';
import { EXIT } from './errors.ts';

/** Something that runs until it is stopped. */
export interface Part {
  readonly name: string;
  stop(): Promise<void>;
}

export interface Lifecycle {
  /** Registers a started part. Parts are stopped in the order of registration: producers first. */
  add(part: Part): void;
  /** Ends everything because of an error that no retry helps. */
  fail(error: unknown): void;
  /** Ends everything as a signal would. */
  stop(): void;
  /** Resolves with the exit code once SIGINT or SIGTERM came, or a part failed, and everything has stopped. */
  finished(): Promise<number>;
}

/** Longest time a part may take to stop, ms: below Kubernetes' default grace of 30 s, with room for the others. */
const STOP_TIMEOUT_MS = 20_000;

/** Creates a lifecycle that listens for signals from now on. A second signal ends the process at once. */
export function createLifecycle(log: Logger): Lifecycle {
  const parts: Part[] = [];
  let exitCode: number = EXIT.ok;
  let end: () => void = () => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  let signals = 0;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (++signals > 1) process.exit(EXIT.failed);
    log.info({ signal }, 'stopping');
    end();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return {
    add: (part) => void parts.push(part),
    fail(error) {
      if (exitCode === EXIT.ok) log.error({ err: error }, 'cannot go on');
      exitCode = EXIT.failed;
      end();
    },
    stop: () => end(),
    async finished() {
      await ended;
      for (const part of parts) await stopPart(part, log);
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
      log.info('stopped');
      return exitCode;
    },
  };
}

async function stopPart(part: Part, log: Logger): Promise<void> {
  const timeout = AbortSignal.timeout(STOP_TIMEOUT_MS);
  const late = new Promise<'late'>((resolve) => timeout.addEventListener('abort', () => resolve('late'), { once: true }));
  try {
    if ((await Promise.race([part.stop(), late])) === 'late') log.warn({ component: part.name }, 'did not stop in time');
  } catch (error) {
    log.error({ err: error, component: part.name }, 'stop failed');
  }
}
