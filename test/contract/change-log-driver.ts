/** Drives a reader in tests: records what it calls, checks the order the port promises, and waits for conditions without polling. */
import assert from 'node:assert/strict';
import type { Assignment, ChangeLogReader, LogRecord, ReaderHandlers } from '../../collector/change-log/change-log.ts';

/** Longest wait for a condition, ms: far above what any takes, so that it decides only whether a test hangs. */
const PATIENCE_MS = 60_000;

export interface Gap {
  readonly partition: number;
  readonly wanted: bigint;
  readonly earliest: bigint;
}

export class RetriableError extends Error {
  readonly retriable = true;
}

/** Handlers that note everything. By default they start at the earliest record and commit nothing. */
export class ReaderDriver implements ReaderHandlers {
  readonly assignments: Assignment[] = [];
  readonly records: { readonly partition: number; readonly record: LogRecord }[] = [];
  readonly batches: { readonly partition: number; readonly offsets: readonly bigint[]; readonly end: bigint }[] = [];
  readonly revocations: number[] = [];
  readonly gaps: Gap[] = [];
  /** Partitions between `assigned` and `revoked`. */
  readonly held = new Set<number>();
  readonly #overrides: Partial<ReaderHandlers>;
  readonly #attempted = new Set<number>();
  readonly #busy = new Set<number>();
  readonly #waiting = new Set<() => void>();
  #running: Promise<void> | undefined;
  #hasEnded = false;

  constructor(overrides: Partial<ReaderHandlers> = {}) {
    this.#overrides = overrides;
  }

  /** Starts reading; a failure of run() shows in `finished` and in until(). */
  start(reader: ChangeLogReader): this {
    this.#running = reader.run(this);
    const end = () => {
      this.#hasEnded = true;
      this.#wake();
    };
    this.#running.then(end, end);
    return this;
  }

  get finished(): Promise<void> {
    return this.#running ?? Promise.reject(new Error('not started'));
  }

  async assigned(assignment: Assignment): Promise<bigint> {
    return this.#note(assignment.partition, async () => {
      assert.ok(!this.held.has(assignment.partition), 'assigned again before it was revoked');
      this.#attempted.add(assignment.partition);
      const start = (await this.#overrides.assigned?.(assignment)) ?? assignment.earliest;
      this.assignments.push(assignment);
      this.held.add(assignment.partition);
      return start;
    });
  }

  async batch(batch: Parameters<ReaderHandlers['batch']>[0], heartbeat: () => Promise<void>): Promise<bigint | undefined> {
    return this.#note(batch.partition, async () => {
      assert.ok(this.held.has(batch.partition), 'a batch outside an assignment');
      assert.ok(batch.records.length > 0, 'an empty batch');
      this.batches.push({ partition: batch.partition, offsets: batch.records.map((record) => record.offset), end: batch.end });
      this.#wake();
      const commit = await this.#overrides.batch?.(batch, heartbeat);
      for (const record of batch.records) this.records.push({ partition: batch.partition, record });
      return commit;
    });
  }

  async revoked(partition: number): Promise<void> {
    return this.#note(partition, async () => {
      assert.ok(this.#attempted.delete(partition), 'revoked without an assignment');
      this.held.delete(partition);
      this.revocations.push(partition);
      await this.#overrides.revoked?.(partition);
    });
  }

  async outOfRange(partition: number, wanted: bigint, earliest: bigint): Promise<void> {
    return this.#note(partition, async () => {
      this.gaps.push({ partition, wanted, earliest });
      await this.#overrides.outOfRange?.(partition, wanted, earliest);
    });
  }

  /** Values of the records as text, in the order handled. */
  get values(): string[] {
    return this.records.map(({ record }) => Buffer.from(record.value).toString('utf8'));
  }

  /** Waits until the condition holds; it is looked at after every call of a handler. Rejects if run() failed. */
  async until(condition: () => boolean): Promise<void> {
    let isOver = false;
    const timer = setTimeout(() => {
      isOver = true;
      this.#wake();
    }, PATIENCE_MS);
    try {
      while (!condition()) {
        if (isOver) throw new Error(`waited in vain for ${condition}: ${this.records.length} records, ${this.assignments.length} assignments`);
        if (this.#hasEnded) await this.finished.then(() => assert.fail('the reader ended'));
        await new Promise<void>((resolve) => this.#waiting.add(resolve));
      }
    } finally {
      clearTimeout(timer);
    }
  }

  async #note<T>(partition: number, call: () => Promise<T>): Promise<T> {
    assert.ok(!this.#busy.has(partition), 'two handlers of one partition at once');
    this.#busy.add(partition);
    try {
      return await call();
    } finally {
      this.#busy.delete(partition);
      this.#wake();
    }
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }
}

export function bytes(text: string): Buffer {
  return Buffer.from(text, 'utf8');
}
