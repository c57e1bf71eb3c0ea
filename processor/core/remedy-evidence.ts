/**
 * The remedy of a resource_fragmentation incident, as evidence. It is looked for once, when the incident opens or takes that name, and kept
 * from then on: what a person is told to move must not change under their hands.
 */
import type { Pod } from '../../collector/objects.ts';
import { forgetState, schedulingStateOf } from '../capacity/capacity-state.ts';
import { describeRemedy } from '../capacity/fit-checks.ts';
import { findRemedy } from '../capacity/remedy.ts';
import type { Evidence } from '../scenarios/scenario.ts';
import type { Incident } from './incident.ts';
import type { Engine, Source } from './incidents.ts';
import { viewOf } from './view.ts';

/** The cause that has one. */
const CAUSE = 'resource_fragmentation';
const PATH = 'remedy';
/** Node checks of one search: some 20 ms, since the record in hand waits for it. A longer search: /v1/fragmentation/remedy. */
const MAX_CHECKS = 10_000;

/** Whether withRemedy may add one. */
export function mayHaveRemedy({ cause }: Incident): boolean {
  return cause === CAUSE;
}

/**
 * `incident` with the remedy that it or `before` has, else with a new one. At most one is searched for a record, or a burst of incidents
 * would hold up the partition; an incident that went without gets its own when it is judged again.
 */
export function withRemedy(engine: Engine, incident: Incident, source: Source, before?: Incident): Incident {
  if (!mayHaveRemedy(incident) || source.kind !== 'pod') return incident;
  const known = before?.cause === CAUSE ? before.evidence.find(({ path }) => path === PATH) : undefined;
  const remedy = known ?? searchRemedy(engine, source.object as Pod);
  return remedy === undefined ? incident : { ...incident, evidence: [...incident.evidence, remedy] };
}

function searchRemedy(engine: Engine, pod: Pod): Evidence | undefined {
  if (engine.hasRemedy === true) return undefined;
  engine.hasRemedy = true;
  const { state } = engine;
  const view = viewOf(state);
  try {
    const remedy = findRemedy(pod, schedulingStateOf(view), { maxChecks: MAX_CHECKS });
    const { namespace, name } = pod.metadata;
    const value = remedy.fit.k > 0 ? 'the pod fits as it is' : describeRemedy(remedy);
    return { kind: 'table', object: `Pod ${namespace}/${name}`, path: PATH, value, timeMs: state.meta.streamTimeMs };
  } catch (error) {
    forgetState(view);
    deadLetter(engine, pod, error);
    return undefined;
  }
}

/** An incident without advice is better than none (design D10). */
function deadLetter({ state, emitter }: Engine, pod: Pod, error: unknown): void {
  emitter.emit('dead_letters', `${PATH}\n${pod.metadata.uid}`, {
    log: PATH,
    partition: 0,
    offset: BigInt(state.meta.count),
    part: `pod/${pod.metadata.uid}`,
    cluster: state.cluster.name,
    timeMs: state.meta.streamTimeMs,
    code: 'remedy_threw',
    reason: error instanceof Error ? `${error.name}: ${error.message}` : String(error),
    payload: '',
  });
}
