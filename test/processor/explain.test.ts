/** `explain` on lists as people have them: other Event versions, controllers that only their Events name, pods on their way out. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explain } from '../../processor/explain.ts';
import type { Signal } from '../../processor/scenarios/scenario.ts';

const NOW_MS = Date.parse('2026-01-15T12:01:00Z');
const signalsOf = (...items: readonly unknown[]): readonly Signal[] =>
  explain(items, NOW_MS).objects.flatMap(({ findings }) => findings.map(({ signal }) => signal));

const event = (kind: string, name: string, reason: string, message: string): Readonly<Record<string, unknown>> => ({
  kind: 'Event',
  apiVersion: 'v1',
  metadata: { name: 'e1', namespace: 'shop' },
  involvedObject: { kind, namespace: 'shop', name, uid: 'owner' },
  type: 'Warning',
  reason,
  message,
  count: 5,
  firstTimestamp: '2026-01-15T12:00:10Z',
  lastTimestamp: '2026-01-15T12:00:40Z',
});
const DENIED = 'admission webhook "validate.kyverno.svc-fail" denied the request: no team label';
const refusals: readonly (readonly [kind: string, name: string, reason: string, message: string])[] = [
  ['ReplicaSet', 'web-5d4c', 'FailedCreate', `Error creating: ${DENIED}`],
  ['DaemonSet', 'agent', 'FailedCreate', `Error creating: ${DENIED}`],
  ['StatefulSet', 'db', 'FailedCreate', `create Pod db-0 in StatefulSet db failed error: ${DENIED}`],
  ['Job', 'migrate', 'FailedCreate', `Error creating: ${DENIED}`],
  ['CronJob', 'report', 'FailedCreate', `Error creating job: ${DENIED}`],
  ['ReplicationController', 'web', 'FailedCreate', `Error creating: ${DENIED}`],
  ['CloneSet', 'web', 'FailedCreate', `failed to create pod: ${DENIED}, pod: {"spec":{}}`],
  ['Deployment', 'web', 'ReplicaSetCreateError', `Failed to create new replica set "web-5d4c": ${DENIED}`],
];
for (const [kind, name, reason, message] of refusals) {
  test(`a list that holds only the Events of a ${kind} is judged by them`, () => {
    const [signal] = signalsOf(event(kind, name, reason, message));
    assert.deepEqual([signal?.cause, signal?.subject.kind, signal?.subject.name], ['admission_denied', kind, name]);
  });
}

test('an Event that does not say which uid it is about is about the name', () => {
  const { involvedObject, ...rest } = event(...refusals[0]!);
  assert.equal(signalsOf({ ...rest, involvedObject: { ...(involvedObject as object), uid: undefined } })[0]?.subject.name, 'web-5d4c');
});

test('a refusal of long ago is over where nothing but its Event tells of it', () => {
  const old = { ...event('ReplicationController', 'web', 'FailedCreate', `Error creating: ${DENIED}`), lastTimestamp: '2026-01-15T11:30:00Z' };
  assert.deepEqual(
    signalsOf(
      { ...old, firstTimestamp: old.lastTimestamp },
      { kind: 'Pod', metadata: { name: 'p', namespace: 'shop', creationTimestamp: '2026-01-15T12:00:59Z' } },
    ).filter(({ cause }) => cause === 'admission_denied'),
    [],
  );
});

test('Events of events.k8s.io are read under their names', () => {
  const { involvedObject, message, firstTimestamp, lastTimestamp, count, ...rest } = event(...refusals[4]!);
  const times = { deprecatedFirstTimestamp: firstTimestamp, deprecatedLastTimestamp: lastTimestamp, deprecatedCount: count };
  const [signal] = signalsOf({
    ...rest,
    apiVersion: 'events.k8s.io/v1',
    regarding: involvedObject,
    note: message,
    reportingController: 'cronjob-controller',
    ...times,
  });
  assert.match(signal?.summary ?? '', /^CronJob shop\/report: Jobs are not created: admission denied it: admission webhook/);
  assert.match(signal?.evidence[0]?.value ?? '', /\(5 times\)$/);
});

const unscheduled = (createdAt: string, events: readonly unknown[] = []): readonly unknown[] => [
  {
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: { name: 'web', namespace: 'shop', uid: 'owner', creationTimestamp: createdAt },
    spec: { schedulerName: 'volcano', containers: [{ name: 'app', image: 'a:1' }] },
    status: { phase: 'Pending' },
  },
  ...events,
];
const readingOf = (items: readonly unknown[]): readonly unknown[] =>
  explain(items, NOW_MS).objects.flatMap(({ findings }) => findings.map(({ signal, starting }) => [signal.cause, starting]));

test('a pod that no scheduler has looked at is starting for its first minute', () => {
  assert.deepEqual(readingOf(unscheduled('2026-01-15T12:00:01Z')), [['scheduler_absent', true]]);
  assert.deepEqual(readingOf(unscheduled('2026-01-15T12:00:00Z')), [['scheduler_absent', false]]);
});

test('a pod that does not fit is starting while nodes are added for it, for ten minutes, and fails at once without', () => {
  const failed = event('Pod', 'web', 'FailedScheduling', '0/3 nodes are available: 3 Insufficient cpu.');
  const added = { ...event('Pod', 'web', 'TriggeredScaleUp', 'pod triggered scale-up: [{pool 3->4 (max: 9)}]'), metadata: { name: 'e2', namespace: 'shop' } };
  assert.deepEqual(readingOf(unscheduled('2026-01-15T12:00:10Z', [failed])), [['insufficient_resources', false]]);
  assert.deepEqual(readingOf(unscheduled('2026-01-15T12:00:10Z', [failed, added])), [['insufficient_resources', true]]);
  const old = { ...failed, firstTimestamp: '2026-01-15T11:51:00Z' };
  assert.deepEqual(readingOf(unscheduled('2026-01-15T11:50:00Z', [old, added])), [['insufficient_resources', false]]);
});

const waiting = unscheduled('2026-01-15T12:00:00Z');
const SECOND = 1_000;
const times: readonly (readonly [name: string, nowMs: number, time: Parameters<typeof explain>[2], expectedMs: number])[] = [
  ['a live list, now', NOW_MS, {}, NOW_MS],
  ['ten minutes after its newest time it is still live', NOW_MS + 540 * SECOND, {}, NOW_MS + 540 * SECOND],
  ['later it was saved, at its newest time', NOW_MS + 541 * SECOND, {}, NOW_MS - 60 * SECOND],
  ['a file is no younger than when it was written', NOW_MS + 9_000 * SECOND, { latestMs: NOW_MS }, NOW_MS],
  ['a file that was written long after says nothing', NOW_MS + 9_000 * SECOND, { latestMs: NOW_MS + 8_000 * SECOND }, NOW_MS - 60 * SECOND],
  ['a file is no older than what it holds', NOW_MS + 9_000 * SECOND, { latestMs: 0 }, NOW_MS - 60 * SECOND],
  ['as one says', NOW_MS + 9_000 * SECOND, { exactMs: NOW_MS + 300 * SECOND }, NOW_MS + 300 * SECOND],
];
for (const [name, nowMs, time, expectedMs] of times) {
  test(`a list is judged: ${name}`, () => assert.equal(explain(waiting, nowMs, time).atMs, expectedMs));
}

test('the end of a grace period that lies ahead is not when a saved list was taken', () => {
  const [item] = waiting as readonly { readonly metadata: object }[];
  const leaving = { ...item, metadata: { ...item?.metadata, deletionTimestamp: '2026-01-15T13:00:00Z' } };
  assert.equal(explain([leaving], NOW_MS + 9_000 * SECOND).atMs, NOW_MS - 60 * SECOND);
});

const pod = (metadata: object, status: object, spec: object = {}): unknown => ({
  kind: 'Pod',
  metadata: { name: 'web', namespace: 'shop', creationTimestamp: '2025-06-01T08:00:00Z', ...metadata },
  spec: { nodeName: 'node-a', containers: [{ name: 'app', image: 'web:1' }], ...spec },
  status: { phase: 'Running', ...status },
});
const verdicts = (...items: readonly unknown[]): readonly string[] =>
  explain(items, NOW_MS).objects.flatMap(({ findings }) => findings.map(({ signal, starting }) => `${starting ? 'starting ' : ''}${signal.cause}`));
const ended = { containerStatuses: [{ name: 'app', state: { terminated: { exitCode: 0, reason: 'Completed', finishedAt: '2025-06-01T09:00:00Z' } } }] };
const started = { involvedObject: { kind: 'Pod', namespace: 'shop', name: 'web', fieldPath: 'spec.initContainers{wait}' }, type: 'Normal' };
const waits = pod(
  {},
  { phase: 'Pending', initContainerStatuses: [{ name: 'wait', state: { running: { startedAt: '2025-06-01T08:00:05Z' } } }] },
  { initContainers: [{ name: 'wait', image: 'web:1' }] },
);

test('a wait that a saved list ends with has lasted', () => {
  const deleted = { deletionTimestamp: '2025-06-01T09:00:30Z', deletionGracePeriodSeconds: 0, finalizers: ['example.com/cleanup'] };
  assert.deepEqual(verdicts(pod(deleted, { phase: 'Succeeded', ...ended })), ['finalizer']);
  assert.deepEqual(verdicts(waits), ['init_stuck']);
  const gated = [
    { type: 'Ready', status: 'False', reason: 'ReadinessGatesNotReady', lastTransitionTime: '2025-06-01T08:00:10Z' },
    { type: 'ContainersReady', status: 'True', lastTransitionTime: '2025-06-01T08:00:10Z' },
  ];
  assert.deepEqual(verdicts(pod({}, { conditions: gated })), ['readiness_gate']);
});

test('a wait of which a saved list tells later times had lasted only so long', () => {
  const later = { ...event('Pod', 'web', 'Started', 'Started container wait'), ...started, lastTimestamp: '2025-06-01T08:01:00Z' };
  assert.deepEqual(verdicts(waits, { ...later, firstTimestamp: later.lastTimestamp }), ['starting init_stuck']);
});

test('a container that is being killed in a saved list is in its grace, and one whose end is still to come is so in any', () => {
  const running = { containerStatuses: [{ name: 'app', state: { running: { startedAt: '2025-06-01T08:00:05Z' } } }] };
  const killing = {
    ...event('Pod', 'web', 'Killing', 'Stopping container app'),
    involvedObject: { kind: 'Pod', namespace: 'shop', name: 'web' },
    firstTimestamp: '2025-06-01T09:00:00Z',
    lastTimestamp: '2025-06-01T09:00:00Z',
  };
  assert.deepEqual(verdicts(pod({ deletionTimestamp: '2025-06-01T09:00:30Z', deletionGracePeriodSeconds: 30 }, running), killing), ['starting kill_failed']);
  assert.deepEqual(verdicts(pod({ deletionTimestamp: '2025-06-01T09:00:30Z', deletionGracePeriodSeconds: 30 }, running)), ['kill_failed']);
  assert.deepEqual(verdicts(pod({ deletionTimestamp: '2026-01-15T12:01:20Z', deletionGracePeriodSeconds: 30 }, running)), ['starting kill_failed']);
});

test('an Event of a node that is not in the list explains its pods, whichever uid it gives the node', () => {
  const oom = { terminated: { exitCode: 137, reason: 'OOMKilled', startedAt: '2026-01-15T11:00:00Z', finishedAt: '2026-01-15T12:00:30Z' } };
  const killed = pod(
    {},
    { containerStatuses: [{ name: 'app', restartCount: 1, state: { running: { startedAt: '2026-01-15T12:00:31Z' } }, lastState: oom }] },
    { containers: [{ name: 'app', image: 'web:1', resources: { limits: { memory: '8Gi' } } }] },
  );
  const system = event('Node', 'node-a', 'SystemOOM', 'System OOM encountered, victim process: java, pid: 31337');
  const other = event('Node', 'node-b', 'SystemOOM', 'System OOM encountered, victim process: java, pid: 31337');
  assert.deepEqual([verdicts(killed, system), verdicts(killed, other)], [['node_memory'], ['container_limit']]);
});

test('what is within its grace is told as that, and as too long only when it is', () => {
  const init = (startedAt: string) => ({
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: { name: 'web', namespace: 'shop', uid: 'owner' },
    spec: { nodeName: 'n1', initContainers: [{ name: 'prep', image: 'a:1' }], containers: [{ name: 'app', image: 'a:1' }] },
    status: { phase: 'Pending', initContainerStatuses: [{ name: 'prep', image: 'a:1', ready: false, restartCount: 0, state: { running: { startedAt } } }] },
  });
  const leaving = (deletionTimestamp: string) => ({
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: { name: 'web', namespace: 'shop', uid: 'owner', deletionTimestamp, deletionGracePeriodSeconds: 30 },
    spec: { nodeName: 'n1', containers: [{ name: 'app', image: 'a:1' }] },
    status: {
      phase: 'Running',
      containerStatuses: [{ name: 'app', image: 'a:1', ready: true, restartCount: 0, state: { running: { startedAt: '2026-01-15T11:00:00Z' } } }],
    },
  });
  const said = (item: unknown): string => signalsOf(item)[0]?.summary ?? '';
  assert.equal(said(init('2026-01-15T11:59:00Z')), 'init container prep of Pod shop/web has been running for 2 min, of 5 min that it may take');
  assert.equal(said(init('2026-01-15T11:56:00Z')), 'init container prep of Pod shop/web has been running for more than 5 min');
  assert.equal(said(leaving('2026-01-15T12:01:20Z')), 'Pod shop/web is being deleted: container app still runs');
  assert.equal(said(leaving('2026-01-15T12:00:30Z')), 'Pod shop/web is being deleted: container app still runs after its grace period');
  assert.equal(said(leaving('2026-01-15T12:00:00Z')), 'Pod shop/web does not go away: container app still runs after its grace period');
});

test('a pod that was trimmed of its node, its age and its uid is on a node by what the kubelet says of it', () => {
  const mount = { ...event('Pod', 'web', 'FailedMount', 'MountVolume.SetUp failed for volume "c" : secret "tls" not found'), source: { component: 'kubelet' } };
  const waiting = { containerStatuses: [{ name: 'app', state: { waiting: { reason: 'ContainerCreating' } } }] };
  const bare = (status: object): unknown => ({ kind: 'Pod', metadata: { name: 'web', namespace: 'shop' }, spec: { containers: [{ name: 'app' }] }, status });
  assert.deepEqual(verdicts(bare({ phase: 'Pending', ...waiting }), mount), ['missing_secret']);
  assert.deepEqual(verdicts(bare({ phase: 'Pending' }), mount), ['missing_secret']);
  assert.deepEqual(verdicts(bare({ phase: 'Pending', ...waiting })), ['starting other']);
  assert.deepEqual(verdicts(bare({ phase: 'Pending' })), ['starting scheduler_absent']);
  assert.deepEqual(verdicts(bare({ phase: 'Failed', reason: 'Evicted', message: 'The node was low on resource: inodes. ' })), ['disk_pressure']);
});
