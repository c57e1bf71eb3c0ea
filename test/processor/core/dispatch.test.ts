/** A pod is judged when something changed that a rule reads, and that gives the same rows as judging it at every Event. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ChangeRecord } from '../../../collector/change-record.ts';
import type { Event } from '../../../collector/objects.ts';
import type { ClusterState } from '../../../processor/core/state.ts';
import { createClusterState } from '../../../processor/core/state.ts';
import { step } from '../../../processor/core/step.ts';
import { encodeLines } from '../../helpers/goldens.ts';
import { recordedLines, recordingPaths } from '../../helpers/recorded.ts';

const podOf = (record: ChangeRecord): string | undefined => {
  const event = 'resource' in record && record.resource === 'events' && 'object' in record ? (record.object as Event | undefined) : undefined;
  return event?.regarding.kind === 'Pod' ? event.regarding.uid : undefined;
};

const timersOf = ({ tables }: ClusterState): readonly unknown[] => tables.timers.keys().map((key) => [key, tables.timers.get(key)]);

for (const path of [...recordingPaths('fleet'), ...recordingPaths('cases')]) {
  test(`${path}: judging at every Event gives the same rows`, () => {
    const records = encodeLines(recordedLines(path));
    const cluster = records[0]!.cluster;
    const [sparing, eager] = [createClusterState(cluster, 1), createClusterState(cluster, 1)];
    for (const record of records) {
      const pod = podOf(record);
      if (pod !== undefined && eager.tables.objects.pods.has(pod)) eager.tables.dirty.set(`pod/${pod}`, 1);
      assert.deepEqual(step(sparing, record), step(eager, record));
    }
    assert.deepEqual(timersOf(sparing), timersOf(eager));
  });
}
