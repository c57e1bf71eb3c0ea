import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import type { App } from '../../../../api/routes/deps.ts';
import type { IncidentMemberRow, IncidentRow } from '../../../../sql/rows.ts';
import type { Database } from '../../harness.ts';
import { createApi, createDatabase, DAY, get, HOUR, MINUTE, NOW } from '../../harness.ts';
import * as rows from '../../rows.ts';

const CLUSTERS = ['a', 'b', 'c'];
const STEPS = { '5m': 5 * MINUTE, '30m': 30 * MINUTE, '1h': HOUR, '6h': 6 * HOUR, '1d': DAY } as const;
const SEED = 20_260_131;

interface Drawn {
  readonly incidents: readonly IncidentRow[];
  readonly members: readonly IncidentMemberRow[];
}

/** Incidents over three days before NOW, many of them at edges of buckets. */
function drawIncidents(): Drawn {
  const time = fc.oneof(
    fc.integer({ min: 0, max: 3 * 24 * 12 }).map((n) => NOW - n * 5 * MINUTE),
    fc.integer({ min: NOW - 3 * DAY, max: NOW }),
  );
  const draft = fc.record({
    cluster: fc.constantFrom(...CLUSTERS),
    opened: time,
    lasts: fc.oneof(fc.constant(0), fc.constant(HOUR), fc.integer({ min: 1, max: 20 * HOUR })),
    open: fc.boolean(),
    resolution: fc.constantFrom('recovered', 'deleted', 'superseded', 'unknown', 'ended'),
    namespace: fc.constantFrom('shop', 'billing', ''),
    kind: fc.constantFrom('Deployment', 'StatefulSet', 'Node'),
    name: fc.constantFrom('web', 'api', 'db', 'cache', 'queue', 'search'),
    scenario: fc.constantFrom('oom_killed', 'container_exit', 'image_pull_failure'),
    severity: fc.constantFrom('info', 'warning', 'critical'),
    image: fc.constantFrom('', 'web:1', 'web:2'),
    node: fc.constantFrom('', 'node-1', 'node-2'),
    members: fc.array(
      fc.record({
        uid: fc.integer({ min: 0, max: 12 }),
        early: fc.boolean(),
        first: fc.double({ min: 0, max: 1, noNaN: true }),
        last: fc.double({ min: 0, max: 1, noNaN: true }),
        state: fc.constantFrom('failing', 'recovered', 'gone'),
      }),
      { maxLength: 4 },
    ),
  });
  const incidents: IncidentRow[] = [];
  const members: IncidentMemberRow[] = [];
  fc.sample(draft, { numRuns: 250, seed: SEED }).forEach((d, i) => {
    const ended = Math.min(NOW, d.opened + d.lasts);
    const id = `i${i}`;
    incidents.push(
      rows.incident({
        cluster: d.cluster,
        id,
        scenario: d.scenario,
        severity: d.severity,
        subjectKind: d.kind,
        subjectNamespace: d.namespace,
        subjectName: d.name,
        image: d.image,
        node: d.node,
        openedTimeMs: d.opened,
        state: d.open ? 'open' : 'resolved',
        resolution: d.open ? '' : d.resolution,
        resolvedTimeMs: d.open ? 0 : ended,
      }),
    );
    const until = d.open ? NOW : ended;
    for (const m of new Map(d.members.map((member) => [member.uid, member])).values()) {
      const first = m.early ? d.opened - 2 * MINUTE : Math.round(d.opened + m.first * (until - d.opened));
      const last = Math.round(first + m.last * (until - first));
      members.push(
        rows.member({ cluster: d.cluster, incidentId: id, openedTimeMs: d.opened, podUid: `p${m.uid}`, firstTimeMs: first, lastTimeMs: last, state: m.state }),
      );
    }
  });
  return { incidents, members };
}

const DIMENSIONS: Record<string, (row: IncidentRow) => string> = {
  none: () => '',
  cluster: (row) => row.cluster,
  namespace: (row) => row.subjectNamespace,
  scenario: (row) => row.scenario,
  cause: (row) => `${row.scenario}/${row.cause}`,
  severity: (row) => row.severity,
  workload: (row) => (row.subjectKind === 'Node' ? '' : `${row.subjectKind}/${row.subjectNamespace}/${row.subjectName}`),
  image: (row) => row.image,
  node: (row) => row.node,
};

