/**
 * What podtrail standalone takes for so many pods, as the README tells it: node --import tsx test/bench/footprint.ts [PODS]. Recorded pods
 * are listed, then some of them change at the rate of Kubernetes' own limit; at the same time the same without pods, so that the machine's
 * busy minutes hit both. Prints, and asserts that all came.
 */
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { withStandalone } from './goals/live.ts';
import { type Ratio, summarize } from './measure.ts';
import { waitFor } from './standalone.ts';

/** 20 pods a second are created and deleted where there are 150 000 (SIG Scalability's slos.md), with nine watch events each. */
const CHANGES_PER_POD_SECOND = (20 * 9) / 150_000;
const SYNC_MS = 120_000;
const SETTLE_MS = 30_000;
const WINDOW_MS = 20_000;
const WINDOWS = 9;
const MIB = 1_048_576;

interface Balance {
  readonly clusters: readonly { readonly received: number; readonly appended: number; readonly difference: number }[];
}

interface Footprint {
  readonly cpuPercent: Ratio;
  readonly rss: Ratio;
  /** Bytes a second. */
  readonly log: Ratio;
  /** Bytes at the end; so soon after the start most of its parts are not merged: what a change takes in the end is goal 17's. */
  readonly store: number;
}

async function measure(listed: number): Promise<Footprint> {
  const rate = listed * CHANGES_PER_POD_SECOND;
  const windows: { readonly cpuPercent: number; readonly rss: number; readonly log: number }[] = [];
  let store = 0;
  await withStandalone({ rate, listed, clusters: 1, resources: ['pods'] }, async (podtrail, server) => {
    await waitFor('the list', SYNC_MS, async () => {
      const [cluster] = (await podtrail.get<Balance>('/v1/balance')).clusters;
      return cluster !== undefined && cluster.received >= listed && cluster.difference < 1_000 ? true : undefined;
    });
    await delay(SETTLE_MS);
    const { changes } = await server.counts();
    for (let window = 0; window < WINDOWS; window += 1) {
      const [cpuSeconds, logBytes, startMs] = [podtrail.cpuSeconds(), podtrail.logBytes(), performance.now()];
      await delay(WINDOW_MS);
      const seconds = (performance.now() - startMs) / 1_000;
      windows.push({
        cpuPercent: ((podtrail.cpuSeconds() - cpuSeconds) / seconds) * 100,
        rss: podtrail.rssBytes(),
        log: (podtrail.logBytes() - logBytes) / seconds,
      });
    }
    store = podtrail.storeBytes();
    assert.ok((await server.counts()).changes - changes >= 0.99 * rate * WINDOWS * (WINDOW_MS / 1_000));
    await waitFor('the books to balance', SYNC_MS, async () => {
      const [cluster] = (await podtrail.get<Balance>('/v1/balance')).clusters;
      return cluster !== undefined && cluster.received >= listed + changes && cluster.difference < 1_000 ? true : undefined;
    });
  });
  const over = (pick: (window: (typeof windows)[number]) => number): Ratio => summarize(windows.map(pick));
  return { cpuPercent: over((each) => each.cpuPercent), rss: over((each) => each.rss), log: over((each) => each.log), store };
}

const shown = ({ median, lowest, highest }: Ratio, unit: number, digits: number): string =>
  `${(median / unit).toFixed(digits)} (${(lowest / unit).toFixed(digits)}–${(highest / unit).toFixed(digits)})`;

const pods = Number(process.argv[2] ?? 10_000);
const sides = [0, pods];
const found = await Promise.all(sides.map(measure));
for (const [index, { cpuPercent, rss, log, store }] of found.entries()) {
  const listed = sides[index] ?? 0;
  console.log(
    `${listed} pods, ${(listed * CHANGES_PER_POD_SECOND).toFixed(0)} changes/s: CPU ${shown(cpuPercent, 1, 1)} % of a core, RSS ${shown(rss, MIB, 0)} MiB, ` +
      `change log ${shown(log, 1_024, 1)} KiB/s until it is trimmed, store ${(store / MIB).toFixed(0)} MiB, not merged yet`,
  );
}
console.log(`median and spread of ${WINDOWS} parts of ${WINDOW_MS / 1_000} s; every change came`);
process.exit();
