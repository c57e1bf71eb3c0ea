/** The recordings as raw lines, for tests that look at single objects. */
import { readdirSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { Resource } from '../../collector/objects.ts';
import { decodeRecordingLine, type RecordingLine } from '../../collector/recording.ts';

const RECORDINGS = new URL('../recordings/', import.meta.url);

/** Paths below test/recordings, e.g. `cases/oom-limit.ndjson.gz`, sorted. */
export function recordingPaths(folder: 'cases' | 'fleet'): string[] {
  return readdirSync(new URL(`${folder}/`, RECORDINGS))
    .sort()
    .map((name) => `${folder}/${name}`);
}

export function recordedLines(path: string): RecordingLine[] {
  return gunzipSync(readFileSync(new URL(path, RECORDINGS)))
    .toString()
    .trim()
    .split('\n')
    .map((text, index) => decodeRecordingLine(text, index + 1));
}

export interface RecordedObject {
  readonly resource: Resource;
  readonly object: Readonly<Record<string, unknown>>;
}

/** Every object listed or streamed in a recording, as received. */
export function recordedObjects(path: string): RecordedObject[] {
  return recordedLines(path).flatMap(({ resource, type, object }): RecordedObject[] => {
    if (type === 'LIST') return (object as { items: RecordedObject['object'][] }).items.map((item) => ({ resource, object: item }));
    return ['ADDED', 'MODIFIED', 'DELETED'].includes(type) ? [{ resource, object: object as RecordedObject['object'] }] : [];
  });
}
