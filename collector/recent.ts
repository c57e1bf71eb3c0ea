/**
 * What came last, by key: in two halves, of which the older one goes when the younger one is full. Costs a look-up where an order of use
 * would cost two writes, on paths that every record takes.
 */
export interface Recent<V> {
  /** The last value of the key. What is asked for stays. */
  recall(key: string): V | undefined;
  remember(key: string, value: V): void;
}

/** Keeps `max` values at most, and at least the last half of that. */
export function createRecent<V>(max: number): Recent<V> {
  let young = new Map<string, V>();
  let old: ReadonlyMap<string, V> = young;
  const remember = (key: string, value: V): void => {
    if (young.size >= max / 2) {
      old = young;
      young = new Map();
    }
    young.set(key, value);
  };
  return {
    recall(key) {
      const recent = young.get(key);
      if (recent !== undefined) return recent;
      const value = old.get(key);
      if (value !== undefined) remember(key, value);
      return value;
    },
    remember,
  };
}
