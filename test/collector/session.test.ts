import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { ChangeRecord, SessionRecord } from '../../collector/change-record.ts';
import { compareResourceVersions, createRecordEncoder, decodeChangeRecord, encodeChangeRecord, MAX_RECORD_BYTES } from '../../collector/change-record.ts';
import type { Pod, Resource } from '../../collector/objects.ts';
import { TRUNCATED } from '../../collector/project-fields.ts';
import { createKnownObjects, createSession, type KnownObjects, type Session } from '../../collector/session.ts';
import { recordedObjects } from '../helpers/recorded.ts';

const CLUSTER = { uid: 'cluster-uid', name: 'test' };

interface Opened {
  readonly session: Session;
  /** What came out since the last call. */
  readonly take: () => SessionRecord[];
}

function open(options: { resource?: Resource; known?: KnownObjects; id?: string; clock?: () => number } = {}): Opened {
  let records: SessionRecord[] = [];
  const encode = createRecordEncoder();
  const emit = (record: ChangeRecord, objectJson?: string): void => {
    const bytes = encode(record, objectJson);
    assert.deepEqual(bytes, encodeChangeRecord(record));
    const decoded = decodeChangeRecord(bytes);
    assert.ok(decoded.ok, decoded.ok ? '' : decoded.reason);
    assert.deepEqual(decoded.record, record);
    records.push(record as SessionRecord);
    balance();
  };
  const session = createSession({
    cluster: CLUSTER,
    run: 'run-1',
    session: options.id ?? 'session-1',
    resource: options.resource ?? 'pods',
    scope: '',
    clock: options.clock ?? (() => 1_000),
    emit,
    known: options.known ?? createKnownObjects(),
  });
  const balance = (): void => {
    const { received, suppressed, rejected, appended } = session.counters();
    assert.equal(received, suppressed + rejected + appended);
  };
  const take = (): SessionRecord[] => {
    balance();
    const taken = records;
    records = [];
    return taken;
  };
  return { session, take };
}

function watching(options: Parameters<typeof open>[0] = {}): Opened {
  const opened = open(options);
  opened.session.begin('1');
  opened.session.end();
  opened.take();
  return opened;
}

function pod(uid: string, rv: number | string, phase = 'Running', more: Record<string, unknown> = {}): Record<string, unknown> {
  return { metadata: { name: uid, namespace: 'shop', uid, resourceVersion: String(rv), ...more }, spec: { containers: [] }, status: { phase } };
}

const brief = (records: readonly SessionRecord[]): string[] =>
  records.map((record) => {
    if (record.type === 'SNAPSHOT_END') return `${record.type} ${record.count}`;
    if (record.type === 'REJECTED') return `${record.type}${record.deleted === true ? ' DELETED' : ''} ${record.uid} ${record.reason}`;
    if (!('uid' in record)) return record.type;
    return `${record.type} ${record.uid}@${record.rv}${record.object === undefined ? '' : ' whole'}`;
  });

