import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { backoffMs, createSlots, sleep, unlessAborted } from '../../collector/pacing.ts';

const backoff = { minMs: 1_000, maxMs: 30_000 };
const NEVER = new AbortController().signal;

describe('backoffMs', () => {
  test('stays between the minimum and a ceiling that doubles up to the maximum', () => {
    const ceilings = [2_000, 4_000, 8_000, 16_000, 30_000, 30_000];
    for (const [index, ceiling] of ceilings.entries()) {
      assert.equal(
        backoffMs(backoff, index + 1, () => 0),
        1_000,
      );
      assert.equal(
        backoffMs(backoff, index + 1, () => 1),
        ceiling,
      );
    }
  });

  test('is never out of bounds', () => {
    fc.assert(
      fc.property(fc.nat(), fc.double({ min: 0, max: 1, noNaN: true }), (attempt, random) => {
        const ms = backoffMs(backoff, attempt, () => random);
        assert.ok(ms >= 1_000 && ms <= 30_000);
      }),
    );
  });
});

describe('sleep', () => {
  test('is over at once when the signal aborts, or did before', async () => {
    const controller = new AbortController();
    const sleeping = sleep(600_000, controller.signal);
    controller.abort();
    await sleeping;
    await sleep(600_000, controller.signal);
  });

  test('leaves no listener behind', async () => {
    const controller = new AbortController();
    let listeners = 0;
    const { signal } = controller;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      listeners += 1;
      add(...args);
    };
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listeners -= 1;
      remove(...args);
    };
    await sleep(1, signal);
    assert.equal(listeners, 0);
  });
});

describe('unlessAborted', () => {
  test('is the promise’s value or error, or undefined when the signal aborts', async () => {
    const controller = new AbortController();
    assert.equal(await unlessAborted(Promise.resolve(7), controller.signal), 7);
    await assert.rejects(unlessAborted(Promise.reject(new Error('no')), controller.signal), /no/);
    const waiting = unlessAborted(new Promise(() => {}), controller.signal);
    controller.abort();
    assert.equal(await waiting, undefined);
    assert.equal(await unlessAborted(Promise.reject(new Error('unheard')), controller.signal), undefined);
  });
});

describe('createSlots', () => {
  test('runs as many at a time as there are slots, in the order of asking', async () => {
    const slots = createSlots(2);
    const started: number[] = [];
    const finish: (() => void)[] = [];
    const runs = [0, 1, 2, 3].map((index) =>
      slots.run(() => {
        started.push(index);
        return new Promise<void>((resolve) => finish.push(resolve));
      }, NEVER),
    );
    const settle = () => new Promise((resolve) => setImmediate(resolve));
    await settle();
    assert.deepEqual(started, [0, 1]);
    finish[1]?.();
    await settle();
    assert.deepEqual(started, [0, 1, 2]);
    finish[0]?.();
    finish[2]?.();
    await settle();
    finish[3]?.();
    await Promise.all(runs);
    assert.deepEqual(started, [0, 1, 2, 3]);
  });

  test('a task that fails gives its slot back', async () => {
    const slots = createSlots(1);
    await assert.rejects(
      slots.run(() => Promise.reject(new Error('no')), NEVER),
      /no/,
    );
    assert.equal(await slots.run(async () => 'ran', NEVER), 'ran');
  });

  test('who stops waiting takes no slot', async () => {
    const slots = createSlots(1);
    const controller = new AbortController();
    let release: () => void = () => {};
    const first = slots.run(
      () =>
        new Promise<void>((resolve) => {
          release = resolve;
        }),
      NEVER,
    );
    const second = slots.run(async () => 'second', controller.signal);
    const third = slots.run(async () => 'third', NEVER);
    controller.abort();
    assert.equal(await second, undefined);
    release();
    await first;
    assert.equal(await third, 'third');
  });
});
