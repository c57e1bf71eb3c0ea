/**
 * Which pods may be asked to move. After cluster-autoscaler's drain rules (FAQ, "What types of pods can prevent CA from removing a node"),
 * Karpenter's do-not-disrupt and the descheduler's evict annotation.
 */
import type { Pod } from '../../collector/objects.ts';
import { fieldsOf, listOf } from './reading.ts';
import { labelOf } from './selectors.ts';

/** Why the pod has to stay; undefined: it may be evicted, its disruption budget permitting. */
export function reasonToStay(pod: Pod): string | undefined {
  const owner = listOf(pod.metadata.ownerReferences).find((reference) => reference.controller === true);
  if (owner === undefined) return 'no controller would recreate it';
  if (owner.kind === 'DaemonSet' || owner.kind === 'Node') return `it belongs to its node (${owner.kind})`;
  if (labelOf(pod.metadata.annotations, 'kubernetes.io/config.mirror') !== undefined) return 'it is a static pod';
  if (pod.metadata.deletionTimestamp !== undefined) return 'it is terminating already';
  const annotations = pod.metadata.annotations;
  const safe = labelOf(annotations, 'cluster-autoscaler.kubernetes.io/safe-to-evict');
  if (safe === 'false') return 'it is marked as not safe to evict';
  if (labelOf(annotations, 'karpenter.sh/do-not-disrupt') === 'true') return 'it is marked do-not-disrupt';
  if (safe !== 'true' && hasLocalStorage(pod)) return 'it has local storage';
  return undefined;
}

/** hostPath and emptyDir on disk: what cluster-autoscaler calls local storage (utils/drain IsLocalVolume). */
function hasLocalStorage(pod: Pod): boolean {
  return listOf(pod.spec.volumes).some((volume) => {
    const emptyDir = fieldsOf(volume.emptyDir);
    return fieldsOf(volume.hostPath) !== undefined || (emptyDir !== undefined && emptyDir['medium'] !== 'Memory');
  });
}
