/** Manifests as text: YAML documents or JSON, read one document at a time, with problems that say on which line. */
import { setImmediate } from 'node:timers/promises';
import type { Document, Node as YamlNode } from 'yaml';
import { isMap, isNode, isScalar, LineCounter, parseDocument, visit } from 'yaml';
import type { ManifestProblem, Manifests } from './capacity/manifest.ts';
import { readManifests } from './capacity/manifest.ts';
import { jsonOffsets } from './json-offsets.ts';

/** A problem of the text, or of an object in it, for a person to find. */
export interface LocatedProblem extends Omit<ManifestProblem, 'path'> {
  /** From 1, in the whole text. */
  readonly line: number;
  /** `spec.template.spec.containers[0].image`; '' for the document itself. */
  readonly field: string;
}

export interface LocatedManifests extends Manifests {
  readonly located: readonly LocatedProblem[];
}

export interface TextLimits {
  /** Of the whole text, characters. */
  readonly text: number;
  /** Of one document: it is held as a syntax tree, some 80 bytes a character. */
  readonly document: number;
}

/** Problems past this many are not listed: nobody mends more in one go. */
const MAX_LISTED = 100;
/** A document that repeats its anchors more often than this is an attack, not a manifest. */
const MAX_ALIASES = 100;

interface Chunk {
  readonly text: string;
  /** Lines before it. */
  readonly before: number;
}

/** Reads the manifests of one text. Never rejects: what cannot be used is a problem. Gives the event loop a turn after each document. */
export async function readManifestText(text: string, limits: TextLimits): Promise<LocatedManifests> {
  if (text.length > limits.text) {
    const message = `the manifests have ${text.length} characters, more than the ${limits.text} that are taken at once`;
    return { workloads: [], others: [], problems: [], located: [{ document: 1, line: 1, field: '', message }] };
  }
  const located: LocatedProblem[] = [];
  const all = { workloads: [] as Manifests['workloads'][number][], others: [] as Manifests['others'][number][], problems: [] as ManifestProblem[] };
  let document = 0;
  for (const chunk of chunksOf(text)) {
    document += 1;
    const read = readChunk(chunk, document, limits.document);
    all.workloads.push(...read.workloads);
    all.others.push(...read.others);
    all.problems.push(...read.problems);
    located.push(...read.located.slice(0, MAX_LISTED - located.length));
    await setImmediate();
  }
  if (document === 0) located.push({ document: 1, line: 1, field: '', message: 'there is no manifest in it' });
  return { ...all, located };
}

/** The documents, by the markers that may only stand at the beginning of a line. Those with nothing but comments are none. */
function* chunksOf(text: string): Generator<Chunk> {
  const marker = /^(?:---(?=[\s]|$)|\.\.\.[ \t]*$)/gm;
  let [start, lines] = [0, 0];
  const chunk = (end: number): Chunk | undefined => {
    const part = text.slice(start, end);
    const before = lines;
    lines += part.split('\n').length - 1;
    return /^[ \t]*[^\s#%]/m.test(part) ? { text: part, before } : undefined;
  };
  for (let match = marker.exec(text); match !== null; match = marker.exec(text)) {
    const found = chunk(match.index);
    if (found !== undefined) yield found;
    start = match.index + match[0].length;
  }
  const last = chunk(text.length);
  if (last !== undefined) yield last;
}

function readChunk({ text, before }: Chunk, document: number, limit: number): LocatedManifests {
  const nothing = { workloads: [], others: [], problems: [] };
  const refuse = (line: number, message: string): LocatedManifests => ({ ...nothing, located: [{ document, line: before + line, field: '', message }] });
  const json = parseJson(text);
  if (json === undefined && text.length > limit) return refuse(1, `has ${text.length} characters, more than the ${limit} of one document: split it with ---`);
  if (json !== undefined) {
    const read = readManifests([json.value]);
    const problems = read.problems.slice(0, MAX_LISTED).map((problem) => ({ ...problem, document }));
    const lines = linesAt(
      text,
      jsonOffsets(
        text,
        problems.map(({ path }) => path),
      ),
    );
    const located = problems.map(({ path, message }, index) => ({ document, line: before + (lines[index] ?? 1), field: formatField(path), message }));
    return { ...read, problems, located };
  }
  const template = /^[^#\n"']*(?::|-)[ \t]*\{\{/m.exec(text);
  if (template !== null) {
    const line = text.slice(0, template.index + template[0].length).split('\n').length;
    return refuse(line, 'is a template: render it first, as with helm template');
  }
  const counter = new LineCounter();
  const parsed = parseDocument(text, { lineCounter: counter, prettyErrors: false, merge: true });
  const lineAt = (offset: number): number => counter.linePos(offset).line;
  const [error] = parsed.errors;
  if (error !== undefined) return refuse(lineAt(error.pos[0]), `is not valid YAML: ${error.message}`);
  let value: unknown;
  try {
    value = parsed.toJS({ maxAliasCount: MAX_ALIASES });
  } catch (cause) {
    return refuse(lineAt(danglingAlias(parsed)), `is not valid YAML: ${(cause as Error).message}`);
  }
  const read = readManifests([value]);
  const located = read.problems.map(({ path, message }) => ({ document, line: before + lineAt(offsetOf(parsed, path)), field: formatField(path), message }));
  return { ...read, problems: read.problems.map((problem) => ({ ...problem, document })), located };
}

function parseJson(text: string): { readonly value: unknown } | undefined {
  if (!/^\s*[{[]/.test(text)) return undefined;
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined; // flow YAML, or JSON with a mistake that the YAML parser locates
  }
}

/** The line, from 1, of each offset. */
function linesAt(text: string, offsets: readonly number[]): readonly number[] {
  const lines = new Map<number, number>();
  let [line, from] = [1, 0];
  for (const offset of [...offsets].sort((a, b) => a - b)) {
    for (let next = text.indexOf('\n', from); next !== -1 && next < offset; next = text.indexOf('\n', from)) {
      line += 1;
      from = next + 1;
    }
    lines.set(offset, line);
  }
  return offsets.map((offset) => lines.get(offset) ?? 1);
}

/** Where an alias stands that no anchor belongs to; 0 if there is none. */
function danglingAlias(document: Document): number {
  let found = 0;
  visit(document, {
    Alias(_key, alias) {
      if (alias.resolve(document) !== undefined) return undefined;
      found = startOf(alias);
      return visit.BREAK;
    },
  });
  return found;
}

/** Where the key or item at the end of the path stands; as deep as the path leads. */
function offsetOf(document: Document, path: ManifestProblem['path']): number {
  let node: unknown = document.contents;
  let offset = startOf(node);
  for (const step of path) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => (isScalar(key) ? String(key.value) : key) === String(step));
      if (pair === undefined) break;
      offset = startOf(pair.key) || offset;
      node = pair.value;
    } else {
      node = (node as { readonly items?: readonly unknown[] } | null)?.items?.[Number(step)];
      offset = startOf(node) || offset;
    }
  }
  return offset;
}

function startOf(node: unknown): number {
  return isNode(node) ? ((node as YamlNode).range?.[0] ?? 0) : 0;
}

/** `spec.containers[0].image` */
export function formatField(path: ManifestProblem['path']): string {
  return path
    .map((step) => (typeof step === 'number' ? `[${step}]` : `.${step}`))
    .join('')
    .replace(/^\./, '');
}
