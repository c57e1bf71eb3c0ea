/** GET /v1/why by the live state of a processor and by what it stored, and the words of the command. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { ApiDeps } from '../../api/app.ts';
import type { App } from '../../api/routes/deps.ts';
import type { WhyJson } from '../../api/routes/why/schema.ts';
import { whyResponse } from '../../api/routes/why/schema.ts';
import { whyText } from '../../deploy/commands/why.ts';
import type { ClusterRef } from '../../collector/change-record.ts';
import { processorConfig } from '../../processor/config.ts';
import type { Answered } from '../../processor/states.ts';
import { createCheckpointStates } from '../../processor/states.ts';
import type { Why } from '../../processor/core/why.ts';
import type { AskWhy } from '../../processor/why.ts';
import { createWhy } from '../../processor/why.ts';
import { StoreError } from '../../sql/errors.ts';
import type { TestStore } from '../helpers/clickhouse.ts';
import { openTestStore } from '../helpers/clickhouse.ts';
import { createDriver, rawPod, START_MS } from '../helpers/driver.ts';
import { createMemoryLog } from '../helpers/memory-log.ts';
import type { Run } from '../helpers/processor-run.ts';
import { startRun } from '../helpers/processor-run.ts';
import { silentLog } from '../helpers/silent-log.ts';
import { createApi, get } from './harness.ts';

const CLUSTER: ClusterRef = { uid: 'cluster-uid', name: 'test' };

const pending = rawPod(
  'web-1',
  {
    phase: 'Pending',
    conditions: [
      {
        type: 'PodScheduled',
        status: 'False',
        reason: 'Unschedulable',
        message: '0/1 nodes are available: 1 Insufficient cpu.',
        lastTransitionTime: '2026-01-15T12:00:00Z',
      },
    ],
  },
  { nodeName: undefined },
);

/** A pod that waits for a node for 20 s; podtrail may not list namespaces. */
function story() {
  const driver = createDriver();
  driver.begin({ pods: [pending], events: [], nodes: [] });
  driver.push({
    v: 1,
    cluster: CLUSTER,
    run: 'run-1',
    t: START_MS,
    type: 'NOTE',
    resource: 'namespaces',
    scope: '',
    code: 'forbidden',
    message: 'cannot list',
  });
  driver.advance(20);
  return driver;
}

let store: TestStore;
let run: Run;
let log: ReturnType<typeof createMemoryLog>;
const driver = story();

before(async () => {
  store = await openTestStore();
  log = createMemoryLog();
  for (const record of driver.records) log.append(record);
  run = startRun(store.client, log, { config: { ...processorConfig.parse({}), checkpointRecords: 1 } });
  await run.reader.caughtUp();
});
after(async () => {
  await run.processor.stop();
  await store.close();
});

async function withApi<T>(why: ApiDeps['why'], use: (app: App, lines: string[]) => Promise<T>): Promise<T> {
  const { app, lines } = await createApi(store, {}, why === undefined ? {} : { why });
  try {
    return await use(app, lines);
  } finally {
    await app.close();
  }
}
const live = createWhy(async (cluster) => run.processor.state(cluster));
const WEB = '/v1/why?cluster=test&namespace=shop&pod=web-1';

describe('by the live state', () => {
  test('says what is pending, what nobody can see, and of when it is', async () => {
    const { status, body } = await withApi(live, (app) => get(app, WEB));
    assert.equal(status, 200);
    const why: WhyJson = whyResponse.parse(body);
    assert.deepEqual([why.source, why.asOf, why.checkpointTime], ['live', '2026-01-15T12:00:20.000Z', null]);
    const [first] = why.scenarios;
    assert.deepEqual([first?.scenario, first?.verdict, first?.opensInSeconds, first?.incident], ['scheduling_failure', 'pending', 40, null]);
    assert.ok((first?.evidence.length ?? 0) > 0);
    assert.deepEqual(
      why.blind.map(({ resource, uncollectable, reason }) => [resource, uncollectable, reason]),
      [['namespaces', true, 'forbidden: cannot list']],
    );
  });

  test('takes a uid too, but only within its namespace', async () => {
    await withApi(live, async (app) => {
      assert.equal((await get(app, '/v1/why?cluster=test&namespace=shop&pod=uid-web-1')).body.pod.name, 'web-1');
      assert.equal((await get(app, '/v1/why?cluster=test&namespace=other&pod=uid-web-1')).status, 404);
    });
  });
});

