import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Condition, Container, ContainerStatus, Pod } from '../../../collector/objects.ts';
import { readinessProbeFailure } from '../../../processor/scenarios/readiness-probe-failure.ts';
import type { SeenEvent, Signal } from '../../../processor/scenarios/scenario.ts';
import { at, atMs, node, pod, podView, seenEvent, webDeployment } from '../../helpers/view.ts';

/** Gives up 5 + 10 × 3 + 1 = 36 s after the start. */
const READINESS: Partial<Container> = {
  readinessProbe: { httpGet: { port: 8080 }, initialDelaySeconds: 5, periodSeconds: 10, failureThreshold: 3, timeoutSeconds: 1 },
};
const unhealthy = (output: string, last = -2, probe = 'Readiness'): SeenEvent =>
  seenEvent({ reason: 'Unhealthy', note: `${probe} probe failed: ${output}`, last, first: last - 60, count: 9 });
const conditions = (lost: number, more: readonly Condition[] = []): readonly Condition[] => [
  { type: 'Ready', status: 'False', reason: 'ContainersNotReady', lastTransitionTime: at(lost) },
  { type: 'ContainersReady', status: 'False', reason: 'ContainersNotReady', lastTransitionTime: at(lost) },
  ...more,
];

interface Given {
  /** When the container started and when its pod lost readiness, seconds from now. */
  readonly since?: number;
  readonly lost?: number;
  readonly app?: Partial<ContainerStatus>;
  readonly container?: Partial<Container>;
  readonly status?: Partial<Pod['status']>;
  readonly metadata?: Partial<Pod['metadata']>;
  readonly events?: readonly SeenEvent[];
  readonly options?: Parameters<typeof podView>[1];
}
function judge({
  since = -30,
  lost = since,
  app = {},
  container = READINESS,
  status = {},
  metadata = {},
  events = [],
  options = {},
}: Given): readonly Signal[] {
  const state = { running: { startedAt: at(since) } };
  const subject = pod({ container, metadata, app: { ready: false, started: true, state, ...app }, status: { conditions: conditions(lost), ...status } });
  return readinessProbeFailure.pod?.(podView(subject, { objects: [node(), ...webDeployment()], events, ...options })) ?? [];
}

test('says of which container of which workload the probe fails, and with what', () => {
  const [signal, ...others] = judge({ events: [unhealthy('HTTP probe failed with statuscode: 503')] });
  assert.equal(others.length, 0);
  assert.deepEqual(signal?.subject, { kind: 'Deployment', namespace: 'shop', name: 'web', container: 'app' });
  assert.deepEqual(
    [signal?.cause, signal?.detail, signal?.track, signal?.confidence, signal?.recoverAfterMs],
    ['probe_http_status', 'never_passed', 'ready', 'certain', 60_000],
  );
  assert.equal(signal?.summary, 'container app of Deployment shop/web runs but has never been ready: HTTP probe failed with statuscode: 503');
});

const liveness = { livenessProbe: { httpGet: { port: 8080 }, periodSeconds: 10, failureThreshold: 3, timeoutSeconds: 1 } };
const startup = { startupProbe: { httpGet: { port: 8080 }, periodSeconds: 10, failureThreshold: 30, timeoutSeconds: 1 } };
const dues: readonly (readonly [name: string, due: number | undefined, detail: string, given: Given])[] = [
  ['30 s beyond the probe budget after the start', -30 + 36 + 30, 'never_passed', { since: -30 }],
  ['30 s after it lost readiness', -5 + 30, 'passed_before', { since: -600, lost: -5 }],
  ['a condition as old as the start was never true', -600 + 66, 'never_passed', { since: -600, lost: -598 }],
  ['ready in an earlier run', -30 + 66, 'passed_before', { since: -30, options: { history: { app: { everReady: true } } } }],
  ['the startup probe has its own budget', -30 + 301 + 66, 'never_passed', { since: -30, container: { ...READINESS, ...startup } }],
  [
    'a liveness probe that fails too may decide first',
    -2 + 31,
    'passed_before',
    { since: -600, lost: -120, container: { ...READINESS, ...liveness }, events: [unhealthy('x', -2, 'Liveness')] },
  ],
  [
    'a liveness failure of an earlier run does not',
    -30 + 66,
    'never_passed',
    { since: -30, container: { ...READINESS, ...liveness }, events: [unhealthy('x', -40, 'Liveness')] },
  ],
  [
    'a run on probation after a crash',
    -100 + 600,
    'never_passed',
    { since: -100, app: { restartCount: 2, lastState: { terminated: { exitCode: 1, reason: 'Error', startedAt: at(-500), finishedAt: at(-101) } } } },
  ],
  ['the node does not report', undefined, 'never_passed', { options: { objects: [node({ status: { conditions: [{ type: 'Ready', status: 'Unknown' }] } })] } }],
];
for (const [name, due, detail, given] of dues) {
  test(`${due === undefined ? 'waits' : `opens at ${due} s`}: ${name}`, () => {
    assert.deepEqual(
      judge(given).map((signal) => [signal.dueTimeMs, signal.detail]),
      [[due === undefined ? undefined : atMs(due), detail]],
    );
  });
}

