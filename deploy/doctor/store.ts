/** ClickHouse, a server or chDB: reachable, version, schema. Nothing is created. */
import { existsSync } from 'node:fs';
import { z } from 'zod';
import { openClickHouse } from '../../sql/client.ts';
import type { StoreConfig } from '../../sql/config.ts';
import { assertSchema } from '../../sql/migrate.ts';
import { codeOf, type Finding, fail, messageOf, ok, warn } from './finding.ts';

/** sql/README.md says which ClickHouse is needed, and why. */
const LEAST_VERSION = [24, 8] as const;

/** Checks the store of the configuration. */
export async function checkStore(config: StoreConfig): Promise<Finding[]> {
  const about = config.url === undefined ? 'chDB' : `ClickHouse at ${withoutUser(config.url)}`;
  if (config.url === undefined && !existsSync(config.directory ?? '')) return [ok(about, `${config.directory} is not there yet: the first start makes it`)];
  try {
    const store = await openClickHouse(config);
    try {
      const result = await store.client.query({ query: 'SELECT version() AS version', format: 'JSONEachRow' });
      const [row] = z.array(z.object({ version: z.string() })).parse(await result.json());
      return [checkVersion(about, row?.version ?? ''), await checkSchema(about, () => assertSchema(store.client))];
    } finally {
      await store.close();
    }
  } catch (error) {
    return [explain(about, error)];
  }
}

function withoutUser(url: string): string {
  return new URL(url).host;
}

function checkVersion(about: string, version: string): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const isEnough = major > LEAST_VERSION[0] || (major === LEAST_VERSION[0] && minor >= LEAST_VERSION[1]);
  return isEnough ? ok(about, `version ${version}`) : fail(about, `version ${version} is too old`, `use ClickHouse ${LEAST_VERSION.join('.')} or later`);
}

async function checkSchema(about: string, check: () => Promise<void>): Promise<Finding> {
  try {
    await check();
    return ok(about, "the schema is this release's");
  } catch (error) {
    return explain(about, error);
  }
}

function explain(about: string, error: unknown): Finding {
  const text = messageOf(error);
  switch (codeOf(error)) {
    case 'PODTRAIL_STORE_LOCKED':
      return ok(about, `in use by a running podtrail (${text})`);
    case 'PODTRAIL_STORE_SCHEMA':
      return warn(about, text, 'run `podtrail migrate`; standalone does so by itself');
    case 'PODTRAIL_CHDB_MISSING':
      return fail(about, text, 'set store.url to a ClickHouse server');
    case 'PODTRAIL_MIGRATION_NEWER':
      return fail(about, text, 'run the release that made this database, or a later one');
    case '81':
      return warn(about, 'the database is not there', 'run `podtrail migrate`');
    case '516':
      return fail(about, 'it refuses user and password', 'check store.user and store.passwordFile');
    default:
      return fail(about, text, 'check store.url, its network and its log');
  }
}
