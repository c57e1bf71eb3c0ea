/** What every long-running command begins with: configuration, log, metrics, signals. */
import { collectDefaultMetrics, Registry } from 'prom-client';
import { type Config, loadConfig } from './config.ts';
import { createLifecycle } from './lifecycle.ts';
import { createLogger } from './logger.ts';
import type { PartDeps } from './parts.ts';

/** Flags of all of them. */
export interface CommonOptions {
  readonly config?: string;
  readonly logLevel?: string;
}
export interface CollectOptions extends CommonOptions {
  readonly cluster?: string[];
}
export interface ListenOptions extends CommonOptions {
  readonly host?: string;
  readonly port?: number;
  readonly allowRemote?: boolean;
}

export interface Context extends PartDeps {
  readonly config: Config;
}

/** The configuration with what the flags say. Throws CommandError (exit 2). */
export function readConfig({ config, logLevel, host, port, allowRemote, data }: ListenOptions & { readonly data?: string }): Config {
  const overrides = { dataDirectory: data, 'logging.level': logLevel, 'api.host': host, 'api.port': port, 'api.allowRemote': allowRemote };
  return loadConfig({ file: config, overrides });
}

/** Begins; from now on SIGINT and SIGTERM end what the lifecycle holds. */
export function begin(config: Config): Context {
  const log = createLogger(config.logging);
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  return { config, log, registry, lifecycle: createLifecycle(log) };
}
