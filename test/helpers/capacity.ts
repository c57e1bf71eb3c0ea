/** Nodes, pods and clusters for capacity tests: ready, unlabelled, and as small as the test says. */
import type { Node, Pod, PodSpec, ProjectedObject, Resource } from '../../collector/objects.ts';
import { buildSchedulingState } from '../../processor/capacity/capacity-state.ts';
import type { SchedulingCluster, SchedulingState } from '../../processor/capacity/scheduling-state.ts';

type Labels = Readonly<Record<string, string>>;

export function node(name: string, allocatable: Readonly<Record<string, string>>, more: { labels?: Labels; spec?: Node['spec']; ready?: string } = {}): Node {
  return {
    kind: 'Node',
    apiVersion: 'v1',
    metadata: { name, namespace: '', uid: `node-${name}`, resourceVersion: '1', labels: { 'kubernetes.io/hostname': name, ...more.labels } },
    spec: more.spec ?? {},
    status: { allocatable: { pods: '110', ...allocatable }, conditions: [{ type: 'Ready', status: more.ready ?? 'True' }] },
  };
}

export interface PodOptions {
  readonly on?: string;
  readonly namespace?: string;
  readonly labels?: Labels;
  /** Kind of the controller; '' for a bare pod. */
  readonly owner?: string;
  readonly annotations?: Labels;
  readonly spec?: Partial<PodSpec>;
  readonly status?: Pod['status'];
  readonly deleted?: boolean;
}

export function pod(name: string, requests: Readonly<Record<string, string>>, options: PodOptions = {}): Pod {
  const owner = options.owner ?? 'ReplicaSet';
  return {
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: {
      name,
      namespace: options.namespace ?? 'shop',
      uid: `pod-${options.namespace ?? 'shop'}-${name}`,
      resourceVersion: '1',
      labels: options.labels,
      annotations: options.annotations,
      ownerReferences: owner === '' ? [] : [{ kind: owner, name: 'owner', uid: `owner-${owner}`, controller: true }],
      ...(options.deleted === true ? { deletionTimestamp: '2026-01-15T12:00:00Z' } : {}),
    },
    spec: { containers: [{ name: 'app', resources: { requests } }], nodeName: options.on, ...options.spec },
    status: options.status ?? { phase: options.on === undefined ? 'Pending' : 'Running' },
  };
}

export interface TestCluster {
  readonly nodes: readonly Node[];
  readonly pods?: readonly Pod[];
  readonly objects?: Partial<Record<Resource, readonly ProjectedObject[]>>;
  /** Resources that are not in sync. */
  readonly blind?: readonly Resource[];
}

export function clusterOf({ nodes, pods = [], objects = {}, blind = [] }: TestCluster): SchedulingCluster {
  return {
    nodes: () => nodes,
    pods: () => pods,
    podsOnNode: (name) => pods.filter((each) => each.spec.nodeName === name),
    object: (resource, namespace, name) => objects[resource]?.find(({ metadata }) => metadata.namespace === namespace && metadata.name === name),
    inSync: (resource) => !blind.includes(resource),
    objects: (resource) => objects[resource] ?? [],
  };
}

export function stateOf(cluster: TestCluster): SchedulingState {
  return buildSchedulingState(clusterOf(cluster));
}

/** Any object that is no pod or node, as projected. */
export function object(kind: string, name: string, fields: Readonly<Record<string, unknown>>, namespace = ''): ProjectedObject {
  return { kind, apiVersion: 'v1', metadata: { name, namespace, uid: `${kind}-${name}`, resourceVersion: '1' }, ...fields };
}
