/**
 * What the capacity figures need of the pods of each node, kept until something on it changes: a minute changes few nodes of a large
 * cluster, and looking at all of its pods is most of what a sample costs.
 */
import { createNamespaceLabels } from './inter-pod-affinity.ts';
import type { AffinityTerm, PodFacts } from './pod-facts.ts';
import { termMatches } from './pod-facts.ts';
import type { PodIndex } from './pod-index.ts';
import type { NodeState, SchedulingState } from './scheduling-state.ts';
import { addPod, emptiedNode } from './scheduling-state.ts';
import type { ShapeCount } from './shape.ts';
import { countShape } from './shape.ts';
import { compileConstraints } from './topology-spread.ts';

export interface NodeContents {
  /** By shape, the pods that a node does not bring with it. */
  readonly demand: readonly ShapeCount[];
  /** By shape, those of them that a packing may put elsewhere. */
  readonly moving: readonly ShapeCount[];
  /** The node with all others. It is in no index, and not to be changed. */
  readonly rest: NodeState;
}

export type ContentsOf = (node: NodeState) => NodeContents;

/** No rule of a pod that may move is about other pods, nor any of theirs about it: nobody is looked for by namespace. */
export const NO_INDEX: PodIndex = {
  add: () => {},
  remove: () => {},
  inNamespace: () => new Map(),
  namespaces: () => [],
  carriedTerms: () => [],
  termsRevision: () => 0,
};

interface Kept {
  readonly revision: number;
  /** Which pods may move also hangs on whom the pods of other nodes keep away from. */
  readonly terms: unknown;
  readonly contents: NodeContents;
}

const kept = new WeakMap<NodeState, Kept>();

/** The contents of a state's nodes, for one report. The pods must not change meanwhile. */
export function createContents(state: SchedulingState): ContentsOf {
  const stays = createStaying(state);
  const terms = state.index.termsRevision() ?? {};
  return (node) => {
    const known = kept.get(node);
    if (known?.revision === node.revision && known.terms === terms) return known.contents;
    const contents = readContents(node, stays);
    kept.set(node, { revision: node.revision, terms, contents });
    return contents;
  };
}

function readContents(node: NodeState, stays: (pod: PodFacts) => boolean): NodeContents {
  const counts = new Map<string, ShapeCount>();
  const rest = emptiedNode(node, NO_INDEX);
  let allMove = true;
  for (const pod of node.pods) {
    if (!pod.stays) countShape(counts, pod);
    if (!stays(pod)) continue;
    addPod(rest, pod);
    if (!pod.stays) allMove = false;
  }
  const demand = [...counts.values()];
  if (allMove) return { demand, moving: demand, rest };
  const moving = new Map<string, ShapeCount>();
  for (const pod of node.pods) if (!rest.pods.has(pod)) countShape(moving, pod);
  return { demand, moving: [...moving.values()], rest };
}

/** Which pods a packing leaves where they are. */
function createStaying(state: SchedulingState): (pod: PodFacts) => boolean {
  const labels = createNamespaceLabels(state.cluster);
  const terms = new Map<string, readonly AffinityTerm[]>();
  return (pod) => {
    if (pod.stays || pod.affinity.length + pod.antiAffinity.length + pod.claims.length > 0) return true;
    if (pod.pod.spec.topologySpreadConstraints !== undefined && compileConstraints(pod, 'DoNotSchedule').length > 0) return true;
    let about = terms.get(pod.namespace);
    if (about === undefined) {
      about = [...state.index.carriedTerms(pod.namespace)].map(({ term }) => term);
      terms.set(pod.namespace, about);
    }
    return about.length > 0 && about.some((term) => termMatches(term, pod, labels(pod.namespace)));
  };
}
