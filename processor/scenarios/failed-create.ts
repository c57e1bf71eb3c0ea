/**
 * Why a controller cannot create its pods, or the controllers of its pods: read from its condition and its Events, since there is no
 * pod to ask (signals.md §2.2, §5.1). Quota belongs to scheduling_failure, every other refusal to container_create_failure.
 */
import type { Condition, Event, Workload } from '../../collector/objects.ts';
import { conditionOf, conditionTimeMs, createdMs, timeOf } from './conditions.ts';
import type { ControllerView, SeenEvent } from './scenario.ts';

/** What the API server's answer to the creation of a pod means. */
export interface Refusal {
  readonly scenario: 'scheduling_failure' | 'container_create_failure';
  readonly cause: 'quota_exceeded' | 'security_policy' | 'admission_denied' | 'rbac_forbidden' | 'missing_service_account' | 'other';
  /** `webhook_unreachable` or ''. */
  readonly detail: string;
  /** May pass by itself within moments (an object about to exist, an API server that was busy): counting refusals proves nothing. */
  readonly passing: boolean;
}

/** A controller whose latest attempt to create what it controls was refused. */
export interface FailedCreate extends Refusal {
  /** The API server's answer, without what the controller puts before it. */
  readonly message: string;
  /** Since when it fails without a success in between. */
  readonly sinceMs: number;
  /** Events that say so since then. 0 where only the condition does. */
  readonly count: number;
  readonly event: SeenEvent | undefined;
  /** The controller's own word, which stands until it succeeds. undefined: it keeps none. */
  readonly condition: Condition | undefined;
}

/** Event reasons by which a controller says that a creation was refused; that of a Deployment is about its ReplicaSet. */
export const REFUSED_REASONS: readonly string[] = ['FailedCreate', 'ReplicaSetCreateError'];

/**
 * A controller's attempts come 1,000 s apart at most (client-go, DefaultControllerRateLimiter), and at least one in 300 s of its Events
 * passes the spam filter (client-go, EventSourceObjectSpamFilter): after this long without one, ms, it is refused no more.
 */
export const SILENT_MS = 1_800_000;

/**
 * An Event by which an owner of any kind says that it was refused a pod, or the claim of one. Others use the same reason for what they
 * create: a MachineSet for machines.
 */
export function isPodRefusal({ reason, note }: Pick<Event, 'reason' | 'note'>): boolean {
  return reason === 'FailedCreate' && /^(?:\(combined from similar events\): )?Error creating: |\b(?:pods?|pvcs?|persistentvolumeclaims?)\b/i.test(note);
}

/** What a controller creates: a Deployment and a CronJob have controllers below them that create the pods. */
export function createdBy({ kind }: Workload): string {
  if (kind === 'Deployment') return 'ReplicaSets';
  return kind === 'CronJob' ? 'Jobs' : 'pods';
}

/** Refused now and still short of what it wants; undefined where it never failed, failed and went on, or is on its way out. */
export function failedCreateOf(view: ControllerView): FailedCreate | undefined {
  const { controller, events } = view;
  const condition = refusedCondition(view);
  // Most of its Events are of what went well.
  if (condition === undefined && !events.some(({ reason }) => REFUSED_REASONS.includes(reason))) return undefined;
  if (controller.metadata.deletionTimestamp !== undefined || isNamespaceEnding(view)) return undefined;
  const lastSuccessMs = lastSuccessOf(view);
  const failures = events.filter((event) => REFUSED_REASONS.includes(event.reason) && event.lastTimeMs >= lastSuccessMs);
  const event = failures.at(-1);
  if (isNameAllThatIsKnown(controller) && event !== undefined && view.nowMs - event.lastTimeMs > SILENT_MS) return undefined;
  // Its next success takes the condition away, so that its absence settles the matter where one is kept.
  if (condition === undefined && (keepsCondition(controller) || event === undefined || !isShort(controller))) return undefined;
  const message = answerOf(latestWord(condition, event));
  const refusal = classifyRefusal(message);
  if (refusal === undefined) return undefined;
  const alike = failures.filter(({ note }) => classifyRefusal(answerOf(note))?.cause === refusal.cause);
  const firstEventMs = Math.min(...alike.map(({ firstTimeMs }) => firstTimeMs));
  const sinceMs = conditionTimeMs(condition) ?? (Number.isFinite(firstEventMs) ? firstEventMs : view.nowMs);
  return { ...refusal, message, sinceMs, count: alike.reduce((sum, { count }) => sum + count, 0), event: alike.at(-1), condition };
}

