/** One seed: a storm in which everything may fail, then quiet, then the oracles. */
import { consumedOf } from './consumed.ts';
import type { FaultPlan } from './faults.ts';
import { beginFaults, planFaults } from './faults.ts';
import {
  decoded,
  differingCheckpoints,
  differingTables,
  lastingBlindness,
  logOf,
  missingLetters,
  replayOf,
  unbalancedSessions,
  wrongEnd,
  wrongGaps,
} from './oracles.ts';
import type { Pipeline } from './pipeline.ts';
import { createPipeline, describeError, heal, RECOVER_RUNNING_MS } from './pipeline.ts';
import { createRandom } from './random.ts';
import type { VirtualTime } from './virtual-time.ts';
import { installVirtualTime } from './virtual-time.ts';

export interface Outcome {
  readonly seed: number;
  /** What went wrong in this seed on purpose, for the reader of a failure. */
  readonly faults: string;
  readonly records: number;
  /** What does not hold; empty if all is well. */
  readonly wrong: readonly string[];
}

const START_MS = Date.parse('2026-01-15T12:00:00Z');
/** Of the quiet, what the pipeline gets to catch up: longer than a half-open watch goes unnoticed, a dead process stays away, and a pause lasts. */
const CATCH_UP_MS = 4 * 60_000;
/** Longer than any incident takes to recover after that, by the rules of the simulation. */
const QUIET_MS = CATCH_UP_MS + RECOVER_RUNNING_MS + 90_000;
/** What is added when the rules of the simulation may be lost for a time: until they are told again, those by default hold. */
const DEFAULT_RULES_MS = 10 * 60_000;
/** Likewise where clocks were set back: collectors go on at half the pace until such a clock has caught up with them. */
const SLOW_CLOCK_MS = 10 * 60_000;
const STOP_MS = 5 * 60_000;

/** Runs one seed. `inspect` sees what is left of it, for whoever looks into a failure. */
export async function simulate(seed: number, inspect?: (pipeline: Pipeline, records: ReturnType<typeof logOf>) => void): Promise<Outcome> {
  const random = createRandom(seed);
  const time = installVirtualTime(START_MS, random.fork('time'));
  const plan = planFaults(random.fork('plan'));
  const faults = Object.entries(plan).flatMap(([kind, isOn]) => (isOn ? [kind] : []));
  const shape = {
    clusters: random.int(1, 2),
    collectorsEach: random.chance(0.25) ? 2 : 1,
    processors: random.int(1, 3),
    partitions: random.int(1, 2),
    paceMs: random.int(800, 4_000),
    // Where retention takes records away, only such a list makes whole again, and the quiet must see one.
    fullListMs: (plan.retention ? random.int(60, 200) : random.int(180, 720)) * 1_000,
  };
  try {
    const pipeline = createPipeline(time, random, shape);
    let isQuiet = false;
    beginFaults(plan, pipeline, time, random.fork('faults'), random.int(4_000, 25_000), () => isQuiet);
    await time.run(random.int(2, 6) * 60_000);
    isQuiet = true;
    heal(pipeline);
    for (const { world } of pipeline.clusters) world.settle();
    const caughtUpMs = pipeline.clusters.map(({ server }) => server.nowMs() + CATCH_UP_MS);
    await time.run(QUIET_MS + (plan.retention ? DEFAULT_RULES_MS : 0) + (plan.clocks ? SLOW_CLOCK_MS : 0));
    const ended = await stopAll(pipeline, time);
    const records = logOf(pipeline);
    inspect?.(pipeline, records);
    const wrong = [...pipeline.errors, ...ended, ...(await meanwhile(time, judge(pipeline, records, caughtUpMs, plan)))];
    return { seed, faults: `${JSON.stringify(shape)} ${faults.join(' ')}`, records: records.length, wrong };
  } catch (error) {
    return { seed, faults: faults.join(' '), records: 0, wrong: [`simulation failed: ${describeError(error)}`] };
  } finally {
    time.restore();
  }
}

/** Ends all roles in order. Names those that do not end. */
async function stopAll({ collectors, processors, broker }: Pipeline, time: VirtualTime): Promise<string[]> {
  const wrong: string[] = [];
  for (const [what, roles] of [['collectors', collectors] as const, ['processors', processors] as const]) {
    let left = roles.length;
    for (const role of roles)
      void role.stop().then(
        () => left--,
        () => left--,
      );
    await time.run(STOP_MS, () => left === 0 && (what === 'processors' || broker.isCaughtUp()));
    if (left > 0) wrong.push(`${left} ${what} do not stop`);
    if (what === 'collectors' && !broker.isCaughtUp()) wrong.push('the processors have not caught up');
  }
  return wrong;
}

/** Real code waits for simulated time to pass, here too. */
async function meanwhile<T>(time: VirtualTime, result: Promise<T>): Promise<T> {
  let isDone = false;
  const done = (): void => {
    isDone = true;
  };
  result.then(done, done);
  await time.run(60_000, () => isDone);
  return result;
}

async function judge(pipeline: Pipeline, records: ReturnType<typeof logOf>, quietMs: readonly number[], plan: FaultPlan): Promise<string[]> {
  const { store, clusters } = pipeline;
  const whole = replayOf(records);
  // Whatever it took away before anybody came to it is gone; of what is left nothing is.
  const consumed = plan.retention ? decoded(clusters.flatMap((cluster) => consumedOf(pipeline, cluster))) : records;
  const replay = plan.retention ? replayOf(consumed) : whole;
  return [
    ...differingTables(pipeline, replay, plan.retention),
    // Damage stays: a bucket that has not changed since is named again.
    ...(plan.damage ? [] : await differingCheckpoints(pipeline, replay)),
    ...unbalancedSessions(records, whole),
    ...missingLetters(pipeline, consumed),
    ...clusters.flatMap((cluster, i) => [
      ...wrongGaps(cluster, store),
      ...lastingBlindness(cluster, store, quietMs[i] ?? 0),
      ...wrongEnd(cluster, replay, store),
    ]),
  ];
}

export function describeOutcome({ seed, faults, wrong }: Outcome): string {
  const shown = wrong.slice(0, 8).map((each) => `\n  - ${each}`);
  return `seed ${seed} fails (npm run simulate -- --from ${seed}) with ${faults}:${shown.join('')}${wrong.length > 8 ? `\n  and ${wrong.length - 8} more` : ''}`;
}
