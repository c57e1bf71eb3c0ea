/** Goals 8 and 20: what the processor makes of a record, beside JSON.parse of its bytes; and what the rules cost of that. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { ClusterRef } from '../../../collector/change-record.ts';
import type { ClusterState } from '../../../processor/core/state.ts';
import { createClusterState } from '../../../processor/core/state.ts';
import { step } from '../../../processor/core/step.ts';
import { createRecordDecoder } from '../../../processor/record-decoder.ts';
import { SCENARIOS } from '../../../processor/scenarios/index.ts';
import type { Scenario } from '../../../processor/scenarios/scenario.ts';
import { encodeRow } from '../../../sql/encode-row.ts';
import { type Cluster, FAILING, HEALTHY, recordedClusters } from '../fleet.ts';
import type { Figure, Goal } from '../goal.ts';
import { cost, ratioOf } from '../measure.ts';

/** Change records as a partition holds them. */
export interface Log {
  readonly what: string;
  readonly clusters: readonly ClusterRef[];
  readonly entries: readonly { readonly cluster: number; readonly bytes: Buffer }[];
  /** Passes over it, so that one run takes about half a second. */
  readonly times: number;
}

/** `together`: what happened at the same time of the recordings stands together, as from clusters that are watched at once; else one is after the other. */
function logOf(what: string, clusters: readonly Cluster[], times: number, together = false): Log {
  const entries = clusters.flatMap(({ records, bytes }, cluster) =>
    bytes.map((each, index) => ({ cluster, bytes: each, ms: (records[index]?.t ?? 0) - (records[0]?.t ?? 0) })),
  );
  if (together) entries.sort((a, b) => a.ms - b.ms);
  return { what, clusters: clusters.flatMap(({ records: [first] }) => first?.cluster ?? []), entries, times };
}

/** Recorded namespaces at once. */
const COPIES = 10;
/** In a fleet: so many that the pods of FAILING are a twentieth of all. */
const FLEET_COPIES = 19;

const podsOf = (clusters: readonly Cluster[]): number =>
  new Set(clusters.flatMap(({ records }) => records.flatMap((record) => ('uid' in record && record.resource === 'pods' ? [record.uid] : [])))).size;

/** Rollouts, scale changes, Jobs and restarts in many namespaces, and among their pods one in twenty that fails in the recorded ways. */
function fleet(): Log {
  const [well, failing] = [recordedClusters([...HEALTHY, 'cases/scaledown'], FLEET_COPIES), recordedClusters(FAILING)];
  const [wellPods, failingPods] = [podsOf(well), podsOf(failing)];
  const share = (100 * failingPods) / (wellPods + failingPods);
  assert.ok(share >= 4.5 && share <= 5.5, `${share} % of the pods fail`);
  return logOf(`a fleet in which ${share.toFixed(1)} % of ${wellPods + failingPods} pods fail`, [...well, ...failing], 1, true);
}

/** The targets hold for the first two; the last is the worst that can come, and nobody's cluster. */
export const createLogs = (): readonly [Log, Log, Log] => [
  logOf('healthy rollouts', recordedClusters(HEALTHY, COPIES), 1),
  fleet(),
  logOf('nothing but failures', recordedClusters(FAILING), 2),
];

export const parseAll =
  ({ entries, times }: Log) =>
  (): Promise<number> =>
    cost(() => {
      for (let time = 0; time < times; time += 1) for (const { bytes } of entries) JSON.parse(bytes.toString());
    });

/** Decodes, applies and encodes every record; hands each row to `each`, and the state to `beforeEach` before a record is applied. */
export function processAll({ clusters, entries }: Log, each: (row: string) => void = () => {}, beforeEach?: (state: ClusterState) => void): void {
  const decode = createRecordDecoder();
  const states = clusters.map((cluster) => createClusterState(cluster, 1));
  for (const { cluster, bytes } of entries) {
    const decoded = decode(bytes);
    const state = states[cluster];
    if (!decoded.ok || state === undefined) throw new Error(decoded.ok ? `no cluster ${cluster}` : decoded.reason);
    beforeEach?.(state);
    for (const { table, row, version } of step(state, decoded.record)) each(encodeRow(table, row as never, version));
  }
}

const process = (log: Log) => (): Promise<number> =>
  cost(() => {
    for (let time = 0; time < log.times; time += 1) processAll(log);
  });

/**
 * Records applied before anything is measured. The core is much code and V8 compiles it as it is used: a record of the failing log costs
 * 243 µs at first and 70 µs after 150 k of them (measured). The goal's 2 M records spend nearly all of their time so.
 */
const WARM_RECORDS = 150_000;

export function warmUp(log: Log): void {
  for (let done = 0; done < WARM_RECORDS; done += log.entries.length) processAll(log);
}

/** Hash of all rows, and their number. */
function rowsOf(logs: readonly Log[]): { readonly hash: string; readonly rows: number } {
  const hash = createHash('sha256');
  let rows = 0;
  for (const log of logs) {
    processAll(log, (row) => {
      hash.update(row);
      rows += 1;
    });
  }
  return { hash: hash.digest('hex'), rows };
}

const scaledOf = (logs: readonly Log[]): string =>
  `${logs.map(({ entries, times }) => `${entries.length} records ${times === 1 ? 'once' : `${times} times`}`).join(', ')} after ${WARM_RECORDS} to warm up, read from memory, instead of 2 M from a broker`;

/** A ratio for each log; the last has no target. */
async function figuresOf(logs: readonly Log[], above: number, measure: (log: Log) => Promise<Figure['value']>): Promise<readonly Figure[]> {
  const figures: Figure[] = [];
  for (const log of logs) figures.push({ what: log.what, value: await measure(log), ...(log !== logs.at(-1) && { target: { above } }) });
  return figures;
}

export const processorSpeed: Goal = {
  number: 8,
  title: 'processor records/s/core over JSON.parse alone',
  async run() {
    const logs = createLogs();
    const before = rowsOf(logs);
    warmUp(logs[2]);
    const figures = await figuresOf(logs, 0.3, (log) => ratioOf(parseAll(log), process(log)));
    assert.deepEqual(rowsOf(logs), before);
    return {
      figures,
      checked: `the same ${before.rows} rows before and after, byte for byte`,
      scaled: scaledOf(logs),
      profiled: process(logs[1]),
    };
  },
};

/** Runs without a single rule. */
async function withoutRules<T>(run: () => Promise<T>): Promise<T> {
  const scenarios = SCENARIOS as Scenario[];
  const all = scenarios.splice(0);
  try {
    return await run();
  } finally {
    scenarios.push(...all);
  }
}

export const rulesCost: Goal = {
  number: 20,
  title: 'processor records/s with all rules over none',
  async run() {
    const logs = createLogs();
    const before = rowsOf(logs);
    const without = await withoutRules(async () => rowsOf(logs));
    assert.ok(without.rows < before.rows);
    warmUp(logs[2]);
    const figures = await figuresOf(logs, 0.8, (log) => ratioOf(() => withoutRules(process(log)), process(log)));
    assert.deepEqual(rowsOf(logs), before);
    return {
      figures,
      checked: `${before.rows} rows with the rules, ${without.rows} without, the same before and after`,
      scaled: scaledOf(logs),
      profiled: process(logs[1]),
    };
  },
};
