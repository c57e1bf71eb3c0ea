/**
 * The configuration: one schema made of the folders' slices; defaults < YAML file < environment < command line. Parsed once,
 * frozen, handed down by slice. Only this file reads the environment.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, type YAMLParseError } from 'yaml';
import { z } from 'zod';
import { apiConfig } from '../api/config.ts';
import { changeLogConfig } from '../collector/change-log/config.ts';
import { collectorConfig } from '../collector/config.ts';
import { processorConfig } from '../processor/config.ts';
import { rulesSchema } from '../processor/core/rules-config.ts';
import { storeConfig } from '../sql/config.ts';
import { type ConfigKey, decodeVariable, listConfigKeys } from './config-keys.ts';
import { CommandError, EXIT } from './errors.ts';
import { loggingConfig } from './logger.ts';
import { operationsConfig } from './ops-server.ts';

const DEFAULT_DATA_DIRECTORY = 'data';

export const configSchema = z.strictObject({
  dataDirectory: z.string().min(1).default(DEFAULT_DATA_DIRECTORY).describe('Where standalone keeps its change log and its store.'),
  logging: loggingConfig.prefault({}),
  collector: collectorConfig.prefault({}),
  changeLog: changeLogConfig,
  processor: processorConfig.prefault({}),
  store: storeConfig.prefault({}),
  api: apiConfig.prefault({}),
  operations: operationsConfig.prefault({}),
  rules: rulesSchema.prefault({}).describe('Thresholds; they enter the change log, so that replays see them.'),
});
export type Config = z.output<typeof configSchema>;

/** Environment variables that are not keys of the configuration. */
const NOT_CONFIG = /^PODTRAIL_(TEST_|CONFIG$|URL$)/;
/**
 * What Kubernetes puts into every pod about a Service named podtrail or podtrail-api, unless enableServiceLinks is off:
 * https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
 */
function isServiceLink(name: string, value: string): boolean {
  if (name.includes('__')) return false;
  return /_SERVICE_(HOST|PORT)(_|$)|_PORT_\d+_(TCP|UDP|SCTP)/.test(name) || (name.endsWith('_PORT') && /^(tcp|udp|sctp):\/\//.test(value));
}

/**
 * Reads the configuration. `overrides` are what the command line says, by path. Throws CommandError (exit 2) that names the file or
 * variable and every wrong key.
 */
export function loadConfig(options: {
  readonly file?: string | undefined;
  readonly env?: NodeJS.ProcessEnv;
  readonly overrides?: Readonly<Record<string, unknown>>;
}): Config {
  const env = options.env ?? process.env;
  const file = options.file ?? env['PODTRAIL_CONFIG'];
  const tree: Record<string, unknown> = file === undefined ? {} : readYaml(file);
  const variables = readVariables(env, tree);
  for (const [path, value] of Object.entries(options.overrides ?? {})) if (value !== undefined) setPath(tree, path.split('.'), value);
  placeData(tree);
  const parsed = configSchema.safeParse(tree);
  if (parsed.success) return deepFreeze(parsed.data);
  const wrong = new Set(parsed.error.issues.map(({ path }) => path.join('.')));
  const from = [...(file === undefined ? [] : [file]), ...variables.filter(({ path }) => wrong.has(path)).map(({ variable }) => variable)];
  const origin = from.length === 0 ? '' : ` (${from.join(', ')})`;
  throw new CommandError(EXIT.refused, `the configuration${origin} is not valid:\n${z.prettifyError(parsed.error)}`);
}

/** Puts what the environment says into the tree; returns which settings that were. Empty variables count as not set. */
function readVariables(env: NodeJS.ProcessEnv, tree: Record<string, unknown>): ConfigKey[] {
  const given = Object.entries(env).filter((entry): entry is [string, string] => entry[0].startsWith('PODTRAIL_') && !NOT_CONFIG.test(entry[0]) && !!entry[1]);
  const known = new Map(given.length === 0 ? [] : listConfigKeys(configSchema).map((key) => [key.variable, key]));
  const set: ConfigKey[] = [];
  for (const [name, text] of given) {
    const key = known.get(name);
    if (key === undefined && isServiceLink(name, text)) continue;
    if (key === undefined) throw new CommandError(EXIT.refused, `environment variable ${name} is no setting: deploy/podtrail.example.yaml lists them all`);
    setPath(tree, key.path.split('.'), decode(key, text));
    set.push(key);
  }
  if (env['KUBECONFIG'] && (tree['collector'] as { kubeconfig?: string } | undefined)?.kubeconfig === undefined)
    setPath(tree, ['collector', 'kubeconfig'], env['KUBECONFIG']);
  return set;
}

function decode(key: ConfigKey, text: string): unknown {
  try {
    return decodeVariable(key, text);
  } catch (error) {
    throw new CommandError(EXIT.refused, `environment variable ${(error as Error).message}`);
  }
}

/** The embedded parts live in the data directory unless they are given places of their own. */
function placeData(tree: Record<string, unknown>): void {
  const { dataDirectory = DEFAULT_DATA_DIRECTORY, changeLog = {}, store = {} } = tree;
  if (typeof dataDirectory !== 'string') return;
  if (isMapping(changeLog) && (changeLog['kind'] ?? 'embedded') === 'embedded')
    tree['changeLog'] = { kind: 'embedded', directory: join(dataDirectory, 'change-log'), ...changeLog };
  if (isMapping(store)) tree['store'] = { directory: join(dataDirectory, 'store'), ...store };
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function readYaml(file: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = parse(readFileSync(file, 'utf8'));
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).syscall === undefined ? `it is not YAML: ${describeYamlError(error)}` : (error as Error).message;
    throw new CommandError(EXIT.refused, `read configuration ${file} failed: ${reason}`, { cause: error });
  }
  if (value === null || value === undefined) return {};
  if (!isMapping(value)) throw new CommandError(EXIT.refused, `configuration ${file} is not a mapping`);
  return withoutNulls(value);
}

/** What is wrong and where. The parser's own message quotes the text, and there may be a password in it. */
function describeYamlError(error: unknown): string {
  const { code, linePos: [at] = [] } = error as Partial<YAMLParseError>;
  return at === undefined ? 'an alias without its anchor' : `${code} at line ${at.line}, column ${at.col}`;
}

/** `port:` with nothing behind it is not set. */
function withoutNulls(tree: Record<string, unknown>): Record<string, unknown> {
  const set = Object.entries(tree).filter(([, value]) => value !== null);
  return Object.fromEntries(set.map(([key, value]) => [key, isMapping(value) ? withoutNulls(value) : value]));
}

function setPath(tree: Record<string, unknown>, path: readonly string[], value: unknown): void {
  let at = tree;
  for (const key of path.slice(0, -1)) {
    const next = at[key];
    const child = isMapping(next) ? next : {};
    at[key] = child;
    at = child;
  }
  at[path.at(-1) ?? ''] = value;
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const child of Object.values(value)) deepFreeze(child);
  }
  return value;
}
