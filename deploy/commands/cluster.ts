/** `podtrail cluster forget|replace`: settles on purpose what is refused otherwise, a name with another uid (design D1). */
import type { ClickHouseClient } from '@clickhouse/client';
import type { Command } from 'commander';
import { claimName, forgetRows, forgetState } from '../../sql/forget.ts';
import { storedIdentities } from '../../sql/generations.ts';
import { readConfig } from '../begin.ts';
import { CommandError, EXIT } from '../errors.ts';
import { note } from '../output.ts';
import { openExistingStore } from '../parts.ts';

interface Options {
  readonly config?: string;
  readonly data?: string;
}

/** Adds the commands. */
export function addClusterCommand(program: Command): void {
  const cluster = program.command('cluster').description('settle what a cluster is called; stop standalone, or all processors, before');
  const common = (command: Command): Command =>
    command.option('--config <file>', 'YAML configuration').option('--data <directory>', "standalone's data directory");
  common(cluster.command('replace <name>'))
    .description('give the name to another cluster, such as one that was rebuilt; the history under the name stays')
    .requiredOption('--uid <uid>', 'uid of the new cluster: that of its namespace kube-system, as the refusal says it')
    .action((name: string, options: Options & { readonly uid: string }) => withStore(options, (client) => replaceCluster(client, name, options.uid)));
  common(cluster.command('forget <name>'))
    .description('remove everything that is known of a cluster: its name, its state and its whole history')
    .option('--yes', 'it is meant')
    .action((name: string, options: Options & { readonly yes?: boolean }) => {
      if (options.yes !== true) throw new CommandError(EXIT.refused, `this removes the whole history of ${name}: say --yes if that is meant`);
      return withStore(options, (client) => forgetCluster(client, name));
    });
}

async function withStore(options: Options, run: (client: ClickHouseClient) => Promise<void>): Promise<void> {
  const store = await openExistingStore(readConfig(options));
  try {
    await run(store.client);
  } finally {
    await store.close();
  }
}

/** The uid that a name has. Throws CommandError (exit 2) if there is no such cluster. */
async function uidOf(client: ClickHouseClient, name: string): Promise<string> {
  const known = (await storedIdentities(client, { name, uid: '' })).find((identity) => identity.name === name);
  if (known === undefined) throw new CommandError(EXIT.refused, `there is no cluster ${name}`);
  return known.uid;
}

/** Gives a name to another uid. Throws CommandError (exit 2) if either is not as expected; nothing is changed then. */
export async function replaceCluster(client: ClickHouseClient, name: string, uid: string): Promise<void> {
  const before = await uidOf(client, name);
  if (before === uid) throw new CommandError(EXIT.refused, `${name} is cluster ${uid} already`);
  const other = (await storedIdentities(client, { name: '', uid })).find((identity) => identity.uid === uid);
  if (other !== undefined) throw new CommandError(EXIT.refused, `${uid} is known as ${other.name}: run \`podtrail cluster forget ${other.name}\` first`);
  await claimName(client, { name, uid });
  await forgetState(client, before);
  note(`${name} is cluster ${uid} from now on, no longer ${before}; its collector's next full list brings it in, at once if you restart the collector`);
}

/** Removes all that is known of a cluster. Throws CommandError (exit 2) if there is no such cluster. */
export async function forgetCluster(client: ClickHouseClient, name: string): Promise<void> {
  const uid = await uidOf(client, name);
  await forgetState(client, uid);
  const removed = await forgetRows(client, name);
  const rows = Object.values(removed).reduce((sum, count) => sum + count, 0);
  note(`${name} (${uid}) is forgotten, ${rows} rows are gone; if it is still collected, it comes back as a new cluster`);
}
