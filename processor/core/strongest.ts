/** Of what the rules say of one source: the strongest signal of each story, and which story it belongs to. */
import type { Signal } from '../scenarios/scenario.ts';
import { incidentKey } from './incident.ts';
import type { ClusterState } from './state.ts';
import { subjectKey } from './state.ts';

/** Tracks in which a pod's containers fail. */
const POD_TRACKS: readonly string[] = ['run', 'create', 'pull', 'evict'];

/** By incidentKey; of equal ranks the first. */
export function strongestByKey(state: ClusterState, signals: readonly Signal[]): ReadonlyMap<string, Signal> {
  const strongest = new Map<string, Signal>();
  for (const said of signals) {
    const signal = said.ofWorkload === true ? aboutWhatIsOpen(state, said) : said;
    const key = incidentKey(signal.track, signal.subject);
    const known = strongest.get(key);
    if (known === undefined || signal.rank > known.rank) strongest.set(key, signal);
  }
  return strongest;
}

/** What is said of a workload as a whole, as said of the container that is known to fail. */
function aboutWhatIsOpen({ indexes, tables }: ClusterState, signal: Signal): Signal {
  for (const id of indexes.incidentsBySubject.get(subjectKey(signal.subject))) {
    const known = tables.incidents.get(id);
    if (known !== undefined && !known.isParent && POD_TRACKS.includes(known.track)) return { ...signal, track: known.track, subject: known.subject };
  }
  return signal;
}
