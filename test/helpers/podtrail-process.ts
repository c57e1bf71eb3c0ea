/** podtrail as real processes of their own: started, watched, signalled and killed. None outlives the test file that started it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { after } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const SCRIPT = fileURLToPath(new URL('waiting-podtrail.ts', import.meta.url));

/** A line of the log, as pino writes it. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly level: string; readonly msg: string };
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface PodtrailProcess {
  /** Everything it wrote to stdout and stderr. */
  output(): string;
  /** Lines of its log, oldest first. */
  lines(): LogLine[];
  kill(signal: NodeJS.Signals): void;
  /** Resolves when it has ended and its output is complete. */
  readonly exited: Promise<Exit>;
  hasExited(): boolean;
  /** Resident memory, bytes. */
  rssBytes(): number;
}

export interface WaitingPodtrail {
  /** Resolves when it is loaded; also when it ends before. */
  readonly ready: Promise<void>;
  /** Lets it run this command line. */
  run(args: readonly string[]): PodtrailProcess;
  /** For one that is no longer needed. */
  discard(): void;
}

const running = new Set<ChildProcess>();
const killAll = (): void => {
  for (const child of running) child.kill('SIGKILL');
};
after(killAll); // a failed test leaves them behind, and they would keep the file from ending
process.on('exit', killAll);

/** Starts a process that loads podtrail and waits to be told what to do. */
export function preparePodtrail(env: Readonly<Record<string, string>> = {}): WaitingPodtrail {
  const child = spawn(process.execPath, ['--import', 'tsx', SCRIPT], { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  running.add(child);
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
  }
  // Only whoever waits for it keeps the test file from ending: a test that failed does not wait.
  const handles = [child, child.stdin, child.stdout, child.stderr] as unknown as readonly { ref(): void; unref(): void }[];
  const keep = (kept: boolean): void => {
    for (const handle of handles) handle[kept ? 'ref' : 'unref']();
  };
  keep(false);
  child.stdin.on('error', () => undefined); // killed before it read its command line
  let isOver = false;
  const exited = new Promise<Exit>((resolve) => {
    child.once('close', (code, signal) => {
      running.delete(child);
      isOver = true;
      resolve({ code, signal });
    });
  });
  const ready = new Promise<void>((resolve) => {
    child.stdout.once('data', () => resolve());
    child.once('close', () => resolve());
  });
  return {
    get ready() {
      keep(true);
      return ready.finally(() => keep(false));
    },
    run(args) {
      child.stdin.end(`${JSON.stringify(args)}\n`);
      return {
        output: () => text,
        lines: () => text.split('\n').flatMap(parseLine),
        kill: (signal) => void child.kill(signal),
        get exited() {
          keep(true);
          return exited;
        },
        hasExited: () => isOver,
        rssBytes: () => 1_024 * Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]),
      };
    },
    discard: () => void child.kill('SIGKILL'),
  };
}

/** Starts podtrail with this command line. */
export function startPodtrail(args: readonly string[], env: Readonly<Record<string, string>> = {}): PodtrailProcess {
  return preparePodtrail(env).run(args);
}

function parseLine(line: string): LogLine[] {
  try {
    return line.startsWith('{') ? [JSON.parse(line) as LogLine] : [];
  } catch {
    return []; // the end of a killed process
  }
}

/** Resolves once `read` says so; fails with the process's output if that takes longer, or the process ends. */
export async function waitWhile(what: string, podtrail: PodtrailProcess, isDone: () => boolean | Promise<boolean>, timeoutMs = 60_000): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  while (!(await isDone())) {
    if (podtrail.hasExited() || performance.now() > deadlineMs) {
      throw new Error(`waited in vain: ${what}${podtrail.hasExited() ? ', the process has ended' : ''}\n${podtrail.output().slice(-4_000)}`);
    }
    await delay(20);
  }
}

/** Value of a metric at `url`, summed over its labels; undefined while nothing answers there or it has none. */
export async function readMetric(url: string, name: string): Promise<number | undefined> {
  const values = await readMetricValues(url, name);
  return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0);
}

/** Values of a metric at `url`, one for each set of labels. */
export async function readMetricValues(url: string, name: string): Promise<number[]> {
  const text = await fetch(`${url}/metrics`).then(
    (response) => response.text(),
    () => '',
  );
  return text.split('\n').flatMap((line) => (line.startsWith(`${name}{`) || line.startsWith(`${name} `) ? [Number(line.slice(line.lastIndexOf(' ')))] : []));
}
