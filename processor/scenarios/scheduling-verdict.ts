/**
 * Why a pod is unschedulable, judged by the nodes and not by a message: the binding reason is that of the nodes that could have
 * taken the pod. Nodes are set aside stage by stage, each stage being harder to change than the next: not selected (another pool),
 * out of reach of the pod's volumes, tainted or cordoned, without the device it asks for. What the nodes left over fail is the
 * reason; where no node is left over, the stage that removed the last ones is.
 */
import type { Node, Pod, Taint } from '../../collector/objects.ts';
import type { Diagnosis, NodeVerdict } from '../capacity/diagnose.ts';
import { isTolerated } from '../capacity/taint-toleration.ts';
import type { SchedulingCause } from './scheduling-message.ts';
import { causeOfReason, causeOfResource, hasNodeAffinity, isControlPlaneTaint, isNodeStateTaint } from './scheduling-message.ts';

/** The reason the nodes give, and the nodes that give it. */
export interface Verdict {
  readonly cause: SchedulingCause;
  /** `too_big` or ''. */
  readonly detail: string;
  /** The nodes that come nearest to taking the pod; for a mismatch of labels all of them. */
  readonly nearest: readonly NodeVerdict[];
  /** Resources the nearest nodes lack, most often first; for resource causes only. */
  readonly lacking: readonly string[];
}

/** undefined where some node would take the pod by the tables: they are newer than the scheduler's last attempt, or know less. */
export function judgeByNodes(pod: Pod, diagnosis: Diagnosis): Verdict | undefined {
  const all = diagnosis.nodes;
  if (all.some((verdict) => verdict.failures.length === 0)) return undefined;
  if (all.length === 0) return verdictOf('no_available_node', all);
  if (all.every((verdict) => refusesClaim(pod, verdict))) return verdictOf('unbound_volume', all);
  const selected = all.filter((verdict) => !fails(verdict, 'NodeName') && !fails(verdict, 'NodeAffinity'));
  if (selected.length === 0) return verdictOf(selectorOrAffinity(pod, all), all);
  const reachable = selected.filter((verdict) => !isOutOfReach(pod, verdict));
  if (reachable.length === 0) return verdictOf('volume_topology', selected);
  const open = reachable.filter((verdict) => !fails(verdict, 'NodeUnschedulable') && !fails(verdict, 'TaintToleration'));
  if (open.length === 0) return closedVerdict(pod, reachable);
  return nearestVerdict(
    pod,
    preferSome(open, (verdict) => !lacksDevice(verdict)),
    diagnosis,
  );
}

function verdictOf(cause: SchedulingCause, nearest: readonly NodeVerdict[], detail = '', lacking: readonly string[] = []): Verdict {
  return { cause, detail, nearest, lacking };
}

function fails(verdict: NodeVerdict, plugin: string): boolean {
  return verdict.failures.some((failure) => failure.plugin === plugin);
}

/** Those that satisfy it, or all where none does. */
function preferSome<T>(items: readonly T[], isPreferred: (item: T) => boolean): readonly T[] {
  const preferred = items.filter(isPreferred);
  return preferred.length > 0 ? preferred : items;
}

const VOLUME_PLUGINS: readonly string[] = ['VolumeBinding', 'VolumeZone'];

/** A claim that is missing, lost or not bound in time keeps the pod off every node alike. */
function refusesClaim(pod: Pod, verdict: NodeVerdict): boolean {
  return verdict.failures.some(({ plugin, reason }) => plugin === 'VolumeBinding' && causeOfReason(reason, pod) === 'unbound_volume');
}

/** A volume that exists is bound elsewhere: no room on this node would help. */
function isOutOfReach(pod: Pod, verdict: NodeVerdict): boolean {
  return verdict.failures.some(({ plugin, reason }) => VOLUME_PLUGINS.includes(plugin) && causeOfReason(reason, pod) === 'volume_topology');
}

/** The scheduler checks nodeSelector and required node affinity in one plugin: if no node carries the selected labels it is the former. */
function selectorOrAffinity(pod: Pod, all: readonly NodeVerdict[]): SchedulingCause {
  const wanted = Object.entries(pod.spec.nodeSelector ?? {});
  const matches = ({ node }: NodeVerdict): boolean => wanted.every(([key, value]) => node.metadata.labels?.[key] === value);
  if (!hasNodeAffinity(pod)) return 'node_selector_mismatch';
  return wanted.length > 0 && !all.some(matches) ? 'node_selector_mismatch' : 'affinity_mismatch';
}

/** Nodes closed by their own state (cordoned, not ready, leaving) are nearer than nodes reserved for others: time or a hand opens them. */
function closedVerdict(pod: Pod, reachable: readonly NodeVerdict[]): Verdict {
  const unwell = reachable.filter(({ node }) => untoleratedTaints(pod, node).every((taint) => isNodeStateTaint(taint.key)));
  if (unwell.length > 0) return verdictOf('no_available_node', unwell);
  const workers = preferSome(reachable, ({ node }) => !untoleratedTaints(pod, node).some((taint) => isControlPlaneTaint(taint.key)));
  return verdictOf('untolerated_taint', workers);
}

