/**
 * Bench of capacity reports: 5 000 nodes in 5 pools, 150 000 pods of 2 500 workloads, 50 shapes. Prints a table; asserts nothing.
 * Run: node --import tsx test/bench/capacity.ts
 */
import type { Node, Pod } from '../../collector/objects.ts';
import { createCapacityState } from '../../processor/capacity/capacity-state.ts';
import { diagnose } from '../../processor/capacity/diagnose.ts';
import { findRemedy } from '../../processor/capacity/remedy.ts';
import { reportSteps } from '../../processor/capacity/report.ts';
import type { SchedulingCluster } from '../../processor/capacity/scheduling-state.ts';
import { buildShape } from '../../processor/capacity/shape.ts';

const NODES = 5_000;
const PODS = 150_000;
const SHAPES = 50;
const POOLS = 5;

function buildNode(index: number): Node {
  const labels = { 'kubernetes.io/hostname': `n${index}`, 'karpenter.sh/nodepool': `pool-${index % POOLS}`, 'topology.kubernetes.io/zone': `z${index % 3}` };
  return {
    kind: 'Node',
    apiVersion: 'v1',
    metadata: { name: `n${String(index).padStart(5, '0')}`, namespace: '', uid: `node-${index}`, resourceVersion: '1', labels },
    spec: {},
    status: { allocatable: { cpu: '32', memory: '128Gi', pods: '110', 'ephemeral-storage': '100Gi' }, conditions: [{ type: 'Ready', status: 'True' }] },
  };
}

function buildPod(index: number): Pod {
  const workload = index % 2_500;
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
      nodeName: `n${String((index * 7) % NODES).padStart(5, '0')}`,
      containers: [{ name: 'app', image: 'registry.example/app:1', resources: { requests } }],
      ...(workload % 10 === 0 ? { affinity: { podAntiAffinity: antiAffinity } } : {}),
    },
    status: { phase: 'Running' },
  };
}

const rows: { readonly what: string; readonly ms: string; readonly longestStepMs: string }[] = [];
function time<T>(what: string, run: () => T): T {
  const start = performance.now();
  const result = run();
  rows.push({ what, ms: (performance.now() - start).toFixed(1), longestStepMs: '' });
  return result;
}

const nodes = Array.from({ length: NODES }, (_, index) => buildNode(index));
const pods = Array.from({ length: PODS }, (_, index) => buildPod(index));
const shapes = Array.from({ length: SHAPES / 2 }, (_, index) => {
  const built = buildShape({ request: { cpu: String(1 + index), memory: `${2 + 3 * index}Gi` } });
  if (!built.ok) throw new Error(built.problem.reason);
  return built.shape;
});
const cluster: SchedulingCluster = {
  nodes: () => nodes,
  pods: () => pods,
  podsOnNode: () => [],
  object: () => undefined,
  inSync: () => true,
  schedulingState: () => capacity.scheduling(),
};
const capacity = createCapacityState(cluster);
time('state from nothing', () => {
  for (const node of nodes) capacity.setNode(node);
  for (const pod of pods) capacity.setPod(pod);
});

for (const what of ['report, first', 'report, again']) {
  const start = performance.now();
  const steps = reportSteps(capacity.scheduling(), { shapes, requestedShapes: SHAPES / 2 });
  let longest = 0;
  for (;;) {
    const from = performance.now();
    const step = steps.next();
    longest = Math.max(longest, performance.now() - from);
    if (step.done === true) break;
  }
  rows.push({ what, ms: (performance.now() - start).toFixed(1), longestStepMs: longest.toFixed(1) });
}

time('state checked, nothing changed', () => capacity.sync(cluster.nodes, cluster.pods));
time('100 000 changes of pods', () => {
  for (let index = 0; index < 100_000; index += 1) {
    const pod = pods[index];
    if (pod !== undefined) capacity.setPod({ ...pod, status: { phase: 'Running', startTime: 'x' } });
  }
});
const big = shapes.at(-1)?.facts.pod;
if (big !== undefined) {
  time('diagnosis of one pod', () => diagnose(big, cluster));
  const stateless = { ...cluster, schedulingState: undefined };
  diagnose(big, stateless);
  time('diagnosis of one pod, state checked for changes', () => diagnose(big, stateless));
  time('remedy for one pod', () => findRemedy(big, capacity.scheduling(), {}));
}
console.table(rows);
