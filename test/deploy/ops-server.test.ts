import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Counter, Registry } from 'prom-client';
import { startOpsServer } from '../../deploy/ops-server.ts';
import { silentLog } from '../helpers/silent-log.ts';

const registry = new Registry();
new Counter({ name: 'podtrail_test_total', help: 'A test.', registers: [registry] }).inc(3);
let isReady = false;
const server = await startOpsServer({ host: '127.0.0.1', port: 0 }, { registry, log: silentLog, ready: () => isReady });
after(() => server?.stop());

async function ask(path: string, method = 'GET'): Promise<readonly [status: number, text: string]> {
  const response = await fetch(`${server?.url}${path}`, { method });
  return [response.status, await response.text()];
}

test('it is alive from the start, and ready when the role says so', async () => {
  assert.deepEqual(await ask('/healthz'), [200, 'ok\n']);
  assert.deepEqual(await ask('/readyz'), [503, 'not ready\n']);
  isReady = true;
  assert.deepEqual(await ask('/readyz'), [200, 'ready\n']);
});

test('metrics are those of the registry', async () => {
  const [status, text] = await ask('/metrics');
  assert.equal(status, 200);
  assert.match(text, /^podtrail_test_total 3$/m);
});

test('metrics that cannot be collected are an error of that request alone', async () => {
  const broken = new Registry();
  new Counter({
    name: 'podtrail_broken_total',
    help: 'Throws.',
    registers: [broken],
    collect() {
      throw new Error('no');
    },
  });
  const other = await startOpsServer({ host: '127.0.0.1', port: 0 }, { registry: broken, log: silentLog, ready: () => true });
  assert.equal((await fetch(`${other?.url}/metrics`)).status, 500);
  assert.equal((await fetch(`${other?.url}/healthz`)).status, 200);
  await other?.stop();
});

test('anything else is refused, and without a port nothing is served', async () => {
  assert.equal((await ask('/secrets'))[0], 404);
  assert.equal((await ask('/metrics', 'POST'))[0], 405);
  assert.equal(await startOpsServer({ host: '127.0.0.1' }, { registry, log: silentLog, ready: () => true }), undefined);
});
