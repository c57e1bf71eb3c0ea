/** What is shown with a scheduling verdict: the nodes that decided, the claim at fault, what an autoscaler said. */
import type { Node, PersistentVolumeClaim, Pod } from '../../collector/objects.ts';
import type { Diagnosis, NodeVerdict } from '../capacity/diagnose.ts';
import { eventEvidence, fieldEvidence, tableEvidence } from './evidence.ts';
import type { Evidence, PodView, SeenEvent } from './scenario.ts';
import type { Verdict } from './scheduling-verdict.ts';
import { untoleratedTaints } from './scheduling-verdict.ts';

/** Nodes shown one by one; the rest are in the counts. */
const SHOWN_NODES = 3;

/** `K=0, K*=9, phi=1, binding cpu`: the figures of capacity.md, which every verdict about room carries. */
function fitText({ fit }: Diagnosis): string {
  return `K=${fit.k}, K*=${fit.kStar}, phi=${Math.round(fit.phi * 1_000) / 1_000}, binding ${fit.bindingResource || 'none'}`;
}

/** The rest of the sentence "cannot be scheduled: …". */
export function explainVerdict(pod: Pod, verdict: Verdict, diagnosis: Diagnosis): string {
  const { cause, detail, nearest, lacking } = verdict;
  const one = nearest.length === 1;
  const nodes = one ? `node ${nearest[0]?.node.metadata.name}` : `${nearest.length} nodes`;
  switch (cause) {
    case 'resource_fragmentation':
      return `the free room of ${diagnosis.fit.eligible} nodes together would hold it, that of no single node does`;
    case 'insufficient_resources':
      return detail === 'too_big'
        ? `it asks for more ${lacking.join(' and ')} than ${nodes} could ever hold`
        : `too little ${lacking.join(' and ') || 'room'} is free on ${one ? 'the only node' : `the ${nodes}`} that would take it`;
    case 'extended_resource':
      return `no ${lacking.filter((resource) => resource.includes('/')).join(' and ')} is free on ${nodes}`;
    case 'too_many_pods':
      return `${nodes} that would take it ${one ? 'holds' : 'hold'} as many pods as allowed`;
    case 'node_selector_mismatch':
      return `no node carries the labels of its nodeSelector ${selectorText(pod)}`;
    case 'untolerated_taint':
      return `it does not tolerate ${taintsText(pod, nearest)} of ${nodes}`;
    case 'no_available_node':
      return `the only ${one ? 'node' : `${nearest.length} nodes`} that would take it ${one ? 'is' : 'are'} cordoned, not ready or leaving: ${namesText(nearest)}`;
    default:
      return isUnselected(verdict) ? 'no node satisfies its required node affinity' : reasonsText(nearest);
  }
}

/** Where no node was selected, all of them are nearest, and what else they fail is beside the point. */
function isUnselected({ nearest }: Verdict): boolean {
  return nearest.every(({ failures }) => failures.some(({ plugin }) => plugin === 'NodeAffinity'));
}

function reasonsText(nearest: readonly NodeVerdict[]): string {
  return [...new Set(nearest.flatMap(({ failures }) => failures.map(({ reason }) => reason)))].slice(0, 3).join(', ');
}

function selectorText(pod: Pod): string {
  const labels = Object.entries(pod.spec.nodeSelector ?? {}).map(([key, value]) => `${key}=${value}`);
  return labels.join(',') || '(none)';
}

/** Required node affinity in one line: terms are alternatives. */
function affinityText(pod: Pod): string {
  const terms = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  const requirements = terms.map(({ matchExpressions = [], matchFields = [] }) =>
    [...matchExpressions, ...matchFields].map(({ key, operator, values = [] }) => `${key} ${operator} ${values.join('|')}`.trim()).join(' and '),
  );
  return requirements.join(' or ');
}

function namesText(verdicts: readonly NodeVerdict[]): string {
  const names = verdicts.slice(0, SHOWN_NODES).map(({ node }) => node.metadata.name);
  return `${names.join(', ')}${verdicts.length > SHOWN_NODES ? ', …' : ''}`;
}

function taintText({ key, value, effect }: NonNullable<Node['spec']['taints']>[number]): string {
  return `${key}${value === undefined || value === '' ? '' : `=${value}`}:${effect}`;
}

function taintsText(pod: Pod, verdicts: readonly NodeVerdict[]): string {
  return [...new Set(verdicts.flatMap(({ node }) => untoleratedTaints(pod, node).map(taintText)))].slice(0, SHOWN_NODES).join(', ');
}

/** How many nodes fail which filter (a node counts under each), the figures of fit, and the nearest nodes with what closes them. */
export function nodesEvidence(pod: Pod, verdict: Verdict, diagnosis: Diagnosis): readonly Evidence[] {
  const counts = new Map<string, number>();
  for (const { failures } of diagnosis.nodes) {
    for (const plugin of new Set(failures.map((failure) => failure.plugin))) counts.set(plugin, (counts.get(plugin) ?? 0) + 1);
  }
  const filters = [...counts].map(([plugin, count]) => `${count} ${plugin}`).join(', ');
  const counted = tableEvidence(pod, `filters failed on ${diagnosis.nodes.length} nodes`, filters);
  if (isUnselected(verdict)) return [counted, ...selectionEvidence(pod)];
  const figures = RESOURCE_CAUSES.includes(verdict.cause) ? [tableEvidence(pod, 'fit', fitText(diagnosis))] : [];
  return [counted, ...figures, ...verdict.nearest.slice(0, SHOWN_NODES).flatMap((each) => nodeEvidence(pod, verdict, each))];
}

