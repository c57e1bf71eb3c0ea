import assert from 'node:assert/strict';
import { test } from 'node:test';
import { restate } from '../../../processor/core/restate.ts';
import { recordsOf, replayAll } from '../../helpers/goldens.ts';

test('a state says again what its last rows said of all that may still change', async () => {
  const records = await recordsOf('cases/live-exec.ndjson.gz');
  const half = replayAll(records.slice(0, Math.floor(records.length * 0.6)));
  const state = half.state(records[0]!.cluster.uid)!;
  const rows = restate(state);
  const sorted = (list: readonly unknown[]) => list.map((row) => JSON.stringify(row)).sort();
  const of = (table: string) => sorted(rows.filter((row) => row.table === table).map((row) => row.row));
  const open = half.rows('incidents').filter((row) => row.state !== 'resolved');
  assert.ok(open.length > 0);
  assert.deepEqual(of('incidents'), sorted(open));
  const members = half.rows('incident_members').filter((m) => open.some((i) => i.id === m.incidentId));
  assert.deepEqual(of('incident_members'), sorted(members));
  assert.deepEqual(of('coverage'), sorted(half.rows('coverage').filter((row) => row.toTimeMs === 0)));
  const isKept = new Set(state.tables.events.keys().flatMap((uid) => (state.tables.events.get(uid) ?? []).map((event) => event.uid)));
  assert.ok(isKept.size > 0);
  assert.deepEqual(of('events'), sorted(half.rows('events').filter(({ uid }) => isKept.has(uid))));
  assert.deepEqual(restate(state), rows, 'and asking changes nothing');
});
