import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { App } from '../../api/routes/deps.ts';
import type { Database } from './harness.ts';
import { createApi, createDatabase, get, HOUR, NOW } from './harness.ts';
import { blind, cluster, deadLetter, disruption, event, incident, member, podChange, session, timelineEntry } from './rows.ts';

/** What would change, break, delay or widen a query if it were put into one as text. */
const CORPUS = [
  "'",
  '"',
  '`',
  '\\',
  "\\'",
  "' OR '1'='1",
  "' OR 1=1 --",
  "') OR 1=1 /*",
  "'; DROP TABLE incidents; --",
  "' UNION ALL SELECT name, 1 FROM system.tables --",
  "x' AND sleep(3) = 0 AND '1'='1",
  "']) OR has(['a",
  '{clusters:Array(String)}',
  '{db:Identifier}',
  '$$; DROP TABLE incidents $$',
  '%27%20OR%201=1',
  '\u0000',
  "a\tb\nc\r'",
  '\\N',
  '\\x27 OR 1=1',
  '＇ OR 1=1',
  '\u{1F600}',
  '(SELECT count() FROM incidents)',
  "file('/etc/passwd')",
  '1e999',
  '-1',
  '0x41',
  'NaN',
  '../../etc/passwd',
  '[]',
  "['a','b']",
  '__proto__',
];

let db: Database;
let app: App;
/** The canary: nobody asks for this cluster's rows, so nobody may see them. */
const CANARY = 'c4nary';

before(async () => {
  db = await createDatabase();
  const name = { cluster: CANARY };
  await db.insert('clusters', [cluster(name)]);
  await db.insert('incidents', [incident(name)]);
  await db.insert('incident_members', [member(name)]);
  await db.insert('incident_timeline', [timelineEntry(name)]);
  await db.insert('pod_changes', [podChange(name)]);
  await db.insert('events', [event(name)]);
  await db.insert('coverage', [blind(name)]);
  await db.insert('sessions', [session(name)]);
  await db.insert('disruptions', [disruption(name)]);
  await db.insert('dead_letters', [deadLetter(name)]);
  ({ app } = await createApi(db));
});
after(async () => {
  await app.close();
  await db.close();
});

interface Parameter {
  readonly in: 'query' | 'path';
  readonly name: string;
  readonly required?: boolean;
  readonly schema: { readonly type?: string; readonly items?: { readonly enum?: unknown } };
}

/** Every parameter of every route, as the document of the API names them. */
async function parameters(): Promise<{ readonly path: string; readonly parameter: Parameter; readonly others: readonly Parameter[] }[]> {
  const { body } = await get(app, '/openapi.json');
  const paths = body.paths as Record<string, { get?: { parameters?: Parameter[] } }>;
  return Object.entries(paths).flatMap(([path, item]) => {
    const all = item.get?.parameters ?? [];
    return all.map((parameter) => ({ path, parameter, others: all.filter((other) => other !== parameter && (other.required ?? false)) }));
  });
}

function urlOf(path: string, values: readonly (readonly [Parameter, ...string[]])[]): string {
  let url = path;
  const query = new URLSearchParams();
  for (const [parameter, ...texts] of values) {
    if (parameter.in === 'path') url = url.replace(`{${parameter.name}}`, encodeURIComponent(texts[0] ?? ''));
    else for (const text of texts) query.append(parameter.name, text);
  }
  return `${url}?${query}`;
}

/** One text at a time; a list takes them all at once, which is as many chances to break out of it. */
function attacksOn({ schema }: Parameter): readonly (readonly string[])[] {
  return schema.type === 'array' && schema.items?.enum === undefined ? [CORPUS] : CORPUS.map((text) => [text]);
}

describe('no parameter reaches the engine as text', () => {
  test('over every parameter of every route', async () => {
    const all = await parameters();
    assert.ok(all.length > 60, `${all.length} parameters`);
    let reached = 0;
    for (const { path, parameter, others } of all) {
      const rest = others.map((other) => [other, 'x'] as const);
      const harmless = await get(app, urlOf(path, [[parameter, 'no-such-value'], ...rest]));
      for (const texts of attacksOn(parameter)) {
        const { status, body } = await get(app, urlOf(path, [[parameter, ...texts], ...rest]));
        const where = `${path} ${parameter.name}=${JSON.stringify(texts)}: ${status}`;
        assert.ok([200, 400, 404].includes(status), where);
        if (status === 200) reached++;
        assert.doesNotMatch(JSON.stringify(body), /DB::|Exception|Syntax error|ClickHouse|at .*\.ts/, where);
        // As harmless as a value that nothing has: the same answer, or one that refuses the value.
        if (status === 200 && harmless.status === 200) {
          assert.equal(JSON.stringify(body).includes(CANARY), JSON.stringify(harmless.body).includes(CANARY), where);
        }
      }
    }
    assert.ok(reached > 40, `${reached} requests got as far as the engine`);
  });

  test('and after all of it everything is still there', async () => {
    const result = await db.client.query({ query: 'SELECT count() AS count FROM incidents', format: 'JSONEachRow' });
    assert.deepEqual(await result.json(), [{ count: '1' }]);
  });

  test('values come out of the engine as they went in', async () => {
    const names = CORPUS.map((text, i) => ({ text, id: `odd${i}` }));
    await db.insert(
      'incidents',
      names.map(({ text, id }) => incident({ cluster: text, id, subjectName: text, summary: text, openedTimeMs: NOW - HOUR })),
    );
    for (const { text, id } of names) {
      const { status, body } = await get(app, `/v1/incidents?${new URLSearchParams({ cluster: text, subjectName: text })}`);
      assert.equal(status, 200, text);
      assert.deepEqual(
        body.items.map((item: { id: string; cluster: string; summary: string }) => [item.id, item.cluster, item.summary]),
        [[id, text, text]],
      );
    }
  });

  test('nor does what a cursor holds', async () => {
    await db.insert('incidents', [incident({ id: 'z1', cluster: 'z' }), incident({ id: 'z2', cluster: 'z' })]);
    const { body } = await get(app, '/v1/incidents?cluster=z&limit=1');
    const value = JSON.parse(Buffer.from(body.next, 'base64url').toString('utf8'));
    for (const text of CORPUS) {
      value[4] = [value[4][0], text, text];
      const cursor = Buffer.from(JSON.stringify(value)).toString('base64url');
      const { status, body: page } = await get(app, `/v1/incidents?cluster=z&limit=1&cursor=${cursor}`);
      assert.equal(status, 200, text);
      assert.ok(page.items.every((item: { cluster: string }) => item.cluster === 'z'));
    }
  });
});
