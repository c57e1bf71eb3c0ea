import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Container, ContainerStatus, Pod } from '../../../collector/objects.ts';
import { livenessProbeFailure } from '../../../processor/scenarios/liveness-probe-failure.ts';
import type { SeenEvent, Signal } from '../../../processor/scenarios/scenario.ts';
import { at, atMs, finishedRun, node, object, pod, podView, seenEvent, webDeployment, workload } from '../../helpers/view.ts';

const HTTP: Partial<Container> = { livenessProbe: { httpGet: { port: 8080, path: '/healthz' }, periodSeconds: 10, failureThreshold: 3 } };
const ended = (endedAt: number, lasted = 31, exitCode = 137): ContainerStatus['state'] => ({
  terminated: { exitCode, reason: exitCode === 0 ? 'Completed' : 'Error', startedAt: at(endedAt - lasted), finishedAt: at(endedAt) },
});
const kill = (last: number, probe = 'liveness', count = 1): SeenEvent =>
  seenEvent({ reason: 'Killing', type: 'Normal', note: `Container app failed ${probe} probe, will be restarted`, last, first: last - 60 * (count - 1), count });
const unhealthy = (last: number, output: string, probe = 'Liveness'): SeenEvent =>
  seenEvent({ reason: 'Unhealthy', note: `${probe} probe failed: ${output}`, last, first: last - 60, count: 9 });
const looping = (container: Partial<Container> = HTTP, app: Partial<ContainerStatus> = {}, more: Parameters<typeof pod>[0] = {}): Pod =>
  pod({ container, app: { state: { waiting: { reason: 'CrashLoopBackOff' } }, lastState: ended(-10), restartCount: 4, ready: false, ...app }, ...more });
const judge = (subject: Pod, events: readonly SeenEvent[], options: Parameters<typeof podView>[1] = {}): readonly Signal[] =>
  livenessProbeFailure.pod?.(podView(subject, { objects: [node(), ...webDeployment()], events, ...options })) ?? [];

test('says which probe of which container fails with what, and how often it was killed', () => {
  const [signal, ...others] = judge(looping(), [unhealthy(-41, 'HTTP probe failed with statuscode: 503'), kill(-40)]);
  assert.equal(others.length, 0);
  assert.deepEqual(signal?.subject, { kind: 'Deployment', namespace: 'shop', name: 'web', container: 'app' });
  assert.deepEqual([signal?.cause, signal?.confidence, signal?.dueTimeMs, signal?.recoverAfterMs], ['probe_http_status', 'certain', atMs(-10), 600_000]);
  assert.equal(
    signal?.summary,
    'container app of Deployment shop/web is killed because its liveness probe fails: HTTP probe failed with statuscode: 503 (exit code 137 (SIGKILL), 4 restarts)',
  );
  assert.deepEqual(
    signal?.evidence.filter(({ kind }) => kind === 'event').map(({ path }) => path),
    ['Killing', 'Unhealthy'],
  );
});

