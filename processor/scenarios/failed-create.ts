/**
 * Why a controller cannot create its pods: read from its ReplicaFailure condition and its FailedCreate Events, since there is no pod
 * to ask (signals.md §2.2, §5.1). Quota belongs to scheduling_failure, every other refusal to container_create_failure.
 */
import type { Workload } from '../../collector/objects.ts';
import { conditionOf, conditionTimeMs } from './conditions.ts';
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

/** A controller whose latest attempt to create a pod was refused. */
export interface FailedCreate extends Refusal {
  /** The API server's answer, without what the controller puts before it. */
  readonly message: string;
  /** Since when it fails without a success in between. */
  readonly sinceMs: number;
  /** FailedCreate Events since then. 0 where only the condition says so. */
  readonly count: number;
  readonly event: SeenEvent | undefined;
}

/** Refused now and still short of pods; undefined where it never failed, failed and went on, or is on its way out. */
export function failedCreateOf(view: ControllerView): FailedCreate | undefined {
  const { controller, events } = view;
  if (controller.metadata.deletionTimestamp !== undefined || isNamespaceEnding(view)) return undefined;
  const condition = conditionOf(controller, 'ReplicaFailure');
  const refused = condition?.status === 'True' && condition.reason !== 'FailedDelete';
  const lastSuccessMs = lastTimeOf(events, 'SuccessfulCreate');
  const failures = events.filter((event) => event.reason === 'FailedCreate' && event.lastTimeMs >= lastSuccessMs);
  const event = failures.at(-1);
  // A ReplicaSet takes the condition away with its next success, so its absence settles the matter; the others have none.
  if (!refused && (setsReplicaFailure(controller) || event === undefined || !isShort(controller))) return undefined;
  const message = answerOf(event !== undefined && !refused ? event.note : (condition?.message ?? event?.note ?? ''));
  const refusal = classifyRefusal(message);
  if (refusal === undefined) return undefined;
  const alike = failures.filter(({ note }) => classifyRefusal(answerOf(note))?.cause === refusal.cause);
  const firstEventMs = Math.min(...alike.map(({ firstTimeMs }) => firstTimeMs));
  const sinceMs = (refused ? conditionTimeMs(condition) : undefined) ?? (Number.isFinite(firstEventMs) ? firstEventMs : view.nowMs);
  return { ...refusal, message, sinceMs, count: alike.reduce((sum, { count }) => sum + count, 0), event: alike.at(-1) };
}

/**
 * From when on the refusal is an incident: at the configured number of refusals (design §4), else once it has lasted; a count below
 * it, of a controller that keeps no condition, says nothing about the next attempt.
 */
export function refusalDueMs(view: ControllerView, failed: FailedCreate): number | undefined {
  if (!failed.passing && failed.count >= view.thresholds.failedCreates) return failed.sinceMs;
  const lasting = conditionOf(view.controller, 'ReplicaFailure')?.status === 'True' || failed.count >= view.thresholds.failedCreates;
  return lasting ? failed.sinceMs + view.thresholds.createMs : undefined;
}

function lastTimeOf(events: readonly SeenEvent[], reason: string): number {
  return Math.max(0, ...events.filter((event) => event.reason === reason).map(({ lastTimeMs }) => lastTimeMs));
}

function isNamespaceEnding(view: ControllerView): boolean {
  return view.object('namespaces', '', view.controller.metadata.namespace)?.metadata.deletionTimestamp !== undefined;
}

/**
 * pkg/controller/replicaset and replication set ReplicaFailure; StatefulSet, DaemonSet and Job do not. Without `replicas`, which they
 * always write, nothing is known of the controller but its name (a list that holds its Events alone).
 */
function setsReplicaFailure({ kind, status }: Workload): boolean {
  return (kind === 'ReplicaSet' || kind === 'ReplicationController') && status.replicas !== undefined;
}

/** Fewer pods exist than it wants. */
function isShort({ kind, spec, status }: Workload): boolean {
  if (kind === 'DaemonSet') return Number(status['currentNumberScheduled'] ?? 0) < (status.desiredNumberScheduled ?? 0);
  if (kind !== 'Job') return (status.replicas ?? 0) < (spec.replicas ?? 1);
  if (spec.suspend === true || status.completionTime !== undefined) return false;
  if (status.conditions?.some(({ type, status: value }) => type === 'Failed' && value === 'True')) return false;
  const parallelism = spec.parallelism ?? 1;
  const left = spec.completions === undefined ? parallelism : spec.completions - (status.succeeded ?? 0);
  return (status.active ?? 0) < Math.min(parallelism, left);
}

/** Controllers and the Event correlator put their own words before the API server's answer. */
function answerOf(text: string): string {
  return text
    .replace(/^\(combined from similar events\): /, '')
    .replace(/^Error creating(?: \w+)?: /, '')
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
    pattern: /violates PodSecurity|pod ?security ?policy|no providers available to validate pod|security context constraint/i,
    refusal: refusalOf('security_policy'),
  },
  {
    pattern: /fail(?:ed|ure)? (?:to )?call(?:ing)? (?:\S+ )?webhook/i,
    refusal: refusalOf('admission_denied', 'webhook_unreachable'),
  },
  { pattern: /admission webhook|denied the request|denied request|admission ?policy|image policy/i, refusal: refusalOf('admission_denied') },
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
