import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CommandError } from '../../deploy/errors.ts';
import { parseItems } from '../../deploy/list-input.ts';

const pod = (name: string): object => ({ kind: 'Pod', metadata: { name } });
const json = JSON.stringify;

const CASES: readonly { readonly name: string; readonly text: string; readonly items: readonly unknown[] }[] = [
  { name: 'a List as JSON', text: json({ kind: 'List', items: [pod('a'), pod('b')] }), items: [pod('a'), pod('b')] },
  { name: 'a typed list, whose items say no kind', text: json({ kind: 'PodList', items: [{ metadata: { name: 'a' } }] }), items: [pod('a')] },
  { name: 'an empty list', text: json({ kind: 'List', items: [] }), items: [] },
  { name: 'an empty list as Go writes it', text: json({ kind: 'PodList', items: null }), items: [] },
  { name: 'a single object', text: json(pod('a')), items: [pod('a')] },
  { name: 'an array', text: json([pod('a'), pod('b')]), items: [pod('a'), pod('b')] },
  { name: 'two outputs one after another', text: `${json({ kind: 'List', items: [pod('a')] })}\n${json(pod('b'))}\n`, items: [pod('a'), pod('b')] },
  { name: 'brackets and quotes in strings between them', text: `${json(pod('}{"\\\\'))}${json(pod('b'))}`, items: [pod('}{"\\\\'), pod('b')] },
  { name: 'ndjson', text: [pod('a'), pod('b'), pod('c')].map((each) => json(each)).join('\n'), items: [pod('a'), pod('b'), pod('c')] },
  { name: 'YAML', text: 'kind: List\nitems:\n- kind: Pod\n  metadata: {name: a}\n', items: [pod('a')] },
  {
    name: 'several YAML documents, empty ones too',
    text: '---\nkind: Pod\nmetadata: {name: a}\n---\n---\nkind: Pod\nmetadata: {name: b}\n',
    items: [pod('a'), pod('b')],
  },
];
for (const { name, text, items } of CASES) {
  test(`reads ${name}`, () => {
    assert.deepEqual(parseItems(text, 'list'), items);
  });
}

const BROKEN: readonly { readonly name: string; readonly text: string; readonly says: RegExp }[] = [
  { name: 'nothing', text: ' \n', says: /^list is empty: `kubectl get pods/ },
  { name: 'a table', text: 'NAME   READY\na      1/1\n', says: /^list (holds no Kubernetes object|is not valid YAML)/ },
  { name: 'what kubectl says when there is nothing', text: 'No resources found in default namespace.\n', says: /^list holds no Kubernetes object/ },
  { name: 'JSON that is cut off', text: '{"kind":"List","items":[{"kind":"Pod"},', says: /^list is not valid JSON/ },
  { name: 'JSON with rubbish behind it', text: `${json(pod('a'))} rubbish`, says: /^list (is not valid|holds no Kubernetes object)/ },
  { name: 'broken YAML', text: 'kind: [Pod\n', says: /^list is not valid YAML/ },
  {
    name: 'YAML that grows without bound',
    text: `a: &a [x]\n${'bcdefghij'.replace(/./g, (key) => `${key}: &${key} [*${String.fromCharCode(key.charCodeAt(0) - 1)},*${String.fromCharCode(key.charCodeAt(0) - 1)},*${String.fromCharCode(key.charCodeAt(0) - 1)},*${String.fromCharCode(key.charCodeAt(0) - 1)}]\n`)}`,
    says: /^list is not valid YAML/,
  },
];
for (const { name, text, says } of BROKEN) {
  test(`refuses ${name}`, () => {
    assert.throws(
      () => parseItems(text, 'list'),
      (error) => error instanceof CommandError && error.exitCode === 3 && says.test(error.message),
      name,
    );
  });
}
