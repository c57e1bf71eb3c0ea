/** The demo's data directory: emptied at every start, and therefore never one that holds anything else. */
import { existsSync } from 'node:fs';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type DirectoryLock, lockDirectory } from '../collector/change-log/directory-lock.ts';
import { CommandError, EXIT } from './errors.ts';

/** Only a directory with this file in it is emptied. */
const MARKER = 'podtrail-demo';

/**
 * Takes `directory` for this process and removes an earlier demo's data. Throws CommandError (exit 2) if it holds anything else,
 * ChangeLogError PODTRAIL_LOG_LOCKED if another demo runs there; both before anything is changed.
 */
export async function takeDemoDirectory(directory: string): Promise<DirectoryLock> {
  await mkdir(directory, { recursive: true });
  const isDemo = existsSync(join(directory, MARKER));
  if (!isDemo && (await readdir(directory)).length > 0)
    throw new CommandError(EXIT.refused, `${directory} holds other data, and the demo empties its directory at every start: choose another with --data`);
  const lock = await lockDirectory(directory);
  await writeFile(join(directory, MARKER), 'Data of `podtrail standalone --demo`, removed at its next start.\n');
  for (const part of ['change-log', 'store']) await rm(join(directory, part), { recursive: true, force: true });
  return lock;
}

/** Whether the directory is a demo's: a real cluster's data would be lost there. */
export function isDemoDirectory(directory: string): boolean {
  return existsSync(join(directory, MARKER));
}
