/**
 * Reads the watch line of a pod in the very form in which API servers write it, and takes metadata and spec from memory where their bytes
 * are those that came last. A line in any other form is left to JSON.parse, and so is one in which a piece turns out to be no JSON: of one
 * that is read here every piece but managedFields was parsed, now or when it came first, so the pieces are where JSON.parse would find them.
 */
import { endOfManagedFields } from './cut-metadata.ts';
import { CLOSE_BRACE, COMMA, endOfValue, firstKey, isAt, nextKey, OPEN_BRACE, QUOTE, STOP, valueAfter } from './json-bytes.ts';
import type { KnownMetadata, KnownSpec, PodMemory } from './pod-memory.ts';
import { isRaw, type Raw } from './project-fields.ts';
import { type PodParts, readPodMetadata, readPodSpec, readPodStatus } from './rendered-object.ts';

export interface PodLine extends PodParts {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
}

const HEADS = (['MODIFIED', 'ADDED', 'DELETED'] as const).map((type) => ({
  type,
  bytes: Buffer.from(`{"type":"${type}","object":{"kind":"Pod","apiVersion":"v1","metadata":`),
}));
const SPEC = Buffer.from(',"spec":');
const STATUS = Buffer.from(',"status":');
const END = Buffer.from('}}');

/** Undefined for anything else than a line as described. Never throws. */
export function readPodLine(line: Buffer, memory: PodMemory): PodLine | undefined {
  const head = HEADS.find(({ bytes }) => isAt(line, 0, bytes));
  if (head === undefined) return undefined;
  const start = head.bytes.length;
  const uid = findUid(line, start);
  if (uid === '') return undefined;
  const pod = memory.recall(uid);
  const metadata = recallMetadata(line, start, pod?.metadata) ?? readMetadata(line, start);
  if (metadata === undefined || !isAt(line, metadata.end, SPEC)) return undefined;
  const specStart = metadata.end + SPEC.length;
  const spec = pod !== undefined && isAt(line, specStart, pod.spec.bytes) ? pod.spec : readSpec(line, specStart);
  if (spec === undefined) return undefined;
  const statusStart = specStart + spec.bytes.length;
  if (!isAt(line, statusStart, STATUS) || !isAt(line, line.length - END.length, END)) return undefined;
  const status = readPodStatus(parse(line.toString('utf8', statusStart + STATUS.length, line.length - END.length)));
  if (status === undefined) return undefined;
  const { known, resourceVersion } = metadata;
  if (known !== pod?.metadata || spec !== pod.spec) memory.remember(uid, { metadata: known, spec });
  return { type: head.type, metadata: known.rendered, resourceVersion, spec: spec.rendered, status };
}

interface FoundMetadata {
  readonly known: KnownMetadata;
  readonly resourceVersion: string;
  /** Offset behind it. */
  readonly end: number;
}

const UID = Buffer.from('"uid"');
const RESOURCE_VERSION = Buffer.from('"resourceVersion"');
const MANAGED_FIELDS = Buffer.from('"managedFields"');
/** As ObjectMeta has them; each is there once at most, so that none is found twice, however it is written. */
const KEYS = [
  ...['name', 'generateName', 'namespace', 'selfLink'].map((name) => Buffer.from(`"${name}"`)),
  UID,
  RESOURCE_VERSION,
  ...['generation', 'creationTimestamp', 'deletionTimestamp', 'deletionGracePeriodSeconds', 'labels', 'annotations', 'ownerReferences', 'finalizers'].map(
    (name) => Buffer.from(`"${name}"`),
  ),
];
/** A UUID in its quotes is shorter. */
const MAX_UID_BYTES = 128;

/** As it is written; '' if the metadata has none, or not where it should be. */
function findUid(line: Buffer, start: number): string {
  for (let key = firstKey(line, start), at = 0; key !== STOP; at += 1) {
    at = indexOfKey(line, key, at);
    const value = valueAfter(line, key);
    const end = value === STOP ? STOP : endOfValue(line, value);
    if (at === STOP || end === STOP) return '';
    if (KEYS[at] === UID) return end - value <= MAX_UID_BYTES ? line.toString('latin1', value, end) : '';
    key = nextKey(line, end);
  }
  return '';
}

/** Which of the keys from `from` on this is; STOP if it is none of them. */
function indexOfKey(line: Buffer, key: number, from: number): number {
  for (let at = from; at < KEYS.length; at += 1) if (isAt(line, key, KEYS[at] as Buffer)) return at;
  return STOP;
}

function recallMetadata(line: Buffer, start: number, known: KnownMetadata | undefined): FoundMetadata | undefined {
  if (known === undefined || !isAt(line, start, known.before)) return undefined;
  const version = start + known.before.length;
  const afterVersion = endOfDigits(line, version);
  if (afterVersion === STOP || !isAt(line, afterVersion, known.after)) return undefined;
  const end = endOfMetadata(line, afterVersion + known.after.length);
  return end === STOP ? undefined : { known, resourceVersion: line.toString('latin1', version, afterVersion), end };
}

function readMetadata(line: Buffer, start: number): FoundMetadata | undefined {
  let version = STOP;
  let last = start;
  for (let key = firstKey(line, start), at = 0; key !== STOP && !isAt(line, key, MANAGED_FIELDS); at += 1) {
    at = indexOfKey(line, key, at);
    const value = valueAfter(line, key);
    last = value === STOP ? STOP : endOfValue(line, value);
    if (at === STOP || last === STOP) return undefined;
    if (KEYS[at] === RESOURCE_VERSION && line[value] === QUOTE) version = value + 1;
    key = nextKey(line, last);
  }
  const afterVersion = version === STOP ? STOP : endOfDigits(line, version);
  const end = afterVersion === STOP ? STOP : endOfMetadata(line, last);
  if (end === STOP) return undefined;
  const [before, after] = [Buffer.from(line.subarray(start, version)), Buffer.from(line.subarray(afterVersion, last))];
  const resourceVersion = line.toString('latin1', version, afterVersion);
  const rendered = readPodMetadata(parse(`${before}${resourceVersion}${after}}`));
  return rendered && { known: { before, after, rendered }, resourceVersion, end };
}

/** Digits of a resourceVersion: it has 128 bits at most (KEP-5504). */
const MAX_DIGITS = 39;

/** Offset of the quote that ends a string of digits. */
function endOfDigits(line: Buffer, start: number): number {
  let at = start;
  while (isDigit(line[at])) at += 1;
  return at > start && at - start <= MAX_DIGITS && line[at] === QUOTE ? at : STOP;
}

function isDigit(byte = 0): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

/** Offset behind the metadata, of which nothing is left, or managedFields. */
function endOfMetadata(line: Buffer, offset: number): number {
  let at = offset;
  if (line[at] === COMMA && isAt(line, at + 1, MANAGED_FIELDS)) {
    const value = valueAfter(line, at + 1);
    at = value === STOP ? STOP : endOfManagedFields(line, value);
  }
  return line[at] === CLOSE_BRACE ? at + 1 : STOP;
}

function readSpec(line: Buffer, start: number): KnownSpec | undefined {
  const end = line[start] === OPEN_BRACE ? endOfValue(line, start) : STOP;
  if (end === STOP) return undefined;
  const bytes = Buffer.from(line.subarray(start, end));
  const rendered = readPodSpec(parse(String(bytes)));
  return rendered && { bytes, rendered };
}

/** Undefined if it is no JSON object. */
function parse(text: string): Raw | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isRaw(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
