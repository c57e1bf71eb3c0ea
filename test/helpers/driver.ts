/**
 * Drives the core as a collector would: sessions, snapshots, watch events and heartbeats of one cluster, with stream time moved by
 * hand. Objects are raw Kubernetes objects; they pass the real projection.
 */
import type { ChangeRecord } from '../../collector/change-record.ts';
import { HEARTBEAT_INTERVAL_MS, SCHEMA_VERSION } from '../../collector/change-record.ts';
import type { Resource } from '../../collector/objects.ts';
import type { Session } from '../../collector/session.ts';
import { createKnownObjects, createSession } from '../../collector/session.ts';
import type { Replay } from '../../processor/replay.ts';
import { createReplay } from '../../processor/replay.ts';

export const START_MS = Date.parse('2026-01-15T12:00:00Z');
const CLUSTER = { uid: 'cluster-uid', name: 'test' };

export interface RawObject {
  kind: string;
  apiVersion?: string;
  metadata: { name: string; namespace?: string; uid: string; resourceVersion?: string; [field: string]: unknown };
  [field: string]: unknown;
}

export interface Driver {
  readonly replay: Replay;
  readonly records: ChangeRecord[];
  /** Seconds since START_MS. */
  now(): number;
  /** RFC 3339 that many seconds after START_MS. */
  at(seconds: number): string;
  /** Begins a run that collects these resources and lists each of them with the given objects. */
  begin(lists: Partial<Record<Resource, readonly RawObject[]>>): void;
  /** A new session of the resource with a full list of these objects. */
  list(resource: Resource, objects: readonly RawObject[]): void;
  /** A watch event; the resourceVersion is set to the next one. */
  change(type: 'ADDED' | 'MODIFIED' | 'DELETED', resource: Resource, object: RawObject): void;
  /** Lets time pass with heartbeats. */
  advance(seconds: number): void;
  /** Lets time pass in silence: the collector is dead or cut off. */
  silence(seconds: number): void;
  /** The cluster is restored from a backup: its versions count from there again. */
  goBack(toRv: number): void;
  /** Ends a session: a gap. */
  drop(resource: Resource, reason?: string): void;
  heartbeat(): void;
  /** Hands a record to the core once more. */
  push(record: ChangeRecord): void;
}

/** Creates a driver over a fresh replay. */
export function createDriver(options: { readonly run?: string; readonly replay?: Replay; readonly startRv?: number } = {}): Driver {
  const replay = options.replay ?? createReplay();
  const records: ChangeRecord[] = [];
  const run = options.run ?? 'run-1';
  const sessions = new Map<Resource, Session>();
  const known = new Map<Resource, ReturnType<typeof createKnownObjects>>();
  let timeMs = START_MS;
  let rv = options.startRv ?? 1_000;
  let sessionCount = 0;
  const push = (record: ChangeRecord): void => {
    records.push(record);
    replay.push(record);
  };
  const envelope = () => ({ v: SCHEMA_VERSION, cluster: CLUSTER, run, t: timeMs });
  const driver: Driver = {
    replay,
    records,
    now: () => (timeMs - START_MS) / 1_000,
    at: (seconds) => new Date(START_MS + seconds * 1_000).toISOString().replace('.000Z', 'Z'),
    begin(lists) {
      const resources = Object.keys(lists) as Resource[];
      push({ ...envelope(), type: 'RUN_BEGIN', resources: resources.map((resource) => ({ resource, scope: '' })) });
      for (const resource of resources) driver.list(resource, lists[resource] ?? []);
      driver.heartbeat();
    },
    list(resource, objects) {
      sessions.get(resource)?.close('relist');
      const forResource = known.get(resource) ?? createKnownObjects();
      known.set(resource, forResource);
      const session = createSession({
        cluster: CLUSTER,
        run,
        session: `${run}-${sessionCount++}`,
        resource,
        scope: '',
        clock: () => timeMs,
        emit: push,
        known: forResource,
      });
      sessions.set(resource, session);
      session.begin(String(rv + objects.length + 1), { askedTimeMs: timeMs });
      for (const object of objects) session.listed({ ...object, metadata: { resourceVersion: String(++rv), ...object.metadata } });
      rv++;
      session.end();
    },
    change(type, resource, object) {
      const session = sessions.get(resource);
      if (session === undefined) throw new Error(`no session of ${resource}`);
      session.change(type, { ...object, metadata: { ...object.metadata, resourceVersion: String(++rv) } });
    },
    advance(seconds) {
      const end = timeMs + seconds * 1_000;
      while (timeMs + HEARTBEAT_INTERVAL_MS <= end) {
        timeMs += HEARTBEAT_INTERVAL_MS;
        driver.heartbeat();
      }
      timeMs = end;
    },
    silence(seconds) {
      timeMs += seconds * 1_000;
    },
    goBack(toRv) {
      rv = toRv;
    },
    drop(resource, reason = 'disconnect') {
      sessions.get(resource)?.close(reason);
      sessions.delete(resource);
    },
    heartbeat() {
      push({ ...envelope(), type: 'HEARTBEAT', sessions: [...sessions.values()].map((s) => s.counters()) });
    },
    push,
  };
  return driver;
}

/** A raw pod that crash-loops, runs or waits, as the container state given says. */
export function rawPod(
  name: string,
  status: Record<string, unknown> = {},
  spec: Record<string, unknown> = {},
  metadata: Record<string, unknown> = {},
): RawObject {
  return {
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: { name, namespace: 'shop', uid: `uid-${name}`, creationTimestamp: '2026-01-15T11:59:00Z', ...metadata },
    spec: { nodeName: 'n1', restartPolicy: 'Always', containers: [{ name: 'app', image: 'registry.example/app:1' }], ...spec },
    status: { phase: 'Running', startTime: '2026-01-15T11:59:00Z', ...status },
  };
}

/** Statuses of a one-container pod. */
export function containerStatus(state: Record<string, unknown>, more: Record<string, unknown> = {}): Record<string, unknown> {
  return { containerStatuses: [{ name: 'app', image: 'registry.example/app:1', ready: 'running' in state, restartCount: 0, state, lastState: {}, ...more }] };
}
