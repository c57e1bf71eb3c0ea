import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerStatus, Pod } from '../../../collector/objects.ts';
import { containerCreateFailure } from '../../../processor/scenarios/container-create-failure.ts';
import { dependencyError } from '../../../processor/scenarios/dependency-error.ts';
import type { SeenEvent, Signal } from '../../../processor/scenarios/scenario.ts';
import type { PodOptions, PodViewOptions } from '../../helpers/view.ts';
import { at, atMs, containerStatus, finishedRun, object, pod, podView, seenEvent, webDeployment } from '../../helpers/view.ts';

/** A pod whose containers wait for the pod, as they do while volumes and sandbox are set up. */
function starting(options: PodOptions = {}): Pod {
  const { status, ...rest } = options;
  return pod({
    ...rest,
    app: { state: { waiting: { reason: 'ContainerCreating' } }, ready: false, started: false, ...options.app },
    status: { phase: 'Pending', startTime: at(-90), ...status },
  });
}
const waiting = (reason: string, message: string, more: Partial<ContainerStatus> = {}): PodOptions => ({
  app: { state: { waiting: { reason, message } }, ...more },
});
const podEvent = (reason: string, note: string, more: Partial<SeenEvent> & { readonly first?: number; readonly last?: number } = {}): SeenEvent =>
  seenEvent({ reason, note, fieldPath: '', uid: `${reason}-${note}`, first: -80, last: -5, ...more });
const MOUNT = podEvent('FailedMount', 'MountVolume.SetUp failed for volume "v" : configmap "absent" not found');
const SUMMARY = podEvent(
  'FailedMount',
  'Unable to attach or mount volumes: unmounted volumes=[v], unattached volumes=[]: timed out waiting for the condition',
  { last: -2 },
);
const UNREGISTERED = 'MountVolume.SetUp failed for volume "kube-api-access-4" : object "shop"/"kube-root-ca.crt" not registered';
const SANDBOX = podEvent(
  'FailedCreatePodSandBox',
  'Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox "a": plugin type="calico" failed (add)',
);

function judge(subject: Pod, options: PodViewOptions = {}): readonly Signal[] {
  const view = podView(subject, { objects: webDeployment(), ...options });
  return [...(dependencyError.pod?.(view) ?? []), ...(containerCreateFailure.pod?.(view) ?? [])];
}

interface Case {
  readonly name: string;
  readonly pod: Pod;
  readonly events?: readonly SeenEvent[];
  /** scenario/cause of each signal. */
  readonly says: readonly string[];
}
const NOT_FOUND =
  'failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: "x": executable file not found in $PATH: unknown';
const startError = { terminated: { exitCode: 128, reason: 'StartError', message: NOT_FOUND, startedAt: '1970-01-01T00:00:00Z', finishedAt: at(-10) } };

