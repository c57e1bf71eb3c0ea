/** From a raw API object to what podtrail keeps of it: one allow-list a resource (design D6). Pure, and total: bad input is data. */
import type { ProjectedObject, Resource } from './objects.ts';
import { projectEvent } from './project-event.ts';
import { cut, identifier, isRaw, metadata, nameOnly, type Raw, TooDeepError } from './project-fields.ts';
import { projectNode } from './project-node.ts';
import { projectPod } from './project-pod.ts';
import {
  projectHorizontalPodAutoscaler,
  projectLimitRange,
  projectNamespace,
  projectPodDisruptionBudget,
  projectPriorityClass,
  projectResourceQuota,
} from './project-policy.ts';
import { projectCsiNode, projectPersistentVolume, projectPersistentVolumeClaim, projectStorageClass } from './project-storage.ts';
import { projectCronJob, projectDaemonSet, projectDeployment, projectJob, projectReplicaSet, projectStatefulSet } from './project-workload.ts';

/** `reason` names the field at fault and quotes nothing of the object. */
export type Projection = { readonly ok: true; readonly object: ProjectedObject } | { readonly ok: false; readonly reason: string };

type Project = (raw: Raw) => object;

/** By resource: apiVersion and kind, which lists leave out of their items, and what is kept beside the metadata. */
const RULES: { readonly [R in Resource]: readonly [apiVersion: string, kind: string, project: Project] } = {
  namespaces: ['v1', 'Namespace', projectNamespace],
  nodes: ['v1', 'Node', projectNode],
  priorityclasses: ['scheduling.k8s.io/v1', 'PriorityClass', projectPriorityClass],
  storageclasses: ['storage.k8s.io/v1', 'StorageClass', projectStorageClass],
  persistentvolumes: ['v1', 'PersistentVolume', projectPersistentVolume],
  csinodes: ['storage.k8s.io/v1', 'CSINode', projectCsiNode],
  persistentvolumeclaims: ['v1', 'PersistentVolumeClaim', projectPersistentVolumeClaim],
  resourcequotas: ['v1', 'ResourceQuota', projectResourceQuota],
  limitranges: ['v1', 'LimitRange', projectLimitRange],
  poddisruptionbudgets: ['policy/v1', 'PodDisruptionBudget', projectPodDisruptionBudget],
  deployments: ['apps/v1', 'Deployment', projectDeployment],
  statefulsets: ['apps/v1', 'StatefulSet', projectStatefulSet],
  daemonsets: ['apps/v1', 'DaemonSet', projectDaemonSet],
  cronjobs: ['batch/v1', 'CronJob', projectCronJob],
  jobs: ['batch/v1', 'Job', projectJob],
  replicasets: ['apps/v1', 'ReplicaSet', projectReplicaSet],
  horizontalpodautoscalers: ['autoscaling/v2', 'HorizontalPodAutoscaler', projectHorizontalPodAutoscaler],
  configmaps: ['v1', 'ConfigMap', projectName],
  secrets: ['v1', 'Secret', projectName],
  serviceaccounts: ['v1', 'ServiceAccount', projectName],
  pods: ['v1', 'Pod', projectPod],
  events: ['v1', 'Event', projectEvent],
};

/** Replaces the metadata: of these objects only the name is known (design D6). */
function projectName(raw: Raw): object {
  return { metadata: nameOnly(raw['metadata']) };
}

/** Projects one object of a resource. Never throws. */
export function projectObject(resource: Resource, raw: unknown): Projection {
  if (!isRaw(raw)) return { ok: false, reason: 'not an object' };
  if (!isRaw(raw['metadata'])) return { ok: false, reason: 'metadata is missing' };
  const [apiVersion, kind, project] = RULES[resource];
  try {
    const kept = metadata(raw['metadata']);
    if (kept === undefined) return { ok: false, reason: missingMetadata(raw['metadata']) };
    return { ok: true, object: { kind, apiVersion, metadata: kept, ...project(raw) } as ProjectedObject };
  } catch (error) {
    if (error instanceof TooDeepError) return { ok: false, reason: error.message };
    throw error;
  }
}

function missingMetadata(raw: Raw): string {
  const bad = ['name', 'uid', 'resourceVersion'].filter((key) => identifier(raw[key]) === undefined);
  return `no valid metadata.${bad.join(', metadata.')}`;
}

/** uid and resourceVersion as far as they can be told, else ''. */
export interface ObjectId {
  readonly uid: string;
  readonly rv: string;
}

export function identify(raw: unknown): ObjectId {
  const meta = isRaw(raw) ? raw['metadata'] : undefined;
  if (!isRaw(meta)) return { uid: '', rv: '' };
  return { uid: identifier(meta['uid']) ?? '', rv: identifier(meta['resourceVersion']) ?? '' };
}

/** A copy with every string longer than `limit` characters cut to it and marked; the object itself if there is none. */
export function truncateStrings(object: ProjectedObject, limit: number): ProjectedObject {
  const shorten = (value: unknown): unknown => {
    if (typeof value === 'string') return cut(value, limit);
    if (!Array.isArray(value) && !isRaw(value)) return value;
    const entries = Object.entries(value);
    const items = entries.map(([, item]) => shorten(item));
    if (items.every((item, i) => item === entries[i]?.[1])) return value;
    return Array.isArray(value) ? items : Object.fromEntries(entries.map(([key], i) => [key, items[i]]));
  };
  return shorten(object) as ProjectedObject;
}
