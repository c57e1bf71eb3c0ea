/** The list/watch loop of one (resource, scope) of one cluster: a session after the other, each a list and the watches that go on from it. */
import type { ApiFailure } from './api-client.ts';
import { describeDenied, type Target } from './api-resources.ts';
import type { SessionCounters } from './change-record.ts';
import { backOff, createLoop, type Ending, enterState, type Loop, type LoopDeps, type LoopStatus, pace, type Timing, touch } from './loop.ts';
import { sleep } from './pacing.ts';
import { takeSnapshot } from './snapshot.ts';
import { followWatches } from './watch-loop.ts';

export interface Reflector {
  readonly target: Target;
  /** Runs until the signal aborts; then its session is closed. Rejects only for a bug. */
  run(signal: AbortSignal): Promise<void>;
  status(): LoopStatus;
  /** Of the session under way; in sync only while its watch is connected. */
  counters(): SessionCounters | undefined;
}

export function createReflector(cluster: string, target: Target, timing: Timing, deps: LoopDeps): Reflector {
  const loop = createLoop(cluster, target, timing, deps);
  const notes = createNotes(loop);
  return {
    target,
    async run(signal) {
      while (!signal.aborted) {
        const ending = await runSession(loop, notes, signal);
        const hadSession = loop.session !== undefined;
        closeSession(loop, signal.aborted ? deps.stopReason() : ending.reason);
        if (!signal.aborted) await recover(loop, notes, ending, hadSession, signal);
      }
      enterState(loop, 'stopped');
    },
    status: () => loop.status,
    counters() {
      const counters = loop.session?.counters();
      if (counters === undefined) return undefined;
      return { ...counters, inSync: counters.inSync && loop.live, ...(loop.completeTimeMs !== undefined && { completeTimeMs: loop.completeTimeMs }) };
    },
  };
}

async function runSession(loop: Loop, notes: Notes, signal: AbortSignal): Promise<Ending> {
  const { cluster, target, timing, deps } = loop;
  const stopped: Ending = { reason: 'stopped', verb: 'list' };
  await pace(loop, signal);
  const full = performance.now() >= loop.fullDueMs;
  let askedTimeMs = 0;
  // Known from its first record on: a heartbeat in the middle of a long list must name it, or it is taken for over.
  const openSession = () => {
    const session = deps.openSession();
    loop.session = session;
    return session;
  };
  const snapshot = await deps.api.listSlots.run(async () => {
    await deps.ensureIdentity(signal, loop.troubleMs);
    if (signal.aborted) return undefined;
    enterState(loop, 'listing', loop.status.reason);
    askedTimeMs = deps.nowMs();
    return takeSnapshot(target, { full, askedTimeMs }, { ...deps, openSession, backoff: timing.backoff }, signal);
  }, signal);
  if (snapshot === undefined) return stopped;
  if (!snapshot.ok) return snapshot.failure === undefined ? stopped : { reason: listEndReason(snapshot.failure), verb: 'list', failure: snapshot.failure };
  // A quarter of the interval is spread, so that the clusters of a fleet do not all send everything at the same time.
  if (full) loop.fullDueMs = performance.now() + timing.fullSnapshotIntervalMs * (1 - deps.random() / 4);
  notes.forget();
  loop.live = true;
  touch(loop, false);
  loop.completeTimeMs = askedTimeMs; // the list is of then, and no watch has shown what came after it
  deps.metrics.listed(cluster, target.resource);
  deps.log.debug({ ...target, listed: snapshot.listed, full }, 'listed');
  return followWatches(loop, snapshot.session, snapshot.resourceVersion, signal);
}

function listEndReason({ kind }: ApiFailure): string {
  return kind === 'gone' ? 'list_expired' : 'list_failed';
}

function closeSession(loop: Loop, reason: string): void {
  if (loop.session === undefined) return;
  loop.session.close(reason, loop.completeTimeMs);
  loop.deps.sessionEnded(loop.session.counters());
  loop.session = undefined;
  loop.live = false;
  loop.completeTimeMs = undefined;
}

/** What to do after a session before the next one begins. */
async function recover(loop: Loop, notes: Notes, { reason, verb, failure }: Ending, hadSession: boolean, signal: AbortSignal): Promise<void> {
  const { cluster, target, timing, deps } = loop;
  if (failure?.kind === 'forbidden' || failure?.kind === 'not_served') {
    const message = failure.kind === 'forbidden' ? describeDenied(verb, target.resource, target.scope) : failure.message;
    notes.write(failure.kind, message);
    loop.troubleMs = performance.now();
    deps.metrics.requestFailed(cluster, target.resource, failure.kind);
    enterState(loop, 'denied', message);
    return sleep(timing.deniedRetryMs * (1 + deps.random() / 4), signal);
  }
  if (hadSession) {
    deps.metrics.relisted(cluster, target.resource, reason);
    deps.log.info({ ...target, reason }, 'relisting');
  }
  if (reason !== 'refresh') await backOff(loop, failure ?? { kind: 'gone', message: reason }, signal);
}

type Notes = ReturnType<typeof createNotes>;

/** Coverage notes: each said once, and again before the log forgets it; a session that begins ends it. */
function createNotes({ target, timing, deps }: Loop) {
  let said = '';
  let sayAgainMs = 0;
  return {
    write(code: string, message: string): void {
      if (said === message && performance.now() < sayAgainMs) return;
      if (said !== message) deps.log.warn({ ...target, reason: message }, 'resource is not collected');
      said = message;
      sayAgainMs = performance.now() + timing.fullSnapshotIntervalMs;
      deps.note(code, message);
    },
    forget(): void {
      said = '';
    },
  };
}
