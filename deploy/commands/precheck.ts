/** `podtrail precheck`: would these manifests run on this cluster, and if not, why and what would help. */
import { type Command, Option } from 'commander';
import { CommandError, EXIT } from '../errors.ts';
import { print } from '../output.ts';
import { answerCases } from './scheduling-cases.ts';

interface Options {
  readonly schedulingCases?: string;
  readonly format: string;
}

/** Adds the command. */
export function addPrecheckCommand(program: Command): void {
  program
    .command('precheck')
    .description('would these manifests run on this cluster, and if not, why and what would help')
    .option('--scheduling-cases <file>', 'answer recorded scheduling cases instead (.ndjson, .ndjson.gz, or - for standard input)')
    .addOption(new Option('--format <format>', 'how to print; scheduling cases: ndjson').choices(['text', 'json', 'markdown', 'ndjson']).default('text'))
    .action(async (options: Options) => {
      if (options.schedulingCases !== undefined) return answerCases(options.schedulingCases, print);
      throw new CommandError(EXIT.refused, 'name manifests with -f, or scheduling cases with --scheduling-cases');
    });
}
