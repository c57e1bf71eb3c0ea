/**
 * Decodes the records of a log as decodeChangeRecord does, for less: nearly every change of an object leaves its spec as it was, and that
 * is half of the bytes. A spec is read once; where its text comes again, the rest of the record is read and gets the spec of before. So
 * the versions of an object share one spec, which also tells at a glance that it has not changed.
 */
import type { DecodedRecord } from '../collector/change-record.ts';
import { decodeChangeRecord, readChangeRecord } from '../collector/change-record.ts';
import { createRecent, type Recent } from '../collector/recent.ts';

export type DecodeRecord = (bytes: Uint8Array) => DecodedRecord;

/** A spec, and the text that it was read from. */
interface KnownSpec {
  readonly text: string;
  readonly value: unknown;
}

/**
 * Specs kept at most, some 2 KiB each. Half of them are the changes of 100 s at an API server's churn limit (20 pods/s, SIG Scalability's
 * slos.md), and what comes again stays.
 */
const MAX_SPECS = 4_000;

const SPEC = ',"spec":';
const STATUS = ',"status":{';
/** Stands for the spec while the rest is read: nobody writes a negative zero, and JSON.stringify cannot. */
const MARK = '-0';

/** A decoder of one log. What it says of a record depends on that record alone: what it remembers saves work, and decides nothing. */
export function createRecordDecoder(maxSpecs = MAX_SPECS): DecodeRecord {
  const specs = createRecent<KnownSpec>(maxSpecs);
  return (bytes) => {
    const value = parseAround((Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)).toString('utf8'), specs);
    return value === undefined ? decodeChangeRecord(bytes) : readChangeRecord(value);
  };
}

/** The record in `text`; undefined of one that is not plainly of an object with a spec and a status after it, and of what is no JSON. */
function parseAround(text: string, specs: Recent<KnownSpec>): unknown {
  const start = text.indexOf(SPEC) + SPEC.length;
  const end = text.indexOf(STATUS, start);
  try {
    if (start < SPEC.length || end < 0) return JSON.parse(text);
    // A quote within a string is escaped, so the key is one; whose it is shows where the mark turns up.
    const value = JSON.parse(`${text.slice(0, start)}${MARK}${text.slice(end)}`);
    if (!Object.is(value.object?.spec, -0) || typeof value.uid !== 'string') return undefined;
    value.object.spec = readSpec(specs, value.uid, text.slice(start, end));
    return value;
  } catch {
    return undefined;
  }
}

/** The spec that this text says: that of the object before, if its text was the same. Throws where it is no JSON. */
function readSpec(specs: Recent<KnownSpec>, uid: string, text: string): unknown {
  const known = specs.recall(uid);
  if (known?.text === text) return known.value;
  const own = Buffer.from(text, 'utf8').toString('utf8'); // not a slice, which would keep the whole record
  const value: unknown = JSON.parse(own);
  specs.remember(uid, { text: own, value });
  return value;
}
