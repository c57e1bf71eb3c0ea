/** The remedy of a fragmentation incident: what it says, that it stays, and that a burst does not pay for one each. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod } from '../../../collector/objects.ts';
import { createRecordingEncoder, decodeRecordingLine } from '../../../collector/recording.ts';
import type { Replay } from '../../../processor/replay.ts';
import { createReplay } from '../../../processor/replay.ts';
import { pod } from '../../helpers/capacity.ts';
import { GOLDEN_START_MS, goldenRecording } from '../../helpers/golden-cluster.ts';

/** A pod of 2c4Gi that the scheduler has refused since the beginning. */
function waiting(name: string): Pod {
  const message =
    '0/12 nodes are available: 12 Insufficient cpu, 12 Insufficient memory. preemption: 0/12 nodes are available: 12 No preemption victims found for incoming pod.';
  const lastTransitionTime = new Date(GOLDEN_START_MS).toISOString();
  const conditions = [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message, lastTransitionTime }];
  const made = pod(name, { cpu: '2', memory: '4Gi' }, { owner: '', status: { phase: 'Pending', conditions } });
  return { ...made, metadata: { ...made.metadata, creationTimestamp: lastTransitionTime } };
}

function replay(lines: readonly string[]): Replay {
  const encoder = createRecordingEncoder({ cluster: { name: 'golden' } });
  const done = createReplay();
  for (const [index, line] of lines.entries()) for (const record of encoder.push(decodeRecordingLine(line, index + 1))) done.push(record);
  return done;
}

const remediesOf = (done: Replay): (string | undefined)[] =>
  done.incidents().map(({ evidence }) => (evidence as { path: string; value: string }[]).find(({ path }) => path === 'remedy')?.value);

test('a fragmentation incident says which pod to move', () => {
  const done = replay(goldenRecording(3, [waiting('big')]));
  assert.deepEqual(
    done.incidents().map(({ cause }) => cause),
    ['resource_fragmentation'],
  );
  assert.match(remediesOf(done)[0] ?? '', /^move shop\/web-n\d\d-\d from n\d\d to n\d\d; one replica then fits on n\d\d; or add a node like n\d\d/);
});

test('it stays when the pod is judged again', () => {
  const lines = goldenRecording(4, [waiting('big')]);
  const before = remediesOf(replay(lines));
  const again = waiting('big');
  const object = { ...again, metadata: { ...again.metadata, resourceVersion: '12', labels: { touched: 'yes' } } };
  lines.splice(-1, 0, JSON.stringify({ t: GOLDEN_START_MS + 150_000, resource: 'pods', type: 'MODIFIED', object }));
  assert.deepEqual(remediesOf(replay(lines)), before);
});

test('of incidents that open within one record only one has it at once, the others when they are judged again', () => {
  const pods = ['big-a', 'big-b', 'big-c'].map(waiting);
  const lines = goldenRecording(4, pods);
  assert.equal(remediesOf(replay(lines)).filter((value) => value !== undefined).length, 1);
  const touched = pods.map((each, index) => {
    const object = { ...each, metadata: { ...each.metadata, resourceVersion: String(12 + index), labels: { touched: 'yes' } } };
    return JSON.stringify({ t: GOLDEN_START_MS + 150_000 + index, resource: 'pods', type: 'MODIFIED', object });
  });
  lines.splice(-1, 0, ...touched);
  const remedies = remediesOf(replay(lines));
  assert.equal(remedies.length, 3);
  for (const remedy of remedies) assert.match(remedy ?? 'none', /^move /);
});

test('no other cause has one', () => {
  const huge = waiting('huge');
  const tooBig = { ...huge, spec: { containers: [{ name: 'app', resources: { requests: { cpu: '64' } } }] } };
  const done = replay(goldenRecording(3, [tooBig]));
  assert.deepEqual(
    done.incidents().map(({ cause }) => cause),
    ['insufficient_resources'],
  );
  assert.deepEqual(remediesOf(done), [undefined]);
});
