/**
 * Recordings: what a list/watch client received, one JSON document a line, `{t, resource, type, object}` in the order received.
 * Three layers: lines to watch input (decodeRecordingLine), watch input to the change records that a live collector would have
 * written (createRecordingEncoder), both pure; and reading the lines of a file or a stream (readRecording).
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { z } from 'zod';
import type { ChangeRecord, ClusterRef } from './change-record.ts';
import { HEARTBEAT_INTERVAL_MS, SCHEMA_VERSION } from './change-record.ts';
import { cleanObject } from './clean-object.ts';
import { RecordingError } from './errors.ts';
import type { Resource } from './objects.ts';
import { RESOURCES } from './objects.ts';
import { isRaw } from './project-fields.ts';
import { createKnownObjects, createSession, type KnownObjects, type Session } from './session.ts';

const lineSchema = z.object({
  /** Epoch ms at the client. */
  t: z.number().int().min(0).max(8_640_000_000_000_000), // ECMAScript's largest time value
  resource: z.enum(RESOURCES),
  /** LIST carries {resourceVersion, items}; ERROR a Status; DISCONNECT, the end of the connection and so a gap, whatever. */
  type: z.enum(['LIST', 'ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'ERROR', 'DISCONNECT']),
  object: z.unknown(),
});
const listSchema = z.object({ resourceVersion: z.string(), items: z.array(z.unknown()).nullable() });

/** One line of a recording. */
export interface RecordingLine extends z.output<typeof lineSchema> {
  /** Its number in the file, from 1. */
  readonly line: number;
}

/** Decodes one line. Throws RecordingError with its number. */
export function decodeRecordingLine(text: string, line: number): RecordingLine {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new RecordingError(line, `not JSON: ${(error as Error).message}`);
  }
  const parsed = lineSchema.safeParse(value);
  if (!parsed.success) throw new RecordingError(line, oneLine(parsed.error));
  return { ...parsed.data, line };
}

/** The text of a line, without its newline. What never leaves a cluster is taken out of its objects (clean-object.ts). */
export function toRecordingLine({ t, resource, type, object }: Omit<RecordingLine, 'line'>): string {
  const clean =
    type === 'LIST' && isRaw(object) && Array.isArray(object['items'])
      ? { resourceVersion: object['resourceVersion'], items: object['items'].map((item) => cleanObject(resource, item)) }
      : cleanObject(resource, object);
  return JSON.stringify({ t, resource, type, object: clean });
}

function oneLine(error: z.ZodError): string {
  return error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ');
}

export interface RecordingEncoderOptions {
  /** uid: by default that of the namespace kube-system if the first lists hold it, else a hash of the name and the time of the first line. */
  readonly cluster: { readonly name: string; readonly uid?: string };
  /** Added to every time, inside the objects too, ms; rounded to whole seconds, the resolution of Kubernetes' times. */
  readonly shiftMs?: number;
}

export interface RecordingEncoder {
  /** The records of a line and of the time since the line before. Throws RecordingError. */
  push(line: RecordingLine): ChangeRecord[];
  /** The records that were held back, a last heartbeat, and the end of every session. */
  end(): ChangeRecord[];
}

/** The lists of a start lie within this, ms: until it has passed, lines are held back so that the run can say what it collects. */
const START_WINDOW_MS = 3_000;
/** Silence for longer than this is a recorder that was not there, ms: heartbeats stop, and podtrail counts as blind. */
const MAX_SILENCE_MS = 86_400_000;

/**
 * Creates an encoder for one recording. The same lines and options give the same records. Observed time is the largest t so far;
 * heartbeats fall every HEARTBEAT_INTERVAL_MS of it.
 */
