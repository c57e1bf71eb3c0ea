/**
 * `podtrail explain`: the rules over a list of objects as `kubectl get -o json` prints it, at one moment. There is no past and no
 * grace: what is wrong now is told, and what may still become well by itself reads `starting`.
 */
import type { ChangeRecord } from '../collector/change-record.ts';
import { SCHEMA_VERSION } from '../collector/change-record.ts';
import type { KubeObject, Pod, Resource, Workload } from '../collector/objects.ts';
import { createKnownObjects, createSession } from '../collector/session.ts';
import type { Incident } from './core/incident.ts';
import { incidentId } from './core/incident.ts';
import { foldHistory, parseTimeMs } from './core/pod-history.ts';
import { podStatusText } from './core/pod-row.ts';
import type { ClusterState } from './core/state.ts';
import { EXPLAINED } from './core/node-incidents.ts';
import { createClusterState } from './core/state.ts';
import { step } from './core/step.ts';
import { createView } from './core/view.ts';
import { CONTROLLER_RESOURCES } from './core/workload.ts';
import { isTerminal } from './scenarios/conditions.ts';
import { REFUSED_REASONS } from './scenarios/failed-create.ts';
import { SCENARIOS } from './scenarios/index.ts';
import type { ClusterView, PodView, Signal } from './scenarios/scenario.ts';

/** Kinds that a list may hold, and the resource each belongs to. */
const RESOURCE_OF_KIND: Readonly<Record<string, Resource>> = {
  Pod: 'pods',
  Event: 'events',
  Node: 'nodes',
  Namespace: 'namespaces',
  ResourceQuota: 'resourcequotas',
  LimitRange: 'limitranges',
  PersistentVolumeClaim: 'persistentvolumeclaims',
  PersistentVolume: 'persistentvolumes',
  StorageClass: 'storageclasses',
  CSINode: 'csinodes',
  PriorityClass: 'priorityclasses',
  ReplicaSet: 'replicasets',
  Deployment: 'deployments',
  StatefulSet: 'statefulsets',
  DaemonSet: 'daemonsets',
  Job: 'jobs',
  CronJob: 'cronjobs',
  HorizontalPodAutoscaler: 'horizontalpodautoscalers',
  PodDisruptionBudget: 'poddisruptionbudgets',
  ConfigMap: 'configmaps',
  Secret: 'secrets',
  ServiceAccount: 'serviceaccounts',
};

/** What is wrong with one pod, or with a controller that gets no pod. */
export interface Finding {
  /** Stable for the same fact, as the incident's id would be. */
  readonly id: string;
  readonly signal: Signal;
  /** It may still become well by itself: its grace is not over. */
  readonly starting: boolean;
}
export interface Explained {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** What kubectl prints as STATUS; '' for controllers. */
  readonly status: string;
  /** The node that a pod is bound to, or ''. */
  readonly node: string;
  /** The most telling first. Empty: nothing is wrong. */
  readonly findings: readonly Finding[];
}
export interface Explanation {
  /** Epoch ms that was judged. */
  readonly atMs: number;
  /** Every pod of the list, and controllers with findings, by namespace and name. */
  readonly objects: readonly Explained[];
  /** Items that could not be used, with the reason. */
  readonly skipped: readonly string[];
  /** Resources that the list held: what was missing could not be looked at. */
  readonly resources: readonly Resource[];
}

/** What is known of when a list was taken, epoch ms. */
export interface ListTime {
  /** It was taken just then. */
  readonly exactMs?: number;
  /** It was there by then. */
  readonly latestMs?: number;
}

/**
 * Judges a list of raw objects. It is taken for a live one, of `latestMs` or else `nowMs`, unless its newest time is more than ten minutes
 * older: then it was saved, and is judged at that.
 */
export function explain(items: readonly unknown[], nowMs: number, { exactMs, latestMs = nowMs }: ListTime = {}): Explanation {
  const skipped: string[] = [];
  const byResource = groupByResource(items, skipped);
  const newest = newestTimeMs(items, nowMs);
  const liveMs = Math.max(newest, Math.min(latestMs, nowMs));
  const isSaved = exactMs === undefined && liveMs - newest > SAVED_LIST_MS && newest > 0 && !items.some((item) => endsAfter(item, liveMs));
  const atMs = exactMs ?? (isSaved ? newest : liveMs);
  completePods(byResource, atMs);
  const state = loadState(byResource, atMs, skipped);
  const view: ClusterView = { ...createView(state), isSnapshot: true };
  const objects = [...explainPods(state, view, isSaved), ...explainControllers(state, view)];
  objects.sort((a, b) => compare(a.namespace, b.namespace) || compare(a.name, b.name) || compare(a.kind, b.kind));
  return { atMs, objects, skipped, resources: [...byResource.keys()] };
}

