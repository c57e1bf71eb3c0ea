/**
 * Whole situations of a small cluster, for causes that no recording shows: the objects as the API server lists them, and a look-alike
 * that differs in what decides.
 */
import type { Resource } from '../../collector/objects.ts';
import type { RawObject } from './driver.ts';
import { createDriver, START_MS } from './driver.ts';

export interface Situation {
  /** `scenario/cause` that it must be told as, and nothing else. */
  readonly cause: string;
  readonly objects: readonly RawObject[];
  readonly alike: readonly RawObject[];
  /** What the look-alike is told as, if anything. */
  readonly alikeIs: string;
  /** Another incident that both have, as of the node that is to blame. */
  readonly besides?: string;
  /** How long podtrail looks on, seconds: a quarter of an hour unless it would go on to something else. */
  readonly lasts?: number;
}

/** RFC 3339 that many seconds after the list; negative ones lie before it. */
export const at = (seconds: number): string => new Date(START_MS + seconds * 1_000).toISOString().replace('.000Z', 'Z');

export type Fields = Readonly<Record<string, unknown>>;

/** A node that is ready and empty, of 4 cores and 8 GiB. */
export function node(name: string, status: Fields = {}, spec: Fields = {}, labels: Readonly<Record<string, string>> = {}): RawObject {
  const allocatable = { cpu: '4', memory: '8Gi', pods: '110' };
  return {
    kind: 'Node',
    apiVersion: 'v1',
    metadata: { name, uid: `uid-${name}`, creationTimestamp: at(-86_400), labels: { 'kubernetes.io/hostname': name, ...labels } },
    spec,
    status: { capacity: allocatable, allocatable, conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: at(-86_000) }], ...status },
  };
}

/** A pod of its own on node `n1`, with one container `app`. */
export function pod(name: string, status: Fields = {}, spec: Fields = {}, metadata: Fields = {}): RawObject {
  return {
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: { name, namespace: 'shop', uid: `uid-${name}`, creationTimestamp: at(-600), ...metadata },
    spec: { nodeName: 'n1', restartPolicy: 'Always', containers: [container()], ...spec },
    status: { phase: 'Running', startTime: at(-600), ...status },
  };
}

/** Its only container, as the spec has it. */
export const container = (more: Fields = {}): Fields => ({ name: 'app', image: 'registry.example/shop/app:1', ...more });

/** Status of that container. */
export const statusOf = (state: Fields, more: Fields = {}): Fields => ({
  containerStatuses: [{ name: 'app', image: 'registry.example/shop/app:1', ready: false, restartCount: 0, state, lastState: {}, ...more }],
});

/** A pod that no node takes, in the scheduler's words. */
export function unscheduled(message: string, spec: Fields = {}): RawObject {
  const condition = { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message, lastTransitionTime: at(-300) };
  return pod('web', { phase: 'Pending', startTime: undefined, conditions: [condition] }, { nodeName: undefined, ...spec });
}

/** A pod whose container waits for this reason. */
export const waiting = (name: string, reason: string, message: string, spec: Fields = {}): RawObject =>
  pod(name, { phase: 'Pending', ...statusOf({ waiting: { reason, message } }) }, spec);

/** A container that is back in its loop after it ended so. */
export const looping = (end: Fields, spec: Fields = {}): RawObject =>
  pod(
    'web',
    statusOf(
      { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 40s restarting failed container' } },
      { restartCount: 4, lastState: { terminated: end } },
    ),
    spec,
  );

/** An Event about an object; of a container of it where one is named. */
export function event(about: RawObject, reason: string, message: string, last = -5, more: Fields = {}): RawObject {
  const { name, namespace, uid } = about.metadata;
  const { count = 4, ofContainer, type = 'Warning' } = more;
  const fieldPath = ofContainer === undefined ? {} : { fieldPath: `spec.containers{${ofContainer as string}}` };
  return {
    kind: 'Event',
    apiVersion: 'v1',
    metadata: { name: `${name}.${reason}.${last}`, namespace: namespace ?? 'default', uid: `uid-${name}-${reason}-${last}` },
    involvedObject: { kind: about.kind, apiVersion: 'v1', namespace, name, uid, ...fieldPath },
    type,
    reason,
    message,
    count,
    firstTimestamp: at(last - 60),
    lastTimestamp: at(last),
  };
}

/** An object of any kind in the namespace of the pods. */
export const object = (kind: string, name: string, fields: Fields): RawObject => ({
  kind,
  apiVersion: 'v1',
  metadata: { name, ...(kind === 'PersistentVolume' || kind === 'CSINode' ? {} : { namespace: 'shop' }), uid: `uid-${name}` },
  ...fields,
});

const RESOURCES: Readonly<Record<string, Resource>> = {
  Pod: 'pods',
  Node: 'nodes',
  Event: 'events',
  PersistentVolumeClaim: 'persistentvolumeclaims',
  PersistentVolume: 'persistentvolumes',
  CSINode: 'csinodes',
};

/** What a podtrail that begins with these objects has told after so many seconds in which nothing changes: `scenario/cause`. */
export function toldOf(objects: readonly RawObject[], seconds: number): readonly string[] {
  const lists: Partial<Record<Resource, RawObject[]>> = { pods: [], nodes: [], events: [] };
  for (const each of objects) {
    const resource = RESOURCES[each.kind];
    if (resource === undefined) throw new Error(`a situation holds no ${each.kind}`);
    lists[resource] = [...(lists[resource] ?? []), each];
  }
  const driver = createDriver();
  driver.begin(lists);
  driver.advance(seconds);
  return [...new Set(driver.replay.incidents().map(({ scenario, cause }) => `${scenario}/${cause}`))].sort();
}
