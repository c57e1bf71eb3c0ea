/**
 * What podtrail standalone takes for so many pods, as the README tells it: node --import tsx test/bench/footprint.ts [PODS]. Recorded pods
 * are listed, then some of them change at the rate of Kubernetes' own limit; beside it the same without pods. Prints, and asserts that all came.
 * What the store takes is goal 17's: so soon after the start its parts are not merged.
 */
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { withStandalone } from './goals/live.ts';
import { waitFor } from './standalone.ts';

/** 20 pods a second are created and deleted where there are 150 000 (SIG Scalability's slos.md), with nine watch events each. */
const CHANGES_PER_POD_SECOND = (20 * 9) / 150_000;
const SYNC_MS = 120_000;
const SETTLE_MS = 30_000;
const MEASURED_MS = 60_000;
const MIB = 1_048_576;
const DAY_MS = 86_400_000;

interface Balance {
  readonly clusters: readonly { readonly received: number; readonly appended: number; readonly difference: number }[];
}

async function measure(listed: number): Promise<{ cpuPercent: number; rss: number; logPerDay: number }> {
  const rate = listed * CHANGES_PER_POD_SECOND;
  let found: Awaited<ReturnType<typeof measure>> | undefined;
  await withStandalone({ rate, listed, clusters: 1, resources: ['pods'] }, async (podtrail, server) => {
    await waitFor('the list', SYNC_MS, async () => {
      const [cluster] = (await podtrail.get<Balance>('/v1/balance')).clusters;
      return cluster !== undefined && cluster.received >= listed && cluster.difference < 1_000 ? true : undefined;
    });
    await delay(SETTLE_MS);
    const [cpuSeconds, logBefore, startMs] = [podtrail.cpuSeconds(), podtrail.logBytes(), performance.now()];
    await delay(MEASURED_MS);
    const elapsedMs = performance.now() - startMs;
    const logBytes = podtrail.logBytes();
    found = {
      cpuPercent: ((podtrail.cpuSeconds() - cpuSeconds) / elapsedMs) * 100_000,
      rss: podtrail.rssBytes(),
      logPerDay: ((logBytes - logBefore) / elapsedMs) * DAY_MS,
    };
    assert.ok(rate === 0 || (await server.counts()).changes > (rate * elapsedMs) / 1_000);
  });
  assert.ok(found !== undefined);
  return found;
}

const pods = Number(process.argv[2] ?? 10_000);
for (const listed of [0, pods]) {
  const { cpuPercent, rss, logPerDay } = await measure(listed);
  const mib = (bytes: number): string => (bytes / MIB).toFixed(0);
  console.log(
    `${listed} pods, ${(listed * CHANGES_PER_POD_SECOND).toFixed(0)} changes/s: CPU ${cpuPercent.toFixed(1)} % of a core, RSS ${mib(rss)} MiB, ` +
      `change log ${mib(logPerDay)} MiB a day until it is trimmed`,
  );
}
process.exit();
