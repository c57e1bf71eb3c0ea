/**
 * NodeUnschedulable and TaintToleration. Follow pkg/scheduler/framework/plugins/nodeunschedulable/node_unschedulable.go,
 * tainttoleration/taint_toleration.go, and Toleration.ToleratesTaint of k8s.io/api core/v1/toleration.go (v1.34).
 */
import type { Node, Taint, Toleration } from '../../collector/objects.ts';
import type { Filter, FilterFailure } from './filter.ts';
import { PASSED } from './filter.ts';
import type { PodFacts } from './pod-facts.ts';
import { listOf } from './reading.ts';

const UNSCHEDULABLE: readonly FilterFailure[] = [{ plugin: 'NodeUnschedulable', reason: 'node(s) were unschedulable' }];
const UNTOLERATED: readonly FilterFailure[] = [{ plugin: 'TaintToleration', reason: 'node(s) had untolerated taint(s)' }];
const CORDON: Taint = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' };

export function createNodeUnschedulable(pod: PodFacts): Filter {
  const tolerated = isTolerated(CORDON, listOf(pod.pod.spec.tolerations));
  return {
    plugin: 'NodeUnschedulable',
    check: ({ node }) => (node.spec.unschedulable === true && !tolerated ? UNSCHEDULABLE : PASSED),
  };
}

export function createTaintToleration(pod: PodFacts): Filter {
  const tolerations = listOf(pod.pod.spec.tolerations);
  return {
    plugin: 'TaintToleration',
    check: ({ node }) => (untoleratedTaint(node, tolerations) === undefined ? PASSED : UNTOLERATED),
  };
}

/** What the kubelet asks of a pod that names its node: NoExecute alone (generalFilter of pkg/kubelet/lifecycle/predicate.go). */
export function createKubeletTaints(pod: PodFacts): Filter {
  const tolerations = listOf(pod.pod.spec.tolerations);
  const evicts = (taint: Taint): boolean => taint.effect === 'NoExecute' && !isTolerated(taint, tolerations);
  return { plugin: 'TaintToleration', check: ({ node }) => (listOf(node.spec.taints).some(evicts) ? UNTOLERATED : PASSED) };
}

/** The first NoSchedule or NoExecute taint that nothing tolerates. */
export function untoleratedTaint(node: Node, tolerations: readonly Toleration[]): Taint | undefined {
  if (node.spec.taints === undefined) return undefined;
  return listOf(node.spec.taints).find((taint) => forbids(taint) && !isTolerated(taint, tolerations));
}

function forbids(taint: Taint): boolean {
  return taint.effect === 'NoSchedule' || taint.effect === 'NoExecute';
}

export function isTolerated(taint: Taint, tolerations: readonly Toleration[]): boolean {
  return tolerations.some((toleration) => tolerates(toleration, taint));
}

function tolerates(toleration: Toleration, taint: Taint): boolean {
  const { effect = '', key = '', operator = '', value = '' } = toleration;
  if (effect !== '' && effect !== taint.effect) return false;
  if (key !== '' && key !== taint.key) return false;
  if (operator === 'Exists') return true;
  return (operator === '' || operator === 'Equal') && value === (taint.value ?? '');
}

/** How many PreferNoSchedule taints of the node nothing tolerates: fewer score higher. */
export function countUnpreferred(node: Node, tolerations: readonly Toleration[]): number {
  const relevant = tolerations.filter(({ effect = '' }) => effect === '' || effect === 'PreferNoSchedule');
  return listOf(node.spec.taints).filter((taint) => taint.effect === 'PreferNoSchedule' && !isTolerated(taint, relevant)).length;
}
