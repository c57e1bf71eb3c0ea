/** Named errors of the api. Every `code` is stable and listed in README.md of this folder; `status` is what a client sees. */

/** What went wrong with one parameter of a request. */
export interface ParameterIssue {
  readonly in: 'query' | 'path' | 'body' | 'header';
  readonly parameter: string;
  readonly message: string;
}

interface ProblemKind {
  readonly status: number;
  readonly title: string;
  /** Whether the same request may succeed later; then Retry-After goes out with it. */
  readonly retriable: boolean;
}

/** Every problem that a response can carry (RFC 9457). */
export const PROBLEMS = {
  PODTRAIL_API_INVALID_PARAMETER: { status: 400, title: 'A parameter is not valid', retriable: false },
  PODTRAIL_API_INVALID_RANGE: { status: 400, title: 'The time range is not valid', retriable: false },
  PODTRAIL_API_INVALID_CURSOR: { status: 400, title: 'The cursor is not valid for this request', retriable: false },
  PODTRAIL_API_BAD_REQUEST: { status: 400, title: 'The request cannot be read', retriable: false },
  PODTRAIL_API_NOT_FOUND: { status: 404, title: 'There is nothing at this address', retriable: false },
  PODTRAIL_API_METHOD_NOT_ALLOWED: { status: 405, title: 'This address does not take this method', retriable: false },
  PODTRAIL_API_REQUEST_TIMEOUT: { status: 408, title: 'The request did not arrive in time', retriable: true },
  PODTRAIL_API_BODY_TOO_LARGE: { status: 413, title: 'The request body is too large', retriable: false },
  PODTRAIL_API_UNSUPPORTED_MEDIA_TYPE: { status: 415, title: 'The media type of the body is not supported', retriable: false },
  PODTRAIL_API_HOST_REFUSED: { status: 421, title: 'This host name is not served', retriable: false },
  PODTRAIL_API_QUERY_TOO_EXPENSIVE: { status: 422, title: 'The query reads or returns too much', retriable: false },
  PODTRAIL_API_HEADERS_TOO_LARGE: { status: 431, title: 'The request head is too large', retriable: false },
  PODTRAIL_API_INTERNAL: { status: 500, title: 'The request failed', retriable: false },
  PODTRAIL_API_OVERLOADED: { status: 503, title: 'Too many queries are waiting', retriable: true },
  PODTRAIL_API_QUERY_TIMEOUT: { status: 503, title: 'The query took too long', retriable: true },
  PODTRAIL_API_STORE_UNAVAILABLE: { status: 503, title: 'The store does not answer', retriable: true },
  PODTRAIL_API_STATE_UNAVAILABLE: { status: 503, title: 'The state of the cluster cannot be read', retriable: true },
} as const satisfies Record<string, ProblemKind>;

export type ProblemCode = keyof typeof PROBLEMS;

interface Options {
  readonly cause?: unknown;
  readonly issues?: readonly ParameterIssue[];
}

/** A request that cannot be answered as asked. The message is shown to the client: no text of the engine, no stack. */
export class ApiError extends Error {
  readonly code: ProblemCode;
  readonly status: number;
  readonly retriable: boolean;
  readonly issues: readonly ParameterIssue[];
  constructor(code: ProblemCode, message: string, options: Options = {}) {
    super(message, { cause: options.cause });
    this.name = 'ApiError';
    this.code = code;
    this.status = PROBLEMS[code].status;
    this.retriable = PROBLEMS[code].retriable;
    this.issues = options.issues ?? [];
  }
}

/** The server cannot start as configured. REMOTE_REFUSED: not loopback and no allowRemote. LISTEN: the address is taken or not ours. */
export class ApiStartError extends Error {
  readonly code: 'PODTRAIL_API_REMOTE_REFUSED' | 'PODTRAIL_API_LISTEN';
  readonly retriable = false;
  constructor(code: ApiStartError['code'], message: string, options: { readonly cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = 'ApiStartError';
    this.code = code;
  }
}

/** The error of a request whose parameter `parameter` of the query does not fit. */
export function invalidParameter(parameter: string, message: string, code: ProblemCode = 'PODTRAIL_API_INVALID_PARAMETER'): ApiError {
  return new ApiError(code, `${parameter}: ${message}`, { issues: [{ in: 'query', parameter, message }] });
}