describe('what cannot be answered', () => {
  const cases: readonly (readonly [string, string, ApiDeps['why'], number, string, RegExp])[] = [
    ['an unknown pod', '/v1/why?cluster=test&namespace=shop&pod=none', live, 404, 'PODTRAIL_API_NOT_FOUND', /pod/],
    ['an unknown cluster', '/v1/why?cluster=none&namespace=shop&pod=web-1', live, 404, 'PODTRAIL_API_NOT_FOUND', /cluster/],
    ['no pod named', '/v1/why?cluster=test&namespace=shop', live, 400, 'PODTRAIL_API_INVALID_PARAMETER', /pod/],
    ['a process without a state', WEB, undefined, 404, 'PODTRAIL_API_NOT_FOUND', /no state/],
    [
      'a store that is away',
      WEB,
      () => Promise.reject(new StoreError('PODTRAIL_STORE_UNAVAILABLE', 'secret host', { retriable: true })),
      503,
      'PODTRAIL_API_STORE_UNAVAILABLE',
      /^(?!.*secret)/,
    ],
    ['a bug', WEB, () => Promise.reject(new TypeError('secret')), 500, 'PODTRAIL_API_INTERNAL', /^(?!.*secret)/],
    ['a processor that starts', WEB, async () => ({ kind: 'unavailable', reason: 'starting' }), 503, 'PODTRAIL_API_STATE_UNAVAILABLE', /^starting$/],
  ];
  for (const [name, url, why, status, code, detail] of cases) {
    test(name, async () => {
      const answer = await withApi(why, (app) => get(app, url));
      assert.deepEqual([answer.status, answer.body.code, answer.headers['content-type']], [status, code, 'application/problem+json']);
      assert.match(answer.body.detail, detail);
      assert.equal(answer.headers['retry-after'] !== undefined, status === 503);
    });
  }
});

/** Waits for the checkpoint of all that the log holds: the round runs beside the batches. */
async function checkpointed(ask: AskWhy, asOfMs: number): Promise<Answered<Why>> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const answer = await ask('test', 'shop', 'web-1');
    if (answer.kind === 'answer' && answer.asOfMs >= asOfMs) return answer;
    await new Promise((done) => setTimeout(done, 25));
  }
  throw new Error('no checkpoint came');
}

