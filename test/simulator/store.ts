/**
 * A model of ClickHouse as far as the processor uses it: ReplacingMergeTree tables by the keys of the real migrations, and the real
 * queries, recognised by their text. Merges happen when they like. The processor meets it through the ClickHouse client.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import type { ClickHouseClient } from '@clickhouse/client';
import { columnsOf } from '../../sql/encode-row.ts';
import { loadQuery } from '../../sql/queries.ts';
import type { TableName } from '../../sql/rows.ts';
import { stringRows } from '../helpers/row-binary.ts';
import type { Machine, Trouble } from './machine.ts';
import { NO_TROUBLE } from './machine.ts';
import type { Random } from './random.ts';

export type StoredRow = Readonly<Record<string, unknown>>;

export interface Store {
  trouble: Trouble;
  /** Rows as they stand: the newest of every key. */
  final(table: string): readonly StoredRow[];
  /** Inserted by a process that was dead by then: its request was still on its way. */
  isLate(row: StoredRow): boolean;
  /** Loses or damages chunks of checkpoints, as a disk would. */
  damage(): void;
  client(machine: Machine): ClickHouseClient;
}

interface Table {
  readonly key: readonly string[];
  readonly version: string;
  rows: StoredRow[];
}

type Values = Readonly<Record<string, unknown>>;
type Answer = (values: Values) => readonly StoredRow[];

const MIGRATIONS = new URL('../../sql/migrations/', import.meta.url);

/** Sorting key and version of every table, as its migration says. */
function tableShapes(): Map<string, Pick<Table, 'key' | 'version'>> {
  const shapes = new Map<string, Pick<Table, 'key' | 'version'>>();
  for (const file of readdirSync(MIGRATIONS)) {
    const sql = readFileSync(new URL(file, MIGRATIONS), 'utf8');
    const [, name] = /CREATE TABLE IF NOT EXISTS (\w+)/.exec(sql) ?? [];
    const [, version] = /ReplacingMergeTree\((\w+)\)/.exec(sql) ?? [];
    const [, key] = /^ORDER BY \(?([\w, ]+)\)?$/m.exec(sql) ?? [];
    if (name !== undefined && version !== undefined && key !== undefined) shapes.set(name, { version, key: key.split(', ') });
  }
  return shapes;
}
const SHAPES = tableShapes();

class EngineError extends Error {
  readonly code: string;
  constructor(code: number) {
    super(`code ${code}`);
    this.code = String(code);
  }
}

/** Creates an empty one with all tables of this release. */
export function createStore(random: Random): Store {
  const tables = new Map<string, Table>([...SHAPES].map(([name, shape]) => [name, { ...shape, rows: [] }]));
  const tableOf = (name: string): Table => {
    const table = tables.get(name);
    if (table === undefined) throw new Error(`no table ${name}`);
    return table;
  };
  const late = new WeakSet<StoredRow>();
  const insert = (name: string, rows: readonly StoredRow[], machine?: Machine): void => {
    const table = tableOf(name);
    for (const row of rows) {
      table.rows.push(row);
      if (machine?.alive === false) late.add(row);
    }
    if (random.chance(0.1)) table.rows = merged(table);
  };
  const answers = createAnswers(tableOf, insert);
  const answer = (query: string, values: Values): readonly StoredRow[] => {
    const known = answers.get(query);
    if (known === undefined) throw new Error(`the simulated store does not know the query ${query}`);
    return known(values);
  };
  const store: Store = {
    trouble: NO_TROUBLE,
    final: (name) => merged(tableOf(name)),
    isLate: (row) => late.has(row),
    damage() {
      const table = tableOf('checkpoint_chunks');
      table.rows = table.rows.flatMap((row) => {
        if (!random.chance(0.02)) return [row];
        return random.chance(0.5) ? [] : [{ ...row, data: String(row['data']).slice(0, -1) }];
      });
    },
    client(machine) {
      const call = <T>(effect: () => T): Promise<T> =>
        machine.call({
          effect,
          trouble: store.trouble,
          refusal: () => new EngineError(random.pick([252, 241, 202])),
          broken: () => new Error('socket hang up'),
        });
      const client = {
        async insert({ table, values }: { table: string; values: StoredRow[] }) {
          await call(() => insert(table, structuredClone(values), machine));
        },
        async exec({ query, values, query_params = {} }: { query: string; values?: Readable; query_params?: Values }) {
          if (values === undefined) {
            const rows = await call(() => answer(query, query_params));
            return { stream: Readable.from([stringRows(rows.map((row) => Object.values(row).map(String)))]) };
          }
          const [, table = ''] = /^INSERT INTO (\w+) /.exec(query) ?? [];
          const columns = columnsOf(table as TableName);
          const chunks: Buffer[] = [];
          for await (const chunk of values) chunks.push(chunk as Buffer);
          const lines = Buffer.concat(chunks).toString('utf8').trim().split('\n');
          const rows = lines.map((line) => Object.fromEntries((JSON.parse(line) as unknown[]).map((value, i) => [columns[i], value])));
          await call(() => insert(table, rows, machine));
          return { stream: Readable.from([]) };
        },
        async query({ query, query_params }: { query: string; query_params: Values }) {
          const rows = await call(() => answer(query, query_params));
          const stream = async function* () {
            for (const row of rows) yield [{ json: () => row }];
          };
          return { json: async () => rows, stream };
        },
        async command({ query, query_params }: { query: string; query_params: Values }) {
          await call(() => answer(query, query_params));
        },
      };
      return client as unknown as ClickHouseClient;
    },
  };
  return store;
}

