/** The reader of the embedded log: one partition, woken by appends, no polling. */
import type { ChangeLogReader, ReaderHandlers } from './change-log.ts';
import { callHandler, yieldToEventLoop } from './call-handler.ts';
import type { OwnedLog } from './embedded-change-log.ts';
import { LogCursor } from './log-cursor.ts';

const PARTITION = 0;

export class EmbeddedReader implements ChangeLogReader {
  readonly #owner: OwnedLog;
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;
  #cursor: LogCursor | undefined;

  constructor(owner: OwnedLog) {
    this.#owner = owner;
  }

  /** Offset it will read next while it runs: retention keeps everything from there on. */
  get position(): bigint | undefined {
    return this.#cursor?.next;
  }

  async identity(): Promise<{ log: string; partitions: number }> {
    return { log: `embedded:${this.#owner.id}`, partitions: 1 };
  }

  async endOffsets(): Promise<ReadonlyMap<number, bigint>> {
    return new Map([[PARTITION, this.#owner.segments.nextOffset]]);
  }

  run(handlers: ReaderHandlers): Promise<void> {
    if (this.#running !== undefined) return Promise.reject(new Error('run was called twice'));
    this.#running = this.#takeTurn(handlers);
    return this.#running;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running?.catch(() => undefined); // run() has told its caller
  }

  /** Waits until the readers before it have ended; their errors are not ours. */
  async #takeTurn(handlers: ReaderHandlers): Promise<void> {
    const before = this.#owner.turn;
    const reading = before.then(() => this.#read(handlers));
    this.#owner.turn = reading.catch(() => undefined);
    await reading;
  }

  async #read(handlers: ReaderHandlers): Promise<void> {
    if (this.#stop.signal.aborted) return;
    const { segments, committed } = this.#owner;
    // From here on retention keeps what `assigned` may ask for.
    this.#cursor = new LogCursor(segments, segments.earliest);
    try {
      const assignment = { partition: PARTITION, earliest: segments.earliest, end: segments.nextOffset, committed };
      const start = await this.#call('assigned', () => handlers.assigned(assignment));
      if (start !== undefined) await this.#readFrom(start.value, handlers);
    } finally {
      await this.#cursor.close();
      this.#cursor = undefined;
      await handlers.revoked(PARTITION);
    }
  }

  async #readFrom(start: bigint, handlers: ReaderHandlers): Promise<void> {
    const { signal } = this.#stop;
    const { segments } = this.#owner;
    await this.#cursor?.close();
    let cursor = new LogCursor(segments, start);
    this.#cursor = cursor;
    if (start > segments.nextOffset) {
      cursor = new LogCursor(segments, segments.earliest);
      this.#cursor = cursor;
      await this.#reportGap(handlers, start, segments.earliest);
    }
    while (!signal.aborted) {
      this.#owner.assertOwned();
      const read = await cursor.read();
      if (read.kind === 'end') await this.#owner.waitFor(cursor.next, signal);
      else if (read.kind === 'gap') await this.#reportGap(handlers, read.wanted, read.to);
      else {
        const batch = { partition: PARTITION, records: read.records, end: segments.nextOffset };
        const commit = await this.#call('batch', () => handlers.batch(batch, yieldToEventLoop));
        if (commit?.value !== undefined) await this.#owner.commit(commit.value);
      }
    }
  }

  async #reportGap(handlers: ReaderHandlers, wanted: bigint, next: bigint): Promise<void> {
    this.#owner.log.error({ wanted: String(wanted), next: String(next) }, 'records are gone from the change log');
    await this.#call('outOfRange', () => handlers.outOfRange(PARTITION, wanted, next));
  }

  #call<T>(what: string, call: () => Promise<T>): Promise<{ readonly value: T } | undefined> {
    return callHandler(call, { signal: this.#stop.signal, log: this.#owner.log, what });
  }
}
