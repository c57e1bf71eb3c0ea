/** Exit codes and errors of the command line. Documented in README.md; scripts may rely on them. */
export const EXIT = {
  ok: 0,
  /** Something failed while running. */
  failed: 1,
  /** It cannot start: configuration, unsupported platform, locked data directory; or a check said no. */
  refused: 2,
  /** The input cannot be used: a malformed recording, manifest or list. */
  badInput: 3,
} as const;

/** Ends the command with a message and an exit code; never a stack trace. */
export class CommandError extends Error {
  readonly code = 'PODTRAIL_COMMAND';
  readonly retriable = false;
  readonly exitCode: number;
  constructor(exitCode: number, message: string, options: { readonly cause?: unknown } = {}) {
    super(message, options);
    this.name = 'CommandError';
    this.exitCode = exitCode;
  }
}
