/**
 * Pure: tells one SQL statement from two. A server refuses two statements a call, chDB runs both; so the embedded connection
 * refuses them by this, and a query that works in one place works in the other.
 */

/** Index after the quoted text that opens at `from`: backslash escapes, and a doubled quote is a quote (ClickHouse Lexer.cpp). */
function afterQuoted(sql: string, from: number): number {
  const quote = sql[from];
  let at = from + 1;
  while (at < sql.length) {
    if (sql[at] === '\\') at += 2;
    else if (sql[at] !== quote) at += 1;
    else if (sql[at + 1] === quote) at += 2;
    else return at + 1;
  }
  return sql.length;
}

function afterMark(sql: string, mark: string, from: number): number {
  const at = sql.indexOf(mark, from);
  return at === -1 ? sql.length : at + mark.length;
}

const HEREDOC = /\$[A-Za-z0-9_]*\$/y;

/** Index after the comment, string or quoted name that starts at `at`, or `at` itself if none does. */
function afterOpaque(sql: string, at: number): number {
  const char = sql[at];
  if (char === "'" || char === '"' || char === '`') return afterQuoted(sql, at);
  if (char === '-' && sql[at + 1] === '-') return afterMark(sql, '\n', at + 2);
  if (char === '#' && (sql[at + 1] === ' ' || sql[at + 1] === '!')) return afterMark(sql, '\n', at + 2);
  if (char === '/' && sql[at + 1] === '*') return afterMark(sql, '*/', at + 2);
  if (char !== '$') return at;
  HEREDOC.lastIndex = at;
  const tag = HEREDOC.exec(sql)?.[0];
  return tag === undefined ? at : afterMark(sql, tag, at + tag.length);
}

/** The statement with comments as a space and strings and quoted names as `?`: what remains is keywords, plain names and signs. */
export function bareSql(sql: string): string {
  let bare = '';
  let at = 0;
  while (at < sql.length) {
    const next = afterOpaque(sql, at);
    if (next === at) {
      bare += sql[at];
      at += 1;
    } else {
      bare += sql[at] === '-' || sql[at] === '#' || sql[at] === '/' ? ' ' : '?';
      at = next;
    }
  }
  return bare;
}

/** Whether `sql` holds exactly one statement; semicolons and comments at its end are allowed, as on a server. */
export function isOneStatement(sql: string): boolean {
  const [first = '', ...rest] = bareSql(sql).split(';');
  return first.trim() !== '' && rest.every((part) => part.trim() === '');
}

/** Names of the parameters that `sql` binds as {name:Type}. */
export function parametersOf(sql: string): ReadonlySet<string> {
  return new Set([...bareSql(sql).matchAll(/\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*:/g)].map((match) => match[1] ?? ''));
}
