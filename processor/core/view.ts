/** What rules may see of a state: scenario.ts's ClusterView over the tables. */
import type { KubeObject, Node, Pod, ProjectedObject, Resource, ResourceQuota } from '../../collector/objects.ts';
import type { PodsSince } from '../capacity/scheduling-state.ts';
import type { ClusterView, SeenEvent } from '../scenarios/scenario.ts';
import { workloadChanges } from './changes.ts';
import { inSync } from './coverage.ts';
import type { ClusterState } from './state.ts';
import { nameKey } from './state.ts';
import { workloadObject, workloadOf } from './workload.ts';

const NO_EVENTS: readonly SeenEvent[] = [];

/** A live view: nowMs and thresholds are those of the state at the time of asking. */
export function createView(state: ClusterState): ClusterView {
  const { objects, events, histories } = state.tables;
  const { byName, podsByNode, podsByNamespace } = state.indexes;
  const object = (resource: Resource, namespace: string, name: string): ProjectedObject | undefined => {
    const uid = byName[resource].get(nameKey(namespace, name)).at(-1);
    return uid === undefined ? undefined : objects[resource].get(uid)?.object;
  };
  function* podsBy(uids: Iterable<string>): Generator<Pod> {
    for (const uid of uids) {
      const stored = objects.pods.get(uid);
      if (stored !== undefined) yield stored.object as Pod;
    }
  }
  function* all<T extends ProjectedObject>(resource: Resource): Generator<T> {
    for (const stored of objects[resource].values()) yield stored.object as T;
  }
  return {
    get nowMs() {
      return state.meta.streamTimeMs;
    },
    get thresholds() {
      return state.meta.rules.thresholds;
    },
    inSync: (resource) => inSync(state, resource),
    object,
    objects: (resource) => all(resource),
    node: (name) => object('nodes', '', name) as Node | undefined,
    nodes: () => all<Node>('nodes'),
    podsOnNode: (name) => podsBy(podsByNode.get(name)),
    podsIn: (namespace) => podsBy(podsByNamespace.get(namespace)),
    pods: () => all<Pod>('pods'),
    unorderedPods: () => podsBy(objects.pods.unsortedKeys()),
    podsSince: (position) => podsSince(state, position),
    *quotasIn(namespace) {
      for (const quota of all<ResourceQuota>('resourcequotas')) if (quota.metadata.namespace === namespace) yield quota;
    },
    eventsOf: (uid) => events.get(uid) ?? NO_EVENTS,
    historyOf: (uid) => histories.get(uid),
    workloadOf: (child: KubeObject) => workloadOf(state, child),
    workload: (ref) => workloadObject(state, ref),
    changesOf: (ref) => workloadChanges(state, ref),
  };
}

function podsSince({ journal, tables }: ClusterState, position: number | undefined): PodsSince {
  const uids = position === undefined ? undefined : journal.since(position);
  const changes = uids && [...new Set(uids)].map((uid) => ({ uid, pod: tables.objects.pods.get(uid)?.object as Pod | undefined }));
  return { position: journal.position(), changes };
}

const views = new WeakMap<ClusterState, ClusterView>();

/** The view that the core itself looks through: one for each state, so that what is kept by view is kept between records. */
export function viewOf(state: ClusterState): ClusterView {
  const known = views.get(state);
  if (known !== undefined) return known;
  const view = createView(state);
  views.set(state, view);
  return view;
}
