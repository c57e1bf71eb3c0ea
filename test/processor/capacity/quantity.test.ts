/** Quantities against the rules of k8s.io/apimachinery pkg/api/resource/quantity.go. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatBytes, formatMillis, parseQuantity, toMillis, toUnits } from '../../../processor/capacity/quantity.ts';

function nano(value: unknown): bigint {
  const quantity = parseQuantity(value);
  assert.ok(quantity.ok, String(value));
  return quantity.nano;
}
const UNIT = 1_000_000_000n;

for (const [text, expected] of [
  ['0', 0n],
  // No digits count as none, as in ParseQuantity.
  ['m', 0n],
  ['.', 0n],
  ['1', UNIT],
  ['+1', UNIT],
  ['-1', -UNIT],
  ['001', UNIT],
  ['1.', UNIT],
  ['.5', UNIT / 2n],
  ['500m', UNIT / 2n],
  ['1500u', 1_500_000n],
  ['3n', 3n],
  ['1k', 1_000n * UNIT],
  ['1Ki', 1_024n * UNIT],
  ['1.5Gi', 1_610_612_736n * UNIT],
  ['1E', 10n ** 18n * UNIT],
  ['1Ei', 2n ** 60n * UNIT],
  ['1e3', 1_000n * UNIT],
  ['1E3', 1_000n * UNIT],
  ['12e-1', 1_200_000_000n],
  ['0.1n', 1n],
  ['1e-30', 1n],
  ['-0.1n', -1n],
  ['1e100', (2n ** 63n - 1n) * UNIT],
  ['9999Ei', (2n ** 63n - 1n) * UNIT],
  [2, 2n * UNIT],
  [0.25, UNIT / 4n],
] as const) {
  test(`reads ${JSON.stringify(text)} as ${expected} nano`, () => assert.equal(nano(text), expected));
}

for (const text of [
  '',
  ' 1',
  '1 ',
  '1.2.3',
  '1x',
  '1mi',
  '1ki',
  '1e',
  '1e+',
  '1-5',
  '--1',
  '1MiB',
  '0x10',
  'NaN',
  '1,5',
  '9'.repeat(200),
  null,
  undefined,
  true,
  {},
  [],
  Number.NaN,
]) {
  test(`refuses ${JSON.stringify(text)?.slice(0, 40)}`, () => assert.equal(parseQuantity(text).ok, false));
}

test('rounds up to whole millis and units', () => {
  assert.equal(toMillis(nano('0.0001')), 1);
  assert.equal(toMillis(nano('1.5')), 1_500);
  assert.equal(toUnits(nano('1m')), 1);
  assert.equal(toUnits(nano('1.6Gi')), 1_717_986_919);
});

test('prints amounts as Kubernetes does', () => {
  assert.deepEqual([0, 1_500, 2_000, 100].map(formatMillis), ['0', '1500m', '2', '100m']);
  assert.deepEqual([0, 2 * 1_024 ** 3, 3 * 1_024, 1_000].map(formatBytes), ['0', '2Gi', '3Ki', '1000']);
});

const suffix = fc.constantFrom('', 'n', 'u', 'm', 'k', 'M', 'G', 'Ki', 'Mi', 'Gi', 'e2', 'E-3');
const FACTORS: Readonly<Record<string, readonly [bigint, bigint]>> = {
  '': [1n, 1n],
  n: [1n, 10n ** 9n],
  u: [1n, 10n ** 6n],
  m: [1n, 1_000n],
  k: [1_000n, 1n],
  M: [10n ** 6n, 1n],
  G: [10n ** 9n, 1n],
  Ki: [1_024n, 1n],
  Mi: [1_024n ** 2n, 1n],
  Gi: [1_024n ** 3n, 1n],
  e2: [100n, 1n],
  'E-3': [1n, 1_000n],
};

test('any decimal with any suffix is the exact fraction, rounded up to nano', () => {
  fc.assert(
    fc.property(fc.nat(1_000_000), fc.nat(9_999), suffix, (whole, fraction, unit) => {
      const [numerator, denominator] = FACTORS[unit]!;
      const digits = BigInt(whole) * 10_000n + BigInt(fraction);
      const exact = digits * numerator * UNIT;
      const divisor = 10_000n * denominator;
      const expected = (exact + divisor - 1n) / divisor;
      assert.equal(nano(`${whole}.${String(fraction).padStart(4, '0')}${unit}`), expected);
    }),
  );
});

test('never throws, whatever it is given', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'0123456789.+-eEinumkKMGTP') }), fc.anything()), (value) => {
      const quantity = parseQuantity(value);
      assert.equal(typeof quantity.ok, 'boolean');
    }),
  );
});
