/**
 * Which pods came, changed or went lately: whoever keeps something of every pod looks at those alone. Derived, not part of a checkpoint:
 * after a restart all are looked at once.
 */
export interface Journal {
  /** `pods`: how many there are. After more changes than that, looking at all of them is as quick, and the journal begins anew. */
  note(uid: string, pods: number): void;
  /** Where the next change will be. */
  position(): number;
  /** The uids from that position on, some more than once; undefined: the journal has begun anew since. */
  since(position: number): readonly string[] | undefined;
}

/** Changes that are kept of small clusters too. */
const MIN_KEPT = 500;

export function createJournal(): Journal {
  let [first, uids]: [number, string[]] = [0, []];
  return {
    note(uid, pods) {
      if (uids.length >= MIN_KEPT && uids.length >= pods) {
        first += uids.length;
        uids = [];
      }
      uids.push(uid);
    },
    position: () => first + uids.length,
    since: (position) => (position < first ? undefined : uids.slice(position - first)),
  };
}
