import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Registry } from 'prom-client';
import { processorConfig } from '../../processor/config.ts';
import { isRetriable, ProcessorError } from '../../processor/errors.ts';
import { chooseManifest, createProcessor } from '../../processor/processor.ts';
import type { PartitionManifest } from '../../sql/checkpoints.ts';
import { silentLog } from '../helpers/silent-log.ts';

const manifest = (log: string, partition: number, partitions: number): PartitionManifest => ({
  ...{ log, partition, partitions, nextOffset: 5n, lastOffset: 4n, lastHash: 'x', writtenTimeMs: 1 },
  clusters: [{ clusterUid: 'u', generation: 1, count: 1 }],
});
const here = { log: 'a', partition: 1, partitions: 2 };
const choices: readonly {
  readonly name: string;
  readonly manifests: readonly PartitionManifest[];
  readonly newLog?: boolean;
  readonly wanted: object | 'refused';
}[] = [
  { name: 'nothing stored: begin', manifests: [], wanted: { keep: [] } },
  { name: 'this partition stored: go on', manifests: [manifest('a', 1, 2)], wanted: { goOn: manifest('a', 1, 2) } },
  { name: 'only another partition of the log: begin', manifests: [manifest('a', 0, 2)], wanted: { keep: [] } },
  { name: 'another log too, from before: go on', manifests: [manifest('b', 1, 2), manifest('a', 1, 2)], wanted: { goOn: manifest('a', 1, 2) } },
  { name: 'only another log', manifests: [manifest('b', 1, 2)], wanted: 'refused' },
  { name: 'fewer partitions then', manifests: [manifest('a', 1, 1)], wanted: 'refused' },
  { name: 'fewer partitions then, and this one not among them', manifests: [manifest('a', 0, 1)], wanted: 'refused' },
  { name: 'another log, and a new one is meant', manifests: [manifest('b', 1, 2)], newLog: true, wanted: { keep: [] } },
  { name: 'the same by its name, and a new one is meant: keep its clusters', manifests: [manifest('a', 1, 2)], newLog: true, wanted: { keep: ['u'] } },
];
for (const { name, manifests, newLog = false, wanted } of choices) {
  test(`which manifest holds: ${name}`, () => {
    if (wanted === 'refused') assert.throws(() => chooseManifest(manifests, here, newLog), { code: 'PODTRAIL_LOG_CHANGED' });
    else assert.deepEqual(chooseManifest(manifests, here, newLog), wanted);
  });
}

test('a log that does not say where it ends holds no scrape up for long, and is not asked again meanwhile', async () => {
  let asked = 0;
  const reader = {
    endOffsets: () => {
      asked++;
      return new Promise<never>(() => {});
    },
  };
  const registry = new Registry();
  const config = processorConfig.parse({});
  createProcessor({ config, release: '0' }, { reader: reader as never, store: { client: {} as never }, log: silentLog, registry });
  const keepsRunning = setInterval(() => undefined, 1_000);
  const startMs = performance.now();
  for (let scrape = 0; scrape < 2; scrape++) assert.match(await registry.metrics(), /^podtrail_processor_pending_rows 0$/m);
  clearInterval(keepsRunning);
  assert.ok(performance.now() - startMs < 10_000);
  assert.equal(asked, 1);
});

test('only what may pass is tried again', () => {
  const codes = [
    'PODTRAIL_SINK_BUSY',
    'PODTRAIL_PROCESSOR_STOPPED',
    'PODTRAIL_LOG_CHANGED',
    'PODTRAIL_CHECKPOINT_FORMAT',
    'PODTRAIL_PROCESSOR_INVARIANT',
  ] as const;
  assert.deepEqual(
    codes.map((code) => isRetriable(new ProcessorError(code, 'x'))),
    [true, true, false, false, false],
  );
  for (const other of [new Error('x'), undefined, { retriable: true }]) assert.equal(isRetriable(other), false);
});

test('README lists the codes of errors.ts', () => {
  const read = (file: string): string => readFileSync(new URL(`../../processor/${file}`, import.meta.url), 'utf8');
  const codes = (text: string): string[] => [...new Set(text.match(/PODTRAIL_[A-Z_]*[A-Z]/g))].sort();
  const declared = codes(read('errors.ts'));
  assert.ok(declared.length >= 5);
  assert.deepEqual(codes(read('README.md').split('## Errors')[1] ?? ''), declared);
});