/** The store, and how many queries it was asked. */
function countingClient(): { readonly client: TestStore['client']; readonly queries: () => number } {
  let count = 0;
  const client = new Proxy(store.client, {
    get: (target, key) => {
      if (key === 'query') count++;
      const value: unknown = Reflect.get(target, key);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return { client, queries: () => count };
}

describe('by the checkpoint', () => {
  const deps = () => ({ client: store.client, log: silentLog });

  test('says the same as the live state, and when it was stored', async () => {
    await run.processor.stop(); // its last checkpoint holds everything
    const ask = createWhy(createCheckpointStates(deps(), { freshMs: 0 }));
    const stored = await checkpointed(ask, START_MS + 20_000);
    const { body } = await withApi(ask, (app) => get(app, WEB));
    assert.deepEqual([body.source, body.asOf], ['checkpoint', '2026-01-15T12:00:20.000Z']);
    assert.equal(body.checkpointTime, new Date(stored.checkpointTimeMs ?? 0).toISOString());
    assert.deepEqual([body.scenarios[0].verdict, body.scenarios[0].opensInSeconds, body.scenarios.length], ['pending', 40, stored.answer.scenarios.length]);
  });

  test('tells an unknown cluster from an unknown pod', async () => {
    const ask = createWhy(createCheckpointStates(deps()));
    assert.deepEqual(await ask('none', 'shop', 'web-1'), { kind: 'no_cluster' });
    assert.deepEqual(await ask('test', 'shop', 'none'), { kind: 'not_found', reason: 'no pod shop/none lives in the cluster' });
  });

  test('refuses a state that is too large, and does not read it again for that', async () => {
    const { client, queries } = countingClient();
    const ask = createWhy(createCheckpointStates({ client, log: silentLog }, { maxStateBytes: 100, freshMs: 0 }));
    const first = await ask('test', 'shop', 'web-1');
    assert.equal(first.kind, 'unavailable');
    assert.match(first.kind === 'unavailable' ? first.reason : '', /larger than the 100 bytes/);
    const before = queries();
    assert.equal((await ask('test', 'shop', 'web-1')).kind, 'unavailable');
    assert.equal(queries() - before, 2, 'the identity and the manifests, no chunk');
  });

  test('asks the store once for many questions at once, and again only when time has passed', async () => {
    let nowMs = 1_000_000;
    const { client, queries } = countingClient();
    const ask = createWhy(createCheckpointStates({ client, log: silentLog, now: () => nowMs }, { freshMs: 5_000 }));
    const answers = await Promise.all(Array.from({ length: 8 }, () => ask('test', 'shop', 'web-1')));
    assert.deepEqual(new Set(answers.map(({ kind }) => kind)), new Set(['answer']));
    const restored = queries();
    nowMs += 4_999;
    await ask('test', 'shop', 'web-1');
    assert.equal(queries(), restored);
    nowMs += 1;
    await ask('test', 'shop', 'web-1');
    assert.equal(queries(), restored + 2, 'the manifest is the same: nothing is restored');
  });

  test('bounds the questions that wait', async () => {
    const ask = createWhy(createCheckpointStates(deps(), { freshMs: 0 }));
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask('test', 'shop', 'web-1')));
    assert.equal(answers.filter(({ kind }) => kind === 'answer').length, 16);
    assert.equal(answers.filter((answer) => answer.kind === 'unavailable' && /waiting/.test(answer.reason)).length, 4);
  });

  test('passes over a checkpoint whose chunks are gone', async () => {
    const other = await openTestStore();
    const memory = createMemoryLog();
    for (const record of driver.records) memory.append(record);
    const second = startRun(other.client, memory);
    await second.reader.caughtUp();
    await second.processor.stop();
    await other.client.command({ query: 'TRUNCATE TABLE checkpoint_chunks' });
    const answer = await createWhy(createCheckpointStates({ client: other.client, log: silentLog }))('test', 'shop', 'web-1');
    assert.equal(answer.kind, 'unavailable');
    assert.match(answer.kind === 'unavailable' ? answer.reason : '', /was just replaced; try again/);
    await other.close();
  });
});

describe('for a person', () => {
  const base: WhyJson = {
    cluster: 'prod-eu1',
    asOf: '2026-01-15T12:00:00.000Z',
    source: 'live',
    checkpointTime: null,
    pod: { namespace: 'shop', name: 'web-1', uid: 'u', status: 'CrashLoopBackOff', node: 'n1' },
    workload: { kind: 'Deployment', name: 'web' },
    scenarios: [],
    disruption: null,
    blind: [],
  };
  const scenario: Omit<WhyJson['scenarios'][number], 'scenario'> = {
    verdict: 'no_signal',
    text: 'sees nothing wrong',
    cause: null,
    confidence: null,
    summary: null,
    evidence: [],
    opensInSeconds: null,
    incident: null,
    muted: null,
  };

  test('a healthy pod takes four lines', () => {
    const text = whyText({ ...base, scenarios: [{ ...scenario, scenario: 'oom_killed' }] }, START_MS + 3_000);
    assert.deepEqual(text.split('\n'), [
      'Pod shop/web-1 in cluster prod-eu1: CrashLoopBackOff, on node n1, of Deployment web',
      'as of 2026-01-15T12:00:00.000Z, 3s ago',
      '',
      'No rule sees anything wrong.',
    ]);
  });

  test('what is wrong comes first, with evidence, mutes, disruption and blindness', () => {
    const text = whyText({
      ...base,
      source: 'checkpoint',
      pod: { ...base.pod, node: '' },
      scenarios: [
        {
          ...scenario,
          scenario: 'container_exit',
          verdict: 'pending',
          text: 'opens in 40 s if nothing changes',
          cause: 'exit_immediate',
          confidence: 'likely',
          summary: 'it ends\u001b[31m',
          evidence: [{ kind: 'field', object: 'Pod shop/web-1', path: 'status.phase', value: 'Failed', time: null }],
          muted: 'load test (until 2026-02-01T00:00:00Z)',
        },
        { ...scenario, scenario: 'oom_killed' },
      ],
      disruption: { reason: 'PreemptionByScheduler', message: '' },
      blind: [{ resource: 'nodes', since: '2026-01-15T11:00:00.000Z', reason: 'forbidden', uncollectable: true }],
    });
    assert.deepEqual(text.split('\n').slice(1), [
      'as of 2026-01-15T12:00:00.000Z (the last checkpoint)',
      '',
      'container_exit/exit_immediate, likely: opens in 40 s if nothing changes',
      '  it ends [31m',
      '    Pod shop/web-1 status.phase: Failed',
      '  muted: load test (until 2026-02-01T00:00:00Z)',
      'Nothing wrong by: oom_killed',
      'Disruption, which is no incident: PreemptionByScheduler',
      'Cannot see nodes since 2026-01-15T11:00:00.000Z: forbidden',
    ]);
    assert.match(text, /on no node yet/);
  });
});
