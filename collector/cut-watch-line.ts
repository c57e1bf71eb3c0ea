/**
 * Takes out of a watch line, before it is parsed, what need not be: managedFields, which nobody keeps and which are 40 % of a pod, and
 * the spec of a pod, which is nearly always known. Reads bytes: as JSON is UTF-8, none of those looked for is part of another
 * character. Checks as much of the syntax as it needs to know where it is, and leaves the rest to JSON.parse.
 */
import type { SpecMemory } from './spec-memory.ts';

export interface CutLine {
  /** The line with `null` in place of what was taken out. */
  readonly text: string;
  /** The bytes of `object.spec`, an object by its braces, if it was taken out: as the memory keeps them, so the same ones as long as they are equal. */
  readonly spec: Buffer | undefined;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
/** Braces and brackets differ in this bit alone. */
const BRACKET_BIT = 0x20;

const OBJECT = Buffer.from('"object"');
const METADATA = Buffer.from('"metadata"');
const SPEC = Buffer.from('"spec"');
const MANAGED_FIELDS = Buffer.from('"managedFields"');
const UID = Buffer.from('"uid"');
/** Longest uid that a spec is remembered by, bytes: a UUID has 36. */
const MAX_UID = 128;

/**
 * Cuts a line; the spec only with `specs`. One that is not written as API servers write theirs, without spaces, comes back as it is. If a
 * key is there twice, the first one is cut, and JSON.parse takes the last one: an `object.spec` that is not null then is the one to take.
 */
export function cutWatchLine(line: Buffer, specs?: SpecMemory): CutLine {
  const cuts: Cuts = { ranges: [], uid: '', spec: undefined };
  cutObject(line, findObject(line), specs, cuts);
  return { text: without(line, cuts.ranges), spec: cuts.spec };
}

type Range = readonly [start: number, end: number];

interface Cuts {
  readonly ranges: Range[];
  /** metadata.uid as it is written, '' before it came. */
  uid: string;
  spec: Buffer | undefined;
}

/** In place of an offset: there is none, or the line is not what it should be. */
const STOP = -1;

function findObject(line: Buffer): number {
  for (let key = firstKey(line, 0); key !== STOP; ) {
    const value = valueAfter(line, key);
    if (value === STOP || isAt(line, key, OBJECT)) return value;
    key = nextKey(line, endOfValue(line, value));
  }
  return STOP;
}

function cutObject(line: Buffer, start: number, specs: SpecMemory | undefined, cuts: Cuts): void {
  let left = specs === undefined ? 1 : 2;
  for (let key = firstKey(line, start); key !== STOP && left > 0; ) {
    const value = valueAfter(line, key);
    if (value === STOP) return;
    let end: number;
    if (isAt(line, key, METADATA)) {
      end = cutMetadata(line, value, cuts);
      left -= 1;
    } else if (specs !== undefined && isAt(line, key, SPEC)) {
      end = cutSpec(line, value, specs, cuts);
      left -= 1;
    } else end = endOfValue(line, value);
    key = nextKey(line, end);
  }
}

/** Returns the offset behind the metadata. */
function cutMetadata(line: Buffer, start: number, cuts: Cuts): number {
  if (line[start] !== OPEN_BRACE || line[start + 1] === CLOSE_BRACE) return endOfValue(line, start);
  let end = STOP;
  for (let key = firstKey(line, start); key !== STOP; key = nextKey(line, end)) {
    const value = valueAfter(line, key);
    if (value === STOP) return STOP;
    if (isAt(line, key, MANAGED_FIELDS)) {
      end = endOfManagedFields(line, value);
      if (end !== STOP) cuts.ranges.push([value, end]);
    } else {
      end = endOfValue(line, value);
      if (isAt(line, key, UID) && end - value <= MAX_UID) cuts.uid = line.toString('latin1', value, end);
    }
  }
  return line[end] === CLOSE_BRACE ? end + 1 : STOP;
}

/** Returns the offset behind the spec: where the known one ends, if the bytes are the same, as that is a whole value. */
function cutSpec(line: Buffer, start: number, specs: SpecMemory, cuts: Cuts): number {
  if (line[start] !== OPEN_BRACE) return endOfValue(line, start);
  const known = specs.recall(cuts.uid);
  const isKnown = known !== undefined && isAt(line, start, known);
  const end = isKnown ? start + known.length : endOfValue(line, start);
  if (end === STOP) return STOP;
  cuts.spec = isKnown ? known : specs.remember(cuts.uid, line.subarray(start, end));
  cuts.ranges.push([start, end]);
  return end;
}

/**
 * The fields of FieldsV1 are objects in objects, without a list, so the first `]` ends managedFields, and finding a byte costs next to
 * nothing. It does if no other list begins before it, and if it stands in no string: then the quote behind it would end that string, and
 * no letter may follow on a string. In doubt the value is looked through.
 */
function endOfManagedFields(line: Buffer, start: number): number {
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

/** Offset of the first key of the object that begins here; STOP if there is none. */
function firstKey(line: Buffer, offset: number): number {
  return line[offset] === OPEN_BRACE && line[offset + 1] === QUOTE ? offset + 1 : STOP;
}

/** Offset of the key that follows on a value. */
function nextKey(line: Buffer, end: number): number {
  return line[end] === COMMA && line[end + 1] === QUOTE ? end + 1 : STOP;
}

/** Offset of the value that belongs to a key. */
function valueAfter(line: Buffer, key: number): number {
  const end = endOfString(line, key);
  return end !== STOP && line[end] === COLON ? end + 1 : STOP;
}

function endOfString(line: Buffer, offset: number): number {
  const { length } = line;
  for (let at = offset + 1; at < length; at += 1) {
    const byte = line[at];
    if (byte === QUOTE) return at + 1;
    if (byte === BACKSLASH) at += 1;
  }
  return STOP;
}

/** Strings and brackets are looked through, anything else ends at the next comma or bracket. */
function endOfValue(line: Buffer, offset: number): number {
  const { length } = line;
  let depth = 0;
  for (let at = offset; at < length; ) {
    const byte = line[at] as number;
    if (byte === QUOTE) {
      at = endOfString(line, at);
      if (at === STOP || depth === 0) return at;
      continue;
    }
    const folded = byte | BRACKET_BIT;
    if (folded === OPEN_BRACE) depth += 1;
    else if (folded === CLOSE_BRACE) {
      depth -= 1;
      if (depth === 0) return at + 1;
      if (depth < 0) return at;
    } else if (byte === COMMA && depth === 0) return at;
    at += 1;
  }
  return STOP;
}

function isAt(line: Buffer, offset: number, bytes: Buffer): boolean {
  const { length } = bytes;
  if (offset + length > line.length) return false;
  if (length > SHORT_BYTES) return line.compare(bytes, 0, length, offset, offset + length) === 0;
  for (let index = 0; index < length; index += 1) if (line[offset + index] !== bytes[index]) return false;
  return true;
}
/** Up to here a loop is faster than a call out of JavaScript. */
const SHORT_BYTES = 32;

function without(line: Buffer, ranges: readonly Range[]): string {
  let text = '';
  let done = 0;
  for (const [start, end] of ranges) {
    text += `${line.toString('utf8', done, start)}null`;
    done = end;
  }
  return text + line.toString('utf8', done);
}
