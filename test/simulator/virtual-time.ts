/**
 * Simulated time: while installed, it stands in for the timers, clocks and random numbers of this process, so that real code runs under
 * a scheduler of which a seed decides everything. One callback runs at a time; between two of them everything that is ready settles.
 */
import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import timers from 'node:timers/promises';
import type { Random } from './random.ts';

export interface VirtualTime {
  /** Epoch ms. */
  now(): number;
  /** Calls back in `ms`, in the order of time, then of asking. */
  after(ms: number, callback: () => void): void;
  sleep(ms: number): Promise<void>;
  /** Lets time pass until `ms` of it are over, or `isDone` says so. */
  run(ms: number, isDone?: () => boolean): Promise<void>;
  /** Puts everything back. */
  restore(): void;
}

interface Task {
  readonly due: number;
  readonly order: number;
  readonly callback: () => void;
  cancelled: boolean;
}

/** Callbacks that run in one turn of the real event loop. Node settles promises after each of them. */
const TASKS_A_TURN = 64;
/** After as many without a callback nothing is under way: what Node's streams still have to do asks for none, and takes a few turns. */
const IDLE_TURNS = 3;
/** Work takes time: every look at the monotonic clock finds it later by up to this, ms. */
const LOOK_MS = 0.4;
const real = { setImmediate: globalThis.setImmediate };

/** Installs simulated time, which begins at `startMs`. Nothing else may run in this process until restore(). */
export function installVirtualTime(startMs: number, random: Random): VirtualTime {
  const heap = createHeap();
  let now = 0;
  let order = 0;
  const schedule = (ms: number, callback: () => void): Task => {
    const task = { due: now + Math.max(0, Number.isFinite(ms) ? ms : 0), order: order++, callback, cancelled: false };
    heap.push(task);
    return task;
  };
  const sleep = (ms: number): Promise<void> => new Promise((resolve) => void schedule(ms, resolve));

  const restore = patch([
    [globalThis, 'setTimeout', (callback: (...a: unknown[]) => void, ms = 0, ...rest: unknown[]) => handle(schedule(Math.max(1, ms), () => callback(...rest)))],
    [globalThis, 'setImmediate', (callback: (...a: unknown[]) => void, ...rest: unknown[]) => handle(schedule(0, () => callback(...rest)))],
    [globalThis, 'setInterval', (callback: () => void, ms = 1) => repeat(schedule, callback, ms)],
    ...(['clearTimeout', 'clearImmediate', 'clearInterval'] as const).map((name): Patch => [globalThis, name, (timer: Handle | undefined) => timer?.cancel()]),
    [timers, 'setTimeout', (ms: number, value: unknown, options: { signal?: AbortSignal } = {}) => delay(schedule, ms, value, options.signal)],
    [timers, 'setImmediate', (value: unknown) => sleep(0).then(() => value)],
    [performance, 'now', () => (now += random.next() * LOOK_MS)],
    [Date, 'now', () => Math.floor(startMs + now)],
    [Math, 'random', () => random.next()],
    [crypto, 'randomUUID', () => uuid(random)],
  ]);

  /** Runs callbacks due before `end`, and resolves when none is left or `isDone`. */
  const run = (end: number, isDone: () => boolean): Promise<void> =>
    new Promise((resolve, reject) => {
      let failed = false;
      let idleTurns = 0;
      const turn = (): void => {
        for (let n = 0; n < TASKS_A_TURN; n++) real.setImmediate(step);
        real.setImmediate(() => {
          idleTurns = heap.isEmptyBefore(end) ? idleTurns + 1 : 0;
          if (failed || isDone() || idleTurns >= IDLE_TURNS) finish();
          else turn();
        });
      };
      const over = (): boolean => failed || heap.isEmptyBefore(end) || isDone();
      const step = (): void => {
        if (over()) return;
        const task = heap.pop() as Task;
        now = Math.max(now, task.due);
        try {
          if (!task.cancelled) task.callback();
        } catch (error) {
          failed = true;
          reject(error);
        }
      };
      const finish = (): void => {
        if (!isDone()) now = Math.max(now, end);
        resolve();
      };
      turn();
    });
  return {
    now: () => startMs + now,
    after: (ms, callback) => void schedule(ms, callback),
    sleep,
    run: (ms, isDone = () => false) => run(now + ms, isDone),
    restore,
  };
}

interface Handle {
  cancel(): void;
  unref(): Handle;
}

function handle(task: Task): Handle {
  const self: Handle = {
    cancel: () => {
      task.cancelled = true;
    },
    unref: () => self,
  };
  return self;
}

type Schedule = (ms: number, callback: () => void) => Task;

function repeat(schedule: Schedule, callback: () => void, ms: number): Handle {
  let task: Task;
  const again = (): void => {
    task = schedule(ms, () => {
      again();
      callback();
    });
  };
  again();
  const self: Handle = {
    cancel: () => {
      task.cancelled = true;
    },
    unref: () => self,
  };
  return self;
}

function delay(schedule: Schedule, ms: number, value: unknown, signal: AbortSignal | undefined): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const fail = (): void => {
      task.cancelled = true;
      reject(Object.assign(new Error('The operation was aborted'), { name: 'AbortError', code: 'ABORT_ERR' }));
    };
    const task = schedule(Math.max(1, ms), () => {
      signal?.removeEventListener('abort', fail);
      resolve(value);
    });
    if (signal?.aborted) fail();
    else signal?.addEventListener('abort', fail, { once: true });
  });
}

function uuid(random: Random): string {
  const hex = Array.from({ length: 32 }, () => random.int(0, 15).toString(16)).join('');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`;
}

type Patch = readonly [target: object, name: string, replacement: (...args: never[]) => unknown];

/** Replaces functions; the built-in modules' bindings that others have imported follow. Returns what puts them back. */
function patch(patches: readonly Patch[]): () => void {
  const before = patches.map(([target, name]) => [target, name, Object.getOwnPropertyDescriptor(target, name)] as const);
  for (const [target, name, value] of patches) Object.defineProperty(target, name, { value, configurable: true, writable: true });
  syncBuiltinESMExports();
  return () => {
    for (const [target, name, descriptor] of before) {
      if (descriptor === undefined) Reflect.deleteProperty(target, name);
      else Object.defineProperty(target, name, descriptor);
    }
    syncBuiltinESMExports();
  };
}

/** Tasks by time, then by order of asking. */
function createHeap() {
  const tasks: Task[] = [];
  const isBefore = (a: Task, b: Task): boolean => a.due < b.due || (a.due === b.due && a.order < b.order);
  const at = (index: number): Task => tasks[index] as Task;
  const swap = (a: number, b: number): void => {
    [tasks[a], tasks[b]] = [at(b), at(a)];
  };
  return {
    isEmptyBefore: (end: number): boolean => tasks.length === 0 || at(0).due > end,
    push(task: Task): void {
      tasks.push(task);
      for (let i = tasks.length - 1; i > 0 && isBefore(at(i), at((i - 1) >> 1)); i = (i - 1) >> 1) swap(i, (i - 1) >> 1);
    },
    pop(): Task | undefined {
      const [first] = tasks;
      const last = tasks.pop();
      if (tasks.length === 0 || last === undefined) return first;
      tasks[0] = last;
      for (let i = 0; ; ) {
        const [left, right] = [2 * i + 1, 2 * i + 2];
        if (left >= tasks.length) return first;
        const child = right < tasks.length && isBefore(at(right), at(left)) ? right : left;
        if (!isBefore(at(child), at(i))) return first;
        swap(i, child);
        i = child;
      }
    },
  };
}
