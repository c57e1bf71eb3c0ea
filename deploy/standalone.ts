/** `podtrail standalone`: every role in one process, on embedded parts unless the configuration says otherwise; and the demo. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ChangeLogWriter } from '../collector/change-log/change-log.ts';
import { changeLogConfig } from '../collector/change-log/config.ts';
import { begin, type CollectOptions, type Context, type ListenOptions, readConfig } from './begin.ts';
import { type ChosenCluster, chooseClusters, describeAbsence } from './clusters.ts';
import type { Config } from './config.ts';
import { isDemoDirectory, takeDemoDirectory } from './demo-directory.ts';
import { createDemoPlayer } from './demo-player.ts';
import { CommandError, EXIT } from './errors.ts';
import { note } from './output.ts';
import { migrateStore, openChangeLog, openStore, startApi, startCollector, startProcessor } from './parts.ts';

/** Longer than the part of the recording that is still to come. */
const MAX_SILENT_SECONDS = 3_600;
const DEMO_FILE = fileURLToPath(new URL('demo/demo.ndjson.gz', import.meta.url));

export interface StandaloneOptions extends CollectOptions, ListenOptions {
  readonly demo?: boolean;
  readonly speed: number;
  readonly data?: string;
  readonly newLog?: boolean;
}

/** Runs until a signal; returns the exit code. Rejects with what kept it from starting or going on. */
export async function runStandalone(options: StandaloneOptions): Promise<number> {
  const config = readConfig(options);
  const clusters = options.demo === true ? [] : chooseClusters(config.collector, options.cluster ?? []);
  if (clusters.length === 0) return runDemo(config, options);
  if (isDemoDirectory(config.dataDirectory))
    throw new CommandError(EXIT.refused, `${config.dataDirectory} is a demo's data directory, emptied at its next start: choose another with --data`);
  for (const { about } of clusters) note(`collecting ${about}: get, list and watch only`);
  note(`data is kept in ${placesOf(config).join(' and ')}`);
  return run(begin(config), clusters, options);
}

async function runDemo(given: Config, options: StandaloneOptions): Promise<number> {
  const directory = options.data ?? `${given.dataDirectory}-demo`;
  const why = options.demo === true ? 'demo' : `${describeAbsence(given.collector)}, so this is the demo`;
  note(`${why}: playing a recording of a real cluster, the last quarter of it at ${options.speed === 1 ? 'its own' : `${options.speed} times its`} pace`);
  const lock = await takeDemoDirectory(directory);
  note(`data is kept in ${directory}, anew at every start of the demo`);
  const context = begin(demoConfig(given, directory));
  context.lifecycle.addFoundation({ name: 'demo-directory', stop: () => lock.release() });
  return run(context, [], options);
}

/** A demo never writes into the change log and the store of real clusters. At a faster pace it begins behind the clock, which is no silence. */
function demoConfig(config: Config, directory: string): Config {
  const { url: _, ...store } = config.store;
  return {
    ...config,
    dataDirectory: directory,
    changeLog: changeLogConfig.parse({ kind: 'embedded', directory: join(directory, 'change-log') }),
    store: { ...store, directory: join(directory, 'store') },
    api: { ...config.api, silentAfterSeconds: MAX_SILENT_SECONDS },
  };
}

function placesOf({ changeLog, store }: Config): string[] {
  const log = changeLog.kind === 'embedded' ? changeLog.directory : `Kafka topic ${changeLog.topic} at ${changeLog.brokers.join(', ')}`;
  return [log, store.url ?? store.directory ?? ''];
}

async function run(context: Context, clusters: readonly ChosenCluster[], options: StandaloneOptions): Promise<number> {
  const { lifecycle } = context;
  try {
    await start(context, clusters, options);
  } catch (error) {
    lifecycle.fail(error);
  }
  return lifecycle.finished();
}

async function start(context: Context, clusters: readonly ChosenCluster[], { newLog = false, speed }: StandaloneOptions): Promise<void> {
  const { config, log, lifecycle } = context;
  const demo = clusters.length === 0;
  const changeLog = await openChangeLog(config, log);
  lifecycle.addFoundation({ name: 'change-log', stop: () => changeLog.close() });
  const store = await openStore(config);
  lifecycle.addFoundation({ name: 'store', stop: () => store.close() });
  await migrateStore(config, store.client, log);
  if (demo) await startDemo(speed, changeLog.writer, context);
  const collector = demo ? undefined : await startCollector(config, clusters, changeLog.writer, context);
  const processor = startProcessor(config, changeLog.reader(), store.client, context, { newLog });
  const status = collector && (() => collector.status());
  const url = await startApi(config, store.client, context, { find: async (cluster) => processor.state(cluster), demo, ...(status && { status }) });
  note(`podtrail is at ${url}   API: ${url}/docs   stop with Ctrl-C`);
}

async function startDemo(speed: number, writer: ChangeLogWriter, { log, lifecycle }: Context): Promise<void> {
  const player = createDemoPlayer({ file: DEMO_FILE, speed, cluster: 'demo' }, { writer, log });
  await player.start();
  lifecycle.add({ name: 'demo', stop: () => player.stop() });
}
