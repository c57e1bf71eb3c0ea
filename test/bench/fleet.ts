/** Input of the benches: recorded change records of many clusters, and pods as they were recorded, as many as are wanted. */
import { createHash } from 'node:crypto';
import { encodeChangeRecord, type ChangeRecord } from '../../collector/change-record.ts';
import type { Resource } from '../../collector/objects.ts';
import { createRecordingEncoder, type RecordingLine } from '../../collector/recording.ts';
import { createKnownObjects, createSession, type Session } from '../../collector/session.ts';
import { recordedLines } from '../helpers/recorded.ts';

/** Everything in them fails, one scenario after the other. */
export const FAILING = ['fleet/batch-1', 'fleet/batch-2', 'fleet/batch-3'];
/** Rollouts, restarts, Jobs and deletions in which nothing fails: what a cluster does nearly all of its time. */
export const HEALTHY = ['cases/ok-rollout', 'cases/rollout-big', 'cases/ok-statefulset', 'cases/job-ok', 'cases/term-ok', 'cases/ready-slow-ok'];

/** The records of one cluster, as objects and as the log holds them. */
export interface Cluster {
  readonly records: readonly ChangeRecord[];
  readonly bytes: readonly Buffer[];
  /** What the API server's watches brought of it. */
  readonly watched: { readonly podChanges: number; readonly podBytes: number; readonly bytes: number };
}

/**
 * One cluster for every recording, in which what happened in the recorded namespace happens in `copies` namespaces at once: recorded
 * clusters are idle but for one case, and their log is mostly heartbeats.
 * `large`: with pods of 12 KB.
 */
export function recordedClusters(recordings: readonly string[], copies = 1, large = false): Cluster[] {
  return recordings.map((path) => {
    const encoder = createRecordingEncoder({ cluster: { name: path, uid: path } });
    const recorded = recordedLines(`${path}.ndjson.gz`).map((line) => (large ? enlarge(line) : line));
    const lines = recorded.flatMap((line) => multiply(line, copies));
    const records = [...lines.flatMap((line) => encoder.push(line)), ...encoder.end()];
    return { records, bytes: records.map((record) => encodeChangeRecord(record)), watched: measureWatched(lines) };
  });
}

function enlarge(line: RecordingLine): RecordingLine {
  if (line.resource !== 'pods') return line;
  if (line.type !== 'LIST') return isPod(line.object) ? { ...line, object: largePod(line.object) } : line;
  const list = line.object as { readonly items: readonly RawPod[] | null };
  return { ...line, object: { ...list, items: (list.items ?? []).map(largePod) } };
}

function isPod(object: unknown): object is RawPod {
  return typeof object === 'object' && object !== null && 'spec' in object && 'metadata' in object;
}

function measureWatched(lines: readonly RecordingLine[]): Cluster['watched'] {
  let [podChanges, podBytes, bytes] = [0, 0, 0];
  for (const { type, resource, object } of lines) {
    if (type !== 'ADDED' && type !== 'MODIFIED' && type !== 'DELETED') continue;
    const size = Buffer.byteLength(JSON.stringify({ type, object })) + 1;
    bytes += size;
    if (resource !== 'pods') continue;
    podChanges += 1;
    podBytes += size;
  }
  return { podChanges, podBytes, bytes };
}

function multiply(line: RecordingLine, copies: number): RecordingLine[] {
  if (copies === 1) return [line];
  if (line.type !== 'LIST') return copiesOf(line.object, copies).map((object) => ({ ...line, object }));
  const { resourceVersion, items } = line.object as { readonly resourceVersion: string; readonly items: readonly unknown[] | null };
  return [
    { ...line, object: { resourceVersion: versionOf(resourceVersion, copies, copies - 1), items: (items ?? []).flatMap((item) => copiesOf(item, copies)) } },
  ];
}

const UID = /\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g;

/** What generateName appends: five of these, which spell no word. */
const SUFFIX = /-([bcdfghjklmnpqrstvwxz2456789]{5})(?![\w-])/g;

const hashOf = (text: string, copy: number): string => createHash('sha256').update(`${text} ${copy}`).digest('hex');
const uuidOf = (uid: string, copy: number): string => hashOf(uid, copy).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/, '$1-$2-$3-$4-$5');
const suffixOf = (suffix: string, copy: number): string =>
  [...hashOf(suffix, copy).slice(0, 5)].map((digit) => 'bcdfghjklmnpqrst'[Number.parseInt(digit, 16)]).join('');

/** A namespaced object in as many namespaces, with uids and generated names of its own in each; any other once. Each has a version of its own. */
function copiesOf(object: unknown, copies: number): unknown[] {
  const { metadata } = object as { readonly metadata?: { readonly namespace?: string; readonly resourceVersion?: string } };
  const text = JSON.stringify(object);
  return Array.from({ length: metadata?.namespace === undefined ? 1 : copies }, (_, copy) => {
    const own =
      metadata?.namespace === undefined
        ? text
        : text
            .replace(UID, (uid) => uuidOf(uid, copy))
            .replace(SUFFIX, (_, suffix: string) => `-${suffixOf(suffix, copy)}`)
            .replaceAll(`"namespace":"${metadata.namespace}"`, `"namespace":"${metadata.namespace}-${copy}"`);
    const copied = JSON.parse(own);
    copied.metadata = { ...copied.metadata, resourceVersion: versionOf(metadata?.resourceVersion ?? '0', copies, copy) };
    return copied;
  });
}

const versionOf = (version: string, copies: number, copy: number): string => String(BigInt(version) * BigInt(copies) + BigInt(copy));

