/** Recordings with holes: a window of watch events is replaced by a lost connection and a new list of what was there afterwards. */
import type { RecordingLine } from '../../collector/recording.ts';

interface RawObject {
  readonly metadata: { readonly uid: string; readonly resourceVersion: string };
}

const WATCH = new Set(['ADDED', 'MODIFIED', 'DELETED']);

/**
 * Drops what came between `fromMs` and `toMs` (of the recording's own time) for the resources that `cut` names, and lists them
 * anew at the end of the window, as a collector does after a 410.
 */
export function cutRecording(lines: readonly RecordingLine[], fromMs: number, toMs: number, cut: (resource: string) => boolean): RecordingLine[] {
  const objects = new Map<string, Map<string, RawObject>>();
  const versions = new Map<string, string>();
  const out: RecordingLine[] = [];
  const dropped = new Set<string>();
  let opened = false;
  let listed = false;
  const disconnect = (): void => {
    opened = true;
    for (const resource of objects.keys()) {
      if (!cut(resource)) continue;
      dropped.add(resource);
      out.push({ t: fromMs, resource: resource as RecordingLine['resource'], type: 'DISCONNECT', object: { message: 'cut' }, line: 0 });
    }
  };
  const relist = (): void => {
    listed = true;
    for (const resource of dropped) {
      const items = [...(objects.get(resource)?.values() ?? [])];
      out.push({
        t: toMs,
        resource: resource as RecordingLine['resource'],
        type: 'LIST',
        object: { resourceVersion: versions.get(resource) ?? '0', items },
        line: 0,
      });
    }
  };
  for (const line of lines) {
    const table = objects.get(line.resource) ?? new Map<string, RawObject>();
    objects.set(line.resource, table);
    if (!opened && line.t >= fromMs) disconnect();
    if (!listed && line.t > toMs) relist();
    follow(line, table, versions);
    const inWindow = line.t >= fromMs && line.t <= toMs && dropped.has(line.resource) && line.type !== 'LIST';
    if (!inWindow) out.push(line);
  }
  return out;
}

function follow(line: RecordingLine, table: Map<string, RawObject>, versions: Map<string, string>): void {
  if (line.type === 'LIST') {
    const { resourceVersion, items } = line.object as { resourceVersion: string; items: RawObject[] | null };
    table.clear();
    for (const item of items ?? []) table.set(item.metadata.uid, item);
    versions.set(line.resource, resourceVersion);
    return;
  }
  const object = line.object as RawObject;
  // Recordings that were trimmed have bookmarks that say nothing.
  const { resourceVersion } = (line.object as Partial<RawObject>).metadata ?? {};
  if (resourceVersion !== undefined && (line.type === 'BOOKMARK' || WATCH.has(line.type))) versions.set(line.resource, resourceVersion);
  if (line.type === 'DELETED') table.delete(object.metadata.uid);
  else if (WATCH.has(line.type)) table.set(object.metadata.uid, object);
}

/** Delivers each resource's lines up to `skewMs` later than they came, each resource by its own amount: another interleaving. */
export function interleave(lines: readonly RecordingLine[], skewMs: (resource: string) => number): RecordingLine[] {
  return lines
    .map((line, index) => ({ line: { ...line, t: line.t + skewMs(line.resource) }, index }))
    .sort((a, b) => a.line.t - b.line.t || a.index - b.index)
    .map(({ line }) => line);
}
