/**
 * The grammar of kube-scheduler's "why not" message, 1.19 to 1.36 (signals.md §2.1), and what each reason in it means. It is a check
 * on the node table and the fallback where there is none: a node appears in it under its first failing filter only, counts are not
 * disjoint, and since 1.34.2 it names no taint.
 */
import type { Pod } from '../../collector/objects.ts';

/** Causes of scheduling_failure that a scheduler's message can name; `other` has a wording of no known plugin. */
export type SchedulingCause =
  | 'insufficient_resources'
  | 'resource_fragmentation'
  | 'extended_resource'
  | 'too_many_pods'
  | 'node_selector_mismatch'
  | 'affinity_mismatch'
  | 'untolerated_taint'
  | 'no_available_node'
  | 'unbound_volume'
  | 'volume_topology'
  | 'volume_limit'
  | 'resource_claim'
  | 'host_port_conflict'
  | 'topology_spread'
  | 'other';

/** One reason of the message; count 0 where it is said of the pod as a whole and not of nodes. */
export interface SchedulingReason {
  readonly count: number;
  readonly text: string;
  readonly cause: SchedulingCause;
  /** Of `Insufficient <resource>`. */
  readonly resource?: string;
  /** Of a taint, where the version names it. */
  readonly taintKey?: string;
}

export interface SchedulingMessage {
  /** Nodes the scheduler knew; undefined where the message does not say. */
  readonly total: number | undefined;
  readonly reasons: readonly SchedulingReason[];
}

/** `0/5 nodes are available: …`; Volcano and others say `unavailable`, or that of `all nodes`. */
const HEAD = /(?:\d+\/(\d+)|\ball) nodes are (?:un)?available(?:: ?|\.)/;
/** What PostFilter plugins append: a nested count of all nodes again, and remarks of plugins that had nothing to do. */
const POST_FILTER = /\.*\s*(?:no new claims to deallocate\b|preemption: |not found\s*$|still not schedulable\b).*$/s;

/** Up to 1.10 a message that came again was told so at its end. */
const REPEATED = /\.* \(repeated \d+ times\)\s*$/;

/** Reads the message of a PodScheduled condition or a FailedScheduling Event. Total: a text of no known shape is one reason `other`. */
export function parseSchedulingMessage(message: string, pod: Pod): SchedulingMessage {
  if (KARPENTER.test(message)) return parseKarpenter(message, pod);
  const head = HEAD.exec(message);
  const body = (head === null ? message : message.slice(head.index + head[0].length)).replace(POST_FILTER, '').replace(REPEATED, '').trim();
  const reasons = splitReasons(body).map((part) => readReason(part, pod));
  return { total: head?.[1] === undefined ? undefined : Number(head[1]), reasons };
}

/** Karpenter's FailedScheduling (up to 0.3x of a log, `Could not`): why none of its node pools, each before a `; `, can have a node for the pod. */
const KARPENTER = /^(?:failed to|could not) schedule pod, /i;
/** What a pool is called, needs for its daemons, and asks of instance types: names of the user's, which may hold any word. */
const OF_POOL =
  /^incompatible with (?:nodepool|provisioner) "[^"]*", |daemonset overhead=\{[^}]*\}, |(?:,| and) requirements[ =].*?(?= \(no |$)|resources? ?=?\{[^}]*\}/g;

/** Each pool counts as a node: the pod needs one of them, and the others are not meant for it. */
function parseKarpenter(message: string, pod: Pod): SchedulingMessage {
  const parts = message.replace(KARPENTER, '').split(/; (?=\S)/);
  const reasons = parts.map((part) => {
    const text = part.replace(OF_POOL, '').replace(/[.\s]+$/, '');
    return { count: 1, text, cause: causeOfPool(text, pod) };
  });
  return { total: parts.length, reasons };
}

/** Instance types are asked what they are, how large they are, and whether the zone has any (an `offering`): what none of them met. */
const NONE_SUCH = /\bmet (?:all|the scheduling) requirements(?! (?:and|or had enough))/i;

function causeOfPool(text: string, pod: Pod): SchedulingCause {
  if (/did not tolerate/i.test(text)) return 'untolerated_taint';
  const key = /incompatible requirements, (?:key|label) "?([^\s",]+)/i.exec(text)?.[1];
  // Karpenter asks for the pod's volumes what their node affinity asks for.
  if (key?.startsWith('topology.') && !JSON.stringify([pod.spec.nodeSelector, pod.spec.affinity]).includes(`"${key}"`)) return 'volume_topology';
  if (key !== undefined || NONE_SUCH.test(text)) return selectsBy(pod);
  if (/exceed limits|no instance type/i.test(text)) return 'insufficient_resources';
  return classifyReason(text, pod).cause;
}

