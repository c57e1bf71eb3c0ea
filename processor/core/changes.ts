/**
 * What changed just before (design D9). Changes are noticed when objects replace their earlier versions and kept for a while;
 * revisions of Deployments are dated by their ReplicaSets, so they are known over gaps and restarts too.
 */
import type { Node, Pod, ProjectedObject, Resource, ResourceQuota, Workload } from '../../collector/objects.ts';
import { isNodeReady } from '../scenarios/conditions.ts';
import type { WorkloadChange } from '../scenarios/scenario.ts';
import type { Incident } from './incident.ts';
import { parseTimeMs } from './pod-history.ts';
import { sameJson } from './same-json.ts';
import type { ClusterState } from './state.ts';
import { byCodeUnit } from './tables.ts';
import type { FieldChange } from './template-diff.ts';
import { diffTemplates } from './template-diff.ts';
import { workloadObject, workloadOf } from './workload.ts';

/** Kinds of change. `by` says who scaled: an autoscaler, or a hand (kubectl, a pipeline: watch data does not tell them apart). */
export interface Change {
  readonly kind: 'rollout' | 'scale_out' | 'node_added' | 'node_changed' | 'node_cordoned' | 'node_lost' | 'node_removed' | 'quota_changed' | 'config_removed';
  readonly object: string;
  readonly timeMs: number;
  readonly text: string;
  readonly by?: string;
  readonly diff?: readonly FieldChange[];
  /** Of a node: its labels then, by which a pod may have been meant for it. */
  readonly labels?: Readonly<Record<string, string>>;
}

/** A suspect: the change, how long before the first symptom, and how sure. */
export interface SuspectedChange extends Omit<Change, 'timeMs' | 'labels'> {
  readonly time: string;
  readonly secondsBefore: number;
  readonly confidence: 'likely' | 'guess';
}

/** Changes are kept this long, ms, and at most this many per object; of all nodes together a few dozen. */
const KEPT_MS = 24 * 3_600_000;
const KEPT_PER_KEY = 5;
const KEPT_OF_NODES = 50;
/** A rollout or scale-out explains what begins within this time after it, ms; so does a change of nodes or quota. */
const SUSPECT_MS = 30 * 60_000;
/** Clocks of node and API server, and the resolution of a second, may put a symptom before its change, ms. */
const SLACK_MS = 2_000;

const NODES = 'nodes';
const keyOf = (object: ProjectedObject): string => `${object.kind}/${object.metadata.namespace}/${object.metadata.name}`;
const name = (object: ProjectedObject): string =>
  `${object.kind} ${object.metadata.namespace === '' ? '' : `${object.metadata.namespace}/`}${object.metadata.name}`;

function remember(state: ClusterState, key: string, change: Change): void {
  const nowMs = state.meta.streamTimeMs;
  const list = (state.tables.changes.get(key) ?? []).filter((c) => nowMs - c.timeMs <= KEPT_MS);
  state.tables.changes.set(key, [...list, change].slice(key === NODES ? -KEPT_OF_NODES : -KEPT_PER_KEY));
}

const SWEEP_EVERY_MS = 3_600_000;

/** Forgets the changes of what has not changed for long, once an hour; call it on every record, it is cheap when not due. */
export function sweepChanges(state: ClusterState, previousMs: number): void {
  const nowMs = state.meta.streamTimeMs;
  if (Math.floor(nowMs / SWEEP_EVERY_MS) === Math.floor(previousMs / SWEEP_EVERY_MS)) return;
  const { changes } = state.tables;
  for (const key of changes.keys()) {
    const latest = changes.get(key)?.at(-1);
    if (latest === undefined || nowMs - latest.timeMs > KEPT_MS) changes.delete(key);
  }
}

