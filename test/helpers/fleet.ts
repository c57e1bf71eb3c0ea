/** Plays a recorded fleet on a fake API server: its lists at once, then what happened, as fast as the test wants it. */
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { collectionPath } from '../../collector/api-resources.ts';
import { type ProjectedObject, RESOURCES } from '../../collector/objects.ts';
import { projectObject } from '../../collector/project.ts';
import type { RecordingLine } from '../../collector/recording.ts';
import type { ClusterState } from '../../processor/core/state.ts';
import type { FakeApiServer, FakeChange, FakeObject } from './fake-api-server.ts';
import { recordedLines } from './recorded.ts';

export interface FleetPlayer {
  /** Changes that are still to come. */
  left(): number;
  /** Plays the next `count` changes, spread over `ms`. */
  play(count: number, ms: number): Promise<void>;
}

const TICK_MS = 20;

/** Puts the recording's lists on the server, and waits to play the rest. */
export function createFleetPlayer(server: FakeApiServer, recording: string): FleetPlayer {
  const changes: FakeChange[] = [];
  for (const line of recordedLines(recording)) {
    if (line.type === 'LIST') for (const object of (line.object as { items: FakeObject[] | null }).items ?? []) server.put(line.resource, object);
    else if (isChange(line)) changes.push({ resource: line.resource, type: line.type, object: line.object as FakeObject });
  }
  let next = 0;
  const advance = (to: number): void => {
    for (; next < Math.min(to, changes.length); next++) server.apply(changes[next] as FakeChange);
  };
  return {
    left: () => changes.length - next,
    async play(count, ms) {
      const from = next;
      const startMs = performance.now();
      for (let share = 0; share < 1; ) {
        await delay(Math.min(TICK_MS, ms));
        share = ms === 0 ? 1 : Math.min(1, (performance.now() - startMs) / ms);
        advance(from + Math.round(count * share));
      }
    },
  };
}

function isChange(line: RecordingLine): line is RecordingLine & { readonly type: FakeChange['type'] } {
  return line.type === 'ADDED' || line.type === 'MODIFIED' || line.type === 'DELETED';
}

/**
 * What the server holds is what a replay of the change log knows of the cluster, projected and without the versions: nothing was lost
 * on the way into the log either. Events aside, of which the core keeps none.
 */
export async function assertKnowsAll(server: FakeApiServer, state: ClusterState): Promise<void> {
  const text = (object: ProjectedObject): string => JSON.stringify({ ...object, metadata: { ...object.metadata, resourceVersion: '' } });
  for (const resource of RESOURCES) {
    if (resource === 'events') continue;
    const response = await fetch(`${server.url}${collectionPath(resource, '')}`);
    const { items } = (await response.json()) as { items: unknown[] | null };
    const held = (items ?? []).map((item) => projectObject(resource, item)).map((projection) => (projection.ok ? text(projection.object) : projection.reason));
    const known = [...state.tables.objects[resource].values()].map(({ object }) => text(object));
    assert.deepEqual(known.sort(), held.sort(), resource);
  }
}
