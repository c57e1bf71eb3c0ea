/** Rows of the incident queries, and how they become JSON. */
import { z } from 'zod';
import { epochMs, integer } from '../../store.ts';
import { formatOptionalTime, formatTime } from '../../time-range.ts';
import type { IncidentJson, MemberJson } from './schema.ts';

/** Head row as selected by list.sql and by-id.sql. */
export const headRow = z.object({
  cluster: z.string(),
  id: z.string(),
  scenario: z.string(),
  cause: z.string(),
  detail: z.string(),
  flags: z.array(z.string()),
  confidence: z.string(),
  severity: z.string(),
  state: z.string(),
  resolution: z.string(),
  subject_kind: z.string(),
  subject_namespace: z.string(),
  subject_name: z.string(),
  subject_container: z.string(),
  image: z.string(),
  registry: z.string(),
  node: z.string(),
  claim: z.string(),
  pods: integer,
  failing_pods: integer,
  impact: z.string(),
  first_symptom_ms: epochMs,
  opened_ms: epochMs,
  updated_ms: epochMs,
  resolved_ms: epochMs,
  flaps: integer,
  summary: z.string(),
  evidence: z.string(),
  suspected_change: z.string(),
  superseded_by: z.string(),
  parent: z.string(),
});
export type HeadRow = z.output<typeof headRow>;

export const memberRow = z.object({
  cluster: z.string(),
  incident_id: z.string(),
  pod_namespace: z.string(),
  pod_name: z.string(),
  pod_uid: z.string(),
  node: z.string(),
  state: z.string(),
  first_ms: epochMs,
  last_ms: epochMs,
});
export type MemberRow = z.output<typeof memberRow>;

const orNull = (text: string): string | null => (text === '' ? null : text);

/** JSON that the processor wrote; null for '' and for what an older release may have written otherwise. */
function parseColumn(text: string): unknown {
  if (text === '') return null;
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function buildEvidence(text: string): IncidentJson['evidence'] {
  const parsed = parseColumn(text);
  if (!Array.isArray(parsed)) return [];
  return parsed.map((item: Readonly<Record<string, unknown>>) => ({
    kind: String(item['kind'] ?? ''),
    object: String(item['object'] ?? ''),
    path: String(item['path'] ?? ''),
    value: String(item['value'] ?? ''),
    time: formatOptionalTime(typeof item['timeMs'] === 'number' ? item['timeMs'] : 0),
  }));
}

function buildImpact(text: string): IncidentJson['impact'] {
  const parsed = parseColumn(text) as Readonly<Record<string, unknown>> | null;
  if (parsed === null) return null;
  const count = (key: string): number => Math.trunc(Number(parsed[key] ?? 0));
  return { desired: count('desired'), ready: count('ready'), affected: count('affected') };
}

/** The incident of a head row and its first members. */
export function buildIncident(row: HeadRow, members: readonly MemberRow[]): IncidentJson {
  return {
    id: row.id,
    cluster: row.cluster,
    scenario: row.scenario,
    cause: row.cause,
    flags: row.flags,
    confidence: row.confidence,
    detail: row.detail,
    state: row.state,
    resolution: orNull(row.resolution),
    severity: row.severity,
    subject: { kind: row.subject_kind, namespace: row.subject_namespace, name: row.subject_name, container: row.subject_container },
    image: orNull(row.image),
    registry: orNull(row.registry),
    node: orNull(row.node),
    claim: orNull(row.claim),
    pods: members.map((member) => ({ namespace: member.pod_namespace, name: member.pod_name, uid: member.pod_uid })),
    podCount: row.pods,
    failingPods: row.failing_pods,
    impact: buildImpact(row.impact),
    firstSymptomTime: formatOptionalTime(row.first_symptom_ms),
    openedTime: formatTime(row.opened_ms),
    updatedTime: formatTime(row.updated_ms),
    resolvedTime: formatOptionalTime(row.resolved_ms),
    flaps: row.flaps,
    summary: row.summary,
    evidence: buildEvidence(row.evidence),
    suspectedChange: parseColumn(row.suspected_change),
    supersededBy: orNull(row.superseded_by),
    parent: orNull(row.parent),
  };
}

/** A member pod with its own times. */
export function buildMember(row: MemberRow): MemberJson {
  return {
    namespace: row.pod_namespace,
    name: row.pod_name,
    uid: row.pod_uid,
    node: row.node,
    state: row.state,
    firstTime: formatTime(row.first_ms),
    lastTime: formatTime(row.last_ms),
  };
}
