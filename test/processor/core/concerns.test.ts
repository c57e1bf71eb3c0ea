/**
 * Of a pod only the rules are asked that what it shows may concern (Scenario.concerns): everything else would have said nothing. And what
 * they say is put into words only where somebody hears it (PodView.isUntold).
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ChangeRecord } from '../../../collector/change-record.ts';
import type { Condition, ContainerState, ContainerStatus, Pod } from '../../../collector/objects.ts';
import type { RecordingLine } from '../../../collector/recording.ts';
import type { ClusterState } from '../../../processor/core/state.ts';
import { createClusterState } from '../../../processor/core/state.ts';
import { step } from '../../../processor/core/step.ts';
import { SCENARIOS } from '../../../processor/scenarios/index.ts';
import { signsOf } from '../../../processor/scenarios/pod-signs.ts';
import type { PodView, SeenEvent, Signal } from '../../../processor/scenarios/scenario.ts';
import { cutRecording, interleave } from '../../helpers/cuts.ts';
import { encodeLines } from '../../helpers/goldens.ts';
import { recordedLines, recordingPaths } from '../../helpers/recorded.ts';
import { at, atMs, node, object, pod, podView, seenEvent } from '../../helpers/view.ts';

/** Runs with every rule asked about every pod, and told everything. */
function askingAll<T>(run: () => T): T {
  const before = SCENARIOS.map((scenario) => ({ ...scenario }));
  for (const scenario of SCENARIOS) {
    const { pod: rule } = scenario;
    Object.assign(scenario, { concerns: () => true, ...(rule && { pod: (view: PodView) => rule(Object.create(view, { isUntold: { value: false } })) }) });
  }
  try {
    return run();
  } finally {
    for (const [index, scenario] of SCENARIOS.entries()) Object.assign(scenario, before[index]);
  }
}

const tablesOf = ({ tables }: ClusterState): readonly unknown[] =>
  [tables.timers, tables.sources, tables.incidents, tables.members, tables.dirty].map((table) => table.keys().map((key) => [key, table.get(key)]));

/** Applies the records with and without sparing, one by one. */
function compare(records: readonly ChangeRecord[]): void {
  const cluster = records[0]!.cluster;
  const [sparing, asking] = [createClusterState(cluster, 1), createClusterState(cluster, 1)];
  for (const record of records) {
    const rows = step(sparing, record);
    assert.deepEqual(
      rows,
      askingAll(() => step(asking, record)),
    );
  }
  assert.deepEqual(tablesOf(sparing), tablesOf(asking));
}

const PATHS = [...recordingPaths('fleet'), ...recordingPaths('cases')];

for (const path of PATHS) test(`${path}: asking every rule gives the same rows`, () => compare(encodeLines(recordedLines(path))));

/** A recording in which some resources come late, and some watches are cut and listed anew. */
const disturbed = fc
  .record({
    path: fc.constantFrom(...recordingPaths('cases')),
    skews: fc.infiniteStream(fc.nat(8_000)),
    from: fc.nat(100),
    length: fc.nat(60),
    cut: fc.boolean(),
  })
  .map(({ path, skews, from, length, cut }): readonly RecordingLine[] => {
    const lines = recordedLines(path);
    const skewOf = new Map<string, number>();
    const skewed = interleave(lines, (resource) => {
      const skew = skewOf.get(resource) ?? skews.next().value;
      skewOf.set(resource, skew);
      return skew;
    });
    const [first, last] = [skewed[0]!.t, skewed.at(-1)!.t];
    const fromMs = first + ((last - first) * from) / 100;
    return cut ? cutRecording(skewed, fromMs, fromMs + length * 1_000, () => true) : skewed;
  });

test('also if resources come in another order and watches are cut', () => {
  fc.assert(
    fc.property(disturbed, (lines) => compare(encodeLines(lines))),
    { numRuns: 25 },
  );
});

