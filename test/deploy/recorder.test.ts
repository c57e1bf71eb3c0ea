import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { Registry } from 'prom-client';
import type { ChangeRecord } from '../../collector/change-record.ts';
import { createCollector } from '../../collector/collector.ts';
import type { ChosenCluster } from '../../deploy/clusters.ts';
import { readRecords } from '../../deploy/recording-input.ts';
import { type Config, loadConfig } from '../../deploy/config.ts';
import { CommandError } from '../../deploy/errors.ts';
import { createLineMaker, recordCluster } from '../../deploy/recorder.ts';
import { createReplay, type IncidentJson } from '../../processor/replay.ts';
import { type FakeApiServer, fakeKubeconfig, type FakeObject, startFakeApiServer } from '../helpers/fake-api-server.ts';
import { recordsOf } from '../helpers/goldens.ts';
import { createMemoryWriter } from '../helpers/memory-writer.ts';
import { createPlayedCase } from '../helpers/played-case.ts';
import { CANARY, SECRET_OBJECTS } from '../helpers/secret-objects.ts';
import { silentLog } from '../helpers/silent-log.ts';
import { tempFolder } from '../helpers/temp-folder.ts';

const UID = 'uid-of-kube-system';

async function serve(): Promise<FakeApiServer> {
  const server = await startFakeApiServer({ clusterUid: UID });
  after(() => server.close());
  server.put('namespaces', { metadata: { name: 'kube-system', uid: UID }, status: { phase: 'Active' } });
  return server;
}

function configFor(server: FakeApiServer, more: Readonly<Record<string, unknown>> = {}): Config {
  const kubeconfig = tempFolder().write('kubeconfig', fakeKubeconfig({ shop: server.url }));
  return loadConfig({ env: {}, overrides: { 'collector.kubeconfig': kubeconfig, 'logging.level': 'silent', ...more } });
}
const SHOP: ChosenCluster = { config: { name: 'shop', context: 'shop' }, about: 'shop' };

function incidentsOf(records: Iterable<ChangeRecord>): IncidentJson[] {
  const replay = createReplay();
  for (const record of records) replay.push(record);
  return replay.incidents();
}

async function readBack(file: string): Promise<ChangeRecord[]> {
  const records: ChangeRecord[] = [];
  for await (const record of readRecords(file, 'shop', {})) records.push(record);
  return records;
}

/** What does not depend on the moment at which an answer arrived. */
const essence = ({ id, cluster, scenario, cause, state, subject, pods, firstSymptomTime }: IncidentJson): object => ({
  id,
  cluster,
  scenario,
  cause,
  state,
  subject,
  pods,
  firstSymptomTime,
});

test('a recording replays to the incidents that a collector of the same cluster leads to', async () => {
  const server = await serve();
  const config = configFor(server);
  const played = createPlayedCase(server, 'exit-sidecar', 60, 3);
  const writer = createMemoryWriter();
  const collector = createCollector(
    { config: { ...config.collector, clusters: [SHOP.config] }, fullSnapshotIntervalMs: 3_600_000 },
    { writer, log: silentLog, registry: new Registry() },
  );
  const file = join(tempFolder().path, 'shop.ndjson.gz');
  await collector.start();
  const [{ lines, rejected }] = await Promise.all([recordCluster(config, SHOP, 4_000, file), played.play()]);
  await collector.stop();

  assert.equal(rejected, 0);
  assert.equal(gunzipSync(readFileSync(file)).toString().trim().split('\n').length, lines);
  const expected = incidentsOf(writer.records);
  assert.deepEqual(
    expected.map(({ cause, pods }) => [cause, pods.length]),
    [['exit_immediate', 2]],
  );
  assert.deepEqual(incidentsOf(await readBack(file)).map(essence), expected.map(essence));
});

test('nothing that may not leave a cluster is in a recording', async () => {
  const server = await serve();
  for (const [resource, object] of Object.entries(SECRET_OBJECTS)) server.put(resource, object as FakeObject);
  const file = join(tempFolder().path, 'planted.ndjson');
  const { lines } = await recordCluster(configFor(server, { 'collector.nameOnlyResources': true }), SHOP, 1_500, file);
  const text = readFileSync(file, 'utf8');
  assert.ok(lines >= Object.keys(SECRET_OBJECTS).length, `${lines} lines`);
  assert.match(text, /uid-planted/);
  assert.ok(!text.includes(CANARY), text.slice(Math.max(0, text.indexOf(CANARY) - 200), text.indexOf(CANARY) + 20));
});

for (const name of ['oom-limit', 'img-rollout', 'sched-quota-cpu', 'live-exec', 'frozen-web']) {
  test(`the change records of ${name} become a recording and the same incidents again`, async () => {
    const records = await recordsOf(`cases/${name}.ndjson.gz`);
    const maker = createLineMaker();
    const lines = [...records.flatMap((record) => maker.push(record) ?? []), maker.end()];
    const again = await readBack(tempFolder().write(`${name}.ndjson`, `${lines.join('\n')}\n`));
    const withoutCluster = (incidents: IncidentJson[]) => incidents.map(essence).map((incident) => ({ ...incident, id: '', cluster: '' }));
    assert.deepEqual(withoutCluster(incidentsOf(again)), withoutCluster(incidentsOf(records)));
  });
}

test('a file that cannot be written, and namespaces that a recording cannot hold, are refused', async () => {
  const server = await serve();
  const config = configFor(server);
  const folder = tempFolder().path;
  await assert.rejects(
    recordCluster(config, SHOP, 1_000, join(folder, 'nowhere', 'x.ndjson')),
    (error) => error instanceof CommandError && error.exitCode === 1 && /write .*ENOENT/.test(error.message),
  );
  const two: ChosenCluster = { ...SHOP, config: { ...SHOP.config, namespaces: ['a', 'b'] } };
  await assert.rejects(recordCluster(config, two, 1_000, join(folder, 'two.ndjson')), (error) => error instanceof CommandError && error.exitCode === 2);
  assert.ok(!existsSync(join(folder, 'two.ndjson')));
});
