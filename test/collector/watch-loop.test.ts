import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ApiClient } from '../../collector/api-client.ts';
import { createSlots } from '../../collector/pacing.ts';
import { createLoop, LOOP_TIMING } from '../../collector/loop.ts';
import { createKnownObjects, createSession } from '../../collector/session.ts';
import { createSpecMemory } from '../../collector/spec-memory.ts';
import { followWatches } from '../../collector/watch-loop.ts';
import { rawPod } from '../helpers/driver.ts';
import { silentLog } from '../helpers/silent-log.ts';
import { createRandom } from '../simulator/random.ts';
import { installVirtualTime } from '../simulator/virtual-time.ts';

const START_MS = Date.parse('2026-01-15T12:00:00Z');
/** Of the watch, seconds after it was asked for; or of the buffer of the change log. */
type Moment = readonly ['opens' | 'line' | 'full', number];

/** After each line: up to when the session counts as complete, seconds after the watch was asked for; its list was complete at 0. */
async function completeTimes(moments: readonly Moment[]): Promise<number[]> {
  const time = installVirtualTime(START_MS, createRandom(1));
  const controller = new AbortController();
  const seen: number[] = [];
  let hasRoom = true;
  let rv = 1_000;
  const watch: ApiClient['watch'] = async (_, handlers) => {
    for (const [what, seconds] of moments) {
      await time.sleep(START_MS + seconds * 1_000 - time.now());
      if (what === 'opens') handlers.opened();
      else if (what === 'full') hasRoom = false;
      else {
        const object = rawPod('a', { message: String(rv) }, {}, { resourceVersion: String(rv++) });
        handlers.bytes(Buffer.from(`${JSON.stringify({ type: 'MODIFIED', object })}\n`));
        seen.push(Math.round(((loop.completeTimeMs ?? 0) - START_MS) / 1_000));
      }
    }
    controller.abort();
    return { kind: 'stopped' };
  };
  const unused = async () => assert.fail('only watches');
  const target = { resource: 'pods', scope: '' } as const;
  const envelope = { cluster: { uid: 'uid', name: 'one' }, run: 'run', session: 's', ...target };
  const session = createSession({ ...envelope, clock: () => Math.floor(time.now()), emit: () => {}, known: createKnownObjects() });
  const loop = createLoop(
    'one',
    target,
    { ...LOOP_TIMING, deniedRetryMs: 60_000, fullSnapshotIntervalMs: 3_600_000 },
    {
      api: { listSlots: createSlots(1), get: unused, list: unused, watch },
      appender: { hasRoom: () => hasRoom, whenRoom: async () => {}, whenAcknowledged: async () => {} },
      specs: createSpecMemory(),
      openSession: () => session,
      sessionEnded: () => {},
      note: () => {},
      ensureIdentity: async () => {},
      stopReason: () => 'stopped',
      changed: () => {},
      nowMs: () => Math.floor(time.now()),
      metrics: { listed: () => {}, relisted: () => {}, requestFailed: () => {} },
      log: silentLog,
      random: () => 0,
    },
  );
  try {
    session.begin('999');
    session.end();
    Object.assign(loop, { completeTimeMs: START_MS, fullDueMs: performance.now() + 3_600_000 });
    const followed = followWatches(loop, session, '999', controller.signal);
    await time.run(60_000, () => controller.signal.aborted);
    await followed;
    return seen;
  } finally {
    time.restore();
  }
}

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
