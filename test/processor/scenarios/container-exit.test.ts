import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerStatus, Pod } from '../../../collector/objects.ts';
import { containerExit, exitDetail } from '../../../processor/scenarios/container-exit.ts';
import type { Signal } from '../../../processor/scenarios/scenario.ts';
import { at, atMs, containerStatus, controllerView, finishedRun, node, pod, podView, seenEvent, webDeployment, workload } from '../../helpers/view.ts';

const ended = (endedAt: number, lasted: number, exitCode: number, reason = exitCode === 0 ? 'Completed' : 'Error'): ContainerStatus['state'] => ({
  terminated: { exitCode, reason, startedAt: at(endedAt - lasted), finishedAt: at(endedAt) },
});
const looping = (lastState: ContainerStatus['state'], more: Partial<ContainerStatus> = {}): Partial<ContainerStatus> => ({
  state: { waiting: { reason: 'CrashLoopBackOff' } },
  lastState,
  restartCount: 4,
  ready: false,
  ...more,
});
const judge = (subject: Pod, options: Parameters<typeof podView>[1] = {}): readonly Signal[] => containerExit.pod?.(podView(subject, options)) ?? [];

test('says which container of which workload ends, how and how often', () => {
  const [signal, ...others] = judge(pod({ app: looping(ended(-30, 3, 1)) }), { objects: webDeployment() });
  assert.equal(others.length, 0);
  assert.deepEqual(signal?.subject, { kind: 'Deployment', namespace: 'shop', name: 'web', container: 'app' });
  assert.deepEqual(
    [signal?.scenario, signal?.cause, signal?.detail, signal?.confidence, signal?.track],
    ['container_exit', 'exit_immediate', '', 'certain', 'run'],
  );
  assert.deepEqual(signal?.fact, { value: 'restartCount=4', timeMs: atMs(-30), says: 'container app ended with exit code 1' });
  assert.equal(signal?.dueTimeMs, atMs(-30));
  assert.equal(
    signal?.summary,
    'container app of Deployment shop/web ends within 3 s of its start: exit code 1 (the application reported an error), 4 restarts',
  );
  assert.deepEqual(
    signal?.evidence.map(({ path, value }) => [path, value]),
    [
      ['status.containerStatuses[0].lastState.terminated.exitCode', '1'],
      ['status.containerStatuses[0].lastState.terminated.reason', 'Error'],
      ['status.containerStatuses[0].restartCount', '4'],
      ['status.containerStatuses[0].state.waiting', 'CrashLoopBackOff: '],
    ],
  );
});

const causes: readonly (readonly [name: string, state: ContainerStatus['state'], cause: string, detail: string])[] = [
  ['a run of 9 s', ended(-30, 9, 1), 'exit_immediate', ''],
  ['a run of 10 s', ended(-30, 10, 1), 'exit_after_run', ''],
  ['exit 0 at once', ended(-30, 1, 0), 'exit_immediate', 'no_foreground_process'],
  ['exit 0 after a while', ended(-30, 40, 0), 'exit_after_run', ''],
  ['127', ended(-30, 1, 127), 'exit_immediate', 'command_not_found'],
  ['126', ended(-30, 1, 126), 'exit_immediate', 'permission_denied'],
  ['a segmentation fault', ended(-30, 400, 139), 'exit_after_run', ''],
  ['SIGTERM by nobody that is known', ended(-30, 40, 143), 'exit_after_run', ''],
  ['SIGKILL by nobody that is known', ended(-30, 40, 137), 'exit_after_run', ''],
  ['lost by the runtime at once', ended(-30, 1, 255, 'Unknown'), 'exit_after_run', ''],
];
for (const [name, state, cause, detail] of causes) {
  test(`calls ${name} ${cause} ${detail}`, () => {
    const [signal] = judge(pod({ app: looping(state) }));
    assert.deepEqual([signal?.cause, signal?.detail], [cause, detail]);
  });
}

const messages: readonly (readonly [exitCode: number, message: string, detail: string])[] = [
  [255, 'exec /app/server: exec format error', 'exec_format_error'],
  [1, 'standard_init_linux.go:228: exec user process caused: exec format error', 'exec_format_error'],
  [127, 'error while loading shared libraries: libssl.so.1.1: cannot open shared object file: No such file or directory', 'missing_file'],
  [255, 'exec /app/start.sh: no such file or directory', 'missing_file'],
  [1, "Error: Cannot find module '/app/index.js'", 'missing_file'],
  [1, 'Error: Unable to access jarfile /app.jar', 'missing_file'],
  [2, "python: can't open file '/app/main.py': [Errno 2] No such file or directory", 'missing_file'],
  [1, 'bash: line 1: foo: command not found', 'command_not_found'],
  [1, '/docker-entrypoint.sh: 5: /data/x: Permission denied', 'permission_denied'],
  [1, 'panic: connection refused', ''],
];
for (const [exitCode, message, detail] of messages) {
  test(`reads ${detail || 'nothing'} out of ${exitCode}: ${message.slice(0, 80)}`, () => {
    assert.equal(exitDetail({ restartPolicy: 'Always' }, finishedRun({ endedAt: -1, lasted: 1, exitCode, message })), detail);
  });
}

