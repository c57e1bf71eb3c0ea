import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CATALOGUE } from '../../../processor/catalogue/catalogue.ts';
import { readShellLine, ShellError } from '../../helpers/shell-words.ts';

const commands = [
  ...new Set(Object.values(CATALOGUE).flatMap(({ causes }) => Object.values(causes).flatMap(({ en }) => en.steps.flatMap(({ command }) => command ?? [])))),
].sort();

/** Programs on the operator's machine, or on a node. */
const PROGRAMS = new Set('kubectl crictl ctr journalctl systemctl docker skopeo openssl getent curl df du dmesg ps ls cat timedatectl grep'.split(' '));
/** Programs of a container: of the application's image where there is no help, else of the images that the commands bring. */
const INSIDE = new Set('sh chroot cat grep du jcmd wget netstat tcpdump'.split(' '));

/** Flags of kubectl 1.32 that take a value, and those that do not, by subcommand; `kubectl SUBCOMMAND --help`. */
const WITH_VALUE: Readonly<Record<string, string>> = {
  get: '-n -o -l -L --field-selector --sort-by --raw',
  describe: '-n -l',
  logs: '-n -c --tail --since',
  exec: '-n -c',
  debug: '-n -c --container --copy-to --image --profile --target',
  events: '-n --for',
  top: '-n --sort-by -l',
  rollout: '-n',
  edit: '-n',
  patch: '-n -p --type',
  label: '-n --dry-run',
  taint: '',
  cordon: '',
  uncordon: '',
  drain: '--timeout',
  delete: '-n --field-selector --grace-period',
  create: '-n --type --from-file --clusterrole --serviceaccount',
  apply: '-n -f',
  run: '-n --image --dry-run',
  auth: '-n --as',
};
const WITHOUT_VALUE: Readonly<Record<string, string>> = {
  get: '-A --show-labels --show-managed-fields',
  logs: '--previous --all-containers --timestamps',
  debug: '-it',
  top: '-A --containers',
  label: '--overwrite',
  drain: '--ignore-daemonsets --delete-emptydir-data',
  delete: '--force',
};

const CLUSTER_SCOPED = new Set(
  'node nodes pv storageclass csinode csinodes volumeattachments namespace validatingwebhookconfigurations mutatingwebhookconfigurations deviceclasses resourceslices'.split(
    ' ',
  ),
);
/** The subcommand itself names its kind. */
const ON_NODES = new Set(['cordon', 'uncordon', 'drain', 'taint']);
const ON_PODS = new Set(['logs', 'exec', 'debug', 'events', 'run', 'apply', 'create', 'auth']);

interface Kubectl {
  readonly subcommand: string;
  readonly flags: readonly string[];
  readonly operands: readonly string[];
  readonly inner: readonly string[];
}

function readKubectl(words: readonly string[]): Kubectl {
  const [, subcommand = '', ...rest] = words;
  const end = rest.indexOf('--');
  const valued = (WITH_VALUE[subcommand] ?? '').split(' ');
  const plain = (WITHOUT_VALUE[subcommand] ?? '').split(' ');
  assert.ok(WITH_VALUE[subcommand] !== undefined, `kubectl ${subcommand} is not known`);
  const flags: string[] = [];
  const operands: string[] = [];
  const own = end < 0 ? rest : rest.slice(0, end);
  for (let at = 0; at < own.length; at++) {
    const word = own[at] as string;
    if (!word.startsWith('-')) {
      operands.push(word);
      continue;
    }
    const [flag = '', value] = word.split(/=(.*)/s);
    assert.ok(valued.includes(flag) || plain.includes(flag), `kubectl ${subcommand} has no ${flag}`);
    flags.push(flag);
    if (!valued.includes(flag)) assert.equal(value, undefined, `${flag} takes no value`);
    else if (value === undefined) assert.match(own[++at] ?? '-', /^[^-]/, `${flag} needs a value`);
  }
  return { subcommand, flags, operands, inner: end < 0 ? [] : rest.slice(end + 1) };
}

function needsNamespace({ subcommand, flags, operands }: Kubectl): boolean {
  if (ON_NODES.has(subcommand) || flags.includes('--raw')) return false;
  if (ON_PODS.has(subcommand)) return true;
  const kinds = (subcommand === 'rollout' ? operands[1] : operands[0])?.split('/')[0] ?? '';
  return !kinds.split(',').every((kind) => CLUSTER_SCOPED.has(kind));
}

for (const command of commands) {
  test(`parses: ${command}`, () => {
    const { commands: pipeline, quoted } = readShellLine(command);
    for (const words of pipeline) assert.ok(PROGRAMS.has(words[0] as string), `${words[0]} is not a known program`);
    // A quoted name inside quotes would end them.
    for (const text of quoted) assert.doesNotMatch(text, /\{\w+\}/, 'a placeholder in quotes');
    const words = pipeline[0] as string[];
    if (words[0] !== 'kubectl') return;
    const kubectl = readKubectl(words);
    assert.ok(kubectl.operands.length > 0 || kubectl.flags.some((flag) => ['--raw', '--for', '-f'].includes(flag)), 'says what it is about');
    assert.equal(kubectl.flags.includes('-n') || kubectl.flags.includes('-A'), needsNamespace(kubectl), '-n where, and only where, it counts');
    if (kubectl.inner.length > 0) assert.ok(INSIDE.has(kubectl.inner[0] as string), `${kubectl.inner[0]} is not a known program`);
    if (kubectl.inner[0] === 'chroot') assert.ok(PROGRAMS.has(kubectl.inner[2] as string), `${kubectl.inner[2]} is not a known program`);
  });
}

test('there are commands to look at', () => {
  assert.ok(commands.length > 150);
});

test('commands that touch the pod, container or workload of the incident name them by placeholder', () => {
  const literal = /\b(?:pod|pods|logs|exec|debug) (?!\{pod\}|node\/|pods?\b|-)[a-z]/;
  assert.deepEqual(
    commands.filter((command) => command.startsWith('kubectl') && literal.test(command.split(' -- ')[0] as string)),
    [],
  );
});

const REFUSED: readonly (readonly [name: string, line: string])[] = [
  ['an open quote', "kubectl get pod 'a"],
  ['an expansion', 'kubectl get pod $(id)'],
  ['an expansion in double quotes', 'kubectl get pod "$(id)"'],
  ['a backtick', 'kubectl get pod `id`'],
  ['a list', 'kubectl get pod a; id'],
  ['a redirection', 'kubectl get pod <pod>'],
  ['a glob', 'kubectl get pod a[*]'],
  ['an empty command', 'kubectl get pod |'],
];
for (const [name, line] of REFUSED) {
  test(`the reader of shell lines refuses ${name}`, () => {
    assert.throws(() => readShellLine(line), ShellError);
  });
}

const WRONG: readonly (readonly [name: string, line: string])[] = [
  ['an unknown subcommand', 'kubectl inspect pod {pod} -n {namespace}'],
  ['an unknown flag', 'kubectl logs {pod} -n {namespace} --prev'],
  ['a flag without its value', 'kubectl get pods -n'],
  ['a value for a flag that takes none', 'kubectl logs {pod} -n {namespace} --previous=5'],
];
for (const [name, line] of WRONG) {
  test(`the reader of kubectl lines refuses ${name}`, () => {
    assert.throws(() => readKubectl(readShellLine(line).commands[0] as string[]), assert.AssertionError);
  });
}
