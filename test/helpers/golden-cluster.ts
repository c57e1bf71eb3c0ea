/**
 * The golden case of capacity as a cluster that can be recorded, listed or collected: 12 nodes of 4c8Gi, three pods of 0.8c1.6Gi on each.
 * 1.6Gi is written 1638Mi: a fraction of a byte would round up, as the scheduler rounds.
 */
import type { Node, Pod } from '../../collector/objects.ts';
import { node, pod } from './capacity.ts';

export const GOLDEN_REQUEST = { cpu: '800m', memory: '1638Mi' };
/** The beginning of its recording, epoch ms: a whole minute. */
export const GOLDEN_START_MS = Date.parse('2026-01-15T12:00:00Z');

export const goldenNodes: readonly Node[] = Array.from({ length: 12 }, (_, index) =>
  node(`n${String(index + 1).padStart(2, '0')}`, { cpu: '4', memory: '8Gi' }, { labels: { 'node.kubernetes.io/pool': 'general' } }),
);
export const goldenPods: readonly Pod[] = goldenNodes.flatMap(({ metadata: { name } }) =>
  [1, 2, 3].map((index) => pod(`web-${name}-${index}`, GOLDEN_REQUEST, { on: name })),
);

/** What the lists of the cluster hold, by resource. */
const LISTS: Readonly<Record<string, readonly object[]>> = {
  namespaces: ['kube-system', 'shop'].map((name) => ({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name, uid: name === 'shop' ? 'ns-shop' : 'golden-uid', resourceVersion: '1' },
  })),
  nodes: goldenNodes,
  pods: goldenPods,
  ...Object.fromEntries(
    ['persistentvolumes', 'persistentvolumeclaims', 'storageclasses', 'csinodes', 'priorityclasses', 'resourcequotas', 'limitranges'].map((r) => [r, []]),
  ),
  ...Object.fromEntries(['poddisruptionbudgets', 'replicasets', 'deployments', 'statefulsets', 'daemonsets', 'jobs', 'configmaps'].map((r) => [r, []])),
};

/** The lines of a recording: all lists at once, `pods` beside those of the case, then silence until `minutes` later. */
export function goldenRecording(minutes: number, pods: readonly Pod[] = []): string[] {
  const line = (t: number, resource: string, type: string, object: unknown): string => JSON.stringify({ t, resource, type, object });
  const lists = Object.entries(LISTS).map(([resource, items]) =>
    line(GOLDEN_START_MS + 1_000, resource, 'LIST', { resourceVersion: '10', items: resource === 'pods' ? [...items, ...pods] : items }),
  );
  return [...lists, line(GOLDEN_START_MS + minutes * 60_000 + 1_000, 'pods', 'BOOKMARK', { metadata: { resourceVersion: '11' } })];
}

/** A Deployment of `replicas` pods of 2c4Gi, as YAML. */
export function bigDeployment(replicas: number): string {
  return `apiVersion: apps/v1
kind: Deployment
metadata: {name: big, namespace: shop}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app: big}}
  template:
    metadata: {labels: {app: big}}
    spec:
      containers:
        - name: app
          image: registry.example.com/shop/big:1
          resources: {requests: {cpu: "2", memory: 4Gi}}
`;
}
