/** Capacity sampled by the core: the golden case figure by figure, when there is a sample and when not, and what it is a function of. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ChangeRecord } from '../../../collector/change-record.ts';
import { createRecordingEncoder, decodeRecordingLine } from '../../../collector/recording.ts';
import { schedulingStateOf } from '../../../processor/capacity/capacity-state.ts';
import { reportCapacity } from '../../../processor/capacity/report.ts';
import { shapesOf } from '../../../processor/core/capacity-samples.ts';
import { DEFAULT_RULES } from '../../../processor/core/rules-config.ts';
import { createClusterState } from '../../../processor/core/state.ts';
import { step, stepSlices } from '../../../processor/core/step.ts';
import { viewOf } from '../../../processor/core/view.ts';
import type { CapacitySampleRow, EmittedRow } from '../../../sql/rows.ts';
import { recordedClusters } from '../../bench/fleet.ts';
import { pod, stateOf } from '../../helpers/capacity.ts';
import { GOLDEN_START_MS, goldenRecording } from '../../helpers/golden-cluster.ts';

const MINUTE_MS = 60_000;

function recordsOf(lines: readonly string[], rules?: Readonly<Record<string, unknown>>): ChangeRecord[] {
  const encoder = createRecordingEncoder({ cluster: { name: 'golden' } });
  const records = [...lines.flatMap((line, index) => encoder.push(decodeRecordingLine(line, index + 1))), ...encoder.end()];
  return records.flatMap((record) => {
    const { v, cluster, run, t } = record;
    return record.type === 'RUN_BEGIN' && rules !== undefined ? [record, { v, cluster, run, t, type: 'RULES', rules }] : [record];
  });
}

function emitted(records: readonly ChangeRecord[], apply = step): EmittedRow[] {
  const state = createClusterState(records[0]!.cluster, 1);
  return records.flatMap((record) => apply(state, record));
}

function samples(records: readonly ChangeRecord[]): CapacitySampleRow[] {
  return emitted(records).flatMap((row) => (row.table === 'capacity_samples' ? [row.row] : []));
}

const golden = samples(recordsOf(goldenRecording(3)));
const of = (pool: string, shape: string): CapacitySampleRow[] => golden.filter((row) => row.pool === pool && row.shape === shape);

test('samples every whole minute of stream time, cluster and pool alike', () => {
  const minutes = [1, 2, 3].map((minute) => GOLDEN_START_MS + minute * MINUTE_MS);
  assert.deepEqual(
    of('', '').map(({ timeMs }) => timeMs),
    minutes,
  );
  assert.deepEqual(
    of('general', '').map(({ timeMs }) => timeMs),
    minutes,
  );
});

test('the pool of the golden case: 60 % used, nothing stranded, 4 nodes removable', () => {
  const [row] = of('general', '');
  assert.ok(row);
  assert.deepEqual([row.nodes, row.cpuAllocatableMillicores, row.cpuRequestedMillicores, row.cpuFreeMillicores], [12, 48_000, 28_800, 19_200]);
  assert.deepEqual([row.podsAllocatable, row.podsRequested, row.podsFree], [1_320, 36, 1_284]);
  assert.deepEqual([row.removableNodesMin, row.removableNodesMax], [4, 4]);
  assert.deepEqual([row.largestCpuMillicores, row.cordonedNodes, row.notReadyNodes, row.virtualNodes], [1_600, 0, 0, 0]);
  assert.deepEqual(JSON.parse(row.frontier), [{ cpuMillicores: 1_600, memoryBytes: 8 * 1_024 ** 3 - 3 * 1_638 * 1_024 ** 2, nodes: 12 }]);
});

for (const [shape, origin, k, kStar, phi, demand] of [
  ['0.5c1Gi', 'configured', 36, 38, 0.053, 0],
  ['1c2Gi', 'configured', 12, 19, 0.368, 0],
  ['2c4Gi', 'configured', 0, 9, 1, 0],
  ['0.8c1638Mi', 'requested', 24, 24, 0, 1],
] as const) {
  test(`shape ${shape}, ${origin}: K ${k}, K* ${kStar}, phi ${phi}`, () => {
    const [row] = of('general', shape);
    assert.ok(row);
    assert.deepEqual([row.origin, row.nodes, row.k, row.kStar, Number(row.phi.toFixed(3)), row.demand], [origin, 12, k, kStar, phi, demand]);
    assert.equal(row.binding === '', false);
  });
}

test('what comes after the minute is not in its sample', () => {
  const lines = goldenRecording(3);
  const added = pod('late', { cpu: '100m', memory: '10Mi' }, { on: 'n01' });
  const at = (ms: number) =>
    JSON.stringify({ t: GOLDEN_START_MS + ms, resource: 'pods', type: 'ADDED', object: { ...added, metadata: { ...added.metadata, resourceVersion: '12' } } });
  lines.splice(-1, 0, at(2 * MINUTE_MS));
  const rows = samples(recordsOf(lines)).filter(({ pool, shape }) => pool === '' && shape === '');
  assert.deepEqual(
    rows.map(({ podsRequested }) => podsRequested),
    [36, 36, 37],
  );
});

test('pools and shapes are those of the configuration', () => {
  const capacity = { poolLabels: ['kubernetes.io/hostname'], shapes: [{ name: 'huge', request: { cpu: '64' } }], requestedShapes: 0 };
  const rows = samples(recordsOf(goldenRecording(1), { capacity }));
  assert.deepEqual([...new Set(rows.map(({ pool }) => pool))], ['', ...Array.from({ length: 12 }, (_, n) => `n${String(n + 1).padStart(2, '0')}`)]);
  assert.deepEqual([...new Set(rows.map(({ shape }) => shape))], ['', 'huge']);
});

test('there is no sample while podtrail does not see the nodes', () => {
  const lines = goldenRecording(3);
  lines.splice(-1, 0, JSON.stringify({ t: GOLDEN_START_MS + MINUTE_MS + 30_000, resource: 'nodes', type: 'DISCONNECT', object: {} }));
  const times = samples(recordsOf(lines)).map(({ timeMs }) => timeMs);
  assert.deepEqual([...new Set(times)], [GOLDEN_START_MS + MINUTE_MS]);
});

/** The golden cluster with a pod that comes after a minute, which then is deleted, or only not ready. */
function changed(minutes: number, afterMinute: number, ...then: readonly ((pod: object) => readonly [type: string, object: object])[]): readonly string[] {
  const lines = goldenRecording(minutes);
  const added = pod('late', { cpu: '100m', memory: '10Mi' }, { on: 'n01' });
  const versions = [() => ['ADDED', added] as const, ...then].map((make) => make(added));
  const late = versions.map(([type, object], index) => {
    const metadata = { ...added.metadata, resourceVersion: String(1_000 + index) };
    return JSON.stringify({ t: GOLDEN_START_MS + (afterMinute + index) * MINUTE_MS + 1_000, resource: 'pods', type, object: { ...object, metadata } });
  });
  lines.splice(-1, 0, ...late);
  return lines;
}

