/**
 * A part of a recorded case, played on a fake API server as if it happened now, and noted as a recording while it is played: what a
 * collector of that server saw, a replay of the notes sees too.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { ChangeRecord } from '../../collector/change-record.ts';
import { NAME_ONLY_RESOURCES, RESOURCES } from '../../collector/objects.ts';
import { createRecordingEncoder, type RecordingLine } from '../../collector/recording.ts';
import type { FakeApiServer, FakeObject } from './fake-api-server.ts';
import { recordedLines } from './recorded.ts';

export interface PlayedCase {
  /** Plays the part in its own pace; resolves at its end. */
  play(): Promise<void>;
  /** The change records of what was played up to now, as of a cluster of this name and uid. */
  records(cluster: { readonly name: string; readonly uid: string }): ChangeRecord[];
}

/**
 * Puts the state `fromSeconds` after the recording's start on the server; play() goes on from there for `seconds`. Times inside the
 * objects are moved with it, by whole seconds.
 */
export function createPlayedCase(server: FakeApiServer, name: string, fromSeconds: number, seconds: number): PlayedCase {
  const recorded = recordedLines(`cases/${name}.ndjson.gz`);
  const startMs = (recorded[0]?.t ?? 0) + fromSeconds * 1_000;
  const notes: RecordingLine[] = [];
  const note = (line: Omit<RecordingLine, 'line' | 't'>): void => void notes.push({ ...line, t: Date.now(), line: notes.length + 1 });
  const setUp = moveTimes(Date.now() - startMs);
  const state = stateAt(recorded, startMs);
  for (const resource of COLLECTED) {
    const objects = [...(state.get(resource)?.values() ?? [])].map(setUp);
    const items = objects.map((object) => withVersion(object, server.put(resource, object)));
    note({ resource, type: 'LIST', object: { resourceVersion: server.resourceVersion(), items } });
  }
  const isChange = ({ type }: RecordingLine): boolean => type === 'ADDED' || type === 'MODIFIED' || type === 'DELETED';
  const rest = recorded.filter((line) => isChange(line) && line.t > startMs && line.t <= startMs + seconds * 1_000);
  return {
    async play() {
      const playMs = Date.now();
      const move = moveTimes(playMs - startMs);
      for (const { t, resource, type, object } of rest) {
        await delay(Math.max(0, playMs + (t - startMs) - Date.now()));
        const moved = move(object as FakeObject);
        server.apply({ resource, type: type as 'ADDED', object: moved });
        note({ resource, type, object: withVersion(moved, server.resourceVersion()) });
      }
      await delay(Math.max(0, playMs + seconds * 1_000 - Date.now()));
    },
    records(cluster) {
      const encoder = createRecordingEncoder({ cluster });
      const end = { t: Date.now(), resource: 'pods', type: 'BOOKMARK', object: {}, line: notes.length + 1 } as const;
      return [...[...notes, end].flatMap((line) => encoder.push(line)), ...encoder.end()];
    },
  };
}

const COLLECTED = RESOURCES.filter((resource) => !NAME_ONLY_RESOURCES.includes(resource));

/** The server gives versions of its own. */
function withVersion(object: FakeObject, resourceVersion: string): FakeObject {
  return { ...object, metadata: { ...object.metadata, resourceVersion } };
}

/** Objects by resource and uid as they stood at a time. */
function stateAt(lines: readonly RecordingLine[], timeMs: number): Map<RecordingLine['resource'], Map<string, FakeObject>> {
  const state = new Map<RecordingLine['resource'], Map<string, FakeObject>>();
  for (const { t, resource, type, object } of lines) {
    if (t > timeMs) break;
    if (type === 'LIST') {
      const items = (object as { readonly items: readonly FakeObject[] | null }).items ?? [];
      state.set(resource, new Map(items.map((item) => [item.metadata.uid, item])));
    } else if (type === 'DELETED') state.get(resource)?.delete((object as FakeObject).metadata.uid);
    else if (type === 'ADDED' || type === 'MODIFIED') state.get(resource)?.set((object as FakeObject).metadata.uid, object as FakeObject);
  }
  return state;
}

function moveTimes(ms: number): (object: FakeObject) => FakeObject {
  const shiftMs = Math.round(ms / 1_000) * 1_000;
  const time = /"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?Z"/g;
  const moved = (_: string, seconds: string, fraction = ''): string =>
    `"${new Date(Date.parse(`${seconds}Z`) + shiftMs).toISOString().slice(0, 19)}${fraction}Z"`;
  return (object) => JSON.parse(JSON.stringify(object).replace(time, moved)) as FakeObject;
}
