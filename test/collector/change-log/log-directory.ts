/** Embedded logs in directories of their own, and what a reader gets out of them. */
import assert from 'node:assert/strict';
import { cp, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Logger, pino } from 'pino';
import type { LogRecord } from '../../../collector/change-log/change-log.ts';
import { type EmbeddedChangeLog, type EmbeddedOptions, openEmbeddedChangeLog } from '../../../collector/change-log/embedded-change-log.ts';

export const silent = pino({ level: 'silent' });

export async function inDirectory(body: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'podtrail-log-'));
  try {
    await body(directory);
  } finally {
    await rm(directory, { recursive: true });
  }
}

export function openLog(
  directory: string,
  options: Partial<EmbeddedOptions> = {},
  deps: { log?: Logger; now?: () => number } = {},
): Promise<EmbeddedChangeLog> {
  const defaults = { directory, segmentBytes: 1_048_576, retentionMs: 3_600_000, retentionBytes: 1_073_741_824, fsyncIntervalMs: 0 };
  return openEmbeddedChangeLog({ ...defaults, ...options }, { log: silent, ...deps });
}

/** Copies the files as a crash at this moment would leave them: without the lock. */
export async function copyAsAfterCrash(directory: string, target: string): Promise<void> {
  await rm(target, { recursive: true, force: true });
  await cp(directory, target, { recursive: true, filter: (path) => !path.endsWith('lock') });
}

export async function segmentFiles(directory: string): Promise<string[]> {
  return (await readdir(directory)).filter((name) => name.endsWith('.log')).sort();
}

export interface Content {
  readonly records: readonly LogRecord[];
  readonly gaps: readonly (readonly [wanted: bigint, next: bigint])[];
  readonly earliest: bigint;
  readonly end: bigint;
}

/** Everything a reader is given from `start` (the earliest record, if left out) to the end. Commits as told. */
export async function readAll(log: EmbeddedChangeLog, options: { start?: bigint; commit?: bigint } = {}): Promise<Content> {
  const records: LogRecord[] = [];
  const gaps: [bigint, bigint][] = [];
  const reader = log.reader();
  const end = (await reader.endOffsets()).get(0) ?? 0n;
  let earliest = 0n;
  const stopAt = (next: bigint) => {
    if (next >= end) void reader.stop();
  };
  await reader.run({
    assigned: async (assignment) => {
      earliest = assignment.earliest;
      const start = options.start ?? earliest;
      stopAt(start === end ? end : 0n);
      return start;
    },
    batch: async (batch) => {
      records.push(...batch.records);
      stopAt((batch.records.at(-1)?.offset ?? 0n) + 1n);
      return options.commit;
    },
    revoked: async () => undefined,
    outOfRange: async (_, wanted, next) => {
      gaps.push([wanted, next]);
      stopAt(next);
    },
  });
  return { records, gaps, earliest, end };
}

/** Each offset from the start to the end is either a record, as `expected` has it, or within a reported gap; nothing is both. */
export function assertAccounted(content: Content, start: bigint, expected: (offset: bigint) => string): void {
  let next = start;
  const gaps = [...content.gaps];
  for (const { offset, value } of content.records) {
    while (next < offset) {
      const gap = gaps.shift();
      assert.ok(gap !== undefined && gap[0] === next, `offset ${next} was skipped in silence`);
      next = gap[1];
    }
    assert.equal(offset, next);
    assert.equal(Buffer.from(value).toString('utf8'), expected(offset));
    next += 1n;
  }
  for (const [wanted, to] of gaps) {
    assert.equal(wanted, next);
    next = to;
  }
  assert.equal(next, content.end);
}