/** Notes what the new version of an object changed; `before` undefined: it is new, `after` undefined: it is gone. */
export function noteChange(state: ClusterState, resource: Resource, before: ProjectedObject | undefined, after: ProjectedObject | undefined): void {
  const timeMs = state.meta.streamTimeMs;
  if (resource === 'nodes') noteNode(state, before as Node | undefined, after as Node | undefined);
  else if (before === undefined) return;
  else if (resource === 'deployments' || resource === 'statefulsets' || resource === 'daemonsets' || isBareSet(resource, before))
    noteWorkload(state, before as Workload, after as Workload | undefined);
  else if (resource === 'resourcequotas' && after !== undefined) {
    const [old, now] = [(before as ResourceQuota).spec.hard, (after as ResourceQuota).spec.hard];
    if (sameJson(old, now)) return;
    const diff = [{ path: 'spec.hard', before: JSON.stringify(old), after: JSON.stringify(now) }];
    remember(state, keyOf(after), { kind: 'quota_changed', object: name(after), timeMs, text: `${name(after)} was changed`, diff });
  } else if ((resource === 'configmaps' || resource === 'secrets') && after === undefined) {
    remember(state, `config/${before.metadata.namespace}`, { kind: 'config_removed', object: name(before), timeMs, text: `${name(before)} was removed` });
  }
}

/** A ReplicaSet of nobody is scaled like a Deployment; those of a rollout go up and down with it. */
const isBareSet = (resource: Resource, object: ProjectedObject): boolean => resource === 'replicasets' && object.metadata.ownerReferences === undefined;

function noteWorkload(state: ClusterState, before: Workload, after: Workload | undefined): void {
  if (after === undefined) return;
  const timeMs = state.meta.streamTimeMs;
  const diff = diffTemplates(before.spec.template, after.spec.template);
  if (diff.length > 0) remember(state, keyOf(after), { kind: 'rollout', object: name(after), timeMs, text: rolloutText(name(after), diff), diff });
  const [old, now] = [before.spec.replicas ?? 1, after.spec.replicas ?? 1];
  if (after.kind === 'DaemonSet' || now <= old) return;
  const by = autoscalerOf(state, after, now) ?? 'hand';
  remember(state, keyOf(after), { kind: 'scale_out', object: name(after), timeMs, text: `${name(after)} was scaled from ${old} to ${now} by ${by}`, by });
}

/** Values up to here are told with the change, characters. */
const SHORT_CHARS = 24;

function rolloutText(object: string, diff: readonly FieldChange[]): string {
  if (diff.length === 0) return `${object} was restarted: a new revision in which nothing that podtrail keeps differs`;
  const images = diff.filter((d) => d.path.endsWith('.image'));
  const short = ({ before, after }: FieldChange): boolean => before.length <= SHORT_CHARS && after.length <= SHORT_CHARS;
  const values = (d: FieldChange): string => `${d.before || 'none'} → ${d.after || 'none'}`;
  const what = images.length > 0 ? images.map(values).join(', ') : diff.map((d) => (short(d) ? `${d.path} ${values(d)}` : d.path)).join(', ');
  return `${object} was changed: ${what}`;
}

/** An autoscaler that targets the workload and may want this many: its status may come later than what it did. */
function autoscalerOf(state: ClusterState, workload: Workload, replicas: number): string | undefined {
  for (const stored of state.tables.objects.horizontalpodautoscalers.values()) {
    const { metadata, spec, status } = stored.object as {
      metadata: { namespace: string; name: string };
      spec?: Record<string, unknown>;
      status?: Record<string, unknown>;
    };
    const target = spec?.['scaleTargetRef'] as { kind?: string; name?: string } | undefined;
    if (metadata.namespace !== workload.metadata.namespace || target?.kind !== workload.kind || target.name !== workload.metadata.name) continue;
    const within = replicas >= Number(spec?.['minReplicas'] ?? 1) && replicas <= Number(spec?.['maxReplicas'] ?? 0);
    if (status?.['desiredReplicas'] === replicas || within) return `HorizontalPodAutoscaler ${metadata.name}`;
  }
  return undefined;
}