describe('a session', () => {
  test('numbers its records without a gap and says what it counts', () => {
    const { session, take } = open();
    session.begin('7');
    assert.deepEqual(session.counters(), {
      session: 'session-1',
      resource: 'pods',
      scope: '',
      inSync: false,
      nextSeq: 1,
      received: 0,
      suppressed: 0,
      rejected: 0,
      appended: 0,
    });
    session.listed(pod('a', 5));
    session.end();
    session.change('MODIFIED', pod('a', 8));
    session.change('DELETED', pod('a', 9));
    session.reject('not JSON');
    assert.equal(session.counters().inSync, true);
    session.close('stalled');
    const records = take();
    assert.deepEqual(brief(records), ['SNAPSHOT_BEGIN', 'LISTED a@5 whole', 'SNAPSHOT_END 1', 'DELETED a@9 whole', 'REJECTED  not JSON', 'SESSION_END']);
    assert.deepEqual(
      records.map(({ seq }) => seq),
      [0, 1, 2, 3, 4, 5],
    );
    const { inSync, nextSeq, received, suppressed, rejected, appended } = session.counters();
    assert.deepEqual(
      { inSync, nextSeq, received, suppressed, rejected, appended },
      { inSync: false, nextSeq: 6, received: 4, suppressed: 1, rejected: 1, appended: 2 },
    );
  });

  test('stamps each record with the observed time and its origin', () => {
    let now = 10;
    const { session, take } = open({ clock: () => now });
    session.begin('1');
    now = 20;
    session.end();
    const [begin, end] = take();
    assert.deepEqual([begin?.t, end?.t], [10, 20]);
    assert.deepEqual(begin, {
      v: 1,
      cluster: CLUSTER,
      run: 'run-1',
      t: 10,
      session: 'session-1',
      seq: 0,
      resource: 'pods',
      scope: '',
      type: 'SNAPSHOT_BEGIN',
      rv: '1',
    });
  });

  test('fills in kind and apiVersion, which list items lack', () => {
    const { session, take } = open({ resource: 'deployments' });
    session.begin('1');
    session.listed(pod('a', 1));
    const listed = take()[1];
    assert.ok(listed?.type === 'LISTED');
    assert.deepEqual([listed.object?.kind, listed.object?.apiVersion], ['Deployment', 'apps/v1']);
  });

  test('starts its list over on a second begin, and counts only what came after it', () => {
    const { session, take } = open();
    session.begin('1');
    session.listed(pod('a', 1));
    session.begin('2');
    session.listed(pod('a', 1));
    session.listed(pod('b', 1));
    session.end();
    assert.deepEqual(brief(take()), ['SNAPSHOT_BEGIN', 'LISTED a@1 whole', 'SNAPSHOT_BEGIN', 'LISTED a@1 whole', 'LISTED b@1 whole', 'SNAPSHOT_END 2']);
  });

  const calls: Record<string, (session: Session) => void> = {
    begin: (session) => session.begin('1'),
    listed: (session) => session.listed(pod('a', 1)),
    end: (session) => session.end(),
    change: (session) => session.change('ADDED', pod('a', 1)),
    reject: (session) => session.reject('x'),
    close: (session) => session.close('stopped'),
  };
  const misuse = [
    'listed',
    'end',
    'change',
    'reject',
    'begin change',
    'begin end begin',
    'begin end listed',
    'begin end close change',
    'close reject',
    'close begin',
  ];
  for (const order of misuse) {
    test(`refuses the order of calls ${order}`, () => {
      const { session } = open();
      const names = order.split(' ');
      for (const name of names.slice(0, -1)) calls[name]!(session);
      assert.throws(() => calls[names.at(-1)!]!(session), /session session-1 of pods: \w+ while \w+/);
    });
  }

  test('closes once', () => {
    const { session, take } = watching();
    session.close('410');
    session.close('stopped');
    assert.deepEqual(brief(take()), ['SESSION_END']);
  });

  test('cuts reasons to what the contract allows', () => {
    const { session, take } = watching();
    session.reject('x'.repeat(10_000));
    session.close('y'.repeat(10_000));
    assert.deepEqual(
      take().map((record) => 'reason' in record && record.reason.length),
      [4_096, 4_096],
    );
  });
});

