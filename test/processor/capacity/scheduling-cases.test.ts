/** 100 decisions of a real kube-scheduler 1.34.2, recorded on 2026-11-23 (test/recordings/scheduling). */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { answerSchedulingCase, decodeSchedulingCase } from '../../../processor/capacity/scheduling-cases.ts';

interface Recorded {
  readonly id: string;
  readonly workload: { readonly spec: { readonly template: { readonly spec: object } } };
  readonly result: { readonly scheduled: number; readonly unschedulable: readonly string[]; readonly rejected: readonly string[] };
}

const lines = gunzipSync(readFileSync(new URL('../../recordings/scheduling/decisions.ndjson.gz', import.meta.url)))
  .toString('utf8')
  .split('\n')
  .filter((line) => line !== '');

function answer(line: string) {
  const decoded = decodeSchedulingCase(line);
  assert.ok(decoded.ok, decoded.ok ? '' : decoded.reason);
  return answerSchedulingCase(decoded.value);
}

/** `0/22 nodes are available: 1 Too many pods, 2 Insufficient cpu. preemption: …` → reason to nodes. */
function reasonsOf({ result }: Recorded): Readonly<Record<string, number>> {
  const reasons: Record<string, number> = {};
  for (const message of result.unschedulable) {
    const listed = /^0\/\d+ nodes are available: (.*?)\.(?: |$)/.exec(message)?.[1] ?? '';
    for (const part of listed.split(/, (?=\d)/)) {
      const match = /^(\d+) (.*)$/.exec(part);
      if (match !== null) reasons[match[2]!] = Number(match[1]);
    }
  }
  return reasons;
}

const cases = lines.map((line) => ({ line, recorded: JSON.parse(line) as Recorded }));

test('places as many replicas as kube-scheduler did, in every recorded decision', () => {
  const wrong = cases.filter(({ line, recorded }) => answer(line).scheduled !== recorded.result.scheduled).map(({ recorded }) => recorded.id);
  assert.equal(cases.length, 100);
  assert.deepEqual(wrong, []);
});

test('refuses by quota exactly where the API server did', () => {
  const wrong = cases.filter(({ line, recorded }) => answer(line).rejected !== recorded.result.rejected.length > 0).map(({ recorded }) => recorded.id);
  assert.deepEqual(wrong, []);
});

test('gives the same reasons with the same number of nodes for what stays pending', () => {
  for (const { line, recorded } of cases) assert.deepEqual({ ...answer(line).reasons }, sorted(reasonsOf(recorded)), recorded.id);
});

function sorted(reasons: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(reasons).sort(([a], [b]) => (a < b ? -1 : 1)));
}

test('never reads the result', () => {
  for (const { line } of cases.slice(0, 20)) {
    const { result: _result, ...rest } = JSON.parse(line) as Record<string, unknown>;
    assert.deepEqual(answer(JSON.stringify(rest)), answer(line));
  }
});

for (const [name, line, reason] of [
  ['text that is not JSON', '{', /JSON/],
  ['a list', '[]', /is not an object/],
  ['a node without a name', '{"nodes":[{"metadata":{}}]}', /nodes\[0\]\.metadata\.name: is missing/],
  ['pods that are no list', '{"pods":{}}', /pods: is not a list/],
  ['a pod whose spec is text', '{"pods":[{"metadata":{"name":"a"},"spec":"x"}]}', /pods\[0\]\.spec: is not an object/],
  ['no workload', '{"nodes":[]}', /workload: is not an object/],
] as const) {
  test(`names what is wrong with ${name}`, () => {
    const decoded = decodeSchedulingCase(line);
    assert.equal(decoded.ok, false);
    assert.match(decoded.ok ? '' : decoded.reason, reason);
  });
}
