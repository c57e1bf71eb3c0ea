/** `podtrail capacity`: what still fits where, and what is lost; of a kube context, a recording, or clusters that podtrail watches. */
import { type Command, Option } from 'commander';
import { pricesOf } from '../../api/routes/capacity/cost.ts';
import { buildPool } from '../../api/routes/capacity/route.ts';
import type { SampleRow } from '../../api/routes/capacity/rows.ts';
import type { PoolJson } from '../../api/routes/capacity/schema.ts';
import { poolOf } from '../../api/routes/capacity/schema.ts';
import { buildShape } from '../../api/routes/fragmentation/route.ts';
import type { FragmentationJson } from '../../api/routes/fragmentation/schema.ts';
import { sampleNow } from '../../processor/core/capacity-samples.ts';
import { columnsOf, encodeRow } from '../../sql/encode-row.ts';
import type { CapacitySampleRow } from '../../sql/rows.ts';
import { apiUrlOption, getAll } from '../api-client.ts';
import { capacityTable, type ShownPool } from '../capacity-table.ts';
import { stateOfCluster, stateOfRecording } from '../cluster-state.ts';
import { chooseContext } from '../clusters.ts';
import { loadConfig } from '../config.ts';
import { CommandError, EXIT } from '../errors.ts';
import { note, print } from '../output.ts';
import type { Printer } from './precheck.ts';

export interface CapacityOptions {
  readonly cluster?: string[];
  readonly context?: string;
  readonly recording?: string;
  readonly pool?: string[];
  readonly url: string;
  readonly config?: string;
  readonly output: 'table' | 'json';
}

/** Adds the command. */
export function addCapacityCommand(program: Command): void {
  program
    .command('capacity')
    .description('what still fits where, and how much of the free space is lost: by node pool and pod shape')
    .option('--cluster <name...>', 'clusters that podtrail watches, by the API at --url (the default: all of them)')
    .option('--context <context>', 'a cluster of the kubeconfig, listed once')
    .option('--recording <file>', 'the end of a recording')
    .option('--pool <name...>', 'these pools only; - for the whole cluster')
    .addOption(apiUrlOption())
    .option('--config <file>', 'YAML configuration: pool labels and shapes under rules.capacity')
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['table', 'json']).default('table'))
    .action((options: CapacityOptions) => capacity(options, { print, note }));
}

/** Runs the command. Throws CommandError. */
export async function capacity(options: CapacityOptions, printer: Printer): Promise<void> {
  const named = [options.cluster, options.context, options.recording].filter((each) => each !== undefined);
  if (named.length > 1) throw new CommandError(EXIT.refused, 'name one of --cluster, --context and --recording');
  const isLocal = options.context !== undefined || options.recording !== undefined;
  const pools = isLocal ? await sampledHere(options, printer.note) : await sampledThere(options);
  if (options.output === 'json') printer.print(JSON.stringify(pools, null, 2));
  else if (pools.length === 0) printer.note('no cluster was sampled within the last hour');
  else printer.print(capacityTable(pools));
}

async function sampledThere({ url, cluster, pool }: CapacityOptions): Promise<ShownPool[]> {
  const pools = await getAll<PoolJson>(url, '/v1/capacity', { cluster, pool });
  const shapes = await getAll<FragmentationJson>(url, '/v1/fragmentation', { cluster, pool });
  return pools.map((each) => ({ pool: each, shapes: shapes.filter((shape) => shape.cluster === each.cluster && shape.pool === each.pool) }));
}

async function sampledHere(options: CapacityOptions, note: Printer['note']): Promise<ShownPool[]> {
  const config = loadConfig({ file: options.config });
  const state =
    options.recording === undefined
      ? await stateOfCluster(chooseContext(config.collector, options.context ?? ''), config, note)
      : await stateOfRecording(options.recording, config);
  const sampled = sampleNow(state).map(storedRow);
  const rows = sampled.filter(({ pool }) => options.pool?.map(poolOf).includes(pool) ?? true);
  const pools = sampled.filter(({ pool, shape }) => pool !== '' && shape === '');
  return rows
    .filter(({ shape }) => shape === '')
    .map((row) => ({
      pool: buildPool(row, undefined, undefined, pricesOf(row.pool, pools, config.api.prices)),
      shapes: rows.filter(({ pool, shape }) => pool === row.pool && shape !== '').map(buildShape),
    }));
}

/** The row as the store would give it back, so that one table serves both ways. */
function storedRow(row: CapacitySampleRow): SampleRow {
  const values = JSON.parse(encodeRow('capacity_samples', row, 0n)) as unknown[];
  const stored = Object.fromEntries(columnsOf('capacity_samples').map((column, index) => [column, values[index]]));
  return { ...stored, time_ms: stored['time'] } as unknown as SampleRow;
}
