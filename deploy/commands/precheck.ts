/** `podtrail precheck`: would these manifests run on this cluster, and if not, why and what would help. */
import { readFileSync } from 'node:fs';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { CollectorConfig } from '../../collector/config.ts';
import { runPrecheck } from '../../processor/capacity/precheck.ts';
import { createView } from '../../processor/core/view.ts';
import { blindness } from '../../processor/core/why.ts';
import type { LocatedManifests, LocatedProblem } from '../../processor/precheck-input.ts';
import { readManifestText } from '../../processor/precheck-input.ts';
import { type ChosenCluster, chooseClusters, chooseContext } from '../clusters.ts';
import { stateOfCluster, stateOfRecording } from '../cluster-state.ts';
import { loadConfig } from '../config.ts';
import { CommandError, EXIT } from '../errors.ts';
import { note, print } from '../output.ts';
import { problemLine, problemsMarkdown, reportMarkdown, reportText, type ShownReport } from '../precheck-report.ts';
import { apiUrlOption, postJson } from '../api-client.ts';
import { answerCases } from './scheduling-cases.ts';

export interface PrecheckOptions {
  readonly filename?: string[];
  readonly cluster?: string;
  readonly context?: string;
  readonly recording?: string;
  readonly url: string;
  readonly replicas?: number;
  readonly namespace?: string;
  readonly failOn: 'fail' | 'warn';
  readonly format: 'text' | 'json' | 'markdown' | 'ndjson';
  readonly config?: string;
  readonly schedulingCases?: string;
}

interface Report extends ShownReport {
  readonly problems: readonly LocatedProblem[];
}

/** Room for a 10 MB bundle; one document of this size as YAML would take a minute and a gigabyte. */
const LIMITS = { text: 16 * 1_024 * 1_024, document: 2 * 1_024 * 1_024 };

/** Adds the command. `exit` is told the exit code: 0 pass, warn or unknown, 2 fail. */
export function addPrecheckCommand(program: Command, exit: (code: number) => void): void {
  program
    .command('precheck')
    .description('would these manifests run on this cluster, and if not, why and what would help')
    .option('-f, --filename <file...>', 'manifests, YAML or JSON; - for standard input')
    .option('--cluster <name>', 'a cluster that podtrail watches, by the API at --url; with its history')
    .option('--context <context>', 'a cluster of the kubeconfig, listed once (the current context if nothing is named)')
    .option('--recording <file>', 'the end of a recording')
    .addOption(apiUrlOption())
    .option('--replicas <number>', 'replicas of every workload, instead of those it names', parseReplicas)
    .option('-n, --namespace <namespace>', 'of objects that name none (default: default)')
    .addOption(new Option('--fail-on <status>', 'the mildest status that fails').choices(['fail', 'warn']).default('fail'))
    .addOption(
      new Option('-o, --format <format>', 'how to print; ndjson is for scheduling cases').choices(['text', 'json', 'markdown', 'ndjson']).default('text'),
    )
    .option('--config <file>', 'YAML configuration')
    .option('--scheduling-cases <file>', 'answer recorded scheduling cases instead (.ndjson, .ndjson.gz, or - for standard input)')
    .action(async (options: PrecheckOptions) => {
      if (options.schedulingCases !== undefined) return answerCases(options.schedulingCases, print);
      exit(await precheck(options, { print, note }));
    });
}

function parseReplicas(text: string): number {
  const replicas = Number(text);
  if (!/^\d+$/.test(text) || replicas > 1_000_000) throw new InvalidArgumentError('expected a number from 0 to 1000000');
  return replicas;
}

/** Where results and remarks go. */
export interface Printer {
  readonly print: (line: string) => void;
  readonly note: (line: string) => void;
}

/** Runs the command and returns its exit code. Throws CommandError. */
export async function precheck(options: PrecheckOptions, printer: Printer): Promise<number> {
  const { print } = printer;
  const named = [options.cluster, options.context, options.recording].filter((each) => each !== undefined);
  if (named.length > 1) throw new CommandError(EXIT.refused, 'name one of --cluster, --context and --recording');
  if (options.filename === undefined) throw new CommandError(EXIT.refused, 'name manifests with -f, or scheduling cases with --scheduling-cases');
  const text = options.filename.map(readInput).join('\n---\n');
  const manifests = await readManifestText(text, LIMITS);
  if (manifests.located.length > 0) return refuse(manifests.located, options, printer);
  const report = options.cluster === undefined ? await checkHere(manifests, options, printer.note) : await checkThere(options.cluster, text, options);
  // The API takes less at once than this command does.
  if (report.problems.length > 0) return refuse(report.problems, options, printer);
  if (options.format === 'text') print(reportText(report));
  else if (options.format === 'markdown') print(reportMarkdown(report));
  else print(JSON.stringify(report, null, options.format === 'json' ? 2 : undefined));
  const fails = report.status === 'fail' || (report.status === 'warn' && options.failOn === 'warn');
  return fails ? EXIT.refused : EXIT.ok;
}

function readInput(name: string): string {
  try {
    return readFileSync(name === '-' ? 0 : name, 'utf8');
  } catch (error) {
    throw new CommandError(EXIT.badInput, `read ${name === '-' ? 'standard input' : name} failed: ${(error as Error).message}`, { cause: error });
  }
}

function refuse(located: readonly LocatedProblem[], { format, filename = [] }: PrecheckOptions, { print, note }: Printer): number {
  if (format === 'markdown') print(problemsMarkdown(located));
  else if (format === 'json' || format === 'ndjson') print(JSON.stringify({ problems: located }, null, format === 'json' ? 2 : undefined));
  for (const problem of located) note(`${filename.length === 1 ? `${filename[0]} ` : ''}${problemLine(problem)}`);
  return EXIT.badInput;
}

/** By a state that is read now; podtrail's memory of the fleet is not at hand. */
async function checkHere(manifests: LocatedManifests, options: PrecheckOptions, note: Printer['note']): Promise<Report> {
  const config = loadConfig({ file: options.config });
  const state =
    options.recording === undefined
      ? await stateOfCluster(choose(config.collector, options.context), config, note)
      : await stateOfRecording(options.recording, config);
  // A list of one moment is not blind to anything but what it may not list.
  const blind = blindness(state).flatMap(({ resource, uncollectable, reason }) => (uncollectable ? [] : [`${resource}: ${reason}`]));
  const knowledge = options.recording === undefined ? {} : { blind };
  const { status, workloads } = runPrecheck(manifests, createView(state), knowledge, options);
  return { cluster: state.cluster.name, status, workloads, problems: [] };
}

function choose(config: CollectorConfig, context: string | undefined): ChosenCluster {
  const [chosen] = context === undefined ? chooseClusters(config, []) : [chooseContext(config, context)];
  if (chosen === undefined) throw new CommandError(EXIT.refused, 'there is no cluster to check against: name one with --context, --cluster or --recording');
  return chosen;
}

/** By the API, which knows the cluster's live state and the fleet's past. */
async function checkThere(cluster: string, manifests: string, { url, replicas, namespace }: PrecheckOptions): Promise<Report> {
  return postJson<Report>(url, '/v1/precheck', { cluster, manifests, replicas, namespace });
}
