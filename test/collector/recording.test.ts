import assert from 'node:assert/strict';
import { createReadStream, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, describe, test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import type { ChangeRecord, SessionRecord } from '../../collector/change-record.ts';
import { decodeChangeRecord, encodeChangeRecord, HEARTBEAT_INTERVAL_MS } from '../../collector/change-record.ts';
import { RecordingError } from '../../collector/errors.ts';
import {
  createRecordingEncoder,
  decodeRecordingLine,
  type RecordingEncoderOptions,
  type RecordingLine,
  readRecording,
  toRecordingLine,
} from '../../collector/recording.ts';
import { recordedLines, recordingPaths } from '../helpers/recorded.ts';
import { CANARY, SECRET_OBJECTS } from '../helpers/secret-objects.ts';

const RECORDINGS = new URL('../recordings/', import.meta.url);
const T0 = Date.parse('2026-01-15T12:00:00Z');
const CLUSTER = { name: 'test', uid: 'cluster-uid' };

function pod(uid: string, rv: number): object {
  return {
    metadata: { name: uid, namespace: 'shop', uid, resourceVersion: String(rv), creationTimestamp: '2026-01-15T11:59:59Z' },
    spec: {},
    status: { phase: `p${rv}` },
  };
}
/** A line that many ms after T0. */
function line(ms: number, type: RecordingLine['type'], object: unknown, resource: RecordingLine['resource'] = 'pods'): RecordingLine {
  return { t: T0 + ms, resource, type, object, line: 1 };
}
const list = (rv: string, ...items: object[]): object => ({ resourceVersion: rv, items });

function encode(lines: readonly RecordingLine[], options: RecordingEncoderOptions = { cluster: CLUSTER }): ChangeRecord[] {
  const encoder = createRecordingEncoder(options);
  return [...lines.flatMap((one) => encoder.push(one)), ...encoder.end()];
}
const brief = (records: readonly ChangeRecord[]): string[] =>
  records.map((record) => {
    const at = `${record.t - T0} ${record.type}`;
    if ('uid' in record) return `${at} ${record.uid}@${record.rv}`;
    return record.type === 'SESSION_END' ? `${at} ${record.resource} ${record.reason}` : at;
  });

describe('a line', () => {
  const bad: [string, string, RegExp][] = [
    ['that is torn', '{"t":1,"resource":"po', /^recording line 7: not JSON: /],
    ['without a time', '{"resource":"pods","type":"ADDED","object":{}}', /^recording line 7: t: /],
    ['of an unknown resource', '{"t":1,"resource":"leases","type":"ADDED","object":{}}', /^recording line 7: resource: /],
    ['of an unknown type', '{"t":1,"resource":"pods","type":"PATCHED","object":{}}', /^recording line 7: type: /],
    ['that is a list', '[]', /^recording line 7: /],
  ];
  for (const [name, text, message] of bad) {
    test(`${name} is refused by its number`, () =>
      assert.throws(
        () => decodeRecordingLine(text, 7),
        (error) => error instanceof RecordingError && error.line === 7 && message.test(error.message),
      ));
  }

  test('is written as it is read', () => {
    const entry = { t: 1, resource: 'pods' as const, type: 'BOOKMARK' as const, object: { metadata: { resourceVersion: '5' } } };
    assert.deepEqual(decodeRecordingLine(toRecordingLine(entry), 3), { ...entry, line: 3 });
  });

  test('is written without what never leaves a cluster, in lists too', () => {
    const object = SECRET_OBJECTS.pods;
    for (const entry of [
      { t: 1, resource: 'pods', type: 'ADDED', object },
      { t: 1, resource: 'pods', type: 'LIST', object: list('1', object) },
    ] as const) {
      const text = toRecordingLine(entry);
      for (const word of ['last-applied', 'managedFields', `"value":"${CANARY}"`]) assert.ok(!text.includes(word), word);
      assert.ok(text.includes('planted'));
    }
  });
});

describe('an encoder', () => {
  test('writes what a live collector would have written', () => {
    const records = encode([
      line(0, 'LIST', list('10', pod('a', 1), pod('b', 2))),
      line(5, 'LIST', list('11'), 'nodes'),
      line(2_000, 'MODIFIED', pod('a', 12)),
      line(2_500, 'BOOKMARK', { metadata: { resourceVersion: '13' } }),
      line(4_000, 'MODIFIED', { ...pod('a', 12), metadata: { ...(pod('a', 12) as { metadata: object }).metadata, resourceVersion: '14' } }),
      line(11_000, 'DELETED', pod('b', 15)),
    ]);
    assert.deepEqual(brief(records), [
      '0 RUN_BEGIN',
      '0 SNAPSHOT_BEGIN',
      '0 LISTED a@1',
      '0 LISTED b@2',
      '0 SNAPSHOT_END',
      '5 SNAPSHOT_BEGIN',
      '5 SNAPSHOT_END',
      '2000 MODIFIED a@12',
      '5000 HEARTBEAT',
      '10000 HEARTBEAT',
      '11000 DELETED b@15',
      '11000 HEARTBEAT',
      '11000 SESSION_END nodes stopped',
      '11000 SESSION_END pods stopped',
    ]);
    const [begin] = records;
    assert.deepEqual(begin?.type === 'RUN_BEGIN' && begin.resources, [
      { resource: 'nodes', scope: '' },
      { resource: 'pods', scope: '' },
    ]);
    const heartbeat = records[9];
    assert.ok(heartbeat?.type === 'HEARTBEAT');
    assert.deepEqual(
      heartbeat.sessions.map(({ resource, inSync, nextSeq, received, suppressed, appended }) => ({
        resource,
        inSync,
        nextSeq,
        received,
        suppressed,
        appended,
      })),
      [
        { resource: 'nodes', inSync: true, nextSeq: 2, received: 0, suppressed: 0, appended: 0 },
        { resource: 'pods', inSync: true, nextSeq: 5, received: 4, suppressed: 1, appended: 3 },
      ],
    );
  });

  test('ends a session at a relist, a disconnect and an error, and abbreviates in the next', () => {
    const records = encode([
      line(0, 'LIST', list('1', pod('a', 1))),
      line(4_000, 'LIST', list('2', pod('a', 1), pod('b', 2))),
      line(4_100, 'DISCONNECT', { message: 'socket hang up' }),
      line(4_200, 'DISCONNECT', { message: 'connect refused' }),
      line(4_300, 'LIST', list('3', pod('b', 2))),
      line(4_400, 'ERROR', { kind: 'Status', code: 410, reason: 'Expired' }),
      line(4_500, 'LIST', list('4', pod('a', 1))),
      line(4_600, 'ERROR', 'nonsense'),
    ]);
    assert.deepEqual(
      brief(records).filter((text) => !/SNAPSHOT|RUN/.test(text)),
      [
        '0 LISTED a@1',
        '4000 SESSION_END pods relist',
        '4000 LISTED a@1',
        '4000 LISTED b@2',
        '4100 SESSION_END pods disconnect',
        '4300 LISTED b@2',
        '4400 SESSION_END pods 410',
        '4500 LISTED a@1',
        '4600 SESSION_END pods error',
        '4600 HEARTBEAT',
      ],
    );
    const listed = records.filter((record) => record.type === 'LISTED');
    assert.deepEqual(
      listed.map(({ object }) => object !== undefined),
      [true, false, true, false, true],
    );
    assert.equal(new Set(records.flatMap((record) => ('session' in record ? [record.session] : []))).size, 4);
  });

  test('never goes back in time', () => {
    const records = encode([line(0, 'LIST', list('1')), line(9_000, 'ADDED', pod('a', 2)), line(4_000, 'ADDED', pod('b', 3))]);
    assert.deepEqual(
      records.map(({ t }) => t - T0),
      [0, 0, 0, 5_000, 9_000, 9_000, 9_000, 9_000],
    );
  });

  test('takes a silence of more than a day for a recorder that was not there', () => {
    const day = 86_400_000;
    const records = encode([line(0, 'LIST', list('1')), line(3 * day + 1_000, 'ADDED', pod('a', 2)), line(3 * day + 6_000, 'ADDED', pod('b', 3))]);
    const times = records.filter(({ type }) => type === 'HEARTBEAT').map(({ t }) => t - T0);
    assert.equal(times.length, day / HEARTBEAT_INTERVAL_MS + 2);
    assert.deepEqual(times.slice(-3), [day, 3 * day + 5_000, 3 * day + 6_000]);
  });

  test('rejects what a live collector would have rejected', () => {
    const records = encode([line(0, 'LIST', list('1', {}, pod('a', 1))), line(1, 'ADDED', null)]);
    assert.equal(records.filter(({ type }) => type === 'REJECTED').length, 2);
    const end = records.find((record) => record.type === 'SNAPSHOT_END');
    assert.equal(end?.type === 'SNAPSHOT_END' && end.count, 2);
  });

  const refused: [string, RecordingLine][] = [
    ['a watch event without a list', { ...line(0, 'ADDED', pod('a', 1)), line: 4 }],
    ['a list without items', { ...line(0, 'LIST', { resourceVersion: '1' }), line: 4 }],
    ['a list without a version', { ...line(0, 'LIST', { items: [] }), line: 4 }],
  ];
  for (const [name, one] of refused)
    test(`refuses ${name} by the number of the line`, () => assert.throws(() => encode([one]), { code: 'PODTRAIL_RECORDING_INVALID', line: 4 }));

  test('takes a list whose items are null for an empty one', () => assert.equal(encode([line(0, 'LIST', { resourceVersion: '1', items: null })]).length, 5));
  test('writes nothing about an empty recording', () => assert.deepEqual(encode([]), []));

  const namespaces = list('1', { metadata: { name: 'default', uid: 'other' } }, { metadata: { name: 'kube-system', uid: 'system-uid' } });
  const identities: [string, RecordingEncoderOptions['cluster'], RecordingLine[], RegExp][] = [
    ['as told', CLUSTER, [line(0, 'LIST', namespaces, 'namespaces')], /^cluster-uid$/],
    ['as kube-system says', { name: 'test' }, [line(0, 'LIST', list('1')), line(9, 'LIST', namespaces, 'namespaces')], /^system-uid$/],
    ['by a hash where nothing says it', { name: 'test' }, [line(0, 'LIST', list('1'))], /^[0-9a-f]{32}$/],
  ];
  for (const [name, cluster, lines, uid] of identities) {
    test(`names the cluster ${name}`, () => {
      for (const record of encode(lines, { cluster })) {
        assert.match(record.cluster.uid, uid);
        assert.equal(record.cluster.name, 'test');
      }
    });
  }

  test('names the cluster alike however it is shifted', () => {
    const uid = (shiftMs: number): string | undefined => encode([line(0, 'LIST', list('1'))], { cluster: { name: 'test' }, shiftMs })[0]?.cluster.uid;
    assert.equal(uid(0), uid(5_000));
  });

  test('spaces heartbeats evenly, and never writes one later than the next line', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(30_000), { minLength: 1, maxLength: 12 }), (gaps) => {
        const times = gaps.map((_, index) => gaps.slice(0, index + 1).reduce((sum, gap) => sum + gap));
        const lines = [line(0, 'LIST', list('1')), ...times.map((at, index) => line(at, 'ADDED', pod(`p${index}`, index + 2)))];
        const records = encode(lines).slice(0, -2);
        let last = T0;
        for (const [index, record] of records.entries()) {
          assert.ok(record.t >= (records[index - 1]?.t ?? 0));
          assert.ok(record.t - last <= HEARTBEAT_INTERVAL_MS, 'a heartbeat is missing');
          if (record.type !== 'HEARTBEAT') continue;
          assert.equal((record.t - T0) % HEARTBEAT_INTERVAL_MS, 0);
          last = record.t;
        }
      }),
    );
  });
});

