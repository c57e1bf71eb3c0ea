/** The long-running commands, standalone, collector, processor, api, and migrate: their flags. What they do is loaded when one runs. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { CollectOptions, CommonOptions, ListenOptions } from '../begin.ts';
import { repeatable } from '../output.ts';
import type { StandaloneOptions } from '../standalone.ts';

const NEW_LOG = ['--new-log', 'the change log was replaced: keep the state and read the new one from its beginning'] as const;

/** Adds the commands. `exit` is told the exit code when one has ended. */
export function addRoleCommands(program: Command, exit: (code: number) => void): void {
  const common = (command: Command): Command =>
    command
      .option('--config <file>', 'YAML configuration (deploy/podtrail.example.yaml)')
      .option('--log-level <level>', 'fatal, error, warn, info, debug or trace');
  const collecting = (command: Command): Command =>
    common(command).option('--cluster <name[=context]>', 'collect this cluster, of this kube context; repeatable', repeatable);
  const listening = (command: Command): Command =>
    command
      .option('--host <address>', 'address to listen on (default: 127.0.0.1)')
      .option('--port <port>', 'port to listen on (default: 8080)', parsePort)
      .option('--allow-remote', 'listen beyond loopback, although there is no authentication yet');

  listening(collecting(program.command('standalone', { isDefault: true })))
    .description('everything in one process on embedded parts: collector, change log, processor, store, API (default)')
    .option('--demo', 'play the bundled recording instead of collecting a cluster')
    .addOption(new Option('--speed <factor>', 'pace of the demo, 1 to 1000 times its own').default(1).argParser(parseSpeed))
    .option('--data <directory>', 'where to keep data (default: data, or data-demo)')
    .option(...NEW_LOG)
    .action(async (options: StandaloneOptions) => exit(await (await import('../standalone.ts')).runStandalone(options)));
  collecting(program.command('collector').description('collect clusters into the change log')).action(async (options: CollectOptions) =>
    exit(await (await import('../roles.ts')).runCollector(options)),
  );
  common(program.command('processor').description('correlate the change log into incidents'))
    .option(...NEW_LOG)
    .action(async (options: CommonOptions & { newLog?: boolean }) => exit(await (await import('../roles.ts')).runProcessor(options)));
  listening(common(program.command('api').description('serve the API and the page'))).action(async (options: ListenOptions) =>
    exit(await (await import('../roles.ts')).runApi(options)),
  );
  common(program.command('migrate').description("bring the database to this release's schema")).action(async (options: CommonOptions) =>
    exit(await (await import('../roles.ts')).runMigrate(options)),
  );
}

function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) throw new InvalidArgumentError('Expected 0 to 65535.');
  return port;
}

function parseSpeed(text: string): number {
  const speed = Number(text);
  if (!(speed >= 1 && speed <= 1_000)) throw new InvalidArgumentError('Expected a number from 1 to 1000.');
  return speed;
}
