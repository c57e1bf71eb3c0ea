/** Answers `why` from a cluster's state, wherever that is (states.ts). */
import type { ClusterState } from './core/state.ts';
import type { Why } from './core/why.ts';
import { whyPod } from './core/why.ts';
import type { CheckpointStatesDeps, CheckpointStatesOptions, FindState, NoState } from './states.ts';
import { createCheckpointStates } from './states.ts';

/** What can be said about a question. */
export type WhyAnswer =
  /** checkpointTimeMs: when the state was written, wall clock; undefined: it is the live one. */
  { readonly kind: 'found'; readonly why: Why; readonly checkpointTimeMs: number | undefined } | { readonly kind: 'no_pod' } | NoState;

/** Asks about a pod, by name or uid, of a cluster by its name. Rejects with StoreError. */
export type AskWhy = (cluster: string, namespace: string, pod: string) => Promise<WhyAnswer>;

/** Answers from a state. A uid of another namespace is no pod of this one. */
export function answerWhy(state: ClusterState, namespace: string, pod: string, checkpointTimeMs?: number): WhyAnswer {
  const why = whyPod(state, namespace, pod);
  return why === undefined || why.pod.namespace !== namespace ? { kind: 'no_pod' } : { kind: 'found', why, checkpointTimeMs };
}

/** Answers from the states that `find` finds. */
export function createWhy(find: FindState): AskWhy {
  return async (cluster, namespace, pod) => {
    const found = await find(cluster);
    return found.kind === 'state' ? answerWhy(found.state, namespace, pod, found.checkpointTimeMs) : found;
  };
}

/** Answers from the newest checkpoints in the store. Writes nothing. */
export function createCheckpointWhy(deps: CheckpointStatesDeps, options: CheckpointStatesOptions = {}): AskWhy {
  return createWhy(createCheckpointStates(deps, options));
}
