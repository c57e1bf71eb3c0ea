/** `podtrail dead-letters`: what could not be taken and why, from a running API; `dead-letters replay` gives records to the log again. */
import { type Command, Option } from 'commander';
import { pino } from 'pino';
import { reviveDeadLetter } from '../../processor/dead-letters.ts';
import { readDeadLetters } from '../../sql/dead-letters.ts';
import { apiUrlOption, getAll } from '../api-client.ts';
import { readConfig } from '../begin.ts';
import { EXIT } from '../errors.ts';
import { formatTable, note, parseDuration, print } from '../output.ts';
import { openChangeLog, openExistingStore } from '../parts.ts';

/** What the list prints of an item; the API's contract has more. */
interface DeadLetterJson {
  readonly log: string;
  readonly partition: number;
  readonly offset: string;
  readonly part: string;
  readonly cluster: string;
  readonly time: string;
  readonly code: string;
  readonly reason: string;
}

interface ListOptions {
  readonly url: string;
  readonly since: string;
  readonly output: 'table' | 'json' | 'ndjson';
}
interface ReplayOptions {
  readonly config?: string;
  readonly data?: string;
  readonly since: string;
  readonly dryRun?: boolean;
}

/** Adds the commands. `exit` is told 1 when some could not be replayed. */
export function addDeadLettersCommand(program: Command, exit: (code: number) => void): void {
  const command = program
    .command('dead-letters')
    .description('list what could not be taken, with its place and reason')
    .addOption(apiUrlOption())
    .option('--since <duration>', 'within this time', '7d')
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['table', 'json', 'ndjson']).default('table'))
    .action(listDeadLetters);
  command
    .command('replay')
    .description('append dead letters that are whole records to the change log again, as after an upgrade; standalone must be stopped')
    .option('--config <file>', 'YAML configuration')
    .option('--data <directory>', "standalone's data directory")
    .option('--since <duration>', 'within this time', '7d')
    .option('--dry-run', 'say what would be done')
    // commander gives --since to the parent, which has one too.
    .action(async (_: unknown, replay: Command) => exit(await replayDeadLetters(replay.optsWithGlobals<ReplayOptions>())));
}

async function listDeadLetters({ url, since, output }: ListOptions): Promise<void> {
  const from = new Date(Date.now() - parseDuration(since)).toISOString();
  const letters = await getAll<DeadLetterJson>(url, '/v1/dead-letters', { from });
  if (output === 'json') return print(JSON.stringify(letters, null, 2));
  if (output === 'ndjson') {
    for (const letter of letters) print(JSON.stringify(letter));
    return;
  }
  if (letters.length === 0) return note('no dead letters');
  const rows = letters.map(({ time, cluster, log, partition, offset, part, code, reason }) => {
    return [time, cluster || '-', `${log}[${partition}] ${offset}`, part, code, reason];
  });
  print(formatTable(['TIME', 'CLUSTER', 'PLACE', 'PART', 'CODE', 'REASON'], rows));
}

async function replayDeadLetters(options: ReplayOptions): Promise<number> {
  const { since, dryRun = false } = options;
  const config = readConfig(options);
  const sinceMs = Date.now() - parseDuration(since);
  const store = await openExistingStore(config);
  try {
    const changeLog = dryRun ? undefined : await openChangeLog(config, pino({ level: 'silent' }));
    let appended = 0;
    let left = 0;
    try {
      for await (const letter of readDeadLetters(store.client, sinceMs)) {
        const revival = reviveDeadLetter(letter);
        const place = `${letter.log}[${letter.partition}] offset ${letter.offset}`;
        if (revival.ok) await changeLog?.writer.append(revival.key, [revival.value]);
        else note(`${place}: ${letter.code}: left, ${revival.reason}`);
        if (revival.ok) appended++;
        else left++;
      }
    } finally {
      await changeLog?.close();
    }
    note(`${dryRun ? 'would append' : 'appended'} ${appended} records, left ${left}`);
    return left === 0 ? EXIT.ok : EXIT.failed;
  } finally {
    await store.close();
  }
}
