/** Why one pod does not fit: every failing filter on every node, and whether fragmentation or plain lack of space is to blame. */
import type { Node, Pod } from '../../collector/objects.ts';
import { forgetState, schedulingStateOf } from './capacity-state.ts';
import type { FilterFailure } from './filter.ts';
import { createCycle, failuresOn } from './filters.ts';
import { podFacts } from './pod-facts.ts';
import type { SchedulingCluster, SchedulingState } from './scheduling-state.ts';
import type { ShapeFit } from './shape-fit.ts';
import { fitShape } from './shape-fit.ts';

export type { SchedulingCluster } from './scheduling-state.ts';

export interface NodeVerdict {
  readonly node: Node;
  /** Every failing filter plugin, not only the first, in the scheduler's order; empty: the pod fits. */
  readonly failures: readonly FilterFailure[];
}

export interface Diagnosis {
  /** All nodes, by name. */
  readonly nodes: readonly NodeVerdict[];
  readonly fit: ShapeFit;
}

/**
 * Judges a pod against the cluster as it is now. O(nodes) where the cluster keeps a scheduling state, else O(nodes + pods), quick for
 * what did not change since the last question. Never throws over projected objects.
 */
export function diagnose(pod: Pod, cluster: SchedulingCluster): Diagnosis {
  try {
    return diagnoseIn(pod, schedulingStateOf(cluster));
  } catch (error) {
    forgetState(cluster);
    throw error;
  }
}

/** As diagnose, over a state that is already built; leaves it unchanged. */
export function diagnoseIn(pod: Pod, state: SchedulingState): Diagnosis {
  const cycle = createCycle(podFacts(pod), state);
  const nodes = state.nodes.map((node) => ({ node: node.node, failures: failuresOn(cycle, node) }));
  return { nodes, fit: fitShape(cycle) };
}
