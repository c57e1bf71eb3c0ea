import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Container, ContainerStatus, Node, Pod } from '../../../collector/objects.ts';
import { oomKilled } from '../../../processor/scenarios/oom-killed.ts';
import type { Signal } from '../../../processor/scenarios/scenario.ts';
import { at, atMs, containerStatus, node, pod, podView, seenEvent } from '../../helpers/view.ts';

const killed = (endedAt: number, exitCode = 137, reason = 'OOMKilled'): ContainerStatus['state'] => ({
  terminated: { exitCode, reason, startedAt: at(endedAt - 60), finishedAt: at(endedAt) },
});
const limit: Partial<Container> = { resources: { limits: { memory: '64Mi' } } };
const victim = (container: Partial<Container> = limit, app: Partial<ContainerStatus> = {}): Pod =>
  pod({ container, app: { state: { running: { startedAt: at(-9) } }, lastState: killed(-10), restartCount: 1, ...app } });
const judge = (subject: Pod, options: Parameters<typeof podView>[1] = {}): readonly Signal[] =>
  oomKilled.pod?.(podView(subject, { objects: [node()], ...options })) ?? [];

/** A pod of another workload on the same node, with a container that was OOM-killed. */
const fellow = (name: string, endedAt: number, owner = name): Pod =>
  pod({
    metadata: { name, uid: `pod-${name}`, ownerReferences: [{ kind: 'StatefulSet', name: owner, uid: `sts-${owner}`, controller: true }] },
    app: { lastState: killed(endedAt) },
  });
const pressed = (since: number): Node => node({ status: { conditions: [{ type: 'MemoryPressure', status: 'True', lastTransitionTime: at(since) }] } });
const systemOom = (last: number) => ({ 'node-a': [seenEvent({ reason: 'SystemOOM', note: 'System OOM encountered, victim process: java, pid: 7', last })] });

const causes: readonly (readonly [name: string, cause: string, detail: string, confidence: string, subject: Pod, options?: Parameters<typeof podView>[1]])[] = [
  ['with a limit and a quiet node', 'container_limit', '', 'certain', victim()],
  ['without a limit', 'node_memory', '', 'likely', victim({})],
  [
    'with a limit on the pod alone',
    'container_limit',
    '',
    'certain',
    pod({ spec: { resources: { limits: { memory: '128Mi' } } }, app: { state: { running: { startedAt: at(-9) } }, lastState: killed(-10), restartCount: 1 } }),
  ],
  ['while the node ran out of memory', 'node_memory', '', 'likely', victim(), { otherEvents: systemOom(-60) }],
  ['without a limit while the node ran out of memory', 'node_memory', '', 'certain', victim({}), { otherEvents: systemOom(-60) }],
  ['long after the node ran out of memory', 'container_limit', '', 'certain', victim(), { otherEvents: systemOom(-71) }],
  ['under memory pressure', 'node_memory', '', 'likely', victim(), { objects: [pressed(-30)] }],
  ['before memory pressure began', 'container_limit', '', 'certain', victim(), { objects: [pressed(51)] }],
  ['together with two other workloads', 'node_memory', '', 'likely', victim(), { objects: [node(), fellow('db', -12), fellow('cache', -5)] }],
  ['together with one other workload', 'container_limit', '', 'certain', victim(), { objects: [node(), fellow('db', -12)] }],
  ['with others killed at other times', 'container_limit', '', 'certain', victim(), { objects: [node(), fellow('db', -21), fellow('cache', 1)] }],
  ['another exit code of which OOMKilled is the reason', 'container_limit', 'child_process', 'likely', victim(limit, { lastState: killed(-10, 1) })],
  [
    'with a limit lower than that of an older pod',
    'container_limit',
    'limit_lowered',
    'certain',
    victim(),
    {
      objects: [
        pod({ metadata: { name: 'web-0', uid: 'pod-web-0', creationTimestamp: at(-3_600) }, container: { resources: { limits: { memory: '128Mi' } } } }),
      ],
    },
  ],
  [
    'with the limit that an older pod has too',
    'container_limit',
    '',
    'certain',
    victim(),
    {
      objects: [
        pod({ metadata: { name: 'web-0', uid: 'pod-web-0', creationTimestamp: at(-3_600) }, container: { resources: { limits: { memory: '65536Ki' } } } }),
      ],
    },
  ],
  [
    'SIGKILL without a word while the node ran out of memory',
    'node_memory',
    '',
    'likely',
    victim(limit, { lastState: killed(-10, 137, 'Error') }),
    { otherEvents: systemOom(-10) },
  ],
];
for (const [name, cause, detail, confidence, subject, options] of causes) {
  test(`${name}: ${cause} ${detail}`, () => {
    const signals = judge(subject, options);
    assert.deepEqual(
      signals.map((signal) => [signal.cause, signal.detail, signal.confidence, signal.dueTimeMs]),
      [[cause, detail, confidence, atMs(-10)]],
    );
  });
}

test('takes the end that came after the deletion of the pod for that of a child process', () => {
  const subject = pod({ container: limit, metadata: { deletionTimestamp: at(0), deletionGracePeriodSeconds: 30 }, app: { state: killed(-1), lastState: {} } });
  assert.equal(judge(subject)[0]?.detail, 'child_process');
});

test('shows how far the node is overcommitted, and shares it', () => {
  const [signal] = judge(victim({}), {
    objects: [
      node({ status: { allocatable: { memory: '1Gi' } } }),
      pod({ metadata: { name: 'big', uid: 'pod-big' }, container: { resources: { limits: { memory: '3Gi' } } } }),
    ],
  });
  assert.equal(signal?.shared?.node, 'node-a');
  const evidence = signal?.evidence.find(({ path }) => path === 'memory limits over allocatable');
  assert.equal(evidence?.value, '3.0Gi of 1.0Gi (300 %), and 1 containers without a limit');
});

test('speaks while the next run is on probation', () => {
  assert.equal(judge(victim(limit, { state: { running: { startedAt: at(-119) } }, lastState: killed(-120) })).length, 1);
  assert.deepEqual(judge(victim(limit, { state: { running: { startedAt: at(-120) } }, lastState: killed(-121) })), []);
});

const silent: readonly (readonly [name: string, subject: Pod])[] = [
  ['an ignored SIGTERM', victim(limit, { lastState: killed(-10, 137, 'Error') })],
  ['a container that the kubelet lost', victim(limit, { lastState: killed(-10, 137, 'ContainerStatusUnknown') })],
  ['an evicted pod', pod({ status: { phase: 'Failed', reason: 'Evicted', containerStatuses: [containerStatus({ state: killed(-1) })] } })],
  [
    'an init container',
    pod({
      spec: { initContainers: [{ name: 'prep' }] },
      status: {
        phase: 'Pending',
        initContainerStatuses: [containerStatus({ name: 'prep', state: killed(-1) })],
        containerStatuses: [containerStatus({ state: { waiting: {} } })],
      },
    }),
  ],
];
for (const [name, subject] of silent) test(`says nothing of ${name}`, () => assert.deepEqual(judge(subject), []));
