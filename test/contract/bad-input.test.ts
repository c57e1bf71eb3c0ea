/**
 * Input that no cluster and no collector of ours should produce, all the way down: it is refused with its place and reason, or taken for
 * what it can be; what comes after it is as if it had not been there; and nothing ends the process. Watch streams, segments, chunks
 * and rows have suites of their own (collector/watch-stream, collector/change-log/damage, sql/checkpoints, sql/rows).
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { cpuUsage } from 'node:process';
import { before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import type { ChangeRecord, ClusterRef } from '../../collector/change-record.ts';
import { decodeChangeRecord, encodeChangeRecord, SCHEMA_VERSION } from '../../collector/change-record.ts';
import type { Resource } from '../../collector/objects.ts';
import { projectObject } from '../../collector/project.ts';
import { createReplay } from '../../processor/replay.ts';
import { readManifests } from '../../sql/checkpoints.ts';
import { encodeRow, TABLE_NAMES } from '../../sql/encode-row.ts';
import { select, testStores } from '../helpers/clickhouse.ts';
import { type FakeApiServer, fakeKubeconfig, startFakeApiServer } from '../helpers/fake-api-server.ts';
import { rawPod } from '../helpers/driver.ts';
import { historyOf } from '../helpers/history.ts';
import { readLogDirectory } from '../helpers/log-oracle.ts';
import { createMemoryLog } from '../helpers/memory-log.ts';
import { readMetric, startPodtrail, waitWhile } from '../helpers/podtrail-process.ts';
import type { Rows } from '../helpers/processor-run.ts';
import { allRows, assertSameRows, runToEnd } from '../helpers/processor-run.ts';
import { recordedObjects, recordingPaths } from '../helpers/recorded.ts';
import { createRememberingLog } from '../helpers/silent-log.ts';
import { tempFolder } from '../helpers/temp-folder.ts';

const ONE: ClusterRef = { uid: 'uid-one', name: 'one' };
const HISTORY = historyOf(ONE, 2);
const HALF = Math.floor(HISTORY.length / 2);
const freshStore = testStores();
let undisturbed: Rows;

before(async () => {
  const { client } = await freshStore();
  const log = createMemoryLog();
  for (const record of HISTORY) log.append(record);
  await runToEnd(client, log);
  undisturbed = await allRows(client);
});

const envelope = { v: SCHEMA_VERSION, cluster: ONE, run: 'run-bad', t: HISTORY[HALF]?.t ?? 0 };
const beat = { ...envelope, type: 'HEARTBEAT', sessions: [] };
const counters = { session: 's', resource: 'pods', scope: '', nextSeq: 1, inSync: true, received: 1, suppressed: 0, rejected: 0, appended: 1 };
const deep = (depth: number): string => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;

const REFUSED: readonly (readonly [name: string, bytes: string | Buffer, code: string, reason: RegExp])[] = [
  ['nothing', '', 'not_json', /JSON/],
  ['the beginning of a record', JSON.stringify(beat).slice(0, -1), 'not_json', /JSON/],
  ['two records in one', `${JSON.stringify(beat)}${JSON.stringify(beat)}`, 'not_json', /JSON/],
  ['bytes that are no UTF-8', Buffer.from([0xff, 0xfe, 0x00]), 'not_json', /JSON/],
  ['null', 'null', 'bad_shape', /object/],
  ['a list', '[]', 'bad_shape', /object/],
  ['the next version', JSON.stringify({ ...beat, v: SCHEMA_VERSION + 1 }), 'unknown_version', /version 2, this release reads up to 1/],
  ['a version that will never be', JSON.stringify({ ...beat, v: 2 ** 60 }), 'unknown_version', /reads up to 1/],
  ['no version', JSON.stringify({ ...beat, v: undefined }), 'bad_shape', /at v/],
  ['a version in words', JSON.stringify({ ...beat, v: '1' }), 'bad_shape', /at v/],
  ['a type that is unknown', JSON.stringify({ ...beat, type: 'PATCHED' }), 'bad_shape', /at type/],
  ['a resource that is unknown', JSON.stringify({ ...beat, sessions: [{ ...counters, resource: 'gadgets' }] }), 'bad_shape', /at sessions\[0\]\.resource/],
  ['a time before 1970', JSON.stringify({ ...beat, t: -1 }), 'bad_shape', /at t/],
  ['a time that is no time', JSON.stringify({ ...beat, t: 8.64e15 + 1 }), 'bad_shape', /at t/],
  ['a negative count', JSON.stringify({ ...beat, sessions: [{ ...counters, received: -1 }] }), 'bad_shape', /received/],
  [
    'a count of 2^53 + 1',
    JSON.stringify({ ...beat, sessions: [{ ...counters, received: 1 }] }).replace('"received":1', '"received":9007199254740993'),
    'bad_shape',
    /received/,
  ],
  ['10,000 levels of nothing', deep(10_000), 'bad_shape', /type/],
];

describe('the change log', () => {
  test('holds what is no record: each goes to the dead letters with place, code and reason, and all else is as without it', async () => {
    const { client } = await freshStore();
    const log = createMemoryLog();
    for (const record of HISTORY.slice(0, HALF)) log.append(record);
    const offsets = REFUSED.map(([, bytes]) => log.append(Buffer.from(bytes), { key: ONE.uid }));
    for (const record of HISTORY.slice(HALF)) log.append(record);
    const run = await runToEnd(client, log);
    assert.equal(await run.records('invalid'), REFUSED.length);
    const letters = await select<{ offset: string; code: string; reason: string; cluster: string }>(
      client,
      'SELECT offset, code, reason, cluster FROM dead_letters FINAL ORDER BY offset',
    );
    assert.deepEqual(
      letters.map(({ offset, code, cluster }) => [offset, code, cluster]),
      REFUSED.map(([, , code], i) => [String(offsets[i]), code, 'one']),
    );
    for (const [i, [name, , , reason]] of REFUSED.entries()) assert.match(letters[i]?.reason ?? '', reason, name);
    assertSameRows({ ...(await allRows(client)), dead_letters: [] }, undisturbed);
  });

  test('holds an object of 10,000 levels: whoever wrote it, it ends nothing, and what comes after it is taken', async () => {
    const { client } = await freshStore();
    const log = createMemoryLog();
    const pods = [1, 2, 3].map((i) => {
      const projection = projectObject('pods', rawPod(`pod-${i}`, {}, {}, { resourceVersion: String(i) }));
      assert.ok(projection.ok);
      return { resource: 'pods' as const, uid: `uid-pod-${i}`, rv: String(1_000 + i), object: projection.object };
    });
    for (const record of sessionOf(pods)) {
      const text = JSON.stringify(record);
      log.append(Buffer.from(text.includes('uid-pod-2') ? text.replace('"containers":[', `"deep":${deep(10_000)},"containers":[`) : text), { key: ONE.uid });
    }
    await runToEnd(client, log);
    const found = await select<{ name: string }>(client, 'SELECT DISTINCT name FROM pod_changes ORDER BY name');
    assert.deepEqual(
      found.map(({ name }) => name),
      ['pod-1', 'pod-3'],
    );
    const letters = await select(client, 'SELECT code FROM dead_letters FINAL');
    assert.deepEqual(letters, [{ code: 'not_applicable' }]);
  });
});

describe('checkpoints', () => {
  test('cut or changed anywhere, they are passed over, said so, and the rows are the same', async () => {
    const { client } = await freshStore();
    const log = createMemoryLog();
    for (const record of HISTORY.slice(0, HALF)) log.append(record);
    await runToEnd(client, log);
    const damage = async (change: string): Promise<void> => {
      const query = `ALTER TABLE checkpoint_chunks UPDATE data = ${change} WHERE 1 SETTINGS mutations_sync = 2`;
      await client.command({ query });
    };
    const damages = [
      'substring(data, 1, length(data) - 1)',
      'substring(data, 1, intDiv(length(data), 2))',
      "''",
      'concat(substring(data, 1, length(data) - 1), char(bitXor(ascii(substring(data, length(data), 1)), 1)))',
      'concat(char(bitXor(ascii(substring(data, 1, 1)), 1)), substring(data, 2))',
    ];
    for (const change of damages) {
      await damage(change);
      const { log: logger, lines } = createRememberingLog();
      await runToEnd(client, log, { log: logger });
      assert.ok(
        lines.some(({ msg }) => msg === 'checkpoint is damaged, passing it over'),
        change,
      );
    }
    for (const record of HISTORY.slice(HALF)) log.append(record);
    await runToEnd(client, log);
    const [newest] = await readManifests(client, [ONE.uid]);
    assert.equal(newest?.count, HISTORY.length, 'everything was read again from the beginning');
    const withoutVersions = (row: string): string => row.replace(/,"version":"\d+"/, '');
    assertSameRows(await allRows(client), undisturbed, withoutVersions);
  });
});

const JUNK: readonly unknown[] = [
  null,
  true,
  -1,
  1.5,
  1e308,
  2 ** 53 + 2,
  '',
  'x'.repeat(5_000),
  '\ud800',
  'a\udc00b',
  '__proto__',
  '9999999999999999999999999999',
  '2026-13-45T99:99:99Z',
  [],
  [null],
  [[[]]],
  {},
  JSON.parse('{"__proto__":{"polluted":true},"constructor":{"prototype":1},"toString":null}'),
  JSON.parse(deep(300)),
];

/** A copy in which the value at one place of the tree is another. */
function withJunk(value: unknown, place: number, junk: unknown): unknown {
  let left = place % Math.max(1, countPlaces(value));
  const visit = (at: unknown): unknown => {
    if (left-- === 0) return junk;
    if (Array.isArray(at)) return at.map(visit);
    if (typeof at !== 'object' || at === null) return at;
    return Object.fromEntries(Object.entries(at).map(([key, child]) => [key, visit(child)]));
  };
  return visit(value);
}

