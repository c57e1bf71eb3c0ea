/**
 * Readers: each turns one untrusted value into the type of its field, or into undefined, which leaves the field out. The
 * projections (project-*.ts) are tables of readers, so an allow-list is data and a wrong type anywhere costs one field, never
 * the object. Readers copy: a projection shares nothing with what was parsed.
 */

import type { Condition, LabelSelector, Metadata, OwnerReference, Quantities, SelectorRequirement } from './objects.ts';
import { isSecretName, REDACTED, redactText } from './redact.ts';

export type Raw = Readonly<Record<string, unknown>>;
/** Returns undefined for a value of another type. Never throws but for TooDeepError. */
export type Reader<T> = (value: unknown) => T | undefined;
/** One reader a field of T, so that the compiler compares the allow-list with objects.ts. */
export type Fields<T> = { readonly [K in keyof T]-?: Reader<NonNullable<T[K]>> };

/** Deepest nesting copied, levels below the spec. Kubernetes' own types end at 12. */
export const MAX_DEPTH = 32;

/** An object nested deeper than MAX_DEPTH: nothing that Kubernetes serves. Caught by projectObject. */
export class TooDeepError extends Error {}

/** Characters. Runtime errors reach several KiB, termination messages 4 KiB (kubelet), Events of the old recorder have no limit. */
export const MAX_FREE_TEXT = 8_192;
/** What ends a text that was cut. */
export const TRUNCATED = '…[truncated]';

/** The text, cut to `limit` characters and marked if it is longer; never cut within a surrogate pair. */
export function cut(long: string, limit: number): string {
  if (long.length <= limit) return long;
  const last = long.charCodeAt(limit - 1);
  return long.slice(0, last >= 0xd800 && last <= 0xdbff ? limit - 1 : limit) + TRUNCATED;
}

