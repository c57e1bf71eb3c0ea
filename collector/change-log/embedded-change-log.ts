/**
 * The change log without a broker: segment files in one directory, owned by one process, one partition. Writers share an fsync,
 * the reader is woken by appends. See README.md for the files and what survives which fault.
 */
import { mkdir } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { MAX_RECORD_BYTES } from '../change-record.ts';
import { ChangeLogError } from '../errors.ts';
import { yieldToEventLoop } from './call-handler.ts';
import type { ChangeLogReader, ChangeLogWriter } from './change-log.ts';
import { type DirectoryLock, lockDirectory } from './directory-lock.ts';
import { EmbeddedReader } from './embedded-reader.ts';
import { type LogState, readState, writeState } from './log-state.ts';
import { frameBytes, MAX_KEY_BYTES } from './segment.ts';
import { asLogError, type PendingRecord, SegmentLog, type SegmentOptions } from './segment-log.ts';

/** Appends that share one write and one fdatasync, bytes at most: bounds the memory and the time of one flush. */
const MAX_GROUP_BYTES = 4_194_304;

export interface EmbeddedOptions extends SegmentOptions {
  /** How long an append waits for others to share its fdatasync, ms; 0 shares only what arrives while the disk is busy. */
  readonly fsyncIntervalMs: number;
}

export interface EmbeddedDeps {
  readonly log: Logger;
  /** Wall clock, epoch ms. */
  readonly now?: () => number;
}

export interface EmbeddedChangeLog {
  readonly writer: ChangeLogWriter;
  /** One reader runs at a time; another waits its turn, as a second member of a group with one partition would. */
  reader(): ChangeLogReader;
  /** Bytes of all segments, for metrics. */
  sizeBytes(): number;
  /** Stops the readers, flushes and closes. Idempotent. */
  close(): Promise<void>;
}

/**
 * Opens the log, or creates it. Throws ChangeLogError PODTRAIL_LOG_LOCKED if another process owns the directory, else a
 * retriable one if the file system refuses.
 */
export async function openEmbeddedChangeLog(options: EmbeddedOptions, deps: EmbeddedDeps): Promise<EmbeddedChangeLog> {
  let lock: DirectoryLock | undefined;
  try {
    await mkdir(options.directory, { recursive: true });
    lock = await lockDirectory(options.directory);
    const log = new OwnedLog(options, deps, lock, await readState(options.directory, deps.log));
    await log.open();
    return { writer: log, reader: () => log.createReader(), sizeBytes: () => log.segments.sizeBytes, close: () => log.closeAll() };
  } catch (error) {
    await lock?.release().catch(() => undefined);
    throw asLogError(error, `open change log ${options.directory}`);
  }
}

interface PendingAppend {
  readonly records: readonly PendingRecord[];
  readonly bytes: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** The log as its owner has it: the writer itself, and what its readers share. */
export class OwnedLog implements ChangeLogWriter {
  readonly #options: EmbeddedOptions;
  readonly #deps: EmbeddedDeps;
  readonly #lock: DirectoryLock;
  readonly #readers = new Set<EmbeddedReader>();
  readonly #waiting = new Set<() => void>();
  #segments: SegmentLog | undefined;
  #state: LogState;
  #queue: PendingAppend[] = [];
  #flushing: Promise<void> | undefined;
  #savingState: Promise<void> = Promise.resolve();
  #closing: Promise<void> | undefined;
  #isClosed = false;
  /** Readers take turns: the promise that ends the last turn handed out. */
  turn: Promise<void> = Promise.resolve();

  constructor(options: EmbeddedOptions, deps: EmbeddedDeps, lock: DirectoryLock, state: LogState) {
    this.#options = options;
    this.#deps = deps;
    this.#lock = lock;
    this.#state = state;
  }

  get log(): Logger {
    return this.#deps.log;
  }

  get id(): string {
    return this.#state.id;
  }

  get committed(): bigint | undefined {
    return this.#state.committed;
  }

