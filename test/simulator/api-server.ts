/**
 * A model of one cluster's API server: objects under one growing resourceVersion, lists in pages of one revision, watches that resume
 * from a history of limited length, bookmarks; and what goes wrong with them. It speaks to the collector through its ApiClient port.
 */
import { type ApiClient, type ApiFailure, type ApiResult, failureOf, type ListPage, type WatchEnd, type WatchRequest } from '../../collector/api-client.ts';
import { compareResourceVersions } from '../../collector/change-record.ts';
import type { Resource } from '../../collector/objects.ts';
import { createSlots } from '../../collector/pacing.ts';
import type { ServerClock } from '../../collector/server-clock.ts';
import type { Machine, Trouble } from './machine.ts';
import { NO_TROUBLE } from './machine.ts';
import type { Random } from './random.ts';
import type { VirtualTime } from './virtual-time.ts';

export interface RawObject {
  readonly kind: string;
  readonly apiVersion: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid: string;
    readonly resourceVersion?: string;
    readonly [field: string]: unknown;
  };
  /** In what way it is not as Kubernetes writes its objects. */
  readonly spoilt?: Spoilt;
  readonly [field: string]: unknown;
}

export const SPOILT = ['nameless', 'bottomless', 'unidentified', 'nothing', 'garbled'] as const;
export type Spoilt = (typeof SPOILT)[number];

/** What clients see of an object; one that is garbled is not even JSON on a watch. */
export function onWire({ spoilt, ...object }: RawObject): unknown {
  const { metadata } = object;
  switch (spoilt) {
    case 'nameless':
      return { ...object, metadata: { ...metadata, name: 7 } };
    case 'bottomless':
      return { ...object, metadata: { ...metadata, labels: 1 }, spec: nested(40), status: {} };
    case 'unidentified':
      return { ...object, metadata: { ...metadata, uid: undefined } };
    case 'nothing':
    case 'garbled':
      return null;
    default:
      return object;
  }
}

function nested(levels: number): unknown {
  return levels === 0 ? {} : { deeper: nested(levels - 1) };
}

/** One revision. */
export interface Change {
  readonly rv: string;
  /** By the server's clock, epoch ms. */
  readonly timeMs: number;
  readonly resource: Resource;
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly object: RawObject;
  /** It moves nothing that podtrail keeps. */
  readonly isNoise: boolean;
}

/** What is wrong with the server at the moment. */
export interface ApiTrouble extends Trouble {
  /** Of further pages: the continue token has expired. */
  readonly expired: number;
  /** Of watches, at their start: nothing comes any more, not even an end. */
  readonly halfOpen: number;
  /** Nobody answers. */
  readonly down: boolean;
  /** Likewise, while a backup is restored. */
  readonly restoring: boolean;
  /** What RBAC lets nobody list or watch; watches that are open go on. */
  readonly forbidden: readonly Resource[];
  /** As spreadClocks. */
  readonly clocksOff: readonly number[];
}
export const HEALTHY: ApiTrouble = { ...NO_TROUBLE, expired: 0, halfOpen: 0, down: false, restoring: false, forbidden: [], clocksOff: [] };

export interface ApiServer {
  trouble: ApiTrouble;
  /** The server's clock, epoch ms. */
  nowMs(): number;
  /** What one of its servers says. */
  dateMs(): number;
  put(resource: Resource, object: RawObject, isNoise?: boolean): void;
  remove(resource: Resource, uid: string): void;
  objects(resource: Resource): ReadonlyMap<string, RawObject>;
  /** Every revision there ever was. */
  readonly changes: readonly Change[];
  /** Sets its clock off by so much from what it was at first, ms. */
  setClock(offMs: number): void;
  /** The clocks of its several servers are off from the first one's by so much, ms: any of them may answer. */
  spreadClocks(offMs: readonly number[]): void;
  /** By how much stamps may differ from its clock because of that, ms. */
  readonly clockErrorMs: number;
  /** Takes a backup. Called, it is restored: all since is undone, and versions count from there again. */
  backUp(): () => void;
  /** How often that happened. */
  readonly restores: number;
  /** Forgets the history up to now: whoever watches from before gets a 410. */
  compact(): void;
  /** Every watch breaks off, in the middle of a line where there is one. */
  breakWatches(): void;
  /** Nothing comes on the watches that are open. */
  silenceWatches(): void;
  client(machine: Machine, clock: ServerClock): ApiClient;
}

