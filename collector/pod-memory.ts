/**
 * What the pods that changed last look like but for their status: nearly every change of a pod leaves its metadata and its spec as they
 * were, and then they need not be parsed, projected and rendered again, nor need their end be looked for.
 */
import type { RenderedMetadata, RenderedSpec } from './rendered-object.ts';

/** A piece of a line as it came, and what was made of it. */
export interface KnownMetadata {
  /** Up to the resourceVersion: `{"name":"web","uid":"…","resourceVersion":"`. */
  readonly before: Buffer;
  /** From there on, without managedFields and the last brace: `","labels":{…}`. */
  readonly after: Buffer;
  readonly rendered: RenderedMetadata;
}
export interface KnownSpec {
  readonly bytes: Buffer;
  readonly rendered: RenderedSpec;
}
export interface KnownPod {
  readonly metadata: KnownMetadata;
  readonly spec: KnownSpec;
}

export interface PodMemory {
  /** The pod that came last with this uid. */
  recall(uid: string): KnownPod | undefined;
  /** Keeps the pod, whose bytes must be nobody else's. */
  remember(uid: string, pod: KnownPod): void;
}

/**
 * Pods kept by one collector for all its clusters, about 20 KiB each: the changes of three minutes at an API server's churn limit
 * (20 pods/s, SIG Scalability's slos.md); a pod's life up to ready is shorter.
 */
const MAX_PODS = 4_000;

export function createPodMemory(maxPods = MAX_PODS): PodMemory {
  const pods = new Map<string, KnownPod>();
  return {
    recall(uid) {
      const pod = pods.get(uid);
      if (pod === undefined) return undefined;
      pods.delete(uid); // and to the end of the order
      pods.set(uid, pod);
      return pod;
    },
    remember(uid, pod) {
      pods.delete(uid);
      pods.set(uid, pod);
      const oldest = pods.size > maxPods ? pods.keys().next() : undefined;
      if (oldest?.done === false) pods.delete(oldest.value);
    },
  };
}