const SAVED_LIST_MS = 600_000;
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function groupByResource(items: readonly unknown[], skipped: string[]): Map<Resource, Raw[]> {
  const groups = new Map<Resource, Raw[]>();
  const uids = new Map<string, string>();
  for (const [index, item] of items.entries()) {
    const raw = (typeof item === 'object' && item !== null ? item : {}) as Raw;
    const kind = typeof raw['kind'] === 'string' ? raw['kind'] : '';
    const resource = RESOURCE_OF_KIND[kind];
    if (resource === undefined) {
      skipped.push(`item ${index}: ${kind === '' ? 'no kind' : `kind ${kind} is not read`}`);
      continue;
    }
    const named = withIdentity(kind === 'Event' ? asCoreEvent(raw) : raw, kind);
    uids.set(refKey({ kind, ...(named['metadata'] as Raw) }), String((named['metadata'] as Raw)['uid']));
    groups.set(resource, [...(groups.get(resource) ?? []), named]);
  }
  const events = groups.get('events');
  if (events !== undefined) {
    for (const event of events) addController(groups, uids, event);
    groups.set(
      'events',
      events.map((event) => withRegardingUid(event, uids)),
    );
  }
  return groups;
}

/** A controller that could not create its pods is often not in the list: what its Event says of it is enough to judge it. */
function addController(groups: Map<Resource, Raw[]>, uids: Map<string, string>, event: Raw): void {
  const ref = asRaw(event['involvedObject']);
  const resource = RESOURCE_OF_KIND[String(ref['kind'])];
  if (!REFUSED_REASONS.includes(String(event['reason'])) || uids.has(refKey(ref))) return;
  const { kind, apiVersion, name, namespace } = ref;
  const uid = String(ref['uid'] || refKey(ref));
  uids.set(refKey(ref), uid);
  if (resource === undefined || !CONTROLLER_RESOURCES.includes(resource)) return;
  groups.set(resource, [...(groups.get(resource) ?? []), { kind, apiVersion, metadata: { name, namespace, uid, resourceVersion: '1' }, spec: {}, status: {} }]);
}

type Raw = Readonly<Record<string, unknown>>;
const asRaw = (value: unknown): Raw => (typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Raw) : {});
const refKey = (ref: Raw): string => `${ref['kind']}/${ref['namespace'] ?? ''}/${ref['name']}`;

/** What a trimmed pod lacks and the rest of it tells: that it is on a node, and that it is as old as the first Event about it. */
function completePods(byResource: Map<Resource, Raw[]>, nowMs: number): void {
  const trimmed = (pod: Raw): boolean => asRaw(pod['metadata'])['creationTimestamp'] === undefined || asRaw(pod['spec'])['nodeName'] === undefined;
  const pods = byResource.get('pods');
  if (pods === undefined || !pods.some(trimmed)) return;
  const events = new Map<unknown, Raw[]>();
  for (const event of byResource.get('events') ?? []) {
    const { uid } = asRaw(event['involvedObject']);
    events.set(uid, [...(events.get(uid) ?? []), event]);
  }
  byResource.set(
    'pods',
    pods.map((pod) => (trimmed(pod) ? completed(pod, events.get(asRaw(pod['metadata'])['uid']) ?? [], nowMs) : pod)),
  );
}

function completed(pod: Raw, own: readonly Raw[], nowMs: number): Raw {
  const [metadata, spec, status] = [asRaw(pod['metadata']), asRaw(pod['spec']), asRaw(pod['status'])];
  const times = own.flatMap((event) => parseTimeMs(String(event['eventTime'] ?? event['firstTimestamp'] ?? event['lastTimestamp'])) ?? []);
  const kubelet = own.map((event) => asRaw(event['source'])).find(({ component }) => component === 'kubelet');
  // Schedulers of their own may fail a pod that they do not place.
  const isRefused = status['phase'] === 'Failed' && (spec['schedulerName'] ?? 'default-scheduler') === 'default-scheduler';
  const isPlaced = isRefused || ['containerStatuses', 'initContainerStatuses', 'hostIP'].some((field) => status[field] !== undefined) || kubelet !== undefined;
  const born = metadata['creationTimestamp'] ?? new Date(Math.min(nowMs, ...times)).toISOString();
  const nodeName = spec['nodeName'] ?? (isPlaced ? (kubelet?.['host'] ?? UNNAMED_NODE) : undefined);
  return { ...pod, metadata: { ...metadata, creationTimestamp: born }, spec: { ...spec, nodeName } };
}
const UNNAMED_NODE = 'unnamed';

/** Trimmed lists, as people paste them, may lack uid and resourceVersion: within one list the name will do. */
function withIdentity(raw: Raw, kind: string): Raw {
  const metadata = asRaw(raw['metadata']);
  return { ...raw, metadata: { uid: refKey({ kind, ...metadata }), resourceVersion: '1', ...metadata } };
}

