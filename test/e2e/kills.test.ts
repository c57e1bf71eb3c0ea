/** kill -9, for real: whatever moment it hits, the tables end up as one undisturbed run of the same log would leave them. */
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openClickHouse } from '../../sql/client.ts';
import { retentionConfig, storeConfig } from '../../sql/config.ts';
import { fakeKubeconfig, startFakeApiServer } from '../helpers/fake-api-server.ts';
import { assertComplete, createFleetPlayer, waitUntilTaken } from '../helpers/fleet.ts';
import { SEED, startKilling } from '../helpers/kills.ts';
import { assertStoreIsReplay, readLogDirectory } from '../helpers/log-oracle.ts';
import { readMetric, waitWhile } from '../helpers/podtrail-process.ts';
import { tempFolder } from '../helpers/temp-folder.ts';

/** Kills come a random time after a random one of these has happened: at any moment of a start, and of work. */
const MOMENTS = [/"change log opened"/, /"cluster (restored|is new here)"/, /"cluster (restored|is new here)"/, /podtrail is at/];
const RETENTION = Object.fromEntries(Object.keys(retentionConfig.shape).map((key) => [key, 3_650]));
const DATABASE = 'podtrail_test';

test(`standalone killed again and again in a fleet's life has the tables of one undisturbed run (PODTRAIL_TEST_SEED=${SEED})`, async (context) => {
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
  const player = createFleetPlayer(server, 'fleet/batch-1.ndjson.gz');
  const killing = startKilling([player]);
  try {
    let restored = 0;
    let kills = 0;
    for (let kill = killing.next(); kill !== undefined; kill = killing.next()) {
      const podtrail = await killing.start(args);
      await killing.killAfter(podtrail, killing.draw(MOMENTS));
      if (podtrail.lines().some(({ msg }) => msg === 'cluster restored')) restored++;
      kills = kill;
    }
    context.diagnostic(`${killing.describe()}, ${restored} of them of a processor at work`);
    assert.ok(restored >= kills / 4, `only ${restored} of ${kills} kills hit a processor at work`);
    const last = await killing.start(args);
    const url = (): string => /podtrail is at (\S+)/.exec(last.output())?.[1] ?? '';
    await waitWhile('the API is up', last, () => url() !== '');
    await player.play(player.left(), 200);
    await waitUntilTaken(server, last);
    await waitWhile('no change waits for the log', last, async () => (await readMetric(url(), 'podtrail_collector_buffer_bytes')) === 0);
    await waitWhile('the processor has caught up', last, async () => (await readMetric(url(), 'podtrail_processor_lag_records')) === 0);
    last.kill('SIGTERM');
    assert.deepEqual(await last.exited, { code: 0, signal: null }, last.output().slice(-2_000));

    const settings = storeConfig.parse({ directory: join(data, 'store'), database: DATABASE, retention: RETENTION });
    const store = await openClickHouse(settings);
    try {
      const replay = await assertStoreIsReplay(store.client, settings, new Map([[0, readLogDirectory(join(data, 'change-log'))]]));
      await assertComplete(server, replay);
    } finally {
      await store.close();
    }
  } finally {
    killing.end();
    await server.close();
  }
});