const refused = 'Get "http://10.1.2.3:8080/healthz": dial tcp 10.1.2.3:8080: connect: connection refused';
const timedOut = 'Get "http://10.1.2.3:8080/healthz": context deadline exceeded (Client.Timeout exceeded while awaiting headers)';
const cases: readonly (readonly [
  name: string,
  cause: string,
  confidence: string,
  container: Partial<Container>,
  events: readonly SeenEvent[],
  lasted?: number,
])[] = [
  ['a refused connection', 'probe_connection_refused', 'certain', HTTP, [unhealthy(-41, refused), kill(-40)]],
  ['a timeout', 'probe_timeout', 'certain', HTTP, [unhealthy(-41, timedOut), kill(-40)]],
  [
    'a timeout of a container with next to no CPU',
    'cpu_starved',
    'likely',
    { ...HTTP, resources: { limits: { cpu: '100m' } } },
    [unhealthy(-41, timedOut), kill(-40)],
  ],
  [
    'a timeout of a container with more CPU',
    'probe_timeout',
    'certain',
    { ...HTTP, resources: { limits: { cpu: '101m' } } },
    [unhealthy(-41, timedOut), kill(-40)],
  ],
  ['an exec probe', 'probe_exec', 'certain', { livenessProbe: { exec: { command: ['check'] } } }, [unhealthy(-41, 'cat: no such file'), kill(-40)]],
  [
    'a command that does not exist',
    'probe_misconfigured',
    'certain',
    { livenessProbe: { exec: { command: ['curl'] } } },
    [unhealthy(-41, '/bin/sh: 1: curl: not found'), kill(-40)],
  ],
  ['404 from the start', 'probe_misconfigured', 'likely', HTTP, [unhealthy(-41, 'HTTP probe failed with statuscode: 404'), kill(-40)]],
  ['404 after it had passed', 'probe_http_status', 'certain', HTTP, [unhealthy(-41, 'HTTP probe failed with statuscode: 404'), kill(-40)], 600],
  ['a port that nobody declares', 'probe_misconfigured', 'likely', { ...HTTP, ports: [{ containerPort: 80 }] }, [unhealthy(-41, refused), kill(-40)]],
  ['a declared port', 'probe_connection_refused', 'certain', { ...HTTP, ports: [{ containerPort: 8080 }] }, [unhealthy(-41, refused), kill(-40)]],
  [
    'a startup probe',
    'startup_probe_failed',
    'certain',
    { startupProbe: { httpGet: { port: 80 } } },
    [unhealthy(-41, refused, 'Startup'), kill(-40, 'startup')],
  ],
  ['an exec probe without a word about its failures', 'probe_exec', 'guess', { livenessProbe: { exec: {} } }, [kill(-40)]],
  ['an HTTP probe without a word about its failures', 'other', 'guess', HTTP, [kill(-40)]],
  ['failures and a signal, without any Killing', 'probe_timeout', 'likely', HTTP, [unhealthy(-12, timedOut)]],
  ['failures of the readiness probe as well', 'probe_timeout', 'certain', HTTP, [unhealthy(-41, timedOut), kill(-40), unhealthy(-11, refused, 'Readiness')]],
];
for (const [name, cause, confidence, container, events, lasted] of cases) {
  test(`${name}: ${cause}`, () => {
    const signals = judge(looping(container, lasted === undefined ? {} : { lastState: ended(-10, lasted) }), events);
    assert.deepEqual(
      signals.map((signal) => [signal.cause, signal.confidence]),
      [[cause, confidence]],
    );
  });
}

const neighbour = (name: string): Pod =>
  pod({ metadata: { name, uid: `pod-${name}`, ownerReferences: [{ kind: 'StatefulSet', name, uid: `sts-${name}`, controller: true }] } });
const neighbourFails = (last: number) => ({ 'pod-db': [unhealthy(last, timedOut, 'Readiness')], 'pod-cache': [unhealthy(last, timedOut)] });
test('blames the node when the probes of two other workloads on it time out at the same time', () => {
  const objects = [node(), ...webDeployment(), neighbour('db'), neighbour('cache')];
  const causeOf = (options: Parameters<typeof podView>[1]) => judge(looping(), [unhealthy(-41, timedOut), kill(-40)], options)[0];
  assert.deepEqual(
    [causeOf({ objects, otherEvents: neighbourFails(-120) })?.cause, causeOf({ objects, otherEvents: neighbourFails(-120) })?.shared?.node],
    ['node_overloaded', 'node-a'],
  );
  assert.equal(causeOf({ objects, otherEvents: neighbourFails(-121) })?.cause, 'probe_timeout');
  assert.equal(causeOf({ objects: objects.slice(0, -1), otherEvents: neighbourFails(-10) })?.cause, 'probe_timeout');
});
test('probes of neighbours that never passed say nothing of the node', () => {
  const unwell = (name: string, ready: boolean, readyChanged: number): Pod =>
    pod({
      metadata: { name, uid: `pod-${name}`, ownerReferences: [{ kind: 'StatefulSet', name, uid: `sts-${name}`, controller: true }] },
      container: { readinessProbe: { httpGet: { port: 80 } }, livenessProbe: { httpGet: { port: 80 } } },
      app: { ready, state: { running: { startedAt: at(-50) } } },
      status: { conditions: [{ type: 'ContainersReady', status: ready ? 'True' : 'False', lastTransitionTime: at(readyChanged) }] },
    });
  const causeBeside = (...neighbours: readonly Pod[]) =>
    judge(looping(), [unhealthy(-41, timedOut), kill(-40)], { objects: [node(), ...webDeployment(), ...neighbours], otherEvents: neighbourFails(-10) })[0]
      ?.cause;
  assert.equal(causeBeside(unwell('db', false, -50), unwell('cache', false, -50)), 'probe_timeout');
  assert.equal(causeBeside(unwell('db', false, -20), unwell('cache', false, -50)), 'probe_timeout');
  assert.equal(causeBeside(unwell('db', false, -20), unwell('cache', false, -20)), 'node_overloaded');
  assert.equal(causeBeside(unwell('db', false, -20), unwell('cache', true, -45)), 'node_overloaded');
});
test('blames a node under pressure, for timeouts only', () => {
  const objects = [node({ status: { conditions: [{ type: 'PIDPressure', status: 'True' }] } }), ...webDeployment()];
  assert.equal(judge(looping(), [unhealthy(-41, timedOut), kill(-40)], { objects })[0]?.cause, 'node_overloaded');
  assert.equal(judge(looping(), [unhealthy(-41, refused), kill(-40)], { objects })[0]?.cause, 'probe_connection_refused');
});

