/** Input of the benches: recorded change records of many clusters, and pods as they were recorded, as many as are wanted. */
import { encodeChangeRecord, type ChangeRecord } from '../../collector/change-record.ts';
import { createRecordingEncoder } from '../../collector/recording.ts';
import { recordedLines } from '../helpers/recorded.ts';

/** Everything in them fails, one scenario after the other. */
export const FAILING = ['fleet/batch-1', 'fleet/batch-2', 'fleet/batch-3'];
/** Rollouts, restarts, Jobs and deletions in which nothing fails: what a cluster does nearly all of its time. */
export const HEALTHY = ['cases/ok-rollout', 'cases/rollout-big', 'cases/ok-statefulset', 'cases/job-ok', 'cases/term-ok', 'cases/ready-slow-ok'];

/** Records of one cluster for every recording, as the log holds them. */
export function recordedClusters(recordings: readonly string[]): { readonly records: readonly ChangeRecord[]; readonly bytes: readonly Buffer[] }[] {
  return recordings.map((path) => {
    const encoder = createRecordingEncoder({ cluster: { name: path, uid: path } });
    const records = [...recordedLines(`${path}.ndjson.gz`).flatMap((line) => encoder.push(line)), ...encoder.end()];
    return { records, bytes: records.map((record) => encodeChangeRecord(record)) };
  });
}

export interface RawPod {
  readonly metadata: { readonly name: string; readonly uid: string; readonly resourceVersion: string; readonly [field: string]: unknown };
  readonly spec: Readonly<Record<string, unknown>>;
  readonly status: Readonly<Record<string, unknown>>;
}

/** Recorded pods as the API server sent them, managedFields and all. */
export function recordedPods(): RawPod[] {
  const pods = FAILING.flatMap((path) => recordedLines(`${path}.ndjson.gz`)).filter(({ resource, type }) => resource === 'pods' && type === 'MODIFIED');
  return pods.map(({ object }) => object as RawPod);
}

/** The pod under another name. */
export function copyOf(pod: RawPod, index: number, resourceVersion: number): RawPod {
  const [name, uid] = [`${pod.metadata.name}-${index}`, `${pod.metadata.uid}-${index}`];
  return { ...pod, metadata: { ...pod.metadata, name, uid, resourceVersion: String(resourceVersion) } };
}