describe('suppression', () => {
  const node = (rv: number, heartbeat: string, status = 'True'): Record<string, unknown> => ({
    metadata: { name: 'n1', uid: 'n1', resourceVersion: String(rv), managedFields: [{ time: heartbeat }], annotations: { 'example.com/seen': heartbeat } },
    spec: {},
    status: {
      allocatable: { cpu: '4' },
      images: [{ names: [heartbeat] }],
      conditions: [{ type: 'Ready', status, lastHeartbeatTime: heartbeat, lastTransitionTime: '2026-01-01T00:00:00Z' }],
    },
  });

  test('holds back a node of which only heartbeats, images, managedFields and untracked annotations moved', () => {
    const { session, take } = watching({ resource: 'nodes' });
    session.change('ADDED', node(1, 'a'));
    session.change('MODIFIED', node(2, 'b'));
    session.change('ADDED', node(3, 'c'));
    session.change('MODIFIED', node(4, 'd', 'False'));
    assert.deepEqual(brief(take()), ['ADDED n1@1 whole', 'MODIFIED n1@4 whole']);
    assert.equal(session.counters().suppressed, 2);
  });

  test('never holds back a deletion, nor what comes after it', () => {
    const { session, take } = watching();
    session.change('ADDED', pod('a', 1));
    session.change('DELETED', pod('a', 2));
    session.change('DELETED', pod('a', 2));
    session.change('ADDED', pod('a', 3));
    assert.deepEqual(brief(take()), ['ADDED a@1 whole', 'DELETED a@2 whole', 'DELETED a@2 whole', 'ADDED a@3 whole']);
  });

  test('compares with what was sent last, not with what was seen last', () => {
    const { session, take } = watching();
    session.change('ADDED', pod('a', 1, 'Pending'));
    session.change('MODIFIED', pod('a', 2, 'Running'));
    session.change('MODIFIED', pod('a', 3, 'Pending'));
    assert.deepEqual(brief(take()), ['ADDED a@1 whole', 'MODIFIED a@2 whole', 'MODIFIED a@3 whole']);
  });

  test('sends a stale copy, and compares nothing with it', () => {
    const { session, take } = watching();
    session.change('ADDED', pod('a', 10, 'Running'));
    session.change('ADDED', pod('a', 8, 'Pending'));
    session.change('MODIFIED', pod('a', 12, 'Pending'));
    assert.deepEqual(brief(take()), ['ADDED a@10 whole', 'ADDED a@8 whole', 'MODIFIED a@12 whole']);
  });

  test('sends an object whole after one of it was rejected', () => {
    const { session, take } = watching();
    session.change('ADDED', pod('a', 1));
    session.change('MODIFIED', { metadata: { uid: 'a', resourceVersion: '2' } });
    session.change('MODIFIED', pod('a', 3));
    assert.deepEqual(brief(take()), ['ADDED a@1 whole', 'REJECTED a no valid metadata.name', 'MODIFIED a@3 whole']);
  });

  test('says of what it rejects that it was deleted', () => {
    const { session, take } = watching();
    session.change('ADDED', pod('a', 1));
    session.change('DELETED', { metadata: { uid: 'a', resourceVersion: '2' } });
    assert.deepEqual(brief(take()), ['ADDED a@1 whole', 'REJECTED DELETED a no valid metadata.name']);
  });

  test('tells apart objects whose names imitate the text around the resourceVersion', () => {
    const { session, take } = watching();
    const trick = (value: string): string => `x","resourceVersion":"${value}`;
    session.change('ADDED', { ...pod('a', 1), metadata: { name: trick('1'), uid: 'a', resourceVersion: '1' } });
    session.change('MODIFIED', { ...pod('a', 2), metadata: { name: trick('2'), uid: 'a', resourceVersion: '2' } });
    assert.equal(take().length, 2);
  });
});

