/** Answers `why` from a cluster's state, wherever that is (states.ts). */
import type { ClusterState } from './core/state.ts';
import type { Why } from './core/why.ts';
import { whyPod } from './core/why.ts';
import type { Answered, Answer, FindState, NotFound } from './states.ts';

/** Asks about a pod, by name or uid, of a cluster by its name. Rejects with StoreError. */
export type AskWhy = (cluster: string, namespace: string, pod: string) => Promise<Answer<Why>>;

/** Answers from a state. A uid of another namespace is no pod of this one. */
export function answerWhy(state: ClusterState, namespace: string, pod: string, checkpointTimeMs?: number): Answered<Why> | NotFound {
  const why = whyPod(state, namespace, pod);
  if (why === undefined || why.pod.namespace !== namespace) return { kind: 'not_found', reason: `no pod ${namespace}/${pod} lives in the cluster` };
  return { kind: 'answer', answer: why, asOfMs: state.meta.streamTimeMs, checkpointTimeMs };
}

/** Answers from the states that `find` finds. */
export function createWhy(find: FindState): AskWhy {
  return async (cluster, namespace, pod) => {
    const found = await find(cluster);
    return found.kind === 'state' ? answerWhy(found.state, namespace, pod, found.checkpointTimeMs) : found;
  };
}