function countPlaces(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 1;
  return 1 + Object.values(value).reduce((sum: number, child) => sum + countPlaces(child), 0);
}

const OBJECTS = recordingPaths('cases').flatMap((path) => recordedObjects(path).filter(({ resource }, i) => i % 7 === 0 || resource === 'pods'));
const mutation = fc.record({
  which: fc.nat(),
  place: fc.nat(),
  junk: fc.constantFrom(...JUNK),
  more: fc.option(fc.record({ place: fc.nat(), junk: fc.constantFrom(...JUNK) })),
});

/** Records of a session that sees these objects, one after the other. */
function sessionOf(objects: readonly { readonly resource: Resource; readonly uid: string; readonly rv: string; readonly object: unknown }[]): unknown[] {
  const base = { v: SCHEMA_VERSION, cluster: ONE, run: 'r' };
  const t = Date.parse('2026-11-24T00:00:00Z');
  const resources = [...new Set(objects.map(({ resource }) => resource))];
  const records: unknown[] = [{ ...base, t, type: 'RUN_BEGIN', resources: resources.map((resource) => ({ resource, scope: '' })) }];
  const next = new Map<Resource, number>();
  const seq = (resource: Resource): number => {
    const value = next.get(resource) ?? 0;
    next.set(resource, value + 1);
    return value;
  };
  for (const resource of resources) {
    const session = { ...base, t, session: resource, resource, scope: '' };
    records.push(
      { ...session, seq: seq(resource), type: 'SNAPSHOT_BEGIN', rv: '1' },
      { ...session, seq: seq(resource), type: 'SNAPSHOT_END', rv: '1', count: 0 },
    );
  }
  for (const [i, { resource, uid, rv, object }] of objects.entries()) {
    records.push({ ...base, t: t + i * 1_000, session: resource, resource, scope: '', seq: seq(resource), type: 'MODIFIED', uid, rv, object });
  }
  const counted = resources.map((resource) => ({ ...counters, session: resource, resource, nextSeq: next.get(resource) ?? 0 }));
  for (let s = 5; s <= 900; s += 5) records.push({ ...base, t: t + s * 1_000, type: 'HEARTBEAT', sessions: counted });
  return records;
}

