import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ApiClient } from '../../collector/api-client.ts';
import { BadPageError } from '../../collector/errors.ts';
import { createKnownObjects, createSession } from '../../collector/session.ts';
import { takeSnapshot } from '../../collector/snapshot.ts';
import { rawPod } from '../helpers/driver.ts';

const pod = (name: string): unknown => rawPod(name, {}, {}, { resourceVersion: '7' });

/** Lists pages of items, and says what was asked for and taken, in order. */
async function snapshotOf(pages: readonly Iterable<unknown>[]) {
  const steps: string[] = [];
  const list: ApiClient['list'] = async ({ continueToken }) => {
    steps.push(`asked ${continueToken}`);
    const at = Number(continueToken);
    await new Promise((resolve) => setImmediate(resolve));
    steps.push(`came ${continueToken}`);
    return { ok: true, value: { resourceVersion: '9', continueToken: at + 1 < pages.length ? String(at + 1) : '', items: pages[at] ?? [] } };
  };
  const target = { resource: 'pods', scope: '' } as const;
  const envelope = { cluster: { uid: 'uid', name: 'one' }, run: 'run', session: 's', ...target };
  const openSession = () => createSession({ ...envelope, clock: () => 0, emit: ({ type }) => steps.push(type), known: createKnownObjects() });
  const appender = { hasRoom: () => true, whenRoom: async () => {} };
  const backoff = { minMs: 1, maxMs: 1 };
  const snapshot = await takeSnapshot(target, {}, { api: { list }, appender, openSession, backoff, random: () => 0 }, new AbortController().signal);
  return { snapshot, steps };
}

test('the next page is asked for before this one is worked through', async () => {
  const { snapshot, steps } = await snapshotOf([[pod('a')], [pod('b')], []]);
  assert.ok(snapshot.ok);
  assert.deepEqual(
    [snapshot.listed, ...steps],
    [2, 'asked ', 'came ', 'SNAPSHOT_BEGIN', 'asked 1', 'LISTED', 'came 1', 'asked 2', 'LISTED', 'came 2', 'SNAPSHOT_END'],
  );
});

test('a page that turns out to be broken ends the list, and not before the page under way has come', async () => {
  const broken = function* (): Generator<unknown, void> {
    yield pod('a');
    throw new BadPageError('a list whose items are not JSON');
  };
  const { snapshot, steps } = await snapshotOf([broken(), [pod('b')]]);
  assert.ok(!snapshot.ok);
  assert.equal(snapshot.failure?.message, 'list of pods is a list whose items are not JSON');
  assert.deepEqual(steps, ['asked ', 'came ', 'SNAPSHOT_BEGIN', 'asked 1', 'LISTED', 'came 1']);
});
