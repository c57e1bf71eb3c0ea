import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createPodMemory, type KnownPod } from '../../collector/pod-memory.ts';

test('keeps no more pods than it may, and forgets the one not asked for longest', () => {
  const memory = createPodMemory(2);
  const [a, b, c, later] = Array.from({ length: 4 }, () => ({}) as KnownPod) as [KnownPod, KnownPod, KnownPod, KnownPod];
  memory.remember('a', a);
  memory.remember('b', b);
  assert.equal(memory.recall('a'), a);
  memory.remember('c', c);
  assert.deepEqual([memory.recall('a') === a, memory.recall('b'), memory.recall('c') === c], [true, undefined, true]);
  memory.remember('a', later);
  assert.equal(memory.recall('a'), later);
  assert.equal(memory.recall('c'), c, 'the same uid takes no place of its own');
});
