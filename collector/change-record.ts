/**
 * The contract of the change log: what a collector appends and a processor reads, one JSON document a record, key = cluster uid.
 *
 * Compatibility: a reader ignores fields it does not know; a field is added only as optional; a change of meaning raises
 * SCHEMA_VERSION. A reader refuses a version above its own (`unknown_version`), so the shell can dead-letter it with the reason.
 *
 * Sessions (design D5): a session is one list and the watches that resume from it without a gap, of one (cluster, resource,
 * scope). Its records carry a gapless `seq` from 0; a hole ends it. A list is SNAPSHOT_BEGIN, one LISTED or REJECTED for every
 * item, SNAPSHOT_END with their count; then watch events as ADDED, MODIFIED, DELETED.
 */
import { z } from 'zod';
import type { ProjectedObject, Resource } from './objects.ts';
import { RESOURCES } from './objects.ts';

/** Raised only when the meaning of an existing field changes. */
export const SCHEMA_VERSION = 1;

/** A collector's pace of heartbeats, ms (design D2). Three missed in a row mean that podtrail was blind. */
export const HEARTBEAT_INTERVAL_MS = 5_000;

/**
 * Pace of ticks while nothing else is written of a cluster, ms: what becomes an incident by waiting is noticed with the next record of any
 * kind, and is to be in the API within 2 s.
 */
export const TICK_INTERVAL_MS = 1_000;

/** Hard cap of one encoded record, bytes: below Kafka's default message.max.bytes of 1 048 588, with room for headers. */
export const MAX_RECORD_BYTES = 900_000;

const LAST_TIME_MS = 8_640_000_000_000_000; // ECMAScript's largest time value
const timeMs = z.number().int().min(0).max(LAST_TIME_MS);
const count = z.number().int().min(0);
const resource = z.enum(RESOURCES);
const reason = z.string().max(4_096);

const envelope = {
  v: z.number().int().min(1),
  /** uid of the namespace kube-system, and the configured name (design D1). */
  cluster: z.object({ uid: z.string().min(1).max(128), name: z.string().min(1).max(128) }),
  /** Fresh for every start of a collector for this cluster. */
  run: z.string().min(1).max(64),
  /** Observed time, epoch ms: monotonic within a run, anchored to the API server's Date header. */
  t: timeMs,
};

/** scope: '' is the whole cluster, else the one namespace that this session lists and watches. */
const inSession = { ...envelope, session: z.string().min(1).max(64), seq: count, resource, scope: z.string().max(253) };

const objectSchema = z
  .looseObject({
    kind: z.string(),
    apiVersion: z.string(),
    metadata: z.looseObject({ name: z.string(), namespace: z.string(), uid: z.string(), resourceVersion: z.string() }),
  })
  .transform((object) => object as unknown as ProjectedObject);

const snapshotBegin = z.object({
  ...inSession,
  type: z.literal('SNAPSHOT_BEGIN'),
  /** The list's resourceVersion. */
  rv: z.string(),
  /** Observed time at which the list was asked for: a consistent read, it is no older than what anybody had seen by then. */
  askedTimeMs: timeMs.optional(),
});
/** Without `object`: unchanged since this run last sent it. */
const listed = z.object({ ...inSession, type: z.literal('LISTED'), uid: z.string().min(1), rv: z.string(), object: objectSchema.optional() });
const snapshotEnd = z.object({ ...inSession, type: z.literal('SNAPSHOT_END'), rv: z.string(), /** LISTED and REJECTED since the BEGIN. */ count });
const changed = z.object({ ...inSession, type: z.enum(['ADDED', 'MODIFIED', 'DELETED']), uid: z.string().min(1), rv: z.string(), object: objectSchema });
/** An object that could not be projected: it is counted and dead-lettered, and a snapshot still counts its uid as present. */
const rejected = z.object({
  ...inSession,
  type: z.literal('REJECTED'),
  uid: z.string(),
  rv: z.string(),
  reason,
  /** It came as deleted: the object is gone, though its last state is not known. */
  deleted: z.literal(true).optional(),
});
const sessionEnd = z.object({
  ...inSession,
  type: z.literal('SESSION_END'),
  /** Why the stream has a gap from here: 410, stalled, relist, stopped, back_pressure, … */
  reason,
  /** Until when the session is known to have been complete, observed time: a connection may be dead long before anyone knows. Default: t. */
  completeTimeMs: timeMs.optional(),
  /** The final count of promise 4; heartbeats no longer name the session. */
  counters: z.object({ received: count, suppressed: count, rejected: count, appended: count }).optional(),
});

