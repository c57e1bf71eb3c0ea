import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { isDemoDirectory, takeDemoDirectory } from '../../deploy/demo-directory.ts';
import { CommandError } from '../../deploy/errors.ts';
import { tempFolder } from '../helpers/temp-folder.ts';

test('a new directory, an empty one, and one of an earlier demo are taken; the earlier data is gone', async () => {
  const folder = tempFolder();
  const directory = join(folder.path, 'data-demo');
  assert.equal(isDemoDirectory(directory), false);
  await (await takeDemoDirectory(directory)).release();
  assert.ok(isDemoDirectory(directory));
  for (const part of ['change-log', 'store', 'notes']) mkdirSync(join(directory, part));
  await (await takeDemoDirectory(directory)).release();
  assert.deepEqual(readdirSync(directory).sort(), ['notes', 'podtrail-demo'], 'what the demo did not write stays');
});

test('a directory that holds anything else is refused, and nothing in it changes', async () => {
  const folder = tempFolder();
  mkdirSync(join(folder.path, 'store', 'precious'), { recursive: true });
  await assert.rejects(takeDemoDirectory(folder.path), (error) => error instanceof CommandError && error.exitCode === 2);
  assert.ok(existsSync(join(folder.path, 'store', 'precious')));
  assert.deepEqual(readdirSync(folder.path), ['store']);
});

test('while a demo runs, another one is refused and removes nothing', async () => {
  const directory = join(tempFolder().path, 'demo');
  const lock = await takeDemoDirectory(directory);
  mkdirSync(join(directory, 'store'));
  await assert.rejects(takeDemoDirectory(directory), { code: 'PODTRAIL_LOG_LOCKED' });
  assert.ok(existsSync(join(directory, 'store')));
  await lock.release();
});
