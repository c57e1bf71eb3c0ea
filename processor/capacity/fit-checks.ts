/** The checks that the scheduler's own filters decide: fit, selectors, taints, affinity, spread, host ports and claims. */
import type { Node } from '../../collector/objects.ts';
import { amountOf, formatAmount, resourcesOf } from './amounts.ts';
import type { CheckId, CheckResult } from './check.ts';
import { failed, passed, unknown, warned } from './check.ts';
import type { FilterFailure } from './filter.ts';
import type { Cycle } from './filters.ts';
import { failuresOn } from './filters.ts';
import type { PodFacts } from './pod-facts.ts';
import { compareText, listOf, textEntriesOf } from './reading.ts';
import type { Remedy } from './remedy.ts';
import type { Schedule } from './schedule.ts';
import type { NodeState } from './scheduling-state.ts';
import { labelOf } from './selectors.ts';
import { formatRequest } from './shape.ts';
import { untoleratedTaint } from './taint-toleration.ts';

/** The plugins behind each check. */
const PLUGINS: readonly { readonly check: CheckId; readonly plugins: readonly string[]; readonly what: string }[] = [
  { check: 'selectors', plugins: ['NodeName', 'NodeAffinity'], what: 'node selector and node affinity' },
  { check: 'taints', plugins: ['NodeUnschedulable', 'TaintToleration'], what: 'taints' },
  { check: 'affinity', plugins: ['InterPodAffinity'], what: 'pod affinity and anti-affinity' },
  { check: 'spread', plugins: ['PodTopologySpread'], what: 'topology spread constraints' },
  { check: 'host_ports', plugins: ['NodePorts'], what: 'host ports' },
  { check: 'claims', plugins: ['VolumeRestrictions', 'NodeVolumeLimits', 'VolumeBinding', 'VolumeZone'], what: 'claims and volumes' },
];

interface NodeFailures {
  readonly node: NodeState;
  readonly failures: readonly FilterFailure[];
}

/**
 * One result per check. `cycle` is the first replica's before anything is placed; `after` the first pending one's at the end, if any is
 * pending. Call it right after scheduling: it asks the filters again.
 */
export function checkFilters(before: readonly NodeFailures[], after: readonly NodeFailures[], pod: PodFacts): readonly CheckResult[] {
  return PLUGINS.map(({ check, plugins, what }) => {
    const passes = ({ failures }: NodeFailures): boolean => !failures.some(({ plugin }) => plugins.includes(plugin));
    const total = before.length;
    const passing = before.filter(passes).length;
    if (total > 0 && passing === 0)
      return failed(check, `no node of ${total} passes: ${reasonsFor(before, plugins)}`, fixFor(check, before, pod), detailsFor(check, before, pod));
    // Only this stands between the pending pods and these nodes.
    const alone = after.filter(({ failures }) => failures.length > 0 && failures.every(({ plugin }) => plugins.includes(plugin)));
    if (alone.length > 0) {
      const reason = `${alone.length} of ${total} nodes are ruled out for the pending pods by this alone: ${reasonsFor(alone, plugins)}`;
      return warned(check, reason, fixFor(check, alone, pod), detailsFor(check, alone, pod));
    }
    return passed(check, passing === total ? `${what} rule out no node` : `${passing} of ${total} nodes pass`, detailsFor(check, before, pod));
  });
}

/** Every failing filter of every node, for one pod. */
export function collectFailures(cycle: Cycle): readonly NodeFailures[] {
  return cycle.state.nodes.map((node) => ({ node, failures: failuresOn(cycle, node) }));
}

function reasonsFor(nodes: readonly NodeFailures[], plugins: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const { failures } of nodes) {
    for (const { plugin, reason } of failures) if (plugins.includes(plugin)) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  }
  return [...counts]
    .sort((a, b) => b[1] - a[1] || compareText(a[0], b[0]))
    .map(([reason, count]) => `${count} ${reason}`)
    .join(', ');
}

function detailsFor(check: CheckId, nodes: readonly NodeFailures[], pod: PodFacts): readonly string[] {
  if (check === 'selectors') return selectorDetails(nodes, pod);
  return check === 'taints' ? taintDetails(nodes, pod) : [];
}

/** Each nodeSelector pair with the number of nodes that carry it. */
function selectorDetails(nodes: readonly NodeFailures[], pod: PodFacts): readonly string[] {
  return textEntriesOf(pod.pod.spec.nodeSelector).map(([key, value]) => {
    const carrying = nodes.filter(({ node }) => labelOf(node.labels, key) === value).length;
    const values = [...new Set(nodes.flatMap(({ node }) => labelOf(node.labels, key) ?? []))].sort(compareText);
    return `${key}=${value}: ${carrying} of ${nodes.length} nodes${carrying > 0 || values.length === 0 ? '' : ` (values there are: ${values.slice(0, 10).join(', ')})`}`;
  });
}

