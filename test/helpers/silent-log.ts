/** A logger that says nothing, and one that remembers. */
import { pino } from 'pino';

export const silentLog = pino({ level: 'silent' });

/** A logger whose lines a test can read. */
export function createRememberingLog(): { readonly log: typeof silentLog; readonly lines: Record<string, unknown>[] } {
  const lines: Record<string, unknown>[] = [];
  const log = pino({ level: 'debug' }, { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) });
  return { log, lines };
}
