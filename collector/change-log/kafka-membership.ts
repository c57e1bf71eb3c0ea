/**
 * One consumer from joining the group to leaving it, and the partitions it has meanwhile. kafkajs does the membership and the
 * fetching; where to read and what to commit is decided in kafka-lane.ts.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Consumer, ConsumerGroupJoinEvent, Kafka } from 'kafkajs';
import type { Logger } from 'pino';
import type { ReaderHandlers } from './change-log.ts';
import { type KafkaAdmin, unavailable } from './kafka-client.ts';
import { KafkaLane, type LaneDeps } from './kafka-lane.ts';
import { fetchBounds, fetchCommitted, grownError } from './kafka-topic.ts';

/** How long the broker holds an empty fetch, ms: the longest wait until a paused partition is fetched again, or the reader stops. */
const MAX_WAIT_MS = 500;
/** Compressed bytes of one partition in one fetch: about 20 times that when decoded, which is what memory has to hold. */
const FETCH_BYTES = 262_144;
/** How long the group waits for its members in a rebalance, ms. */
const REBALANCE_TIMEOUT_MS = 60_000;
/** How long leaving a group may take, ms: a dead broker must not hold up a stop. */
const LEAVE_TIMEOUT_MS = 10_000;

export interface KafkaReaderOptions {
  readonly topic: string;
  readonly groupId: string;
  readonly sessionTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
}

export interface KafkaReaderDeps {
  readonly log: Logger;
  readonly admin: KafkaAdmin;
  readonly createClient: () => Kafka;
  /** Makes sure that the topic exists; resolves to its number of partitions. */
  readonly ensureTopic: () => Promise<number>;
}

export class Membership {
  readonly #options: KafkaReaderOptions;
  readonly #deps: KafkaReaderDeps;
  readonly #handlers: ReaderHandlers;
  readonly #consumer: Consumer;
  readonly #lanes = new Map<number, KafkaLane>();
  /** Per partition, the end of its last lane: the next one begins after it. */
  readonly #endings = new Map<number, Promise<void>>();
  readonly #over = new AbortController();
  /** The error of a handler, for the caller of run(). */
  #fatal: { readonly error: unknown } | undefined;
  #memberId: string | undefined;
  #partitions = 0;
  #lastSignMs = Date.now();
  #isEnding = false;
  #hasLeft = false;

