import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod } from '../../../collector/objects.ts';
import { reasonToStay } from '../../../processor/capacity/movable.ts';
import { findRemedy } from '../../../processor/capacity/remedy.ts';
import type { NodeState } from '../../../processor/capacity/scheduling-state.ts';
import type { PodOptions } from '../../helpers/capacity.ts';
import { node, object, pod, stateOf } from '../../helpers/capacity.ts';

const SIZE = { cpu: '4', memory: '8Gi' };
const wanted = pod('wanted', { cpu: '3', memory: '1Gi' });
const on = (name: string, cpu: string, home: string, more: PodOptions = {}): Pod => pod(name, { cpu, memory: '1Gi' }, { on: home, ...more });
const moves = (remedy: ReturnType<typeof findRemedy>) => remedy.move?.moves.map(({ pod: name, from, to }) => `${name}: ${from} → ${to}`);

test('what fits needs no remedy', () => {
  const { move, noMoveReason, fit } = findRemedy(wanted, stateOf({ nodes: [node('a', SIZE)] }), {});
  assert.deepEqual([move, noMoveReason, fit.k], [undefined, 'the pod fits as it is', 1]);
});

test('of two pods that would do, the one of lower priority moves; of equal ones the smaller', () => {
  const nodes = [node('a', SIZE), node('b', SIZE)];
  const high = { spec: { priority: 100 } };
  assert.deepEqual(moves(findRemedy(wanted, stateOf({ nodes, pods: [on('p', '1200m', 'a'), on('q', '1100m', 'b', high)] }), {})), ['p: a → b']);
  assert.deepEqual(moves(findRemedy(wanted, stateOf({ nodes, pods: [on('p', '1200m', 'a'), on('q', '1100m', 'b')] }), {})), ['q: b → a']);
});

test('a pod that fits nowhere else is moved after another made room for it', () => {
  const nodes = [node('a', SIZE), node('b', { cpu: '2', memory: '8Gi' }), node('c', { cpu: '1', memory: '8Gi' })];
  const pods = [on('big', '2', 'a'), on('small', '500m', 'b')];
  const remedy = findRemedy(pod('x', { cpu: '3600m' }), stateOf({ nodes, pods }), {});
  assert.deepEqual(moves(remedy), ['small: b → c', 'big: a → b']);
  assert.equal(remedy.move?.exact, true);
  assert.deepEqual(
    remedy.move?.moves.map(({ freeBefore }) => freeBefore.cpu),
    [1_000, 2_000],
  );
});

test('pods of one workload are not alike where another pod refuses the labels of some', () => {
  const antiAffinity = {
    podAntiAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { app: 'x' } } }],
    },
  };
  const nodes = [node('a', SIZE), node('b', { cpu: '1', memory: '8Gi' })];
  const guard = on('guard', '200m', 'b', { owner: '', spec: { affinity: antiAffinity } });
  const pods = [on('p', '600m', 'a', { labels: { app: 'x' } }), on('q', '600m', 'a', { labels: { app: 'y' } }), guard];
  assert.deepEqual(moves(findRemedy(wanted, stateOf({ nodes, pods }), {})), ['q: a → b']);
});

test('more than three moves are found by a heuristic, and called that', () => {
  const nodes = [node('a', SIZE), node('b', { cpu: '2800m', memory: '8Gi' })];
  const pods = Array.from({ length: 8 }, (_, index) => on(`p${index}`, '500m', 'a'));
  const { move } = findRemedy(wanted, stateOf({ nodes, pods: [...pods, on('q', '300m', 'b')] }), {});
  assert.equal(move, undefined, 'only five fit on b, and six would have to go');
  const roomier = findRemedy(
    wanted,
    stateOf({ nodes: [nodes[0]!, node('b', { cpu: '2900m', memory: '8Gi' }), node('c', { cpu: '600m', memory: '8Gi' })], pods }),
    {},
  );
  assert.deepEqual([roomier.move?.exact, roomier.move?.moves.length], [false, 6]);
});

test('a disruption budget that allows no eviction keeps its pods where they are', () => {
  const nodes = [node('a', SIZE), node('b', SIZE)];
  const pods = [on('p', '1200m', 'a', { labels: { app: 'x' } }), on('q', '1100m', 'b', { labels: { app: 'x' } })];
  const budget = (allowed: number) => ({
    ...object('PodDisruptionBudget', 'x', { spec: { selector: { matchLabels: { app: 'x' } } }, status: { disruptionsAllowed: allowed } }, 'shop'),
  });
  const remedy = (allowed: number) => findRemedy(wanted, stateOf({ nodes, pods, objects: { poddisruptionbudgets: [budget(allowed)] } }), {});
  assert.deepEqual([remedy(0).move, remedy(0).noMoveReason], [undefined, 'no sequence of up to three moves helps, and no longer one was found']);
  assert.equal(remedy(1).move?.moves.length, 1);
});

