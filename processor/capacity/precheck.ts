/**
 * The pre-check: would these manifests run on this cluster, and if not, why and what would help. Pure: the caller brings the cluster's
 * objects and what podtrail remembers of the fleet.
 */
import type { KubeObject, Node, Pod, ResourceQuota } from '../../collector/objects.ts';
import { admitPod } from './admission.ts';
import { buildStateSteps } from './capacity-state.ts';
import type { CheckResult, CheckStatus } from './check.ts';
import { CHECKS, failed, passed, unknown, worstOf } from './check.ts';
import { readBudgets } from './disruption-budget.ts';
import { createCycle } from './filters.ts';
import { checkFilters, checkFit, collectFailures } from './fit-checks.ts';
import type { Knowledge } from './history-checks.ts';
import { checkClusterHealth, checkContainerHistory, checkImageHistory } from './history-checks.ts';
import type { ManifestProblem, Manifests } from './manifest.ts';
import { withManifests } from './manifest-overlay.ts';
import { checkParameters } from './parameter-checks.ts';
import { podFacts } from './pod-facts.ts';
import type { QuotaLedger, QuotaRefusal } from './quota.ts';
import { createQuotaLedger } from './quota.ts';
import { compareText, fieldsOf } from './reading.ts';
import { referencesOf } from './references.ts';
import { remedySteps } from './remedy.ts';
import type { OldPod } from './rollout.ts';
import { allowancesOf, podsOfWorkload, rollOutSteps } from './rollout.ts';
import type { Schedule } from './schedule.ts';
import { scheduleSteps } from './schedule.ts';
import type { SchedulingCluster, SchedulingState } from './scheduling-state.ts';
import { startupTimes } from './startup-times.ts';
import type { Steps } from './steps.ts';
import { finish } from './steps.ts';
import type { WorkloadPlan } from './workload.ts';
import { planWorkload } from './workload.ts';

export interface PrecheckOptions {
  /** Overrides the replicas of every workload, ≥ 0; more than MAX_REPLICAS of workload.ts are not placed one by one. */
  readonly replicas?: number;
  /** For objects that name none; default `default`. */
  readonly namespace?: string;
}

export interface WorkloadVerdict {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** The workload exists already, so this is an update of it. */
  readonly update: boolean;
  readonly replicas: number;
  readonly placed: number;
  readonly placements: readonly { readonly node: string; readonly replicas: number }[];
  /** What kube-scheduler would print about a pending replica; '' if none is pending. */
  readonly message: string;
  /** Why each node refuses a pending replica: the reasons of its first failing filter. Empty if none is pending. */
  readonly nodes: readonly { readonly node: string; readonly reasons: readonly string[] }[];
  readonly status: CheckStatus;
  /** One for each of CHECKS, in that order. */
  readonly checks: readonly CheckResult[];
}

export interface PrecheckReport {
  /** The gravest of all; `fail` where a manifest is unusable. */
  readonly status: CheckStatus;
  readonly workloads: readonly WorkloadVerdict[];
  /** Not empty: the manifests cannot be used as they are (exit code 3). */
  readonly problems: readonly ManifestProblem[];
}

/** Runs all checks. Workloads are placed one after another, so a later one sees the earlier. */
export function runPrecheck(manifests: Manifests, cluster: SchedulingCluster, knowledge: Knowledge = {}, options: PrecheckOptions = {}): PrecheckReport {
  return finish(precheckSteps(manifests, cluster, knowledge, options));
}

/** As runPrecheck, in steps of a few milliseconds. */
export function* precheckSteps(
  manifests: Manifests,
  cluster: SchedulingCluster,
  knowledge: Knowledge = {},
  options: PrecheckOptions = {},
): Steps<PrecheckReport> {
  const namespace = options.namespace ?? 'default';
  const planned = manifests.workloads.map((workload) => ({ workload, namespace: workload.metadata.namespace || namespace }));
  const overlaid = withManifests(cluster, manifests.others, planned, { namespace, replicas: options.replicas });
  const state = yield* buildStateSteps(overlaid);
  yield;
  const ledgers = createLedgers(overlaid);
  const workloads: WorkloadVerdict[] = [];
  for (const each of planned) {
    workloads.push(yield* checkWorkload(each.workload, each.namespace, { state, knowledge, options, ledger: ledgers(each.namespace) }));
  }
  // Where nothing makes pods, nothing was checked.
  const checked = workloads.length === 0 ? 'unknown' : worstOf(workloads.map((each) => each.status));
  const status = manifests.problems.length > 0 ? 'fail' : checked;
  return { status, workloads, problems: manifests.problems };
}