interface Measures {
  opened: number;
  active: number;
  affectedPods: number;
  incidentMinutes: number;
  mttrSeconds: number | null;
}

/** The definition of the measures, one incident and one pod at a time. */
function measureOf(incidents: readonly IncidentRow[], members: readonly IncidentMemberRow[], from: number, to: number): Measures {
  const touches = (start: number, end: number): boolean => start < to && (start >= from || end > from);
  let opened = 0;
  let active = 0;
  let ms = 0;
  const repairs: number[] = [];
  const pods = new Set<string>();
  for (const row of incidents) {
    const end = row.resolvedTimeMs === 0 ? NOW : row.resolvedTimeMs;
    if (row.openedTimeMs >= from && row.openedTimeMs < to) opened++;
    if (touches(row.openedTimeMs, end)) active++;
    ms += Math.max(0, Math.min(end, to) - Math.max(row.openedTimeMs, from));
    const repaired = !['superseded', 'unknown', ''].includes(row.resolution);
    if (repaired && row.resolvedTimeMs >= from && row.resolvedTimeMs < to) repairs.push(row.resolvedTimeMs - row.openedTimeMs);
    for (const member of members) {
      if (member.incidentId !== row.id || member.cluster !== row.cluster) continue;
      const start = Math.max(member.firstTimeMs, row.openedTimeMs);
      const over = member.state === 'failing' ? end : Math.min(member.lastTimeMs, end);
      if (touches(start, Math.max(start, over))) pods.add(`${member.cluster}/${member.podUid}`);
    }
  }
  const mttrSeconds = repairs.length === 0 ? null : repairs.reduce((sum, one) => sum + one, 0) / repairs.length / 1_000;
  return { opened, active, affectedPods: pods.size, incidentMinutes: ms / MINUTE, mttrSeconds };
}

function assertMeasures(got: Record<string, number | null>, want: Measures, where: string): void {
  for (const [name, value] of Object.entries(want)) {
    if (value === null) assert.equal(got[name], null, `${where}: ${name}`);
    else assert.ok(Math.abs((got[name] ?? Number.NaN) - value) < 1e-6, `${where}: ${name} is ${got[name]}, should be ${value}`);
  }
}

