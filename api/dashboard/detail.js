// One incident: facts, what changed before, what to do, what happened, evidence and pods.
// @ts-check
import { clock, duration, element, impactText, lasted, scenarioName, statePill, subjectName, tableOf, timeElement, timeOfDay, words } from './format.js';

/** @typedef {import('./format.js').Json} Json */

const SHOWN_MEMBERS = 200;

/** @param {string} title @param {...(Node | string)} children @returns {(Node | string)[]} */
const section = (title, ...children) => [element('h3', {}, title), ...children];

/** A button that opens another incident. @param {string | null} id */
const linkTo = (id) => (id === null ? null : element('button', { type: 'button', 'data-id': id }, id));

/** @param {Json} detail */
function facts(detail) {
  const cause = words(detail['cause']) + (detail['detail'] === '' ? '' : `: ${detail['detail'].replaceAll('_', ' ')}`);
  /** @type {[string, Node | string | null][]} */
  const all = [
    ['Subject', `${detail['subject'].kind} ${subjectName(detail['subject'])}`],
    ['Cluster', detail['cluster']],
    ['Cause', cause],
    ['Confidence', detail['confidence']],
    ['Impact', impactText(detail)],
    ['Severity', detail['severity']],
    ['First symptom', detail['firstSymptomTime'] === null ? null : clock(detail['firstSymptomTime'])],
    ['Opened', clock(detail['openedTime'])],
    ['Resolved', detail['resolvedTime'] === null ? null : `${clock(detail['resolvedTime'])}, after ${lasted(detail)}`],
    ['Relapses', detail['flaps'] === 0 ? null : String(detail['flaps'])],
    ['Flags', detail['flags'].join(', ')],
    ['Image', detail['image']],
    ['Registry', detail['registry']],
    ['Node', detail['node']],
    ['Claim', detail['claim']],
    ['Part of', linkTo(detail['parent'])],
    ['Explained by', linkTo(detail['supersededBy'])],
  ];
  const list = element('dl');
  for (const [name, value] of all) if (value !== null && value !== '') list.append(element('dt', {}, name), element('dd', {}, value));
  return list;
}

/** What changed, how long before the first symptom, and the fields that differ. @param {Json} change */
function changeParts(change) {
  const when = `${duration(change['secondsBefore'] * 1_000)} before the first symptom (${change['confidence']})`;
  const rows = (change['diff'] ?? []).map((/** @type {Json} */ field) =>
    element('tr', {}, ...['path', 'before', 'after'].map((key) => element('td', {}, element('code', {}, field[key] || '–')))),
  );
  return [
    element('p', {}, change['text'], element('span', { class: 'quiet' }, `, ${when}`)),
    ...(rows.length === 0 ? [] : [tableOf(['Field', 'Before', 'After'], rows)]),
  ];
}

/** @param {Json[]} evidence */
function evidenceTable(evidence) {
  const rows = evidence.map((item) =>
    element(
      'tr',
      {},
      element(
        'td',
        {},
        item['object'],
        element('div', { class: 'quiet' }, element('code', {}, item['path'])),
        item['time'] === null ? null : element('div', { class: 'quiet' }, timeElement(item['time'])),
      ),
      element('td', {}, element('code', {}, item['value'])),
    ),
  );
  return tableOf(['Where', 'What it said'], rows);
}

/** @param {Json} detail */
function memberParts(detail) {
  const shown = detail['members'].slice(0, SHOWN_MEMBERS);
  const rows = shown.map((/** @type {Json} */ member) => {
    const name = element('td', {}, `${member['namespace']}/${member['name']}`, element('div', { class: 'quiet' }, member['node']));
    return element('tr', {}, name, element('td', {}, member['state']), element('td', {}, timeElement(member['firstTime'])));
  });
  const left = detail['podCount'] - rows.length;
  return [tableOf(['Pod', 'State', 'Since'], rows), ...(left > 0 ? [element('p', { class: 'quiet' }, `and ${left} more`)] : [])];
}

