// Words for what the API returns, and elements that hold them. Everything becomes text, never markup.
// @ts-check

/** @typedef {Record<string, any>} Json */

export const RANGES = [
  ['1', 'last hour'],
  ['6', 'last 6 hours'],
  ['24', 'last 24 hours'],
  ['168', 'last 7 days'],
  ['720', 'last 30 days'],
];
export const STATES = [
  ['', 'any'],
  ['active', 'not resolved'],
  ['open', 'open'],
  ['recovering', 'recovering'],
  ['resolved', 'resolved'],
];
/** @type {Record<string, string>} */
export const SCENARIOS = {
  scheduling_failure: 'Cannot be scheduled',
  image_pull_failure: 'Image cannot be pulled',
  dependency_error: 'Missing dependency',
  container_create_failure: 'Container cannot be created',
  init_failure: 'Init container fails',
  lifecycle_hook_failure: 'Lifecycle hook fails',
  readiness_probe_failure: 'Readiness probe fails',
  liveness_probe_failure: 'Liveness probe fails',
  container_exit: 'Container keeps exiting',
  oom_killed: 'Out of memory',
  evicted: 'Evicted',
  node_lost: 'Node lost',
  stuck_terminating: 'Stuck terminating',
};

/**
 * An element with attributes and children; strings are text.
 * @param {string} name
 * @param {Record<string, string>} attributes
 * @param {...(Node | string | null)} children
 */
export function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  for (const child of children) if (child !== null) node.append(child);
  return node;
}

/**
 * Sets a text only when it is another one: a status is read out at every change.
 * @param {Element} node
 * @param {string} text
 */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** `container_limit` as `Container limit`. @param {string} id */
export function words(id) {
  const text = id.replaceAll('_', ' ');
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** @param {string} id */
export const scenarioName = (id) => (Object.hasOwn(SCENARIOS, id) ? (SCENARIOS[id] ?? '') : words(id));

/** Two units at most: `3 h 5 min`. @param {number} ms */
export function duration(ms) {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
  const days = Math.floor(hours / 24);
  return hours % 24 === 0 ? `${days} d` : `${days} d ${hours % 24} h`;
}

/** @param {string} time @param {number} nowMs */
export const ago = (time, nowMs = Date.now()) => `${duration(nowMs - Date.parse(time))} ago`;

/** In the reader's own zone and style. @param {string} time */
export const clock = (time) => new Date(time).toLocaleString();

/** Likewise, without the date. @param {string} time */
export const timeOfDay = (time) => new Date(time).toLocaleTimeString();

/** How long an incident lasted, or lasts by now. @param {Json} item @param {number} nowMs */
export const lasted = (item, nowMs = Date.now()) =>
  duration((item['resolvedTime'] === null ? nowMs : Date.parse(item['resolvedTime'])) - Date.parse(item['openedTime']));

/** A time that tells how long ago it was, and exactly when on demand. @param {string | null} time */
export function timeElement(time) {
  if (time === null) return document.createTextNode('–');
  return element('time', { datetime: time, title: clock(time), 'data-ago': '' }, ago(time));
}

/** @param {Json} subject */
export function subjectName(subject) {
  const name = subject['namespace'] === '' ? subject['name'] : `${subject['namespace']}/${subject['name']}`;
  return subject['container'] === '' ? name : `${name} · ${subject['container']}`;
}

/** What is lost now; of what is over, how many pods it touched. @param {Json} item */
export function impactText(item) {
  const noun = item['podCount'] === 1 ? 'pod' : 'pods';
  if (item['state'] === 'resolved') return `${item['podCount']} ${noun}`;
  const pods = `${item['failingPods']} of ${item['podCount']} ${noun} failing`;
  if (item['impact'] === null || item['impact'].desired === 0) return pods;
  return `${item['impact'].ready} of ${item['impact'].desired} ready · ${pods}`;
}

/** @param {Json} item */
export function stateText(item) {
  const { state, resolution } = item;
  return state === 'resolved' && resolution !== null && resolution !== 'recovered' ? `resolved: ${resolution}` : state;
}

/** @param {Json} item */
export const statePill = (item) => element('span', { class: `pill ${item['state']}` }, stateText(item));

/**
 * A table with named columns, that scrolls by itself where it is too wide.
 * @param {string[]} columns
 * @param {HTMLElement[]} rows
 */
export function tableOf(columns, rows) {
  const head = element('thead', {}, element('tr', {}, ...columns.map((name) => element('th', { scope: 'col' }, name))));
  return element('div', { class: 'scroll' }, element('table', {}, head, element('tbody', {}, ...rows)));
}
