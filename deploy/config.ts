/**
 * The configuration: one schema made of the folders' slices; defaults < YAML file < environment < command line. Parsed once,
 * frozen, handed down by slice. Only this file reads the environment.
 */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { z } from 'zod';
import { apiConfig } from '../api/config.ts';
import { changeLogConfig } from '../collector/change-log/config.ts';
import { collectorConfig } from '../collector/config.ts';
import { processorConfig } from '../processor/config.ts';
import { rulesSchema } from '../processor/core/rules-config.ts';
import { storeConfig } from '../sql/config.ts';
import { CommandError, EXIT } from './errors.ts';
import { loggingConfig } from './logger.ts';
import { operationsConfig } from './ops-server.ts';

export const configSchema = z.strictObject({
  dataDirectory: z.string().min(1).default('data').describe('Where standalone keeps its change log and its store.'),
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

const PREFIX = 'PODTRAIL_';
/** Environment variables that are not keys of the configuration. */
const NOT_CONFIG = /^PODTRAIL_(TEST_|CONFIG$|URL$)/;

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
  for (const [name, value] of Object.entries(env)) {
    if (name.startsWith(PREFIX) && !NOT_CONFIG.test(name) && value !== undefined) setPath(tree, envPath(name), envValue(name, value));
  }
  if (env['KUBECONFIG'] !== undefined && (tree['collector'] as { kubeconfig?: string } | undefined)?.kubeconfig === undefined)
    setPath(tree, ['collector', 'kubeconfig'], env['KUBECONFIG']);
  for (const [path, value] of Object.entries(options.overrides ?? {})) if (value !== undefined) setPath(tree, path.split('.'), value);
  const parsed = configSchema.safeParse(tree);
  if (!parsed.success)
    throw new CommandError(EXIT.refused, `configuration${file === undefined ? '' : ` ${file}`} is not valid:\n${z.prettifyError(parsed.error)}`);
  return deepFreeze(parsed.data);
}

function readYaml(file: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new CommandError(EXIT.refused, `read configuration ${file} failed: ${(error as Error).message}`, { cause: error });
  }
  if (value === null || value === undefined) return {};
  if (typeof value !== 'object' || Array.isArray(value)) throw new CommandError(EXIT.refused, `configuration ${file} is not a mapping`);
  return value as Record<string, unknown>;
}

/** PODTRAIL_PROCESSOR__FLUSH_INTERVAL_MS → processor.flushIntervalMs */
function envPath(name: string): string[] {
  return name
    .slice(PREFIX.length)
    .toLowerCase()
    .split('__')
    .map((part) => part.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase()));
}

/** A YAML scalar or flow collection: `8080`, `true`, `[a, b]`. */
function envValue(name: string, text: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    throw new CommandError(EXIT.refused, `environment variable ${name} is not a YAML value: ${(error as Error).message}`);
  }
}

function setPath(tree: Record<string, unknown>, path: readonly string[], value: unknown): void {
  let at = tree;
  for (const key of path.slice(0, -1)) {
    const next = at[key];
    const child = typeof next === 'object' && next !== null && !Array.isArray(next) ? (next as Record<string, unknown>) : {};
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
