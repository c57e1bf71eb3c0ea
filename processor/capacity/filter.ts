/**
 * What a filter is: one plugin's judgement of every node for one pod, after FilterPlugin and PreFilterExtensions of
 * pkg/scheduler/framework/interface.go (v1.34). Plugin names and reasons are the scheduler's own.
 */
import type { PodFacts } from './pod-facts.ts';
import type { NodeState } from './scheduling-state.ts';

export interface FilterFailure {
  readonly plugin: string;
  /** The scheduler's text, as its messages count it. */
  readonly reason: string;
  /** For NodeResourcesFit: the resource that is short. */
  readonly resource?: string;
}

export interface Filter {
  readonly plugin: string;
  /** Why the pod may not run there; empty if it may. A plugin may give several reasons. */
  check(node: NodeState): readonly FilterFailure[];
  /** Tells it that a pod was added to (1) or taken off (-1) a node, where its counts depend on that. */
  update?(pod: PodFacts, node: NodeState, sign: 1 | -1): void;
}

/** A plugin that refuses the pod before any node is looked at. */
export interface Rejection {
  readonly kind: 'rejection';
  readonly plugin: string;
  readonly reason: string;
}

export const PASSED: readonly FilterFailure[] = [];
