import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { jsonOffsets } from '../../processor/json-offsets.ts';

test('finds keys and items, past text that looks like structure', () => {
  const text = '{"a\\"}": "]},{", "b": [1, {"c": [[], {"d": null}]}, "x"], "e": -1e3}';
  const at = (...path: (string | number)[]): string => text.slice(jsonOffsets(text, [path])[0]).slice(0, 5);
  assert.deepEqual([at('b'), at('b', 1), at('b', 1, 'c', 1, 'd'), at('b', 2), at('e')], ['"b": ', '{"c":', '"d": ', '"x"],', '"e": ']);
});

test('goes as deep as the path leads', () => {
  const text = '{"a": {"b": 1}}';
  assert.deepEqual(jsonOffsets(text, [[], ['x'], ['a', 'x'], ['a', 'b', 0, 'y']]), [0, 0, 1, 7]);
});

test('what stands at an offset is what the path names, in any JSON', () => {
  const leaves = (value: unknown, path: readonly (string | number)[] = []): (readonly (string | number)[])[] =>
    typeof value !== 'object' || value === null
      ? [path]
      : Array.isArray(value)
        ? value.flatMap((item, index) => leaves(item, [...path, index]))
        : Object.entries(value).flatMap(([key, item]) => leaves(item, [...path, key]));
  fc.assert(
    fc.property(fc.object({ maxDepth: 4 }), fc.constantFrom(undefined, 2), (object, indent) => {
      const text = JSON.stringify(object, null, indent);
      const value = JSON.parse(text) as unknown;
      const paths = leaves(value).filter((path) => path.length > 0);
      const offsets = jsonOffsets(text, paths);
      for (const [index, path] of paths.entries()) {
        const last = path.at(-1);
        const expected = typeof last === 'string' ? JSON.stringify(last) : JSON.stringify(path.reduce<unknown>((at, key) => (at as never)[key], value));
        assert.ok(text.startsWith(expected, offsets[index]), `${path.join('/')} in ${text}`);
      }
    }),
  );
});