function selectionEvidence(pod: Pod): readonly Evidence[] {
  const affinity = affinityText(pod);
  return [
    ...(pod.spec.nodeSelector === undefined ? [] : [fieldEvidence(pod, 'spec.nodeSelector', selectorText(pod))]),
    ...(affinity === '' ? [] : [fieldEvidence(pod, 'spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution', affinity)]),
  ];
}

const RESOURCE_CAUSES: readonly string[] = ['insufficient_resources', 'resource_fragmentation', 'extended_resource', 'too_many_pods'];

function nodeEvidence(pod: Pod, { cause }: Verdict, { node, failures }: NodeVerdict): readonly Evidence[] {
  if (cause === 'no_available_node' || cause === 'untolerated_taint') {
    const taints = untoleratedTaints(pod, node).map(taintText).join(', ');
    const cordon = node.spec.unschedulable === true ? [fieldEvidence(node, 'spec.unschedulable', true)] : [];
    return [...cordon, ...(taints === '' ? [] : [fieldEvidence(node, 'spec.taints', taints)])];
  }
  return [tableEvidence(node, 'failing filters', failures.map(({ plugin, reason }) => `${plugin}: ${reason}`).join(', '))];
}

/** Karpenter reports under the scheduler's reason, in words of its own: what it says is about nodes that do not exist yet. */
export function isKarpenter(event: SeenEvent): boolean {
  return event.component.startsWith('karpenter') || event.note.startsWith('Failed to schedule pod, ');
}

/** A scale-up for this pod is under way: an autoscaler said so and has not taken it back since. */
export function isScalingUp(events: readonly SeenEvent[]): boolean {
  const lastOf = (reasons: readonly string[]): number =>
    Math.max(0, ...events.filter(({ reason }) => reasons.includes(reason)).map(({ lastTimeMs }) => lastTimeMs));
  const refusedMs = Math.max(
    lastOf(SCALE_UP_REFUSED),
    ...events.filter((event) => event.reason === 'FailedScheduling' && isKarpenter(event)).map((event) => event.lastTimeMs),
  );
  const startedMs = lastOf(SCALE_UP_STARTED);
  return startedMs > 0 && startedMs >= refusedMs;
}

/** cluster-autoscaler's TriggeredScaleUp, Karpenter's Nominated; NotTriggerScaleUp, and GKE's FailedScaleUp when the zone is out of machines. */
const SCALE_UP_STARTED: readonly string[] = ['TriggeredScaleUp', 'Nominated'];
const SCALE_UP_REFUSED: readonly string[] = ['NotTriggerScaleUp', 'FailedScaleUp'];

export function scaleUpEvidence(view: PodView): readonly Evidence[] {
  const said = view.events.filter(
    (event) =>
      SCALE_UP_STARTED.includes(event.reason) || SCALE_UP_REFUSED.includes(event.reason) || (event.reason === 'FailedScheduling' && isKarpenter(event)),
  );
  return said.slice(-2).map((event) => eventEvidence(view.pod, event));
}

/** A claim a volume of the pod names, and the claim itself where it is known. */
export interface UsedClaim {
  readonly name: string;
  readonly claim: PersistentVolumeClaim | undefined;
}

/** The claim at fault: the first that is not bound, else the first. Generic ephemeral volumes name theirs `<pod>-<volume>`. */
export function claimAtFault(view: PodView): UsedClaim | undefined {
  const { namespace, name: podName } = view.pod.metadata;
  const names = (view.pod.spec.volumes ?? []).flatMap(
    (volume) => volume.persistentVolumeClaim?.claimName ?? (volume.ephemeral === undefined ? [] : `${podName}-${volume.name}`),
  );
  const claims = names.map((name) => ({ name, claim: view.object('persistentvolumeclaims', namespace, name) as PersistentVolumeClaim | undefined }));
  return claims.find(({ claim }) => claim?.status.phase !== 'Bound') ?? claims[0];
}

export function claimEvidence(view: PodView, used: UsedClaim | undefined): readonly Evidence[] {
  if (used === undefined || !view.inSync('persistentvolumeclaims')) return [];
  const { claim, name } = used;
  if (claim === undefined) return [tableEvidence(view.pod, `PersistentVolumeClaim ${view.pod.metadata.namespace}/${name}`, 'not found')];
  const events = view.eventsOf(claim.metadata.uid).slice(-1);
  return [
    fieldEvidence(claim, 'status.phase', claim.status.phase ?? ''),
    fieldEvidence(claim, 'spec.storageClassName', claim.spec.storageClassName || 'none'),
    ...events.map((event) => eventEvidence(claim, event)),
  ];
}
