/** podtrail standalone in a process of its own, as people start it, with a data directory that goes with it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const BIN = fileURLToPath(new URL('../../deploy/podtrail.js', import.meta.url));
const START_MS = 60_000;
const STOP_MS = 30_000;
/** /proc counts CPU time in these a second (USER_HZ, fixed in Linux's ABI). */
const TICKS_A_SECOND = 100;

export interface Standalone {
  readonly url: string;
  /** CPU seconds of the process up to now, user and system, all threads. */
  cpuSeconds(): number;
  rssBytes(): number;
  /** Bytes of the files of its change log. */
  logBytes(): number;
  /** Bytes of the files of its store: tables, and what the engine logs. */
  storeBytes(): number;
  get<T>(path: string): Promise<T>;
  /** Ends it as Ctrl-C does, and removes its data. Rejects if it does not end well. */
  stop(): Promise<void>;
}

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Resolves when it listens. `config` as in podtrail.example.yaml; `env` is added to the environment. */
export async function startStandalone(config: object, env: Readonly<Record<string, string>> = {}): Promise<Standalone> {
  const folder = mkdtempSync(join(tmpdir(), 'podtrail-bench-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'podtrail.yaml');
  writeFileSync(file, JSON.stringify({ logging: { level: 'warn' }, ...config })); // JSON is YAML
  const args = [BIN, 'standalone', '--config', file, '--port', '0', '--data', join(folder, 'data')];
  const child = spawn(process.execPath, args, { cwd: folder, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text));
  const ended = new Promise<number | null>((resolve) => {
    child.once('close', (code) => {
      running.delete(child);
      resolve(code);
    });
  });
  const url = await waitFor('podtrail to listen', START_MS, async () => {
    if (!running.has(child)) throw new Error(`podtrail ended: ${output.slice(-2_000)}`);
    return /podtrail is at (\S+)/.exec(output)?.[1];
  });
  return {
    url,
    cpuSeconds() {
      // Fields 14 and 15 of proc(5); the name in front of them may hold spaces.
      const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ');
      return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND;
    },
    rssBytes: () => 1_024 * Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]),
    logBytes: () => sizeOf(join(folder, 'data', 'change-log')),
    storeBytes: () => sizeOf(join(folder, 'data', 'store')),
    async get<T>(path: string) {
      const response = await fetch(`${url}${path}`);
      if (!response.ok) throw new Error(`${path} answered ${response.status}: ${(await response.text()).slice(0, 500)}`);
      return (await response.json()) as T;
    },
    async stop() {
      child.kill('SIGINT');
      const code = await Promise.race([ended, delay(STOP_MS, 'timeout', { ref: false })]);
      rmSync(folder, { recursive: true, force: true });
      if (code !== 0) throw new Error(`podtrail ended with ${code}: ${output.slice(-2_000)}`);
    },
  };
}

function sizeOf(path: string): number {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return 0;
  return found.isDirectory() ? readdirSync(path).reduce((sum, name) => sum + sizeOf(join(path, name)), 0) : found.size;
}

/** Asks until there is an answer. */
export async function waitFor<T>(what: string, timeoutMs: number, ask: () => Promise<T | undefined>): Promise<T> {
  for (const deadlineMs = performance.now() + timeoutMs; ; await delay(50)) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (performance.now() > deadlineMs) throw new Error(`waited in vain for ${what}`);
  }
}
