/** record: a cluster into a recording. replay: recordings through the same projection and core as a live cluster, in memory. */
import { type Command, Option } from 'commander';
import type { IncidentJson, Replay } from '../../processor/replay.ts';
import { createReplay } from '../../processor/replay.ts';
import { chooseClusters } from '../clusters.ts';
import { loadConfig } from '../config.ts';
import { CommandError, EXIT } from '../errors.ts';
import { incidentTable } from '../incident-text.ts';
import { readRecords, recordingName } from '../recording-input.ts';
import { note, parseDuration, print, repeatable } from '../output.ts';

interface ReplayOptions {
  readonly format: 'table' | 'json' | 'ndjson';
  readonly clusterName?: string;
  readonly config?: string;
}
interface RecordOptions {
  readonly cluster?: string[];
  readonly config?: string;
  readonly out: string;
  readonly duration: string;
}

/** Adds the commands. */
export function addRecordingCommands(program: Command): void {
  program
    .command('replay <files...>')
    .description(
      'run recordings (.ndjson, .ndjson.gz, - for standard input) through the rules and print their incidents; those of one cluster in the order of time',
    )
    .addOption(new Option('-o, --format <format>', 'how to print').choices(['table', 'json', 'ndjson']).default('table'))
    .option('--cluster-name <name>', 'what the cluster is called (default: the name of the file)')
    .option('--config <file>', 'YAML configuration; its rules apply')
    .action(runReplay);
  program
    .command('record')
    .description('record what a cluster lists and streams, after projection and redaction')
    .option('--cluster <name[=context]>', 'which cluster (default: the current context)', repeatable)
    .option('--config <file>', 'YAML configuration')
    .option('--out <file>', 'where to write; .gz is compressed', 'recording.ndjson.gz')
    .option('--duration <duration>', 'how long, such as 10m', '10m')
    .action(runRecord);
}

async function runReplay(files: readonly string[], options: ReplayOptions): Promise<void> {
  const { rules } = loadConfig({ file: options.config });
  const replay = createReplay();
  let records = 0;
  const startedMs = performance.now();
  for (const file of files) records += await replayFile(replay, file, options.clusterName ?? recordingName(file), rules);
  const incidents = replay.incidents();
  printIncidents(incidents, options.format);
  const seconds = (performance.now() - startedMs) / 1_000;
  const letters = replay.rows('dead_letters').length;
  note(
    `${records} records in ${seconds.toFixed(1)} s, ${incidents.length} ${incidents.length === 1 ? 'incident' : 'incidents'}${letters > 0 ? `, ${letters} dead letters` : ''}`,
  );
}

async function replayFile(replay: Replay, file: string, cluster: string, rules: Readonly<Record<string, unknown>>): Promise<number> {
  let records = 0;
  for await (const record of readRecords(file, cluster, rules)) {
    replay.push(record);
    if (record.type !== 'RULES') records++;
  }
  return records;
}

function printIncidents(incidents: readonly IncidentJson[], format: ReplayOptions['format']): void {
  if (format === 'json') print(JSON.stringify(incidents, null, 2));
  else if (format === 'ndjson') for (const incident of incidents) print(JSON.stringify(incident));
  else if (incidents.length === 0) note('no incidents');
  // Ages count from the end of what was recorded.
  else print(incidentTable(incidents, false, Math.max(...incidents.map((i) => Date.parse(i.updatedTime))), process.stdout.columns));
}

async function runRecord(options: RecordOptions): Promise<void> {
  const config = loadConfig({ file: options.config });
  const [cluster, ...others] = chooseClusters(config.collector, options.cluster ?? []);
  if (cluster === undefined || others.length > 0)
    throw new CommandError(
      EXIT.refused,
      cluster === undefined ? 'there is no cluster to record: set a kube context or name one' : 'record one cluster at a time',
    );
  const durationMs = parseDuration(options.duration);
  note(`recording ${cluster.about} for ${options.duration} into ${options.out}: get, list and watch only; Ctrl-C ends it`);
  const { recordCluster } = await import('../recorder.ts');
  const { lines, rejected } = await recordCluster(config, cluster, durationMs, options.out);
  note(`${lines} lines in ${options.out}${rejected > 0 ? `; ${rejected} objects could not be projected and are not in it` : ''}`);
}
