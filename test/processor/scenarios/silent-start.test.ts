/** A pod that does not get on without anything being said: until it takes too long it is a start like any other. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explain } from '../../../processor/explain.ts';
import { containerCreateFailure } from '../../../processor/scenarios/container-create-failure.ts';
import type { PodViewOptions } from '../../helpers/view.ts';
import { at, atMs, node, NOW_MS, pod, podView, seenEvent } from '../../helpers/view.ts';

const creating = (age: number) =>
  pod({ status: { phase: 'Pending', startTime: at(-age) }, app: { ready: false, started: false, state: { waiting: { reason: 'ContainerCreating' } } } });
const judge = (age: number, options: PodViewOptions = {}) => containerCreateFailure.pod?.(podView(creating(age), { objects: [node()], ...options })) ?? [];

test('a pod whose containers are not created opens ten minutes after it came to its node, as a guess', () => {
  const [signal, ...others] = judge(30);
  assert.deepEqual(others, []);
  assert.deepEqual([signal?.cause, signal?.confidence, signal?.awaits, signal?.dueTimeMs], ['other', 'guess', true, atMs(-30 + 600)]);
});

test('what the kubelet last did restarts the wait, and a pull under way is told by its own rule', () => {
  const pulled = seenEvent({ reason: 'Pulled', type: 'Normal', last: -60 });
  assert.equal(judge(900, { events: [pulled] })[0]?.dueTimeMs, atMs(-60 + 600));
  assert.deepEqual(judge(900, { events: [pulled, seenEvent({ reason: 'Pulling', type: 'Normal', last: -50 })] }), []);
});

test('a node that is not ready or not there explains it, and so does an error', () => {
  const lost = node({ status: { conditions: [{ type: 'Ready', status: 'Unknown', lastTransitionTime: at(-60) }] } });
  assert.deepEqual(judge(900, { objects: [lost] }), []);
  assert.deepEqual(judge(900, { objects: [] }), []);
  const mount = seenEvent({ reason: 'FailedMount', note: 'MountVolume.SetUp failed for volume "c" : configmap "c" not found', fieldPath: '' });
  assert.deepEqual(judge(900, { events: [mount] }), []);
});

test('a container that ended, or an init container that failed, is awaited by nobody', () => {
  const ended = { state: { terminated: { exitCode: 1, reason: 'Error', startedAt: at(-30), finishedAt: at(-20) } } };
  const view = podView(pod({ status: { phase: 'Pending', startTime: at(-900) }, app: { ready: false, ...ended } }), { objects: [node()] });
  assert.deepEqual(containerCreateFailure.pod?.(view), []);
  const waits = { name: 'app', ready: false, restartCount: 0, state: { waiting: { reason: 'PodInitializing' } } };
  const initOf = (exitCode: number) => [{ name: 'init', ready: false, restartCount: 0, state: { terminated: { exitCode, finishedAt: at(-20) } } }];
  const findings = (exitCode: number) => {
    const status = { phase: 'Pending', startTime: at(-900), initContainerStatuses: initOf(exitCode), containerStatuses: [waits] };
    return containerCreateFailure.pod?.(podView(pod({ status }), { objects: [node()] })) ?? [];
  };
  assert.deepEqual(findings(1), []);
  assert.equal(findings(0)[0]?.dueTimeMs, atMs(-20 + 600));
});

test('explain calls a container that runs again after a single end a start, and a crash loop in between two ends a failure', () => {
  const explained = (restartCount: number, ranS: number) => {
    const end = { exitCode: 1, reason: 'Error', startedAt: at(-40 - ranS), finishedAt: at(-40) };
    const app = { restartCount, ready: true, state: { running: { startedAt: at(-20) } }, lastState: { terminated: end } };
    const { metadata, ...rest } = pod({ app, status: { startTime: at(-300) } });
    return explain([{ ...rest, metadata, kind: 'Pod' }], NOW_MS).objects.flatMap(({ findings }) => findings.map((f) => f.starting));
  };
  assert.deepEqual(explained(1, 60), [true]);
  assert.deepEqual(explained(4, 60), [false]);
});

test('explain calls a young pod that pulls, initialises, is created or ends a start, and one that takes too long a failure', () => {
  const base = { apiVersion: 'v1', kind: 'Pod' };
  const meta = { namespace: 'shop', name: 'web', uid: 'web', creationTimestamp: at(-3_600) };
  const event = (reason: string, age: number) => ({
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { namespace: 'shop', name: 'e', uid: 'e' },
    involvedObject: { kind: 'Pod', namespace: 'shop', name: 'web', uid: 'web', fieldPath: 'spec.containers{app}' },
    reason,
    message: `${reason} image "web"`,
    type: 'Normal',
    lastTimestamp: at(-age),
    firstTimestamp: at(-age),
  });
  const status = (name: string, state: object) => ({ name, ready: false, restartCount: 0, state });
  const spec = { nodeName: 'n', initContainers: [{ name: 'init' }], containers: [{ name: 'app' }] };
  const waits = [status('app', { waiting: { reason: 'ContainerCreating' } })];
  const cases: Readonly<Record<string, (age: number) => readonly unknown[]>> = {
    'image_pull_failure/pull_timeout': (age) => [
      { ...base, metadata: meta, spec, status: { phase: 'Pending', startTime: at(-age), containerStatuses: waits } },
      event('Pulling', age),
    ],
    'container_create_failure/other': (age) => [{ ...base, metadata: meta, spec, status: { phase: 'Pending', startTime: at(-age), containerStatuses: waits } }],
    'init_failure/init_stuck': (age) => [
      {
        ...base,
        metadata: meta,
        spec,
        status: { phase: 'Pending', startTime: at(-age), initContainerStatuses: [status('init', { running: { startedAt: at(-age) } })] },
      },
    ],
    'stuck_terminating/kill_failed': (age) => [
      {
        ...base,
        metadata: { ...meta, deletionTimestamp: at(-age), deletionGracePeriodSeconds: 30 },
        spec,
        status: { phase: 'Running', containerStatuses: [status('app', { running: { startedAt: at(-3_600) } })] },
      },
    ],
  };
  for (const [verdict, items] of Object.entries(cases)) {
    for (const [age, starting] of [
      [5, true],
      [1_500, false],
    ] as const) {
      const now = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'x', creationTimestamp: at(0) } };
      const found = explain([...items(age), now], NOW_MS).objects.flatMap(({ findings }) => findings);
      assert.deepEqual(
        found.map((f) => [`${f.signal.scenario}/${f.signal.cause}`, f.starting]),
        [[verdict, starting]],
        `${verdict} after ${age} s`,
      );
    }
  }
});
