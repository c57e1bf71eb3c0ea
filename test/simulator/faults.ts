/** What goes wrong while a seed runs: which kinds of trouble there are, how bad, and when. */
import type { ApiServer } from './api-server.ts';
import { HEALTHY } from './api-server.ts';
import { BROKER_WELL } from './broker.ts';
import { NO_TROUBLE } from './machine.ts';
import type { Pipeline, Role } from './pipeline.ts';
import type { Random } from './random.ts';
import type { VirtualTime } from './virtual-time.ts';
import { WORLD_RESOURCES } from './world.ts';

/** Kinds of trouble. A seed has some of them and not others: all at once would hide what each one brings to light. */
export interface FaultPlan {
  readonly collectorCrashes: boolean;
  readonly processorCrashes: boolean;
  readonly api: boolean;
  readonly watches: boolean;
  readonly log: boolean;
  readonly store: boolean;
  readonly rebalances: boolean;
  /** Chunks of checkpoints are lost. */
  readonly damage: boolean;
  /** The log's retention overtakes the processors. */
  readonly retention: boolean;
  /** Roles are stopped in order, and started again. */
  readonly restarts: boolean;
  /** Objects that no client can read. */
  readonly malformed: boolean;
  /** RBAC refuses a resource for a while. */
  readonly rbac: boolean;
  /** An API server's etcd is restored from a backup. */
  readonly restore: boolean;
  /** Clocks of API servers are set, or differ among the servers of a cluster. */
  readonly clocks: boolean;
}

/** Those that a stream of random numbers of their own decides: a seed without them is what it was before there were any. */
const RARER = ['restarts', 'malformed', 'rbac', 'restore', 'clocks'] as const satisfies readonly (keyof FaultPlan)[];

export function planFaults(random: Random): FaultPlan {
  const half = (): boolean => random.chance(0.5);
  const loss = random.next();
  const more = random.fork('more-faults');
  const rarer = more.chance(0.5);
  const third = (): boolean => rarer && more.chance(0.35);
  const restarts = third();
  const malformed = third();
  const rbac = third();
  const restore = third();
  return {
    collectorCrashes: half(),
    processorCrashes: half(),
    api: half(),
    watches: half(),
    log: half(),
    store: half(),
    rebalances: half(),
    // Not both: when every checkpoint is lost and the records before are gone too, nothing is left that could tell since when.
    damage: loss < 0.15,
    retention: loss >= 0.9,
    restarts,
    malformed,
    rbac,
    restore,
    // Not together: a restored backup and a clock that is set back can leave a deleted object, or two rows of one change (CONTRIBUTING.md).
    clocks: third() && !restore,
  };
}

type Fault = (pipeline: Pipeline, random: Random, time: VirtualTime) => void;

const level = (random: Random): number => random.pick([0, 0, 0.05, 0.3]);
const someTrouble = (random: Random) => ({ refused: level(random), unanswered: level(random), slow: level(random) / 2 });
const serverOf = ({ clusters }: Pipeline, random: Random) => random.pick(clusters).server;

function kill(roles: readonly Role[], random: Random): void {
  const machine = random.pick(roles).machine();
  if (random.chance(0.5)) machine.die();
  else machine.dieAfter(random.int(0, 40));
}

/** Longest way that a clock is set from where it was at first, ms. */
const CLOCK_OFF_MS = 60_000;
/** Of these a backup was taken: one each, or what is lost with it would be caught up with. */
const backedUp = new WeakSet<ApiServer>();

