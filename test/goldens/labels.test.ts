import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SCENARIOS } from '../../processor/scenarios/index.ts';
import { compareWithLabel, LABELS, recordsOf, replayAll } from '../helpers/goldens.ts';

for (const [name, label] of Object.entries(LABELS)) {
  test(`${name}: ${label.scenario ?? 'nothing'} (${label.cause})`, async () => {
    const replay = replayAll(await recordsOf(`cases/${name}.ndjson.gz`));
    assert.deepEqual(compareWithLabel(label, replay.incidents()), []);
    assert.deepEqual(replay.rows('dead_letters'), []);
  });
}

test('every scenario of the labels has its rules', () => {
  const ruled = new Set<string>(SCENARIOS.map((s) => s.id));
  assert.deepEqual(
    Object.values(LABELS).filter((label) => label.scenario !== null && !ruled.has(label.scenario)),
    [],
  );
});
