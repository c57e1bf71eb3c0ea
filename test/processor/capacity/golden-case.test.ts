/**
 * The seed article's case: 12 nodes of 4c8Gi with three pods of 0.8c1.6Gi each, 60 % used, and a 2c4Gi pod that fits nowhere. Figures
 * from the reference on capacity; they are not ours to change. 1.6Gi is written 1638Mi: a fraction of a byte would round up, as the
 * scheduler rounds, and five pods would no longer fit on a node.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { podFacts } from '../../../processor/capacity/pod-facts.ts';
import { copiesIn } from '../../../processor/capacity/fit.ts';
import { expectedWaste, strandedIn } from '../../../processor/capacity/fragmentation.ts';
import { neededNodes, packSteps, removableNodes } from '../../../processor/capacity/packing.ts';
import { findRemedy } from '../../../processor/capacity/remedy.ts';
import { reportCapacity, WHOLE_CLUSTER } from '../../../processor/capacity/report.ts';
import { buildShape } from '../../../processor/capacity/shape.ts';
import { diagnose } from '../../../processor/capacity/diagnose.ts';
import { clusterOf, node, pod, stateOf } from '../../helpers/capacity.ts';

const GI = 1_024 ** 3;
const PIECE = { cpu: '800m', memory: '1638Mi' };
const nodes = Array.from({ length: 12 }, (_, index) => node(`n${String(index + 1).padStart(2, '0')}`, { cpu: '4', memory: '8Gi' }));
const pods = nodes.flatMap(({ metadata: { name } }) => [1, 2, 3].map((index) => pod(`web-${name}-${index}`, PIECE, { on: name })));
const state = stateOf({ nodes, pods });
const wanted = pod('big', { cpu: '2', memory: '4Gi' });

function shape(cpu: string, memory: string) {
  const built = buildShape({ request: { cpu, memory } });
  assert.ok(built.ok);
  return built.shape;
}
const shapes = [shape('500m', '1Gi'), shape('800m', '1638Mi'), shape('1', '2Gi'), shape('2', '4Gi')];
const [whole] = reportCapacity(state, { shapes, requestedShapes: 0 });
assert.ok(whole);

test('free space is 1.6c and 3.2Gi a node, 19.2c and 38.4Gi in all, 60 % used', () => {
  assert.equal(whole.pool, WHOLE_CLUSTER);
  assert.equal(whole.free.cpu, 19_200);
  assert.equal((whole.free.memory / GI).toFixed(1), '38.4');
  assert.equal(whole.allocationRatio['cpu'], 0.6);
});

for (const [id, k, kStar, phi] of [
  ['0.5c1Gi', 36, 38, 0.053],
  ['0.8c1638Mi', 24, 24, 0],
  ['1c2Gi', 12, 19, 0.368],
  ['2c4Gi', 0, 9, 1],
] as const) {
  test(`shape ${id}: K ${k}, K* ${kStar}, phi ${phi}`, () => {
    const report = whole.shapes.find((each) => each.shape === id);
    assert.ok(report, whole.shapes.map((each) => each.shape).join());
    assert.deepEqual([report.k, report.kStar, Number(report.phi.toFixed(3))], [k, kStar, phi]);
  });
}

test('demand of 0.5, 0.3 and 0.2 wastes 3.84c of 19.2c', () => {
  const unusable = (cpu: number, memory: number) => {
    const free = { cpu: 1_600, memory: 3.2 * GI };
    return cpu <= free.cpu && memory <= free.memory ? { cpu: 0, memory: 0 } : { cpu: 12 * free.cpu, memory: 12 * free.memory };
  };
  const waste = expectedWaste([
    { share: 0.5, unusable: unusable(500, GI) },
    { share: 0.3, unusable: unusable(1_000, 2 * GI) },
    { share: 0.2, unusable: unusable(2_000, 4 * GI) },
  ]);
  assert.equal(Math.round(waste.cpu), 3_840);
});

test('eight nodes would do by either bound, so four are removable', () => {
  assert.equal(neededNodes(state.nodes), 8);
  assert.deepEqual(removableNodes(state.nodes, state), { atLeast: 4, atMost: 4 });
});

test('after full compaction nine 2c4Gi fit', () => {
  const steps = packSteps(state.nodes, state);
  let step = steps.next();
  while (step.done !== true) step = steps.next();
  const request = podFacts(wanted).request.amounts;
  assert.equal(
    step.value.frees.reduce((sum, free) => sum + copiesIn(request, free), 0),
    9,
  );
});

test('the remedy is to move one 0.8c1.6Gi pod to a neighbour; 2.4c and 4.8Gi are free there then', () => {
  const { move } = findRemedy(wanted, state, {});
  assert.ok(move);
  assert.equal(move.moves.length, 1);
  assert.equal(move.exact, true);
  assert.equal(move.moves[0]?.request.cpu, 800);
  assert.notEqual(move.moves[0]?.to, move.node);
  assert.equal(move.moves[0]?.from, move.node);
  assert.equal(move.freeAfter.cpu, 2_400);
  assert.equal((move.freeAfter.memory / GI).toFixed(1), '4.8');
});

test('a node with 3c and 0.5Gi free strands 2.75c of a 1c:2Gi mix', () => {
  assert.deepEqual(strandedIn({ cpu: 3_000, memory: GI / 2 }, { cpu: 1_000, memory: 2 * GI }), { cpu: 2_750, memory: 0 });
});

test('the pending 2c4Gi pod is fragmented, not too big: an empty node could hold it', () => {
  const { fit } = diagnose(wanted, clusterOf({ nodes, pods: [...pods, wanted] }));
  assert.deepEqual(fit, { k: 0, kStar: 9, phi: 1, bindingResource: 'cpu', tooBig: false, eligible: 12, couldHold: true });
});

test('nodes of 16c32Gi, used as evenly, would lose nothing', () => {
  const { nodeSize } = findRemedy(wanted, state, {});
  assert.deepEqual([nodeSize?.nodes, nodeSize?.size.cpu, nodeSize?.size.memory], [3, 16_000, 32 * GI]);
});