/** `kubectl get events.events.k8s.io` prints the same objects under other names: kubernetes.io, Event v1 events.k8s.io. */
function asCoreEvent(raw: Raw): Raw {
  if (raw['regarding'] === undefined) return raw;
  return {
    ...raw,
    involvedObject: raw['regarding'],
    message: raw['note'],
    source: raw['deprecatedSource'],
    reportingComponent: raw['reportingController'],
    firstTimestamp: raw['deprecatedFirstTimestamp'],
    lastTimestamp: raw['deprecatedLastTimestamp'],
    count: raw['deprecatedCount'],
  };
}

function withRegardingUid(event: Raw, uids: ReadonlyMap<string, string>): Raw {
  const ref = asRaw(event['involvedObject']);
  const known = uids.get(refKey(ref));
  // A pod that was trimmed of its uid has its name for one.
  if (known !== undefined && known === refKey(ref)) return { ...event, involvedObject: { ...ref, uid: known } };
  // Nodes are seldom in the list: their Events are found by the name that pods give, as a kubelet up to 1.34 files them.
  const isUnlistedNode = ref['kind'] === 'Node' && known === undefined;
  if (typeof ref['uid'] === 'string' && ref['uid'] !== '' && !isUnlistedNode) return event;
  const uid = isUnlistedNode ? ref['name'] : known;
  return uid === undefined ? event : { ...event, involvedObject: { ...ref, uid } };
}

/** It is within its grace, which no list is that was taken long before. */
function endsAfter(item: unknown, timeMs: number): boolean {
  return (parseTimeMs(asRaw(asRaw(item)['metadata'])['deletionTimestamp'] as string | undefined) ?? 0) > timeMs;
}

/** The newest RFC 3339 time anywhere in the objects that has passed, at most nowMs. deletionTimestamp lies ahead by the grace period. */
function newestTimeMs(value: unknown, nowMs: number, depth = 0): number {
  if (typeof value === 'string') {
    const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/.test(value) ? (parseTimeMs(value) ?? 0) : 0;
    return time <= nowMs ? time : 0;
  }
  if (typeof value !== 'object' || value === null || depth > 32) return 0;
  const { deletionTimestamp, deletionGracePeriodSeconds: grace, ...rest } = value as Raw;
  const requestedMs = typeof grace === 'number' ? newestTimeMs(deletionTimestamp, nowMs + grace * 1_000) - grace * 1_000 : 0;
  return Object.values(rest).reduce((newest: number, child) => Math.max(newest, newestTimeMs(child, nowMs, depth + 1)), Math.max(0, requestedMs));
}

/** The list as a cluster's state, through the same projection and core as a live one. */
function loadState(byResource: ReadonlyMap<Resource, readonly unknown[]>, atMs: number, skipped: string[]): ClusterState {
  const cluster = { uid: 'list', name: 'list' };
  const state = createClusterState(cluster, 1);
  const emit = (record: ChangeRecord): void => {
    if (record.type === 'REJECTED') skipped.push(`${record.resource} ${record.uid}: ${record.reason}`);
    step(state, record);
  };
  const resources = [...byResource.keys()].map((resource) => ({ resource, scope: '' }));
  emit({ v: SCHEMA_VERSION, cluster, run: 'list', t: atMs, type: 'RUN_BEGIN', resources });
  // Pods last: nothing is judged by the engine on the way, the rules are asked below.
  for (const resource of [...byResource.keys()].sort((a, b) => Number(a === 'pods') - Number(b === 'pods'))) {
    const session = createSession({ cluster, run: 'list', session: resource, resource, scope: '', clock: () => atMs, emit, known: createKnownObjects() });
    session.begin(MAX_RV);
    for (const item of byResource.get(resource) ?? []) session.listed(item);
    session.end();
  }
  return state;
}
/** Above any resourceVersion: a printed list of several kinds carries none of its own. */
const MAX_RV = '9'.repeat(39);

function explainPods(state: ClusterState, view: ClusterView, isSaved: boolean): Explained[] {
  const lost = new Map(explainNodes(state, view).map((node) => [node.name, node.findings]));
  return [...view.pods()].map((pod) => {
    const history = foldHistory(state.tables.histories.get(pod.metadata.uid), pod, view.nowMs);
    // A pod that failed is told even if another one has taken its place.
    const alone = pod.status.phase === 'Failed' ? { podsIn: () => [pod], workload: () => undefined } : {};
    const podView = { ...view, ...alone, pod, history, events: view.eventsOf(pod.metadata.uid) };
    const signals = SCENARIOS.flatMap((scenario) => scenario.pod?.(podView) ?? []);
    const own = certainFirst(rank(state, signals, (signal) => isStarting(signal, view.nowMs) && !(isSaved && hasLasted(podView, signal))));
    const ofNode = isTerminal(pod) ? [] : (lost.get(pod.spec.nodeName ?? '') ?? []);
    // A lost node explains what its pods' probes and exits say (design D8).
    const unexplained = ofNode.length === 0 ? own : own.filter(({ signal }) => !EXPLAINED.has(signal.track));
    return { ...identity(pod), status: podStatusText(pod), node: pod.spec.nodeName ?? '', findings: [...ofNode, ...unexplained] };
  });
}

