/**
 * A process that writes into an embedded log, for the faults that take a process: node log-writer.ts DIRECTORY NAME appends NAME/1,
 * NAME/2 … until it is killed and prints the number of each that is acknowledged; with the name `full` it fills the disk, makes
 * room, goes on, and prints what it saw.
 */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ChangeLogError } from '../../../collector/errors.ts';
import { openLog, readAll } from './log-directory.ts';

const [directory = '', name = ''] = process.argv.slice(2);

async function appendForEver(): Promise<never> {
  const { writer } = await openLog(directory, { segmentBytes: 4_096 });
  for (let n = 1; ; n += 2) {
    await writer.append('k', [Buffer.from(`${name}/${n}`), Buffer.from(`${name}/${n + 1}`)]);
    process.stdout.write(`${n + 1}\n`);
  }
}

async function fillDisk(): Promise<void> {
  const ballast = join(directory, 'ballast');
  await writeFile(ballast, Buffer.alloc(400_000));
  const log = await openLog(directory, { segmentBytes: 65_536 });
  let acknowledged = 0;
  let refused: unknown;
  while (refused === undefined) {
    try {
      await log.writer.append('k', [Buffer.alloc(1_500, 'x')]);
      acknowledged += 1;
    } catch (error) {
      const { code, retriable, cause } = error as ChangeLogError;
      refused = { code, retriable, cause: (cause as NodeJS.ErrnoException).code };
    }
  }
  const content = await readAll(log, { commit: 0n }); // the commit fails too, and must not matter
  await rm(ballast);
  await log.writer.append('k', [Buffer.from('there is room again')]);
  await log.close();
  const again = await openLog(directory);
  const after = (await readAll(again)).records.length;
  await again.close();
  process.stdout.write(JSON.stringify({ refused, acknowledged, found: content.records.length, gaps: content.gaps.length, after }));
}

await (name === 'full' ? fillDisk() : appendForEver());
