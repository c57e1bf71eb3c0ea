/** Incidents for a person at a terminal: lists as tables, one as a page. */
import type { AdviceJson, IncidentDetailJson, IncidentJson } from '../api/routes/incidents/schema.ts';
import { SHORT_ID } from '../processor/core/incident.ts';
import { formatDuration, formatTable, printable } from './output.ts';

/** What a line of a list says. */
export type IncidentLine = Pick<
  IncidentJson,
  'id' | 'cluster' | 'scenario' | 'cause' | 'detail' | 'state' | 'resolution' | 'severity' | 'subject' | 'openedTime' | 'updatedTime' | 'summary'
>;

/** Characters of a summary in a list: at most, and at least for a column of its own. */
const SUMMARY_WIDTH = 80;
const LEAST_SUMMARY_WIDTH = 40;

/**
 * Rows of incidents; `nowMs` is what ages count from. A terminal that has too few `columns` for a line an incident gets two; `wide` cuts
 * nothing.
 */
export function incidentTable(incidents: readonly IncidentLine[], wide: boolean, nowMs: number, columns = Number.POSITIVE_INFINITY): string {
  const header = ['ID', 'AGE', 'CLUSTER', 'STATE', 'SCENARIO', 'CAUSE', 'SUBJECT', ...(wide ? ['SEVERITY'] : [])];
  const rows = incidents.map((incident) => [
    ...headCells(incident, nowMs),
    incident.scenario,
    causeOf(incident),
    subjectOf(incident),
    ...(wide ? [incident.severity] : []),
  ]);
  const room = wide
    ? Number.POSITIVE_INFINITY
    : columns -
      2 -
      Math.max(
        ...formatTable(header, rows)
          .split('\n')
          .map((line) => line.length),
      );
  if (room < LEAST_SUMMARY_WIDTH) return narrowTable(incidents, nowMs, columns);
  const width = wide ? Number.POSITIVE_INFINITY : Math.min(room, SUMMARY_WIDTH);
  return formatTable(
    [...header, 'SUMMARY'],
    rows.map((cells, index) => [...cells, cut(incidents[index]?.summary ?? '', width)]),
  );
}

/** Of each incident a line, and below it what it is about in words. */
function narrowTable(incidents: readonly IncidentLine[], nowMs: number, columns: number): string {
  const rows = incidents.map((incident) => [...headCells(incident, nowMs), causeOf(incident)]);
  const [head = '', ...lines] = formatTable(['ID', 'AGE', 'CLUSTER', 'STATE', 'CAUSE'], rows).split('\n');
  const pairs = lines.flatMap((line, index) => [line, `  ${printable(incidents[index]?.summary ?? '')}`]);
  return [head, ...pairs].map((line) => cut(line, columns)).join('\n');
}

const headCells = (incident: IncidentLine, nowMs: number): string[] => [
  incident.id.slice(0, SHORT_ID),
  formatDuration(nowMs - Date.parse(incident.openedTime)),
  incident.cluster,
  stateOf(incident),
];
const cut = (text: string, width: number): string => (text.length <= width ? text : `${text.slice(0, width - 1)}…`);

const stateOf = ({ state, resolution }: IncidentLine): string => (state === 'resolved' ? (resolution ?? state) : state);
const causeOf = ({ cause, detail }: IncidentLine): string => (detail === '' ? cause : `${cause} (${detail})`);
const subjectOf = ({ subject: { kind, namespace, name, container } }: IncidentLine): string =>
  `${kind}/${[namespace, name, container].filter((part) => part !== '').join('/')}`;

