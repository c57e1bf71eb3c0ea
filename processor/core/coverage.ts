/**
 * What podtrail can see, and since when it cannot (design D5): per (resource, scope) in sync or blind, from the sessions of all
 * collectors of the cluster. Blind intervals become rows of the coverage ledger.
 */
import type { ChangeRecord, Heartbeat, SessionCounters } from '../../collector/change-record.ts';
import { HEARTBEAT_INTERVAL_MS, scopeKey } from '../../collector/change-record.ts';
import type { Resource } from '../../collector/objects.ts';
import type { Emitter } from './emit.ts';
import { isAheadOfTwin, sweepOvertaken } from './overtaken.ts';
import { forgetClock } from './run-clock.ts';
import type { ClusterState, SessionState, SyncState } from './state.ts';
import { byCodeUnit } from './tables.ts';

/** Without a sign of life for this long a session is not trusted, ms: three missed heartbeats. */
export const SILENCE_MS = 3 * HEARTBEAT_INTERVAL_MS;

const parseScopeKey = (key: string): { readonly resource: Resource; readonly scope: string } => {
  const at = key.indexOf('@');
  return { resource: (at < 0 ? key : key.slice(0, at)) as Resource, scope: at < 0 ? '' : key.slice(at + 1) };
};

/** Per resource over all its scopes; derived from meta.sync and kept with it. */
interface Sight {
  /** Every scope that anyone collects is in sync, and there is one. */
  readonly inSync: boolean;
  /** Some scope that somebody collects is not in sync: worth waiting for. */
  readonly awaited: boolean;
}
const BLIND: Sight = { inSync: false, awaited: false };
interface Sights {
  readonly of: ReadonlyMap<Resource, Sight>;
  readonly isAnythingAwaited: boolean;
  /** The column `resources` of the cluster's head row. */
  readonly resources: string;
}
const sights = new WeakMap<ClusterState['meta'], Sights>();

/** Asked several times for every record, so it is computed only when something came into or out of sight. */
function sightsOf(state: ClusterState): Sights {
  const known = sights.get(state.meta);
  if (known !== undefined) return known;
  const of = new Map<Resource, Sight>();
  for (const [key, sync] of Object.entries(state.meta.sync)) {
    if (sync.uncollectable) continue;
    const { resource } = parseScopeKey(key);
    const before = of.get(resource) ?? { inSync: true, awaited: false };
    of.set(resource, { inSync: before.inSync && sync.inSync, awaited: before.awaited || !sync.inSync });
  }
  const computed = { of, isAnythingAwaited: [...of.values()].some(({ awaited }) => awaited), resources: resourcesOf(state.meta) };
  sights.set(state.meta, computed);
  return computed;
}

const sightOf = (state: ClusterState, resource: Resource): Sight => sightsOf(state).of.get(resource) ?? BLIND;

/** Every scope of the resource that anyone collects is in sync. False for a resource that nobody collects. */
export function inSync(state: ClusterState, resource: Resource): boolean {
  return sightOf(state, resource).inSync;
}

/** Something is awaited at all; nearly always nothing is. */
export function isAnythingAwaited(state: ClusterState): boolean {
  return sightsOf(state).isAnythingAwaited;
}

/** Somebody collects it but it is not in sync: worth waiting for. */
export function isAwaited(state: ClusterState, resource: Resource): boolean {
  return sightOf(state, resource).awaited;
}

function emitCoverage(state: ClusterState, emitter: Emitter, key: string, sync: SyncState, toTimeMs: number): void {
  const { resource, scope } = parseScopeKey(key);
  emitter.emit('coverage', `${key}\n${sync.blindFromMs}`, {
    cluster: state.cluster.name,
    resource,
    scope,
    fromTimeMs: sync.blindFromMs,
    toTimeMs,
    reason: sync.reason,
  });
}

/** Writes the blind intervals that last. */
export function emitBlindness(state: ClusterState, emitter: Emitter): void {
  for (const key of Object.keys(state.meta.sync).sort(byCodeUnit)) {
    const sync = state.meta.sync[key];
    if (sync !== undefined && !sync.inSync) emitCoverage(state, emitter, key, sync, 0);
  }
}

function setBlind(state: ClusterState, emitter: Emitter, key: string, next: Omit<SyncState, 'inSync' | 'sightFromMs'>): void {
  const sync = { ...next, inSync: false, sightFromMs: state.meta.sync[key]?.sightFromMs ?? 0 };
  state.meta.sync[key] = sync;
  sights.delete(state.meta);
  emitCoverage(state, emitter, key, sync, 0);
}