function noteNode(state: ClusterState, before: Node | undefined, after: Node | undefined): void {
  const nowMs = state.meta.streamTimeMs;
  const add = (kind: Change['kind'], node: Node, text: string, timeMs = nowMs): void =>
    remember(state, NODES, { kind, object: name(node), timeMs, text: `${name(node)} ${text}`, labels: node.metadata.labels ?? {} });
  if (after === undefined) {
    if (before !== undefined) add('node_removed', before, 'was removed');
  } else if (before === undefined) {
    const createdMs = parseTimeMs(after.metadata.creationTimestamp) ?? 0;
    if (nowMs - createdMs <= SUSPECT_MS) add('node_added', after, 'joined', createdMs);
  } else if (isNodeReady(before) && !isNodeReady(after)) add('node_lost', after, 'is not ready any more');
  else if (before.spec.unschedulable !== true && after.spec.unschedulable === true) add('node_cordoned', after, 'was cordoned');
  else {
    const parts: readonly (readonly [string, unknown, unknown])[] = [
      ['labels', before.metadata.labels, after.metadata.labels],
      ['taints', ownTaints(before), ownTaints(after)],
      ['allocatable', before.status.allocatable, after.status.allocatable],
    ];
    const changed = parts.filter(([, a, b]) => !sameJson(a, b)).map(([what]) => what);
    if (changed.length > 0) add('node_changed', after, `has other ${changed.join(' and ')}`);
  }
}

/** Taints that people set; those of the node lifecycle follow the node's state and are no cause. */
function ownTaints(node: Node): unknown {
  return (node.spec.taints ?? []).filter((taint) => !taint.key.startsWith('node.kubernetes.io/')).map((taint) => [taint.key, taint.value, taint.effect]);
}

/** Revisions by the ReplicaSets of a Deployment: the newest, if it has a predecessor. */
function revisionOf(state: ClusterState, subject: NamedObject): Change | undefined {
  const deployment = subject.kind === 'Deployment' ? workloadObject(state, subject) : undefined;
  if (deployment === undefined) return undefined;
  const sets = state.indexes.setsByOwner.get(deployment.metadata.uid).map((uid) => state.tables.objects.replicasets.get(uid)?.object as Workload);
  sets.sort((a, b) => byCodeUnit(a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? '') || byCodeUnit(a.metadata.name, b.metadata.name));
  const [before, after] = sets.slice(-2);
  if (before === undefined || after === undefined) return undefined;
  const diff = diffTemplates(before.spec.template, after.spec.template);
  return {
    kind: 'rollout',
    object: name(deployment),
    timeMs: parseTimeMs(after.metadata.creationTimestamp) ?? 0,
    text: rolloutText(name(deployment), diff),
    diff,
  };
}

