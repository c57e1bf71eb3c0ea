/** Goals 8 and 20: what the processor makes of a record, beside JSON.parse of its bytes; and what the rules cost of that. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { decodeChangeRecord } from '../../../collector/change-record.ts';
import { createClusterState } from '../../../processor/core/state.ts';
import { step } from '../../../processor/core/step.ts';
import { SCENARIOS } from '../../../processor/scenarios/index.ts';
import type { Scenario } from '../../../processor/scenarios/scenario.ts';
import { encodeRow } from '../../../sql/encode-row.ts';
import { type Cluster, FAILING, HEALTHY, recordedClusters } from '../fleet.ts';
import type { Goal } from '../goal.ts';
import { cost, ratioOf } from '../measure.ts';

type Clusters = readonly Cluster[];

const parseAll = (clusters: Clusters, times: number) => (): Promise<number> =>
  cost(() => {
    for (let time = 0; time < times; time += 1) for (const { bytes } of clusters) for (const value of bytes) JSON.parse(value.toString());
  });

/** Decodes, applies and encodes every record; hands each row to `each`. */
function processAll(clusters: Clusters, each: (row: string) => void = () => {}): void {
  for (const { records, bytes } of clusters) {
    const first = records[0];
    if (first === undefined) continue;
    const state = createClusterState(first.cluster, 1);
    for (const value of bytes) {
      const decoded = decodeChangeRecord(value);
      if (!decoded.ok) throw new Error(decoded.reason);
      for (const { table, row, version } of step(state, decoded.record)) each(encodeRow(table, row as never, version));
    }
  }
}

const process = (clusters: Clusters, times: number) => (): Promise<number> =>
  cost(() => {
    for (let time = 0; time < times; time += 1) processAll(clusters);
  });

/**
 * Records applied before anything is measured. The core is much code and V8 compiles it as it is used: a record of the failing log costs
 * 243 µs at first and 70 µs after 150 k of them (measured). The goal's 2 M records spend nearly all of their time so.
 */
const WARM_RECORDS = 150_000;

function warmUp(clusters: Clusters): void {
  const records = clusters.reduce((sum, { bytes }) => sum + bytes.length, 0);
  for (let done = 0; done < WARM_RECORDS; done += records) processAll(clusters);
}

/** Hash of all rows, and their number. */
function rowsOf(clusters: Clusters): { readonly hash: string; readonly rows: number } {
  const hash = createHash('sha256');
  let rows = 0;
  processAll(clusters, (row) => {
    hash.update(row);
    rows += 1;
  });
  return { hash: hash.digest('hex'), rows };
}

/** Passes over the input, so that one run takes about half a second. */
const HEALTHY_TIMES = 1;
const FAILING_TIMES = 2;
/** Recorded namespaces at once. */
const COPIES = 10;

const scaledOf = (clusters: Clusters, times: number): string => {
  const records = clusters.reduce((sum, each) => sum + each.bytes.length, 0);
  return `${records} recorded records ${times} times over after ${WARM_RECORDS} to warm up, read from memory, instead of 2 M from a broker`;
};

export const processorSpeed: Goal = {
  number: 8,
  title: 'processor records/s/core over JSON.parse alone',
  async run() {
    const healthy = recordedClusters(HEALTHY, COPIES);
    const failing = recordedClusters(FAILING);
    const before = rowsOf([...healthy, ...failing]);
    warmUp(failing);
    const figures = [
      {
        what: 'healthy rollouts',
        value: await ratioOf(parseAll(healthy, HEALTHY_TIMES), process(healthy, HEALTHY_TIMES)),
        target: { above: 0.3 },
      },
      {
        what: 'nothing but failures',
        value: await ratioOf(parseAll(failing, FAILING_TIMES), process(failing, FAILING_TIMES)),
        target: { above: 0.3 },
      },
    ];
    assert.deepEqual(rowsOf([...healthy, ...failing]), before);
    return {
      figures,
      checked: `the same ${before.rows} rows before and after, byte for byte`,
      scaled: scaledOf(healthy, HEALTHY_TIMES),
      profiled: process(failing, 2 * FAILING_TIMES),
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
    const healthy = recordedClusters(HEALTHY, COPIES);
    const failing = recordedClusters(FAILING);
    const before = rowsOf([...healthy, ...failing]);
    const without = await withoutRules(async () => rowsOf([...healthy, ...failing]));
    assert.ok(without.rows < before.rows);
    warmUp(failing);
    const off = (clusters: Clusters, times: number) => () => withoutRules(process(clusters, times));
    const figures = [
      {
        what: 'healthy rollouts',
        value: await ratioOf(off(healthy, HEALTHY_TIMES), process(healthy, HEALTHY_TIMES)),
        target: { above: 0.8 },
      },
      {
        what: 'nothing but failures',
        value: await ratioOf(off(failing, FAILING_TIMES), process(failing, FAILING_TIMES)),
        target: { above: 0.8 },
      },
    ];
    assert.deepEqual(rowsOf([...healthy, ...failing]), before);
    return {
      figures,
      checked: `${before.rows} rows with the rules, ${without.rows} without, the same before and after`,
      scaled: scaledOf(healthy, HEALTHY_TIMES),
      profiled: process(failing, 2 * FAILING_TIMES),
    };
  },
};
