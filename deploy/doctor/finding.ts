/** What `podtrail doctor` says of one thing that it looked at. */
export interface Finding {
  /** fail: podtrail cannot work so. warn: it can, with less than it should. */
  readonly status: 'ok' | 'warn' | 'fail';
  /** What was looked at, such as `Kafka` or `cluster prod-eu`. */
  readonly about: string;
  readonly text: string;
  /** What to do; '' if nothing. */
  readonly fix: string;
}

export function ok(about: string, text: string): Finding {
  return { status: 'ok', about, text, fix: '' };
}

export function warn(about: string, text: string, fix: string): Finding {
  return { status: 'warn', about, text, fix };
}

export function fail(about: string, text: string, fix: string): Finding {
  return { status: 'fail', about, text, fix };
}

/** The message of whatever was thrown, on one line. */
export function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replace(/\s+/g, ' ').slice(0, 400);
}

/** The code of a named error, else ''. */
export function codeOf(error: unknown): string {
  const { code } = (error ?? {}) as { readonly code?: unknown };
  return typeof code === 'string' ? code : '';
}
