/** The rules about placement and nodes answer anything that a projection can yield: no field of a status is certain to be there. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Condition, ContainerStatus, Node, Pod, Workload } from '../../../collector/objects.ts';
import { containerCreateFailure } from '../../../processor/scenarios/container-create-failure.ts';
import { dependencyError } from '../../../processor/scenarios/dependency-error.ts';
import { disruptionOf } from '../../../processor/scenarios/disruption.ts';
import { evicted } from '../../../processor/scenarios/evicted.ts';
import { classifyRefusal } from '../../../processor/scenarios/failed-create.ts';
import { nodeLost } from '../../../processor/scenarios/node-lost.ts';
import type { SeenEvent, Signal } from '../../../processor/scenarios/scenario.ts';
import { schedulingFailure } from '../../../processor/scenarios/scheduling-failure.ts';
import { parseSchedulingMessage, rankReasons } from '../../../processor/scenarios/scheduling-message.ts';
import { classifyStartError } from '../../../processor/scenarios/start-messages.ts';
import { stuckTerminating } from '../../../processor/scenarios/stuck-terminating.ts';
import { classifyVolumeError } from '../../../processor/scenarios/volume-messages.ts';
import { at, controllerView, nodeView, object, pod, podView, seenEvent } from '../../helpers/view.ts';

const SCENARIOS = [schedulingFailure, dependencyError, containerCreateFailure, evicted, nodeLost, stuckTerminating];

const time = fc.constantFrom(undefined, '', 'not a time', '1970-01-01T00:00:00Z', at(-3_600), at(-61), at(-1), at(30));
const text = fc.oneof(
  fc.string(),
  fc.constantFrom('0/3 nodes are available: 3 Insufficient cpu.', 'configmap "x" not found', 'Stopping container app', '(combined from similar events): x'),
);
const maybe = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined });
const condition = fc.record(
  {
    type: fc.constantFrom('Ready', 'ContainersReady', 'PodScheduled', 'DisruptionTarget', 'PodReadyToStartContainers', 'ReplicaFailure', ''),
    status: fc.constantFrom('True', 'False', 'Unknown', ''),
    reason: text,
    message: text,
    lastTransitionTime: time,
  },
  { requiredKeys: ['type', 'status'] },
) as fc.Arbitrary<Condition>;
const state = fc.oneof(
  fc.constant({}),
  fc.record({
    waiting: fc.record(
      { reason: fc.constantFrom('ContainerCreating', 'CrashLoopBackOff', 'CreateContainerError', 'CreateContainerConfigError', ''), message: text },
      { requiredKeys: [] },
    ),
  }),
  fc.record({ running: fc.record({ startedAt: time }, { requiredKeys: [] }) }),
  fc.record({
    terminated: fc.record(
      { exitCode: fc.constantFrom(0, 128, 137), reason: fc.constantFrom('Error', 'StartError', ''), message: text, finishedAt: time, startedAt: time },
      { requiredKeys: [] },
    ),
  }),
);
const containerStatus = fc.record(
  { name: fc.constantFrom('app', 'other', ''), state: maybe(state), lastState: maybe(state) },
  { requiredKeys: ['name'] },
) as fc.Arbitrary<ContainerStatus>;
const anyPod: fc.Arbitrary<Pod> = fc
  .record({
    metadata: fc.record(
      {
        deletionTimestamp: time,
        deletionGracePeriodSeconds: maybe(fc.constantFrom(0, 30, 60)),
        finalizers: maybe(fc.array(fc.string(), { maxLength: 2 })),
        creationTimestamp: time,
        ownerReferences: fc.constantFrom(undefined, []),
      },
      { requiredKeys: [] },
    ),
    spec: fc.record(
      {
        nodeName: fc.constantFrom(undefined, '', 'node-a', 'gone'),
        nodeSelector: maybe(fc.dictionary(fc.string(), fc.string())),
        volumes: fc.constantFrom(undefined, [], [{ name: 'v', persistentVolumeClaim: {} }]),
      },
      { requiredKeys: [] },
    ),
    status: fc.record(
      {
        phase: fc.constantFrom(undefined, 'Pending', 'Running', 'Failed', 'Succeeded', 'Unknown'),
        reason: fc.constantFrom(undefined, 'Evicted', 'NodeLost', 'OutOfcpu', 'Preempting', 'Terminated', 'AppArmor'),
        message: text,
        startTime: time,
        conditions: maybe(fc.array(condition, { maxLength: 4 })),
        containerStatuses: maybe(fc.array(containerStatus, { maxLength: 2 })),
        initContainerStatuses: maybe(fc.array(containerStatus, { maxLength: 1 })),
      },
      { requiredKeys: [] },
    ),
  })
  .map((parts) => pod(parts as Parameters<typeof pod>[0]));
const reasons = [
  'FailedScheduling',
  'FailedMount',
  'FailedAttachVolume',
  'FailedCreatePodSandBox',
  'FailedCreate',
  'SuccessfulCreate',
  'Killing',
  'TaintManagerEviction',
  'TriggeredScaleUp',
  'Shutdown',
  'Failed',
];
const events: fc.Arbitrary<SeenEvent[]> = fc.array(
  fc
    .record({
      reason: fc.constantFrom(...reasons),
      note: text,
      last: fc.integer({ min: -4_000, max: 0 }),
      fieldPath: fc.constantFrom('', 'spec.containers{app}'),
    })
    .map((event) => seenEvent(event)),
  { maxLength: 5 },
);
const anyNode: fc.Arbitrary<Node> = fc
  .record({
    spec: fc.record({ unschedulable: fc.boolean(), taints: fc.constantFrom(undefined, [], [{ key: 'x', effect: 'NoExecute' }]) }, { requiredKeys: [] }),
    status: fc.record(
      { conditions: maybe(fc.array(condition, { maxLength: 3 })), allocatable: maybe(fc.dictionary(fc.string(), fc.string())) },
      { requiredKeys: [] },
    ),
  })
  .map((parts) => object<Node>('Node', { name: 'node-a' }, parts));

function assertWellFormed(signals: readonly Signal[]): void {
  for (const signal of signals) {
    assert.ok(signal.cause !== '' && signal.subject.kind !== '' && signal.summary !== '', JSON.stringify(signal));
    assert.ok(Number.isFinite(signal.fact.timeMs), JSON.stringify(signal.fact));
    assert.ok(signal.dueTimeMs === undefined || Number.isFinite(signal.dueTimeMs));
    for (const { value, object: about } of signal.evidence) assert.ok(typeof value === 'string' && about !== '');
  }
}

test('any pod, with any Events, on any node', () => {
  fc.assert(
    fc.property(anyPod, events, anyNode, fc.boolean(), (subject, seen, node, known) => {
      const view = podView(subject, { events: seen, objects: [node], notInSync: known ? [] : ['nodes'] });
      for (const scenario of SCENARIOS) assertWellFormed(scenario.pod?.(view) ?? []);
      disruptionOf(subject, seen);
    }),
    { numRuns: 300 },
  );
});

test('any node, with any Events and any pod bound to it', () => {
  fc.assert(
    fc.property(anyNode, events, anyPod, (node, seen, bound) => assertWellFormed(nodeLost.node?.(nodeView(node, seen, { objects: [bound] })) ?? [])),
    { numRuns: 200 },
  );
});

test('any controller', () => {
  const status = fc.record({ replicas: fc.nat(3), active: fc.nat(3), conditions: fc.array(condition, { maxLength: 2 }) }, { requiredKeys: [] });
  fc.assert(
    fc.property(fc.constantFrom('ReplicaSet', 'StatefulSet', 'DaemonSet', 'Job'), status, events, (kind, given, seen) => {
      const view = controllerView(object<Workload>(kind, { name: 'web' }, { spec: {}, status: given }), seen);
      for (const scenario of SCENARIOS) assertWellFormed(scenario.controller?.(view) ?? []);
    }),
    { numRuns: 200 },
  );
});

test('any text has a meaning, and quickly', () => {
  const long = fc.oneof(
    text,
    fc.string({ minLength: 4_000, maxLength: 6_000 }),
    fc.constantFrom('exec: "', 'volume ', '0/1 nodes are available: ', 'mount ').map((part) => part.repeat(1_500)),
  );
  fc.assert(
    fc.property(long, anyPod, (message, subject) => {
      rankReasons(parseSchedulingMessage(message, subject), subject);
      classifyRefusal(message);
      classifyVolumeError('FailedMount', message);
      for (const stage of ['config', 'container', 'sandbox'] as const) classifyStartError(stage, message);
    }),
    { numRuns: 100, interruptAfterTimeLimit: 20_000, markInterruptAsFailure: true },
  );
});
