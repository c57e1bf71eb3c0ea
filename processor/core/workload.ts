/** Which workload an object belongs to (design D8): the top controller, also of kinds that are not collected. */
import type { KubeObject, OwnerReference, Resource, Workload } from '../../collector/objects.ts';
import type { WorkloadRef } from '../scenarios/scenario.ts';
import type { ClusterState } from './state.ts';
import { nameKey } from './state.ts';

/** Collected controllers by kind. */
const RESOURCE_OF_KIND: Readonly<Record<string, Resource>> = {
  Deployment: 'deployments',
  ReplicaSet: 'replicasets',
  StatefulSet: 'statefulsets',
  DaemonSet: 'daemonsets',
  Job: 'jobs',
  CronJob: 'cronjobs',
};

/** API groups of the collected controllers, older ones too; '' where nothing says it. */
const GROUPS: readonly string[] = ['apps', 'batch', 'extensions', ''];

/**
 * The kind of an owner as kubectl tells it apart: another group's kind of a collected name, such as Volcano's Job, is
 * `Job.batch.volcano.sh`, and none of the collected ones.
 */
export function ownerKind({ kind, apiVersion = '' }: Pick<OwnerReference, 'kind' | 'apiVersion'>): string {
  const group = apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '';
  return RESOURCE_OF_KIND[kind] === undefined || GROUPS.includes(group) ? kind : `${kind}.${group}`;
}

/** Tables of what creates pods, or what creates pods: each is judged for what it cannot create. */
export const CONTROLLER_RESOURCES: readonly Resource[] = Object.values(RESOURCE_OF_KIND);

/** Owners in a row at most: CronJob → Job → Pod is three; a cycle must not hang. */
const MAX_OWNERS = 8;

const controllerOf = (object: KubeObject): OwnerReference | undefined => {
  const owners = object.metadata.ownerReferences;
  return owners?.find((o) => o.controller === true) ?? (owners?.length === 1 ? owners[0] : undefined);
};

/** A ReplicaSet of a Deployment is named `<deployment>-<pod-template-hash>`: known before its object arrives. */
function deploymentByHash(object: KubeObject, owner: OwnerReference): string | undefined {
  const hash = object.metadata.labels?.['pod-template-hash'];
  if (owner.kind !== 'ReplicaSet' || !owner.apiVersion?.startsWith('apps/') || !hash || !owner.name.endsWith(`-${hash}`)) return undefined;
  return owner.name.slice(0, -hash.length - 1);
}

/** The top controller of an object, or the object itself. A static pod's owner is its Node, which controls nothing. */
export function workloadOf(state: ClusterState, object: KubeObject): WorkloadRef {
  const { namespace } = object.metadata;
  let ref: WorkloadRef = { kind: object.kind, namespace, name: object.metadata.name, uid: object.metadata.uid };
  let current: KubeObject | undefined = object;
  for (let i = 0; i < MAX_OWNERS && current !== undefined; i++) {
    const owner = controllerOf(current);
    if (owner === undefined || owner.kind === 'Node') break;
    const kind = ownerKind(owner);
    const resource = RESOURCE_OF_KIND[kind];
    const next: KubeObject | undefined = resource && (state.tables.objects[resource].get(owner.uid)?.object ?? state.tables.lineage.get(owner.uid));
    const deployment: string | undefined = next === undefined ? deploymentByHash(current, owner) : undefined;
    ref = deployment === undefined ? { kind, namespace, name: owner.name, uid: owner.uid } : { kind: 'Deployment', namespace, name: deployment, uid: '' };
    current = next;
  }
  return ref;
}

/** The collected object behind a ref: by uid, else by name. */
export function workloadObject(
  state: ClusterState,
  ref: { readonly kind: string; readonly namespace: string; readonly name: string; readonly uid?: string },
): Workload | undefined {
  const resource = RESOURCE_OF_KIND[ref.kind];
  if (resource === undefined) return undefined;
  const table = state.tables.objects[resource];
  const uid = ref.uid && table.has(ref.uid) ? ref.uid : state.indexes.byName[resource].get(nameKey(ref.namespace, ref.name)).at(-1);
  return uid === undefined ? undefined : (table.get(uid)?.object as Workload | undefined);
}

/** The table in which objects of this kind live, if the kind is collected. */
export function resourceOfKind(kind: string): Resource | undefined {
  return RESOURCE_OF_KIND[kind];
}

/** Replicas a workload wants and has ready; zeros where it is unknown or has none. */
export function replicasOf(workload: Workload | undefined): { readonly desired: number; readonly ready: number } {
  if (workload === undefined) return { desired: 0, ready: 0 };
  const { spec, status } = workload;
  if (workload.kind === 'DaemonSet') return { desired: status.desiredNumberScheduled ?? 0, ready: status.numberReady ?? 0 };
  if (workload.kind === 'Job' || workload.kind === 'CronJob') return { desired: 0, ready: 0 };
  return { desired: spec.replicas ?? 1, ready: status.readyReplicas ?? 0 };
}
