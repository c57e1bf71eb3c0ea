/** What is judged again because something changed: of all sources in the tables only those of which a rule may now say something else. */
import type { Event, Node, Pod, ProjectedObject, Resource, Workload } from '../../collector/objects.ts';
import { conditionOf } from '../scenarios/conditions.ts';
import { REFUSED_REASONS } from '../scenarios/failed-create.ts';
import { isHeard } from '../scenarios/heard-events.ts';
import type { ClusterState } from './state.ts';
import { controllerUid, subjectKey } from './state.ts';
import { noteUnlistedOwner } from './unlisted-owners.ts';
import { CONTROLLER_RESOURCES, resourceOfKind, workloadOf } from './workload.ts';

/** What its last pod showed is for the Job to say from now on. */
export function markFailedJob(state: ClusterState, pod: ProjectedObject): void {
  const uid = controllerUid(pod);
  const job = uid === '' ? undefined : state.tables.objects.jobs.get(uid)?.object;
  if (job !== undefined && isRefused(job as Workload)) state.tables.dirty.set(`controller/${uid}`, 1);
}

/** A retry that succeeds ends the failure of those before it. */
export function markSiblings(state: ClusterState, pod: Pod): void {
  const owner = controllerUid(pod);
  if (owner !== '')
    for (const sibling of state.indexes.podsByOwner.get(owner)) if (state.tables.sources.has(sibling)) state.tables.dirty.set(`pod/${sibling}`, 1);
  // What an earlier Job of the same CronJob left is in what is open about that.
  for (const id of state.indexes.incidentsBySubject.get(subjectKey(workloadOf(state, pod)))) {
    for (const member of state.indexes.membersOf.get(id)) {
      const uid = state.tables.members.get(member)?.uid;
      if (uid !== undefined) state.tables.dirty.set(`${state.tables.objects.pods.has(uid) ? 'pod' : 'controller'}/${uid}`, 1);
    }
  }
}

/** What an Event is about. */
export function markRegarding(state: ClusterState, event: Event): void {
  const { kind, uid, name } = event.regarding;
  if (kind === 'Pod') {
    const pod = state.tables.objects.pods.get(uid)?.object as Pod | undefined;
    if (pod === undefined ? state.tables.departed.has(uid) : isHeard(pod, event)) state.tables.dirty.set(`pod/${uid}`, 1);
  } else if (kind === 'Node') {
    // Kubelets up to 1.34 put the node's name where its uid belongs (signals.md §17).
    for (const nodeUid of state.indexes.byName.nodes.get(`/${name}`)) state.tables.dirty.set(`node/${nodeUid}`, 1);
  } else {
    if (resourceOfKind(kind) !== undefined) state.tables.dirty.set(`controller/${uid}`, 1);
    noteUnlistedOwner(state, event);
  }
}

/** Judged again because of this object: itself, and what was already found wrong beneath it. */
export function markDependents(state: ClusterState, resource: Resource, object: ProjectedObject, before: ProjectedObject | undefined): void {
  const { dirty, sources } = state.tables;
  const { uid, namespace } = object.metadata;
  if (resource === 'nodes') {
    dirty.set(`node/${uid}`, 1);
    // Removal hands the same object twice: its pods are judged again then too.
    if (object === before || readiness(object as Node) !== readiness(before as Node | undefined)) {
      for (const pod of state.indexes.podsByNode.get(object.metadata.name)) dirty.set(`pod/${pod}`, 1);
    }
  } else if (CONTROLLER_RESOURCES.includes(resource)) {
    const isNews = sources.has(uid) || state.timers.due(`judge/controller/${uid}`) !== undefined || isRefused(object as Workload);
    if (isNews || (before === undefined && wasRefused(state, uid))) dirty.set(`controller/${uid}`, 1);
    if (resource === 'jobs') for (const pod of state.indexes.podsByOwner.get(uid)) if (sources.has(pod)) dirty.set(`pod/${pod}`, 1);
  } else if (resource === 'resourcequotas') {
    for (const kind of CONTROLLER_RESOURCES) {
      for (const source of sources.keys()) {
        if (state.tables.objects[kind].get(source)?.object.metadata.namespace === namespace) dirty.set(`controller/${source}`, 1);
      }
    }
  }
}

function readiness(node: Node | undefined): string {
  return (node && conditionOf(node, 'Ready')?.status) ?? '';
}

/** Lists of different resources come in any order: what Events said of a controller was said before it was known. */
function wasRefused(state: ClusterState, uid: string): boolean {
  return (state.tables.events.get(uid) ?? []).some(({ reason }) => REFUSED_REASONS.includes(reason));
}

function isRefused(workload: Workload): boolean {
  const says = workload.status.conditions?.some(
    ({ type, status, reason }) => (status === 'True' && (type === 'ReplicaFailure' || type === 'Failed')) || reason === 'ReplicaSetCreateError',
  );
  return says ?? false;
}
