import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import type { App } from '../../../../api/routes/deps.ts';
import type { Database } from '../../harness.ts';
import { createApi, createDatabase, DAY, get, getAll, HOUR, MINUTE, NOW } from '../../harness.ts';
import { blind, cluster, deadLetter, disruption, session } from '../../rows.ts';

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
  await db.clear('clusters', 'coverage', 'sessions', 'disruptions', 'dead_letters');
  await db.insert('clusters', [cluster({ cluster: 'a' }), cluster({ cluster: 'b', lastHeartbeatTimeMs: NOW - HOUR })]);
});

const iso = (ms: number): string => new Date(ms).toISOString();

describe('GET /v1/balance', () => {
  test('adds up per session and cluster, the newest version of each session once', async () => {
    await db.insert('sessions', [session({ cluster: 'a', applied: 1, appended: 2 })], 1);
    await db.insert(
      'sessions',
      [
        session({ cluster: 'a' }),
        session({ cluster: 'a', session: 's2', received: 10, suppressed: 0, rejected: 0, appended: 10, applied: 10, duplicate: 0, deadLettered: 0 }),
      ],
      2,
    );
    await db.insert(
      'sessions',
      [session({ cluster: 'b', session: 's3', received: 12, suppressed: 4, rejected: 0, appended: 7, applied: 5, duplicate: 0, deadLettered: 0 })],
      2,
    );
    const { status, body } = await get(app, '/v1/balance');
    assert.equal(status, 200, JSON.stringify(body));
    assert.equal(body.balanced, false);
    assert.deepEqual(body.clusters, [
      {
        ...{ cluster: 'a', sessions: 2, received: 110, suppressed: 30, rejected: 1, appended: 79, applied: 70, duplicate: 8, deadLettered: 1 },
        ...{ unaccounted: 0, difference: 0 },
      },
      {
        cluster: 'b',
        sessions: 1,
        received: 12,
        suppressed: 4,
        rejected: 0,
        appended: 7,
        applied: 5,
        duplicate: 0,
        deadLettered: 0,
        unaccounted: 1,
        difference: 2,
      },
    ]);
    assert.deepEqual(
      body.sessions.map((one: { session: string; difference: number }) => [one.session, one.difference]),
      [
        ['s1', 0],
        ['s2', 0],
        ['s3', 2],
      ],
    );
    assert.equal((await get(app, '/v1/balance?cluster=a')).body.balanced, true);
  });

  test('takes the sessions that lived in the range, paged, with whole totals on every page', async () => {
    await db.insert('sessions', [
      ...Array.from({ length: 9 }, (_, i) => session({ cluster: 'a', session: `s${i}`, firstTimeMs: NOW - (i % 3) * HOUR })),
      session({ cluster: 'a', session: 'ended', firstTimeMs: NOW - 3 * DAY, lastTimeMs: NOW - 2 * DAY }),
    ]);
    const seen: string[] = [];
    let cursor = '';
    do {
      const { body } = await get(app, `/v1/balance?limit=4${cursor}`);
      assert.equal(body.clusters[0].sessions, 9);
      seen.push(...body.sessions.map((one: { session: string }) => one.session));
      cursor = body.next === null ? '' : `&cursor=${body.next}`;
    } while (cursor !== '');
    assert.deepEqual(seen, ['s0', 's3', 's6', 's1', 's4', 's7', 's2', 's5', 's8']);
    const early = await get(app, `/v1/balance?from=${iso(NOW - 3 * DAY)}&to=${iso(NOW - 2 * DAY)}`);
    assert.deepEqual([early.body.clusters[0].sessions, early.body.sessions[0].session], [1, 'ended']);
  });

  test('lists the gaps, those of collectors that died too, but not the time before the first record', async () => {
    await db.insert('clusters', [cluster({ cluster: 'new', firstRecordTimeMs: NOW - MINUTE })]);
    await db.insert('coverage', [blind({ cluster: 'a', fromTimeMs: NOW - 2 * DAY, toTimeMs: NOW - 23 * HOUR, reason: '410' })]);
    assert.deepEqual((await get(app, '/v1/balance')).body.gaps, [
      { cluster: 'a', resource: 'pods', scope: '', from: iso(NOW - DAY), to: iso(NOW - 23 * HOUR), reason: '410' },
      { cluster: 'b', resource: 'pods', scope: '', from: iso(NOW - HOUR), to: iso(NOW), reason: 'silent' },
    ]);
  });
});

