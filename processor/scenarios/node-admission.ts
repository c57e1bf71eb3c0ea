/** Pods the scheduler placed and the kubelet refused: phase Failed at once, no container ever created (signals.md §15). */
import type { Pod } from '../../collector/objects.ts';

/**
 * status.reason of a refusal that speaks of the node's room, labels, devices or abilities, kubelet 1.19 to 1.36 and predicates of
 * before.
 */
const REASONS: ReadonlySet<string> = new Set([
  'NodeAffinity',
  'NodeName',
  'NodePorts',
  'TaintToleration',
  'NodeSelectorMismatching',
  'MatchNodeSelector',
  'HostName',
  'PodFitsHostPorts',
  'PodToleratesNodeTaints',
  'GeneralPredicates',
  'UnexpectedAdmissionError',
  'UnexpectedPredicateFailureType',
  'TopologyAffinityError',
  'SMTAlignmentError',
  'PodOSNotSupported',
  'PodOSSelectorNodeLabelDoesNotMatch',
  'InvalidNodeInfo',
  'InitContainerRestartPolicyForbidden',
  'SupplementalGroupsPolicyNotSupported',
  'PodLevelResourcesNotSupported',
  'PodFeatureUnsupported',
  'VolumeAttachmentLimitExceeded',
  'UnknownReason',
]);

/** Refusals that other scenarios tell: pressure, shutdown, security. */
const OTHERS: ReadonlySet<string> = new Set([
  'Evicted',
  'NodeShutdown',
  'Shutdown',
  'Terminated',
  'Preempting',
  'DeadlineExceeded',
  'AppArmor',
  'SysctlForbidden',
]);
/** How the kubelet words any refusal: `Pod was rejected: ` since 1.26, before it a predicate that failed. A later one has a new reason. */
const REFUSED = /^Pod was rejected: |\bPredicate \w+ failed\b/;

/** The reason by which the kubelet refused this pod, or undefined. */
export function nodeAdmissionReason(pod: Pod): string | undefined {
  const { phase, reason = '', message = '' } = pod.status;
  if (phase !== 'Failed') return undefined;
  if (REASONS.has(reason) || /^OutOf\w/.test(reason)) return reason;
  return reason !== '' && !OTHERS.has(reason) && REFUSED.test(message) ? reason : undefined;
}
