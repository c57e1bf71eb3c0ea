import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Registry } from 'prom-client';
import { createProcessorMetrics } from '../../processor/metrics.ts';

const NOW_MS = 1_000_000;

test('tells what an operator watches: lag, gaps, dead letters, open incidents, rows that wait, ages of checkpoints and of the stream', async () => {
  const registry = new Registry();
  let lagRecords = 7;
  const metrics = createProcessorMetrics(
    registry,
    {
      status: () => ({
        pendingRows: 5,
        partitions: [
          { partition: 0, lagRecords, checkpointTimeMs: NOW_MS - 30_000 },
          { partition: 1, lagRecords: 0, checkpointTimeMs: 0 },
        ],
        clusters: [{ cluster: 'one', streamTimeMs: NOW_MS - 2_500, openIncidents: 3 }],
      }),
      observeEnds: async () => {
        lagRecords = 9;
      },
    },
    () => NOW_MS,
  );
  metrics.record('applied');
  metrics.record('invalid');
  metrics.record('misplaced');
  metrics.gap(1);
  metrics.insertFailed('incidents');
  metrics.checkpointFailed();
  const text = await registry.metrics();
  for (const line of [
    'podtrail_processor_lag_records{partition="0"} 9',
    'podtrail_processor_lag_records{partition="1"} 0',
    'podtrail_processor_checkpoint_age_seconds{partition="0"} 30',
    'podtrail_processor_stream_age_seconds{cluster="one"} 2.5',
    'podtrail_processor_open_incidents{cluster="one"} 3',
    'podtrail_processor_pending_rows 5',
    'podtrail_processor_gaps_total{partition="1"} 1',
    'podtrail_processor_records_total{outcome="applied"} 1',
    'podtrail_processor_records_total{outcome="invalid"} 1',
    'podtrail_processor_records_total{outcome="misplaced"} 1',
    'podtrail_processor_insert_failures_total{table="incidents"} 1',
    'podtrail_processor_checkpoint_failures_total 1',
  ]) {
    assert.ok(text.includes(`\n${line}\n`), line);
  }
  assert.doesNotMatch(text, /checkpoint_age_seconds\{partition="1"\}/, 'none before the first');
});