/** Taints that keep the pod off this node; a cordon's own taint included. */
export function untoleratedTaints(pod: Pod, node: Node): readonly Taint[] {
  const tolerations = pod.spec.tolerations ?? [];
  return (node.spec.taints ?? []).filter((taint) => taint.effect !== 'PreferNoSchedule' && !isTolerated(taint, tolerations));
}

/** A node without a single device of the kind the pod asks for was never meant for it. */
function lacksDevice({ node, failures }: NodeVerdict): boolean {
  return failures.some(({ resource }) => resource !== undefined && isDevice(resource) && isNone(node.status.allocatable?.[resource]));
}

function isDevice(resource: string): boolean {
  return causeOfResource(resource) === 'extended_resource';
}

function isNone(quantity: string | undefined): boolean {
  return quantity === undefined || /^0+(?:\.0*)?[a-zA-Z]*$/.test(quantity);
}

/**
 * Filters by how near their failing is to a fit. Room is first: a node that is merely full satisfies everything the pod asks, while
 * one that fails spread or (anti-)affinity alone is excluded by the pod's own wish about its neighbours.
 */
const NEARNESS: readonly string[] = [
  'NodeResourcesFit',
  'NodeVolumeLimits',
  'VolumeRestrictions',
  'NodePorts',
  'DynamicResources',
  'VolumeBinding',
  'VolumeZone',
  'PodTopologySpread',
  'InterPodAffinity',
];

/** Distance of a node: how many filters it fails, then which. The nearest nodes decide. */
function nearestVerdict(pod: Pod, open: readonly NodeVerdict[], diagnosis: Diagnosis): Verdict {
  const ranked = open.map((verdict) => ({ verdict, plugins: pluginsOf(verdict) }));
  const distance = ({ plugins }: (typeof ranked)[number]): number => plugins.length * (NEARNESS.length + 1) + nearnessOf(plugins[0] ?? '');
  const least = Math.min(...ranked.map(distance));
  const nearest = ranked.filter((candidate) => distance(candidate) === least);
  const plugin = nearest[0]?.plugins[0] ?? '';
  const verdicts = nearest.map(({ verdict }) => verdict);
  if (plugin === 'NodeResourcesFit') return resourceVerdict(verdicts, nearest[0]?.plugins.length === 1, diagnosis);
  const reason = verdicts[0]?.failures.find((failure) => failure.plugin === plugin)?.reason ?? '';
  return verdictOf(causeOfPlugin(plugin, reason, pod), verdicts);
}

function pluginsOf(verdict: NodeVerdict): readonly string[] {
  return [...new Set(verdict.failures.map(({ plugin }) => plugin))].sort((a, b) => nearnessOf(a) - nearnessOf(b));
}

function nearnessOf(plugin: string): number {
  const position = NEARNESS.indexOf(plugin);
  return position < 0 ? NEARNESS.length : position;
}

const CAUSE_OF_PLUGIN: Readonly<Record<string, SchedulingCause>> = {
  NodeVolumeLimits: 'volume_limit',
  VolumeRestrictions: 'volume_limit',
  NodePorts: 'host_port_conflict',
  DynamicResources: 'resource_claim',
  PodTopologySpread: 'topology_spread',
  InterPodAffinity: 'affinity_mismatch',
};

function causeOfPlugin(plugin: string, reason: string, pod: Pod): SchedulingCause {
  return CAUSE_OF_PLUGIN[plugin] ?? causeOfReason(reason, pod);
}

/** Full nodes: fragmentation only where room alone is missing (design §5), else by what every one of the least full lacks. */
function resourceVerdict(full: readonly NodeVerdict[], roomAlone: boolean, { fit }: Diagnosis): Verdict {
  const lackOf = ({ failures }: NodeVerdict): readonly string[] => failures.flatMap(({ resource }) => resource ?? []);
  const least = Math.min(...full.map((verdict) => lackOf(verdict).length));
  const nearest = full.filter((verdict) => lackOf(verdict).length === least);
  const counts = new Map<string, number>();
  for (const resource of nearest.flatMap(lackOf)) counts.set(resource, (counts.get(resource) ?? 0) + 1);
  const lacking = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(([resource]) => resource);
  if (roomAlone && fit.k === 0 && fit.kStar >= 1 && fit.couldHold) return verdictOf('resource_fragmentation', full, '', lacking);
  const everywhere = lacking.filter((resource) => counts.get(resource) === nearest.length);
  if (everywhere.some(isDevice)) return verdictOf('extended_resource', nearest, '', lacking);
  const [only] = lacking;
  if (only !== undefined && lacking.length === 1) return verdictOf(causeOfResource(only), full, fit.tooBig && only !== 'pods' ? 'too_big' : '', lacking);
  return verdictOf('insufficient_resources', full, fit.tooBig ? 'too_big' : '', lacking);
}
