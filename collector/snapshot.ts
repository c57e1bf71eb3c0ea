/** One list, page by page, as a snapshot in a session (design D5): whole, or void. */
import type { ApiClient, ApiFailure } from './api-client.ts';
import type { Target } from './api-resources.ts';
import type { Appender } from './appender.ts';
import { BadPageError } from './errors.ts';
import { retryDelayMs } from './loop.ts';
import { type Backoff, sleep, yieldToEventLoop } from './pacing.ts';
import type { Session } from './session.ts';

export interface SnapshotDeps {
  readonly api: Pick<ApiClient, 'list'>;
  readonly appender: Pick<Appender, 'hasRoom' | 'whenRoom'>;
  /** Called when the first page is there: a list that fails before that leaves no trace in the log. */
  readonly openSession: () => Session;
  readonly backoff: Backoff;
  readonly random: () => number;
}

export type Snapshot =
  | { readonly ok: true; readonly session: Session; readonly resourceVersion: string; readonly listed: number }
  /** `session` if it had begun; it is not closed. Without `failure` the signal aborted. */
  | { readonly ok: false; readonly session: Session | undefined; readonly failure: ApiFailure | undefined };

/** Longest turn of the event loop that working through a page may take, ms: a slow watcher is cut off at 100 (performance.md §0.6). */
const TURN_MS = 20;
/** Objects between two looks at the clock: about 1 ms of projecting pods. */
const TURN_CHECK_ITEMS = 16;
/** A page is asked for again as often as this: one 429 in a list of 300 pages must not cost the other 299. */
const PAGE_RETRIES = 5;

/** `options` as Session.begin takes them. */
export async function takeSnapshot(target: Target, options: Parameters<Session['begin']>[1], deps: SnapshotDeps, signal: AbortSignal): Promise<Snapshot> {
  let session: Session | undefined;
  let version = '';
  let listed = 0;
  let next = fetchPage({ ...target, continueToken: '' }, deps, signal);
  let goesOn = false;
  do {
    const page = await next;
    if (signal.aborted) return { ok: false, session, failure: undefined };
    if (!page.ok) return { ok: false, session, failure: page.failure };
    const { resourceVersion, continueToken, items } = page.value;
    if (session === undefined) {
      session = deps.openSession();
      version = resourceVersion;
      session.begin(version, options);
    } else if (resourceVersion !== version) {
      return { ok: false, session, failure: { kind: 'bad_response', message: `list of ${target.resource} went on at another resourceVersion` } };
    }
    // Asked for before this page is worked through: meanwhile the server prepares it and the connection brings it.
    goesOn = continueToken !== '';
    if (goesOn) next = fetchPage({ ...target, continueToken }, deps, signal);
    next.catch(() => {}); // of a bug: it is heard of when it is awaited
    try {
      listed += await listItems(session, items, deps, signal);
    } catch (error) {
      if (!(error instanceof BadPageError)) throw error;
      await next; // or it would still be under way when the next list begins
      return { ok: false, session, failure: { kind: 'bad_response', message: `list of ${target.resource} is ${error.message}` } };
    }
    if (signal.aborted) return { ok: false, session, failure: undefined };
  } while (goesOn);
  session.end();
  return { ok: true, session, resourceVersion: version, listed };
}

/** A first page that fails is the caller's to retry; a later one is asked for again here, with the same token. */
async function fetchPage(
  request: Parameters<ApiClient['list']>[0],
  { api, backoff, random }: SnapshotDeps,
  signal: AbortSignal,
): ReturnType<ApiClient['list']> {
  for (let attempt = 1; ; attempt += 1) {
    const page = await api.list(request, signal);
    if (page.ok || request.continueToken === '' || attempt > PAGE_RETRIES || !isTransient(page.failure) || signal.aborted) return page;
    await sleep(retryDelayMs(page.failure, backoff, attempt, random), signal);
  }
}

/** The same request may succeed when it is sent again. */
function isTransient({ kind }: ApiFailure): boolean {
  return kind === 'network' || kind === 'server' || kind === 'throttled' || kind === 'unauthorized' || kind === 'credentials';
}

/** Returns their number. */
async function listItems(session: Session, items: Iterable<unknown>, { appender }: SnapshotDeps, signal: AbortSignal): Promise<number> {
  let turnStartMs = performance.now();
  let sinceCheck = 0;
  let listed = 0;
  for (const item of items) {
    session.listed(item);
    listed += 1;
    if (!appender.hasRoom()) await appender.whenRoom(signal);
    sinceCheck += 1;
    if (sinceCheck < TURN_CHECK_ITEMS) continue;
    sinceCheck = 0;
    if (performance.now() - turnStartMs < TURN_MS) continue;
    await yieldToEventLoop();
    turnStartMs = performance.now();
    if (signal.aborted) break;
  }
  return listed;
}
