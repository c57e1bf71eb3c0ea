/** pino as every role uses it: to stderr, JSON lines for machines, plain lines on a terminal; secrets censored (style E5, E6). */
import { writeSync } from 'node:fs';
import { type DestinationStream, type Logger, pino } from 'pino';
import { z } from 'zod';
import { printable } from './output.ts';

export const loggingConfig = z.strictObject({
  level: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info').describe('Least severe level that is written.'),
  format: z.enum(['auto', 'json', 'text']).default('auto').describe('JSON lines, or text for a person; auto is text on a terminal.'),
});
export type LoggingConfig = z.output<typeof loggingConfig>;

/** Creates the root logger; roles take a child with `component`. stdout stays free for results. */
export function createLogger(config: LoggingConfig, destination: DestinationStream = stderrFor(config.format)): Logger {
  return pino(
    {
      level: config.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: ['authorization', 'cookie', '*.authorization', '*.cookie', 'headers.authorization', 'headers.cookie'], censor: '***' },
    },
    destination,
  );
}

function stderrFor(format: LoggingConfig['format']): DestinationStream {
  const text = format === 'text' || (format === 'auto' && process.stderr.isTTY);
  return text ? { write: (line) => void writeSync(2, `${formatLogLine(line)}\n`) } : pino.destination({ dest: 2, sync: true });
}

/** A JSON line of the log as a person reads it: `08:12:03 warn  collector: retrying cluster=prod reason="connect refused"`. */
export function formatLogLine(line: string): string {
  const { time, level, component, msg, err, ...fields } = JSON.parse(line) as Readonly<Record<string, unknown>>;
  const { code, message, stack } = (err ?? {}) as { readonly code?: string; readonly message?: string; readonly stack?: string };
  const said = Object.entries({ ...fields, ...(message !== undefined && { error: message, code }) }).filter(([, value]) => value !== undefined);
  const words = said.map(([name, value]) => `${name}=${typeof value === 'string' && /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value)}`);
  const head = `${String(time).slice(11, 19)} ${String(level).padEnd(5)} ${component === undefined ? '' : `${component}: `}${msg}`;
  const trace = (level === 'error' || level === 'fatal') && code === undefined && stack !== undefined ? `\n${stack}` : '';
  return `${[head, ...words].map(printable).join(' ')}${trace}`;
}