const FAULTS: { readonly [K in keyof FaultPlan]: readonly Fault[] } = {
  collectorCrashes: [({ collectors }, random) => kill(collectors, random)],
  processorCrashes: [({ processors }, random) => kill(processors, random), ({ processors }, random) => kill(processors, random)],
  api: [
    (pipeline, random) => {
      const server = serverOf(pipeline, random);
      const { restoring, forbidden, clocksOff } = server.trouble;
      server.trouble = { ...HEALTHY, ...someTrouble(random), expired: level(random), restoring, forbidden, clocksOff };
    },
    (pipeline, random, time) => {
      const server = serverOf(pipeline, random);
      server.trouble = { ...server.trouble, down: true };
      server.breakWatches();
      time.after(random.between(1_000, 120_000), () => {
        server.trouble = { ...server.trouble, down: false };
      });
    },
  ],
  watches: [
    (pipeline, random) => serverOf(pipeline, random).breakWatches(),
    (pipeline, random) => serverOf(pipeline, random).silenceWatches(),
    (pipeline, random) => serverOf(pipeline, random).compact(),
    (pipeline, random) => {
      const server = serverOf(pipeline, random);
      server.compact();
      server.breakWatches();
    },
    (pipeline, random) => {
      const server = serverOf(pipeline, random);
      server.trouble = { ...server.trouble, halfOpen: level(random) };
    },
  ],
  log: [
    ({ broker }, random) => {
      broker.trouble = { ...BROKER_WELL, ...someTrouble(random), echoed: level(random), repeated: level(random) };
    },
    ({ broker }) => {
      broker.trouble = BROKER_WELL;
    },
  ],
  store: [
    ({ store }, random) => {
      store.trouble = someTrouble(random);
    },
    ({ store }) => {
      store.trouble = NO_TROUBLE;
    },
  ],
  rebalances: [({ broker }) => broker.rebalance()],
  damage: [
    ({ store, processors }, random) => {
      store.damage();
      kill(processors, random);
    },
  ],
  retention: [
    ({ broker, processors, clusters }, random) => {
      for (const role of processors) role.machine().die();
      const partition = broker.partitionOf(random.pick(clusters).ref.uid);
      const [earliest, end] = [Number(broker.earliest(partition)), broker.records(partition).length];
      broker.trim(partition, BigInt(random.int(earliest, end)));
    },
  ],
  clocks: [
    (pipeline, random) => serverOf(pipeline, random).setClock(random.int(-CLOCK_OFF_MS, CLOCK_OFF_MS)),
    (pipeline, random) => {
      serverOf(pipeline, random).spreadClocks(random.pick([[], [0, random.int(-CLOCK_OFF_MS, CLOCK_OFF_MS)]]));
    },
  ],
  restore: [
    ({ clusters }, random, time) => {
      const { server, world } = random.pick(clusters);
      if (backedUp.has(server)) return;
      backedUp.add(server);
      const goBack = server.backUp();
      time.after(random.between(5_000, 50_000), () => {
        server.trouble = { ...server.trouble, restoring: true };
        server.breakWatches();
      });
      time.after(random.between(90_000, 150_000), () => {
        if (world.mayGoBack()) {
          goBack();
          world.wentBack(random);
        }
        server.trouble = { ...server.trouble, restoring: false };
      });
    },
  ],
  restarts: [({ collectors }, random) => random.pick(collectors).restart(), ({ processors }, random) => random.pick(processors).restart()],
  malformed: [({ clusters }, random) => random.pick(clusters).world.spoil(random)],
  rbac: [
    (pipeline, random, time) => {
      const server = serverOf(pipeline, random);
      const denied = random.pick(WORLD_RESOURCES);
      server.trouble = { ...server.trouble, forbidden: [...server.trouble.forbidden, denied] };
      if (random.chance(0.7)) server.breakWatches();
      time.after(random.between(20_000, 150_000), () => {
        server.trouble = { ...server.trouble, forbidden: server.trouble.forbidden.filter((resource) => resource !== denied) };
      });
    },
  ],
};

/** Lets faults happen at random until `isOver`. `paceMs` is the mean time from one to the next. */
export function beginFaults(plan: FaultPlan, pipeline: Pipeline, time: VirtualTime, random: Random, paceMs: number, isOver: () => boolean): void {
  const more = random.fork('more-faults');
  const kinds = Object.keys(FAULTS) as (keyof FaultPlan)[];
  const isRarer = (kind: keyof FaultPlan): boolean => RARER.some((each) => each === kind);
  const planned = (wanted: (kind: keyof FaultPlan) => boolean) => kinds.flatMap((kind) => (plan[kind] && wanted(kind) ? FAULTS[kind] : []));
  const series = [
    { faults: planned((kind) => !isRarer(kind)), random, paceMs },
    { faults: planned(isRarer), random: more, paceMs: more.int(6_000, 30_000) },
  ];
  for (const each of series) if (each.faults.length > 0) beginSeries(each, pipeline, time, isOver);
}

interface Series {
  readonly faults: readonly Fault[];
  readonly random: Random;
  readonly paceMs: number;
}

function beginSeries({ faults, random, paceMs }: Series, pipeline: Pipeline, time: VirtualTime, isOver: () => boolean): void {
  const next = (): void => {
    if (isOver()) return;
    random.pick(faults)(pipeline, random, time);
    time.after(-Math.log(1 - random.next()) * paceMs, next);
  };
  time.after(random.between(0, paceMs), next);
}
