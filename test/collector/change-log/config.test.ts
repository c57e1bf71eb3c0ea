import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { changeLogConfig } from '../../../collector/change-log/config.ts';

const kafka = { kind: 'kafka', brokers: ['kafka-0:9092', 'kafka-1:9092'] };

describe('change log config', () => {
  test('is embedded by default, with every default within its range', () => {
    const parsed = changeLogConfig.parse(undefined);
    assert.equal(parsed.kind, 'embedded');
    assert.deepEqual(changeLogConfig.parse(parsed), parsed);
  });

  test('needs only brokers for Kafka', () => {
    const parsed = changeLogConfig.parse(kafka);
    assert.deepEqual(changeLogConfig.parse(parsed), parsed);
    assert.ok(parsed.kind === 'kafka');
    assert.deepEqual([parsed.topic, parsed.partitions, parsed.retentionMs, parsed.createTopic], ['podtrail.changes', 12, 604_800_000, true]);
  });

  const refused = [
    ['an unknown kind', { kind: 'redis' }],
    ['an unknown key', { kind: 'embedded', retentionHours: 1 }],
    ['segments larger than a quarter of the cap', { kind: 'embedded', segmentBytes: 4_194_304, retentionBytes: 16_777_215 }],
    ['no brokers', { kind: 'kafka', brokers: [] }],
    ['a broker without a port', { ...kafka, brokers: ['kafka-0'] }],
    ['a topic with a slash', { ...kafka, topic: 'pod/trail' }],
    ['three heartbeats that do not fit into a session', { ...kafka, sessionTimeoutMs: 8_999, heartbeatIntervalMs: 3_000 }],
    ['a certificate without its key', { ...kafka, tls: { enabled: true, certFile: 'client.pem' } }],
    ['a password in the clear', { ...kafka, sasl: { mechanism: 'plain', username: 'u', password: 'secret' } }],
  ] as const;
  for (const [name, input] of refused) test(`refuses ${name}`, () => assert.equal(changeLogConfig.safeParse(input).success, false));

  test('accepts the values on the border', () => {
    changeLogConfig.parse({ kind: 'embedded', segmentBytes: 4_194_304, retentionBytes: 16_777_216 });
    changeLogConfig.parse({ ...kafka, sessionTimeoutMs: 9_000, heartbeatIntervalMs: 3_000 });
  });
});