function taintDetails(nodes: readonly NodeFailures[], pod: PodFacts): readonly string[] {
  const tolerations = listOf(pod.pod.spec.tolerations);
  const counts = new Map<string, number>();
  for (const { node } of nodes) {
    const text = describeTaint(node.node, tolerations);
    if (text !== undefined) counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  return [...counts].sort((a, b) => b[1] - a[1] || compareText(a[0], b[0])).map(([taint, count]) => `${taint}: ${count} nodes, not tolerated`);
}

function describeTaint(node: Node, tolerations: Parameters<typeof untoleratedTaint>[1]): string | undefined {
  const taint = untoleratedTaint(node, tolerations);
  return taint === undefined ? undefined : `${taint.key}${taint.value === undefined || taint.value === '' ? '' : `=${taint.value}`}:${taint.effect}`;
}

function fixFor(check: CheckId, nodes: readonly NodeFailures[], pod: PodFacts): string {
  switch (check) {
    case 'selectors': {
      const missing = textEntriesOf(pod.pod.spec.nodeSelector).filter(([key, value]) => !nodes.some(({ node }) => labelOf(node.labels, key) === value));
      if (missing.length > 0) return `label a node with ${missing.map(([key, value]) => `${key}=${value}`).join(', ')}, or correct the nodeSelector`;
      return 'relax the nodeSelector or required node affinity so that some node satisfies all of it';
    }
    case 'taints': {
      const [first] = taintDetails(nodes, pod);
      return first === undefined ? 'uncordon a node' : `tolerate ${first.split(': ')[0]}, or take the taint off a node`;
    }
    case 'affinity':
      return 'relax the required terms, or make them preferred';
    case 'spread':
      return 'raise maxSkew, free space in the emptiest domain, or use whenUnsatisfiable: ScheduleAnyway';
    case 'host_ports':
      return 'use a Service instead of a hostPort, or another port';
    case 'claims':
      return 'create or bind the claims the pod uses, on volumes that its nodes can reach';
    default:
      return '';
  }
}

/** Replicas that admission lets in, and those beyond the limits of a pre-check that nobody tried. */
export interface WantedReplicas {
  readonly replicas: number;
  readonly unplanned: number;
}

/** How many replicas are placed, and if not all: the scheduler's message and the cheapest way out. */
export function checkFit(schedule: Schedule, wanted: WantedReplicas, pod: PodFacts, remedy: Remedy | undefined): CheckResult {
  const desired = wanted.replicas;
  const placed = schedule.placements.length;
  const evicting = schedule.placements.filter(({ victims }) => victims.length > 0);
  const request = formatRequest(pod.request.amounts);
  if (desired === 0 && wanted.unplanned > 0) return unknown('fit', `the ${wanted.unplanned} replicas were not tried: there are too many in all`);
  if (desired === 0) return warned('fit', 'no replica is created, so none is placed', 'see the quota and limits checks');
  if (placed >= desired) {
    if (wanted.unplanned > 0)
      return unknown('fit', `the first ${placed} replicas fit; the ${wanted.unplanned} beyond them were not tried`, placementLines(schedule));
    if (evicting.length === 0) return passed('fit', `all ${desired} replicas of ${request} fit`, placementLines(schedule));
    const victims = evicting.flatMap(({ node, victims: evicted }) =>
      evicted.map((victim) => `${victim.namespace}/${victim.name} would be evicted from ${node.name}`),
    );
    return warned(
      'fit',
      `all ${desired} replicas fit, but ${victims.length} pods of lower priority would be evicted`,
      'lower the priority, or add capacity',
      victims,
    );
  }
  const reason = `${placed} of ${desired} replicas of ${request} fit; the rest stay pending: ${schedule.message}`;
  return failed('fit', reason, remedy === undefined ? 'see the failing checks' : describeRemedy(remedy), placementLines(schedule));
}

function placementLines({ placements }: Schedule): readonly string[] {
  const counts = new Map<string, number>();
  for (const { node } of placements) counts.set(node.name, (counts.get(node.name) ?? 0) + 1);
  return [...counts].sort(([a], [b]) => compareText(a, b)).map(([node, count]) => `${node}: ${count}`);
}

/** One sentence: what to move, what to add, or which node size would do. */
export function describeRemedy(remedy: Remedy): string {
  const { move, addNodes, nodeSize, fit } = remedy;
  const options: string[] = [];
  if (move !== undefined) {
    const moves = move.moves.map(({ namespace, pod, from, to }) => `${namespace}/${pod} from ${from} to ${to}`).join(', then ');
    options.push(`move ${moves}; one replica then fits on ${move.node}${move.exact ? '' : ' (found by a heuristic)'}`);
  }
  if (addNodes !== undefined) options.push(`add ${addNodes.count === 1 ? 'a node' : `${addNodes.count} nodes`} like ${addNodes.like}`);
  if (nodeSize !== undefined) {
    const size = resourcesOf(nodeSize.size).filter((resource) => resource !== 'pods');
    options.push(
      `${nodeSize.nodes} nodes of ${size.map((resource) => `${resource} ${formatAmount(resource, amountOf(nodeSize.size, resource))}`).join(', ')} would lose nothing`,
    );
  }
  if (fit.tooBig) return 'lower the request, or add larger nodes: no node could hold it even when emptied';
  return options.length === 0 ? 'add nodes that the pod is eligible for' : options.join('; or ');
}
