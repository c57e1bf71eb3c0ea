/** `podtrail capacity` over the golden case: recorded, and listed from a cluster. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { CapacityOptions } from '../../../deploy/commands/capacity.ts';
import { capacity } from '../../../deploy/commands/capacity.ts';
import type { CommandError } from '../../../deploy/errors.ts';
import type { FakeObject } from '../../helpers/fake-api-server.ts';
import { fakeKubeconfig, startFakeApiServer } from '../../helpers/fake-api-server.ts';
import { goldenNodes, goldenPods, goldenRecording } from '../../helpers/golden-cluster.ts';
import { tempFolder } from '../../helpers/temp-folder.ts';

const folder = tempFolder();
const recording = folder.write('golden.ndjson', goldenRecording(1).join('\n'));

async function run(options: Partial<CapacityOptions>): Promise<string> {
  const out: string[] = [];
  await capacity({ url: 'http://127.0.0.1:1', output: 'table', ...options }, { print: (line) => void out.push(line), note: () => {} });
  return out.join('\n');
}

test('prints pools and shapes of a recording', async () => {
  const lines = (await run({ recording })).split('\n').map((line) => line.split(/ {2,}/));
  assert.match(lines[0]?.[0] ?? '', /^golden: /);
  assert.deepEqual(lines[3], ['general', '12', '4', '60%/60%', '19c 38Gi', '0%/0%', '0.00', '1.6c 3.2Gi', '0.00']);
  assert.deepEqual(
    lines.find((line) => line[0] === 'general' && line[1] === '2c4Gi'),
    ['general', '2c4Gi', '0', '9', '1.000', 'cpu', '12', '0%'],
  );
});

test('is 80 columns wide at most', async () => {
  const widths = (await run({ recording })).split('\n').map(({ length }) => length);
  assert.ok(Math.max(...widths) <= 80, String(Math.max(...widths)));
});

test('only the pools asked for, as JSON', async () => {
  const pools = JSON.parse(await run({ recording, pool: ['general'], output: 'json' }));
  assert.deepEqual(
    pools.map(({ pool }: { pool: { pool: string } }) => pool.pool),
    ['general'],
  );
  assert.equal(pools[0].shapes.length, 5);
});

test('pool labels and shapes are those of the configuration', async () => {
  const rules = { capacity: { poolLabels: ['kubernetes.io/hostname'], shapes: [{ name: 'mine', request: { cpu: '1' } }], requestedShapes: 0 } };
  const out = await run({ recording, config: folder.write('rules.yaml', JSON.stringify({ rules })) });
  assert.match(out, /\nn12 {2,}1 {2,}[\d-]+ {2,}60%\/60%/);
  assert.match(out, /\nn12 {2,}mine {2,}1 /);
});

test('lists a cluster of the kubeconfig', async () => {
  const server = await startFakeApiServer();
  after(() => server.close());
  for (const each of [...goldenNodes, ...goldenPods]) server.put(each.kind === 'Node' ? 'nodes' : 'pods', each as unknown as FakeObject);
  const kubeconfig = folder.write('config', fakeKubeconfig({ prod: server.url }));
  const config = folder.write('podtrail.yaml', JSON.stringify({ collector: { kubeconfig } }));
  assert.match(await run({ context: 'prod', config }), /^prod: [\s\S]*\ngeneral {2,}12 {2,}4 {2,}60%\/60%/);
});

test('asks for one cluster, and a running API where none is named', async () => {
  await assert.rejects(run({ recording, context: 'a' }), (error: CommandError) => error.exitCode === 2);
  await assert.rejects(run({}), (error: CommandError) => error.exitCode === 1 && /no answer from/.test(error.message));
});
