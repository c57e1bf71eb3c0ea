/** What the command line prints: plain tables, relative times, a progress bar on a terminal. Results go to stdout, the rest to stderr. */
import { SingleBar } from 'cli-progress';
import { CommandError, EXIT } from './errors.ts';

/** Columns of equal width, two spaces apart; the last one is not padded. */
export function formatTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((title, i) => Math.max(title.length, ...rows.map((row) => (row[i] ?? '').length)));
  const line = (cells: readonly string[]): string => cells.map((cell, i) => (i === cells.length - 1 ? cell : cell.padEnd(widths[i] ?? 0))).join('  ');
  return [header, ...rows].map((cells) => line(cells.map(printable)).trimEnd()).join('\n');
}

/** Control characters in names and messages of others must not reach a terminal. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is replaced
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, ' ');
}

/** `90s`, `12m`, `5h`, `3d`, as kubectl prints ages. */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 2 * 3_600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 2 * 86_400) return `${Math.floor(seconds / 3_600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}

/** `30m`, `24h`, `7d` in ms. Throws CommandError (exit 2). */
export function parseDuration(text: string): number {
  const match = /^(\d{1,6})(s|m|h|d)$/.exec(text);
  if (match === null) throw new CommandError(EXIT.refused, `"${text}" is not a duration such as 30m, 24h or 7d`);
  const unit = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }[match[2] as 's' | 'm' | 'h' | 'd'];
  return Number(match[1]) * unit;
}

/** The time that `--at` names, epoch ms. Throws CommandError (exit 2). */
export function parseAt(text: string): number {
  const timeMs = Date.parse(text);
  if (Number.isNaN(timeMs)) throw new CommandError(EXIT.refused, `--at ${text}: expected a time such as 2026-01-31T08:00:00Z`);
  return timeMs;
}

/** Writes a line of result. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Writes a line for the person at the terminal. */
export function note(text: string): void {
  process.stderr.write(`${text}\n`);
}

export interface Progress {
  update(done: number): void;
  stop(): void;
}

/** A bar on stderr if that is a terminal, else nothing. */
export function createProgress(total: number, unit: string): Progress {
  if (!process.stderr.isTTY || total <= 0) return { update: () => {}, stop: () => {} };
  const bar = new SingleBar({ format: `{bar} {percentage}% {value}/{total} ${unit}`, stream: process.stderr, hideCursor: true, clearOnComplete: true });
  bar.start(total, 0);
  return { update: (done) => bar.update(done), stop: () => bar.stop() };
}

/** A line on stderr that says every second how far something without an end has come, if that is a terminal. */
export function createCounter(text: (seconds: number) => string): { stop(): void } {
  if (!process.stderr.isTTY) return { stop: () => {} };
  const startedMs = performance.now();
  const timer = setInterval(() => process.stderr.write(`\r\x1b[K${text(Math.round((performance.now() - startedMs) / 1_000))}`), 1_000);
  return {
    stop() {
      clearInterval(timer);
      process.stderr.write('\r\x1b[K');
    },
  };
}

/** Parser of an option that may be given several times. */
export function repeatable(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}