const cases: readonly Case[] = [
  { name: 'a missing ConfigMap of a volume, which no status shows', pod: starting(), events: [MOUNT], says: ['dependency_error/missing_configmap'] },
  { name: 'a cause beats the summary that comes after it', pod: starting(), events: [MOUNT, SUMMARY], says: ['dependency_error/missing_configmap'] },
  {
    name: 'a sandbox that fails once the volumes are mounted, whatever a mount said before',
    pod: starting(),
    events: [{ ...MOUNT, lastTimeMs: atMs(-40) }, SANDBOX],
    says: ['container_create_failure/sandbox_failed'],
  },
  {
    name: 'a mount that fails after the sandbox did',
    pod: starting(),
    events: [MOUNT, { ...SANDBOX, lastTimeMs: atMs(-40) }],
    says: ['dependency_error/missing_configmap'],
  },
  { name: 'the summary alone is still a failed mount', pod: starting(), events: [SUMMARY], says: ['dependency_error/mount_failed'] },
  {
    name: 'a message that replaced others in place',
    pod: starting(),
    events: [{ ...MOUNT, note: `(combined from similar events): ${MOUNT.note}` }],
    says: ['dependency_error/missing_configmap'],
  },
  {
    name: 'a missing ConfigMap of the environment',
    pod: starting(waiting('CreateContainerConfigError', 'configmap "late" not found')),
    says: ['dependency_error/missing_configmap'],
  },
  {
    name: 'the token of a ServiceAccount that is gone',
    pod: starting(),
    events: [podEvent('FailedMount', 'MountVolume.SetUp failed for volume "kube-api-access-x" : failed to fetch token: serviceaccounts "b" not found')],
    says: ['container_create_failure/missing_service_account'],
  },
  { name: 'a sandbox that cannot be set up', pod: starting(), events: [SANDBOX], says: ['container_create_failure/sandbox_failed'] },
  { name: 'volumes come before the sandbox', pod: starting(), events: [SANDBOX, MOUNT], says: ['dependency_error/missing_configmap'] },
  { name: 'a command that containerd cannot find', pod: starting(waiting('RunContainerError', NOT_FOUND)), says: ['container_create_failure/bad_command'] },
  {
    name: 'the same while it backs off',
    pod: starting(waiting('CrashLoopBackOff', 'back-off 10s', { lastState: startError, restartCount: 2 })),
    says: ['container_create_failure/bad_command'],
  },
  {
    name: 'the same as Docker says it',
    pod: starting(
      waiting('CrashLoopBackOff', 'back-off 10s', { lastState: { terminated: { ...startError.terminated, reason: 'ContainerCannotRun', exitCode: 127 } } }),
    ),
    says: ['container_create_failure/bad_command'],
  },
  {
    name: 'the same as CRI-O says it, without any exit',
    pod: starting(waiting('CreateContainerError', 'container create failed: executable file `x` not found in $PATH: No such file or directory')),
    says: ['container_create_failure/bad_command'],
  },
  {
    name: 'a status that lost its message still has the Event',
    pod: starting(waiting('CreateContainerError', '')),
    events: [seenEvent({ reason: 'Failed', note: 'Error: secret "db" not found' }), seenEvent({ reason: 'Failed', note: `Error: ${NOT_FOUND}` })],
    says: ['container_create_failure/bad_command'],
  },
  {
    name: 'an init container',
    pod: starting({
      status: {
        phase: 'Pending',
        initContainerStatuses: [
          containerStatus({ name: 'setup', state: { waiting: { reason: 'CreateContainerConfigError', message: 'secret "db" not found' } } }),
        ],
      },
    }),
    says: ['dependency_error/missing_secret'],
  },
  {
    name: 'the container takes over once volumes and sandbox are done',
    pod: starting(waiting('CreateContainerConfigError', 'secret "db" not found')),
    events: [MOUNT],
    says: ['dependency_error/missing_secret'],
  },
  {
    name: 'nothing when the kubelet got further since',
    pod: starting(),
    events: [{ ...MOUNT, lastTimeMs: atMs(-20) }, seenEvent({ reason: 'Pulling', type: 'Normal', last: -10 })],
    says: [],
  },
  {
    name: 'nothing once the sandbox is up',
    pod: starting({ status: { phase: 'Pending', conditions: [{ type: 'PodReadyToStartContainers', status: 'True' }] } }),
    events: [MOUNT],
    says: [],
  },
  { name: 'nothing for a running pod whose ConfigMap vanished', pod: pod(), events: [MOUNT], says: [] },
  {
    name: 'nothing for objects that are not registered yet',
    pod: starting(),
    events: [podEvent('FailedMount', UNREGISTERED, { first: -64 })],
    says: [],
  },
  {
    name: 'a kubelet that does not come to know the objects of its pod within a minute',
    pod: starting(),
    events: [podEvent('FailedMount', UNREGISTERED, { first: -65 })],
    says: ['dependency_error/mount_failed'],
  },
  { name: 'nothing for a pod that is being deleted', pod: starting({ metadata: { deletionTimestamp: at(10) } }), events: [MOUNT], says: [] },
  { name: 'nothing for a pod that is not bound', pod: starting({ spec: { nodeName: undefined } }), events: [MOUNT], says: [] },
  {
    name: 'nothing for a crash loop: it did start',
    pod: starting(waiting('CrashLoopBackOff', 'back-off 10s', { lastState: { terminated: { exitCode: 1, reason: 'Error', finishedAt: at(-10) } } })),
    says: [],
  },
  { name: 'nothing for an image that cannot be pulled', pod: starting(waiting('ImagePullBackOff', 'Back-off pulling image "x"')), says: [] },
  { name: 'nothing for a slow start', pod: starting(), says: [] },
  {
    name: 'nothing when the volume was attached in the end',
    pod: starting(),
    events: [
      podEvent('FailedAttachVolume', 'Multi-Attach error for volume "pvc-1" Volume is already exclusively attached to one node', {
        component: 'attachdetach-controller',
        last: -30,
      }),
      podEvent('SuccessfulAttachVolume', 'AttachVolume.Attach succeeded for volume "pvc-1"', {
        type: 'Normal',
        component: 'attachdetach-controller',
        last: -10,
      }),
    ],
    says: [],
  },
];
for (const { name, pod: subject, events, says } of cases) {
  test(`start: ${name}`, () =>
    assert.deepEqual(
      judge(subject, { events }).map(({ scenario, cause }) => `${scenario}/${cause}`),
      says,
    ));
}

