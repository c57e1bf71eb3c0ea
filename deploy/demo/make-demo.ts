/**
 * Makes demo.ndjson.gz: `node --import tsx deploy/demo/make-demo.ts`. Three recordings of one cluster that follow on each other,
 * cleaned as `podtrail record` cleans, without bookmarks and watch events that podtrail would suppress, and without the end of
 * the last one, where its cases are deleted: so that the demo ends with incidents open. Nothing is edited, nothing is made up.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { gunzipSync, gzipSync } from 'node:zlib';
import { cleanObject } from '../../collector/clean-object.ts';
import { projectObject } from '../../collector/project.ts';
import { isRaw } from '../../collector/project-fields.ts';
import { decodeRecordingLine, type RecordingLine, toRecordingLine } from '../../collector/recording.ts';

const SOURCES = ['batch-1', 'batch-2', 'batch-3'].map((name) => new URL(`../../test/recordings/fleet/${name}.ndjson.gz`, import.meta.url));
const TARGET = new URL('demo.ndjson.gz', import.meta.url);

/** The text of the demo, from the recordings. */
export function buildDemo(): string {
  const recordings = SOURCES.map((source) =>
    gunzipSync(readFileSync(source))
      .toString()
      .trim()
      .split('\n')
      .map((text, index) => decodeRecordingLine(text, index + 1)),
  );
  const last = recordings.pop() ?? [];
  const lines = [...recordings.flat(), ...last.slice(0, last.findIndex(isNamespaceDeletion))];
  return `${lines.filter(createNewsFilter()).map(toRecordingLine).join('\n')}\n`;
}

function isNamespaceDeletion({ resource, object }: RecordingLine): boolean {
  return resource === 'namespaces' && isRaw(object) && isRaw(object['metadata']) && object['metadata']['deletionTimestamp'] !== undefined;
}

/** Passes everything but bookmarks and watch events whose projection is the object's last one. */
function createNewsFilter(): (line: RecordingLine) => boolean {
  const last = new Map<string, string>();
  return ({ resource, type, object }) => {
    if (type !== 'ADDED' && type !== 'MODIFIED') return type !== 'BOOKMARK';
    const projection = projectObject(resource, cleanObject(resource, object));
    if (!projection.ok) return true;
    const { uid } = projection.object.metadata;
    const kept = JSON.stringify({ ...projection.object, metadata: { ...projection.object.metadata, resourceVersion: '' } });
    if (last.get(uid) === kept) return false;
    last.set(uid, kept);
    return true;
  };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) writeFileSync(TARGET, gzipSync(buildDemo(), { level: 9 }));
