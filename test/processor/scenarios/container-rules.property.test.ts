import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Container, ContainerState, ContainerStatus, Pod } from '../../../collector/objects.ts';
import { containerExit } from '../../../processor/scenarios/container-exit.ts';
import { imagePullFailure } from '../../../processor/scenarios/image-pull-failure.ts';
import { initFailure } from '../../../processor/scenarios/init-failure.ts';
import { lifecycleHookFailure } from '../../../processor/scenarios/lifecycle-hook-failure.ts';
import { livenessProbeFailure } from '../../../processor/scenarios/liveness-probe-failure.ts';
import { oomKilled } from '../../../processor/scenarios/oom-killed.ts';
import { readinessProbeFailure } from '../../../processor/scenarios/readiness-probe-failure.ts';
import type { PodView, SeenEvent, Signal } from '../../../processor/scenarios/scenario.ts';
import { at, atMs, node, object, podView } from '../../helpers/view.ts';

const RULES = [imagePullFailure, initFailure, lifecycleHookFailure, readinessProbeFailure, livenessProbeFailure, containerExit, oomKilled];

const optional = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(arbitrary, { nil: undefined });
const time = fc.oneof(fc.integer({ min: -7_200, max: 60 }).map(at), fc.constantFrom('1970-01-01T00:00:00Z', 'not a time', ''));
const reason = fc.constantFrom(
  '',
  'Error',
  'Completed',
  'OOMKilled',
  'StartError',
  'ContainerStatusUnknown',
  'Unknown',
  'CrashLoopBackOff',
  'ImagePullBackOff',
  'ErrImagePull',
  'PostStartHookError',
  'ContainerCreating',
);
const note = fc.oneof(
  fc.constantFrom(
    'Container app failed liveness probe, will be restarted',
    'Container app failed startup probe, will be restarted',
    'Liveness probe failed: HTTP probe failed with statuscode: 503',
    'Readiness probe failed: dial tcp 10.0.0.1:80: connect: connection refused',
    'Failed to pull image "a:1": not found',
    'PreStopHook failed',
    'Back-off restarting failed container',
  ),
  fc.string({ maxLength: 40 }),
);
const state: fc.Arbitrary<ContainerState> = fc.oneof(
  fc.constant({}),
  fc.record({ waiting: fc.record({ reason: optional(reason), message: optional(note) }) }),
  fc.record({ running: fc.record({ startedAt: optional(time) }) }),
  fc.record({
    terminated: fc.record({
      exitCode: optional(fc.constantFrom(0, 1, 126, 127, 128, 137, 143, 255)),
      reason: optional(reason),
      message: optional(note),
      startedAt: optional(time),
      finishedAt: optional(time),
    }),
  }),
);
const probe = fc.record({
  exec: optional(fc.constant({ command: ['x'] })),
  httpGet: optional(fc.constant({ port: 80 })),
  periodSeconds: optional(fc.integer({ min: 1, max: 60 })),
  failureThreshold: optional(fc.integer({ min: 1, max: 9 })),
});
const container = (name: string): fc.Arbitrary<Container> =>
  fc.record({
    name: fc.constant(name),
    image: optional(fc.constantFrom('a:1', 'reg.example.com/b/c@sha256:aa', '', ':::')),
    restartPolicy: optional(fc.constantFrom('Always', 'Never')),
    livenessProbe: optional(probe),
    readinessProbe: optional(probe),
    startupProbe: optional(probe),
    lifecycle: optional(fc.record({ preStop: optional(fc.constant({ sleep: { seconds: 99 } })) })),
  });
const status = (name: string): fc.Arbitrary<ContainerStatus> =>
  fc.record({
    name: fc.constant(name),
    ready: optional(fc.boolean()),
    started: optional(fc.boolean()),
    restartCount: optional(fc.integer({ min: 0, max: 20 })),
    state: optional(state),
    lastState: optional(state),
  });
