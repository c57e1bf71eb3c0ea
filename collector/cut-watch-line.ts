/**
 * Takes out of a watch line, before it is parsed, what need not be: managedFields, which nobody keeps and which are 40 % of a pod, and
 * the spec of a pod, which is nearly always known. Reads bytes: as JSON is UTF-8, none of those looked for is part of another
 * character. Checks as much of the syntax as it needs to know where it is, and leaves the rest to JSON.parse.
 */
import { cutMetadata, type MetadataCuts, METADATA, without } from './cut-metadata.ts';
import { endOfValue, firstKey, isAt, nextKey, OPEN_BRACE, STOP, valueAfter } from './json-bytes.ts';
import type { SpecMemory } from './spec-memory.ts';

export interface CutLine {
  /** The line with `null` in place of what was taken out. */
  readonly text: string;
  /** The bytes of `object.spec`, an object by its braces, if it was taken out: as the memory keeps them, so the same ones as long as they are equal. */
  readonly spec: Buffer | undefined;
}

const OBJECT = Buffer.from('"object"');
const SPEC = Buffer.from('"spec"');
/**
 * Cuts a line; the spec only with `specs`. One that is not written as API servers write theirs, without spaces, comes back as it is. If a
 * key is there twice, the first one is cut, and JSON.parse takes the last one: an `object.spec` that is not null then is the one to take.
 */
export function cutWatchLine(line: Buffer, specs?: SpecMemory): CutLine {
  const cuts: Cuts = { ranges: [], uid: '', spec: undefined };
  cutObject(line, findObject(line), specs, cuts);
  return { text: without(line, cuts.ranges), spec: cuts.spec };
}

interface Cuts extends MetadataCuts {
  spec: Buffer | undefined;
}

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