/** What was seen again by a session that was there before is not blind: it only was late, and perhaps nothing is left of the interval. */
function setInSync(state: ClusterState, emitter: Emitter, key: string, syncedTimeMs: number): void {
  const before = state.meta.sync[key] as SyncState;
  const toTimeMs = Math.max(before.blindFromMs, Math.min(syncedTimeMs, state.meta.streamTimeMs));
  const late = syncedTimeMs < before.blindFromMs;
  emitCoverage(state, emitter, key, late ? { ...before, reason: 'resumed_without_loss' } : before, toTimeMs);
  state.meta.sync[key] = { inSync: true, uncollectable: false, blindFromMs: 0, sightFromMs: late ? before.sightFromMs : syncedTimeMs, reason: '' };
  sights.delete(state.meta);
  takeOver(state, emitter, key, syncedTimeMs);
}

/**
 * The earliest session that sees is another one than before: a collector that was restarted sooner than its silence was noticed, or one
 * of two that died. Only now it is known what nobody saw between the first of those before and this one.
 */
function takeOver(state: ClusterState, emitter: Emitter, key: string, sightFromMs: number): void {
  const before = state.meta.sync[key] as SyncState;
  if (sightFromMs === before.sightFromMs) return;
  state.meta.sync[key] = { ...before, sightFromMs };
  emitHoles(state, emitter, key, before.sightFromMs, sightFromMs, 'collector_restarted');
}

/** Writes what of an interval no session saw, as far as it lies after what the first of them saw. */
function emitHoles(state: ClusterState, emitter: Emitter, key: string, fromMs: number, toMs: number, reason: string): void {
  const sessions = Object.values(state.meta.sessions).filter((s) => s.syncedTimeMs > 0 && scopeKey(s.resource, s.scope) === key);
  let seenMs = Number.POSITIVE_INFINITY;
  for (const { syncedTimeMs, completeTimeMs } of sessions.sort((a, b) => a.syncedTimeMs - b.syncedTimeMs)) {
    const nextMs = Math.min(syncedTimeMs, toMs);
    if (seenMs < nextMs && nextMs > fromMs) emitCoverage(state, emitter, key, { ...(state.meta.sync[key] as SyncState), blindFromMs: seenMs, reason }, nextMs);
    if (syncedTimeMs >= toMs) return;
    seenMs = Number.isFinite(seenMs) ? Math.max(seenMs, completeTimeMs) : completeTimeMs;
  }
}

/**
 * Recomputes what is in sync at stream time `nowMs`. `why` is the reason for what is lost now. Returns the keys that came into
 * sync. A session whose sign of life is older than SILENCE_MS does not count. A resource is blind from when its sessions were complete last.
 */
export function refreshSync(state: ClusterState, emitter: Emitter, nowMs: number, why: string): readonly string[] {
  const best = new Map<string, Life>();
  const complete = new Map<string, number>();
  for (const session of Object.values(state.meta.sessions)) {
    const key = scopeKey(session.resource, session.scope);
    if (session.syncedTimeMs > 0) complete.set(key, Math.max(complete.get(key) ?? 0, session.completeTimeMs));
    if (session.phase !== 'synced') continue;
    const known = best.get(key) ?? { aliveTimeMs: 0, syncedTimeMs: Number.POSITIVE_INFINITY };
    const alive = nowMs - session.aliveTimeMs <= SILENCE_MS;
    best.set(key, {
      aliveTimeMs: Math.max(known.aliveTimeMs, session.aliveTimeMs),
      syncedTimeMs: alive ? Math.min(known.syncedTimeMs, session.syncedTimeMs) : known.syncedTimeMs,
    });
  }
  const gained: string[] = [];
  let lost = false;
  for (const key of Object.keys(state.meta.sync).sort(byCodeUnit)) {
    const before = state.meta.sync[key] as SyncState;
    const now = best.get(key);
    const seeing = now !== undefined && nowMs - now.aliveTimeMs <= SILENCE_MS;
    if (seeing && before.inSync) takeOver(state, emitter, key, now.syncedTimeMs);
    if (seeing && !before.inSync) {
      setInSync(state, emitter, key, now.syncedTimeMs);
      gained.push(key);
    } else if (!seeing && before.inSync) {
      emitHoles(state, emitter, key, before.sightFromMs, complete.get(key) ?? nowMs, 'collector_restarted');
      setBlind(state, emitter, key, { uncollectable: false, blindFromMs: complete.get(key) ?? nowMs, reason: now === undefined ? why : 'collector_silent' });
      lost = true;
    }
  }
  if (lost || gained.length > 0) emitCluster(state, emitter);
  return gained;
}

