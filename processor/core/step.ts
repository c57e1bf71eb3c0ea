/**
 * The core (design D2): step(state, record) applies one change record of one cluster and returns the rows it makes. Synchronous
 * and deterministic: the same records give the same rows, whatever the batches, restarts or machines. The state belongs to it.
 */
import type { ChangeRecord } from '../../collector/change-record.ts';
import { scopeKey } from '../../collector/change-record.ts';
import type { Pod } from '../../collector/objects.ts';
import type { EmittedRow } from '../../sql/rows.ts';
import { finish } from '../capacity/steps.ts';
import { sampleSteps, scheduleSample } from './capacity-samples.ts';
import { sweepChanges } from './changes.ts';
import { applyHeartbeat, emitCluster, expectResource, inSync, isSilent, noteUncollectable, refreshSync } from './coverage.ts';
import type { Emitter } from './emit.ts';
import { createEmitter } from './emit.ts';
import { sweepEvents } from './events.ts';
import { groupIncidents } from './grouping.ts';
import type { Engine } from './incidents.ts';
import { emitIncidents, recoveryDue, sourceGone, subjectGone } from './incidents.ts';
import { judgeDirty, releaseHeld } from './judge.ts';
import { lineageDue } from './lineage.ts';
import { leaveNode } from './node-incidents.ts';
import type { Applied } from './objects.ts';
import { applySessionRecord, emitPod, nextDaily } from './objects.ts';
import { decodeRules } from './rules-config.ts';
import { countOn } from './run-clock.ts';
import { sameJson } from './same-json.ts';
import type { ClusterState } from './state.ts';
import { rowVersion } from './state.ts';
import { ownerIsSilent, ownersGone } from './unlisted-owners.ts';
import { viewOf } from './view.ts';

/**
 * Applies one record. Records of a cluster must come in log order; repeated ones change nothing but counters. Never throws for
 * what a record says. The rows carry the version of this record and at most one is there per table and key.
 */
export function step(state: ClusterState, record: ChangeRecord): EmittedRow[] {
  return finish(stepSlices(state, record));
}

/**
 * As step, in slices of a few milliseconds: nearly always one. Between two of them the state is half applied: until the last one it must
 * be neither changed nor stored.
 */
export function* stepSlices(state: ClusterState, received: ChangeRecord): Generator<void, EmittedRow[]> {
  const { meta } = state;
  const record = countOn(state, received);
  meta.count++;
  const emitter = createEmitter();
  const engine: Engine = { state, emitter, record };
  const nowMs = Math.max(meta.streamTimeMs, record.t);
  const previousMs = meta.streamTimeMs;
  if (meta.firstTimeMs === 0) meta.firstTimeMs = record.t;
  // Nothing is known of the time since the last sign of life: it must fire no timer before somebody sees again.
  if (isSilent(state, nowMs)) setTime(engine, refreshSync(state, emitter, nowMs, 'collector_silent'), nowMs);
  if (state.timers.mayBeDue(nowMs)) yield* fireTimers(engine, nowMs);
  meta.streamTimeMs = nowMs;
  sweepEvents(state, previousMs);
  sweepChanges(state, previousMs);
  applyRecord(engine, record);
  if (state.tables.dirty.size > 0) yield* judgeDirty(engine, viewOf(state));
  groupIncidents(engine);
  emitIncidents(engine);
  return emitter.rows(rowVersion(meta));
}

function setTime(engine: Engine, gained: readonly string[], nowMs: number): void {
  engine.state.meta.streamTimeMs = nowMs;
  if (gained.length > 0) releaseHeld(engine);
}

/** Timers fire at their own time, in order, and only while podtrail sees the cluster's pods. */
function* fireTimers(engine: Engine, nowMs: number): Generator<void, void> {
  const { state } = engine;
  if (!inSync(state, 'pods')) return;
  for (let timer = state.timers.take(nowMs); timer !== undefined; timer = state.timers.take(nowMs)) {
    state.meta.streamTimeMs = Math.max(state.meta.streamTimeMs, timer.dueTimeMs);
    const [kind, ...rest] = timer.key.split('/');
    const id = rest.join('/');
    if (kind === 'judge') {
      state.tables.dirty.set(id, 1);
      yield* judgeDirty(engine, viewOf(state));
    } else if (kind === 'recover') recoveryDue(engine, id);
    else if (kind === 'forget') forget(state, id);
    else if (kind === 'silent') ownerIsSilent(engine, id);
    else if (kind === 'lineage') lineageDue(state, id);
    else if (kind === 'daily') rewriteDaily(state, engine.emitter, id, timer.dueTimeMs);
    else if (kind === 'capacity') yield* sampleSteps(state, viewOf(state), engine.emitter);
  }
}

