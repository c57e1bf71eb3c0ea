import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLifecycle } from '../../deploy/lifecycle.ts';
import { createRememberingLog, silentLog } from '../helpers/silent-log.ts';

test('a signal stops the parts in the order of their start, then what they stand on, the last one first', async () => {
  const lifecycle = createLifecycle(silentLog);
  const stopped: string[] = [];
  const part = (name: string) => ({
    name,
    stop: async () => {
      await new Promise((resolve) => setImmediate(resolve));
      stopped.push(name);
    },
  });
  lifecycle.addFoundation(part('change-log'));
  lifecycle.addFoundation(part('store'));
  for (const name of ['collector', 'processor', 'api']) lifecycle.add(part(name));
  const finished = lifecycle.finished();
  process.emit('SIGTERM', 'SIGTERM');
  assert.equal(await finished, 0);
  assert.deepEqual(stopped, ['collector', 'processor', 'api', 'store', 'change-log']);
});

test('a signal that comes during the start stops it as soon as it has started', async () => {
  const lifecycle = createLifecycle(silentLog);
  process.emit('SIGINT', 'SIGINT');
  const stopped: string[] = [];
  lifecycle.add({ name: 'late', stop: async () => void stopped.push('it') });
  assert.equal(await lifecycle.finished(), 0);
  assert.deepEqual(stopped, ['it']);
});

test('a failure stops everything, is logged at its time, and is what finished() rejects with; the first one counts', async () => {
  const { log, lines } = createRememberingLog();
  const lifecycle = createLifecycle(log);
  const stopped: string[] = [];
  lifecycle.add({ name: 'part', stop: async () => void stopped.push('it') });
  const finished = lifecycle.finished();
  lifecycle.fail(new Error('first'));
  lifecycle.fail(new Error('second'));
  await assert.rejects(finished, /first/);
  assert.deepEqual(stopped, ['it']);
  assert.equal(lines.find(({ level, msg }) => level === 50 && msg === 'cannot go on') !== undefined, true);
});

test('a part that fails to stop does not keep the others from it', async () => {
  const { log, lines } = createRememberingLog();
  const lifecycle = createLifecycle(log);
  const stopped: string[] = [];
  lifecycle.add({ name: 'bad', stop: () => Promise.reject(new Error('no')) });
  lifecycle.add({ name: 'good', stop: async () => void stopped.push('good') });
  lifecycle.stop();
  assert.equal(await lifecycle.finished(), 0);
  assert.deepEqual(stopped, ['good']);
  assert.ok(lines.some(({ msg, component }) => msg === 'stop failed' && component === 'bad'));
});

test('it no longer listens for signals when it has finished', async () => {
  const before = process.listenerCount('SIGTERM');
  const lifecycle = createLifecycle(silentLog);
  assert.equal(process.listenerCount('SIGTERM'), before + 1);
  lifecycle.stop();
  await lifecycle.finished();
  assert.equal(process.listenerCount('SIGTERM'), before);
});