const versionOf = (table: Table, row: StoredRow): bigint => BigInt(row[table.version] as string | number);

/** The row of the highest version of every key; of equal ones the last. */
function merged(table: Table): StoredRow[] {
  const newest = new Map<string, StoredRow>();
  for (const row of table.rows) {
    const key = table.key.map((column) => JSON.stringify(row[column])).join(',');
    const known = newest.get(key);
    if (known === undefined || versionOf(table, row) >= versionOf(table, known)) newest.set(key, row);
  }
  return [...newest.values()];
}

/** What each query of sql/queries answers. One that is not here fails the simulation, so none can be added in silence. */
function createAnswers(tableOf: (name: string) => Table, insert: (name: string, rows: readonly StoredRow[]) => void): ReadonlyMap<string, Answer> {
  const sql = (name: string): string => loadQuery(import.meta.url, `../../sql/queries/${name}.sql`).sql;
  const among = (values: Values, parameter: string, row: StoredRow, column: string): boolean => (values[parameter] as readonly unknown[]).includes(row[column]);
  const max = (rows: readonly StoredRow[], column: string): string =>
    rows.reduce((most, row) => (BigInt(row[column] as string) > most ? BigInt(row[column] as string) : most), 0n).toString();
  const timed = (row: StoredRow): StoredRow => ({ ...row, written_time_ms: row['written_time'] });
  const ofCluster = (values: Values): StoredRow[] => tableOf(values['table'] as string).rows.filter((row) => row['cluster'] === values['cluster']);
  const isNewer = (values: Values, row: StoredRow): boolean =>
    row['cluster'] === values['cluster'] &&
    BigInt(row['version'] as string) > BigInt(values['version'] as bigint) &&
    BigInt(row['version'] as string) < BigInt(values['below'] as bigint);
  const lost = (cluster: unknown, below: unknown): StoredRow[] =>
    merged(tableOf('incidents')).filter(
      (row) => row['cluster'] === cluster && row['state'] !== 'resolved' && BigInt(row['version'] as string) < BigInt(below as bigint),
    );
  const drop = (name: string, isDropped: (row: StoredRow) => boolean): readonly StoredRow[] => {
    const table = tableOf(name);
    table.rows = table.rows.filter((row) => !isDropped(row));
    return [];
  };
  const answers: Record<string, Answer> = {
    'checkpoint-manifests': (values) =>
      merged(tableOf('checkpoint_manifests'))
        .filter((row) => among(values, 'clusters', row, 'cluster_uid'))
        .sort(newestFirst)
        .map(timed),
    'checkpoint-chunk-data': (values) =>
      merged(tableOf('checkpoint_chunks'))
        .filter((row) => row['cluster_uid'] === values['cluster'] && among(values, 'ids', row, 'chunk_id'))
        .map((row) => ({ chunk_id: row['chunk_id'], data: row['data'] })),
    'checkpoint-chunk-ids': (values) =>
      merged(tableOf('checkpoint_chunks'))
        .filter((row) => among(values, 'clusters', row, 'cluster_uid'))
        .map(timed),
    'checkpoint-partitions': () =>
      merged(tableOf('checkpoint_partitions'))
        .sort((a, b) => Number(b['written_time']) - Number(a['written_time']) || Number(a['partition']) - Number(b['partition']))
        .map(timed),
    'delete-chunks': (values) => drop('checkpoint_chunks', (row) => among(values, 'clusters', row, 'cluster_uid') && among(values, 'ids', row, 'chunk_id')),
    'delete-manifests': (values) =>
      drop('checkpoint_manifests', (row) => (values['ids'] as readonly string[]).includes(`${row['cluster_uid']} ${row['generation']} ${row['count']}`)),
    'cluster-identity': (values) => merged(tableOf('clusters')).filter((row) => row['cluster'] === values['name'] || row['cluster_uid'] === values['uid']),
    'count-lost-incidents': (values) => [{ incidents: lost(values['cluster'], values['version']).length }],
    'count-newer-rows': (values) => [{ rows: tableOf(values['table'] as string).rows.filter((row) => isNewer(values, row)).length }],
    'delete-newer-rows': (values) => drop(values['table'] as string, (row) => isNewer(values, row)),
    'highest-generation': (values) => [
      {
        generation: max(
          tableOf('checkpoint_manifests').rows.filter((row) => row['cluster_uid'] === values['cluster']),
          'generation',
        ),
      },
    ],
    'highest-version': (values) => [{ version: max(ofCluster(values), 'version') }],
    'resolve-lost-incidents': (values) => {
      const { timeMs, version } = values;
      const resolved = { state: 'resolved', resolution: 'unknown', failing_pods: 0, resolved_time: timeMs, updated_time: timeMs, version: String(version) };
      insert(
        'incidents',
        lost(values['cluster'], values['floor']).map((row) => ({ ...row, ...resolved })),
      );
      return [];
    },
  };
  return new Map(Object.entries(answers).map(([name, answer]) => [sql(name), answer]));
}

function newestFirst(a: StoredRow, b: StoredRow): number {
  const uids = String(a['cluster_uid']) < String(b['cluster_uid']) ? -1 : String(a['cluster_uid']) > String(b['cluster_uid']) ? 1 : 0;
  return uids || Number(b['generation']) - Number(a['generation']) || Number(b['count']) - Number(a['count']);
}
