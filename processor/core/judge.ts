/** Asks the rules about everything that changed, and hands what they say to the incident engine. */
import type { KubeObject, Node, Pod, Resource, Workload } from '../../collector/objects.ts';
import { SCENARIOS } from '../scenarios/index.ts';
import type { ClusterView, PodHistory, Scenario, ScenarioId, Signal } from '../scenarios/scenario.ts';
import { inSync, isAwaited } from './coverage.ts';
import type { Engine, Source } from './incidents.ts';
import { reconcile, sourceGone } from './incidents.ts';
import { syncNodeMembers, withoutExplained } from './node-incidents.ts';
import { ruling, thresholdsFor } from './rules-config.ts';
import { controllerUid } from './state.ts';
import { byCodeUnit } from './tables.ts';
import { resourceOfKind } from './workload.ts';

const NO_HISTORY: PodHistory = { firstSeenMs: 0, containers: {} };
const CONTROLLER_TABLES = ['replicasets', 'statefulsets', 'daemonsets', 'jobs'] as const;

/** Judges all that is dirty, in key order. While podtrail is blind for pods nothing is judged, and it stays dirty (design D2). */
export function judgeDirty(engine: Engine, view: ClusterView, where: string): void {
  const { state } = engine;
  if (state.tables.dirty.size === 0 || !inSync(state, 'pods')) return;
  // Judging a node marks its pods once more: the second turn is the last.
  for (let turn = 0; turn < 2; turn++) {
    for (const key of state.tables.dirty.keys()) {
      state.tables.dirty.delete(key);
      const at = key.indexOf('/');
      const source = findSource(engine, key.slice(0, at), key.slice(at + 1));
      if (source !== undefined) judge(engine, view, source, where);
      // What a late Event opens about a pod that is gone ends with it.
      if (source !== undefined && state.tables.departed.has(source.uid)) sourceGone(engine, source);
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
  const tables: readonly Resource[] = kind === 'pod' ? ['pods'] : kind === 'node' ? ['nodes'] : CONTROLLER_TABLES;
  for (const table of tables) {
    const object = objects[table].get(uid)?.object;
    if (object !== undefined) return { kind: kind as Source['kind'], uid, object };
  }
  const departed = kind === 'pod' ? engine.state.tables.departed.get(uid)?.pod : undefined;
  return departed && { kind: 'pod', uid, object: departed };
}

/** What a scenario says of a source, with the thresholds and rulings that the configuration has for it. */
export function ask(scenario: Scenario, view: ClusterView, source: Source, engine: Pick<Engine, 'state'>): readonly Signal[] {
  const { cluster, meta } = engine.state;
  const { namespace } = source.object.metadata;
  const target = { cluster: cluster.name, namespace, workload: view.workloadOf(source.object), scenario: scenario.id };
  const signals = askRules(scenario, { ...view, thresholds: thresholdsFor(meta.rules, target) }, source, engine);
  if (meta.rules.disabled.length === 0 && meta.rules.mutes.length === 0) return signals;
  return signals.flatMap((signal) => {
    const ruled = ruling(meta.rules, { ...target, cause: signal.cause }, meta.streamTimeMs);
    if (ruled?.kind === 'disabled') return [];
    return [ruled === undefined ? signal : { ...signal, flags: [...signal.flags, 'muted'].sort(byCodeUnit) }];
  });
}

function askRules(scenario: Scenario, view: ClusterView, source: Source, engine: Pick<Engine, 'state'>): readonly Signal[] {
  const events = view.eventsOf(source.uid);
  if (source.kind === 'pod') {
    const { histories, departed } = engine.state.tables;
    const history = histories.get(source.uid) ?? departed.get(source.uid)?.history ?? NO_HISTORY;
    return scenario.pod?.({ ...view, pod: source.object as Pod, history, events }) ?? [];
  }
  if (source.kind === 'controller') return scenario.controller?.({ ...view, controller: source.object as Workload, events }) ?? [];
  // Kubelets up to 1.34 file their Node Events under the node's name (signals.md §17).
  const byName = view.eventsOf(source.object.metadata.name);
  return scenario.node?.({ ...view, subjectNode: source.object as Node, events: [...events, ...byName] }) ?? [];
}

function judge(engine: Engine, view: ClusterView, source: Source, where: string): void {
  const { state } = engine;
  if (awaitsOwner(engine, source.object)) {
    state.tables.held.set(`${source.kind}/${source.uid}`, 1);
    return;
  }
  const signals: Signal[] = [];
  const skipped = new Set<ScenarioId>();
  for (const scenario of SCENARIOS) {
    if (scenario[source.kind] === undefined) continue;
    if (scenario.reads.some((resource) => isAwaited(state, resource))) {
      skipped.add(scenario.id);
      state.tables.held.set(`${source.kind}/${source.uid}`, 1);
      continue;
    }
    try {
      signals.push(...ask(scenario, view, source, engine));
    } catch (error) {
      skipped.add(scenario.id);
      deadLetter(engine, source, scenario.id, where, error);
    }
  }
  reconcile(engine, source, withoutExplained(engine, source, signals), skipped);
  if (source.kind === 'node') syncNodeMembers(engine, source.object.metadata.name);
}

/** The workload is the subject: it must be known, or known not to be collected. */
function awaitsOwner(engine: Engine, object: KubeObject): boolean {
  const uid = controllerUid(object);
  const owner = object.metadata.ownerReferences?.find((o) => o.uid === uid);
  const resource = owner && resourceOfKind(owner.kind);
  return resource !== undefined && !engine.state.tables.objects[resource].has(uid) && isAwaited(engine.state, resource);
}

/** A rule that throws gives no signal; the tables stay applied (design D10). */
function deadLetter(engine: Engine, source: Source, scenario: ScenarioId, where: string, error: unknown): void {
  const { state, emitter } = engine;
  const offset = BigInt(state.meta.count);
  emitter.emit('dead_letters', `${scenario}\n${source.uid}`, {
    log: `rule:${scenario}`,
    partition: 0,
    offset,
    part: `${source.kind}/${source.uid}`,
    cluster: state.cluster.name,
    timeMs: state.meta.streamTimeMs,
    code: 'rule_threw',
    reason: error instanceof Error ? `${error.name}: ${error.message}` : String(error),
    payload: where,
  });
}
