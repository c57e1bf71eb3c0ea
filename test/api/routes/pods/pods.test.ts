import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import type { App } from '../../../../api/routes/deps.ts';
import type { Database } from '../../harness.ts';
import { createApi, createDatabase, DAY, get, getAll, HOUR, MINUTE, NOW } from '../../harness.ts';
import { blind, cluster, event, incident, member, podChange } from '../../rows.ts';

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
beforeEach(async () => {
  await db.clear('pod_changes', 'events', 'incidents', 'incident_members', 'clusters', 'coverage');
  await db.insert('clusters', [cluster()]);
});

const iso = (ms: number): string => new Date(ms).toISOString();

describe('GET /v1/clusters/{cluster}/pods', () => {
  const at = async (time: number, query = '') => (await get(app, `/v1/clusters/prod/pods?at=${iso(time)}${query}`)).body;
  const states = async (time: number, query = ''): Promise<string[]> =>
    (await at(time, query)).items.map((pod: { name: string; status: string }) => `${pod.name} ${pod.status}`);

  test('shows each pod as it stood at the time', async () => {
    await db.insert('pod_changes', [
      podChange({ observedTimeMs: NOW - 5 * HOUR, change: 'ADDED', status: 'Pending', resourceVersion: '1' }),
      podChange({ observedTimeMs: NOW - 4 * HOUR, status: 'Running', resourceVersion: '2' }),
      podChange({ observedTimeMs: NOW - 2 * HOUR, status: 'CrashLoopBackOff', resourceVersion: '3' }),
      podChange({ observedTimeMs: NOW - HOUR, change: 'DELETED', status: 'Terminating', resourceVersion: '4' }),
      podChange({ uid: 'pod-2', name: 'web-2', observedTimeMs: NOW - 3 * HOUR, change: 'LISTED', resourceVersion: '5' }),
      podChange({ uid: 'pod-2', name: 'web-2', observedTimeMs: NOW - 30 * MINUTE, change: 'VANISHED', resourceVersion: '6' }),
      podChange({ cluster: 'other', uid: 'pod-3', name: 'elsewhere', observedTimeMs: NOW - 3 * HOUR }),
    ]);
    assert.deepEqual(await states(NOW - 5 * HOUR - 1), []);
    assert.deepEqual(await states(NOW - 5 * HOUR), ['web-1 Pending']);
    assert.deepEqual(await states(NOW - 3 * HOUR), ['web-1 Running', 'web-2 Running']);
    assert.deepEqual(await states(NOW - 90 * MINUTE), ['web-1 CrashLoopBackOff', 'web-2 Running']);
    assert.deepEqual(await states(NOW - HOUR), ['web-2 Running']);
    assert.deepEqual(await states(NOW), []);
  });

  test('takes the later of two changes at the same moment, and the newest version of each', async () => {
    await db.insert('pod_changes', [podChange({ status: 'Pending', resourceVersion: '1' })], 1);
    await db.insert('pod_changes', [podChange({ status: 'Running', resourceVersion: '2' })], 2);
    await db.insert('pod_changes', [podChange({ status: 'Unknown', resourceVersion: '1' })], 1);
    assert.deepEqual(await states(NOW), ['web-1 Running']);
  });

  test('reaches a day and a margin back, where a living pod has its daily row', async () => {
    await db.insert('pod_changes', [
      podChange({ uid: 'a', name: 'daily', change: 'DAILY', observedTimeMs: NOW - 25 * HOUR }),
      podChange({ uid: 'b', name: 'lost', observedTimeMs: NOW - 27 * HOUR }),
    ]);
    assert.deepEqual(await states(NOW), ['daily Running']);
  });

  test('gives all of a pod', async () => {
    await db.insert('pod_changes', [podChange({ conditions: '[{"type":"Ready","status":"False"}]', deletionTimeMs: NOW - MINUTE, restarts: 3 })]);
    const { items, cluster: name, at: when } = await at(NOW);
    assert.deepEqual([name, when], ['prod', iso(NOW)]);
    assert.deepEqual(items, [
      {
        ...{ namespace: 'shop', name: 'web-1', uid: 'pod-1', change: 'MODIFIED', observedTime: iso(NOW - HOUR), phase: 'Running', status: 'Running' },
        ...{ ready: '1/1', restarts: 3, node: 'node-1', workload: { kind: 'Deployment', name: 'web' } },
        ...{ createdTime: iso(NOW - 2 * DAY), deletionTime: iso(NOW - MINUTE), specHash: 'abcdef0123456789' },
        ...{ containers: [{ name: 'app', ready: true }], conditions: [{ type: 'Ready', status: 'False' }] },
      },
    ]);
  });

  test('says when it was blind', async () => {
    await db.insert('coverage', [blind({ fromTimeMs: NOW - 3 * HOUR, toTimeMs: NOW - 2 * HOUR, reason: 'stalled' })]);
    assert.deepEqual((await at(NOW - 150 * MINUTE)).coverage, [{ scope: '', state: 'blind', reason: 'stalled' }]);
    assert.deepEqual((await at(NOW - HOUR)).coverage, [{ scope: '', state: 'complete', reason: '' }]);
    assert.deepEqual((await at(NOW - 60 * DAY)).coverage, [{ scope: '', state: 'blind', reason: 'not_collected' }]);
  });

  test('pages by namespace and name, and filters namespaces', async () => {
    const pods = Array.from({ length: 25 }, (_, i) => podChange({ uid: `u${i}`, name: `p${i % 5}`, namespace: `n${i % 3}` }));
    await db.insert('pod_changes', pods);
    const key = (pod: { namespace: string; name: string; uid: string }): string => `${pod.namespace}/${pod.name}/${pod.uid}`;
    const want = pods.map(key).sort();
    assert.deepEqual((await getAll(app, `/v1/clusters/prod/pods?limit=4&at=${iso(NOW)}`)).map(key), want);
    const some = await getAll(app, '/v1/clusters/prod/pods?limit=4&namespace=n1&namespace=n2');
    assert.deepEqual(
      some.map(key),
      want.filter((one) => !one.startsWith('n0')),
    );
  });

  test('knows no cluster of another name, and takes names that must be encoded', async () => {
    assert.equal((await get(app, '/v1/clusters/none/pods')).status, 404);
    await db.insert('clusters', [cluster({ cluster: 'eu/prod 1' })]);
    assert.equal((await get(app, '/v1/clusters/eu%2Fprod%201/pods')).body.cluster, 'eu/prod 1');
  });
});

