/** The row of one change of a pod: what is needed to draw it later, and once per spec to rebuild it. */
import { createHash } from 'node:crypto';
import type { Condition, Container, ContainerState, ContainerStatus, Pod, PodSpec } from '../../collector/objects.ts';
import type { PodChangeRow } from '../../sql/rows.ts';
import type { WorkloadRef } from '../scenarios/scenario.ts';
import { parseTimeMs } from './pod-history.ts';
import { sameJson } from './same-json.ts';

/** Conditions whose good status is False. */
const GOOD_WHEN_FALSE = new Set(['DisruptionTarget', 'PodResizePending', 'PodResizeInProgress', 'AllContainersRestarting']);

/** The spec of a pod that its last row had, and the hash that row gave it. */
export interface StoredSpec {
  readonly spec: PodSpec;
  readonly hash: string;
}

/** Builds the row; `spec` is filled only when it is not the stored one. */
export function podChangeRow(
  cluster: string,
  pod: Pod,
  workload: WorkloadRef,
  change: string,
  observedTimeMs: number,
  stored: StoredSpec | undefined,
): PodChangeRow {
  const { metadata, spec, status } = pod;
  // Comparing costs a tenth of writing the spec out and hashing it, and nearly no change of a pod changes its spec.
  const text = stored !== undefined && hasSameText(stored.spec, spec) ? '' : specText(spec);
  const specHash = text === '' && stored !== undefined ? stored.hash : createHash('sha256').update(text).digest('hex').slice(0, 16);
  const statuses = status.containerStatuses ?? [];
  let [ready, restarts] = [0, 0];
  for (const each of statuses) {
    if (each.ready === true) ready += 1;
    restarts += each.restartCount ?? 0;
  }
  return {
    cluster,
    namespace: metadata.namespace,
    name: metadata.name,
    uid: metadata.uid,
    observedTimeMs,
    resourceVersion: metadata.resourceVersion,
    change,
    phase: status.phase ?? '',
    status: podStatusText(pod),
    ready: `${ready}/${spec.containers.length}`,
    restarts,
    node: spec.nodeName ?? '',
    workloadKind: workload.kind,
    workloadName: workload.name,
    containers: JSON.stringify(containerStates(pod)),
    conditions: JSON.stringify(badConditions(status.conditions ?? [])),
    createdTimeMs: parseTimeMs(metadata.creationTimestamp) ?? 0,
    deletionTimeMs: parseTimeMs(metadata.deletionTimestamp) ?? 0,
    specHash,
    spec: specHash === stored?.hash ? '' : text,
  };
}

/** Without the node, which has a column: else every pod would have a second spec as soon as it is scheduled. */
function specText(spec: PodSpec): string {
  const { nodeName: _, ...rest } = spec;
  return JSON.stringify(rest);
}

/** Whether both have the same specText. */
function hasSameText(a: PodSpec, b: PodSpec): boolean {
  return sameJson(a, b) || (a.nodeName !== b.nodeName && sameJson({ ...a, nodeName: undefined }, { ...b, nodeName: undefined }));
}

function containerStates(pod: Pod): readonly unknown[] {
  const { initContainerStatuses = [], containerStatuses = [], ephemeralContainerStatuses = [] } = pod.status;
  const states: unknown[] = [];
  for (const each of initContainerStatuses) states.push(stateOf('init', each));
  for (const each of containerStatuses) states.push(stateOf('container', each));
  for (const each of ephemeralContainerStatuses) states.push(stateOf('ephemeral', each));
  return states;
}

function stateOf(type: string, { name, ready, restartCount, image, state: states }: ContainerStatus): unknown {
  const state = Object.keys(states ?? {})[0] ?? 'waiting';
  const { reason, exitCode } = (states?.[state as keyof ContainerState] ?? {}) as { reason?: string; exitCode?: number };
  return { name, type, ready: ready === true, restarts: restartCount ?? 0, state, reason, exitCode, image };
}

function badConditions(conditions: readonly Condition[]): readonly Condition[] {
  return conditions.filter((c) => c.status !== (GOOD_WHEN_FALSE.has(c.type) ? 'False' : 'True'));
}

/**
 * What `kubectl get pods` prints as STATUS, derived in the same order of precedence
 * (kubernetes pkg/printers/internalversion/printers.go, printPod).
 */
export function podStatusText(pod: Pod): string {
  const { status, spec, metadata } = pod;
  let text = status.reason || status.phase || 'Pending';
  if (status.conditions?.some((c) => c.type === 'PodScheduled' && c.reason === 'SchedulingGated')) text = 'SchedulingGated';
  const init = initStatusText(pod);
  text = init ?? containersStatusText(pod, text);
  if (metadata.deletionTimestamp === undefined) return text;
  if (status.reason === 'NodeLost') return 'Unknown';
  return status.phase === 'Succeeded' || status.phase === 'Failed' ? text : spec.containers.length > 0 ? 'Terminating' : text;
}

const isSidecar = (container: Container | undefined): boolean => container?.restartPolicy === 'Always';

function initStatusText(pod: Pod): string | undefined {
  const statuses = pod.status.initContainerStatuses ?? [];
  if (statuses.length === 0) return undefined;
  const specs = new Map((pod.spec.initContainers ?? []).map((c) => [c.name, c]));
  for (const [index, s] of statuses.entries()) {
    const terminated = s.state?.terminated;
    if (terminated?.exitCode === 0) continue;
    if (isSidecar(specs.get(s.name)) && s.started === true) continue;
    const reason = terminated ? terminatedText(terminated) : s.state?.waiting?.reason;
    if (terminated || (reason && reason !== 'PodInitializing')) return `Init:${reason}`;
    return `Init:${index}/${specs.size}`;
  }
  return undefined;
}

function terminatedText(terminated: { readonly reason?: string; readonly signal?: number; readonly exitCode?: number }): string {
  if (terminated.reason) return terminated.reason;
  return terminated.signal ? `Signal:${terminated.signal}` : `ExitCode:${terminated.exitCode ?? 0}`;
}

function containersStatusText(pod: Pod, fallback: string): string {
  let text = fallback;
  let running = false;
  const statuses = pod.status.containerStatuses ?? [];
  for (let at = statuses.length - 1; at >= 0; at -= 1) {
    const s = statuses[at] as ContainerStatus;
    const { waiting, terminated } = s.state ?? {};
    if (waiting?.reason) text = waiting.reason;
    else if (terminated) text = terminatedText(terminated);
    else if (s.ready === true && s.state?.running) running = true;
  }
  if (text !== 'Completed' || !running) return text;
  const ready = pod.status.conditions?.some((c) => c.type === 'Ready' && c.status === 'True');
  return ready ? 'Running' : 'NotReady';
}
