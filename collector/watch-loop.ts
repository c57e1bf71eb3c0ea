/**
 * The watches of one session, each going on where the last one ended, until the session has to end. Going on from what was pushed
 * loses nothing: the appender drops nothing. Where it had no room, the watch was closed and goes on once all of it is acknowledged.
 */
import { type ApiFailure, failureOf, type WatchEnd } from './api-client.ts';
import type { Appender } from './appender.ts';
import { compareResourceVersions, HEARTBEAT_INTERVAL_MS } from './change-record.ts';
import { backOff, type Ending, enterState, type Loop, pace, touch } from './loop.ts';
import type { Session } from './session.ts';
import type { PodMemory } from './pod-memory.ts';
import { createLineSplitter, decodeWatchLine } from './watch-stream.ts';

/** An empty watch may be a chance; two in a row are not. */
const EMPTY_WATCHES_BEFORE_RELIST = 2;
/** What comes sooner after a watch is open may be long past: first of all comes what there was to resume, ms. */
const RESUME_MS = HEARTBEAT_INTERVAL_MS;
/** What a watch has not brought after this long did not happen before it was asked for, ms. */
const CAUGHT_UP_MS = 30_000;
/** Refusals of the watch in a row, by the server, after which only a new list helps. */
const REFUSALS_BEFORE_RELIST = 5;

/** Follows the session from the version of its list. Returns why it has to end; it is not closed. */
export async function followWatches(loop: Loop, session: Session, listVersion: string, signal: AbortSignal): Promise<Ending> {
  const ending = (reason: string, failure?: ApiFailure): Ending => ({ reason, verb: 'watch', failure });
  let version = listVersion;
  let emptyWatches = 0;
  let refusals = 0;
  /** The watch was closed for want of room, and nothing has come since. */
  let pressed = false;
  /** The connection was lost or nothing came on it, and nothing has been heard of the server's version since. */
  let doubtful = false;
  /** As WatchRun tells it of the last one. */
  let quietTimeMs: number | undefined;
  /** The last watch brought a bookmark: so will the next one. */
  let marked = false;
  for (let first = true; ; first = false) {
    await pace(loop, signal, first && loop.failures === 0);
    await loop.deps.ensureIdentity(signal, loop.troubleMs);
    let serverVersion: string | undefined;
    if (doubtful) {
      serverVersion = await askVersion(loop, signal);
      if (signal.aborted) return ending(loop.deps.stopReason());
      if (serverVersion !== undefined && compareResourceVersions(serverVersion, version) < 0) return ending('restored');
      doubtful = serverVersion === undefined;
      if (!doubtful && quietTimeMs !== undefined) loop.completeTimeMs = quietTimeMs;
      await pace(loop, signal);
    }
    const remainingMs = loop.fullDueMs - performance.now();
    if (remainingMs <= 0) return ending('refresh');
    const watch = await watchOnce(loop, session, version, pickTimeout(loop, marked, remainingMs), signal);
    if (signal.aborted) return ending(loop.deps.stopReason());

    version = watch.version;
    marked = watch.marked || (marked && watch.end.kind === 'stopped');
    quietTimeMs = watch.quietTimeMs;
    if (quietTimeMs !== undefined) {
      doubtful = true;
      // No bookmark ever moves the version of Events on (performance.md §0.7), and etcd forgets it within ten minutes.
      if (loop.target.resource === 'events' && watch.openMs >= CAUGHT_UP_MS) version = serverVersion ?? version;
    }
    emptyWatches = watch.empty ? emptyWatches + 1 : 0;
    if (watch.lines > 0) refusals = 0;
    if (emptyWatches >= EMPTY_WATCHES_BEFORE_RELIST) return ending('empty_watch');
    if (watch.end.kind === 'stopped') {
      if (!pressed) loop.deps.log.warn(loop.target, 'watch closed until the change log has caught up');
      pressed = true;
      enterState(loop, 'waiting', 'the change log is behind');
      await loop.deps.appender.whenAcknowledged(signal);
    } else if (watch.end.kind === 'stalled') {
      doubtful = true;
      loop.troubleMs = performance.now();
      loop.deps.metrics.requestFailed(loop.cluster, loop.target.resource, 'stalled');
      enterState(loop, 'retrying', 'watch stalled: the connection went silent');
    } else if (watch.end.kind === 'failed') {
      const { failure } = watch.end;
      if (failure.kind === 'gone') return ending(pressed ? 'back_pressure' : '410', failure);
      if (failure.kind === 'forbidden' || failure.kind === 'not_served') return ending(failure.kind, failure);
      if (failure.kind === 'network') doubtful = true;
      if (failure.kind === 'server') refusals += 1;
      if (refusals >= REFUSALS_BEFORE_RELIST) return ending('watch_failed', failure);
      await backOff(loop, failure, signal);
    } else pressed = false;
  }
}

/**
 * The version the API server is at, undefined if it does not say. A server whose etcd was restored from a backup is at a lower one than was
 * seen: it takes a watch from the future as any other, and sends nothing on it until its versions have come that far, not even a bookmark.
 */
async function askVersion(loop: Loop, signal: AbortSignal): Promise<string | undefined> {
  const { target, deps } = loop;
  const answered = doubtSoon(loop);
  const page = await deps.api.list({ ...target, continueToken: '', limit: 1 }, signal);
  answered();
  if (!page.ok) loop.live = false;
  return page.ok ? page.value.resourceVersion : undefined;
}