describe('GET /v1/clusters/{cluster}/pods/{uid}/history', () => {
  const url = '/v1/clusters/prod/pods/pod-1/history';

  beforeEach(async () => {
    await db.insert('pod_changes', [
      podChange({ observedTimeMs: NOW - 3 * HOUR, change: 'ADDED', resourceVersion: '1', status: 'Pending' }),
      podChange({ observedTimeMs: NOW - 2 * HOUR, resourceVersion: '2' }),
      podChange({ observedTimeMs: NOW - HOUR, change: 'DELETED', resourceVersion: '3' }),
      podChange({ uid: 'pod-2', observedTimeMs: NOW - HOUR }),
    ]);
    await db.insert('events', [event(), event({ uid: 'event-2', regardingUid: 'pod-2' })], 1);
    await db.insert('events', [event({ count: 9 })], 2);
    await db.insert('incidents', [incident({ openedTimeMs: NOW - HOUR }), incident({ id: 'i2' })]);
    await db.insert('incident_members', [member({ podUid: 'pod-1' }), member({ incidentId: 'i2', podUid: 'pod-2' })]);
  });

  test('tells changes, Events and incidents of the pod and of no other', async () => {
    const { status, body } = await get(app, url);
    assert.equal(status, 200, JSON.stringify(body));
    assert.deepEqual(
      body.changes.map((change: { change: string }) => change.change),
      ['DELETED', 'MODIFIED', 'ADDED'],
    );
    assert.deepEqual(
      body.events.map((one: { uid: string; count: number }) => [one.uid, one.count]),
      [['event-1', 9]],
    );
    assert.deepEqual(
      body.incidents.map((one: { id: string }) => one.id),
      ['i1'],
    );
    assert.deepEqual([body.from, body.to, body.next], [iso(NOW - 7 * DAY), iso(NOW), null]);
    assert.deepEqual((await get(app, `${url}?namespace=shop`)).body, body);
  });

  test('pages changes without repeating Events and incidents, also over repeated rows and ties', async () => {
    await db.insert(
      'pod_changes',
      [1, 2, 3, 4].map((n) => podChange({ observedTimeMs: NOW - 2 * HOUR, resourceVersion: `2${n}`, status: `tie ${n}` })),
      5,
    );
    await db.insert('pod_changes', [podChange({ observedTimeMs: NOW - 2 * HOUR, resourceVersion: '21', status: 'tie 1' })], 4);
    const pages = [];
    let cursor = '';
    do {
      const { body } = await get(app, `${url}?limit=3${cursor}`);
      pages.push(body);
      cursor = body.next === null ? '' : `&cursor=${body.next}`;
    } while (cursor !== '');
    const seen = pages.flatMap((page) => page.changes.map((change: { status: string; observedTime: string }) => `${change.observedTime} ${change.status}`));
    assert.equal(new Set(seen).size, seen.length);
    assert.deepEqual(
      pages.map((page) => [page.events.length, page.incidents.length]),
      pages.map((_, i) => (i === 0 ? [1, 1] : [0, 0])),
    );
  });

  test('keeps to the range', async () => {
    const { body } = await get(app, `${url}?from=${iso(NOW - 150 * MINUTE)}&to=${iso(NOW - 90 * MINUTE)}`);
    assert.deepEqual([body.changes.length, body.events.length, body.incidents.length], [1, 0, 0]);
  });

  test('knows no pod of another uid, cluster or time', async () => {
    for (const other of ['/v1/clusters/prod/pods/none/history', '/v1/clusters/none/pods/pod-1/history', `${url}?to=${iso(NOW - 2 * DAY)}`]) {
      const { status, body } = await get(app, other);
      assert.deepEqual([status, body.code], [404, 'PODTRAIL_API_NOT_FOUND'], other);
    }
  });
});