const sessionCounters = z.object({
  session: z.string(),
  resource,
  scope: z.string(),
  /** The seq its next record will carry: a processor that expects a lower one has a hole. */
  nextSeq: count,
  /** Listed completely and watching now. */
  inSync: z.boolean(),
  /** As in SESSION_END: when something came last on its watch. Default: t of the heartbeat, if in sync. */
  completeTimeMs: timeMs.optional(),
  /** Promise 4, since the session began: received = suppressed + rejected + appended. */
  received: count,
  suppressed: count,
  rejected: count,
  appended: count,
});
const heartbeat = z.object({
  ...envelope,
  type: z.literal('HEARTBEAT'),
  sessions: z.array(sessionCounters),
  /** Says only how late it is: names no session, though they go on, and is no sign of their life. */
  tick: z.literal(true).optional(),
  /** RUN_BEGIN was acknowledged before this was written: by the run's clock, it came into the log at `t` at the latest. Of a tick. */
  begun: z.literal(true).optional(),
});
/** First record of a run: what it is going to collect, and the version of the API server if it answered. */
const runBegin = z.object({
  ...envelope,
  type: z.literal('RUN_BEGIN'),
  resources: z.array(z.object({ resource, scope: z.string() })),
  serverVersion: z.string().optional(),
});
/** A coverage note: this resource cannot be collected, and why, e.g. `forbidden` with the missing verb. Ends when a session of it begins. */
const note = z.object({ ...envelope, type: z.literal('NOTE'), resource, scope: z.string(), code: z.string().max(64), message: reason });
/** Rule configuration, so that replays see what the live run saw (design D2). Validated by the processor. */
const rules = z.object({ ...envelope, type: z.literal('RULES'), rules: z.record(z.string(), z.unknown()) });

const changeRecord = z.discriminatedUnion('type', [snapshotBegin, listed, snapshotEnd, changed, rejected, sessionEnd, heartbeat, runBegin, note, rules]);

export type ChangeRecord = z.output<typeof changeRecord>;
export type SessionRecord = Extract<ChangeRecord, { session: string }>;
export type ObjectRecord = z.output<typeof changed> | z.output<typeof listed>;
export type SessionCounters = z.output<typeof sessionCounters>;
export type Heartbeat = z.output<typeof heartbeat>;
export type ClusterRef = ChangeRecord['cluster'];

/** Why bytes are not a change record: goes to the dead letters with the position. */
export interface InvalidRecord {
  readonly ok: false;
  readonly code: 'not_json' | 'unknown_version' | 'bad_shape';
  readonly reason: string;
}
export type DecodedRecord = { readonly ok: true; readonly record: ChangeRecord } | InvalidRecord;

/** Encodes one record as UTF-8 JSON. Throws nothing; the size is the caller's concern (MAX_RECORD_BYTES). */
export function encodeChangeRecord(record: ChangeRecord): Buffer {
  return Buffer.from(JSON.stringify(record), 'utf8');
}

/** As encodeChangeRecord. `objectJson`, if given, must be JSON.stringify(record.object): a session has it already, and it is nearly all of the record. */
export type RecordEncoder = (record: ChangeRecord, objectJson?: string) => Buffer;

/** Memory that is taken at once for many records, by each of the clusters. A record that is kept keeps its slab. */
const SLAB_BYTES = 128 * 1_024;
/** A UTF-16 unit takes at most three bytes of UTF-8. */
const MAX_UNIT_BYTES = 3;

/** An encoder whose records share memory: to give each its own costs more than to write it (measured: 5.4 µs for 6 KB, 2.3 µs so). */
export function createRecordEncoder(): RecordEncoder {
  let slab = Buffer.alloc(0);
  let used = 0;
  return (record, objectJson) => {
    const json = objectJson !== undefined && 'object' in record ? encodeParts(record, objectJson) : JSON.stringify(record);
    const room = json.length * MAX_UNIT_BYTES;
    if (room > SLAB_BYTES / 2) return Buffer.from(json, 'utf8');
    if (used + room > slab.length) {
      slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
      used = 0;
    }
    const start = used;
    used += slab.write(json, start, 'utf8');
    return slab.subarray(start, used);
  };
}

/** As JSON.stringify(record), whose fields stand in the order in which a session writes them. */
function encodeParts({ v, cluster, run, t, session, seq, resource: of, scope, type, uid, rv }: ObjectRecord, objectJson: string): string {
  const head = JSON.stringify({ v, cluster, run, t, session, seq, resource: of, scope, type, uid, rv });
  return `${head.slice(0, -1)},"object":${objectJson}}`;
}

/** Decodes untrusted bytes of the log. Never throws. */
export function decodeChangeRecord(bytes: Uint8Array): DecodedRecord {
  let value: unknown;
  try {
    value = JSON.parse((Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)).toString('utf8'));
  } catch (error) {
    return { ok: false, code: 'not_json', reason: (error as Error).message };
  }
  return readChangeRecord(value);
}

/** Judges a value fresh from JSON.parse. Never throws. */
export function readChangeRecord(value: unknown): DecodedRecord {
  const version = (value as { v?: unknown } | null)?.v;
  if (typeof version === 'number' && version > SCHEMA_VERSION) {
    return { ok: false, code: 'unknown_version', reason: `record has schema version ${version}, this release reads up to ${SCHEMA_VERSION}` };
  }
  if (isPlainObjectRecord(value) || isPlainHeartbeat(value)) return { ok: true, record: value };
  const parsed = changeRecord.safeParse(value);
  if (parsed.success) return { ok: true, record: parsed.data };
  return { ok: false, code: 'bad_shape', reason: z.prettifyError(parsed.error).slice(0, 1_000) };
}

