import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { lockDirectory } from '../../../collector/change-log/directory-lock.ts';
import { ChangeLogError } from '../../../collector/errors.ts';
import { inDirectory, openLog, readAll } from './log-directory.ts';

const WRITER = fileURLToPath(new URL('log-writer.ts', import.meta.url));
const isLocked = (error: unknown) => error instanceof ChangeLogError && error.code === 'PODTRAIL_LOG_LOCKED' && !error.retriable;

describe('directory lock', () => {
  test('a second owner in the same process is refused and changes nothing; after release it may', async () => {
    await inDirectory(async (directory) => {
      const log = await openLog(directory);
      await log.writer.append('k', [Buffer.from('one')]);
      const before = await readdir(directory);
      await assert.rejects(openLog(directory), (error) => isLocked(error) && (error as Error).message.includes(`process ${process.pid}`));
      assert.deepEqual(await readdir(directory), before);
      await log.writer.append('k', [Buffer.from('two')]);
      await log.close();
      const again = await openLog(directory);
      assert.equal((await readAll(again)).records.length, 2);
      await again.close();
      assert.ok(!existsSync(join(directory, 'lock')));
    });
  });

  test('another living process is refused while this one writes on', async () => {
    await inDirectory(async (directory) => {
      const child = spawn(process.execPath, ['--import', 'tsx', WRITER, directory, 'child'], { stdio: ['ignore', 'pipe', 'inherit'] });
      const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
      const first = Number((await lines.next()).value);
      await assert.rejects(openLog(directory), (error) => isLocked(error) && (error as Error).message.includes(`process ${child.pid}`));
      assert.ok(Number((await lines.next()).value) > first);
      child.kill('SIGKILL');
      await once(child, 'exit');
      await (await openLog(directory)).close(); // at once: the owner is seen to be dead
    });
  });

  test('a lock whose pid now means another process is taken over', async () => {
    await inDirectory(async (directory) => {
      const lock = await lockDirectory(directory);
      const owner = JSON.parse(await readFile(join(directory, 'lock'), 'utf8'));
      await lock.release();
      await writeFile(join(directory, 'lock'), JSON.stringify({ ...owner, started: '1' }));
      await (await lockDirectory(directory)).release();
    });
  });

  test('an owner that cannot be seen is believed while it touches its lock, and not after', async () => {
    await inDirectory(async (directory) => {
      const path = join(directory, 'lock');
      await writeFile(path, JSON.stringify({ pid: 1, started: '1', realm: 'another container', token: 't' }));
      const touching = setInterval(() => void utimes(path, new Date(), new Date()), 50);
      await assert.rejects(lockDirectory(directory, 1_000), isLocked);
      clearInterval(touching);
      await (await lockDirectory(directory, 300)).release();
      await writeFile(path, 'not a lock');
      await (await lockDirectory(directory, 300)).release();
    });
  });

  test('of many contenders for a stale lock one wins', async () => {
    await inDirectory(async (directory) => {
      await writeFile(join(directory, 'lock'), 'not a lock');
      const results = await Promise.allSettled(Array.from({ length: 8 }, () => lockDirectory(directory, 300)));
      const won = results.filter((result) => result.status === 'fulfilled');
      assert.equal(won.length, 1);
      for (const result of results) if (result.status === 'rejected') assert.ok(isLocked(result.reason));
      await won[0]?.value.release();
    });
  });

  test('an owner whose lock was taken over writes nothing any more', async () => {
    await inDirectory(async (directory) => {
      const log = await openLog(directory);
      await log.writer.append('k', [Buffer.from('one')]);
      const owner = JSON.parse(await readFile(join(directory, 'lock'), 'utf8'));
      await writeFile(join(directory, 'lock'), JSON.stringify({ ...owner, token: 'the other' }));
      let refused: unknown;
      while (refused === undefined)
        refused = await log.writer.append('k', [Buffer.from('late')]).then(
          () => undefined,
          (error) => error,
        );
      assert.ok(isLocked(refused));
      await log.close();
      assert.ok(existsSync(join(directory, 'lock')), 'the lock of the other stays');
    });
  });
});
