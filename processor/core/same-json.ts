import type { ProjectedObject } from '../../collector/objects.ts';

/**
 * Do two JSON values have the same text, keys in the same order? As JSON.stringify(a) === JSON.stringify(b), without making the texts;
 * a field that is undefined counts as absent, as it does there. Values that JSON does not know are not for it.
 */
export function sameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a)) return Array.isArray(b) && sameItems(a, b);
  return !Array.isArray(b) && sameFields(a as Fields, b as Fields);
}

/** Are they the same but for their resourceVersion? */
export function sameObject(a: ProjectedObject, b: ProjectedObject): boolean {
  const bare = (object: ProjectedObject) => ({ ...object, metadata: { ...object.metadata, resourceVersion: '' } });
  return sameJson(bare(a), bare(b));
}

type Fields = Readonly<Record<string, unknown>>;

function sameItems(a: readonly unknown[], b: readonly unknown[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (!sameJson(a[i] ?? null, b[i] ?? null)) return false;
  return true;
}

/** By for-in, which gives the keys of Object.keys in their order without an array: JSON has no prototypes but Object.prototype. */
function sameFields(a: Fields, b: Fields): boolean {
  const others = Object.keys(b);
  let at = 0;
  for (const key in a) {
    const value = a[key];
    if (value === undefined) continue;
    let other = others[at++];
    while (other !== undefined && b[other] === undefined) other = others[at++];
    if (other !== key || !sameJson(value, b[key])) return false;
  }
  while (at < others.length) if (b[others[at++] as string] !== undefined) return false;
  return true;
}
