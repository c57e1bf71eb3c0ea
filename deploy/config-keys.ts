/** Every setting there is, read off the schema: for the environment, whose values are text, and for the example file. */
import { parse } from 'yaml';
import { z } from 'zod';

export interface ConfigKey {
  /** `processor.flushIntervalMs`; lists and maps are one setting. */
  readonly path: string;
  /** `PODTRAIL_PROCESSOR__FLUSH_INTERVAL_MS` */
  readonly variable: string;
  /** `structure`: a list of mappings, or a map; from the environment a YAML flow value. */
  readonly type: 'text' | 'number' | 'boolean' | 'texts' | 'structure';
  readonly default?: unknown;
  readonly description?: string;
}

/** The part of JSON Schema that zod makes of the configuration. */
export interface SchemaNode {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly items?: SchemaNode;
  readonly oneOf?: readonly SchemaNode[];
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly description?: string;
}

/** The settings of a schema in its order; alternatives (the change log's kinds) one after another, each setting once. */
export function listConfigKeys(schema: z.ZodType): ConfigKey[] {
  const keys = new Map<string, ConfigKey>();
  const visit = (node: SchemaNode, path: readonly string[]): void => {
    for (const alternative of node.oneOf ?? []) visit(alternative, path);
    for (const [name, child] of Object.entries(node.properties ?? {})) visit(child, [...path, name]);
    if (node.oneOf !== undefined || node.properties !== undefined) return;
    const key = path.join('.');
    if (!keys.has(key)) keys.set(key, { path: key, variable: variableOf(path), type: typeOf(node), default: node.default, description: node.description });
  };
  visit(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as SchemaNode, []);
  return [...keys.values()];
}

function variableOf(path: readonly string[]): string {
  return `PODTRAIL_${path.map((part) => part.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()).join('__')}`;
}

function typeOf({ type, items }: SchemaNode): ConfigKey['type'] {
  if (type === 'string') return 'text';
  if (type === 'number' || type === 'integer') return 'number';
  if (type === 'boolean') return 'boolean';
  return type === 'array' && items?.type === 'string' ? 'texts' : 'structure';
}

/**
 * The value of a setting from the text of a variable. Text that does not fit passes through, for the schema to refuse. Throws where
 * a YAML value is none; what it throws never quotes the text, which may be a secret.
 */
export function decodeVariable({ type, variable }: ConfigKey, text: string): unknown {
  switch (type) {
    case 'text':
      return text;
    case 'number':
      return /^-?\d+(\.\d+)?$/.test(text.trim()) ? Number(text) : text;
    case 'boolean': {
      const decoded = z.stringbool().safeParse(text.trim());
      return decoded.success ? decoded.data : text;
    }
    case 'texts':
      if (!text.trim().startsWith('[')) return text.split(',').flatMap((part) => part.trim() || []);
      return decodeYaml(variable, text);
    case 'structure':
      return decodeYaml(variable, text);
  }
}

function decodeYaml(variable: string, text: string): unknown {
  try {
    return parse(text, { logLevel: 'error' }); // 'silent' would take half a value
  } catch {
    throw new Error(`${variable} is not a YAML value`);
  }
}
