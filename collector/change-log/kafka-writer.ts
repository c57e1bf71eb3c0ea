/**
 * The writer on Kafka: acks=all, idempotent, gzip, one request in flight. Appends that arrive meanwhile share the next request.
 *
 * kafkajs takes sequence numbers back when a request fails without an answer. If another batch used them next, the broker would
 * take it for a repetition of the first and acknowledge it without storing it. So nothing is sent beside or after a request that
 * failed: it ends the producer, and the next one has an id of its own.
 */
import kafkajs, { type ICustomPartitioner, type Kafka, type Message, type Producer } from 'kafkajs';
import { MAX_RECORD_BYTES } from '../change-record.ts';
import { ChangeLogError } from '../errors.ts';
import type { ChangeLogWriter } from './change-log.ts';
import { protocolErrorType, unavailable } from './kafka-client.ts';
import { grownError } from './kafka-topic.ts';

/**
 * Values and keys of one request, bytes. kafkajs makes one record batch of a partition's part, and max.message.bytes (1 048 588)
 * limits the batch; less, so that even what gzip cannot shrink fits.
 */
const MAX_REQUEST_BYTES = 1_000_000;
/** Frame of one record in a batch, bytes at most (Kafka message format v2: varints and headers of a record). */
const RECORD_OVERHEAD_BYTES = 32;
/** How long the broker waits for its replicas, ms. */
const ACK_TIMEOUT_MS = 10_000;

export interface KafkaWriterDeps {
  readonly createClient: () => Kafka;
  /** Makes sure that the topic exists; resolves to its number of partitions. Called before every producer's first request. */
  readonly ensureTopic: () => Promise<number>;
}

interface PendingAppend {
  readonly key: string;
  readonly values: readonly Uint8Array[];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** A part of an append that fits into a request; `completes` the append, or another part follows. */
interface Part {
  readonly append: PendingAppend;
  readonly messages: readonly Message[];
  readonly bytes: number;
  readonly completes: boolean;
}

export class KafkaWriter implements ChangeLogWriter {
  readonly #topic: string;
  readonly #deps: KafkaWriterDeps;
  #queue: Part[] = [];
  #sending: Promise<void> | undefined;
  #producer: Producer | undefined;
  #closing: Promise<void> | undefined;

  constructor(topic: string, deps: KafkaWriterDeps) {
    this.#topic = topic;
    this.#deps = deps;
  }

  append(key: string, values: readonly Uint8Array[]): Promise<void> {
    const tooLarge = values.find((value) => value.byteLength > MAX_RECORD_BYTES);
    if (tooLarge !== undefined) return Promise.reject(new RangeError(`append under ${key} failed: a record of ${tooLarge.byteLength} bytes is over the limit`));
    if (this.#closing !== undefined) return Promise.reject(new ChangeLogError('PODTRAIL_LOG_UNAVAILABLE', 'append failed: the change log is closed'));
    if (values.length === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#queue.push(...splitAppend({ key, values, resolve, reject }));
      this.#sending ??= this.#send();
    });
  }

  async close(): Promise<void> {
    this.#closing ??= Promise.resolve(this.#sending).then(() => this.#dropProducer());
    await this.#closing;
  }

  async #send(): Promise<void> {
    while (this.#queue.length > 0) {
      const parts = this.#takeRequest();
      try {
        const producer = await this.#connect();
        const messages = parts.flatMap((part) => part.messages);
        await producer.send({ topic: this.#topic, acks: -1, timeout: ACK_TIMEOUT_MS, compression: kafkajs.CompressionTypes.GZIP, messages });
        for (const part of parts) if (part.completes) part.append.resolve();
      } catch (error) {
        await this.#dropProducer();
        const failed = new Set(parts.map((part) => part.append));
        this.#queue = this.#queue.filter((part) => !failed.has(part.append));
        const reason = this.#explain(error);
        for (const append of failed) append.reject(reason);
      }
    }
    this.#sending = undefined; // in the same turn as the last look at the queue: no append is left behind
  }

  /** As many parts as fit, in order: an append's parts never overtake each other. */
  #takeRequest(): Part[] {
    let bytes = 0;
    let count = 0;
    for (const part of this.#queue) {
      bytes += part.bytes;
      if (count > 0 && bytes > MAX_REQUEST_BYTES) break;
      count += 1;
    }
    return this.#queue.splice(0, count);
  }

  async #connect(): Promise<Producer> {
    if (this.#producer !== undefined) return this.#producer;
    const partitions = await this.#deps.ensureTopic();
    const producer = this.#deps.createClient().producer({
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      createPartitioner: () => partitionBy(this.#topic, partitions),
      // Within one request only; the caller retries for as long as it likes.
      retry: { initialRetryTime: 100, maxRetryTime: 2_000, retries: 3 },
    });
    this.#producer = producer; // from here on a failure drops it
    await producer.connect();
    return producer;
  }

  async #dropProducer(): Promise<void> {
    const producer = this.#producer;
    this.#producer = undefined;
    await producer?.disconnect().catch(() => undefined);
  }

  #explain(error: unknown): ChangeLogError {
    if (protocolErrorType(error) !== 'UNKNOWN_TOPIC_OR_PARTITION') return unavailable(`append to ${this.#topic}`, error);
    return new ChangeLogError('PODTRAIL_LOG_MISSING', `append to ${this.#topic} failed: the topic is gone`, { cause: error, retriable: true });
  }
}

/** murmur2(key) mod partitions, as the Java client has it, and never another: a topic that has grown is refused. */
function partitionBy(topic: string, partitions: number): ReturnType<ICustomPartitioner> {
  const choose = kafkajs.Partitioners.DefaultPartitioner();
  return (message) => {
    if (message.partitionMetadata.length !== partitions) throw grownError(topic, partitions);
    return choose(message);
  };
}

function splitAppend(append: PendingAppend): Part[] {
  const parts: Part[] = [];
  let messages: Message[] = [];
  let bytes = 0;
  const end = (completes: boolean) => {
    parts.push({ append, messages, bytes, completes });
    messages = [];
    bytes = 0;
  };
  const keyBytes = Buffer.byteLength(append.key);
  for (const value of append.values) {
    const size = keyBytes + value.byteLength + RECORD_OVERHEAD_BYTES;
    if (messages.length > 0 && bytes + size > MAX_REQUEST_BYTES) end(false);
    messages.push({ key: append.key, value: Buffer.from(value.buffer, value.byteOffset, value.byteLength) });
    bytes += size;
  }
  end(true);
  return parts;
}
