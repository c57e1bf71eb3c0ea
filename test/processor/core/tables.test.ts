import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createIndex, createTable } from '../../../processor/core/tables.ts';
import { createTimers } from '../../../processor/core/timers.ts';

test('a table is a map whose order does not depend on history', () => {
  const edits = fc.array(fc.tuple(fc.constantFrom('set', 'delete'), fc.string({ maxLength: 2 }), fc.integer()), { maxLength: 600 });
  fc.assert(
    fc.property(edits, (list) => {
      const table = createTable<number>();
      const model = new Map<string, number>();
      for (const [edit, key, value] of list) {
        if (edit === 'set') {
          table.set(key, value);
          model.set(key, value);
        } else assert.equal(table.delete(key), model.delete(key));
      }
      const sorted = [...model.keys()].sort((a, b) => (a < b ? -1 : 1));
      assert.deepEqual(table.keys(), sorted);
      assert.deepEqual(
        [...table.values()],
        sorted.map((key) => model.get(key)),
      );
      assert.equal(table.size, model.size);
      assert.deepEqual([...table.unsortedKeys()].sort(), [...sorted].sort());
    }),
  );
});

test('what is deleted while the keys are read is read once, also after a snapshot', () => {
  const table = createTable<number>();
  for (let i = 0; i < 2_000; i++) table.set(`k${i}`, i);
  table.snapshot();
  let read = 0;
  for (const key of table.unsortedKeys()) {
    read++;
    assert.ok(table.delete(key), key);
  }
  assert.equal(read, 2_000);
  assert.equal(table.size, 0);
});

test('a snapshot keeps what it saw, and shares what did not change with the next one', () => {
  const table = createTable<number>();
  for (let i = 0; i < 2_000; i++) table.set(`k${i}`, i);
  const first = table.snapshot();
  table.set('k7', -1);
  table.delete('k8');
  const seen = first.flatMap((bucket) => [...bucket]);
  assert.equal(seen.length, 2_000);
  assert.equal(new Map(seen).get('k7'), 7);
  const second = table.snapshot();
  const changed = second.filter((bucket, i) => bucket !== first[i]).length;
  assert.ok(changed >= 1 && changed <= 2, `${changed} buckets differ`);
});

test('an index lists ids in order and forgets removed ones', () => {
  const index = createIndex();
  for (const id of ['b', 'c', 'a']) index.add('k', id);
  assert.deepEqual(index.get('k'), ['a', 'b', 'c']);
  index.remove('k', 'b');
  assert.deepEqual(index.get('k'), ['a', 'c']);
  assert.deepEqual(index.get('none'), []);
});

test('timers fire in (due, key) order, moved and cancelled ones included, also after a restore', () => {
  const timer = fc.tuple(fc.constantFrom('a', 'b', 'c', 'd', 'e'), fc.integer({ min: 0, max: 20 }), fc.boolean());
  fc.assert(
    fc.property(fc.array(timer, { maxLength: 40 }), (list) => {
      const table = createTable<number>();
      const timers = createTimers(table);
      const model = new Map<string, number>();
      for (const [key, due, cancel] of list) {
        if (cancel) {
          timers.cancel(key);
          model.delete(key);
        } else {
          timers.set(key, due);
          model.set(key, due);
        }
      }
      const restored = createTimers(createTable(table.keys().map((k) => [k, table.get(k) as number] as const)));
      const expected = [...model].sort((a, b) => a[1] - b[1] || (a[0] < b[0] ? -1 : 1)).filter(([, due]) => due <= 10);
      for (const each of [timers, restored]) {
        const fired: [string, number][] = [];
        for (let t = each.take(10); t !== undefined; t = each.take(10)) fired.push([t.key, t.dueTimeMs]);
        assert.deepEqual(fired, expected);
      }
    }),
  );
});
