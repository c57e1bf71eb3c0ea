/**
 * Plays a recording into the change log as if it happened now: its first part at once, so that there is something to see, the rest in
 * its own pace or faster, and then heartbeats of a cluster in which nothing changes any more.
 */
import type { Logger } from 'pino';
import type { ChangeLogWriter } from '../collector/change-log/change-log.ts';
import type { ChangeRecord } from '../collector/change-record.ts';
import { encodeChangeRecord, HEARTBEAT_INTERVAL_MS } from '../collector/change-record.ts';
import { createRecordingEncoder, readRecording } from '../collector/recording.ts';

/** Of the recording's length, what has already happened when the player starts. */
const PAST_SHARE = 0.75;
const BATCH = 500;

export interface DemoPlayer {
  /** Resolves once the past is in the log; the rest plays on until stop. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** Creates the player. `speed` is recorded seconds a second, at least 1, for the part that is still to come. */
export function createDemoPlayer(
  options: { readonly file: string; readonly speed: number; readonly cluster: string },
  deps: { readonly writer: ChangeLogWriter; readonly log: Logger },
): DemoPlayer {
  const controller = new AbortController();
  let playing: Promise<void> | undefined;
  const append = async (records: readonly ChangeRecord[]): Promise<void> => {
    for (let i = 0; i < records.length; i += BATCH) {
      const batch = records.slice(i, i + BATCH);
      await deps.writer.append(
        batch[0]?.cluster.uid ?? '',
        batch.map((record) => encodeChangeRecord(record)),
      );
    }
  };
  return {
    async start() {
      const { past, future, splitMs } = await loadShifted(options.file, options.cluster, options.speed);
      await append(past);
      const startedMs = Date.now();
      const dueMs = (record: ChangeRecord): number => startedMs + (record.t - splitMs) / options.speed;
      playing = play(future, dueMs, append, controller.signal).catch((error: unknown) => deps.log.error({ err: error }, 'demo stopped'));
    },
    async stop() {
      controller.abort();
      await playing;
    },
  };
}

/**
 * Both parts with their times shifted so that the end of the recording is now when it is played: until then a faster pace than the
 * clock's begins as far behind it as it catches up, and nothing ever happens in the future.
 */
async function loadShifted(
  file: string,
  cluster: string,
  speed: number,
): Promise<{ readonly past: ChangeRecord[]; readonly future: ChangeRecord[]; readonly splitMs: number }> {
  const lines = [];
  for await (const line of readRecording(file)) lines.push(line);
  const firstMs = lines[0]?.t ?? 0;
  const lastMs = lines.at(-1)?.t ?? 0;
  const aheadMs = (lastMs - firstMs) * (1 - PAST_SHARE);
  const shiftMs = Math.floor((Date.now() + aheadMs / speed - lastMs) / 1_000) * 1_000;
  const splitMs = lastMs + shiftMs - aheadMs;
  const encoder = createRecordingEncoder({ cluster: { name: cluster }, shiftMs });
  const records = lines.flatMap((line) => encoder.push(line));
  // Its own end would say that the collector stopped; this one goes on.
  records.push(...encoder.end().filter((record) => record.type !== 'SESSION_END'));
  const first = records.findIndex((record) => record.t > splitMs);
  const split = first < 0 ? records.length : first;
  return { past: records.slice(0, split), future: records.slice(split), splitMs };
}

async function play(
  records: readonly ChangeRecord[],
  dueMs: (record: ChangeRecord) => number,
  append: (records: readonly ChangeRecord[]) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  for (const record of records) {
    if (!(await pause(dueMs(record) - Date.now(), signal))) return;
    await append([record]);
  }
  const last = records.findLast((record) => record.type === 'HEARTBEAT');
  while (last !== undefined && (await pause(HEARTBEAT_INTERVAL_MS, signal))) await append([{ ...last, t: Math.max(last.t, Date.now()) }]);
}

/** False when the player was stopped meanwhile. */
function pause(ms: number, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return Promise.resolve(false);
  if (ms <= 0) return Promise.resolve(true);
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop);
      resolve(true);
    }, ms);
    const stop = (): void => {
      clearTimeout(timer);
      resolve(false);
    };
    signal.addEventListener('abort', stop, { once: true });
  });
}
