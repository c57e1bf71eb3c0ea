/** Opens and joins the parts that roles are made of. One place knows how they fit; the roles say which they need. */
import { existsSync, readFileSync } from 'node:fs';
import type { ClickHouseClient } from '@clickhouse/client';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { createServer } from '../api/server.ts';
import type { ChangeLogReader, ChangeLogWriter } from '../collector/change-log/change-log.ts';
import { openEmbeddedChangeLog } from '../collector/change-log/embedded-change-log.ts';
import { createKafkaChangeLog } from '../collector/change-log/kafka-change-log.ts';
import { type Collector, createCollector } from '../collector/collector.ts';
import { adviceFor, namesOf } from '../processor/catalogue/advice.ts';
import { createProcessor, type Processor } from '../processor/processor.ts';
import type { FindState } from '../processor/states.ts';
import { createCapacityQuestions } from '../processor/capacity-questions.ts';
import { createWhy } from '../processor/why.ts';
import { type OpenClickHouse, openClickHouse } from '../sql/client.ts';
import { assertSchema, migrate } from '../sql/migrate.ts';
import type { ChosenCluster } from './clusters.ts';
import type { Config } from './config.ts';
import { CommandError, EXIT } from './errors.ts';
import type { Lifecycle } from './lifecycle.ts';

const VERSION: string = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version;

export interface OpenChangeLog {
  readonly writer: ChangeLogWriter;
  reader(): ChangeLogReader;
  close(): Promise<void>;
}

/** Opens the change log of the configuration. */
export async function openChangeLog(config: Config, log: Logger): Promise<OpenChangeLog> {
  const child = log.child({ component: 'change-log' });
  if (config.changeLog.kind === 'embedded') return openEmbeddedChangeLog(config.changeLog, { log: child });
  const kafka = createKafkaChangeLog(config.changeLog, { log: child });
  return { writer: kafka.writer, reader: () => kafka.reader({ groupId: config.processor.groupId }), close: () => kafka.close() };
}

/** Opens the store of the configuration: a server, else chDB. */
export async function openStore(config: Config): Promise<OpenClickHouse> {
  return openClickHouse(config.store);
}

/** Opens a store that must be there, at this release's schema; nothing is created. Throws CommandError (exit 2), StoreError. */
export async function openExistingStore(config: Config): Promise<OpenClickHouse> {
  const { url, directory = '' } = config.store;
  if (url === undefined && !existsSync(directory))
    throw new CommandError(EXIT.refused, `there is no store in ${directory}: name the data with --data, or set store.url`);
  const store = await openStore(config);
  try {
    await assertSchema(store.client);
    return store;
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** Brings the database to this release's schema. */
export async function migrateStore(config: Config, client: ClickHouseClient, log: Logger): Promise<readonly string[]> {
  const { applied } = await migrate(client, { database: config.store.database, retention: config.store.retention });
  if (applied.length > 0) log.info({ applied: applied.length }, 'migrated');
  return applied;
}

export interface PartDeps {
  readonly log: Logger;
  readonly registry: Registry;
  readonly lifecycle: Lifecycle;
}

/** Starts a collector of these clusters. */
export async function startCollector(config: Config, clusters: readonly ChosenCluster[], writer: ChangeLogWriter, deps: PartDeps): Promise<Collector> {
  const collector = createCollector(
    {
      config: { ...config.collector, clusters: clusters.map((cluster) => cluster.config) },
      fullSnapshotIntervalMs: config.changeLog.retentionMs / 4, // design D5
      rules: config.rules,
    },
    { writer, log: deps.log, registry: deps.registry, onFatal: (error) => deps.lifecycle.fail(error) },
  );
  await collector.start();
  deps.lifecycle.add({ name: 'collector', stop: () => collector.stop() });
  return collector;
}

/** Starts a processor; an error that ends its run ends the process. */
export function startProcessor(
  config: Config,
  reader: ChangeLogReader,
  client: ClickHouseClient,
  deps: PartDeps,
  options: { readonly newLog?: boolean } = {},
): Processor {
  const { log, registry, lifecycle } = deps;
  const processor = createProcessor(
    { config: config.processor, release: VERSION, newLog: options.newLog ?? false },
    {
      reader,
      store: { client, maxBytes: config.store.url === undefined ? config.store.maxBytes : undefined },
      log: log.child({ component: 'processor' }),
      registry,
    },
  );
  processor.start().catch((error: unknown) => lifecycle.fail(error));
  lifecycle.add({ name: 'processor', stop: () => processor.stop() });
  return processor;
}

/** Starts the API and returns where it listens. `find` finds the state of a cluster, wherever that is. */
export async function startApi(
  config: Config,
  client: ClickHouseClient,
  deps: PartDeps,
  options: { readonly find: FindState; readonly demo?: boolean; readonly status?: () => unknown },
): Promise<string> {
  const { demo = false, status, find } = options;
  const server = await createServer(
    { ...config.api, demo },
    {
      client,
      database: config.store.database,
      log: deps.log.child({ component: 'api' }),
      registry: deps.registry,
      advice: (scenario, cause, lang, about) => adviceFor(scenario, cause, lang, namesOf(about)),
      why: createWhy(find),
      capacity: createCapacityQuestions(find),
      ...(status !== undefined && { status }),
    },
  );
  const { url } = await server.start();
  deps.lifecycle.add({ name: 'api', stop: () => server.stop() });
  return url;
}
