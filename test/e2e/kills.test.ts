/** kill -9, for real: whatever moment it hits, the tables end up as one undisturbed run of the same log would leave them. */
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { ClusterState } from '../../processor/core/state.ts';
import type { Replay } from '../../processor/replay.ts';
import { openClickHouse } from '../../sql/client.ts';
import { retentionConfig, storeConfig } from '../../sql/config.ts';
import { fakeKubeconfig, startFakeApiServer } from '../helpers/fake-api-server.ts';
import { assertKnowsAll, createFleetPlayer } from '../helpers/fleet.ts';
import { assertStoreIsReplay, readLogDirectory } from '../helpers/log-oracle.ts';
import { preparePodtrail, readMetric, waitWhile } from '../helpers/podtrail-process.ts';
import { tempFolder } from '../helpers/temp-folder.ts';

const SEED = Number(process.env['PODTRAIL_TEST_SEED'] ?? Date.now() % 1_000_000);
const KILLS = Number(process.env['PODTRAIL_TEST_KILLS'] ?? 50);
/** On a slow machine the killing ends after this long, but not before the least number of kills. */
const KILLING_MS = process.env['PODTRAIL_TEST_KILLS'] === undefined ? 75_000 : Number.POSITIVE_INFINITY;
const LEAST_KILLS = 15;
/** Kills come a random time after a random one of these has happened: at any moment of a start, and of work. */
const MOMENTS = ['"change log opened"', '"cluster (restored|is new here)"', '"cluster (restored|is new here)"', 'podtrail is at'].map(
  (text) => new RegExp(text),
);
const RETENTION = Object.fromEntries(Object.keys(retentionConfig.shape).map((key) => [key, 3_650]));
const DATABASE = 'podtrail_test';

/** mulberry32: the same seed gives the same moments, as far as real processes allow. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

function stateOf(replay: Replay): ClusterState {
  const state = replay.state('uid-of-kube-system');
  assert.ok(state !== undefined, 'the cluster is unknown');
  return state;
}

test(`standalone killed again and again in a fleet's life has the tables of one undisturbed run (PODTRAIL_TEST_SEED=${SEED})`, async (context) => {
  const random = createRandom(SEED);
  const folder = tempFolder();
  const server = await startFakeApiServer();
  const data = join(folder.path, 'data');
  mkdirSync(data);
  const config = folder.write(
    'podtrail.json',
    JSON.stringify({
      collector: { kubeconfig: folder.write('kubeconfig', fakeKubeconfig({ fleet: server.url })), startJitterSeconds: 0 },
      changeLog: { kind: 'embedded', segmentBytes: 1_048_576, fsyncIntervalMs: 0 },
      processor: { flushIntervalMs: 50, checkpointIntervalSeconds: 1 },
      store: { database: DATABASE, retention: RETENTION },
      api: { port: 0 },
    }),
  );
  const args = ['standalone', '--config', config, '--data', data];
  try {
    const player = createFleetPlayer(server, 'fleet/batch-1.ndjson.gz');
    const share = Math.ceil(player.left() / KILLS);
    let restored = 0;
    const waiting = [preparePodtrail(), preparePodtrail()];
    const startMs = performance.now();
    let kills = 0;
    while (kills < KILLS && (kills < LEAST_KILLS || performance.now() - startMs < KILLING_MS)) {
      const next = waiting.shift();
      if (next === undefined) throw new Error('nothing to kill');
      await next.ready;
      waiting.push(preparePodtrail());
      const podtrail = next.run(args);
      const moment = MOMENTS[Math.floor(MOMENTS.length * random())] ?? /^/;
      await waitWhile(`${moment}`, podtrail, () => moment.test(podtrail.output()));
      await player.play(share, 600 * random() ** 2);
      assert.equal(podtrail.hasExited(), false, `it ended by itself\n${podtrail.output()}`);
      podtrail.kill('SIGKILL');
      await podtrail.exited;
      kills++;
      if (podtrail.lines().some(({ msg }) => msg === 'cluster restored')) restored++;
    }
    context.diagnostic(`${kills} kills, ${restored} of them of a processor at work, in ${Math.round((performance.now() - startMs) / 1_000)} s`);
    assert.ok(restored >= kills / 4, `only ${restored} of ${kills} kills hit a processor at work`);
    const last = waiting.shift()?.run(args);
    for (const spare of waiting) spare.discard();
    if (last === undefined) throw new Error('nothing to run');
    const url = (): string | undefined => /podtrail is at (\S+)/.exec(last.output())?.[1];
    await waitWhile('the API is up', last, () => url() !== undefined);
    await waitWhile('all watches are open', last, () => server.watching('pods') > 0 && server.watching('events') > 0);
    await player.play(player.left(), 200);
    await delay(500);
    await waitWhile('the processor has caught up', last, async () => (await readMetric(url() ?? '', 'podtrail_processor_lag_records')) === 0);
    last.kill('SIGTERM');
    assert.deepEqual(await last.exited, { code: 0, signal: null }, last.output().slice(-2_000));

    const settings = storeConfig.parse({ directory: join(data, 'store'), database: DATABASE, retention: RETENTION });
    const store = await openClickHouse(settings);
    try {
      const replay = await assertStoreIsReplay(store.client, settings, new Map([[0, readLogDirectory(join(data, 'change-log'))]]));
      await assertKnowsAll(server, stateOf(replay));
      assert.ok(replay.rows('incidents').length > 0);
    } finally {
      await store.close();
    }
  } finally {
    await server.close();
  }
});
