import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ApiClient } from '../../collector/api-client.ts';
import { createSlots } from '../../collector/pacing.ts';
import { createLoop, type Loop, loopTiming } from '../../collector/loop.ts';
import { createKnownObjects, createSession } from '../../collector/session.ts';
import { createPodMemory } from '../../collector/pod-memory.ts';
import { followWatches } from '../../collector/watch-loop.ts';
import { rawPod } from '../helpers/driver.ts';
import { silentLog } from '../helpers/silent-log.ts';
import { createRandom } from '../simulator/random.ts';
import { installVirtualTime, type VirtualTime } from '../simulator/virtual-time.ts';

const START_MS = Date.parse('2026-01-15T12:00:00Z');
/** A watch without a byte for this long is dead. */
const STALL_SECONDS = 150;
/** Of the watch, seconds after it was asked for; or of the buffer of the change log. */
type Moment = readonly ['opens' | 'line' | 'full', number];

interface Followed {
  readonly reason: string;
  readonly loop: Loop;
}

/** Follows watches of an API server that is asked through `api`, in simulated time that begins with the list, until they end or `seconds` are over. */
async function follow(
  resource: 'pods' | 'events',
  api: (time: VirtualTime, loop: () => Loop) => Pick<ApiClient, 'watch' | 'list'>,
  hasRoom = () => true,
  seconds = 3_600,
): Promise<Followed> {
  const time = installVirtualTime(START_MS, createRandom(1));
  const controller = new AbortController();
  const target = { resource, scope: '' } as const;
  const envelope = { cluster: { uid: 'uid', name: 'one' }, run: 'run', session: 's', ...target };
  const session = createSession({ ...envelope, clock: () => Math.floor(time.now()), emit: () => {}, known: createKnownObjects() });
  const loop: Loop = createLoop(
    'one',
    target,
    { ...loopTiming(STALL_SECONDS), deniedRetryMs: 60_000, fullSnapshotIntervalMs: 3_600_000 },
    {
      api: { listSlots: createSlots(1), get: async () => assert.fail('only lists and watches'), ...api(time, () => loop) },
      appender: { hasRoom, whenRoom: async () => {}, whenAcknowledged: async () => {} },
      pods: createPodMemory(),
      openSession: () => session,
      sessionEnded: () => {},
      note: () => {},
      ensureIdentity: async () => {},
      stopReason: () => 'stopped',
      changed: () => {},
      nowMs: () => Math.floor(time.now()),
      metrics: { listed: () => {}, relisted: () => {}, requestFailed: () => {} },
      log: silentLog,
      random: () => 0.5,
    },
  );
  try {
    session.begin('999');
    session.end();
    Object.assign(loop, { completeTimeMs: START_MS, fullDueMs: performance.now() + 3_600_000 });
    let reason: string | undefined;
    const followed = followWatches(loop, session, '999', controller.signal).then((ending) => {
      reason = ending.reason;
    });
    await time.run(seconds * 1_000, () => reason !== undefined);
    controller.abort();
    await time.run(600_000, () => reason !== undefined); // the fake server ends no watch early
    await followed;
    return { reason: reason ?? '', loop };
  } finally {
    time.restore();
  }
}

/** After each line: up to when the session counts as complete, seconds after the watch was asked for; its list was complete at 0. */
async function completeTimes(moments: readonly Moment[]): Promise<number[]> {
  const seen: number[] = [];
  let hasRoom = true;
  let rv = 1_000;
  await follow(
    'pods',
    (time, loop) => ({
      list: async () => assert.fail('only watches'),
      async watch(_, handlers) {
        for (const [what, seconds] of moments) {
          await time.sleep(START_MS + seconds * 1_000 - time.now());
          if (what === 'opens') handlers.opened();
          else if (what === 'full') hasRoom = false;
          else {
            const object = rawPod('a', { message: String(rv) }, {}, { resourceVersion: String(rv++) });
            handlers.bytes(Buffer.from(`${JSON.stringify({ type: 'MODIFIED', object })}\n`));
            seen.push(secondsOf(loop().completeTimeMs));
          }
        }
        return { kind: 'failed', failure: { kind: 'gone', message: '' } };
      },
    }),
    () => hasRoom,
  );
  return seen;
}

const secondsOf = (timeMs: number | undefined): number => Math.round(((timeMs ?? 0) - START_MS) / 1_000);

interface Asked {
  readonly version: string;
  readonly seconds: number;
  /** Up to when the session counted as complete, seconds. */
  readonly complete: number;
}

