// The first page: a live list of incidents, fed by the JSON routes alone. This file holds the state, the filters and the loop.
// @ts-check
import { ApiProblem, createPager, getJson, listQuery } from './client.js';
import { drawClusters } from './clusters.js';
import { drawDetail, drawNote, hideDetail } from './detail.js';
import { ago, element, lasted, RANGES, SCENARIOS, STATES, setText } from './format.js';
import { drawList, focusRow, markRow } from './list.js';

/** @typedef {import('./format.js').Json} Json */

const POLL_MS = 2_000;
const CLUSTERS_MS = 10_000;
const CLOCK_MS = 15_000;
const MAX_BACKOFF_MS = 30_000;
/** Pages that are read without being asked for: 1,000 incidents. */
const AUTO_PAGES = 2;

const DEFAULTS = { range: '24', state: '', cluster: '', scenario: '', namespace: '', id: '' };

/** @param {string} id @returns {any} */
const byId = (id) => document.getElementById(id);
const form = /** @type {HTMLFormElement} */ (byId('filters'));
const pager = createPager();

const state = {
  filters: { ...DEFAULTS },
  /** @type {{ items: Json[], next: string | null, loaded: boolean }} */
  list: { items: [], next: null, loaded: false },
  pageCount: AUTO_PAGES,
  /** @type {Json | null} */
  clusters: null,
  clustersMs: 0,
  /** @type {Json | null} */
  detail: null,
  /** Raised by every change of the filters: an answer to an older question is dropped. */
  generation: 0,
  failures: 0,
  succeededMs: 0,
};

/** @returns {Json[]} */
const clusters = () => state.clusters?.['items'] ?? [];
const redraw = () => drawList(state.list, state.filters, clusters().length);

// Reading

async function refreshList() {
  const { generation } = state;
  const { items, next } = await pager.read(listQuery(state.filters), state.pageCount);
  if (generation !== state.generation) return;
  state.list = { items, next, loaded: true };
  redraw();
  await refreshDetail();
}

async function refreshClusters() {
  state.clusters = await getJson('/v1/clusters?limit=500');
  state.clustersMs = Date.now();
  drawClusters(state.clusters);
  drawClusterOptions();
}

/** Reads the chosen incident when it is not the one shown, or changed since. */
async function refreshDetail() {
  const { id } = state.filters;
  if (id === '') return;
  const shown = state.detail?.['id'] === id ? state.detail : null;
  const listed = state.list.items.find((item) => item['id'] === id);
  if (shown !== null && (listed === undefined || listed['updatedTime'] === shown['updatedTime'])) return;
  try {
    const detail = await getJson(`/v1/incidents/${encodeURIComponent(id)}?lang=${navigator.language.startsWith('zh') ? 'zh' : 'en'}`);
    if (state.filters.id !== id) return;
    state.detail = detail;
    drawDetail(detail, shown === null);
  } catch (error) {
    if (state.filters.id === id && shown === null) drawNote(`This incident cannot be shown: ${/** @type {Error} */ (error).message}`);
  }
}

// Filters, which live in the address

function readAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  const known = { range: RANGES.map(([value]) => value), state: STATES.map(([value]) => value), scenario: ['', ...Object.keys(SCENARIOS)] };
  /** @type {Record<string, string>} */
  const filters = {};
  for (const [key, fallback] of Object.entries(DEFAULTS)) {
    const value = given.get(key) ?? fallback;
    const allowed = /** @type {Record<string, (string | undefined)[]>} */ (known)[key];
    filters[key] = allowed === undefined || allowed.includes(value) ? value : fallback;
  }
  state.filters = /** @type {typeof DEFAULTS} */ (filters);
}

function writeAddress() {
  const changed = Object.entries(state.filters).filter(([key, value]) => value !== /** @type {Record<string, string>} */ (DEFAULTS)[key]);
  history.replaceState(null, '', changed.length === 0 ? location.pathname : `#${new URLSearchParams(changed)}`);
}

/** @param {HTMLSelectElement} select @param {string[][]} options @param {string} chosen */
function setOptions(select, options, chosen) {
  const all = options.some(([value]) => value === chosen) ? options : [...options, [chosen, chosen]];
  const signature = JSON.stringify(all);
  if (select.dataset['options'] !== signature) {
    select.dataset['options'] = signature;
    select.replaceChildren(...all.map(([value = '', text = '']) => element('option', { value }, text)));
  }
  select.value = chosen;
}

function drawClusterOptions() {
  setOptions(form['cluster'], [['', 'all'], ...clusters().map((cluster) => [cluster['cluster'], cluster['cluster']])], state.filters.cluster);
}

