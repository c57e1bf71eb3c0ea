import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Condition, Pod } from '../../../collector/objects.ts';
import { disruptionOf } from '../../../processor/scenarios/disruption.ts';
import type { SeenEvent } from '../../../processor/scenarios/scenario.ts';
import { at, atMs, containerStatus, pod, seenEvent } from '../../helpers/view.ts';

const target = (reason: string, message: string, status = 'True'): Condition => ({
  type: 'DisruptionTarget',
  status,
  reason,
  message,
  lastTransitionTime: at(-20),
});
const deleting = { deletionTimestamp: at(10), deletionGracePeriodSeconds: 30 };
const withTarget = (condition: Condition, metadata: Partial<Pod['metadata']> = deleting): Pod => pod({ metadata, status: { conditions: [condition] } });

const cases: readonly {
  readonly name: string;
  readonly pod: Pod;
  readonly events?: readonly SeenEvent[];
  readonly reason: string | undefined;
  readonly timeMs?: number;
}[] = [
  {
    name: 'a drain evicts through the API',
    pod: withTarget(target('EvictionByEvictionAPI', 'Eviction API: evicting')),
    reason: 'EvictionByEvictionAPI',
    timeMs: atMs(-20),
  },
  { name: 'the scheduler preempts', pod: withTarget(target('PreemptionByScheduler', 'default-scheduler: preempting')), reason: 'PreemptionByScheduler' },
  { name: '1.25 spells preemption otherwise', pod: withTarget(target('PreemptionByKubeScheduler', 'x')), reason: 'PreemptionByScheduler' },
  {
    name: 'a NoExecute taint',
    pod: withTarget(target('DeletionByTaintManager', 'Taint manager: deleting due to NoExecute taint')),
    reason: 'DeletionByTaintManager',
  },
  {
    name: 'garbage collection of a pod whose node is gone',
    pod: pod({
      metadata: { deletionTimestamp: at(0), deletionGracePeriodSeconds: 0 },
      status: { phase: 'Failed', conditions: [target('DeletionByPodGC', 'PodGC: node no longer exists')] },
    }),
    reason: 'DeletionByPodGC',
  },
  {
    name: 'the kubelet makes room for a critical pod',
    pod: pod({
      status: {
        phase: 'Failed',
        reason: 'Preempting',
        message: 'Preempted in order to admit critical pod',
        conditions: [target('TerminationByKubelet', 'Pod was preempted by Kubelet')],
      },
    }),
    reason: 'PreemptionByKubelet',
    timeMs: atMs(-20),
  },
  {
    name: 'the same before DisruptionTarget existed, dated by its last container',
    pod: pod({
      status: { phase: 'Failed', reason: 'Preempting', message: 'Preempted in order to admit critical pod' },
      app: { state: { terminated: { exitCode: 143, finishedAt: at(-7) } } },
    }),
    reason: 'PreemptionByKubelet',
    timeMs: atMs(-7),
  },
  {
    name: 'an older scheduler says it with an Event alone',
    pod: pod({ metadata: deleting }),
    events: [seenEvent({ reason: 'Preempted', type: 'Normal', component: 'default-scheduler', note: 'Preempted by shop/big on node node-a', last: -30 })],
    reason: 'PreemptionByScheduler',
    timeMs: atMs(-30),
  },
  {
    name: 'an older taint manager says it with an Event alone',
    pod: pod({ metadata: deleting }),
    events: [seenEvent({ reason: 'TaintManagerEviction', type: 'Normal', component: 'taint-controller', note: 'Marking for deletion Pod shop/web-1' })],
    reason: 'DeletionByTaintManager',
  },
  {
    name: 'silent when the taint went before the time was up and somebody else deletes the pod',
    pod: pod({ metadata: deleting }),
    events: [
      seenEvent({ reason: 'TaintManagerEviction', type: 'Normal', note: 'Marking for deletion Pod shop/web-1', last: -60 }),
      seenEvent({ reason: 'TaintManagerEviction', type: 'Normal', note: 'Cancelling deletion of Pod shop/web-1', last: -30 }),
    ],
    reason: undefined,
  },
  {
    name: 'silent while the attempt may still fail: marked, but neither deleted nor ended',
    pod: withTarget(target('EvictionByEvictionAPI', 'x'), {}),
    reason: undefined,
  },
  { name: 'silent when the mark was taken back', pod: withTarget(target('EvictionByEvictionAPI', 'x', 'False')), reason: undefined },
  { name: 'silent for a plain deletion', pod: pod({ metadata: deleting, app: containerStatus() }), reason: undefined },
  {
    name: 'silent for an eviction under pressure: that is an incident',
    pod: pod({
      status: {
        phase: 'Failed',
        reason: 'Evicted',
        message: 'The node was low on resource: memory. ',
        conditions: [target('TerminationByKubelet', 'The node was low on resource: memory. ')],
      },
    }),
    reason: undefined,
  },
  {
    name: 'silent for a node that shuts down: that is an incident',
    pod: pod({
      status: {
        phase: 'Failed',
        reason: 'Terminated',
        conditions: [target('TerminationByKubelet', 'Pod was terminated in response to imminent node shutdown.')],
      },
    }),
    reason: undefined,
  },
  { name: 'silent for a pod that failed by itself', pod: pod({ status: { phase: 'Failed' } }), reason: undefined },
];

for (const { name, pod: subject, events, reason, timeMs } of cases) {
  test(`disruption: ${name}`, () => {
    const found = disruptionOf(subject, events);
    assert.equal(found?.reason, reason);
    if (timeMs !== undefined) assert.equal(found?.timeMs, timeMs);
  });
}
