/** Named errors of the processor: `code` is stable and documented in README.md of this folder; decide on it, never on the text. */

export type ProcessorErrorCode =
  | 'PODTRAIL_LOG_CHANGED'
  | 'PODTRAIL_CHECKPOINT_FORMAT'
  | 'PODTRAIL_SINK_BUSY'
  | 'PODTRAIL_PROCESSOR_STOPPED'
  | 'PODTRAIL_PROCESSOR_INVARIANT';

/** The processor cannot go on with what it finds. `retriable` says whether the same call may succeed later. */
export class ProcessorError extends Error {
  readonly code: ProcessorErrorCode;
  readonly retriable: boolean;
  constructor(code: ProcessorErrorCode, message: string, options: { readonly cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = 'ProcessorError';
    this.code = code;
    this.retriable = code === 'PODTRAIL_SINK_BUSY' || code === 'PODTRAIL_PROCESSOR_STOPPED';
  }
}

/** Whether an error of any folder says of itself that it may pass. */
export function isRetriable(error: unknown): boolean {
  return error instanceof Error && 'retriable' in error && error.retriable === true;
}
