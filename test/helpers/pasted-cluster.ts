/** A pasted situation as a cluster shows it to podtrail: there already when it begins, or coming about under its eyes. */
import type { Resource } from '../../collector/objects.ts';
import { resourceOfKind } from '../../processor/core/workload.ts';
import type { Driver, RawObject } from './driver.ts';
import { createDriver, START_MS } from './driver.ts';
import type { Raw, Situation } from './pasted.ts';

/** RFC 3339 that many seconds from when podtrail begins. */
export const at = (seconds: number): string => new Date(START_MS + seconds * 1_000).toISOString().replace('.000Z', 'Z');

const RESOURCES: Readonly<Record<string, Resource>> = { Pod: 'pods', Event: 'events', Node: 'nodes' };

/** Seconds between the tries of a kubelet to pull an image. */
const RETRY_S = 20;

/** What is open when podtrail begins in this situation, and nothing more happens for as long as it lasts. */
export function foundOpen({ objects, lasts }: Situation): string[] {
  const driver = createDriver();
  const lists = listsOf(objects);
  driver.begin(lists);
  for (const pod of lists.pods ?? []) retryPull(driver, pod, lasts);
  driver.advance(lasts - driver.now());
  return driver.replay.incidents().map(({ scenario, cause }) => `${scenario}/${cause}`);
}

/** What is open when podtrail has seen the pod from its creation on, its Events as they came, and its status from its newest time on. */
export function happenedOpen({ objects, age, lasts }: Situation): string[] {
  const driver = createDriver();
  const moved = later(objects, age);
  driver.begin({ ...listsOf(moved), pods: [], events: [] });
  const steps = moved.flatMap((object) => stepsOf(object, age)).sort((a, b) => a.atS - b.atS);
  for (const { atS, type, resource, object } of steps) {
    driver.advance(Math.max(0, atS - driver.now()));
    driver.change(type, resource, object);
  }
  const endS = Math.max(age, driver.now()) + lasts;
  for (const { type, resource, object } of steps) if (resource === 'pods' && type === 'MODIFIED') retryPull(driver, object, endS);
  driver.advance(Math.max(0, endS - driver.now()));
  const open = driver.replay.incidents().filter(({ state }) => state !== 'resolved');
  return open.map(({ scenario, cause }) => `${scenario}/${cause}`);
}

/** By resource, with the controllers that Events are about. */
function listsOf(objects: readonly Raw[]): Partial<Record<Resource, RawObject[]>> {
  const lists: Partial<Record<Resource, RawObject[]>> = { pods: [], events: [], replicasets: [] };
  const refs = objects.map((object) => (object['involvedObject'] ?? {}) as Raw).filter(({ kind }) => resourceOfKind(kind as string) !== undefined);
  const controllers = [...new Map(refs.map((ref) => [ref['uid'], ref])).values()].map(({ kind, name, namespace, uid }) => ({
    apiVersion: 'apps/v1',
    kind,
    metadata: { name, namespace, uid, resourceVersion: '1', creationTimestamp: at(-100_000) },
    spec: { replicas: 1, template: { spec: { containers: [] } } },
    status: {},
  }));
  for (const object of [...objects, ...controllers]) {
    const kind = object['kind'] as string;
    const resource = RESOURCES[kind] ?? resourceOfKind(kind);
    if (resource !== undefined) lists[resource] = [...(lists[resource] ?? []), object as unknown as RawObject];
  }
  return lists;
}

/** The objects with all their times moved. */
function later(objects: readonly Raw[], seconds: number): Raw[] {
  const moved = JSON.stringify(objects).replace(
    /"20\d\d-\d\d-\d\dT[^"]*Z"/g,
    (time) => `"${new Date(Date.parse(time.slice(1, -1)) + seconds * 1_000).toISOString()}"`,
  );
  return JSON.parse(moved) as Raw[];
}

interface Step {
  readonly atS: number;
  readonly type: 'ADDED' | 'MODIFIED';
  readonly resource: Resource;
  readonly object: RawObject;
}
const secondsOf = (time: unknown): number => (typeof time === 'string' ? (Date.parse(time) - START_MS) / 1_000 : 0);

function stepsOf(raw: Raw, age: number): Step[] {
  const object = raw as unknown as RawObject;
  if (object.kind === 'Event') return eventSteps(object);
  if (object.kind !== 'Pod') return [];
  const { deletionTimestamp, deletionGracePeriodSeconds = 0, ...metadata } = object.metadata;
  const { nodeName, ...spec } = object['spec'] as Raw;
  const times = [secondsOf(deletionTimestamp) - Number(deletionGracePeriodSeconds)];
  JSON.stringify(object['status'], (_, value: unknown) => {
    if (typeof value === 'string' && /^20\d\d-/.test(value)) times.push(secondsOf(value));
    return value;
  });
  const conditions = [{ type: 'PodScheduled', status: 'True', lastTransitionTime: at(1) }];
  const placed: Step = { atS: 1, type: 'MODIFIED', resource: 'pods', object: { ...object, metadata, status: { phase: 'Pending', conditions } } };
  return [
    { atS: 0, type: 'ADDED', resource: 'pods', object: { ...object, metadata, spec, status: { phase: 'Pending' } } },
    ...(nodeName === undefined ? [] : [placed]),
    { atS: Math.min(age, Math.max(1, ...times)), type: 'MODIFIED', resource: 'pods', object },
  ];
}

/** First with a count of one, then with all of it. */
function eventSteps(event: RawObject): Step[] {
  const { eventTime, firstTimestamp, lastTimestamp, count } = event as Raw;
  const series = event['series'] as Raw | undefined;
  const first = eventTime ?? firstTimestamp;
  const last = series?.['lastObservedTime'] ?? lastTimestamp ?? first;
  const once = eventTime === undefined ? { ...event, count: 1, lastTimestamp: first } : { ...event, series: undefined };
  const added: Step = { atS: Math.max(0, secondsOf(first)), type: 'ADDED', resource: 'events', object: once };
  const isRepeated = (count !== undefined && count !== 1) || series !== undefined;
  return isRepeated && last !== first ? [added, { atS: secondsOf(last), type: 'MODIFIED', resource: 'events', object: event }] : [added];
}

interface Waiting {
  readonly state: { readonly waiting?: { readonly reason: string; readonly message?: string } };
}
const PULL_ERRORS = new Set(['ErrImagePull', 'RegistryUnavailable', 'SignatureValidationFailed']);

/** Kubelets do not stay in the error of a pull: it is backed off and tried again. */
function retryPull(driver: Driver, pod: RawObject, untilS: number): void {
  const status = pod['status'] as Raw;
  const statuses = (status['containerStatuses'] ?? []) as readonly Waiting[];
  if (!statuses.some(({ state }) => PULL_ERRORS.has(state.waiting?.reason ?? ''))) return;
  const backedOff = statuses.map((each) => {
    const { reason = '', message = '' } = each.state.waiting ?? {};
    const waiting = { reason: 'ImagePullBackOff', message: `Back-off pulling image: ${reason}: ${message}` };
    return PULL_ERRORS.has(reason) ? { ...each, state: { waiting } } : each;
  });
  for (let isBackOff = true; driver.now() + RETRY_S < untilS; isBackOff = !isBackOff) {
    driver.advance(RETRY_S);
    driver.change('MODIFIED', 'pods', { ...pod, status: { ...status, containerStatuses: isBackOff ? backedOff : statuses } });
  }
}
