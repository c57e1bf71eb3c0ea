/** Questions about a large cluster leave room for others: they come in steps, and one at a time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createCycle } from '../../processor/capacity/filters.ts';
import { readManifests } from '../../processor/capacity/manifest.ts';
import { podFacts } from '../../processor/capacity/pod-facts.ts';
import { precheckSteps, runPrecheck } from '../../processor/capacity/precheck.ts';
import { findRemedy, remedySteps } from '../../processor/capacity/remedy.ts';
import { fitShape, fitSteps } from '../../processor/capacity/shape-fit.ts';
import { freeOf } from '../../processor/capacity/scheduling-state.ts';
import type { Steps } from '../../processor/capacity/steps.ts';
import { createCapacityQuestions } from '../../processor/capacity-questions.ts';
import { createRecordingEncoder, decodeRecordingLine } from '../../collector/recording.ts';
import { createReplay } from '../../processor/replay.ts';
import { runSlices } from '../../processor/slices.ts';
import { clusterOf, node, pod, stateOf } from '../helpers/capacity.ts';
import { goldenRecording } from '../helpers/golden-cluster.ts';

const NODES = 300;
const nodes = Array.from({ length: NODES }, (_, index) =>
  node(`n${String(index).padStart(3, '0')}`, { cpu: '4', memory: '16Gi' }, { labels: { 'topology.kubernetes.io/zone': `z${index % 3}` } }),
);
/** 3 of 4 cores used everywhere, by pods that no move makes two cores of room for but in threes. */
const pods = nodes.flatMap(({ metadata }) =>
  [0, 1, 2].map((index) => pod(`${metadata.name}-${index}`, { cpu: '1', memory: '1Gi' }, { on: metadata.name, owner: index === 0 ? '' : 'ReplicaSet' })),
);

function countSteps<T>(steps: Steps<T>): { readonly steps: number; readonly result: T } {
  for (let count = 0; ; count += 1) {
    const step = steps.next();
    if (step.done === true) return { steps: count, result: step.value };
  }
}

test('a remedy is searched for in steps, node by node at least, with the result it has at once', () => {
  const wanted = pod('wanted', { cpu: '3500m', memory: '1Gi' });
  const state = stateOf({ nodes, pods });
  const { steps, result } = countSteps(remedySteps(wanted, state, { maxChecks: 20_000 }));
  assert.deepEqual(result, findRemedy(wanted, state, { maxChecks: 20_000 }));
  assert.ok(steps >= NODES, String(steps));
});

test('a pre-check takes a step a replica at least, with the result it has at once', () => {
  const manifest = {
    kind: 'Deployment',
    apiVersion: 'apps/v1',
    metadata: { name: 'web', namespace: 'shop' },
    spec: {
      replicas: 250,
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web' } },
        spec: { priority: 5, containers: [{ name: 'app', image: 'web:1', resources: { requests: { cpu: '1' } } }] },
      },
    },
  };
  const manifests = readManifests([manifest]);
  const { steps, result } = countSteps(precheckSteps(manifests, clusterOf({ nodes, pods })));
  assert.deepEqual(result, runPrecheck(manifests, clusterOf({ nodes, pods })));
  assert.equal(result.workloads[0]?.placed, 250);
  assert.ok(steps >= 250, String(steps));
});

test('copies under several rules at once are played through a step each', () => {
  const spread = { topologyKey: 'topology.kubernetes.io/zone', maxSkew: 1, whenUnsatisfiable: 'DoNotSchedule', labelSelector: { matchLabels: { app: 'x' } } };
  const wanted = pod(
    'x',
    { cpu: '500m' },
    { labels: { app: 'x' }, spec: { topologySpreadConstraints: [spread, { ...spread, topologyKey: 'kubernetes.io/hostname' }] } },
  );
  const state = stateOf({ nodes, pods });
  const cycle = createCycle(podFacts(wanted), state);
  const { steps, result } = countSteps(fitSteps(cycle, state.nodes, state.nodes, state.nodes.map(freeOf)));
  assert.deepEqual(result, fitShape(createCycle(podFacts(wanted), state)));
  assert.ok(steps >= result.k && result.k >= NODES, `${steps} steps for ${result.k} copies`);
});

test('others get a turn between slices, and an error reaches whoever asked', async () => {
  const order: string[] = [];
  function* steps(): Steps<string> {
    for (let index = 0; index < 3; index += 1) {
      order.push('step');
      yield;
    }
    return 'done';
  }
  setImmediate(() => order.push('other'));
  assert.equal(await runSlices(steps(), 0), 'done');
  assert.ok(order.indexOf('other') < order.lastIndexOf('step'), order.join());
  await assert.rejects(
    runSlices(
      (function* (): Steps<void> {
        yield;
        throw new Error('no');
      })(),
    ),
    /no/,
  );
});

test('questions asked at once are answered as if asked alone, and a failing one does not hold up the next', async () => {
  const replay = createReplay();
  const encoder = createRecordingEncoder({ cluster: { name: 'golden' } });
  for (const line of goldenRecording(5, [pod('big', { cpu: '2', memory: '4Gi' })]).map((each, index) => decodeRecordingLine(each, index + 1))) {
    for (const record of encoder.push(line)) replay.push(record);
  }
  for (const record of encoder.end()) if (record.type !== 'SESSION_END') replay.push(record);
  const state = replay.state('golden-uid');
  assert.ok(state);
  const questions = createCapacityQuestions(async () => ({ kind: 'state', state, checkpointTimeMs: undefined }));
  const remedy = () => questions.remedy('golden', { shape: '2c4Gi', pool: '', copies: 1 });
  const shape = () => questions.shape('golden', '', '1c2Gi');
  const manifests = 'apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a, image: "a:1", resources: {requests: {cpu: 3}}}]}\n';
  const precheck = () => questions.precheck('golden', manifests, { pulls: [], containers: [], open: [] }, {});
  const alone = [await remedy(), await shape(), await precheck()];
  assert.deepEqual(await Promise.all([remedy(), shape(), precheck(), remedy()]), [...alone, alone[0]]);
  assert.deepEqual((await questions.shape('golden', 'nowhere', '1c2Gi')).kind, 'not_found');
  const broken = questions.precheck('golden', manifests, { pulls: [], containers: undefined as never, open: [] }, {});
  const after = remedy();
  await assert.rejects(broken);
  assert.deepEqual(await after, alone[0]);
});