/** Of another day than the incident began on, with the date. @param {string} time @param {string} opened */
const storyClock = (time, opened) => (new Date(time).toDateString() === new Date(opened).toDateString() ? timeOfDay(time) : clock(time));

/** @param {Json[]} timeline @param {string} opened */
function story(timeline, opened) {
  const entries = timeline.map((entry) => {
    const time = element('time', { datetime: entry['time'], title: clock(entry['time']), class: 'quiet' }, storyClock(entry['time'], opened));
    const many = entry['count'] === 1 || entry['kind'] === 'rest' || entry['kind'] === 'member' ? '' : ` ×${entry['count']}`;
    const until = entry['until'] === null ? '' : ` until ${storyClock(entry['until'], opened)}`;
    const often = many + until === '' ? null : element('span', { class: 'quiet' }, many + until);
    return element('li', {}, time, element('span', {}, entry['text'], often));
  });
  return element('ol', { class: 'story' }, ...entries);
}

/** @param {Json} advice */
function adviceParts(advice) {
  const steps = advice['steps'].map((/** @type {Json} */ step) =>
    element('li', {}, step['text'], step['command'] === undefined ? null : element('pre', {}, step['command'])),
  );
  const links = advice['links'].filter((/** @type {string} */ link) => link.startsWith('https://'));
  return [
    element('p', {}, advice['explanation']),
    element('ol', { class: 'steps' }, ...steps),
    ...(advice['avoid'] === '' ? [] : [element('p', { class: 'quiet' }, advice['avoid'])]),
    ...links.map((/** @type {string} */ link) => element('p', {}, element('a', { href: link, rel: 'noreferrer' }, link))),
  ];
}

/** @param {string} title */
function head(title) {
  const close = element('button', { type: 'button', id: 'close', 'aria-label': 'Close the details' }, 'Close');
  return element('div', { class: 'detail-head' }, element('h2', { id: 'detail-title' }, title), close);
}

/** @param {(Node | string)[]} parts @param {boolean} focus */
function show(parts, focus) {
  const aside = /** @type {HTMLElement} */ (document.getElementById('detail'));
  const focused = document.activeElement?.id === 'close';
  const top = focus ? 0 : aside.scrollTop;
  aside.replaceChildren(...parts);
  aside.hidden = false;
  aside.scrollTop = top;
  document.querySelector('main')?.classList.add('split');
  // Beside the list it is in sight already; below it, the page has to go there.
  if (focus) aside.focus({ preventScroll: matchMedia('(min-width: 75rem)').matches });
  else if (focused) document.getElementById('close')?.focus();
}

/** Draws the panel; `focus` when it was just opened. @param {Json} detail @param {boolean} focus */
export function drawDetail(detail, focus) {
  const change = detail['suspectedChange'];
  const advice = detail['advice'];
  const parts = [
    head(scenarioName(detail['scenario'])),
    statePill(detail),
    element('p', {}, detail['summary']),
    facts(detail),
    ...(change === null ? [] : section('What changed just before', ...changeParts(change))),
    ...(advice === null ? [] : section(`What to do: ${advice['title']}`, ...adviceParts(advice))),
    ...section('What happened', story(detail['timeline'], detail['openedTime'])),
    ...section('Evidence', evidenceTable(detail['evidence'])),
    ...section(`Pods (${detail['podCount']})`, ...memberParts(detail)),
  ];
  show(parts, focus);
}

/** Draws the panel without an incident: loading, or why there is none. @param {string} text */
export function drawNote(text) {
  show([head('Incident'), element('p', { class: 'quiet' }, text)], false);
}

/** Takes the panel away. */
export function hideDetail() {
  const aside = /** @type {HTMLElement} */ (document.getElementById('detail'));
  aside.hidden = true;
  aside.replaceChildren();
  document.querySelector('main')?.classList.remove('split');
}
