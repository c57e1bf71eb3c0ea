/**
 * One session of the collector (change-record.ts): turns what an API server lists and streams into change records, in order,
 * with a gapless sequence. Pure but for the clock and the emit function handed in; the reflector drives it, a recording too.
 */
import type { ChangeRecord, ClusterRef, SessionCounters } from './change-record.ts';
import { MAX_RECORD_BYTES, SCHEMA_VERSION } from './change-record.ts';
import type { KnownObjects } from './known-objects.ts';
import type { ProjectedObject, Resource } from './objects.ts';
import { identify, type ObjectId, truncateStrings } from './project.ts';
import type { PodLine } from './pod-line.ts';
import { type Rendered, renderObject, renderPodParts } from './rendered-object.ts';

export { createKnownObjects, type KnownObjects } from './known-objects.ts';

export interface SessionOptions {
  readonly cluster: ClusterRef;
  readonly run: string;
  readonly session: string;
  readonly resource: Resource;
  /** '' is the whole cluster, else one namespace. */
  readonly scope: string;
  /** Observed time, epoch ms, never going back within a run. */
  readonly clock: () => number;
  /**
   * Called synchronously, in the order of seq. `objectJson` is JSON.stringify(record.object) where the record has one: hand it to
   * a RecordEncoder, which then need not do it again.
   */
  readonly emit: (record: ChangeRecord, objectJson?: string) => void;
  /** What this run last sent of this (resource, scope): hand the same one to every session of it. */
  readonly known: KnownObjects;
}

/**
 * Order of calls: begin, listed or reject for every item, end, then change or reject for every watch event, close. begin may
 * come again before end: the list started over. Another order is a bug of the caller and throws. Bad objects never throw: they
 * become REJECTED records. Bookmarks are not handed in.
 */
export interface Session {
  /** Starts the snapshot. `full`: no LISTED is abbreviated (design D5: at least every quarter of the log's retention); `askedTimeMs` as in SNAPSHOT_BEGIN. */
  begin(listResourceVersion: string, options?: { readonly full?: boolean; readonly askedTimeMs?: number }): void;
  /** A list item as received; kind and apiVersion may be missing, as they are in lists. */
  listed(object: unknown): void;
  end(): void;
  change(type: ChangeType, object: unknown): void;
  /** As change with the whole pod. */
  changePod(pod: PodLine): void;
  /** Something came that is not even an object, e.g. a line that is not JSON. `reason` reaches the dead letters: no content in it. */
  reject(reason: string): void;
  /** Ends the session; idempotent. `reason` and `completeTimeMs` as in SESSION_END. */
  close(reason: string, completeTimeMs?: number): void;
  counters(): SessionCounters;
}

type ChangeType = 'ADDED' | 'MODIFIED' | 'DELETED';
type State = 'new' | 'listing' | 'watching' | 'closed';
type Body<R> = R extends { session: string } ? Omit<R, 'v' | 'cluster' | 'run' | 't' | 'session' | 'seq' | 'resource' | 'scope'> : never;
type SessionBody = Body<ChangeRecord>;

export function createSession(options: SessionOptions): Session {
  const { session, resource, known } = options;
  const out = createOutput(options);
  let state: State = 'new';
  let listResourceVersion = '';
  let full = false;
  let itemsListed = 0;

  const expect = (call: string, ...states: State[]): void => {
    if (!states.includes(state)) throw new Error(`session ${session} of ${resource}: ${call} while ${state}`);
  };
  const refuse = (id: ObjectId, reason: string, type?: ChangeType): void => {
    if (id.uid !== '') known.forget(id.uid);
    out.reject(id, reason, type === 'DELETED');
  };
  const change = (type: ChangeType, id: ObjectId, rendered: Rendered): void => {
    expect('change', 'watching');
    if (!rendered.ok) return refuse(id, rendered.reason, type);
    const { object, json, fingerprint: hash } = rendered;
    if (type !== 'DELETED' && known.isUnchanged(id.uid, id.rv, hash)) return out.suppress();
    if (!out.appendObject(type, id, object, json)) return refuse(id, 'too_large', type);
    if (type === 'DELETED') known.forget(id.uid);
    else known.sent(id.uid, id.rv, hash);
  };

  return {
    begin(rv, { full: unabbreviated = false, askedTimeMs } = {}) {
      expect('begin', 'new', 'listing');
      state = 'listing';
      listResourceVersion = rv;
      full = unabbreviated;
      itemsListed = 0;
      known.beginSnapshot(rv);
      out.mark({ type: 'SNAPSHOT_BEGIN', rv, ...(askedTimeMs !== undefined && { askedTimeMs }) });
    },
    listed(raw) {
      expect('listed', 'listing');
      itemsListed += 1;
      const id = identify(raw);
      if (!full && known.isSameVersion(id.uid, id.rv)) return out.append({ type: 'LISTED', ...id });
      const rendered = renderObject(resource, raw);
      if (!rendered.ok) return refuse(id, rendered.reason);
      const { object, json, fingerprint: hash } = rendered;
      if (!full && known.isUnchanged(id.uid, id.rv, hash)) return out.append({ type: 'LISTED', ...id });
      if (!out.appendObject('LISTED', id, object, json)) return refuse(id, 'too_large');
      known.sent(id.uid, id.rv, hash);
    },
    end() {
      expect('end', 'listing');
      state = 'watching';
      known.endSnapshot();
      out.mark({ type: 'SNAPSHOT_END', rv: listResourceVersion, count: itemsListed });
    },
    change: (type, raw) => change(type, identify(raw), renderObject(resource, raw)),
    changePod: (pod) => change(pod.type, { uid: pod.metadata.value.uid, rv: pod.resourceVersion }, renderPodParts(pod)),
    reject(reason) {
      expect('reject', 'listing', 'watching');
      if (state === 'listing') itemsListed += 1;
      out.reject({ uid: '', rv: '' }, reason, false);
    },
    close(reason, completeTimeMs) {
      if (state === 'closed') return;
      state = 'closed';
      out.mark({ type: 'SESSION_END', reason: reason.slice(0, MAX_REASON), ...(completeTimeMs !== undefined && { completeTimeMs }) });
    },
    counters: () => ({ session, resource, scope: options.scope, inSync: state === 'watching', ...out.counters() }),
  };
}