/** An end that by itself would be no incident adds nothing to what is one, such as why the container cannot start again. */
function certainFirst(findings: readonly Finding[]): readonly Finding[] {
  const failing = findings.filter(({ signal, starting }) => !starting && signal.dueTimeMs !== undefined);
  return failing.length === 0 ? findings : findings.filter(({ signal, starting }) => starting || signal.dueTimeMs !== undefined);
}

function explainNodes(state: ClusterState, view: ClusterView): Explained[] {
  return [...view.nodes()].map((node) => {
    const events = [...view.eventsOf(node.metadata.uid), ...view.eventsOf(node.metadata.name)];
    const signals = SCENARIOS.flatMap((scenario) => scenario.node?.({ ...view, subjectNode: node, events }) ?? []);
    return { ...identity(node), status: '', node: node.metadata.name, findings: rank(state, signals, (signal) => isStarting(signal, view.nowMs)) };
  });
}

function explainControllers(state: ClusterState, view: ClusterView): Explained[] {
  const listed = CONTROLLER_RESOURCES.flatMap((resource) => [...state.tables.objects[resource].values()].map(({ object }) => object as Workload));
  return [...listed, ...state.tables.unlisted.values()].flatMap((controller) => {
    const signals = SCENARIOS.flatMap((s) => s.controller?.({ ...view, controller, events: view.eventsOf(controller.metadata.uid) }) ?? []);
    const findings = rank(state, signals, (signal) => isStarting(signal, view.nowMs));
    return signals.length === 0 ? [] : [{ ...identity(controller), status: '', node: '', findings }];
  });
}

function identity(object: KubeObject | Pod): Omit<Explained, 'status' | 'node' | 'findings'> {
  const { namespace, name, uid } = object.metadata;
  return { kind: object.kind, namespace, name, uid };
}

/** One finding a track, the strongest; what is no longer in its grace before what is. */
function rank(state: ClusterState, signals: readonly Signal[], starts: (signal: Signal) => boolean): Finding[] {
  const byTrack = new Map<string, Signal>();
  for (const signal of signals) {
    const key = `${signal.track}/${signal.subject.container}`;
    const known = byTrack.get(key);
    if (known === undefined || signal.rank > known.rank) byTrack.set(key, signal);
  }
  const findings = [...byTrack.values()].map((signal) => ({ id: incidentId(state.cluster.uid, signal), signal, starting: starts(signal) }));
  return findings.sort((a, b) => Number(a.starting) - Number(b.starting));
}

/**
 * What has not come yet within its own budget, such as a probe's first pass, is a start, not a failure; so is a container that runs
 * again after an end that makes no incident. Errors are errors from the first one on.
 */
function isStarting(signal: Signal, atMs: number): boolean {
  if (signal.dueTimeMs === undefined) return signal.track === 'run' && (signal.recheckTimeMs ?? 0) > atMs;
  return (signal.track === 'ready' || signal.awaits === true) && signal.dueTimeMs > atMs;
}

/** Times of one moment, as different components date it and come to it; short beside every silent wait's grace. */
const SAME_MOMENT_MS = 30_000;
/** What goes on in silence: however long it lasts, nothing new is written about it. */
const SILENT_WAITS: ReadonlySet<string> = new Set([
  'scheduler_absent',
  'resource_claim',
  'pull_timeout',
  'pull_queued',
  'init_stuck',
  'poststart_failed',
  'readiness_gate',
  'finalizer',
  'volume_detach',
]);

/**
 * A saved list does not say how long after its newest time it was printed. Where that is when a silent wait began, the wait is taken to
 * have lasted: it is for what does not go on that people save a list. A failing probe and a container that is being killed have Events,
 * so these are silent only once their Events have expired.
 */
function hasLasted({ nowMs, events }: PodView, signal: Signal): boolean {
  if (signal.dueTimeMs === undefined || signal.fact.timeMs < nowMs - SAME_MOMENT_MS) return false;
  if (SILENT_WAITS.has(signal.cause)) return true;
  return events.length === 0 && (signal.track === 'ready' || signal.cause === 'kill_failed');
}

/** States of incidents that a finding stands for: it is open now. */
export const FINDING_STATE: Incident['state'] = 'open';
