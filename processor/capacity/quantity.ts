/**
 * Kubernetes quantities, exactly. Grammar, suffixes and rounding follow ParseQuantity of k8s.io/apimachinery
 * pkg/api/resource/quantity.go and suffix.go (v0.34): at most nine decimal places, anything finer rounds away from zero.
 */

const NANO_PER_UNIT = 1_000_000_000n;
const NANO_PER_MILLI = 1_000_000n;
/** The largest int64, in nano units: quantity.go caps there. */
const MAX_NANO = (2n ** 63n - 1n) * NANO_PER_UNIT;
/** Longer digit strings mean nothing and would make the arithmetic slow. */
const MAX_LENGTH = 128;
/** Beyond this many decimal digits a value is above the cap, or below one nano, whatever its digits (MAX_LENGTH included). */
const MAX_EXPONENT = 200;

const DECIMAL_EXPONENT: ReadonlyMap<string, number> = new Map([
  ['n', -9],
  ['u', -6],
  ['m', -3],
  ['', 0],
  ['k', 3],
  ['M', 6],
  ['G', 9],
  ['T', 12],
  ['P', 15],
  ['E', 18],
]);
const BINARY_EXPONENT: ReadonlyMap<string, bigint> = new Map([
  ['Ki', 10n],
  ['Mi', 20n],
  ['Gi', 30n],
  ['Ti', 40n],
  ['Pi', 50n],
  ['Ei', 60n],
]);

/** `nano` is the value in units of 10⁻⁹, so that every representable quantity is a whole number. */
export type ParsedQuantity = { readonly ok: true; readonly nano: bigint } | { readonly ok: false; readonly reason: string };

const GRAMMAR = /^([+-]?)(\d*)(?:\.(\d*))?([eEinumkKMGTP]*(?:[+-]?\d*))$/;

/** Parses a quantity as the API server does: a string, or a JSON number taken as its text. Never throws. */
export function parseQuantity(value: unknown): ParsedQuantity {
  if (typeof value === 'number' && Number.isFinite(value)) return parseText(String(value));
  if (typeof value !== 'string') return { ok: false, reason: 'is neither a string nor a number' };
  const known = parsed.get(value);
  if (known !== undefined) return known;
  const result = parseText(value);
  if (parsed.size >= MAX_PARSED) parsed.clear();
  parsed.set(value, result);
  return result;
}

/** Few distinct quantities occur in a cluster, so parsing is memoised; bounded because manifests are untrusted. */
const MAX_PARSED = 4_096;
const parsed = new Map<string, ParsedQuantity>();

function parseText(text: string): ParsedQuantity {
  if (text.length > MAX_LENGTH) return { ok: false, reason: `is longer than ${MAX_LENGTH} characters` };
  const match = text === '' ? null : GRAMMAR.exec(text);
  if (match === null) return { ok: false, reason: 'is not a quantity such as 500m, 1.5 or 2Gi' };
  const [, sign = '', whole = '', fraction = '', suffix = ''] = match;
  const nano = scale(BigInt(`${whole}${fraction}` || '0'), fraction.length, suffix);
  if (nano === undefined) return { ok: false, reason: `has the unknown suffix ${suffix}` };
  const capped = nano > MAX_NANO ? MAX_NANO : nano;
  return { ok: true, nano: sign === '-' ? -capped : capped };
}

/** digits · 10^-decimals · suffix, in nano units and rounded up; undefined for an unknown suffix. */
function scale(digits: bigint, decimals: number, suffix: string): bigint | undefined {
  const binary = BINARY_EXPONENT.get(suffix);
  if (binary !== undefined) return divideUp((digits << binary) * NANO_PER_UNIT, 10n ** BigInt(decimals));
  const exponent = DECIMAL_EXPONENT.get(suffix) ?? decimalExponent(suffix);
  if (exponent === undefined) return undefined;
  if (digits === 0n) return 0n;
  const power = Math.max(-MAX_EXPONENT, Math.min(MAX_EXPONENT, exponent)) - decimals + 9;
  return power >= 0 ? digits * 10n ** BigInt(power) : divideUp(digits, 10n ** BigInt(-power));
}

function decimalExponent(suffix: string): number | undefined {
  return /^[eE][+-]?\d+$/.test(suffix) ? Number(suffix.slice(1)) : undefined;
}

/** Away from zero, as Value() and MilliValue() of quantity.go round. */
function divideUp(value: bigint, divisor: bigint): bigint {
  if (value < 0n) return -divideUp(-value, divisor);
  return (value + divisor - 1n) / divisor;
}

/** Thousandths, rounded up: the unit of cpu. Exact up to 2⁵³. */
export function toMillis(nano: bigint): number {
  return Number(divideUp(nano, NANO_PER_MILLI));
}

/** Whole units, rounded up: bytes, pods, devices. Exact up to 2⁵³. */
export function toUnits(nano: bigint): number {
  return Number(divideUp(nano, NANO_PER_UNIT));
}

const BINARY_SUFFIXES = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'] as const;
const DECIMAL_SUFFIXES = ['', 'k', 'M', 'G', 'T', 'P', 'E'] as const;

/** Millicores as Kubernetes prints cpu: `2`, `1500m`. */
export function formatMillis(millis: number): string {
  return millis % 1_000 === 0 ? formatUnits(millis / 1_000, 1_000, DECIMAL_SUFFIXES) : `${millis}m`;
}

/** Bytes with the largest binary suffix that divides them: `2Gi`, `3276800Ki`, `64345012480`. */
export function formatBytes(bytes: number): string {
  return formatUnits(bytes, 1_024, BINARY_SUFFIXES);
}

function formatUnits(value: number, base: number, suffixes: readonly string[]): string {
  let [rest, index] = [value, 0];
  while (rest !== 0 && rest % base === 0 && index < suffixes.length - 1) {
    rest /= base;
    index += 1;
  }
  return `${rest}${suffixes[index]}`;
}
