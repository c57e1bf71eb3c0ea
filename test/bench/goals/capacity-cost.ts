/**
 * Goal 8 with capacity on, as it is in production: the pods of every node kept up to date, and a sample every minute of stream time. The
 * same log with capacity off, and JSON.parse of it, in the same run. The first two logs are those of goal 8, in which a minute of a cluster
 * of 18 nodes has 150 to 3,400 records. In the others the same happens in a cluster so large that it is the churn Kubernetes bears
 * (crowd.ts): a sample then is of many more nodes than have changed.
 */
import assert from 'node:assert/strict';
import { createClusterState } from '../../../processor/core/state.ts';
import type { ClusterState } from '../../../processor/core/state.ts';
import { step } from '../../../processor/core/step.ts';
import { createRecordDecoder } from '../../../processor/record-decoder.ts';
import { encodeRow } from '../../../sql/encode-row.ts';
import { crowded } from '../crowd.ts';
import { recordedClusters } from '../fleet.ts';
import type { Figure, Goal } from '../goal.ts';
import { cost, PAIRS, type Ratio, summarize } from '../measure.ts';
import { createLogs, type Log, parseAll, processAll, warmUp } from './processor.ts';

const [OVER_PARSE, OVER_OFF] = [{ above: 0.3 }, { above: 0.9 }];

/** No sample is ever taken, and so nothing kept up to date for it. */
const switchOff = ({ timers }: ClusterState): void => timers.cancel('capacity/sample');

/** CPU seconds of each side. */
interface Costs {
  readonly parse: number;
  readonly off: number;
  readonly on: number;
}

/** All sides in turn, several times; the first time warms up and is not counted. */
async function measure(sides: { readonly [side in keyof Costs]: () => Promise<number> }, times = PAIRS): Promise<readonly Costs[]> {
  const costs: Costs[] = [];
  for (let time = -1; time < times; time += 1) {
    const [parse, off, on] = [await sides.parse(), await sides.off(), await sides.on()];
    if (time >= 0) costs.push({ parse, off, on });
  }
  return costs;
}

const ratio = (costs: readonly Costs[], of: (each: Costs) => number): Ratio => summarize(costs.map(of));

function figuresOf(what: string, costs: readonly Costs[]): readonly Figure[] {
  return [
    { what: `${what}: over JSON.parse`, value: ratio(costs, ({ parse, on }) => parse / on), target: OVER_PARSE },
    { what: `${what}: over the same with capacity off`, value: ratio(costs, ({ off, on }) => off / on), target: OVER_OFF },
  ];
}

async function ofLog(log: Log): Promise<readonly Figure[]> {
  const run = (beforeEach?: typeof switchOff) => (): Promise<number> =>
    cost(() => {
      for (let time = 0; time < log.times; time += 1) processAll(log, undefined, beforeEach);
    });
  return figuresOf(log.what, await measure({ parse: parseAll(log), off: run(switchOff), on: run() }));
}

/** A cluster that has been listed and sampled once, and the records that are left: a first list is not what a minute costs. */
interface Running {
  readonly state: ClusterState;
  readonly rest: readonly Buffer[];
}

function start(bytes: readonly Buffer[]): Running {
  let state: ClusterState | undefined;
  const decode = createRecordDecoder();
  for (const [index, value] of bytes.entries()) {
    const decoded = decode(value);
    assert.ok(decoded.ok);
    state ??= createClusterState(decoded.record.cluster, 1);
    if (step(state, decoded.record).some(({ table }) => table === 'capacity_samples')) return { state, rest: bytes.slice(index + 1) };
  }
  throw new Error('no sample was taken');
}

/** How many samples were taken. */
function finish({ state, rest }: Running, beforeEach?: typeof switchOff): number {
  const decode = createRecordDecoder();
  let samples = 0;
  for (const value of rest) {
    const decoded = decode(value);
    assert.ok(decoded.ok);
    beforeEach?.(state);
    const rows = step(state, decoded.record);
    for (const { table, row, version } of rows) encodeRow(table, row as never, version);
    if (rows.some(({ table }) => table === 'capacity_samples')) samples += 1;
  }
  return samples;
}

/** Recorded namespaces at once. */
const COPIES = 10;

interface Crowd {
  readonly figures: readonly Figure[];
  readonly profiled: () => unknown;
}

/** One recording in its crowd. */
async function ofCrowd(path: string, times?: number): Promise<Crowd> {
  const [cluster] = recordedClusters([path], COPIES);
  assert.ok(cluster);
  const { nodes, bytes } = crowded(cluster);
  const { rest } = start(bytes);
  let samples = 0;
  const run = (beforeEach?: typeof switchOff) => async (): Promise<number> => {
    const running = start(bytes);
    return cost(() => {
      samples = finish(running, beforeEach);
      assert.equal(samples > 0, beforeEach === undefined);
    });
  };
  const parse = (): Promise<number> =>
    cost(() => {
      for (const value of rest) JSON.parse(value.toString());
    });
  const costs = await measure({ parse, off: run(switchOff), on: run() }, times);
  const what = `${path}, ${Math.round(rest.length / samples)} records a minute of ${nodes} nodes`;
  const profiled = run();
  const ofCore: Figure = {
    what: `${what}: CPU of a core for capacity`,
    value: ratio(costs, ({ on, off }) => ((on - off) / samples / 60) * 100),
    unit: ' %',
  };
  return { figures: [...figuresOf(what, costs), ofCore], profiled };
}

export const capacityCost: Goal = {
  number: 22,
  title: 'processor records/s with capacity on',
  async run() {
    const [healthy, fleet, failing] = createLogs();
    warmUp(failing);
    const figures = [...(await ofLog(healthy)), ...(await ofLog(fleet))];
    const rollout = await ofCrowd('cases/ok-rollout');
    const burst = await ofCrowd('cases/rollout-big', 3);
    return {
      figures: [...figures, ...rollout.figures, ...burst.figures],
      checked: 'a sample every minute with capacity on, and none with it off',
      scaled: 'the logs of goal 8; in the crowds what comes after the first sample',
      profiled: rollout.profiled,
    };
  },
};
