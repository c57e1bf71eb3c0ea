/**
 * Everything a state says now, as rows: written when a new generation begins, because rows that were removed with the old one may have
 * replaced what the state still holds. Rows that are written once and never replaced (changes of pods, told timeline entries) are not
 * among them.
 */
import type { EmittedRow } from '../../sql/rows.ts';
import { emitBlindness, emitCluster, emitSession } from './coverage.ts';
import { createEmitter } from './emit.ts';
import { emitEvent } from './events.ts';
import type { Engine } from './incidents.ts';
import { addMember, emitIncidents, touch } from './incidents.ts';
import type { ClusterState } from './state.ts';
import { rowVersion } from './state.ts';
import { byCodeUnit } from './tables.ts';

/** Rows of the state as it stands, with the version of its generation and count. Changes nothing. */
export function restate(state: ClusterState): EmittedRow[] {
  const emitter = createEmitter();
  const engine: Engine = { state, emitter };
  for (const incident of state.tables.incidents.values()) {
    touch(engine, incident);
    for (const key of state.indexes.membersOf.get(incident.id)) {
      const member = state.tables.members.get(key);
      if (member !== undefined) addMember(engine, incident, member);
    }
  }
  emitIncidents(engine);
  for (const id of Object.keys(state.meta.sessions).sort(byCodeUnit)) {
    const session = state.meta.sessions[id];
    if (session !== undefined) emitSession(state, emitter, session);
  }
  for (const uid of state.tables.events.keys()) for (const event of state.tables.events.get(uid) ?? []) emitEvent(state, emitter, uid, event);
  emitBlindness(state, emitter);
  emitCluster(state, emitter);
  return emitter.rows(rowVersion(state.meta));
}
