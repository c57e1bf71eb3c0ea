/** Named errors of the store: `code` is stable and documented in README.md of this folder; decide on it, never on the text. */

export type StoreErrorCode =
  | 'PODTRAIL_CHDB_MISSING'
  | 'PODTRAIL_STORE_CONFIG'
  | 'PODTRAIL_STORE_LOCKED'
  | 'PODTRAIL_STORE_UNAVAILABLE'
  | 'PODTRAIL_STORE_BUSY'
  | 'PODTRAIL_STORE_FULL'
  | 'PODTRAIL_STORE_REFUSED'
  | 'PODTRAIL_STORE_SCHEMA'
  | 'PODTRAIL_QUERY_LIMIT'
  | 'PODTRAIL_QUERY_INVALID'
  | 'PODTRAIL_ROW_INVALID'
  | 'PODTRAIL_MIGRATION_CHANGED'
  | 'PODTRAIL_MIGRATION_NEWER';

interface Options {
  readonly cause?: unknown;
  readonly retriable?: boolean;
  readonly clickhouseCode?: number;
}

/** ClickHouse, chDB or what is stored there cannot be used as asked. `retriable` says whether the same call may succeed later. */
export class StoreError extends Error {
  readonly code: StoreErrorCode;
  readonly retriable: boolean;
  /** The engine's own number (ClickHouse src/Common/ErrorCodes.cpp), where it gave one. */
  readonly clickhouseCode: number | undefined;
  constructor(code: StoreErrorCode, message: string, options: Options = {}) {
    super(message, { cause: options.cause });
    this.name = 'StoreError';
    this.code = code;
    this.retriable = options.retriable ?? false;
    this.clickhouseCode = options.clickhouseCode;
  }
}

// Numbers of ClickHouse src/Common/ErrorCodes.cpp.
const BUSY = new Set([
  3, // UNEXPECTED_END_OF_FILE: the body of an insert was cut
  202, // TOO_MANY_SIMULTANEOUS_QUERIES
  203, // NO_FREE_CONNECTION
  209, // SOCKET_TIMEOUT
  210, // NETWORK_ERROR
  225, // NO_ZOOKEEPER
  236, // ABORTED: the server is shutting down
  241, // MEMORY_LIMIT_EXCEEDED
  242, // TABLE_IS_READ_ONLY: a replica lost its keeper session
  252, // TOO_MANY_PARTS: merges are behind
  254, // NO_ACTIVE_REPLICAS
  279, // ALL_CONNECTION_TRIES_FAILED
  285, // TOO_FEW_LIVE_REPLICAS
  286, // UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE
  319, // UNKNOWN_STATUS_OF_INSERT
  341, // UNFINISHED: a mutation or a DDL of a replica still runs
  364, // RECEIVED_ERROR_TOO_MANY_REQUESTS
  439, // CANNOT_SCHEDULE_TASK
  571, // DATABASE_REPLICATION_FAILED
  692, // TOO_MANY_MUTATIONS
  733, // TABLE_IS_BEING_RESTARTED
  745, // SERVER_OVERLOADED
  999, // KEEPER_EXCEPTION
]);
const FULL = new Set([
  75, // CANNOT_WRITE_TO_FILE_DESCRIPTOR
  243, // NOT_ENOUGH_SPACE
]);
const SLOW = new Set([
  159, // TIMEOUT_EXCEEDED
  160, // TOO_SLOW
]);
const LIMIT = new Set([
  158, // TOO_MANY_ROWS
  307, // TOO_MANY_BYTES
  396, // TOO_MANY_ROWS_OR_BYTES
]);
const SCHEMA = new Set([
  16, // NO_SUCH_COLUMN_IN_TABLE
  47, // UNKNOWN_IDENTIFIER
  60, // UNKNOWN_TABLE
  81, // UNKNOWN_DATABASE
]);

/** The engine's error number, over HTTP and over chDB alike; undefined for anything else, such as a refused connection. */
export function clickhouseCodeOf(error: unknown): number | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' && /^\d+$/.test(code) ? Number(code) : undefined;
}

function describe(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.length > 500 ? `${message.slice(0, 500)}…` : message;
}

/**
 * The StoreError of whatever a call of @clickhouse/client threw; `attempt` says what was attempted, with its values. An error
 * without a number of the engine is the connection to it, so retriable.
 */
export function toStoreError(error: unknown, attempt: string): StoreError {
  if (error instanceof StoreError) return error;
  const clickhouseCode = clickhouseCodeOf(error);
  const message = `${attempt} failed: ${describe(error)}`;
  const options = { cause: error, clickhouseCode };
  if (clickhouseCode === undefined) return new StoreError('PODTRAIL_STORE_UNAVAILABLE', message, { ...options, retriable: true });
  if (BUSY.has(clickhouseCode)) return new StoreError('PODTRAIL_STORE_BUSY', message, { ...options, retriable: true });
  if (FULL.has(clickhouseCode)) return new StoreError('PODTRAIL_STORE_FULL', message, { ...options, retriable: true });
  if (SLOW.has(clickhouseCode)) return new StoreError('PODTRAIL_QUERY_LIMIT', message, { ...options, retriable: true });
  if (LIMIT.has(clickhouseCode)) return new StoreError('PODTRAIL_QUERY_LIMIT', message, options);
  if (SCHEMA.has(clickhouseCode)) {
    return new StoreError('PODTRAIL_STORE_SCHEMA', `${message}; run \`podtrail migrate\` with this release`, options);
  }
  return new StoreError('PODTRAIL_STORE_REFUSED', message, options);
}
