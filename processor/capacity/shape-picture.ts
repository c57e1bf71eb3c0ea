/** One shape, node by node: what is free, how many copies fit, and why not more. */
import type { Amounts } from './amounts.ts';
import { createCycle, failuresOn } from './filters.ts';
import type { PodFacts } from './pod-facts.ts';
import { asUnassigned } from './pod-facts.ts';
import type { Exclusion, NodeState, SchedulingState } from './scheduling-state.ts';
import { copiesOnNode, freeOf } from './scheduling-state.ts';

export interface NodePicture {
  readonly node: string;
  readonly free: Amounts;
  readonly allocatable: Amounts;
  /** Copies of the request that the free space takes; 0 where the node is not eligible. */
  readonly copies: number;
  /** Passes every filter but NodeResourcesFit, and counts in capacity figures. */
  readonly eligible: boolean;
  readonly excluded: Exclusion | undefined;
  /** The scheduler's reasons, of all failing plugins; empty where a copy fits. */
  readonly reasons: readonly string[];
}

/** The nodes in their order in the state, or those of one pool as given. */
export function pictureShape(shape: PodFacts, state: SchedulingState, nodes: readonly NodeState[] = state.nodes): readonly NodePicture[] {
  const cycle = createCycle(asUnassigned(shape), state);
  return nodes.map((node) => {
    const failures = failuresOn(cycle, node);
    const eligible = node.exclusion === undefined && failures.every(({ plugin }) => plugin === 'NodeResourcesFit');
    return {
      node: node.name,
      free: freeOf(node),
      allocatable: node.allocatable,
      copies: eligible ? copiesOnNode(shape.request.amounts, node) : 0,
      eligible,
      excluded: node.exclusion,
      reasons: failures.map(({ reason }) => reason),
    };
  });
}