export function isRaw(value: unknown): value is Raw {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export const text: Reader<string> = (value) => (typeof value === 'string' ? value : undefined);
/** A string that says something: the API server writes absent strings as ''. */
export const filled: Reader<string> = (value) => (typeof value === 'string' && value !== '' ? value : undefined);
/** Free text of a human, a runtime or an application: redacted, then cut to MAX_FREE_TEXT. */
export const freeText: Reader<string> = (value) => (typeof value === 'string' ? cut(redactText(value), MAX_FREE_TEXT) : undefined);
export const flag: Reader<boolean> = (value) => (typeof value === 'boolean' ? value : undefined);
export const number: Reader<number> = (value) => (typeof value === 'number' && Number.isFinite(value) ? value : undefined);
/** An int-or-string of Kubernetes: a port, a percentage. */
export const numberOrText: Reader<number | string> = (value) => number(value) ?? text(value);

/** A list; items of another type are left out. */
export function list<T>(item: Reader<T>): Reader<readonly T[]> {
  return (value) => {
    if (!Array.isArray(value)) return undefined;
    const items: T[] = [];
    for (const raw of value) {
      const read = item(raw);
      if (read !== undefined) items.push(read);
    }
    return items;
  };
}
export const texts: Reader<readonly string[]> = list(text);

/** An object with exactly these fields, in this order; undefined if one of `required` is missing. */
export function shape<T extends object>(fields: Fields<T>, ...required: (keyof T)[]): Reader<T> {
  const readers = Object.entries(fields) as [string, Reader<unknown>][];
  return (value) => {
    if (!isRaw(value)) return undefined;
    const object: Record<string, unknown> = {};
    for (const [key, read] of readers) {
      const raw = value[key];
      if (raw === undefined || raw === null) continue;
      const field = read(raw);
      if (field !== undefined) object[key] = field;
    }
    for (const key of required) if (object[key as string] === undefined) return undefined;
    return object as T;
  };
}

/** A map by free keys. `__proto__` is no legal key of any Kubernetes map and is left out. */
export function map<T>(item: Reader<T>): Reader<Readonly<Record<string, T>>> {
  return (value) => {
    if (!isRaw(value)) return undefined;
    const object: Record<string, T> = {};
    for (const key of Object.keys(value)) {
      const read = key === '__proto__' ? undefined : item(value[key]);
      if (read !== undefined) object[key] = read;
    }
    return object;
  };
}
export const textMap: Reader<Readonly<Record<string, string>>> = map(text);
/** Quantities are strings; JSON numbers of hand-written manifests are accepted as the API server accepts them. */
export const quantities: Reader<Quantities> = map((value) => text(value) ?? number(value)?.toString());

/**
 * A copy of a subtree of no fixed shape, without nulls, managedFields and annotations outside the short list. Strings are
 * redacted; a string under a key that names a credential goes.
 */
export const anything: Reader<unknown> = (value) => copy(value, 0);
/** As `anything`, for objects alone. */
export const anyObject: Reader<Readonly<Record<string, unknown>>> = (value) => (isRaw(value) ? copyObject(value, 0, PLAIN) : undefined);

/** An object of open shape: `known` reads the fields it names, all others are copied as `anything`. */
export function openShape<T extends object>(known: { readonly [K in keyof T]?: Reader<unknown> }, ...required: (keyof T)[]): Reader<T> {
  const readers: Readers = new Map([...PLAIN, ...(Object.entries(known) as [string, Reader<unknown>][])]);
  return (value) => {
    if (!isRaw(value)) return undefined;
    const object = copyObject(value, 0, readers);
    for (const key of required) if (object[key as string] === undefined) return undefined;
    return object as T;
  };
}

type Readers = ReadonlyMap<string, Reader<unknown>>;

function copyObject(raw: Raw, depth: number, readers: Readers): Record<string, unknown> {
  if (depth > MAX_DEPTH) throw new TooDeepError(`nested deeper than ${MAX_DEPTH} levels`);
  const object: Record<string, unknown> = {};
  for (const key of Object.keys(raw)) {
    const value = raw[key];
    if (value === null || key === '__proto__') continue;
    const read = readers.get(key);
    let field: unknown;
    if (read !== undefined) field = read(value);
    else if (typeof value !== 'string') field = copy(value, depth + 1);
    else field = value !== '' && isSecretName(key) ? REDACTED : redactText(value);
    if (field !== undefined) object[key] = field;
  }
  return object;
}

function copy(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return redactText(value);
  if (Array.isArray(value)) {
    if (depth > MAX_DEPTH) throw new TooDeepError(`nested deeper than ${MAX_DEPTH} levels`);
    const items: unknown[] = [];
    for (const item of value) items.push(copy(item, depth + 1));
    return items;
  }
  if (isRaw(value)) return copyObject(value, depth, PLAIN);
  return typeof value === 'number' || typeof value === 'boolean' || value === null ? value : undefined;
}

/**
 * The annotations that a rule, a rollout or a reader needs; everything else stays in the cluster (design D6), the
 * last-applied configuration above all: it repeats literal env values.
 */
const ANNOTATIONS: ReadonlySet<string> = new Set([
  // Rollouts, and who scaled: kubernetes.io/docs/reference/labels-annotations-taints
  'deployment.kubernetes.io/revision',
  'deployment.kubernetes.io/desired-replicas',
  'deprecated.daemonset.template.generation',
  'kubectl.kubernetes.io/restartedAt',
  'kubectl.kubernetes.io/default-container',
  // Static pods: they belong to a node and cannot be evicted through the API.
  'kubernetes.io/config.source',
  'kubernetes.io/config.mirror',
  // May the pod be moved: cluster-autoscaler FAQ, karpenter.sh disruption docs, descheduler README.
  'cluster-autoscaler.kubernetes.io/safe-to-evict',
  'cluster-autoscaler.kubernetes.io/scale-down-disabled',
  'karpenter.sh/do-not-disrupt',
  'descheduler.alpha.kubernetes.io/evict',
  'controller.kubernetes.io/pod-deletion-cost',
  // Claims and volumes.
  'pv.kubernetes.io/bind-completed',
  'pv.kubernetes.io/bound-by-controller',
  'volume.kubernetes.io/selected-node',
  'volume.kubernetes.io/storage-provisioner',
  'storageclass.kubernetes.io/is-default-class',
  // Indexed and retried Jobs.
  'batch.kubernetes.io/job-completion-index',
  'batch.kubernetes.io/job-index-failure-count',
  'batch.kubernetes.io/cronjob-scheduled-timestamp',
  // Eviction Events: what used too much of what (kubelet, pkg/kubelet/eviction/helpers.go).
  'offending_containers',
  'offending_containers_usage',
  'offending_pod',
  'offending_pod_usage',
  'starved_resource',
]);

/** The annotations of the short list; undefined if there are none. */
export const annotations: Reader<Readonly<Record<string, string>>> = (value) => {
  if (!isRaw(value)) return undefined;
  let kept: Record<string, string> | undefined;
  for (const key of Object.keys(value)) {
    const item = value[key];
    if (typeof item !== 'string' || !ANNOTATIONS.has(key)) continue;
    kept ??= {};
    kept[key] = redactText(item);
  }
  return kept;
};

/** Fields of any subtree: labels and selectors must stay as they are to match, however a label is called. */
const PLAIN: Readers = new Map<string, Reader<unknown>>([
  ['annotations', annotations],
  ['labels', textMap],
  ['matchLabels', textMap],
  ['managedFields', () => undefined],
]);

const ownerReference = shape<OwnerReference>({ apiVersion: text, kind: text, name: text, uid: text, controller: flag }, 'kind', 'name', 'uid');

/** Names end at 253 characters, uids at 36, resourceVersions at 39 digits (128 bits). */
const MAX_IDENTIFIER = 253;
/** A name, a uid, a resourceVersion: never empty, never longer than Kubernetes allows. */
export const identifier: Reader<string> = (value) => (typeof value === 'string' && value !== '' && value.length <= MAX_IDENTIFIER ? value : undefined);

/** Metadata; undefined without a name, a uid or a resourceVersion. namespace is '' if there is none. */
export const metadata: Reader<Metadata> = (value) => {
  return readMetadata(isRaw(value) && typeof value['namespace'] !== 'string' ? { ...value, namespace: '' } : value);
};

const readMetadata = shape<Metadata>(
  {
    name: identifier,
    namespace: text,
    uid: identifier,
    resourceVersion: identifier,
    generation: number,
    generateName: filled,
    creationTimestamp: filled,
    deletionTimestamp: filled,
    deletionGracePeriodSeconds: number,
    labels: textMap,
    annotations,
    ownerReferences: list(ownerReference),
    finalizers: texts,
  },
  'name',
  'namespace',
  'uid',
  'resourceVersion',
);

/** Identity alone; undefined as with `metadata`. */
export const nameOnly: Reader<Metadata> = (value) => {
  const read = metadata(value);
  return read && { name: read.name, namespace: read.namespace, uid: read.uid, resourceVersion: read.resourceVersion };
};

/** lastProbeTime, lastHeartbeatTime and lastUpdateTime are left out: they move without news. */
export const conditions: Reader<readonly Condition[]> = list(
  shape<Condition>({ type: filled, status: filled, reason: filled, message: freeText, lastTransitionTime: filled }, 'type', 'status'),
);

const requirement = shape<SelectorRequirement>({ key: text, operator: text, values: texts }, 'key', 'operator');
export const labelSelector: Reader<LabelSelector> = shape<LabelSelector>({ matchLabels: textMap, matchExpressions: list(requirement) });
