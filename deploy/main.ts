/** The command line: one program, one file a family of commands. Errors become a message and a documented exit code. */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { Command, CommanderError } from 'commander';
import { CommandError, EXIT } from './errors.ts';
import { note } from './output.ts';

const VERSION: string = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version;

/** Errors that say why podtrail cannot start: exit 2, with what to do where the message does not say it. Other named ones: exit 1. */
const REFUSALS: Readonly<Record<string, string>> = {
  PODTRAIL_LOG_LOCKED: 'another podtrail works on this data: stop it, or choose another directory with --data',
  PODTRAIL_LOG_MISSING: '',
  PODTRAIL_LOG_CHANGED: '',
  PODTRAIL_CHECKPOINT_FORMAT: '',
  PODTRAIL_CHDB_MISSING: '',
  PODTRAIL_STORE_LOCKED: '',
  PODTRAIL_STORE_CONFIG: '',
  PODTRAIL_STORE_SCHEMA: '',
  PODTRAIL_MIGRATION_CHANGED: '',
  PODTRAIL_MIGRATION_NEWER: '',
  PODTRAIL_API_REMOTE_REFUSED: '',
  PODTRAIL_API_LISTEN: 'choose another with --port',
  PODTRAIL_CLUSTER_CONFIG: '',
};

type Exit = (code: number) => void;
interface Family {
  readonly commands: readonly string[];
  /** Adds them. Loaded only when one of them is meant: most are short-lived, and half of the code is not theirs. */
  readonly add: (program: Command, exit: Exit) => Promise<void>;
}

/** All commands, in the order of the help. */
export const FAMILIES: readonly Family[] = [
  {
    commands: ['standalone', 'collector', 'processor', 'api', 'migrate'],
    add: async (program, exit) => (await import('./commands/roles.ts')).addRoleCommands(program, exit),
  },
  { commands: ['incidents', 'incident', 'history'], add: async (program) => (await import('./commands/client.ts')).addClientCommands(program) },
  { commands: ['why'], add: async (program) => (await import('./commands/why.ts')).addWhyCommand(program) },
  { commands: ['explain'], add: async (program) => (await import('./commands/explain.ts')).addExplainCommand(program) },
  { commands: ['precheck'], add: async (program, exit) => (await import('./commands/precheck.ts')).addPrecheckCommand(program, exit) },
  { commands: ['capacity'], add: async (program) => (await import('./commands/capacity.ts')).addCapacityCommand(program) },
  { commands: ['replay', 'record'], add: async (program) => (await import('./commands/recordings.ts')).addRecordingCommands(program) },
  { commands: ['backtest'], add: async (program) => (await import('./commands/backtest.ts')).addBacktestCommand(program) },
  { commands: ['doctor'], add: async (program, exit) => (await import('./commands/doctor.ts')).addDoctorCommand(program, exit) },
  { commands: ['dead-letters'], add: async (program, exit) => (await import('./commands/dead-letters.ts')).addDeadLettersCommand(program, exit) },
  { commands: ['cluster'], add: async (program) => (await import('./commands/cluster.ts')).addClusterCommand(program) },
];

/** Builds the program with the families given. `exit` is told the exit code of a command that ended by itself. */
export async function buildProgram(exit: Exit, families: readonly Family[] = FAMILIES, name = 'podtrail'): Promise<Command> {
  const program = new Command(name)
    .description('Pod anomaly history for fleets of Kubernetes clusters')
    .version(VERSION)
    .addHelpText('after', EPILOGUE)
    .exitOverride()
    .configureHelp({ sortSubcommands: false });
  for (const family of families) await family.add(program, exit);
  // Words after the flags of the default command were meant as a command.
  program.commands.find((command) => command.name() === 'standalone')?.allowExcessArguments();
  program.hook('preAction', (_program, command) => {
    const [word] = command.args;
    if (command.name() === 'standalone' && word !== undefined) throw unknownCommand(word);
  });
  for (const command of program.commands) command.exitOverride().showHelpAfterError(`(${name} ${command.name()} --help says what there is)`);
  return program;
}

const EPILOGUE = `
Exit codes: 0 done, 1 failed while running, 2 refused to start or a check said no, 3 unusable input.
Without a command it is \`standalone\`: the current kube context, or a demo, at http://127.0.0.1:8080.`;

/** The families that a command line needs. Throws CommandError for a command that there is not. */
function familiesOf(word: string | undefined): readonly Family[] {
  if (word === undefined || ['help', '--help', '-h'].includes(word)) return word === undefined ? FAMILIES.slice(0, 1) : FAMILIES;
  if (word.startsWith('-')) return FAMILIES.slice(0, 1); // flags of standalone
  const family = FAMILIES.find(({ commands }) => commands.includes(word));
  if (family !== undefined) return [family];
  throw unknownCommand(word);
}

function unknownCommand(word: string): CommandError {
  const commands = FAMILIES.flatMap((family) => family.commands);
  const [nearest] = commands.map((command) => ({ command, distance: editDistance(word, command) })).sort((a, b) => a.distance - b.distance);
  const hint = nearest !== undefined && nearest.distance <= MAX_TYPOS ? `did you mean ${nearest.command}?` : `there are ${commands.join(', ')}`;
  return new CommandError(EXIT.refused, `there is no command ${word}; ${hint}`);
}

/** Letters that are wrong, missing, too many or swapped in a word that still means a command. */
const MAX_TYPOS = 2;

/** Levenshtein's distance, with neighbours that changed places as one. */
function editDistance(a: string, b: string): number {
  const rows = Array.from({ length: a.length + 1 }, (_, i) => [i, ...new Array<number>(b.length).fill(0)]);
  const at = (i: number, j: number): number => rows[i]?.[j] ?? 0;
  for (let j = 1; j <= b.length; j++) (rows[0] as number[])[j] = j;
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      const differs = a[i - 1] === b[j - 1] ? 0 : 1;
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? at(i - 2, j - 2) + 1 : Number.POSITIVE_INFINITY;
      (rows[i] as number[])[j] = Math.min(at(i - 1, j) + 1, at(i, j - 1) + 1, at(i - 1, j - 1) + differs, swapped);
    }
  }
  return at(a.length, b.length);
}

/** Runs the command line and ends the process. */
export async function main(argv: readonly string[]): Promise<void> {
  let code: number = EXIT.ok;
  // A closed pipe (`| head`) is no error.
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? EXIT.ok : EXIT.failed));
  try {
    // kubectl runs plugins by the name of their file: `kubectl podtrail`.
    const name = basename(argv[1] ?? '').startsWith('kubectl-') ? 'kubectl podtrail' : 'podtrail';
    const exit = (exitCode: number): void => {
      code = exitCode;
    };
    const program = await buildProgram(exit, familiesOf(argv[2]), name);
    await program.parseAsync(argv);
  } catch (error) {
    code = explainError(error);
  }
  await flush();
  process.exit(code);
}

/** Says what went wrong, and which exit code that is. */
function explainError(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.refused; // commander has said why
  if (error instanceof CommandError) {
    note(`podtrail: ${error.message}`);
    return error.exitCode;
  }
  const { code, message } = error as { code?: unknown; message?: string };
  if (typeof code === 'string' && code.startsWith('PODTRAIL_')) {
    const remedy = REFUSALS[code];
    note(`podtrail: ${message}${remedy ? `; ${remedy}` : ''} (${code})`);
    return remedy === undefined ? EXIT.failed : EXIT.refused;
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
