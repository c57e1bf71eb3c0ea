/** The command line as people start it: `node deploy/podtrail.js …` in a process of its own, with nothing of this machine's settings. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { after } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const BIN = fileURLToPath(new URL('../../deploy/podtrail.js', import.meta.url));

export interface CliOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Another file to start, such as a link to the bin. */
  readonly bin?: string;
  /** Flags of Node itself. */
  readonly nodeArgs?: readonly string[];
}

export interface CliResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Cli {
  readonly pid: number;
  stdout(): string;
  stderr(): string;
  kill(signal: NodeJS.Signals): void;
  readonly ended: Promise<CliResult>;
  hasEnded(): boolean;
  readonly child: ChildProcessWithoutNullStreams;
}

const running = new Set<Cli>();
process.on('exit', killAll);
// A test that fails must not wait for what it has started.
after(killAll);

function killAll(): void {
  for (const cli of running) cli.kill('SIGKILL');
}

/** The environment without podtrail's and Kubernetes' variables; home is where no kubeconfig is. */
function cleanEnv(env: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/^(PODTRAIL_|KUBE|HOME$|NODE_TEST_CONTEXT$)/.test(name));
  return { ...Object.fromEntries(kept), HOME: tmpdir(), ...env };
}

/** Starts it; it does not outlive this process. */
export function startCli(args: readonly string[], { env = {}, cwd, bin = BIN, nodeArgs = [] }: CliOptions = {}): Cli {
  const child = spawn(process.execPath, [...nodeArgs, bin, ...args], { stdio: 'pipe', cwd: cwd ?? tmpdir(), env: cleanEnv(env) });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  child.stdin.on('error', () => undefined); // it may end without having read
  const ended = new Promise<CliResult>((resolve) => {
    child.once('close', (code, signal) => {
      running.delete(cli);
      resolve({ code, signal, stdout, stderr });
    });
  });
  const cli: Cli = {
    pid: child.pid ?? 0,
    stdout: () => stdout,
    stderr: () => stderr,
    kill: (signal) => void child.kill(signal),
    ended,
    hasEnded: () => !running.has(cli),
    child,
  };
  running.add(cli);
  return cli;
}

/** Runs it to its end, with `input` on standard input. */
export function runCli(args: readonly string[], options: CliOptions & { readonly input?: string } = {}): Promise<CliResult> {
  const cli = startCli(args, options);
  cli.child.stdin.end(options.input ?? '');
  return cli.ended;
}

/** Resolves with what `look` finds; fails with the process's output if it ends or that takes longer. */
export async function waitUntil<T>(what: string, cli: Cli, look: () => T | undefined | Promise<T | undefined>, timeoutMs = 30_000): Promise<T> {
  const deadlineMs = performance.now() + timeoutMs;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (cli.hasEnded() || performance.now() > deadlineMs)
      throw new Error(`waited in vain: ${what}${cli.hasEnded() ? ', the process has ended' : ''}\n${cli.stdout()}\n${cli.stderr()}`.slice(0, 8_000));
    await delay(50);
  }
}

/** The first group of what the process writes to standard error. */
export function waitForLine(cli: Cli, pattern: RegExp, timeoutMs?: number): Promise<string> {
  return waitUntil(String(pattern), cli, () => pattern.exec(cli.stderr())?.[1], timeoutMs);
}

/** GET as JSON; undefined while nothing answers, or it refuses. */
export async function getJson<T>(url: string): Promise<T | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(10_000) });
    return response.ok ? ((await response.json()) as T) : undefined;
  } catch {
    return undefined;
  }
}