/** What other writers do to a server, so that what is lost with a backup is not caught up with at once: versions from a backup on. */
const VERSIONS_SINCE_BACKUP = 10_000;
/** As a collector may be configured; longer than from one bookmark to the next. */
export const WATCH_STALL_MS = 90_000;
const BOOKMARK_MS = 60_000;

interface Watcher {
  wake(): void;
  break(): void;
  silence(): void;
}

/** Creates an empty one whose clock is off by `skewMs`. */
export function createApiServer(time: VirtualTime, random: Random, skewMs: number): ApiServer {
  const tables = new Map<Resource, Map<string, RawObject>>();
  const histories = new Map<Resource, readonly Change[]>();
  const changes: Change[] = [];
  const pages = new Map<string, readonly RawObject[]>();
  /** What some list or watch has shown. */
  const told = new Set<Change>();
  const watchers = new Set<Watcher>();
  const pageSize = random.int(2, 9);
  let revision = 990; // soon one digit longer
  let compacted = '0';

  const tableOf = (resource: Resource) => getOr(tables, resource, () => new Map<string, RawObject>());
  const historyOf = (resource: Resource) => getOr(histories, resource, (): readonly Change[] => []);
  let offMs = 0;
  const clocks = random.fork('clocks');
  const nowMs = (): number => Math.floor(time.now() + skewMs + offMs);
  const dateMs = (): number => nowMs() + (server.trouble.clocksOff.length === 0 ? 0 : clocks.pick(server.trouble.clocksOff));
  const isCompacted = (rv: string): boolean => compareResourceVersions(rv, compacted) < 0;
  const record = (resource: Resource, type: Change['type'], object: RawObject, isNoise: boolean): RawObject => {
    revision += random.int(1, 3);
    const rv = String(revision);
    const stamped = { ...object, metadata: { ...object.metadata, resourceVersion: rv } };
    const change = { rv, timeMs: nowMs(), resource, type, object: stamped, isNoise };
    changes.push(change);
    histories.set(resource, [...historyOf(resource), change]);
    for (const watcher of watchers) watcher.wake();
    return stamped;
  };

  const firstPage = (resource: Resource, isWhole: boolean): ListPage => {
    const rv = String(revision);
    if (isWhole) for (const change of historyOf(resource)) told.add(change);
    pages.set(
      `${resource}/${rv}`,
      [...tableOf(resource).values()].sort((a, b) => (a.metadata.uid < b.metadata.uid ? -1 : 1)),
    );
    return page(resource, rv, 0);
  };
  const page = (resource: Resource, rv: string, from: number): ListPage => {
    const items = pages.get(`${resource}/${rv}`) ?? [];
    const next = from + pageSize;
    // Items of a list carry neither kind nor apiVersion.
    const bare = items.slice(from, next).map((item) => {
      const { kind: _, apiVersion: __, ...rest } = item;
      return onWire(rest as RawObject);
    });
    return { resourceVersion: rv, continueToken: next < items.length ? `${rv}/${next}` : '', items: bare };
  };
  const list = (resource: Resource, token: string, isWhole: boolean): ApiResult<ListPage> => {
    if (server.trouble.forbidden.includes(resource)) return { ok: false, failure: failureOf(403, '') };
    if (token === '') return { ok: true, value: firstPage(resource, isWhole) };
    const [rv = '', from] = token.split('/');
    if (!pages.has(`${resource}/${rv}`) || isCompacted(rv) || random.chance(server.trouble.expired))
      return { ok: false, failure: failureOf(410, 'continue token expired') };
    return { ok: true, value: page(resource, rv, Number(from)) };
  };

  const server: ApiServer & { restores: number; clockErrorMs: number } = {
    trouble: HEALTHY,
    nowMs,
    changes,
    put(resource, object, isNoise = false) {
      const table = tableOf(resource);
      const before = table.get(object.metadata.uid);
      const isSame = before !== undefined && withoutVersion(before) === withoutVersion(object);
      table.set(object.metadata.uid, record(resource, before === undefined ? 'ADDED' : 'MODIFIED', object, isNoise || isSame));
    },
    remove(resource, uid) {
      const table = tableOf(resource);
      const object = table.get(uid);
      if (object === undefined) return;
      table.delete(uid);
      record(resource, 'DELETED', object, false);
    },
    objects: tableOf,
    clockErrorMs: 0,
    dateMs,
    setClock(ms) {
      server.clockErrorMs += Math.abs(ms - offMs);
      offMs = ms;
    },
    spreadClocks(clocksOff) {
      server.clockErrorMs += Math.max(0, ...clocksOff.map(Math.abs));
      server.trouble = { ...server.trouble, clocksOff };
    },
    restores: 0,
    backUp() {
      const kept = { revision, compacted, histories: new Map(histories), tables: [...tables].map(([resource, table]) => [resource, new Map(table)] as const) };
      const isUndone = ({ rv }: Change): boolean => compareResourceVersions(rv, String(kept.revision)) > 0;
      revision += VERSIONS_SINCE_BACKUP;
      return () => {
        // What is undone before anybody was shown it nobody can know of.
        changes.splice(0, changes.length, ...changes.filter((change) => told.has(change) || !isUndone(change)));
        server.breakWatches();
        ({ revision, compacted } = kept);
        pages.clear();
        histories.clear();
        tables.clear();
        for (const [resource, history] of kept.histories) histories.set(resource, history);
        for (const [resource, table] of kept.tables) tables.set(resource, table);
        server.restores += 1;
      };
    },
    compact() {
      compacted = String(revision);
    },
    breakWatches() {
      for (const watcher of [...watchers]) watcher.break();
    },
    silenceWatches() {
      for (const watcher of watchers) watcher.silence();
    },
    client: (machine, clock) => {
      const ask = <T>(effect: () => ApiResult<T>): Promise<ApiResult<T>> => request(server, machine, clock, random, effect);
      return {
        listSlots: createSlots(2),
        get: () => ask(() => ({ ok: true, value: {} })),
        list: ({ resource, continueToken, limit }) => ask(() => list(resource, continueToken, limit === undefined)),
        async watch(wanted, handlers, signal) {
          const from = wanted.resourceVersion;
          const opened = await ask(() => openWatch(server, wanted.resource, isCompacted(from), random));
          if (signal.aborted) return { kind: 'stopped' };
          if (!opened.ok) return { kind: 'failed', failure: opened.failure };
          if (opened.value === 'empty') {
            handlers.opened();
            return { kind: 'closed' };
          }
          const first = opened.value === 'gone' ? [line('ERROR', { kind: 'Status', code: 410, message: 'too old resource version' })] : [];
          const halfOpen = random.chance(server.trouble.halfOpen);
          const tell = (change: Change) => void told.add(change);
          const source = { history: () => historyOf(wanted.resource), tell, revision: () => String(revision), first, halfOpen };
          return stream({ time, random, machine, watchers }, wanted, source, handlers, signal);
        },
      };
    },
  };
  return server;
}

