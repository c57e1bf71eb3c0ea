import assert from 'node:assert/strict';
import { test } from 'node:test';
import { schedulingStateOf } from '../../../processor/capacity/capacity-state.ts';
import { diagnose } from '../../../processor/capacity/diagnose.ts';
import { freeSpaceFrontier, largestPod, weightedIndex } from '../../../processor/capacity/fragmentation.ts';
import { poolOf } from '../../../processor/capacity/pools.ts';
import { DEFAULT_REQUESTED_SHAPES, reportCapacity, reportSteps } from '../../../processor/capacity/report.ts';
import { buildShape, shapeId } from '../../../processor/capacity/shape.ts';
import { podFacts } from '../../../processor/capacity/pod-facts.ts';
import { pictureShape } from '../../../processor/capacity/shape-picture.ts';
import type { PodOptions } from '../../helpers/capacity.ts';
import { clusterOf, node, pod, stateOf } from '../../helpers/capacity.ts';

const SIZE = { cpu: '4', memory: '8Gi' };
const GI = 1_024 ** 3;
const small = buildShape({ request: { cpu: '1', memory: '2Gi' } });
assert.ok(small.ok);
const options = { shapes: [small.shape], requestedShapes: DEFAULT_REQUESTED_SHAPES };
const inPool = (pool: string) => ({ labels: { 'karpenter.sh/nodepool': pool } });

test('the whole cluster first, then the pools by name, each with its own figures', () => {
  const nodes = [node('a', SIZE, inPool('web')), node('b', SIZE, inPool('db')), node('c', SIZE, inPool('web'))];
  const pods = [pod('p', { cpu: '3', memory: '2Gi' }, { on: 'a' }), pod('ds', { cpu: '1', memory: '1Gi' }, { on: 'b', owner: 'DaemonSet' })];
  const reports = reportCapacity(stateOf({ nodes, pods }), options);
  assert.deepEqual(
    reports.map(({ pool, nodes: count }) => [pool, count]),
    [
      ['', 3],
      ['db', 1],
      ['web', 2],
    ],
  );
  assert.deepEqual(
    reports.map(({ shapes }) => shapes.find(({ shape }) => shape === '1c2Gi')?.k),
    [8, 3, 5],
  );
  assert.deepEqual(
    reports.map(({ allocationRatio }) => allocationRatio['cpu']),
    [4 / 12, 0.25, 3 / 8],
  );
  assert.deepEqual(
    reports.map(({ removable }) => removable),
    [
      { atLeast: 2, atMost: 2 },
      { atLeast: 1, atMost: 1 },
      { atLeast: 1, atMost: 1 },
    ],
  );
});

test('the shapes that pods have are added with their share; DaemonSet pods are no demand', () => {
  const pods = [
    ...[1, 2, 3].map((index) => pod(`web-${index}`, { cpu: '500m', memory: '1Gi' }, { on: 'a' })),
    pod('one', { cpu: '1', memory: '2Gi' }, { on: 'a' }),
    pod('ds', { cpu: '100m' }, { on: 'a', owner: 'DaemonSet' }),
  ];
  const [whole] = reportCapacity(stateOf({ nodes: [node('a', SIZE)], pods }), options);
  assert.deepEqual(
    whole?.shapes.map(({ shape, origin, demand }) => [shape, origin, demand]),
    [
      ['1c2Gi', 'configured', 0.25],
      ['0.5c1Gi', 'requested', 0.75],
    ],
  );
});

test('cordoned, unready and virtual nodes are counted apart and give no figures', () => {
  const nodes = [
    node('a', SIZE),
    node('b', SIZE, { spec: { unschedulable: true } }),
    node('c', SIZE, { ready: 'Unknown' }),
    node('d', SIZE, { labels: { type: 'virtual-kubelet' } }),
  ];
  const [whole] = reportCapacity(stateOf({ nodes, pods: [pod('p', { cpu: '1' }, { on: 'b' })] }), options);
  assert.deepEqual([whole?.nodes, whole?.excluded, whole?.requested.cpu], [1, { cordoned: 1, notReady: 1, virtual: 1 }, 0]);
});

test('the steps give what the report at once gives, and leave the state alone', () => {
  const state = stateOf({ nodes: [node('a', SIZE), node('b', SIZE)], pods: [pod('p', { cpu: '3', memory: '1Gi' }, { on: 'a' })] });
  const before = reportCapacity(state, options);
  const steps = reportSteps(state, options);
  let count = 0;
  let step = steps.next();
  for (; step.done !== true; step = steps.next()) count += 1;
  assert.deepEqual(step.value, before);
  assert.ok(count > 3);
});

test('a cluster without nodes has a report without figures', () => {
  const [whole, ...pools] = reportCapacity(stateOf({ nodes: [] }), options);
  assert.deepEqual([whole?.nodes, whole?.largest, whole?.frontier, pools], [0, { cpu: 0, memory: 0 }, [], []]);
});

