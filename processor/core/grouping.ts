/**
 * Parent incidents (design D8): when three or more workloads fail alike within ten minutes and share an image, a claim, a node or a
 * registry, an incident about that opens; the children keep their ids and point to it.
 */
import type { Subject } from '../scenarios/scenario.ts';
import type { Incident } from './incident.ts';
import { groupKeys, parentId, SHORT_ID } from './incident.ts';
import type { Engine } from './incidents.ts';
import { put, resolve, tell } from './incidents.ts';
import { indexIncident } from './state.ts';
import { byCodeUnit } from './tables.ts';

/** design D8. */
const ALIKE_WINDOW_MS = 600_000;
const ALIKE_WORKLOADS = 3;

/** Children that are told one by one; an outage of a registry has hundreds. */
const TOLD_CHILDREN = 10;

const SUBJECT_KINDS: Readonly<Record<string, string>> = { image: 'Image', claim: 'PersistentVolumeClaim', node: 'Node', registry: 'Registry' };

/** Groups what this step opened, and ends parents whose last child ended. Call once, after everything was judged. */
export function groupIncidents(engine: Engine): void {
  const { touched } = engine;
  if (touched === undefined) return;
  for (const id of [...touched.keys()].sort(byCodeUnit)) {
    const incident = touched.get(id) as Incident;
    if (incident.state === 'resolved') childResolved(engine, incident);
    else if (incident.parent === '' && !incident.isParent) adopt(engine, incident);
  }
}

function adopt(engine: Engine, incident: Incident): void {
  const { indexes, tables } = engine.state;
  for (const { key, kind, value } of groupKeys(incident)) {
    const alike = indexes.alike
      .get(key)
      .map((id) => tables.incidents.get(id) as Incident)
      .filter((other) => Math.abs(other.openedMs - incident.openedMs) <= ALIKE_WINDOW_MS);
    const existing = alike.find((other) => other.parent !== '' && tables.incidents.get(other.parent)?.groupKey === key);
    const orphans = alike.filter((other) => other.parent === '');
    const workloads = new Set(orphans.map((other) => `${other.subject.kind}/${other.subject.namespace}/${other.subject.name}`));
    if (existing === undefined && workloads.size < ALIKE_WORKLOADS) continue;
    const parent = tables.incidents.get(existing?.parent ?? '') ?? openParent(engine, incident, orphans, key, kind, value);
    for (const child of orphans) addChild(engine, parent.id, child);
    return;
  }
}

function openParent(engine: Engine, like: Incident, children: readonly Incident[], key: string, kind: string, value: string): Incident {
  const { state } = engine;
  const nowMs = state.meta.streamTimeMs;
  const first = children.reduce((a, b) => (b.firstSymptomMs < a.firstSymptomMs ? b : a));
  const subject: Subject = { kind: SUBJECT_KINDS[kind] ?? kind, namespace: kind === 'claim' ? like.subject.namespace : '', name: value, container: '' };
  const parent: Incident = {
    ...like,
    id: parentId(state.cluster.uid, key, first.id, nowMs),
    groupKey: key,
    isParent: true,
    subject,
    decidedBy: '',
    state: 'open',
    // What mutes all of them mutes what they share.
    flags: children.every((child) => child.flags.includes('muted')) ? ['muted'] : [],
    detail: '',
    summary: `${children.length} workloads fail alike on ${kind} ${value}: ${first.summary}`,
    firstSymptomMs: first.firstSymptomMs,
    openedMs: nowMs,
    updatedMs: nowMs,
    sawHealth: false,
    flaps: 0,
    failing: 0,
    members: 0,
    pods: 0,
    timelineSeq: 0,
    parent: '',
  };
  const told = tell(engine, parent, 'opened', nowMs, parent.summary);
  indexIncident(state.indexes, told);
  put(engine, told);
  return told;
}

function addChild(engine: Engine, parentOf: string, child: Incident): void {
  const parent = engine.state.tables.incidents.get(parentOf) as Incident;
  const members = parent.members + 1;
  const summary = parent.summary.replace(/^\d+/, String(Math.max(members, ALIKE_WORKLOADS)));
  const open: Incident = { ...parent, failing: parent.failing + 1, members, pods: parent.pods + child.pods, summary };
  const text =
    members === TOLD_CHILDREN ? 'more workloads join; the children of this incident name them' : `incident ${child.id.slice(0, SHORT_ID)}: ${child.summary}`;
  put(engine, members > TOLD_CHILDREN ? open : tell(engine, open, 'member', engine.state.meta.streamTimeMs, text));
  put(engine, { ...child, parent: parentOf });
}

function childResolved(engine: Engine, child: Incident): void {
  const parent = engine.state.tables.incidents.get(child.parent);
  if (parent === undefined) return;
  const left: Incident = { ...parent, failing: parent.failing - 1 };
  if (left.failing > 0) put(engine, left);
  else resolve(engine, left, child.resolution === 'deleted' ? 'deleted' : 'recovered', 'the last workload recovered');
}
