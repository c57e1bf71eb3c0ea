import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerStatus, Pod } from '../../../collector/objects.ts';
import type { ContainerReading } from '../../../processor/scenarios/container-runs.ts';
import { containersOf, crashLoopOf, hasFailed, isFailing, probationEndMs, staysEnded, wasRetried } from '../../../processor/scenarios/container-runs.ts';
import type { ContainerHistory, PodView } from '../../../processor/scenarios/scenario.ts';
import { at, atMs, containerStatus, finishedRun, object, pod, podView, seenEvent, workload } from '../../helpers/view.ts';

const ended = (endedAt: number, lasted: number, exitCode = 1, reason = 'Error'): ContainerStatus['state'] => ({
  terminated: { exitCode, reason, startedAt: at(endedAt - lasted), finishedAt: at(endedAt) },
});
const running = (since: number): ContainerStatus['state'] => ({ running: { startedAt: at(since) } });
const waiting = (reason: string): ContainerStatus['state'] => ({ waiting: { reason } });

function read(
  app: Partial<ContainerStatus>,
  past: Partial<ContainerHistory> = {},
  more: { readonly podStart?: number; readonly firstSeen?: number } = {},
): readonly [PodView, ContainerReading] {
  const start = more.podStart ?? -86_400;
  const view = podView(pod({ app, status: { startTime: at(start), containerStatuses: [containerStatus(app)] } }), {
    history: { app: past },
    firstSeenMs: atMs(more.firstSeen ?? start),
  });
  return [view, containersOf(view)[0]!];
}
const loopOf = (...args: Parameters<typeof read>) => {
  const [view, container] = read(...args);
  return crashLoopOf(view, container, false);
};

test('sees CrashLoopBackOff as a crash loop', () => {
  assert.equal(loopOf({ state: waiting('CrashLoopBackOff'), lastState: ended(-5, 1), restartCount: 1 }).crossed, true);
  assert.equal(loopOf({ state: waiting('ContainerCreating'), lastState: ended(-5, 1), restartCount: 1 }).crossed, false);
});

const pauses: readonly (readonly [name: string, pause: number, lasted: number, restartCount: number, crossed: boolean])[] = [
  ['a pause of 9 s before this run is a back-off', 9, 5, 2, true],
  ['a shorter one is none', 8, 5, 2, false],
  ['the first restart has no back-off, whatever the pause', 30, 5, 1, false],
  ['the kubelet forgets its back-off after a run of 10 min', 30, 600, 2, false],
  ['but not after a shorter one', 30, 599, 2, true],
];
for (const [name, pause, lasted, restartCount, crossed] of pauses) {
  test(`Running after a crash: ${name}`, () => {
    assert.equal(loopOf({ state: running(-3), lastState: ended(-3 - pause, lasted), restartCount }).crossed, crossed);
  });
}

test('counts the restarts of a pod that is younger than the window', () => {
  assert.equal(loopOf({ state: ended(-1, 1), restartCount: 3 }, {}, { podStart: -590 }).crossed, true);
  assert.equal(loopOf({ state: ended(-1, 1), restartCount: 2 }, {}, { podStart: -590 }).crossed, false);
});

test('counts only the restarts within the window of an older pod', () => {
  const restarts = [
    { count: 0, timeMs: atMs(-86_400) },
    { count: 7, timeMs: atMs(-700) },
    { count: 8, timeMs: atMs(-550) },
    { count: 9, timeMs: atMs(-300) },
  ];
  assert.equal(loopOf({ state: ended(-1, 299), restartCount: 9 }, { restarts }).crossed, false);
  assert.equal(loopOf({ state: ended(-1, 1), restartCount: 10 }, { restarts: [...restarts, { count: 10, timeMs: atMs(-2) }] }).crossed, true);
});

test('takes restarts from before the pod was first seen as old', () => {
  const restarts = [
    { count: 0, timeMs: atMs(-86_400) },
    { count: 40, timeMs: atMs(-20) },
  ];
  assert.equal(loopOf({ state: running(-20), lastState: ended(-21, 3_000), restartCount: 40 }, { restarts }, { firstSeen: -10 }).crossed, false);
});

test('counts the times that the kubelet waited between known runs', () => {
  const runs = [
    finishedRun({ endedAt: -300, lasted: 5, restartCount: 0 }),
    finishedRun({ endedAt: -294, lasted: 5, restartCount: 1 }),
    finishedRun({ endedAt: -270, lasted: 5, restartCount: 2 }),
    finishedRun({ endedAt: -225, lasted: 5, restartCount: 3 }),
  ];
  assert.equal(loopOf({ state: waiting('CrashLoopBackOff'), lastState: ended(-225, 5), restartCount: 3 }, { runs }).backOffs, 3);
});

const slow: readonly (readonly [name: string, lasted: readonly number[], codes: readonly number[], slow: boolean])[] = [
  ['three runs of 10 min and more that end alike', [600, 700, 650], [1, 1, 1], true],
  ['one of them shorter: CrashLoopBackOff would show', [599, 700, 650], [1, 1, 1], false],
  ['one of them longer than an hour', [3_601, 700, 650], [1, 1, 1], false],
  ['one ended otherwise', [600, 700, 650], [1, 2, 1], false],
  ['ended well', [600, 700, 650], [0, 0, 0], false],
  ['only two', [700, 650], [1, 1], false],
];
for (const [name, lasted, codes, expected] of slow) {
  test(`slow crash loop: ${name}: ${expected}`, () => {
    let end = -10;
    const runs = lasted
      .map((seconds, index) => ({ seconds, index }))
      .reverse()
      .map(({ seconds, index }) => {
        const run = finishedRun({ endedAt: end, lasted: seconds, exitCode: codes[index]!, restartCount: index });
        end -= seconds + 1;
        return run;
      })
      .reverse();
    const past = { runs, restarts: runs.map((run) => ({ count: run.restartCount, timeMs: run.startedTimeMs })) };
    assert.equal(loopOf({ state: running(-9), lastState: {}, restartCount: runs.length }, past).slow, expected);
  });
}