/** Longest `reason` of the contract, characters. */
const MAX_REASON = 4_096;

/** The numbered records of a session, and promise 4's counters; they are right whenever emit is called. */
function createOutput({ cluster, run, session, resource, scope, clock, emit }: SessionOptions) {
  let nextSeq = 0;
  let received = 0;
  let suppressed = 0;
  let rejected = 0;
  let appended = 0;
  const record = (body: SessionBody): ChangeRecord =>
    ({ v: SCHEMA_VERSION, cluster, run, t: clock(), session, seq: nextSeq, resource, scope, ...body }) as ChangeRecord;
  const send = (ready: ChangeRecord, objectJson?: string): void => {
    nextSeq += 1;
    emit(ready, objectJson);
  };
  return {
    counters: () => ({ nextSeq, received, suppressed, rejected, appended }),
    /** A record that carries no watch event. */
    mark: (body: SessionBody): void => send(record(body)),
    append(body: SessionBody): void {
      received += 1;
      appended += 1;
      send(record(body));
    },
    /** Appends the record of an object, its long strings cut if that makes it fit; false, and nothing done, if it never fits. */
    appendObject(type: 'LISTED' | ChangeType, id: ObjectId, object: ProjectedObject, json: string): boolean {
      const fitting = fitObject(object, json);
      if (fitting === undefined) return false;
      received += 1;
      appended += 1;
      // Written out: every spread would cost this record, of which there is one a watch event, as much as all the rest of it.
      const { uid, rv } = id;
      send({ v: SCHEMA_VERSION, cluster, run, t: clock(), session, seq: nextSeq, resource, scope, type, uid, rv, object: fitting.object }, fitting.json);
      return true;
    },
    suppress(): void {
      received += 1;
      suppressed += 1;
    },
    reject(id: ObjectId, reason: string, isDeleted: boolean): void {
      received += 1;
      rejected += 1;
      send(record({ type: 'REJECTED', ...id, reason: reason.slice(0, MAX_REASON), ...(isDeleted && { deleted: true as const }) }));
    },
  };
}

/** Room for everything in a record but its object: names and ids at their longest. */
const MAX_OBJECT_BYTES = MAX_RECORD_BYTES - 8_192;
/** To what lengths strings are cut, in turn, until the object fits, characters. */
const STRING_LIMITS = [16_384, 4_096, 1_024];
/** The last one, above any Kubernetes name: what does not fit then, never does. */
const LEAST_LIMIT = 256;

/** The object, with its long strings cut if it must be; undefined if that does not help. */
function fitObject(object: ProjectedObject, json: string): { readonly object: ProjectedObject; readonly json: string } | undefined {
  if (fits(json)) return { object, json };
  const cutTo = (limit: number) => {
    const shorter = truncateStrings(object, limit);
    return { object: shorter, json: shorter === object ? json : JSON.stringify(shorter) };
  };
  // First, as an object of a hundred thousand keys would hold everything up for seconds.
  const least = cutTo(LEAST_LIMIT);
  if (!fits(least.json)) return undefined;
  for (const limit of STRING_LIMITS) {
    const shorter = cutTo(limit);
    if (fits(shorter.json)) return shorter;
  }
  return least;
}

function fits(json: string): boolean {
  // A UTF-16 unit takes at most three bytes of UTF-8.
  return json.length * 3 <= MAX_OBJECT_BYTES || Buffer.byteLength(json) <= MAX_OBJECT_BYTES;
}
