/** kafkajs as podtrail uses it: TLS and SASL from files, its log through pino, its idle timer loop stopped, its errors mapped. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { type Admin, Kafka, type KafkaConfig, type LogEntry, logLevel, type SASLOptions } from 'kafkajs';
import type { Logger } from 'pino';
import { ChangeLogError } from '../errors.ts';
import type { KafkaOptions } from './config.ts';

/**
 * Longest wait for a connection, ms. kafkajs' 1000 is less than one lost SYN takes to be sent again (RFC 6298: 1 s).
 */
const CONNECTION_TIMEOUT_MS = 5_000;
/** Longest wait for an answer, ms, except where a request waits at the broker by intent (fetch, join). */
const REQUEST_TIMEOUT_MS = 15_000;

/** A fresh client. One for each producer and consumer: clients share their groups' offsets between consumers, which confuses two. */
export function createKafkaClient(options: KafkaOptions, log: Logger): Kafka {
  stopIdleTimers();
  const config: KafkaConfig = {
    clientId: options.clientId,
    brokers: [...options.brokers],
    connectionTimeout: CONNECTION_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    retry: { initialRetryTime: 100, maxRetryTime: 2_000, retries: 5 },
    logLevel: logLevel.INFO,
    logCreator: () => (entry) => forwardLog(log, entry),
  };
  if (options.tls.enabled) config.ssl = readTls(options.tls);
  if (options.sasl !== undefined) config.sasl = readSasl(options.sasl);
  return new Kafka(config);
}

/** An admin connection that is opened on first use and replaced after any failure: kafkajs keeps stale metadata after some. */
export class KafkaAdmin {
  readonly #create: () => Kafka;
  #admin: Promise<Admin> | undefined;

  constructor(create: () => Kafka) {
    this.#create = create;
  }

  /** Rejects with a retriable ChangeLogError PODTRAIL_LOG_UNAVAILABLE that says what was attempted. */
  async use<T>(attempted: string, call: (admin: Admin) => Promise<T>): Promise<T> {
    this.#admin ??= connectAdmin(this.#create());
    const used = this.#admin;
    try {
      return await call(await used);
    } catch (error) {
      if (this.#admin === used) this.#admin = undefined;
      void used.then((admin) => admin.disconnect()).catch(() => undefined);
      throw unavailable(attempted, error);
    }
  }

  async close(): Promise<void> {
    const admin = await this.#admin?.catch(() => undefined);
    this.#admin = undefined;
    await admin?.disconnect().catch(() => undefined);
  }
}

async function connectAdmin(kafka: Kafka): Promise<Admin> {
  const admin = kafka.admin();
  await admin.connect();
  return admin;
}

/** Kafka said no, or nothing: whatever it was, the same call may succeed later. */
export function unavailable(attempted: string, error: unknown): ChangeLogError {
  if (error instanceof ChangeLogError) return error;
  return new ChangeLogError('PODTRAIL_LOG_UNAVAILABLE', `${attempted} failed: ${(error as Error).message}`, { cause: error, retriable: true });
}

/** The Kafka protocol's name of the error, wherever kafkajs' wrappers put it. */
export function protocolErrorType(error: unknown): string | undefined {
  for (let at = error; at instanceof Error; at = at.cause) if ('type' in at && typeof at.type === 'string') return at.type;
  return undefined;
}

function readTls({ caFile, certFile, keyFile }: KafkaOptions['tls']): KafkaConfig['ssl'] {
  const read = (file: string | undefined) => file && readFileSync(file, 'utf8');
  return { ca: read(caFile), cert: read(certFile), key: read(keyFile) };
}

function readSasl({ mechanism, username, passwordFile }: NonNullable<KafkaOptions['sasl']>): SASLOptions {
  return { mechanism, username, password: readFileSync(passwordFile, 'utf8').trimEnd() };
}

/** kafkajs calls every request that it retries an error: what comes of it, the change log reports itself. */
function forwardLog(log: Logger, { namespace, level, log: { message, timestamp: _, ...fields } }: LogEntry): void {
  log[level === logLevel.INFO ? 'trace' : 'debug']({ component: `kafkajs.${namespace}`, kafkajs: fields }, message);
}

interface RequestQueue {
  readonly pending: readonly unknown[];
  scheduleCheckPendingRequests(): void;
}

let areIdleTimersStopped = false;

/**
 * kafkajs 2.2.4 arms a timer of 1 ms after every answer, pending requests or not, for ever (tulios/kafkajs#1556). Arming it only
 * when something is pending is the fix of its pull request 1667, which was never released.
 */
function stopIdleTimers(): void {
  if (areIdleTimersStopped) return;
  areIdleTimersStopped = true;
  const { prototype } = createRequire(import.meta.url)('kafkajs/src/network/requestQueue') as { prototype: RequestQueue };
  const schedule = prototype.scheduleCheckPendingRequests;
  prototype.scheduleCheckPendingRequests = function scheduleIfPending(this: RequestQueue): void {
    if (this.pending.length > 0) schedule.call(this);
  };
}
