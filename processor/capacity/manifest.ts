/**
 * Manifests, checked before anything is computed from them: unknown fields, wrong types and bad quantities, each with the document and the
 * path to it. Documents are parsed YAML or JSON; the shell that parsed them turns paths into lines.
 */
import type { KubeObject } from '../../collector/objects.ts';
import { decodeObject } from './decode.ts';
import { foreignWorkloads, groupOf, NATIVE_GROUPS, templateReference } from './foreign-templates.ts';
import { fieldProblem, nameProblem, repeatedNames } from './field-rules.ts';
import { KNOWN_FIELDS } from './known-fields.ts';
import { parseQuantity } from './quantity.ts';
import type { Fields } from './reading.ts';
import { fieldsOf, listOf, textEntriesOf, textOf } from './reading.ts';
import { compileLabelSelector, matches } from './selectors.ts';
import { WORKLOAD_KINDS } from './workload.ts';

/** What makes a manifest unusable. `path` leads from the document's root to the value. */
export interface ManifestProblem {
  /** Position of the document in the input, from 1. */
  readonly document: number;
  readonly path: readonly (string | number)[];
  /** e.g. `is not a known field of Container`. */
  readonly message: string;
}

export interface Manifests {
  /** Objects that make pods, in order. */
  readonly workloads: readonly KubeObject[];
  /** Everything else: claims, ConfigMaps, quotas … that count as created. */
  readonly others: readonly KubeObject[];
  readonly problems: readonly ManifestProblem[];
}

/** Past this many problems of one document the rest is not looked at. */
const MAX_PROBLEMS = 20;
const MAX_DEPTH = 64;

/** Reads the documents of one manifest; `List` objects are taken apart. Never throws. */
export function readManifests(documents: readonly unknown[]): Manifests {
  const workloads: KubeObject[] = [];
  const others: KubeObject[] = [];
  const problems: ManifestProblem[] = [];
  for (const [index, document] of documents.entries()) {
    if (document === null || document === undefined) continue;
    for (const { value, path } of itemsOf(document)) readObject(value, { document: index + 1, path, problems, start: problems.length }, workloads, others);
  }
  return { workloads, others, problems };
}

interface Place {
  readonly document: number;
  readonly path: readonly (string | number)[];
  readonly problems: ManifestProblem[];
  /** Problems before this document. */
  readonly start: number;
  /** Fields that Kubernetes does not know may be known to whoever defined the kind. */
  readonly isLenient?: boolean;
}

function itemsOf(document: unknown): readonly { readonly value: unknown; readonly path: readonly (string | number)[] }[] {
  const fields = fieldsOf(document);
  const kind = textOf(fields?.['kind']) ?? '';
  if (fields === undefined || !kind.endsWith('List') || !Array.isArray(fields['items'])) return [{ value: document, path: [] }];
  return fields['items'].map((value, index) => ({ value, path: ['items', index] }));
}

function readObject(value: unknown, place: Place, workloads: KubeObject[], others: KubeObject[]): void {
  const decoded = decodeObject(value, 'object');
  if (!decoded.ok) {
    place.problems.push({ document: place.document, path: place.path, message: decoded.reason.replace(/^object[.:]? ?/, '') });
    return;
  }
  const object = decoded.value;
  const foreign = foreignWorkloads(object);
  for (const { workload, path } of foreign) {
    const template = path.reduce<unknown>((at, key) => (at as Readonly<Record<string | number, unknown>>)[key], value);
    if (templateReference(workload) === undefined) checkValue(template, 'PodTemplateSpec', { ...place, path: [...place.path, ...path], isLenient: true }, 0);
    workloads.push(workload);
  }
  if (foreign.length > 0) return;
  if (isForeign(object)) {
    others.push(object);
    return;
  }
  if (KNOWN_GROUPS.includes(groupOf(object)) && Object.hasOwn(KNOWN_FIELDS, object.kind)) checkValue(value, object.kind, place, 0);
  if (!isWorkload(object.kind)) {
    const meant = WORKLOAD_KINDS.find((kind) => kind.toLowerCase() === object.kind.toLowerCase());
    if (meant !== undefined) report({ ...place, path: [...place.path, 'kind'] }, `${object.kind} is not a kind: write ${meant}`);
    others.push(object);
    return;
  }
  const spec = fieldsOf(fieldsOf(value)?.['spec']);
  checkVersion(object, place);
  const misnamed = nameProblem(object.metadata.name);
  if (misnamed !== undefined && textOf(fieldsOf(fieldsOf(value)?.['metadata'])?.['name']) !== undefined)
    report({ ...place, path: [...place.path, 'metadata', 'name'] }, misnamed);
  checkSelector(object.kind, spec, place);
  if (listOf(podSpecOf(object.kind, spec)?.['containers']).length === 0) report(place, 'has no containers');
  else workloads.push(object);
}

/** Groups of the kinds in KNOWN_FIELDS: another's kind of the same name has fields of its own. */
const KNOWN_GROUPS: readonly string[] = [...NATIVE_GROUPS, 'policy', 'scheduling.k8s.io'];

/** Where the API server of today serves the kinds that make pods. */
const VERSIONS: Readonly<Record<(typeof WORKLOAD_KINDS)[number], string>> = {
  Pod: 'v1',
  ReplicationController: 'v1',
  Deployment: 'apps/v1',
  ReplicaSet: 'apps/v1',
  StatefulSet: 'apps/v1',
  DaemonSet: 'apps/v1',
  Job: 'batch/v1',
  CronJob: 'batch/v1',
};

