/** Reading what objects say of themselves: times and conditions. */
import type { Condition, Node, Pod } from '../../collector/objects.ts';

/** Epoch ms of an RFC 3339 time; undefined where there is none, and for 1970, which runtimes write for "never". */
export function timeOf(text: string | null | undefined): number | undefined {
  const time = Date.parse(text ?? '');
  return Number.isNaN(time) || time <= 0 ? undefined : time;
}

/** The condition of this type, whatever its status. */
export function conditionOf(object: { readonly status: { readonly conditions?: readonly Condition[] } }, type: string): Condition | undefined {
  return object.status.conditions?.find((condition) => condition.type === type);
}

/** When a condition took its present status. */
export function conditionTimeMs(condition: Condition | undefined): number | undefined {
  return timeOf(condition?.lastTransitionTime);
}

/** Ready=True. A node without the condition has never reported. */
export function isNodeReady(node: Node): boolean {
  return conditionOf(node, 'Ready')?.status === 'True';
}

/** Succeeded or Failed: nothing of it runs any more, whatever its container statuses say. */
export function isTerminal(pod: Pod): boolean {
  return pod.status.phase === 'Succeeded' || pod.status.phase === 'Failed';
}

/** Bound to a node. */
export function isBound(pod: Pod): boolean {
  return (pod.spec.nodeName ?? '') !== '';
}

/** Pods that belong to their node and not to the cluster: of a DaemonSet, or the mirror of a static pod. */
export function isNodeBound(pod: Pod): boolean {
  return (pod.metadata.ownerReferences ?? []).some((owner) => owner.kind === 'Node' || (owner.kind === 'DaemonSet' && owner.controller !== false));
}

/** When the pod was created, else when the kubelet took it on. */
export function createdMs(pod: Pod): number {
  return timeOf(pod.metadata.creationTimestamp) ?? timeOf(pod.status.startTime) ?? 0;
}

/**
 * The node controller turned Ready to False and nothing else, so that the containers are all ready in a pod that is not (signals.md
 * §12). The kubelet itself writes that too, for a readiness gate that is closed.
 */
export function isUnreported(pod: Pod): boolean {
  const ready = conditionOf(pod, 'Ready');
  if (ready?.status !== 'False' || conditionOf(pod, 'ContainersReady')?.status !== 'True' || ready.reason === 'ReadinessGatesNotReady') return false;
  return (pod.spec.readinessGates ?? []).every(({ conditionType }) => conditionOf(pod, conditionType)?.status === 'True');
}
