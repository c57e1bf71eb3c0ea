/**
 * Takes out of a watch line, before it is parsed, what need not be: managedFields, which nobody keeps and which are 40 % of a pod, and
 * the spec of a pod, which is nearly always known. Reads bytes: as JSON is UTF-8, none of those looked for is part of another
 * character. Checks as much of the syntax as it needs to know where it is, and leaves the rest to JSON.parse.
 */

export interface CutLine {
  /** The line with `null` in place of what was taken out. */
  readonly text: string;
  /** The bytes of `object.spec`, an object by its braces, if it was taken out. They are those of the line. */
  readonly spec: Buffer | undefined;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
/** Braces and brackets differ in this bit alone. */
const BRACKET_BIT = 0x20;

const OBJECT = Buffer.from('"object"');
const METADATA = Buffer.from('"metadata"');
const SPEC = Buffer.from('"spec"');
const MANAGED_FIELDS = Buffer.from('"managedFields"');

/**
 * Cuts a line. One that is not written as API servers write theirs, without spaces, comes back as it is. If a key is there twice, the
 * first one is cut, and JSON.parse takes the last one: an `object.spec` that is not null then is the one to take.
 */
export function cutWatchLine(line: Buffer, cutSpec: boolean): CutLine {
  const ranges: Range[] = [];
  let spec: Buffer | undefined;
  let left = cutSpec ? 2 : 1;
  const visitMetadata: Member = (key, start) => {
    const end = endOfValue(line, start);
    if (end !== STOP && isAt(line, key, MANAGED_FIELDS)) ranges.push([start, end]);
    return end;
  };
  const visitObject: Member = (key, start) => {
    const isObject = line[start] === OPEN_BRACE;
    const isMetadata = isAt(line, key, METADATA);
    const end = isMetadata && isObject ? eachMember(line, start, visitMetadata) : endOfValue(line, start);
    if (end === STOP) return STOP;
    const isSpec = cutSpec && isAt(line, key, SPEC);
    if (isSpec && isObject) {
      spec = line.subarray(start, end);
      ranges.push([start, end]);
    }
    if (isMetadata || isSpec) left -= 1;
    return left === 0 ? STOP : end;
  };
  eachMember(line, 0, (key, start) => {
    if (!isAt(line, key, OBJECT)) return endOfValue(line, start);
    eachMember(line, start, visitObject);
    return STOP;
  });
  return { text: without(line, ranges), spec };
}

type Range = readonly [start: number, end: number];

/** In place of an offset: do not go on. Nothing after it is known. */
const STOP = -1;

/** Gets the offset of a key, with its quotes, and that of its value; returns the offset behind the value. */
type Member = (key: number, value: number) => number;

/** Visits the members of the object at `offset`. Returns the offset behind it. */
function eachMember(line: Buffer, offset: number, visit: Member): number {
  if (line[offset] !== OPEN_BRACE) return STOP;
  if (line[offset + 1] === CLOSE_BRACE) return offset + 2;
  let at = offset + 1;
  for (;;) {
    if (line[at] !== QUOTE) return STOP;
    const keyEnd = endOfString(line, at);
    if (keyEnd === STOP || line[keyEnd] !== COLON) return STOP;
    const end = visit(at, keyEnd + 1);
    if (end === STOP) return STOP;
    if (line[end] === CLOSE_BRACE) return end + 1;
    if (line[end] !== COMMA) return STOP;
    at = end + 1;
  }
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

function isAt(line: Buffer, offset: number, text: Buffer): boolean {
  for (let index = 0; index < text.length; index += 1) if (line[offset + index] !== text[index]) return false;
  return true;
}

function without(line: Buffer, ranges: readonly Range[]): string {
  let text = '';
  let done = 0;
  for (const [start, end] of ranges) {
    text += `${line.toString('utf8', done, start)}null`;
    done = end;
  }
  return text + line.toString('utf8', done);
}
