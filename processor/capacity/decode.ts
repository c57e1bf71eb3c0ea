/**
 * Decoding of Kubernetes objects that nobody projected: manifests and recorded cases. An object comes out with the metadata, spec and
 * status that the rest of this folder relies on, or not at all.
 */
import type { KubeObject, Node, Pod, ResourceQuota } from '../../collector/objects.ts';
import { fieldsOf, textOf } from './reading.ts';

export type Decoded<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly reason: string };

/** Reads one object. `path` names it in the reason. */
export function decodeObject(value: unknown, path: string): Decoded<KubeObject> {
  const fields = fieldsOf(value);
  if (fields === undefined) return { ok: false, reason: `${path}: is not an object` };
  const kind = textOf(fields['kind']) ?? '';
  if (kind === '') return { ok: false, reason: `${path}.kind: is missing` };
  const metadata = fieldsOf(fields['metadata']) ?? {};
  const name = textOf(metadata['name']) ?? textOf(metadata['generateName']) ?? '';
  if (name === '') return { ok: false, reason: `${path}.metadata.name: is missing` };
  for (const field of ['spec', 'status']) {
    if (fields[field] !== undefined && fields[field] !== null && fieldsOf(fields[field]) === undefined)
      return { ok: false, reason: `${path}.${field}: is not an object` };
  }
  const identity = { name, namespace: textOf(metadata['namespace']) ?? '', uid: textOf(metadata['uid']) ?? `${kind}/${name}`, resourceVersion: '0' };
  const object = {
    ...fields,
    kind,
    apiVersion: textOf(fields['apiVersion']) ?? 'v1',
    metadata: { ...metadata, ...identity, labels: stringMap(metadata['labels']), annotations: stringMap(metadata['annotations']) },
    spec: fieldsOf(fields['spec']) ?? {},
    status: fieldsOf(fields['status']) ?? {},
  };
  return { ok: true, value: object };
}

function stringMap(value: unknown): Readonly<Record<string, string>> | undefined {
  const fields = fieldsOf(value);
  if (fields === undefined) return undefined;
  return Object.fromEntries(Object.entries(fields).filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
}

/** Reads a list of objects of one kind; the first bad one is the reason. */
function decodeList<T extends KubeObject>(value: unknown, kind: string, path: string): Decoded<readonly T[]> {
  if (value === undefined || value === null) return { ok: true, value: [] };
  if (!Array.isArray(value)) return { ok: false, reason: `${path}: is not a list` };
  const objects: T[] = [];
  for (const [index, item] of value.entries()) {
    const decoded = decodeObject(fieldsOf(item) === undefined ? item : { kind, ...item }, `${path}[${index}]`);
    if (!decoded.ok) return decoded;
    if (decoded.value.kind !== kind) return { ok: false, reason: `${path}[${index}].kind: is ${decoded.value.kind}, not ${kind}` };
    objects.push(decoded.value as T);
  }
  return { ok: true, value: objects };
}

export const decodeNodes = (value: unknown, path: string): Decoded<readonly Node[]> => decodeList<Node>(value, 'Node', path);
export const decodePods = (value: unknown, path: string): Decoded<readonly Pod[]> => decodeList<Pod>(value, 'Pod', path);
export const decodeQuotas = (value: unknown, path: string): Decoded<readonly ResourceQuota[]> => decodeList<ResourceQuota>(value, 'ResourceQuota', path);
