/**
 * One process owns a directory. Node has no flock, so the owner writes a lock file that names it and touches the file every two
 * seconds. A contender decides at once where it can see the owner (same boot, same pid namespace: is that very process alive?),
 * else by whether the file is still being touched. A lock of a dead owner is taken over.
 */
import { randomUUID } from 'node:crypto';
import { link, readFile, readlink, rename, stat, unlink, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ChangeLogError } from '../errors.ts';

const TOUCH_INTERVAL_MS = 2_000;
/** An owner that cannot be seen and has not touched its lock for this long is taken for dead. */
const STALE_AFTER_MS = 10_000;

export interface DirectoryLock {
  /** False once another process has taken the directory over, e.g. while this one was suspended: write nothing any more. */
  isHeld(): boolean;
  /** Removes the lock file if it is still ours. Idempotent. */
  release(): Promise<void>;
}

/** Who holds a lock: pids repeat, so the start of the process and the place where the pid counts belong to it. */
interface Owner {
  readonly pid: number;
  readonly started: string;
  readonly realm: string;
  readonly token: string;
}

/**
 * Takes the directory (which exists) or throws ChangeLogError PODTRAIL_LOG_LOCKED, having changed nothing. May take
 * `staleAfterMs` where the owner cannot be seen, e.g. in another container.
 */
export async function lockDirectory(directory: string, staleAfterMs = STALE_AFTER_MS): Promise<DirectoryLock> {
  const path = join(directory, 'lock');
  const owner: Owner = { pid: process.pid, started: await processStart(process.pid), realm: await pidRealm(), token: randomUUID() };
  for (let attempt = 0; attempt < 5; attempt += 1) {
    if (await createLock(path, owner)) return holdLock(path, owner.token);
    const text = await readText(path);
    if (text === undefined) continue; // released in between
    const other = parseOwner(text);
    if (await isAlive(other, owner, path, staleAfterMs)) {
      throw new ChangeLogError('PODTRAIL_LOG_LOCKED', `lock ${path} failed: process ${other?.pid ?? 'unknown'} uses this directory`);
    }
    await removeStale(path, text);
  }
  throw new ChangeLogError('PODTRAIL_LOG_LOCKED', `lock ${path} failed: other processes are taking it at the same time`);
}

/** Creates the file whole or not at all: a link to an existing name fails, a half-written lock is never seen. */
async function createLock(path: string, owner: Owner): Promise<boolean> {
  const draft = `${path}.${owner.token}`;
  try {
    await writeFile(draft, JSON.stringify(owner));
    await link(draft, path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  } finally {
    await unlink(draft).catch(() => undefined);
  }
}

function holdLock(path: string, token: string): DirectoryLock {
  let isHeld = true;
  const touch = async () => {
    try {
      if (parseOwner(await readFile(path, 'utf8'))?.token !== token) isHeld = false;
      else await utimes(path, new Date(), new Date());
    } catch (error) {
      if (codeOf(error) === 'ENOENT') isHeld = false; // a full disk or too many open files do not end the ownership
    }
  };
  const timer = setInterval(() => void touch(), TOUCH_INTERVAL_MS).unref();
  return {
    isHeld: () => isHeld,
    release: async () => {
      clearInterval(timer);
      if (!isHeld) return;
      await touch();
      if (isHeld) await unlink(path);
      isHeld = false;
    },
  };
}

async function isAlive(other: Owner | undefined, self: Owner, path: string, staleAfterMs: number): Promise<boolean> {
  if (other !== undefined && other.realm === self.realm) return isRunning(other.pid) && (await processStart(other.pid)) === other.started;
  const seen = await touchedMs(path);
  const deadline = Date.now() + staleAfterMs;
  while (Date.now() < deadline) {
    await delay(Math.min(500, staleAfterMs));
    if ((await touchedMs(path)) !== seen) return true;
  }
  return false;
}

/** Takes the file away only if it still is the one that was judged stale. */
async function removeStale(path: string, text: string): Promise<void> {
  const aside = `${path}.${randomUUID()}`;
  try {
    await rename(path, aside);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return; // another contender was faster
    throw error;
  }
  if ((await readText(aside)) !== text) await link(aside, path).catch(() => undefined); // it was a fresh one: give it back
  await unlink(aside);
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

/** Start of a process in clock ticks since boot (field 22 of proc(5) stat), '' where there is no /proc. */
async function processStart(pid: number): Promise<string> {
  const text = await readText(`/proc/${pid}/stat`);
  return text?.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}

/** Names the space in which a pid means one process: this boot and pid namespace on Linux, the host elsewhere. */
async function pidRealm(): Promise<string> {
  const bootId = await readText('/proc/sys/kernel/random/boot_id');
  return bootId === undefined ? hostname() : `${bootId.trim()}/${await readlink('/proc/self/ns/pid')}`;
}

async function touchedMs(path: string): Promise<number> {
  return stat(path).then(
    (stats) => stats.mtimeMs,
    () => 0,
  );
}

async function readText(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(() => undefined);
}

function parseOwner(text: string): Owner | undefined {
  try {
    const value = JSON.parse(text) as Owner;
    return typeof value.pid === 'number' && typeof value.realm === 'string' && typeof value.token === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}
