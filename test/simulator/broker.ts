/**
 * A model of the change log: partitions of records that outlive every process, writers whose answers get lost, a group of readers among
 * whom partitions are moved about, readers that have not heard of it yet, and retention. Real code meets it through the log's ports.
 */
import { callHandler } from '../../collector/change-log/call-handler.ts';
import type { ChangeLogReader, ChangeLogWriter, LogRecord, ReaderHandlers } from '../../collector/change-log/change-log.ts';
import { ChangeLogError } from '../../collector/errors.ts';
import { silentLog } from '../helpers/silent-log.ts';
import type { Machine, Trouble } from './machine.ts';
import { NO_TROUBLE } from './machine.ts';
import type { Random } from './random.ts';
import type { VirtualTime } from './virtual-time.ts';

export interface BrokerTrouble extends Trouble {
  /** Of appends: one whose answer was lost lands once more, later. */
  readonly echoed: number;
  /** Of batches: read once more from a little earlier. */
  readonly repeated: number;
}
export const BROKER_WELL: BrokerTrouble = { ...NO_TROUBLE, echoed: 0, repeated: 0 };

export interface Broker {
  trouble: BrokerTrouble;
  partitionOf(key: string): number;
  /** Everything ever appended, retention or not. */
  records(partition: number): readonly LogRecord[];
  earliest(partition: number): bigint;
  /** Deletes what is before `offset`. */
  trim(partition: number, offset: bigint): void;
  writer(machine: Machine): ChangeLogWriter;
  reader(machine: Machine): ChangeLogReader;
  /** Moves partitions about among the readers. */
  rebalance(): void;
  /** Readers that are dead lose their partitions. */
  expireDead(): void;
  /** The reader that owns a partition has handled all of it. */
  isCaughtUp(): boolean;
}

export const LOG_ID = 'simulated:1';

interface Partition {
  readonly records: LogRecord[];
  earliest: bigint;
  committed: bigint | undefined;
  owner: Member | undefined;
  /** Offset that the owner reads next; undefined while it is not assigned yet. */
  next: bigint | undefined;
}

/** One reader in the group. */
interface Member {
  readonly machine: Machine;
  readonly isOpen: () => boolean;
  /** Takes the partition over, after `before`. */
  take(partition: number, before: Promise<void>): void;
  /** Gives it up. The promise settles when it has. `unheard`: for some time it does not know. */
  drop(partition: number, unheard: boolean): Promise<void>;
}

/** Creates an empty log. */
export function createBroker(time: VirtualTime, random: Random, partitionCount: number): Broker {
  const partitions: Partition[] = Array.from({ length: partitionCount }, () => ({
    records: [],
    earliest: 0n,
    committed: undefined,
    owner: undefined,
    next: undefined,
  }));
  const members = new Set<Member>();
  const at = (number: number): Partition => partitions[number] as Partition;
  const waiting = new Set<() => void>();

  const land = (key: string, values: readonly Uint8Array[]): void => {
    const { records } = at(broker.partitionOf(key));
    for (const value of values) records.push({ offset: BigInt(records.length), key, value, timeMs: Math.floor(time.now()) });
    for (const wake of [...waiting]) wake();
  };
  const move = (number: number, to: Member | undefined): void => {
    const partition = at(number);
    const { owner } = partition;
    if (owner === to) return;
    partition.owner = to;
    partition.next = undefined;
    const isUnheard = random.chance(0.4);
    const dropped = owner === undefined ? Promise.resolve() : untilGivenUp(owner, number, isUnheard);
    to?.take(number, isUnheard ? Promise.resolve() : dropped);
  };
  /** A member that dies while it gives up a partition is waited for no longer than the group's patience. */
  const untilGivenUp = async (owner: Member, number: number, isUnheard: boolean): Promise<void> => {
    let isDone = false;
    void owner.drop(number, isUnheard).then(() => {
      isDone = true;
    });
    while (!isDone && owner.machine.alive) await time.sleep(1_000);
  };
  const open = (): Member[] => [...members].filter((member) => member.isOpen());

  const broker: Broker = {
    trouble: BROKER_WELL,
    partitionOf: (key) => key.charCodeAt(key.length - 1) % partitionCount,
    records: (number) => at(number).records,
    earliest: (number) => at(number).earliest,
    trim(number, offset) {
      const partition = at(number);
      if (offset > partition.earliest) partition.earliest = offset;
    },
    writer: (machine) => ({
      async append(key, values) {
        const failure = (): Error => new ChangeLogError('PODTRAIL_LOG_UNAVAILABLE', 'append failed', { retriable: true });
        try {
          await machine.call({ effect: () => land(key, values), trouble: broker.trouble, refusal: failure, broken: failure });
        } catch (error) {
          if (random.chance(broker.trouble.echoed)) time.after(random.between(0, 5_000), () => land(key, values));
          throw error;
        }
      },
      close: async () => {},
    }),
    reader(machine) {
      const deps = { time, random, broker, at, waiting, machine };
      return createReader(
        deps,
        partitionCount,
        (member) => {
          members.add(member);
          broker.rebalance();
        },
        (member) => {
          members.delete(member);
          broker.rebalance();
        },
      );
    },
    rebalance() {
      const candidates = open();
      for (const number of partitions.keys()) move(number, candidates.length === 0 ? undefined : random.pick(candidates));
    },
    expireDead() {
      for (const member of members) if (!member.machine.alive) members.delete(member);
      for (const [number, { owner }] of partitions.entries()) {
        if (owner === undefined || owner.machine.alive) continue;
        const candidates = open();
        move(number, candidates.length === 0 ? undefined : random.pick(candidates));
      }
    },
    isCaughtUp: () => partitions.every(({ records, next, owner }) => owner?.machine.alive === true && next === BigInt(records.length)),
  };
  return broker;
}