interface NamedObject {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/** Changes of a workload: those that were seen, and its last revision. */
function changesOf(state: ClusterState, subject: NamedObject): readonly Change[] {
  const seen = state.tables.changes.get(`${subject.kind}/${subject.namespace}/${subject.name}`) ?? [];
  const revision = revisionOf(state, subject);
  return revision === undefined ? seen : [...seen, revision];
}

/** What the rules may know of them, oldest first. */
export function workloadChanges(state: ClusterState, subject: NamedObject): readonly WorkloadChange[] {
  const changes = changesOf(state, subject).filter((change): change is Change & WorkloadChange => change.kind === 'rollout' || change.kind === 'scale_out');
  return [...changes].sort((a, b) => a.timeMs - b.timeMs || byCodeUnit(a.text, b.text));
}

/** Node changes that may explain an incident: of the nodes that it is about, that it names, or whose going took room away. */
function nodeChangesFor(state: ClusterState, incident: Incident): readonly Change[] {
  const { scenario, cause, subject, shared, evidence } = incident;
  if (cause === 'quota_exceeded') return [];
  if (scenario !== 'scheduling_failure' && scenario !== 'node_lost' && cause !== 'taint_eviction') return [];
  // That a node was lost explains everything but itself.
  const changes = (state.tables.changes.get(NODES) ?? []).filter(({ kind }) =>
    // Nothing is unschedulable for a node more, but for a new domain to spread over.
    kind === 'node_added' ? scenario !== 'scheduling_failure' || cause === 'topology_spread' : kind !== 'node_lost' || scenario !== 'node_lost',
  );
  const named = new Set([...evidence.map(({ object }) => object), `Node ${shared.node ?? ''}`, ...(subject.kind === 'Node' ? [`Node ${subject.name}`] : [])]);
  const own = changes.filter(({ object }) => named.has(object));
  if (own.length > 0 || scenario !== 'scheduling_failure' || OF_NAMED_NODES.has(cause)) return own;
  const selector = selectorOf(state, incident);
  return changes.filter(({ labels = {} }) => Object.entries(selector).every(([key, value]) => labels[key] === value));
}

/** Workloads whose pods a quota refuses: what made them ask for more is to blame rather than the quota. */
function refusedBy(state: ClusterState, { cause, evidence }: Incident): readonly NamedObject[] {
  if (cause !== 'quota_exceeded') return [];
  return evidence.flatMap(({ object }) => {
    const [, kind = '', namespace = '', named = ''] = /^(\w+) ([^/]+)\/(.+)$/.exec(object) ?? [];
    const controller = workloadObject(state, { kind, namespace, name: named });
    return controller === undefined ? [] : [workloadOf(state, controller)];
  });
}

/** The nodeSelector of the pod that the evidence is about. */
function selectorOf(state: ClusterState, { evidence }: Incident): Readonly<Record<string, string>> {
  const pod = evidence.map(({ object }) => /^Pod (.+)$/.exec(object)?.[1]).find((found) => found !== undefined);
  const uid = pod === undefined ? undefined : state.indexes.byName.pods.get(pod).at(-1);
  return (uid === undefined ? undefined : (state.tables.objects.pods.get(uid)?.object as Pod | undefined))?.spec.nodeSelector ?? {};
}

/** Causes that the evidence lays on nodes by name: no other node is to blame. */
const OF_NAMED_NODES: ReadonlySet<string> = new Set(['untolerated_taint', 'no_available_node']);

/** The change most likely to blame for an incident that opens now, or undefined: none found. */
export function suspectedChange(state: ClusterState, incident: Incident): SuspectedChange | undefined {
  const { namespace } = incident.subject;
  const near = (change: Change): boolean => change.timeMs <= incident.firstSymptomMs + SLACK_MS && incident.firstSymptomMs - change.timeMs <= SUSPECT_MS;
  const of = (key: string): readonly Change[] => state.tables.changes.get(key) ?? [];
  const own = [incident.subject, ...refusedBy(state, incident)].flatMap((subject) => changesOf(state, subject)).filter(near);
  const others = [...nodeChangesFor(state, incident), ...(incident.scenario === 'dependency_error' ? of(`config/${namespace}`) : [])].filter(near);
  const latest = (list: readonly Change[]): Change | undefined =>
    list.reduce<Change | undefined>((best, c) => (best === undefined || c.timeMs >= best.timeMs ? c : best), undefined);
  // A ConfigMap that the failure names and that was removed is no guess.
  const named = others.filter(
    ({ kind, object }) => kind === 'config_removed' && incident.evidence.some(({ value }) => value.includes(object.slice(object.indexOf('/') + 1))),
  );
  const change = latest(named) ?? latest(own) ?? latest(others);
  if (change === undefined) return undefined;
  const { timeMs, labels: _labels, ...rest } = change;
  const secondsBefore = Math.max(0, Math.round((incident.firstSymptomMs - timeMs) / 1_000));
  return { ...rest, time: new Date(timeMs).toISOString(), secondsBefore, confidence: own.includes(change) || named.includes(change) ? 'likely' : 'guess' };
}
