/**
 * The pre-check: would these manifests run on this cluster, and if not, why and what would help. Pure: the caller brings the cluster's
 * objects and what podtrail remembers of the fleet.
 */
import type { KubeObject, Node, Pod, ProjectedObject, Resource, ResourceQuota } from '../../collector/objects.ts';
import { admitSteps } from './admit-replicas.ts';
import { buildStateSteps } from './capacity-state.ts';
import type { CheckResult, CheckStatus } from './check.ts';
import { CHECKS, failed, passed, unknown, worstOf } from './check.ts';
import { readBudgets } from './disruption-budget.ts';
import { createCycle } from './filters.ts';
import type { TemplateReference } from './foreign-templates.ts';
import { templateReference } from './foreign-templates.ts';
import { checkFilters, checkFit, collectFailures } from './fit-checks.ts';
import type { Knowledge } from './history-checks.ts';
import { checkClusterHealth, checkContainerHistory, checkImageHistory } from './history-checks.ts';
import type { ManifestProblem, Manifests } from './manifest.ts';
import { withManifestsSteps } from './manifest-overlay.ts';
import { checkParameters } from './parameter-checks.ts';
import type { PodFacts } from './pod-facts.ts';
import { podFacts } from './pod-facts.ts';
import type { QuotaLedger } from './quota.ts';
import { createQuotaLedger } from './quota.ts';
import { compareText, fieldsOf, integerOf } from './reading.ts';
import { referencesOf } from './references.ts';
import { remedySteps } from './remedy.ts';
import { podsOfWorkload, rollOutSteps, runsBeside } from './rollout.ts';
import type { Schedule } from './schedule.ts';
import { scheduleSteps } from './schedule.ts';
import type { SchedulingCluster, SchedulingState } from './scheduling-state.ts';
import { startupTimes } from './startup-times.ts';
import type { Steps } from './steps.ts';
import { finish, visitSteps } from './steps.ts';
import type { WorkloadPlan } from './workload.ts';
import { MAX_REPLICAS, planWorkload } from './workload.ts';

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
  const named = manifests.workloads.map((workload) => ({ workload, namespace: workload.metadata.namespace || namespace }));
  const wanted = named.map((each) => ({ ...each, workload: withTemplate(each.workload, each.namespace, named, cluster) }));
  const overlaid = yield* withManifestsSteps(cluster, manifests.others, wanted, { namespace, replicas: options.replicas });
  const state = yield* buildStateSteps(overlaid);
  yield;
  const ledgers = createLedgers(overlaid);
  const workloads: WorkloadVerdict[] = [];
  let left = MAX_PODS;
  for (const { workload, namespace: own } of wanted) {
    const limit = Math.min(left, MAX_REPLICAS);
    const verdict = yield* checkWorkload(workload, own, { state, knowledge, options, ledger: ledgers(own), limit });
    left -= Math.min(limit, verdict.replicas);
    workloads.push(verdict);
  }
  // Where nothing makes pods, nothing was checked.
  const checked = workloads.length === 0 ? 'unknown' : worstOf(workloads.map((each) => each.status));
  const status = manifests.problems.length > 0 ? 'fail' : checked;
  return { status, workloads, problems: manifests.problems };
}

/** Pods of all workloads together that are placed one by one: more are `unknown`. Manifests are untrusted. */
const MAX_PODS = 20_000;

/** Node checks of the remedy of one workload: some tenths of a second. */
const MAX_CHECKS = 100_000;

interface WantedWorkload {
  readonly workload: KubeObject;
  readonly namespace: string;
}

/** With the template of the workload it refers to, by the manifests, else by the cluster; unchanged where that is not known. */
function withTemplate(workload: KubeObject, namespace: string, named: readonly WantedWorkload[], cluster: SchedulingCluster): KubeObject {
  const reference = templateReference(workload);
  if (reference === undefined) return workload;
  const isReferred = (each: WantedWorkload): boolean =>
    each.namespace === namespace && each.workload.kind === reference.kind && each.workload.metadata.name === reference.name;
  const referred = named.find(isReferred)?.workload ?? storedWorkload(reference, namespace, cluster);
  const spec = fieldsOf(fieldsOf(referred)?.['spec']);
  if (spec?.['template'] === undefined) return workload;
  return { ...workload, spec: { selector: spec['selector'], ...fieldsOf(fieldsOf(workload)?.['spec']), template: spec['template'] } } as KubeObject;
}

