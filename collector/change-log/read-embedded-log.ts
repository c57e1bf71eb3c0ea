/** Reads the embedded change log of a podtrail that does not run, and changes nothing of it: no repair, no retention, no commit. */
import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ChangeLogError } from '../errors.ts';
import type { LogRecord } from './change-log.ts';
import { lockDirectory } from './directory-lock.ts';
import { asLogError } from './segment-log.ts';
import { findFrame, readFrames } from './segment-reader.ts';

/** A piece of the log, at most 1000 records. `position` and `total`: bytes read and bytes there are. */
export interface EmbeddedPiece {
  readonly records: readonly LogRecord[];
  readonly position: number;
  readonly total: number;
}

/**
 * Every record, oldest first. Holds the directory's lock meanwhile, so that nobody deletes what is being read. Throws
 * ChangeLogError: PODTRAIL_LOG_MISSING if there is no log, PODTRAIL_LOG_LOCKED if a process uses it.
 */
export async function* readEmbeddedLog(directory: string): AsyncGenerator<EmbeddedPiece, void, undefined> {
  const segments = await findSegments(directory);
  const lock = await lockDirectory(directory);
  try {
    const total = segments.reduce((sum, segment) => sum + segment.size, 0);
    let before = 0;
    for (const { path, size } of segments) {
      for await (const { records, position } of readSegment(path, size)) yield { records, position: before + position, total };
      before += size;
    }
  } finally {
    await lock.release();
  }
}

interface SegmentFile {
  readonly path: string;
  readonly size: number;
}

async function findSegments(directory: string): Promise<SegmentFile[]> {
  let names: string[];
  try {
    names = (await readdir(directory)).filter((name) => /^\d{20}\.log$/.test(name)).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw asLogError(error, `read change log ${directory}`);
    names = [];
  }
  if (names.length === 0) throw new ChangeLogError('PODTRAIL_LOG_MISSING', `there is no change log in ${directory}`);
  const paths = names.map((name) => join(directory, name));
  return Promise.all(paths.map(async (path) => ({ path, size: (await stat(path)).size })));
}

/** What is damaged, or torn at the end, is passed over: the processor has told of it, or will. */
async function* readSegment(path: string, size: number): AsyncGenerator<{ readonly records: readonly LogRecord[]; readonly position: number }> {
  const handle = await open(path, 'r');
  try {
    let nextOffset = 0n;
    for (let position = 0; position >= 0 && position < size; ) {
      const { records, end, isDamaged } = await readFrames(handle, position, size);
      if (records.length > 0) yield { records, position: end };
      nextOffset = (records.at(-1)?.offset ?? nextOffset - 1n) + 1n;
      position = isDamaged ? await findFrame(handle, end + 1, size, nextOffset) : end;
    }
  } finally {
    await handle.close();
  }
}
