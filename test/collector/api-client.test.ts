import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, afterEach, beforeEach, describe, test } from 'node:test';
import { type ApiFailure, type ApiResult, failureOf, PAGE_LIMIT, type WatchEnd } from '../../collector/api-client.ts';
import { type FakeApiServer, type FakeObject, startFakeApiServer } from '../helpers/fake-api-server.ts';
import { clientFor } from '../helpers/fake-client.ts';
import { tempFolder } from '../helpers/temp-folder.ts';
import { waitFor } from '../helpers/wait-for.ts';

const NEVER = new AbortController().signal;
const pods = { resource: 'pods', scope: '' } as const;

function pod(index: number): FakeObject {
  return { metadata: { name: `pod-${index}`, namespace: 'shop', uid: `uid-${index}` } };
}
function failureIn(result: ApiResult<unknown>): ApiFailure {
  assert.ok(!result.ok, 'it succeeded');
  return result.failure;
}

/** A watch that keeps what it gets as text. */
function watchPods(api: ReturnType<typeof clientFor>['api'], resourceVersion: string, signal = NEVER) {
  const seen = { text: '', opened: false };
  const handlers = {
    opened: () => {
      seen.opened = true;
    },
    bytes: (chunk: Buffer) => {
      seen.text += chunk.toString();
      return !seen.text.includes('STOP');
    },
  };
  return { seen, end: api.watch({ ...pods, resourceVersion, timeoutSeconds: 300 }, handlers, signal) };
}

