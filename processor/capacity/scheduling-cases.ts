/**
 * The ndjson contract of `podtrail precheck --scheduling-cases`: one case a line with `id`, `nodes`, `pods`, `quotas` and `workload`;
 * everything else, `result` above all, is ignored.
 */
import type { KubeObject, Node, Pod, ResourceQuota } from '../../collector/objects.ts';
import { admitPod } from './admission.ts';
import { buildSchedulingState } from './capacity-state.ts';
import type { Decoded } from './decode.ts';
import { decodeNodes, decodeObject, decodePods, decodeQuotas } from './decode.ts';
import { readBudgets } from './disruption-budget.ts';
import { podFacts } from './pod-facts.ts';
import { createQuotaLedger } from './quota.ts';
import { compareText, fieldsOf, textOf } from './reading.ts';
import { schedulePods } from './schedule.ts';
import type { SchedulingCluster } from './scheduling-state.ts';
import { planWorkload } from './workload.ts';

export interface SchedulingCase {
  readonly id: string;
  readonly nodes: readonly Node[];
  readonly pods: readonly Pod[];
  readonly quotas: readonly ResourceQuota[];
  readonly workload: KubeObject;
}

/** One line of output; `reasons` counts nodes by scheduler reason for the pods that stay pending, sorted by reason. */
export interface SchedulingAnswer {
  readonly id: string;
  readonly scheduled: number;
  /** A quota refused to let some replica be created. */
  readonly rejected: boolean;
  readonly reasons: Readonly<Record<string, number>>;
}

/** Decodes one line of untrusted input. Never throws. */
export function decodeSchedulingCase(line: string): Decoded<SchedulingCase> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    return { ok: false, reason: (error as Error).message };
  }
  const fields = fieldsOf(value);
  if (fields === undefined) return { ok: false, reason: 'is not an object' };
  const nodes = decodeNodes(fields['nodes'], 'nodes');
  if (!nodes.ok) return nodes;
  const pods = decodePods(fields['pods'], 'pods');
  if (!pods.ok) return pods;
  const quotas = decodeQuotas(fields['quotas'], 'quotas');
  if (!quotas.ok) return quotas;
  const workload = decodeObject(fields['workload'], 'workload');
  if (!workload.ok) return workload;
  return { ok: true, value: { id: textOf(fields['id']) ?? '', nodes: nodes.value, pods: pods.value, quotas: quotas.value, workload: workload.value } };
}

/** Says what kube-scheduler and the quota admission would do with the workload. */
export function answerSchedulingCase(input: SchedulingCase): SchedulingAnswer {
  const cluster = clusterOf(input);
  const namespace = input.workload.metadata.namespace === '' ? 'default' : input.workload.metadata.namespace;
  const plan = planWorkload(input.workload, namespace, undefined, input.nodes);
  const ledger = createQuotaLedger(input.quotas.filter((quota) => quota.metadata.namespace === namespace));
  const admitted: Pod[] = [];
  let rejected = false;
  for (const planned of plan.pods) {
    const { pod, refusals } = admitPod(planned, cluster);
    rejected = refusals.length > 0 || ledger.charge(pod) !== undefined;
    if (rejected) break; // Identical pods after a refusal are refused alike.
    admitted.push(pod);
  }
  const state = buildSchedulingState(cluster);
  const schedule = schedulePods(admitted.map(podFacts), state, {
    identical: plan.identical,
    spreadSelector: plan.spreadSelector,
    budgets: readBudgets(cluster),
  });
  const reasons = [...schedule.reasons].sort(([a], [b]) => compareText(a, b));
  return { id: input.id, scheduled: schedule.placements.length, rejected, reasons: Object.fromEntries(reasons) };
}

/** Claims, namespaces and the rest are not part of a case, so nothing is concluded from their absence. */
function clusterOf({ nodes, pods }: SchedulingCase): SchedulingCluster {
  const byNode = new Map<string, Pod[]>();
  for (const pod of pods) {
    const name = pod.spec.nodeName ?? '';
    const there = byNode.get(name);
    if (there === undefined) byNode.set(name, [pod]);
    else there.push(pod);
  }
  return {
    nodes: () => nodes,
    pods: () => pods,
    podsOnNode: (name) => byNode.get(name) ?? [],
    object: () => undefined,
    inSync: () => false,
  };
}
