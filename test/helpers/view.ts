/**
 * A ClusterView built from plain objects, for unit tests of rules, with builders that fill in what a case does not care about.
 * Everything not given is in sync and empty; stream time stands at NOW_MS unless the case moves it.
 */
import type { Container, ContainerStatus, KubeObject, Node, Pod, ProjectedObject, Resource, ResourceQuota, Workload } from '../../collector/objects.ts';
import { DEFAULT_THRESHOLDS } from '../../processor/core/rules-config.ts';
import type {
  ClusterView,
  ContainerHistory,
  ControllerView,
  FinishedRun,
  NodeView,
  PodView,
  SeenEvent,
  Thresholds,
  WorkloadRef,
} from '../../processor/scenarios/scenario.ts';

/** Stream time of a view unless moved. */
export const NOW_MS = Date.parse('2026-01-15T12:00:00Z');

/** RFC 3339 at that many seconds from NOW_MS, as the API server writes it. */
export function at(seconds: number): string {
  return new Date(NOW_MS + seconds * 1_000).toISOString().replace('.000Z', 'Z');
}

/** Epoch ms at that many seconds from NOW_MS. */
export function atMs(seconds: number): number {
  return NOW_MS + seconds * 1_000;
}

const RESOURCE_OF_KIND: Readonly<Record<string, Resource>> = {
  Namespace: 'namespaces',
  Node: 'nodes',
  PriorityClass: 'priorityclasses',
  StorageClass: 'storageclasses',
  PersistentVolume: 'persistentvolumes',
  CSINode: 'csinodes',
  PersistentVolumeClaim: 'persistentvolumeclaims',
  ResourceQuota: 'resourcequotas',
  LimitRange: 'limitranges',
  PodDisruptionBudget: 'poddisruptionbudgets',
  Deployment: 'deployments',
  StatefulSet: 'statefulsets',
  DaemonSet: 'daemonsets',
  CronJob: 'cronjobs',
  Job: 'jobs',
  ReplicaSet: 'replicasets',
  HorizontalPodAutoscaler: 'horizontalpodautoscalers',
  ConfigMap: 'configmaps',
  Secret: 'secrets',
  ServiceAccount: 'serviceaccounts',
  Pod: 'pods',
  Event: 'events',
};

export interface ViewOptions {
  readonly nowMs?: number;
  readonly thresholds?: Partial<Thresholds>;
  /** The tables, in any order. */
  readonly objects?: readonly ProjectedObject[];
  /** Recent Events by the uid of what they are about. */
  readonly events?: Readonly<Record<string, readonly SeenEvent[]>>;
  /** Resources whose tables may be incomplete; all others are in sync. */
  readonly notInSync?: readonly Resource[];
}

/** One cluster as a rule sees it. */
export function clusterView(options: ViewOptions = {}): ClusterView {
  const objects = [...(options.objects ?? [])].sort((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1));
  const ofKind = <T extends KubeObject>(kind: string): T[] => objects.filter((object) => object.kind === kind) as unknown as T[];
  const find = (kind: string, namespace: string, name: string): ProjectedObject | undefined =>
    objects.find((object) => object.kind === kind && object.metadata.namespace === namespace && object.metadata.name === name);
  const workloadOf = (object: KubeObject): WorkloadRef => {
    const { namespace, ownerReferences } = object.metadata;
    const owner = (ownerReferences ?? []).find((reference) => reference.controller === true);
    if (owner === undefined) return { kind: object.kind, namespace, name: object.metadata.name, uid: object.metadata.uid };
    const collected = find(owner.kind, namespace, owner.name);
    return collected === undefined ? { kind: owner.kind, namespace, name: owner.name, uid: '' } : workloadOf(collected);
  };
  return {
    nowMs: options.nowMs ?? NOW_MS,
    thresholds: { ...DEFAULT_THRESHOLDS, ...options.thresholds },
    inSync: (resource) => !(options.notInSync ?? []).includes(resource),
    object: (resource, namespace, name) =>
      objects.find((object) => RESOURCE_OF_KIND[object.kind] === resource && object.metadata.namespace === namespace && object.metadata.name === name),
    objects: (resource) => objects.filter((object) => RESOURCE_OF_KIND[object.kind] === resource),
    node: (name) => find('Node', '', name) as Node | undefined,
    nodes: () => ofKind<Node>('Node'),
    podsOnNode: (name) => ofKind<Pod>('Pod').filter((pod) => pod.spec.nodeName === name),
    podsIn: (namespace) => ofKind<Pod>('Pod').filter((pod) => pod.metadata.namespace === namespace),
    pods: () => ofKind<Pod>('Pod'),
    quotasIn: (namespace) => ofKind<ResourceQuota>('ResourceQuota').filter((quota) => quota.metadata.namespace === namespace),
    eventsOf: (uid) => options.events?.[uid] ?? [],
    workloadOf,
    workload: (ref) => find(ref.kind, ref.namespace, ref.name) as Workload | undefined,
  };
}

