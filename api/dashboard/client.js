// Asking the JSON routes: errors as the server words them, and pages that are only sent when they changed.
// @ts-check

/** @typedef {import('./format.js').Json} Json */

/** Items of one request. */
const PAGE_ITEMS = 500;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;

/** An answer that is no success, with what the server said of it and when to ask again. */
export class ApiProblem extends Error {
  /** @param {string} message @param {number} retryMs */
  constructor(message, retryMs) {
    super(message);
    this.retryMs = retryMs;
  }
}

/** @param {Response} response */
async function problemOf(response) {
  const retryMs = Number(response.headers.get('retry-after') ?? 0) * 1_000;
  const body = /** @type {Json} */ (await response.json().catch(() => ({})));
  return new ApiProblem(body['detail'] ?? `the server answered ${response.status}`, retryMs);
}

/** @param {string} url @returns {Promise<Json>} */
export async function getJson(url) {
  const response = await fetch(url, { headers: { accept: 'application/json' } });
  if (!response.ok) throw await problemOf(response);
  return response.json();
}

/**
 * The list's question. Its range ends at a whole minute, so that cursors and ETags stay the same for a while.
 * @param {{ range: string, state: string, cluster: string, scenario: string }} filters
 * @param {number} nowMs
 */
export function listQuery(filters, nowMs = Date.now()) {
  const toMs = Math.ceil(nowMs / MINUTE_MS) * MINUTE_MS;
  const fromMs = toMs - Number(filters.range) * HOUR_MS;
  const query = new URLSearchParams({ from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString(), limit: String(PAGE_ITEMS) });
  for (const state of filters.state === 'active' ? ['open', 'recovering'] : [filters.state]) if (state !== '') query.append('state', state);
  if (filters.cluster !== '') query.set('cluster', filters.cluster);
  if (filters.scenario !== '') query.set('scenario', filters.scenario);
  return query;
}

/** Pages of a list, each asked for again only as far as it changed. */
export function createPager() {
  /** @type {Map<number, { url: string, etag: string, body: Json }>} */
  const kept = new Map();

  /** @param {number} index @param {string} url */
  async function getPage(index, url) {
    const before = kept.get(index);
    /** @type {Record<string, string>} */
    const headers = { accept: 'application/json' };
    if (before?.url === url) headers['if-none-match'] = before.etag;
    const response = await fetch(url, { headers });
    if (response.status === 304 && before !== undefined) return before.body;
    if (!response.ok) throw await problemOf(response);
    const body = /** @type {Json} */ (await response.json());
    kept.set(index, { url, etag: response.headers.get('etag') ?? '', body });
    return body;
  }

  return {
    /**
     * Up to `count` pages of a question, as one list; `next` is null where that is all.
     * @param {URLSearchParams} query
     * @param {number} count
     */
    async read(query, count) {
      /** @type {Json[]} */
      const items = [];
      /** @type {string | null} */
      let next = null;
      for (let index = 0; index < count; index++) {
        if (next !== null) query.set('cursor', next);
        const body = await getPage(index, `/v1/incidents?${query}`);
        items.push(...body['items']);
        next = body['next'];
        if (next === null) break;
      }
      return { items, next };
    },
  };
}