const reason = fc.constantFrom(
  ...['', 'Error', 'Completed', 'OOMKilled', 'StartError', 'ContainerCannotRun', 'ContainerStatusUnknown', 'CrashLoopBackOff', 'ContainerCreating'],
  ...['PodInitializing', 'ImagePullBackOff', 'ErrImagePull', 'CreateContainerConfigError', 'RunContainerError', 'PostStartHookError'],
);
const time = fc.constantFrom(-3_600, -300, -60, -5).map(at);
const maybe = <T>(arb: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(arb, { nil: undefined });
const state: fc.Arbitrary<ContainerState> = fc.oneof(
  fc.constant({}),
  fc.record({ waiting: fc.record({ reason, message: fc.constantFrom('', 'not found', 'back-off') }) }),
  fc.record({ running: fc.record({ startedAt: time }) }),
  fc.record({
    terminated: fc.record({
      reason,
      exitCode: fc.constantFrom(0, 1, 137, 143),
      startedAt: time,
      finishedAt: time,
      message: fc.constantFrom('', 'no such file'),
    }),
  }),
);
const statuses = (name: string): fc.Arbitrary<ContainerStatus[]> =>
  fc.array(
    fc.record({ name: fc.constant(name), state, lastState: state, ready: fc.boolean(), started: fc.boolean(), restartCount: fc.constantFrom(0, 0, 1, 5) }),
    { maxLength: 1 },
  );
const conditions: fc.Arbitrary<Condition[]> = fc.subarray(['Ready', 'ContainersReady', 'Initialized', 'PodScheduled', 'DisruptionTarget']).chain((types) =>
  fc.tuple(
    ...types.map((type) =>
      fc.record({
        type: fc.constant(type),
        status: fc.constantFrom('True', 'False'),
        reason: fc.constantFrom('', 'SchedulingGated', 'ReadinessGatesNotReady', 'DeletionByTaintManager', 'DeletionByPodGC', 'Unschedulable'),
        message: fc.constantFrom('', 'PodGC: node no longer exists'),
        lastTransitionTime: time,
      }),
    ),
  ),
);
const hooks = maybe(fc.constantFrom({ preStop: { exec: { command: ['sleep 60'] } } }, { postStart: { exec: { command: ['true'] } } }));
const anyPod: fc.Arbitrary<Pod> = fc
  .record({
    deletionTimestamp: maybe(time),
    nodeName: fc.constantFrom('', 'node-a', 'node-gone'),
    gates: fc.boolean(),
    lifecycle: hooks,
    probe: fc.boolean(),
    init: fc.boolean(),
    phase: fc.constantFrom(undefined, 'Pending', 'Running', 'Failed', 'Succeeded', 'Unknown'),
    named: fc.constantFrom(undefined, '', 'Evicted', 'DeadlineExceeded', 'NodeLost', 'NodeShutdown', 'Preempting', 'OutOfcpu', 'SysctlForbidden', 'Odd'),
    conditions,
    app: statuses('app'),
    inits: statuses('setup'),
    ephemeral: statuses('debug'),
    hasLists: fc.boolean(),
  })
  .map(({ deletionTimestamp, nodeName, gates, lifecycle, probe, init, phase, named, app, inits, ephemeral, hasLists, ...rest }) =>
    pod({
      metadata: deletionTimestamp === undefined ? {} : { deletionTimestamp },
      spec: {
        nodeName,
        ...(gates && { schedulingGates: [{ name: 'gate' }] }),
        ...(init && { initContainers: [{ name: 'setup', image: 'setup:1' }] }),
        ephemeralContainers: [{ name: 'debug', image: 'debug:1' }],
      },
      container: { ...(lifecycle && { lifecycle }), ...(probe && { readinessProbe: { httpGet: { port: 80 } }, livenessProbe: { httpGet: { port: 80 } } }) },
      status: {
        ...(phase !== undefined && { phase }),
        ...(named !== undefined && { reason: named }),
        conditions: rest.conditions,
        ...(hasLists ? { containerStatuses: app, initContainerStatuses: inits, ephemeralContainerStatuses: ephemeral } : { containerStatuses: app }),
      } as Partial<Pod['status']>,
    }),
  );
const EVENTS = [
  'BackOff',
  'Failed',
  'FailedMount',
  'FailedScheduling',
  'FailedCreatePodSandBox',
  'Unhealthy',
  'Killing',
  'FailedPreStopHook',
  'Started',
  'Pulling',
];
const events: fc.Arbitrary<SeenEvent[]> = fc
  .subarray([...EVENTS, 'FailedPostStartHook', 'TaintManagerEviction', 'NodeNotReady', 'Evicted', 'SystemOOM', 'FailedKillPod', 'ExceededGracePeriod'], {
    maxLength: 3,
  })
  .map((reasons) => reasons.map((each) => seenEvent({ reason: each, note: 'Error: something failed' })));

test('a rule that is not asked has nothing to say', () => {
  const unheard = new Map(SCENARIOS.map(({ id }) => [id, 0]));
  const property = fc.property(anyPod, events, fc.boolean(), fc.boolean(), (any, about, inSync, hasRun) => {
    const past = { runs: [{ restartCount: 0, startedTimeMs: atMs(-90), finishedTimeMs: atMs(-60), exitCode: 1, reason: 'Error', message: '' }] };
    const view = podView(any, {
      objects: [node(), object('Pod', { name: 'other' }, { spec: { containers: [] }, status: {} })],
      events: about,
      notInSync: inSync ? [] : ['nodes', 'events'],
      ...(hasRun && { history: { app: past, setup: past } }),
    });
    const signs = signsOf(any, view.node(any.spec.nodeName ?? '') !== undefined);
    for (const scenario of SCENARIOS) {
      if (signs === undefined || scenario.concerns(signs)) continue;
      assert.deepEqual(scenario.pod?.(view) ?? [], [], scenario.id);
      unheard.set(scenario.id, (unheard.get(scenario.id) ?? 0) + 1);
    }
  });
  fc.assert(property, { numRuns: 3_000 });
  for (const [id, times] of unheard) assert.ok(times > 0, `${id} was always asked`);
});

const waiting = (why: string): ContainerStatus => ({ name: 'app', ready: false, restartCount: 0, state: { waiting: { reason: why } } }) as ContainerStatus;

/** Of a signal what the engine goes by before it is due. */
const timesOf = (signals: readonly Signal[]): readonly unknown[] =>
  signals.map(({ scenario, track, subject, dueTimeMs, recheckTimeMs }) => ({ scenario, track, subject, dueTimeMs, recheckTimeMs }));

test('what is untold is as due as what is told, and what is due is told', () => {
  const untold = new Set<string>();
  const property = fc.property(anyPod, events, fc.boolean(), (any, about, inSync) => {
    const view = podView(any, { objects: [node()], events: about, notInSync: inSync ? [] : ['nodes', 'events'] });
    for (const { id, pod: rule } of SCENARIOS) {
      const whole = rule?.(view) ?? [];
      const spared = rule?.(Object.create(view, { isUntold: { value: true } })) ?? [];
      assert.deepEqual(timesOf(spared), timesOf(whole), id);
      const isDue = ({ dueTimeMs }: Signal): boolean => dueTimeMs === undefined || dueTimeMs <= view.nowMs;
      assert.deepEqual(spared.filter(isDue), whole.filter(isDue), id);
      if (spared.some(({ summary }) => summary === '')) untold.add(id);
    }
  });
  const unplaced = { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/1 nodes are available', lastTransitionTime: at(-5) };
  const waits = pod({ spec: { nodeName: '' }, status: { phase: 'Pending', conditions: [unplaced] } as Partial<Pod['status']> });
  const started = { phase: 'Pending', startTime: at(-5), containerStatuses: [waiting('ContainerCreating')] } as Partial<Pod['status']>;
  const starts = pod({ spec: { nodeName: 'node-a' }, status: started });
  const readinessProbe = { httpGet: { port: 80 } };
  const unready = pod({ container: { readinessProbe }, app: { ready: false, started: true, state: { running: { startedAt: at(-5) } } } });
  const leaves = pod({ metadata: { deletionTimestamp: at(-5) } });
  const examples: [Pod, SeenEvent[], boolean][] = [waits, starts, unready, leaves].map((each) => [each, [], true]);
  fc.assert(property, { numRuns: 2_000, examples });
  assert.deepEqual([...untold].sort(), ['container_create_failure', 'readiness_probe_failure', 'scheduling_failure', 'stuck_terminating']);
});

test('an object with wrong types has no signs, so that every rule is asked', () => {
  const odd = { ...pod(), status: { containerStatuses: 5 } } as unknown as Pod;
  assert.equal(signsOf(odd, false), undefined);
});
