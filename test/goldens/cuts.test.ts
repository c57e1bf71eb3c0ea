/** Holes in the watch and other orders of arrival: the same stories, and none that opens or recovers because of them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { IncidentJson } from '../../processor/replay.ts';
import { cutRecording, interleave } from '../helpers/cuts.ts';
import { encodeLines, LABELS, linesOf, replayAll } from '../helpers/goldens.ts';
import type { RecordingLine } from '../../collector/recording.ts';

const incidentsOf = (lines: readonly RecordingLine[]): IncidentJson[] => replayAll(encodeLines(lines)).incidents();
const story = (i: IncidentJson): string => `${i.scenario}/${i.cause} about ${i.subject.kind} ${i.subject.namespace}/${i.subject.name} ${i.subject.container}`;
const storiesOf = (incidents: readonly IncidentJson[]): Set<string> => new Set(incidents.map(story));

/** Where scenario or cause hang on which of two resources tells first that a node is back; design D8 allows them besides. */
const RACES = new Set(['frozen-fast', 'frozen-web']);
/** Seconds after a window within which what happened in it may still show, and then end: the recovery time of quick scenarios. */
const SETTLE_MS = 65_000;

/** [start as a share of the recording, length in s, resources], chosen over all phases of a case. */
const WINDOWS: readonly (readonly [number, number, readonly string[] | 'all'])[] = [
  [0.22, 45, 'all'],
  [0.4, 60, ['pods']],
  [0.55, 30, ['events']],
  [0.6, 60, 'all'],
  [0.3, 40, ['nodes', 'replicasets']],
];

for (const [name, label] of Object.entries(LABELS)) {
  test(`${name}: gaps open and end nothing`, async () => {
    const lines = await linesOf(`cases/${name}.ndjson.gz`);
    const whole = incidentsOf(lines);
    const allowed = new Set([...storiesOf(whole)].map((s) => s.split(' about ')[0]));
    const [firstMs, lastMs] = [lines[0]!.t, lines.at(-1)!.t];
    for (const [share, seconds, resources] of WINDOWS) {
      const fromMs = Math.round(firstMs + (lastMs - firstMs) * share);
      const toMs = fromMs + seconds * 1_000;
      const cut = incidentsOf(cutRecording(lines, fromMs, toMs, (r) => resources === 'all' || resources.includes(r)));
      for (const incident of cut) {
        const besides = label.besides?.includes(incident.scenario) === true;
        assert.ok(besides || allowed.has(`${incident.scenario}/${incident.cause}`), `${story(incident)} opened by a gap at ${share} for ${seconds} s`);
        const recovered = incident.resolution === 'recovered' ? Date.parse(incident.resolvedTime ?? '') : 0;
        assert.ok(!(recovered >= fromMs && recovered <= toMs) || resources !== 'all', `${story(incident)} recovered in the gap`);
      }
      const seen = storiesOf(cut);
      for (const incident of whole) {
        const inWindow =
          Date.parse(incident.firstSymptomTime) >= fromMs - 1_000 && Date.parse(incident.resolvedTime ?? incident.updatedTime) <= toMs + SETTLE_MS;
        const besides = label.besides?.includes(incident.scenario) === true;
        assert.ok(inWindow || besides || seen.has(story(incident)), `${story(incident)} lost by a gap at ${share} for ${seconds} s`);
      }
    }
  });

  test(`${name}: another interleaving of resources tells the same story`, async () => {
    const lines = await linesOf(`cases/${name}.ndjson.gz`);
    const whole = incidentsOf(lines).filter((i) => !RACES.has(name) || i.scenario === label.scenario);
    const resources = [...new Set(lines.map((line) => line.resource))];
    for (const stride of [1, 5, 7]) {
      // Up to 2.6 s apart: Events and the statuses that they describe come by different watches.
      const skews = new Map(resources.map((resource, i) => [resource as string, ((i * stride) % resources.length) * 220]));
      const other = incidentsOf(interleave(lines, (r) => skews.get(r) ?? 0)).filter((i) => !RACES.has(name) || i.scenario === label.scenario);
      assert.deepEqual([...storiesOf(other)].sort(), [...storiesOf(whole)].sort(), `stride ${stride}`);
      for (const incident of other) {
        const twin = whole.find((i) => story(i) === story(incident));
        assert.deepEqual(incident.pods.map((p) => p.uid).sort(), twin?.pods.map((p) => p.uid).sort(), story(incident));
      }
    }
  });
}
