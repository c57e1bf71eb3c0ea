/** state.json beside the segments: identity, committed offset, and how far offsets were given out. Replaced atomically. */
import { randomUUID } from 'node:crypto';
import { open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { z } from 'zod';
import { syncDirectory } from './segment-log.ts';

export interface LogState {
  /** Fresh for every new log: checkpoints name it. */
  readonly id: string;
  /** Next offset to read, a hint. */
  readonly committed: bigint | undefined;
  /** The log had at least this end when the state was written: a lower one means that records are lost. */
  readonly end: bigint;
}

const offset = z
  .string()
  .regex(/^\d{1,19}$/)
  .transform(BigInt);
const stateSchema = z.object({ version: z.literal(1), id: z.string().min(1), committed: offset.optional(), end: offset });

/**
 * Reads the state. A missing file is a new log; an unreadable one is logged as an error and also gives a new identity, so that a
 * processor with a checkpoint of the old one refuses it and names the remedy (design D4).
 */
export async function readState(directory: string, log: Logger): Promise<LogState> {
  const path = join(directory, 'state.json');
  try {
    const { id, committed, end } = stateSchema.parse(JSON.parse(await readFile(path, 'utf8')));
    return { id, committed, end };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') log.error({ err: error, path }, 'change log state is unreadable: the log gets a new identity');
    return { id: randomUUID(), committed: undefined, end: 0n };
  }
}

/** Writes the state durably: the old or the new one is there after a crash, never a mixture. */
export async function writeState(directory: string, state: LogState): Promise<void> {
  const draft = join(directory, 'state.json.tmp');
  const text = JSON.stringify({ version: 1, id: state.id, committed: state.committed?.toString(), end: String(state.end) });
  const handle = await open(draft, 'w');
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(draft, join(directory, 'state.json'));
  await syncDirectory(directory);
}
