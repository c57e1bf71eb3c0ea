/**
 * The bytes of the pod specs that came last, by the pod's uid: nearly every change of a pod leaves its spec as it was, and then neither its
 * end has to be looked for nor does it have to be read again.
 */
export interface SpecMemory {
  /** The spec that came last with this uid. */
  recall(uid: string): Buffer | undefined;
  /** Keeps a copy of the bytes, and returns it. */
  remember(uid: string, spec: Buffer): Buffer;
}

/**
 * Specs kept by one collector for all its clusters, about 20 KiB each with what is rendered of them: the changes of three minutes at an
 * API server's churn limit (20 pods/s, SIG Scalability's slos.md); a pod's life up to ready is shorter.
 */
const MAX_SPECS = 4_000;

export function createSpecMemory(maxSpecs = MAX_SPECS): SpecMemory {
  const specs = new Map<string, Buffer>();
  return {
    recall(uid) {
      const spec = specs.get(uid);
      if (spec === undefined) return undefined;
      specs.delete(uid); // and to the end of the order
      specs.set(uid, spec);
      return spec;
    },
    remember(uid, spec) {
      const kept = Buffer.from(spec);
      specs.delete(uid);
      specs.set(uid, kept);
      const oldest = specs.size > maxSpecs ? specs.keys().next() : undefined;
      if (oldest?.done === false) specs.delete(oldest.value);
      return kept;
    },
  };
}
