import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import type { App } from '../../../../api/routes/deps.ts';
import type { Database } from '../../harness.ts';
import { createApi, createDatabase, DAY, get, getAll, HOUR, NOW } from '../../harness.ts';
import { blind, cluster } from '../../rows.ts';

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
beforeEach(() => db.clear('clusters', 'coverage'));

const iso = (ms: number): string => new Date(ms).toISOString();
const resource = (name: string, state: string, reason = '', scope = '') => ({ resource: name, scope, state, reason });

describe('GET /v1/clusters', () => {
  test('tells coverage, lag and last record of each', async () => {
    const resources = [resource('pods', 'in_sync'), resource('secrets', 'uncollectable', 'forbidden: list')];
    await db.insert('clusters', [cluster({ resources: '[]', lastRecordTimeMs: NOW - HOUR })], 1);
    await db.insert('clusters', [cluster({ resources: JSON.stringify(resources), lastRecordTimeMs: NOW - 5_500 })], 2);
    const { body } = await get(app, '/v1/clusters');
    assert.deepEqual(body, {
      time: iso(NOW),
      demo: false,
      process: null,
      items: [
        {
          ...{ cluster: 'prod', uid: 'uid-prod', serverVersion: 'v1.34.1', state: 'partial', lagSeconds: 5.5, resources },
          ...{ firstRecordTime: iso(NOW - 30 * DAY), lastRecordTime: iso(NOW - 5_500), lastHeartbeatTime: iso(NOW - 2_000) },
        },
      ],
      next: null,
    });
  });

  const cases = [
    { name: 'complete with everything in sync', row: {}, want: 'complete' },
    {
      name: 'partial with something else not in sync',
      row: { resources: JSON.stringify([resource('pods', 'in_sync'), resource('nodes', 'blind')]) },
      want: 'partial',
    },
    { name: 'blind with pods not in sync', row: { resources: JSON.stringify([resource('pods', 'blind'), resource('nodes', 'in_sync')]) }, want: 'blind' },
    { name: 'blind where pods may not be read', row: { resources: JSON.stringify([resource('pods', 'uncollectable')]) }, want: 'blind' },
    {
      name: 'partial with the pods of one of two namespaces',
      row: { resources: JSON.stringify([resource('pods', 'in_sync', '', 'a'), resource('pods', 'blind', '', 'b')]) },
      want: 'partial',
    },
    { name: 'blind before anyone said what is collected', row: { resources: '' }, want: 'blind' },
    { name: 'complete at the last moment that heartbeats explain', row: { lastHeartbeatTimeMs: NOW - 30_000 }, want: 'complete' },
    { name: 'silent one moment later', row: { lastHeartbeatTimeMs: NOW - 30_001 }, want: 'silent' },
  ];
  for (const { name, row, want } of cases) {
    test(`is ${name}`, async () => {
      await db.insert('clusters', [cluster(row)]);
      assert.equal((await get(app, '/v1/clusters')).body.items[0].state, want);
    });
  }

  test('pages and filters by name', async () => {
    const names = Array.from({ length: 12 }, (_, i) => `c${String(i).padStart(2, '0')}`);
    await db.insert(
      'clusters',
      names.map((name) => cluster({ cluster: name })),
    );
    const namesOf = (items: { cluster: string }[]): string[] => items.map((item) => item.cluster);
    assert.deepEqual(namesOf(await getAll(app, '/v1/clusters?limit=5')), names);
    assert.deepEqual(namesOf((await get(app, '/v1/clusters?cluster=c03&cluster=c07')).body.items), ['c03', 'c07']);
  });

  test('passes on that this is a demo, and how the process is', async () => {
    const demo = await createApi(db, { demo: true }, { status: () => ({ lag: 3 }) });
    const { body } = await get(demo.app, '/v1/clusters');
    assert.deepEqual([body.demo, body.process], [true, { lag: 3 }]);
    await demo.app.close();
  });
});

describe('GET /v1/coverage', () => {
  test('divides the range into complete and blind intervals, by resource', async () => {
    await db.insert('clusters', [cluster({ resources: JSON.stringify([resource('pods', 'in_sync'), resource('nodes', 'in_sync')]) })]);
    await db.insert('coverage', [blind({ fromTimeMs: NOW - 6 * HOUR, toTimeMs: 0 })], 1);
    await db.insert(
      'coverage',
      [
        blind({ fromTimeMs: NOW - 6 * HOUR, toTimeMs: NOW - 3 * HOUR, reason: '410' }),
        blind({ resource: 'secrets', fromTimeMs: NOW - DAY, toTimeMs: 0, reason: 'forbidden' }),
      ],
      2,
    );
    await db.insert('coverage', [blind({ cluster: 'other', fromTimeMs: NOW - DAY, toTimeMs: 0 })]);
    const { body } = await get(app, `/v1/coverage?cluster=prod&from=${iso(NOW - 12 * HOUR)}`);
    assert.deepEqual(body, {
      cluster: 'prod',
      from: iso(NOW - 12 * HOUR),
      to: iso(NOW),
      items: [
        { resource: 'nodes', scope: '', share: 1, intervals: [{ from: iso(NOW - 12 * HOUR), to: iso(NOW), state: 'complete', reason: '' }] },
        {
          resource: 'pods',
          scope: '',
          share: 0.75,
          intervals: [
            { from: iso(NOW - 12 * HOUR), to: iso(NOW - 6 * HOUR), state: 'complete', reason: '' },
            { from: iso(NOW - 6 * HOUR), to: iso(NOW - 3 * HOUR), state: 'blind', reason: '410' },
            { from: iso(NOW - 3 * HOUR), to: iso(NOW), state: 'complete', reason: '' },
          ],
        },
        { resource: 'secrets', scope: '', share: 0, intervals: [{ from: iso(NOW - 12 * HOUR), to: iso(NOW), state: 'blind', reason: 'forbidden' }] },
      ],
    });
    const pods = await get(app, `/v1/coverage?cluster=prod&resource=pods&from=${iso(NOW - 12 * HOUR)}`);
    assert.deepEqual(pods.body.items, [body.items[1]]);
  });

  test('knows nothing before the first record, after the last heartbeat, and of the future', async () => {
    await db.insert('clusters', [cluster({ firstRecordTimeMs: NOW - 4 * HOUR, lastHeartbeatTimeMs: NOW - HOUR })]);
    const { body } = await get(app, `/v1/coverage?cluster=prod&from=${iso(NOW - 5 * HOUR)}&to=${iso(NOW + DAY)}`);
    assert.deepEqual(
      body.items[0].intervals.map((interval: { state: string; reason: string; to: string }) => [interval.state, interval.reason, interval.to]),
      [
        ['blind', 'not_collected', iso(NOW - 4 * HOUR)],
        ['complete', '', iso(NOW - HOUR)],
        ['blind', 'silent', iso(NOW)],
      ],
    );
    assert.equal((await get(app, `/v1/coverage?cluster=prod&from=${iso(NOW)}`)).body.items[0].share, null);
  });

  test('wants one known cluster', async () => {
    assert.equal((await get(app, '/v1/coverage')).body.errors[0].parameter, 'cluster');
    assert.equal((await get(app, '/v1/coverage?cluster=a&cluster=b')).body.errors[0].parameter, 'cluster');
    assert.equal((await get(app, '/v1/coverage?cluster=none')).status, 404);
  });
});
