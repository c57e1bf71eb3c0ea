/** Goals 11 and 12: what checkpoints cost the processor while it runs, and how fast a state is there again after a crash. */
import assert from 'node:assert/strict';
import type { ClickHouseClient } from '@clickhouse/client';
import { type ChangeRecord, decodeChangeRecord, encodeChangeRecord } from '../../../collector/change-record.ts';
import { nothingSaved, restoreCluster, snapshotOf, writeRound } from '../../../processor/checkpoint.ts';
import { type EncodedChunk, encodeBucket, restoreSlices, takeSnapshot } from '../../../processor/core/checkpoint-codec.ts';
import { type ClusterState, createClusterState, namedTables } from '../../../processor/core/state.ts';
import { step, stepSlices } from '../../../processor/core/step.ts';
import type { Bucket } from '../../../processor/core/tables.ts';
import { openTestStore } from '../../helpers/clickhouse.ts';
import { calmCluster } from '../fleet.ts';
import type { Figure, Goal } from '../goal.ts';
import { cpuSeconds, PAIRS, summarize } from '../measure.ts';

/** As the processor cuts them (processor/checkpoint.ts). */
const CHUNK_BYTES = 512 * 1_024;

const entriesOf = (state: ClusterState): number => namedTables(state.tables).reduce((sum, [, table]) => sum + table.size, 0);

function stateOf(records: Iterable<ChangeRecord>): ClusterState {
  let state: ClusterState | undefined;
  for (const record of records) {
    state ??= createClusterState(record.cluster, 1);
    step(state, record);
  }
  assert.ok(state !== undefined);
  return state;
}

interface Stored {
  readonly meta: string;
  readonly chunks: readonly EncodedChunk[];
}

function encode(state: ClusterState): Stored {
  const { meta, buckets } = takeSnapshot(state);
  return { meta, chunks: buckets.flatMap(({ table, bucket }) => [...encodeBucket(bucket, CHUNK_BYTES)].map((data) => ({ table, data }))) };
}

/** The longest turn of the event loop, ms of CPU time: what others on the machine take away is not counted. */
function createTurns() {
  const turns: number[] = [];
  let startSeconds = cpuSeconds();
  return {
    begin(): void {
      startSeconds = cpuSeconds();
    },
    end(): void {
      turns.push((cpuSeconds() - startSeconds) * 1_000);
    },
    longest: (): number => Math.max(...turns),
  };
}

function restore(state: ClusterState, { meta, chunks }: Stored, turns = createTurns()): ClusterState {
  const slices = restoreSlices(state.cluster, meta, chunks);
  for (;;) {
    turns.begin();
    const slice = slices.next();
    turns.end();
    if (slice.done === true) return slice.value;
  }
}

const SIZES = [2_500, 25_000];

/** The state in a store as a processor leaves it. */
async function storeState(client: ClickHouseClient, state: ClusterState): Promise<void> {
  const context = { client, log: 'bench', partition: 0, release: 'bench', nowMs: Date.now() };
  await writeRound(context, [snapshotOf(state, 1n, nothingSaved())]);
}

async function secondsOf(work: () => unknown): Promise<number> {
  const startMs = performance.now();
  await work();
  return (performance.now() - startMs) / 1_000;
}

interface Restarts {
  readonly entries: number;
  /** Seconds of each: from the store to the first record applied, and JSON.parse of what is stored. */
  readonly restored: readonly number[];
  readonly parsed: readonly number[];
}

async function restartWith(pods: number): Promise<Restarts> {
  const { client, close } = await openTestStore();
  const state = stateOf(calmCluster(pods));
  await storeState(client, state);
  const stored = encode(state);
  const heartbeat: ChangeRecord = { v: 1, cluster: state.cluster, run: 'run', t: state.meta.streamTimeMs + 1, type: 'HEARTBEAT', sessions: [] };
  const read = async (): Promise<ClusterState> => {
    const restored = await restoreCluster(client, state.cluster.uid, () => assert.fail('a chunk is damaged'));
    assert.ok(restored !== undefined);
    return restored.state;
  };
  const restored: number[] = [];
  const parsed: number[] = [];
  for (let pair = -1; pair < PAIRS; pair += 1) {
    const seconds = [
      await secondsOf(async () => step(await read(), heartbeat)),
      await secondsOf(() => {
        for (const { data } of stored.chunks) JSON.parse(data);
      }),
    ] as const;
    if (pair < 0) continue; // warms up
    restored.push(seconds[0]);
    parsed.push(seconds[1]);
  }
  const again = encode(await read());
  assert.deepEqual([again.meta, again.chunks.map(({ data }) => data).sort()], [stored.meta, stored.chunks.map(({ data }) => data).sort()]);
  await close();
  return { entries: entriesOf(state), restored, parsed };
}

export const restart: Goal = {
  number: 12,
  title: 'restart: state read from the store and first record applied, over twice JSON.parse of the state and a second',
  async run() {
    const figures: Figure[] = [];
    const perEntry: number[] = [];
    const checks: string[] = [];
    for (const pods of SIZES) {
      const { entries, restored, parsed } = await restartWith(pods);
      const [took, parse] = [summarize(restored).median, summarize(parsed).median];
      figures.push({
        what: `${entries} entries of ${pods} pods, ${took.toFixed(2)} s, ${(took / parse).toFixed(1)} times JSON.parse`,
        value: summarize(restored.map((seconds, index) => seconds / (2 * (parsed[index] ?? 0) + 1))),
        target: { below: 1 },
      });
      perEntry.push(took / entries);
      checks.push(`${entries} entries equal`);
    }
    const [small = 1, large = 1] = perEntry;
    figures.push({ what: 'time for an entry, large state over small', value: summarize([large / small]), target: { below: 1.3 } });
    const state = stateOf(calmCluster(SIZES[1] ?? 0));
    const stored = encode(state);
    return {
      figures,
      checked: `the restored state gives the same checkpoint: ${checks.join(', ')}`,
      scaled: '100 k entries at most instead of 1 M; the process and its store are open',
      profiled: () => restore(state, stored),
    };
  },
};

