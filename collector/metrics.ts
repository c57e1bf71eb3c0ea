/** Prometheus metrics of the collector. Labels: cluster name, resource and closed sets of words; never a namespace or a pod. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Resource } from './objects.ts';

/** The age of one watch, for the gauge that is read at scrape time. */
export interface WatchAge {
  readonly cluster: string;
  readonly resource: Resource;
  readonly ageSeconds: number;
}

/** What is read at scrape time. */
export interface CollectorGauges {
  watchAges(): Iterable<WatchAge>;
  /** Bytes that wait for the change log. */
  buffers(): Iterable<{ readonly cluster: string; readonly bytes: number }>;
}

/** What became of the items and watch events received; the three counters of a session's balance. */
export interface Outcomes {
  readonly received: number;
  readonly suppressed: number;
  readonly rejected: number;
  readonly appended: number;
}

export interface CollectorMetrics {
  listed(cluster: string, resource: Resource): void;
  relisted(cluster: string, resource: Resource, reason: string): void;
  requestFailed(cluster: string, resource: Resource, kind: string): void;
  outcomes(cluster: string, resource: Resource, added: Outcomes): void;
  acknowledged(cluster: string, records: number, bytes: number, seconds: number): void;
  appendFailed(cluster: string): void;
}

/** Registers podtrail_collector_*. Of several scopes of a resource the oldest watch counts. */
export function createCollectorMetrics(registry: Registry, gauges: CollectorGauges): CollectorMetrics {
  const registers = [registry];
  const labelNames = ['cluster', 'resource'] as const;
  const counter = <L extends string>(name: string, help: string, labels: readonly L[]) =>
    new Counter({ name: `podtrail_collector_${name}`, help, labelNames: labels, registers });

  const lists = counter('lists_total', 'Lists that were completed.', labelNames);
  const relists = counter('relists_total', 'Sessions that ended so that a new list was needed, by reason.', [...labelNames, 'reason']);
  const failures = counter('request_failures_total', 'Lists and watches that failed, by kind of failure.', [...labelNames, 'kind']);
  const received = counter('received_total', 'List items and watch events received.', labelNames);
  const suppressed = counter('suppressed_total', 'Watch events that moved nothing that is kept.', labelNames);
  const rejected = counter('rejected_total', 'Items and events that could not be decoded or projected.', labelNames);
  const appended = counter('appended_total', 'Items and events handed to the change log.', labelNames);
  const records = counter('acknowledged_records_total', 'Change records the change log acknowledged.', ['cluster']);
  const bytes = counter('acknowledged_bytes_total', 'Bytes of change records the change log acknowledged.', ['cluster']);
  const appendFailures = counter('append_failures_total', 'Appends to the change log that failed and were tried again.', ['cluster']);
  const latency = new Histogram({
    name: 'podtrail_collector_append_duration_seconds',
    help: 'From handing a batch to the change log to its acknowledgement, retries included.',
    labelNames: ['cluster'],
    buckets: [0.001, 0.005, 0.02, 0.05, 0.1, 0.5, 1, 5, 30],
    registers,
  });
  registerGauges(registry, gauges);

  return {
    listed: (cluster, resource) => lists.inc({ cluster, resource }),
    relisted: (cluster, resource, reason) => relists.inc({ cluster, resource, reason }),
    requestFailed: (cluster, resource, kind) => failures.inc({ cluster, resource, kind }),
    outcomes(cluster, resource, added) {
      received.inc({ cluster, resource }, added.received);
      suppressed.inc({ cluster, resource }, added.suppressed);
      rejected.inc({ cluster, resource }, added.rejected);
      appended.inc({ cluster, resource }, added.appended);
    },
    acknowledged(cluster, recordCount, byteCount, seconds) {
      records.inc({ cluster }, recordCount);
      bytes.inc({ cluster }, byteCount);
      latency.observe({ cluster }, seconds);
    },
    appendFailed: (cluster) => appendFailures.inc({ cluster }),
  };
}

function registerGauges(registry: Registry, { watchAges, buffers }: CollectorGauges): void {
  const registers = [registry];
  new Gauge({
    name: 'podtrail_collector_buffer_bytes',
    help: 'Change records waiting for the change log.',
    labelNames: ['cluster'],
    registers,
    collect() {
      this.reset();
      for (const { cluster, bytes } of buffers()) this.set({ cluster }, bytes);
    },
  });
  new Gauge({
    name: 'podtrail_collector_watch_age_seconds',
    help: 'Time since anything came on the watch, bookmarks included.',
    labelNames: ['cluster', 'resource'],
    registers,
    collect() {
      this.reset();
      const oldest = new Map<string, WatchAge>();
      for (const age of watchAges()) {
        const key = `${age.cluster}/${age.resource}`;
        if (age.ageSeconds >= (oldest.get(key)?.ageSeconds ?? 0)) oldest.set(key, age);
      }
      for (const { cluster, resource, ageSeconds } of oldest.values()) this.set({ cluster, resource }, ageSeconds);
    },
  });
}
