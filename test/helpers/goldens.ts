/** Replays a recorded case through the projection and the core, and compares what came out with the label of a perfect classifier. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { ChangeRecord } from '../../collector/change-record.ts';
import { createRecordingEncoder, type RecordingLine, readRecording } from '../../collector/recording.ts';
import type { IncidentJson, Replay } from '../../processor/replay.ts';
import { createReplay } from '../../processor/replay.ts';

const RECORDINGS = new URL('../recordings/', import.meta.url);

/** As in recordings/README.md. */
export interface Label {
  readonly scenario: string | null;
  readonly cause: string;
  readonly also?: readonly string[];
  readonly or?: string;
  readonly besides?: readonly string[];
  readonly flag?: string;
  readonly after?: string;
  readonly resolves?: boolean;
}

export const LABELS = JSON.parse(readFileSync(new URL('labels.json', RECORDINGS), 'utf8')) as Record<string, Label>;

/** The lines of a recording. */
export async function linesOf(path: string): Promise<RecordingLine[]> {
  const lines: RecordingLine[] = [];
  for await (const line of readRecording(fileURLToPath(new URL(path, RECORDINGS)))) lines.push(line);
  return lines;
}

/** The change records of lines, as a live collector would have written them. */
export function encodeLines(lines: readonly RecordingLine[], clusterName = 'test'): ChangeRecord[] {
  const encoder = createRecordingEncoder({ cluster: { name: clusterName, uid: 'recorded' } });
  return [...lines.flatMap((line) => encoder.push(line)), ...encoder.end()];
}

/** The change records of a recording. */
export async function recordsOf(path: string, clusterName = 'test'): Promise<ChangeRecord[]> {
  return encodeLines(await linesOf(path), clusterName);
}

/** Replays records from the start. */
export function replayAll(records: readonly ChangeRecord[]): Replay {
  const replay = createReplay();
  for (const record of records) replay.push(record);
  return replay;
}

/** What is wrong with the incidents of a case by its label; empty when all is right. */
export function compareWithLabel(label: Label, incidents: readonly IncidentJson[]): string[] {
  const wrong: string[] = [];
  const scenarios = [label.scenario, label.or].filter((s) => s !== null && s !== undefined && s !== 'none');
  const show = (i: IncidentJson): string => `${i.scenario}/${i.cause} about ${i.subject.kind} ${i.subject.name}`;
  const right = incidents.filter((i) => scenarios.includes(i.scenario));
  for (const incident of incidents) {
    if (!scenarios.includes(incident.scenario) && label.besides?.includes(incident.scenario) !== true) wrong.push(`extra incident ${show(incident)}`);
  }
  if (label.scenario === null) return wrong;
  if (right.length === 0) return label.or === 'none' ? wrong : [...wrong, `no ${label.scenario}`];
  const causes = [label.cause, ...(label.also ?? [])];
  for (const incident of right) {
    if (incident.scenario === label.scenario && !causes.includes(incident.cause)) wrong.push(`cause ${show(incident)}, expected ${causes.join(' or ')}`);
  }
  if (label.flag !== undefined && !right.some((i) => i.flags.includes(label.flag ?? ''))) wrong.push(`flag ${label.flag} is missing`);
  if (label.resolves === true && !right.some((i) => i.resolution === 'recovered')) wrong.push('did not recover');
  const blamed = right.map((i) => (i.suspectedChange as { kind?: string } | null)?.kind);
  if (label.after !== undefined && !blamed.includes(label.after)) wrong.push(`blames ${blamed.join(', ')} instead of ${label.after}`);
  const keys = right.map((i) => `${i.scenario} ${i.subject.kind}/${i.subject.namespace}/${i.subject.name}/${i.subject.container}`);
  if (new Set(keys).size < keys.length) wrong.push(`one story told ${keys.length} times: ${keys.join(', ')}`);
  return wrong;
}