const refused = 'Get "http://10.1.2.3:8080/": dial tcp 10.1.2.3:8080: connect: connection refused';
const ports = { ports: [{ containerPort: 80 }] };
/** Another pod of the same workload that is ready. */
const beside = (container: Partial<Container>): Given['options'] => ({
  objects: [node(), ...webDeployment(), pod({ metadata: { name: 'web-2', uid: 'pod-web-2' }, container: { ...container, ...ports } })],
});
const causes: readonly (readonly [name: string, cause: string, given: Given])[] = [
  ['a refused connection', 'probe_connection_refused', { events: [unhealthy(refused)] }],
  ['a port that nobody declares, never ready', 'probe_misconfigured', { container: { ...READINESS, ...ports }, events: [unhealthy(refused)] }],
  ['a port that nobody declares, never ready, and no Event', 'probe_misconfigured', { container: { ...READINESS, ...ports } }],
  ['a port that nobody declares, ready before, and no Event', 'other', { since: -600, lost: -5, container: { ...READINESS, ...ports } }],
  ['a port that nobody declares, and no Event, while a replica is ready', 'other', { container: { ...READINESS, ...ports }, options: beside(READINESS) }],
  [
    'a port that nobody declares, while a replica is ready',
    'probe_connection_refused',
    { container: { ...READINESS, ...ports }, events: [unhealthy(refused)], options: beside(READINESS) },
  ],
  [
    'a port that nobody declares, while a replica with another probe is ready',
    'probe_misconfigured',
    { container: { ...READINESS, ...ports }, options: beside({ readinessProbe: { httpGet: { port: 80 } } }) },
  ],
  ['a port that is declared, never ready, and no Event', 'other', { container: { ...READINESS, ports: [{ containerPort: 8080 }] } }],
  [
    "the mesh's agent answers for the application: its port is nobody's, and right",
    'probe_connection_refused',
    { container: { ...ports, readinessProbe: { httpGet: { port: 15020, path: '/app-health/app/readyz' } } }, events: [unhealthy(refused)] },
  ],
  [
    'a port that nobody declares, ready before',
    'probe_connection_refused',
    { since: -600, lost: -5, container: { ...READINESS, ...ports }, events: [unhealthy(refused)] },
  ],
  ['404, never ready', 'probe_misconfigured', { events: [unhealthy('HTTP probe failed with statuscode: 404')] }],
  ['404, ready before', 'probe_http_status', { since: -600, lost: -5, events: [unhealthy('HTTP probe failed with statuscode: 404')] }],
  ['the latest failure', 'probe_http_status', { events: [unhealthy(refused, -20), unhealthy('HTTP probe failed with statuscode: 500')] }],
  ['not the failures of another probe', 'other', { events: [unhealthy(refused, -2, 'Liveness')] }],
  [
    'not a probe that ran into a container that was gone',
    'probe_http_status',
    { events: [unhealthy('HTTP probe failed with statuscode: 500', -20), unhealthy('rpc error: container not running (1a)')] },
  ],
];
for (const [name, cause, given] of causes) {
  test(`${name}: ${cause}`, () => {
    assert.deepEqual(
      judge(given).map((signal) => signal.cause),
      [cause],
    );
  });
}

const gates = (ready: number, containers: number, reason = 'ReadinessGatesNotReady'): Given => ({
  app: { ready: true },
  status: {
    conditions: [
      { type: 'Ready', status: 'False', reason, message: 'the status of pod readiness gate "lb" is not "True", but False', lastTransitionTime: at(ready) },
      { type: 'ContainersReady', status: 'True', lastTransitionTime: at(containers) },
      { type: 'lb', status: 'False' },
    ],
  },
});
const closed: readonly (readonly [name: string, given: Given, expected: readonly unknown[]])[] = [
  ['a gate that never opened', gates(-100, -10), [['readiness_gate', 'never_passed', atMs(20), '']]],
  ['a gate that closed again', gates(-10, -100), [['readiness_gate', 'passed_before', atMs(20), '']]],
  ['a pod marked by the node controller, whose containers stay ready', gates(-10, -100, ''), []],
];
for (const [name, given, expected] of closed) {
  test(`readiness gates: ${name}`, () => {
    assert.deepEqual(
      judge(given).map(({ cause, detail, dueTimeMs, subject }) => [cause, detail, dueTimeMs, subject.container]),
      expected,
    );
  });
}

const silent: readonly (readonly [name: string, given: Given])[] = [
  ['a ready pod', { app: { ready: true }, status: { conditions: [{ type: 'Ready', status: 'True' }] } }],
  ['a container that waits', { app: { state: { waiting: { reason: 'CrashLoopBackOff' } } } }],
  ['a container whose startup probe has not passed', { app: { started: false } }],
  ['a container without a readiness probe', { container: {} }],
  ['a pod that is deleted', { metadata: { deletionTimestamp: at(10) } }],
  ['a pod that is done', { status: { phase: 'Succeeded', conditions: conditions(-5) } }],
];
for (const [name, given] of silent) test(`says nothing of ${name}`, () => assert.deepEqual(judge(given), []));
