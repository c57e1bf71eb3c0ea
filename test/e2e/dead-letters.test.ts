/** `podtrail dead-letters` against an API: all pages, as a table or as JSON, and nothing that a record says reaches the terminal as it is. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, test } from 'node:test';
import { runCli } from '../helpers/podtrail-cli.ts';

const letter = (offset: string, more: object = {}) => ({
  log: 'kafka:broker/podtrail',
  partition: 3,
  offset,
  part: 'record',
  cluster: 'prod',
  time: '2026-01-15T12:00:00.000Z',
  code: 'not_json',
  reason: 'Unexpected end of JSON input',
  ...more,
});
const PAGES = [[letter('7'), letter('8', { cluster: '', code: 'bad_shape', reason: 'at t: \u001b[2J\r\nexpected a number' })], [letter('9')]];

const asked: URLSearchParams[] = [];
let pages = PAGES;
const server = createServer((request, response) => {
  const { searchParams } = new URL(request.url ?? '/', 'http://localhost');
  asked.push(searchParams);
  const page = Number(searchParams.get('cursor') ?? 0);
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ items: pages[page] ?? [], next: page + 1 < pages.length ? String(page + 1) : null }));
}).listen(0, '127.0.0.1');
await once(server, 'listening');
after(() => server.close());

const list = (...args: string[]) => runCli(['dead-letters', '--url', `http://127.0.0.1:${(server.address() as AddressInfo).port}`, ...args]);

test('a table has the place, the code and the reason of each, on one line', async () => {
  const { code, stdout } = await list('--since', '2h');
  assert.equal(code, 0);
  const lines = stdout.trimEnd().split('\n');
  assert.deepEqual(
    lines.map((line) => line.split(/ {2,}/)),
    [
      ['TIME', 'CLUSTER', 'PLACE', 'PART', 'CODE', 'REASON'],
      ['2026-01-15T12:00:00.000Z', 'prod', 'kafka:broker/podtrail[3] 7', 'record', 'not_json', 'Unexpected end of JSON input'],
      ['2026-01-15T12:00:00.000Z', '-', 'kafka:broker/podtrail[3] 8', 'record', 'bad_shape', 'at t:', '[2J', 'expected a number'],
      ['2026-01-15T12:00:00.000Z', 'prod', 'kafka:broker/podtrail[3] 9', 'record', 'not_json', 'Unexpected end of JSON input'],
    ],
  );
  const agoMs = Date.now() - Date.parse(asked[0]?.get('from') ?? '');
  assert.ok(Math.abs(agoMs - 2 * 3_600_000) < 60_000, `${agoMs} ms ago`);
});

test('as JSON and ndjson they are whole', async () => {
  assert.deepEqual(JSON.parse((await list('-o', 'json')).stdout), PAGES.flat());
  const { stdout } = await list('-o', 'ndjson');
  assert.deepEqual(
    stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line)),
    PAGES.flat(),
  );
});

test('none is said as that, and not on standard output', async () => {
  pages = [[]];
  const { code, stdout, stderr } = await list();
  assert.deepEqual([code, stdout, stderr], [0, '', 'no dead letters\n']);
  pages = PAGES;
});
