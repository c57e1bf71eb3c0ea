/** Objects as `kubectl get … -o json|yaml` prints them: lists, single objects, several documents, several outputs one after another. */
import { readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';
import { CommandError, EXIT } from './errors.ts';

/**
 * The objects in a file, or in standard input (`-`). Throws CommandError: exit 3 for what cannot be read or parsed, 2 where standard
 * input is a terminal, at which nobody types a list.
 */
export async function readItems(name: string): Promise<unknown[]> {
  if (name === '-' && process.stdin.isTTY)
    throw new CommandError(EXIT.refused, 'name a file, or pipe a list in: kubectl get pods,events,nodes -A -o json | podtrail explain');
  try {
    return parseItems(name === '-' ? await readStandardInput() : readFileSync(name, 'utf8'), label(name));
  } catch (error) {
    if (error instanceof CommandError) throw error;
    throw new CommandError(EXIT.badInput, `read ${label(name)} failed: ${(error as Error).message}`, { cause: error });
  }
}

const label = (name: string): string => (name === '-' ? 'standard input' : name);

async function readStandardInput(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

/** As readItems, from the text itself; `name` is for messages. */
export function parseItems(text: string, name: string): unknown[] {
  if (text.trim() === '') throw new CommandError(EXIT.badInput, `${name} is empty: \`kubectl get pods,events,nodes -A -o json\` makes a list`);
  return parseDocuments(text, name).flatMap((document) => itemsOf(document, name));
}

function itemsOf(document: unknown, name: string): unknown[] {
  if (Array.isArray(document)) return document;
  if (typeof document !== 'object' || document === null) throw new CommandError(EXIT.badInput, `${name} holds no Kubernetes object`);
  const { kind, items } = document as { readonly kind?: unknown; readonly items?: unknown };
  if (Array.isArray(items)) return items.map((item) => withListKind(item, kind));
  // An empty list of Go is null.
  return typeof kind === 'string' && kind.endsWith('List') && items === null ? [] : [document];
}

/** Items of a typed list (PodList) carry no kind of their own. */
function withListKind(item: unknown, listKind: unknown): unknown {
  const raw = item as { readonly kind?: unknown } | null;
  if (typeof raw !== 'object' || raw === null || raw.kind !== undefined || typeof listKind !== 'string') return item;
  return { kind: listKind.replace(/List$/, ''), ...raw };
}

/** JSON is YAML, but its own parser is faster and says more. */
function parseDocuments(text: string, name: string): unknown[] {
  if (/^\s*[{[]/.test(text)) {
    try {
      return [JSON.parse(text)];
    } catch (error) {
      const documents = splitJson(text);
      if (documents.length > 1) return documents.flatMap((document) => parseDocuments(document, name));
      throw new CommandError(EXIT.badInput, `${name} is not valid JSON: ${(error as Error).message}`, { cause: error });
    }
  }
  try {
    const parsed = parseAllDocuments(text);
    const documents = Array.isArray(parsed) ? parsed : [];
    const bad = documents.flatMap((document) => document.errors)[0];
    if (bad !== undefined) throw bad;
    return documents.map((document) => document.toJS() as unknown).filter((document) => document !== null);
  } catch (error) {
    throw new CommandError(EXIT.badInput, `${name} is not valid YAML: ${(error as Error).message}`, { cause: error });
  }
}

/** Two outputs piped together are two documents with nothing but white space between them. */
function splitJson(text: string): string[] {
  const documents: string[] = [];
  let [start, depth] = [0, 0];
  // Brackets in strings do not count, and a string is skipped whole.
  for (const match of text.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"|[{[]|[}\]]/gs)) {
    const token = match[0];
    if (token === '{' || token === '[') depth++;
    else if (token === '}' || token === ']') {
      depth--;
      if (depth > 0) continue;
      documents.push(text.slice(start, match.index + 1));
      start = match.index + 1;
    }
  }
  const rest = text.slice(start);
  return rest.trim() === '' ? documents : [...documents, rest];
}
