import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import type { App } from '../../../api/routes/deps.ts';
import { SCENARIO_IDS } from '../../../processor/scenarios/scenario.ts';
import type { Database } from '../harness.ts';
import { createApi, createDatabase, get, HOUR, MINUTE, NOW } from '../harness.ts';
import { incident, member } from '../rows.ts';

const folder = new URL('../../../api/dashboard/', import.meta.url);
const MODULES = ['page', 'client', 'clusters', 'detail', 'format', 'list'];
const source = (name: string): string => readFileSync(new URL(name, folder), 'utf8');

type Item = Record<string, unknown>;
interface Format {
  duration(ms: number): string;
  ago(time: string, nowMs: number): string;
  lasted(item: Item, nowMs: number): string;
  words(id: string): string;
  scenarioName(id: string): string;
  subjectName(subject: Item): string;
  impactText(item: Item): string;
  stateText(item: Item): string;
  SCENARIOS: Record<string, string>;
}
interface List {
  matchesNamespace(item: Item, text: string): boolean;
  emptyText(loaded: number, filters: Record<string, string>, watched: number): string;
  countText(items: readonly Item[], whole: boolean): string;
}
// Files of the browser, without types; their functions that touch no document run here as well.
const load = async <T>(name: string): Promise<T> => (await import(new URL(name, folder).href)) as T;