test('a container that was lost with a reboot of its node says so, and one whose node was rebooted before it began does not', () => {
  const lost = pod({ app: looping(ended(-30, 500, 137, 'ContainerStatusUnknown')) });
  const rebooted = (last: number): readonly string[] => {
    const events = [seenEvent({ reason: 'Rebooted', note: 'Node node-a has been rebooted, boot id: 1f', last })];
    const [signal] = judge(lost, { objects: [node(), ...webDeployment()], otherEvents: { [node().metadata.uid]: events } });
    assert.equal(signal?.cause, 'exit_after_run');
    return signal?.evidence.filter(({ path }) => path === 'Rebooted').map(({ object }) => object) ?? [];
  };
  assert.deepEqual(rebooted(-20), ['Node node-a']);
  assert.deepEqual(rebooted(-531), []);
});

const below: readonly (readonly [name: string, app: Partial<ContainerStatus>])[] = [
  ['one restart', { state: { running: { startedAt: at(-9) } }, lastState: ended(-10, 3_000, 1), restartCount: 1 }],
  ['the moment between end and restart', { state: ended(-1, 100, 1), restartCount: 0, ready: false }],
];
for (const [name, app] of below) {
  test(`stays below the threshold: ${name}`, () => {
    assert.deepEqual(
      judge(pod({ app })).map(({ dueTimeMs }) => dueTimeMs),
      [undefined],
    );
  });
}

test('keeps speaking while Running is younger than its probation, and asks to be heard again at its end', () => {
  const app = { state: { running: { startedAt: at(-30) } }, lastState: ended(-70, 5, 1), restartCount: 3 };
  const [signal] = judge(pod({ app }));
  assert.deepEqual([signal?.dueTimeMs, signal?.recheckTimeMs, signal?.recoverAfterMs], [atMs(-70), atMs(30), 600_000]);
  assert.deepEqual(judge(pod({ app }), { nowMs: atMs(30) }), []);
});

const silent: readonly (readonly [name: string, subject: Pod, options?: Parameters<typeof podView>[1]])[] = [
  ['a healthy pod', pod()],
  ['a pod that is deleted', pod({ app: looping(ended(-3, 3, 1)), metadata: { deletionTimestamp: at(20) } })],
  [
    'an evicted pod',
    pod({
      app: { state: ended(-3, 300, 137) },
      status: { phase: 'Failed', reason: 'Evicted', containerStatuses: [containerStatus({ state: ended(-3, 300, 137) })] },
    }),
  ],
  [
    'a succeeded pod',
    pod({ spec: { restartPolicy: 'Never' }, status: { phase: 'Succeeded', containerStatuses: [containerStatus({ state: ended(-3, 300, 0) })] } }),
  ],
  ['exit 0 of a container that is meant to end', pod({ spec: { restartPolicy: 'OnFailure' }, app: { state: ended(-3, 300, 0) } })],
  ['an OOM kill', pod({ app: looping(ended(-30, 3, 137, 'OOMKilled')) })],
  [
    'a container that never started',
    pod({ app: looping({ terminated: { exitCode: 128, reason: 'StartError', startedAt: '1970-01-01T00:00:00Z', finishedAt: at(-3) } }) }),
  ],
  [
    'a probe kill',
    pod({ app: looping(ended(-30, 60, 137)) }),
    { events: [seenEvent({ reason: 'Killing', note: 'Container app failed liveness probe, will be restarted', last: -31 })] },
  ],
];
for (const [name, subject, options] of silent) {
  test(`says nothing of ${name}`, () => assert.deepEqual(judge(subject, options), []));
}

const jobPod = (options: { readonly phase?: string; readonly created?: number; readonly name?: string } = {}): Pod =>
  pod({
    metadata: {
      name: options.name ?? 'job-1',
      creationTimestamp: at(options.created ?? -100),
      ownerReferences: [{ kind: 'Job', name: 'job', uid: 'job-job', controller: true }],
    },
    spec: { restartPolicy: 'Never' },
    status: {
      phase: options.phase ?? 'Failed',
      containerStatuses: [containerStatus({ state: ended(-20, 60, options.phase === 'Succeeded' ? 0 : 3), ready: false })],
    },
  });

test('opens for a pod that is never started again when it has failed', () => {
  const [signal] = judge(jobPod());
  assert.deepEqual([signal?.cause, signal?.dueTimeMs, signal?.recoverAfterMs], ['exit_after_run', atMs(-20), 60_000]);
});
test('waits while other containers of such a pod still run', () => {
  assert.deepEqual(
    judge(jobPod({ phase: 'Running' })).map(({ dueTimeMs }) => dueTimeMs),
    [undefined],
  );
});
test('falls silent when the retry of the Job succeeds', () => {
  assert.deepEqual(judge(jobPod(), { objects: [jobPod({ name: 'job-2', phase: 'Succeeded', created: -10 })] }), []);
});

