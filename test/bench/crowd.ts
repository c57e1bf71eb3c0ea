/** Made clusters: nodes and pods as many as wanted, alone or around a recorded cluster, so that it is as large as its churn says. */
import type { ChangeRecord } from '../../collector/change-record.ts';
import { encodeChangeRecord } from '../../collector/change-record.ts';
import type { Node, Pod, ProjectedObject } from '../../collector/objects.ts';
import type { Cluster } from './fleet.ts';

const POOLS = 5;
const nodeName = (index: number): string => `n${String(index).padStart(5, '0')}`;

export function buildNode(index: number): Node {
  const labels = { 'kubernetes.io/hostname': `n${index}`, 'karpenter.sh/nodepool': `pool-${index % POOLS}`, 'topology.kubernetes.io/zone': `z${index % 3}` };
  return {
    kind: 'Node',
    apiVersion: 'v1',
    metadata: { name: nodeName(index), namespace: '', uid: `node-${index}`, resourceVersion: '1', labels },
    spec: {},
    status: { allocatable: { cpu: '32', memory: '128Gi', pods: '110', 'ephemeral-storage': '100Gi' }, conditions: [{ type: 'Ready', status: 'True' }] },
  };
}

const REPLICAS = 60;

/** One of `pods` on `nodes`: of 391 requests, and a tenth of the workloads keep their replicas on nodes apart. */
export function buildPod(index: number, pods: number, nodes: number): Pod {
  const workload = index % Math.ceil(pods / REPLICAS);
  const requests = { cpu: `${100 + (workload % 23) * 70}m`, memory: `${256 + (workload % 17) * 150}Mi` };
  const antiAffinity = {
    requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { app: `w${workload}` } } }],
  };
  return {
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: {
      name: `w${workload}-${index}`,
      namespace: `ns-${workload % 100}`,
      uid: `pod-${index}`,
      resourceVersion: '1',
      labels: { app: `w${workload}` },
      ownerReferences: [{ kind: 'ReplicaSet', name: `w${workload}`, uid: `rs-${workload}`, controller: true }],
    },
    spec: {
      nodeName: nodeName((index * 7) % nodes),
      containers: [{ name: 'app', image: 'registry.example/app:1', resources: { requests } }],
      ...(workload % 10 === 0 ? { affinity: { podAntiAffinity: antiAffinity } } : {}),
    },
    status: { phase: 'Running' },
  };
}

/**
 * Kubernetes at its limits, kubernetes/community sig-scalability: 5,000 nodes with 30 pods each (configs-and-limits/thresholds.md), of
 * which at most 20 may change a second for its objectives to hold (slos/slos.md). A cluster that changes less has more nodes for each change.
 */
const [PODS_A_NODE, CHANGED_A_SECOND_AND_NODE] = [30, 20 / 5_000];

/** A recorded cluster among so many nodes and pods that nothing happens to as make its churn the most that Kubernetes promises to bear. */
export function crowded({ records }: Cluster): { readonly nodes: number; readonly bytes: readonly Buffer[] } {
  const seconds = ((records.at(-1)?.t ?? 0) - (records[0]?.t ?? 0)) / 1_000;
  const created = records.filter((record) => record.type === 'ADDED' && record.resource === 'pods').length;
  const nodes = Math.ceil(created / seconds / CHANGED_A_SECOND_AND_NODE);
  const pods = nodes * PODS_A_NODE;
  const more: Partial<Record<string, readonly ProjectedObject[]>> = {
    nodes: Array.from({ length: nodes }, (_, index) => buildNode(index)),
    pods: Array.from({ length: pods }, (_, index) => buildPod(index, pods, nodes)),
  };
  return { nodes, bytes: records.flatMap((record) => withListed(record, 'resource' in record ? more[record.resource] : undefined)).map(encodeChangeRecord) };
}

/** The record of a session that lists these objects too, after its own. */
function withListed(record: ChangeRecord, more: readonly ProjectedObject[] | undefined): readonly ChangeRecord[] {
  if (more === undefined || !('seq' in record)) return [record];
  if (record.type === 'SNAPSHOT_BEGIN' || record.type === 'LISTED') return [record];
  const moved = { ...record, seq: record.seq + more.length };
  if (moved.type !== 'SNAPSHOT_END') return [moved];
  const { v, cluster, run, t, session, resource, scope, seq } = record;
  const listed = more.map((object, index): ChangeRecord => {
    const { uid, resourceVersion } = object.metadata;
    return { v, cluster, run, t, session, resource, scope, seq: seq + index, type: 'LISTED', uid, rv: resourceVersion, object };
  });
  return [...listed, { ...moved, count: moved.count + more.length }];
}
