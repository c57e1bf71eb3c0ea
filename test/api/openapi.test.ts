import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { PROBLEMS } from '../../api/errors.ts';
import type { App } from '../../api/routes/deps.ts';
import { incidentSchema } from '../../api/routes/incidents/schema.ts';
import type { Database } from './harness.ts';
import { createApi, createDatabase, get } from './harness.ts';

type Json = Readonly<Record<string, unknown>>;
interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly description?: string;
  readonly schema?: Json;
}
interface Operation {
  readonly operationId?: string;
  readonly summary?: string;
  readonly tags?: readonly string[];
  readonly parameters?: readonly Parameter[];
  readonly responses: Readonly<Record<string, { readonly description?: string; readonly content?: Record<string, { readonly schema?: Json }> }>>;
}

const ROUTES = new URL('../../api/routes/', import.meta.url);

let db: Database;
let app: App;
let document: {
  openapi: string;
  info: Json;
  tags: { name: string }[];
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Json> };
};

/** Addresses as the route files have them. */
const written = readdirSync(ROUTES).flatMap((folder) => {
  const file = new URL(`${folder}/route.ts`, ROUTES);
  return existsSync(file)
    ? [...readFileSync(file, 'utf8').matchAll(/app\.(get|post)\(\s*'([^']+)'/g)].map(([, method = '', url = '']) => ({
        method,
        path: url.replace(/:(\w+)/g, '{$1}'),
      }))
    : [];
});

before(async () => {
  db = await createDatabase();
  ({ app } = await createApi(db));
  document = (await get(app, '/openapi.json')).body;
});
after(async () => {
  await app.close();
  await db.close();
});

const operations = (): [string, Operation][] =>
  Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => [`${method} ${path}`, operation] as [string, Operation]),
  );

const component = (name: string): Json => {
  const schema = document.components.schemas[name];
  assert.ok(schema, name);
  return schema;
};

/** Every node of a JSON value with its path. */
function* walk(value: unknown, path = '#'): Generator<readonly [string, Json]> {
  if (value === null || typeof value !== 'object') return;
  if (!Array.isArray(value)) yield [path, value as Json];
  for (const [key, child] of Object.entries(value)) yield* walk(child, `${path}/${key}`);
}

const TYPES = new Set(['string', 'number', 'integer', 'boolean', 'object', 'array', 'null']);

describe('/openapi.json', () => {
  test('is OpenAPI 3.1 with title, version and licence', () => {
    assert.match(document.openapi, /^3\.1\.\d$/);
    assert.deepEqual([document.info['title'], (document.info['license'] as Json)['identifier']], ['podtrail', 'Apache-2.0']);
    assert.match(String(document.info['version']), /^\d+\.\d+\.\d+/);
  });

  test('lists every route of the API, and none that is not there', () => {
    assert.ok(written.length >= 14);
    assert.deepEqual(
      operations()
        .map(([where]) => where)
        .sort(),
      written.map(({ method, path }) => `${method} ${path}`).sort(),
    );
    for (const { method, path } of written)
      assert.ok(app.hasRoute({ method: method === 'get' ? 'GET' : 'POST', url: path.replace(/\{(\w+)\}/g, ':$1') }), path);
  });

  test('names, describes and tags every operation, once', () => {
    const ids = operations().map(([, operation]) => operation.operationId);
    assert.equal(new Set(ids).size, ids.length);
    const tags = new Set(document.tags.map(({ name }) => name));
    for (const [where, { operationId, summary, tags: own }] of operations()) {
      assert.match(operationId ?? '', /^[a-z][A-Za-z]+$/, where);
      assert.ok((summary ?? '').length > 10, where);
      assert.ok(own?.length === 1 && tags.has(own[0] ?? ''), where);
    }
  });

  test('has a path parameter for each placeholder, and a description and a schema for every parameter', () => {
    for (const [where, { parameters = [] }] of operations()) {
      const placeholders = [...where.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      const inPath = parameters.filter((parameter) => parameter.in === 'path');
      assert.deepEqual(inPath.map(({ name }) => name).sort(), placeholders.sort(), where);
      assert.ok(
        inPath.every(({ required }) => required === true),
        where,
      );
      assert.equal(new Set(parameters.map((parameter) => `${parameter.in} ${parameter.name}`)).size, parameters.length, where);
      for (const parameter of parameters) {
        assert.ok((parameter.description ?? '').length > 5, `${where} ${parameter.name}`);
        assert.ok(parameter.schema !== undefined && 'type' in parameter.schema, `${where} ${parameter.name}`);
      }
    }
  });

  test('promises a described answer and, where the store is asked, its problems', () => {
    for (const [where, { responses }] of operations()) {
      for (const [status, response] of Object.entries(responses)) {
        assert.match(status, /^[2-5]\d\d$/);
        assert.ok((response.description ?? '').length > 5 && response.description !== 'Default Response', `${where} ${status}`);
        const types = Object.keys(response.content ?? {});
        assert.equal(types.length, 1, `${where} ${status}`);
        if (status >= '400')
          assert.deepEqual(
            [types[0], response.content?.[types[0] ?? '']?.schema?.['$ref']],
            ['application/problem+json', '#/components/schemas/Problem'],
            where,
          );
      }
      if (where.includes('/v1/')) for (const status of ['200', '400', '422', '500', '503']) assert.ok(status in responses, `${where} ${status}`);
    }
    const { code } = component('Problem')['properties'] as { code: Json };
    assert.deepEqual(code['enum'], Object.keys(PROBLEMS));
  });

  test('refers only to what is there, and uses all of it', () => {
    const referred = new Set([...walk(document)].map(([, node]) => node['$ref']).filter((ref) => typeof ref === 'string'));
    assert.deepEqual(
      [...referred].sort(),
      Object.keys(document.components.schemas)
        .map((name) => `#/components/schemas/${name}`)
        .sort(),
    );
  });

  test('has only schemas of JSON Schema 2020-12', () => {
    for (const [path, node] of walk(document)) {
      assert.ok(!('nullable' in node), `${path}: nullable is of 3.0`);
      if (/\/(schema|items|anyOf\/\d+|schemas\/\w+|properties\/\w+)$/.test(path) && 'type' in node && !path.endsWith('/properties')) {
        for (const type of [node['type']].flat()) assert.ok(TYPES.has(String(type)), `${path}: ${String(type)}`);
        if (Array.isArray(node['required'])) for (const name of node['required']) assert.ok(name in (node['properties'] as Json), `${path} requires ${name}`);
      }
    }
  });

  test('shows an incident that is one', () => {
    const { examples, properties } = component('Incident') as { examples: Json[]; properties: Json };
    const parsed = incidentSchema.parse(examples[0]);
    assert.deepEqual(Object.keys(parsed).sort(), Object.keys(properties).sort());
  });
});

test('/docs shows it with nothing from elsewhere', async () => {
  const page = await app.inject('/docs/');
  assert.equal(page.statusCode, 200);
  const sources = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, url = '']) => url);
  assert.ok(sources.length >= 4);
  for (const url of sources) {
    assert.ok(!/^(?:https?:)?\/\//.test(url), url);
    assert.equal((await app.inject(new URL(url, 'http://localhost/docs/').pathname)).statusCode, 200, url);
  }
});