/** Every session's records in order, checked for gaps; heartbeats checked against what came before them. */
function checkSessions(records: readonly ChangeRecord[]): Map<string, SessionRecord[]> {
  const sessions = new Map<string, SessionRecord[]>();
  for (const record of records) {
    if (record.type === 'HEARTBEAT') {
      for (const { session, nextSeq, received, suppressed, rejected, appended } of record.sessions) {
        assert.equal(nextSeq, sessions.get(session)?.length);
        assert.equal(received, suppressed + rejected + appended);
      }
    }
    if (!('session' in record)) continue;
    const before = sessions.get(record.session) ?? [];
    assert.equal(record.seq, before.length);
    sessions.set(record.session, [...before.slice(0), record]);
  }
  return sessions;
}

describe('the recorded cases', () => {
  for (const path of [...recordingPaths('cases'), ...recordingPaths('fleet')]) {
    test(`${path} goes through whole, and balances`, () => {
      const lines = recordedLines(path);
      const records = encode(lines);
      const sessions = checkSessions(records);
      assert.ok(sessions.size >= 12);
      for (const record of records) {
        assert.notEqual(record.type, 'REJECTED');
        const decoded = decodeChangeRecord(encodeChangeRecord(record));
        assert.deepEqual(decoded.ok && decoded.record, record);
      }
      const last = records.findLast((record) => record.type === 'HEARTBEAT');
      const received = last?.type === 'HEARTBEAT' ? last.sessions.reduce((sum, session) => sum + session.received, 0) : 0;
      const delivered = lines.reduce((sum, { type, object }) => {
        if (type === 'LIST') return sum + (object as { items: unknown[] }).items.length;
        return sum + (['ADDED', 'MODIFIED', 'DELETED'].includes(type) ? 1 : 0);
      }, 0);
      assert.equal(received, delivered);
    });
  }

  test('hold back the heartbeats of nodes', () => {
    const records = encode(recordedLines('cases/img-404.ndjson.gz'));
    const last = records.findLast((record) => record.type === 'HEARTBEAT');
    const nodes = last?.type === 'HEARTBEAT' ? last.sessions.find(({ resource }) => resource === 'nodes') : undefined;
    assert.ok(nodes !== undefined && nodes.suppressed > 300 && nodes.appended < 30, JSON.stringify(nodes));
  });

  test('give the same records again, and other runs when shifted', () => {
    const lines = recordedLines('cases/oom-limit.ndjson.gz');
    assert.deepEqual(encode(lines), encode(lines));
    const [first] = encode(lines);
    const [shifted] = encode(lines, { cluster: CLUSTER, shiftMs: 60_000 });
    assert.notEqual(shifted?.run, first?.run);
  });

  test('leave the epoch where it is: it means never', () => {
    const lines = recordedLines('cases/create-notfound.ndjson.gz');
    const shifted = JSON.stringify(encode(lines, { cluster: CLUSTER, shiftMs: 86_400_000 }));
    assert.ok(shifted.includes('"startedAt":"1970-01-01T00:00:00Z"'));
    assert.ok(!shifted.includes('1970-01-02'));
  });

  for (const [shiftMs, movedMs] of [
    [86_400_000 * 40, 86_400_000 * 40],
    [-12_345, -12_000],
  ] as const) {
    test(`move every time by whole seconds when shifted by ${shiftMs} ms`, () => {
      const lines = recordedLines('cases/sched-cpu.ndjson.gz').concat(recordedLines('cases/oom-limit.ndjson.gz').slice(12));
      const TIME = /"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)((?:\.\d+)?Z)"/g;
      const move = (text: string): string =>
        text.replace(TIME, (_, seconds, rest) => `"${new Date(Date.parse(`${seconds}Z`) + movedMs).toISOString().slice(0, 19)}${rest}"`);
      const plain = (record: ChangeRecord): string => JSON.stringify({ ...record, t: 0, run: '', session: '', sessions: [] });
      const expected = encode(lines).map((record) => move(plain(record)));
      const shifted = encode(lines, { cluster: CLUSTER, shiftMs });
      assert.ok(expected.join().includes('.'), 'no time with a fraction among them');
      for (const [index, record] of shifted.entries()) assert.equal(plain(record), expected[index]);
      assert.equal(shifted.length, expected.length);
      assert.deepEqual(
        shifted.map(({ t }) => t),
        encode(lines).map(({ t }) => t + movedMs),
      );
    });
  }
});

