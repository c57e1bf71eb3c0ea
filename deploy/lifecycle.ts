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
  /** Registers what parts stand on, such as the store: stopped after all parts, the last one first. */
  addFoundation(part: Part): void;
  /** Ends everything because of an error that no retry helps. */
  fail(error: unknown): void;
  /** Ends everything as a signal would. */
  stop(): void;
  /** Resolves with the exit code once SIGINT or SIGTERM came and everything has stopped. Rejects, after that, with what failed. */
  finished(): Promise<number>;
}

/** Longest time a part may take to stop, ms: below Kubernetes' default grace of 30 s, with room for the others. */
const STOP_TIMEOUT_MS = 20_000;

/** Creates a lifecycle that listens for signals from now on. A second signal ends the process at once. */
export function createLifecycle(log: Logger): Lifecycle {
  const parts: Part[] = [];
  const foundations: Part[] = [];
  let failure: { readonly error: unknown } | undefined;
  let isRunning = false;
  let end: () => void = () => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  let signals = 0;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (++signals > 1) process.exit(EXIT.failed);
    log.info({ signal }, 'stopping, once more to stop at once');
    end();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return {
    add: (part) => void parts.push(part),
    addFoundation: (part) => void foundations.unshift(part),
    fail(error) {
      // What keeps it from starting is told by whoever gets it; what ends a run belongs to the log, at its time.
      if (isRunning) log.error({ err: error }, 'cannot go on');
      failure ??= { error };
      end();
    },
    stop: () => end(),
    async finished() {
      isRunning = true;
      await ended;
      for (const part of [...parts, ...foundations]) await stopPart(part, log);
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
      log.info('stopped');
      if (failure !== undefined) throw failure.error;
      return EXIT.ok;
    },
  };
}

async function stopPart(part: Part, log: Logger): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), STOP_TIMEOUT_MS);
  });
  try {
    if ((await Promise.race([part.stop(), late])) === 'late') log.warn({ component: part.name }, 'did not stop in time');
  } catch (error) {
    log.error({ err: error, component: part.name }, 'stop failed');
  } finally {
    clearTimeout(timer);
  }
}