interface ReaderDeps {
  readonly time: VirtualTime;
  readonly random: Random;
  readonly broker: Broker;
  readonly at: (number: number) => Partition;
  readonly waiting: Set<() => void>;
  readonly machine: Machine;
}

function createReader(deps: ReaderDeps, partitionCount: number, join: (member: Member) => void, leave: (member: Member) => void): ChangeLogReader {
  const { random, machine, at } = deps;
  const stop = new AbortController();
  const leases = new Map<number, { readonly lease: AbortController; ended: Promise<void> }>();
  let handlers: ReaderHandlers | undefined;
  let fail: (error: unknown) => void = () => {};
  let running: Promise<void> | undefined;

  const member: Member = {
    machine,
    isOpen: () => machine.alive && !stop.signal.aborted && handlers !== undefined,
    take(number, before) {
      const previous = leases.get(number);
      const lease = new AbortController();
      const ended = Promise.all([before, previous?.ended])
        .then(() => own(deps, handlers as ReaderHandlers, number, lease.signal, () => at(number).owner === member))
        .catch(fail);
      leases.set(number, { lease, ended });
    },
    async drop(number, unheard) {
      const held = leases.get(number);
      if (held === undefined) return;
      // A member that does not answer in time learns from its next heartbeat that the group went on without it.
      if (unheard) await machine.sleep(random.between(100, 45_000));
      held.lease.abort();
      await held.ended;
    },
  };

  return {
    identity: async () => ({ log: LOG_ID, partitions: partitionCount }),
    endOffsets: async () => new Map(Array.from({ length: partitionCount }, (_, number) => [number, BigInt(at(number).records.length)])),
    run(given) {
      handlers = given;
      running ??= new Promise((resolve, reject) => {
        fail = (error) => {
          stop.abort();
          reject(error);
        };
        stop.signal.addEventListener('abort', () => {
          leave(member);
          for (const { lease } of leases.values()) lease.abort();
          void Promise.all([...leases.values()].map(({ ended }) => ended)).then(() => resolve());
        });
        join(member);
      });
      return running;
    },
    async stop() {
      stop.abort();
      await running?.catch(() => undefined);
    },
  };
}

/** Reads one partition until the lease ends: assigned, batches, revoked. */
async function own(deps: ReaderDeps, handlers: ReaderHandlers, number: number, lease: AbortSignal, isOwner: () => boolean): Promise<void> {
  const { random, broker, at, machine } = deps;
  const shelf = at(number);
  const call = <T>(what: string, attempt: () => Promise<T>) => callHandler(attempt, { signal: lease, log: silentLog, what });
  const end = (): bigint => BigInt(shelf.records.length);
  if (lease.aborted) return;
  const assigned = await call('assigned', () => handlers.assigned({ partition: number, earliest: shelf.earliest, end: end(), committed: shelf.committed }));
  let next = assigned?.value ?? 0n;
  while (assigned !== undefined && !lease.aborted) {
    if (next < shelf.earliest) {
      const [wanted, { earliest }] = [next, shelf];
      if ((await call('outOfRange', () => handlers.outOfRange(number, wanted, earliest))) !== undefined) next = earliest;
      continue;
    }
    if (isOwner()) shelf.next = next;
    await machine.sleep(random.between(1, 100));
    if (next === end() && !lease.aborted) await untilMore(deps, lease);
    if (lease.aborted || next === end() || next < shelf.earliest) continue;
    const again = random.chance(broker.trouble.repeated) ? BigInt(random.int(0, 30)) : 0n;
    const from = next - again < shelf.earliest ? next : next - again;
    const records = shelf.records.slice(Number(from), Number(next) + random.pick([1, 3, 10, 50, 200]));
    const committed = await call('batch', () => handlers.batch({ partition: number, records, end: end() }, () => machine.sleep(0)));
    if (committed === undefined) break;
    // The group refuses the commit of a member that is none any more.
    if (isOwner() && committed.value !== undefined) shelf.committed = committed.value;
    next = (records.at(-1)?.offset ?? next - 1n) + 1n;
  }
  if (assigned !== undefined) await handlers.revoked(number);
}

function untilMore({ waiting }: ReaderDeps, lease: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      waiting.delete(done);
      lease.removeEventListener('abort', done);
      resolve();
    };
    waiting.add(done);
    lease.addEventListener('abort', done);
  });
}
