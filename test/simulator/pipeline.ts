/** The whole pipeline of one seed: API servers, collectors, log, processors and store, what goes wrong with them, and what is left of it. */
import type { Logger } from 'pino';
import { Registry } from 'prom-client';
import { planTargets } from '../../collector/api-resources.ts';
import type { ClusterRef } from '../../collector/change-record.ts';
import { createClusterRun } from '../../collector/cluster-run.ts';
import { loopTiming } from '../../collector/loop.ts';
import { createCollectorMetrics } from '../../collector/metrics.ts';
import { createPodMemory } from '../../collector/pod-memory.ts';
import { createServerClock } from '../../collector/server-clock.ts';
import { processorConfig } from '../../processor/config.ts';
import { createProcessor } from '../../processor/processor.ts';
import { silentLog } from '../helpers/silent-log.ts';
import type { ApiServer } from './api-server.ts';
import { createApiServer, HEALTHY, WATCH_STALL_MS } from './api-server.ts';
import type { Broker } from './broker.ts';
import { BROKER_WELL, createBroker } from './broker.ts';
import { createResumptionLog, type Resumption } from './consumed.ts';
import type { Machine } from './machine.ts';
import { createMachine, NO_TROUBLE } from './machine.ts';
import type { Random } from './random.ts';
import type { Store } from './store.ts';
import { createStore } from './store.ts';
import type { VirtualTime } from './virtual-time.ts';
import type { World } from './world.ts';
import { createWorld, WORLD_RESOURCES } from './world.ts';

export interface SimulatedCluster {
  readonly ref: ClusterRef;
  readonly server: ApiServer;
  readonly world: World;
}

export interface Pipeline {
  readonly clusters: readonly SimulatedCluster[];
  readonly collectors: readonly Role[];
  readonly processors: readonly Role[];
  readonly broker: Broker;
  readonly store: Store;
  /** Errors that ended a role, none of which should. */
  readonly errors: readonly string[];
  /** Where the processors went on, one after the other. */
  readonly resumptions: readonly Resumption[];
}

/** One place in which a process runs, one after the other. */
export interface Role {
  /** The process that runs now; a dead one until the next starts. */
  machine(): Machine;
  /** Ends the process as SIGTERM does, for good. */
  stop(): Promise<void>;
  /** Ends it so, and another follows. */
  restart(): void;
}

/** A running process of a role. */
interface Running {
  readonly ended: Promise<void>;
  stop(): void;
}

export interface Shape {
  readonly clusters: number;
  readonly collectorsEach: number;
  readonly processors: number;
  readonly partitions: number;
  readonly paceMs: number;
  /** From one unabbreviated list to the next. */
  readonly fullListMs: number;
}

/** Of uninterrupted running, after which exits are over, ms: 10 min by default, shortened to keep a seed short. */
export const RECOVER_RUNNING_MS = 120_000;
const RULES = { thresholds: { recoverRunningMs: RECOVER_RUNNING_MS } };

/** How long the group waits for a reader that is silent, ms: kafkajs's session timeout, shortened. */
const SESSION_TIMEOUT_MS = 10_000;

export function createPipeline(time: VirtualTime, random: Random, shape: Shape): Pipeline {
  const errors: string[] = [];
  const resumptions: Resumption[] = [];
  const broker = createBroker(time, random.fork('broker'), shape.partitions);
  const store = createStore(random.fork('store'));
  const clusters = Array.from({ length: shape.clusters }, (_, i): SimulatedCluster => {
    const server = createApiServer(time, random.fork(`server-${i}`), random.int(-600_000, 600_000));
    return { ref: { uid: `uid-${i}`, name: `cluster-${i}` }, server, world: createWorld(server, time, random.fork(`world-${i}`), shape.paceMs) };
  });
  for (const { world } of clusters) world.begin();
  const log = createResumptionLog(resumptions, clusters, broker);
  const role = (name: string, start: (machine: Machine) => Running): Role =>
    createRole(name, time, random.fork(name), start, (error) => errors.push(`${name} ended: ${describeError(error)}`), broker);
  return {
    clusters,
    broker,
    store,
    errors,
    resumptions,
    collectors: clusters.flatMap((cluster) =>
      Array.from({ length: shape.collectorsEach }, (_, n) =>
        role(`collector ${cluster.ref.name}/${n}`, (machine) =>
          startCollector(machine, cluster, broker, random.fork(`collect-${cluster.ref.uid}-${n}`), shape.fullListMs),
        ),
      ),
    ),
    processors: Array.from({ length: shape.processors }, (_, n) => role(`processor ${n}`, (machine) => startProcessor(machine, broker, store, random, log))),
  };
}

