/** The incident: its contract in the state, its identity, and its row. What happens to it is in incidents.ts. */
import { createHash } from 'node:crypto';
import type { IncidentRow } from '../../sql/rows.ts';
import type { SuspectedChange } from './changes.ts';
import type { Confidence, Evidence, ScenarioId, Shared, Signal, Subject, Track } from '../scenarios/scenario.ts';
import { sameJson } from './same-json.ts';
import type { ClusterState } from './state.ts';
import type { Table } from './tables.ts';
import { byCodeUnit } from './tables.ts';

export type IncidentState = 'open' | 'recovering' | 'resolved';
/** How it ended (design D8). ended: what it was about is over by its nature, as for a pod that was evicted. */
export type Resolution = 'recovered' | 'deleted' | 'superseded' | 'ended' | 'unknown';
export type Severity = 'info' | 'warning' | 'critical';

/** An incident as the state holds it while it is not resolved. */
export interface Incident {
  readonly id: string;
  readonly track: Track;
  readonly rank: number;
  /** uid of the source whose signal gave scenario, cause and evidence: only it may change them for others of equal rank. */
  readonly decidedBy: string;
  readonly subject: Subject;
  readonly scenario: ScenarioId;
  readonly cause: string;
  readonly detail: string;
  readonly flags: readonly string[];
  readonly confidence: Confidence;
  readonly state: IncidentState;
  readonly resolution: Resolution | '';
  readonly shared: Shared;
  readonly summary: string;
  readonly evidence: readonly Evidence[];
  readonly firstSymptomMs: number;
  readonly openedMs: number;
  readonly updatedMs: number;
  readonly resolvedMs: number;
  readonly recoverAfterMs: number;
  /** Since when no member fails, while recovering. */
  readonly recoveringSinceMs: number;
  /** A member became healthy, not merely vanished, since it last was open: only then a relapse is a flap. */
  readonly sawHealth: boolean;
  readonly flaps: number;
  /** Members failing now, members ever, and how many of those are pods. Of a parent: its unresolved children, and children ever. */
  readonly failing: number;
  readonly members: number;
  readonly pods: number;
  /** Entries written to the timeline. */
  readonly timelineSeq: number;
  /** What changed just before it opened; undefined: none found. */
  readonly suspectedChange?: SuspectedChange | undefined;
  readonly supersededBy: string;
  /** Id of the parent incident, or ''. */
  readonly parent: string;
  /** Of a parent: what its children share, one of their groupKeys. */
  readonly isParent: boolean;
  readonly groupKey: string;
}

/** What an incident may be grouped by, the most telling first: scenario, cause and the shared thing. */
export function groupKeys(incident: Incident): readonly { readonly key: string; readonly kind: string; readonly value: string }[] {
  const kinds = ['image', 'claim', 'node', 'registry'] as const;
  return kinds.flatMap((kind) => {
    const value = incident.shared[kind];
    return value === undefined || value === '' ? [] : [{ key: `${incident.scenario}/${incident.cause}|${kind}|${value}`, kind, value }];
  });
}

/** Id of a parent, named by its first child; by when it opens as well, since one that ended may form again around the same child. */
export function parentId(clusterUid: string, groupKey: string, firstChild: string, openedMs: number): string {
  return hash(`${clusterUid}\n${groupKey}\n${firstChild}\n${openedMs}`);
}

/** A source's part in an incident. Pods, and controllers that cannot create pods. */
export interface Member {
  readonly incidentId: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly node: string;
  readonly firstMs: number;
  readonly lastMs: number;
  readonly state: 'failing' | 'recovering' | 'recovered' | 'gone';
}

/** What the rules said of one source (a pod, controller or node) when it was last judged. */
export interface SourceState {
  /** incidentKey → id of the incident that it is a member of. */
  readonly memberOf: Readonly<Record<string, { readonly id: string; readonly scenario: ScenarioId }>>;
}

/** At most one unresolved incident has this key. */
export function incidentKey(track: Track, subject: Subject): string {
  return `${track}|${subject.kind}/${subject.namespace}/${subject.name}/${subject.container}`;
}

/** Id by cluster, subject, track and the opening fact as the object dates it (style N8): 20 hex digits. */
export function incidentId(clusterUid: string, signal: Signal): string {
  return hash(`${clusterUid}\n${incidentKey(signal.track, signal.subject)}\n${signal.fact.value}\n${signal.fact.timeMs}`);
}

const hash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 20);

/** By source uid: the ids of the facts of it that opened incidents, and how many each. */
export type OpenedTable = Table<Readonly<Record<string, number>>>;

/** Facts of a source that are remembered: older ones are over. */
const REMEMBERED_FACTS = 16;

