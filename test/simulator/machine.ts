/** A simulated process: whatever it does to the outside world goes through here, and here it dies. */
import type { Random } from './random.ts';
import type { VirtualTime } from './virtual-time.ts';

/** What may go wrong between a process and the service that it calls. */
export interface Trouble {
  /** Of calls that the service refuses. */
  readonly refused: number;
  /** Of calls that take effect without the caller hearing of it: the connection breaks. */
  readonly unanswered: number;
  /** Of calls that take long. */
  readonly slow: number;
}
export const NO_TROUBLE: Trouble = { refused: 0, unanswered: 0, slow: 0 };

export interface Call<T> {
  readonly effect: () => T;
  readonly trouble: Trouble;
  /** Errors as the client of the service would throw them. */
  readonly refusal: () => Error;
  readonly broken: () => Error;
}

export interface Machine {
  readonly name: string;
  readonly alive: boolean;
  /** Calls to a service: the request travels, takes effect, the answer travels. A dead machine hears no answer. */
  call<T>(call: Call<T>): Promise<T>;
  sleep(ms: number): Promise<void>;
  /** Dies at its next call but `calls`, before or after that takes effect, wherever it then stands. */
  dieAfter(calls: number): void;
  die(): void;
}

/** Settles never: the machine that waits for it is dead. */
const NEVER = new Promise<never>(() => {});
/** Latencies of a call, ms. */
const FAST = { min: 0.2, max: 20 };
const SLOW = { min: 1_000, max: 40_000 };

/** Creates a machine. `onDeath` is called once. */
export function createMachine(name: string, time: VirtualTime, random: Random, onDeath: () => void): Machine {
  let alive = true;
  let callsLeft = Number.POSITIVE_INFINITY;
  const die = (): void => {
    if (!alive) return;
    alive = false;
    onDeath();
  };
  const survive = async (ms: number): Promise<void> => {
    await time.sleep(ms);
    if (!alive) await NEVER;
  };
  const latency = ({ slow }: Trouble): number => {
    const { min, max } = random.chance(slow) ? SLOW : FAST;
    return min + random.next() ** 3 * (max - min);
  };
  /** The call in which it dies. */
  const lastCall = async (effect: () => unknown): Promise<never> => {
    if (random.chance(0.5)) {
      try {
        effect();
      } catch {
        // the service's own business: nobody is left to hear of it
      }
    }
    die();
    return NEVER;
  };
  return {
    name,
    get alive() {
      return alive;
    },
    async call({ effect, trouble, refusal, broken }) {
      if (!alive) return NEVER;
      await time.sleep(latency(trouble));
      // A request on its way arrives without its sender, too.
      if (!alive) return random.chance(0.5) ? lastCall(effect) : NEVER;
      if (callsLeft-- <= 0) return lastCall(effect);
      if (random.chance(trouble.refused)) {
        await survive(latency(trouble));
        throw refusal();
      }
      const value = effect();
      await survive(latency(trouble));
      if (random.chance(trouble.unanswered)) throw broken();
      return value;
    },
    sleep: survive,
    dieAfter(calls) {
      callsLeft = calls;
    },
    die,
  };
}
