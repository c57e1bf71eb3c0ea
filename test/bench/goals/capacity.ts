/** Capacity (not in the list of goals): a report and a pre-check of a cluster at Kubernetes' limits, and the upkeep of a pod. */
import assert from 'node:assert/strict';
import { createCapacityState } from '../../../processor/capacity/capacity-state.ts';
import { readManifests } from '../../../processor/capacity/manifest.ts';
import { type PrecheckReport, precheckSteps } from '../../../processor/capacity/precheck.ts';
import { type PoolReport, reportSteps } from '../../../processor/capacity/report.ts';
import type { SchedulingCluster } from '../../../processor/capacity/scheduling-state.ts';
import { buildShape } from '../../../processor/capacity/shape.ts';
import type { Steps } from '../../../processor/capacity/steps.ts';
import { buildNode, buildPod } from '../crowd.ts';
import type { Goal } from '../goal.ts';
import { cost, cpuSeconds, PAIRS, summarize } from '../measure.ts';

const NODES = 5_000;
const PODS = 150_000;
const SHAPES = 50;

const SHAPES_BUILT = Array.from({ length: SHAPES / 2 }, (_, index) => {
  const built = buildShape({ request: { cpu: String(1 + index), memory: `${2 + 3 * index}Gi` } });
  if (!built.ok) throw new Error(built.problem.reason);
  return built.shape;
});

function largeCluster() {
  const nodes = Array.from({ length: NODES }, (_, index) => buildNode(index));
  const pods = Array.from({ length: PODS }, (_, index) => buildPod(index, PODS, NODES));
  const cluster: SchedulingCluster = {
    nodes: () => nodes,
    pods: () => pods,
    podsOnNode: () => [],
    object: () => undefined,
    inSync: () => true,
    schedulingState: () => capacity.scheduling(),
  };
  const capacity = createCapacityState(cluster);
  for (const node of nodes) capacity.setNode(node);
  for (const pod of pods) capacity.setPod(pod);
  return { capacity, pods, cluster };
}

interface Taken<T> {
  readonly seconds: number;
  readonly longest: number;
  readonly value: T;
}

/** CPU seconds of all steps and of the longest of them: what others on the machine take away is not counted. */
function take<T>(steps: Steps<T>): Taken<T> {
  const startSeconds = cpuSeconds();
  let longest = 0;
  for (;;) {
    const from = cpuSeconds();
    const next = steps.next();
    longest = Math.max(longest, cpuSeconds() - from);
    if (next.done === true) return { seconds: cpuSeconds() - startSeconds, longest, value: next.value };
  }
}

function report({ capacity }: ReturnType<typeof largeCluster>): Taken<readonly PoolReport[]> {
  return take(reportSteps(capacity.scheduling(), { shapes: SHAPES_BUILT, requestedShapes: SHAPES / 2 }));
}

/** Ten replicas that fit, and three that fit nowhere, so that moves are searched for. */
function precheck({ cluster }: ReturnType<typeof largeCluster>): Taken<PrecheckReport> {
  const workload = (name: string, replicas: number, requests: Readonly<Record<string, string>>) => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'ns-1' },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'app', image: 'registry.example/app:1', resources: { requests } }] } },
    },
  });
  const manifests = readManifests([workload('small', 10, { cpu: '1', memory: '1Gi' }), workload('large', 3, { cpu: '31', memory: '100Gi' })]);
  return take(precheckSteps(manifests, cluster));
}

const UPKEEP_CHANGES = 100_000;

export const capacity: Goal = {
  number: 21,
  title: 'capacity',
  async run() {
    const large = largeCluster();
    const first = report(large);
    const again = Array.from({ length: PAIRS }, () => report(large));
    for (const { value } of again) assert.deepEqual(value, first.value);
    const shapes = first.value.flatMap((pool) => pool.shapes);
    assert.equal(first.value[0]?.shapes.length, SHAPES);
    assert.ok(shapes.every(({ k, kStar, phi }) => k <= kStar && phi >= 0 && phi <= 1));
    const asked = Array.from({ length: PAIRS }, () => precheck(large));
    for (const { value } of asked) assert.deepEqual([value.workloads[0]?.placed, value.workloads[1]?.placed], [10, 0]);
    const upkeep = await cost(() => {
      for (const pod of large.pods.slice(0, UPKEEP_CHANGES)) large.capacity.setPod({ ...pod, status: { phase: 'Running', startTime: 'x' } });
    });
    const comingAndGoing = await cost(() => {
      for (let index = 0; index < UPKEEP_CHANGES; index += 1) {
        const pod = buildPod(PODS + index, PODS, NODES);
        large.capacity.setPod(pod);
        large.capacity.removePod(pod.metadata.uid);
      }
    });
    const name = `${NODES} nodes, ${PODS} pods, ${SHAPES} shapes`;
    return {
      figures: [
        { what: `report of ${name}: the first`, value: summarize([first.seconds]), target: { below: 1.5 }, unit: ' s' },
        { what: `report of ${name}: the next`, value: summarize(again.map(({ seconds }) => seconds)), target: { below: 1.5 }, unit: ' s' },
        { what: 'its longest step', value: summarize([first, ...again].map(({ longest }) => longest * 1_000)), target: { below: 50 }, unit: ' ms' },
        { what: 'a pre-check of the same cluster, two workloads', value: summarize(asked.map(({ seconds }) => seconds)), unit: ' s' },
        { what: 'its longest step', value: summarize(asked.map(({ longest }) => longest * 1_000)), target: { below: 50 }, unit: ' ms' },
        { what: 'upkeep for a pod that comes and goes', value: summarize([(comingAndGoing / UPKEEP_CHANGES) * 1_000_000]), target: { below: 20 }, unit: ' µs' },
        { what: 'upkeep for a changed status of a pod', value: summarize([(upkeep / UPKEEP_CHANGES) * 1_000_000]), target: { below: 10 }, unit: ' µs' },
      ],
      checked: `every report the same, K ≤ K* and phi within 0 and 1 for all ${shapes.length} shapes of pools`,
      scaled: 'not scaled; CPU time instead of time',
      profiled: () => report(large),
    };
  },
};