/** Runs records as the processor does, up to the bytes that go to the store. */
function runAll(records: readonly unknown[]): void {
  const replay = createReplay();
  for (const record of records) {
    const decoded = decodeChangeRecord(encodeChangeRecord(record as ChangeRecord));
    if (decoded.ok) replay.push(decoded.record);
  }
  for (const table of TABLE_NAMES) for (const row of replay.rows(table)) encodeRow(table, row as never, 1n);
  assert.equal(({} as { polluted?: unknown }).polluted, undefined);
}

describe('objects', () => {
  test('with a wrong value in any place are rejected with a reason or taken for what they can be, from the watch to the rows', () => {
    fc.assert(
      fc.property(fc.array(mutation, { minLength: 1, maxLength: 5 }), (mutations) => {
        const projected = mutations.flatMap(({ which, place, junk, more }, i) => {
          const { resource, object } = OBJECTS[which % OBJECTS.length] as (typeof OBJECTS)[number];
          const once = withJunk(object, place, junk);
          const raw = more === null ? once : withJunk(once, more.place, more.junk);
          const projection = projectObject(resource, raw);
          if (!projection.ok) assert.ok(projection.reason.length > 0);
          return projection.ok ? [{ resource, uid: projection.object.metadata.uid, rv: String(1_000 + i), object: projection.object }] : [];
        });
        runAll(sessionOf(projected));
      }),
      { numRuns: 300 },
    );
  });
});

/** What an API server sends in a second, at once as that second begins, for this many seconds. */
const STORM_RATE = 20_000;
const STORM_SECONDS = 3;
/** Far less than a second of the storm. */
const STORM_BUFFER_BYTES = 4_194_304;
/** chDB's own budget by configuration, and the collector's and the processor's heaps. */
const STORM_MEMORY_BYTES = 1_200 * 1_048_576;

