import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import fc from 'fast-check';
import pino from 'pino';
import { type Appender, createAppender } from '../../collector/appender.ts';
import type { ChangeRecord, SessionCounters } from '../../collector/change-record.ts';
import type { Timing } from '../../collector/loop.ts';
import { createReflector, type Reflector } from '../../collector/reflector.ts';
import { createKnownObjects, createSession } from '../../collector/session.ts';
import { createPodMemory } from '../../collector/pod-memory.ts';
import { type FakeApiServer, type FakeApiServerOptions, type FakeObject, startFakeApiServer } from '../helpers/fake-api-server.ts';
import { clientFor } from '../helpers/fake-client.ts';
import { createMemoryWriter, type MemoryWriter } from '../helpers/memory-writer.ts';
import { waitFor } from '../helpers/wait-for.ts';

/** The real pace, 50 times as fast: 1 s is 20 ms. */
const QUICK: Timing = {
  backoff: { minMs: 20, maxMs: 100 },
  requestIntervalMs: 20,
  watchSeconds: { min: 240, max: 360 },
  unmarkedWatchSeconds: { min: 240, max: 360 },
  emptyWatchMs: 100,
  deniedRetryMs: 60,
  fullSnapshotIntervalMs: 3_600_000,
};

interface Harness {
  readonly reflector: Reflector;
  readonly writer: MemoryWriter;
  readonly appender: Appender;
  readonly ended: SessionCounters[];
  readonly relists: string[];
  /** When lists and watches were asked for, monotonic ms. */
  readonly starts: readonly number[];
  /** Types of the records acknowledged so far. */
  types(): string[];
  stop(): Promise<void>;
}

interface HarnessOptions {
  readonly timing?: Partial<Timing>;
  readonly watchStallMs?: number;
  readonly maxBufferBytes?: number;
  readonly scope?: string;
  readonly identity?: (abort: () => void) => void;
}

function reflectPods(server: FakeApiServer, options: HarnessOptions = {}): Harness {
  const { timing = {}, watchStallMs = 60_000, maxBufferBytes = 1_000_000, scope = '' } = options;
  const writer = createMemoryWriter();
  const controller = new AbortController();
  const { api, connection } = clientFor(server.url, { watchStallMs });
  const starts: number[] = [];
  const start = <T>(request: T): T => {
    starts.push(performance.now());
    return request;
  };
  const onFatal = (error: Error): void => {
    throw error;
  };
  const appender = createAppender({ key: 'uid', maxBufferBytes, flushIntervalMs: 1, backoff: { minMs: 1, maxMs: 2 } }, { writer, onFatal });
  const ended: SessionCounters[] = [];
  const relists: string[] = [];
  const known = createKnownObjects();
  const cluster = { uid: 'uid', name: 'one' };
  let sessions = 0;
  let t = 0;
  const clock = (): number => {
    t += 1;
    return t;
  };
  const target = { resource: 'pods', scope } as const;
  const reflector = createReflector(
    'one',
    target,
    { ...QUICK, ...timing },
    {
      api: { ...api, list: (request, signal) => api.list(start(request), signal), watch: (request, ...rest) => api.watch(start(request), ...rest) },
      appender,
      pods: createPodMemory(),
      openSession: () => {
        sessions += 1;
        return createSession({ cluster, run: 'run', session: `s${sessions}`, ...target, clock, emit: (record) => appender.push(record), known });
      },
      sessionEnded: (counters) => ended.push(counters),
      note: (code, message) => appender.push({ v: 1, cluster, run: 'run', t: clock(), type: 'NOTE', ...target, code, message }),
      ensureIdentity: async () => options.identity?.(() => controller.abort()),
      stopReason: () => 'stopped',
      changed: () => {},
      nowMs: clock,
      metrics: { listed: () => {}, relisted: (_cluster, _resource, reason) => relists.push(reason), requestFailed: () => {} },
      log: pino({ level: 'silent' }),
      random: () => 0,
    },
  );
  const running = reflector.run(controller.signal);
  return {
    reflector,
    writer,
    appender,
    ended,
    relists,
    starts,
    types: () => writer.records.map((record) => record.type),
    async stop() {
      controller.abort();
      await running;
      assert.equal(await appender.stop(5_000), 0);
      connection.close();
      checkSessions(writer.records);
    },
  };
}