/** Reasons are joined with `, ` and may contain it; each but a PreFilter's begins with its count. */
function splitReasons(body: string): readonly string[] {
  // Up to 1.10 a predicate was followed by its count: `Insufficient cpu (3), PodToleratesNodeTaints (1)`.
  if (/\(\d+\)/.test(body) && !/^\d+ /.test(body)) return body.split(/(?<=\(\d+\)),\s*/);
  return body.split(/,\s+(?=\d+ )/).filter((part) => part !== '');
}

function readReason(part: string, pod: Pod): SchedulingReason {
  const leading = /^(\d+) (.*)$/s.exec(part);
  const trailing = leading === null ? /^(.*) \((\d+)\)\.*$/s.exec(part) : null;
  const count = Number(leading?.[1] ?? trailing?.[2] ?? 0);
  const text = (leading?.[2] ?? trailing?.[1] ?? part).replace(/[.\s]+$/, '');
  return { count, text, ...classifyReason(text, pod) };
}

/** A reason's meaning, first match wins: a text may carry the words of a later row inside. */
const MEANINGS: readonly { readonly pattern: RegExp; readonly cause: SchedulingCause }[] = [
  { pattern: /pod ?group|\bgang\b|min(?:count|available|member)/i, cause: 'other' },
  { pattern: /storageclass\S* "/i, cause: 'unbound_volume' },
  {
    pattern:
      /resource ?claim|allocate all claims|claims? .* not (?:ready|allocated|available)|device ?class|allocate devices|resourceslice|dynamic ?resources?|resource driver/i,
    cause: 'resource_claim',
  },
  { pattern: /max(?:imum)? volume count|volume count|maxvolumecount|volume (?:attachment )?limit|nodevolumelimits/i, cause: 'volume_limit' },
  { pattern: /readwriteoncepod|no available disk|nodiskconflict|volumerestrictions/i, cause: 'volume_limit' },
  {
    pattern: /volume zone|volumezone|volume node affinity|persistentvolume's node affinity|novolumenodeconflict|csi driver is not installed/i,
    cause: 'volume_topology',
  },
  {
    pattern:
      /unbound|persistentvolumeclaim|persistentvolume "|\bpvc\(?s?\)?\b|persistent ?volumes? to bind|ephemeral volume|enough free storage|storageclass|volumebinding/i,
    cause: 'unbound_volume',
  },
  { pattern: /topology spread|podtopologyspread|evenpodsspread|spread ?constraint/i, cause: 'topology_spread' },
  { pattern: /pods? (?:anti-)?affinity|anti-affinity|interpodaffinity|affinity terms conflict/i, cause: 'affinity_mismatch' },
  { pattern: /scheduler-enforced node affinity/i, cause: 'affinity_mismatch' },
  { pattern: /free ports|host ?ports?\b.*conflict|conflict.*host ?port|nodeports|podfitshostports/i, cause: 'host_port_conflict' },
  {
    pattern:
      /were unschedulable|is unschedulable|nodeunschedulable|node\(s\) were not ready|nodes? (?:is|are|were) not ready|nodenotready|network.unavailable|out of disk|(?:under|had) (?:memory|disk|pid) pressure|(?:memory|disk|pid)pressure|no nodes available/i,
    cause: 'no_available_node',
  },
  { pattern: /requested (?:node name|hostname)|\[nodename\]/i, cause: 'node_selector_mismatch' },
];

/** The cause behind one filter's reason, in the scheduler's words of any version. */
export function causeOfReason(text: string, pod: Pod): SchedulingCause {
  return classifyReason(text, pod).cause;
}

function classifyReason(text: string, pod: Pod): Omit<SchedulingReason, 'count' | 'text'> {
  // A scheduler's own queue is full (Volcano, Koordinator): what the cluster has is beside the point.
  if (/\bqueue\b|insufficient quota/i.test(text)) return { cause: 'other' };
  const insufficient = /\binsufficient ([a-z0-9][\w./-]*)/i.exec(text);
  if (insufficient !== null) return ofResource(insufficient[1] ?? '');
  if (/too many pods/i.test(text)) return { cause: 'too_many_pods', resource: 'pods' };
  if (/noderesourcesfit|podfitsresources|resource fit failed|(?:not|have) enough resources?|fargate capacity is unavailable/i.test(text))
    return { cause: /\bgpus?\b(?!.*(?:cpu|memory))/i.test(text) ? 'extended_resource' : 'insufficient_resources' };
  // HAMi counts nodes by what their devices lack (CardInsufficientMemory, NodeInsufficientDevice), or where none has registered.
  if (/\b(?:Card[A-Z]\w+|NodeInsufficientDevice|NodeUnfitPod|node unregistered)\b/.test(text)) return { cause: 'extended_resource' };
  if (/taint/i.test(text)) return ofTaint(text);
  for (const { pattern, cause } of MEANINGS) if (pattern.test(text)) return { cause };
  if (/node ?selector|node ?affinity/i.test(text)) return { cause: selectsBy(pod) };
  return { cause: 'other' };
}

/** A domain-qualified name is a device plugin's, as is what a scheduler extender calls GPU; `attachable-volumes-…` counted attachments up to 1.20. */
function ofResource(resource: string): Omit<SchedulingReason, 'count' | 'text'> {
  return { cause: causeOfResource(resource), resource };
}

/** The cause when this resource is what a node lacks. */
export function causeOfResource(resource: string): SchedulingCause {
  if (resource === 'pods') return 'too_many_pods';
  if (resource.startsWith('attachable-volumes-')) return 'volume_limit';
  const isDevice = (resource.includes('/') && !resource.startsWith('kubernetes.io/')) || /^[gnt]pu\b/i.test(resource);
  return isDevice ? 'extended_resource' : 'insufficient_resources';
}

function ofTaint(text: string): Omit<SchedulingReason, 'count' | 'text'> {
  const key = /taints?\(?s?\)? \{([^:}\s]+)/i.exec(text)?.[1];
  if (key === undefined) return { cause: 'untolerated_taint' };
  return { cause: isNodeStateTaint(key) ? 'no_available_node' : 'untolerated_taint', taintKey: key };
}

/**
 * Taints by which Kubernetes, a cloud provider, an autoscaler or a node agent says that a node is unwell, starting or leaving, and
 * that pods are not meant to tolerate. Sources: kubernetes.io well-known labels, annotations and taints; cluster-autoscaler
 * utils/taints; karpenter.sh v1 taints; aws-node-termination-handler; Cilium and CSI drivers' agent-not-ready taints.
 */
const NODE_STATE_TAINTS: readonly RegExp[] = [
  /^node\.kubernetes\.io\/(?!exclude)/,
  /^node\.alpha\.kubernetes\.io\//,
  /^node\.cloudprovider\.kubernetes\.io\//,
  /^(?:ToBeDeleted|DeletionCandidateOf)/,
  /^karpenter\.sh\/(?:disrupt|unregistered)/,
  /^aws-node-termination-handler\//,
  /(?:agent-not-ready|startup-taint|not-ready|out-of-service|impending-node-termination)$/i,
];

/** Whether the taint speaks of the node's state, not of whom the node is for. */
export function isNodeStateTaint(key: string): boolean {
  return NODE_STATE_TAINTS.some((pattern) => pattern.test(key));
}

/** The taint that keeps workloads off control planes: never the reason while any other node could do. */
export function isControlPlaneTaint(key: string): boolean {
  return key === 'node-role.kubernetes.io/master' || key === 'node-role.kubernetes.io/control-plane';
}

/** One wording stands for both since 1.21 (and for affinity too in 1.19): the pod's spec tells which was asked for. */
function selectsBy(pod: Pod): SchedulingCause {
  return hasSelector(pod) || !hasNodeAffinity(pod) ? 'node_selector_mismatch' : 'affinity_mismatch';
}

/** Labels every node of an ordinary cluster carries alike: a selector of these alone excludes nothing by itself. */
const UBIQUITOUS_LABELS: readonly string[] = ['kubernetes.io/os', 'beta.kubernetes.io/os', 'kubernetes.io/arch', 'beta.kubernetes.io/arch'];

export function hasSelector(pod: Pod): boolean {
  return Object.keys(pod.spec.nodeSelector ?? {}).some((key) => !UBIQUITOUS_LABELS.includes(key));
}

export function hasNodeAffinity(pod: Pod): boolean {
  return (pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? []).length > 0;
}

/**
 * Causes the message allows, the likeliest first. What is said of the pod, or of every node, binds. A node under a late filter passed
 * all before it, so a full node outweighs any number of nodes that were never eligible. Among the never eligible (volume, selector,
 * cordon, taint) the message cannot tell which are of the pool that the pod is meant for: the order is a guess, and `certain` false.
 */
export function rankReasons(message: SchedulingMessage, pod: Pod): { readonly ranked: readonly SchedulingReason[]; readonly certain: boolean } {
  const workers = message.reasons.filter((reason) => reason.taintKey === undefined || !isControlPlaneTaint(reason.taintKey));
  const reasons = workers.length > 0 ? workers : message.reasons;
  const binding = reasons.find((reason) => isOfAll(reason, message)) ?? bindingResource(message, reasons);
  const meant = reasons.find((reason) => reason.cause === 'untolerated_taint' && isMeantFor(pod, reason.text));
  const closed = reasons.filter(({ cause }) => cause === 'no_available_node').reduce((sum, { count }) => sum + count, 0);
  const isMuchClosed = message.total !== undefined && closed >= message.total * CLOSED_SHARE;
  const rank = (reason: SchedulingReason): number => {
    if (reason === binding) return -1;
    if (reason.cause === 'no_available_node' && isMuchClosed) return ORDER.indexOf('volume_topology') - 0.5;
    return reason === meant ? ORDER.indexOf('node_selector_mismatch') - 0.5 : ORDER.indexOf(reason.cause);
  };
  const ranked = [...reasons].sort((a, b) => rank(a) - rank(b) || b.count - a.count);
  const families = new Set(ranked.map((reason) => familyOf(reason.cause)));
  return { ranked, certain: families.size === 1 && ranked[0]?.cause !== 'other' };
}

/**
 * The node of a bound volume or of a selected pool is none of those that conflict with it, so it is among the others: where as many as
 * these are closed, it is one of them. A single closed node among many is a bystander.
 */
const CLOSED_SHARE = 1 / 4;

/** Said of the pod as a whole, or of every node; before 1.19 a node could count under several filters, so others may be named too. */
function isOfAll({ cause, count }: SchedulingReason, { total }: SchedulingMessage): boolean {
  if (RESOURCES.includes(cause) || cause === 'other') return false;
  return count === 0 || count === total;
}

/** A taint whose words recur in what the pod selects nodes by reserves the very nodes that the pod wants. */
function isMeantFor(pod: Pod, taint: string): boolean {
  const [, key = '', value = ''] = /\{([^:}]*):? ?([^}]*)\}/.exec(taint) ?? [];
  const terms = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  const required = terms.flatMap(({ matchExpressions = [] }) => matchExpressions.flatMap((expression) => [expression.key, ...(expression.values ?? [])]));
  const wanted = new Set([...Object.entries(pod.spec.nodeSelector ?? {}).flat(), ...required]);
  return [key, value].some((word) => word.length > 1 && word !== 'true' && wanted.has(word));
}

