/**
 * All filters for one pod in the scheduler's order (pkg/scheduler/apis/config/v1/default_plugins.go, v1.34), and what the scheduler
 * would say of a node. DynamicResources is left out: resource claims are not collected.
 */
import type { Filter, FilterFailure, Rejection } from './filter.ts';
import { PASSED } from './filter.ts';
import { createInterPodAffinity } from './inter-pod-affinity.ts';
import { createNamedNodes, createNodeAffinity, createNodeName } from './node-affinity.ts';
import { createNodePorts } from './node-ports.ts';
import type { PodFacts } from './pod-facts.ts';
import { textOf } from './reading.ts';
import { createResourcesFit } from './resources-fit.ts';
import type { NodeState, SchedulingState } from './scheduling-state.ts';
import { addPod, removePod } from './scheduling-state.ts';
import { createKubeletTaints, createNodeUnschedulable, createTaintToleration } from './taint-toleration.ts';
import { createTopologySpread } from './topology-spread.ts';
import { createVolumeFilters } from './volumes.ts';

/** One pod's scheduling cycle: its filters over one state, and a refusal that holds for every node. */
export interface Cycle {
  readonly pod: PodFacts;
  readonly state: SchedulingState;
  readonly filters: readonly Filter[];
  readonly rejection: Rejection | undefined;
}

/** Prepares the filters (PreFilter), or the kubelet's for a pod that names its node. Valid while the state changes only through assume and forget. */
export function createCycle(pod: PodFacts, state: SchedulingState): Cycle {
  if (namesNode(pod)) return { pod, state, filters: kubeletFilters(pod), rejection: undefined };
  const { filters: own, rejection } = nodeFilters(pod);
  const volumes = createVolumeFilters(pod, state);
  const [spread, affinity] = [createTopologySpread(pod, state), createInterPodAffinity(pod, state)];
  const filters = [...own];
  if (!('kind' in volumes)) filters.push(...volumes);
  if (spread !== undefined) filters.push(spread);
  if (affinity !== undefined) filters.push(affinity);
  return { pod, state, filters, rejection: rejection ?? ('kind' in volumes ? volumes : undefined) };
}

const compiled = new WeakMap<PodFacts, Pick<Cycle, 'filters' | 'rejection'>>();

/** The filters that look at the pod and one node, the first ones in the scheduler's order: the same in every cycle of these facts. */
function nodeFilters(pod: PodFacts): Pick<Cycle, 'filters' | 'rejection'> {
  const known = compiled.get(pod);
  if (known !== undefined) return known;
  const named = createNamedNodes(pod);
  const rejection = named !== undefined && 'kind' in named ? named : undefined;
  const candidates = [
    named === rejection ? undefined : named,
    createNodeUnschedulable(pod),
    createTaintToleration(pod),
    createNodeAffinity(pod),
    createNodePorts(pod),
    createResourcesFit(pod),
  ];
  const own = { filters: candidates.filter((each): each is Filter => each !== undefined), rejection };
  compiled.set(pod, own);
  return own;
}

/** It is bound as soon as it is created: the scheduler never sees it. */
export function namesNode({ pod }: PodFacts): boolean {
  return (textOf(pod.spec.nodeName) ?? '') !== '';
}

/** What the kubelet of that node asks before it runs the pod: AdmissionCheck of pkg/scheduler/eventhandlers.go (v1.34). */
function kubeletFilters(pod: PodFacts): readonly Filter[] {
  const asked = [createNodeName(pod), createKubeletTaints(pod), createNodeAffinity(pod), createNodePorts(pod), createResourcesFit(pod)];
  return asked.filter((each) => each !== undefined);
}

/** Puts a pod on a node and tells the filters. */
export function assume(cycle: Cycle, pod: PodFacts, node: NodeState): void {
  addPod(node, pod);
  for (const filter of cycle.filters) filter.update?.(pod, node, 1);
}

/** Takes a pod off a node and tells the filters. */
export function forget(cycle: Cycle, pod: PodFacts, node: NodeState): void {
  removePod(node, pod);
  for (const filter of cycle.filters) filter.update?.(pod, node, -1);
}

/** Every reason of every failing plugin, in the scheduler's order; `except` leaves plugins out. Empty: the pod may run there. */
export function failuresOn(cycle: Cycle, node: NodeState, except: readonly string[] = []): readonly FilterFailure[] {
  if (!cycle.state.nominated.has(node.name)) return failuresNow(cycle, node, except);
  return withNominated(cycle, node, () => failuresNow(cycle, node, except));
}

function failuresNow({ rejection, filters }: Cycle, node: NodeState, except: readonly string[]): readonly FilterFailure[] {
  let failures: readonly FilterFailure[] = rejection === undefined ? PASSED : [{ plugin: rejection.plugin, reason: rejection.reason }];
  for (const filter of filters) {
    if (except.includes(filter.plugin)) continue;
    const more = filter.check(node);
    if (more.length > 0) failures = failures.length === 0 ? more : [...failures, ...more];
  }
  return failures;
}

/** What the scheduler itself reports: the reasons of the first plugin that fails. */
export function firstFailuresOn(cycle: Cycle, node: NodeState): readonly FilterFailure[] {
  const { rejection } = cycle;
  if (rejection !== undefined) return [{ plugin: rejection.plugin, reason: rejection.reason }];
  return withNominated(cycle, node, () => {
    for (const filter of cycle.filters) {
      const failures = filter.check(node);
      if (failures.length > 0) return failures;
    }
    return PASSED;
  });
}

/**
 * RunFilterPluginsWithNominatedPods: pods of equal or higher priority nominated to the node count as if they ran there, and the
 * filters must pass with and without them.
 */
function withNominated(cycle: Cycle, node: NodeState, check: () => readonly FilterFailure[]): readonly FilterFailure[] {
  const nominated = cycle.state.nominated.get(node.name);
  if (nominated === undefined) return check();
  const others = [...nominated].filter((other) => other.priority >= cycle.pod.priority && other.pod.metadata.uid !== cycle.pod.pod.metadata.uid);
  if (others.length === 0) return check();
  for (const other of others) assume(cycle, other, node);
  const failures = check();
  for (const other of others) forget(cycle, other, node);
  return failures.length > 0 ? failures : check();
}