export function createRecordingEncoder(options: RecordingEncoderOptions): RecordingEncoder {
  const shiftMs = Math.round((options.shiftMs ?? 0) / 1_000) * 1_000;
  const held: RecordingLine[] = [];
  let run: Run | undefined;
  const start = (): ChangeRecord[] => {
    const [first] = held;
    if (first === undefined) return [];
    const resources = RESOURCES.filter((resource) => held.some((line) => line.type === 'LIST' && line.resource === resource));
    const uid = options.cluster.uid ?? findClusterUid(held) ?? digest(options.cluster.name, String(first.t - shiftMs));
    run = createRun({ uid, name: options.cluster.name }, digest(uid, String(first.t)), first.t);
    const records = run.begin(resources);
    for (const line of held.splice(0)) records.push(...run.push(line));
    return records;
  };
  return {
    push(line) {
      const shifted = { ...line, t: line.t + shiftMs, object: shiftMs === 0 ? line.object : shiftTimes(line.object, shiftMs, 0) };
      if (run !== undefined) return run.push(shifted);
      held.push(shifted);
      return shifted.t - (held[0]?.t ?? 0) < START_WINDOW_MS ? [] : start();
    },
    end: () => [...(run === undefined ? start() : []), ...(run?.end() ?? [])],
  };
}

interface Run {
  begin(resources: readonly Resource[]): ChangeRecord[];
  push(line: RecordingLine): ChangeRecord[];
  end(): ChangeRecord[];
}

function createRun(cluster: ClusterRef, id: string, startMs: number): Run {
  const sessions = new Map<Resource, Session>();
  const known = new Map<Resource, KnownObjects>();
  let records: ChangeRecord[] = [];
  let timeMs = startMs;
  let nextHeartbeatMs = startMs + HEARTBEAT_INTERVAL_MS;
  let sessionCount = 0;

  const take = (): ChangeRecord[] => {
    const taken = records;
    records = [];
    return taken;
  };
  const heartbeat = (): void => {
    const counters = RESOURCES.flatMap((resource) => sessions.get(resource)?.counters() ?? []);
    records.push({ v: SCHEMA_VERSION, cluster, run: id, t: timeMs, type: 'HEARTBEAT', sessions: counters });
  };
  const advance = (toMs: number): void => {
    for (const lastMs = timeMs + MAX_SILENCE_MS; nextHeartbeatMs <= toMs && nextHeartbeatMs <= lastMs; nextHeartbeatMs += HEARTBEAT_INTERVAL_MS) {
      timeMs = nextHeartbeatMs;
      heartbeat();
    }
    timeMs = Math.max(timeMs, toMs);
    while (nextHeartbeatMs <= timeMs) nextHeartbeatMs += HEARTBEAT_INTERVAL_MS;
  };
  const close = (resource: Resource, reason: string): void => {
    sessions.get(resource)?.close(reason);
    sessions.delete(resource);
  };
  const list = ({ resource, object, line }: RecordingLine): void => {
    const parsed = listSchema.safeParse(object);
    if (!parsed.success) throw new RecordingError(line, `object of a LIST: ${oneLine(parsed.error)}`);
    close(resource, 'relist');
    const seen = known.get(resource) ?? createKnownObjects();
    known.set(resource, seen);
    sessionCount += 1;
    const session = createSession({
      cluster,
      run: id,
      session: `${id}-${sessionCount}`,
      resource,
      scope: '',
      clock: () => timeMs,
      emit: (record) => void records.push(record),
      known: seen,
    });
    sessions.set(resource, session);
    session.begin(parsed.data.resourceVersion);
    for (const item of parsed.data.items ?? []) session.listed(item);
    session.end();
  };
  return {
    begin(resources) {
      records.push({ v: SCHEMA_VERSION, cluster, run: id, t: timeMs, type: 'RUN_BEGIN', resources: resources.map((resource) => ({ resource, scope: '' })) });
      return take();
    },
    push(line) {
      advance(line.t);
      const { resource, type, object } = line;
      if (type === 'LIST') list(line);
      else if (type === 'DISCONNECT') close(resource, 'disconnect');
      else if (type === 'ERROR') close(resource, statusReason(object));
      else if (type !== 'BOOKMARK') {
        const session = sessions.get(resource);
        if (session === undefined) throw new RecordingError(line.line, `${type} of ${resource} without a LIST before it`);
        session.change(type, object);
      }
      return take();
    },
    end() {
      heartbeat();
      for (const resource of RESOURCES) close(resource, 'stopped');
      return take();
    },
  };
}

function statusReason(status: unknown): string {
  const code = isRaw(status) ? status['code'] : undefined;
  return typeof code === 'number' ? String(code) : 'error';
}

