/**
 * What the pods that changed last look like but for their status: nearly every change of a pod leaves its metadata and its spec as they
 * were, and then they need not be parsed, projected and rendered again, nor need their end be looked for.
 */
import { createRecent, type Recent } from './recent.ts';
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

/** By uid. The bytes of what it keeps must be nobody else's. */
export type PodMemory = Recent<KnownPod>;

/**
 * Pods kept by one collector for all its clusters, about 20 KiB each. Half of them are the changes of 100 s at an API server's churn limit
 * (20 pods/s, SIG Scalability's slos.md), and a pod that changes again stays.
 */
const MAX_PODS = 4_000;

export function createPodMemory(maxPods = MAX_PODS): PodMemory {
  return createRecent(maxPods);
}
