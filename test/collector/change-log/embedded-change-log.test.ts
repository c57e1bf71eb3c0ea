/** What the embedded log does beyond the contract suite: retention, a full disk, failing syncs, kill -9. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ChangeLogError } from '../../../collector/errors.ts';
import { assertAccounted, inDirectory, openLog, readAll, segmentFiles } from './log-directory.ts';

const WRITER = fileURLToPath(new URL('log-writer.ts', import.meta.url));
const value = (bytes: number) => Buffer.alloc(bytes, 'x');
const isFull = (error: unknown) => error instanceof ChangeLogError && error.code === 'PODTRAIL_LOG_FULL' && error.retriable;

/** Calls body while a method of every FileHandle is replaced: the file system fails as asked. */
async function withFileSystem<K extends 'datasync' | 'write'>(
  directory: string,
  method: K,
  replace: (real: FileHandle[K]) => FileHandle[K],
  body: () => Promise<void>,
): Promise<void> {
  const handle = await open(directory, 'r');
  const prototype = Object.getPrototypeOf(handle) as FileHandle;
  await handle.close();
  const real = prototype[method];
  prototype[method] = replace(real);
  try {
    await body();
  } finally {
    prototype[method] = real;
  }
}

describe('embedded change log', () => {
  test('appends that come together share one sync', async () => {
    await inDirectory(async (directory) => {
      const log = await openLog(directory, { fsyncIntervalMs: 20 });
      let syncs = 0;
      const count = (real: FileHandle['datasync']): FileHandle['datasync'] =>
        async function counted(this: FileHandle) {
          syncs += 1;
          return real.call(this);
        };
      await withFileSystem(directory, 'datasync', count, async () => {
        await Promise.all(Array.from({ length: 200 }, (_, n) => log.writer.append(`k${n}`, [value(100)])));
      });
      assert.equal(syncs, 1);
      await log.close();
    });
  });

  test('an append whose sync fails is rejected as retriable and never seen; the next one takes its place', async () => {
    await inDirectory(async (directory) => {
      const log = await openLog(directory);
      await log.writer.append('k', [Buffer.from('first')]);
      const fail = (): FileHandle['datasync'] => () => Promise.reject(Object.assign(new Error('i/o error'), { code: 'EIO' }));
      await withFileSystem(directory, 'datasync', fail, async () => {
        const isUnavailable = (error: unknown) => error instanceof ChangeLogError && error.code === 'PODTRAIL_LOG_UNAVAILABLE' && error.retriable;
        await assert.rejects(log.writer.append('k', [Buffer.from('lost, and longer than the others')]), isUnavailable);
      });
      await log.writer.append('k', [Buffer.from('second')]);
      for (const opened of [log, undefined]) {
        const current = opened ?? (await openLog(directory));
        const { records, gaps } = await readAll(current);
        assert.deepEqual(
          records.map((record) => [record.offset, Buffer.from(record.value).toString('utf8')]),
          [
            [0n, 'first'],
            [1n, 'second'],
          ],
        );
        assert.deepEqual(gaps, []);
        await current.close();
      }
    });
  });

  test('keeps segments until they are both old and committed', async () => {
    await inDirectory(async (directory) => {
      let nowMs = 1_000_000;
      const log = await openLog(directory, { segmentBytes: 1_000, retentionMs: 10_000 }, { now: () => nowMs });
      for (let n = 0; n < 6; n += 1) await log.writer.append('k', [value(800)]); // a segment each
      nowMs += 20_000;
      await log.writer.append('k', [value(800)]);
      assert.equal((await segmentFiles(directory)).length, 7, 'nothing is committed: nothing may go');
      await readAll(log, { commit: 3n });
      assert.equal((await readAll(log)).earliest, 3n);
      await readAll(log, { commit: 7n });
      assert.equal((await readAll(log)).earliest, 5n, 'a segment is as old as the first record after it');
      nowMs += 20_000;
      await log.writer.append('k', [value(800)]);
      await readAll(log, { commit: 7n });
      assert.equal((await readAll(log)).earliest, 6n, 'the last record before it is not old');
      await log.close();
    });
  });

  test('begins a new segment when the active one is old, so that a quiet log forgets too', async () => {
    await inDirectory(async (directory) => {
      let nowMs = 1_000_000;
      const log = await openLog(directory, { retentionMs: 10_000 }, { now: () => nowMs });
      await log.writer.append('k', [value(10)]);
      nowMs += 2_500;
      await log.writer.append('k', [value(10)]);
      assert.equal((await segmentFiles(directory)).length, 1);
      nowMs += 1;
      await log.writer.append('k', [value(10)]);
      assert.equal((await segmentFiles(directory)).length, 2);
      await log.close();
    });
  });

  test('at the cap the oldest committed segments go first; with none left to go, appends are refused until a commit', async () => {
    await inDirectory(async (directory) => {
      const log = await openLog(directory, { segmentBytes: 1_000, retentionBytes: 4_000 });
      for (let n = 0; n < 4; n += 1) await log.writer.append('k', [value(800)]);
      await assert.rejects(log.writer.append('k', [value(800)]), isFull);
      await assert.rejects(log.writer.append('k', [value(800)]), isFull);
      await readAll(log, { commit: 1n });
      await log.writer.append('k', [value(800)]);
      await assert.rejects(log.writer.append('k', [value(800)]), isFull);
      await readAll(log, { commit: 5n });
      for (let n = 0; n < 3; n += 1) await log.writer.append('k', [value(800)]);
      const content = await readAll(log);
      assert.ok(log.sizeBytes() <= 4_000);
      assert.equal(content.end, 8n);
      assertAccounted(content, content.earliest, () => 'x'.repeat(800));
      await log.close();
    });
  });

  test('a cap as small as one segment does not wedge it', async () => {
    await inDirectory(async (directory) => {
      const log = await openLog(directory, { segmentBytes: 4_000, retentionBytes: 4_000 });
      for (let round = 1; round <= 10; round += 1) {
        await log.writer.append('k', [value(3_000)]);
        await readAll(log, { commit: BigInt(round) });
      }
      await log.close();
    });
  });

  test('keeps what a running reader has yet to read, committed or not', async () => {
    await inDirectory(async (directory) => {
      const log = await openLog(directory, { segmentBytes: 1_000, retentionBytes: 4_000 });
      for (let n = 0; n < 4; n += 1) await log.writer.append('k', [value(800)]);
      await readAll(log, { commit: 4n });
      const reader = log.reader();
      let refused: unknown;
      const seen: bigint[] = [];
      await reader.run({
        assigned: async ({ earliest }) => {
          refused = await log.writer.append('k', [value(800)]).then(
            () => undefined,
            (error) => error,
          );
          return earliest;
        },
        batch: async ({ records }) => {
          seen.push(...records.map(({ offset }) => offset));
          if (seen.length === 4) void reader.stop();
          return undefined;
        },
        revoked: async () => undefined,
        outOfRange: async () => assert.fail('nothing was lost'),
      });
      assert.ok(isFull(refused));
      assert.deepEqual(seen, [0n, 1n, 2n, 3n]);
      await log.writer.append('k', [value(800)]);
      await log.close();
    });
  });

  test('a reader that starts before the earliest segment is told the gap', async () => {
    await inDirectory(async (directory) => {
      const log = await openLog(directory, { segmentBytes: 1_000, retentionBytes: 4_000 });
      for (let n = 0; n < 8; n += 1) {
        await log.writer.append('k', [value(800)]);
        await readAll(log, { commit: BigInt(n + 1) });
      }
      const { earliest, gaps, records } = await readAll(log, { start: 0n });
      assert.ok(earliest > 0n);
      assert.deepEqual(gaps, [[0n, earliest]]);
      assert.equal(records[0]?.offset, earliest);
      await log.close();
    });
  });

  test('after kill -9 everything acknowledged is there, the lock is taken over, and the log goes on', async () => {
    await inDirectory(async (directory) => {
      for (let round = 0; round < 3; round += 1) {
        const child = spawn(process.execPath, ['--import', 'tsx', WRITER, directory, `${round}`], { stdio: ['ignore', 'pipe', 'inherit'] });
        const exited = once(child, 'exit');
        let acknowledged = 0;
        for await (const line of createInterface({ input: child.stdout })) {
          acknowledged = Math.max(acknowledged, Number(line));
          if (acknowledged >= 300) child.kill('SIGKILL');
        }
        assert.equal((await exited)[1], 'SIGKILL');
        const log = await openLog(directory);
        const content = await readAll(log);
        assert.deepEqual(content.gaps, []);
        const values = new Set(content.records.map((record) => Buffer.from(record.value).toString('utf8')));
        for (let n = 1; n <= acknowledged; n += 1) assert.ok(values.has(`${round}/${n}`), `record ${round}/${n} was acknowledged and is gone`);
        await log.close();
      }
    });
  });

  const canMount = process.platform === 'linux' && spawnSync('unshare', ['-Urm', 'true']).status === 0;
  test('on a full disk appends are refused as retriable; with space back the log goes on, intact', {
    skip: canMount ? false : 'needs unshare -Urm to mount a small tmpfs',
  }, async () => {
    await inDirectory(async (directory) => {
      const mount = join(directory, 'small');
      await mkdir(mount);
      const script = `mount -t tmpfs -o size=1m tmpfs "$1" && exec "$2" --import tsx "$3" "$1" full`;
      const run = spawnSync('unshare', ['-Urm', 'sh', '-c', script, 'sh', mount, process.execPath, WRITER], { encoding: 'utf8' });
      assert.equal(run.status, 0, run.stderr);
      const { refused, acknowledged, found, gaps, after } = JSON.parse(run.stdout) as Record<string, unknown>;
      assert.deepEqual(refused, { code: 'PODTRAIL_LOG_FULL', retriable: true, cause: 'ENOSPC' });
      assert.ok(Number(acknowledged) > 100);
      assert.deepEqual({ found, gaps, after }, { found: acknowledged, gaps: 0, after: Number(acknowledged) + 1 });
    });
  });
});
