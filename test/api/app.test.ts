import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { ClickHouseError } from '@clickhouse/client';
import type { ClickHouseClient } from '@clickhouse/client';
import { z } from 'zod';
import { ApiStartError, PROBLEMS } from '../../api/errors.ts';
import type { App } from '../../api/routes/deps.ts';
import type { Database } from './harness.ts';
import { createApi, createDatabase, get } from './harness.ts';
import { cluster, incident } from './rows.ts';

let db: Database;
let app: App;
let lines: string[];

before(async () => {
  db = await createDatabase();
  await db.insert('clusters', [cluster()]);
  await db.insert('incidents', [incident()]);
  ({ app, lines } = await createApi(db));
  // No route takes a body yet; this one stands for those to come.
  app.post('/test/echo', { schema: { body: z.strictObject({ name: z.string() }) } }, (request) => request.body);
  app.get('/test/throws', () => {
    throw new Error('secret text of the engine');
  });
  app.get('/test/wrong', { schema: { response: { 200: z.object({ count: z.int() }) } } }, () => ({ count: 'many' }) as never);
});
after(async () => {
  await app.close();
  await db.close();
});

/** A client whose queries do what the test says. */
const clientThat = (query: () => Promise<unknown>): ClickHouseClient => ({ query }) as unknown as ClickHouseClient;

describe('every error is a problem', () => {
  const json = { 'content-type': 'application/json' };
  const cases = [
    { name: 'an unknown address', request: { method: 'GET', url: '/v2/incidents?token=s3cret' }, status: 404, code: 'PODTRAIL_API_NOT_FOUND' },
    {
      name: 'an unknown address with a body',
      request: { method: 'POST', url: '/v2', payload: '{}', headers: json },
      status: 404,
      code: 'PODTRAIL_API_NOT_FOUND',
    },
    { name: 'another method', request: { method: 'DELETE', url: '/v1/incidents' }, status: 405, code: 'PODTRAIL_API_METHOD_NOT_ALLOWED' },
    {
      name: 'another method on an address with parameters',
      request: { method: 'PUT', url: '/v1/clusters/a/pods/b/history' },
      status: 405,
      code: 'PODTRAIL_API_METHOD_NOT_ALLOWED',
    },
    { name: 'an unknown parameter', request: { method: 'GET', url: '/v1/clusters?page=2' }, status: 400, code: 'PODTRAIL_API_INVALID_PARAMETER' },
    {
      name: 'a wrong body',
      request: { method: 'POST', url: '/test/echo', payload: '{"name":1}', headers: json },
      status: 400,
      code: 'PODTRAIL_API_INVALID_PARAMETER',
    },
    {
      name: 'a broken body',
      request: { method: 'POST', url: '/test/echo', payload: '{"name":', headers: json },
      status: 400,
      code: 'PODTRAIL_API_BAD_REQUEST',
    },
    { name: 'an empty body', request: { method: 'POST', url: '/test/echo', payload: '', headers: json }, status: 400, code: 'PODTRAIL_API_BAD_REQUEST' },
    {
      name: 'a poisoned body',
      request: { method: 'POST', url: '/test/echo', payload: '{"__proto__":{"a":1}}', headers: json },
      status: 400,
      code: 'PODTRAIL_API_BAD_REQUEST',
    },
    {
      name: 'a body that is too large',
      request: { method: 'POST', url: '/test/echo', payload: `"${'x'.repeat(65_536)}"`, headers: json },
      status: 413,
      code: 'PODTRAIL_API_BODY_TOO_LARGE',
    },
    {
      name: 'a body of another type',
      request: { method: 'POST', url: '/test/echo', payload: 'name=a', headers: { 'content-type': 'text/xml' } },
      status: 415,
      code: 'PODTRAIL_API_UNSUPPORTED_MEDIA_TYPE',
    },
    { name: 'broken percent-encoding', request: { method: 'GET', url: '/v1/incidents/%zz' }, status: 400, code: 'PODTRAIL_API_BAD_REQUEST' },
    {
      name: 'a path parameter beyond all bounds',
      request: { method: 'GET', url: `/v1/incidents/${'x'.repeat(2_000)}` },
      status: 400,
      code: 'PODTRAIL_API_BAD_REQUEST',
    },
    {
      name: 'a host name of somebody else',
      request: { method: 'GET', url: '/v1/incidents', headers: { host: 'evil.example' } },
      status: 421,
      code: 'PODTRAIL_API_HOST_REFUSED',
    },
    { name: 'a route that throws', request: { method: 'GET', url: '/test/throws' }, status: 500, code: 'PODTRAIL_API_INTERNAL' },
    { name: 'an answer of another shape than promised', request: { method: 'GET', url: '/test/wrong' }, status: 500, code: 'PODTRAIL_API_INTERNAL' },
  ] as const;
  for (const { name, request, status, code } of cases) {
    test(`${name}: ${status}`, async () => {
      lines.length = 0;
      const response = await app.inject(request as never);
      const problem = response.json();
      assert.deepEqual([response.statusCode, problem.status, problem.code], [status, status, code], response.body);
      assert.equal(response.headers['content-type'], 'application/problem+json');
      assert.equal(problem.title, PROBLEMS[code].title);
      assert.match(problem.type, /^urn:podtrail:problem:api-[a-z-]+$/);
      assert.equal(response.headers['x-request-id'], problem.requestId);
      assert.doesNotMatch(response.body, /secret text|s3cret|\.ts:/);
      const logged = lines.map((line) => JSON.parse(line)).filter((line) => line.code === code);
      assert.deepEqual([logged.length, logged[0].level, logged[0].requestId], [1, status >= 500 ? 50 : 30, problem.requestId]);
    });
  }

  test('names the methods that an address takes', async () => {
    const response = await app.inject({ method: 'POST', url: '/v1/trends' });
    assert.equal(response.headers['allow'], 'GET, HEAD');
  });

  test('names where a parameter stood', async () => {
    const { body } = await get(app, '/v1/incidents?limit=0&state=x&nope=1');
    assert.deepEqual(body.errors.map((error: { in: string; parameter: string }) => `${error.in} ${error.parameter}`).sort(), [
      'query limit',
      'query nope',
      'query state',
    ]);
  });

  test('an unknown error is in the log with its stack', async () => {
    lines.length = 0;
    await get(app, '/test/throws');
    assert.ok(lines.some((line) => JSON.parse(line).err?.message === 'secret text of the engine'));
  });
});