for (const [name, labels, expected] of [
  ['Karpenter', { 'karpenter.sh/nodepool': 'general', 'cloud.google.com/gke-nodepool': 'x' }, 'general'],
  ['GKE', { 'cloud.google.com/gke-nodepool': 'pool-1' }, 'pool-1'],
  ['EKS', { 'eks.amazonaws.com/nodegroup': 'ng' }, 'ng'],
  ['no label at all', {}, 'default'],
  ['an empty label', { 'karpenter.sh/nodepool': '' }, 'default'],
] as const) {
  test(`pools: ${name}`, () => assert.equal(poolOf(node('a', SIZE, { labels })), expected));
}

test('pools: a configured label goes before the defaults', () => {
  assert.equal(poolOf(node('a', SIZE, { labels: { team: 'x', 'karpenter.sh/nodepool': 'y' } }), ['team']), 'x');
});

test('frontier: the free vectors that nothing exceeds, with the nodes that have at least as much', () => {
  const frees = [
    { cpu: 4_000, memory: GI },
    { cpu: 1_000, memory: 8 * GI },
    { cpu: 2_000, memory: 4 * GI },
    { cpu: 2_000, memory: 2 * GI },
    { cpu: 0, memory: 9 * GI },
  ];
  assert.deepEqual(freeSpaceFrontier(frees), [
    { cpu: 4_000, memory: GI, nodes: 1 },
    { cpu: 2_000, memory: 4 * GI, nodes: 1 },
    { cpu: 1_000, memory: 8 * GI, nodes: 1 },
  ]);
});

test('the largest pod is of the demand mix, on the one node that is best', () => {
  assert.deepEqual(
    largestPod(
      [
        { cpu: 3_000, memory: GI },
        { cpu: 1_000, memory: 4 * GI },
      ],
      { cpu: 1_000, memory: 2 * GI },
    ),
    { cpu: 1_000, memory: 2 * GI },
  );
});

test('the weighted index weighs demand and is 0 without any', () => {
  assert.equal(
    weightedIndex([
      { share: 0.5, weight: 1, phi: 0 },
      { share: 0.25, weight: 2, phi: 1 },
    ]),
    0.5,
  );
  assert.equal(weightedIndex([]), 0);
});

test('shapes: constraints make another shape of the same request, usual tolerations do not', () => {
  const id = (options: PodOptions) => shapeId(podFacts(pod('p', { cpu: '2', memory: '4Gi' }, options)));
  assert.equal(id({}), '2c4Gi');
  assert.equal(
    id({ spec: { tolerations: [{ key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 }] } }),
    '2c4Gi',
  );
  assert.match(id({ spec: { nodeSelector: { disk: 'ssd' } } }), /^2c4Gi#[0-9a-f]{8}$/);
  assert.equal(id({ spec: { nodeSelector: { a: '1', b: '2' } } }), id({ spec: { nodeSelector: { b: '2', a: '1' } } }));
});

for (const [name, request, path] of [
  ['a bad quantity', { cpu: 'two' }, 'request.cpu'],
  ['nothing', { cpu: '0' }, 'request.cpu'],
  ['a resource nobody counts', { storage: '1Gi' }, 'request.storage'],
] as const) {
  test(`shapes: ${name} is a problem, not a shape`, () => {
    const built = buildShape({ request });
    assert.deepEqual([built.ok, built.ok ? '' : built.problem.path], [false, path]);
  });
}

test('the picture of a shape says of each node what is free, how many fit, and why no more', () => {
  const nodes = [node('a', SIZE), node('b', SIZE, { labels: { disk: 'ssd' } }), node('c', SIZE, { spec: { unschedulable: true } })];
  const pods = [pod('p', { cpu: '3500m', memory: '1Gi' }, { on: 'a' })];
  const picture = pictureShape(podFacts(pod('x', { cpu: '1', memory: '2Gi' })), stateOf({ nodes, pods }));
  assert.deepEqual(
    picture.map(({ node: name, copies, eligible, excluded, reasons }) => [name, copies, eligible, excluded, reasons]),
    [
      ['a', 0, true, undefined, ['Insufficient cpu']],
      ['b', 4, true, undefined, []],
      ['c', 0, false, 'cordoned', ['node(s) were unschedulable']],
    ],
  );
});

test('a question brings the state of the last one up to date', () => {
  const nodes = [node('a', SIZE), node('b', SIZE)];
  let pods = [pod('p', { cpu: '3', memory: '1Gi' }, { on: 'a' })];
  const cluster = { ...clusterOf({ nodes }), pods: () => pods };
  const k = () => diagnose(pod('x', { cpu: '2' }), { ...cluster }).fit.k;
  assert.equal(k(), 2);
  const first = schedulingStateOf(cluster);
  pods = [pod('q', { cpu: '3', memory: '1Gi' }, { on: 'b' }), ...pods];
  assert.equal(k(), 0);
  pods = pods.slice(0, 1);
  assert.equal(k(), 2);
  nodes.pop();
  assert.equal(k(), 2);
  assert.notEqual(schedulingStateOf(cluster), first, 'a node went');
});