/** What must hold of any log: gapless sequences, whole or void snapshots. */
function checkSessions(records: readonly ChangeRecord[]): void {
  const next = new Map<string, number>();
  const counts = new Map<string, number>();
  for (const record of records) {
    if (!('session' in record)) continue;
    assert.equal(record.seq, next.get(record.session) ?? 0, `sequence of ${record.session}`);
    next.set(record.session, record.seq + 1);
    if (record.type === 'SNAPSHOT_BEGIN') counts.set(record.session, 0);
    if (record.type === 'LISTED') counts.set(record.session, (counts.get(record.session) ?? 0) + 1);
    if (record.type === 'SNAPSHOT_END') assert.equal(record.count, counts.get(record.session));
  }
}

function pod(uid: string, fields: { readonly name?: string; readonly phase?: string; readonly namespace?: string } = {}): FakeObject {
  const { name = uid, phase = 'Running', namespace = 'shop' } = fields;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, uid, labels: { phase } },
    spec: { containers: [{ name: 'main', image: 'app:1' }] },
    status: { phase },
  };
}

/** The uids alive at the end of a log, told from its records alone as a processor does: by snapshot diff and watch events. */
function aliveIn(records: readonly ChangeRecord[]): Map<string, string> {
  const alive = new Map<string, string>();
  let listed = new Set<string>();
  for (const record of records) {
    if (record.type === 'SNAPSHOT_BEGIN') listed = new Set();
    if (record.type === 'LISTED') listed.add(record.uid);
    if (record.type === 'SNAPSHOT_END') for (const uid of [...alive.keys()]) if (!listed.has(uid)) alive.delete(uid);
    if (record.type === 'DELETED') alive.delete(record.uid);
    if (record.type === 'ADDED' || record.type === 'MODIFIED' || (record.type === 'LISTED' && record.object !== undefined)) {
      alive.set(record.uid, record.object?.metadata.labels?.['phase'] ?? '');
    }
  }
  return alive;
}
const ofType = (harness: Harness, type: ChangeRecord['type']): ChangeRecord[] => harness.writer.records.filter((record) => record.type === type);
const reasons = (harness: Harness): string[] => harness.writer.records.flatMap((record) => (record.type === 'SESSION_END' ? record.reason : []));
/** Without those that only ask for the server's version. */
const count = (server: FakeApiServer, verb: 'list' | 'watch'): number =>
  server.requests.filter((request) => request.verb === verb && request.query['limit'] !== '1').length;

let server: FakeApiServer;
let harness: Harness | undefined;
async function serve(options: FakeApiServerOptions = {}): Promise<void> {
  await server.close();
  server = await startFakeApiServer(options);
}
function reflect(options: HarnessOptions = {}): Harness {
  harness = reflectPods(server, options);
  return harness;
}
async function inSync(loop: Harness): Promise<void> {
  await waitFor('the watch', () => server.watching('pods') > 0 && loop.reflector.counters()?.inSync === true);
}

beforeEach(async () => {
  server = await startFakeApiServer();
});
afterEach(async () => {
  await harness?.stop();
  harness = undefined;
  await server.close();
});