/** Returns how long each second's Events took to be written, ms of this process: a machine that is busy slows both sides alike. */
async function sendStorm(server: FakeApiServer): Promise<number[]> {
  const time = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
  const took: number[] = [];
  for (let second = 0; second < STORM_SECONDS; second++) {
    const startMs = performance.now();
    const cpu = cpuUsage();
    for (let i = second * STORM_RATE; i < (second + 1) * STORM_RATE; i++) {
      const regarding = { kind: 'Pod', namespace: 'shop', name: `pod-${i % 500}`, uid: `uid-pod-${i % 500}` };
      const metadata = { name: `event-${i}`, namespace: 'shop', uid: `event-${i}` };
      const text = { reason: 'BackOff', type: 'Warning', message: 'Back-off restarting failed container', firstTimestamp: time, lastTimestamp: time, count: 1 };
      server.put('events', { metadata, involvedObject: regarding, ...text });
    }
    took.push(cpuUsage(cpu).user / 1_000);
    await delay(Math.max(0, 1_000 - (performance.now() - startMs)));
  }
  return took;
}

test(`a storm of ${STORM_RATE} Events a second for ${STORM_SECONDS} s: the log's pace holds the watch back, none is lost, and memory is bounded`, async (context) => {
  const folder = tempFolder();
  const server = await startFakeApiServer();
  const data = join(folder.path, 'data');
  const config = folder.write(
    'podtrail.json',
    JSON.stringify({
      collector: { kubeconfig: folder.write('kubeconfig', fakeKubeconfig({ fleet: server.url })), startJitterSeconds: 0, bufferBytes: STORM_BUFFER_BYTES },
      changeLog: { kind: 'embedded', fsyncIntervalMs: 50 },
      store: { database: 'podtrail_test', memoryBytes: 512 * 1_048_576 },
      api: { port: 0 },
    }),
  );
  const podtrail = startPodtrail(['standalone', '--config', config, '--data', data]);
  try {
    const url = (): string => /podtrail is at (\S+)/.exec(podtrail.output())?.[1] ?? '';
    await waitWhile('Events are watched', podtrail, () => url() !== '' && server.watching('events') > 0);
    let mostBytes = 0;
    let mostBuffered = 0;
    const watching = setInterval(() => {
      mostBytes = Math.max(mostBytes, podtrail.rssBytes());
    }, 100);
    const startMs = performance.now();
    const total = STORM_RATE * STORM_SECONDS;
    const took = await sendStorm(server);
    const settled = async (metric: string): Promise<boolean> => (await readMetric(url(), metric)) === 0;
    const appended = async (): Promise<number> => (await readMetric(url(), 'podtrail_processor_records_total')) ?? 0;
    const isOver = async (): Promise<boolean> => {
      mostBuffered = Math.max(mostBuffered, (await readMetric(url(), 'podtrail_collector_buffer_bytes')) ?? 0);
      return (await appended()) >= total && (await settled('podtrail_processor_lag_records'));
    };
    await waitWhile('all is applied', podtrail, isOver, 120_000);
    clearInterval(watching);
    context.diagnostic(
      `written in ${took.map(Math.round).join(', ')} ms, applied after ${Math.round(performance.now() - startMs)} ms, at most ${Math.round(mostBytes / 1_048_576)} MiB and ${mostBuffered} bytes in the buffer`,
    );
    assert.ok(Math.max(...took) < 1_000, `no ${STORM_RATE} Events a second: ${took}`);
    assert.ok(
      podtrail.lines().some(({ msg }) => msg === 'watch closed until the change log has caught up'),
      'nothing held it back',
    );
    assert.ok(mostBuffered > 0 && mostBuffered < 1.5 * STORM_BUFFER_BYTES, `${mostBuffered} bytes in the buffer`);
    podtrail.kill('SIGTERM');
    assert.equal((await podtrail.exited).code, 0, podtrail.output().slice(-2_000));
    assert.ok(mostBytes < STORM_MEMORY_BYTES, `${mostBytes} bytes`);
    const uids = new Set<string>();
    for (const { value } of readLogDirectory(join(data, 'change-log'))) {
      const decoded = decodeChangeRecord(value);
      if (decoded.ok && 'uid' in decoded.record && decoded.record.resource === 'events') uids.add(decoded.record.uid);
    }
    assert.equal(uids.size, total, 'Events in the change log');
  } finally {
    podtrail.kill('SIGKILL');
    await server.close();
  }
});