const sidecarPod = (initialized: string, app: ContainerStatus['state'], restartPolicy = 'Never'): Pod =>
  pod({
    spec: { restartPolicy, initContainers: [{ name: 'proxy', restartPolicy: 'Always' }], containers: [{ name: 'app' }] },
    status: {
      conditions: [{ type: 'Initialized', status: initialized }],
      initContainerStatuses: [containerStatus({ name: 'proxy', ...looping(ended(-30, 60, 1)) })],
      containerStatuses: [containerStatus({ state: app })],
    },
  });
test('speaks of a sidecar once the pod is initialised, until its app has ended', () => {
  const names = (subject: Pod): readonly string[] => judge(subject).map(({ subject: { container } }) => container);
  assert.deepEqual(names(sidecarPod('True', { running: { startedAt: at(-100) } })), ['proxy']);
  assert.deepEqual(names(sidecarPod('False', { waiting: { reason: 'PodInitializing' } })), []);
  assert.deepEqual(names(sidecarPod('True', ended(-40, 60, 0))), []);
});

test('says of a crash loop whose ends nobody knows that it is one', () => {
  assert.deepEqual(
    judge(pod({ app: looping({}, { lastState: {} }) })).map(({ cause, confidence, rank, dueTimeMs }) => [cause, confidence, rank, dueTimeMs]),
    [['other', 'guess', 0, atMs(-600)]],
  );
});

test('leaves init containers to init_failure', () => {
  const subject = pod({
    spec: { initContainers: [{ name: 'prep' }] },
    status: {
      phase: 'Pending',
      initContainerStatuses: [containerStatus({ name: 'prep', ...looping(ended(-30, 1, 1)) })],
      containerStatuses: [containerStatus({ state: { waiting: { reason: 'PodInitializing' } } })],
    },
  });
  assert.deepEqual(judge(subject), []);
});

test('shares the image of a container only when what runs is what the image says', () => {
  const share = (command?: readonly string[]) =>
    judge(pod({ app: looping(ended(-30, 1, 1)), container: { image: 'a:1', ...(command && { command }) } }))[0]?.shared?.image;
  assert.deepEqual([share(), share(['sh'])], ['a:1', undefined]);
});

test('opens when a pod was active longer than its deadline', () => {
  const subject = pod({
    spec: { activeDeadlineSeconds: 300 },
    status: { phase: 'Failed', reason: 'DeadlineExceeded', startTime: at(-310), containerStatuses: [containerStatus({ state: ended(-8, 290, 143) })] },
  });
  const signals = judge(subject);
  assert.deepEqual(
    signals.map(({ cause, dueTimeMs, subject: { container } }) => [cause, dueTimeMs, container]),
    [['deadline_exceeded', atMs(-10), '']],
  );
});

const job = (conditions: readonly { readonly type: string; readonly status: string; readonly reason?: string }[]) =>
  workload('Job', {
    metadata: { name: 'job' },
    spec: { activeDeadlineSeconds: 60 },
    status: { conditions: conditions.map((each) => ({ lastTransitionTime: at(-5), ...each })) },
  });
test('opens when a Job was active longer than its deadline, which only the Job tells', () => {
  const signals = containerExit.controller?.(controllerView(job([{ type: 'Failed', status: 'True', reason: 'DeadlineExceeded' }]), [])) ?? [];
  assert.deepEqual(
    signals.map(({ cause, dueTimeMs, subject }) => [cause, dueTimeMs, subject.kind, subject.name]),
    [['deadline_exceeded', atMs(-5), 'Job', 'job']],
  );
  for (const reason of ['BackoffLimitExceeded', 'PodFailurePolicy']) {
    const failed = job([{ type: 'Failed', status: 'True', reason }]);
    const ownerReferences = [{ kind: 'Job', name: 'job', uid: failed.metadata.uid, controller: true }];
    const causesWith = (objects: readonly Pod[]) => containerExit.controller?.(controllerView(failed, [], { objects })).map(({ cause }) => cause);
    assert.deepEqual(
      [causesWith([pod({ metadata: { ownerReferences } })]), causesWith([])],
      [[], ['other']],
      'its pods speak for themselves while they are there',
    );
  }
  assert.deepEqual(containerExit.controller?.(controllerView(job([{ type: 'Complete', status: 'True' }]), [])), []);
});

const turns = (lasted: number) => [
  finishedRun({ endedAt: -300, lasted, exitCode: 1, restartCount: 0 }),
  finishedRun({ endedAt: -200, lasted, exitCode: 1, restartCount: 1 }),
  finishedRun({ endedAt: -60, lasted, exitCode: 1, restartCount: 2 }),
];
for (const [lasted, flags, period] of [
  [10, ['oscillating'], '2 min, the last of them'],
  [9, [], undefined],
] as const) {
  test(`turns of Running and CrashLoopBackOff, of ${lasted} s each: ${flags.join() || 'no flag'}`, () => {
    const app = looping(ended(-60, lasted, 1), { restartCount: 2 });
    const [signal] = judge(pod({ app }), { history: { app: { runs: turns(lasted) } } });
    assert.deepEqual(signal?.flags, flags);
    assert.equal(signal?.evidence.find(({ path }) => path.startsWith('period'))?.value, period);
  });
}