describe('GET /v1/trends', () => {
  let db: Database;
  let app: App;
  const drawn = drawIncidents();

  before(async () => {
    db = await createDatabase();
    // An older version of everything, which must not count.
    await db.insert(
      'incidents',
      drawn.incidents.map((row) => ({ ...row, state: 'open', resolution: '', resolvedTimeMs: 0, image: 'old' })),
      1,
    );
    await db.insert(
      'incident_members',
      drawn.members.map((row) => ({ ...row, state: 'failing', lastTimeMs: row.firstTimeMs })),
      1,
    );
    await db.insert('incidents', drawn.incidents, 2);
    await db.insert('incident_members', drawn.members, 2);
    await db.insert(
      'clusters',
      CLUSTERS.map((cluster) => rows.cluster({ cluster, firstRecordTimeMs: NOW - 10 * DAY })),
    );
    ({ app } = await createApi(db));
  });
  after(async () => {
    await app.close();
    await db.close();
  });

  test('agrees with the definitions for any range, step, dimension and filter', async () => {
    const query = fc.record({
      step: fc.constantFrom(...(Object.keys(STEPS) as (keyof typeof STEPS)[])),
      groupBy: fc.constantFrom(...Object.keys(DIMENSIONS)),
      rankBy: fc.constantFrom('opened', 'active', 'affectedPods', 'incidentMinutes', 'mttrSeconds'),
      top: fc.integer({ min: 1, max: 6 }),
      endsBefore: fc.integer({ min: 0, max: 2 * 24 * 60 }),
      minutes: fc.integer({ min: 0, max: 36 * 60 }),
      clusters: fc.subarray(CLUSTERS),
      severities: fc.subarray(['info', 'warning', 'critical']),
    });
    await fc.assert(
      fc.asyncProperty(query, async ({ step, groupBy, rankBy, top, endsBefore, minutes, clusters, severities }) => {
        const to = NOW - endsBefore * MINUTE;
        const from = to - minutes * MINUTE;
        const params = new URLSearchParams({ step, groupBy, rankBy, top: String(top), from: new Date(from).toISOString(), to: new Date(to).toISOString() });
        for (const cluster of clusters) params.append('cluster', cluster);
        for (const severity of severities) params.append('severity', severity);
        const { status, body } = await get(app, `/v1/trends?${params}`);
        assert.equal(status, 200, JSON.stringify(body));

        const stepMs = STEPS[step];
        const start = Math.floor(from / stepMs) * stepMs;
        const count = Math.max(1, Math.ceil((to - start) / stepMs));
        assert.equal(body.from, new Date(start).toISOString());
        assert.equal(body.buckets.length, count);
        const end = start + count * stepMs;

        const chosen = drawn.incidents.filter(
          (row) =>
            (clusters.length === 0 || clusters.includes(row.cluster)) &&
            (severities.length === 0 || severities.includes(row.severity)) &&
            row.openedTimeMs < end &&
            (row.resolvedTimeMs === 0 || row.resolvedTimeMs >= start),
        );
        const groupOf = DIMENSIONS[groupBy]!;
        const ranked = [...new Set(chosen.map(groupOf))]
          .map((group) => ({
            group,
            whole: measureOf(
              chosen.filter((row) => groupOf(row) === group),
              drawn.members,
              start,
              end,
            ),
          }))
          .map(({ group, whole }) => ({ group, rank: whole[rankBy as keyof Measures] ?? -1 }))
          .sort((a, b) => b.rank - a.rank || (a.group < b.group ? -1 : 1))
          .map(({ group }) => group);
        const named = ranked.slice(0, top);
        assert.deepEqual(
          body.series.map((series: { group: string; other: boolean }) => [series.group, series.other]),
          [...named.map((group) => [group, false]), ...(ranked.length > top ? [['', true]] : [])],
        );
        for (const series of body.series) {
          const own = chosen.filter((row) => (series.other ? !named.includes(groupOf(row)) : groupOf(row) === series.group));
          assertMeasures(series.totals, measureOf(own, drawn.members, start, end), `totals of ${series.group}`);
          for (let i = 0; i < count; i++) {
            const got = Object.fromEntries(['opened', 'active', 'affectedPods', 'incidentMinutes', 'mttrSeconds'].map((name) => [name, series[name][i]]));
            if (start + i * stepMs >= NOW) {
              assert.deepEqual(new Set(Object.values(got)), new Set([null]), `bucket ${i} has not begun`);
              continue;
            }
            assertMeasures(got, measureOf(own, drawn.members, start + i * stepMs, start + (i + 1) * stepMs), `bucket ${i} of ${series.group}`);
          }
        }
      }),
      { numRuns: 30, seed: SEED },
    );
  });

  test('has no series where there is no incident, but all the buckets', async () => {
    const { body } = await get(app, '/v1/trends?cluster=nowhere');
    assert.deepEqual(body.series, []);
    assert.equal(body.buckets.length, 24);
  });

  const refused = [
    {
      name: 'refuses more buckets than configured',
      url: '/v1/trends?step=5m&from=2026-01-01T00:00:00Z',
      parameter: 'step',
      code: 'PODTRAIL_API_INVALID_RANGE',
    },
    { name: 'refuses a step that does not divide a day', url: '/v1/trends?step=7m', parameter: 'step', code: 'PODTRAIL_API_INVALID_PARAMETER' },
    { name: 'refuses a dimension that is none', url: '/v1/trends?groupBy=summary', parameter: 'groupBy', code: 'PODTRAIL_API_INVALID_PARAMETER' },
    { name: 'refuses to rank by nothing', url: '/v1/trends?rankBy=id', parameter: 'rankBy', code: 'PODTRAIL_API_INVALID_PARAMETER' },
  ];
  for (const { name, url, parameter, code } of refused) {
    test(name, async () => {
      const { status, body } = await get(app, url);
      assert.deepEqual([status, body.code, body.errors[0].parameter], [400, code, parameter]);
    });
  }
});