  constructor(options: KafkaReaderOptions, deps: KafkaReaderDeps, handlers: ReaderHandlers) {
    this.#options = options;
    this.#deps = deps;
    this.#handlers = handlers;
    this.#consumer = deps.createClient().consumer({
      groupId: options.groupId,
      sessionTimeout: options.sessionTimeoutMs,
      heartbeatInterval: options.heartbeatIntervalMs,
      rebalanceTimeout: REBALANCE_TIMEOUT_MS,
      maxWaitTimeInMs: MAX_WAIT_MS,
      maxBytesPerPartition: FETCH_BYTES,
      allowAutoTopicCreation: false,
      retry: { initialRetryTime: 100, maxRetryTime: 2_000, retries: 5, restartOnFailure: async () => false },
    });
  }

  get hasJoined(): boolean {
    return this.#memberId !== undefined;
  }

  /**
   * Joins and reads until the signal is aborted, or until the membership is lost: resolves to the reason then. Rejects with the
   * error of a handler. Either way all partitions are given up before.
   */
  async live(signal: AbortSignal): Promise<unknown> {
    const end = AbortSignal.any([signal, this.#over.signal]);
    const watchdog = setInterval(() => this.#checkSigns(), 1_000);
    let starting: Promise<void> | undefined;
    try {
      this.#partitions = await this.#deps.ensureTopic();
      starting = this.#start().catch((error) => this.#over.abort(error));
      await aborted(end);
    } catch (error) {
      this.#over.abort(error);
    } finally {
      clearInterval(watchdog);
      this.#isEnding = true;
      await this.#giveUpAll();
      await this.#leave(starting);
    }
    if (this.#fatal !== undefined) throw this.#fatal.error;
    return this.#over.signal.reason;
  }

  async #start(): Promise<void> {
    const consumer = this.#consumer;
    const sign = () => {
      this.#lastSignMs = Date.now();
    };
    consumer.on(consumer.events.HEARTBEAT, sign);
    consumer.on(consumer.events.GROUP_JOIN, (event) => this.#join(event.payload));
    consumer.on(consumer.events.CRASH, ({ payload }) => this.#over.abort(unavailable(`read ${this.#options.topic}`, payload.error)));
    await consumer.connect();
    await consumer.subscribe({ topic: this.#options.topic, fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      partitionsConsumedConcurrently: this.#partitions,
      eachBatch: async ({ batch }) => this.#lanes.get(batch.partition)?.offer(batch),
    });
  }

  /** Runs inside kafkajs' join, before the next fetch: a new partition is paused before anything of it can arrive. */
  #join({ memberId, memberAssignment }: ConsumerGroupJoinEvent['payload']): void {
    if (this.#hasLeft) throw new Error('joined after leaving'); // makes kafkajs give up this membership
    if (this.#isEnding) return; // it leaves as soon as the batches in hand are done
    this.#lastSignMs = Date.now();
    const assigned = new Set(memberAssignment[this.#options.topic] ?? []);
    // Under another id the group had counted this reader out, and others may have read meanwhile.
    const isSameMember = memberId === this.#memberId;
    this.#memberId = memberId;
    this.#deps.log.info({ partitions: [...assigned], memberId }, 'joined the consumer group');
    const added = [...assigned].find((partition) => partition >= this.#partitions);
    if (added !== undefined) return this.#fail(grownError(this.#options.topic, this.#partitions));
    for (const partition of [...this.#lanes.keys()]) if (!isSameMember || !assigned.has(partition)) this.#giveUp(partition);
    for (const partition of assigned) {
      const lane = this.#lanes.get(partition);
      if (lane !== undefined) lane.reposition();
      else this.#take(partition);
    }
  }

  #take(partition: number): void {
    this.#pause(partition);
    this.#lanes.set(partition, new KafkaLane(partition, this.#laneDeps(), this.#endings.get(partition) ?? Promise.resolve()));
  }

  #giveUp(partition: number): void {
    const lane = this.#lanes.get(partition);
    if (lane === undefined) return;
    this.#lanes.delete(partition);
    this.#endings.set(
      partition,
      lane.end().catch((error) => this.#fail(error)),
    );
  }

  async #giveUpAll(): Promise<void> {
    for (const partition of [...this.#lanes.keys()]) this.#giveUp(partition);
    await Promise.all(this.#endings.values());
  }

  /** Leaves the group if it can be reached. A join under way cannot be cancelled: it is given up when it arrives (#join). */
  async #leave(starting: Promise<void> | undefined): Promise<void> {
    const timer = new AbortController();
    const timeout = delay(LEAVE_TIMEOUT_MS, undefined, { signal: timer.signal }).catch(() => undefined);
    const leaving = Promise.resolve(starting)
      .then(() => this.#consumer.disconnect())
      .catch((error) => this.#deps.log.info({ err: error }, 'consumer not disconnected'));
    await Promise.race([leaving, timeout]);
    timer.abort();
    this.#hasLeft = true;
  }

  #laneDeps(): LaneDeps {
    const { topic, groupId } = this.#options;
    const { admin, log } = this.#deps;
    return {
      handlers: this.#handlers,
      log,
      fetchBounds: () => fetchBounds(admin, topic),
      fetchCommitted: (partition) => fetchCommitted(admin, topic, groupId, partition),
      commit: (partition, offset) => this.#commit(partition, offset),
      seek: (partition, offset) => this.#attempt(() => this.#consumer.seek({ topic, partition, offset: String(offset) })),
      pause: (partition) => this.#pause(partition),
      resume: (partition) => this.#attempt(() => this.#consumer.resume([{ topic, partitions: [partition] }])),
      fail: (error) => this.#fail(error),
    };
  }

  /** A hint (design D4): when the group does not take it, e.g. in a rebalance, that is noted, no more. */
  async #commit(partition: number, offset: bigint): Promise<void> {
    const { topic } = this.#options;
    await this.#consumer
      .commitOffsets([{ topic, partition, offset: String(offset) }])
      .catch((error) => this.#deps.log.info({ err: error, partition, offset: String(offset) }, 'commit not accepted'));
  }

  #pause(partition: number): void {
    this.#attempt(() => this.#consumer.pause([{ topic: this.#options.topic, partitions: [partition] }]));
  }

  /** kafkajs throws when the consumer has stopped: nothing is fetched any more then, so there is nothing to steer. */
  #attempt(steer: () => void): void {
    try {
      steer();
    } catch (error) {
      this.#deps.log.debug({ err: error }, 'consumer is not running');
    }
  }

  #fail(error: unknown): void {
    this.#fatal ??= { error };
    this.#over.abort(error);
  }

  /** After some faults kafkajs neither works nor crashes (tulios/kafkajs#267): without a sign for this long it is given up. */
  #checkSigns(): void {
    const silentMs = Date.now() - this.#lastSignMs;
    if (silentMs > REBALANCE_TIMEOUT_MS + this.#options.sessionTimeoutMs) this.#over.abort(unavailable('read', new Error(`no heartbeat for ${silentMs} ms`)));
  }
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
}
