/**
 * Timers on stream time. A timer is a key and a due time in a table (so checkpoints carry it); the heap over it is derived.
 * Setting a key again moves it. They fire in (due, key) order (design D2).
 */
import type { Table } from './tables.ts';
import { byCodeUnit } from './tables.ts';

export interface Timers {
  /** Sets or moves the timer. */
  set(key: string, dueTimeMs: number): void;
  cancel(key: string): void;
  due(key: string): number | undefined;
  /** False: no timer is due at or before `nowMs`. */
  mayBeDue(nowMs: number): boolean;
  /** Removes and returns the first timer due at or before `nowMs`, or undefined. */
  take(nowMs: number): { readonly key: string; readonly dueTimeMs: number } | undefined;
}

interface Entry {
  readonly dueTimeMs: number;
  readonly key: string;
}
const before = (a: Entry, b: Entry): boolean => (a.dueTimeMs !== b.dueTimeMs ? a.dueTimeMs < b.dueTimeMs : byCodeUnit(a.key, b.key) < 0);

/** Timers over `table` (key → due), which may already hold some. */
export function createTimers(table: Table<number>): Timers {
  const heap: Entry[] = [];
  const push = (entry: Entry): void => {
    let at = heap.push(entry) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (before(heap[parent] as Entry, entry)) break;
      heap[at] = heap[parent] as Entry;
      at = parent;
    }
    heap[at] = entry;
  };
  const pop = (): void => {
    const last = heap.pop() as Entry;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1] as Entry, heap[child] as Entry)) child++;
      if (before(last, heap[child] as Entry)) break;
      heap[at] = heap[child] as Entry;
      at = child;
    }
    heap[at] = last;
  };
  for (const key of table.keys()) push({ key, dueTimeMs: table.get(key) as number });
  return {
    set(key, dueTimeMs) {
      if (table.get(key) === dueTimeMs) return;
      table.set(key, dueTimeMs);
      push({ key, dueTimeMs });
    },
    cancel: (key) => void table.delete(key),
    due: (key) => table.get(key),
    mayBeDue: (nowMs) => (heap[0]?.dueTimeMs ?? Number.POSITIVE_INFINITY) <= nowMs,
    take(nowMs) {
      for (let top = heap[0]; top !== undefined && top.dueTimeMs <= nowMs; top = heap[0]) {
        pop();
        if (table.get(top.key) !== top.dueTimeMs) continue; // moved or cancelled since
        table.delete(top.key);
        return top;
      }
      return undefined;
    },
  };
}