describe('reading', () => {
  const folder = mkdtempSync(join(tmpdir(), 'podtrail-recording-'));
  after(() => rmSync(folder, { recursive: true }));
  const TEXT = `${toRecordingLine(line(0, 'LIST', list('1', pod('ä', 1))))}\n\r\n${toRecordingLine(line(5, 'ADDED', pod('b', 2)))}\r\n`;
  const collect = async (source: string | Readable): Promise<RecordingLine[]> => {
    const lines: RecordingLine[] = [];
    for await (const one of readRecording(source)) lines.push(one);
    return lines;
  };
  const file = (name: string, content: string | Buffer): string => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  const numbers = (lines: readonly RecordingLine[]): number[] => lines.map((one) => one.line);
  const bytes = (content: Buffer, size: number): Readable => {
    const chunks: Buffer[] = [];
    for (let from = 0; from < content.length; from += size) chunks.push(content.subarray(from, from + size));
    return Readable.from(chunks);
  };

  test('takes plain and gzipped files, whatever they are called, and numbers lines as an editor does', async () => {
    assert.deepEqual(numbers(await collect(file('plain.gz', TEXT))), [1, 3]);
    assert.deepEqual(await collect(file('zipped', gzipSync(TEXT))), await collect(file('plain', TEXT)));
  });

  test('takes files of several gzip members, and a last line without an end', async () => {
    const [first, , second] = TEXT.split('\n') as [string, string, string];
    const lines = await collect(file('members', Buffer.concat([gzipSync(`${first}\n`), gzipSync(second.trim())])));
    assert.deepEqual(numbers(lines), [1, 2]);
  });

  test('takes streams in chunks of any size', async () => {
    for (const size of [1, 2, 3, 7, 1_000_000]) {
      assert.deepEqual(numbers(await collect(bytes(Buffer.from(TEXT), size))), [1, 3]);
      assert.deepEqual(numbers(await collect(bytes(gzipSync(TEXT), size))), [1, 3]);
    }
    const [first] = await collect(bytes(Buffer.from(TEXT), 1));
    assert.ok(JSON.stringify(first).includes('ä'));
  });

  test('takes lines far longer than a chunk', async () => {
    const long = line(0, 'LIST', list('1', ...Array.from({ length: 5_000 }, (_, index) => pod(`pod-${index}`, index + 1))));
    const [read] = await collect(file('long', gzipSync(toRecordingLine(long))));
    assert.ok(read !== undefined);
    assert.equal((read.object as { items: unknown[] }).items.length, 5_000);
  });

  test('finds nothing in an empty file', async () => {
    assert.deepEqual(await collect(file('empty', '')), []);
    assert.deepEqual(await collect(file('newline', '\n')), []);
  });

  const damaged: [string, () => string | Readable, number][] = [
    ['a torn last line', () => file('torn', TEXT.slice(0, -30)), 3],
    ['gzip data that ends early', () => file('short', gzipSync(TEXT).subarray(0, -12)), 1],
    ['damaged gzip data', () => file('bad', Buffer.concat([gzipSync(TEXT).subarray(0, 12), Buffer.alloc(40, 0x55)])), 1],
    ['something else', () => file('other', 'PK\u0003\u0004'), 1],
  ];
  for (const [name, source, number] of damaged) {
    test(`names the line of ${name}`, async () => {
      await assert.rejects(
        collect(source()),
        (error) => error instanceof RecordingError && error.line >= number && error.code === 'PODTRAIL_RECORDING_INVALID',
      );
    });
  }

  test('passes on the error of a file that is not there', async () => {
    await assert.rejects(collect(join(folder, 'absent')), { code: 'ENOENT' });
  });

  test('closes the file when the reader stops early', async () => {
    const stream = createReadStream(new URL('cases/oom-limit.ndjson.gz', RECORDINGS));
    for await (const one of readRecording(stream)) {
      assert.equal(one.line, 1);
      break;
    }
    assert.equal(stream.destroyed, true);
  });

  test('reads what the recordings hold', async () => {
    const path = new URL('cases/img-404.ndjson.gz', RECORDINGS);
    const lines = await collect(path.pathname);
    assert.equal(lines.length, gunzipSync(readFileSync(path)).toString().trim().split('\n').length);
  });
});
