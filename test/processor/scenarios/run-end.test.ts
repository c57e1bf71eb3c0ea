import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Container, ContainerStatus, Pod } from '../../../collector/objects.ts';
import { containersOf } from '../../../processor/scenarios/container-runs.ts';
import { deletionRequestedMs, endOf } from '../../../processor/scenarios/run-end.ts';
import type { FinishedRun } from '../../../processor/scenarios/scenario.ts';
import { at, atMs, containerStatus, finishedRun, node, pod, podView, seenEvent } from '../../helpers/view.ts';

interface Given {
  readonly exitCode?: number;
  readonly reason?: string;
  readonly lasted?: number;
  readonly events?: Parameters<typeof seenEvent>[0][];
  readonly nodeEvents?: Parameters<typeof seenEvent>[0][];
  readonly metadata?: Partial<Pod['metadata']>;
  readonly status?: Partial<Pod['status']>;
  readonly state?: ContainerStatus['state'];
  readonly restartPolicy?: string;
  readonly container?: Partial<Container>;
  readonly runs?: readonly FinishedRun[];
  readonly lastError?: { readonly reason: string; readonly message: string; readonly timeMs: number; readonly count: number };
}

/** Who ended a run that ended 10 s ago. */
function judge(given: Given) {
  const { exitCode = 137, reason = 'Error', lasted = 60 } = given;
  const lastState = { terminated: { exitCode, reason, startedAt: at(-10 - lasted), finishedAt: at(-10) } };
  const subject = pod({
    metadata: given.metadata ?? {},
    spec: { restartPolicy: given.restartPolicy ?? 'Always', containers: [{ name: 'app', ...given.container }] },
    status: { containerStatuses: [containerStatus({ state: given.state ?? { running: { startedAt: at(-9) } }, lastState, restartCount: 1 })], ...given.status },
  });
  const view = podView(subject, {
    objects: [node()],
    events: (given.events ?? []).map(seenEvent),
    otherEvents: { 'node-a': (given.nodeEvents ?? []).map(seenEvent) },
    history: { app: { ...(given.runs !== undefined && { runs: given.runs }), ...(given.lastError !== undefined && { lastError: given.lastError }) } },
  });
  const container = containersOf(view)[0]!;
  return endOf(view, container, container.runs.at(-1)!);
}

const liveness = { livenessProbe: { httpGet: { port: 80 }, periodSeconds: 10, failureThreshold: 3 } };
const kill = 'Container app failed liveness probe, will be restarted';

