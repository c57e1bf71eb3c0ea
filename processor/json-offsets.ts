/** Where in a JSON text the values at given paths stand. Pure; one pass, whatever the number of paths. */

interface Wanted {
  readonly below: Map<string, Wanted>;
  offset: number;
}

/**
 * For each path the offset of its last key, or of its last item, as deep as the path leads; 0 for the root. The text must be valid JSON:
 * JSON.parse has taken it.
 */
export function jsonOffsets(text: string, paths: readonly (readonly (string | number)[])[]): readonly number[] {
  const root: Wanted = { below: new Map(), offset: 0 };
  for (const path of paths) path.reduce<Wanted>((parent, step) => want(parent, String(step)), root);
  createScanner(text).visit(root);
  return paths.map((path) => deepestOffset(root, path));
}

function deepestOffset(root: Wanted, path: readonly (string | number)[]): number {
  let [at, offset] = [root, root.offset];
  for (const step of path) {
    at = want(at, String(step));
    if (at.offset === UNSEEN) break;
    offset = at.offset;
  }
  return offset;
}

const UNSEEN = -1;

function want(parent: Wanted, step: string): Wanted {
  const known = parent.below.get(step) ?? { below: new Map(), offset: UNSEEN };
  parent.below.set(step, known);
  return known;
}

const STRING = /"(?:[^"\\]|\\.)*"/y;
/** White space and what separates. */
const GAP = /[\s,:]*/y;
const SCALAR = /[^\s,\]}]*/y;
const PLAIN = /[^"[\]{}]*/y;

function createScanner(text: string) {
  let at = 0;
  const take = (pattern: RegExp): string => {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0] ?? '';
    at += found.length;
    return found;
  };
  /** Past the value that begins here, without looking at what is in it. */
  const skip = (): void => {
    let depth = 0;
    do {
      const next = text[at];
      if (next === '"') take(STRING);
      else if (next === '{' || next === '[') {
        depth += 1;
        at += 1;
      } else if (next === '}' || next === ']') {
        depth -= 1;
        at += 1;
      } else if (depth === 0) take(SCALAR);
      else take(PLAIN);
    } while (depth > 0 && at < text.length);
  };
  const visit = (wanted: Wanted): void => {
    take(GAP);
    const opening = text[at];
    if (wanted.below.size === 0 || (opening !== '{' && opening !== '[')) {
      skip();
      return;
    }
    at += 1;
    for (let index = 0; at < text.length; index += 1) {
      take(GAP);
      if (text[at] === '}' || text[at] === ']') break;
      const start = at;
      const key = opening === '{' ? String(JSON.parse(take(STRING))) : String(index);
      take(GAP);
      const inner = wanted.below.get(key);
      if (inner === undefined) skip();
      else {
        inner.offset = start;
        visit(inner);
      }
    }
    at += 1;
  };
  return { visit };
}