export interface PodViewOptions extends Omit<ViewOptions, 'events'> {
  /** About the pod in hand. */
  readonly events?: readonly SeenEvent[];
  /** About other objects, by uid. */
  readonly otherEvents?: Readonly<Record<string, readonly SeenEvent[]>>;
  /** By container name; a container not named has the past of one that was never seen to run. */
  readonly history?: Readonly<Record<string, Partial<ContainerHistory>>>;
  readonly firstSeenMs?: number;
}

/** A pod with its past and its Events; the pod is in the table too. */
export function podView(pod: Pod, options: PodViewOptions = {}): PodView {
  const events = options.events ?? [];
  const view = clusterView({
    ...options,
    objects: [...(options.objects ?? []), pod],
    events: { ...options.otherEvents, [pod.metadata.uid]: events },
  });
  const containers = Object.fromEntries(Object.entries(options.history ?? {}).map(([name, past]) => [name, containerHistory(past)]));
  return { ...view, pod, events, history: { firstSeenMs: options.firstSeenMs ?? Date.parse(pod.metadata.creationTimestamp ?? at(0)), containers } };
}

/** A controller that could not create its pod. */
export function controllerView(controller: Workload, events: readonly SeenEvent[], options: ViewOptions = {}): ControllerView {
  const view = clusterView({ ...options, objects: [...(options.objects ?? []), controller], events: { ...options.events, [controller.metadata.uid]: events } });
  return { ...view, controller, events };
}

/** A node with its Events. */
export function nodeView(subjectNode: Node, events: readonly SeenEvent[], options: ViewOptions = {}): NodeView {
  const view = clusterView({
    ...options,
    objects: [...(options.objects ?? []), subjectNode],
    events: { ...options.events, [subjectNode.metadata.uid]: events },
  });
  return { ...view, subjectNode, events };
}

/** Any object: `object('Secret', { name: 'pull' })`. uid and resourceVersion follow from kind and name unless given. */
export function object<T extends ProjectedObject = ProjectedObject>(
  kind: string,
  metadata: Partial<KubeObject['metadata']> & { readonly name: string },
  rest: object = {},
): T {
  const clusterScoped = ['Node', 'PersistentVolume', 'StorageClass', 'CSINode', 'PriorityClass', 'Namespace'].includes(kind);
  const defaults = { namespace: clusterScoped ? '' : 'shop', uid: `${kind}-${metadata.name}`.toLowerCase(), resourceVersion: '1' };
  return { kind, apiVersion: 'v1', ...rest, metadata: { ...defaults, creationTimestamp: at(-600), ...metadata } } as unknown as T;
}

export interface PodOptions {
  readonly metadata?: Partial<Pod['metadata']>;
  readonly spec?: Partial<Pod['spec']>;
  readonly status?: Partial<Pod['status']>;
  /** Of one container `app`, merged over a running default; `status.containerStatuses` wins. */
  readonly app?: Partial<ContainerStatus>;
  /** The spec of that container. */
  readonly container?: Partial<Container>;
}

