/** Pods the scheduler placed and the kubelet refused: phase Failed at once, no container ever created (signals.md §15). */
import type { Pod } from '../../collector/objects.ts';

/**
 * status.reason of a refusal that speaks of the node's room, labels, devices or abilities, kubelet 1.19 to 1.36 and predicates of
 * before. Pressure (Evicted), shutdown (NodeShutdown) and security (AppArmor, SysctlForbidden) belong to other scenarios.
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

/** The reason by which the kubelet refused this pod, or undefined. */
export function nodeAdmissionReason(pod: Pod): string | undefined {
  const { phase, reason = '' } = pod.status;
  if (phase !== 'Failed') return undefined;
  return REASONS.has(reason) || /^OutOf\w/.test(reason) ? reason : undefined;
}
