/**
 * Rows on their way to the store: they wait a moment for others, the last one of a key stands for all of them, and a block that the
 * store refuses for now is offered again, unchanged, until it takes it. Whoever adds rows waits for `hasRoom`, so memory is bounded.
 */
import { setImmediate, setTimeout as delay } from 'node:timers/promises';
import type { ClickHouseClient } from '@clickhouse/client';
import type { Logger } from 'pino';
import { encodeRow } from '../sql/encode-row.ts';
import { insertRows } from '../sql/insert-rows.ts';
import type { EmittedRow, TableName } from '../sql/rows.ts';
import { isRetriable, ProcessorError } from './errors.ts';
import type { ProcessorMetrics } from './metrics.ts';

const FIRST_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 10_000;
/** Rows encoded in one turn of the event loop: about 5 ms (measured: 3 µs a row). */
const ROWS_A_TURN = 1_500;

export interface RowSinkOptions {
  readonly flushIntervalMs: number;
  readonly maxInsertRows: number;
  readonly maxPendingRows: number;
}

export interface RowSinkDeps {
  readonly client: ClickHouseClient;
  readonly log: Logger;
  readonly metrics: Pick<ProcessorMetrics, 'inserted' | 'insertFailed'>;
  /** Called once, with an error that no retry helps; after it every call rejects with it. */
  readonly onFatal: (error: unknown) => void;
}

/** Rows of one table by key. */
type Pending = Map<TableName, Map<string, EmittedRow>>;

/** Position of a dead letter: unlike other rows, those of two steps may share a key. */
function keyOf(emitted: EmittedRow): string {
  if (emitted.table !== 'dead_letters') return `${emitted.row.cluster}\n${emitted.key}`;
  const { log, partition, offset, part } = emitted.row;
  return `${log}\n${partition}\n${offset}\n${part}`;
}

/** Somebody who wants a block to be stored. */
interface Waiter {
  readonly block: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Takes rows at once and stores them block after block. Idle while there are none. */
export class RowSink {
  readonly #options: RowSinkOptions;
  readonly #deps: RowSinkDeps;
  readonly #abort = new AbortController();
  #pending: Pending = new Map();
  #pendingRows = 0;
  #storingRows = 0;
  /** Number of the block that takes rows now, and of the last one stored. */
  #open = 1;
  #stored = 0;
  #waiters: Waiter[] = [];
  #wake: () => void = () => {};
  #working = false;
  #failure: { readonly error: unknown } | undefined;

  constructor(options: RowSinkOptions, deps: RowSinkDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  /** Rows that are not acknowledged. */
  get pendingRows(): number {
    return this.#pendingRows + this.#storingRows;
  }

  /** Adds rows; a later row of a key replaces one that still waits. */
  add(rows: readonly EmittedRow[]): void {
    for (const row of rows) {
      let table = this.#pending.get(row.table);
      if (table === undefined) {
        table = new Map();
        this.#pending.set(row.table, table);
      }
      const before = table.size;
      table.set(keyOf(row), row);
      this.#pendingRows += table.size - before;
    }
    if (this.#pendingRows === 0 || this.#failure !== undefined) return;
    if (this.#pendingRows >= this.#options.maxInsertRows) this.#wake();
    if (!this.#working) void this.#work();
  }

  /** Whether more rows are welcome. */
  get hasRoom(): boolean {
    return this.pendingRows < this.#options.maxPendingRows;
  }

  /** Resolves when the next block is stored, or at once when nothing waits. Rejects as flush does. */
  progress(): Promise<void> {
    return this.#waitFor(this.pendingRows === 0 ? this.#stored : this.#stored + 1);
  }

  /** Resolves when all rows added before the call are stored. Rejects with the fatal error, PODTRAIL_PROCESSOR_STOPPED once aborted. */
  flush(): Promise<void> {
    return this.#waitFor(this.#pendingRows === 0 ? this.#open - 1 : this.#open);
  }

  /** Gives up what waits; whoever waits is told PODTRAIL_PROCESSOR_STOPPED. */
  abort(): void {
    this.#abort.abort();
    this.#fail(new ProcessorError('PODTRAIL_PROCESSOR_STOPPED', `gave up ${this.pendingRows} rows that the store did not take in time`));
    this.#wake();
  }

  #waitFor(block: number): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure.error);
    if (block <= this.#stored) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#waiters.push({ block, resolve, reject });
      this.#wake();
    });
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    for (const { reject } of this.#waiters.splice(0)) reject(this.#failure.error);
  }

  async #work(): Promise<void> {
    this.#working = true;
    try {
      while (this.#pendingRows > 0 && this.#failure === undefined) {
        await this.#untilDue();
        await this.#storeOpenBlock();
      }
    } catch (error) {
      if (this.#failure === undefined) this.#deps.onFatal(error);
      this.#fail(error);
    } finally {
      this.#working = false;
    }
  }

  /** Rows wait for others, unless somebody waits for them or they are many. */
  async #untilDue(): Promise<void> {
    const isDue = (): boolean =>
      this.#pendingRows >= this.#options.maxInsertRows || this.#failure !== undefined || this.#waiters.some(({ block }) => block >= this.#open);
    if (isDue()) return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      timer = setTimeout(resolve, this.#options.flushIntervalMs);
      this.#wake = () => {
        if (isDue()) resolve();
      };
    });
    clearTimeout(timer);
    this.#wake = () => {};
  }

  async #storeOpenBlock(): Promise<void> {
    const tables = [...this.#pending].map(([table, rows]) => [table, [...rows.values()]] as const);
    this.#pending = new Map();
    this.#storingRows = this.#pendingRows;
    this.#pendingRows = 0;
    const block = this.#open++;
    // All must be settled before an error is told: an insert that nobody watches could outlive the client.
    const results = await Promise.allSettled(tables.map(([table, rows]) => this.#storeTable(table, rows)));
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    this.#storingRows = 0;
    this.#stored = block;
    const done = this.#waiters.filter((waiter) => waiter.block <= block);
    this.#waiters = this.#waiters.filter((waiter) => waiter.block > block);
    for (const { resolve } of done) resolve();
  }

  async #storeTable(table: TableName, rows: readonly EmittedRow[]): Promise<void> {
    for (let at = 0; at < rows.length; at += this.#options.maxInsertRows) {
      const lines: string[] = [];
      for (const { row, version } of rows.slice(at, at + this.#options.maxInsertRows)) {
        lines.push(encodeRow(table, row as never, version));
        if (lines.length % ROWS_A_TURN === 0) await setImmediate();
      }
      await this.#insert(table, lines);
    }
  }

  async #insert(table: TableName, lines: readonly string[]): Promise<void> {
    const { client, log, metrics } = this.#deps;
    for (let backoffMs = FIRST_BACKOFF_MS; ; backoffMs = Math.min(2 * backoffMs, MAX_BACKOFF_MS)) {
      const started = performance.now();
      try {
        await insertRows(client, table, lines);
        metrics.inserted(table, lines.length, (performance.now() - started) / 1_000);
        return;
      } catch (error) {
        if (!isRetriable(error) || this.#abort.signal.aborted) throw error;
        metrics.insertFailed(table);
        log.warn({ err: error, table, rows: lines.length, backoffMs }, 'insert failed, trying again');
        await delay(backoffMs * (0.75 + Math.random() / 2), undefined, { signal: this.#abort.signal }).catch(() => undefined);
      }
    }
  }
}