/**
 * A session that ends while its resource is blind may have been complete for a shorter time than was believed when that began: then
 * an interval goes before.
 */
export function extendBlindness(state: ClusterState, emitter: Emitter, ended: SessionState, reason: string): void {
  const key = scopeKey(ended.resource, ended.scope);
  const sync = state.meta.sync[key];
  if (sync === undefined || sync.inSync || ended.syncedTimeMs === 0) return;
  const others = Object.values(state.meta.sessions).filter((s) => s.session !== ended.session && s.syncedTimeMs > 0 && scopeKey(s.resource, s.scope) === key);
  const blindFromMs = Math.max(ended.completeTimeMs, ...others.map(({ completeTimeMs }) => completeTimeMs));
  if (blindFromMs < sync.blindFromMs) emitCoverage(state, emitter, key, { ...sync, blindFromMs, reason }, sync.blindFromMs);
}

interface Life {
  /** Last sign of life of any session. */
  readonly aliveTimeMs: number;
  /** Earliest completion among the live ones. */
  readonly syncedTimeMs: number;
}

/** A resource that a collector says it is going to collect: blind until its first list is complete. */
export function expectResource(state: ClusterState, emitter: Emitter, resource: Resource, scope: string, fromMs: number, reason: string): void {
  const key = scopeKey(resource, scope);
  if (state.meta.sync[key] !== undefined) return;
  setBlind(state, emitter, key, { uncollectable: false, blindFromMs: fromMs, reason });
}

/** As expectResource, of a collector of which all is gone that said so before: since when it collects is not known, but not since the last sign of life. */
export function expectUnannounced(state: ClusterState, emitter: Emitter, { resource, scope }: Pick<SessionCounters, 'resource' | 'scope'>): void {
  const { lastHeartbeatMs, firstTimeMs } = state.meta;
  expectResource(state, emitter, resource, scope, lastHeartbeatMs || firstTimeMs, 'records_missing');
}

/** A coverage note: the resource cannot be collected, for this reason. */
export function noteUncollectable(state: ClusterState, emitter: Emitter, note: Extract<ChangeRecord, { type: 'NOTE' }>, nowMs: number): void {
  const key = scopeKey(note.resource, note.scope);
  const before = state.meta.sync[key];
  const reason = `${note.code}: ${note.message}`;
  if (before?.inSync === true || (before?.uncollectable === true && before.reason === reason)) return;
  setBlind(state, emitter, key, { uncollectable: true, blindFromMs: before?.blindFromMs ?? nowMs, reason });
}

/** True when the time since the last sign of life of any collector is longer than heartbeats allow. */
export function isSilent(state: ClusterState, nowMs: number): boolean {
  return state.meta.lastHeartbeatMs > 0 && nowMs - state.meta.lastHeartbeatMs > SILENCE_MS;
}

/** Sessions and runs without a sign of life for this long are forgotten, ms. */
const FORGET_MS = 10 * SILENCE_MS;
/** But not before as many heartbeats of others as that takes: a clock that was set forward is no silence. */
const FORGET_BEATS = FORGET_MS / HEARTBEAT_INTERVAL_MS;

/**
 * Applies a heartbeat: counters, signs of life, holes at the tail. Sessions of the run that it no longer names are over. False for a
 * repeated one: what it says is old.
 */
