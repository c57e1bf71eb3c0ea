/** Asks the rules about everything that changed, and hands what they say to the incident engine. */
import type { ChangeRecord } from '../../collector/change-record.ts';
import type { KubeObject, Node, Pod, Resource, Workload } from '../../collector/objects.ts';
import { SCENARIOS } from '../scenarios/index.ts';
import { signsOf } from '../scenarios/pod-signs.ts';
import type { ClusterView, ControllerView, NodeView, PodHistory, PodView, Scenario, ScenarioId, Signal } from '../scenarios/scenario.ts';
import { inSync, isAnythingAwaited, isAwaited } from './coverage.ts';
import type { Engine, Source } from './incidents.ts';
import { reconcile, sourceGone } from './incidents.ts';
import { heldByNode, syncNodeMembers, withoutExplained } from './node-incidents.ts';
import { ruling, thresholdsFor } from './rules-config.ts';
import type { ClusterState } from './state.ts';
import { controllerUid } from './state.ts';
import { byCodeUnit } from './tables.ts';
import { CONTROLLER_RESOURCES, ownerKind, resourceOfKind } from './workload.ts';

const NO_HISTORY: PodHistory = { firstSeenMs: 0, containers: {} };

/** Sources judged in one slice of a step: a few milliseconds, if all of them fail. */
const JUDGED_A_SLICE = 50;

/**
 * Judges all that is dirty, in key order and in slices: after a list that is every pod. While podtrail is blind for pods nothing is
 * judged, and it stays dirty (design D2).
 */
export function* judgeDirty(engine: Engine, view: ClusterView): Generator<void, void> {
  const { state } = engine;
  let judged = 0;
  if (state.tables.dirty.size === 0 || !inSync(state, 'pods')) return;
  // Judging a node marks its pods once more: the second turn is the last.
  for (let turn = 0; turn < 2 && state.tables.dirty.size > 0; turn++) {
    for (const key of state.tables.dirty.keys()) {
      state.tables.dirty.delete(key);
      const at = key.indexOf('/');
      const source = findSource(engine, key.slice(0, at), key.slice(at + 1));
      if (source !== undefined) judge(engine, view, source);
      // What a late Event opens about a pod that is gone ends with it.
      if (source !== undefined && state.tables.departed.has(source.uid)) sourceGone(engine, source);
      judged += 1;
      if (judged % JUDGED_A_SLICE === 0) yield;
    }
  }
}

/** Everything held back for a table that was not in sync is due again. */
export function releaseHeld(engine: Engine): void {
  const { held, dirty } = engine.state.tables;
  for (const key of held.keys()) {
    held.delete(key);
    dirty.set(key, 1);
  }
}

function findSource(engine: Engine, kind: string, uid: string): Source | undefined {
  const { objects } = engine.state.tables;
  const tables: readonly Resource[] = kind === 'pod' ? ['pods'] : kind === 'node' ? ['nodes'] : CONTROLLER_RESOURCES;
  for (const table of tables) {
    const object = objects[table].get(uid)?.object;
    if (object !== undefined) return { kind: kind as Source['kind'], uid, object };
  }
  const unlisted = kind === 'controller' ? engine.state.tables.unlisted.get(uid) : undefined;
  if (unlisted !== undefined) return { kind: 'controller', uid, object: unlisted };
  const departed = kind === 'pod' ? engine.state.tables.departed.get(uid)?.pod : undefined;
  return departed && { kind: 'pod', uid, object: departed };
}

/** A view of one source. It inherits the cluster's view instead of copying it: this is made for every record. `isUntold`: see PodView. */
export function sourceView(state: ClusterState, view: ClusterView, source: Source, isUntold = false): SourceView {
  const events = view.eventsOf(source.uid);
  if (source.kind === 'pod') {
    const { histories, departed } = state.tables;
    const history = histories.get(source.uid) ?? departed.get(source.uid)?.history ?? NO_HISTORY;
    return inherit(view, { pod: source.object as Pod, history, events, isGone: departed.has(source.uid), isUntold });
  }
  if (source.kind === 'controller') return inherit(view, { controller: source.object as Workload, events });
  // Kubelets up to 1.34 file their Node Events under the node's name (signals.md §17).
  const byName = view.eventsOf(source.object.metadata.name);
  return inherit(view, { subjectNode: source.object as Node, events: [...events, ...byName] });
}
export type SourceView = PodView | ControllerView | NodeView;

const inherit = <V extends object, M extends object>(view: V, more: M): V & M => Object.assign(Object.create(view) as V, more);

/** What a scenario says of a source, with the thresholds and rulings that the configuration has for it. */
export function ask(state: ClusterState, scenario: Scenario, view: SourceView, source: Source): readonly Signal[] {
  const { rules, streamTimeMs } = state.meta;
  if (rules.overrides.length + rules.disabled.length + rules.mutes.length === 0) return askRules(scenario, view, source.kind);
  const { namespace } = source.object.metadata;
  const target = { cluster: state.cluster.name, namespace, workload: view.workloadOf(source.object), scenario: scenario.id };
  // The inherited property is a getter: it is shadowed by definition, since assigning to it would throw. Rulings go by the cause.
  const tuned: SourceView = Object.create(view, { thresholds: { value: thresholdsFor(rules, target), enumerable: true }, isUntold: { value: false } });
  return askRules(scenario, tuned, source.kind).flatMap((signal) => {
    const ruled = ruling(rules, { ...target, cause: signal.cause }, streamTimeMs);
    if (ruled?.kind === 'disabled') return [];
    return [ruled === undefined ? signal : muted(signal, ruled.reason, ruled.untilMs)];
  });
}

