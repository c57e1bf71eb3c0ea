import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import type { ClickHouseClient } from '@clickhouse/client';
import { RowSink } from '../../processor/row-sink.ts';
import type { EmittedRow } from '../../sql/rows.ts';
import { SAMPLE_ROWS } from '../helpers/sample-rows.ts';
import { silentLog } from '../helpers/silent-log.ts';

interface Insert {
  readonly table: string;
  readonly rows: unknown[][];
}

/** The one call of the client that the sink makes. `answer` may throw, or wait. */
function createStore(answer: (insert: Insert, attempt: number) => unknown = () => undefined) {
  const inserts: Insert[] = [];
  let attempts = 0;
  const exec = async ({ query, values }: { query: string; values: Readable }) => {
    const table = /INSERT INTO (\w+)/.exec(query)?.[1] ?? '';
    const lines = Buffer.concat(await values.toArray())
      .toString()
      .trimEnd()
      .split('\n');
    const insert = { table, rows: lines.map((line) => JSON.parse(line) as unknown[]) };
    await answer(insert, attempts++);
    inserts.push(insert);
    return { stream: Readable.from([]) };
  };
  return { client: { exec } as unknown as ClickHouseClient, inserts };
}

function createSink(store: ReturnType<typeof createStore>, options: Partial<ConstructorParameters<typeof RowSink>[0]> = {}) {
  const fatal: unknown[] = [];
  const failures: string[] = [];
  const metrics = { inserted: () => {}, insertFailed: (table: string) => void failures.push(table) };
  const deps = { client: store.client, log: silentLog, metrics, onFatal: (error: unknown) => void fatal.push(error) };
  const sink = new RowSink({ flushIntervalMs: 60_000, maxInsertRows: 1_000, maxPendingRows: 2_000, ...options }, deps);
  return { sink, fatal, failures };
}

function timeline(seq: number, text = 'x', version = 1n, cluster = 'prod-eu'): EmittedRow {
  return { table: 'incident_timeline', key: `i-1\n${seq}`, row: { ...SAMPLE_ROWS.incident_timeline, cluster, seq, text }, version };
}

function coverage(): EmittedRow {
  return { table: 'coverage', key: 'pods', row: SAMPLE_ROWS.coverage, version: 1n };
}

const [SEQ, TEXT] = [3, 6];
const busy = (): Error => Object.assign(new Error('too many parts'), { code: '252' });
const refused = (): Error => Object.assign(new Error('no such column'), { code: '16' });

test('one insert a table, with the last row of every key', async () => {
  const store = createStore();
  const { sink } = createSink(store);
  sink.add([timeline(1, 'first', 1n), timeline(2, 'other', 1n), coverage()]);
  sink.add([timeline(1, 'last', 2n)]);
  assert.equal(sink.pendingRows, 3);
  await sink.flush();
  assert.equal(sink.pendingRows, 0);
  assert.deepEqual(store.inserts.map(({ table }) => table).sort(), ['coverage', 'incident_timeline']);
  const rows = store.inserts.find(({ table }) => table === 'incident_timeline')?.rows ?? [];
  assert.deepEqual(
    rows.map((row) => [row[SEQ], row[TEXT], row.at(-1)]),
    [
      [1, 'last', '2'],
      [2, 'other', '1'],
    ],
  );
});

test('the same key of two clusters is two rows', async () => {
  const store = createStore();
  const { sink } = createSink(store);
  sink.add([timeline(1, 'a', 1n, 'one'), timeline(1, 'b', 1n, 'two')]);
  await sink.flush();
  assert.equal(store.inserts[0]?.rows.length, 2);
});

test('dead letters of one key and two offsets are two rows', async () => {
  const store = createStore();
  const { sink } = createSink(store);
  const letter = (offset: bigint): EmittedRow => ({ table: 'dead_letters', key: 'rules', row: { ...SAMPLE_ROWS.dead_letters, offset }, version: 1n });
  sink.add([letter(1n), letter(2n), letter(2n)]);
  await sink.flush();
  assert.equal(store.inserts[0]?.rows.length, 2);
});

