/** Named errors of the collector: `code` is stable and documented in README.md of this folder; decide on it, never on the text. */

interface Options {
  readonly cause?: unknown;
  readonly retriable?: boolean;
}

/** The change log refused or lost a request. `retriable` says whether the same call may succeed later. */
export class ChangeLogError extends Error {
  readonly code: 'PODTRAIL_LOG_UNAVAILABLE' | 'PODTRAIL_LOG_CORRUPT' | 'PODTRAIL_LOG_LOCKED' | 'PODTRAIL_LOG_FULL' | 'PODTRAIL_LOG_MISSING';
  readonly retriable: boolean;
  constructor(code: ChangeLogError['code'], message: string, options: Options = {}) {
    super(message, { cause: options.cause });
    this.name = 'ChangeLogError';
    this.code = code;
    this.retriable = options.retriable ?? false;
  }
}

/** An API server, a kubeconfig or a context cannot be used as it is. */
export class ClusterError extends Error {
  readonly code: 'PODTRAIL_CLUSTER_CONFIG' | 'PODTRAIL_CLUSTER_UNREACHABLE' | 'PODTRAIL_CLUSTER_REFUSED' | 'PODTRAIL_CLUSTER_IDENTITY';
  readonly retriable: boolean;
  constructor(code: ClusterError['code'], message: string, options: Options = {}) {
    super(message, { cause: options.cause });
    this.name = 'ClusterError';
    this.code = code;
    this.retriable = options.retriable ?? false;
  }
}

/** A recording is not in the format of `podtrail record`. Names the line. */
export class RecordingError extends Error {
  readonly code = 'PODTRAIL_RECORDING_INVALID';
  readonly retriable = false;
  readonly line: number;
  constructor(line: number, message: string) {
    super(`recording line ${line}: ${message}`);
    this.name = 'RecordingError';
    this.line = line;
  }
}

/** A page of a list that is no JSON further down. The message says what it is and quotes nothing of it. */
export class BadPageError extends Error {}
