/** The long-running commands: standalone, collector, processor, api; and migrate. */
import { rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { type Command, Option } from 'commander';
import type { Logger } from 'pino';
import { collectDefaultMetrics, Registry } from 'prom-client';
import type { ChangeLogWriter } from '../../collector/change-log/change-log.ts';
import { createCheckpointWhy } from '../../processor/why.ts';
import { type ChosenCluster, chooseClusters } from '../clusters.ts';
import { type Config, loadConfig } from '../config.ts';
import { createDemoPlayer } from '../demo-player.ts';
import { CommandError, EXIT } from '../errors.ts';
import { createLifecycle } from '../lifecycle.ts';
import { createLogger } from '../logger.ts';
import { startOpsServer } from '../ops-server.ts';
import { note, repeatable } from '../output.ts';
import { assertSchema, dataPaths, migrateStore, openChangeLog, openStore, type PartDeps, startApi, startCollector, startProcessor } from '../parts.ts';

const DEMO_FILE = fileURLToPath(new URL('../demo/demo.ndjson.gz', import.meta.url));

interface CommonOptions {
  readonly config?: string;
  readonly logLevel?: string;
}
interface CollectOptions extends CommonOptions {
  readonly cluster?: string[];
}
interface ListenOptions extends CommonOptions {
  readonly host?: string;
  readonly port?: number;
  readonly allowRemote?: boolean;
}
interface StandaloneOptions extends CollectOptions, ListenOptions {
  readonly demo?: boolean;
  readonly speed: number;
  readonly data?: string;
  readonly newLog?: boolean;
}

/** Adds the commands. `exit` is told the exit code when one has ended. */
export function addRoleCommands(program: Command, exit: (code: number) => void): void {
  const common = (command: Command): Command => command.option('--config <file>', 'YAML configuration').option('--log-level <level>', 'fatal … trace');
  const collecting = (command: Command): Command => common(command).option('--cluster <name[=context]>', 'collect this cluster; repeatable', repeatable);
  const listening = (command: Command): Command =>
    command
      .option('--host <address>', 'address to listen on')
      .option('--port <port>', 'port to listen on', parsePort)
      .option('--allow-remote', 'listen beyond loopback, without authentication');

  listening(collecting(program.command('standalone', { isDefault: true })))
    .description('everything in one process on embedded parts: collector, change log, processor, store, API')
    .option('--demo', 'play the bundled recording instead of collecting a cluster')
    .addOption(new Option('--speed <factor>', 'pace of the demo').default(1).argParser(parseSpeed))
    .option('--data <directory>', 'where to keep data (default: data, or data-demo)')
    .option('--new-log', 'the change log was replaced: keep the state and read the new one from its beginning')
    .action(async (options: StandaloneOptions) => exit(await runStandalone(options)));
  collecting(program.command('collector').description('collect clusters into the change log')).action(async (options: CollectOptions) =>
    exit(await runCollector(options)),
  );
  common(program.command('processor').description('correlate the change log into incidents'))
    .option('--new-log', 'the change log was replaced: keep the state and read the new one from its beginning')
    .action(async (options: CommonOptions & { newLog?: boolean }) => exit(await runProcessor(options)));
  listening(common(program.command('api').description('serve the API and the page'))).action(async (options: ListenOptions) => exit(await runApi(options)));
  common(program.command('migrate').description("bring the database to this release's schema")).action(async (options: CommonOptions) =>
    exit(await runMigrate(options)),
  );
}

function parsePort(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new CommandError(EXIT.refused, `--port ${text}: expected 0 to 65535`);
  return port;
}

function parseSpeed(text: string): number {
  const speed = Number(text);
  if (!(speed > 0 && speed <= 1_000)) throw new CommandError(EXIT.refused, `--speed ${text}: expected a number above 0, at most 1000`);
  return speed;
}

interface Context extends PartDeps {
  readonly config: Config;
}

function begin(options: CommonOptions & ListenOptions, more: Readonly<Record<string, unknown>> = {}): Context {
  const config = loadConfig({
    file: options.config,
    overrides: { 'logging.level': options.logLevel, 'api.host': options.host, 'api.port': options.port, 'api.allowRemote': options.allowRemote, ...more },
  });
  const log = createLogger(config.logging);
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  return { config, log, registry, lifecycle: createLifecycle(log) };
}

async function runStandalone(options: StandaloneOptions): Promise<number> {
  const context = begin(options);
  const { config, log, lifecycle } = context;
  const clusters = options.demo === true ? [] : chooseClusters(config.collector, options.cluster ?? []);
  const demo = clusters.length === 0;
  const directory = options.data ?? (demo ? `${config.dataDirectory}-demo` : config.dataDirectory);
  if (demo) await rm(directory, { recursive: true, force: true });
  announce(clusters, options.demo === true, directory);
  const paths = dataPaths(directory);
  const changeLog = await openChangeLog(config, paths.changeLog, log);
  const store = await openStore(config, paths.store).catch(async (error: unknown) => {
    await changeLog.close();
    throw error;
  });
  try {
    await migrateStore(config, store.client, log);
    if (demo) await startDemo(options.speed, changeLog.writer, context);
    const collector = demo ? undefined : await startCollector(config, clusters, changeLog.writer, context);
    const processor = startProcessor(config, changeLog.reader(), store.client, context, { newLog: options.newLog ?? false });
    const status = collector && (() => collector.status());
    const url = await startApi(config, store.client, context, { why: async (...about) => processor.why(...about), demo, ...(status && { status }) });
    note(`podtrail is at ${url}   API: ${url}/docs   stop with Ctrl-C`);
  } catch (error) {
    lifecycle.fail(error);
    await lifecycle.finished();
    throw error;
  } finally {
    lifecycle.add({ name: 'change-log', stop: () => changeLog.close() });
    lifecycle.add({ name: 'store', stop: () => store.close() });
  }
  return lifecycle.finished();
}

async function startDemo(speed: number, writer: ChangeLogWriter, context: Context): Promise<void> {
  const player = createDemoPlayer({ file: DEMO_FILE, speed, cluster: 'demo' }, { writer, log: context.log });
  await player.start();
  context.lifecycle.add({ name: 'demo', stop: () => player.stop() });
}

function announce(clusters: readonly ChosenCluster[], asked: boolean, directory: string): void {
  if (clusters.length === 0) {
    note(
      asked
        ? 'demo: playing the bundled recording of a real cluster'
        : 'no kube context is configured: playing the bundled recording of a real cluster (--demo)',
    );
  }
  for (const { config, server } of clusters)
    note(`collecting ${config.name}${config.context === undefined ? '' : ` (context ${config.context})`} at ${server}: get, list and watch only`);
  note(`data is kept in ${directory}${clusters.length === 0 ? ', anew at every start of the demo' : ''}`);
}

async function operations(context: Context, ready: () => boolean): Promise<void> {
  const server = await startOpsServer(context.config.operations, { registry: context.registry, log: context.log, ready });
  if (server !== undefined) context.lifecycle.add({ name: 'metrics', stop: () => server.stop() });
}

async function runCollector(options: CollectOptions): Promise<number> {
  const context = begin(options);
  const { config, log, lifecycle } = context;
  const clusters = chooseClusters(config.collector, options.cluster ?? []);
  if (clusters.length === 0)
    throw new CommandError(EXIT.refused, 'there is no cluster to collect: name one with --cluster or in the configuration, or set a kube context');
  requireShared(config);
  const changeLog = await openChangeLog(config, '', log);
  for (const { config: cluster, server } of clusters) note(`collecting ${cluster.name} at ${server}: get, list and watch only`);
  await startCollector(config, clusters, changeLog.writer, context);
  await operations(context, () => true);
  lifecycle.add({ name: 'change-log', stop: () => changeLog.close() });
  return lifecycle.finished();
}

/** Separate processes cannot share the embedded parts (style T5). */
function requireShared(config: Config): void {
  if (config.changeLog.kind !== 'kafka')
    throw new CommandError(EXIT.refused, 'separate roles need a change log that they share: set changeLog.kind to kafka; alone, run `podtrail standalone`');
}

function requireServer(config: Config): void {
  if (config.store.url === undefined)
    throw new CommandError(EXIT.refused, 'separate roles need a ClickHouse that they share: set store.url; alone, run `podtrail standalone`');
}

async function runProcessor(options: CommonOptions & { readonly newLog?: boolean }): Promise<number> {
  const context = begin(options);
  const { config, log, lifecycle } = context;
  requireShared(config);
  requireServer(config);
  const changeLog = await openChangeLog(config, '', log);
  const store = await openStore(config);
  await assertSchema(store.client);
  startProcessor(config, changeLog.reader(), store.client, context, { newLog: options.newLog ?? false });
  await operations(context, () => true);
  lifecycle.add({ name: 'change-log', stop: () => changeLog.close() });
  lifecycle.add({ name: 'store', stop: () => store.close() });
  return lifecycle.finished();
}

async function runApi(options: ListenOptions): Promise<number> {
  const context = begin(options);
  const { config, log, lifecycle } = context;
  requireServer(config);
  const store = await openStore(config);
  await assertSchema(store.client);
  const url = await startApi(config, store.client, context, { why: createCheckpointWhy({ client: store.client, log }) });
  note(`podtrail is at ${url}   API: ${url}/docs`);
  lifecycle.add({ name: 'store', stop: () => store.close() });
  return lifecycle.finished();
}

async function runMigrate(options: CommonOptions): Promise<number> {
  const { config, log } = begin(options);
  const store = await openStore(config, dataPaths(config.dataDirectory).store);
  try {
    const applied = await migrateStore(config, store.client, log as Logger);
    note(applied.length === 0 ? 'the database is up to date' : `applied ${applied.join(', ')}`);
  } finally {
    await store.close();
  }
  return EXIT.ok;
}
