/** Manifests as text: what is read, and where problems are said to be. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readManifestText } from '../../processor/precheck-input.ts';

const LIMITS = { text: 100_000, document: 10_000 };

const POD = `apiVersion: v1
kind: Pod
metadata:
  name: web
spec:
  containers:
    - name: app
      image: web:1
`;

async function problemsOf(text: string, limits = LIMITS): Promise<string[]> {
  const { located } = await readManifestText(text, limits);
  return located.map(({ document, line, field, message }) => `${document}:${line} ${field} ${message}`);
}

for (const [name, text, workloads, others] of [
  ['one YAML document', POD, 1, 0],
  ['several, with comments and empty ones between', `# first\n---\n${POD}---\n# nothing\n---\n${POD}...\n---\nkind: ConfigMap\nmetadata: {name: c}\n`, 2, 1],
  ['JSON', JSON.stringify({ kind: 'Pod', metadata: { name: 'a' }, spec: { containers: [{ name: 'a' }] } }), 1, 0],
  ['a List', JSON.stringify({ kind: 'List', items: [{ kind: 'Pod', metadata: { name: 'a' }, spec: { containers: [{ name: 'a' }] } }] }), 1, 0],
  ['Windows line ends', `---\r\n${POD.replaceAll('\n', '\r\n')}`, 1, 0],
] as const) {
  test(`reads ${name}`, async () => {
    const read = await readManifestText(text, LIMITS);
    assert.deepEqual(read.located, []);
    assert.deepEqual([read.workloads.length, read.others.length], [workloads, others]);
  });
}

for (const [name, text, problem] of [
  ['an unknown field, by the line of its key', `---\n${POD}---\n${POD}      imagee: x\n`, /^2:19 spec\.containers\[0\]\.imagee is not a known field/],
  ['a bad quantity', `${POD}      resources:\n        requests:\n          cpu: 2x\n`, /^1:11 spec\.containers\[0\]\.resources\.requests\.cpu "2x"/],
  ['a mistake of YAML', `${POD}---\na: [1\nb: 2\n`, /^2:1[0-2] {2}is not valid YAML/],
  ['a mistake of JSON', '{"kind": "Pod",\n "metadata": {"name": }\n', /^1:\d {2}is not valid YAML/],
  [
    'a problem in JSON',
    '{"kind": "Pod",\n "metadata": {"name": "a"},\n "spec": {"containers": [{"name": "a", "imagee": "b"}]}}',
    /^1:3 spec\.containers\[0\]\.imagee/,
  ],
  [
    'an item of a List',
    `kind: List\nitems:\n- kind: Pod\n  metadata: {name: a}\n  spec:\n    containers:\n    - name: a\n      image: 1\n`,
    /^1:8 items\[0\]\.spec\.containers\[0\]\.image is the number 1, not text/,
  ],
  ['text that is no object', 'hello\n', /^1:1 {2}/],
  ['nothing at all', '# only this\n', /^1:1 {2}there is no manifest/],
  [
    'anchors that multiply',
    `a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c]\n`,
    /^1:1 {2}is not valid YAML/,
  ],
] as const) {
  test(`locates ${name}`, async () => {
    const problems = await problemsOf(text);
    assert.match(problems[0] ?? 'no problem', problem);
  });
}

test('refuses more text than is taken at once', async () => {
  const long = `${POD}# ${'x'.repeat(LIMITS.text)}`;
  assert.match((await problemsOf(long))[0]!, /^1:1 {2}the manifests have \d+ characters, more than the 100000/);
});

test('refuses a YAML document that is too long for one, and reads many short ones', async () => {
  assert.match(
    (await problemsOf(`---\n${POD}---\n${POD}# ${'x'.repeat(LIMITS.document)}`))[0]!,
    /^2:10 {2}has \d+ characters, more than the 10000 of one document: split it/,
  );
  const many = Array.from({ length: 500 }, () => POD).join('---\n');
  assert.equal((await readManifestText(many, LIMITS)).workloads.length, 500);
});

test('lists at most a hundred problems', async () => {
  const bad = Array.from({ length: 200 }, () => `${POD}      imagee: x\n`).join('---\n');
  assert.equal((await problemsOf(bad)).length, 100);
});
