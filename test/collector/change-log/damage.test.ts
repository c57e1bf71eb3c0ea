/** What a crash or a bad disk leaves: torn tails, flipped bits, missing files. Never a crash, never a silent hole. */
import assert from 'node:assert/strict';
import { open, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { assertAccounted, copyAsAfterCrash, inDirectory, openLog, readAll, segmentFiles } from './log-directory.ts';

const COUNT = 12;
const textOf = (offset: bigint) => `record ${offset} ${'.'.repeat(Number(offset % 5n) * 7)}`;
const valuesFrom = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => Buffer.from(textOf(BigInt(from + index))));

/** A log of COUNT records in the files as they are right after the last append, before any close. */
async function withCrashedLog(segmentBytes: number, body: (original: string, copy: string) => Promise<void>): Promise<void> {
  await inDirectory(async (directory) => {
    const original = join(directory, 'original');
    const log = await openLog(original, { segmentBytes });
    for (let at = 0; at < COUNT; at += 3) await log.writer.append('k', valuesFrom(at, at + 3));
    const crashed = join(directory, 'crashed');
    await copyAsAfterCrash(original, crashed);
    await log.close();
    await body(crashed, join(directory, 'copy'));
  });
}

/** Reads, appends one more record, and reads again after a reopen: the log must be in order for good. */
async function assertUsable(directory: string, segmentBytes: number, expected: (offset: bigint) => string) {
  const log = await openLog(directory, { segmentBytes });
  const found = await readAll(log);
  assertAccounted(found, found.earliest, expected);
  await log.writer.append('k', [Buffer.from('more')]);
  await log.close();
  const again = await openLog(directory, { segmentBytes });
  const after = await readAll(again);
  await again.close();
  assert.equal(after.end, found.end + 1n);
  assertAccounted(after, found.earliest, (offset) => (offset === found.end ? 'more' : expected(offset)));
  return found;
}

describe('damage', () => {
  test('a tail torn at any byte costs the torn record and nothing else', async () => {
    await withCrashedLog(1_048_576, async (crashed, copy) => {
      const [name = ''] = await segmentFiles(crashed);
      const whole = await readFile(join(crashed, name));
      const tail = whole.length - 150; // the last three frames, byte by byte; before them, one length in nine
      for (let length = 0; length <= whole.length; length += length < tail ? 9 : 1) {
        await copyAsAfterCrash(crashed, copy);
        await truncate(join(copy, name), length);
        const log = await openLog(copy);
        const { records, gaps, end } = await readAll(log);
        assert.deepEqual(gaps, []);
        assertAccounted({ records, gaps, end, earliest: 0n }, 0n, textOf);
        assert.ok((await stat(join(copy, name))).size <= length);
        if (length === whole.length) assert.equal(end, BigInt(COUNT));
        await log.close();
      }
    });
  });

  test('after a torn tail the log goes on without a hole', async () => {
    await withCrashedLog(1_048_576, async (crashed, copy) => {
      const [name = ''] = await segmentFiles(crashed);
      const { size } = await stat(join(crashed, name));
      for (const cut of [1, 20, 60, 200]) {
        await copyAsAfterCrash(crashed, copy);
        await truncate(join(copy, name), size - cut);
        const found = await assertUsable(copy, 1_048_576, textOf);
        assert.ok(found.end < BigInt(COUNT));
        assert.deepEqual(found.gaps, []);
      }
    });
  });

  test('a file that was extended with zeros before its data arrived is cut off', async () => {
    await withCrashedLog(1_048_576, async (crashed) => {
      const [name = ''] = await segmentFiles(crashed);
      const { size } = await stat(join(crashed, name));
      await truncate(join(crashed, name), size + 5_000);
      const found = await assertUsable(crashed, 1_048_576, textOf);
      assert.equal(found.records.length, COUNT);
    });
  });

  test('any damaged bytes in any segment cost records that are reported, and no others', async () => {
    await withCrashedLog(150, async (crashed, copy) => {
      const names = await segmentFiles(crashed);
      assert.ok(names.length >= 3);
      const damage = fc.record({ file: fc.nat({ max: names.length - 1 }), at: fc.nat(), bytes: fc.uint8Array({ minLength: 1, maxLength: 40 }) });
      await fc.assert(
        fc.asyncProperty(fc.array(damage, { minLength: 1, maxLength: 3 }), async (damages) => {
          await copyAsAfterCrash(crashed, copy);
          for (const { file, at, bytes } of damages) {
            const path = join(copy, names[file] ?? '');
            const handle = await open(path, 'r+');
            await handle.write(bytes, 0, bytes.length, at % (await handle.stat()).size);
            await handle.close();
          }
          await assertUsable(copy, 150, textOf);
        }),
        { numRuns: 60 },
      );
    });
  });

  test('one flipped bit in the middle costs one record, and the gap names it', async () => {
    await withCrashedLog(1_048_576, async (crashed) => {
      const [name = ''] = await segmentFiles(crashed);
      const bytes = await readFile(join(crashed, name));
      const at = bytes.indexOf('record 5');
      bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
      await writeFile(join(crashed, name), bytes);
      const found = await assertUsable(crashed, 1_048_576, textOf);
      assert.deepEqual(found.gaps, [[5n, 6n]]);
      assert.equal(found.records.length, COUNT - 1);
    });
  });

  test('a missing segment is a gap up to the next one', async () => {
    await withCrashedLog(150, async (crashed) => {
      const names = await segmentFiles(crashed);
      await rm(join(crashed, names[1] ?? ''));
      const found = await assertUsable(crashed, 150, textOf);
      assert.deepEqual(found.gaps, [[BigInt(Number(names[1]?.slice(0, 20))), BigInt(Number(names[2]?.slice(0, 20)))]]);
    });
  });

  test('the end that was there at the last commit is missed: its offsets are not given out again', async () => {
    await inDirectory(async (directory) => {
      const log = await openLog(directory, { segmentBytes: 150 });
      await log.writer.append('k', valuesFrom(0, COUNT));
      await readAll(log, { commit: 2n });
      await log.close();
      for (const name of (await segmentFiles(directory)).slice(-1)) await truncate(join(directory, name), 100);
      const again = await openLog(directory, { segmentBytes: 150 });
      const found = await readAll(again);
      assertAccounted(found, 0n, textOf);
      assert.equal(found.end, BigInt(COUNT));
      assert.equal(found.gaps.length, 1);
      await again.close();
      for (const name of await segmentFiles(directory)) await rm(join(directory, name));
      const empty = await openLog(directory);
      assert.deepEqual((await readAll(empty, { start: 3n })).gaps, [[3n, BigInt(COUNT)]]);
      await empty.close();
    });
  });

  test('an unreadable state gives the log a new identity, so that checkpoints of the old one are refused', async () => {
    await inDirectory(async (directory) => {
      const log = await openLog(directory);
      await log.writer.append('k', valuesFrom(0, 3));
      const before = await log.reader().identity();
      await log.close();
      await writeFile(join(directory, 'state.json'), '{"version":1,');
      const again = await openLog(directory);
      assert.notDeepEqual(await again.reader().identity(), before);
      assert.equal((await readAll(again)).records.length, 3);
      await again.close();
    });
  });
});
