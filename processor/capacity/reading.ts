/**
 * Reading of fields whose type is not certain: manifests are untrusted, and a pod spec is projected whole. What has the wrong
 * type reads as absent, so nothing here throws; manifest.ts reports it where a person can act on it.
 */

export type Fields = Readonly<Record<string, unknown>>;
const NONE: readonly never[] = [];

/** The object, or undefined for anything else (arrays and null included). */
export function fieldsOf(value: unknown): Fields | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;
}

/** The objects in an array; empty for anything else. */
export function listOf<T extends object>(value: readonly T[] | undefined): readonly T[];
export function listOf(value: unknown): readonly Fields[];
export function listOf(value: unknown): readonly Fields[] {
  if (!Array.isArray(value)) return NONE;
  return value.every((item) => fieldsOf(item) !== undefined) ? value : value.filter((item) => fieldsOf(item) !== undefined);
}

export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

export function integerOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : undefined;
}

/** The strings in an array; empty for anything else. */
export function textsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : NONE;
}

/** The entries of a string map, in the order given. */
export function textEntriesOf(value: unknown): readonly (readonly [string, string])[] {
  const fields = fieldsOf(value);
  if (fields === undefined) return NONE;
  return Object.entries(fields).filter((entry): entry is [string, string] => typeof entry[1] === 'string');
}

/** Orders by code unit: no locale, so every machine sorts alike. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** Whether two maps of texts, or their absence, say the same in whatever order. */
export function sameTexts(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  const [one, other] = [fieldsOf(a), fieldsOf(b)];
  if (one === undefined || other === undefined) return false;
  let fields = 0;
  for (const key in one) {
    if (one[key] !== other[key]) return false;
    fields += 1;
  }
  for (const _key in other) fields -= 1;
  return fields === 0;
}