/** The tables of signals.md §9 to §11; the first line of each that holds decides. */
const cases: readonly (readonly [name: string, given: Given, kind: string])[] = [
  ['OOMKilled, whatever the probes did', { reason: 'OOMKilled', events: [{ reason: 'Killing', note: kill, last: -12 }] }, 'oom'],
  ['OOMKilled stamped on another exit code', { reason: 'OOMKilled', exitCode: 1 }, 'oom'],
  ['OOMKilled while the pod is deleted', { reason: 'OOMKilled', metadata: { deletionTimestamp: at(10) } }, 'oom'],
  ['StartError of containerd', { reason: 'StartError', exitCode: 128 }, 'never_started'],
  ['ContainerCannotRun of dockershim', { reason: 'ContainerCannotRun', exitCode: 127 }, 'never_started'],
  ['deletion', { metadata: { deletionTimestamp: at(10) } }, 'wanted'],
  ['eviction', { status: { phase: 'Failed', reason: 'Evicted' } }, 'wanted'],
  ['node shutdown', { status: { phase: 'Failed', reason: 'Terminated' } }, 'wanted'],
  ['a deadline that was missed is no wish', { status: { phase: 'Failed', reason: 'DeadlineExceeded' }, exitCode: 143 }, 'exit'],
  ['all containers restarted in place', { reason: 'RestartingAllContainers' }, 'wanted'],
  ['an edited image', { events: [{ reason: 'Killing', note: 'Container app definition changed, will be restarted', last: -15 }] }, 'wanted'],
  ['an in-place resize', { events: [{ reason: 'Killing', note: 'Container app resize requires restart', last: -15 }] }, 'wanted'],
  [
    'a replaced sandbox',
    { events: [{ reason: 'SandboxChanged', note: 'Pod sandbox changed, it will be killed and re-created.', fieldPath: '', last: -9 }] },
    'wanted',
  ],
  ['an image edited long before', { events: [{ reason: 'Killing', note: 'Container app definition changed, will be restarted', last: -100 }] }, 'exit'],
  ['liveness kill, SIGTERM ignored', { events: [{ reason: 'Killing', note: kill, last: -40 }] }, 'probe'],
  ['liveness kill, SIGTERM honoured with 0', { exitCode: 0, reason: 'Completed', events: [{ reason: 'Killing', note: kill, last: -10 }] }, 'probe'],
  ['liveness kill of a sidecar', { events: [{ reason: 'Killing', note: 'Init container app failed liveness probe', last: -12 }] }, 'probe'],
  ['a liveness kill outside of the grace period explains nothing', { exitCode: 1, events: [{ reason: 'Killing', note: kill, last: -51 }] }, 'exit'],
  ['a liveness kill after the run is of the next one', { exitCode: 1, events: [{ reason: 'Killing', note: kill, last: 5, first: 5 }] }, 'exit'],
  [
    'a liveness kill within the longer grace of the probe',
    { container: { livenessProbe: { exec: {}, terminationGracePeriodSeconds: 120 } }, events: [{ reason: 'Killing', note: kill, last: -125 }] },
    'probe',
  ],
  ['liveness kills before and after', { events: [{ reason: 'Killing', note: kill, first: -300, last: 30, count: 4 }] }, 'probe'],
  [
    'failures enough to kill and a signal, without any Killing',
    { exitCode: 143, container: liveness, events: [{ reason: 'Unhealthy', note: 'Liveness probe failed: x', last: -12, count: 3 }] },
    'probe',
  ],
  [
    'failures too few to kill',
    { exitCode: 143, container: liveness, events: [{ reason: 'Unhealthy', note: 'Liveness probe failed: x', last: -12, count: 2 }] },
    'exit',
  ],
  [
    'failures enough, but the process chose its code',
    { exitCode: 1, container: liveness, events: [{ reason: 'Unhealthy', note: 'Liveness probe failed: x', last: -12, count: 9 }] },
    'exit',
  ],
  [
    'readiness failures never kill',
    { exitCode: 143, container: liveness, events: [{ reason: 'Unhealthy', note: 'Readiness probe failed: x', last: -12, count: 9 }] },
    'exit',
  ],
  ['postStart hook, by status', { exitCode: 0, state: { waiting: { reason: 'PostStartHookError', message: "command 'false' exited with 1" } } }, 'hook'],
  ['postStart hook, by Event', { events: [{ reason: 'FailedPostStartHook', note: 'PostStartHook failed', last: -10 }] }, 'hook'],
  ['postStart hook, by the Killing Event', { events: [{ reason: 'Killing', note: 'FailedPostStartHook', last: -10 }] }, 'hook'],
  [
    'postStart hook, remembered while it backs off',
    { state: { waiting: { reason: 'CrashLoopBackOff' } }, lastError: { reason: 'PostStartHookError', message: 'exited with 1', timeMs: atMs(-9), count: 1 } },
    'hook',
  ],
  [
    'a postStart hook that failed again and again, whose later Events were dropped',
    {
      container: { lifecycle: { postStart: { exec: {} } } },
      events: [{ reason: 'FailedPostStartHook', note: 'PostStartHook failed', first: -300, last: -60, count: 5 }],
    },
    'hook',
  ],
  [
    'a postStart hook that failed once long before',
    { container: { lifecycle: { postStart: { exec: {} } } }, events: [{ reason: 'FailedPostStartHook', note: 'PostStartHook failed', last: -60 }] },
    'exit',
  ],
  [
    'a postStart hook that failed again and again, but this run ended otherwise',
    {
      container: { lifecycle: { postStart: { exec: {} } } },
      exitCode: 1,
      runs: [finishedRun({ endedAt: -60, lasted: 2, exitCode: 137 })],
      events: [{ reason: 'FailedPostStartHook', note: 'PostStartHook failed', first: -300, last: -60, count: 5 }],
    },
    'exit',
  ],
  [
    'a postStart hook of an earlier run',
    { exitCode: 1, lastError: { reason: 'PostStartHookError', message: 'exited with 1', timeMs: atMs(-60), count: 1 } },
    'exit',
  ],
  [
    'a postStart hook that found no process',
    { exitCode: 1, state: { waiting: { reason: 'PostStartHookError', message: 'cannot exec in a stopped container: unknown' } } },
    'exit',
  ],
  ['lost by the kubelet', { reason: 'ContainerStatusUnknown' }, 'lost'],
  ['lost by the runtime', { reason: 'Unknown', exitCode: 255 }, 'lost'],
  [
    'SIGKILL while the node runs out of memory',
    { nodeEvents: [{ reason: 'SystemOOM', note: 'System OOM encountered, victim process: java, pid: 7', last: -69 }] },
    'oom',
  ],
  ['SIGKILL long after the node ran out of memory', { nodeEvents: [{ reason: 'SystemOOM', note: 'System OOM encountered', last: -71, first: -71 }] }, 'exit'],
  [
    'SIGKILL while a cgroup of the node is over its limit',
    { nodeEvents: [{ reason: 'OOMKilling', note: 'Memory cgroup out of memory: Killed process 7 (java)', last: -10 }] },
    'exit',
  ],
  ['another exit while the node runs out of memory', { exitCode: 1, nodeEvents: [{ reason: 'SystemOOM', note: 'System OOM encountered', last: -10 }] }, 'exit'],
  ['exit 0 that is meant', { exitCode: 0, reason: 'Completed', restartPolicy: 'OnFailure' }, 'completed'],
  ['exit 0 of what should stay', { exitCode: 0, reason: 'Completed' }, 'exit'],
  ['an unknown SIGKILL', {}, 'exit'],
];
for (const [name, given, kind] of cases) {
  test(`${name}: ${kind}`, () => assert.equal(judge(given).kind, kind));
}

