/** Commands that need no running podtrail, as processes: what goes to which stream, in which form, with which exit code. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmodSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { FAMILIES, buildProgram } from '../../deploy/main.ts';
import { type CliResult, runCli, startCli } from '../helpers/podtrail-cli.ts';
import { recordedLines } from '../helpers/recorded.ts';
import { tempFolder } from '../helpers/temp-folder.ts';

const BIN = fileURLToPath(new URL('../../deploy/podtrail.js', import.meta.url));
const recording = (path: string): string => fileURLToPath(new URL(`../recordings/${path}.ndjson.gz`, import.meta.url));
const folder = tempFolder();

/** The fields that a line of an incident has at least, in any output. */
const FIELDS =
  'id,cluster,scenario,cause,flags,confidence,detail,state,resolution,severity,subject,pods,impact,openedTime,updatedTime,resolvedTime,flaps,summary,evidence,suspectedChange,supersededBy'.split(
    ',',
  );
type Line = Readonly<Record<string, unknown>> & { readonly subject: object; readonly pods: readonly object[]; readonly evidence: readonly object[] };

function assertContract(line: Line): void {
  for (const field of FIELDS) assert.ok(field in line, `${field} is missing`);
  assert.deepEqual(Object.keys(line.subject).sort(), ['container', 'kind', 'name', 'namespace']);
  for (const pod of line.pods) assert.deepEqual(Object.keys(pod).sort(), ['name', 'namespace', 'uid']);
  assert.ok(line.evidence.length > 0);
}
const linesOf = ({ stdout }: CliResult): Line[] =>
  stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);

/** A list as kubectl prints it: everything that a recorded case has had. */
function kubectlList(name: string): { readonly kind: string; readonly items: readonly object[] } {
  const objects = new Map<string, object>();
  for (const { type, object } of recordedLines(`cases/${name}.ndjson.gz`)) {
    if (type !== 'ADDED' && type !== 'MODIFIED') continue;
    const { metadata } = object as { readonly metadata: { readonly uid: string; readonly deletionTimestamp?: string } };
    if (metadata.deletionTimestamp !== undefined) break;
    objects.set(metadata.uid, object as object);
  }
  return { kind: 'List', items: [...objects.values()] };
}

test('replay: results on stdout, counters on stderr; one line an incident, an array, or a table', async () => {
  const file = recording('cases/exit-sidecar');
  const [ndjson, json, table] = await Promise.all([
    runCli(['replay', file, '--format', 'ndjson']),
    runCli(['replay', file, '--format', 'json', '--cluster-name', 'prod']),
    runCli(['replay', file]),
  ]);
  for (const { code, stderr } of [ndjson, json, table]) {
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^\d+ records in [\d.]+ s, 1 incident\n$/);
  }
  const [line, ...others] = linesOf(ndjson);
  assert.ok(line !== undefined && others.length === 0);
  assertContract(line);
  assert.equal(line['cluster'], 'exit-sidecar', 'named by the file');
  const [incident] = JSON.parse(json.stdout) as [Line];
  assert.deepEqual({ ...incident, id: line['id'], cluster: 'exit-sidecar' }, line);
  assert.match(table.stdout, /^ID .*\n[0-9a-f]{12} .* Deployment\/exit-sidecar\/d\/sidecar /);
});

test('replay: of a case that is well there is nothing to say', async () => {
  const { code, stdout, stderr } = await runCli(['replay', recording('cases/job-ok'), '--format', 'ndjson']);
  assert.deepEqual([code, stdout], [0, '']);
  assert.match(stderr, /0 incidents/);
});

const FIRST = '{"t":1,"resource":"pods","type":"LIST","object":{"resourceVersion":"1","items":[]}}';
const MALFORMED: readonly { readonly name: string; readonly file: string; readonly says: RegExp }[] = [
  { name: 'a line that is no JSON', file: folder.write('text.ndjson', `${FIRST}\nrubbish\n`), says: /text\.ndjson: recording line 2: not JSON/ },
  { name: 'an unknown resource', file: folder.write('kind.ndjson', `${FIRST.replace('pods', 'pots')}\n`), says: /kind\.ndjson: recording line 1: resource/ },
  {
    name: 'a change before any list',
    file: folder.write('early.ndjson', `${FIRST.replace('LIST', 'ADDED')}\n`),
    says: /early\.ndjson: recording line 1: ADDED of pods without a LIST/,
  },
  { name: 'a file that is not there', file: join(folder.path, 'gone.ndjson'), says: /read .*gone\.ndjson failed: ENOENT/ },
  { name: 'a folder', file: folder.path, says: /read .* failed: EISDIR/ },
];
for (const { name, file, says } of MALFORMED) {
  test(`replay: ${name} ends with 3 and says where`, async () => {
    const { code, stdout, stderr } = await runCli(['replay', file]);
    assert.deepEqual([code, stdout], [3, ''], stderr);
    assert.match(stderr, says);
  });
}