test('a dependency is due 60 s after the first failing attempt, a creation alike', () => {
  assert.equal(judge(starting(), { events: [MOUNT] })[0]?.dueTimeMs, atMs(-80 + 60));
  assert.equal(judge(starting(), { events: [SANDBOX], thresholds: { createMs: 5_000 } })[0]?.dueTimeMs, atMs(-80 + 5));
});

test('a waiting error is dated by when the container began to wait for it', () => {
  const [signal] = judge(starting(waiting('CreateContainerConfigError', 'secret "db" not found')), {
    history: { app: { waiting: { reason: 'CreateContainerConfigError', sinceMs: atMs(-40) } } },
  });
  assert.equal(signal?.dueTimeMs, atMs(-40 + 60));
});

test('attempts that alternate with back-off are dated by the first of them', () => {
  const runs = [-100, -80, -40].map((endedAt) => finishedRun({ endedAt, lasted: 0, reason: 'StartError', exitCode: 128, startedTimeMs: 0 }));
  const [signal] = judge(starting(waiting('CrashLoopBackOff', 'back-off', { lastState: startError })), { history: { app: { runs } } });
  assert.equal(signal?.fact.timeMs, atMs(-100));
});

test('attempts before the container last ran do not count', () => {
  const runs = [
    finishedRun({ endedAt: -500, lasted: 0, reason: 'StartError', startedTimeMs: 0 }),
    finishedRun({ endedAt: -100, lasted: 300 }),
    finishedRun({ endedAt: -30, lasted: 0, reason: 'StartError', startedTimeMs: 0 }),
  ];
  const [signal] = judge(starting(waiting('CrashLoopBackOff', 'back-off', { lastState: startError })), { history: { app: { runs } } });
  assert.equal(signal?.fact.timeMs, atMs(-30));
});

test('a dependency is about the workload, a container that cannot be created about the container', () => {
  const subject = { kind: 'Deployment', namespace: 'shop', name: 'web' };
  assert.deepEqual(judge(starting(), { events: [MOUNT] })[0]?.subject, { ...subject, container: '' });
  assert.deepEqual(judge(starting(waiting('RunContainerError', NOT_FOUND)))[0]?.subject, { ...subject, container: 'app' });
});

test('the claim behind a volume is what workloads may share, whether the Event names the volume or the PersistentVolume', () => {
  const uses: PodOptions = { spec: { volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'orders' } }] } };
  const claim = object('PersistentVolumeClaim', { name: 'orders' }, { spec: { volumeName: 'pvc-1' }, status: { phase: 'Bound' } });
  for (const volume of ['data', 'pvc-1']) {
    const events = [podEvent('FailedMount', `MountVolume.MountDevice failed for volume "${volume}" : rpc error: code = Internal desc = x`)];
    assert.deepEqual(judge(starting(uses), { events, objects: [...webDeployment(), claim] })[0]?.shared, { claim: 'shop/orders' });
  }
});

test('a pod that ended by it is due at once', () => {
  const ended = pod({ spec: { restartPolicy: 'Never' }, status: { phase: 'Failed' }, app: { state: startError, ready: false } });
  const [signal] = judge(ended);
  assert.equal(signal?.cause, 'bad_command');
  assert.equal(signal?.dueTimeMs, signal?.fact.timeMs);
});

test('the kubelet refuses for security: at once, about the workload, until a successor is ready', () => {
  const refused = pod({
    status: { phase: 'Failed', reason: 'SysctlForbidden', message: 'Pod was rejected: forbidden sysctl: "net.x"', startTime: at(-20), containerStatuses: [] },
  });
  const [signal] = judge(refused);
  assert.deepEqual([signal?.cause, signal?.dueTimeMs], ['security_policy', atMs(-20)]);
  const successor = pod({ metadata: { name: 'web-2', uid: 'web-2', creationTimestamp: at(-15) }, status: { conditions: [{ type: 'Ready', status: 'True' }] } });
  assert.deepEqual(judge(refused, { objects: [...webDeployment(), successor] }), []);
});
