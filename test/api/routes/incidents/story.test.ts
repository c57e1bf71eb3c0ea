import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { FoldedEventRow, StoryParts, TimelineRow } from '../../../../api/routes/incidents/story.ts';
import { composeStory, STORY_ENTRIES } from '../../../../api/routes/incidents/story.ts';

const told = (seq: number, time_ms: number, kind: string, text = kind): TimelineRow => ({ seq, time_ms, kind, text });
const event = (row: Partial<FoldedEventRow> = {}): FoldedEventRow => ({
  ...{ regarding_kind: 'Pod', last_name: 'web-1', objects: 1, field_path: 'spec.containers{app}', type: 'Warning', reason: 'BackOff' },
  ...{ last_note: 'Back-off restarting\n failed container', times: 7, first_ms: 15, last_ms: 90 },
  ...row,
});
const story = (parts: Partial<StoryParts>) => composeStory({ told: [], events: [], members: [], podCount: 1, ...parts });
const lines = (parts: Partial<StoryParts>) => story(parts).map(({ timeMs, kind, text, count }) => [timeMs, kind, text, count]);

test('what was told and what Kubernetes said stand in one order of time, an Event with its count and last time', () => {
  const entries = story({ told: [told(0, 5, 'change'), told(1, 10, 'symptom'), told(2, 20, 'opened')], events: [event()] });
  assert.deepEqual(
    entries.map(({ kind }) => kind),
    ['change', 'symptom', 'warning', 'opened'],
  );
  const { seq, untilMs, count, text } = entries[2]!;
  assert.deepEqual([seq, untilMs, count, text], [null, 90, 7, 'Pod web-1, container app: BackOff: Back-off restarting failed container']);
});

test('Events of many pods say how many, and quiet ones are no warnings', () => {
  assert.deepEqual(lines({ events: [event({ objects: 60, type: 'Normal', field_path: '', reason: 'Pulled', last_note: 'there' })] }), [
    [15, 'event', '60 Pods: Pulled: there', 7],
  ]);
});

test('pods that join are told one by one while they are few, else in one line', () => {
  const members = [1, 2, 3, 4, 5].map((i) => ({ name: `web-${i}`, firstMs: i }));
  const joins = [told(0, 1, 'opened'), told(1, 2, 'member'), told(2, 3, 'member'), told(3, 4, 'member')];
  assert.equal(lines({ told: joins, members: members.slice(0, 4), podCount: 4 }).filter(([, kind]) => kind === 'member').length, 3);
  assert.deepEqual(lines({ told: joins, members, podCount: 200 })[1], [2, 'member', '199 more pods fail alike: web-2, web-3, web-4 and 196 more', 199]);
});

test('recovery and relapse in turns are the first, the last, and how often between', () => {
  const turns = Array.from({ length: 10 }, (_, i) => told(i + 1, 10 + i, i % 2 === 0 ? 'recovering' : 'flap'));
  assert.deepEqual(lines({ told: [told(0, 5, 'opened'), ...turns, told(11, 99, 'resolved')] }), [
    [5, 'opened', 'opened', 1],
    [10, 'recovering', 'recovering', 1],
    [11, 'flap', 'it recovers and fails again', 4],
    [19, 'flap', 'flap', 1],
    [99, 'resolved', 'resolved', 1],
  ]);
});

test('a long story keeps its beginning and its end and says how much is left out', () => {
  const all = Array.from({ length: 300 }, (_, i) => told(i, i, 'relabelled', String(i)));
  const entries = story({ told: [...all.slice(0, 50), ...all.slice(-100)] });
  assert.equal(entries.length, STORY_ENTRIES);
  const rest = entries.find(({ kind }) => kind === 'rest')!;
  assert.deepEqual([entries[0]?.text, entries.at(-1)?.text, rest.count], ['0', '299', 300 - (STORY_ENTRIES - 1)]);
});

test('whatever it is made of, a story is bounded, in order, and accounts for every entry told', () => {
  const kinds = ['symptom', 'relabelled', 'recovering', 'flap', 'note', 'opened'];
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...kinds), { maxLength: 150 }), fc.nat(80), (chosen, events) => {
      const entries = story({
        told: chosen.map((kind, i) => told(i, i * 10, kind)),
        events: Array.from({ length: events }, (_, i) => event({ reason: `R${i}`, first_ms: i * 7, last_ms: i * 7 })),
      });
      assert.ok(entries.length <= STORY_ENTRIES);
      for (const [i, entry] of entries.slice(1).entries()) assert.ok(entry.timeMs >= entries[i]!.timeMs);
      if (chosen.length > 0 && entries.at(-1)?.kind !== 'warning') assert.equal(entries.at(-1)?.seq, chosen.length - 1);
    }),
  );
});