/** Until somebody answers nothing is known to be missed; a heartbeat later that is no longer sure. Returns what to call then. */
function doubtSoon(loop: Loop): () => void {
  const doubt = setTimeout(() => {
    loop.live = false;
  }, HEARTBEAT_INTERVAL_MS);
  return () => clearTimeout(doubt);
}

/** Each watch draws its own length, so that they do not all end together; s. */
function pickTimeout({ timing, deps }: Loop, marked: boolean, remainingMs: number): number {
  const { min, max } = marked ? timing.watchSeconds : timing.unmarkedWatchSeconds;
  return Math.max(1, Math.min(Math.round(min + deps.random() * (max - min)), Math.ceil(remainingMs / 1_000)));
}

interface WatchRun {
  /** Where the next watch goes on. */
  readonly version: string;
  readonly lines: number;
  /** A bookmark came. */
  readonly marked: boolean;
  /** Ended at once and without a line. */
  readonly empty: boolean;
  /**
   * Ended as it should and without a line, at this observed time: nothing is missing up to then, unless the server went back. That it sent
   * nothing is common: not even a bookmark comes of Events, or of a cached resource that has not changed since the API server was started.
   */
  readonly quietTimeMs: number | undefined;
  /** How long it was open. */
  readonly openMs: number;
  readonly end: WatchEnd;
}

async function watchOnce(loop: Loop, session: Session, fromVersion: string, timeoutSeconds: number, signal: AbortSignal): Promise<WatchRun> {
  const { timing, target, deps } = loop;
  const reader = createWatchReader(session, fromVersion, target.resource === 'pods' ? deps.pods : undefined, deps.appender);
  const startMs = performance.now();
  // From when it is open, not asked for: a server may take its time, and begins with what was missed.
  let openedMs = Number.POSITIVE_INFINITY;
  const isLive = (): boolean => performance.now() - openedMs >= RESUME_MS;
  const answered = doubtSoon(loop);
  const handlers = {
    opened(): void {
      answered();
      openedMs = performance.now();
      loop.live = true;
      enterState(loop, 'watching');
    },
    bytes(chunk: Buffer): boolean {
      const before = reader.lines();
      const goOn = reader.push(chunk);
      // An ERROR is no sign that nothing is missing, and where there is no room for more, more has come.
      if (reader.lines() > before) touch(loop, goOn && isLive());
      return goOn;
    },
  };
  let end = await deps.api.watch({ ...target, resourceVersion: fromVersion, timeoutSeconds }, handlers, signal);
  answered();
  const isCut = end.kind === 'closed' && !reader.finish();
  const failure = reader.failure();
  if (failure !== undefined) end = { kind: 'failed', failure };
  if (end.kind !== 'closed' && !signal.aborted) loop.live = false;
  const empty = end.kind === 'closed' && reader.lines() === 0 && performance.now() - startMs < Math.min(timing.emptyWatchMs, timeoutSeconds * 500);
  const whole = end.kind === 'closed' && !empty && !isCut;
  const wholeTimeMs = whole && isLive() ? deps.nowMs() : undefined;
  if (wholeTimeMs !== undefined && reader.lines() > 0) loop.completeTimeMs = wholeTimeMs;
  if (reader.lines() > 0 || whole) loop.failures = 0;
  const quietTimeMs = reader.lines() === 0 ? wholeTimeMs : undefined;
  const openMs = performance.now() - openedMs;
  return { version: reader.version(), lines: reader.lines(), marked: reader.marked(), empty, quietTimeMs, openMs, end };
}

/** Feeds the bytes of one watch to a session, and keeps where the next watch goes on. */
function createWatchReader(session: Session, fromVersion: string, pods: PodMemory | undefined, appender: Pick<Appender, 'hasRoom'>) {
  let version = fromVersion;
  let lines = 0;
  let marked = false;
  let failure: ApiFailure | undefined;

  const read = (bytes: Buffer): boolean => {
    const line = decodeWatchLine(bytes, pods);
    if (line.kind === 'blank') return true;
    if (line.kind === 'error') {
      failure = failureOf(line.status, line.message);
      return false;
    }
    lines += 1;
    if (line.kind === 'undecodable') session.reject(line.reason);
    else {
      if (line.kind === 'pod') session.changePod(line.pod);
      else if (line.kind === 'change') session.change(line.type, line.object);
      else marked = true;
      if (line.resourceVersion !== '') version = line.resourceVersion;
    }
    return appender.hasRoom();
  };
  const splitter = createLineSplitter(read, () => {
    lines += 1;
    session.reject('watch line is too long');
    return appender.hasRoom();
  });

  return {
    push: (chunk: Buffer): boolean => splitter.push(chunk),
    /** At a clean end: a last line without its newline counts if it is whole; if not, it is false, and the next watch brings it again. */
    finish(): boolean {
      const rest = splitter.rest();
      const isWhole = rest.length === 0 || decodeWatchLine(rest).kind !== 'undecodable';
      if (isWhole && rest.length > 0) read(rest);
      return isWhole;
    },
    version: (): string => version,
    lines: (): number => lines,
    marked: (): boolean => marked,
    failure: (): ApiFailure | undefined => failure,
  };
}
