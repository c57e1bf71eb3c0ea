/** Random numbers that a seed decides, and what the simulator asks of them. */
export interface Random {
  /** In [0, 1). */
  next(): number;
  chance(probability: number): boolean;
  /** In [from, to). */
  between(from: number, to: number): number;
  /** Whole, in [from, to]. */
  int(from: number, to: number): number;
  pick<T>(from: readonly T[]): T;
  /** A stream of its own: what it is asked changes nothing for the others. */
  fork(name: string): Random;
}

/** Creates the stream of a seed. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  // mulberry32: one word of state, and good enough to shuffle with.
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  const between = (from: number, to: number): number => from + next() * (to - from);
  return {
    next,
    chance: (probability) => next() < probability,
    between,
    int: (from, to) => Math.floor(between(from, to + 1)),
    pick: (from) => from[Math.floor(next() * from.length)] as (typeof from)[number],
    fork(name) {
      let hash = (seed ^ 0x811c9dc5) >>> 0;
      for (let at = 0; at < name.length; at++) hash = Math.imul(hash ^ name.charCodeAt(at), 0x01000193) >>> 0;
      return createRandom(hash);
    },
  };
}