test('tells a startup kill from a liveness kill', () => {
  const end = judge({ events: [{ reason: 'Killing', note: 'Container app failed startup probe, will be restarted', last: -12 }] });
  assert.equal(end.kind === 'probe' && end.probe, 'startup');
});

/** The recorder dropped the Events of later kills: the last one known is 200 s old. */
const dropped = (exitCode: number, lasted: number, container: Partial<Container> | undefined) =>
  judge({
    exitCode,
    lasted,
    ...(container !== undefined && { container }),
    events: [{ reason: 'Killing', note: kill, last: -200, first: -400, count: 6 }],
    runs: [finishedRun({ endedAt: -199, lasted: 30, exitCode: 137 })],
  });
test('takes a run that ended like a known probe kill for another', () => {
  const end = dropped(137, 60, liveness);
  assert.deepEqual([end.kind, end.kind === 'probe' && end.certain], ['probe', true]);
});
test('but not with another exit code', () => assert.equal(dropped(1, 60, liveness).kind, 'exit'));
test('and not when the probe could not have killed so soon', () => {
  assert.equal(dropped(137, 18, liveness).kind, 'probe');
  assert.equal(dropped(137, 17, liveness).kind, 'exit');
});
test('knows only that it is possible when the earlier run is not known', () => {
  const end = judge({ lasted: 60, container: liveness, events: [{ reason: 'Killing', note: kill, last: -200, first: -400, count: 6 }] });
  assert.deepEqual([end.kind, end.kind === 'probe' && end.certain], ['probe', false]);
});

test('dates the request for deletion a grace period before the deletion timestamp', () => {
  assert.equal(deletionRequestedMs(podView(pod({ metadata: { deletionTimestamp: at(20), deletionGracePeriodSeconds: 30 } }))), atMs(-10));
  // The kubelet is done and has cut the rest of the grace period.
  assert.equal(deletionRequestedMs(podView(pod({ metadata: { deletionTimestamp: at(1), deletionGracePeriodSeconds: 0 } }))), atMs(-29));
  assert.equal(deletionRequestedMs(podView(pod())), undefined);
});
