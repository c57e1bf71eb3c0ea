/** `podtrail precheck` as a program: what it prints and how it exits. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { PrecheckOptions } from '../../../deploy/commands/precheck.ts';
import { precheck } from '../../../deploy/commands/precheck.ts';
import type { CommandError } from '../../../deploy/errors.ts';
import type { FakeObject } from '../../helpers/fake-api-server.ts';
import { fakeKubeconfig, startFakeApiServer } from '../../helpers/fake-api-server.ts';
import { bigDeployment, GOLDEN_REQUEST, goldenNodes, goldenPods, goldenRecording } from '../../helpers/golden-cluster.ts';
import { tempFolder } from '../../helpers/temp-folder.ts';

const folder = tempFolder();
const recording = folder.write('golden.ndjson', goldenRecording(1).join('\n'));
const big = folder.write('big.yaml', bigDeployment(1));
const small = folder.write('small.yaml', bigDeployment(3).replace('"2"', GOLDEN_REQUEST.cpu).replace('4Gi', GOLDEN_REQUEST.memory));
const bad = folder.write('bad.yaml', `${bigDeployment(1)}---\n${bigDeployment(1).replace('image', 'imagee')}`);

type Options = Partial<PrecheckOptions>;
async function run(options: Options) {
  const [out, err]: [string[], string[]] = [[], []];
  const printer = { print: (line: string) => void out.push(line), note: (line: string) => void err.push(line) };
  const code = await precheck({ url: 'http://127.0.0.1:1', failOn: 'fail', format: 'text', ...options }, printer);
  return { code, out: out.join('\n'), err: err.join('\n') };
}

const refusal = (exitCode: number, message: RegExp) => (error: CommandError) => error.exitCode === exitCode && message.test(error.message);

test('fails what fits nowhere, in the words of the scheduler, with the one pod to move', async () => {
  const { code, out } = await run({ filename: [big], recording, format: 'json' });
  assert.equal(code, 2);
  const { status, workloads } = JSON.parse(out);
  const fit = workloads[0].checks[0];
  assert.equal(status, 'fail');
  assert.match(fit.reason, /^0 of 1 replicas of 2c4Gi fit; .*0\/12 nodes are available: 12 Insufficient cpu, 12 Insufficient memory/);
  assert.match(fit.fix, /^move shop\/web-n\d\d-\d from n\d\d to n\d\d; one replica then fits on n\d\d/);
});

test('passes as many replicas as fit, and not one more', async () => {
  const { code, out } = await run({ filename: [small], recording, replicas: 24 });
  assert.equal(code, 0, out);
  assert.match(out, /^Deployment shop\/big: unknown, 24 of 24 replicas placed/);
  assert.equal((await run({ filename: [small], recording, replicas: 25 })).code, 2);
});

test('passes warnings, unless they are to fail', async () => {
  const none = { filename: [small], recording, replicas: 0 };
  const { code, out } = await run(none);
  assert.match(out, /: warn, 0 of 0 replicas/);
  assert.deepEqual([code, (await run({ ...none, failOn: 'warn' })).code], [0, 2]);
});

test('refuses manifests that cannot be used, with document, line and field', async () => {
  const { code, err, out } = await run({ filename: [bad], recording, format: 'markdown' });
  assert.equal(code, 3);
  assert.match(err, /bad\.yaml document 2 line 26: spec\.template\.spec\.containers\[0\]\.imagee is not a known field of Container/);
  assert.match(out, /^### ❌ Pre-check: the manifests cannot be used\n\n- document 2 line 26/);
});

test('prints Markdown for a pull request', async () => {
  const { out } = await run({ filename: [big], recording, format: 'markdown' });
  assert.match(out, /^### ❌ Pre-check on `golden`: fail/);
  assert.match(out, /\| ❌ \| fit \| 0 of 1 replicas/);
});

for (const [name, options, expected] of [
  ['no manifest', {}, refusal(2, /name manifests with -f/)],
  ['two clusters', { filename: [big], recording, context: 'a' }, refusal(2, /name one of --cluster, --context and --recording/)],
  ['a manifest that is not there', { filename: [`${big}.missing`], recording }, refusal(3, /ENOENT/)],
  ['a recording that is not there', { filename: [big], recording: `${big}.missing` }, refusal(3, /ENOENT/)],
  ['an API that does not answer', { filename: [big], cluster: 'a' }, refusal(1, /no answer from/)],
] as const satisfies readonly (readonly [string, Options, object])[]) {
  test(`refuses ${name}`, async () => {
    await assert.rejects(run(options), expected);
  });
}

const server = await startFakeApiServer();
after(() => server.close());
const config = folder.write('podtrail.yaml', JSON.stringify({ collector: { kubeconfig: folder.write('config', fakeKubeconfig({ 'a/b@c': server.url })) } }));

test('lists a cluster of the kubeconfig once, and watches nothing', async () => {
  for (const each of [...goldenNodes, ...goldenPods]) server.put(each.kind === 'Node' ? 'nodes' : 'pods', each as unknown as FakeObject);
  server.fail({ verb: 'list', resource: 'secrets', fault: { kind: 'status', status: 403 } });
  const { code, out, err } = await run({ filename: [big], context: 'a/b@c', format: 'json', config });
  assert.equal(code, 2, err);
  assert.equal(JSON.parse(out).cluster, 'a/b@c');
  assert.match(err, /^secrets cannot be listed/);
  assert.deepEqual(
    server.requests.filter(({ verb }) => verb === 'watch'),
    [],
  );
});

test('says why a cluster cannot be asked', async () => {
  server.fail({ verb: 'list', resource: 'nodes', fault: { kind: 'status', status: 403 } });
  await assert.rejects(run({ filename: [big], config }), refusal(1, /^list nodes of .* failed/));
});
