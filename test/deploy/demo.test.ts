import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { createRecordingEncoder, decodeRecordingLine } from '../../collector/recording.ts';
import { buildDemo } from '../../deploy/demo/make-demo.ts';

const FILE = readFileSync(new URL('../../deploy/demo/demo.ndjson.gz', import.meta.url));
const TEXT = gunzipSync(FILE).toString();

test('the bundled demo is what its script makes of the recordings', () => {
  assert.ok(buildDemo() === TEXT, 'run node --import tsx deploy/demo/make-demo.ts');
});

test('the bundled demo is small, and holds nothing that never leaves a cluster', () => {
  assert.ok(FILE.length < 1_048_576, `${FILE.length} bytes`);
  for (const word of ['managedFields', 'last-applied', '"images"']) assert.ok(!TEXT.includes(word), word);
});

test('the bundled demo plays through, is of one known cluster, and ends with its last cases alive', () => {
  const encoder = createRecordingEncoder({ cluster: { name: 'demo' } });
  const lines = TEXT.trim()
    .split('\n')
    .map((text, index) => decodeRecordingLine(text, index + 1));
  const records = [...lines.flatMap((line) => encoder.push(line)), ...encoder.end()];
  assert.deepEqual(new Set(records.map(({ cluster }) => cluster.uid)), new Set(['a8e78021-cde8-45e1-9059-e55eb1c71670']));
  const alive = new Set<string>();
  let suppressed = 0;
  for (const record of records) {
    assert.notEqual(record.type, 'REJECTED');
    if (record.type === 'HEARTBEAT') suppressed = record.sessions.reduce((sum, session) => sum + session.suppressed, 0);
    if (!('object' in record) || record.object === undefined || record.resource !== 'pods') continue;
    if (record.type === 'DELETED') alive.delete(record.uid);
    else alive.add(record.uid);
  }
  assert.equal(suppressed, 0);
  assert.ok(alive.size >= 30, `${alive.size} pods`);
});