const probations: readonly (readonly [name: string, longest: number, end: number])[] = [
  ['at least a minute', 5, 60],
  ['twice the longest run', 100, 200],
  ['never longer than recovery takes', 5_000, 600],
];
for (const [name, longest, end] of probations) {
  test(`a run between two crashes is on probation: ${name}`, () => {
    const [view, container] = read({ state: running(0), lastState: ended(-20, 5), restartCount: 2 }, { longestRunMs: longest * 1_000 });
    assert.equal(probationEndMs(view, container, crashLoopOf(view, container, false)), atMs(end));
  });
}

test('is failing until the probation ends, and while it does not run', () => {
  const [view] = read({});
  assert.equal(isFailing(view, atMs(1)), true);
  assert.equal(isFailing(view, atMs(0)), false);
  assert.equal(isFailing(view, undefined), true);
});

test('reads kinds, policies and Events of containers by their place in the spec', () => {
  const subject = pod({
    spec: {
      restartPolicy: 'Always',
      initContainers: [{ name: 'prep' }, { name: 'proxy', restartPolicy: 'Always' }],
      containers: [{ name: 'app' }, { name: 'once', restartPolicy: 'Never' }],
    },
    status: {
      initContainerStatuses: [containerStatus({ name: 'prep' }), containerStatus({ name: 'proxy' })],
      containerStatuses: [containerStatus({ name: 'app' }), containerStatus({ name: 'once' })],
      ephemeralContainerStatuses: [containerStatus({ name: 'debug' })],
    },
  });
  const events = [seenEvent({ reason: 'Killing', fieldPath: 'spec.initContainers{proxy}' }), seenEvent({ reason: 'BackOff', fieldPath: '' })];
  const read = containersOf(podView(subject, { events })).map(({ name, kind, restartPolicy, path, events: own }) => [
    name,
    kind,
    restartPolicy,
    path,
    own.length,
  ]);
  assert.deepEqual(read, [
    ['prep', 'init', 'OnFailure', 'status.initContainerStatuses[0]', 0],
    ['proxy', 'sidecar', 'Always', 'status.initContainerStatuses[1]', 1],
    ['app', 'app', 'Always', 'status.containerStatuses[0]', 0],
    ['once', 'app', 'Never', 'status.containerStatuses[1]', 0],
    ['debug', 'ephemeral', 'Never', 'status.ephemeralContainerStatuses[0]', 0],
  ]);
});

test('gives Events without a field path to the only container', () => {
  const [container] = containersOf(podView(pod(), { events: [seenEvent({ reason: 'BackOff', fieldPath: '' })] }));
  assert.equal(container?.events.length, 1);
});

test('knows which ends are final', () => {
  const final = (restartPolicy: string, exitCode: number, state = ended(-1, 1, exitCode)): boolean => {
    const view = podView(pod({ spec: { restartPolicy }, app: { state } }));
    return staysEnded(containersOf(view)[0]!, finishedRun({ endedAt: -1, lasted: 1, exitCode }));
  };
  assert.deepEqual(
    [final('Always', 0), final('Always', 1), final('OnFailure', 0), final('OnFailure', 1), final('Never', 0), final('Never', 1)],
    [false, false, true, false, true, true],
  );
  // Restarted by a rule of the container.
  assert.deepEqual([final('Never', 42, waiting('CrashLoopBackOff')), final('Never', 42, running(0))], [false, false]);
});

const ofJob = (metadata: Partial<Pod['metadata']> = {}, status: Partial<Pod['status']> = {}): Pod =>
  pod({ metadata: { name: 'job-1', ownerReferences: [{ kind: 'Job', name: 'job', uid: 'job-job', controller: true }], ...metadata }, status });
const condition = (type: string) => workload('Job', { metadata: { name: 'job' }, status: { conditions: [{ type, status: 'True' }] } });

test('has failed with its own phase or with its Job', () => {
  assert.equal(hasFailed(podView(ofJob({}, { phase: 'Failed' }))), true);
  assert.equal(hasFailed(podView(ofJob(), { objects: [condition('Failed')] })), true);
  assert.equal(hasFailed(podView(ofJob(), { objects: [condition('Complete')] })), false);
  assert.equal(
    hasFailed(
      podView(ofJob(), { objects: [object('Job', { name: 'job', uid: 'another-job-of-that-name' }, { spec: {}, status: condition('Failed').status })] }),
    ),
    false,
  );
});

test('was retried when its Job completed, or when a later pod of the workload succeeded', () => {
  const failed = ofJob({ creationTimestamp: at(-100) }, { phase: 'Failed' });
  const other = (created: number, phase: string): Pod => ofJob({ name: 'job-2', uid: 'pod-job-2', creationTimestamp: at(created) }, { phase });
  assert.equal(wasRetried(podView(failed, { objects: [condition('Complete')] })), true);
  assert.equal(wasRetried(podView(failed, { objects: [other(-50, 'Succeeded')] })), true);
  assert.equal(wasRetried(podView(failed, { objects: [other(-150, 'Succeeded')] })), false);
  assert.equal(wasRetried(podView(failed, { objects: [other(-50, 'Running')] })), false);
});
