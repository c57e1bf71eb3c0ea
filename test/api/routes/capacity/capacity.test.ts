/** The golden case through the core, the store and the API, figure by figure; and what the routes say when there is nothing to say. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { ChangeRecord } from '../../../../collector/change-record.ts';
import { createRecordingEncoder, decodeRecordingLine } from '../../../../collector/recording.ts';
import { createCapacityQuestions } from '../../../../processor/capacity-questions.ts';
import { createReplay } from '../../../../processor/replay.ts';
import type { FindState } from '../../../../processor/states.ts';
import type { App } from '../../../../api/routes/deps.ts';
import { capacity as capacityCommand } from '../../../../deploy/commands/capacity.ts';
import type { Printer } from '../../../../deploy/commands/precheck.ts';
import { precheck as precheckCommand } from '../../../../deploy/commands/precheck.ts';
import type { CommandError } from '../../../../deploy/errors.ts';
import { pod } from '../../../helpers/capacity.ts';
import { bigDeployment, GOLDEN_START_MS, goldenRecording } from '../../../helpers/golden-cluster.ts';
import { tempFolder } from '../../../helpers/temp-folder.ts';
import type { Database } from '../../harness.ts';
import { createApi, createDatabase, DAY, get, getAll, MINUTE } from '../../harness.ts';
import { cluster, incident } from '../../rows.ts';

const NOW = GOLDEN_START_MS + 5 * MINUTE;
const wanted = pod('big', { cpu: '2', memory: '4Gi' });

function recordsOf(lines: readonly string[]): ChangeRecord[] {
  const encoder = createRecordingEncoder({ cluster: { name: 'golden' } });
  return [...lines.flatMap((line, index) => encoder.push(decodeRecordingLine(line, index + 1))), ...encoder.end()].filter(({ type }) => type !== 'SESSION_END');
}

let database: Database;
let app: App;
before(async () => {
  database = await createDatabase();
  const replay = createReplay();
  for (const record of recordsOf(goldenRecording(5, [wanted]))) replay.push(record);
  await database.insert('clusters', [cluster({ cluster: 'golden' })]);
  await database.insert('capacity_samples', replay.rows('capacity_samples'));
  const state = replay.state('golden-uid');
  assert.ok(state);
  const find: FindState = async (name) => (name === 'golden' ? { kind: 'state', state, checkpointTimeMs: undefined } : { kind: 'no_cluster' });
  ({ app } = await createApi(database, {}, { now: () => NOW, capacity: createCapacityQuestions(find) }));
});
after(async () => {
  await app.close();
  await database.close();
});

test('capacity: the whole cluster and its pool, 60 % used, 4 nodes removable', async () => {
  const { status, body } = await get(app, '/v1/capacity');
  assert.equal(status, 200, JSON.stringify(body));
  assert.deepEqual(
    body.items.map((item: { pool: string }) => item.pool),
    ['', 'general'],
  );
  const [, general] = body.items;
  assert.deepEqual(general.allocationRatio.cpu, 0.6);
  assert.deepEqual(general.free, { cpuMillicores: 19_200, memoryBytes: 12 * (8 * 1_024 ** 3 - 3 * 1_638 * 1_024 ** 2), pods: 1_284 });
  assert.deepEqual(general.removableNodes, { atLeast: 4, atMost: 4 });
  // 48 cores at 0.03 and 96 GiB at 0.004 an hour.
  assert.equal(general.cost.perHour, 1.824);
  assert.deepEqual([general.nodes, general.time, general.dayAgo], [12, '2026-01-15T12:05:00.000Z', null]);
  assert.deepEqual(
    general.frontier.map((point: { nodes: number }) => point.nodes),
    [12],
  );
});

test('fragmentation: K, K* and phi of every shape', async () => {
  const { body } = await get(app, '/v1/fragmentation?pool=general');
  const figures = body.items.map((item: Record<string, number>) => [item['shape'], item['k'], item['kStar'], Number(item['phi']?.toFixed(3))]);
  assert.deepEqual(figures, [
    ['0.5c1Gi', 36, 38, 0.053],
    ['0.8c1638Mi', 24, 24, 0],
    ['1c2Gi', 12, 19, 0.368],
    ['2c4Gi', 0, 9, 1],
    ['4c8Gi', 0, 4, 1],
  ]);
});

test('"-" is the whole cluster, wherever a request names a pool', async () => {
  const pools = async (path: string) => [...new Set((await get(app, path)).body.items.map((item: { pool: string }) => item.pool))];
  assert.deepEqual(await pools('/v1/capacity?pool=-'), ['']);
  assert.deepEqual(await pools('/v1/fragmentation?pool=-'), ['']);
  const { body } = await get(app, '/v1/capacity/history?cluster=golden&pool=-&from=2026-01-15T12:00:00Z&step=1h');
  assert.deepEqual([body.pool, body.nodes], ['', [12]]);
});

test('pages follow each other without a hole, at the same moment', async () => {
  const all = (await get(app, '/v1/fragmentation')).body.items;
  assert.equal(all.length, 10);
  assert.deepEqual(await getAll(app, '/v1/fragmentation?limit=3'), all);
  assert.deepEqual(await getAll(app, '/v1/capacity?limit=1'), (await get(app, '/v1/capacity')).body.items);
});

test('history: one bucket of the samples there are, null where there are none', async () => {
  const { status, body } = await get(app, '/v1/capacity/history?cluster=golden&pool=general&shape=2c4Gi&step=5m&from=2026-01-15T11:50:00Z');
  assert.equal(status, 200, JSON.stringify(body));
  assert.deepEqual(body.buckets, ['2026-01-15T11:50:00.000Z', '2026-01-15T11:55:00.000Z', '2026-01-15T12:00:00.000Z']);
  assert.deepEqual(body.samples, [0, 0, 4]);
  assert.deepEqual(
    [body.k, body.kStar, body.phi],
    [
      [null, null, 0],
      [null, null, 9],
      [null, null, 1],
    ],
  );
});

test('a day later the present is empty, the day before is remembered', async () => {
  const later = await createApi(database, {}, { now: () => NOW + DAY });
  assert.deepEqual((await get(later.app, '/v1/capacity')).body, { items: [], next: null });
  const rows = (await get(app, '/v1/capacity')).body.items;
  assert.equal((await get(later.app, '/v1/capacity?at=2026-01-15T12:05:00Z')).body.items.length, rows.length);
  await later.app.close();
});

test('a shape node by node, with the words of the scheduler', async () => {
  const { status, body } = await get(app, '/v1/fragmentation/golden/general/shapes/2c4Gi');
  assert.equal(status, 200, JSON.stringify(body));
  assert.deepEqual([body.k, body.kStar, body.phi, body.source, body.nodes.length], [0, 9, 1, 'live', 12]);
  assert.deepEqual(body.nodes[0].reasons, ['Insufficient cpu', 'Insufficient memory']);
  assert.deepEqual([body.nodes[0].free.cpu, body.nodes[0].copies, body.nodes[0].eligible], [1_600, 0, true]);
  assert.equal((await get(app, '/v1/fragmentation/golden/-/shapes/0.8c1638Mi')).body.k, 24);
});

for (const [name, query] of [
  ['a shape', 'shape=2c4Gi&pool=general'],
  ['a pod that waits', 'namespace=shop&pod=big'],
] as const) {
  test(`the remedy for ${name} is to move one pod`, async () => {
    const { status, body } = await get(app, `/v1/fragmentation/remedy?cluster=golden&${query}`);
    assert.equal(status, 200, JSON.stringify(body));
    assert.equal(body.move.moves.length, 1);
    assert.deepEqual([body.move.exact, body.move.moves[0].request.cpu, body.move.moves[0].freeBefore.cpu, body.move.freeAfter.cpu], [true, 800, 1_600, 2_400]);
    assert.match(body.text, /^move shop\/web-n\d\d-\d from n\d\d to n\d\d; one replica then fits on n\d\d; or add a node like n01/);
    assert.deepEqual([body.addNodes.count, body.addNodes.perHour], [1, 0.152]);
  });
}

for (const [path, status] of [
  ['/v1/fragmentation/golden/nowhere/shapes/2c4Gi', 404],
  ['/v1/fragmentation/golden/general/shapes/huge', 404],
  ['/v1/fragmentation/other/general/shapes/2c4Gi', 404],
  ['/v1/fragmentation/remedy?cluster=golden', 400],
  ['/v1/fragmentation/remedy?cluster=golden&shape=2c4Gi&pod=big', 400],
  ['/v1/fragmentation/remedy?cluster=golden&pod=big', 400],
  ['/v1/fragmentation/remedy?cluster=golden&pod=gone&namespace=shop', 404],
  ['/v1/capacity/history?cluster=golden&step=5m&from=2025-12-01T00:00:00Z', 400],
] as const) {
  test(`${path} is ${status}`, async () => {
    assert.equal((await get(app, path)).status, status);
  });
}

async function precheck(payload: object) {
  const response = await app.inject({ method: 'POST', url: '/v1/precheck', payload });
  return { status: response.statusCode, body: response.json() };
}
const checkOf = (body: { workloads: { checks: { check: string; status: string }[] }[] }, name: string) =>
  body.workloads[0]?.checks.find(({ check }) => check === name);

test('precheck: what fits nowhere fails, with the scheduler’s words and the remedy', async () => {
  const { status, body } = await precheck({ cluster: 'golden', manifests: bigDeployment(2) });
  assert.equal(status, 200, JSON.stringify(body));
  assert.equal(body.status, 'fail');
  const [fit] = body.workloads[0].checks;
  assert.match(fit.reason, /^0 of 2 replicas of 2c4Gi fit; .*0\/12 nodes are available/);
  assert.match(fit.fix, /^move shop\/web/);
  assert.equal(checkOf(body, 'image_history')?.status, 'pass');
});

test('precheck: problems name document, line and field, and nothing is checked', async () => {
  const { body } = await precheck({ cluster: 'golden', manifests: bigDeployment(1).replace('image:', 'imagee:') });
  assert.deepEqual([body.status, body.workloads, body.problems[0].document, body.problems[0].line], ['fail', [], 1, 12]);
});

test('precheck: remembers pulls of the fleet, kills of the workload and what is open', async () => {
  const past = { openedTimeMs: NOW - DAY, updatedTimeMs: NOW - DAY, subjectNamespace: 'shop' };
  const image = 'registry.example.com/shop/big:1';
  const evidence = JSON.stringify([{ kind: 'field', object: 'Pod shop/big-1', path: 'spec.containers[app].resources.limits.memory', value: '8Gi' }]);
  await database.insert('incidents', [
    incident({
      ...past,
      id: 'p',
      cluster: 'elsewhere',
      scenario: 'image_pull_failure',
      cause: 'image_not_found',
      image,
      registry: 'registry.example.com',
      state: 'resolved',
      resolution: 'recovered',
    }),
    incident({ ...past, id: 'o', cluster: 'golden', subjectName: 'big', evidence, state: 'resolved', resolution: 'recovered' }),
    incident({
      ...past,
      id: 'n',
      cluster: 'golden',
      subjectKind: 'Node',
      subjectNamespace: '',
      subjectName: 'n01',
      scenario: 'node_lost',
      cause: 'node_unreachable',
    }),
  ]);
  const manifests = bigDeployment(1).replace('4Gi}}', '4Gi}, limits: {memory: 4Gi}}');
  const { body } = await precheck({ cluster: 'golden', manifests });
  const reasons = ['image_history', 'container_history', 'cluster_health'].map((name) => checkOf(body, name) as unknown as { status: string; reason: string });
  assert.deepEqual(
    reasons.map(({ status }) => status),
    ['warn', 'warn', 'warn'],
  );
  assert.match(reasons[0]!.reason, /pulling this image has failed before/);
  assert.match(reasons[1]!.reason, /was killed for memory at a limit of 8Gi; the limit is 4Gi/);
  assert.match(reasons[2]!.reason, /open: node_lost\/node_unreachable/);
  await database.clear('incidents');
});

for (const [name, payload, status] of [
  ['an unknown cluster', { cluster: 'other', manifests: 'a: 1' }, 404],
  ['no manifests', { cluster: 'golden' }, 400],
  ['a field nobody knows', { cluster: 'golden', manifests: 'a: 1', dryRun: true }, 400],
  ['more text than is taken', { cluster: 'golden', manifests: 'x'.repeat(2 * 1_024 * 1_024 + 1) }, 400],
] as const) {
  test(`precheck: ${name} is ${status}`, async () => {
    assert.equal((await precheck(payload)).status, status);
  });
}

async function cli(run: (url: string, printer: Printer) => Promise<unknown>) {
  const [out, err]: [string[], string[]] = [[], []];
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  const result = await run(url, { print: (line) => void out.push(line), note: (line) => void err.push(line) });
  return { result, out: out.join('\n'), err: err.join('\n') };
}

test('the command line asks the same routes', async () => {
  const folder = tempFolder();
  const manifest = folder.write('big.yaml', bigDeployment(1));
  const long = folder.write('long.yaml', `${bigDeployment(1)}# ${'x'.repeat(300_000)}`);
  const options = { cluster: 'golden', failOn: 'fail', format: 'text' } as const;
  const { result, out, err } = await cli(async (url, printer) => [
    await precheckCommand({ ...options, url, filename: [manifest] }, printer),
    await precheckCommand({ ...options, url, filename: [long] }, printer),
    await capacityCommand({ url, cluster: ['golden'], pool: ['general'], output: 'table' }, printer),
    await precheckCommand({ ...options, url, filename: [manifest], cluster: 'other' }, printer).catch((error: CommandError) => error.exitCode),
  ]);
  assert.deepEqual(result, [2, 3, undefined, 2]);
  assert.match(out, /^Deployment shop\/big: fail, 0 of 1 replicas placed/);
  assert.match(out, /^golden: /m);
  assert.match(out, /^general {2}2c4Gi {7}0 {3}9 {3}1\.000/m);
  assert.match(err, /long\.yaml document 1 line 1: has \d+ characters, more than the 262144 of one document/);
});