function forget({ tables }: ClusterState, uid: string): void {
  tables.departed.delete(uid);
  if (!tables.objects.pods.has(uid)) tables.opened.delete(uid);
}

/** A live pod's row is rewritten daily, so that time travel reads back one day at most (design D3). */
function rewriteDaily(state: ClusterState, emitter: Emitter, uid: string, dueTimeMs: number): void {
  const pod = state.tables.objects.pods.get(uid)?.object as Pod | undefined;
  if (pod === undefined) return;
  emitPod(state, emitter, pod, pod, 'DAILY');
  state.timers.set(`daily/${uid}`, nextDaily(uid, Math.max(dueTimeMs, state.meta.streamTimeMs)));
}

function applyRecord(engine: Engine, record: ChangeRecord): void {
  const { state, emitter } = engine;
  const nowMs = state.meta.streamTimeMs;
  switch (record.type) {
    case 'RUN_BEGIN':
      if (state.meta.runs[record.run] !== undefined) break; // repeated
      state.meta.runs[record.run] = record.t;
      for (const { resource, scope } of record.resources) expectResource(state, emitter, resource, scope, nowMs, 'starting');
      state.meta.serverVersion = record.serverVersion ?? state.meta.serverVersion;
      state.meta.lastHeartbeatMs = Math.max(state.meta.lastHeartbeatMs, nowMs);
      emitCluster(state, emitter);
      break;
    case 'HEARTBEAT':
      if (record.tick === true || !applyHeartbeat(state, emitter, record)) break;
      regain(engine, 'records_missing');
      scheduleSample(state);
      emitCluster(state, emitter);
      break;
    case 'NOTE':
      noteUncollectable(state, emitter, record, nowMs);
      releaseHeld(engine); // who waited for it waits in vain
      break;
    case 'RULES':
      applyRules(engine, record.rules);
      break;
    default:
      applyObjects(engine, applySessionRecord(state, emitter, record), record.type, scopeKey(record.resource, record.scope));
  }
}

function applyObjects(engine: Engine, applied: Applied, type: ChangeRecord['type'], key: string): void {
  for (const { resource, object } of applied.removed) {
    const kind = resource === 'pods' ? 'pod' : resource === 'nodes' ? 'node' : 'controller';
    sourceGone(engine, { kind, uid: object.metadata.uid, object });
    if (kind === 'pod') leaveNode(engine, object as Pod);
    subjectGone(engine, object);
    if (resource === 'namespaces') ownersGone(engine, object.metadata.name);
  }
  const listed = type === 'SNAPSHOT_BEGIN' || type === 'SNAPSHOT_END';
  if (applied.lost !== '' || listed) regain(engine, applied.lost);
  if (listed && engine.state.meta.sync[key]?.inSync === true) releaseHeld(engine);
}

/** Recomputes what is in sync. After blindness the recovery that was under way has not been watched: its time is added. */
function regain(engine: Engine, why: string): void {
  const { state, emitter } = engine;
  const nowMs = state.meta.streamTimeMs;
  const blindSince = new Map<string, number>();
  for (const [key, sync] of Object.entries(state.meta.sync)) if (!sync.inSync) blindSince.set(key, sync.blindFromMs);
  const gained = refreshSync(state, emitter, nowMs, why);
  if (gained.length === 0) return;
  releaseHeld(engine);
  const pods = gained.filter((key) => key === 'pods' || key.startsWith('pods@'));
  if (pods.length === 0) return;
  const blindFromMs = Math.min(...pods.map((key) => blindSince.get(key) ?? nowMs));
  for (const { id, recoveringSinceMs } of state.tables.incidents.values()) {
    const due = state.timers.due(`recover/${id}`);
    if (due !== undefined) state.timers.set(`recover/${id}`, due + nowMs - Math.max(blindFromMs, recoveringSinceMs));
  }
}

/** New rules hold for everything from here on: what is pending or open is judged again. */
function applyRules(engine: Engine, rules: Readonly<Record<string, unknown>>): void {
  const { state, emitter } = engine;
  const decoded = decodeRules(rules);
  if (decoded.ok) {
    if (sameJson(decoded.rules, state.meta.rules)) return;
    state.meta.rules = decoded.rules;
    for (const uid of state.tables.sources.keys()) for (const kind of ['pod', 'controller', 'node']) state.tables.dirty.set(`${kind}/${uid}`, 1);
    for (const key of state.tables.timers.keys()) if (key.startsWith('judge/')) state.tables.dirty.set(key.slice('judge/'.length), 1);
    return;
  }
  const row = { log: 'rules', partition: 0, offset: BigInt(state.meta.count), part: 'rules', cluster: state.cluster.name, timeMs: state.meta.streamTimeMs };
  emitter.emit('dead_letters', 'rules', { ...row, code: 'bad_rules', reason: decoded.reason, payload: JSON.stringify(rules) });
}
