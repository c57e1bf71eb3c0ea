import assert from 'node:assert/strict';
import { test } from 'node:test';
import { whyPod } from '../../../processor/core/why.ts';
import { createDriver, rawPod } from '../../helpers/driver.ts';

const crashing = (restartCount: number) =>
  rawPod('a', {
    containerStatuses: [
      {
        name: 'app',
        ready: false,
        restartCount,
        state:
          restartCount < 3
            ? { terminated: { exitCode: 3, reason: 'Error', startedAt: '2026-01-15T11:59:58Z', finishedAt: '2026-01-15T11:59:59Z' } }
            : { waiting: { reason: 'CrashLoopBackOff' } },
        lastState: { terminated: { exitCode: 3, reason: 'Error', startedAt: '2026-01-15T11:59:50Z', finishedAt: '2026-01-15T11:59:51Z' } },
      },
    ],
  });
const unschedulable = rawPod(
  'p',
  {
    phase: 'Pending',
    conditions: [
      {
        type: 'PodScheduled',
        status: 'False',
        reason: 'Unschedulable',
        message: '0/1 nodes are available: 1 Insufficient cpu.',
        lastTransitionTime: '2026-01-15T12:00:00Z',
      },
    ],
  },
  { nodeName: undefined, containers: [{ name: 'app', image: 'a:1', resources: { requests: { cpu: '2' } } }] },
);
const running = rawPod('ok', {
  conditions: [{ type: 'Ready', status: 'True' }],
  containerStatuses: [{ name: 'app', ready: true, restartCount: 0, state: { running: { startedAt: '2026-01-15T11:59:02Z' } } }],
});

const node = {
  kind: 'Node',
  metadata: { name: 'n1', uid: 'uid-n1' },
  spec: {},
  status: { allocatable: { cpu: '1', memory: '1Gi', pods: '9' }, conditions: [{ type: 'Ready', status: 'True' }] },
};

const started = (pods: Parameters<ReturnType<typeof createDriver>['list']>[1]) => {
  const driver = createDriver();
  driver.begin({ pods, events: [], nodes: [node] });
  return driver;
};
const verdicts = (driver: ReturnType<typeof createDriver>, pod: string) => {
  const why = whyPod(driver.replay.state('cluster-uid')!, 'shop', pod);
  return Object.fromEntries(why!.scenarios.map((s) => [s.scenario, [s.verdict, s.text]]));
};

test('a healthy pod: every scenario was asked and sees nothing', () => {
  const answers = verdicts(started([running]), 'ok');
  assert.ok(Object.keys(answers).length >= 12);
  for (const [verdict] of Object.values(answers)) assert.equal(verdict, 'no_signal');
});

test('below the threshold, then a member', () => {
  const driver = started([crashing(1)]);
  assert.equal(verdicts(driver, 'a')['container_exit']?.[0], 'below_threshold');
  driver.change('MODIFIED', 'pods', crashing(4));
  assert.match(verdicts(driver, 'a')['container_exit']?.[1] ?? '', /^member of open incident [0-9a-f]{20}$/);
});

test('pending says when it opens', () => {
  const driver = started([unschedulable]);
  driver.advance(20);
  assert.deepEqual(verdicts(driver, 'p')['scheduling_failure'], ['pending', 'opens in 40 s if nothing changes']);
});

test('what is pending is judged by the nodes at once: where one would take the pod, the next attempt of the scheduler is awaited as well', () => {
  const driver = started([unschedulable, { ...unschedulable, metadata: { ...unschedulable.metadata, name: 'q', uid: 'uid-q' }, spec: { containers: [] } }]);
  driver.advance(20);
  const why = whyPod(driver.replay.state('cluster-uid')!, 'shop', 'p');
  assert.equal(why?.scenarios.find(({ scenario }) => scenario === 'scheduling_failure')?.confidence, 'certain');
  assert.equal(verdicts(driver, 'q')['scheduling_failure']?.[1], 'opens in 340 s if nothing changes');
});

test('blindness and what was not judged because of it', () => {
  const driver = started([unschedulable]);
  driver.drop('nodes', 'gone_410');
  assert.equal(verdicts(driver, 'p')['scheduling_failure']?.[1], 'waits until podtrail sees nodes');
  const why = whyPod(driver.replay.state('cluster-uid')!, 'shop', 'p');
  assert.deepEqual(
    why?.blind.map((b) => [b.resource, b.reason]),
    [['nodes', 'gone_410']],
  );
});

test('disabled and muted are said with their reason', () => {
  const driver = started([]);
  const { cluster, run, t } = driver.records[0]!;
  const mute = { match: { scenarios: ['container_exit'] }, reason: 'load test', until: '2026-02-01T00:00:00Z' };
  driver.push({ v: 1, cluster, run, t, type: 'RULES', rules: { mutes: [mute], disabled: [{ match: { scenarios: ['oom_killed'] }, reason: 'known' }] } });
  driver.change('ADDED', 'pods', crashing(4));
  const why = whyPod(driver.replay.state('cluster-uid')!, 'shop', 'a');
  assert.match(why?.scenarios.find((s) => s.scenario === 'container_exit')?.muted ?? '', /^load test/);
  assert.equal(why?.scenarios.find((s) => s.scenario === 'oom_killed')?.text, 'disabled by the rules: known');
});

test('an unknown pod has no answer', () => assert.equal(whyPod(started([]).replay.state('cluster-uid')!, 'shop', 'none'), undefined));

test('a rule that throws is a dead letter for the engine and a verdict for who asks; all others answer', () => {
  const driver = started([running]);
  const { tables } = driver.replay.state('cluster-uid')!;
  const { rv, object } = tables.objects.pods.get('uid-ok')!;
  // No projection lets this through: it stands for a mistake in a rule.
  const broken = { ...object, status: { phase: 'Running', containerStatuses: [{ name: 'app', restartCount: 3, lastState: { terminated: { message: 7 } } }] } };
  tables.objects.pods.set('uid-ok', { rv, object: broken as never });
  tables.dirty.set('pod/uid-ok', 1);
  driver.advance(5);
  const letters = driver.replay.rows('dead_letters').map(({ code, log, reason }) => [code, log, reason]);
  const failed = whyPod(driver.replay.state('cluster-uid')!, 'shop', 'ok')!.scenarios.filter(({ verdict }) => verdict === 'failed');
  assert.ok(failed.length > 0 && failed.length < 13);
  assert.deepEqual(
    letters.map(([code, log]) => [code, log]),
    failed.map(({ scenario }) => ['rule_threw', `rule:${scenario}`]),
  );
  for (const [at, { text }] of failed.entries()) assert.ok(text.includes(letters[at]?.[2] ?? '?'), text);
});
