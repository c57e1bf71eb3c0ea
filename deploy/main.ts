/** The command line: one program, one file a family of commands. Errors become a message and a documented exit code. */
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { addClientCommands } from './commands/client.ts';
import { addExplainCommand } from './commands/explain.ts';
import { addPrecheckCommand } from './commands/precheck.ts';
import { addRecordingCommands } from './commands/recordings.ts';
import { addRoleCommands } from './commands/roles.ts';
import { addWhyCommand } from './commands/why.ts';
import { CommandError, EXIT } from './errors.ts';
import { note } from './output.ts';

const VERSION: string = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version;

/** Errors that say why podtrail cannot start: exit 2. Everything else that is named failed while running: exit 1. */
const REFUSALS = new Set([
  'PODTRAIL_LOG_LOCKED',
  'PODTRAIL_CHDB_MISSING',
  'PODTRAIL_STORE_LOCKED',
  'PODTRAIL_STORE_CONFIG',
  'PODTRAIL_STORE_SCHEMA',
  'PODTRAIL_MIGRATION_CHANGED',
  'PODTRAIL_MIGRATION_NEWER',
  'PODTRAIL_API_REMOTE_REFUSED',
  'PODTRAIL_API_LISTEN',
  'PODTRAIL_CLUSTER_CONFIG',
]);

/** Builds the program. `exit` is told the exit code of a command that ended by itself. */
export function buildProgram(exit: (code: number) => void): Command {
  const program = new Command('podtrail')
    .description('Pod anomaly history for fleets of Kubernetes clusters')
    .version(VERSION)
    .exitOverride()
    .showHelpAfterError('(add --help for what there is)')
    .configureHelp({ sortSubcommands: false });
  addRoleCommands(program, exit);
  addRecordingCommands(program);
  addExplainCommand(program);
  addPrecheckCommand(program, exit);
  addClientCommands(program);
  addWhyCommand(program);
  for (const command of program.commands) command.exitOverride();
  return program;
}

/** Runs the command line and ends the process. */
export async function main(argv: readonly string[]): Promise<void> {
  let code: number = EXIT.ok;
  // A closed pipe (`| head`) is no error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? EXIT.ok : EXIT.failed));
  try {
    await buildProgram((exitCode) => {
      code = exitCode;
    }).parseAsync(argv);
  } catch (error) {
    code = explainError(error);
  }
  await flush();
  process.exit(code);
}

/** Says what went wrong, and which exit code that is. */
export function explainError(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.refused; // commander has said why
  if (error instanceof CommandError) {
    note(`podtrail: ${error.message}`);
    return error.exitCode;
  }
  const { code, message } = error as { code?: unknown; message?: string };
  if (typeof code === 'string' && code.startsWith('PODTRAIL_')) {
    note(`podtrail: ${message} (${code})`);
    return REFUSALS.has(code) ? EXIT.refused : EXIT.failed;
  }
  note(`podtrail: ${error instanceof Error ? error.stack : String(error)}`);
  return EXIT.failed;
}

/** process.exit would cut what a pipe has not taken yet. */
async function flush(): Promise<void> {
  await new Promise<void>((resolve) => {
    process.stdout.write('', () => resolve());
  });
}
