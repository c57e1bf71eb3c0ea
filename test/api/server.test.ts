import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, describe, test } from 'node:test';
import type { ClickHouseClient } from '@clickhouse/client';
import pino from 'pino';
import { Registry } from 'prom-client';
import type { ApiOptions } from '../../api/app.ts';
import { apiConfig } from '../../api/config.ts';
import { ApiStartError } from '../../api/errors.ts';
import type { ApiServer } from '../../api/server.ts';
import { createServer } from '../../api/server.ts';

/** A store that answers every query, after `gate`, with no rows: these tests are about connections. */
const clientAfter = (gate: Promise<unknown> = Promise.resolve()): ClickHouseClient =>
  ({ query: () => gate.then(() => ({ json: async () => [] })) }) as unknown as ClickHouseClient;

const serve = (options: Partial<ApiOptions> = {}, client = clientAfter()): Promise<ApiServer> =>
  createServer({ ...apiConfig.parse({ port: 0, ...options }) }, { client, database: 'none', log: pino({ level: 'silent' }), registry: new Registry() });

/** Sends bytes and returns all that comes back until the server closes. */
function raw(url: string, bytes: string): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(Number(port), hostname, () => socket.write(bytes));
    socket.setEncoding('utf8');
    socket.on('data', (chunk) => {
      text += chunk;
    });
    socket.on('close', () => resolve(text));
    socket.on('error', reject);
  });
}

describe('where it listens', () => {
  for (const host of ['0.0.0.0', '::', '10.1.2.3', 'podtrail.example', '128.0.0.1']) {
    test(`not on ${host} without allowRemote`, async () => {
      await assert.rejects(
        serve({ host }),
        (error: unknown) => error instanceof ApiStartError && error.code === 'PODTRAIL_API_REMOTE_REFUSED' && error.message.includes(host),
      );
    });
  }

  test('on loopback by default, and elsewhere with allowRemote', async () => {
    for (const options of [{}, { host: 'localhost' }, { host: '0.0.0.0', allowRemote: true }]) {
      const server = await serve(options);
      const { url } = await server.start();
      assert.match(url, /^http:\/\/(127\.0\.0\.1|\[::1\]):\d+$/);
      assert.equal((await fetch(`${url}/healthz`)).status, 200);
      await server.stop();
    }
  });

  test('not where somebody else does', async () => {
    const first = await serve();
    const { url } = await first.start();
    const second = await serve({ port: Number(new URL(url).port) });
    await assert.rejects(second.start(), (error: unknown) => error instanceof ApiStartError && error.code === 'PODTRAIL_API_LISTEN');
    await first.stop();
  });
});

describe('a connection', () => {
  let server: ApiServer;
  let url: string;
  before(async () => {
    server = await serve({ requestTimeoutSeconds: 1 });
    ({ url } = await server.start());
  });
  after(() => server.stop());

  const cases = [
    { name: 'that speaks no HTTP', bytes: 'hello\r\n\r\n', status: 400, code: 'PODTRAIL_API_BAD_REQUEST' },
    { name: 'without a host', bytes: 'GET /healthz HTTP/1.0\r\n\r\n', status: 421, code: 'PODTRAIL_API_HOST_REFUSED' },
    {
      name: 'with a head that is too large',
      bytes: `GET / HTTP/1.1\r\nhost: localhost\r\nx: ${'a'.repeat(20_000)}\r\n\r\n`,
      status: 431,
      code: 'PODTRAIL_API_HEADERS_TOO_LARGE',
    },
    {
      name: 'with two lengths',
      bytes: 'GET / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n',
      status: 400,
      code: 'PODTRAIL_API_BAD_REQUEST',
    },
    { name: 'that never finishes its head', bytes: 'GET / HTTP/1.1\r\nhost: localhost\r\n', status: 408, code: 'PODTRAIL_API_REQUEST_TIMEOUT' },
    {
      name: 'that never finishes its body',
      bytes: 'POST /v1/incidents HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{',
      status: 408,
      code: 'PODTRAIL_API_REQUEST_TIMEOUT',
    },
  ];
  for (const { name, bytes, status, code } of cases) {
    test(`${name} is answered ${status} and closed`, async () => {
      const text = await raw(url, bytes);
      assert.ok(text.startsWith(`HTTP/1.1 ${status} `), text);
      assert.match(text, /content-type: application\/problem\+json/i);
      assert.equal(JSON.parse(text.slice(text.indexOf('{'))).code, code);
    });
  }
});

test('stopping lets the requests in flight finish, and is idempotent', async () => {
  let release = (): void => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  const server = await serve({}, clientAfter(gate));
  const { url } = await server.start();
  const asked = fetch(`${url}/v1/disruptions`);
  await new Promise((resolve) => setTimeout(resolve, 100)); // the request has to arrive before the server stops
  const stopping = Promise.all([server.stop(), server.stop()]);
  release();
  assert.equal((await asked).status, 200);
  await stopping;
  await assert.rejects(fetch(`${url}/healthz`));
});

test('stopping cuts what does not finish in time', async () => {
  const server = await serve({ shutdownSeconds: 1 }, clientAfter(new Promise(() => {})));
  const { url } = await server.start();
  const asked = fetch(`${url}/v1/disruptions`).then(
    () => 'answered',
    () => 'cut',
  );
  await new Promise((resolve) => setTimeout(resolve, 100));
  await server.stop();
  assert.equal(await asked, 'cut');
});
