import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import fc from 'fast-check';
import type { App } from '../../../../api/routes/deps.ts';
import { SCENARIO_IDS } from '../../../../processor/scenarios/scenario.ts';
import type { Database } from '../../harness.ts';
import { createApi, createDatabase, DAY, get, getAll, HOUR, MINUTE, NOW } from '../../harness.ts';
import { event, incident, member, timelineEntry } from '../../rows.ts';

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
beforeEach(() => db.clear('incidents', 'incident_members', 'incident_timeline', 'events'));

const idsOf = (items: readonly { id: string }[]): string[] => items.map(({ id }) => id);
const listed = async (query: string): Promise<string[]> => {
  const { status, body } = await get(app, `/v1/incidents${query}`);
  assert.equal(status, 200, JSON.stringify(body));
  return idsOf(body.items);
};

describe('GET /v1/incidents', () => {
  test('gives an incident with every field of the contract', async () => {
    await db.insert('incidents', [incident({ flags: ['oscillating'], suspectedChange: '{"kind":"rollout"}', parent: 'p1', image: 'web:2', pods: 1 })]);
    await db.insert('incident_members', [member()]);
    const { body } = await get(app, '/v1/incidents');
    assert.deepEqual(body, {
      items: [
        {
          id: 'i1',
          cluster: 'prod',
          scenario: 'oom_killed',
          cause: 'container_limit',
          flags: ['oscillating'],
          confidence: 'certain',
          detail: '',
          state: 'open',
          resolution: null,
          severity: 'warning',
          subject: { kind: 'Deployment', namespace: 'shop', name: 'web', container: 'app' },
          image: 'web:2',
          registry: null,
          node: null,
          claim: null,
          pods: [{ namespace: 'shop', name: 'web-1', uid: 'pod-1' }],
          podCount: 1,
          failingPods: 1,
          impact: { desired: 3, ready: 2, affected: 1 },
          firstSymptomTime: '2026-01-31T10:59:00.000Z',
          openedTime: '2026-01-31T11:00:00.000Z',
          updatedTime: '2026-01-31T11:00:00.000Z',
          resolvedTime: null,
          flaps: 0,
          summary: 'container app of Deployment shop/web was killed at its memory limit',
          evidence: [{ kind: 'field', object: 'Pod shop/web-1', path: 'status', value: 'OOMKilled', time: '2026-01-31T11:00:00.000Z' }],
          suspectedChange: { kind: 'rollout' },
          supersededBy: null,
          parent: 'p1',
        },
      ],
      next: null,
    });
  });

  test('shows the newest version of an incident and of its members, once', async () => {
    await db.insert('incidents', [incident()], 1);
    await db.insert('incident_members', [member({ podName: 'old' })], 1);
    await db.insert('incidents', [incident({ state: 'resolved', resolution: 'recovered', resolvedTimeMs: NOW - MINUTE })], 2);
    await db.insert('incident_members', [member({ state: 'recovered' })], 2);
    const { body } = await get(app, '/v1/incidents');
    assert.equal(body.items.length, 1);
    assert.deepEqual([body.items[0].state, body.items[0].resolution, body.items[0].resolvedTime], ['resolved', 'recovered', '2026-01-31T11:59:00.000Z']);
    assert.deepEqual(body.items[0].pods, [{ namespace: 'shop', name: 'web-1', uid: 'pod-1' }]);
  });

  test('lists at most 20 pods of an incident, the first to fail, and says how many there were', async () => {
    await db.insert('incidents', [incident({ pods: 30 })]);
    await db.insert(
      'incident_members',
      Array.from({ length: 30 }, (_, i) => member({ podUid: `pod-${i}`, podName: `web-${i}`, firstTimeMs: NOW - HOUR + i })),
    );
    const [item] = (await get(app, '/v1/incidents')).body.items;
    assert.equal(item.podCount, 30);
    assert.deepEqual(
      item.pods.map((pod: { name: string }) => pod.name),
      Array.from({ length: 20 }, (_, i) => `web-${i}`),
    );
  });

  test('survives JSON columns of another release', async () => {
    await db.insert('incidents', [incident({ evidence: '{"not":"a list"}', impact: 'nonsense', suspectedChange: '{' })]);
    const [item] = (await get(app, '/v1/incidents')).body.items;
    assert.deepEqual([item.evidence, item.impact, item.suspectedChange], [[], null, null]);
  });

  describe('takes what was active in the range', () => {
    const from = Date.UTC(2026, 0, 30);
    const to = Date.UTC(2026, 0, 31);
    const range = '?from=2026-01-30T00:00:00Z&to=2026-01-31T00:00:00Z';
    const cases = [
      { name: 'resolved just before it', opened: from - HOUR, resolved: from - 1, in: false },
      { name: 'resolved at its start', opened: from - HOUR, resolved: from, in: true },
      { name: 'open since long before', opened: from - 30 * DAY, resolved: 0, in: true },
      { name: 'longer than it', opened: from - HOUR, resolved: to + HOUR, in: true },
      { name: 'within it', opened: from + HOUR, resolved: from + 2 * HOUR, in: true },
      { name: 'opened at its end', opened: to, resolved: 0, in: true },
      { name: 'opened just after it', opened: to + 1, resolved: 0, in: false },
    ];
    for (const { name, opened, resolved, in: wanted } of cases) {
      test(`${wanted ? 'with' : 'without'} one ${name}`, async () => {
        await db.insert('incidents', [incident({ openedTimeMs: opened, resolvedTimeMs: resolved, state: resolved === 0 ? 'open' : 'resolved' })]);
        assert.deepEqual(await listed(range), wanted ? ['i1'] : []);
      });
    }

    test('and looks back 24 hours where none is given', async () => {
      await db.insert('incidents', [
        incident({ id: 'kept', openedTimeMs: NOW - 2 * DAY, resolvedTimeMs: NOW - DAY }),
        incident({ id: 'gone', openedTimeMs: NOW - 2 * DAY, resolvedTimeMs: NOW - DAY - 1 }),
      ]);
      assert.deepEqual(await listed(''), ['kept']);
    });

    test('in any offset', async () => {
      await db.insert('incidents', [incident({ openedTimeMs: to, resolvedTimeMs: to })]);
      assert.deepEqual(await listed('?from=2026-01-31T08:00:00%2B08:00&to=2026-01-31T09:00:00%2B08:00'), ['i1']);
    });
  });

  describe('filters by', () => {
    beforeEach(async () => {
      await db.insert('incidents', [
        incident({ id: 'a', cluster: 'prod', openedTimeMs: NOW - 4 * MINUTE }),
        incident({
          ...{ id: 'b', cluster: 'test', scenario: 'image_pull_failure', cause: 'registry_auth', state: 'recovering', severity: 'critical' },
          ...{
            subjectKind: 'StatefulSet',
            subjectNamespace: 'billing',
            subjectName: 'db',
            image: 'db:1',
            registry: 'r.example',
            openedTimeMs: NOW - 3 * MINUTE,
          },
        }),
        incident({
          ...{ id: 'c', cluster: 'prod', scenario: 'node_lost', cause: 'node_unreachable', severity: 'info', state: 'resolved', resolution: 'recovered' },
          ...{
            subjectKind: 'Node',
            subjectNamespace: '',
            subjectName: 'node-7',
            node: 'node-7',
            resolvedTimeMs: NOW,
            parent: 'p',
            openedTimeMs: NOW - 2 * MINUTE,
          },
        }),
      ]);
      await db.insert('incident_members', [
        member({ incidentId: 'a', openedTimeMs: NOW - 4 * MINUTE, podName: 'web-1', podUid: 'u1', node: 'node-7' }),
        member({ incidentId: 'c', openedTimeMs: NOW - 2 * MINUTE, podNamespace: 'search', podName: 'index-1', podUid: 'u2', node: 'node-7' }),
      ]);
    });

    const cases: readonly (readonly [query: string, want: string])[] = [
      ['cluster=prod', 'ca'],
      ['cluster=prod&cluster=test', 'cba'],
      ['cluster=none', ''],
      ['scenario=image_pull_failure', 'b'],
      ['scenario=image_pull_failure&scenario=node_lost', 'cb'],
      ['cause=container_limit', 'a'],
      ['state=open', 'a'],
      ['state=open&state=recovering', 'ba'],
      ['severity=info', 'c'],
      ['subjectKind=Node', 'c'],
      ['subjectName=db', 'b'],
      ['subjectKind=Node&subjectName=db', ''],
      ['workload=web', 'a'],
      ['workload=Deployment/web', 'a'],
      ['workload=Deployment/shop/web', 'a'],
      ['workload=StatefulSet/web', ''],
      ['workload=node-7', ''],
      ['image=db:1', 'b'],
      ['registry=r.example', 'b'],
      ['parent=p', 'c'],
      ['namespace=billing', 'b'],
      ['namespace=search', 'c'], // by a member
      ['namespace=', 'c'], // what has none
      ['node=node-7', 'ca'], // the subject, and a member's
      ['pod=web-1', 'a'],
      ['pod=u2', 'c'],
      ['pod=u2&namespace=shop', ''],
      ['pod=u1&pod=u2', 'ca'],
      ['cluster=prod&state=open&namespace=shop', 'a'],
    ];
    for (const [query, want] of cases) test(query, async () => assert.equal((await listed(`?${query}`)).join(''), want));

    test('every scenario of the catalogue', async () => {
      assert.equal(await listed(`?${SCENARIO_IDS.map((id) => `scenario=${id}`).join('&')}`).then((ids) => ids.length), 3);
    });
  });

  describe('pages', () => {
    test('have every incident once, newest first, ties by cluster and id', async () => {
      const drafts = fc.sample(fc.record({ minute: fc.integer({ min: 1, max: 30 }), cluster: fc.constantFrom('a', 'b', 'c') }), { numRuns: 120, seed: 7 });
      const all = drafts.map(({ minute, cluster }, i) => incident({ id: `i${(i * 37) % 120}`, cluster, openedTimeMs: NOW - minute * MINUTE }));
      await db.insert('incidents', all);
      const want = [...all].sort((x, y) => y.openedTimeMs - x.openedTimeMs || (x.cluster < y.cluster ? -1 : x.cluster > y.cluster ? 1 : x.id < y.id ? -1 : 1));
      for (const limit of [1, 7, 40, 120, 500]) {
        if (limit === 1) assert.deepEqual(idsOf((await get(app, '/v1/incidents?limit=1')).body.items), [want[0]?.id]);
        else
          assert.deepEqual(
            idsOf(await getAll(app, `/v1/incidents?limit=${limit}`)),
            want.map(({ id }) => id),
            `limit ${limit}`,
          );
      }
    });

    test('have no hole and no repetition while incidents change and open between them', async () => {
      const base = Array.from({ length: 50 }, (_, i) => incident({ id: `i${i}`, openedTimeMs: NOW - HOUR - (i % 10) * MINUTE }));
      await db.insert('incidents', base, 1);
      const seen: string[] = [];
      let cursor: string | null = null;
      let version = 2;
      do {
        const { status, body } = await get(app, `/v1/incidents?limit=7${cursor === null ? '' : `&cursor=${cursor}`}`);
        assert.equal(status, 200);
        seen.push(...idsOf(body.items));
        cursor = body.next;
        await db.insert(
          'incidents',
          base.map((row, i) => ({ ...row, state: 'resolved', resolution: 'recovered', updatedTimeMs: NOW + version, resolvedTimeMs: NOW - i })),
          version,
        );
        await db.insert('incidents', [incident({ id: `new${version}`, openedTimeMs: NOW + version })], version);
        version++;
      } while (cursor !== null);
      assert.equal(new Set(seen).size, seen.length, 'repeated');
      assert.deepEqual([...seen].sort(), base.map(({ id }) => id).sort());
    });

    test('keep the range of the first one while the clock goes on', async () => {
      let now = NOW;
      const clocked = await createApi(db, {}, { now: () => now });
      await db.insert('incidents', [
        incident({ id: 'new', openedTimeMs: NOW - MINUTE }),
        incident({ id: 'old', openedTimeMs: NOW - 2 * DAY, resolvedTimeMs: NOW - DAY }),
      ]);
      const first = await get(clocked.app, '/v1/incidents?limit=1');
      now += HOUR;
      const second = await get(clocked.app, `/v1/incidents?limit=1&cursor=${first.body.next}`);
      assert.deepEqual(idsOf(second.body.items), ['old']);
      await clocked.app.close();
    });

    const refused = [
      { name: 'that are no base64', cursor: '***' },
      { name: 'that are no cursor', cursor: Buffer.from('[1,2]').toString('base64url') },
      { name: 'of the pods', cursor: Buffer.from('[1,"x",0,1,["a","b","c"]]').toString('base64url') },
      { name: 'with a time out of range', cursor: Buffer.from('[1,"x",0,1e99,[1,"b","c"]]').toString('base64url') },
    ];
    for (const { name, cursor } of refused) {
      test(`refuse cursors ${name}`, async () => {
        const { status, body } = await get(app, `/v1/incidents?cursor=${encodeURIComponent(cursor)}`);
        assert.deepEqual([status, body.code, body.errors[0].parameter], [400, 'PODTRAIL_API_INVALID_CURSOR', 'cursor']);
      });
    }

    test('refuse a cursor of another question', async () => {
      await db.insert('incidents', [incident({ id: 'x' }), incident({ id: 'y' })]);
      const { body } = await get(app, '/v1/incidents?limit=1');
      const { status, body: problem } = await get(app, `/v1/incidents?limit=1&cluster=prod&cursor=${body.next}`);
      assert.deepEqual([status, problem.code], [400, 'PODTRAIL_API_INVALID_CURSOR']);
      assert.equal((await get(app, `/v1/incidents?limit=9&cursor=${body.next}`)).status, 200, 'another page size is no other question');
    });
  });

  const refused = [
    { query: 'limit=0', parameter: 'limit', code: 'PODTRAIL_API_INVALID_PARAMETER' },
    { query: 'limit=501', parameter: 'limit', code: 'PODTRAIL_API_INVALID_PARAMETER' },
    { query: 'limit=1.5', parameter: 'limit', code: 'PODTRAIL_API_INVALID_PARAMETER' },
    { query: 'limit=1&limit=2', parameter: 'limit', code: 'PODTRAIL_API_INVALID_PARAMETER' },
    { query: 'from=yesterday', parameter: 'from', code: 'PODTRAIL_API_INVALID_PARAMETER' },
    { query: 'from=2026-02-30T00:00:00Z', parameter: 'from', code: 'PODTRAIL_API_INVALID_PARAMETER' },
    { query: 'to=2500-01-01T00:00:00Z', parameter: 'to', code: 'PODTRAIL_API_INVALID_PARAMETER' },
    { query: 'from=2026-01-31T00:00:00Z&to=2026-01-30T00:00:00Z', parameter: 'from', code: 'PODTRAIL_API_INVALID_RANGE' },
    { query: 'from=2025-01-01T00:00:00Z', parameter: 'from', code: 'PODTRAIL_API_INVALID_RANGE' },
    { query: 'state=shut', parameter: 'state', code: 'PODTRAIL_API_INVALID_PARAMETER' },
    { query: 'scenario=oom', parameter: 'scenario', code: 'PODTRAIL_API_INVALID_PARAMETER' },
    { query: 'cluster=', parameter: 'cluster', code: 'PODTRAIL_API_INVALID_PARAMETER' },
    { query: 'clusters=prod', parameter: 'clusters', code: 'PODTRAIL_API_INVALID_PARAMETER' },
    { query: `${'cluster=a&'.repeat(51)}`, parameter: 'cluster', code: 'PODTRAIL_API_INVALID_PARAMETER' },
  ];
  for (const { query, parameter, code } of refused) {
    test(`refuses ${query.slice(0, 60)}`, async () => {
      const { status, body } = await get(app, `/v1/incidents?${query}`);
      assert.deepEqual([status, body.code], [400, code]);
      assert.ok(
        body.errors.every((error: { in: string; parameter: string }) => error.in === 'query' && error.parameter === parameter),
        JSON.stringify(body.errors),
      );
    });
  }

  test('takes the longest range that is configured', async () => {
    assert.equal((await get(app, '/v1/incidents?from=2026-01-01T00:00:00Z&to=2026-04-03T00:00:00Z')).status, 200);
    assert.equal((await get(app, '/v1/incidents?from=2026-01-01T00:00:00Z&to=2026-04-03T00:00:00.001Z')).status, 400);
  });
});

