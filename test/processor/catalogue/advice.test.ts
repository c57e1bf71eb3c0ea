import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import fc from 'fast-check';
import { adviceFor, entryOf, namesOf } from '../../../processor/catalogue/advice.ts';
import { CATALOGUE } from '../../../processor/catalogue/catalogue.ts';
import type { Names, Placeholder } from '../../../processor/catalogue/entry.ts';
import { PLACEHOLDERS } from '../../../processor/catalogue/entry.ts';
import { readShellLine } from '../../helpers/shell-words.ts';

const entries = Object.entries(CATALOGUE).flatMap(([scenario, { causes }]) => Object.entries(causes).map(([cause, entry]) => ({ scenario, cause, entry })));

const ordinary: Record<Placeholder, string> = {
  namespace: 'shop',
  pod: 'web-6d5f-x2k',
  container: 'app',
  node: 'ip-10-0-1-7.ec2.internal',
  workload: 'web',
  workloadKind: 'deployment',
  image: 'registry.example.com:5000/shop/web:1.4@sha256:abc',
  registry: 'registry.example.com:5000',
  claim: 'data-web-0',
  quota: 'compute',
  subject: 'web',
};

test('fills the names of an incident into text and commands', () => {
  const advice = adviceFor('container_exit', 'exit_after_run', 'en', ordinary);
  assert.equal(advice?.scenario, 'Container exit');
  assert.equal(advice?.steps[0]?.command, 'kubectl logs web-6d5f-x2k -n shop -c app --previous --tail=200');
  assert.equal(adviceFor('container_exit', 'exit_after_run', 'zh', ordinary)?.scenario, '容器退出');
});

test('with all names known nothing is left to fill in, and names need no quotes', () => {
  for (const { scenario, cause } of entries) {
    for (const language of ['en', 'zh'] as const) {
      const advice = adviceFor(scenario, cause, language, ordinary);
      const text = JSON.stringify(advice);
      for (const name of PLACEHOLDERS) assert.ok(!text.includes(`{${name}}`) && !text.includes(`<${name}>`), `${scenario}/${cause}: ${name}`);
    }
  }
});

test('a name that is not known stays visible as a gap', () => {
  const advice = adviceFor('container_exit', 'exit_after_run', 'en', { namespace: 'shop', pod: '' });
  assert.equal(advice?.steps[0]?.command, 'kubectl logs <pod> -n shop -c <container> --previous --tail=200');
});

test('a cause of a later release falls back to other, a scenario of one has no advice', () => {
  assert.equal(entryOf('oom_killed', 'cosmic_ray'), CATALOGUE.oom_killed.causes['other']);
  assert.equal(adviceFor('cosmic_ray', 'other', 'en', ordinary), undefined);
});

/** Words as a shell would take them from the template, the names put in afterwards: what the filled line must amount to. */
function expectedWords(command: string, names: Names): string[][] {
  const put = (word: string): string => word.replace(/\{(\w+)\}/g, (_, key: string) => names[key as Placeholder] as string);
  return readShellLine(command).commands.map((words) => words.map(put));
}

const HOSTILE = [
  'a b',
  "it's",
  '"',
  '$(touch x)',
  '`id`',
  '; id',
  '| id',
  '&& id',
  '> x',
  '*',
  '\\',
  "'; id; '",
  "$'\\n'",
  '!!',
  '#x',
  '\n',
  '(',
  '{pod}',
  '$&',
  "$'",
  '中文',
];
const name = fc.oneof(
  fc.string({ minLength: 1 }),
  fc.string({ unit: 'binary', minLength: 1 }),
  fc.constantFrom(...HOSTILE),
  fc.tuple(fc.constantFrom(...HOSTILE), fc.constantFrom(...HOSTILE)).map(([a, b]) => a + b),
);
const anyNames = fc.record(Object.fromEntries(PLACEHOLDERS.map((key) => [key, name])) as Record<Placeholder, typeof name>);

test('no name escapes its word: not by quotes, spaces, or expansions', () => {
  const withCommands = entries.flatMap(({ scenario, cause, entry }) =>
    entry.en.steps.flatMap(({ command }, step) => (command === undefined ? [] : [{ scenario, cause, command, step }])),
  );
  fc.assert(
    fc.property(fc.constantFrom(...withCommands), anyNames, ({ scenario, cause, command, step }, names) => {
      // Steps of rollouts are only for kinds that have them; all steps are there under such a name.
      const known = command.startsWith('kubectl rollout') ? { ...names, workloadKind: 'statefulset' } : names;
      const all = adviceFor(scenario, cause, 'en', { ...known, workloadKind: 'statefulset' })?.steps ?? [];
      const text = all[step]?.text;
      const filled = adviceFor(scenario, cause, 'en', known)?.steps.find((each) => each.text === text)?.command as string;
      assert.deepEqual(readShellLine(filled).commands, expectedWords(command, known));
    }),
    { numRuns: 300 },
  );
});

test('only kinds that are rolled out are looked at and undone by kubectl rollout', () => {
  const rollouts = (workloadKind: string | undefined): number =>
    (adviceFor('container_exit', 'exit_after_run', 'en', { ...ordinary, workloadKind })?.steps ?? []).filter(({ command }) => command?.includes(' rollout '))
      .length;
  assert.deepEqual(['deployment', 'statefulset', 'daemonset', 'pod', 'job', 'cloneset'].map(rollouts), [2, 2, 2, 0, 0, 0]);
});

test('a real shell takes hostile names as the words they are', () => {
  for (const hostile of HOSTILE.filter((text) => !text.includes('\n'))) {
    const names = { ...ordinary, pod: hostile };
    const command = adviceFor('container_exit', 'exit_after_run', 'en', names)?.steps[0]?.command as string;
    const printed = execFileSync('sh', ['-c', command.replace('kubectl', "printf '%s\\n'")], { encoding: 'utf8' });
    assert.deepEqual(printed.trimEnd().split('\n'), ['logs', hostile, '-n', 'shop', '-c', 'app', '--previous', '--tail=200']);
  }
});

const deployment = { kind: 'Deployment', namespace: 'shop', name: 'web', container: 'app' };
const NAMES: readonly (readonly [what: string, of: Parameters<typeof namesOf>[0], want: Names])[] = [
  [
    'a container of a workload',
    { subject: deployment, shared: { image: 'web:1', node: 'n1', registry: null, claim: null }, pod: { namespace: 'shop', name: 'web-1' } },
    { namespace: 'shop', pod: 'web-1', container: 'app', node: 'n1', workload: 'web', workloadKind: 'deployment', image: 'web:1', subject: 'web' },
  ],
  ['a node', { subject: { kind: 'Node', namespace: '', name: 'n1', container: '' } }, { node: 'n1', subject: 'n1' }],
  [
    'a node with a pod on it',
    { subject: { kind: 'Node', namespace: '', name: 'n1', container: '' }, pod: { namespace: 'shop', name: 'web-1' } },
    { namespace: 'shop', pod: 'web-1', node: 'n1', subject: 'n1' },
  ],
];
for (const [what, of, want] of NAMES) {
  test(`names of ${what}`, () => {
    assert.deepEqual(namesOf(of), want);
  });
}

test('the quota of a refusal is named', () => {
  const { quota, namespace } = namesOf({ subject: { kind: 'ResourceQuota', namespace: 'shop', name: 'compute', container: '' } });
  assert.deepEqual({ quota, namespace }, { quota: 'compute', namespace: 'shop' });
});
