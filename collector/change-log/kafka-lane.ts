/**
 * One partition while this reader has it: calls the handlers one at a time, in the order assigned, batch*, revoked, and keeps the
 * position. kafkajs' own position is only what it fetches next: where the two differ, this one holds, and kafkajs is told to seek.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { EachBatchPayload } from 'kafkajs';
import type { Logger } from 'pino';
import { ChangeLogError } from '../errors.ts';
import { callHandler, yieldToEventLoop } from './call-handler.ts';
import type { LogRecord, ReaderHandlers } from './change-log.ts';
import type { TopicBounds } from './kafka-topic.ts';

/** A handler gets at most 1000 records or 1 MiB at once, as from the embedded log: a fetch may hold 20 times that. */
const MAX_RECORDS = 1_000;
const MAX_BYTES = 1_048_576;
/**
 * A batch that takes longer than this, ms, no longer holds up the fetch loop: the partition is paused until it is done, and the
 * loop goes on fetching the others and sending heartbeats, so that no handler is too slow to keep the membership.
 */
const PARK_AFTER_MS = 250;

type KafkaBatch = EachBatchPayload['batch'];

export interface LaneDeps {
  readonly handlers: ReaderHandlers;
  readonly log: Logger;
  /** What each partition of the topic holds. Rejects with a retriable error. */
  fetchBounds(): Promise<ReadonlyMap<number, TopicBounds>>;
  fetchCommitted(partition: number): Promise<bigint | undefined>;
  commit(partition: number, offset: bigint): Promise<void>;
  seek(partition: number, offset: bigint): void;
  pause(partition: number): void;
  resume(partition: number): void;
  /** Ends the reader with an error. */
  fail(error: unknown): void;
}

export class KafkaLane {
  readonly #partition: number;
  readonly #deps: LaneDeps;
  readonly #log: Logger;
  readonly #ended = new AbortController();
  /** Offset of the next record to hand out; undefined until `assigned` has said where to start. */
  #next: bigint | undefined;
  /** The offset that was fetched a second time because something else arrived. */
  #refetched: bigint | undefined;
  #isAssigned = false;
  #work: Promise<void>;

  /** The partition is paused. `before`: the end of this reader's previous time with it. */
  constructor(partition: number, deps: LaneDeps, before: Promise<void>) {
    this.#partition = partition;
    this.#deps = deps;
    this.#log = deps.log.child({ partition });
    this.#work = before;
    void this.#enqueue(() => this.#open());
  }

