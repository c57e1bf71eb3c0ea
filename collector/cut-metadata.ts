/** Takes managedFields, which nobody keeps and which are 40 % of a pod, out of an object's metadata before it is parsed. */
import { CLOSE_BRACE, CLOSE_BRACKET, COMMA, endOfValue, firstKey, isAt, nextKey, OPEN_BRACE, OPEN_BRACKET, QUOTE, STOP, valueAfter } from './json-bytes.ts';

export const METADATA = Buffer.from('"metadata"');
const MANAGED_FIELDS = Buffer.from('"managedFields"');

export type Range = readonly [start: number, end: number];

/** Adds what is to be taken out to `ranges`. Returns the offset behind the metadata. */
export function cutMetadata(line: Buffer, start: number, ranges: Range[]): number {
  if (line[start] !== OPEN_BRACE || line[start + 1] === CLOSE_BRACE) return endOfValue(line, start);
  let end = STOP;
  for (let key = firstKey(line, start); key !== STOP; key = nextKey(line, end)) {
    const value = valueAfter(line, key);
    if (value === STOP) return STOP;
    if (isAt(line, key, MANAGED_FIELDS)) {
      end = endOfManagedFields(line, value);
      if (end !== STOP) ranges.push([value, end]);
    } else end = endOfValue(line, value);
  }
  return line[end] === CLOSE_BRACE ? end + 1 : STOP;
}

/**
 * Offset behind the value of managedFields. The fields of FieldsV1 are objects in objects, without a list, so the first `]` ends it, and
 * finding a byte costs next to nothing. It does if no other list begins before it, and if it stands in no string: then the quote behind it
 * would end that string, and no letter may follow on a string. In doubt the value is looked through.
 */
export function endOfManagedFields(line: Buffer, start: number): number {
  const end = line.indexOf(CLOSE_BRACKET, start) + 1;
  const comma = line[end] === CLOSE_BRACE ? end + 1 : end;
  const isEnd = line[start] === OPEN_BRACKET && end > 0 && line[comma] === COMMA && line[comma + 1] === QUOTE && isLetter(line[comma + 2]);
  if (!isEnd) return endOfValue(line, start);
  const nested = line.indexOf(OPEN_BRACKET, start + 1);
  return nested === -1 || nested > end ? end : endOfValue(line, start);
}

function isLetter(byte = 0): boolean {
  return byte >= 0x61 && byte <= 0x7a;
}

/** The bytes from `start` on as text, up to `end`, with `null` in place of the ranges. */
export function without(line: Buffer, ranges: readonly Range[], from = 0, to = line.length): string {
  let text = '';
  let done = from;
  for (const [start, end] of ranges) {
    text += `${line.toString('utf8', done, start)}null`;
    done = end;
  }
  return text + line.toString('utf8', done, to);
}