/** The error with its causes, on one line. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : ` because ${describeError(error.cause)}`;
  return `${error.message}${cause}${cause === '' ? ` ${error.stack?.split('\n').slice(1, 4).join(' ')}` : ''}`;
}

/** Runs processes until told to stop; one that dies is followed by another. */
function createRole(
  name: string,
  time: VirtualTime,
  random: Random,
  start: (machine: Machine) => Running,
  fail: (error: unknown) => void,
  broker: Broker,
): Role {
  let isStopping = false;
  let machine: Machine;
  let running: Running;
  const begin = (): void => {
    const here = createMachine(name, time, random, () => {
      const dead = running;
      dead.stop(); // nobody hears of it: this only ends its timers
      time.after(SESSION_TIMEOUT_MS, () => broker.expireDead());
      if (!isStopping) time.after(random.between(100, 30_000), begin);
    });
    machine = here;
    running = start(here);
    running.ended.catch((error) => {
      if (here.alive) fail(error);
    });
  };
  begin();
  return {
    machine: () => machine,
    async stop() {
      isStopping = true;
      running.stop();
      await running.ended;
    },
    restart() {
      const [here, before] = [machine, running];
      before.stop();
      before.ended.then(
        () => here.die(), // it has nothing left to do: its exit
        () => {},
      );
    },
  };
}

function startCollector(machine: Machine, { ref, server }: SimulatedCluster, broker: Broker, random: Random, fullListMs: number): Running {
  const abort = new AbortController();
  // The machine's own clock may be an hour off: what counts is the API server's.
  const wallOffMs = random.chance(0.3) ? random.pick([-3_600_000, 3_600_000]) : 0;
  const clock = createServerClock({ monotonic: () => performance.now(), wall: () => Date.now() + wallOffMs });
  const api = server.client(machine, clock);
  const timing = { ...loopTiming(WATCH_STALL_MS / 1_000), deniedRetryMs: 60_000, fullSnapshotIntervalMs: fullListMs };
  const run = async (): Promise<void> => {
    // As the collector does before a run: it asks which cluster this is, until somebody answers.
    while (!abort.signal.aborted && !(await api.get('/version', abort.signal)).ok) await machine.sleep(1_000);
    if (abort.signal.aborted) return;
    const options = {
      cluster: ref,
      plan: planTargets({ resources: WORLD_RESOURCES, nameOnly: false }),
      serverVersion: 'v1.34.0',
      rules: RULES,
      timing,
      maxBufferBytes: random.pick([20_000, 100_000, 4_000_000]),
      flushIntervalMs: 50,
      stopTimeoutMs: 10_000,
      tickIntervalMs: random.pick([undefined, 1_000]),
    };
    const deps = {
      api,
      writer: broker.writer(machine),
      pods: createPodMemory(),
      nowMs: clock.nowMs,
      verifyIdentity: async () => {},
      loopChanged: () => {},
      metrics: createCollectorMetrics(new Registry(), { watchAges: () => [], buffers: () => [] }),
      log: silentLog,
      random: random.next,
    };
    await createClusterRun(options, deps).run(abort.signal);
  };
  return { ended: run(), stop: () => abort.abort() };
}

function startProcessor(machine: Machine, broker: Broker, store: Store, random: Random, log: Logger): Running {
  const config = {
    ...processorConfig.parse({}),
    checkpointRecords: random.int(5, 400),
    checkpointIntervalSeconds: random.int(2, 60),
    cleanupIntervalSeconds: random.int(10, 300),
    maxPendingRows: random.pick([10, 100, 20_000]),
    maxInsertRows: random.pick([5, 50, 5_000]),
  };
  const deps = { reader: broker.reader(machine), store: { client: store.client(machine) }, log, registry: new Registry() };
  const processor = createProcessor({ config, release: '0.1.0' }, deps);
  return { ended: processor.start(), stop: () => void processor.stop() };
}

/** Everything works from here on. */
export function heal({ clusters, broker, store }: Pipeline): void {
  for (const { server } of clusters) server.trouble = HEALTHY;
  broker.trouble = BROKER_WELL;
  store.trouble = NO_TROUBLE;
}