for (const [name, options, stays] of [
  ['a replica', {}, false],
  ['a bare pod', { owner: '' }, true],
  ['a DaemonSet pod', { owner: 'DaemonSet' }, true],
  ['a static pod', { annotations: { 'kubernetes.io/config.mirror': 'x' } }, true],
  ['a terminating pod', { deleted: true }, true],
  ['one marked not safe to evict', { annotations: { 'cluster-autoscaler.kubernetes.io/safe-to-evict': 'false' } }, true],
  ['one marked do-not-disrupt', { annotations: { 'karpenter.sh/do-not-disrupt': 'true' } }, true],
  ['one with an emptyDir', { spec: { volumes: [{ name: 'v', emptyDir: {} }] } }, true],
  ['one with an emptyDir in memory', { spec: { volumes: [{ name: 'v', emptyDir: { medium: 'Memory' } }] } }, false],
  [
    'one with an emptyDir that is marked safe',
    { spec: { volumes: [{ name: 'v', emptyDir: {} }] }, annotations: { 'cluster-autoscaler.kubernetes.io/safe-to-evict': 'true' } },
    false,
  ],
] as const) {
  test(`movable: ${name} ${stays ? 'stays' : 'may go'}`, () => assert.equal(reasonToStay(on('p', '1', 'a', options)) !== undefined, stays));
}

test('pods that may not move leave nodes to add, as many as the copies need', () => {
  const nodes = [node('a', SIZE), node('b', SIZE)];
  const pods = nodes.flatMap(({ metadata: { name } }) => [on(`ds-${name}`, '500m', name, { owner: 'DaemonSet' }), on(`p-${name}`, '2', name, { owner: '' })]);
  const { move, addNodes, noMoveReason } = findRemedy(pod('x', { cpu: '1700m' }), stateOf({ nodes, pods }), { copies: 5 });
  assert.equal(move, undefined);
  assert.equal(noMoveReason, 'no sequence of up to three moves helps, and no longer one was found');
  assert.deepEqual([addNodes?.count, addNodes?.size.cpu, addNodes?.like], [3, 3_500, 'a']);
});

for (const [name, copies, costOf, expected] of [
  ['by list prices the small ones, while few are needed', 1, undefined, [1, 'small']],
  ['as many of the small as it takes', 6, undefined, [6, 'small']],
  ['the large where they are cheap', 6, (each: NodeState) => (each.name === 'large' ? 2 : 1), [1, 'large']],
  ['at the same cost the fewer', 4, (each: NodeState) => (each.name === 'large' ? 4 : 1), [1, 'large']],
] as const) {
  test(`the nodes to add cost least: ${name}`, () => {
    const nodes = [node('small', { cpu: '2', memory: '4Gi' }), node('large', { cpu: '16', memory: '64Gi' })];
    const pods = [on('p', '1', 'small', { owner: '' }), on('q', '15', 'large', { owner: '' })];
    const { addNodes } = findRemedy(pod('x', { cpu: '1500m' }), stateOf({ nodes, pods }), { copies, ...(costOf === undefined ? {} : { costOf }) });
    assert.deepEqual([addNodes?.count, addNodes?.like], expected);
  });
}

test('a pod that no node could hold: no move, no node of this size, no node size by repacking', () => {
  const { move, addNodes, noMoveReason, fit } = findRemedy(pod('x', { cpu: '5' }), stateOf({ nodes: [node('a', SIZE)] }), {});
  assert.deepEqual([move, addNodes, fit.tooBig], [undefined, undefined, true]);
  assert.equal(noMoveReason, 'no eligible node could hold the pod even when emptied');
});

test('a search that runs out says so rather than that nothing helps', () => {
  const nodes = [node('a', SIZE), node('b', SIZE)];
  const pods = nodes.flatMap(({ metadata: { name } }) => [1, 2, 3].map((index) => on(`${name}${index}`, '1200m', name)));
  const { noMoveReason } = findRemedy(wanted, stateOf({ nodes, pods }), { maxChecks: 1 });
  assert.equal(noMoveReason, 'no sequence of moves was found within the limit of the search');
});