describe('a session', () => {
  test('is a snapshot, then changes, then an end, with counters that balance', async () => {
    server.put('pods', pod('a'));
    const loop = reflect();
    await inSync(loop);
    server.put('pods', pod('b'));
    server.put('pods', pod('b', { phase: 'Failed' }));
    server.put('pods', pod('b', { phase: 'Failed' }));
    server.remove('pods', 'b');
    await waitFor('the deletion', () => loop.types().includes('DELETED'));
    await loop.stop();
    assert.deepEqual(loop.types(), ['SNAPSHOT_BEGIN', 'LISTED', 'SNAPSHOT_END', 'ADDED', 'MODIFIED', 'DELETED', 'SESSION_END']);
    const [counters] = loop.ended;
    assert.deepEqual([counters?.received, counters?.suppressed, counters?.rejected, counters?.appended], [5, 1, 0, 4]);
    assert.equal(loop.reflector.status().state, 'stopped');
  });

  test('lists all pages before it watches', async () => {
    for (let index = 0; index < 1_234; index += 1) server.put('pods', pod(`p${index}`));
    const loop = reflect();
    await inSync(loop);
    await waitFor('all records', () => loop.types().includes('SNAPSHOT_END'));
    assert.equal(ofType(loop, 'LISTED').length, 1_234);
    assert.deepEqual([count(server, 'list'), count(server, 'watch')], [3, 1]);
  });

  test('covers one namespace if it is scoped to it', async () => {
    server.put('pods', pod('a'));
    server.put('pods', pod('b', { namespace: 'other' }));
    const loop = reflect({ scope: 'shop' });
    await inSync(loop);
    server.put('pods', pod('c', { namespace: 'other' }));
    server.put('pods', pod('d'));
    await waitFor('the change', () => loop.types().includes('ADDED'));
    assert.deepEqual([...aliveIn(loop.writer.records).keys()], ['a', 'd']);
  });

  test('takes a pod that was deleted and made again under its name as two', async () => {
    server.put('pods', pod('first', { name: 'web-0' }));
    const loop = reflect();
    await inSync(loop);
    server.endWatches('pods', 'reset');
    server.remove('pods', 'first');
    server.put('pods', pod('second', { name: 'web-0' }));
    await waitFor('both', () => loop.types().includes('ADDED'));
    assert.deepEqual([...aliveIn(loop.writer.records).keys()], ['second']);
  });
});

describe('resuming', () => {
  for (const how of ['clean', 'reset'] as const) {
    test(`a watch that ends ${how} goes on from the last event, without a list and without a double`, async () => {
      const loop = reflect();
      await inSync(loop);
      server.put('pods', pod('a'));
      await waitFor('the first', () => loop.types().includes('ADDED'));
      const version = server.resourceVersion();
      server.endWatches('pods', how);
      server.put('pods', pod('b'));
      await waitFor('the second', () => ofType(loop, 'ADDED').length === 2);
      assert.equal(server.requests.at(-1)?.query['resourceVersion'], version);
      assert.deepEqual([count(server, 'list'), loop.ended.length], [1, 0]);
    });
  }

  test('a bookmark moves the version on', async () => {
    const loop = reflect();
    await inSync(loop);
    server.put('nodes', { metadata: { name: 'n', uid: 'n' } });
    const version = server.resourceVersion();
    const before = loop.reflector.status().lastRecordTimeMs;
    server.bookmark('pods');
    await waitFor('the bookmark', () => loop.reflector.status().lastRecordTimeMs !== before);
    server.endWatches('pods', 'clean');
    await waitFor('the next watch', () => count(server, 'watch') === 2);
    assert.equal(server.requests.at(-1)?.query['resourceVersion'], version);
  });

  test('a line that was cut off is not lost', async () => {
    const whole = { type: 'ADDED', object: { ...pod('a'), metadata: { ...pod('a').metadata, resourceVersion: '1001' } } };
    server.fail({ verb: 'watch', fault: { kind: 'body', chunks: [JSON.stringify(whole).slice(0, 60)], cut: true } });
    const loop = reflect();
    await waitFor('a second watch', () => count(server, 'watch') === 2);
    server.put('pods', pod('a'));
    await waitFor('the pod', () => loop.types().includes('ADDED'));
    assert.equal(loop.types().includes('REJECTED'), false);
  });

  test('a last line without its newline counts if it is whole', async () => {
    const whole = { type: 'ADDED', object: { ...pod('a'), metadata: { ...pod('a').metadata, resourceVersion: '1001' } } };
    server.fail({ verb: 'watch', fault: { kind: 'body', chunks: [JSON.stringify(whole)] } });
    const loop = reflect();
    await waitFor('the pod', () => loop.types().includes('ADDED'));
    await waitFor('the next watch', () => count(server, 'watch') === 2);
    assert.equal(server.requests.at(-1)?.query['resourceVersion'], '1001');
  });

  test('a half-open connection is noticed, and the watch goes on without a list', async () => {
    server.fail({ verb: 'watch', fault: { kind: 'silent' } });
    const loop = reflect({ watchStallMs: 80 });
    await waitFor('the silent watch', () => count(server, 'watch') === 1);
    server.put('pods', pod('a'));
    await waitFor('the pod', () => loop.types().includes('ADDED'));
    assert.deepEqual([count(server, 'list'), loop.ended.length], [1, 0]);
  });

  test('counts as complete from its list on only up to what came on it, and not for what came at once, which may be long past', async () => {
    const loop = reflect();
    await inSync(loop);
    const listedMs = loop.reflector.counters()?.completeTimeMs;
    assert.ok(listedMs !== undefined);
    server.put('pods', pod('late'));
    await waitFor('the change', () => loop.types().includes('ADDED'));
    assert.equal(loop.reflector.counters()?.completeTimeMs, listedMs);
    await loop.stop();
    const end = loop.writer.records.at(-1);
    assert.ok(end?.type === 'SESSION_END');
    assert.equal(end.completeTimeMs, listedMs);
  });

  test('a watch that is refused for the moment is tried again, and is not in sync meanwhile', async () => {
    server.fail({ verb: 'watch', fault: { kind: 'status', status: 500 }, times: 3 });
    const loop = reflect();
    await waitFor('the first refusal', () => loop.reflector.status().state === 'retrying');
    assert.equal(loop.reflector.counters()?.inSync, false);
    await inSync(loop);
    assert.deepEqual([count(server, 'list'), count(server, 'watch')], [1, 4]);
    assert.equal(loop.reflector.status().reason, undefined);
  });
});

