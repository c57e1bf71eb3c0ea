import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { buildBlind, fillComplete, sharesOf } from '../../../../api/routes/coverage/intervals.ts';

const LIFE = { firstRecordTimeMs: 10, lastHeartbeatTimeMs: 95 };
const BOUNDS = { fromMs: 0, toMs: 100 };

describe('blind intervals', () => {
  const cases = [
    { name: 'has nothing to say of a cluster in full sight', stored: [], life: { firstRecordTimeMs: 0, lastHeartbeatTimeMs: 95 }, want: [] },
    { name: 'knows nothing before the first record', stored: [], life: LIFE, want: [{ fromMs: 0, toMs: 10, reason: 'not_collected' }] },
    {
      name: 'lasts to the end while it is not over',
      stored: [{ fromTimeMs: 40, toTimeMs: 0, reason: 'stalled' }],
      life: { firstRecordTimeMs: 0, lastHeartbeatTimeMs: 95 },
      want: [{ fromMs: 40, toMs: 100, reason: 'stalled' }],
    },
    {
      name: 'is cut to the bounds, and an empty one is none',
      stored: [
        { fromTimeMs: -50, toTimeMs: 5, reason: 'a' },
        { fromTimeMs: 50, toTimeMs: 50, reason: 'resumed_without_loss' },
        { fromTimeMs: 90, toTimeMs: 900, reason: 'b' },
      ],
      life: { firstRecordTimeMs: -60, lastHeartbeatTimeMs: 95 },
      want: [
        { fromMs: 0, toMs: 5, reason: 'a' },
        { fromMs: 90, toMs: 100, reason: 'b' },
      ],
    },
    {
      name: 'keeps the reason of the earlier of two that overlap',
      stored: [
        { fromTimeMs: 20, toTimeMs: 40, reason: 'a' },
        { fromTimeMs: 30, toTimeMs: 60, reason: 'b' },
      ],
      life: { firstRecordTimeMs: 0, lastHeartbeatTimeMs: 95 },
      want: [
        { fromMs: 20, toMs: 40, reason: 'a' },
        { fromMs: 40, toMs: 60, reason: 'b' },
      ],
    },
    { name: 'is not silent at the last moment that heartbeats explain', stored: [], life: { firstRecordTimeMs: 0, lastHeartbeatTimeMs: 90 }, want: [] },
    {
      name: 'is silent since the last heartbeat one moment later',
      stored: [],
      life: { firstRecordTimeMs: 0, lastHeartbeatTimeMs: 89 },
      want: [{ fromMs: 89, toMs: 100, reason: 'silent' }],
    },
  ];
  for (const { name, stored, life, want } of cases) {
    test(name, () => assert.deepEqual(buildBlind(stored, life, BOUNDS, 100, 10), want));
  }

  const stored = fc.array(
    fc.record({ fromTimeMs: fc.integer({ min: 1, max: 110 }), lasts: fc.integer({ min: 0, max: 40 }), open: fc.boolean(), reason: fc.constantFrom('a', 'b') }),
    { maxLength: 8 },
  );
  const life = fc.record({ firstRecordTimeMs: fc.integer({ min: 0, max: 60 }), lastHeartbeatTimeMs: fc.integer({ min: 60, max: 100 }) });

  test('cover exactly the moments that any of the causes covers', () => {
    fc.assert(
      fc.property(stored, life, (drafts, lives) => {
        const rows = drafts.map(({ fromTimeMs, lasts, open, reason }) => ({ fromTimeMs, toTimeMs: open ? 0 : fromTimeMs + lasts, reason }));
        const blind = buildBlind(rows, lives, BOUNDS, 100, 10);
        const silent = 100 - lives.lastHeartbeatTimeMs > 10;
        for (let ms = 0; ms < 100; ms++) {
          const want =
            ms < lives.firstRecordTimeMs ||
            (silent && ms >= lives.lastHeartbeatTimeMs) ||
            rows.some(({ fromTimeMs, toTimeMs }) => ms >= fromTimeMs && (toTimeMs === 0 || ms < toTimeMs));
          assert.equal(blind.filter(({ fromMs, toMs }) => ms >= fromMs && ms < toMs).length, want ? 1 : 0, `at ${ms}`);
        }
      }),
    );
  });

  test('and the complete ones between them fill the bounds without a hole', () => {
    fc.assert(
      fc.property(stored, life, (drafts, lives) => {
        const rows = drafts.map(({ fromTimeMs, lasts, open, reason }) => ({ fromTimeMs, toTimeMs: open ? 0 : fromTimeMs + lasts, reason }));
        const blind = buildBlind(rows, lives, BOUNDS, 100, 10);
        const all = fillComplete(blind, BOUNDS);
        assert.equal(all[0]?.fromMs, 0);
        assert.equal(all.at(-1)?.toMs, 100);
        for (let i = 1; i < all.length; i++) {
          assert.equal(all[i]?.fromMs, all[i - 1]?.toMs);
          assert.notDeepEqual([all[i]?.state, all[i]?.reason], [all[i - 1]?.state, all[i - 1]?.reason]);
        }
        const length = (state: string): number => all.filter((interval) => interval.state === state).reduce((sum, { fromMs, toMs }) => sum + toMs - fromMs, 0);
        assert.equal(
          length('blind'),
          blind.reduce((sum, { fromMs, toMs }) => sum + toMs - fromMs, 0),
        );
      }),
    );
  });

  test('give each bucket the share of moments seen over all ledgers', () => {
    fc.assert(
      fc.property(fc.array(stored, { maxLength: 3 }), life, fc.integer({ min: 1, max: 30 }), fc.integer({ min: 0, max: 120 }), (many, lives, stepMs, endMs) => {
        const ledgers = many.map((drafts) =>
          buildBlind(
            drafts.map(({ fromTimeMs, lasts, open, reason }) => ({ fromTimeMs, toTimeMs: open ? 0 : fromTimeMs + lasts, reason })),
            lives,
            BOUNDS,
            100,
            10,
          ),
        );
        const count = Math.floor(100 / stepMs);
        const shares = sharesOf(ledgers, { startMs: 0, stepMs, count }, endMs);
        assert.equal(shares.length, count);
        for (const [i, share] of shares.entries()) {
          const moments = Array.from({ length: stepMs }, (_, k) => i * stepMs + k).filter((ms) => ms < endMs);
          const seen = ledgers.flatMap((ledger) => moments.filter((ms) => !ledger.some(({ fromMs, toMs }) => ms >= fromMs && ms < toMs))).length;
          if (moments.length === 0) assert.equal(share, null);
          else if (ledgers.length === 0) assert.equal(share, 0);
          else assert.ok(Math.abs((share ?? -1) - seen / (moments.length * ledgers.length)) < 1e-9, `bucket ${i}: ${share}`);
        }
      }),
    );
  });
});
