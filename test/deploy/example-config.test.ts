import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parse } from 'yaml';
import { configSchema } from '../../deploy/config.ts';
import { listConfigKeys } from '../../deploy/config-keys.ts';

const text = readFileSync(new URL('../../deploy/podtrail.example.yaml', import.meta.url), 'utf8');
/** The settings themselves: everything after the two lines of introduction, uncommented. */
const settings = text
  .split('\n')
  .slice(2)
  .map((line) => line.replace(/^# /, ''))
  .join('\n');

function at(tree: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((node, key) => (node as Record<string, unknown> | null | undefined)?.[key], tree);
}

test('the example names every setting with its default', () => {
  const tree = parse(settings) as unknown;
  const wrong = listConfigKeys(configSchema).filter(({ path, default: expected }) => {
    const shown = at(tree, path);
    return shown === undefined || JSON.stringify(shown) !== JSON.stringify(expected ?? null);
  });
  assert.deepEqual(
    wrong.map(({ path }) => path),
    [],
  );
});

test('as it stands it changes nothing', () => {
  assert.deepEqual(configSchema.parse(parse(text) ?? {}), configSchema.parse({}));
});
