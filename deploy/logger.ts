/** pino as every role uses it: JSON lines to stderr with times and levels as words, secrets censored (style E5, E6). */
import { type DestinationStream, type Logger, pino } from 'pino';
import { z } from 'zod';

export const loggingConfig = z.strictObject({
  level: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info').describe('Least severe level that is written.'),
});
export type LoggingConfig = z.output<typeof loggingConfig>;

/** Creates the root logger; roles take a child with `component`. stdout stays free for results. */
export function createLogger(config: LoggingConfig, destination: DestinationStream = pino.destination({ dest: 2, sync: true })): Logger {
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
