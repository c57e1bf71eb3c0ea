/**
 * What an incident about a node means for the pods bound to it: they are its members, and it explains their failing probes and exits
 * (design D8: node lost over readiness and the rest).
 */
import type { Pod } from '../../collector/objects.ts';
import { isTerminal } from '../scenarios/conditions.ts';
import type { ScenarioId, Signal, Track } from '../scenarios/scenario.ts';
import type { Incident, Member } from './incident.ts';
import { incidentKey } from './incident.ts';
import type { Engine, Source } from './incidents.ts';
import { addMember, memberKey, put, resolve, setMembership, tell } from './incidents.ts';
import type { ClusterState } from './state.ts';
import { byCodeUnit } from './tables.ts';

/** Tracks in which a pod's own failure is nothing but its node's. */
export const EXPLAINED: ReadonlySet<Track> = new Set<Track>(['ready', 'run']);

/**
 * A failure that began this long before the node was found lost is still its doing, ms: the node controller waits 40 s for a heartbeat,
 * 50 s since 1.32 (--node-monitor-grace-period), and a probe may have failed since the first missing one.
 */
const LEAD_MS = 120_000;

/** The incident about the node that a source is bound to; also while that recovers, until its pods have had time to report again. */
function nodeIncidentOf(state: ClusterState, source: Source): Incident | undefined {
  const node = source.kind === 'pod' && state.indexes.openByKey.size > 0 ? (source.object as Pod).spec.nodeName : undefined;
  if (node === undefined || node === '') return undefined;
  const id = state.indexes.openByKey.get(incidentKey('node', { kind: 'Node', namespace: '', name: node, container: '' }));
  return id === undefined ? undefined : state.tables.incidents.get(id);
}

/**
 * The incident about its node that explains a signal of this source, if one does: its probes and exits, but none that was an incident
 * long before the node was lost.
 */
export function explainingNode(state: ClusterState, source: Source, signal: Pick<Signal, 'track' | 'subject'>): Incident | undefined {
  const node = EXPLAINED.has(signal.track) ? nodeIncidentOf(state, source) : undefined;
  if (node === undefined) return undefined;
  const membership = state.tables.sources.get(source.uid)?.memberOf[incidentKey(signal.track, signal.subject)];
  const member = membership && state.tables.members.get(memberKey(membership.id, source.uid));
  // A pod that was over is over, whatever becomes of its node.
  const leadMs = isTerminal(source.object as Pod) ? 0 : LEAD_MS;
  return member !== undefined && member.firstMs < node.firstSymptomMs - leadMs ? undefined : node;
}

/**
 * The signals that the source's node does not explain. Incidents that it does explain are superseded, or lose this member; of the others
 * nobody reports any more, so they stay as they are.
 */
export function withoutExplained(engine: Engine, source: Source, signals: readonly Signal[]): readonly Signal[] {
  const { state } = engine;
  const node = nodeIncidentOf(state, source);
  if (node === undefined) return signals;
  const memberships = state.tables.sources.get(source.uid)?.memberOf ?? {};
  for (const key of Object.keys(memberships).sort(byCodeUnit)) {
    const incident = state.tables.incidents.get(memberships[key]?.id ?? '');
    if (incident !== undefined && explainingNode(state, source, incident) !== undefined) supersedeMember(engine, source, incident, node);
  }
  return signals.filter((signal) => explainingNode(state, source, signal) === undefined);
}

/** Scenarios of which the source stays a member while its node is lost: its status stands still, and that is no recovery. */
export function heldByNode(state: ClusterState, source: Source): readonly ScenarioId[] {
  if (nodeIncidentOf(state, source) === undefined) return [];
  return Object.values(state.tables.sources.get(source.uid)?.memberOf ?? {}).flatMap(({ id, scenario }) => {
    const incident = state.tables.incidents.get(id);
    return incident !== undefined && EXPLAINED.has(incident.track) ? [scenario] : [];
  });
}

function supersedeMember(engine: Engine, source: Source, incident: Incident, by: Incident): void {
  const { state } = engine;
  const member = state.tables.members.get(memberKey(incident.id, source.uid));
  setMembership(engine, source.uid, incidentKey(incident.track, incident.subject), undefined);
  if (member === undefined) return;
  addMember(engine, incident, { ...member, lastMs: state.meta.streamTimeMs, state: 'gone' });
  const left: Incident = { ...incident, failing: incident.failing - (member.state === 'failing' ? 1 : 0) };
  if (left.failing > 0) put(engine, left);
  else resolve(engine, { ...left, supersededBy: by.id }, 'superseded', `explained by ${by.scenario} of ${by.subject.kind} ${by.subject.name}`);
}

/** After a node was judged: the pods bound to it are members of its incident, and are judged again when that begins or ends. */
export function syncNodeMembers(engine: Engine, node: string): void {
  const { state } = engine;
  const id = state.indexes.openByKey.get(incidentKey('node', { kind: 'Node', namespace: '', name: node, container: '' }));
  let incident = id === undefined ? undefined : state.tables.incidents.get(id);
  if (incident === undefined) return;
  const nowMs = state.meta.streamTimeMs;
  const failing = incident.state === 'open';
  for (const uid of state.indexes.podsByNode.get(node)) {
    const pod = state.tables.objects.pods.get(uid)?.object as Pod;
    const known = state.tables.members.get(memberKey(incident.id, uid));
    if (isTerminal(pod) || (known === undefined && !failing) || known?.state === (failing ? 'failing' : 'recovering')) continue;
    if (known === undefined) incident = { ...incident, pods: incident.pods + 1 };
    const { namespace, name } = pod.metadata;
    const member: Member = {
      incidentId: incident.id,
      kind: 'Pod',
      namespace,
      name,
      uid,
      node,
      firstMs: known?.firstMs ?? nowMs,
      lastMs: nowMs,
      state: failing ? 'failing' : 'recovering',
    };
    addMember(engine, incident, member);
    state.tables.dirty.set(`pod/${uid}`, 1);
  }
  if (incident !== state.tables.incidents.get(incident.id)) put(engine, incident);
}

/** A pod that is gone leaves its node's incident too. */
export function leaveNode(engine: Engine, pod: Pod): void {
  const { state } = engine;
  const node = pod.spec.nodeName;
  if (node === undefined || node === '') return;
  for (const id of state.indexes.incidentsBySubject.get(`Node//${node}`)) {
    const incident = state.tables.incidents.get(id);
    const member = state.tables.members.get(memberKey(id, pod.metadata.uid));
    if (incident === undefined || member === undefined || member.state === 'gone') continue;
    addMember(engine, incident, { ...member, lastMs: state.meta.streamTimeMs, state: 'gone' });
    put(engine, tell(engine, incident, 'note', state.meta.streamTimeMs, `Pod ${member.namespace}/${member.name} is gone`));
  }
}
