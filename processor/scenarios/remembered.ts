/**
 * Work that is done once. Rules are pure, so whatever they derive from the same view or the same text is the same: many rules ask for
 * the containers of one pod, and a message is mostly the one that was read a moment ago.
 */

/** What was derived from a view; `of` tells it from what a view inherits or was copied with. */
interface Derived<V, T> {
  readonly of: V;
  readonly value: T;
}

/**
 * A derivation from a view that is made once for each. A view is of one source at one moment, and what is derived lives in it: there is a
 * view for nearly every record, and a WeakMap entry each costs the garbage collector more than the derivation.
 */
export function oncePerView<V extends object, T extends object>(derive: (view: V) => T): (view: V) => T {
  const slot = Symbol('derived');
  return (view) => {
    const holder = view as { [slot]?: Derived<V, T> };
    const before = holder[slot];
    if (before?.of === view) return before.value;
    const value = derive(view);
    holder[slot] = { of: view, value };
    return value;
  };
}

/** Texts remembered by each reader; messages of the API have 1 KiB at most as a rule, so a few MiB in all. */
const TEXTS = 500;
/** Longer texts are read each time, so that what is remembered stays small. */
const LONGEST_TEXT = 2_000;

/** A reader of texts that remembers what it read last. `read` must depend on its texts alone. */
export function rememberTexts<A extends readonly string[], T extends object>(read: (...texts: A) => T): (...texts: A) => T {
  const known = new Map<string, T>();
  return (...texts) => {
    const key = texts.join('\n\0');
    const before = known.get(key);
    if (before !== undefined) return before;
    const result = read(...texts);
    if (key.length > LONGEST_TEXT) return result;
    if (known.size >= TEXTS) known.clear();
    known.set(key, result);
    return result;
  };
}
