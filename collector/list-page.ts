/**
 * One page of a list from its bytes. The items are parsed one by one as they are taken, without their managedFields: a page of pods as one
 * document costs the event loop 30 ms, and its garbage more than the parsing.
 */
import { cutMetadata, METADATA, type Range, without } from './cut-metadata.ts';
import { BadPageError } from './errors.ts';
import { CLOSE_BRACE, CLOSE_BRACKET, COMMA, endOfValue, firstKey, isAt, nextKey, OPEN_BRACKET, STOP, valueAfter } from './json-bytes.ts';

/** What is not as it should be is left to whoever looks at it: both may be anything. */
export interface PageDocument {
  readonly metadata: unknown;
  /** A list, which throws BadPageError where it turns out to be no JSON, or what came in its place. */
  readonly items: unknown;
}

const ITEMS = Buffer.from('"items"');
/** Where the next item begins, nearly always. */
const NEXT_ITEM = Buffer.from(',{"metadata":{');

/** Throws SyntaxError for what is no JSON as far as it is known by then. */
export function decodeListPage(body: Buffer): PageDocument {
  let metadata: unknown;
  for (let key = isClosed(body) ? firstKey(body, 0) : STOP; key !== STOP; ) {
    const value = valueAfter(body, key);
    if (value === STOP) break;
    if (isAt(body, key, ITEMS)) {
      if (metadata === undefined || body[value] !== OPEN_BRACKET) break;
      return { metadata, items: { [Symbol.iterator]: () => eachItem(body, value) } };
    }
    const end = endOfValue(body, value);
    if (isAt(body, key, METADATA) && end !== STOP) metadata = JSON.parse(body.toString('utf8', value, end));
    key = nextKey(body, end);
  }
  const document = JSON.parse(body.toString('utf8')) as { metadata?: unknown; items?: unknown } | null;
  return { metadata: document?.metadata, items: document?.items };
}

/** Half a document ends otherwise, nearly always: then it is told before the first item is taken. */
function isClosed(body: Buffer): boolean {
  let at = body.length - 1;
  while (body[at] === NEWLINE) at -= 1;
  return body[at] === CLOSE_BRACE;
}
const NEWLINE = 0x0a;

function* eachItem(body: Buffer, list: number): Generator<unknown, void> {
  let at = list + 1;
  for (let isFirst = true; ; isFirst = false) {
    if (isFirst && body[at] === CLOSE_BRACKET) break;
    const { item, end } = readItem(body, at);
    yield item;
    at = end;
    if (body[at] === CLOSE_BRACKET) break;
    if (body[at] !== COMMA) throw new BadPageError('a list whose items are not JSON');
    at += 1;
  }
  // Cut off here it would look whole.
  if (body[at + 1] !== CLOSE_BRACE && body[at + 1] !== COMMA) throw new BadPageError('a list that does not end');
}

interface ReadItem {
  readonly item: unknown;
  readonly end: number;
}

/**
 * Where the next item seems to begin decides first: it is found without looking through the item. No JSON object is the beginning of
 * another, so if the text up to there can be parsed it is the item; otherwise the brackets tell.
 */
function readItem(body: Buffer, start: number): ReadItem {
  const ranges: Range[] = [];
  const key = firstKey(body, start);
  const value = key !== STOP && isAt(body, key, METADATA) ? valueAfter(body, key) : STOP;
  const afterMetadata = value === STOP ? STOP : cutMetadata(body, value, ranges);
  const guess = afterMetadata === STOP ? STOP : body.indexOf(NEXT_ITEM, afterMetadata);
  const guessed = guess === STOP ? undefined : parse(without(body, ranges, start, guess));
  if (guessed !== undefined) return { item: guessed, end: guess };
  const end = endOfValue(body, start);
  const item = end === STOP ? undefined : parse(without(body, ranges, start, end));
  if (item === undefined) throw new BadPageError('a list whose items are not JSON');
  return { item, end };
}

/** Undefined if it is no JSON. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
