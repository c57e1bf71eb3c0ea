import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Container, ContainerStatus, Pod } from '../../../collector/objects.ts';
import { lifecycleHookFailure } from '../../../processor/scenarios/lifecycle-hook-failure.ts';
import type { SeenEvent, Signal } from '../../../processor/scenarios/scenario.ts';
import { at, atMs, pod, podView, seenEvent, webDeployment } from '../../helpers/view.ts';

const judge = (subject: Pod, options: Parameters<typeof podView>[1] = {}): readonly Signal[] =>
  lifecycleHookFailure.pod?.(podView(subject, { objects: webDeployment(), ...options })) ?? [];
const lastState = { terminated: { exitCode: 0, reason: 'Completed', startedAt: at(-12), finishedAt: at(-10) } };
const POST: Partial<Container> = { lifecycle: { postStart: { exec: { command: ['false'] } } } };
const hookError = (message: string): Partial<ContainerStatus> => ({
  state: { waiting: { reason: 'PostStartHookError', message } },
  lastState,
  restartCount: 0,
  ready: false,
});

test('opens at once when a postStart hook failed', () => {
  const [signal] = judge(pod({ container: POST, app: hookError("command 'false' exited with 1: ") }));
  assert.deepEqual([signal?.cause, signal?.track, signal?.dueTimeMs, signal?.recoverAfterMs], ['poststart_failed', 'run', atMs(-10), 600_000]);
  assert.equal(signal?.summary, "container app of Deployment shop/web is killed because its postStart hook fails: command 'false' exited with 1:");
});
test('keeps what the hook said while the container backs off', () => {
  const lastError = { reason: 'PostStartHookError', message: "command 'false' exited with 1", timeMs: atMs(-9), count: 3 };
  const [signal] = judge(pod({ container: POST, app: { ...hookError(''), state: { waiting: { reason: 'CrashLoopBackOff' } }, restartCount: 3 } }), {
    history: { app: { lastError } },
  });
  assert.equal(signal?.summary, "container app of Deployment shop/web is killed because its postStart hook fails: command 'false' exited with 1, 3 restarts");
});
test('leaves a hook that found no process to the exit of the container', () => {
  assert.deepEqual(judge(pod({ container: POST, app: hookError('rpc error: failed to exec in container: container not running (1a2b)') })), []);
});
test('a postStart hook that does not come back: the container was started, and the status knows nothing of it', () => {
  const creating = pod({ container: POST, app: { state: { waiting: { reason: 'ContainerCreating' } }, ready: false }, status: { phase: 'Pending' } });
  const started = seenEvent({ reason: 'Started', type: 'Normal', note: 'Started container app', last: -100 });
  const [signal] = judge(creating, { events: [started] });
  assert.deepEqual([signal?.cause, signal?.track, signal?.dueTimeMs], ['poststart_failed', 'create', atMs(200)]);
  assert.deepEqual(judge(creating), [], 'without the Event it is still being created');
  const plain = pod({ app: { state: { waiting: { reason: 'ContainerCreating' } }, ready: false }, status: { phase: 'Pending' } });
  assert.deepEqual(judge(plain, { events: [started] }), [], 'no hook');
});

const PRE: Partial<Container> = { lifecycle: { preStop: { exec: { command: ['nginx', '-s', 'quit'] } } } };
const preStopFailed = (last: number, note = 'PreStopHook failed'): SeenEvent => seenEvent({ reason: 'FailedPreStopHook', note, last });
const deleting = (container: Partial<Container>, app: Partial<ContainerStatus> = {}): Pod =>
  pod({ container, app, metadata: { deletionTimestamp: at(20), deletionGracePeriodSeconds: 30 } });
/** Deleted at -40 with a grace of 30 s, ended that many seconds after the request. */
const endedAfter = (seconds: number, container: Partial<Container>, exitCode = 137): Pod =>
  pod({
    container,
    metadata: { deletionTimestamp: at(-10), deletionGracePeriodSeconds: 30 },
    app: { state: { terminated: { exitCode, reason: 'Error', startedAt: at(-600), finishedAt: at(-40 + seconds) } }, ready: false },
  });
const sleeping = (seconds: number): Partial<Container> => ({ lifecycle: { preStop: { exec: { command: ['sh', '-c', `echo bye; sleep ${seconds}`] } } } });

const preStops: readonly (readonly [name: string, details: readonly string[], subject: Pod, events: readonly SeenEvent[]])[] = [
  ['a hook that failed while the pod is deleted', [''], deleting(PRE), [preStopFailed(-300)]],
  [
    'a hook that says that it timed out',
    ['timeout'],
    deleting(PRE),
    [preStopFailed(-3, 'Exec lifecycle hook ([quit]) for Container "app" failed - error: command \'quit\' timed out')],
  ],
  ['a failed hook of a container killed at the end of its grace', ['timeout'], endedAfter(28, PRE), [preStopFailed(-12)]],
  ['a failed hook of a container killed before', [''], endedAfter(27, PRE), [preStopFailed(-13)]],
  ['a hook that found no process', [], deleting(PRE), [preStopFailed(-3, 'cannot exec in a stopped container: unknown')]],
  ['a hook that failed at a restart', [''], pod({ container: PRE }), [preStopFailed(-59)]],
  ['a hook that failed at a restart a minute ago', [], pod({ container: PRE }), [preStopFailed(-60)]],
  ['a hook that sleeps as long as the grace, ended by SIGKILL', ['timeout'], endedAfter(30, sleeping(30)), []],
  ['a hook that sleeps less, ended by SIGKILL', [], endedAfter(30, sleeping(29)), []],
  ['a hook that sleeps as long, ended by SIGTERM', [], endedAfter(30, sleeping(30), 143), []],
  ['the sleep action as long as the grace', ['timeout'], endedAfter(30, { lifecycle: { preStop: { sleep: { seconds: 45 } } } }), []],
  ['an ignored SIGTERM without a hook', [], endedAfter(30, {}), []],
  ['a hook that succeeds', [], deleting(PRE), [seenEvent({ reason: 'Killing', note: 'Stopping container app' })]],
];
for (const [name, details, subject, events] of preStops) {
  test(`preStop: ${name}: ${details.length === 0 ? 'silent' : `prestop_failed ${details.join()}`}`, () => {
    const signals = judge(subject, { events });
    assert.deepEqual(
      signals.map(({ cause, detail, track }) => [cause, detail, track]),
      details.map((detail) => ['prestop_failed', detail, 'terminate']),
    );
    for (const { dueTimeMs } of signals) assert.ok(dueTimeMs !== undefined && dueTimeMs <= atMs(0));
  });
}