describe('a new session', () => {
  const causes: readonly [name: string, reason: string, cause: () => void][] = [
    ['after a 410', '410', () => server.fail({ verb: 'watch', fault: { kind: 'status', status: 410 } })],
    [
      'after a 410 in the stream',
      '410',
      () => server.fail({ verb: 'watch', fault: { kind: 'body', chunks: ['{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired"}}\n'] } }),
    ],
    ['after two watches that are empty at once', 'empty_watch', () => server.fail({ verb: 'watch', fault: { kind: 'empty' }, times: 2 })],
    ['after five refusals of the watch', 'watch_failed', () => server.fail({ verb: 'watch', fault: { kind: 'status', status: 504 }, times: 5 })],
    [
      'after five ERROR events that are no 410',
      'watch_failed',
      () => server.fail({ verb: 'watch', fault: { kind: 'body', chunks: ['{"type":"ERROR","object":{"code":500,"message":"etcd"}}\n'] }, times: 5 }),
    ],
  ];
  for (const [name, reason, cause] of causes) {
    test(`begins ${name}`, async () => {
      server.put('pods', pod('a'));
      cause();
      const loop = reflect();
      await waitFor('a second list', () => count(server, 'list') === 2);
      await inSync(loop);
      await loop.stop();
      assert.deepEqual(reasons(loop), [reason, 'stopped']);
      assert.deepEqual(loop.relists, [reason]);
      assert.equal(loop.ended.length, 2);
    });
  }

  test('does not begin after one empty watch', async () => {
    server.fail({ verb: 'watch', fault: { kind: 'empty' } });
    const loop = reflect();
    await inSync(loop);
    assert.deepEqual([count(server, 'list'), count(server, 'watch')], [1, 2]);
  });

  test('tells what was deleted in the gap, by uid, and abbreviates what did not change', async () => {
    server.put('pods', pod('old', { name: 'web-0' }));
    server.put('pods', pod('kept'));
    const loop = reflect();
    await inSync(loop);
    server.fail({ verb: 'watch', fault: { kind: 'status', status: 503 } });
    server.endWatches('pods', 'reset');
    await waitFor('the end', () => server.watching('pods') === 0);
    server.remove('pods', 'old');
    server.put('pods', pod('new', { name: 'web-0' }));
    server.compact();
    await waitFor('the second snapshot', () => ofType(loop, 'SNAPSHOT_END').length === 2);
    assert.deepEqual([...aliveIn(loop.writer.records).keys()].sort(), ['kept', 'new']);
    const again = loop.writer.records.filter((record) => record.type === 'LISTED' && record.session === 's2');
    assert.deepEqual(
      again.map((record) => record.type === 'LISTED' && [record.uid, record.object !== undefined]),
      [
        ['kept', false],
        ['new', true],
      ],
    );
  });

  test('begins when the server was restored from a backup, and tells all whole that it finds', async () => {
    server.put('pods', pod('kept'));
    const version = server.resourceVersion();
    const loop = reflect();
    await inSync(loop);
    server.put('pods', pod('kept', { phase: 'Failed' }));
    server.put('pods', pod('made-since'));
    await waitFor('both', () => ofType(loop, 'ADDED').length + ofType(loop, 'MODIFIED').length === 2);
    server.restore(version);
    await waitFor('the second snapshot', () => ofType(loop, 'SNAPSHOT_END').length === 2);
    assert.deepEqual(loop.relists, ['restored']);
    assert.deepEqual([...aliveIn(loop.writer.records)], [['kept', 'Running']]);
    server.put('pods', pod('new'));
    await waitFor('what is new under a version of before', () => aliveIn(loop.writer.records).has('new'));
  });

  test('begins when an unabbreviated snapshot is due, and is one', async () => {
    server.put('pods', pod('a'));
    const loop = reflect({ timing: { fullSnapshotIntervalMs: 100 } });
    await waitFor('the end of the first', () => ofType(loop, 'SESSION_END').length > 0);
    await waitFor('the second snapshot', () => ofType(loop, 'SNAPSHOT_END').length === 2);
    assert.equal(reasons(loop)[0], 'refresh');
    assert.ok(ofType(loop, 'LISTED').every((record) => record.type === 'LISTED' && record.object !== undefined));
  });
});

