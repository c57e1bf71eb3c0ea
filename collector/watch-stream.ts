/** The bytes of a watch: split into lines wherever the network cut them, and each line decoded. Holds at most one line. */
import { cutWatchLine } from './cut-watch-line.ts';
import { type PodLine, readPodLine } from './pod-line.ts';
import type { PodMemory } from './pod-memory.ts';

/** Called for each line, without its newline; false stops the splitter for good. The bytes are lent: they may be the chunk's. */
export type LineHandler = (line: Buffer) => boolean;

export interface LineSplitter {
  /** Takes the next bytes of the stream. Returns false once it is stopped: what follows is ignored. */
  push(chunk: Buffer): boolean;
  /** The unfinished last line, empty if there is none. */
  rest(): Buffer;
}

/** Longest line, bytes. etcd stores at most 1.5 MiB an object (--max-request-bytes); a line is longer only if it is no watch event. */
export const MAX_LINE_BYTES = 16 * 1_024 * 1_024;

const NEWLINE = 10;

/** `onTooLong` takes the place of the handler for a line over the limit, whose bytes are dropped as they come. */
export function createLineSplitter(onLine: LineHandler, onTooLong: () => boolean, maxLineBytes = MAX_LINE_BYTES): LineSplitter {
  let parts: Buffer[] = [];
  let partBytes = 0;
  let tooLong = false;
  let stopped = false;

  const hold = (bytes: Buffer): void => {
    if (bytes.length === 0) return;
    partBytes += bytes.length;
    if (partBytes > maxLineBytes) {
      tooLong = true;
      parts = [];
    }
    if (!tooLong) parts.push(bytes);
  };
  const held = (): Buffer => (parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts));
  const takeHeld = (): boolean => {
    const go = tooLong ? onTooLong() : onLine(held());
    parts = [];
    partBytes = 0;
    tooLong = false;
    return go;
  };

  return {
    push(chunk) {
      let start = 0;
      while (!stopped) {
        const end = chunk.indexOf(NEWLINE, start);
        if (end === -1) break;
        if (partBytes === 0 && end - start <= maxLineBytes) stopped = !onLine(chunk.subarray(start, end));
        else {
          hold(chunk.subarray(start, end));
          stopped = !takeHeld();
        }
        start = end + 1;
      }
      if (!stopped) hold(chunk.subarray(start));
      return !stopped;
    },
    rest: () => (tooLong ? Buffer.alloc(0) : held()),
  };
}

export type WatchLine =
  | {
      readonly kind: 'change';
      readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
      readonly object: unknown;
      readonly resourceVersion: string;
    }
  /** A change of a pod, read with the help of the memory. */
  | { readonly kind: 'pod'; readonly pod: PodLine; readonly resourceVersion: string }
  | { readonly kind: 'bookmark'; readonly resourceVersion: string }
  /** A Status object in the stream. */
  | { readonly kind: 'error'; readonly status: number; readonly message: string }
  /** `reason` quotes nothing of the line: it goes to the dead letters. */
  | { readonly kind: 'undecodable'; readonly reason: string }
  | { readonly kind: 'blank' };

/** Decodes one line of a watch, but for managedFields, which are null then; of a watch of pods with a memory. Never throws. */
export function decodeWatchLine(line: Buffer, pods?: PodMemory): WatchLine {
  const pod = pods && readPodLine(line, pods);
  if (pod !== undefined) return { kind: 'pod', pod, resourceVersion: pod.resourceVersion };
  const text = cutWatchLine(line);
  let event: { type?: unknown; object?: unknown } | null;
  try {
    event = JSON.parse(text);
  } catch {
    return text.trim() === '' ? { kind: 'blank' } : { kind: 'undecodable', reason: `watch line of ${line.length} bytes is not JSON` };
  }
  const object = event?.object;
  switch (event?.type) {
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED':
      return { kind: 'change', type: event.type, object, resourceVersion: resourceVersionOf(object) };
    case 'BOOKMARK':
      return { kind: 'bookmark', resourceVersion: resourceVersionOf(object) };
    case 'ERROR':
      return decodeStatus(object);
    default:
      return { kind: 'undecodable', reason: 'watch line is not a watch event' };
  }
}

/** '' if there is none. */
function resourceVersionOf(object: unknown): string {
  const version = (object as { metadata?: { resourceVersion?: unknown } | null } | null | undefined)?.metadata?.resourceVersion;
  return typeof version === 'string' ? version : '';
}

function decodeStatus(object: unknown): WatchLine {
  const { code, message } = (object ?? {}) as { code?: unknown; message?: unknown };
  return { kind: 'error', status: typeof code === 'number' ? code : 500, message: typeof message === 'string' ? message : 'ERROR event without a message' };
}
