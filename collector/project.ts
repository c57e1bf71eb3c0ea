/** From a raw API object to what podtrail keeps of it: one allow-list a resource (design D6). Pure, and total: bad input is data. */
import type { ProjectedObject, Resource } from './objects.ts';
import { identifier, isRaw, metadata, type Raw, TooDeepError } from './project-fields.ts';

/** `reason` names the field at fault and quotes nothing of the object. */
export type Projection = { readonly ok: true; readonly object: ProjectedObject } | { readonly ok: false; readonly reason: string };

/** Kind, apiVersion, and what is kept beside the metadata. Lists leave kind and apiVersion out of their items. */
interface Rule {
  readonly kind: string;
  readonly apiVersion: string;
  readonly project: (raw: Raw) => object;
}

const nothingElse = (): object => ({});

const RULES: { readonly [R in Resource]?: Rule } = {};

/** Projects one object of a resource. Never throws. */
export function projectObject(resource: Resource, raw: unknown): Projection {
  if (!isRaw(raw)) return { ok: false, reason: 'not an object' };
  if (!isRaw(raw['metadata'])) return { ok: false, reason: 'metadata is missing' };
  const { kind, apiVersion, project } = RULES[resource] ?? { kind: resource, apiVersion: 'v1', project: nothingElse };
  try {
    const kept = metadata(raw['metadata']);
    if (kept === undefined) return { ok: false, reason: missingMetadata(raw['metadata']) };
    return { ok: true, object: { kind, apiVersion, metadata: kept, ...project(raw) } as ProjectedObject };
  } catch (error) {
    if (error instanceof TooDeepError) return { ok: false, reason: error.message };
    throw error;
  }
}

function missingMetadata(raw: Raw): string {
  const bad = ['name', 'uid', 'resourceVersion'].filter((key) => identifier(raw[key]) === undefined);
  return `no valid metadata.${bad.join(', metadata.')}`;
}

/** uid and resourceVersion as far as they can be told, else ''. */
export interface ObjectId {
  readonly uid: string;
  readonly rv: string;
}

export function identify(raw: unknown): ObjectId {
  const meta = isRaw(raw) ? raw['metadata'] : undefined;
  if (!isRaw(meta)) return { uid: '', rv: '' };
  return { uid: identifier(meta['uid']) ?? '', rv: identifier(meta['resourceVersion']) ?? '' };
}

/** What ends a string that was cut. */
export const TRUNCATED = '…[truncated]';

/** A copy with every string longer than `limit` characters cut to it and marked, except in metadata. */
export function truncateStrings(object: ProjectedObject, limit: number): ProjectedObject {
  const shorten = (value: unknown): unknown => {
    if (typeof value === 'string') return value.length > limit ? cut(value, limit) : value;
    if (Array.isArray(value)) return value.map(shorten);
    if (!isRaw(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, shorten(item)]));
  };
  return { ...(shorten(object) as ProjectedObject), metadata: object.metadata };
}

/** Cuts between characters, never within a surrogate pair. */
export function cut(text: string, limit: number): string {
  const last = text.charCodeAt(limit - 1);
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? limit - 1 : limit) + TRUNCATED;
}
