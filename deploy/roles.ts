/** The roles as separate processes, on a Kafka and a ClickHouse that they share; and the migration that comes before them. */
import type { Collector } from '../collector/collector.ts';
import { createCheckpointStates } from '../processor/states.ts';
import { begin, type CollectOptions, type CommonOptions, type Context, type ListenOptions, readConfig } from './begin.ts';
import { chooseClusters } from './clusters.ts';
import type { Config } from './config.ts';
import { CommandError, EXIT } from './errors.ts';
import { createLogger } from './logger.ts';
import { startOpsServer } from './ops-server.ts';
import { note } from './output.ts';
import { migrateStore, openChangeLog, openExistingStore, openStore, startApi, startCollector, startProcessor } from './parts.ts';

/** Runs until a signal; returns the exit code. Rejects with what kept it from starting or going on, as all roles do. */
export async function runCollector(options: CollectOptions): Promise<number> {
  const config = readConfig(options);
  requireShared(config);
  const clusters = chooseClusters(config.collector, options.cluster ?? []);
  if (clusters.length === 0)
    throw new CommandError(EXIT.refused, 'there is no cluster to collect: name one with --cluster or in the configuration, or set a kube context');
  return run(config, async (context) => {
    const changeLog = await openChangeLog(config, context.log);
    context.lifecycle.addFoundation({ name: 'change-log', stop: () => changeLog.close() });
    for (const { about } of clusters) note(`collecting ${about}: get, list and watch only`);
    const collector = await startCollector(config, clusters, changeLog.writer, context);
    await startOperations(context, () => isCollecting(collector));
  });
}

/** One broken cluster is not the collector's fault; all of them are, or its configuration's. */
function isCollecting(collector: Collector): boolean {
  return collector.status().some(({ state }) => state === 'collecting');
}

export async function runProcessor(options: CommonOptions & { readonly newLog?: boolean }): Promise<number> {
  const config = readConfig(options);
  requireShared(config);
  requireServer(config);
  return run(config, async (context) => {
    const changeLog = await openChangeLog(config, context.log);
    context.lifecycle.addFoundation({ name: 'change-log', stop: () => changeLog.close() });
    const store = await openExistingStore(config);
    context.lifecycle.addFoundation({ name: 'store', stop: () => store.close() });
    startProcessor(config, changeLog.reader(), store.client, context, { newLog: options.newLog ?? false });
    // One without partitions is a spare, and as ready as any.
    await startOperations(context, () => true);
  });
}

export async function runApi(options: ListenOptions): Promise<number> {
  const config = readConfig(options);
  requireServer(config);
  return run(config, async (context) => {
    const store = await openExistingStore(config);
    context.lifecycle.addFoundation({ name: 'store', stop: () => store.close() });
    const url = await startApi(config, store.client, context, { find: createCheckpointStates({ client: store.client, log: context.log }) });
    note(`podtrail is at ${url}   API: ${url}/docs`);
  });
}

/** Brings the database to this release's schema; that of a standalone in its data directory where no server is configured. */
export async function runMigrate(options: CommonOptions): Promise<number> {
  const config = readConfig(options);
  const store = await openStore(config);
  try {
    const applied = await migrateStore(config, store.client, createLogger(config.logging));
    note(applied.length === 0 ? 'the database is up to date' : `applied ${applied.join(', ')}`);
  } finally {
    await store.close();
  }
  return EXIT.ok;
}

async function run(config: Config, start: (context: Context) => Promise<void>): Promise<number> {
  const context = begin(config);
  try {
    await start(context);
  } catch (error) {
    context.lifecycle.fail(error);
  }
  return context.lifecycle.finished();
}

async function startOperations({ config, registry, log, lifecycle }: Context, ready: () => boolean): Promise<void> {
  const server = await startOpsServer(config.operations, { registry, log, ready });
  if (server !== undefined) lifecycle.add({ name: 'metrics', stop: () => server.stop() });
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