describe('a list that fails', () => {
  test('on its first page leaves no trace, and is tried again until it is there', async () => {
    for (const status of [500, 429, 503]) server.fail({ verb: 'list', fault: { kind: 'status', status } });
    server.fail({ verb: 'list', fault: { kind: 'reset' } });
    server.fail({ verb: 'list', fault: { kind: 'body', chunks: ['{}'] } });
    const loop = reflect();
    await inSync(loop);
    assert.deepEqual(loop.types(), ['SNAPSHOT_BEGIN', 'SNAPSHOT_END']);
    assert.deepEqual(loop.relists, []);
  });

  test('waits as long as Retry-After says', async () => {
    server.fail({ verb: 'list', fault: { kind: 'status', status: 429, retryAfter: '1' } });
    const loop = reflect();
    await inSync(loop);
    const [first, second] = server.requests;
    assert.ok((second?.atMs ?? 0) - (first?.atMs ?? 0) >= 990);
  });

  test('on a later page asks for that page again, in the same snapshot', async () => {
    for (let index = 0; index < 1_001; index += 1) server.put('pods', pod(`p${index}`));
    server.fail({ verb: 'list', continued: true, fault: { kind: 'status', status: 429 }, times: 2 });
    const loop = reflect();
    await inSync(loop);
    await waitFor('the snapshot', () => loop.types().includes('SNAPSHOT_END'));
    assert.equal(ofType(loop, 'LISTED').length, 1_001);
    assert.equal(ofType(loop, 'SNAPSHOT_BEGIN').length, 1);
  });

  test('names its session, not in sync, while later pages are still to come', async () => {
    for (let index = 0; index < 600; index += 1) server.put('pods', pod(`p${index}`));
    server.fail({ verb: 'list', continued: true, fault: { kind: 'delay', ms: 100 } });
    const loop = reflect();
    await waitFor('the first page', () => loop.types().includes('LISTED'));
    const counters = loop.reflector.counters();
    assert.deepEqual([counters?.session, counters?.inSync, loop.types().includes('SNAPSHOT_END')], ['s1', false, false]);
    await inSync(loop);
  });

  test('for an expired continue token is void, and starts over with what is there now', async () => {
    for (let index = 0; index < 600; index += 1) server.put('pods', pod(`p${index}`));
    server.fail({ verb: 'list', continued: true, fault: { kind: 'status', status: 410 } });
    const loop = reflect();
    await waitFor('the first page', () => loop.types().includes('SNAPSHOT_BEGIN'));
    server.remove('pods', 'p0');
    await inSync(loop);
    await waitFor('the snapshot', () => loop.types().includes('SNAPSHOT_END'));
    assert.deepEqual(reasons(loop), ['list_expired']);
    assert.equal(aliveIn(loop.writer.records).size, 599);
    const versions = new Map<string, Set<string>>();
    for (const record of loop.writer.records) {
      if (record.type === 'SNAPSHOT_BEGIN' || record.type === 'SNAPSHOT_END')
        versions.set(record.session, (versions.get(record.session) ?? new Set()).add(record.rv));
    }
    assert.deepEqual(
      [...versions.values()].map((each) => each.size),
      [1, 1],
      'no snapshot is of two versions',
    );
  });
});