function withoutVersion(object: RawObject): string {
  return JSON.stringify({ ...object, metadata: { ...object.metadata, resourceVersion: '', managedFields: undefined } });
}

function getOr<K, V>(map: Map<K, V>, key: K, create: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const created = create();
  map.set(key, created);
  return created;
}

/** What becomes of a watch. From a version that is too old: a 410 as status, one in the stream, or, of Events, an answer without a line. */
function openWatch({ trouble }: ApiServer, resource: Resource, isTooOld: boolean, random: Random): ApiResult<'open' | 'gone' | 'empty'> {
  if (trouble.forbidden.includes(resource)) return { ok: false, failure: failureOf(403, '') };
  if (!isTooOld) return { ok: true, value: 'open' };
  if (resource === 'events' && random.chance(0.5)) return { ok: true, value: 'empty' };
  return random.chance(0.5) ? { ok: true, value: 'gone' } : { ok: false, failure: failureOf(410, 'too old resource version') };
}

class Refusal extends Error {
  readonly failure: ApiFailure;
  constructor(failure: ApiFailure) {
    super(failure.message);
    this.failure = failure;
  }
}

async function request<T>(server: ApiServer, machine: Machine, clock: ServerClock, random: Random, effect: () => ApiResult<T>): Promise<ApiResult<T>> {
  const sentMs = performance.now();
  const network = (): Refusal => new Refusal({ kind: 'network', message: 'connection reset' });
  try {
    const result = await machine.call({
      trouble: server.trouble,
      effect: () => {
        if (server.trouble.down || server.trouble.restoring) throw network();
        return { answer: effect(), date: new Date(server.dateMs()).toUTCString() };
      },
      refusal: () => new Refusal(random.pick([failureOf(500, 'etcd'), failureOf(503, ''), failureOf(429, 'slow down', random.int(0, 5_000))])),
      broken: network,
    });
    clock.observe(result.date, sentMs, performance.now());
    return result.answer;
  } catch (error) {
    if (error instanceof Refusal) return { ok: false, failure: error.failure };
    throw error;
  }
}