function findClusterUid(lines: readonly RecordingLine[]): string | undefined {
  for (const { resource, type, object } of lines) {
    if (resource !== 'namespaces' || type !== 'LIST' || !isRaw(object) || !Array.isArray(object['items'])) continue;
    for (const item of object['items']) {
      const metadata: unknown = isRaw(item) ? item['metadata'] : undefined;
      if (isRaw(metadata) && metadata['name'] === 'kube-system' && typeof metadata['uid'] === 'string') return metadata['uid'];
    }
  }
  return undefined;
}

function digest(...parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32);
}

const RFC_3339 = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?Z$/;

/**
 * A copy with every string that is a whole RFC 3339 time in UTC moved by whole seconds; deeper than any object, it is left alone. So is the
 * epoch, which runtimes write for "never".
 */
function shiftTimes(value: unknown, shiftMs: number, depth: number): unknown {
  if (typeof value === 'string') {
    const [, seconds, fraction = ''] = (value.length <= 30 && RFC_3339.exec(value)) || [];
    const timeMs = seconds === undefined || value === '1970-01-01T00:00:00Z' ? Number.NaN : Date.parse(`${seconds}Z`) + shiftMs;
    return Math.abs(timeMs) <= 8_640_000_000_000_000 ? `${new Date(timeMs).toISOString().slice(0, 19)}${fraction}Z` : value;
  }
  if (typeof value !== 'object' || value === null || depth > 100) return value;
  if (Array.isArray(value)) return value.map((item) => shiftTimes(item, shiftMs, depth + 1));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, shiftTimes(item, shiftMs, depth + 1)]));
}

/** Longest line read, bytes: a LIST of 100 000 pods is half of it. Longer than a string of V8 can get (512 MiB) it must not be. */
const MAX_LINE_BYTES = 400 * 1_048_576;

/**
 * Reads a recording, from a file or a stream, gzipped or plain. Blank lines are skipped. Throws RecordingError; errors of the file
 * system pass through.
 */
export async function* readRecording(source: string | Readable): AsyncGenerator<RecordingLine, void, undefined> {
  const input = typeof source === 'string' ? createReadStream(source) : source;
  let number = 0;
  try {
    for await (const text of linesOf(unzipped(input))) {
      number += 1;
      if (text === undefined) throw new RecordingError(number, `longer than ${MAX_LINE_BYTES} bytes`);
      if (text.trim() !== '') yield decodeRecordingLine(text, number);
    }
  } catch (error) {
    if (isZlibError(error)) throw new RecordingError(number + 1, `damaged gzip data: ${(error as Error).message}`);
    throw error;
  } finally {
    input.destroy();
  }
}

function isZlibError(error: unknown): boolean {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && error.code.startsWith('Z_');
}

/** Tells gzip by its first two bytes, RFC 1952. */
async function* unzipped(input: Readable): AsyncGenerator<Buffer, void, undefined> {
  const chunks = input[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let head = Buffer.alloc(0);
  while (head.length < 2) {
    const { value, done } = await chunks.next();
    if (done === true) break;
    head = Buffer.concat([head, value]);
  }
  const all = (async function* () {
    yield head;
    for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) yield next.value;
  })();
  if (head[0] !== 0x1f || head[1] !== 0x8b) return yield* all;
  const gunzip = createGunzip();
  const source = Readable.from(all);
  source.on('error', (error) => gunzip.destroy(error));
  yield* source.pipe(gunzip) as AsyncIterable<Buffer>;
}

/** The lines of a byte stream as text; undefined for one that is too long, and then no more. */
async function* linesOf(chunks: AsyncIterable<Buffer>): AsyncGenerator<string | undefined, void, undefined> {
  let parts: Buffer[] = [];
  let length = 0;
  const take = (): string => {
    const text = Buffer.concat(parts).toString('utf8');
    parts = [];
    length = 0;
    return text;
  };
  for await (const chunk of chunks) {
    let from = 0;
    for (let newline = chunk.indexOf(10); newline >= 0; newline = chunk.indexOf(10, from)) {
      parts.push(chunk.subarray(from, newline));
      yield take();
      from = newline + 1;
    }
    parts.push(chunk.subarray(from));
    length += chunk.length - from;
    if (length > MAX_LINE_BYTES) return yield undefined;
  }
  if (length > 0) yield take();
}
