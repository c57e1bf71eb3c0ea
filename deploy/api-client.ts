/** Asks a running podtrail over its API. Every failure is a CommandError with what to do. */
import { Option } from 'commander';
import { CommandError, EXIT } from './errors.ts';
import { note } from './output.ts';

/** Query parameters; a list is a repeated parameter, undefined is left out. */
export type QueryParams = Readonly<Record<string, string | readonly string[] | undefined>>;

/** Pages a list is followed over at most: 100 pages of 500 are more than a person reads. */
const MAX_PAGES = 100;
const TIMEOUT_MS = 30_000;

/** `--url`, for whatever asks a running API. */
export const apiUrlOption = (): Option => new Option('--url <url>', 'address of the API').default('http://127.0.0.1:8080').env('PODTRAIL_URL');

/** GET of the API's JSON. Throws CommandError: exit 2 where the API refuses the request, 1 where it fails or does not answer. */
export async function get<T>(base: string, path: string, params: QueryParams = {}): Promise<T> {
  const url = urlOf(base, path);
  for (const [key, value] of Object.entries(params)) for (const one of value === undefined ? [] : [value].flat()) url.searchParams.append(key, one);
  return ask<T>(base, url, { headers: { accept: 'application/json' } });
}

/** Posts JSON to a running API. Throws as get does. */
export async function postJson<T>(base: string, path: string, body: unknown): Promise<T> {
  const headers = { accept: 'application/json', 'content-type': 'application/json' };
  return ask<T>(base, urlOf(base, path), { method: 'POST', headers, body: JSON.stringify(body) });
}

/** All items of a paged list, up to a bound that it then tells. Throws as get does. */
export async function getAll<T>(base: string, path: string, params: QueryParams): Promise<T[]> {
  const items: T[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < MAX_PAGES; page++) {
    const { items: more, next } = await get<{ readonly items: readonly T[]; readonly next: string | null }>(base, path, { ...params, limit: '500', cursor });
    items.push(...more);
    if (next === null) return items;
    cursor = next;
  }
  note(`only the first ${items.length} are shown`);
  return items;
}

/** The API may be served below a path of a proxy. */
function urlOf(base: string, path: string): URL {
  const url = URL.canParse(base) ? new URL(base) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) throw new CommandError(EXIT.refused, `--url ${base}: expected http://HOST:PORT`);
  return new URL(url.pathname.replace(/\/*$/, '') + path, url);
}

async function ask<T>(base: string, url: URL, request: RequestInit): Promise<T> {
  let response: Response;
  try {
    response = await fetch(url, { ...request, signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch (error) {
    throw new CommandError(EXIT.failed, `no answer from ${base}: ${reasonOf(error)}. Is podtrail running there? Another address: --url`, { cause: error });
  }
  const body = (await response.json().catch(() => undefined)) as { readonly title?: string; readonly detail?: string } | undefined;
  if (body === undefined) throw new CommandError(EXIT.failed, `${base} answered ${response.status} and no JSON: that is not podtrail. Another address: --url`);
  if (!response.ok)
    throw new CommandError(response.status < 500 ? EXIT.refused : EXIT.failed, `${base} says ${response.status}: ${body.detail ?? body.title ?? 'no reason'}`);
  return body as T;
}

/** fetch hides what went wrong in a chain of causes; an address tried twice, in errors of an AggregateError. */
function reasonOf(error: unknown): string {
  const { cause, errors, message } = error as Error & { readonly cause?: unknown; readonly errors?: readonly unknown[] };
  if (errors?.[0] !== undefined) return reasonOf(errors[0]);
  return cause instanceof Error ? reasonOf(cause) : message;
}
