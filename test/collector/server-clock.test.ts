import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { createServerClock } from '../../collector/server-clock.ts';

/** A machine whose clocks the test sets. */
function machine() {
  const now = { monotonicMs: 5_000, wallMs: Date.UTC(2026, 0, 1) };
  const clock = createServerClock({ monotonic: () => now.monotonicMs, wall: () => now.wallMs });
  const pass = (ms: number): void => {
    now.monotonicMs += ms;
    now.wallMs += ms;
  };
  /** An answer that took `tookMs`, half of it each way, from a server whose clock shows `serverMs` now. */
  const answer = (serverMs: number, tookMs = 0): void => {
    const date = new Date(serverMs - tookMs / 2).toUTCString();
    clock.observe(date, now.monotonicMs - tookMs, now.monotonicMs);
  };
  return { now, clock, pass, answer };
}

describe('createServerClock', () => {
  test('is this machine’s clock until a server answers', () => {
    const { clock, now } = machine();
    assert.equal(clock.nowMs(), now.wallMs);
    clock.observe(undefined, 0, 0);
    clock.observe('yesterday', 0, 0);
    assert.equal(clock.nowMs(), now.wallMs);
  });

  test('follows the server’s clock to half a second after one answer, and closer after many', () => {
    const { clock, now, pass, answer } = machine();
    const aheadMs = 600_123;
    answer(now.wallMs + aheadMs);
    assert.ok(Math.abs(clock.nowMs() - (now.wallMs + aheadMs)) <= 500);
    for (let second = 0; second < 50; second += 1) {
      pass(1_037);
      answer(now.wallMs + aheadMs, 4);
    }
    assert.ok(Math.abs(clock.nowMs() - (now.wallMs + aheadMs)) <= 45, 'within the step of the samples');
  });

  test('never goes back, whatever the server says', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ passMs: fc.nat(10_000), serverOffsetMs: fc.integer({ min: -7_200_000, max: 7_200_000 }) })), (steps) => {
        const { clock, now, pass, answer } = machine();
        let last = clock.nowMs();
        for (const { passMs, serverOffsetMs } of steps) {
          pass(passMs);
          answer(now.wallMs + serverOffsetMs);
          const t = clock.nowMs();
          assert.ok(t >= last && Number.isInteger(t));
          last = t;
        }
      }),
    );
  });

  test('goes on at half the pace when the server’s clock was set back, until it has caught up', () => {
    const { clock, now, pass, answer } = machine();
    answer(now.wallMs);
    const start = clock.nowMs();
    answer(now.wallMs - 60_000);
    pass(10_000);
    assert.equal(clock.nowMs() - start, 5_000);
    pass(200_000);
    assert.ok(Math.abs(clock.nowMs() - (now.wallMs - 60_000)) <= 1_000);
  });

  test('does not move with this machine’s wall clock', () => {
    const { clock, now, pass, answer } = machine();
    answer(now.wallMs);
    const before = clock.nowMs();
    now.wallMs -= 3_600_000;
    pass(1_000);
    assert.equal(clock.nowMs() - before, 1_000);
  });
});