interface Context {
  readonly state: SchedulingState;
  readonly knowledge: Knowledge;
  readonly options: PrecheckOptions;
  readonly ledger: QuotaLedger;
}

/** One ledger a namespace, opened at first use. */
function createLedgers(cluster: SchedulingCluster): (namespace: string) => QuotaLedger {
  const ledgers = new Map<string, QuotaLedger>();
  return (namespace) => {
    const known = ledgers.get(namespace);
    if (known !== undefined) return known;
    const quotas = [...(cluster.objects?.('resourcequotas') ?? [])].filter((quota) => quota.metadata.namespace === namespace) as ResourceQuota[];
    const ledger = createQuotaLedger(quotas);
    ledgers.set(namespace, ledger);
    return ledger;
  };
}

function* checkWorkload(workload: KubeObject, namespace: string, context: Context): Steps<WorkloadVerdict> {
  const { state, knowledge, options } = context;
  const plan = planWorkload(workload, namespace, options.replicas, daemonNodes(workload, namespace, state));
  const old = podsOfWorkload(plan.kind, namespace, plan.name, state);
  yield;
  const admission = admitAll(workload, plan, old, context);
  yield;
  const sample = podFacts(admission.sample);
  const cycle = createCycle(sample, state);
  yield;
  const before = collectFailures(cycle);
  yield;
  const scheduleOptions = { identical: plan.identical, spreadSelector: plan.spreadSelector, budgets: readBudgets(state.cluster) };
  const pods = admission.admitted.map(podFacts);
  const schedule = yield* old.length === 0 ? scheduleSteps(pods, state, scheduleOptions) : rollOutSteps(workload, pods, old, state, scheduleOptions);
  const [pending] = schedule.pending;
  const after = pending === undefined ? [] : collectFailures(createCycle(pending, state));
  yield;
  const remedy = pending === undefined ? undefined : yield* remedySteps(pending.pod, state, { copies: schedule.pending.length });
  const past = knowledge.containerPast?.(plan.kind, namespace, plan.name);
  const startupMs = startupTimes(old.map(({ pod }) => pod));
  const checks = [
    checkFit(schedule, { replicas: admission.admitted.length, unplanned: plan.desired - plan.pods.length }, pending ?? sample, remedy),
    admission.quota,
    admission.limits,
    ...checkFilters(before, after, sample),
    checkReferences(admission.sample, state.cluster),
    checkParameters(plan.pods[0] ?? admission.sample, startupMs),
    checkImageHistory(admission.sample, knowledge),
    checkContainerHistory(admission.sample, past),
    checkClusterHealth(namespace, state, knowledge),
  ];
  return describe(plan, schedule, checks, old.length > 0);
}

function describe(plan: WorkloadPlan, schedule: Schedule, checks: readonly CheckResult[], update: boolean): WorkloadVerdict {
  const counts = new Map<string, number>();
  for (const { node } of schedule.placements) counts.set(node.name, (counts.get(node.name) ?? 0) + 1);
  const nodes = [...schedule.failures].map(([node, failures]) => ({ node, reasons: failures.map(({ reason }) => reason) }));
  return {
    kind: plan.kind,
    namespace: plan.namespace,
    name: plan.name,
    update,
    replicas: plan.desired,
    placed: schedule.placements.length,
    placements: [...counts].sort(([a], [b]) => compareText(a, b)).map(([node, replicas]) => ({ node, replicas })),
    message: schedule.message,
    nodes,
    status: worstOf(checks.map(({ status }) => status)),
    checks: CHECKS.flatMap((check) => checks.filter((each) => each.check === check)),
  };
}

