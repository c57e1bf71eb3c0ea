import { compareResourceVersions } from './change-record.ts';

/**
 * What a run last sent, by uid: shared by the successive sessions of one (resource, scope), so that a relist can abbreviate and
 * a watch event that moved nothing we keep can be suppressed. Holds a resourceVersion and a fingerprint, never an object.
 */
export interface KnownObjects {
  size(): number;
  /** The very version this run saw last: nothing to project. */
  isSameVersion(uid: string, rv: string): boolean;
  /** The projection equals the one last sent. */
  isUnchanged(uid: string, rv: string, hash: string): boolean;
  /** The object went out with this fingerprint. */
  sent(uid: string, rv: string, hash: string): void;
  /** The next record of this uid goes out whole. */
  forget(uid: string): void;
  /**
   * Starts a snapshot of this version. What an unfinished one sent is forgotten: a reader discards it (design D5). If a higher version was
   * seen before, the cluster was restored from a backup, its versions count again, and nothing is known any more.
   */
  beginSnapshot(rv: string): void;
  /** The snapshot is whole: what it did not list exists no more and is forgotten. */
  endSnapshot(): void;
}

interface Entry {
  /** The newest version seen, sent or not. */
  rv: string;
  /** Fingerprint of the projection last sent. */
  hash: string;
  /** The snapshot in or after which it was seen last. */
  snapshot: number;
}

export function createKnownObjects(): KnownObjects {
  const entries = new Map<string, Entry>();
  let snapshot = 0;
  let sentInSnapshot: string[] | undefined;
  let newest = '';
  const pass = (rv: string): void => {
    if (compareResourceVersions(rv, newest) > 0) newest = rv;
  };
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
      pass(rv);
      return true;
    },
    sent(uid, rv, hash) {
      pass(rv);
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
    beginSnapshot(rv) {
      if (compareResourceVersions(rv, newest) < 0) entries.clear();
      newest = rv;
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
