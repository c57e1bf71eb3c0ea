/** Which pool a node belongs to: the value of the first label that it carries of a configured list. */
import type { Node } from '../../collector/objects.ts';
import { labelOf } from './selectors.ts';

/** The pool of nodes that carry none of the labels. */
export const DEFAULT_POOL = 'default';

/** Node pool labels that clouds and provisioners set, most specific first; each from its vendor's documentation of managed nodes. */
export const DEFAULT_POOL_LABELS: readonly string[] = [
  'karpenter.sh/nodepool',
  'karpenter.sh/provisioner-name',
  'eks.amazonaws.com/nodegroup',
  'alpha.eksctl.io/nodegroup-name',
  'cloud.google.com/gke-nodepool',
  'kubernetes.azure.com/agentpool',
  'agentpool',
  'alibabacloud.com/nodepool-id',
  'node.alibabacloud.com/nodepool-id',
  'tke.cloud.tencent.com/nodepool-id',
  'cce.cloud.com/cce-nodepool',
  'machine.cluster.vke.volcengine.com/node-pool-id',
  'doks.digitalocean.com/node-pool',
  'lke.linode.com/pool-id',
  'k8s.scaleway.com/pool-name',
  'ibm-cloud.kubernetes.io/worker-pool-name',
  'oke.oraclecloud.com/pool.name',
  'kops.k8s.io/instancegroup',
  'node.kubernetes.io/pool',
];

const known = new WeakMap<readonly string[], WeakMap<Node, string>>();

/** Kept with the node: objects are never changed in place, and a sample asks for every node. */
export function poolOf(node: Node, labels: readonly string[] = DEFAULT_POOL_LABELS): string {
  const pools = known.get(labels) ?? new WeakMap<Node, string>();
  known.set(labels, pools);
  const pool = pools.get(node) ?? findPool(node, labels);
  pools.set(node, pool);
  return pool;
}

function findPool(node: Node, labels: readonly string[]): string {
  for (const label of labels) {
    const value = labelOf(node.metadata.labels, label);
    if (value !== undefined && value !== '') return value;
  }
  return DEFAULT_POOL;
}
