/**
 * An incident's story for a person: what the processor told, the pods that joined, and what Kubernetes said meanwhile, in order of time.
 * What happens again and again is one entry with a count; what is left out is counted too. Pure.
 */
import { z } from 'zod';
import { epochMs, integer } from '../../store.ts';

export const timelineRow = z.object({ seq: integer, time_ms: epochMs, kind: z.string(), text: z.string() });
export type TimelineRow = z.output<typeof timelineRow>;

/** Row of events.sql. */
export const foldedEventRow = z.object({
  regarding_kind: z.string(),
  field_path: z.string(),
  type: z.string(),
  reason: z.string(),
  last_note: z.string(),
  last_name: z.string(),
  objects: integer,
  times: integer,
  first_ms: epochMs,
  last_ms: epochMs,
});
export type FoldedEventRow = z.output<typeof foldedEventRow>;

export interface StoryEntry {
  /** Of what the processor told; null of what is read from Events and members. */
  readonly seq: number | null;
  readonly timeMs: number;
  /** Last time, of what happened more than once. */
  readonly untilMs: number;
  readonly kind: string;
  readonly text: string;
  readonly count: number;
}

export interface StoryParts {
  /** In order of seq; entries between the oldest and the newest may be missing. */
  readonly told: readonly TimelineRow[];
  readonly events: readonly FoldedEventRow[];
  /** Member pods, those that failed first first, and how many there were. */
  readonly members: readonly { readonly name: string; readonly firstMs: number }[];
  readonly podCount: number;
}

/** Entries of a story at most: a page to read. */
export const STORY_ENTRIES = 60;
/** Pods that join are told one by one up to here, and turns of recovery and relapse. */
const TOLD_MEMBERS = 3;
const TOLD_TURNS = 4;
const NAMED_PODS = 3;
const NOTE_CHARS = 160;

/** Composes the story. */
export function composeStory(parts: StoryParts): StoryEntry[] {
  const members = memberSummary(parts);
  const told = foldTurns(parts.told.filter((row) => members === undefined || row.kind !== 'member').map(toldEntry));
  const entries = [...told, ...(members === undefined ? [] : [members]), ...parts.events.map(eventEntry)];
  const ordered = entries.map((entry, at) => ({ entry, at })).sort((a, b) => a.entry.timeMs - b.entry.timeMs || a.at - b.at);
  return cut(
    ordered.map(({ entry }) => entry),
    notRead(parts.told),
  );
}

const toldEntry = ({ seq, time_ms, kind, text }: TimelineRow): StoryEntry => ({ seq, timeMs: time_ms, untilMs: time_ms, kind, text, count: 1 });

/** Entries of the middle of a long story that were not read. */
function notRead(told: readonly TimelineRow[]): number {
  const last = told.at(-1);
  return last === undefined ? 0 : last.seq + 1 - told.length;
}

function eventEntry(row: FoldedEventRow): StoryEntry {
  const { regarding_kind: kind, last_name: name, objects, reason, field_path: path, times, first_ms: timeMs, last_ms: untilMs } = row;
  const who = objects > 1 ? `${objects} ${plural(kind)}` : `${kind} ${name}`;
  const container = /\{(.+)\}/.exec(path)?.[1];
  const line = row.last_note.trim().replace(/\s+/g, ' ');
  const note = line.length > NOTE_CHARS ? `${line.slice(0, NOTE_CHARS)}…` : line;
  const text = `${who}${container === undefined ? '' : `, container ${container}`}: ${reason}: ${note}`;
  return { seq: null, timeMs, untilMs, kind: row.type === 'Warning' ? 'warning' : 'event', text, count: times };
}

const plural = (kind: string): string => (kind.endsWith('s') ? kind : `${kind}s`);

/** Everyone after the first pod in one line, once they are more than a few. */
function memberSummary({ members, podCount }: StoryParts): StoryEntry | undefined {
  const others = members.slice(1);
  const [first, last] = [others[0], others.at(-1)];
  if (podCount - 1 <= TOLD_MEMBERS || first === undefined || last === undefined) return undefined;
  const named = others.slice(0, NAMED_PODS).map(({ name }) => name);
  const rest = podCount - 1 - named.length;
  const text = `${podCount - 1} more pods fail alike: ${named.join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
  return { seq: null, timeMs: first.firstMs, untilMs: last.firstMs, kind: 'member', text, count: podCount - 1 };
}

const TURNS = new Set(['recovering', 'flap', 'note']);

/** Recovery and relapse in turns: the first and the last are told, those between are one entry. */
function foldTurns(entries: readonly StoryEntry[]): StoryEntry[] {
  const folded: StoryEntry[] = [];
  for (let at = 0; at < entries.length; ) {
    let end = at;
    while (end < entries.length && TURNS.has(entries[end]?.kind ?? '')) end++;
    if (end - at > TOLD_TURNS) {
      const between = entries.slice(at + 1, end - 1);
      folded.push(entries[at] as StoryEntry, foldedTurn(between), entries[end - 1] as StoryEntry);
      at = end;
    } else folded.push(entries[at++] as StoryEntry);
  }
  return folded;
}

function foldedTurn(between: readonly StoryEntry[]): StoryEntry {
  const flaps = between.filter(({ kind }) => kind === 'flap').length;
  const [first, last] = [between[0] as StoryEntry, between.at(-1) as StoryEntry];
  if (flaps > 0) return { ...first, untilMs: last.timeMs, kind: 'flap', text: 'it recovers and fails again', count: flaps };
  return { ...first, untilMs: last.timeMs, text: `${first.text}, and the like`, count: between.length };
}

/** The beginning and the end of a story that is too long, with a word of what lies between. `missing`: entries that were not read. */
function cut(entries: readonly StoryEntry[], missing: number): StoryEntry[] {
  if (missing === 0 && entries.length <= STORY_ENTRIES) return [...entries];
  const head = entries.slice(0, STORY_ENTRIES / 2);
  const tail = entries.slice(Math.max(head.length, entries.length - STORY_ENTRIES / 2 + 1));
  const hidden = entries.slice(head.length, entries.length - tail.length);
  const count = hidden.length + missing;
  const timeMs = (hidden[0] ?? head.at(-1))?.timeMs ?? 0;
  const rest: StoryEntry = { seq: null, timeMs, untilMs: hidden.at(-1)?.timeMs ?? timeMs, kind: 'rest', text: `${count} more entries`, count };
  return [...head, rest, ...tail];
}
