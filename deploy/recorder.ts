/**
 * `podtrail record`: the real collector, writing into a file instead of a change log. What the file holds is what would have left the
 * cluster: projected and redacted objects, in the format of recordings, Events in the shape of core/v1.
 */
import { createWriteStream } from 'node:fs';
import { once } from 'node:events';
import { finished } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { Registry } from 'prom-client';
import type { ChangeLogWriter } from '../collector/change-log/change-log.ts';
import type { ChangeRecord, SessionRecord } from '../collector/change-record.ts';
import { decodeChangeRecord } from '../collector/change-record.ts';
import { createCollector } from '../collector/collector.ts';
import type { Event, ProjectedObject, Resource } from '../collector/objects.ts';
import { toRecordingLine } from '../collector/recording.ts';
import type { ChosenCluster } from './clusters.ts';
import type { Config } from './config.ts';
import { CommandError, EXIT } from './errors.ts';
import { createLifecycle } from './lifecycle.ts';
import { createLogger } from './logger.ts';
import { createCounter } from './output.ts';

export interface Recorded {
  readonly lines: number;
  /** Objects that could not be projected: a recording has no place for them. */
  readonly rejected: number;
}

/** Records one cluster for `durationMs` or until Ctrl-C. Throws CommandError for a file that cannot be written. */
export async function recordCluster(config: Config, cluster: ChosenCluster, durationMs: number, file: string): Promise<Recorded> {
  if ((cluster.config.namespaces?.length ?? 0) > 1) {
    // A line has a resource and no scope: the list of one namespace would read as the end of everything in the other.
    throw new CommandError(EXIT.refused, `cluster ${cluster.config.name} is collected by namespace: record it whole, or one namespace`);
  }
  const sink = await openSink(file);
  const lines = createLineMaker();
  let count = 0;
  const progress = createCounter((seconds) => `${count} lines in ${seconds} s`);
  const log = createLogger(config.logging);
  const lifecycle = createLifecycle(log);
  const writer: ChangeLogWriter = {
    async append(_key, values) {
      for (const value of values) {
        const decoded = decodeChangeRecord(value);
        const line = decoded.ok ? lines.push(decoded.record) : undefined;
        if (line === undefined) continue;
        count++;
        await sink.write(`${line}\n`);
      }
    },
    close: async () => {},
  };
  const collector = createCollector(
    { config: { ...config.collector, clusters: [cluster.config] }, fullSnapshotIntervalMs: Number.MAX_SAFE_INTEGER },
    { writer, log, registry: new Registry(), onFatal: (error) => lifecycle.fail(error) },
  );
  sink.failed.catch((error: unknown) => lifecycle.fail(error));
  await collector.start();
  lifecycle.add({ name: 'collector', stop: () => collector.stop() });
  const timer = setTimeout(() => lifecycle.stop(), Math.min(durationMs, 2 ** 31 - 1));
  try {
    await lifecycle.finished();
  } finally {
    clearTimeout(timer);
    progress.stop();
  }
  const last = lines.end();
  if (last !== undefined) await sink.write(`${last}\n`);
  await sink.close();
  return { lines: count + (last === undefined ? 0 : 1), rejected: lines.rejected() };
}

/** A file, compressed if its name says so. */
async function openSink(file: string): Promise<{ write(text: string): Promise<void>; close(): Promise<void>; readonly failed: Promise<never> }> {
  const target = createWriteStream(file);
  const describe = (error: unknown): CommandError => new CommandError(EXIT.failed, `write ${file} failed: ${(error as Error).message}`, { cause: error });
  await once(target, 'open').catch((error: unknown) => {
    throw describe(error);
  });
  const gzip = file.endsWith('.gz') ? createGzip() : undefined;
  const sink = gzip ?? target;
  const failed = new Promise<never>((_, reject) => {
    for (const stream of [sink, target]) stream.once('error', (error: Error) => reject(describe(error)));
  });
  failed.catch(() => undefined); // told where it is waited for
  gzip?.pipe(target);
  return {
    failed,
    async write(text) {
      if (!sink.write(text)) await Promise.race([once(sink, 'drain'), failed]);
    },
    async close() {
      sink.end();
      await Promise.race([finished(target), failed]);
    },
  };
}

export interface LineMaker {
  /** The line of a record, if it makes one. */
  push(record: ChangeRecord): string | undefined;
  /** A last line that says how long it stayed quiet after the last change: what recovers in silence needs that time. */
  end(): string | undefined;
  /** Records of objects that could not be projected. */
  rejected(): number;
}

/** Turns change records back into the lines that make them. */
export function createLineMaker(): LineMaker {
  const lists = new Map<string, { readonly rv: string; readonly items: unknown[] }>();
  let rejected = 0;
  let heard: { readonly t: number; readonly resource: Resource } | undefined;
  /** Latest object by resource and uid: a re-list names unchanged ones by uid only. */
  const latest = new Map<string, ProjectedObject>();
  const keyOf = (record: { readonly resource: Resource; readonly uid: string }): string => `${record.resource}/${record.uid}`;
  const line = (record: SessionRecord, type: 'LIST' | 'ADDED' | 'MODIFIED' | 'DELETED' | 'DISCONNECT', object: unknown): string =>
    toRecordingLine({ t: record.t, resource: record.resource, type, object });
  return {
    rejected: () => rejected,
    end: () => heard && toRecordingLine({ ...heard, type: 'BOOKMARK', object: {} }),
    push(record) {
      switch (record.type) {
        case 'SNAPSHOT_BEGIN':
          lists.set(record.session, { rv: record.rv, items: [] });
          return undefined;
        case 'LISTED': {
          const object = record.object ?? latest.get(keyOf(record));
          if (object !== undefined) lists.get(record.session)?.items.push(toApiObject(object));
          if (record.object !== undefined) latest.set(keyOf(record), record.object);
          return undefined;
        }
        case 'SNAPSHOT_END': {
          const list = lists.get(record.session);
          lists.delete(record.session);
          return list && line(record, 'LIST', { resourceVersion: list.rv, items: list.items });
        }
        case 'ADDED':
        case 'MODIFIED':
        case 'DELETED':
          if (record.type === 'DELETED') latest.delete(keyOf(record));
          else latest.set(keyOf(record), record.object);
          return line(record, record.type, toApiObject(record.object));
        case 'SESSION_END':
          return record.reason === 'stopped' ? undefined : line(record, 'DISCONNECT', { message: record.reason });
        case 'HEARTBEAT': {
          const inSync = record.sessions.find((session) => session.inSync);
          if (inSync !== undefined) heard = { t: record.t, resource: inSync.resource };
          return undefined;
        }
        case 'REJECTED':
          rejected++;
          return undefined;
        default:
          return undefined;
      }
    },
  };
}

/** Projected objects keep the API's shape, but for Events, which are normalised (signals.md §17). */
function toApiObject(object: ProjectedObject): unknown {
  if (object.kind !== 'Event') return object;
  const { regarding, note, component, firstTime, lastTime, ...rest } = object as Event;
  return { ...rest, involvedObject: regarding, message: note, source: { component }, firstTimestamp: firstTime, lastTimestamp: lastTime };
}
