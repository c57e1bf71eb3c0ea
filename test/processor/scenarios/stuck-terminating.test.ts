import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerStatus, Pod, ProjectedObject } from '../../../collector/objects.ts';
import type { SeenEvent, Signal } from '../../../processor/scenarios/scenario.ts';
import { stuckTerminating } from '../../../processor/scenarios/stuck-terminating.ts';
import type { PodOptions } from '../../helpers/view.ts';
import { at, atMs, node, object, pod, podView, seenEvent } from '../../helpers/view.ts';

/** Deletion was asked for with a grace of 30 s; the timestamp includes it. */
function deleting(options: PodOptions = {}): Pod {
  return pod({ ...options, metadata: { deletionTimestamp: at(-10), deletionGracePeriodSeconds: 30, ...options.metadata } });
}
const ended: Partial<ContainerStatus> = { state: { terminated: { exitCode: 0, reason: 'Completed', finishedAt: at(-38) } }, ready: false };
const down = node({ status: { conditions: [{ type: 'Ready', status: 'Unknown', message: 'Kubelet stopped posting node status.' }] } });
const judge = (
  subject: Pod,
  options: { readonly objects?: readonly ProjectedObject[]; readonly events?: readonly SeenEvent[]; readonly notInSync?: readonly 'nodes'[] } = {},
): readonly Signal[] => stuckTerminating.pod?.(podView(subject, { objects: [node()], ...options })) ?? [];

interface Case {
  readonly name: string;
  readonly pod: Pod;
  readonly objects?: readonly ProjectedObject[];
  readonly events?: readonly SeenEvent[];
  readonly notInSync?: readonly 'nodes'[];
  readonly cause: string;
  readonly confidence?: string;
}
const killError =
  'error killing pod: failed to "KillContainer" for "app" with KillContainerError: "rpc error: code = DeadlineExceeded desc = an error occurs during waiting for container to be killed"';
const volumes: PodOptions = { spec: { volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'orders' } }] } };
const claim = object('PersistentVolumeClaim', { name: 'orders' }, { spec: { volumeName: 'pvc-1' }, status: { phase: 'Bound' } });

const cases: readonly Case[] = [
  {
    name: 'a finalizer is left after all containers ended',
    pod: deleting({ metadata: { finalizers: ['lab.example/hold'] }, app: ended }),
    cause: 'finalizer',
    confidence: 'certain',
  },
  {
    name: 'a finalizer on a pod that was never bound',
    pod: deleting({
      metadata: { finalizers: ['batch.kubernetes.io/job-tracking'] },
      spec: { nodeName: undefined },
      status: { phase: 'Pending', containerStatuses: [] },
    }),
    cause: 'finalizer',
  },
  {
    name: 'a finalizer on a lost node, its containers ended before',
    pod: deleting({ metadata: { finalizers: ['x/y'] }, app: ended }),
    objects: [down],
    cause: 'finalizer',
  },
  {
    name: 'a lost node that never said a word of the pod',
    pod: deleting({ status: { phase: 'Pending', containerStatuses: [] } }),
    objects: [down],
    cause: 'node_failure',
  },
  {
    name: 'a container still runs: the finalizer waits for that',
    pod: deleting({ metadata: { finalizers: ['x/y'] } }),
    cause: 'kill_failed',
    confidence: 'likely',
  },
  {
    name: 'the runtime cannot kill it, and says so',
    pod: deleting(),
    events: [seenEvent({ reason: 'FailedKillPod', note: killError, fieldPath: '' })],
    cause: 'kill_failed',
    confidence: 'certain',
  },
  {
    name: 'the sandbox cannot be torn down',
    pod: deleting({ app: ended }),
    events: [
      seenEvent({
        reason: 'FailedKillPod',
        note: 'error killing pod: failed to "KillPodSandbox" for "x" with KillPodSandboxError: plugin type="calico" failed (delete)',
        fieldPath: '',
      }),
    ],
    cause: 'kill_failed',
  },
  ...[
    { name: 'the sandbox cannot be torn down: the finalizers wait for that', phase: 'Running', last: -60, cause: 'kill_failed' },
    { name: 'the sandbox could not be torn down at first', phase: 'Running', last: -301, cause: 'finalizer' },
    { name: 'the kubelet is done with it, whatever it said before', phase: 'Succeeded', last: -60, cause: 'finalizer' },
  ].map(({ name, phase, last, cause }) => ({
    name,
    pod: deleting({ metadata: { finalizers: ['x/y'] }, status: { phase }, app: ended }),
    events: [seenEvent({ reason: 'FailedKillPod', note: 'failed to "KillPodSandbox"', fieldPath: '', first: -400, last })],
    cause,
  })),
  { name: 'the node is not ready', pod: deleting(), objects: [down], cause: 'node_failure', confidence: 'certain' },
  { name: 'the node is gone', pod: deleting(), objects: [], cause: 'node_failure' },
  {
    name: 'nodes may not be read, but the node controller left its mark',
    pod: deleting({
      status: {
        phase: 'Running',
        conditions: [
          { type: 'Ready', status: 'False' },
          { type: 'ContainersReady', status: 'True' },
        ],
      },
    }),
    objects: [],
    notInSync: ['nodes'],
    cause: 'node_failure',
    confidence: 'likely',
  },
  { name: 'nodes may not be read and nothing is known of it', pod: deleting(), objects: [], notInSync: ['nodes'], cause: 'kill_failed' },
  {
    name: 'the node still uses the volume',
    pod: deleting({ ...volumes, app: ended }),
    objects: [node({ status: { volumesInUse: ['kubernetes.io/csi/ebs.csi.aws.com^vol-1 pvc-1'] } }), claim],
    cause: 'volume_detach',
    confidence: 'certain',
  },
  { name: 'all containers ended and only volumes can be left', pod: deleting({ ...volumes, app: ended }), cause: 'volume_detach', confidence: 'likely' },
  { name: 'nothing that shows is left', pod: deleting({ app: ended }), cause: 'other' },
  {
    name: 'the kubelet is inside an image pull',
    pod: deleting({ app: { state: { waiting: { reason: 'ContainerCreating' } } } }),
    events: [seenEvent({ reason: 'Pulling', type: 'Normal', note: 'Pulling image "x"' })],
    cause: 'other',
  },
];
for (const { name, pod: subject, cause, confidence, ...options } of cases) {
  test(`terminating: ${name}`, () => {
    const signals = judge(subject, options);
    assert.deepEqual(
      signals.map((signal) => signal.cause),
      [cause],
    );
    if (confidence !== undefined) assert.equal(signals[0]?.confidence, confidence);
    assert.equal(signals[0]?.dueTimeMs, atMs(-10 + 60), '60 s past the deletion timestamp, its grace included');
  });
}