/** Pods of the state under checkpoints, of four entries each; each change of one is a record. */
const PODS = 10_000;
/** One an entry, as a million entries every ten seconds at 100 000 records a second would be. */
const RECORDS_A_CHECKPOINT = 40_000;
/** The first pair warms up. */
const INTERVALS = PAIRS + 1;

/** Records of the load as they are asked for: kept, they would cost every collection of garbage. */
function createLoad() {
  const records = calmCluster(PODS, (INTERVALS * RECORDS_A_CHECKPOINT) / PODS);
  function* next(isLast: (record: ChangeRecord, count: number) => boolean): Generator<Buffer> {
    for (let count = 1; ; count += 1) {
      const { value, done } = records.next();
      if (done === true) return;
      yield encodeChangeRecord(value);
      if (isLast(value, count)) return;
    }
  }
  return {
    listing: (): readonly Buffer[] => [...next(({ type, ...record }) => type === 'SNAPSHOT_END' && 'resource' in record && record.resource === 'pods')],
    changes: (): readonly Buffer[] => [...next((_, count) => count === RECORDS_A_CHECKPOINT)],
  };
}

/** One state that takes the load, with the turns of the event loop that its list and its checkpoints would be. */
function createSide(listing: readonly Buffer[]) {
  const state = createClusterState({ uid: 'calm', name: 'calm' }, 1);
  const turns = createTurns();
  let saved = new Set<Bucket<unknown>>();
  let chunks = 0;
  const decode = (bytes: Buffer): ChangeRecord => {
    const decoded = decodeChangeRecord(bytes);
    assert.ok(decoded.ok);
    return decoded.record;
  };
  for (const bytes of listing) {
    const slices = stepSlices(state, decode(bytes)); // as the processor does
    for (let done = false; !done; turns.end()) {
      turns.begin();
      done = slices.next().done === true;
    }
  }
  const checkpoint = (): void => {
    turns.begin();
    const { buckets } = takeSnapshot(state);
    turns.end();
    for (const { bucket } of buckets) {
      if (saved.has(bucket)) continue;
      const slices = encodeBucket(bucket, CHUNK_BYTES);
      turns.begin();
      while (slices.next().done !== true) chunks += 1;
      turns.end();
    }
    saved = new Set(buckets.map(({ bucket }) => bucket));
  };
  return {
    state,
    turns,
    chunks: () => chunks,
    /** CPU seconds of these changes, with a checkpoint in their middle or without. */
    apply(changes: readonly Buffer[], withCheckpoint: boolean): number {
      globalThis.gc?.(); // what is garbage of before is nobody's
      const startSeconds = cpuSeconds();
      for (const [index, bytes] of changes.entries()) {
        step(state, decode(bytes));
        if (withCheckpoint && index === changes.length >> 1) checkpoint();
      }
      return cpuSeconds() - startSeconds;
    },
  };
}

/** The turns of a list and a checkpoint, with nothing else in memory than a processor has, and the changes that it saw. */
function turnsOf(listing: readonly Buffer[]) {
  const load = createLoad();
  load.listing();
  const changes = load.changes();
  const side = createSide(listing);
  side.apply(changes, true);
  return { turns: side.turns, changes };
}

export const checkpoints: Goal = {
  number: 11,
  title: 'checkpoints: throughput with them over without, and the longest turn of the event loop',
  async run() {
    const load = createLoad();
    const listing = load.listing();
    const { turns, changes: first } = turnsOf(listing);
    const [without, written] = [createSide(listing), createSide(listing)];
    const ratios: number[] = [];
    for (let interval = 0; interval < INTERVALS; interval += 1) {
      const changes = load.changes();
      const seconds = without.apply(changes, false);
      ratios.push(seconds / written.apply(changes, true));
    }
    const stored = encode(written.state);
    const sorted = ({ chunks: list }: Stored): string[] => list.map(({ data }) => data).sort();
    assert.deepEqual(sorted(stored), sorted(encode(without.state)));
    const restoring = createTurns();
    assert.deepEqual(stored.chunks.length, encode(restore(written.state, stored, restoring)).chunks.length);
    const below = { below: 50 };
    return {
      figures: [
        { what: `a checkpoint every ${RECORDS_A_CHECKPOINT} records`, value: summarize(ratios.slice(1)), target: { above: 0.95 } },
        { what: 'longest turn: list, snapshot, one bucket encoded', value: summarize([turns.longest()]), target: below, unit: ' ms' },
        { what: 'longest turn of a restart', value: summarize([restoring.longest()]), target: below, unit: ' ms' },
      ],
      checked: `${written.chunks()} chunks written; the state with checkpoints equals the state without`,
      scaled:
        `${entriesOf(written.state)} entries instead of 1 M, all of their buckets changed, checkpoints as much closer; turns in CPU time, ` +
        'without the store; podtrail itself puts off checkpoints that would take more than a twentieth of the time',
      profiled: () => createSide(listing).apply(first, true),
    };
  },
};
