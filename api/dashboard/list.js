// The list of incidents: one row an incident, exchanged only when it changed.
// @ts-check
import { element, impactText, lasted, RANGES, scenarioName, setText, statePill, subjectName, timeElement, words } from './format.js';

/** @typedef {import('./format.js').Json} Json */

/** @type {Map<string, { row: HTMLElement, signature: string }>} */
const drawn = new Map();

/** What else is worth knowing at a glance. @param {Json} item */
function notes(item) {
  const parts = [words(item['cause'])];
  if (item['severity'] === 'critical') parts.push('critical'); // said, not only coloured
  if (item['flags'].includes('oscillating')) parts.push('oscillating');
  if (item['flaps'] > 0) parts.push(item['flaps'] === 1 ? '1 relapse' : `${item['flaps']} relapses`);
  if (item['confidence'] !== 'certain') parts.push(item['confidence']);
  return parts.join(' · ');
}

/** @param {Json} item */
function buildRow(item) {
  const open = element('button', { type: 'button', class: 'open', 'data-id': item['id'] }, scenarioName(item['scenario']));
  const lasts = element('span', { 'data-opened': item['openedTime'], 'data-resolved': item['resolvedTime'] ?? '' }, lasted(item));
  return element(
    'tr',
    { class: item['severity'] },
    element('th', { scope: 'row' }, open, element('div', { class: 'quiet' }, notes(item))),
    element('td', {}, subjectName(item['subject']), element('div', { class: 'quiet' }, item['subject'].kind)),
    element('td', {}, item['cluster']),
    element('td', {}, impactText(item)),
    element('td', {}, timeElement(item['openedTime'])),
    element('td', {}, lasts),
    element('td', {}, statePill(item)),
  );
}

/** The row of an item, new only if the item is another than before. @param {string} key @param {Json} item */
function rowOf(key, item) {
  const signature = JSON.stringify(item);
  const before = drawn.get(key);
  if (before?.signature === signature) return before.row;
  const row = buildRow(item);
  if (before !== undefined) {
    const focused = before.row.contains(document.activeElement);
    before.row.replaceWith(row);
    if (focused) row.querySelector('button')?.focus();
  }
  drawn.set(key, { row, signature });
  return row;
}

/** @param {Json[]} items @param {string} chosen */
function drawRows(items, chosen) {
  const body = /** @type {HTMLElement} */ (document.getElementById('rows'));
  const keys = new Set(items.map((item) => `${item['cluster']}/${item['id']}`));
  for (const [key, { row }] of drawn) {
    if (keys.has(key)) continue;
    row.remove();
    drawn.delete(key);
  }
  let place = body.firstElementChild;
  for (const item of items) {
    const row = rowOf(`${item['cluster']}/${item['id']}`, item);
    row.classList.toggle('chosen', item['id'] === chosen);
    // The row in place may just have been exchanged: then its successor is where we are.
    if (place !== null && !place.isConnected) place = row;
    if (place === row) place = row.nextElementSibling;
    else body.insertBefore(row, place);
  }
}

/** Whether the subject or a pod shown is of a namespace like this. @param {Json} item @param {string} text */
export function matchesNamespace(item, text) {
  const part = text.trim().toLowerCase();
  const namespaces = [item['subject'].namespace, ...item['pods'].map((/** @type {Json} */ pod) => pod['namespace'])];
  return part === '' || namespaces.some((namespace) => namespace.toLowerCase().includes(part));
}

/**
 * Why there is nothing to see.
 * @param {number} loaded
 * @param {Record<string, string>} filters
 * @param {number} watched
 */
export function emptyText(loaded, filters, watched) {
  if (loaded > 0) return 'No incident has such a namespace.';
  const range = RANGES.find(([hours]) => hours === filters['range'])?.[1] ?? 'range';
  if (['state', 'cluster', 'scenario'].some((key) => filters[key] !== '')) return `No incident matches in the ${range}.`;
  if (watched === 0) return 'No cluster has been heard of yet. As soon as one is read, its incidents show up here.';
  return `No incidents in the ${range}: podtrail watches ${watched} ${watched === 1 ? 'cluster' : 'clusters'}.`;
}

/** @param {Json[]} items @param {boolean} whole */
export function countText(items, whole) {
  const unresolved = items.filter((item) => item['state'] !== 'resolved');
  const critical = unresolved.filter((item) => item['severity'] === 'critical').length;
  const parts = [`${items.length.toLocaleString('en')}${whole ? '' : '+'} shown`, `${unresolved.length} not resolved`];
  return (critical > 0 ? [...parts, `${critical} critical`] : parts).join(', ');
}

/**
 * @param {{ items: Json[], next: string | null, loaded: boolean }} list
 * @param {Record<string, string>} filters
 * @param {number} watched
 */
export function drawList(list, filters, watched) {
  const get = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
  const items = list.items.filter((item) => matchesNamespace(item, filters['namespace'] ?? ''));
  drawRows(items, filters['id'] ?? '');
  get('table').hidden = items.length === 0;
  get('more').hidden = list.next === null;
  get('empty').hidden = items.length > 0;
  setText(get('empty'), list.loaded ? emptyText(list.items.length, filters, watched) : 'Loading …');
  setText(get('count'), list.loaded ? countText(items, list.next === null) : '');
}

/** Marks the row of an incident, '' none. @param {string} id */
export function markRow(id) {
  for (const { row } of drawn.values()) row.classList.toggle('chosen', id !== '' && row.querySelector('button')?.dataset['id'] === id);
}

/** Puts the focus back to where an incident was opened. @param {string} id */
export function focusRow(id) {
  for (const { row } of drawn.values()) {
    const button = row.querySelector('button');
    if (button?.dataset['id'] === id) button.focus();
  }
}
