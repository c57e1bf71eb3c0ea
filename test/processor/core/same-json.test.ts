import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { sameJson } from '../../../processor/core/same-json.ts';

/** What JSON.parse gives, and fields that are undefined. */
const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom(null, true, false, 0, 1, '', 'a', 'b'),
    fc.array(tie('any'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom('a', 'b', 'c', '0'), fc.oneof(tie('any'), fc.constant(undefined)), { maxKeys: 3 }),
  ),
})).any;

test('says what the texts say', () => {
  fc.assert(
    fc.property(value, value, (a, b) => sameJson(a, b) === (JSON.stringify(a) === JSON.stringify(b))),
    { numRuns: 5_000 },
  );
});

test('a copy is the same', () => {
  fc.assert(fc.property(value, (a) => sameJson(a, JSON.parse(JSON.stringify(a)))));
});

for (const [a, b, same] of [
  [{ x: 1, y: 2 }, { y: 2, x: 1 }, false],
  [{ x: 1, y: undefined }, { x: 1 }, true],
  [{ x: 1 }, { y: undefined, x: 1, z: undefined }, true],
  [{ x: 1 }, { x: 1, y: 2 }, false],
  [[undefined], [null], true],
  [[], {}, false],
] as const) {
  test(`${JSON.stringify(a)} and ${JSON.stringify(b)} are ${same ? 'the same' : 'two things'}`, () => assert.equal(sameJson(a, b), same));
}
