import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_RULES, DEFAULT_THRESHOLDS, decodeRules, matches, type Rules, ruling, thresholdsFor } from '../../../processor/core/rules-config.ts';
import { createDriver, type RawObject, rawPod } from '../../helpers/driver.ts';

const target = {
  cluster: 'prod-eu',
  namespace: 'shop',
  workload: { kind: 'Deployment', name: 'web' },
  scenario: 'container_exit',
  cause: 'exit_immediate',
} as const;

function rulesOf(config: unknown): Rules {
  const decoded = decodeRules(config);
  assert.ok(decoded.ok, decoded.ok ? '' : decoded.reason);
  return decoded.rules;
}

test('nothing given is the defaults', () => assert.deepEqual(rulesOf({}), DEFAULT_RULES));

test('the last override that fits wins, key by key', () => {
  const rules = rulesOf({
    thresholds: { restarts: 4 },
    overrides: [
      { match: { clusters: ['prod-*'] }, thresholds: { restarts: 5, recoverMs: 1 } },
      { match: { workloads: ['Deployment/web'], scenarios: ['container_exit'] }, thresholds: { restarts: 6 } },
      { match: { namespaces: ['other'] }, thresholds: { restarts: 7 } },
    ],
  });
  assert.deepEqual(thresholdsFor(rules, target), { ...DEFAULT_THRESHOLDS, restarts: 6, recoverMs: 1 });
  assert.equal(thresholdsFor(rules, { ...target, scenario: 'oom_killed' }).restarts, 5);
});

const cases: readonly [string, Parameters<typeof matches>[0], boolean][] = [
  ['no key fits everything', {}, true],
  ['every key must fit', { clusters: ['prod-eu'], namespaces: ['other'] }, false],
  ['a name without its kind', { workloads: ['web'] }, true],
  ['a star in the middle', { clusters: ['p*eu'] }, true],
  ['a star that would overlap', { clusters: ['prod-eu*-eu'] }, false],
  ['a cause', { causes: ['exit_*'] }, true],
  ['another cause', { causes: ['exit_after_run'] }, false],
];
for (const [name, match, expected] of cases) test(`match: ${name}`, () => assert.equal(matches(match, target), expected));

test('a mute ends at its time', () => {
  const rules = rulesOf({ mutes: [{ match: {}, reason: 'load test', until: '2026-01-15T12:00:00Z' }] });
  const end = Date.parse('2026-01-15T12:00:00Z');
  assert.equal(ruling(rules, target, end - 1)?.kind, 'muted');
  assert.equal(ruling(rules, target, end), undefined);
});

const refused: readonly [string, unknown][] = [
  ['an unknown key', { threshold: {} }],
  ['a scenario that is none', { disabled: [{ match: { scenarios: ['crash'] }, reason: 'x' }] }],
  ['a mute without an end', { mutes: [{ match: {}, reason: 'x' }] }],
  ['a negative time', { thresholds: { recoverMs: -1 } }],
];
for (const [name, config] of refused) test(`refuses ${name}`, () => assert.equal(decodeRules(config).ok, false));

const crashing = (): RawObject =>
  rawPod('a', {
    containerStatuses: [
      {
        name: 'app',
        image: 'registry.example/app:1',
        ready: false,
        restartCount: 4,
        state: { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 40s restarting failed container=app pod=a_shop(uid-a)' } },
        lastState: { terminated: { exitCode: 3, reason: 'Error', startedAt: '2026-01-15T11:59:50Z', finishedAt: '2026-01-15T11:59:51Z' } },
      },
    ],
  });

test('rules from the log decide: muted incidents are stored and flagged, disabled ones are not made, a bad one changes nothing', () => {
  for (const [rules, expected] of [
    [{}, ['']],
    [{ mutes: [{ match: { namespaces: ['shop'] }, reason: 'known', until: '2026-02-01T00:00:00Z' }] }, ['muted']],
    [{ disabled: [{ match: { causes: ['exit_immediate'] }, reason: 'noise' }] }, []],
    [{ nonsense: true }, ['']],
  ] as const) {
    const driver = createDriver();
    driver.begin({ pods: [], events: [] });
    const { cluster, run, t } = driver.records[0]!;
    driver.push({ v: 1, cluster, run, t, type: 'RULES', rules });
    driver.change('ADDED', 'pods', crashing());
    driver.advance(30);
    assert.deepEqual(
      driver.replay.incidents().map((i) => i.flags.join()),
      expected,
      JSON.stringify(rules),
    );
    assert.equal(driver.replay.rows('dead_letters').length, 'nonsense' in rules ? 1 : 0);
  }
});

test('a mute is stored with its reason, and ends at its time although nothing else happens', () => {
  const driver = createDriver();
  driver.begin({ pods: [], events: [] });
  const { cluster, run, t } = driver.records[0]!;
  driver.push({ v: 1, cluster, run, t, type: 'RULES', rules: { mutes: [{ match: {}, reason: 'load test', until: driver.at(120) }] } });
  driver.change('ADDED', 'pods', crashing());
  driver.advance(60);
  const look = () => {
    const [incident] = driver.replay.incidents();
    const muted = (incident?.evidence as { path: string; value: string }[] | undefined)?.find(({ path }) => path === 'muted by the rules');
    return [incident?.flags.join(), muted?.value, driver.replay.rows('incident_timeline').at(-1)?.text];
  };
  assert.deepEqual(look().slice(0, 2), ['muted', `load test (until ${driver.at(120)})`]);
  driver.advance(65);
  assert.deepEqual(look(), ['', undefined, 'no longer muted']);
});

test('a capacity shape with a bad quantity, or a resource nobody counts, refuses the rules and says where', () => {
  for (const [request, message] of [
    [{ cpu: '2x' }, /not a quantity[\s\S]*capacity\.shapes\[0\]\.request\.cpu/],
    [{ 'example.com/gpu': '0' }, /must be above 0[\s\S]*capacity\.shapes\[0\]\.request\["?example\.com\/gpu/],
    [{ cores: '2' }, /not a resource the scheduler counts/],
  ] as const) {
    const decoded = decodeRules({ capacity: { shapes: [{ request }] } });
    assert.equal(decoded.ok, false);
    assert.match(decoded.ok ? '' : decoded.reason, message);
  }
});
