/** 100 decisions of a real kube-scheduler 1.34.2, recorded on 2026-11-23 (test/recordings/scheduling). */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
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

/** Every place in a JSON value, as paths. */
function placesIn(value: unknown, path: readonly string[] = []): readonly (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([key, item]) => placesIn(item, [...path, key]))];
}

test('never throws, whatever stands in place of a value', () => {
  const original = JSON.parse(lines[1]!) as Record<string, unknown>;
  const places = placesIn(original).filter((path) => path.length > 0);
  const junk = fc.constantFrom<unknown>(null, 'x', -1, 1e300, true, [], {}, [null], [[]], { a: { b: 1 } }, '9e99', 'NaN');
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(places.length - 1), junk), { minLength: 1, maxLength: 4 }), (changes) => {
      const changed = structuredClone(original);
      for (const [place, value] of changes) {
        const path = places[place]!;
        const parent = path
          .slice(0, -1)
          .reduce<unknown>((at, key) => (typeof at === 'object' && at !== null ? (at as Record<string, unknown>)[key] : undefined), changed);
        if (typeof parent === 'object' && parent !== null) (parent as Record<string, unknown>)[path.at(-1)!] = value;
      }
      const decoded = decodeSchedulingCase(JSON.stringify(changed));
      if (decoded.ok) answerSchedulingCase(decoded.value);
    }),
    { numRuns: 500 },
  );
});
