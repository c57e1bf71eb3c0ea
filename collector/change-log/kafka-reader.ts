/**
 * The reader on Kafka: a member of a consumer group. Whatever ends a membership (a crash inside kafkajs, a broker restart after which it stays silent), the reader
 * drops the partitions and joins again with a fresh consumer.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { ChangeLogError } from '../errors.ts';
import type { ChangeLogReader, ReaderHandlers } from './change-log.ts';
import { Membership, type KafkaReaderDeps, type KafkaReaderOptions } from './kafka-membership.ts';
import { fetchBounds } from './kafka-topic.ts';

/** Longest wait, ms, before trying again to join a group. */
const MAX_REJOIN_BACKOFF_MS = 30_000;

export class KafkaReader implements ChangeLogReader {
  readonly #options: KafkaReaderOptions;
  readonly #deps: KafkaReaderDeps;
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;

  constructor(options: KafkaReaderOptions, deps: KafkaReaderDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  async identity(): Promise<{ log: string; partitions: number }> {
    const partitions = await this.#deps.ensureTopic();
    const { clusterId } = await this.#deps.admin.use('describe cluster', (client) => client.describeCluster());
    return { log: `kafka:${clusterId}/${this.#options.topic}`, partitions };
  }

  async endOffsets(): Promise<ReadonlyMap<number, bigint>> {
    const bounds = await fetchBounds(this.#deps.admin, this.#options.topic);
    return new Map([...bounds].map(([partition, { end }]) => [partition, end]));
  }

  run(handlers: ReaderHandlers): Promise<void> {
    if (this.#running !== undefined) return Promise.reject(new Error('run was called twice'));
    this.#running = this.#run(handlers);
    return this.#running;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running?.catch(() => undefined); // run() has told its caller
  }

  async #run(handlers: ReaderHandlers): Promise<void> {
    const { signal } = this.#stop;
    let backoffMs = 100;
    while (!signal.aborted) {
      const membership = new Membership(this.#options, this.#deps, handlers);
      const reason = await membership.live(signal);
      if (signal.aborted) return;
      if (reason instanceof ChangeLogError && !reason.retriable) throw reason;
      backoffMs = membership.hasJoined ? 100 : Math.min(2 * backoffMs, MAX_REJOIN_BACKOFF_MS);
      this.#deps.log.warn({ err: reason, backoffMs }, 'left the consumer group, joining again');
      await delay(backoffMs, undefined, { signal }).catch(() => undefined);
    }
  }
}