describe('what RBAC forbids', () => {
  for (const verb of ['list', 'watch'] as const) {
    test(`is noted with the verb ${verb}, and tried again after a while`, async () => {
      server.fail({ verb, fault: { kind: 'status', status: 403 }, times: 2 });
      const loop = reflect();
      await waitFor('the note', () => loop.types().includes('NOTE'));
      assert.equal(loop.reflector.status().state, 'denied');
      await inSync(loop);
      const notes = loop.writer.records.filter((record) => record.type === 'NOTE');
      // A session that begins ends the note, so where the list is allowed it is written again.
      assert.equal(notes.length, verb === 'list' ? 1 : 2);
      const [note] = notes;
      assert.ok(note?.type === 'NOTE');
      assert.deepEqual([note.code, note.message], ['forbidden', `cannot ${verb} resource "pods" in API group "" at the cluster scope`]);
      const [first, second] = server.requests.filter((request) => request.verb === 'list');
      assert.ok((second?.atMs ?? 0) - (first?.atMs ?? 0) >= 55);
    });
  }

  test('and what is not served is noted as that', async () => {
    server.fail({ verb: 'list', fault: { kind: 'status', status: 404 } });
    const loop = reflect();
    await waitFor('the note', () => loop.types().includes('NOTE'));
    const [note] = ofType(loop, 'NOTE');
    assert.ok(note?.type === 'NOTE' && note.code === 'not_served');
    await inSync(loop);
  });
});

describe('what cannot be decoded', () => {
  test('is rejected in its place, and the stream goes on', async () => {
    const loop = reflect();
    await inSync(loop);
    server.write('pods', '{"type":"ADDED","object":{"secret":"s3cret"\n');
    server.write('pods', '[]\n');
    server.write('pods', '{"type":"MODIFIED","object":{"metadata":{}}}\n');
    server.put('pods', pod('a'));
    await waitFor('the pod', () => loop.types().includes('ADDED'));
    assert.deepEqual(loop.types().slice(2), ['REJECTED', 'REJECTED', 'REJECTED', 'ADDED']);
    assert.equal(JSON.stringify(loop.writer.records).includes('s3cret'), false);
    assert.equal(loop.reflector.counters()?.rejected, 3);
  });

  test('is the same wherever the bytes are cut', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 7 }), async (length) => {
        await serve({ pieces: (bytes) => Array.from({ length: Math.ceil(bytes / length) }, (_, index) => Math.min(length, bytes - index * length)) });
        const loop = reflect();
        await inSync(loop);
        server.write('pods', 'no json\r\n\r\n');
        server.put('pods', pod('ü-😀'));
        await waitFor('the pod', () => loop.types().includes('ADDED'));
        assert.deepEqual(loop.types().slice(2), ['REJECTED', 'ADDED']);
        assert.deepEqual([...aliveIn(loop.writer.records).keys()], ['ü-😀']);
        await loop.stop();
        harness = undefined;
      }),
      { numRuns: 7 },
    );
  });
});