/** One incident: what, since when, what changed before, what to do, its story, its evidence, its pods. */
export function incidentText(incident: IncidentDetailJson, nowMs: number): string {
  const { advice, timeline, evidence, members, podCount } = incident;
  const sections = [
    headLines(incident, nowMs).map(printable).join('\n'),
    ...(advice === null ? [] : [`What to do\n${adviceLines(advice).map(printable).join('\n')}`]),
    `Timeline\n${formatTable(
      ['TIME', 'AFTER', 'WHAT', ''],
      timeline.map((entry) => storyLine(entry, Date.parse(incident.openedTime))),
    )}`,
    `Evidence\n${formatTable(
      ['OBJECT', 'FIELD', 'VALUE'],
      evidence.map((entry) => [entry.object, entry.path, entry.value]),
    )}`,
    ...(members.length === 0
      ? []
      : [
          `Pods (${podCount}${members.length < podCount ? `, the first ${members.length}` : ''})\n${formatTable(
            ['POD', 'STATE', 'SINCE', 'NODE'],
            members.map((member) => [`${member.namespace}/${member.name}`, member.state, toSeconds(member.firstTime), member.node]),
          )}`,
        ]),
  ];
  return sections.join('\n\n');
}

function headLines(incident: IncidentDetailJson, nowMs: number): string[] {
  const { impact, suspectedChange, supersededBy, parent, flags, flaps, confidence, severity, openedTime, resolvedTime } = incident;
  const age = formatDuration(Date.parse(resolvedTime ?? new Date(nowMs).toISOString()) - Date.parse(openedTime));
  const notes = [confidence, severity, ...flags, ...(flaps > 0 ? [flaps === 1 ? 'flapped once' : `flapped ${flaps} times`] : [])].join(', ');
  const { text, secondsBefore, confidence: sure } = (suspectedChange ?? {}) as { text?: string; secondsBefore?: number; confidence?: string };
  return [
    incident.summary,
    '',
    `Cause     ${incident.scenario}/${causeOf(incident)}: ${notes}`,
    `Subject   ${subjectOf(incident)} in cluster ${incident.cluster}`,
    `State     ${stateOf(incident)}; opened ${openedTime}, ${resolvedTime === null ? `${age} ago` : `resolved ${resolvedTime}, after ${age}`}`,
    ...(impact === null ? [] : [`Impact    ${impactOf(impact, incident.podCount)}`]),
    `Change    ${text === undefined ? 'none found just before' : `${text}, ${formatDuration((secondsBefore ?? 0) * 1_000)} before (${sure})`}`,
    ...(supersededBy === null ? [] : [`Because   of incident ${supersededBy}`]),
    ...(parent === null ? [] : [`Part of   incident ${parent}`]),
    `Id        ${incident.id}`,
  ];
}

/** A bare pod has no replicas; what cannot create its pods, or a parent's children, are workloads. */
function impactOf({ affected, ready, desired }: NonNullable<IncidentDetailJson['impact']>, pods: number): string {
  const what = pods === 0 ? 'workload' : 'pod';
  return `${affected} ${affected === 1 ? what : `${what}s`} affected${desired === 0 ? '' : `, ${ready} of ${desired} ready`}`;
}

const COUNTED_IN_TEXT = new Set(['member', 'rest']);

const toSeconds = (time: string): string => time.replace(/\.\d+Z$/, 'Z');

/** `2026-01-15T12:00:30Z  -30s  warning  Pod web-1: BackOff: … (×14 in 5m)`; the second column counts from the opening. */
function storyLine({ time, until, kind, text, count }: IncidentDetailJson['timeline'][number], openedMs: number): string[] {
  const timeMs = Date.parse(time);
  const after = timeMs <= openedMs - 500 ? `-${formatDuration(openedMs - timeMs)}` : formatDuration(timeMs - openedMs);
  const times = COUNTED_IN_TEXT.has(kind) || count === 1 ? '' : `×${count}`;
  const span = until === null || Date.parse(until) - timeMs < 1_000 ? '' : `${times === '' ? '' : ' '}in ${formatDuration(Date.parse(until) - timeMs)}`;
  return [toSeconds(time), after, kind, times + span === '' ? text : `${text} (${times}${span})`];
}

/** Title, explanation and numbered steps with their commands, indented by two. */
export function adviceLines(advice: AdviceJson): string[] {
  return [
    `  ${advice.title}: ${advice.explanation}`,
    ...advice.steps.flatMap((step, index) => [`    ${index + 1}. ${step.text}`, ...(step.command === undefined ? [] : [`       $ ${step.command}`])]),
    ...(advice.avoid === '' ? [] : [`    ! ${advice.avoid}`]),
  ];
}
