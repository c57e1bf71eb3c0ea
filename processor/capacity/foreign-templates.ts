/**
 * Pod templates in kinds that are not Kubernetes' own: Argo Rollouts, OpenKruise, Kubeflow, Ray, Volcano, JobSet, LeaderWorkerSet, Knative
 * and whatever else embeds a PodTemplateSpec under a field called `template` or `…Template`, as their CRDs do by convention.
 */
import type { KubeObject } from '../../collector/objects.ts';
import type { Fields } from './reading.ts';
import { fieldsOf, integerOf, listOf, textOf } from './reading.ts';

/** A template as if it were a workload of its own. */
export interface ForeignWorkload {
  readonly workload: KubeObject;
  /** From the object's root to the template. */
  readonly path: readonly (string | number)[];
}

/** The workload whose template an Argo Rollout without its own takes over (spec.workloadRef). */
export interface TemplateReference {
  readonly kind: string;
  readonly name: string;
}

const MAX_DEPTH = 16;
/** Groups that serve the kinds of Kubernetes itself, or did: kubernetes.io/docs/reference/using-api/deprecation-guide. */
export const NATIVE_GROUPS: readonly string[] = ['', 'apps', 'batch', 'extensions'];
/** Their rules have the shape of workloads and create none. */
const POLICY_GROUPS: readonly string[] = ['kyverno.io', 'templates.gatekeeper.sh', 'constraints.gatekeeper.sh', 'mutations.gatekeeper.sh'];

/** The workloads that an object of a foreign kind stands for, in the order of its fields; none where it has no pod template. */
export function foreignWorkloads(object: KubeObject): readonly ForeignWorkload[] {
  const group = groupOf(object);
  if (NATIVE_GROUPS.includes(group) || POLICY_GROUPS.includes(group)) return [];
  if (templateReference(object) !== undefined) return [{ workload: object, path: ['spec', 'workloadRef'] }];
  const found: ForeignWorkload[] = [];
  const visit = (value: unknown, path: readonly (string | number)[], parents: readonly Fields[]): void => {
    if (path.length > MAX_DEPTH) return;
    if (Array.isArray(value)) {
      for (const [index, item] of value.entries()) visit(item, [...path, index], parents);
      return;
    }
    const fields = fieldsOf(value);
    if (fields === undefined) return;
    if (isTemplate(fields, path.at(-1))) found.push({ path, workload: workloadOf(object, fields, path, parents) });
    else for (const [key, item] of Object.entries(fields)) visit(item, [...path, key], [...parents, fields]);
  };
  visit(fieldsOf(object)?.['spec'], ['spec'], []);
  return found;
}

/** Undefined for what has a template, or needs none. */
export function templateReference(object: KubeObject): TemplateReference | undefined {
  const spec = fieldsOf(fieldsOf(object)?.['spec']);
  const reference = fieldsOf(spec?.['workloadRef']);
  if (reference === undefined || fieldsOf(spec?.['template']) !== undefined) return undefined;
  return { kind: textOf(reference['kind']) ?? 'Deployment', name: textOf(reference['name']) ?? '' };
}

export function groupOf({ apiVersion = '' }: KubeObject): string {
  return apiVersion.includes('/') ? (apiVersion.split('/')[0] ?? '') : '';
}

function isTemplate(fields: Fields, key: string | number | undefined): boolean {
  if (typeof key !== 'string' || !/template$/i.test(key)) return false;
  const containers = listOf(fieldsOf(fields['spec'])?.['containers']);
  return containers.length > 0;
}

/** The only template keeps the name of its object; several are told apart by the name, or the field, that their role has. */
function workloadOf(object: KubeObject, template: Fields, path: readonly (string | number)[], parents: readonly Fields[]): KubeObject {
  const count = copiesOf(path, parents);
  const isPlain = path.length === 2;
  const { selector, ...own } = fieldsOf(fieldsOf(object)?.['spec']) ?? {};
  // The scheduler spreads by the selector of a ReplicaSet, which a Rollout makes of its own, and of no other foreign kind.
  const kept = object.kind === 'Rollout' ? { ...own, selector } : own;
  const spec = isPlain ? { ...kept, replicas: count } : { replicas: count, parallelism: count, template };
  const role = isPlain ? '' : `/${roleOf(path, parents)}`;
  const metadata = { ...object.metadata, name: `${object.metadata.name}${role}` };
  return { ...object, metadata, spec } as KubeObject;
}

/** `replicas` of everything around the template multiply; a job template has parallelism instead. */
function copiesOf(path: readonly (string | number)[], parents: readonly Fields[]): number {
  const holder = parents.at(-1) ?? {};
  const parallelism = integerOf(holder['parallelism']);
  const jobs = parallelism === undefined ? 1 : Math.min(parallelism, integerOf(holder['completions']) ?? parallelism);
  return parents.reduce((product, parent) => product * Math.max(0, integerOf(parent['replicas']) ?? 1), jobs) * groupSize(path, holder);
}

/** LeaderWorkerSet: a group has `size` pods, one of them the leader, which has the workers' template unless it has its own. */
function groupSize(path: readonly (string | number)[], holder: Fields): number {
  const size = integerOf(holder['size']);
  if (path.at(-1) !== 'workerTemplate' || size === undefined) return 1;
  return Math.max(0, size - (fieldsOf(holder['leaderTemplate']) === undefined ? 0 : 1));
}

/** The nearest name around the template, else the field it stands in. */
function roleOf(path: readonly (string | number)[], parents: readonly Fields[]): string {
  for (const parent of [...parents].reverse()) {
    const name = textOf(parent['name']) ?? textOf(parent['groupName']);
    if (name !== undefined) return name;
  }
  const fields = path.filter((step) => typeof step === 'string');
  return fields.at(-1) === 'template' ? (fields.at(-2) ?? 'template') : (fields.at(-1) ?? 'template');
}