export function applyHeartbeat(state: ClusterState, emitter: Emitter, record: Heartbeat): boolean {
  const { meta } = state;
  if (record.t < (meta.runs[record.run] ?? 0)) return false;
  meta.runs[record.run] = record.t;
  countBeat(meta, record.run);
  for (const counters of record.sessions) expectUnannounced(state, emitter, counters);
  const named = new Map(record.sessions.map((counters) => [counters.session, counters]));
  for (const id of Object.keys(meta.sessions).sort(byCodeUnit)) {
    const session = meta.sessions[id] as SessionState;
    const counters = named.get(id);
    if (counters !== undefined) applyCounters(session, counters, record.t, meta.streamTimeMs);
    // Of a session that began since, a heartbeat that the log has twice says nothing.
    else if (session.run === record.run && session.phase !== 'ended' && session.firstTimeMs < record.t) meta.sessions[id] = { ...session, phase: 'ended' };
    else if (isForgotten(meta, session) && !isAheadOfTwin(state, session)) delete meta.sessions[id];
    else continue;
    emitSession(state, emitter, meta.sessions[id] ?? session);
  }
  sweepOvertaken(state);
  for (const [run, timeMs] of Object.entries(meta.runs)) {
    if (meta.streamTimeMs - timeMs <= FORGET_MS || !isUnheard(meta, run)) continue;
    delete meta.runs[run];
    if (meta.beats !== undefined) delete meta.beats[run];
    forgetClock(meta, run);
  }
  meta.lastHeartbeatMs = meta.streamTimeMs;
  return true;
}

function countBeat(meta: ClusterState['meta'], run: string): void {
  const others = Object.keys(meta.runs).filter((other) => other !== run);
  if (others.length === 0) delete meta.beats;
  else meta.beats = Object.fromEntries(others.map((other) => [other, (meta.beats?.[other] ?? 0) + 1]));
}

/** True if the run is not known, or others have been heard for long without it. */
function isUnheard({ runs, beats }: ClusterState['meta'], run: string): boolean {
  return runs[run] === undefined || (beats?.[run] ?? 0) >= FORGET_BEATS;
}

/** Its run may know better than the run of another collector, and tell so with every heartbeat. */
function isForgotten(meta: ClusterState['meta'], session: SessionState): boolean {
  if (meta.streamTimeMs - session.aliveTimeMs <= FORGET_MS) return false;
  if (session.phase === 'ended') return true;
  return meta.streamTimeMs - (meta.runs[session.run] ?? 0) > FORGET_MS && isUnheard(meta, session.run);
}

/** In place: a heartbeat names every session, and comes every few seconds. */
function applyCounters(session: SessionState, counters: SessionCounters, saidTimeMs: number, nowMs: number): void {
  const { received, suppressed, rejected, appended } = counters;
  const hole = session.nextSeq < counters.nextSeq;
  const whole = !hole && session.phase === 'synced';
  // A connection may be dead long before anyone knows: what counts is what has come on it.
  const toldTimeMs = counters.completeTimeMs ?? (counters.inSync ? saidTimeMs : session.completeTimeMs);
  session.received = received;
  session.suppressed = suppressed;
  session.rejected = rejected;
  session.appended = appended;
  if (counters.inSync) session.aliveTimeMs = nowMs;
  session.completeTimeMs = whole ? toldTimeMs : Math.min(session.completeTimeMs, toldTimeMs);
  if (hole) session.phase = 'broken';
}

/** Writes the balance of a session. */
export function emitSession(state: ClusterState, emitter: Emitter, session: SessionState): void {
  emitter.emit('sessions', session.session, {
    cluster: state.cluster.name,
    session: session.session,
    run: session.run,
    resource: session.resource,
    scope: session.scope,
    firstTimeMs: session.firstTimeMs,
    lastTimeMs: session.aliveTimeMs,
    received: session.received,
    suppressed: session.suppressed,
    rejected: session.rejected,
    appended: session.appended,
    applied: session.applied,
    duplicate: session.duplicate,
    deadLettered: session.deadLettered,
  });
}

/** Writes the cluster's head row. */
export function emitCluster(state: ClusterState, emitter: Emitter): void {
  const { meta, cluster } = state;
  emitter.emit('clusters', cluster.name, {
    cluster: cluster.name,
    clusterUid: cluster.uid,
    serverVersion: meta.serverVersion,
    firstRecordTimeMs: meta.firstTimeMs,
    lastRecordTimeMs: meta.streamTimeMs,
    lastHeartbeatTimeMs: meta.lastHeartbeatMs,
    resources: sightsOf(state).resources,
  });
}

function resourcesOf({ sync }: ClusterState['meta']): string {
  const resources = Object.keys(sync)
    .sort(byCodeUnit)
    .map((key) => {
      const { inSync: isSeen, uncollectable, reason } = sync[key] as SyncState;
      return { ...parseScopeKey(key), state: isSeen ? 'in_sync' : uncollectable ? 'uncollectable' : 'blind', reason };
    });
  return JSON.stringify(resources);
}