describe('a failure that lasts', () => {
  const loops: readonly [name: string, rule: Parameters<FakeApiServer['fail']>[0]][] = [
    ['a 410 on every watch', { verb: 'watch', fault: { kind: 'status', status: 410 }, times: 1e6 }],
    ['an empty 200 on every watch', { verb: 'watch', fault: { kind: 'empty' }, times: 1e6 }],
    [
      'watches that end after one line',
      { verb: 'watch', fault: { kind: 'body', chunks: ['{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"1000"}}}\n'] }, times: 1e6 },
    ],
    ['connections that are reset', { fault: { kind: 'reset' }, times: 1e6 }],
    ['a 500 on every list', { verb: 'list', fault: { kind: 'status', status: 500 }, times: 1e6 }],
    ['a 429 without Retry-After', { fault: { kind: 'status', status: 429 }, times: 1e6 }],
  ];
  for (const [name, rule] of loops) {
    test(`${name}: costs no more than a request a second, and is got over`, async () => {
      server.fail(rule);
      const loop = reflect();
      await new Promise((resolve) => setTimeout(resolve, 400));
      const { length } = loop.starts;
      assert.ok(length >= 3, 'it keeps trying');
      // Two requests take two seconds, but for the first list and the watch that may follow it at once. A timer may be 1 ms early.
      const spans = loop.starts.slice(3).map((start, index) => start - (loop.starts[index + 1] ?? 0));
      assert.ok(Math.min(...spans) >= 2 * QUICK.requestIntervalMs - 4, `two requests within ${Math.min(...spans)} ms`);
      server.heal();
      await inSync(loop);
    });
  }
});

describe('back-pressure', () => {
  test('closes the watch when the buffer is full, keeps memory bounded, and goes on without a gap', async () => {
    const loop = reflect({ maxBufferBytes: 3_000 });
    await inSync(loop);
    await loop.appender.whenAcknowledged(new AbortController().signal);
    let open: () => void = () => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    loop.writer.before = () => gate;
    for (let index = 0; index < 200; index += 1) server.put('pods', pod(`p${index}`));
    await waitFor('the watch to close', () => server.watching('pods') === 0);
    assert.equal(loop.reflector.counters()?.inSync, false);
    assert.match(loop.reflector.status().reason ?? '', /change log/);
    assert.ok(loop.appender.counts().bufferedBytes < 4_000, 'one record over the limit at most');
    await new Promise((resolve) => setTimeout(resolve, 5 * QUICK.requestIntervalMs));
    assert.equal(count(server, 'watch'), 1, 'it waits');
    open();
    await waitFor('all of them', () => aliveIn(loop.writer.records).size === 200);
    assert.deepEqual([count(server, 'list'), ofType(loop, 'ADDED').length], [1, 200]);
    const resumed = server.requests.at(-1)?.query['resourceVersion'] ?? '';
    assert.ok(
      loop.writer.records.some((record) => record.type === 'ADDED' && record.rv === resumed),
      'from a version that is acknowledged',
    );
  });

  test('is a recorded gap if the version is gone by then', async () => {
    const loop = reflect({ maxBufferBytes: 2_000 });
    await inSync(loop);
    await loop.appender.whenAcknowledged(new AbortController().signal);
    let open: () => void = () => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    loop.writer.before = () => gate;
    for (let index = 0; index < 50; index += 1) server.put('pods', pod(`p${index}`));
    await waitFor('the watch to close', () => server.watching('pods') === 0);
    server.compact();
    open();
    await waitFor('a new session', () => ofType(loop, 'SNAPSHOT_END').length === 2);
    assert.deepEqual(reasons(loop), ['back_pressure']);
    assert.equal(aliveIn(loop.writer.records).size, 50);
  });

  test('holds a list up in the middle of a page', async () => {
    for (let index = 0; index < 300; index += 1) server.put('pods', pod(`p${index}`));
    const loop = reflect({ maxBufferBytes: 2_000 });
    let most = 0;
    loop.writer.before = () => {
      most = Math.max(most, loop.appender.counts().bufferedBytes);
    };
    await inSync(loop);
    await waitFor('the snapshot', () => loop.types().includes('SNAPSHOT_END'));
    assert.equal(ofType(loop, 'LISTED').length, 300);
    assert.ok(most < 3_000, `${most} bytes in the buffer`);
  });
});

test('another cluster behind the same address ends the loop before it lists', async () => {
  const loop = reflect({ identity: (abort) => abort() });
  await waitFor('the stop', () => loop.reflector.status().state === 'stopped');
  assert.equal(server.requests.length, 0);
});