const event: fc.Arbitrary<SeenEvent> = fc.record({
  uid: fc.string({ maxLength: 4 }),
  type: fc.constantFrom('Normal', 'Warning'),
  reason: fc.constantFrom(
    'Killing',
    'Unhealthy',
    'BackOff',
    'Failed',
    'Pulling',
    'FailedPreStopHook',
    'FailedPostStartHook',
    'SandboxChanged',
    'FailedToRetrieveImagePullSecret',
  ),
  note,
  component: fc.constant('kubelet'),
  fieldPath: fc.constantFrom('', 'spec.containers{app}', 'spec.initContainers{init}'),
  firstTimeMs: fc.integer({ min: -7_200, max: 0 }).map(atMs),
  lastTimeMs: fc.integer({ min: -7_200, max: 60 }).map(atMs),
  count: fc.integer({ min: 1, max: 99 }),
});

const view: fc.Arbitrary<PodView> = fc
  .record({
    deletionTimestamp: optional(time),
    phase: optional(fc.constantFrom('Pending', 'Running', 'Failed', 'Succeeded')),
    podReason: optional(fc.constantFrom('', 'Evicted', 'DeadlineExceeded')),
    restartPolicy: optional(fc.constantFrom('Always', 'OnFailure', 'Never')),
    app: container('app'),
    init: optional(container('init')),
    appStatus: optional(status('app')),
    initStatus: optional(status('init')),
    ready: optional(fc.constantFrom('True', 'False')),
    startTime: optional(time),
    events: fc.array(event, { maxLength: 6 }),
  })
  .map(({ deletionTimestamp, phase, podReason, restartPolicy, app, init, appStatus, initStatus, ready, startTime, events }) => {
    const conditions =
      ready === undefined ? undefined : ['Ready', 'ContainersReady', 'Initialized'].map((type) => ({ type, status: ready, lastTransitionTime: at(-30) }));
    const subject = object<Pod>(
      'Pod',
      { name: 'p', deletionTimestamp },
      {
        spec: { nodeName: 'node-a', containers: [app], initContainers: init && [init], restartPolicy },
        status: {
          phase,
          reason: podReason,
          startTime,
          conditions,
          containerStatuses: appStatus && [appStatus],
          initContainerStatuses: initStatus && [initStatus],
        },
      },
    );
    return podView(subject, { objects: [node()], events: [...events].sort((a, b) => a.lastTimeMs - b.lastTimeMs) });
  });

const ask = (given: PodView): readonly Signal[] => RULES.flatMap((rule) => rule.pod?.(given) ?? []);

test('the rules of containers are total and say the same of the same view', () => {
  fc.assert(
    fc.property(view, (given) => {
      const signals = ask(given);
      assert.deepEqual(ask(given), signals);
      for (const { fact, dueTimeMs, recheckTimeMs, cause, summary } of signals) {
        assert.ok(Number.isFinite(fact.timeMs) && (dueTimeMs === undefined || Number.isFinite(dueTimeMs)) && cause !== '' && summary !== '');
        assert.ok(recheckTimeMs === undefined || recheckTimeMs > given.nowMs);
      }
    }),
    { numRuns: 2_000 },
  );
});

test('at most one rule speaks of a container in one track', () => {
  fc.assert(
    fc.property(view, (given) => {
      const keys = ask(given).map(({ track, subject }) => `${track} ${subject.container}`);
      assert.equal(new Set(keys).size, keys.length, keys.join(', '));
    }),
    { numRuns: 2_000 },
  );
});

test('a pod that is deleted opens nothing but OOM kills and preStop failures', () => {
  fc.assert(
    fc.property(
      view.filter(({ pod }) => pod.metadata.deletionTimestamp !== undefined),
      (given) => {
        const causes = ask(given).map(({ scenario, cause }) => (scenario === 'oom_killed' ? scenario : cause));
        assert.deepEqual(
          causes.filter((cause) => !['oom_killed', 'init_oom', 'prestop_failed'].includes(cause)),
          [],
        );
      },
    ),
    { numRuns: 1_000 },
  );
});