describe('GET /v1/disruptions', () => {
  test('lists them newest first, each once, and filters', async () => {
    await db.insert('disruptions', [disruption({ message: 'first' })], 1);
    await db.insert(
      'disruptions',
      [
        disruption(),
        disruption({
          podUid: 'p2',
          podName: 'db-0',
          workloadKind: 'StatefulSet',
          workloadName: 'db',
          namespace: 'billing',
          node: 'node-2',
          reason: 'PreemptionByScheduler',
          timeMs: NOW - MINUTE,
        }),
      ],
      2,
    );
    await db.insert('disruptions', [disruption({ podUid: 'p3', timeMs: NOW - 2 * DAY }), disruption({ cluster: 'b', podUid: 'p4', timeMs: NOW - 2 * HOUR })]);
    const uids = async (query: string): Promise<string[]> =>
      (await get(app, `/v1/disruptions${query}`)).body.items.map((item: { pod: { uid: string } }) => item.pod.uid);
    assert.deepEqual(await uids(''), ['p2', 'pod-1', 'p4']);
    assert.deepEqual(await uids('?cluster=b'), ['p4']);
    assert.deepEqual(await uids('?namespace=billing'), ['p2']);
    assert.deepEqual(await uids('?workload=db'), ['p2']);
    assert.deepEqual(await uids('?workload=StatefulSet/db&workload=StatefulSet/web'), ['p2']);
    assert.deepEqual(await uids('?node=node-2'), ['p2']);
    assert.deepEqual(await uids('?pod=db-0&pod=p4'), ['p2', 'p4']);
    assert.deepEqual(await uids('?reason=PreemptionByScheduler'), ['p2']);
    assert.deepEqual((await get(app, '/v1/disruptions?pod=pod-1')).body.items, [
      {
        ...{ cluster: 'prod', pod: { namespace: 'shop', name: 'web-1', uid: 'pod-1' }, node: 'node-1', workload: { kind: 'Deployment', name: 'web' } },
        ...{ reason: 'EvictionByEvictionAPI', message: 'Eviction API: evicting', time: iso(NOW - HOUR) },
      },
    ]);
  });

  test('pages over ties', async () => {
    const all = Array.from({ length: 23 }, (_, i) =>
      disruption({ cluster: `c${i % 3}`, podUid: `p${String(i).padStart(2, '0')}`, timeMs: NOW - (i % 2) * MINUTE }),
    );
    await db.insert('disruptions', all);
    const want = [...all].sort((x, y) => y.timeMs - x.timeMs || (x.cluster < y.cluster ? -1 : x.cluster > y.cluster ? 1 : x.podUid < y.podUid ? -1 : 1));
    assert.deepEqual(
      (await getAll(app, '/v1/disruptions?limit=5')).map((item) => item.pod.uid),
      want.map(({ podUid }) => podUid),
    );
  });
});

describe('GET /v1/dead-letters', () => {
  test('lists them with their position, and cuts long payloads', async () => {
    const offset = 18_446_744_073_709_551_615n;
    await db.insert('dead_letters', [deadLetter({ offset, payload: 'é'.repeat(3_000) })]);
    assert.deepEqual((await get(app, '/v1/dead-letters')).body.items, [
      {
        ...{ log: 'log-1', partition: 0, offset: '18446744073709551615', part: 'record', cluster: 'prod', time: iso(NOW - HOUR), code: 'bad_shape' },
        ...{ reason: 'type: invalid', payload: 'é'.repeat(2_000), payloadBytes: 6_000 },
      },
    ]);
  });

  test('pages over ties, offsets above 2^53 included, and filters', async () => {
    const all = Array.from({ length: 21 }, (_, i) =>
      deadLetter({ partition: i % 2, offset: 9_007_199_254_740_993n + BigInt(i), cluster: `c${i % 3}`, code: i % 2 ? 'not_json' : 'bad_shape' }),
    );
    await db.insert('dead_letters', all);
    const want = [...all].sort((x, y) => x.partition - y.partition || (x.offset < y.offset ? -1 : 1)).map(({ offset }) => String(offset));
    const offsets = (items: { offset: string }[]): string[] => items.map(({ offset }) => offset);
    assert.deepEqual(offsets(await getAll(app, '/v1/dead-letters?limit=4')), want);
    assert.equal((await get(app, '/v1/dead-letters?code=not_json')).body.items.length, 10);
    assert.equal((await get(app, '/v1/dead-letters?cluster=c0&code=bad_shape')).body.items.length, 4);
  });
});
