import { compareResourceVersions } from './change-record.ts';
import type { ProjectedObject } from './objects.ts';

/**
 * What a run last sent, by uid: shared by the successive sessions of one (resource, scope), so that a relist can abbreviate and
 * a watch event that moved nothing we keep can be suppressed. Holds a resourceVersion and a fingerprint, never an object.
 */
export interface KnownObjects {
  size(): number;
  /** The very version this run saw last: nothing to project. */
  isSameVersion(uid: string, rv: string): boolean;
  /** The projection equals the one last sent. */
  isUnchanged(uid: string, rv: string, hash: number): boolean;
  /** The object went out with this fingerprint. */
  sent(uid: string, rv: string, hash: number): void;
  /** The next record of this uid goes out whole. */
  forget(uid: string): void;
  /** Starts a snapshot. What an unfinished one sent is forgotten: a reader discards it (design D5). */
  beginSnapshot(): void;
  /** The snapshot is whole: what it did not list exists no more and is forgotten. */
  endSnapshot(): void;
}

interface Entry {
  /** The newest version seen, sent or not. */
  rv: string;
  /** Fingerprint of the projection last sent. */
  hash: number;
  /** The snapshot in or after which it was seen last. */
  snapshot: number;
}

export function createKnownObjects(): KnownObjects {
  const entries = new Map<string, Entry>();
  let snapshot = 0;
  let sentInSnapshot: string[] | undefined;
  return {
    size: () => entries.size,
    isSameVersion(uid, rv) {
      const entry = entries.get(uid);
      if (entry === undefined || entry.rv !== rv) return false;
      entry.snapshot = snapshot;
      return true;
    },
    isUnchanged(uid, rv, hash) {
      const entry = entries.get(uid);
      if (entry === undefined || entry.hash !== hash) return false;
      if (compareResourceVersions(rv, entry.rv) > 0) entry.rv = rv;
      entry.snapshot = snapshot;
      return true;
    },
    sent(uid, rv, hash) {
      const entry = entries.get(uid);
      sentInSnapshot?.push(uid);
      if (entry === undefined) entries.set(uid, { rv, hash, snapshot });
      // A stale copy, from another API server's cache: a reader may drop it, so nothing may be compared with it.
      else if (compareResourceVersions(rv, entry.rv) < 0) entries.delete(uid);
      else Object.assign(entry, { rv, hash, snapshot });
    },
    forget: (uid) => {
      entries.delete(uid);
    },
    beginSnapshot() {
      for (const uid of sentInSnapshot ?? []) entries.delete(uid);
      sentInSnapshot = [];
      snapshot += 1;
    },
    endSnapshot() {
      for (const [uid, entry] of entries) if (entry.snapshot !== snapshot) entries.delete(uid);
      sentInSnapshot = undefined;
    },
  };
}

/** A 53-bit hash of a projection, and an upper bound of the bytes of its JSON. */
export interface Fingerprint {
  readonly hash: number;
  readonly maxBytes: number;
}

interface Digest {
  high: number;
  low: number;
  bytes: number;
}

/**
 * Fingerprints a projection without its resourceVersion, in one walk and without building its JSON. Not cryptographic: the seed
 * (seedOf the run id) keeps collisions from being prepared. Two objects that differ only in the order of keys differ.
 */
export function fingerprint(object: ProjectedObject, seed: number): Fingerprint {
  const digest: Digest = { high: 0xdeadbeef ^ seed, low: 0x41c6ce57 ^ seed, bytes: 64 };
  for (const [key, value] of Object.entries(object)) {
    mixText(digest, key);
    if (key === 'metadata') mixObject(digest, value as object, 'resourceVersion');
    else mixValue(digest, value);
  }
  return { hash: finish(digest), maxBytes: digest.bytes + object.metadata.resourceVersion.length * BYTES_PER_CHARACTER };
}

/** A 32-bit seed from a text, the same for the same text. */
export function seedOf(text: string): number {
  const digest: Digest = { high: 0xdeadbeef, low: 0x41c6ce57, bytes: 0 };
  mixText(digest, text);
  return finish(digest) | 0;
}

/** `\u0000`, the longest escape in JSON; UTF-8 needs at most 3 bytes for a UTF-16 unit. */
const BYTES_PER_CHARACTER = 6;
/** The longest number in JSON, e.g. -1.2345678901234567e+100, and its comma. */
const BYTES_PER_SCALAR = 26;

const TAG = { text: 1, integer: 2, scalar: 3, array: 4, object: 5, end: 6 } as const;

function mixValue(digest: Digest, value: unknown): void {
  if (typeof value === 'string') mixText(digest, value);
  else if (Array.isArray(value)) mixArray(digest, value);
  else if (typeof value === 'object' && value !== null) mixObject(digest, value);
  else mixScalar(digest, value);
}

function mixArray(digest: Digest, items: readonly unknown[]): void {
  mixUnit(digest, TAG.array);
  digest.bytes += 3;
  for (const item of items) mixValue(digest, item);
  mixUnit(digest, TAG.end);
}

function mixObject(digest: Digest, object: object, without?: string): void {
  mixUnit(digest, TAG.object);
  digest.bytes += 3;
  for (const [key, value] of Object.entries(object)) {
    if (key === without) continue;
    mixText(digest, key);
    mixValue(digest, value);
  }
  mixUnit(digest, TAG.end);
}

function mixScalar(digest: Digest, value: unknown): void {
  digest.bytes += BYTES_PER_SCALAR;
  if (typeof value === 'number' && (value | 0) === value) {
    mixUnit(digest, TAG.integer);
    mixUnit(digest, value);
  } else {
    mixUnit(digest, TAG.scalar);
    mixText(digest, String(value));
  }
}

/** Two multiplicative lanes, after cyrb53 (bryc, public domain). */
function mixText(digest: Digest, text: string): void {
  let { high, low } = digest;
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    high = Math.imul(high ^ unit, 0x9e3779b1);
    low = Math.imul(low ^ unit, 0x5f356495);
  }
  digest.high = high;
  digest.low = low;
  digest.bytes += text.length * BYTES_PER_CHARACTER + 3;
  mixUnit(digest, TAG.text);
  mixUnit(digest, text.length);
}

function mixUnit(digest: Digest, unit: number): void {
  digest.high = Math.imul(digest.high ^ unit, 0x9e3779b1);
  digest.low = Math.imul(digest.low ^ unit, 0x5f356495);
}

function finish({ high, low }: Digest): number {
  const a = Math.imul(high ^ (high >>> 16), 0x85ebca6b) ^ Math.imul(low ^ (low >>> 13), 0xc2b2ae35);
  const b = Math.imul(low ^ (low >>> 16), 0x85ebca6b) ^ Math.imul(a ^ (a >>> 13), 0xc2b2ae35);
  return (b & 0x1fffff) * 0x1_0000_0000 + (a >>> 0);
}