test('replay: standard input, compressed or not; one that is cut off ends with 3, an empty one is no error', async () => {
  const whole = gzipSync(`${FIRST}\n`.repeat(1_000));
  const results = await Promise.all(
    [whole, whole.subarray(0, whole.length - 20), ''].map((input) => {
      const cli = startCli(['replay', '-']);
      cli.child.stdin.end(input);
      return cli.ended;
    }),
  );
  assert.deepEqual(
    results.map(({ code }) => code),
    [0, 3, 0],
  );
  assert.match(results[1]?.stderr ?? '', /podtrail: -: recording line \d+: damaged gzip data/);
});

test('explain: JSON and YAML, from a file and from standard input', async () => {
  const list = kubectlList('img-404');
  const file = folder.write('list.json', JSON.stringify(list));
  const yaml = list.items.map((item) => `---\n${JSON.stringify(item)}\n`).join('');
  const [text, ndjson, json, zh] = await Promise.all([
    runCli(['explain', file]),
    runCli(['explain', '-', '--format', 'ndjson'], { input: yaml }),
    runCli(['explain', '--format', 'json'], { input: JSON.stringify(list) }),
    runCli(['explain', file, '--lang', 'zh']),
  ]);
  for (const { code, stderr } of [text, ndjson, json, zh]) assert.equal(code, 0, stderr);
  assert.match(text.stdout, /^Pod img-404\/p {2}ImagePullBackOff\n {2}image_pull_failure\/image_not_found, certain\n/);
  assert.match(text.stdout, / {4}1\. .*\n {7}\$ kubectl .*img-404/);
  assert.match(text.stdout, /\n1 with findings, 0 without\n$/);
  const lines = linesOf(ndjson);
  assert.equal(lines.length, 1);
  for (const line of lines) assertContract(line);
  const [object] = JSON.parse(json.stdout) as [{ readonly verdict: string; readonly findings: readonly Line[] }];
  assert.equal(object.verdict, 'failing');
  assert.deepEqual(
    object.findings.map(({ scenario, cause }) => [scenario, cause]),
    [['image_pull_failure', 'image_not_found']],
  );
  assert.match(zh.stdout, /镜像/);
});

test('explain: what cannot be read ends with 3', async () => {
  const [empty, broken, gone] = await Promise.all([
    runCli(['explain'], { input: '' }),
    runCli(['explain', '-'], { input: '{"kind":' }),
    runCli(['explain', join(folder.path, 'gone.json')]),
  ]);
  assert.deepEqual([empty.code, broken.code, gone.code], [3, 3, 3]);
  assert.match(empty.stderr, /standard input is empty/);
  assert.match(broken.stderr, /standard input is not valid JSON/);
  assert.match(gone.stderr, /read .*gone\.json failed: ENOENT/);
});

test('a reader that has enough is no error', async () => {
  const files = Array.from({ length: 6 }, () => recording('fleet/batch-3'));
  const cli = startCli(['replay', ...files, '--format', 'json']);
  cli.child.stdin.end();
  cli.child.stdout.once('data', () => cli.child.stdout.destroy());
  const { code, stderr } = await cli.ended;
  assert.equal(code, 0, stderr);
  assert.doesNotMatch(stderr, /EPIPE|Error/);
});

test('without a podtrail to ask, commands say so and end with 1; a wrong address ends with 2', async () => {
  const [away, wrong] = await Promise.all([runCli(['incidents', '--url', 'http://127.0.0.1:1']), runCli(['incidents', '--url', 'localhost'])]);
  assert.equal(away.code, 1);
  assert.match(away.stderr, /^podtrail: no answer from http:\/\/127\.0\.0\.1:1: .*Is podtrail running there\?/);
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /--url localhost: expected http:\/\/HOST:PORT/);
});

test('every command is in the family that loads it, and documents what it does', async () => {
  for (const family of FAMILIES) {
    const program = await buildProgram(() => undefined, [family]);
    assert.deepEqual(
      program.commands.map((command) => command.name()),
      family.commands,
    );
    for (const command of program.commands) assert.ok(command.description() !== '', command.name());
  }
});

test('it is a kubectl plugin by its name, and a bin of the package', async () => {
  const plugin = join(folder.path, 'kubectl-podtrail');
  chmodSync(BIN, 0o755);
  symlinkSync(BIN, plugin);
  const { code, stdout } = await runCli(['--help'], { bin: plugin });
  assert.equal(code, 0);
  assert.match(stdout, /^Usage: kubectl podtrail /);
  assert.match(stdout, /Exit codes: 0 done, 1 failed while running, 2 refused/);
  const cwd = fileURLToPath(new URL('../..', import.meta.url));
  const npx = await promisify(execFile)('npx', ['--no-install', 'podtrail', '--version'], { cwd });
  assert.match(npx.stdout, /^\d+\.\d+\.\d+\n$/);
});