test('slices give the rows of a step; the record that passes a minute takes many, but for one in which nothing happened', () => {
  const records = recordsOf(changed(3, 2));
  const most: number[] = [];
  const sliced = emitted(records, (state, record) => {
    const slices = stepSlices(state, record);
    for (let count = 1; ; count += 1) {
      const slice = slices.next();
      if (slice.done !== true) continue;
      most.push(count);
      return slice.value;
    }
  });
  assert.deepEqual(sliced, emitted(records));
  assert.ok(Math.max(...most) > 10, `${Math.max(...most)} slices`);
  assert.equal(most.filter((count) => count > 1).length, 2, 'the first minute and the third');
});

test('a report that throws is a dead letter, and the record is applied all the same', () => {
  const records = recordsOf(goldenRecording(1));
  const state = createClusterState(records[0]!.cluster, 1);
  const broken = {
    get poolLabels(): readonly string[] {
      throw new Error('boom');
    },
    shapes: [],
    requestedShapes: 0,
  };
  state.meta.rules = { ...DEFAULT_RULES, capacity: broken };
  const rows = records.flatMap((record) => step(state, record));
  assert.deepEqual(
    rows.filter(({ table }) => table === 'capacity_samples'),
    [],
  );
  assert.deepEqual(
    rows.flatMap((row) => (row.table === 'dead_letters' ? [[row.row.code, row.row.reason]] : [])),
    [['capacity_threw', 'Error: boom']],
  );
  assert.equal(state.meta.count, records.length);
});

test('a state kept up to date from the log reports at any time what one built afresh does', () => {
  let compared = 0;
  for (const path of ['cases/ok-rollout', 'cases/scaledown', 'fleet/batch-2']) {
    const [cluster] = recordedClusters([path]);
    const state = createClusterState(cluster!.records[0]!.cluster, 1);
    const { capacity } = state.meta.rules;
    const options = { shapes: shapesOf(capacity.shapes), requestedShapes: capacity.requestedShapes, poolLabels: capacity.poolLabels };
    for (const [index, record] of cluster!.records.entries()) {
      step(state, record);
      if (index % 7 !== 0) continue;
      const view = viewOf(state);
      // Copies: what is kept with an object must not answer for both.
      const afresh = stateOf(structuredClone({ nodes: [...view.nodes()], pods: [...view.pods()] }));
      assert.deepEqual(reportCapacity(schedulingStateOf(view), options), reportCapacity(afresh, options));
      compared += 1;
    }
  }
  assert.ok(compared > 400, `${compared} states`);
});

test('a pod that a new list no longer names holds nothing in the next sample', () => {
  const lines = goldenRecording(3, [pod('gone', { cpu: '100m', memory: '10Mi' }, { on: 'n01' })]);
  const at = GOLDEN_START_MS + MINUTE_MS + 30_000;
  const list = JSON.parse(lines.find((line) => line.includes('"resource":"pods","type":"LIST"'))!);
  const items = list.object.items.filter((each: { metadata: { name: string } }) => each.metadata.name !== 'gone');
  lines.splice(
    -1,
    0,
    JSON.stringify({ t: at, resource: 'pods', type: 'DISCONNECT', object: {} }),
    JSON.stringify({ t: at + 1_000, resource: 'pods', type: 'LIST', object: { resourceVersion: '20', items } }),
    JSON.stringify({ t: at + 2_000, resource: 'pods', type: 'BOOKMARK', object: { metadata: { resourceVersion: '21' } } }),
  );
  const rows = samples(recordsOf(lines)).filter(({ pool, shape }) => pool === '' && shape === '');
  assert.deepEqual([rows[0]?.podsRequested, rows.at(-1)?.podsRequested], [37, 36]);
});
