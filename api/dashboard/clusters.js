// The clusters: how well podtrail sees each, and a warning where it does not.
// @ts-check
import { element, setText, timeElement } from './format.js';

/** @typedef {import('./format.js').Json} Json */

/** @type {Record<string, string>} */
const STATES = { complete: 'complete', partial: 'partly', blind: 'pods not seen', silent: 'silent' };
const NAMED = 5;

/** @param {Json} resource */
function missingText(resource) {
  const scope = resource['scope'] === '' ? '' : ` in ${resource['scope']}`;
  return `${resource['resource']}${scope}${resource['reason'] === '' ? '' : `: ${resource['reason']}`}`;
}

/** @param {Json} cluster */
function clusterRow(cluster) {
  const missing = cluster['resources'].filter((/** @type {Json} */ resource) => resource['state'] !== 'in_sync').map(missingText);
  return element(
    'tr',
    {},
    element('th', { scope: 'row' }, cluster['cluster']),
    element('td', {}, element('span', { class: `pill ${cluster['state']}` }, STATES[cluster['state']] ?? cluster['state'])),
    element('td', {}, timeElement(cluster['lastRecordTime'])),
    element('td', {}, cluster['serverVersion']),
    element('td', {}, missing.join('; ') || '–'),
  );
}

/** What is not seen now, in a sentence a reason; '' where all is well. @param {Json[]} clusters */
function blindText(clusters) {
  const names = (/** @type {string} */ state) => clusters.filter((cluster) => cluster['state'] === state).map((cluster) => cluster['cluster']);
  const list = (/** @type {string[]} */ all) => all.slice(0, NAMED).join(', ') + (all.length > NAMED ? ` and ${all.length - NAMED} more` : '');
  const silent = names('silent');
  const blind = names('blind');
  const texts = [];
  if (silent.length > 0) texts.push(`Nothing is heard of ${list(silent)}: what happens there now is not seen.`);
  if (blind.length > 0) texts.push(`Pods of ${list(blind)} are not in sync: nothing opens or resolves there for now.`);
  return texts.join(' ');
}

/** @param {Json} clusters */
export function drawClusters(clusters) {
  const get = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
  const items = /** @type {Json[]} */ (clusters['items']);
  const warning = blindText(items);
  get('demo').hidden = !clusters['demo'];
  get('blind').hidden = warning === '';
  setText(get('blind'), warning);
  setText(get('clusters-count'), `${items.length}, ${items.filter((cluster) => cluster['state'] === 'complete').length} completely seen`);
  get('cluster-rows').replaceChildren(...items.map(clusterRow));
}