describe('a relist', () => {
  function relist(known: KnownObjects, pods: readonly unknown[], full = false): string[] {
    const { session, take } = open({ known });
    session.begin('9', { full });
    for (const object of pods) session.listed(object);
    session.end();
    return brief(take()).slice(1, -1);
  }

  test('abbreviates what this run sent before and did not change', () => {
    const known = createKnownObjects();
    assert.deepEqual(relist(known, [pod('a', 1), pod('b', 1), pod('c', 1)]), ['LISTED a@1 whole', 'LISTED b@1 whole', 'LISTED c@1 whole']);
    assert.deepEqual(relist(known, [pod('a', 1), pod('b', 2), pod('c', 3, 'Failed')]), ['LISTED a@1', 'LISTED b@2', 'LISTED c@3 whole']);
  });

  test('does not even look into a version that was seen before, sent or suppressed', () => {
    const known = createKnownObjects();
    const { session } = watching({ known });
    session.change('ADDED', pod('a', 1));
    session.change('MODIFIED', pod('a', 2));
    assert.deepEqual(relist(known, [{ metadata: { uid: 'a', resourceVersion: '2' } }]), ['LISTED a@2']);
  });

  test('abbreviates nothing when it must be full', () => {
    const known = createKnownObjects();
    relist(known, [pod('a', 1)]);
    assert.deepEqual(relist(known, [pod('a', 1)], true), ['LISTED a@1 whole']);
  });

  test('forgets what is no longer listed', () => {
    const known = createKnownObjects();
    relist(known, [pod('a', 1), pod('b', 1)]);
    relist(known, [pod('a', 1)]);
    assert.equal(known.size(), 1);
    assert.deepEqual(relist(known, [pod('b', 1)]), ['LISTED b@1 whole']);
  });

  test('repeats all whole when its version is lower than one seen before: the cluster was restored, and a version is another one than before', () => {
    const known = createKnownObjects();
    relist(known, [pod('a', 1)]);
    const { session, take } = open({ known });
    session.begin('9');
    session.listed(pod('a', 1));
    session.end();
    session.change('MODIFIED', pod('b', 12));
    assert.equal(brief(take())[1], 'LISTED a@1');
    assert.deepEqual(relist(known, [pod('a', 1), pod('b', 5)]), ['LISTED a@1 whole', 'LISTED b@5 whole']);
    assert.deepEqual(relist(known, [pod('a', 1), pod('b', 5)]), ['LISTED a@1', 'LISTED b@5'], 'and is as good as any other from then on');
  });

  test('repeats whole what an unfinished list had sent, since a reader threw that away', () => {
    const known = createKnownObjects();
    relist(known, [pod('a', 1), pod('b', 1)]);
    const { session } = open({ known });
    session.begin('9');
    session.listed(pod('a', 1));
    session.listed(pod('b', 2, 'Failed'));
    session.listed(pod('c', 1));
    session.close('timeout');
    assert.deepEqual(relist(known, [pod('a', 1), pod('b', 2, 'Failed'), pod('c', 1)]), ['LISTED a@1', 'LISTED b@2 whole', 'LISTED c@1 whole']);
  });

  test('counts what it rejects as listed', () => {
    const { session, take } = open();
    session.begin('1');
    session.listed(null);
    session.listed(pod('a', 1));
    session.reject('not JSON');
    session.end();
    assert.deepEqual(brief(take()), ['SNAPSHOT_BEGIN', 'REJECTED  not an object', 'LISTED a@1 whole', 'REJECTED  not JSON', 'SNAPSHOT_END 3']);
  });
});

describe('a large object', () => {
  const withArgs = (args: readonly string[]): Record<string, unknown> => ({ ...pod('a', 1), spec: { containers: [{ name: 'app', args }] } });
  const argsOf = (record: ChangeRecord | undefined): readonly string[] => {
    assert.ok(record?.type === 'ADDED');
    return (record.object as Pod).spec.containers[0]?.args ?? [];
  };

  test('is left alone up to the limit', () => {
    const { session, take } = watching();
    session.change('ADDED', withArgs(['x'.repeat(850_000)]));
    assert.equal(argsOf(take()[0])[0]?.length, 850_000);
  });

  test('has its long strings cut and marked beyond it', () => {
    const { session, take } = watching();
    session.change('ADDED', withArgs(['x'.repeat(950_000), 'short']));
    const [record] = take();
    assert.deepEqual(argsOf(record), [`${'x'.repeat(16_384)}${TRUNCATED}`, 'short']);
  });

  test('counts bytes, not characters, and cuts no character in half', () => {
    const { session, take } = watching();
    session.change('ADDED', withArgs([`a${'😀'.repeat(230_000)}`]));
    const [record] = take();
    assert.ok(encodeChangeRecord(record as ChangeRecord).length <= MAX_RECORD_BYTES);
    assert.equal(argsOf(record)[0], `a${'😀'.repeat(8_191)}${TRUNCATED}`);
  });

  test('is cut as far as it takes', () => {
    const { session, take } = watching();
    session.change('ADDED', withArgs(Array.from({ length: 500 }, () => 'x'.repeat(10_000))));
    const [record] = take();
    assert.ok(encodeChangeRecord(record as ChangeRecord).length <= MAX_RECORD_BYTES);
    assert.equal(argsOf(record).length, 500);
    assert.equal(argsOf(record)[0]?.length, 1_024 + TRUNCATED.length);
  });

  test('is rejected when cutting does not help, and not compared with later', () => {
    const { session, take } = watching();
    const many = withArgs(Array.from({ length: 200_000 }, (_, index) => `${index}`));
    session.change('ADDED', many);
    session.change('MODIFIED', many);
    session.change('DELETED', many);
    assert.deepEqual(brief(take()), ['REJECTED a too_large', 'REJECTED a too_large', 'REJECTED DELETED a too_large']);
    assert.equal(session.counters().rejected, 3);
  });
});

