/**
 * A manifest of a workload that exists is an update, not a second copy: its old pods leave as the new ones become ready, within maxSurge
 * and maxUnavailable. Follows pkg/controller/deployment/rolling.go and util/deployment_util.go, statefulset/stateful_set_control.go and
 * daemon/update.go (v1.34). A placed pod is taken to become ready.
 */
import type { KubeObject } from '../../collector/objects.ts';
import type { PodFacts } from './pod-facts.ts';
import { compareText, fieldsOf, listOf, textOf } from './reading.ts';
import type { Placement, Schedule, ScheduleOptions } from './schedule.ts';
import { scheduleSteps } from './schedule.ts';
import type { NodeState, SchedulingCluster, SchedulingState } from './scheduling-state.ts';
import { removePod } from './scheduling-state.ts';
import type { Steps } from './steps.ts';

export interface OldPod {
  readonly pod: PodFacts;
  readonly node: NodeState;
}

/** The pods that the workload has now, by name; through its ReplicaSets for a Deployment. */
export function podsOfWorkload(kind: string, namespace: string, name: string, state: SchedulingState): readonly OldPod[] {
  const owners = new Set([`${kind}/${name}`]);
  const found: OldPod[] = [];
  for (const [pod, node] of state.index.inNamespace(namespace)) {
    const owner = listOf(pod.pod.metadata.ownerReferences).find((reference) => reference.controller === true);
    if (owner === undefined) {
      if (kind === 'Pod' && pod.name === name) found.push({ pod, node });
    } else if (owners.has(`${owner.kind}/${owner.name}`) || isOwnedThrough(state.cluster, namespace, owner.kind, owner.name, owners)) found.push({ pod, node });
  }
  return found.sort((a, b) => compareText(a.pod.name, b.pod.name));
}

function isOwnedThrough(cluster: SchedulingCluster, namespace: string, kind: string, name: string, owners: ReadonlySet<string>): boolean {
  const resource = kind === 'ReplicaSet' ? 'replicasets' : kind === 'Job' ? 'jobs' : undefined;
  const object = resource === undefined ? undefined : cluster.object(resource, namespace, name);
  return listOf(object?.metadata.ownerReferences).some((owner) => owner.controller === true && owners.has(`${owner.kind}/${owner.name}`));
}

/** A CronJob that allows runs beside each other starts the next one while the last one's pods still run. */
export function runsBeside(workload: KubeObject): boolean {
  const policy = textOf(fieldsOf(fieldsOf(workload)?.['spec'])?.['concurrencyPolicy']) || 'Allow';
  return workload.kind === 'CronJob' && policy === 'Allow';
}

/** Places the new pods while the old ones leave. The state keeps the outcome. */
export function* rollOutSteps(
  workload: KubeObject,
  pods: readonly PodFacts[],
  old: readonly OldPod[],
  state: SchedulingState,
  options: ScheduleOptions,
): Steps<Schedule> {
  const desired = pods.length;
  const { surge, unavailable } = allowancesOf(workload, desired);
  const leaving = [...old];
  const placements: Placement[] = [];
  let last = yield* scheduleSteps([], state, options);
  for (;;) {
    const before = placements.length + (old.length - leaving.length);
    // Old pods may go as long as enough of old and new together are available.
    while (leaving.length > 0 && leaving.length + placements.length > desired - unavailable) leave(leaving.pop());
    const waiting = pods.slice(placements.length);
    const room = Math.max(0, desired + surge - leaving.length - placements.length);
    last = yield* scheduleSteps(waiting.slice(0, room), state, options);
    placements.push(...last.placements);
    if (placements.length === desired || placements.length + (old.length - leaving.length) === before) break;
  }
  return { ...last, placements, pending: pods.slice(placements.length) };
}

function leave(old: OldPod | undefined): void {
  if (old !== undefined) removePod(old.node, old.pod);
}

/** maxSurge rounds up, maxUnavailable down; both 0 becomes one unavailable (ResolveFenceposts). */
export function allowancesOf(workload: KubeObject, desired: number): { readonly surge: number; readonly unavailable: number } {
  const { kind } = workload;
  const spec = fieldsOf(fieldsOf(workload)?.['spec']) ?? {};
  const strategy = fieldsOf(spec[kind === 'Deployment' || kind === 'Rollout' ? 'strategy' : 'updateStrategy']);
  const rolling = fieldsOf(strategy?.['rollingUpdate']);
  const share = (value: unknown, fallback: string, round: (value: number) => number): number => resolve(value ?? fallback, desired, round);
  // Argo Rollouts: the new pods of a blue-green update stand beside all the old ones, those of a canary replace them as a Deployment's do.
  if (kind === 'Rollout' && fieldsOf(strategy?.['blueGreen']) !== undefined) return { surge: desired, unavailable: 0 };
  if (kind === 'Rollout' || (kind === 'Deployment' && textOf(strategy?.['type']) !== 'Recreate')) {
    const bounds = kind === 'Rollout' ? fieldsOf(strategy?.['canary']) : rolling;
    const surge = share(bounds?.['maxSurge'], '25%', Math.ceil);
    const unavailable = share(bounds?.['maxUnavailable'], '25%', Math.floor);
    return surge + unavailable === 0 ? { surge, unavailable: 1 } : { surge, unavailable };
  }
  if (kind === 'StatefulSet') return { surge: 0, unavailable: Math.max(1, share(rolling?.['maxUnavailable'], '1', Math.floor)) };
  if (kind === 'DaemonSet') return { surge: share(rolling?.['maxSurge'], '0', Math.ceil), unavailable: share(rolling?.['maxUnavailable'], '1', Math.ceil) };
  return { surge: 0, unavailable: desired };
}

function resolve(value: unknown, desired: number, round: (value: number) => number): number {
  if (typeof value === 'number') return Math.max(0, Math.floor(value));
  const text = typeof value === 'string' ? value : '0';
  const percent = /^(\d{1,9})%$/.exec(text);
  return percent === null ? Math.max(0, Number.parseInt(text, 10) || 0) : round((Number(percent[1]) * desired) / 100);
}
