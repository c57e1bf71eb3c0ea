/**
 * Makes podtrail.example.yaml from the schema: `node --import tsx deploy/make-example.ts`. Every setting with its documentation, its
 * range and its default, all commented out.
 */
import { writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { stringify } from 'yaml';
import { z } from 'zod';
import { DEFAULT_THRESHOLDS } from '../processor/core/rules-config.ts';
import { configSchema } from './config.ts';
import type { SchemaNode } from './config-keys.ts';

const TARGET = new URL('podtrail.example.yaml', import.meta.url);
const WIDTH = 130;
const HEAD = `Every setting of podtrail with its default: take away the \`# \` before what you change. Times and sizes have their unit in the name.
From the environment: PODTRAIL_, then the path in capitals with __ between its parts and _ where a capital letter was, such as
PODTRAIL_PROCESSOR__FLUSH_INTERVAL_MS=500; lists as a,b or [a, b]. It wins over this file, and flags win over both.
Made by deploy/make-example.ts.`;

/** Defaults that the core has and not the schema: overrides of some thresholds leave out the others. */
const CORE_DEFAULTS: Readonly<Record<string, unknown>> = Object.fromEntries(
  Object.entries(DEFAULT_THRESHOLDS).map(([key, value]) => [`rules.thresholds.${key}`, value]),
);

/** The text of the example. */
export function buildExample(): string {
  const root = z.toJSONSchema(configSchema, { io: 'input', unrepresentable: 'any' }) as SchemaNode;
  const sections = Object.entries(root.properties ?? {}).map(([name, node]) => settingLines(name, node, [name]).join('\n'));
  return `${[commented(HEAD.split('\n')).join('\n'), ...sections].join('\n\n')}\n`;
}

const commented = (lines: readonly string[]): string[] => lines.map((line) => `# ${line}`.trimEnd());

/** A setting or a section as YAML behind `# `; what is said of it stands above, one more `# ` in. */
function settingLines(name: string, node: SchemaNode, path: readonly string[]): string[] {
  const alternatives = node.oneOf ?? [node];
  return alternatives.flatMap((alternative, index) => [...(index === 0 ? [] : ['#', '# or']), ...commented(blockLines(name, alternative, path))]);
}

function blockLines(name: string, node: SchemaNode, path: readonly string[]): string[] {
  const doc = wrap([node.description, rangeOf(node)].filter((part) => part !== undefined).join(' ')).map((line) => `# ${line}`);
  if (node.properties === undefined) return [...doc, ...itemLines(node), `${name}: ${showValue(node, path)}`.trimEnd()];
  const children = Object.entries(node.properties).flatMap(([key, child]) => blockLines(key, child, [...path, key]));
  return [...doc, `${name}:`, ...children.map((line) => `  ${line}`)];
}

/** What a list's mappings consist of, where that is no deeper. */
function itemLines({ items }: SchemaNode): string[] {
  const fields = Object.entries(items?.properties ?? {});
  if (fields.some(([, field]) => field.type === 'object' || field.items?.type === 'object')) return [];
  return fields.flatMap(([key, { description }], index) => {
    const [first = '', ...more] = wrap(`${index === 0 ? '-' : '\u00a0'}\u00a0${key}: ${description}`);
    return [first, ...more.map((line) => `    ${line}`)].map((line) => `# ${line}`);
  });
}

function showValue(node: SchemaNode, path: readonly string[]): string {
  const value = node.const ?? node.default ?? CORE_DEFAULTS[path.join('.')];
  return value === undefined ? '' : stringify(value, { collectionStyle: 'flow', flowCollectionPadding: false, lineWidth: 0 }).trim();
}

function rangeOf({
  enum: choices,
  minimum = Number.MIN_SAFE_INTEGER,
  maximum = Number.MAX_SAFE_INTEGER,
  default: fallback,
  const: only,
  type,
}: SchemaNode): string | undefined {
  if (choices !== undefined) return `(${choices.join(', ')})`;
  const isSet = fallback !== undefined || only !== undefined;
  if (type !== 'number' && type !== 'integer') return isSet || type === 'object' ? undefined : '(not set)';
  const bounds = maximum < Number.MAX_SAFE_INTEGER ? `${minimum} to ${maximum}` : `from ${minimum}`;
  return minimum > Number.MIN_SAFE_INTEGER ? `(${bounds})`.replaceAll(' ', '\u00a0') : undefined;
}

/** Breaks at spaces; a no-break space stays one. */
function wrap(text: string): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length < WIDTH) lines[lines.length - 1] = `${last} ${word}`;
    else if (word !== '') lines.push(word);
  }
  return lines.map((line) => line.replaceAll('\u00a0', ' '));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) writeFileSync(TARGET, buildExample());