describe('GET /v1/incidents/{id}', () => {
  test('adds timeline, members with their times, and advice', async () => {
    const asked: unknown[] = [];
    const advice = {
      scenario: 'Out of memory',
      title: 'Limit',
      explanation: 'why',
      steps: [{ text: 'look', command: 'kubectl get pod' }],
      avoid: '',
      links: [],
    };
    const advised = await createApi(
      db,
      {},
      {
        advice: (...args) => {
          asked.push(args);
          return advice;
        },
      },
    );
    await db.insert('incidents', [incident({ pods: 2, image: 'web:2' })]);
    await db.insert('incident_members', [
      member({ podUid: 'p2', podName: 'web-2', firstTimeMs: NOW - 50 * MINUTE, state: 'gone' }),
      member({ podUid: 'p1', podName: 'web-1', lastTimeMs: NOW - MINUTE }),
      member({ incidentId: 'other', podUid: 'p3' }),
    ]);
    await db.insert(
      'incident_timeline',
      [timelineEntry({ seq: 1, text: 'first text' }), timelineEntry({ seq: 0, kind: 'symptom', text: 'restarted', timeMs: NOW - 70 * MINUTE })],
      1,
    );
    await db.insert(
      'incident_timeline',
      [timelineEntry({ seq: 1, text: 'opened after three restarts' }), timelineEntry({ incidentId: 'other', text: 'not here' })],
      2,
    );
    const { status, body } = await get(advised.app, '/v1/incidents/i1?lang=zh');
    assert.equal(status, 200, JSON.stringify(body));
    assert.deepEqual(body.timeline, [
      { seq: 0, time: '2026-01-31T10:50:00.000Z', kind: 'symptom', text: 'restarted', count: 1, until: null },
      { seq: 1, time: '2026-01-31T11:00:00.000Z', kind: 'opened', text: 'opened after three restarts', count: 1, until: null },
    ]);
    assert.deepEqual(body.members[0], {
      ...{ namespace: 'shop', name: 'web-1', uid: 'p1', node: 'node-1', state: 'failing' },
      ...{ firstTime: '2026-01-31T11:00:00.000Z', lastTime: '2026-01-31T11:59:00.000Z' },
    });
    assert.deepEqual([body.members.length, body.members[1].state, body.podCount], [2, 'gone', 2]);
    assert.deepEqual(body.advice, advice);
    const shared = { image: 'web:2', registry: null, node: 'node-1', claim: null };
    const about = { subject: body.subject, shared, pod: { namespace: 'shop', name: 'web-1', uid: 'p1' } };
    assert.deepEqual(asked, [['oom_killed', 'container_limit', 'zh', about]]);
    await advised.app.close();
  });

  test('tells in its story what Kubernetes said about its pods and its controllers meanwhile, folded, and nothing else', async () => {
    const symptom = NOW - 61 * MINUTE;
    const evidence = JSON.stringify([{ kind: 'field', object: 'ReplicaSet shop/web-5d', path: 'status.conditions', value: 'x' }]);
    await db.insert('incidents', [incident({ pods: 2, evidence, firstSymptomTimeMs: symptom, state: 'resolved', resolvedTimeMs: NOW - 30 * MINUTE })]);
    await db.insert('incident_members', [member(), member({ podUid: 'pod-2', podName: 'web-2' })]);
    const said = (uid: string, row: Parameters<typeof event>[0]) => event({ uid, count: 1, lastTimeMs: NOW - 50 * MINUTE, ...row });
    await db.insert('events', [said('e1', { note: 'old count' })], 1);
    await db.insert(
      'events',
      [
        said('e1', { count: 5, note: 'Back-off 40s for web-1' }),
        said('e2', { regardingName: 'web-2', regardingUid: 'pod-2', count: 2, note: 'Back-off 10s for web-2', lastTimeMs: NOW - 55 * MINUTE }),
        said('e3', { reason: 'Pulled', type: 'Normal', note: 'there' }),
        said('e4', {
          regardingKind: 'ReplicaSet',
          regardingName: 'web-5d',
          regardingUid: 'rs',
          fieldPath: '',
          reason: 'FailedCreate',
          note: 'quota',
          count: 3,
        }),
        said('e5', { regardingUid: 'pod-9', regardingName: 'other-1' }),
        said('e6', { reason: 'Late', firstTimeMs: NOW - 28 * MINUTE, lastTimeMs: NOW }),
        said('e7', { reason: 'Early', firstTimeMs: symptom - 20 * MINUTE, lastTimeMs: symptom - 6 * MINUTE }),
        said('e8', { cluster: 'elsewhere', reason: 'Elsewhere' }),
      ],
      2,
    );
    const { status, body } = await get(app, '/v1/incidents/i1');
    assert.equal(status, 200, JSON.stringify(body));
    assert.deepEqual(
      body.timeline.map(({ kind, text, count, until }: Record<string, unknown>) => [kind, text, count, until]),
      [
        ['warning', '2 Pods, container app: BackOff: Back-off 40s for web-1', 7, '2026-01-31T11:10:00.000Z'],
        ['warning', 'ReplicaSet web-5d: FailedCreate: quota', 3, '2026-01-31T11:10:00.000Z'],
        ['event', 'Pod web-1, container app: Pulled: there', 1, '2026-01-31T11:10:00.000Z'],
      ],
    );
  });

  test('the story of a node is told by the node, not by all that its pods said', async () => {
    await db.insert('incidents', [incident({ subjectKind: 'Node', subjectNamespace: '', subjectName: 'node-1', subjectContainer: '', scenario: 'node_lost' })]);
    await db.insert('incident_members', [member()]);
    await db.insert('events', [
      event({ uid: 'e1' }),
      event({
        uid: 'e2',
        namespace: 'default',
        regardingKind: 'Node',
        regardingName: 'node-1',
        regardingUid: 'node-1',
        fieldPath: '',
        reason: 'NodeNotReady',
        note: 'lost',
      }),
    ]);
    const { body } = await get(app, '/v1/incidents/i1');
    assert.deepEqual(
      body.timeline.map(({ text }: { text: string }) => text),
      ['Node node-1: NodeNotReady: lost'],
    );
  });

  test('has the fields that the list has, with the same values', async () => {
    await db.insert('incidents', [incident()]);
    await db.insert('incident_members', [member()]);
    const [item] = (await get(app, '/v1/incidents')).body.items;
    const { members, timeline, advice, ...rest } = (await get(app, '/v1/incidents/i1')).body;
    assert.deepEqual(rest, item);
    assert.deepEqual([members.length, timeline, advice], [1, [], null]);
  });

  test('cuts members, and the timeline in its middle', async () => {
    await db.insert('incidents', [incident({ pods: 1_200 })]);
    await db.insert(
      'incident_members',
      Array.from({ length: 1_200 }, (_, i) => member({ podUid: `p${i}` })),
    );
    await db.insert(
      'incident_timeline',
      Array.from({ length: 1_100 }, (_, seq) => timelineEntry({ seq, timeMs: NOW - HOUR + seq })),
    );
    const { body } = await get(app, '/v1/incidents/i1');
    assert.deepEqual([body.members.length, body.podCount, body.timeline.length], [1_000, 1_200, 60]);
    assert.deepEqual([body.timeline[0].seq, body.timeline.at(-1).seq], [0, 1_099]);
    const rest = body.timeline.find(({ kind }: { kind: string }) => kind === 'rest');
    assert.equal(rest.text, `${1_100 + 1 - 59} more entries`, 'all that was told and the line about the pods, less what is shown');
  });

  test('says that there is none', async () => {
    const { status, body } = await get(app, '/v1/incidents/unknown');
    assert.deepEqual([status, body.code], [404, 'PODTRAIL_API_NOT_FOUND']);
  });

  const refused = [
    { url: '/v1/incidents/a%20b', in: 'path', parameter: 'id' },
    { url: `/v1/incidents/${'x'.repeat(65)}`, in: 'path', parameter: 'id' },
    { url: '/v1/incidents/i1?lang=fr', in: 'query', parameter: 'lang' },
    { url: '/v1/incidents/i1?cluster=prod', in: 'query', parameter: 'cluster' },
  ];
  for (const { url, in: place, parameter } of refused) {
    test(`refuses ${url.slice(0, 40)}`, async () => {
      const { status, body } = await get(app, url);
      assert.deepEqual([status, body.errors[0].in, body.errors[0].parameter], [400, place, parameter]);
    });
  }
});