/** Nearest to feasible first; from volume_topology on a node of that kind could never have taken the pod as it is. */
const ORDER: readonly SchedulingCause[] = [
  'insufficient_resources',
  'extended_resource',
  'too_many_pods',
  'resource_fragmentation',
  'volume_limit',
  'host_port_conflict',
  'resource_claim',
  'unbound_volume',
  'topology_spread',
  'affinity_mismatch',
  'volume_topology',
  'node_selector_mismatch',
  'no_available_node',
  'untolerated_taint',
  'other',
];

const RESOURCES: readonly SchedulingCause[] = ['insufficient_resources', 'extended_resource', 'too_many_pods', 'resource_fragmentation'];

/** Causes that one filter of the scheduler yields count as one. */
export function familyOf(cause: SchedulingCause): string {
  if (RESOURCES.includes(cause)) return 'resources';
  if (cause === 'untolerated_taint' || cause === 'no_available_node') return 'taints';
  return cause === 'node_selector_mismatch' ? 'affinity_mismatch' : cause;
}

/**
 * NodeResourcesFit lists every resource a node lacks, so counts overlap: a device or the pod limit is what binds only when every
 * node that failed on resources lacks it; else some node has it and lacks cpu or memory alone. The pod limit gives way to a resource
 * that is as scarce: raising it alone would not help.
 */
function bindingResource(message: SchedulingMessage, reasons: readonly SchedulingReason[]): SchedulingReason | undefined {
  const lacking = reasons.filter((reason) => RESOURCES.includes(reason.cause));
  const others = message.reasons.filter((reason) => !RESOURCES.includes(reason.cause)).reduce((sum, reason) => sum + reason.count, 0);
  const largest = Math.max(0, ...lacking.map((reason) => reason.count));
  const nodes = Math.max(largest, (message.total ?? others + largest) - others);
  const everywhere = (cause: SchedulingCause): SchedulingReason | undefined => lacking.find((reason) => reason.cause === cause && reason.count >= nodes);
  const plain = lacking.find((reason) => reason.cause === 'insufficient_resources');
  return everywhere('extended_resource') ?? everywhere('insufficient_resources') ?? everywhere('too_many_pods') ?? plain;
}