/** A pod `shop/web-1` of ReplicaSet web-7d9c bound to node-a, container `app` running since ten minutes. */
export function pod(options: PodOptions = {}): Pod {
  const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web-7d9c', uid: 'replicaset-web-7d9c', controller: true };
  return object<Pod>(
    'Pod',
    { name: 'web-1', ownerReferences: [owner], ...options.metadata },
    {
      spec: {
        nodeName: 'node-a',
        restartPolicy: 'Always',
        terminationGracePeriodSeconds: 30,
        containers: [{ name: 'app', image: 'registry.example.com/shop/web:1', ...options.container }],
        ...options.spec,
      },
      status: { phase: 'Running', startTime: at(-600), containerStatuses: [containerStatus(options.app)], ...options.status },
    },
  );
}

/** A container's status: running and ready since ten minutes unless said otherwise. */
export function containerStatus(status: Partial<ContainerStatus> = {}): ContainerStatus {
  return { name: 'app', ready: true, started: true, restartCount: 0, state: { running: { startedAt: at(-600) } }, lastState: {}, ...status };
}

/** A container's past: never started, nothing finished, unless said otherwise. */
export function containerHistory(past: Partial<ContainerHistory> = {}): ContainerHistory {
  return { runs: [], restarts: [], everStarted: false, everReady: false, longestRunMs: 0, ...past };
}

/** A finished run that ended that many seconds from NOW_MS and lasted that long. */
export function finishedRun(run: Partial<FinishedRun> & { readonly endedAt: number; readonly lasted: number }): FinishedRun {
  const { endedAt, lasted, ...rest } = run;
  return { restartCount: 0, startedTimeMs: atMs(endedAt - lasted), finishedTimeMs: atMs(endedAt), exitCode: 1, reason: 'Error', message: '', ...rest };
}

/** An Event about a pod's container `app` by the kubelet, last seen that many seconds from NOW_MS. */
export function seenEvent(event: Partial<SeenEvent> & { readonly reason: string; readonly last?: number; readonly first?: number }): SeenEvent {
  const { last = -5, first = last, ...rest } = event;
  return {
    uid: `event-${event.reason}-${last}`.toLowerCase(),
    type: 'Warning',
    note: '',
    component: 'kubelet',
    fieldPath: 'spec.containers{app}',
    firstTimeMs: atMs(first),
    lastTimeMs: atMs(last),
    count: 1,
    ...rest,
  };
}

/** A ready node with 4 CPU, 8 GiB and 110 pods. */
export function node(
  options: { readonly metadata?: Partial<Node['metadata']>; readonly spec?: Node['spec']; readonly status?: Partial<Node['status']> } = {},
): Node {
  const resources = { cpu: '4', memory: '8Gi', 'ephemeral-storage': '100Gi', pods: '110' };
  return object<Node>(
    'Node',
    { name: 'node-a', ...options.metadata },
    {
      spec: options.spec ?? {},
      status: {
        allocatable: resources,
        capacity: resources,
        conditions: [{ type: 'Ready', status: 'True', reason: 'KubeletReady', lastTransitionTime: at(-86_400) }],
        ...options.status,
      },
    },
  );
}

/** A Deployment, StatefulSet, DaemonSet, ReplicaSet, Job or CronJob; Deployment shop/web unless said otherwise. */
export function workload(
  kind = 'Deployment',
  options: { readonly metadata?: Partial<Workload['metadata']>; readonly spec?: Partial<Workload['spec']>; readonly status?: Partial<Workload['status']> } = {},
): Workload {
  return object<Workload>(kind, { name: 'web', ...options.metadata }, { spec: { replicas: 1, ...options.spec }, status: { ...options.status } });
}

/** Deployment shop/web and its ReplicaSet web-7d9c, which owns the default pod. */
export function webDeployment(): readonly Workload[] {
  const owner = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', uid: 'deployment-web', controller: true };
  return [workload('Deployment'), workload('ReplicaSet', { metadata: { name: 'web-7d9c', ownerReferences: [owner] } })];
}

function sortKey(value: ProjectedObject): string {
  return `${value.kind}/${value.metadata.namespace}/${value.metadata.name}`;
}
