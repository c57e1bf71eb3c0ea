import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createAdmission } from '../../api/admission.ts';

/** Work that ends when it is told to. */
function held(): { readonly work: () => Promise<string>; readonly end: () => void; started: boolean } {
  let end = (): void => {};
  const done = new Promise<string>((resolve) => {
    end = () => resolve('done');
  });
  const one = {
    started: false,
    end,
    work: () => {
      one.started = true;
      return done;
    },
  };
  return one;
}
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const code = (expected: string) => (error: { code?: string }) => error.code === expected;

describe('admission', () => {
  test('runs as many at once as it may, the others in their order', async () => {
    const admission = createAdmission({ concurrency: 2, queue: 2, queueMs: 10_000 });
    const all = [held(), held(), held(), held()];
    const runs = all.map((one) => admission.run(one.work));
    await turn();
    assert.deepEqual(
      all.map((one) => one.started),
      [true, true, false, false],
    );
    assert.deepEqual([admission.running(), admission.waiting()], [2, 2]);
    all[1]?.end();
    await runs[1];
    await turn();
    assert.deepEqual(
      all.map((one) => one.started),
      [true, true, true, false],
    );
    for (const one of all) one.end();
    await Promise.all(runs);
    assert.deepEqual([admission.running(), admission.waiting()], [0, 0]);
  });

  test('refuses the one beyond the queue at once', async () => {
    const admission = createAdmission({ concurrency: 1, queue: 1, queueMs: 10_000 });
    const first = held();
    const runs = [admission.run(first.work), admission.run(async () => 'second')];
    await assert.rejects(
      admission.run(async () => 'third'),
      code('PODTRAIL_API_OVERLOADED'),
    );
    first.end();
    assert.deepEqual(await Promise.all(runs), ['done', 'second']);
  });

  test('gives up waiting in time, and does not run what gave up', async (context) => {
    context.mock.timers.enable({ apis: ['setTimeout'] });
    const admission = createAdmission({ concurrency: 1, queue: 1, queueMs: 1_000 });
    const first = held();
    const second = held();
    const running = admission.run(first.work);
    const waiting = admission.run(second.work);
    context.mock.timers.tick(999);
    assert.equal(admission.waiting(), 1);
    context.mock.timers.tick(1);
    await assert.rejects(waiting, code('PODTRAIL_API_OVERLOADED'));
    first.end();
    await running;
    assert.equal(second.started, false);
    assert.deepEqual([admission.running(), admission.waiting()], [0, 0]);
  });

  test('lets go who leaves the queue, also one who had left before', async () => {
    const admission = createAdmission({ concurrency: 1, queue: 5, queueMs: 10_000 });
    const first = held();
    const running = admission.run(first.work);
    const left = new AbortController();
    const waiting = admission.run(async () => 'never', left.signal);
    left.abort();
    await assert.rejects(waiting, code('PODTRAIL_API_REQUEST_TIMEOUT'));
    await assert.rejects(
      admission.run(async () => 'never', left.signal),
      code('PODTRAIL_API_REQUEST_TIMEOUT'),
    );
    assert.equal(admission.waiting(), 0);
    first.end();
    await running;
  });

  test('holds the turn of one who left while it ran: the store goes on with it', async () => {
    const admission = createAdmission({ concurrency: 1, queue: 5, queueMs: 10_000 });
    const first = held();
    const left = new AbortController();
    const running = admission.run(first.work, left.signal);
    await turn();
    left.abort();
    assert.equal(admission.running(), 1);
    first.end();
    await running;
    assert.equal(admission.running(), 0);
  });

  test('goes on after work that fails, even if it throws at once', async () => {
    const admission = createAdmission({ concurrency: 1, queue: 1, queueMs: 10_000 });
    await assert.rejects(
      admission.run(() => {
        throw new Error('no');
      }),
      /no/,
    );
    await assert.rejects(
      admission.run(async () => {
        throw new Error('later');
      }),
      /later/,
    );
    assert.equal(await admission.run(async () => 'fine'), 'fine');
  });
});