/**
 * Id of the incident that the source opens now; noted in `opened`. One fact opens several where what explained it for a while, such as a
 * lost node, is over: the first has incidentId, and no two have the same. A backup that was restored brings back pods that were forgotten
 * with what they had opened: what opens after that has an id of its own.
 */
export function nextIncidentId(clusterUid: string, opened: OpenedTable, sourceUid: string, signal: Signal, timesRestored: number): string {
  const id = incidentId(clusterUid, signal);
  const { [id]: before = 0, ...others } = opened.get(sourceUid) ?? {};
  opened.set(sourceUid, { ...Object.fromEntries(Object.entries(others).slice(-REMEMBERED_FACTS)), [id]: before + 1 });
  if (timesRestored > 0) return hash(`${id}\n${before}\n${timesRestored}`);
  return before === 0 ? id : hash(`${id}\n${before}`);
}

/** Characters of an id in lists and stories: enough to be unique among millions. */
export const SHORT_ID = 12;

/** For this long a pod that vanished may turn out to be there, ms: nothing that nobody can read should last longer. */
const VANISHED_MS = 3_600_000;

/** A pod that a list did not name, since nobody could read it, may come again: what it opened is then not to open under the same id. */
export function forgetOpened({ tables, timers, meta }: ClusterState, kind: string, uid: string): void {
  if (kind === 'pod' && tables.opened.has(uid)) timers.set(`forget/${uid}`, meta.streamTimeMs + VANISHED_MS);
  else tables.opened.delete(uid);
}

/** Replicas wanted and ready of the subject's workload, and members failing now. */
export interface Impact {
  readonly desired: number;
  readonly ready: number;
  readonly affected: number;
}

/** Severity by what is lost: critical when nothing of a workload is ready, info when nothing fails any more. */
export function severityOf(base: Severity, impact: Impact): Severity {
  if (impact.desired > 0 && impact.ready === 0) return 'critical';
  return base;
}

/** The head row of an incident. */
export function incidentRow(cluster: string, incident: Incident, impact: Impact, severity: Severity): IncidentRow {
  const { subject, shared } = incident;
  return {
    cluster,
    id: incident.id,
    scenario: incident.scenario,
    cause: incident.cause,
    detail: incident.detail,
    flags: incident.flags,
    confidence: incident.confidence,
    severity,
    state: incident.state,
    resolution: incident.resolution,
    subjectKind: subject.kind,
    subjectNamespace: subject.namespace,
    subjectName: subject.name,
    subjectContainer: subject.container,
    image: shared.image ?? '',
    registry: shared.registry ?? '',
    node: shared.node ?? '',
    claim: shared.claim ?? '',
    pods: incident.pods,
    failingPods: incident.failing,
    impact: JSON.stringify(impact),
    openedTimeMs: incident.openedMs,
    updatedTimeMs: incident.updatedMs,
    resolvedTimeMs: incident.resolvedMs,
    firstSymptomTimeMs: incident.firstSymptomMs,
    flaps: incident.flaps,
    summary: incident.summary,
    evidence: JSON.stringify(incident.evidence),
    suspectedChange: incident.suspectedChange === undefined ? '' : JSON.stringify(incident.suspectedChange),
    supersededBy: incident.supersededBy,
    parent: incident.parent,
  };
}

/** Characters kept of an evidence value, and pieces of evidence kept. */
const EVIDENCE_CHARS = 1_000;
const EVIDENCE_PIECES = 20;

/** The evidence of a signal as far as an incident keeps it. */
export function trimEvidence(signal: Pick<Signal, 'evidence'>): Incident['evidence'] {
  return signal.evidence.slice(0, EVIDENCE_PIECES).map((e) => (e.value.length > EVIDENCE_CHARS ? { ...e, value: `${e.value.slice(0, EVIDENCE_CHARS)}…` } : e));
}

/** A flag once earned stays with its cause; a mute ends. */
export function flagsAfter({ flags }: Incident, signal: Signal): readonly string[] {
  if (sameJson(flags, signal.flags)) return flags;
  return [...new Set([...flags.filter((flag) => flag !== 'muted'), ...signal.flags])].sort(byCodeUnit);
}

/** Of the same cause: nothing that is shown of the incident would change. */
export function saysTheSame(incident: Incident, next: Pick<Signal, 'confidence' | 'summary' | 'flags' | 'evidence' | 'shared'>): boolean {
  return (
    incident.confidence === next.confidence &&
    incident.summary === next.summary &&
    sameJson(incident.flags, next.flags) &&
    sameJson(incident.evidence, next.evidence) &&
    (next.shared === undefined || sameJson(incident.shared, next.shared))
  );
}