function changeLine({ type, object }: Change): Buffer {
  return object.spoilt === 'garbled' ? Buffer.from(`{"type":"${type}","object":{"metadata":\n`) : line(type, onWire(object));
}

function line(type: string, object: unknown): Buffer {
  return Buffer.from(`${JSON.stringify({ type, object })}\n`);
}

interface Wire {
  readonly time: VirtualTime;
  readonly random: Random;
  readonly machine: Machine;
  readonly watchers: Set<Watcher>;
}
interface Source {
  readonly history: () => readonly Change[];
  /** A change goes out. */
  readonly tell: (change: Change) => void;
  readonly revision: () => string;
  readonly first: readonly Buffer[];
  readonly halfOpen: boolean;
}

/** Streams what comes after the wanted version, in chunks cut anywhere, until the watch ends one way or the other. */
function stream(wire: Wire, wanted: WatchRequest, source: Source, handlers: Parameters<ApiClient['watch']>[1], signal: AbortSignal): Promise<WatchEnd> {
  const { time, random, machine, watchers } = wire;
  const isWanted = (rv: string): boolean => compareResourceVersions(rv, wanted.resourceVersion) > 0;
  // Events are not cached, and the cache of a resource that has not changed has no version to tell.
  const isMarked = (): boolean => wanted.resource !== 'events' && source.history().length > 0;
  const isFromFuture = (): boolean => compareResourceVersions(source.revision(), wanted.resourceVersion) < 0;
  return new Promise((resolve) => {
    let next = source.history().findIndex(({ rv }) => isWanted(rv));
    if (next < 0) next = source.history().length;
    let isSilent = false;
    let isOver = false;
    let isAwake = false;
    const finish = (end: WatchEnd): void => {
      if (isOver || !machine.alive) return;
      isOver = true;
      watchers.delete(watcher);
      resolve(end);
    };
    let sends = 0;
    const endUnlessSent = (): void => {
      const before = sends;
      time.after(WATCH_STALL_MS, () => sends === before && finish({ kind: 'stalled' }));
    };
    const send = (bytes: Buffer): void => {
      sends += 1;
      endUnlessSent();
      const cut = random.int(0, bytes.length);
      for (const chunk of [bytes.subarray(0, cut), bytes.subarray(cut)]) {
        if (!isOver && machine.alive && chunk.length > 0 && !handlers.bytes(chunk)) finish({ kind: 'stopped' });
      }
    };
    const pending = (): Buffer | undefined => {
      // Of a watch from the future nothing is sent until versions have come that far.
      for (let change = source.history()[next]; change !== undefined; change = source.history()[++next]) {
        if (isWanted(change.rv)) return changeLine(change);
      }
      return undefined;
    };
    const deliver = (): void => {
      for (let bytes = pending(); bytes !== undefined && !isOver && !isSilent && machine.alive; bytes = pending()) {
        source.tell(source.history()[next] as Change);
        next += 1;
        send(bytes);
      }
    };
    const bookmark = (): void => {
      if (isOver || isSilent || !machine.alive) return;
      deliver();
      if (isMarked() && !isFromFuture()) send(line('BOOKMARK', { kind: 'Pod', apiVersion: 'v1', metadata: { resourceVersion: source.revision() } }));
      time.after(random.between(0.8, 1.2) * BOOKMARK_MS, bookmark);
    };
    const watcher: Watcher = {
      wake() {
        if (isAwake || isOver) return;
        isAwake = true;
        time.after(1 + random.next() ** 3 * 200, () => {
          isAwake = false;
          deliver();
        });
      },
      break() {
        const bytes = isSilent ? undefined : pending();
        if (bytes !== undefined) send(bytes.subarray(0, random.int(0, bytes.length - 1)));
        finish({ kind: 'failed', failure: { kind: 'network', message: 'connection lost' } });
      },
      silence() {
        isSilent = true;
      },
    };
    watchers.add(watcher);
    signal.addEventListener('abort', () => finish({ kind: 'stopped' }), { once: true });
    handlers.opened();
    endUnlessSent();
    if (source.halfOpen) return watcher.silence();
    for (const bytes of source.first) {
      send(bytes);
      return finish({ kind: 'stopped' });
    }
    watcher.wake();
    time.after(random.between(0.2, 1) * BOOKMARK_MS, bookmark);
    time.after(wanted.timeoutSeconds * 1_000, () => {
      if (isSilent) return;
      deliver();
      finish({ kind: 'closed' });
    });
  });
}
