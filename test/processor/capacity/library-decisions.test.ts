/**
 * What the libraries of Kubernetes 1.34.2 do with generated workloads, from admission to the chosen node (test/recordings/scheduling/README.md):
 * defaults, LimitRanges, quotas with scopes, volumes, resizes, and the scores.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import type { KubeObject, Node, Pod, ProjectedObject, Resource, ResourceQuota } from '../../../collector/objects.ts';
import { admitPod } from '../../../processor/capacity/admission.ts';
import { readBudgets } from '../../../processor/capacity/disruption-budget.ts';
import { assume, createCycle, firstFailuresOn } from '../../../processor/capacity/filters.ts';
import { podFacts } from '../../../processor/capacity/pod-facts.ts';
import { createQuotaLedger } from '../../../processor/capacity/quota.ts';
import { schedulePods } from '../../../processor/capacity/schedule.ts';
import type { SchedulingCluster } from '../../../processor/capacity/scheduling-state.ts';
import { createScorer } from '../../../processor/capacity/score.ts';
import type { WorkloadPlan } from '../../../processor/capacity/workload.ts';
import { planWorkload } from '../../../processor/capacity/workload.ts';
import { clusterOf, stateOf } from '../../helpers/capacity.ts';

interface Decision {
  readonly id: string;
  readonly nodes: readonly Node[];
  readonly pods: readonly Pod[];
  readonly quotas: readonly ResourceQuota[];
  readonly objects: readonly ProjectedObject[];
  readonly workload: KubeObject;
  /** `rejected`: why the first replica that was not created was refused. `placed`: the nodes, in order. */
  readonly result: { readonly scheduled: number; readonly rejected: string; readonly reasons: string; readonly placed: readonly string[] };
}

const RESOURCES: Readonly<Record<string, Resource>> = {
  Namespace: 'namespaces',
  PersistentVolume: 'persistentvolumes',
  PersistentVolumeClaim: 'persistentvolumeclaims',
  StorageClass: 'storageclasses',
  CSINode: 'csinodes',
  LimitRange: 'limitranges',
  PriorityClass: 'priorityclasses',
};

const decisions = gunzipSync(readFileSync(new URL('../../recordings/scheduling/library.ndjson.gz', import.meta.url)))
  .toString('utf8')
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => JSON.parse(line) as Decision);

const namespaced = <T extends KubeObject>(object: T): T => ({ ...object, metadata: { ...object.metadata, namespace: object.metadata.namespace ?? '' } });

function testClusterOf({ nodes, pods, objects }: Decision) {
  const byResource: Partial<Record<Resource, ProjectedObject[]>> = {};
  for (const object of objects) {
    const resource = RESOURCES[object.kind];
    assert.ok(resource, object.kind);
    byResource[resource] = [...(byResource[resource] ?? []), namespaced(object)];
  }
  return { nodes: nodes.map(namespaced), pods, objects: byResource };
}

interface Admitted {
  readonly plan: WorkloadPlan;
  readonly pods: readonly Pod[];
  readonly rejected: string;
}

function admit({ workload, quotas, nodes }: Decision, cluster: SchedulingCluster): Admitted {
  const plan = planWorkload(namespaced(workload), 's', undefined, nodes);
  const ledger = createQuotaLedger(quotas);
  const pods: Pod[] = [];
  for (const planned of plan.pods) {
    const { pod, refusals } = admitPod(planned, cluster);
    const rejected = refusals.length > 0 ? refusals.join(', ') : (ledger.charge(pod)?.message ?? '');
    if (rejected !== '') return { plan, pods, rejected };
    pods.push(pod);
  }
  return { plan, pods, rejected: '' };
}

const reasonsOf = (message: string): string => /^0\/\d+ nodes are available: (.*)\.$/.exec(message)?.[1] ?? message;

test('agrees on the replicas created and placed, and on the reasons for the rest', () => {
  assert.equal(decisions.length, 262);
  for (const decision of decisions) {
    const cluster = testClusterOf(decision);
    const { plan, pods, rejected } = admit(decision, clusterOf(cluster));
    const { identical, spreadSelector } = plan;
    const options = { identical, spreadSelector, budgets: readBudgets(clusterOf(cluster)) };
    const { placements, message } = schedulePods(pods.map(podFacts), stateOf(cluster), options);
    const { scheduled, reasons } = decision.result;
    assert.deepEqual({ scheduled: placements.length, reasons: reasonsOf(message) }, { scheduled, reasons }, decision.id);
    assert.equal(rejected !== '', decision.result.rejected !== '', `${decision.id}: ${decision.result.rejected} | ${rejected}`);
  }
});

test('finds the node that was chosen feasible, and none better', () => {
  let choices = 0;
  for (const decision of decisions) {
    const cluster = testClusterOf(decision);
    const { plan, pods } = admit(decision, clusterOf(cluster));
    const [first] = pods;
    if (first === undefined) continue;
    const state = stateOf(cluster);
    const cycle = createCycle(podFacts(first), state);
    const scorer = createScorer(cycle, plan.spreadSelector);
    for (const [index, name] of decision.result.placed.entries()) {
      const feasible = state.nodes.filter((node) => firstFailuresOn(cycle, node).length === 0);
      const chosen = feasible.findIndex((node) => node.name === name);
      assert.ok(chosen >= 0, `${decision.id}: ${name} is not feasible for replica ${index}`);
      const scores = scorer.score(feasible);
      assert.equal(scores[chosen], Math.max(...scores), `${decision.id}: replica ${index} on ${name}`);
      if (feasible.length > 1) choices += 1;
      const pod = podFacts(pods[index]!);
      assume(cycle, pod, feasible[chosen]!);
      scorer.update(pod, feasible[chosen]!, 1);
    }
  }
  assert.ok(choices > 300, `only ${choices} choices`);
});