describe('the store', () => {
  const refused = (code: string, type: string) => () =>
    Promise.reject(new ClickHouseError({ message: 'DB::Exception: secret text of the engine', code, type }));
  const cases = [
    {
      name: 'is not there',
      query: () => Promise.reject(Object.assign(new Error('connect ECONNREFUSED secret'), { code: 'ECONNREFUSED' })),
      status: 503,
      code: 'PODTRAIL_API_STORE_UNAVAILABLE',
      retry: true,
    },
    { name: 'takes too long', query: refused('159', 'TIMEOUT_EXCEEDED'), status: 503, code: 'PODTRAIL_API_QUERY_TIMEOUT', retry: true },
    { name: 'returns too much', query: refused('396', 'TOO_MANY_ROWS_OR_BYTES'), status: 422, code: 'PODTRAIL_API_QUERY_TOO_EXPENSIVE', retry: false },
    { name: 'needs too much memory', query: refused('241', 'MEMORY_LIMIT_EXCEEDED'), status: 422, code: 'PODTRAIL_API_QUERY_TOO_EXPENSIVE', retry: false },
    { name: 'is overrun', query: refused('202', 'TOO_MANY_SIMULTANEOUS_QUERIES'), status: 503, code: 'PODTRAIL_API_STORE_UNAVAILABLE', retry: true },
    { name: 'has no such table', query: refused('60', 'UNKNOWN_TABLE'), status: 500, code: 'PODTRAIL_API_INTERNAL', retry: false },
    { name: 'returns rows of another shape', query: async () => ({ json: async () => [{ id: 1 }] }), status: 500, code: 'PODTRAIL_API_INTERNAL', retry: false },
  ];
  for (const { name, query, status, code, retry } of cases) {
    test(`${name}: ${status}`, async () => {
      const api = await createApi({ client: clientThat(query), database: 'none' });
      const { status: got, body, headers } = await get(api.app, '/v1/incidents');
      assert.deepEqual([got, body.code], [status, code]);
      assert.equal(headers['retry-after'], retry ? '2' : undefined);
      assert.doesNotMatch(JSON.stringify(body), /secret|DB::|ECONN/);
      await api.app.close();
    });
  }

  test('keeps the limits of the configuration', async () => {
    const rows = Array.from({ length: 1_100 }, (_, i) => cluster({ cluster: `many${i}` }));
    await db.insert('clusters', rows);
    const api = await createApi(db, { queryMaxResultRows: 1_000 });
    const { status, body } = await get(api.app, '/v1/trends');
    assert.deepEqual([status, body.code], [422, 'PODTRAIL_API_QUERY_TOO_EXPENSIVE']);
    await api.app.close();
  });

  test('is spared by admission: the queue is bounded, and full means 503 with Retry-After', async () => {
    let release = (): void => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    let running = 0;
    let most = 0;
    const api = await createApi(
      {
        client: clientThat(async () => {
          running++;
          most = Math.max(most, running);
          await gate;
          running--;
          return { json: async () => [] };
        }),
        database: 'none',
      },
      { queryConcurrency: 2, queryQueue: 3 },
    );
    const asked = Array.from({ length: 8 }, () => get(api.app, '/v1/disruptions'));
    const refused = await Promise.race(asked.slice(5));
    assert.deepEqual([refused?.status, refused?.body.code, refused?.headers['retry-after']], [503, 'PODTRAIL_API_OVERLOADED', '2']);
    assert.equal((await get(api.app, '/healthz')).status, 200);
    release();
    const answers = await Promise.all(asked);
    assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 200, 200, 200, 200, 503, 503, 503]);
    assert.equal(most, 2);
    const metrics = (await api.app.inject('/metrics')).body;
    assert.match(metrics, /podtrail_api_query_duration_seconds_count\{query="disruptions\/list",outcome="PODTRAIL_API_OVERLOADED"\} 3/);
    assert.match(metrics, /podtrail_api_queries_running 0/);
    await api.app.close();
  });

  test('decides readiness alone: a cluster out of sight does not', async () => {
    assert.deepEqual((await get(app, '/readyz')).body, { status: 'ready' });
    await db.insert('clusters', [cluster({ lastHeartbeatTimeMs: 1 })], 3);
    assert.equal((await get(app, '/readyz')).status, 200);
    const down = await createApi({ client: clientThat(() => Promise.reject(new Error('down'))), database: 'none' });
    const { status, body } = await get(down.app, '/readyz');
    assert.deepEqual([status, body.code], [503, 'PODTRAIL_API_STORE_UNAVAILABLE']);
    assert.deepEqual((await get(down.app, '/healthz')).body, { status: 'ok' });
    await down.app.close();
  });
});