/**
 * From when on the refusal is an incident: at the configured number of refusals (design §4), else once it has lasted; a count below
 * it, of a controller that keeps no condition, says nothing about the next attempt.
 */
export function refusalDueMs({ thresholds }: ControllerView, { passing, count, condition, sinceMs }: FailedCreate): number | undefined {
  const isRepeated = count >= thresholds.failedCreates;
  if (!passing && isRepeated) return sinceMs;
  return condition !== undefined || isRepeated ? sinceMs + thresholds.createMs : undefined;
}

/**
 * ReplicaFailure of what creates pods, set by pkg/controller/replicaset and replication. A Deployment copies it from its ReplicaSet,
 * which tells it itself where it is known; its own is Progressing, pkg/controller/deployment.
 */
function refusedCondition(view: ControllerView): Condition | undefined {
  const { controller } = view;
  const failure = conditionOf(controller, 'ReplicaFailure');
  const refused = failure?.status === 'True' && failure.reason !== 'FailedDelete' ? failure : undefined;
  if (controller.kind !== 'Deployment') return refused;
  const progressing = conditionOf(controller, 'Progressing');
  if (progressing?.status === 'False' && progressing.reason === 'ReplicaSetCreateError') return progressing;
  return view.inSync('replicasets') ? undefined : refused;
}

/** Clocks of the condition and the Event are the controller's own, to the second. */
const SLACK_MS = 2_000;

/** A condition keeps the words of the first refusal until the next success, so that a later Event knows better. */
function latestWord(condition: Condition | undefined, event: SeenEvent | undefined): string {
  const isStale = event === undefined || event.lastTimeMs < (conditionTimeMs(condition) ?? 0) - SLACK_MS;
  return (isStale ? undefined : event.note) ?? condition?.message ?? event?.note ?? '';
}

/** The last time it is known to have created something. */
function lastSuccessOf(view: ControllerView): number {
  const { controller, events } = view;
  const isSuccess = ({ reason, note }: SeenEvent): boolean => reason === 'SuccessfulCreate' || (reason === 'ScalingReplicaSet' && note.startsWith('Scaled up'));
  const scheduledMs = controller.kind === 'CronJob' ? timeOf(String(controller.status['lastScheduleTime'] ?? '')) : undefined;
  return Math.max(scheduledMs ?? 0, lastPodMs(view), ...events.filter(isSuccess).map(({ lastTimeMs }) => lastTimeMs));
}

/** Nobody lists its kind, or the list in hand holds its Events alone. */
function isNameAllThatIsKnown({ spec }: Workload): boolean {
  return Object.keys(spec).length === 0;
}

/** The newest pod of an owner that says no more of itself: it counts once it is younger than the refusal. */
function lastPodMs(view: ControllerView): number {
  const { uid, namespace } = view.controller.metadata;
  if (!isNameAllThatIsKnown(view.controller)) return 0;
  let newestMs = 0;
  for (const pod of view.podsIn(namespace)) {
    if (pod.metadata.ownerReferences?.some((owner) => owner.uid === uid)) newestMs = Math.max(newestMs, createdMs(pod));
  }
  return newestMs;
}

function isNamespaceEnding(view: ControllerView): boolean {
  return view.object('namespaces', '', view.controller.metadata.namespace)?.metadata.deletionTimestamp !== undefined;
}

/**
 * A ReplicaSet that is refused has ReplicaFailure, a Deployment with a progress deadline (600 s unless set otherwise) Progressing;
 * StatefulSet, DaemonSet, Job and CronJob have no such condition. Without `replicas`, which a ReplicaSet always writes, nothing is
 * known of it but its name (a list that holds its Events alone).
 */
function keepsCondition(controller: Workload): boolean {
  const { kind, status } = controller;
  if (kind === 'Deployment') return conditionOf(controller, 'Progressing') !== undefined;
  return (kind === 'ReplicaSet' || kind === 'ReplicationController') && status.replicas !== undefined;
}