describe('GET /v1/pods', () => {
  test('finds every uid that bore the name, newest first', async () => {
    await db.insert('pod_changes', [
      podChange({ uid: 'old', createdTimeMs: NOW - 3 * DAY, observedTimeMs: NOW - 3 * DAY, change: 'ADDED' }),
      podChange({ uid: 'old', createdTimeMs: NOW - 3 * DAY, observedTimeMs: NOW - 2 * DAY, change: 'DELETED', status: 'Completed' }),
      podChange({ uid: 'new', createdTimeMs: NOW - DAY, observedTimeMs: NOW - DAY, change: 'ADDED', status: 'Pending' }),
      podChange({ uid: 'new', createdTimeMs: NOW - DAY, observedTimeMs: NOW - HOUR, status: 'Running' }),
      podChange({ uid: 'twin', cluster: 'test', createdTimeMs: NOW - DAY, observedTimeMs: NOW - HOUR }),
      podChange({ uid: 'else', name: 'web-10' }),
      podChange({ uid: 'ancient', createdTimeMs: NOW - 30 * DAY, observedTimeMs: NOW - 8 * DAY }),
    ]);
    const { body } = await get(app, '/v1/pods?name=web-1');
    assert.deepEqual(
      body.items.map((pod: { uid: string; status: string; gone: boolean }) => [pod.uid, pod.status, pod.gone]),
      [
        ['new', 'Running', false],
        ['twin', 'Running', false],
        ['old', 'Completed', true],
      ],
    );
    assert.deepEqual([body.items[2].firstTime, body.items[2].lastTime], [iso(NOW - 3 * DAY), iso(NOW - 2 * DAY)]);
    const uids = (items: { uid: string }[]): string[] => items.map(({ uid }) => uid);
    assert.deepEqual(uids((await get(app, '/v1/pods?name=web-1&cluster=test')).body.items), ['twin']);
    assert.deepEqual(uids((await get(app, '/v1/pods?name=web-1&namespace=none')).body.items), []);
    assert.deepEqual(uids((await get(app, '/v1/pods?name=web-1&name=web-10&cluster=prod')).body.items), ['new', 'else', 'old']);
    assert.deepEqual(uids(await getAll(app, '/v1/pods?name=web-1&limit=1')), ['new', 'twin', 'old']);
  });

  test('wants a name', async () => {
    const { status, body } = await get(app, '/v1/pods?namespace=shop');
    assert.deepEqual([status, body.errors[0].parameter], [400, 'name']);
  });
});