/** About as many as etcd stores in an object. */
const MANY_KEYS = 100_000;
const numbered = (count: number, value: (name: string) => unknown): Record<string, unknown> =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`name-${index}`, value(`name-${index}`)]));
const many: readonly (readonly [what: string, object: Record<string, unknown>, expected: string])[] = [
  ['labels', { metadata: { ...(pod('a', 1)['metadata'] as object), labels: numbered(MANY_KEYS, () => 'x') } }, 'REJECTED a too_large'],
  ['fields that nobody knows', { spec: { containers: [{ name: 'app', ...numbered(MANY_KEYS, () => 1) }] } }, 'REJECTED a too_large'],
  [
    'container statuses',
    { status: { containerStatuses: Object.values(numbered(10_000, (name) => ({ name, restartCount: 1, state: {} }))) } },
    'ADDED a@1 whole',
  ],
];
for (const [what, fields, expected] of many) {
  test(`an object of very many ${what} is one record within the limit`, () => {
    const { session, take } = watching();
    session.change('ADDED', { ...pod('a', 1), ...fields });
    const [record] = take();
    assert.ok(record !== undefined && encodeChangeRecord(record).length <= MAX_RECORD_BYTES);
    assert.equal(brief([record])[0], expected);
  });
}

/** A reader of the log as design D5 has it: whole snapshots replace, unfinished ones are void, older versions are ignored. */
function createReader() {
  type Seen = { rv: string; status: string };
  let state = new Map<string, Seen>();
  let pending: Map<string, Seen> | undefined;
  const apply = (to: Map<string, Seen>, uid: string, next: Seen): void => {
    const last = state.get(uid);
    to.set(uid, last !== undefined && compareResourceVersions(next.rv, last.rv) < 0 ? last : next);
  };
  return {
    read(record: SessionRecord): void {
      if (record.type === 'SNAPSHOT_BEGIN') pending = new Map();
      else if (record.type === 'SESSION_END') pending = undefined;
      else if (record.type === 'LISTED') {
        const last = state.get(record.uid);
        assert.ok(record.object !== undefined || last !== undefined, `${record.uid} was abbreviated, but the reader never had it`);
        apply(pending ?? new Map(), record.uid, {
          rv: record.rv,
          status: record.object ? JSON.stringify(record.object['status' as never]) : (last?.status ?? ''),
        });
      } else if (record.type === 'SNAPSHOT_END') {
        assert.equal(pending?.size, record.count);
        state = pending ?? state;
        pending = undefined;
      } else if (record.type === 'DELETED') state.delete(record.uid);
      else if (record.type === 'ADDED' || record.type === 'MODIFIED')
        apply(state, record.uid, { rv: record.rv, status: JSON.stringify(record.object['status' as never]) });
    },
    statuses: (): Record<string, string> => Object.fromEntries([...state].sort().map(([uid, { status }]) => [uid, status])),
  };
}

