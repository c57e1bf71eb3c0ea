import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { entryOf } from '../../../processor/catalogue/advice.ts';
import { CATALOGUE } from '../../../processor/catalogue/catalogue.ts';
import type { CauseEntry, CauseText } from '../../../processor/catalogue/entry.ts';
import { PLACEHOLDERS } from '../../../processor/catalogue/entry.ts';
import type { ScenarioId } from '../../../processor/scenarios/scenario.ts';
import { SCENARIO_IDS } from '../../../processor/scenarios/scenario.ts';

/** design §4, word for word. `other` comes with every scenario. */
const CAUSES: Readonly<Record<ScenarioId, string>> = {
  scheduling_failure:
    'insufficient_resources resource_fragmentation quota_exceeded node_selector_mismatch affinity_mismatch untolerated_taint no_available_node unbound_volume volume_topology volume_limit resource_claim host_port_conflict topology_spread too_many_pods extended_resource node_admission_rejected scheduler_absent',
  image_pull_failure:
    'image_not_found invalid_image_name registry_auth registry_network registry_unavailable registry_tls pull_timeout pull_throttled pull_queued image_never_pull no_space platform_mismatch image_corrupt',
  dependency_error:
    'missing_configmap missing_secret missing_key missing_volume volume_attach_failed mount_failed access_denied readonly_volume illegal_mount_path',
  container_create_failure:
    'bad_command missing_command security_policy admission_denied rbac_forbidden missing_service_account memory_limit_too_low sandbox_failed runtime_error',
  init_failure: 'init_exit init_oom init_stuck',
  lifecycle_hook_failure: 'poststart_failed prestop_failed',
  readiness_probe_failure: 'probe_connection_refused probe_timeout probe_http_status probe_exec probe_misconfigured node_overloaded cpu_starved readiness_gate',
  liveness_probe_failure:
    'probe_connection_refused probe_timeout probe_http_status probe_exec probe_misconfigured node_overloaded cpu_starved startup_probe_failed',
  container_exit: 'exit_immediate exit_after_run deadline_exceeded',
  oom_killed: 'container_limit node_memory',
  evicted: 'memory_pressure disk_pressure ephemeral_limit pid_pressure taint_eviction',
  node_lost: 'node_unreachable node_not_ready node_shutdown node_deleted',
  stuck_terminating: 'finalizer kill_failed ignored_signal node_failure volume_detach',
};

/** Refinements that the rules emit, each of which the text of its cause must speak of. */
const DETAILS: readonly (readonly [scenario: ScenarioId, cause: string, details: string])[] = [
  ['scheduling_failure', 'insufficient_resources', 'too_big'],
  ['image_pull_failure', 'registry_auth', 'missing_pull_secret credential_plugin'],
  ['image_pull_failure', 'registry_network', 'dns refused private_endpoint_acl public_endpoint_acl overseas'],
  ['image_pull_failure', 'pull_throttled', 'kubelet_qps registry_limit'],
  ['image_pull_failure', 'image_corrupt', 'signature'],
  ['container_create_failure', 'admission_denied', 'webhook_unreachable'],
  ['init_failure', 'init_stuck', 'sidecar_startup_probe'],
  ['lifecycle_hook_failure', 'prestop_failed', 'timeout'],
  ['readiness_probe_failure', 'probe_connection_refused', 'never_passed passed_before'],
  ['readiness_probe_failure', 'probe_timeout', 'never_passed passed_before'],
  ['readiness_probe_failure', 'probe_http_status', 'never_passed passed_before'],
  ['readiness_probe_failure', 'probe_exec', 'never_passed passed_before'],
  ['liveness_probe_failure', 'probe_timeout', 'after_scale_out oscillating'],
  ['container_exit', 'exit_immediate', 'command_not_found permission_denied missing_file exec_format_error no_foreground_process'],
  ['oom_killed', 'container_limit', 'limit_lowered child_process'],
];

const words = (text: string): string[] => text.split(' ');
const entries = SCENARIO_IDS.flatMap((scenario) => Object.entries(CATALOGUE[scenario].causes).map(([cause, entry]) => ({ scenario, cause, entry })));
const textOf = ({ explanation, steps, avoid }: CauseText): string => [explanation, ...steps.map(({ text }) => text), avoid].join('\n');
const both = ({ en, zh }: CauseEntry): (readonly ['en' | 'zh', CauseText])[] => [
  ['en', en],
  ['zh', zh],
];

for (const scenario of SCENARIO_IDS) {
  test(`${scenario} has every cause of the design, and other`, () => {
    assert.deepEqual(Object.keys(CATALOGUE[scenario].causes), [...words(CAUSES[scenario]), 'other']);
  });

  test(`titles of ${scenario} are short and tell its causes apart`, () => {
    for (const language of ['en', 'zh'] as const) {
      const titles = Object.values(CATALOGUE[scenario].causes).map((entry) => entry[language].title);
      assert.equal(new Set(titles).size, titles.length);
      for (const title of [...titles, CATALOGUE[scenario][language].title]) {
        assert.ok(title.length > 3 && title.length <= 60, `${title.length} characters: ${title}`);
        assert.doesNotMatch(title, /[.。]$/);
      }
    }
  });
}