/** A DaemonSet has a pod on each node that its selector, affinity and tolerations allow. */
function daemonNodes(workload: KubeObject, namespace: string, state: SchedulingState): readonly Node[] {
  if (workload.kind !== 'DaemonSet') return [];
  return state.nodes.flatMap(({ node }) => {
    const [pod] = planWorkload(workload, namespace, undefined, [node]).pods;
    if (pod === undefined) return [];
    // The controller asks the template's own affinity, which its pods no longer carry.
    const spec = {
      ...pod.spec,
      affinity: fieldsOf(fieldsOf(fieldsOf(fieldsOf(workload)?.['spec'])?.['template'])?.['spec'])?.['affinity'] as Pod['spec']['affinity'],
    };
    const cycle = createCycle(podFacts({ ...pod, spec }), state);
    const own = state.byName.get(node.metadata.name);
    const asked = cycle.filters.filter(({ plugin }) => plugin === 'NodeName' || plugin === 'NodeAffinity' || plugin === 'TaintToleration');
    return own !== undefined && asked.every((filter) => filter.check(own).length === 0) ? [node] : [];
  });
}

interface AdmissionOutcome {
  /** A replica as the API server would store it: the first one, or what it would be. */
  readonly sample: Pod;
  readonly admitted: readonly Pod[];
  readonly quota: CheckResult;
  readonly limits: CheckResult;
}

/** Admission of the replicas in order; an update gives back what the old pods were charged as they go. */
function admitAll(workload: KubeObject, plan: WorkloadPlan, old: readonly OldPod[], { state, ledger }: Context): AdmissionOutcome {
  const total = plan.pods.length;
  let sample: Pod = emptyPod(plan);
  let [refusal, refusals]: [QuotaRefusal | undefined, readonly string[]] = [undefined, []];
  const admitted: Pod[] = [];
  for (const [index, planned] of plan.pods.entries()) {
    const admission = admitPod(planned, state.cluster);
    if (index === 0) {
      sample = admission.pod;
      refusal = startUpdate(workload, sample, old, total, ledger);
    }
    refusals = admission.refusals;
    if (refusals.length === 0) refusal ??= ledger.charge(admission.pod);
    if (refusals.length > 0 || refusal !== undefined) break;
    admitted.push(admission.pod);
  }
  if (state.cluster.objects === undefined) {
    return { sample, admitted, quota: unknown('quota', 'quotas cannot be read'), limits: unknown('limits', 'LimitRanges cannot be read') };
  }
  const [first] = refusals;
  return {
    sample,
    admitted,
    quota:
      refusal === undefined
        ? passed('quota', `quotas allow all ${total} replicas`)
        : failed('quota', `${admitted.length} of ${total} replicas are created: ${refusal.message}`, quotaFix(refusal)),
    limits:
      first === undefined
        ? passed('limits', 'within the LimitRanges of the namespace')
        : failed('limits', first, 'set requests and limits within the LimitRange', refusals),
  };
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

/** Whether what the pod refers to exists; only names are known, and those only where they are collected. */
function checkReferences(pod: Pod, cluster: SchedulingCluster): CheckResult {
  const references = referencesOf(pod);
  const [missing, unseen]: [string[], string[]] = [[], []];
  for (const { resource, name, path } of references) {
    const line = `${resource} ${pod.metadata.namespace}/${name} (${path})`;
    if (cluster.object(resource, pod.metadata.namespace, name) !== undefined || (name === 'default' && resource === 'serviceaccounts')) continue;
    (cluster.inSync(resource) ? missing : unseen).push(line);
  }
  if (missing.length > 0)
    return failed('references', `${missing.length} objects do not exist: ${missing[0]}`, 'create them, or mark the reference optional', missing);
  if (unseen.length > 0) return unknown('references', `${unseen.length} objects may exist, podtrail may not look`, unseen);
  return passed('references', references.length === 0 ? 'refers to no other object' : `all ${references.length} objects exist`);
}
