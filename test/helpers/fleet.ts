/** Plays a recorded fleet on a fake API server: its lists at once, then what happened, as fast as the test wants it. */
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { collectionPath } from '../../collector/api-resources.ts';
import { NAME_ONLY_RESOURCES, type ProjectedObject, RESOURCES } from '../../collector/objects.ts';
import { projectObject } from '../../collector/project.ts';
import type { RecordingLine } from '../../collector/recording.ts';
import type { ClusterState } from '../../processor/core/state.ts';
import type { Replay } from '../../processor/replay.ts';
import type { FakeApiServer, FakeChange, FakeObject } from './fake-api-server.ts';
import { type PodtrailProcess, waitWhile } from './podtrail-process.ts';
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
 * Resolves once the collector has read all that the server sent: each of its watches is told a bookmark and ended, and has come back from
 * there. Nothing else tells what is still on the way to it.
 */
export async function waitUntilTaken(server: FakeApiServer, collector: PodtrailProcess): Promise<void> {
  const sent = Number(server.resourceVersion());
  const seen = server.requests.length;
  const open = new Set<string>(RESOURCES.filter((resource) => !NAME_ONLY_RESOURCES.includes(resource)));
  await waitWhile('every watch has come back from the last version', collector, () => {
    for (const { verb, resource, query } of server.requests.slice(seen)) {
      if (verb === 'watch' && Number(query['resourceVersion']) >= sent) open.delete(resource);
    }
    for (const resource of open) {
      server.bookmark(resource);
      server.endWatches(resource, 'clean');
    }
    return open.size === 0;
  });
}

/** Nothing was lost on the way into the log either: a replay of it knows all that the server holds, and found incidents. */
export async function assertComplete(server: FakeApiServer, replay: Replay, clusterUid = 'uid-of-kube-system'): Promise<void> {
  const state = replay.state(clusterUid);
  assert.ok(state !== undefined, 'the cluster is unknown');
  await assertKnowsAll(server, state);
  assert.ok(replay.rows('incidents').some(({ cluster }) => cluster === state.cluster.name));
}

/** What the server holds is what the state has, projected and without the versions; Events aside, of which the core keeps none. */
async function assertKnowsAll(server: FakeApiServer, state: ClusterState): Promise<void> {
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
