/**
 * Takes managedFields out of a watch line before it is parsed. Reads bytes, checks as much of the syntax as it needs to know where it is,
 * and leaves the rest to JSON.parse.
 */
import { cutMetadata, METADATA, type Range, without } from './cut-metadata.ts';
import { endOfValue, firstKey, isAt, nextKey, STOP, valueAfter } from './json-bytes.ts';

const OBJECT = Buffer.from('"object"');

/**
 * The line with `null` in place of managedFields. One that is not written as API servers write theirs, without spaces, comes back as it is.
 * If a key is there twice, the first one is cut, and JSON.parse takes the last one.
 */
export function cutWatchLine(line: Buffer): string {
  const ranges: Range[] = [];
  const object = findValue(line, 0, OBJECT);
  const metadata = object === STOP ? STOP : findValue(line, object, METADATA);
  if (metadata !== STOP) cutMetadata(line, metadata, ranges);
  return without(line, ranges);
}

/** Offset of the value of this key in the object that begins at `start`. */
function findValue(line: Buffer, start: number, name: Buffer): number {
  for (let key = firstKey(line, start); key !== STOP; ) {
    const value = valueAfter(line, key);
    if (value === STOP || isAt(line, key, name)) return value;
    key = nextKey(line, endOfValue(line, value));
  }
  return STOP;
}