describe('the files of the page', () => {
  let db: Database;
  let app: App;
  before(async () => {
    db = await createDatabase();
    ({ app } = await createApi(db));
  });
  after(async () => {
    await app.close();
    await db.close();
  });

  test('are served, with all that they refer to', async () => {
    const page = await app.inject('/');
    assert.deepEqual([page.statusCode, page.headers['content-type']], [200, 'text/html; charset=utf-8']);
    const referred = [...page.body.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map(([, url = '']) => url);
    for (const name of MODULES) for (const [, url = ''] of source(`${name}.js`).matchAll(/from '\.\/([^']+)'/g)) referred.push(`/dashboard/${url}`);
    assert.ok(referred.includes('/dashboard/page.css') && referred.includes('/dashboard/list.js'));
    for (const url of new Set(referred)) {
      const { statusCode, headers } = await app.inject(url);
      assert.equal(statusCode, 200, url);
      if (url.endsWith('.js')) assert.equal(headers['content-type'], 'text/javascript; charset=utf-8');
      if (url.endsWith('.css')) assert.equal(headers['content-type'], 'text/css; charset=utf-8');
    }
  });

  test('ask the API only for what it answers', async () => {
    const { listQuery } = await load<{ listQuery(filters: Item, nowMs: number): URLSearchParams }>('client.js');
    await db.insert('incidents', [incident({ id: 'open' }), incident({ id: 'over', state: 'resolved', resolvedTimeMs: NOW })]);
    await db.insert('incident_members', [member({ incidentId: 'open' })]);
    const ask = async (filters: Item): Promise<string[]> => {
      const { status, body } = await get(app, `/v1/incidents?${listQuery({ range: '24', state: '', cluster: '', scenario: '', ...filters }, NOW)}`);
      assert.equal(status, 200, JSON.stringify(body));
      return body.items.map(({ id }: { id: string }) => id);
    };
    assert.deepEqual(await ask({}), ['open', 'over']);
    assert.deepEqual(await ask({ state: 'active' }), ['open']);
    assert.deepEqual(await ask({ state: 'resolved', range: '720' }), ['over']);
    assert.deepEqual(await ask({ cluster: 'other' }), []);
    for (const scenario of SCENARIO_IDS) await ask({ scenario });
    assert.equal((await get(app, '/v1/clusters?limit=500')).status, 200);
    const { impactText, subjectName } = await load<Format>('format.js');
    const [item] = (await get(app, '/v1/incidents?state=open')).body.items;
    assert.deepEqual([impactText(item), subjectName(item.subject)], ['2 of 3 ready · 1 of 1 pod failing', 'shop/web · app']);
  });
});

describe('the page', () => {
  test('never makes markup of data, and asks nobody else', () => {
    for (const name of [...MODULES.map((module) => `${module}.js`), 'page.html', 'page.css']) {
      const text = source(name);
      assert.doesNotMatch(text, /innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|DOMParser|srcdoc/, name);
      assert.doesNotMatch(text.replaceAll("'http://www.w3.org/2000/svg'", '').replace("startsWith('https://')", ''), /https?:\/\//, name);
    }
    assert.doesNotMatch(source('page.html'), /<script(?![^>]*src=)|\sstyle=|\son[a-z]+=/);
  });

  test('follows the colours that the reader prefers', () => {
    assert.match(source('page.css'), /@media \(prefers-color-scheme: dark\)/);
  });
});

describe('the words of the page', async () => {
  const format = await load<Format>('format.js');
  const list = await load<List>('list.js');

  const durations: readonly (readonly [number, string])[] = [
    [-5, '0 s'],
    [0, '0 s'],
    [59_499, '59 s'],
    [59_500, '1 min'],
    [HOUR - MINUTE, '59 min'],
    [HOUR, '1 h'],
    [HOUR + 5 * MINUTE, '1 h 5 min'],
    [24 * HOUR, '1 d'],
    [50 * HOUR, '2 d 2 h'],
  ];
  for (const [ms, want] of durations) test(`${ms} ms is ${want}`, () => assert.equal(format.duration(ms), want));

  test('times are told from now, and what lasts lasts until now', () => {
    assert.equal(format.ago('2026-01-31T11:00:00Z', NOW), '1 h ago');
    assert.equal(format.lasted({ openedTime: '2026-01-31T11:00:00Z', resolvedTime: null }, NOW), '1 h');
    assert.equal(format.lasted({ openedTime: '2026-01-31T11:00:00Z', resolvedTime: '2026-01-31T11:05:00Z' }, NOW), '5 min');
  });

  test('every scenario has a name, and one of a later release its id in words', () => {
    assert.deepEqual(Object.keys(format.SCENARIOS), [...SCENARIO_IDS]);
    assert.equal(format.scenarioName('oom_killed'), 'Out of memory');
    assert.equal(format.scenarioName('disk_on_fire'), 'Disk on fire');
    assert.equal(format.scenarioName('constructor'), 'Constructor');
  });

  test('subject, impact and state say what matters', () => {
    assert.equal(format.subjectName({ kind: 'Node', namespace: '', name: 'node-7', container: '' }), 'node-7');
    const item = { state: 'open', podCount: 4, failingPods: 2, impact: { desired: 5, ready: 3, affected: 2 } };
    assert.equal(format.impactText(item), '3 of 5 ready · 2 of 4 pods failing');
    assert.equal(format.impactText({ ...item, impact: null, podCount: 1, failingPods: 1 }), '1 of 1 pod failing');
    assert.equal(format.impactText({ ...item, state: 'resolved' }), '4 pods');
    assert.equal(format.stateText({ state: 'resolved', resolution: 'recovered' }), 'resolved');
    assert.equal(format.stateText({ state: 'resolved', resolution: 'deleted' }), 'resolved: deleted');
  });

  test('namespaces match by a part, of the subject or of a pod', () => {
    const item = { subject: { namespace: 'shop-eu' }, pods: [{ namespace: 'billing' }] };
    for (const [text, want] of [
      ['', true],
      ['SHOP', true],
      ['bill ', true],
      ['search', false],
    ] as const)
      assert.equal(list.matchesNamespace(item, text), want, text);
  });

  test('an empty list says why it is empty', () => {
    const filters = { range: '24', state: '', cluster: '', scenario: '' };
    assert.match(list.emptyText(0, filters, 0), /No cluster has been heard of/);
    assert.equal(list.emptyText(0, filters, 2), 'No incidents in the last 24 hours: podtrail watches 2 clusters.');
    assert.equal(list.emptyText(0, { ...filters, state: 'open' }, 2), 'No incident matches in the last 24 hours.');
    assert.match(list.emptyText(5, filters, 2), /namespace/);
  });

  test('the count tells what is not resolved and what is critical', () => {
    const items = [
      { state: 'open', severity: 'critical' },
      { state: 'resolved', severity: 'critical' },
      { state: 'recovering', severity: 'info' },
    ];
    assert.equal(list.countText(items, true), '3 shown, 2 not resolved, 1 critical');
    assert.equal(list.countText(items.slice(1), false), '2+ shown, 1 not resolved');
  });
});
