/**
 * The tables of a cluster's state: string key → immutable value, in buckets that are copied on the first write after a
 * snapshot. A snapshot is therefore an array of references, taken in one turn; the shell encodes it at leisure, and a bucket
 * whose map is the same object as in the last snapshot has not changed (design D4).
 */

/** A bucket as a snapshot sees it. Never written to again: a later write goes to a copy. */
export type Bucket<V> = ReadonlyMap<string, V>;

export interface Table<V> {
  readonly size: number;
  get(key: string): V | undefined;
  has(key: string): boolean;
  set(key: string, value: V): void;
  delete(key: string): boolean;
  /** Sorted by code unit, so the order is that of no history. Cached until a key comes or goes. */
  keys(): readonly string[];
  /** The keys in no order, and so without the cost of one: for what comes out the same in any. Deleting meanwhile is fine. */
  unsortedKeys(): IterableIterator<string>;
  /** In key order. */
  values(): IterableIterator<V>;
  /** The buckets as they are now; index is the position in the array. */
  snapshot(): readonly Bucket<V>[];
}

/** Keys a bucket holds on average before the table doubles its buckets: about 1 MiB of pods in a bucket. */
const KEYS_PER_BUCKET = 128;

/** FNV-1a, 32 bit (Fowler, Noll, Vo), of the key from a position on: spreads uids well and costs nothing. */
export function hashKey(key: string, from = 0): number {
  let hash = 0x811c9dc5;
  for (let i = from; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** Characters at the end of a key that choose its bucket: uids, which most keys end with, are random there. */
const SPREAD_CHARS = 12;

/** Of the end of the key alone: a key is looked up some ten times for a record. */
const spread = (key: string): number => hashKey(key, Math.max(0, key.length - SPREAD_CHARS));

const NO_KEYS: readonly string[] = [];

function sortedKeys(buckets: readonly Bucket<unknown>[]): readonly string[] {
  const keys: string[] = [];
  for (const bucket of buckets) for (const key of bucket.keys()) keys.push(key);
  return keys.length === 1 ? keys : keys.sort(byCodeUnit);
}

/** Creates an empty table, or one that holds `entries`. */
export function createTable<V>(entries: Iterable<readonly [string, V]> = []): Table<V> {
  let buckets: Map<string, V>[] = [new Map()];
  let shared: boolean[] = [false];
  let size = 0;
  let sorted: readonly string[] | undefined;

  // Most tables have one bucket, and hashing a key costs more than finding it there.
  const indexOf = (key: string): number => (buckets.length === 1 ? 0 : spread(key) & (buckets.length - 1));
  const writable = (index: number): Map<string, V> => {
    let bucket = buckets[index] as Map<string, V>;
    if (shared[index]) {
      bucket = new Map(bucket);
      buckets[index] = bucket;
      shared[index] = false;
    }
    return bucket;
  };
  const bucketOf = (key: string): Map<string, V> => buckets[indexOf(key)] as Map<string, V>;
  const grow = (): void => {
    const old = buckets;
    buckets = Array.from({ length: old.length * 2 }, () => new Map<string, V>());
    shared = buckets.map(() => false);
    for (const bucket of old) for (const [key, value] of bucket) bucketOf(key).set(key, value);
  };
  const table: Table<V> = {
    get size() {
      return size;
    },
    get: (key) => bucketOf(key).get(key),
    has: (key) => bucketOf(key).has(key),
    set(key, value) {
      const bucket = writable(indexOf(key));
      const before = bucket.size;
      bucket.set(key, value);
      if (bucket.size === before) return;
      sorted = undefined;
      if (++size > buckets.length * KEYS_PER_BUCKET) grow();
    },
    delete(key) {
      if (size === 0) return false;
      const index = indexOf(key);
      if (buckets[index]?.has(key) !== true) return false;
      writable(index).delete(key);
      size--;
      sorted = undefined;
      return true;
    },
    keys() {
      sorted ??= size === 0 ? NO_KEYS : sortedKeys(buckets);
      return sorted;
    },
    *unsortedKeys() {
      for (const bucket of buckets) yield* bucket.keys();
    },
    *values() {
      for (const key of table.keys()) {
        const value = bucketOf(key).get(key);
        if (value !== undefined) yield value;
      }
    },
    snapshot() {
      shared = buckets.map(() => true);
      return [...buckets];
    },
  };
  for (const [key, value] of entries) table.set(key, value);
  return table;
}

/** The order of every list the core makes: plain code units, the same under any locale. */
export function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** An index: key → set of ids, read in id order. Derived from tables, never in a checkpoint. */
export interface Index {
  add(key: string, id: string): void;
  remove(key: string, id: string): void;
  /** Sorted by code unit. */
  get(key: string): readonly string[];
}

/** Creates an empty index. */
export function createIndex(): Index {
  const sets = new Map<string, { readonly ids: Set<string>; sorted: readonly string[] | undefined }>();
  return {
    add(key, id) {
      const entry = sets.get(key);
      if (entry === undefined) sets.set(key, { ids: new Set([id]), sorted: undefined });
      else {
        entry.ids.add(id);
        entry.sorted = undefined;
      }
    },
    remove(key, id) {
      const entry = sets.get(key);
      if (entry === undefined) return;
      entry.ids.delete(id);
      entry.sorted = undefined;
      if (entry.ids.size === 0) sets.delete(key);
    },
    get(key) {
      const entry = sets.get(key);
      if (entry === undefined) return [];
      entry.sorted ??= [...entry.ids].sort(byCodeUnit);
      return entry.sorted;
    },
  };
}