test('a pod that nobody deletes is not stuck', () => assert.deepEqual(judge(pod({ metadata: { finalizers: ['x/y'] }, app: ended })), []));

test('the claim in use is what workloads may share', () => {
  const [signal] = judge(deleting({ ...volumes, app: ended }), { objects: [node({ status: { volumesInUse: ['x^pvc-1'] } }), claim] });
  assert.deepEqual(signal?.shared, { claim: 'shop/orders' });
});

/** Killed so many seconds after the deletion was asked for, with so much grace. */
function killed(
  after: number,
  grace: number,
  options: PodOptions = {},
  end: Partial<NonNullable<NonNullable<ContainerStatus['state']>['terminated']>> = {},
): Pod {
  const state = { terminated: { exitCode: 137, reason: 'Error', finishedAt: at(-200 + after), ...end } };
  return pod({
    ...options,
    metadata: { deletionTimestamp: at(-200 + grace), deletionGracePeriodSeconds: grace, ...options.metadata },
    spec: { terminationGracePeriodSeconds: grace, ...options.spec },
    app: { state, ready: false },
  });
}
const ignoredBy = (subject: Pod, events: readonly SeenEvent[] = []): readonly Signal[] =>
  judge(subject, { events }).filter(({ cause }) => cause === 'ignored_signal');

test('a whole grace of 60 s and SIGKILL at its end: at once, about the container', () => {
  const [signal] = ignoredBy(killed(60, 60));
  assert.equal(signal?.dueTimeMs, atMs(-140));
  assert.equal(signal?.subject.container, 'app');
  assert.equal(signal?.confidence, 'certain');
  assert.match(signal?.summary ?? '', /ignored SIGTERM for its whole grace of 1 min/);
});
test('at the very end only the Killing Event dates the request', () => {
  const last: PodOptions = { metadata: { deletionTimestamp: at(-140), deletionGracePeriodSeconds: 0 } };
  assert.equal(
    ignoredBy(killed(60, 60, last), [seenEvent({ reason: 'Killing', type: 'Normal', note: 'Stopping container app', first: -200, last: -200 })]).length,
    1,
  );
  assert.deepEqual(ignoredBy(killed(60, 60, last)), []);
});
const heeded: readonly { readonly name: string; readonly pod: Pod; readonly events?: readonly SeenEvent[] }[] = [
  { name: 'a grace of 59 s is used up', pod: killed(59, 59) },
  { name: 'it ended before the grace did', pod: killed(40, 60) },
  { name: 'it ended by itself at the end of the grace', pod: killed(60, 60, {}, { exitCode: 0, reason: 'Completed' }) },
  { name: 'it heeded SIGTERM at the end of the grace', pod: killed(60, 60, {}, { exitCode: 143 }) },
  { name: 'it ran out of memory', pod: killed(60, 60, {}, { reason: 'OOMKilled' }) },
  { name: 'the kubelet made the code up', pod: killed(60, 60, {}, { reason: 'ContainerStatusUnknown' }) },
  { name: 'the node was away for long', pod: killed(600, 60) },
  {
    name: 'its preStop hook failed, which is another story',
    pod: killed(60, 60),
    events: [seenEvent({ reason: 'FailedPreStopHook', note: 'PreStopHook failed' })],
  },
];
for (const { name, pod: subject, events } of heeded) test(`no signal was ignored: ${name}`, () => assert.deepEqual(ignoredBy(subject, events), []));
test('a preStop hook may have used the grace: likely only', () => {
  assert.equal(
    ignoredBy({ ...killed(60, 60), spec: { ...killed(60, 60).spec, containers: [{ name: 'app', lifecycle: { preStop: { sleep: { seconds: 5 } } } }] } })[0]
      ?.confidence,
    'likely',
  );
});
