/** Where each collected resource lives in the Kubernetes API: the one table of groups, versions and scopes. */
import { NAME_ONLY_RESOURCES, RESOURCES, type Resource } from './objects.ts';

export interface ApiResource {
  /** '' is the core group. */
  readonly group: string;
  readonly version: string;
  readonly namespaced: boolean;
}

const core = (namespaced: boolean): ApiResource => ({ group: '', version: 'v1', namespaced });
const inGroup = (group: string, namespaced: boolean, version = 'v1'): ApiResource => ({ group, version, namespaced });

/** Groups and versions served since Kubernetes 1.23 (autoscaling/v2 is the youngest): https://kubernetes.io/docs/reference/kubernetes-api/ */
export const API_RESOURCES: { readonly [R in Resource]: ApiResource } = {
  namespaces: core(false),
  nodes: core(false),
  priorityclasses: inGroup('scheduling.k8s.io', false),
  storageclasses: inGroup('storage.k8s.io', false),
  persistentvolumes: core(false),
  csinodes: inGroup('storage.k8s.io', false),
  persistentvolumeclaims: core(true),
  resourcequotas: core(true),
  limitranges: core(true),
  poddisruptionbudgets: inGroup('policy', true),
  deployments: inGroup('apps', true),
  statefulsets: inGroup('apps', true),
  daemonsets: inGroup('apps', true),
  cronjobs: inGroup('batch', true),
  jobs: inGroup('batch', true),
  replicasets: inGroup('apps', true),
  horizontalpodautoscalers: inGroup('autoscaling', true, 'v2'),
  configmaps: core(true),
  secrets: core(true),
  serviceaccounts: core(true),
  pods: core(true),
  events: core(true),
};

/** The path of a resource's collection. `scope` is one namespace, or '' for the whole cluster. */
export function collectionPath(resource: Resource, scope: string): string {
  const { group, version } = API_RESOURCES[resource];
  const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
  return scope === '' ? `${root}/${resource}` : `${root}/namespaces/${encodeURIComponent(scope)}/${resource}`;
}

/**
 * The Accept header of a list or watch. Of name-only resources nothing but metadata is accepted, without a fallback: a server
 * that cannot leave the data out answers 406, and no Secret ever reaches this process.
 */
export function acceptHeader(resource: Resource, verb: 'list' | 'watch'): string {
  if (!NAME_ONLY_RESOURCES.includes(resource)) return 'application/json';
  return `application/json;as=PartialObjectMetadata${verb === 'list' ? 'List' : ''};g=meta.k8s.io;v=v1`;
}

/** What RBAC lacks, in the words of an API server's own refusal, without the user's name. */
export function describeDenied(verb: 'list' | 'watch', resource: Resource, scope: string): string {
  const where = scope === '' ? 'at the cluster scope' : `in the namespace "${scope}"`;
  return `cannot ${verb} resource "${resource}" in API group "${API_RESOURCES[resource].group}" ${where}`;
}

/** One list/watch loop to run. */
export interface Target {
  readonly resource: Resource;
  readonly scope: string;
}

export interface TargetPlan {
  readonly targets: readonly Target[];
  /** Wanted, but cluster-scoped, and this cluster is collected namespace by namespace. */
  readonly skipped: readonly Resource[];
}

/** The loops of one cluster, in the order of RESOURCES. Name-only resources come in if asked for, by switch or by name. */
export function planTargets(options: {
  readonly resources?: readonly Resource[];
  readonly namespaces?: readonly string[];
  readonly nameOnly: boolean;
}): TargetPlan {
  const { resources, namespaces, nameOnly } = options;
  const wanted = RESOURCES.filter((resource) => resources?.includes(resource) ?? (nameOnly || !NAME_ONLY_RESOURCES.includes(resource)));
  if (namespaces === undefined) return { targets: wanted.map((resource) => ({ resource, scope: '' })), skipped: [] };
  const namespaced = wanted.filter((resource) => API_RESOURCES[resource].namespaced);
  return {
    targets: namespaced.flatMap((resource) => namespaces.map((scope) => ({ resource, scope }))),
    skipped: wanted.filter((resource) => !API_RESOURCES[resource].namespaced),
  };
}
