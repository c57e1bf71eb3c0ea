import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Container, ContainerStatus, Pod } from '../../../collector/objects.ts';
import { initFailure } from '../../../processor/scenarios/init-failure.ts';
import type { SeenEvent, Signal } from '../../../processor/scenarios/scenario.ts';
import { at, atMs, containerStatus, node, pod, podView, seenEvent } from '../../helpers/view.ts';

const ended = (endedAt: number, exitCode: number, reason = exitCode === 0 ? 'Completed' : 'Error'): ContainerStatus['state'] => ({
  terminated: { exitCode, reason, startedAt: at(endedAt - 2), finishedAt: at(endedAt) },
});
const looping = (exitCode: number, reason?: string): Partial<ContainerStatus> => ({
  state: { waiting: { reason: 'CrashLoopBackOff' } },
  lastState: ended(-10, exitCode, reason),
  restartCount: 3,
  ready: false,
});
const running = (since: number, started = true): Partial<ContainerStatus> => ({ state: { running: { startedAt: at(since) } }, ready: false, started });
const SIDECAR: Partial<Container> = { restartPolicy: 'Always', startupProbe: { exec: { command: ['check'] }, periodSeconds: 10, failureThreshold: 3 } };

interface Init {
  readonly status: Partial<ContainerStatus>;
  readonly spec?: Partial<Container>;
}
function initPod(
  inits: readonly Init[],
  more: { readonly spec?: Partial<Pod['spec']>; readonly status?: Partial<Pod['status']>; readonly metadata?: Partial<Pod['metadata']> } = {},
): Pod {
  return pod({
    metadata: more.metadata ?? {},
    spec: { initContainers: inits.map(({ spec }, index) => ({ name: `init-${index}`, ...spec })), ...more.spec },
    status: {
      phase: 'Pending',
      startTime: at(-3_600),
      conditions: [{ type: 'Initialized', status: 'False' }],
      initContainerStatuses: inits.map(({ status }, index) => containerStatus({ name: `init-${index}`, ...status })),
      containerStatuses: [containerStatus({ ready: false, started: false, state: { waiting: { reason: 'PodInitializing' } } })],
      ...more.status,
    },
  });
}
const judge = (subject: Pod, events: readonly SeenEvent[] = []): readonly Signal[] =>
  initFailure.pod?.(podView(subject, { events, objects: [node()], firstSeenMs: atMs(-3_600) })) ?? [];
const told = (subject: Pod, events: readonly SeenEvent[] = []) =>
  judge(subject, events).map((signal) => [signal.subject.container, signal.cause, signal.detail, signal.dueTimeMs]);

test('opens when an init container is backed off', () => {
  const [signal] = judge(initPod([{ status: looping(1) }]));
  assert.deepEqual([signal?.cause, signal?.dueTimeMs, signal?.recoverAfterMs, signal?.confidence], ['init_exit', atMs(-10), 60_000, 'certain']);
  assert.equal(
    signal?.summary,
    'init container init-0 of ReplicaSet shop/web-7d9c fails after 2 s: exit code 1 (the application reported an error), 3 restarts',
  );
});
test('waits while it merely failed once', () => {
  assert.deepEqual(told(initPod([{ status: { state: ended(-3, 1), restartCount: 0 } }])), [['init-0', 'init_exit', '', undefined]]);
});
test('opens at once for OOM', () => {
  assert.deepEqual(told(initPod([{ status: { state: ended(-3, 137, 'OOMKilled'), restartCount: 0 } }])), [['init-0', 'init_oom', '', atMs(-3)]]);
});
test('opens at once when the pod has failed for good', () => {
  const subject = initPod([{ status: { state: ended(-3, 1), restartCount: 0 } }], { spec: { restartPolicy: 'Never' }, status: { phase: 'Failed' } });
  assert.deepEqual(told(subject), [['init-0', 'init_exit', '', atMs(-3)]]);
});
test('stays open while the init container runs again, however long', () => {
  assert.deepEqual(told(initPod([{ status: { ...running(-400), lastState: ended(-420, 1), restartCount: 5 } }])), [['init-0', 'init_exit', '', atMs(-420)]]);
});
test('is over once it has succeeded', () => {
  assert.deepEqual(told(initPod([{ status: { state: ended(-3, 0), lastState: ended(-420, 1), restartCount: 5 } }])), []);
});

test('opens after five minutes of one run', () => {
  assert.deepEqual(told(initPod([{ status: running(-30) }])), [['init-0', 'init_stuck', '', atMs(270)]]);
});
test('speaks of the first that is not done', () => {
  const subject = initPod([{ status: { state: ended(-100, 0) } }, { status: running(-90) }, { status: { state: { waiting: { reason: 'PodInitializing' } } } }]);
  assert.deepEqual(told(subject), [['init-1', 'init_stuck', '', atMs(210)]]);
});

test('calls a sidecar whose startup probe has not passed stuck, not before its budget is used up', () => {
  assert.deepEqual(told(initPod([{ status: running(-30, false), spec: SIDECAR }])), [['init-0', 'init_stuck', 'sidecar_startup_probe', atMs(270)]]);
  const patient = { ...SIDECAR, startupProbe: { ...SIDECAR.startupProbe, failureThreshold: 60 } };
  assert.deepEqual(told(initPod([{ status: running(-30, false), spec: patient }])), [['init-0', 'init_stuck', 'sidecar_startup_probe', atMs(-30 + 601)]]);
});
test('calls a sidecar that its startup probe kills again and again stuck', () => {
  const kill = seenEvent({ reason: 'Killing', note: 'Init container init-0 failed startup probe', last: -20, fieldPath: 'spec.initContainers{init-0}' });
  assert.deepEqual(told(initPod([{ status: looping(137), spec: SIDECAR }]), [kill]), [['init-0', 'init_stuck', 'sidecar_startup_probe', atMs(-10)]]);
});
test('calls a sidecar that crashes before the pod is initialised an init failure', () => {
  assert.deepEqual(told(initPod([{ status: looping(1), spec: SIDECAR }])), [['init-0', 'init_exit', '', atMs(-10)]]);
});

const initialized = { status: { phase: 'Running', conditions: [{ type: 'Initialized', status: 'True' }] } };
const silent: readonly (readonly [name: string, subject: Pod])[] = [
  ['a pod without init containers', pod()],
  ['a sidecar that runs', initPod([{ status: running(-3_000), spec: SIDECAR }])],
  ['a sidecar of an initialised pod that crashes', initPod([{ status: looping(1), spec: SIDECAR }], initialized)],
  ['a pod that is deleted', initPod([{ status: running(-3_000) }], { metadata: { deletionTimestamp: at(5) } })],
  ['an init container that waits for its image', initPod([{ status: { state: { waiting: { reason: 'ImagePullBackOff' } } } }])],
  ['an init container that cannot be started', initPod([{ status: looping(128, 'StartError') }])],
];
for (const [name, subject] of silent) test(`says nothing of ${name}`, () => assert.deepEqual(told(subject), []));