/** Fields of the records of objects, for isPlainObjectRecord. */
const OBJECT_RECORD_FIELDS = 12;
const RESOURCE_NAMES: ReadonlySet<unknown> = new Set(RESOURCES);

/**
 * Is the value, fresh from JSON.parse, exactly what the schema would make of it? Nearly all records are of objects, and asking the
 * schema costs more than all else of decoding. Says no to every other record and to all that is unusual: the schema decides then.
 */
function isPlainObjectRecord(value: unknown): value is ObjectRecord {
  if (!isFields(value) || value['v'] !== SCHEMA_VERSION) return false;
  const { type, cluster, run, t, session, seq, resource: of, scope, uid, rv, object } = value;
  if (type !== 'MODIFIED' && type !== 'ADDED' && type !== 'DELETED' && type !== 'LISTED') return false;
  if (object === undefined && type !== 'LISTED') return false;
  if (countFields(value) !== (object === undefined ? OBJECT_RECORD_FIELDS - 1 : OBJECT_RECORD_FIELDS)) return false;
  if (!isCluster(cluster) || !isCount(t) || t > LAST_TIME_MS || !isCount(seq) || !RESOURCE_NAMES.has(of)) return false;
  if (!isName(run, 64) || !isName(session, 64) || typeof scope !== 'string' || scope.length > 253) return false;
  if (!isName(uid, Number.POSITIVE_INFINITY) || typeof rv !== 'string') return false;
  return object === undefined || isPlainObject(object);
}

/** The same for heartbeats, of which a quiet cluster's log consists; not for ticks, which have next to nothing to be checked. */
function isPlainHeartbeat(value: unknown): value is Heartbeat {
  if (!isFields(value) || value['type'] !== 'HEARTBEAT' || value['v'] !== SCHEMA_VERSION) return false;
  const { cluster, run, t, sessions } = value;
  if (countFields(value) !== HEARTBEAT_FIELDS || !isCluster(cluster)) return false;
  return isName(run, 64) && isCount(t) && t <= LAST_TIME_MS && Array.isArray(sessions) && sessions.every(isPlainCounters);
}

/** Fields of a heartbeat that is no tick, and of what it says of a session, without completeTimeMs. */
const HEARTBEAT_FIELDS = 6;
const COUNTERS_FIELDS = 9;

function isPlainCounters(value: unknown): boolean {
  if (!isFields(value)) return false;
  const { session, resource: of, scope, nextSeq, inSync, completeTimeMs, received, suppressed, rejected: refused, appended } = value;
  if (typeof session !== 'string' || typeof scope !== 'string' || typeof inSync !== 'boolean' || !RESOURCE_NAMES.has(of)) return false;
  if (completeTimeMs !== undefined && (!isCount(completeTimeMs) || completeTimeMs > LAST_TIME_MS)) return false;
  if (countFields(value) !== (completeTimeMs === undefined ? COUNTERS_FIELDS : COUNTERS_FIELDS + 1)) return false;
  return isCount(nextSeq) && isCount(received) && isCount(suppressed) && isCount(refused) && isCount(appended);
}

function isCluster(cluster: unknown): boolean {
  return isFields(cluster) && isName(cluster['uid'], 128) && isName(cluster['name'], 128) && countFields(cluster) === 2;
}

function isPlainObject(object: unknown): boolean {
  if (!isFields(object) || typeof object['kind'] !== 'string' || typeof object['apiVersion'] !== 'string') return false;
  const { metadata } = object;
  if (!isFields(metadata) || typeof metadata['name'] !== 'string' || typeof metadata['namespace'] !== 'string') return false;
  if (typeof metadata['uid'] !== 'string' || typeof metadata['resourceVersion'] !== 'string') return false;
  return !Object.hasOwn(object, '__proto__') && !Object.hasOwn(metadata, '__proto__');
}

/** As Object.keys(value).length, without the array. */
function countFields(value: Record<string, unknown>): number {
  let count = 0;
  for (const _ in value) count += 1;
  return count;
}

const isFields = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
const isName = (value: unknown, longest: number): boolean => typeof value === 'string' && value !== '' && value.length <= longest;
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/**
 * Orders two resourceVersions of one resource of one cluster: negative, 0, positive. Decimal numbers of up to 128 bits, so
 * compared by length, then by digits (KEP-5504 guarantees the order from v1.35; etcd revisions always had it).
 */
export function compareResourceVersions(a: string, b: string): number {
  if (a === b) return 0;
  if (a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : 1;
}

/** The key of a snapshot, a session or a coverage interval within a cluster. */
export function scopeKey(resource: Resource, scope: string): string {
  return scope === '' ? resource : `${resource}@${scope}`;
}
