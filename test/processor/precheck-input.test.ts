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

const DEPLOYMENT = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata:
      labels: {app: web}
    spec: {containers: [{name: app, image: "web:1"}]}
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
  ['a byte order mark', `\ufeff${POD}`, 1, 0],
  ['anchors and merge keys', `${POD.replace('- name: app', '- &app\n      name: app')}    - <<: *app\n      name: other\n`, 1, 0],
  ["another group's kind of the same name", 'apiVersion: batch.volcano.sh/v1alpha1\nkind: Job\nmetadata: {name: a}\nspec: {tasks: [{replicas: 2}]}\n', 0, 1],
  ['a document marker inside a block', `kind: ConfigMap\nmetadata: {name: c}\ndata:\n  a: |\n    x\n    ---\n    y\n---\n${POD}`, 1, 1],
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
  ['a template that was not rendered', `${POD}---\nkind: Pod\nmetadata:\n  name: {{ .Release.Name }}\n`, /^2:12 {2}is a template/],
  ['a tab', 'kind: Pod\nmetadata:\n\tname: a\n', /^1:3 {2}is not valid YAML: Tabs/],
  ['a key twice', `${POD}  containers: []\n`, /^1:9 {2}is not valid YAML: Map keys must be unique/],
  ['a version that is not served', POD.replace('apiVersion: v1', 'apiVersion: apps/v1'), /^1:1 apiVersion apps\/v1 serves no Pod: write v1/],
  ['a Deployment of long ago', DEPLOYMENT.replace('apps/v1', 'extensions/v1beta1'), /^1:1 apiVersion extensions\/v1beta1 serves no Deployment: write apps\/v1/],
  ['a selector that is missing', DEPLOYMENT.replace('  selector: {matchLabels: {app: web}}\n', ''), /^1:\d spec\.selector is missing/],
  [
    'a selector that its template does not match',
    DEPLOYMENT.replace('labels: {app: web}', 'labels: {app: wob}'),
    /^1:8 spec\.template\.metadata\.labels do not match spec\.selector/,
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

test('JSON beyond the size of a document is located by line too', async () => {
  const pod = (cpu: string) => ({
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: { name: 'a' },
    spec: { containers: [{ name: 'a', resources: { requests: { cpu } } }] },
  });
  const text = JSON.stringify({ kind: 'List', apiVersion: 'v1', items: [pod('1'), pod('1x')] }, null, 1);
  const line = text.slice(0, text.indexOf('"1x"')).split('\n').length;
  const { located } = await readManifestText(text, { text: 10_000, document: 10 });
  assert.deepEqual(
    located.map((problem) => [problem.line, problem.field]),
    [[line, 'items[1].spec.containers[0].resources.requests.cpu']],
  );
});

test('an alias without its anchor is located', async () => {
  const { located } = await readManifestText('kind: Pod\napiVersion: v1\nmetadata:\n  name: *gone\n', { text: 1_000, document: 1_000 });
  assert.equal(located[0]?.line, 4);
});