  get segments(): SegmentLog {
    if (this.#segments === undefined) throw new Error('change log is not open');
    return this.#segments;
  }

  async open(): Promise<void> {
    const { log, now = Date.now } = this.#deps;
    const retentionFloor = () => this.#retentionFloor();
    this.#segments = await SegmentLog.open(this.#options, { log, now, retentionFloor }, this.#state.end);
    await this.#saveState();
    log.info({ directory: this.#options.directory, earliest: String(this.segments.earliest), next: String(this.segments.nextOffset) }, 'change log opened');
  }

  createReader(): ChangeLogReader {
    const reader = new EmbeddedReader(this);
    this.#readers.add(reader);
    return reader;
  }

  append(key: string, values: readonly Uint8Array[]): Promise<void> {
    const keyBytes = Buffer.from(key, 'utf8');
    const tooLarge = values.find((value) => value.byteLength > MAX_RECORD_BYTES);
    if (tooLarge !== undefined || keyBytes.length > MAX_KEY_BYTES) {
      return Promise.reject(new RangeError(`append under ${key} failed: a record of ${tooLarge?.byteLength ?? keyBytes.length} bytes is over the limit`));
    }
    if (this.#closing !== undefined) return Promise.reject(closedError());
    if (values.length === 0) return Promise.resolve();
    const records = values.map((value) => ({ key: keyBytes, value }));
    const bytes = values.reduce((sum, value) => sum + frameBytes(keyBytes, value), 0);
    return new Promise((resolve, reject) => {
      this.#queue.push({ records, bytes, resolve, reject });
      this.#flushing ??= this.#flush();
    });
  }

  /** Ends writing only: readers go on. */
  async close(): Promise<void> {
    this.#closing ??= Promise.resolve(this.#flushing);
    await this.#closing;
  }

  async closeAll(): Promise<void> {
    await Promise.all([...this.#readers].map((reader) => reader.stop()));
    await this.close();
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#saveState().catch((error) => this.log.warn({ err: error }, 'change log state not saved'));
    await this.segments.close();
    await this.#lock.release();
  }

  /** Resolves when a record at `offset` is durable, or when the signal is aborted. */
  async waitFor(offset: bigint, signal: AbortSignal): Promise<void> {
    while (this.segments.nextOffset <= offset && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const wake = () => {
          this.#waiting.delete(wake);
          signal.removeEventListener('abort', wake);
          resolve();
        };
        this.#waiting.add(wake);
        signal.addEventListener('abort', wake);
      });
    }
  }

  /** Remembers the next offset to read, durably. It is a hint (design D4): failing to write it is logged, no more. */
  async commit(offset: bigint): Promise<void> {
    this.#state = { ...this.#state, committed: offset };
    await this.#saveState().catch((error) => this.log.warn({ err: error, offset: String(offset) }, 'commit not saved'));
    await this.segments.trim(0);
  }

  /** Throws once another process has taken the directory over. */
  assertOwned(): void {
    if (!this.#lock.isHeld()) throw new ChangeLogError('PODTRAIL_LOG_LOCKED', `change log ${this.#options.directory} was taken over by another process`);
  }

  async #flush(): Promise<void> {
    while (this.#queue.length > 0) {
      await (this.#options.fsyncIntervalMs > 0 ? delay(this.#options.fsyncIntervalMs) : yieldToEventLoop());
      const group = this.#takeGroup();
      try {
        this.assertOwned();
        await this.segments.append(group.flatMap((append) => append.records));
        for (const append of group) append.resolve();
        for (const wake of [...this.#waiting]) wake();
      } catch (error) {
        for (const append of group) append.reject(error);
      }
    }
    this.#flushing = undefined; // in the same turn as the last look at the queue: no append is left behind
  }

  #takeGroup(): PendingAppend[] {
    const maxBytes = Math.min(MAX_GROUP_BYTES, this.#options.segmentBytes);
    let bytes = 0;
    let count = 0;
    for (const append of this.#queue) {
      bytes += append.bytes;
      if (count > 0 && bytes > maxBytes) break;
      count += 1;
    }
    return this.#queue.splice(0, count);
  }

  /** Nothing at or after this offset may be deleted: not what is uncommitted, not what a running reader has yet to read. */
  #retentionFloor(): bigint {
    let floor = this.#state.committed ?? 0n;
    for (const { position } of this.#readers) if (position !== undefined && position < floor) floor = position;
    return floor;
  }

  /** One write after the other; the newest state is written last. */
  #saveState(): Promise<void> {
    const save = async () => {
      this.assertOwned();
      this.#state = { ...this.#state, end: this.segments.nextOffset };
      await writeState(this.#options.directory, this.#state);
    };
    this.#savingState = this.#savingState.catch(() => undefined).then(save);
    return this.#savingState;
  }
}

function closedError(): ChangeLogError {
  return new ChangeLogError('PODTRAIL_LOG_UNAVAILABLE', 'append failed: the change log is closed');
}