/** Another group's kind of the same name, such as Volcano's Job: nothing is known of its fields but the pod templates in it. */
function isForeign(object: KubeObject): boolean {
  return isWorkload(object.kind) && !NATIVE_GROUPS.includes(groupOf(object));
}

function checkVersion({ kind, apiVersion = '' }: KubeObject, place: Place): void {
  const served = isWorkload(kind) ? VERSIONS[kind] : undefined;
  if (apiVersion === '' || served === undefined || apiVersion === served) return;
  report({ ...place, path: [...place.path, 'apiVersion'] }, `${apiVersion} serves no ${kind}: write ${served}`);
}

/** Kinds of apps/v1 name their pods by a selector that the template has to match (pkg/apis/apps/validation). */
function checkSelector(kind: string, spec: Fields | undefined, place: Place): void {
  const template = fieldsOf(spec?.['template']);
  if (!isWorkload(kind) || VERSIONS[kind] !== 'apps/v1' || template === undefined) return;
  const selector = compileLabelSelector(spec?.['selector']);
  const path = [...place.path, 'spec'];
  if (fieldsOf(spec?.['selector']) === undefined) report({ ...place, path: [...path, 'selector'] }, 'is missing');
  else if (!matches(selector, Object.fromEntries(textEntriesOf(fieldsOf(template['metadata'])?.['labels'])))) {
    report({ ...place, path: [...path, 'template', 'metadata', 'labels'] }, 'do not match spec.selector');
  }
}

function isWorkload(kind: string): kind is (typeof WORKLOAD_KINDS)[number] {
  return (WORKLOAD_KINDS as readonly string[]).includes(kind);
}

function podSpecOf(kind: string, spec: Fields | undefined): Fields | undefined {
  if (kind === 'Pod') return spec;
  if (kind === 'CronJob') return podSpecOf('Job', fieldsOf(fieldsOf(spec?.['jobTemplate'])?.['spec']));
  return fieldsOf(fieldsOf(spec?.['template'])?.['spec']);
}

function report({ document, path, problems, start }: Place, message: string): void {
  if (problems.length - start < MAX_PROBLEMS) problems.push({ document, path, message });
}

/** Checks a value against a type of KNOWN_FIELDS and everything below it. null counts as absent, as it does for the API server. */
function checkValue(value: unknown, type: string, place: Place, depth: number): void {
  if (value === null || value === undefined || type === 'any') return;
  if (place.problems.length - place.start >= MAX_PROBLEMS) return;
  if (depth > MAX_DEPTH) {
    report(place, `is nested more than ${MAX_DEPTH} levels deep`);
    return;
  }
  const below = (key: string | number): Place => ({ ...place, path: [...place.path, key] });
  if (type.startsWith('[]')) {
    if (!Array.isArray(value)) report(place, 'is not a list');
    else {
      for (const index of repeatedNames(type, value)) report({ ...below(index), path: [...place.path, index, 'name'] }, 'is the name of an earlier one too');
      for (const [index, item] of value.entries()) checkValue(item, type.slice(2), below(index), depth + 1);
    }
    return;
  }
  const fields = fieldsOf(value);
  if (type.startsWith('{}')) {
    if (fields === undefined) report(place, 'is not a map');
    else for (const [key, item] of Object.entries(fields)) checkValue(item, type.slice(2), below(key), depth + 1);
    return;
  }
  const known = KNOWN_FIELDS[type];
  if (known === undefined) {
    const message = scalarProblem(value, type);
    if (message !== undefined) report(place, message);
    return;
  }
  if (fields === undefined) {
    report(place, `is not an object (${type})`);
    return;
  }
  for (const [key, item] of Object.entries(fields)) {
    const field = Object.hasOwn(known, key) ? known[key] : undefined;
    const problem = fieldProblem(type, key, item);
    if (problem !== undefined) report(below(key), problem);
    else if (field !== undefined) checkValue(item, field, below(key), depth + 1);
    else if (place.isLenient !== true) report(below(key), `is not a known field of ${type}`);
  }
}

function scalarProblem(value: unknown, type: string): string | undefined {
  switch (type) {
    case 'string':
      return typeof value === 'string' ? undefined : `is ${describe(value)}, not text${typeof value === 'object' ? '' : `: write "${String(value)}"`}`;
    case 'boolean':
      return typeof value === 'boolean' ? undefined : `is ${describe(value)}, not true or false`;
    case 'integer':
      return Number.isSafeInteger(value) ? undefined : `is ${describe(value)}, not a whole number`;
    case 'number':
      return typeof value === 'number' ? undefined : `is ${describe(value)}, not a number`;
    case 'intOrString':
      return typeof value === 'string' || Number.isSafeInteger(value) ? undefined : `is ${describe(value)}, neither a whole number nor text`;
    case 'quantity': {
      const quantity = parseQuantity(value);
      if (!quantity.ok) return `${JSON.stringify(value)?.slice(0, 80)} ${quantity.reason}`;
      return quantity.nano < 0n ? `${JSON.stringify(value)} must not be negative` : undefined;
    }
    default:
      return undefined;
  }
}

function describe(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'a map' : `the ${typeof value} ${String(value).slice(0, 40)}`;
}
