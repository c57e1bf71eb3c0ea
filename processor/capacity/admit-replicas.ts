/** Admission of the replicas of a workload one after another: defaults, LimitRanges, quotas. */
import type { KubeObject, Pod } from '../../collector/objects.ts';
import { admitPod } from './admission.ts';
import type { CheckResult } from './check.ts';
import { failed, passed, unknown } from './check.ts';
import type { PodFacts } from './pod-facts.ts';
import { podFacts } from './pod-facts.ts';
import type { QuotaLedger, QuotaRefusal } from './quota.ts';
import type { OldPod } from './rollout.ts';
import { allowancesOf } from './rollout.ts';
import type { SchedulingCluster } from './scheduling-state.ts';
import type { Steps } from './steps.ts';
import type { WorkloadPlan } from './workload.ts';

export interface AdmittedReplicas {
  /** A replica as the API server would store it: the first one, or what it would be. */
  readonly sample: PodFacts;
  readonly admitted: readonly PodFacts[];
  readonly quota: CheckResult;
  readonly limits: CheckResult;
}

/** Pods admitted between two steps: a few milliseconds. */
const PODS_A_STEP = 50;

/** Admits the replicas in order; an update gives back what the old pods were charged as they go. The ledger keeps what is charged. */
export function* admitSteps(
  workload: KubeObject,
  plan: WorkloadPlan,
  old: readonly OldPod[],
  cluster: SchedulingCluster,
  ledger: QuotaLedger,
): Steps<AdmittedReplicas> {
  const total = plan.pods.length;
  let sample: Pod = emptyPod(plan);
  let [refusal, refusals]: [QuotaRefusal | undefined, readonly string[]] = [undefined, []];
  const admitted: PodFacts[] = [];
  for (const [index, planned] of plan.pods.entries()) {
    // Admission looks at the spec alone, which identical replicas share.
    const admission = plan.identical && index > 0 ? { pod: { ...planned, spec: sample.spec }, refusals } : admitPod(planned, cluster);
    if (index === 0) {
      sample = admission.pod;
      refusal = startUpdate(workload, sample, old, total, ledger);
    }
    refusals = admission.refusals;
    if (refusals.length === 0) refusal ??= ledger.charge(admission.pod);
    if (refusals.length > 0 || refusal !== undefined) break;
    admitted.push(podFacts(admission.pod));
    if (index % PODS_A_STEP === PODS_A_STEP - 1) yield;
  }
  const facts = podFacts(sample);
  if (cluster.objects === undefined) {
    return { sample: facts, admitted, quota: unknown('quota', 'quotas cannot be read'), limits: unknown('limits', 'LimitRanges cannot be read') };
  }
  return { sample: facts, admitted, quota: quotaCheck(admitted.length, total, refusal), limits: limitsCheck(refusals) };
}

function quotaCheck(admitted: number, total: number, refusal: QuotaRefusal | undefined): CheckResult {
  if (refusal === undefined) return passed('quota', `quotas allow all ${total} replicas`);
  return failed('quota', `${admitted} of ${total} replicas are created: ${refusal.message}`, quotaFix(refusal));
}

function limitsCheck(refusals: readonly string[]): CheckResult {
  const [first] = refusals;
  if (first === undefined) return passed('limits', 'within the LimitRanges of the namespace');
  return failed('limits', first, 'set requests and limits within the LimitRange', refusals);
}

/** With maxUnavailable 0 a new pod has to be admitted beside all the old ones; after that they make room for each other. */
function startUpdate(workload: KubeObject, sample: Pod, old: readonly OldPod[], total: number, ledger: QuotaLedger): QuotaRefusal | undefined {
  if (old.length === 0) return undefined;
  if (allowancesOf(workload, total).unavailable === 0) {
    const refusal = ledger.charge(sample);
    if (refusal !== undefined) return refusal;
    ledger.release(sample);
  }
  for (const { pod } of old) ledger.release(pod.pod);
  return undefined;
}

function quotaFix({ quota, message }: QuotaRefusal): string {
  return message.startsWith('failed quota')
    ? `set ${message.replace(/^.*must specify /, '')}`
    : `raise ResourceQuota ${quota}, lower the requests, or use fewer replicas`;
}

/** Stands in for a workload with no replicas at all. */
function emptyPod({ namespace, name }: WorkloadPlan): Pod {
  return {
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: { name, namespace, uid: `planned/${namespace}/${name}`, resourceVersion: '0' },
    spec: { containers: [] },
    status: {},
  };
}
