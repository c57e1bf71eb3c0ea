/**
 * Finds its way in the bytes of JSON without parsing it, as API servers write it: without spaces. Checks as much of the syntax as it needs
 * to know where it is. As JSON is UTF-8, none of the bytes looked for is part of another character.
 */

export const QUOTE = 0x22;
export const COMMA = 0x2c;
const COLON = 0x3a;
export const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
export const CLOSE_BRACKET = 0x5d;
export const OPEN_BRACE = 0x7b;
export const CLOSE_BRACE = 0x7d;
/** Braces and brackets differ in this bit alone. */
const BRACKET_BIT = 0x20;

/** In place of an offset: there is none, or the line is not what it should be. */
export const STOP = -1;

/** Offset of the first key of the object that begins here; STOP if there is none. */
export function firstKey(line: Buffer, offset: number): number {
  return line[offset] === OPEN_BRACE && line[offset + 1] === QUOTE ? offset + 1 : STOP;
}

/** Offset of the key that follows on a value. */
export function nextKey(line: Buffer, end: number): number {
  return line[end] === COMMA && line[end + 1] === QUOTE ? end + 1 : STOP;
}

/** Offset of the value that belongs to a key. */
export function valueAfter(line: Buffer, key: number): number {
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
export function endOfValue(line: Buffer, offset: number): number {
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

export function isAt(line: Buffer, offset: number, bytes: Buffer): boolean {
  const { length } = bytes;
  if (offset + length > line.length) return false;
  if (length > SHORT_BYTES) return line.compare(bytes, 0, length, offset, offset + length) === 0;
  for (let index = 0; index < length; index += 1) if (line[offset + index] !== bytes[index]) return false;
  return true;
}
/** Up to here a loop is faster than a call out of JavaScript. */
const SHORT_BYTES = 32;
