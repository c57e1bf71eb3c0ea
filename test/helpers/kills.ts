/** How often, and at what moments, a test of kill -9 kills: random, from a seed that a failure prints. */
import { createRandom } from '../simulator/random.ts';
import type { FleetPlayer } from './fleet.ts';
import { type PodtrailProcess, preparePodtrail, type WaitingPodtrail, waitWhile } from './podtrail-process.ts';

/** The same seed gives the same moments, as far as real processes allow. */
export const SEED = Number(process.env['PODTRAIL_TEST_SEED'] ?? Date.now() % 1_000_000);
const GIVEN_KILLS = process.env['PODTRAIL_TEST_KILLS'];
const KILLS = Number(GIVEN_KILLS ?? 50);
/** Unless a number of kills is asked for, the killing ends after this long, but not before the least number of kills. */
const KILLING_MS = GIVEN_KILLS === undefined ? 35_000 : Number.POSITIVE_INFINITY;
const LEAST_KILLS = 7;
/** Longest time from the moment that was waited for to the kill, ms; most come soon after it. */
const MOST_DELAY_MS = 600;

export interface Killing {
  /** One of the cards at random, but each of them before any comes again: also a few kills hit everything. */
  draw<T>(cards: readonly T[]): T;
  /** A process that has loaded podtrail already, so that most of the time goes into what is to be killed. */
  start(args: readonly string[]): Promise<PodtrailProcess>;
  /** The next kill's number, from 1 on; undefined when it is enough. */
  next(): number | undefined;
  /** Plays on, on all players, for a random time after the moment that the process says this, and kills it. */
  killAfter(podtrail: PodtrailProcess, moment: RegExp): Promise<void>;
  /** Says how many there were. */
  describe(): string;
  end(): void;
}

export function startKilling(players: readonly FleetPlayer[]): Killing {
  const random = createRandom(SEED);
  const shares = new Map(players.map((player) => [player, Math.ceil(player.left() / KILLS)]));
  const waiting: WaitingPodtrail[] = [preparePodtrail(), preparePodtrail()];
  const startMs = performance.now();
  const seconds = (): number => Math.round((performance.now() - startMs) / 1_000);
  let kills = 0;
  const decks = new Map<readonly unknown[], unknown[]>();
  return {
    draw: <T>(cards: readonly T[]): T => {
      const left = decks.get(cards) ?? [];
      if (left.length === 0) left.push(...cards);
      decks.set(cards, left);
      return left.splice(random.int(0, left.length - 1), 1)[0] as T;
    },
    async start(args) {
      const next = waiting.shift() ?? preparePodtrail();
      await next.ready;
      waiting.push(preparePodtrail());
      return next.run(args);
    },
    next: () => (kills < KILLS && (kills < LEAST_KILLS || performance.now() - startMs < KILLING_MS) ? kills + 1 : undefined),
    async killAfter(podtrail, moment) {
      await waitWhile(`${moment}`, podtrail, () => moment.test(podtrail.output()));
      const delayMs = MOST_DELAY_MS * random.next() ** 2;
      await Promise.all(players.map((player) => player.play(shares.get(player) ?? 0, delayMs)));
      if (podtrail.hasExited()) throw new Error(`it ended by itself\n${podtrail.output()}`);
      podtrail.kill('SIGKILL');
      await podtrail.exited;
      kills++;
    },
    describe: () => `${kills} kills in ${seconds()} s`,
    end() {
      for (const spare of waiting) spare.discard();
    },
  };
}