describe('blindness in GET /v1/trends', () => {
  let db: Database;
  let app: App;
  const url = '/v1/trends?step=1h&from=2026-01-31T08:00:00Z';

  before(async () => {
    db = await createDatabase();
    await db.insert('clusters', [rows.cluster({ cluster: 'a' }), rows.cluster({ cluster: 'b', firstRecordTimeMs: NOW - 150 * MINUTE })]);
    // 08:00–09:00 both, 09:00–09:30 a only (b begins at 09:30), 10:00–10:30 a half
    await db.insert('coverage', [
      rows.blind({ cluster: 'a', fromTimeMs: NOW - 4 * HOUR, toTimeMs: NOW - 3 * HOUR }),
      rows.blind({ cluster: 'a', fromTimeMs: NOW - 2 * HOUR, toTimeMs: NOW - 90 * MINUTE }),
      rows.blind({ cluster: 'a', resource: 'nodes', fromTimeMs: NOW - 4 * HOUR, toTimeMs: 0 }),
    ]);
    await db.insert('incidents', [
      rows.incident({ cluster: 'a', openedTimeMs: NOW - 5 * HOUR }),
      rows.incident({ cluster: 'b', id: 'i2', openedTimeMs: NOW - HOUR }),
    ]);
    ({ app } = await createApi(db));
  });
  after(async () => {
    await app.close();
    await db.close();
  });

  test('blanks the buckets in which every cluster was blind, and tells the share of the others', async () => {
    const { body } = await get(app, url);
    assert.deepEqual(body.coverage, [0, 0.75, 0.75, 1]);
    assert.deepEqual(body.series[0].active, [null, 1, 1, 2]);
    assert.deepEqual(body.series[0].incidentMinutes, [null, 60, 60, 120]);
  });

  test('blanks a series of one cluster by that cluster alone', async () => {
    const { body } = await get(app, `${url}&groupBy=cluster`);
    const active = Object.fromEntries(body.series.map((series: { group: string; active: unknown }) => [series.group, series.active]));
    assert.deepEqual(active, { a: [null, 1, 1, 1], b: [null, 0, 0, 1] });
    const rest = await get(app, `${url}&groupBy=cluster&top=1`);
    assert.deepEqual(rest.body.series[1].other, true);
    assert.deepEqual(rest.body.series[1].active, [null, 0, 0, 1]);
  });

  test('only asks about the clusters that it was asked about', async () => {
    const { body } = await get(app, `${url}&cluster=b`);
    assert.deepEqual(body.coverage, [0, 0.5, 1, 1]);
    assert.deepEqual((await get(app, `${url}&cluster=nowhere`)).body.coverage, [0, 0, 0, 0]);
  });

  test('has nothing to say of buckets that have not begun', async () => {
    const { body } = await get(app, '/v1/trends?step=1h&from=2026-01-31T11:00:00Z&to=2026-01-31T14:00:00Z');
    assert.deepEqual(body.coverage, [1, null, null]);
    assert.deepEqual(body.series[0].active, [2, null, null]);
  });

  test('is blind after the last heartbeat of a collector that died', async () => {
    await db.insert('clusters', [rows.cluster({ cluster: 'a', lastHeartbeatTimeMs: NOW - HOUR })], 2);
    const { body } = await get(app, `${url}&cluster=a`);
    assert.deepEqual(body.coverage, [0, 1, 0.5, 0]);
    assert.equal(body.series[0].active[3], null);
  });

  test('sees a namespace that is collected by itself apart from the others', async () => {
    const scope = (namespace: string) => ({ resource: 'pods', scope: namespace, state: 'in_sync', reason: '' });
    await db.insert('clusters', [rows.cluster({ cluster: 'c', resources: JSON.stringify([scope('shop'), scope('billing')]) })]);
    await db.insert('coverage', [rows.blind({ cluster: 'c', scope: 'shop', fromTimeMs: NOW - 4 * HOUR, toTimeMs: 0 })]);
    assert.deepEqual((await get(app, `${url}&cluster=c`)).body.coverage, [0.5, 0.5, 0.5, 0.5]);
    assert.deepEqual((await get(app, `${url}&cluster=c&namespace=shop`)).body.coverage, [0, 0, 0, 0]);
    assert.deepEqual((await get(app, `${url}&cluster=c&namespace=billing`)).body.coverage, [1, 1, 1, 1]);
    assert.deepEqual((await get(app, `${url}&cluster=c&namespace=other`)).body.coverage, [0, 0, 0, 0]);
  });
});
