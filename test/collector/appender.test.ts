import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type Appender, type AppenderDeps, type AppenderOptions, createAppender } from '../../collector/appender.ts';
import type { ChangeRecord } from '../../collector/change-record.ts';
import { ChangeLogError } from '../../collector/errors.ts';
import { createMemoryWriter, type MemoryWriter } from '../helpers/memory-writer.ts';
import { waitFor } from '../helpers/wait-for.ts';

const QUICK = { key: 'uid-1', maxBufferBytes: 100_000, flushIntervalMs: 1, backoff: { minMs: 1, maxMs: 2 } };
const NEVER = new AbortController().signal;

function note(message: string): ChangeRecord {
  return { v: 1, cluster: { uid: 'uid-1', name: 'one' }, run: 'r', t: 1, type: 'NOTE', resource: 'pods', scope: '', code: 'test', message };
}
function messages(writer: MemoryWriter): string[] {
  return writer.records.map((record) => (record.type === 'NOTE' ? record.message : record.type));
}
function appenderTo(writer: MemoryWriter, options: Partial<AppenderOptions> = {}, deps: Partial<AppenderDeps> = {}): Appender {
  const onFatal = (error: Error): void => {
    throw error;
  };
  return createAppender({ ...QUICK, ...options }, { writer, onFatal, ...deps });
}
const unavailable = (): ChangeLogError => new ChangeLogError('PODTRAIL_LOG_UNAVAILABLE', 'down', { retriable: true });

