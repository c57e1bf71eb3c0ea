import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSpecMemory } from '../../collector/spec-memory.ts';

test('keeps copies, no more than it may, and forgets the one not asked for longest', () => {
  const specs = createSpecMemory(2);
  const lent = Buffer.from('{"a":1}');
  const kept = specs.remember('a', lent);
  lent.fill(0);
  assert.equal(String(kept), '{"a":1}');
  assert.equal(specs.recall('a'), kept);
  specs.remember('b', Buffer.from('{"b":1}'));
  specs.recall('a');
  specs.remember('c', Buffer.from('{"c":1}'));
  assert.deepEqual(
    ['a', 'b', 'c'].map((uid) => specs.recall(uid)?.toString()),
    ['{"a":1}', undefined, '{"c":1}'],
  );
  specs.remember('a', Buffer.from('{"a":2}'));
  assert.equal(specs.recall('a')?.toString(), '{"a":2}');
  assert.equal(specs.recall('c')?.toString(), '{"c":1}', 'the same uid takes no place of its own');
});