test('stays below the threshold at the second restart within the window, and crosses it at the third', () => {
  const dues = (restartCount: number) => {
    const app = { state: { running: { startedAt: at(-9) } }, lastState: ended(-10), restartCount };
    return judge(looping(HTTP, app, { status: { startTime: at(-500) } }), [unhealthy(-41, refused), kill(-40)]).map(({ dueTimeMs }) => dueTimeMs);
  };
  assert.deepEqual([dues(2), dues(3)], [[undefined], [atMs(-10)]]);
});

const runs = [
  finishedRun({ endedAt: -200, lasted: 31, exitCode: 137, restartCount: 0 }),
  finishedRun({ endedAt: -168, lasted: 31, exitCode: 137, restartCount: 1 }),
  finishedRun({ endedAt: -115, lasted: 31, exitCode: 137, restartCount: 2 }),
];
const events = [unhealthy(-11, refused), kill(-10, 'liveness', 4)];
const flags = (subject: Pod, past: readonly (typeof runs)[number][] = []) => judge(subject, events, { history: { app: { runs: past } } })[0]?.flags;
test('oscillates once Running and CrashLoopBackOff have taken turns twice', () => {
  const crash = { state: { waiting: { reason: 'CrashLoopBackOff' } } };
  assert.deepEqual(flags(looping(HTTP, { ...crash, lastState: ended(-168), restartCount: 1 }), runs.slice(0, 2)), []);
  assert.deepEqual(flags(looping(HTTP, { ...crash, lastState: ended(-115), restartCount: 2 }), runs), ['oscillating']);
});
test('oscillates by its restarts when its runs are not known', () => {
  assert.deepEqual(flags(looping(HTTP, { restartCount: 2, lastState: ended(-10) })), []);
  assert.deepEqual(flags(looping(HTTP, { restartCount: 3, lastState: ended(-10) })), ['oscillating']);
});
test('oscillates slowly when each run is longer than the kubelet remembers', () => {
  const slow = [-1_300, -640, -10].map((endedAt, index) =>
    finishedRun({ endedAt, lasted: index === 0 ? 650 : endedAt === -10 ? 628 : 655, exitCode: 137, restartCount: index }),
  );
  const subject = looping(HTTP, { state: { running: { startedAt: at(-9) } }, lastState: {}, restartCount: 3 }, { status: { startTime: at(-9_000) } });
  const signal = judge(subject, [unhealthy(-11, refused), kill(-10, 'liveness', 3)], { history: { app: { runs: slow } }, firstSeenMs: atMs(-9_000) })[0];
  assert.deepEqual([signal?.flags, signal?.dueTimeMs, signal?.recheckTimeMs], [['oscillating'], atMs(-10), atMs(-9 + 2 * 655)]);
});

const born = -200;
const scaled = (note: string, last = born - 1) => ({
  'deployment-web': [seenEvent({ reason: 'ScalingReplicaSet', type: 'Normal', note, last, fieldPath: '' })],
});
const sibling = (created: number, ready = 'True') =>
  pod({ metadata: { name: 'web-0', uid: 'pod-web-0', creationTimestamp: at(created) }, status: { conditions: [{ type: 'Ready', status: ready }] } });