describe('every answer', () => {
  const urls = ['/', '/dashboard/page.js', '/docs/', '/openapi.json', '/v1/incidents', '/healthz', '/metrics', '/none'];
  for (const url of urls) {
    test(`of ${url} carries the headers of security`, async () => {
      const { headers } = await app.inject(url);
      assert.match(String(headers['content-security-policy']), /default-src 'none'/);
      assert.doesNotMatch(String(headers['content-security-policy']), /script-src[^;]*unsafe|https?:/);
      assert.deepEqual([headers['x-content-type-options'], headers['x-frame-options'], headers['referrer-policy']], ['nosniff', 'DENY', 'no-referrer']);
      assert.equal(headers['access-control-allow-origin'], undefined);
    });
  }

  test('is tagged, and is not sent again while it is the same', async () => {
    const first = await app.inject('/v1/incidents');
    const etag = String(first.headers['etag']);
    const second = await app.inject({ url: '/v1/incidents', headers: { 'if-none-match': `"other", ${etag}` } });
    assert.deepEqual([second.statusCode, second.body, second.headers['etag']], [304, '', etag]);
    await db.insert('incidents', [incident({ flaps: 1 })], 2);
    const third = await app.inject({ url: '/v1/incidents', headers: { 'if-none-match': etag } });
    assert.equal(third.statusCode, 200);
    assert.notEqual(third.headers['etag'], etag);
  });

  test('leaves nothing of query or headers in the log', async () => {
    lines.length = 0;
    await get(app, '/v1/incidents?cluster=s3cret-cluster&bogus=s3cret-value', { authorization: 'Bearer s3cret-token', cookie: 'a=s3cret-cookie' });
    await get(app, '/v1/incidents?cluster=s3cret-cluster', { authorization: 'Bearer s3cret-token' });
    await get(app, '/v1/pods?name=s3cret-pod');
    assert.ok(lines.length >= 3);
    assert.doesNotMatch(lines.join('\n'), /s3cret/);
    assert.ok(lines.some((line) => JSON.parse(line).route === '/v1/incidents'));
  });

  test('is measured by route, not by address', async () => {
    await get(app, '/v1/incidents/one');
    await get(app, '/v1/incidents/two');
    const { body, headers } = await app.inject('/metrics');
    assert.match(String(headers['content-type']), /^text\/plain/);
    assert.match(body, /podtrail_api_request_duration_seconds_count\{method="GET",route="\/v1\/incidents\/:id",status="404"\} \d/);
    assert.doesNotMatch(body, /incidents\/one/);
  });
});

test('host names of this machine, and configured ones, are served', async () => {
  for (const host of ['localhost:8080', '127.0.0.1', '127.0.0.9:80', '[::1]:8080', 'podtrail.localhost']) {
    assert.equal((await get(app, '/healthz', { host })).status, 200, host);
  }
  for (const host of ['localhost.evil.example', '127.0.0.1.evil.example', '10.0.0.1']) {
    assert.equal((await get(app, '/healthz', { host })).status, 421, host);
  }
  const named = await createApi(db, { allowedHosts: ['Podtrail.example'] });
  assert.equal((await get(named.app, '/healthz', { host: 'podtrail.example:443' })).status, 200);
  await named.app.close();
  const open = await createApi(db, { allowRemote: true });
  assert.equal((await get(open.app, '/healthz', { host: 'anything.example' })).status, 200);
  await open.app.close();
});

test('README.md lists the codes of errors.ts, and no others', () => {
  const readme = readFileSync(new URL('../../api/README.md', import.meta.url), 'utf8');
  const listed = new Set(readme.match(/PODTRAIL_API_[A-Z_]+/g));
  const start: ApiStartError['code'][] = ['PODTRAIL_API_REMOTE_REFUSED', 'PODTRAIL_API_LISTEN'];
  assert.deepEqual([...listed].sort(), [...Object.keys(PROBLEMS), ...start].sort());
  assert.equal(new ApiStartError('PODTRAIL_API_LISTEN', 'x').retriable, false);
});