/** Less exists than it wants. */
function isShort({ kind, metadata, spec, status }: Workload): boolean {
  if (spec.suspend === true) return false;
  if (kind === 'CronJob') return true;
  if (kind === 'Deployment') return (status.updatedReplicas ?? 0) < (spec.replicas ?? 1);
  if (kind === 'DaemonSet') {
    const { desiredNumberScheduled, observedGeneration = 0 } = status;
    // Refused in its first round it wrote no status at all up to 1.26, and counts of another generation say nothing of this one.
    if (desiredNumberScheduled === undefined || observedGeneration < (metadata.generation ?? 0)) return true;
    return Number(status['currentNumberScheduled'] ?? 0) < desiredNumberScheduled;
  }
  if (kind !== 'Job') return (status.replicas ?? 0) < (spec.replicas ?? 1);
  if (status.completionTime !== undefined) return false;
  if (status.conditions?.some(({ type, status: value }) => type === 'Failed' && value === 'True')) return false;
  const parallelism = spec.parallelism ?? 1;
  const left = spec.completions === undefined ? parallelism : spec.completions - (status.succeeded ?? 0);
  return (status.active ?? 0) < Math.min(parallelism, left);
}

/** Controllers and the Event correlator put their own words before the API server's answer. */
function answerOf(text: string): string {
  return text
    .replace(/^\(combined from similar events\): /, '')
    .replace(/^(?:Error creating|failed to create)(?: \w+)?: /i, '')
    .replace(/^Failed to create new replica set "[^"]*": /, '')
    .replace(/^create (?:Pod|Claim) .*? in StatefulSet \S+ failed error: /, '')
    .trim();
}

interface Meaning {
  readonly pattern: RegExp;
  readonly refusal: Refusal | undefined;
}

function refusalOf(cause: Refusal['cause'], detail = '', passing = false): Refusal {
  return { scenario: cause === 'quota_exceeded' ? 'scheduling_failure' : 'container_create_failure', cause, detail, passing };
}

/**
 * First match wins: what the admission plugins and the authorizer answer (signals.md §5.1). A webhook's own text may hold any word,
 * so webhooks come before the plugins they imitate, but after what only the policies proper say.
 */
const MEANINGS: readonly Meaning[] = [
  // A namespace on its way out takes its controllers with it.
  { pattern: /because it is being terminated|unable to create new content in namespace/i, refusal: undefined },
  { pattern: /status unknown for quota/i, refusal: refusalOf('quota_exceeded', '', true) },
  { pattern: /exceeded quota|failed quota|insufficient quota/i, refusal: refusalOf('quota_exceeded') },
  {
    // SecurityContextDeny (removed in 1.30) names nothing but the field.
    pattern:
      /violates PodSecurity|pod ?security ?policy|no providers available to validate pod|security context constraint|securitycontext\.\w+ is forbidden|SecurityContextDeny/i,
    refusal: refusalOf('security_policy'),
  },
  {
    // The last two: a webhook took all the time there is, and the ImagePolicyWebhook's backend does not answer.
    pattern: /fail(?:ed|ure)? (?:to )?call(?:ing)? (?:\S+ )?webhook|failed to complete (?:mutation|validation) in|is forbidden: Post "?https?:/i,
    refusal: refusalOf('admission_denied', 'webhook_unreachable'),
  },
  {
    pattern: /admission webhook|denied the request|denied request|admission ?policy|image policy|operation does not apply/i,
    refusal: refusalOf('admission_denied'),
  },
  {
    pattern: /user "[^"]*" cannot |cannot set (?:blockOwnerDeletion|an ownerRef)|attempting to grant RBAC|is attempting to/i,
    refusal: refusalOf('rbac_forbidden'),
  },
  {
    pattern: /service ?account.*(?:"default"|\/default(?![\w-])).*not found|no API token found for service account "default"/i,
    refusal: refusalOf('missing_service_account', '', true),
  },
  { pattern: /service ?account/i, refusal: refusalOf('missing_service_account') },
  {
    pattern:
      /already exists|object is being deleted|try again|etcdserver|timed? ?out|timeout|deadline exceeded|too many requests|connection refused|internal error/i,
    refusal: refusalOf('other', '', true),
  },
  // LimitRanger, Priority, RuntimeClass, PodNodeSelector, PodTolerationRestriction and whatever else forbids.
  { pattern: /is forbidden|usage per |priorityclass|runtimeclass|node (?:label )?selector conflicts/i, refusal: refusalOf('admission_denied') },
];

/** Total: an answer of no known plugin is `other`; undefined is an answer that means nothing is wrong. */
export function classifyRefusal(message: string): Refusal | undefined {
  const meaning = MEANINGS.find(({ pattern }) => pattern.test(message));
  return meaning === undefined ? refusalOf('other') : meaning.refusal;
}

/** The quota that an answer names. `exceeded quota: q, requested: …`, `failed quota: q: must specify …`. */
export function quotaNameOf(message: string): string | undefined {
  return /(?:exceeded|failed|unknown for) quota: ([^\s,:]+)/i.exec(message)?.[1];
}