test('rows are stored by themselves after the interval', async () => {
  const store = createStore();
  const { sink } = createSink(store, { flushIntervalMs: 10 });
  sink.add([coverage()]);
  while (sink.pendingRows > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(store.inserts.length, 1);
});

test('many rows are stored before the interval, in inserts of the largest size', async () => {
  const store = createStore();
  const { sink } = createSink(store, { maxInsertRows: 10 });
  sink.add(Array.from({ length: 25 }, (_, seq) => timeline(seq)));
  while (sink.pendingRows > 0) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(
    store.inserts.map(({ rows }) => rows.length),
    [10, 10, 5],
  );
});

test('nothing to store is stored at once', async () => {
  const { sink } = createSink(createStore());
  await sink.flush();
  await sink.progress();
  sink.add([]);
  await sink.flush();
});

test('a flush waits for the block in flight and for the rows that wait, not for later ones', async () => {
  const open: (() => void)[] = [];
  const store = createStore(() => new Promise<void>((resolve) => open.push(resolve)));
  const { sink } = createSink(store);
  sink.add([timeline(1)]);
  const first = sink.flush();
  while (open.length < 1) await new Promise((resolve) => setImmediate(resolve));
  sink.add([timeline(2)]);
  let second = 'waits';
  const flushed = sink.flush().then(() => {
    second = 'done';
  });
  open[0]?.();
  await first;
  while (open.length < 2) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(second, 'waits');
  sink.add([timeline(3)]);
  open[1]?.();
  await flushed;
  assert.deepEqual(
    store.inserts.map(({ rows }) => rows.map((row) => row[SEQ])),
    [[1], [2]],
  );
  sink.abort();
});

test('a block that the store refuses for now is offered again unchanged, until it takes it', async () => {
  const offered: unknown[][][] = [];
  const store = createStore((insert, attempt) => {
    offered.push(insert.rows);
    if (attempt < 2) throw busy();
  });
  const { sink, fatal, failures } = createSink(store);
  sink.add([timeline(1), timeline(2)]);
  await sink.flush();
  assert.equal(offered.length, 3);
  assert.deepEqual(offered[0], offered[2]);
  assert.deepEqual(failures, ['incident_timeline', 'incident_timeline']);
  assert.deepEqual(fatal, []);
});

test('what no retry helps is told once, and to everyone who waits', async () => {
  const store = createStore(() => {
    throw refused();
  });
  const { sink, fatal } = createSink(store);
  sink.add([coverage()]);
  const results = await Promise.allSettled([sink.flush(), sink.progress()]);
  assert.deepEqual(
    results.map((result) => result.status === 'rejected' && result.reason.code),
    ['PODTRAIL_STORE_SCHEMA', 'PODTRAIL_STORE_SCHEMA'],
  );
  await assert.rejects(sink.flush(), { code: 'PODTRAIL_STORE_SCHEMA' });
  assert.equal(fatal.length, 1);
});

test('there is room until the limit, and again when the store has caught up', async () => {
  let open = (): void => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  const { sink } = createSink(
    createStore(() => gate),
    { maxInsertRows: 100, maxPendingRows: 10 },
  );
  sink.add(Array.from({ length: 9 }, (_, seq) => timeline(seq)));
  assert.equal(sink.hasRoom, true);
  sink.add([timeline(9)]);
  assert.equal(sink.hasRoom, false);
  const progress = sink.progress();
  open();
  await progress;
  assert.equal(sink.hasRoom, true);
});

test('an abort ends the waiting and the retries, and is no fatal error', async () => {
  let attempts = 0;
  const store = createStore(() => {
    attempts++;
    throw busy();
  });
  const { sink, fatal } = createSink(store);
  sink.add([coverage()]);
  const flushed = sink.flush();
  while (attempts === 0) await new Promise((resolve) => setImmediate(resolve));
  sink.abort();
  await assert.rejects(flushed, { code: 'PODTRAIL_PROCESSOR_STOPPED', retriable: true });
  await assert.rejects(sink.flush(), { code: 'PODTRAIL_PROCESSOR_STOPPED' });
  assert.deepEqual(fatal, []);
});

test('encoding many rows leaves the event loop its turns', async () => {
  const { sink } = createSink(createStore(), { maxInsertRows: 10_000, maxPendingRows: 20_000 });
  sink.add(Array.from({ length: 9_000 }, (_, seq) => timeline(seq)));
  let turns = 0;
  const count = (): void => {
    turns++;
    if (sink.pendingRows > 0) setImmediate(count);
  };
  setImmediate(count);
  await sink.flush();
  assert.ok(turns >= 5, `${turns} turns`);
});