describe('list', () => {
  let server: FakeApiServer;
  beforeEach(async () => {
    server = await startFakeApiServer({ gzip: true });
  });
  afterEach(() => server.close());

  test('gets page after page with the continue token, unpacking gzip', async () => {
    for (let index = 0; index < PAGE_LIMIT + 1; index += 1) server.put('pods', pod(index));
    const { api } = clientFor(server.url);
    const first = await api.list({ ...pods, continueToken: '' }, NEVER);
    assert.ok(first.ok);
    assert.equal([...first.value.items].length, PAGE_LIMIT);
    assert.equal(first.value.resourceVersion, server.resourceVersion());
    const second = await api.list({ ...pods, continueToken: first.value.continueToken }, NEVER);
    assert.ok(second.ok);
    assert.deepEqual([[...second.value.items].length, second.value.continueToken], [1, '']);
    assert.deepEqual(
      server.requests.map((request) => [request.query['limit'], request.headers['accept-encoding']]),
      [
        ['500', 'gzip'],
        ['500', 'gzip'],
      ],
    );
  });

  test('an empty collection is an empty list', async () => {
    const page = await clientFor(server.url).api.list({ ...pods, continueToken: '' }, NEVER);
    assert.ok(page.ok);
    assert.deepEqual([...page.value.items], []);
  });

  test('asks for one namespace, and for metadata alone of name-only resources', async () => {
    const { api } = clientFor(server.url);
    await api.list({ resource: 'secrets', scope: 'shop', continueToken: '' }, NEVER);
    const [request] = server.requests;
    assert.deepEqual([request?.resource, request?.namespace], ['secrets', 'shop']);
    assert.equal(request?.headers.accept, 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1');
  });

  const refusals: readonly [status: number, kind: ApiFailure['kind']][] = [
    [400, 'server'],
    [401, 'unauthorized'],
    [403, 'forbidden'],
    [404, 'not_served'],
    [406, 'not_served'],
    [410, 'gone'],
    [429, 'throttled'],
    [500, 'server'],
    [503, 'server'],
  ];
  for (const [status, kind] of refusals) {
    test(`a ${status} is ${kind}`, async () => {
      server.fail({ fault: { kind: 'status', status, message: 'because' }, times: 2 });
      const failure = failureIn(await clientFor(server.url).api.list({ ...pods, continueToken: '' }, NEVER));
      assert.equal(failure.kind, kind);
      assert.match(failure.message, /because/);
    });
  }

  test('Retry-After is read in seconds and as a date, and not believed beyond ten minutes', async () => {
    const { api } = clientFor(server.url);
    const ask = async (retryAfter: string): Promise<number | undefined> => {
      server.fail({ fault: { kind: 'status', status: 429, retryAfter } });
      return failureIn(await api.list({ ...pods, continueToken: '' }, NEVER)).retryAfterMs;
    };
    assert.equal(await ask('7'), 7_000);
    assert.equal(await ask('86400'), 600_000);
    assert.equal(await ask('soon'), undefined);
    const inMs = await ask(new Date(Date.now() + 60_000).toUTCString());
    assert.ok(inMs !== undefined && inMs > 50_000 && inMs <= 60_000);
  });

  const nonsense: readonly [name: string, body: string][] = [
    ['no JSON', '<html>'],
    ['null', 'null'],
    ['no resourceVersion', '{"metadata":{},"items":[]}'],
    ['an empty resourceVersion', '{"metadata":{"resourceVersion":""},"items":[]}'],
    ['no items', '{"metadata":{"resourceVersion":"1"}}'],
    ['half a document', '{"metadata":{"resourceVersion":"1"},"items":[{"met'],
  ];
  for (const [name, body] of nonsense) {
    test(`an answer with ${name} is a bad response`, async () => {
      server.fail({ fault: { kind: 'body', chunks: [body] } });
      assert.equal(failureIn(await clientFor(server.url).api.list({ ...pods, continueToken: '' }, NEVER)).kind, 'bad_response');
    });
  }

  test('an answer that breaks off is a network failure, and so is one that stalls', async () => {
    const { api } = clientFor(server.url, { requestIdleMs: 50 });
    server.fail({ fault: { kind: 'body', chunks: ['{"metadata":'], cut: true } });
    server.fail({ fault: { kind: 'hang' } });
    for (let attempt = 0; attempt < 2; attempt += 1) {
      assert.equal(failureIn(await api.list({ ...pods, continueToken: '' }, NEVER)).kind, 'network');
    }
  });

  test('a slow list is no failure while bytes come', async () => {
    server.fail({ fault: { kind: 'delay', ms: 60 } });
    assert.ok((await clientFor(server.url, { requestIdleMs: 2_000 }).api.list({ ...pods, continueToken: '' }, NEVER)).ok);
  });

  test('the signal ends a list that hangs', async () => {
    server.fail({ fault: { kind: 'hang' } });
    const controller = new AbortController();
    const list = clientFor(server.url).api.list({ ...pods, continueToken: '' }, controller.signal);
    await waitFor('the request', () => server.requests.length === 1);
    controller.abort();
    assert.ok(!(await list).ok);
  });
});

describe('credentials', () => {
  test('a 401 is asked again once, with fresh ones', async () => {
    const folder = tempFolder();
    const tokenFile = folder.write('token', 'old');
    let valid = 'new';
    const server = await startFakeApiServer({ token: () => valid });
    after(() => server.close());
    const { api } = clientFor(server.url, { user: { tokenFile } });
    const refused = await api.get('/version', NEVER);
    assert.equal(failureIn(refused).kind, 'unauthorized');
    assert.match(failureIn(refused).message, /^API server refused the credentials: Unauthorized$/);
    assert.equal(server.requests.length, 2);
    valid = 'old';
    assert.ok((await api.get('/version', NEVER)).ok);
  });

  test('without any, nothing is sent', async () => {
    const { api } = clientFor('http://127.0.0.1:1', { user: { tokenFile: '/no/such/token' } });
    const failure = failureIn(await api.get('/version', NEVER));
    assert.equal(failure.kind, 'credentials');
    assert.match(failure.message, /ENOENT/);
  });
});

describe('connections', () => {
  test('a server that refuses is a network failure with its address', async () => {
    const failure = failureIn(await clientFor('http://127.0.0.1:1').api.get('/version', NEVER));
    assert.deepEqual(failure, { kind: 'network', message: 'connect ECONNREFUSED 127.0.0.1:1' });
  });

  test('a server behind a path prefix is asked below it', async () => {
    const paths: (string | undefined)[] = [];
    const server = http.createServer((request, response) => {
      paths.push(request.url);
      response.end('{}');
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    after(() => server.close());
    const { api, connection } = clientFor(`http://127.0.0.1:${(server.address() as AddressInfo).port}/k8s/clusters/c-1/`);
    await api.get('/version', NEVER);
    connection.close();
    assert.deepEqual(paths, ['/k8s/clusters/c-1/version']);
  });

  test('a kept connection that the server closed meanwhile is not a failure', async () => {
    const server = await startFakeApiServer();
    after(() => server.close());
    const { api } = clientFor(server.url);
    assert.ok((await api.get('/version', NEVER)).ok);
    // The server drops the connection on the second request over it, as if it had timed out just then.
    server.fail({ fault: { kind: 'reset' } });
    assert.ok((await api.get('/version', NEVER)).ok);
    assert.equal(server.requests.length, 3);
  });

  test('the Date header anchors observed time', async () => {
    const dateMs = Date.UTC(2030, 5, 1);
    const server = await startFakeApiServer({ dateMs: () => dateMs });
    after(() => server.close());
    const { api, connection } = clientFor(server.url);
    await api.get('/version', NEVER);
    assert.ok(Math.abs(connection.clock.nowMs() - dateMs) <= 1_500);
  });
});

describe('watch', () => {
  let server: FakeApiServer;
  beforeEach(async () => {
    server = await startFakeApiServer();
  });
  afterEach(() => server.close());

  test('asks for bookmarks and an end, from the version given', async () => {
    const { end } = watchPods(clientFor(server.url).api, '1000');
    await waitFor('the watch', () => server.watching('pods') === 1);
    server.endWatches('pods', 'clean');
    assert.deepEqual(await end, { kind: 'closed' });
    assert.deepEqual(server.requests[0]?.query, { watch: '1', allowWatchBookmarks: 'true', resourceVersion: '1000', timeoutSeconds: '300' });
  });

  const endings: readonly [name: string, how: (controller: AbortController) => void, expected: WatchEnd['kind']][] = [
    ['ends clean', () => server.endWatches('pods', 'clean'), 'closed'],
    ['is dropped', () => server.endWatches('pods', 'reset'), 'failed'],
    ['is stopped by its reader', () => server.write('pods', 'STOP'), 'stopped'],
    ['is aborted', (controller) => controller.abort(), 'stopped'],
    ['goes silent', () => {}, 'stalled'],
  ];
  for (const [name, how, expected] of endings) {
    test(`tells a watch that ${name}`, async () => {
      const controller = new AbortController();
      const { seen, end } = watchPods(clientFor(server.url, { watchStallMs: 100 }).api, '1000', controller.signal);
      await waitFor('the watch', () => server.watching('pods') === 1 && seen.opened);
      server.write('pods', 'bytes');
      await waitFor('its bytes', () => seen.text === 'bytes');
      how(controller);
      assert.equal((await end).kind, expected);
      await waitFor('the connection to end', () => server.watching('pods') === 0);
    });
  }

  test('a watch stays while bytes come more often than the stall time', async () => {
    const { seen, end } = watchPods(clientFor(server.url, { watchStallMs: 120 }).api, '1000');
    await waitFor('the watch', () => server.watching('pods') === 1);
    for (let beat = 0; beat < 8; beat += 1) {
      await new Promise((resolve) => setTimeout(resolve, 30));
      server.write('pods', '.');
    }
    await waitFor('all bytes', () => seen.text.length === 8);
    server.endWatches('pods', 'clean');
    assert.equal((await end).kind, 'closed');
  });

  test('a watch without an answer is a failure after the stall time', async () => {
    server.fail({ verb: 'watch', fault: { kind: 'hang' } });
    const end = await watchPods(clientFor(server.url, { watchStallMs: 50 }).api, '1000').end;
    assert.deepEqual(end, { kind: 'failed', failure: { kind: 'network', message: 'no answer within 50 ms' } });
  });

  test('a version that is too old is gone', async () => {
    server.compact();
    const end = await watchPods(clientFor(server.url).api, '1000').end;
    assert.ok(end.kind === 'failed' && end.failure.kind === 'gone');
  });
});

test('failureOf keeps the words of the server', () => {
  assert.deepEqual(failureOf(410, 'too old'), { kind: 'gone', message: 'API server answered 410: too old' });
  assert.deepEqual(failureOf(500, ''), { kind: 'server', message: 'API server answered 500' });
});