test('whatever is suppressed or abbreviated, a reader of the records holds what the API server holds', () => {
  const uid = fc.constantFrom('a', 'b', 'c');
  const phase = fc.constantFrom('Pending', 'Running', 'Failed');
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('write' as const), uid, phase, seen: fc.boolean() }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('delete' as const), uid }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('stale' as const), uid }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('relist' as const), full: fc.boolean(), abortAfter: fc.option(fc.nat(3)) }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const server = new Map<string, Record<string, unknown>>();
      const history = new Map<string, Record<string, unknown>[]>();
      const known = createKnownObjects();
      const reader = createReader();
      let rv = 100;
      let count = 0;
      let { session, take } = open({ known });
      const relist = (full: boolean, abortAfter: number | null): void => {
        session.close('relist');
        for (const record of take()) reader.read(record);
        ({ session, take } = open({ known, id: `session-${++count}` }));
        session.begin(String(rv), { full });
        for (const [index, object] of [...server.values()].entries()) {
          if (index === abortAfter) return relist(full, null);
          session.listed(object);
        }
        if (abortAfter !== null && abortAfter >= server.size) return relist(full, null);
        session.end();
      };
      relist(false, null);
      for (const action of steps) {
        rv += 1;
        if (action.kind === 'relist') relist(action.full, action.abortAfter);
        else if (action.kind === 'write') {
          const object = pod(action.uid, rv, action.phase, { managedFields: [rv] });
          const type = server.has(action.uid) ? 'MODIFIED' : 'ADDED';
          server.set(action.uid, object);
          history.set(action.uid, [...(history.get(action.uid) ?? []), object]);
          session.change(type, object);
        } else if (action.kind === 'delete' && server.delete(action.uid)) {
          history.delete(action.uid);
          session.change('DELETED', pod(action.uid, rv));
        } else if (action.kind === 'stale') {
          const [oldest] = history.get(action.uid) ?? [];
          if (oldest !== undefined) session.change('ADDED', oldest);
        }
        for (const record of take()) reader.read(record);
        const expected = Object.fromEntries([...server].sort().map(([key, object]) => [key, JSON.stringify(object['status'])]));
        assert.deepEqual(reader.statuses(), expected);
      }
    }),
    { numRuns: 300 },
  );
});

const OBJECTS = recordedObjects('fleet/batch-1.ndjson.gz').filter((_, index) => index % 7 === 0);

/** Puts a value at a place deep in a copy of an object, chosen by the numbers. */
function mutate(object: unknown, path: readonly number[], value: unknown): unknown {
  const [step, ...rest] = path;
  if (step === undefined || typeof object !== 'object' || object === null) return value;
  if (Array.isArray(object)) {
    if (object.length === 0) return [value];
    const at = step % object.length;
    return object.map((item, index) => (index === at ? mutate(item, rest, value) : item));
  }
  const entries = Object.entries(object);
  if (entries.length === 0) return value;
  const at = step % entries.length;
  return Object.fromEntries(entries.map(([key, item], index) => [key, index === at ? mutate(item, rest, value) : item]));
}

test('objects with anything anywhere never throw, are counted once, and give records that decode', () => {
  let deep: unknown = 'bottom';
  for (let level = 0; level < 10_000; level += 1) deep = level % 2 === 0 ? [deep] : { deep };
  const junk = fc.oneof(
    fc.jsonValue(),
    fc.constantFrom<unknown>(
      null,
      '',
      0,
      -1,
      1e308,
      true,
      [],
      {},
      [[[]]],
      '\ud800',
      '\u0000',
      deep,
      JSON.parse('{"__proto__": {"polluted": true}, "constructor": 1}'),
    ),
    fc.string({ unit: 'binary', maxLength: 300 }),
  );
  const mutation = fc.tuple(fc.array(fc.nat(40), { maxLength: 9 }), junk);
  fc.assert(
    fc.property(fc.nat(OBJECTS.length - 1), fc.array(mutation, { minLength: 1, maxLength: 4 }), fc.boolean(), (index, mutations, list) => {
      const { resource, object } = OBJECTS[index]!;
      const mutated = mutations.reduce<unknown>((result, [path, value]) => mutate(result, path, value), object);
      const { session, take } = open({ resource });
      session.begin('1');
      if (list) session.listed(mutated);
      session.end();
      if (!list) session.change('MODIFIED', mutated);
      assert.equal(take().filter(({ type }) => ['LISTED', 'MODIFIED', 'REJECTED'].includes(type)).length, 1);
      assert.equal(session.counters().received, 1);
      assert.equal(({} as { polluted?: boolean }).polluted, undefined);
    }),
    { numRuns: 2_000 },
  );
});