function storedWorkload({ kind, name }: TemplateReference, namespace: string, cluster: SchedulingCluster): ProjectedObject | undefined {
  const resources: Readonly<Partial<Record<string, Resource>>> = { Deployment: 'deployments', ReplicaSet: 'replicasets' };
  const resource = Object.hasOwn(resources, kind) ? resources[kind] : undefined;
  return resource === undefined ? undefined : cluster.object(resource, namespace, name);
}

interface Context {
  readonly state: SchedulingState;
  readonly knowledge: Knowledge;
  readonly options: PrecheckOptions;
  readonly ledger: QuotaLedger;
  /** Pods that may still be planned. */
  readonly limit: number;
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
  const reference = templateReference(workload);
  if (reference !== undefined) return withoutTemplate(workload, namespace, reference);
  const plan = planWorkload(workload, namespace, options.replicas, daemonNodes(workload, namespace, state), context.limit);
  const running = podsOfWorkload(plan.kind, namespace, plan.name, state);
  const old = runsBeside(workload) ? [] : running;
  yield;
  const admission = yield* admitSteps(workload, plan, old, state.cluster, context.ledger);
  yield;
  const { sample } = admission;
  const cycle = createCycle(sample, state);
  yield;
  const before = collectFailures(cycle);
  yield;
  const scheduleOptions = { identical: plan.identical, spreadSelector: plan.spreadSelector, budgets: readBudgets(state.cluster) };
  const pods = yield* ungatedSteps(admission.admitted);
  const schedule = yield* old.length === 0 ? scheduleSteps(pods, state, scheduleOptions) : rollOutSteps(workload, pods, old, state, scheduleOptions);
  const [pending] = schedule.pending;
  const after = pending === undefined ? [] : collectFailures(createCycle(pending, state));
  yield;
  const remedy = pending === undefined ? undefined : yield* remedySteps(pending.pod, state, { copies: schedule.pending.length, maxChecks: MAX_CHECKS });
  const past = knowledge.containerPast?.(plan.kind, namespace, plan.name);
  const startupMs = startupTimes(running.map(({ pod }) => pod));
  const checks = [
    checkFit(schedule, { replicas: admission.admitted.length, unplanned: plan.desired - plan.pods.length }, pending ?? sample, remedy),
    admission.quota,
    admission.limits,
    ...checkFilters(before, after, sample),
    checkReferences(sample.pod, state.cluster),
    checkParameters(plan.pods[0] ?? sample.pod, startupMs),
    checkImageHistory(sample.pod, knowledge),
    checkContainerHistory(sample.pod, past),
    checkClusterHealth(namespace, state, knowledge),
  ];
  return describe(plan, schedule, checks, running.length > 0);
}

/** As they are scheduled once their gates are gone; the check of parameters names the gates. */
function* ungatedSteps(pods: readonly PodFacts[]): Steps<readonly PodFacts[]> {
  if (pods[0]?.pod.spec.schedulingGates === undefined) return pods;
  const ungated: PodFacts[] = [];
  yield* visitSteps(pods, 50, ({ pod }) => {
    const { schedulingGates: _gates, ...spec } = pod.spec;
    ungated.push(podFacts({ ...pod, spec }));
  });
  return ungated;
}

/** Nothing can be said of pods whose template stands in an object that nobody knows. */
function withoutTemplate({ kind, metadata, ...workload }: KubeObject, namespace: string, reference: TemplateReference): WorkloadVerdict {
  const reason = `its pods have the template of ${reference.kind} ${namespace}/${reference.name}, which is neither in the manifests nor in the cluster`;
  const replicas = integerOf(fieldsOf((workload as { readonly spec?: unknown }).spec)?.['replicas']) ?? 1;
  const checks = CHECKS.map((check) => unknown(check, reason));
  return { kind, namespace, name: metadata.name, update: false, replicas, placed: 0, placements: [], message: '', nodes: [], status: 'unknown', checks };
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