describe('createAppender', () => {
  test('appends under the key of the cluster, in the order of pushing', async () => {
    const writer = createMemoryWriter();
    const appender = appenderTo(writer);
    for (const message of ['a', 'b', 'c']) appender.push(note(message));
    assert.equal(await appender.stop(1_000), 0);
    assert.deepEqual(messages(writer), ['a', 'b', 'c']);
    assert.deepEqual([...new Set(writer.batches.map((batch) => batch.key))], ['uid-1']);
  });

  test('flushes a full batch at once, and the rest when its time is over', async () => {
    const writer = createMemoryWriter();
    const appender = appenderTo(writer, { flushRecords: 2, flushIntervalMs: 20 });
    for (const message of ['a', 'b', 'c']) appender.push(note(message));
    assert.deepEqual(
      writer.batches.map((batch) => batch.values.length),
      [],
      'an append is asynchronous',
    );
    await Promise.resolve();
    assert.deepEqual(messages(writer), ['a', 'b']);
    await waitFor('the third record', () => writer.records.length === 3);
    assert.deepEqual(
      writer.batches.map((batch) => batch.values.length),
      [2, 1],
    );
  });

  test('all flush when the clock is a multiple of the interval, whenever they began to wait', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    let nowMs = 1_010;
    const writer = createMemoryWriter();
    const pass = (ms: number): void => {
      nowMs += ms;
      t.mock.timers.tick(ms);
    };
    const pushNow = (): void => appenderTo(writer, { flushIntervalMs: 50 }, { monotonic: () => nowMs }).push(note(`at ${nowMs}`));
    pushNow();
    pass(30);
    pushNow();
    pass(9);
    await Promise.resolve();
    assert.deepEqual(messages(writer), []);
    pass(1);
    await Promise.resolve();
    assert.deepEqual(messages(writer), ['at 1010', 'at 1040']);
  });

  test('a batch ends before its bytes are over the limit, but holds one record at least', async () => {
    const writer = createMemoryWriter();
    const size = Buffer.byteLength(JSON.stringify(note('x'.repeat(100))));
    const appender = appenderTo(writer, { flushBytes: size * 2 });
    for (const length of [100, 100, 100, 1_000, 1]) appender.push(note('x'.repeat(length)));
    await appender.stop(1_000);
    assert.deepEqual(
      writer.batches.map((batch) => batch.values.length),
      [2, 1, 1, 1],
    );
  });

  test('retries a batch whole until it is taken, with one batch in flight and nothing out of order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.boolean(), { maxLength: 12 }), fc.integer({ min: 1, max: 20 }), async (failures, count) => {
        const writer = createMemoryWriter();
        const pending = [...failures];
        writer.before = async () => {
          await new Promise((resolve) => setImmediate(resolve));
          if (pending.shift() === true) throw unavailable();
        };
        const appender = appenderTo(writer, { flushRecords: 3 });
        for (let index = 0; index < count; index += 1) {
          appender.push(note(String(index)));
          if (index % 4 === 0) await new Promise((resolve) => setImmediate(resolve));
        }
        assert.equal(await appender.stop(5_000), 0);
        assert.deepEqual(
          messages(writer),
          Array.from({ length: count }, (_, index) => String(index)),
        );
        assert.equal(writer.mostInFlight(), 1);
      }),
      { numRuns: 30 },
    );
  });

  test('has no room from the limit on, keeps what is pushed all the same, and has room again at half of it', async () => {
    const writer = createMemoryWriter();
    let open: () => void = () => {};
    writer.before = () =>
      new Promise<void>((resolve) => {
        open = resolve;
      });
    const size = Buffer.byteLength(JSON.stringify(note('a')));
    const appender = appenderTo(writer, { maxBufferBytes: size * 4, flushRecords: 1 });
    for (const message of ['a', 'b', 'c']) appender.push(note(message));
    assert.equal(appender.hasRoom(), true);
    appender.push(note('d'));
    appender.push(note('e'));
    assert.equal(appender.hasRoom(), false);
    let roomAt = -1;
    const room = appender.whenRoom(NEVER).then(() => {
      roomAt = writer.records.length;
    });
    for (let taken = 1; taken <= 5; taken += 1) {
      open();
      await waitFor(`${taken} records`, () => appender.counts().acknowledged === taken);
    }
    await room;
    assert.equal(roomAt, 3, '2 of 4 are left');
    assert.deepEqual(messages(writer), ['a', 'b', 'c', 'd', 'e']);
    assert.deepEqual(appender.counts(), { pushed: 5, acknowledged: 5, bufferedBytes: 0 });
  });

  test('whenAcknowledged waits for what was pushed before it, not for what came later', async () => {
    const writer = createMemoryWriter();
    const gates: (() => void)[] = [];
    writer.before = () => new Promise<void>((resolve) => gates.push(resolve));
    const appender = appenderTo(writer, { flushRecords: 1 });
    appender.push(note('a'));
    const acknowledged = appender.whenAcknowledged(NEVER);
    appender.push(note('b'));
    await waitFor('the first append', () => gates.length === 1);
    gates[0]?.();
    await acknowledged;
    assert.deepEqual(messages(writer), ['a']);
  });

  test('waiting ends with the signal', async () => {
    const writer = createMemoryWriter();
    writer.before = () => new Promise(() => {});
    const appender = appenderTo(writer, { maxBufferBytes: 1 });
    appender.push(note('a'));
    const controller = new AbortController();
    const waits = Promise.all([appender.whenRoom(controller.signal), appender.whenAcknowledged(controller.signal)]);
    controller.abort();
    await waits;
    assert.equal(await appender.stop(1), 1);
  });

  test('an error that no retry helps is handed over once, and nothing is appended after it', async () => {
    for (const error of [new ChangeLogError('PODTRAIL_LOG_CORRUPT', 'bad'), new TypeError('a bug')]) {
      const writer = createMemoryWriter();
      let calls = 0;
      writer.before = () => {
        calls += 1;
        throw error;
      };
      const fatal: Error[] = [];
      const appender = appenderTo(writer, { flushRecords: 1 }, { onFatal: (each) => fatal.push(each) });
      appender.push(note('a'));
      await waitFor('the error', () => fatal.length > 0);
      appender.push(note('b'));
      assert.equal(await appender.stop(1_000), 2);
      assert.deepEqual(fatal, [error]);
      assert.equal(calls, 1);
    }
  });

  test('a stop gives up at its deadline and says how much was not taken', async () => {
    const writer = createMemoryWriter();
    writer.before = () => {
      throw unavailable();
    };
    const failed: Error[] = [];
    const appender = appenderTo(writer, {}, { failed: (error) => failed.push(error) });
    for (const message of ['a', 'b']) appender.push(note(message));
    assert.equal(await appender.stop(30), 2);
    assert.ok(failed.length > 1, 'it tried more than once');
  });

  test('a stop does not wait for the flush interval', async () => {
    const writer = createMemoryWriter();
    const appender = appenderTo(writer, { flushIntervalMs: 60_000 });
    appender.push(note('a'));
    assert.equal(await appender.stop(1_000), 0);
    assert.deepEqual(messages(writer), ['a']);
  });
});