function drawFilters() {
  setOptions(form['range'], RANGES, state.filters.range);
  setOptions(form['state'], STATES, state.filters.state);
  setOptions(form['scenario'], [['', 'all'], ...Object.entries(SCENARIOS)], state.filters.scenario);
  drawClusterOptions();
  if (form['namespace'] !== document.activeElement) form['namespace'].value = state.filters.namespace;
}

/** From here on the list answers another question. */
function startOver() {
  state.generation += 1;
  state.list = { items: [], next: null, loaded: false };
  state.pageCount = AUTO_PAGES;
  drawFilters();
  redraw();
  void poll();
}

/** Opens an incident, or with '' closes the one that is open. @param {string} id */
function choose(id) {
  const before = state.filters.id;
  state.filters.id = id;
  writeAddress();
  markRow(id);
  if (id === '') {
    state.detail = null;
    hideDetail();
    focusRow(before);
    return;
  }
  if (state.detail?.['id'] !== id) drawNote('Loading …');
  void refreshDetail();
}

// The loop

/** @param {unknown} error */
function drawLive(error) {
  const live = byId('live');
  const problem = byId('problem');
  const last = state.succeededMs === 0 ? '' : `, as of ${new Date(state.succeededMs).toLocaleTimeString()}`;
  live.classList.toggle('on', error === null);
  live.classList.toggle('off', error !== null);
  setText(live, error === null ? 'live' : `not connected${last}`);
  problem.hidden = error === null;
  setText(
    problem,
    error === null ? '' : `Incidents cannot be read: ${error instanceof ApiProblem ? error.message : 'the server does not answer'}. Trying again.`,
  );
  if (error !== null && !state.list.loaded) setText(byId('empty'), 'Nothing could be loaded yet.');
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;
let running = false;
let again = false;

/** One round; the next one follows by itself. Called in the middle of a round, it makes another follow at once. */
async function poll() {
  clearTimeout(timer);
  if (running) {
    again = true;
    return;
  }
  running = true;
  let waitMs = POLL_MS;
  try {
    if (Date.now() - state.clustersMs > CLUSTERS_MS) await refreshClusters();
    await refreshList();
    state.failures = 0;
    state.succeededMs = Date.now();
    drawLive(null);
  } catch (error) {
    state.failures += 1;
    const backoffMs = Math.min(MAX_BACKOFF_MS, POLL_MS * 2 ** Math.min(state.failures, 5));
    waitMs = Math.max(backoffMs, error instanceof ApiProblem ? error.retryMs : 0);
    drawLive(error);
  }
  running = false;
  if (again) {
    again = false;
    void poll();
  } else if (!document.hidden) {
    timer = setTimeout(poll, waitMs);
  }
}

/** Times and durations go on while nothing else changes. */
function tick() {
  for (const node of document.querySelectorAll('time[data-ago]')) setText(node, ago(node.getAttribute('datetime') ?? ''));
  for (const node of document.querySelectorAll('[data-opened][data-resolved=""]')) {
    setText(node, lasted({ openedTime: node.getAttribute('data-opened'), resolvedTime: null }));
  }
}

form.addEventListener('submit', (event) => event.preventDefault());
form.addEventListener('reset', (event) => {
  event.preventDefault();
  state.filters = { ...DEFAULTS, id: state.filters.id };
  form['namespace'].value = '';
  writeAddress();
  startOver();
});
form.addEventListener('input', (event) => {
  const { name, value } = /** @type {HTMLInputElement} */ (event.target);
  Object.assign(state.filters, { [name]: value });
  writeAddress();
  if (name === 'namespace') redraw();
  else startOver();
});
byId('rows').addEventListener('click', (/** @type {Event} */ event) => {
  const id = /** @type {Element} */ (event.target).closest('tr')?.querySelector('button')?.dataset['id'];
  const selecting = getSelection()?.isCollapsed === false;
  if (id !== undefined && !selecting) choose(id);
});
byId('detail').addEventListener('click', (/** @type {Event} */ event) => {
  const button = /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest('button'));
  if (button?.id === 'close') choose('');
  else if (button?.dataset['id'] !== undefined) choose(button.dataset['id']);
});
byId('more').addEventListener('click', () => {
  state.pageCount += 1;
  void poll();
});
document.addEventListener('keydown', (event) => {
  if (event.key === 'Escape' && state.filters.id !== '') choose('');
});
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) void poll();
});
addEventListener('hashchange', () => {
  readAddress();
  if (state.filters.id === '') hideDetail();
  startOver();
});

readAddress();
drawFilters();
redraw();
if (state.filters.id !== '') drawNote('Loading …');
void poll();
setInterval(tick, CLOCK_MS);