  /** After a rebalance that left the partition here: kafkajs has forgotten the position. */
  reposition(): void {
    if (this.#next !== undefined) this.#deps.seek(this.#partition, this.#next);
  }

  /** Takes what was fetched; resolves when it is done or the partition is parked. Never rejects. */
  async offer(batch: KafkaBatch): Promise<void> {
    if (this.#next === undefined || this.#ended.signal.aborted) return;
    const first = BigInt(batch.messages[0]?.offset ?? this.#next);
    const isExpected = first === this.#next;
    if (isExpected) this.#next = BigInt(batch.lastOffset()) + 1n;
    const done = this.#enqueue(() => (isExpected ? this.#handle(batch) : this.#recover(first)));
    const timer = new AbortController();
    const parked = delay(PARK_AFTER_MS, true, { signal: timer.signal }).catch(() => false);
    if (isExpected && !(await Promise.race([done, parked]))) {
      timer.abort();
      return;
    }
    timer.abort();
    this.#deps.pause(this.#partition);
    void done.then(() => this.#ended.signal.aborted || this.#deps.resume(this.#partition));
  }

  /** Finishes the batch in hand and calls `revoked` if `assigned` was called. Rejects with what `revoked` throws. */
  async end(): Promise<void> {
    this.#ended.abort();
    await this.#work;
    if (this.#isAssigned) await this.#deps.handlers.revoked(this.#partition);
  }

  /** One thing at a time, and nothing after an error: it ends the reader. The promise never rejects. */
  #enqueue(work: () => Promise<void>): Promise<void> {
    this.#work = this.#work.then(work).catch((error) => {
      this.#ended.abort();
      this.#deps.fail(error);
    });
    return this.#work;
  }

  async #open(): Promise<void> {
    const { handlers, fetchCommitted } = this.#deps;
    const bounds = await this.#call('fetching offsets', () => this.#bounds());
    const committed = await this.#call('fetching the committed offset', async () => fetchCommitted(this.#partition));
    if (bounds === undefined || committed === undefined) return;
    this.#isAssigned = true;
    const start = await this.#call('assigned', () => handlers.assigned({ partition: this.#partition, ...bounds.value, committed: committed.value }));
    if (start === undefined) return;
    this.#next = start.value;
    await this.#checkRange(start.value, await this.#call('fetching offsets', () => this.#bounds()));
    this.#startFetching();
  }

  /**
   * Something else than the next record arrived: kafkajs had to start over because the offset is out of range, or it is an answer
   * from before a seek. The second time it is a hole in the log itself (Kafka has them where transactions ended).
   */
  async #recover(first: bigint): Promise<void> {
    const wanted = this.#next;
    if (wanted === undefined) return;
    const isInRange = await this.#checkRange(wanted, await this.#call('fetching offsets', () => this.#bounds()));
    if (isInRange && this.#refetched === wanted && first > wanted) await this.#reportGap(wanted, first);
    else if (isInRange) this.#refetched = wanted;
    this.#startFetching();
  }

  /** Goes on at the earliest record if the log does not have `wanted` (any more), and says so. */
  async #checkRange(wanted: bigint, bounds: { readonly value: TopicBounds } | undefined): Promise<boolean> {
    if (bounds === undefined) return false;
    const { earliest, end } = bounds.value;
    if (wanted >= earliest && wanted <= end) return true;
    await this.#reportGap(wanted, earliest);
    return false;
  }

  async #reportGap(wanted: bigint, next: bigint): Promise<void> {
    this.#log.error({ wanted: String(wanted), next: String(next) }, 'records are gone from the change log');
    await this.#call('outOfRange', () => this.#deps.handlers.outOfRange(this.#partition, wanted, next));
    this.#next = next;
  }

  #startFetching(): void {
    if (this.#next === undefined || this.#ended.signal.aborted) return;
    this.#deps.seek(this.#partition, this.#next);
    this.#deps.resume(this.#partition);
  }

  async #handle(batch: KafkaBatch): Promise<void> {
    const end = BigInt(batch.highWatermark);
    for (const records of chunk(batch.messages)) {
      const payload = { partition: this.#partition, records, end };
      const commit = await this.#call('batch', () => this.#deps.handlers.batch(payload, yieldToEventLoop));
      if (commit === undefined) return;
      if (commit.value !== undefined) await this.#deps.commit(this.#partition, commit.value);
    }
  }

  async #bounds(): Promise<TopicBounds> {
    const bounds = (await this.#deps.fetchBounds()).get(this.#partition);
    if (bounds !== undefined) return bounds;
    throw new ChangeLogError('PODTRAIL_LOG_UNAVAILABLE', `partition ${this.#partition} is not known to Kafka`, { retriable: true });
  }

  #call<T>(what: string, call: () => Promise<T>): Promise<{ readonly value: T } | undefined> {
    return callHandler(call, { signal: this.#ended.signal, log: this.#log, what });
  }
}

function* chunk(messages: KafkaBatch['messages']): Generator<readonly LogRecord[]> {
  let records: LogRecord[] = [];
  let bytes = 0;
  for (const { offset, key, value, timestamp } of messages) {
    const record = { offset: BigInt(offset), key: key?.toString('utf8') ?? '', value: value ?? new Uint8Array(), timeMs: Number(timestamp) };
    if (records.length === MAX_RECORDS || (records.length > 0 && bytes + record.value.byteLength > MAX_BYTES)) {
      yield records;
      records = [];
      bytes = 0;
    }
    records.push(record);
    bytes += record.value.byteLength;
  }
  if (records.length > 0) yield records;
}