/**
 * Follows the watches of a server on which nothing happens: each brings a bookmark a minute from the `markedFrom`-th on, and ends when it was
 * asked to, as the stall time allows. `versionAt`: the server's at that second, as the list of one item tells it.
 */
async function followQuiet(resource: 'pods' | 'events', versionAt: (second: number) => number, markedFrom = Number.POSITIVE_INFINITY) {
  const asked: Asked[] = [];
  const followed = await follow(
    resource,
    (time, loop) => ({
      list: async () => ({ ok: true, value: { resourceVersion: String(versionAt(secondsOf(time.now()))), continueToken: '', items: [] } }),
      async watch({ resourceVersion, timeoutSeconds }, handlers) {
        asked.push({ version: resourceVersion, seconds: timeoutSeconds, complete: secondsOf(loop().completeTimeMs) });
        const isMarked = asked.length >= markedFrom;
        handlers.opened();
        let silent = 0;
        for (let left = timeoutSeconds; left > 0; left -= silent) {
          silent = Math.min(left, isMarked ? 60 : STALL_SECONDS);
          await time.sleep(silent * 1_000);
          if (silent === STALL_SECONDS) return { kind: 'stalled' };
          if (isMarked) handlers.bytes(Buffer.from(`{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"${versionAt(secondsOf(time.now()))}"}}}\n`));
        }
        return { kind: 'closed' };
      },
    }),
    undefined,
    900,
  );
  return { ...followed, asked };
}

test('a watch on which nothing comes, not even a bookmark, ends before it looks dead, and is complete until then', async () => {
  const { loop, asked } = await followQuiet('pods', () => 999);
  assert.ok(asked.length > 6);
  assert.ok(asked.every(({ seconds, version }) => seconds < STALL_SECONDS && version === '999'));
  // A second from one to the next, and one for the server's version.
  assert.deepEqual(
    asked.slice(0, 4).map(({ complete }) => complete),
    [0, 105, 211, 317],
  );
  assert.deepEqual([loop.live, loop.status.state, loop.failures], [true, 'watching', 0]);
});

test('where bookmarks come, watches are as long as they may be', async () => {
  const { asked } = await followQuiet('pods', (second) => 999 + second, 2);
  assert.deepEqual(
    asked.slice(0, 4).map(({ seconds }) => seconds),
    [105, 105, 300, 300],
  );
  assert.ok(Number(asked[2]?.version) > 1_100);
});

test('the version of quiet Events moves on, as far as the server was before a watch that brought nothing', async () => {
  const { asked } = await followQuiet('events', (second) => 999 + second);
  assert.deepEqual(
    asked.slice(0, 5).map(({ version }) => Number(version) - 999),
    [0, 0, 105, 211, 317],
  );
  const pods = await followQuiet('pods', (second) => 999 + second);
  assert.ok(pods.asked.every(({ version }) => version === '999'));
});

test('a watch whose last line was cut off is complete only up to the line before', async () => {
  let watches = 0;
  const { loop } = await follow('pods', (time) => ({
    list: async () => assert.fail('nothing is in doubt'),
    async watch(_, handlers) {
      watches += 1;
      handlers.opened();
      await time.sleep(10_000);
      if (watches > 1) return { kind: 'failed', failure: { kind: 'gone', message: '' } };
      handlers.bytes(Buffer.from('{"type":"ADDED","object":{"metadata"'));
      return { kind: 'closed' };
    },
  }));
  assert.deepEqual([watches, secondsOf(loop.completeTimeMs)], [2, 0]);
});

test('a server that went back sends nothing either: the session ends, complete only up to when that was not so', async () => {
  const { reason, loop } = await followQuiet('pods', (second) => (second < 150 ? 999 : 500));
  assert.deepEqual([reason, secondsOf(loop.completeTimeMs)], ['restored', 105]);
});

test('a watch proves sight from a heartbeat after it is open, however long the server took to open it', async () => {
  assert.deepEqual(
    await completeTimes([
      ['opens', 0.1],
      ['line', 4],
      ['line', 6],
    ]),
    [0, 6],
  );
  assert.deepEqual(
    await completeTimes([
      ['opens', 8],
      ['line', 9],
      ['line', 12],
      ['line', 14],
    ]),
    [0, 0, 14],
  );
});

test('a line that leaves no room for another proves nothing: more may have come', async () => {
  assert.deepEqual(
    await completeTimes([
      ['opens', 0.1],
      ['line', 6],
      ['full', 7],
      ['line', 8],
    ]),
    [6, 6],
  );
});