const newcomer = looping(HTTP, {}, { metadata: { creationTimestamp: at(born) } });
const scaleOuts: readonly (readonly [name: string, flagged: boolean, sibling: Pod, events: Readonly<Record<string, readonly SeenEvent[]>>])[] = [
  ['a newcomer of a scale-out beside a healthy older pod', true, sibling(born - 120), scaled('Scaled up replica set web-7d9c from 3 to 10')],
  ['beside a pod hardly older', false, sibling(born - 119), scaled('Scaled up replica set web-7d9c from 3 to 10')],
  ['beside an older pod that is not ready', false, sibling(born - 600, 'False'), scaled('Scaled up replica set web-7d9c from 3 to 10')],
  ['without a scale-out', false, sibling(born - 600), {}],
  ['of another revision', false, sibling(born - 600), scaled('Scaled up replica set web-old from 3 to 10')],
  ['long after the scale-out', false, sibling(born - 600), scaled('Scaled up replica set web-7d9c from 3 to 10', born - 61)],
  [
    'of a rollout',
    false,
    sibling(born - 600),
    {
      'deployment-web': [
        ...(scaled('Scaled up replica set web-7d9c from 1 to 2')['deployment-web'] ?? []),
        seenEvent({ reason: 'ScalingReplicaSet', note: 'Scaled down replica set web-old from 3 to 2', last: born - 30 }),
      ],
    },
  ],
];
for (const [name, flagged, older, otherEvents] of scaleOuts) {
  test(`${name}: ${flagged ? 'after_scale_out' : 'not flagged'}`, () => {
    const [signal] = judge(newcomer, [unhealthy(-41, timedOut), kill(-40)], { objects: [node(), ...webDeployment(), older], otherEvents });
    assert.equal(signal?.flags.includes('after_scale_out'), flagged);
  });
}

test('lets no later guess rename what a kill and its reason had shown', () => {
  const shown = judge(looping(), [unhealthy(-41, refused), kill(-40)])[0]?.rank ?? 0;
  const inferred = judge(looping(), [unhealthy(-12, refused)])[0]?.rank ?? 0;
  const guessed = judge(looping(), [kill(-40)])[0]?.rank ?? 0;
  assert.ok(shown > inferred && shown > guessed, `${shown} ${inferred} ${guessed}`);
});

test('opens for a pod that is never started again when it has failed', () => {
  const owner = { kind: 'Job', name: 'job', uid: 'job-job', controller: true };
  const subject = (phase: string): Pod =>
    looping(
      HTTP,
      { state: ended(-10), lastState: {}, restartCount: 0 },
      { metadata: { ownerReferences: [owner] }, spec: { restartPolicy: 'Never', containers: [{ name: 'app', ...HTTP }] }, status: { phase } },
    );
  const dues = (phase: string) =>
    judge(subject(phase), [unhealthy(-41, refused), kill(-40)], { objects: [workload('Job', { metadata: { name: 'job' } })] }).map(
      ({ dueTimeMs }) => dueTimeMs,
    );
  assert.deepEqual([dues('Running'), dues('Failed')], [[undefined], [atMs(-10)]]);
});

const silent: readonly (readonly [name: string, subject: Pod, events: readonly SeenEvent[]])[] = [
  ['probe failures without a restart', pod({ container: HTTP }), [unhealthy(-2, refused)]],
  ['a crash without a kill', looping(HTTP, { lastState: ended(-10, 31, 1) }), [unhealthy(-41, refused)]],
  [
    'an OOM kill after probe failures',
    looping(HTTP, { lastState: { terminated: { exitCode: 137, reason: 'OOMKilled', startedAt: at(-60), finishedAt: at(-10) } } }),
    [unhealthy(-41, timedOut), kill(-40)],
  ],
  ['a pod that is deleted', looping(HTTP, {}, { metadata: { deletionTimestamp: at(5) } }), [unhealthy(-41, refused), kill(-40)]],
];
for (const [name, subject, given] of silent) test(`says nothing of ${name}`, () => assert.deepEqual(judge(subject, given), []));

test('leaves the startup probe of a sidecar to init_failure until the pod is initialised', () => {
  const sidecar = (initialized: string): Pod =>
    object<Pod>(
      'Pod',
      { name: 'web-1' },
      {
        spec: {
          restartPolicy: 'Always',
          containers: [{ name: 'main' }],
          initContainers: [{ name: 'app', restartPolicy: 'Always', startupProbe: { exec: {} } }],
        },
        status: {
          phase: 'Pending',
          conditions: [{ type: 'Initialized', status: initialized }],
          initContainerStatuses: [{ name: 'app', restartCount: 3, state: { waiting: { reason: 'CrashLoopBackOff' } }, lastState: ended(-10) }],
        },
      },
    );
  const startup = seenEvent({ reason: 'Killing', note: 'Init container app failed startup probe', last: -40, fieldPath: 'spec.initContainers{app}' });
  assert.deepEqual([judge(sidecar('False'), [startup]).length, judge(sidecar('True'), [startup]).length], [0, 1]);
});