/** Flagged, with the reason as evidence; when the mute ends the source is judged again. */
function muted(signal: Signal, reason: string, untilMs: number): Signal {
  const { kind, namespace, name } = signal.subject;
  const evidence = { kind: 'table', object: `${kind} ${namespace === '' ? name : `${namespace}/${name}`}`, path: 'muted by the rules', value: reason } as const;
  return {
    ...signal,
    flags: [...signal.flags, 'muted'].sort(byCodeUnit),
    evidence: [...signal.evidence, evidence],
    recheckTimeMs: Math.min(signal.recheckTimeMs ?? untilMs, untilMs),
  };
}

function askRules(scenario: Scenario, view: SourceView, kind: Source['kind']): readonly Signal[] {
  if (kind === 'pod') return scenario.pod?.(view as PodView) ?? [];
  if (kind === 'controller') return scenario.controller?.(view as ControllerView) ?? [];
  return scenario.node?.(view as NodeView) ?? [];
}

const NONE: ReadonlySet<ScenarioId> = new Set();

function judge(engine: Engine, view: ClusterView, source: Source): void {
  const { state } = engine;
  if (awaitsOwner(engine, source.object)) {
    state.tables.held.set(`${source.kind}/${source.uid}`, 1);
    return;
  }
  const asked = concernedBy(view, source);
  const isUntold = !state.tables.sources.has(source.uid);
  // Most records are about such pods: no rule has anything to say, nor has any said something before.
  if (asked.length === 0 && source.kind === 'pod' && isUntold) {
    reconcile(engine, source, [], NONE);
    return;
  }
  const skipped = skipAwaiting(state, source);
  const signals = askAll(engine, sourceView(state, view, source, isUntold), source, asked, skipped);
  const unexplained = withoutExplained(engine, source, signals);
  for (const held of heldByNode(state, source)) skipped.add(held);
  reconcile(engine, source, unexplained, skipped);
  if (source.kind === 'node') syncNodeMembers(engine, source.object.metadata.name);
}

/** The scenarios whose rule may find something in this source: of a pod, by what it shows at a glance. */
function concernedBy(view: ClusterView, { kind, object }: Source): readonly Scenario[] {
  if (kind !== 'pod') return SCENARIOS.filter((scenario) => scenario[kind] !== undefined);
  const pod = object as Pod;
  const signs = signsOf(pod, view.node(pod.spec.nodeName ?? '') !== undefined);
  return signs === undefined ? SCENARIOS : SCENARIOS.filter((scenario) => scenario.concerns(signs));
}

/** Scenarios that read a table that is not in sync yet: they are not asked, and the source is judged again once it is. */
function skipAwaiting(state: ClusterState, source: Source): Set<ScenarioId> {
  const skipped = new Set<ScenarioId>();
  if (!isAnythingAwaited(state)) return skipped;
  for (const { id, reads, [source.kind]: rule } of SCENARIOS) {
    if (rule !== undefined && reads.some((resource) => isAwaited(state, resource))) skipped.add(id);
  }
  if (skipped.size > 0) state.tables.held.set(`${source.kind}/${source.uid}`, 1);
  return skipped;
}

/** What the rules of these scenarios say. One that throws is skipped from now on. */
function askAll(engine: Engine, view: SourceView, source: Source, asked: readonly Scenario[], skipped: Set<ScenarioId>): readonly Signal[] {
  const signals: Signal[] = [];
  for (const scenario of asked) {
    if (skipped.has(scenario.id)) continue;
    try {
      for (const signal of ask(engine.state, scenario, view, source)) signals.push(signal);
    } catch (error) {
      skipped.add(scenario.id);
      deadLetter(engine, source, scenario.id, error);
    }
  }
  return signals;
}

/** The workload is the subject: it must be known, or known not to be collected. */
function awaitsOwner(engine: Engine, object: KubeObject): boolean {
  if (!isAnythingAwaited(engine.state)) return false;
  const uid = controllerUid(object);
  const owner = object.metadata.ownerReferences?.find((o) => o.uid === uid);
  const resource = owner && resourceOfKind(ownerKind(owner));
  return resource !== undefined && !engine.state.tables.objects[resource].has(uid) && isAwaited(engine.state, resource);
}

/** Why a rule threw, in one line. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

function positionOf(record: ChangeRecord | undefined): string {
  if (record === undefined) return '';
  return 'seq' in record ? `${record.session}#${record.seq}` : `${record.run} ${record.type}`;
}

/** A rule that throws gives no signal; the tables stay applied (design D10). */
function deadLetter(engine: Engine, source: Source, scenario: ScenarioId, error: unknown): void {
  const { state, emitter, record } = engine;
  const offset = BigInt(state.meta.count);
  emitter.emit('dead_letters', `${scenario}\n${source.uid}`, {
    log: `rule:${scenario}`,
    partition: 0,
    offset,
    part: `${source.kind}/${source.uid}`,
    cluster: state.cluster.name,
    timeMs: state.meta.streamTimeMs,
    code: 'rule_threw',
    reason: reasonOf(error),
    payload: positionOf(record),
  });
}