const SOURCES = 'processor/scenarios';
/** Where a rule's source names a cause: a field, the type that lists them, or a helper that makes a verdict of one. */
const NAMED_AS_CAUSE: readonly RegExp[] = [
  /\bcause: [^,;)\n]*/g,
  /\bcause: (?:'\w+'(?: \| )?)+/g,
  /\btype \w*Cause =[^;]*/g,
  /\b(?:depends|creates|verdict|verdictOf|refusalOf)\('\w+'/g,
];

/** Indexed types and comparisons hold words that are no causes. */
function causesNamedIn(source: string): string[] {
  const text = source.replace(/\['\w+'\]|[=!]== '\w+'/g, '');
  const named = NAMED_AS_CAUSE.flatMap((pattern) => text.match(pattern) ?? []);
  return named.flatMap((found) => [...found.matchAll(/'([a-z]+(?:_[a-z]+)*)'/g)].map(([, name]) => name as string));
}

test('no rule names a cause that the catalogue lacks', () => {
  const known = new Set(entries.map(({ cause }) => cause));
  const files = readdirSync(SOURCES).filter((file) => file.endsWith('.ts'));
  const named = files.flatMap((file) => causesNamedIn(readFileSync(`${SOURCES}/${file}`, 'utf8')).map((cause) => ({ file, cause })));
  assert.ok(named.length > 150, `the scan found only ${named.length} causes`);
  assert.deepEqual(
    named.filter(({ cause }) => !known.has(cause)),
    [],
  );
});

test('every cause of the catalogue is one that a rule can give', () => {
  const source = readdirSync(SOURCES)
    .map((file) => readFileSync(`${SOURCES}/${file}`, 'utf8'))
    .join('\n');
  const never = entries.filter(({ cause }) => !source.includes(`'${cause}'`));
  assert.deepEqual(never, []);
});

test('whatever the recordings are labelled with has advice of its own', () => {
  const labels = JSON.parse(readFileSync('test/recordings/labels.json', 'utf8')) as Record<string, { scenario: string | null; cause: string }>;
  const incidents = Object.entries(labels).filter(([, { scenario }]) => scenario !== null);
  const missing = incidents.filter(([, { scenario, cause }]) => CATALOGUE[scenario as ScenarioId]?.causes[cause] === undefined);
  assert.ok(incidents.length > 50);
  assert.deepEqual(missing, []);
});

for (const [scenario, cause, details] of DETAILS) {
  test(`${scenario}/${cause} speaks of ${details}`, () => {
    for (const [language, text] of both(entryOf(scenario, cause) as CauseEntry)) {
      for (const detail of words(details)) assert.ok(textOf(text).includes(detail), `${detail} is missing in ${language}`);
    }
  });
}

for (const { scenario, cause, entry } of entries) {
  const { en, zh } = entry;

  test(`${scenario}/${cause} says the same in both languages`, () => {
    assert.deepEqual(
      en.steps.map(({ command }) => command),
      zh.steps.map(({ command }) => command),
    );
    assert.equal(en.avoid === '', zh.avoid === '');
    assert.doesNotMatch(en.title + textOf(en), /[\u3000-\u9fff\uff00-\uffef]/, 'Chinese in the English text');
    for (const text of [zh.explanation, ...zh.steps.map((step) => step.text), ...(zh.avoid === '' ? [] : [zh.avoid])]) {
      assert.match(text, /[\u4e00-\u9fff]/, `not Chinese: ${text}`);
    }
  });

  test(`${scenario}/${cause} is one paragraph and a few steps`, () => {
    for (const [language, { explanation, steps }] of both(entry)) {
      const sentences = explanation.split(language === 'en' ? /[.?!](?:\s|$)/ : /[。?!]/).filter((sentence) => sentence.trim() !== '');
      assert.ok(sentences.length >= 2 && sentences.length <= 4, `${sentences.length} sentences in ${language}`);
      assert.doesNotMatch(explanation, /\n/);
      assert.ok(steps.length >= 3 && steps.length <= 6, `${steps.length} steps`);
      const commands = steps.flatMap(({ command }) => command ?? []);
      assert.equal(new Set(commands).size, commands.length, 'a command twice');
      assert.ok(commands.length >= 3, 'too few commands');
    }
  });

  test(`${scenario}/${cause} uses only placeholders that can be filled`, () => {
    const texts = both(entry).flatMap(([, text]) => [textOf(text), ...text.steps.map(({ command }) => command ?? '')]);
    const used = texts.flatMap((text) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name as string));
    assert.deepEqual(
      used.filter((name) => !(PLACEHOLDERS as readonly string[]).includes(name)),
      [],
    );
  });

  test(`${scenario}/${cause} has the subject kind of its rules and links to the documentation`, () => {
    const subject = scenario === 'node_lost' ? 'node' : cause === 'quota_exceeded' ? 'quota' : 'workload';
    assert.equal(entry.subject, subject);
    assert.ok(entry.links.length > 0 && entry.links.length <= 4);
    assert.equal(new Set(entry.links).size, entry.links.length);
    for (const link of entry.links) assert.match(link, /^https:\/\/kubernetes\.io\/docs\/(?:[a-z0-9.-]+\/)+$/);
  });
}

test('looks before it changes', () => {
  const changes = /^kubectl (?:edit|delete|patch|taint|rollout (?:undo|restart)|drain|cordon|uncordon|label (?!.*--dry-run)|create|apply)\b/;
  const wrong = entries.filter(({ entry }) => changes.test(entry.en.steps.find(({ command }) => command !== undefined)?.command ?? ''));
  assert.deepEqual(wrong, []);
});