export interface RawPod {
  readonly metadata: { readonly name: string; readonly uid: string; readonly resourceVersion: string; readonly [field: string]: unknown };
  readonly spec: Readonly<Record<string, unknown>>;
  readonly status: Readonly<Record<string, unknown>>;
}

/** Recorded pods as the API server sent them, managedFields and all. */
export function recordedPods(): readonly RawPod[] {
  pods ??= FAILING.flatMap((path) => recordedLines(`${path}.ndjson.gz`)).flatMap(({ resource, type, object }) =>
    resource === 'pods' && type === 'MODIFIED' ? [object as RawPod] : [],
  );
  return pods;
}
let pods: readonly RawPod[] | undefined;

/** Bytes of managedFields and of the spec, so that all of it has the 12 KB that were measured on clusters with sidecars, probes and operators. */
const LARGE_MANAGED_BYTES = 4_800;
const LARGE_SPEC_BYTES = 3_900;

/** The pod as large ones are: containers with probes, env and mounts, and more managers. */
export function largePod(pod: RawPod): RawPod {
  const probe = {
    httpGet: { path: '/healthz', port: 8080, scheme: 'HTTP' },
    initialDelaySeconds: 5,
    periodSeconds: 10,
    timeoutSeconds: 1,
    failureThreshold: 3,
  };
  const env = Array.from({ length: 5 }, (_, at) => ({ name: `SETTING_${at}`, value: `value-${at}` }));
  const container = {
    image: 'registry.example/team/sidecar:1.2.3',
    env,
    livenessProbe: probe,
    readinessProbe: probe,
    startupProbe: probe,
    terminationMessagePath: '/dev/termination-log',
  };
  // Recordings of cases were cleaned of them.
  const fields = (pod.metadata['managedFields'] ?? recordedPods()[0]?.metadata['managedFields'] ?? []) as readonly unknown[];
  const managedFields: unknown[] = [];
  while (fields.length > 0 && JSON.stringify(managedFields).length < LARGE_MANAGED_BYTES) managedFields.push(...fields);
  const metadata = { ...pod.metadata, managedFields };
  const containers = [...((pod.spec['containers'] ?? []) as readonly unknown[])];
  const spec = { ...pod.spec, containers };
  while (JSON.stringify(spec).length < LARGE_SPEC_BYTES) containers.push({ ...container, name: `sidecar-${containers.length}` });
  return { ...pod, metadata, spec };
}

/** The pod under another name. */
export function copyOf(pod: RawPod, index: number, resourceVersion: number): RawPod {
  const [name, uid] = [`${pod.metadata.name}-${index}`, `${pod.metadata.uid}-${index}`];
  return { ...pod, metadata: { ...pod.metadata, name, uid, resourceVersion: String(resourceVersion) } };
}

/** A recorded pod that runs well. */
export function calmPod(): RawPod {
  const found = recordedLines('cases/ok-rollout.ndjson.gz').findLast(({ resource, object }) => resource === 'pods' && isCalm(object));
  if (found === undefined) throw new Error('no pod was recorded that runs well');
  return found.object as RawPod;
}

/** A cluster of `count` pods that run well on recorded nodes: a first list of both, then `rounds` in which every pod changes a little. */
export function* calmCluster(count: number, rounds = 0): Generator<ChangeRecord> {
  const lines = recordedLines('cases/ok-rollout.ndjson.gz');
  const nodes = lines.flatMap(({ resource, type, object }) => (resource === 'nodes' && type === 'LIST' ? (object as { items: RawPod[] }).items : []));
  const pod = calmPod();
  const cluster = { uid: 'calm', name: 'calm' };
  const records: ChangeRecord[] = [];
  let t = lines[0]?.t ?? 0;
  const take = (): ChangeRecord[] => records.splice(0);
  const open = (resource: Resource): Session =>
    createSession({
      cluster,
      run: 'run',
      session: resource,
      resource,
      scope: '',
      clock: () => t,
      emit: (record) => records.push(record),
      known: createKnownObjects(),
    });
  const beat = (...sessions: Session[]): ChangeRecord => ({
    v: 1,
    cluster,
    run: 'run',
    t,
    type: 'HEARTBEAT',
    sessions: sessions.map((each) => each.counters()),
  });

  yield { v: 1, cluster, run: 'run', t, type: 'RUN_BEGIN', resources: [nodeScope, podScope] };
  const ofNodes = open('nodes');
  ofNodes.begin('1');
  for (const node of nodes) ofNodes.listed(node);
  ofNodes.end();
  yield* take();
  const ofPods = open('pods');
  ofPods.begin('1000000000');
  for (let index = 0; index < count; index += 1) {
    ofPods.listed(copyOf(pod, index, index + 1));
    yield* take();
  }
  ofPods.end();
  yield* take();
  for (let round = 1; round <= rounds; round += 1) {
    for (let index = 0; index < count; index += 1) {
      if (index % 1_000 === 0) {
        t += 5_000;
        yield beat(ofNodes, ofPods);
      }
      const { metadata, spec, status } = copyOf(pod, index, 1_000_000_000 + round * count + index);
      ofPods.change('MODIFIED', { metadata: { ...metadata, labels: { round: String(round) } }, spec, status });
      yield* take();
    }
  }
}

const nodeScope = { resource: 'nodes', scope: '' } as const;
const podScope = { resource: 'pods', scope: '' } as const;

function isCalm(object: unknown): boolean {
  const { status, metadata } = object as RawPod;
  const conditions = (status?.['conditions'] ?? []) as readonly { readonly type: string; readonly status: string }[];
  return metadata?.['deletionTimestamp'] === undefined && conditions.some(({ type, status: is }) => type === 'Ready' && is === 'True');
}
