/** 400 decisions of the real scheduler library 1.34.2 over generated clusters (test/recordings/scheduling/README.md). */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import type { Node, Pod, ProjectedObject } from '../../../collector/objects.ts';
import { podFacts } from '../../../processor/capacity/pod-facts.ts';
import { schedulePods } from '../../../processor/capacity/schedule.ts';
import { stateOf } from '../../helpers/capacity.ts';

interface Decision {
  readonly id: string;
  readonly nodes: readonly Node[];
  readonly pods: readonly Pod[];
  readonly namespaces: readonly ProjectedObject[];
  readonly pod: Pod;
  readonly replicas: number;
  readonly scheduled: number;
  /** `1 Too many pods, 2 Insufficient cpu`, '' if nothing stayed pending. */
  readonly reasons: string;
}

const decisions = gunzipSync(readFileSync(new URL('../../recordings/scheduling/framework.ndjson.gz', import.meta.url)))
  .toString('utf8')
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => JSON.parse(line) as Decision);

function decide({ nodes, pods, namespaces, pod, replicas }: Decision): { scheduled: number; reasons: string } {
  const clusterScoped = namespaces.map((each) => ({ ...each, metadata: { ...each.metadata, namespace: '' } }));
  const state = stateOf({ nodes, pods, objects: { namespaces: clusterScoped }, blind: ['persistentvolumeclaims'] });
  const copies = Array.from({ length: replicas }, (_, index) =>
    podFacts({ ...pod, metadata: { ...pod.metadata, name: `probe-${index}`, uid: `probe-${index}` } }),
  );
  const { placements, message } = schedulePods(copies, state, { identical: true });
  return { scheduled: placements.length, reasons: /^0\/\d+ nodes are available: (.*)\.$/.exec(message)?.[1] ?? '' };
}

test('agrees with the scheduler on the number of replicas and on the reasons for the rest', () => {
  assert.equal(decisions.length, 400);
  for (const decision of decisions) assert.deepEqual(decide(decision), { scheduled: decision.scheduled, reasons: decision.reasons }, decision.id);
});
