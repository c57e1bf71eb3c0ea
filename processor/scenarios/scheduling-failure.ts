/*
 * Opens when: a pod stays unschedulable, was never looked at by a scheduler, was refused by the kubelet, or quota refuses its creation.
 * Updates when: the nodes' reason changes; resource_fragmentation outranks insufficient_resources while the incident lasts.
 * Resolves when: the pod is bound (its workload has what it lost; the controller creates again) for recoverMs.
 * Thresholds: unschedulableMs after PodScheduled=False (scaleUpMs while an autoscaler adds nodes), failedCreates refusals by quota, at once for a refusal by the kubelet; ms (design §4).
 * Cannot see: which taint a scheduler since 1.34.2 meant without the nodes, custom filters beyond their text, the autoscaler's own limits.
 */
import type { Pod } from '../../collector/objects.ts';
import type { Diagnosis } from '../capacity/diagnose.ts';
import { diagnose } from '../capacity/diagnose.ts';
import { conditionOf, conditionTimeMs, createdMs, isBound, isTerminal, timeOf } from './conditions.ts';
import { endedPodOf } from './ended-pod.ts';
import { containerSubject, eventEvidence, fieldEvidence, nameOf, shortText, subjectText, tableEvidence } from './evidence.ts';
import { createdBy, failedCreateOf, quotaNameOf, refusalDueMs } from './failed-create.ts';
import { nodeAdmissionReason } from './node-admission.ts';
import type { Confidence, ControllerView, Evidence, PodView, Scenario, SeenEvent, Signal } from './scenario.ts';
import type { SchedulingCause, SchedulingMessage } from './scheduling-message.ts';
import { familyOf, parseSchedulingMessage, rankReasons } from './scheduling-message.ts';
import { claimAtFault, claimEvidence, explainVerdict, isKarpenter, isScalingUp, nodesEvidence, scaleUpEvidence } from './scheduling-evidence.ts';
import type { Verdict } from './scheduling-verdict.ts';
import { judgeByNodes } from './scheduling-verdict.ts';
import { isUntold, untoldSignal } from './untold.ts';

export const schedulingFailure: Scenario = {
  id: 'scheduling_failure',
  reads: ['nodes', 'persistentvolumeclaims', 'persistentvolumes', 'storageclasses', 'csinodes', 'resourcequotas', 'replicasets', 'events'],
  concerns: ({ failed, bound, leaving }) => failed || (!bound && !leaving),
  pod: (view) => (isTerminal(view.pod) ? refusedSignals(view) : pendingSignals(view)),
  controller: quotaSignals,
};

const TRACK = 'schedule';

/** Fragmentation explains more than lack of room (design D8); what is known of one cause only is worth more than a guess. */
function rankOf(cause: string): number {
  if (cause === 'other') return 10;
  return cause === 'resource_fragmentation' ? 30 : 20;
}

/** A pod no scheduler has placed. Gated pods are held back on purpose, and pods on their way out are not placed any more. */
function pendingSignals(view: PodView): readonly Signal[] {
  const { pod } = view;
  const condition = conditionOf(pod, 'PodScheduled');
  const isGated = (pod.spec.schedulingGates ?? []).length > 0 || condition?.reason === 'SchedulingGated';
  if (pod.metadata.deletionTimestamp !== undefined || isBound(pod) || isGated || condition?.status === 'True') return [];
  const attempts = view.events.filter((event) => event.reason === 'FailedScheduling');
  // Karpenter speaks of pods that a scheduler refused: its word stands where the scheduler's is gone.
  const attempt = attempts.findLast((event) => !isKarpenter(event)) ?? attempts.at(-1);
  if (condition === undefined && attempt === undefined) return absentSignals(view);
  return [unschedulableSignal(view, condition?.message || (attempt?.note ?? ''), attempt)];
}

const VOLUME_CAUSES: readonly SchedulingCause[] = ['unbound_volume', 'volume_topology', 'volume_limit'];

/** An unschedulable pod is tried again after this long at the latest, ms: the scheduler's flush of its queue (signals.md §18). */
const RETRY_MS = 300_000;
/** How soon to look again at a pod that some node would take by now: the scheduler's longest back-off is 10 s, doubled and more. */
const LOOK_AGAIN_MS = 30_000;

/** What decided, and by what. */
interface Decision {
  /** By the tables some node would take the pod: they are newer than the scheduler's last attempt, or know less than it does. */
  readonly disputed: boolean;
  readonly cause: SchedulingCause;
  readonly detail: string;
  readonly confidence: Confidence;
  readonly why: string;
  readonly evidence: readonly Evidence[];
}

function unschedulableSignal(view: PodView, text: string, attempt: SeenEvent | undefined): Signal {
  const { pod, thresholds } = view;
  const condition = conditionOf(pod, 'PodScheduled');
  const sinceMs = conditionTimeMs(condition) ?? attempt?.firstTimeMs ?? createdMs(pod);
  const scalesUp = isScalingUp(view.events);
  const graceMs = scalesUp ? thresholds.scaleUpMs : thresholds.unschedulableMs;
  const subject = containerSubject(view, pod, '');
  const isOverdue = view.isSnapshot === true || sinceMs + thresholds.unschedulableMs <= view.nowMs;
  if (!isOverdue && isUntold(view, sinceMs + graceMs)) {
    return untoldSignal({ scenario: 'scheduling_failure', track: TRACK, subject, dueTimeMs: sinceMs + graceMs });
  }
  const { cause, detail, confidence, why, evidence, disputed } = decide(view, text, isOverdue);
  const said = condition === undefined ? [] : [fieldEvidence(pod, 'status.conditions[PodScheduled]', `${condition.reason ?? ''}: ${text}`, sinceMs)];
  const seen = condition === undefined && attempt !== undefined ? [eventEvidence(pod, attempt)] : [];
  const claim = VOLUME_CAUSES.includes(cause) ? claimAtFault(view) : undefined;
  return {
    scenario: 'scheduling_failure',
    ...{ cause, detail, confidence, subject },
    flags: [],
    track: TRACK,
    rank: disputed ? 1 : rankOf(cause),
    fact: { value: 'PodScheduled=False', timeMs: sinceMs, says: 'the scheduler finds no node for it' },
    dueTimeMs: sinceMs + graceMs + (disputed ? RETRY_MS : 0),
    // Room is being made: by a new node, or by pods that are preempted.
    ...((scalesUp || (pod.status.nominatedNodeName ?? '') !== '') && { awaits: true as const }),
    ...(disputed && { recheckTimeMs: view.nowMs + LOOK_AGAIN_MS }),
    recoverAfterMs: thresholds.recoverMs,
    summary: `${subjectText(subject)} cannot be scheduled: ${why}`,
    evidence: [...said, ...seen, ...evidence, ...claimEvidence(view, claim), ...scaleUpEvidence(view)],
    ...(claim !== undefined && { shared: { claim: `${pod.metadata.namespace}/${claim.name}` } }),
  };
}

/**
 * The nodes decide where they are known and refuse the pod; the message where they are not, where the scheduler never came to look at
 * nodes, and where the tables see nothing that would refuse it (a plugin podtrail does not know, or tables newer than the attempt).
 * While the pod is young nothing can open, and the message will do: most pods that wait are placed by then, and a diagnosis costs
 * time in proportion to the cluster.
 */
function decide(view: PodView, text: string, isOverdue: boolean): Decision {
  const message = parseSchedulingMessage(text, view.pod);
  const ranked = rankReasons(message, view.pod);
  const judged = !isOverdue || isAboutPod(message) ? undefined : judge(view);
  if (judged === undefined || judged === 'fits') return { ...decideByMessage(view, message, text), disputed: judged === 'fits' };
  const { verdict, diagnosis } = judged;
  const agrees = ranked.ranked.some((reason) => familyOf(reason.cause) === familyOf(verdict.cause));
  return {
    disputed: false,
    cause: verdict.cause,
    detail: verdict.detail,
    confidence: agrees ? 'certain' : 'likely',
    why: explainVerdict(view.pod, verdict, diagnosis),
    evidence: nodesEvidence(view.pod, verdict, diagnosis),
  };
}

/** The scheduler gave up before it looked at a node: its word is as new as the attempt, and up to 1.25 it counted every node for it. */
function isAboutPod({ reasons }: SchedulingMessage): boolean {
  return (
    reasons.length > 0 &&
    reasons.every(({ cause, count }) => cause === 'unbound_volume' || cause === 'resource_claim' || (count === 0 && cause === 'affinity_mismatch'))
  );
}

function judge(view: PodView): { readonly verdict: Verdict; readonly diagnosis: Diagnosis } | 'fits' | undefined {
  if (!view.inSync('nodes') || !view.inSync('pods')) return undefined;
  const diagnosis = diagnose(view.pod, view);
  // An empty table is a cluster whose nodes may not be listed, far more often than one without nodes.
  if (diagnosis.nodes.length === 0) return undefined;
  const verdict = judgeByNodes(view.pod, diagnosis);
  return verdict === undefined ? 'fits' : { verdict, diagnosis };
}

/** Reasons whose cause the nodes decide: without them the message leaves more than one. */
const NODES_DECIDE: readonly SchedulingCause[] = [
  'insufficient_resources',
  'node_selector_mismatch',
  'affinity_mismatch',
  'untolerated_taint',
  'no_available_node',
];

function decideByMessage(view: PodView, message: SchedulingMessage, text: string): Omit<Decision, 'disputed'> {
  const { ranked, certain } = rankReasons(message, view.pod);
  const cause = ranked[0]?.cause ?? 'other';
  const open = [...new Set(ranked.map((reason) => reason.cause))].filter((each) => each !== 'other');
  const sure = certain && !NODES_DECIDE.includes(cause);
  const candidates = open.map((each, index) => `${index + 1}. ${each}`).join(', ');
  return {
    cause,
    detail: '',
    confidence: sure ? 'certain' : certain ? 'likely' : 'guess',
    why: shortText(ranked[0]?.text ?? text, 200),
    evidence: open.length > 1 ? [tableEvidence(view.pod, 'candidate causes', `${candidates}; kubectl get nodes -o json decides`)] : [],
  };
}

/** No condition and no Event about the pod: what it waits for is told elsewhere, or nobody serves spec.schedulerName. */
function absentSignals(view: PodView): readonly Signal[] {
  const { pod, thresholds } = view;
  if (pod.status.phase !== undefined && pod.status.phase !== 'Pending') return [];
  const subject = containerSubject(view, pod, '');
  const sinceMs = createdMs(pod);
  const dueTimeMs = sinceMs + thresholds.unschedulableMs;
  if (isUntold(view, dueTimeMs)) return [untoldSignal({ scenario: 'scheduling_failure', track: TRACK, subject, dueTimeMs })];
  const scheduler = pod.spec.schedulerName ?? 'default-scheduler';
  const { why, evidence, ...found } = claimInProgress(view) ??
    missingResourceClaim(pod, scheduler) ?? {
      cause: 'scheduler_absent',
      confidence: mayAwaitClaim(view) ? 'guess' : view.inSync('events') ? 'certain' : 'likely',
      why: `is not scheduled by anyone: scheduler ${scheduler} has not looked at ${nameOf(pod)}`,
      evidence: [],
    };
  return [
    {
      scenario: 'scheduling_failure',
      detail: '',
      flags: [],
      ...found,
      subject,
      track: TRACK,
      rank: 5,
      fact: { value: 'PodScheduled absent', timeMs: sinceMs, says: 'created, and not scheduled' },
      dueTimeMs,
      awaits: true,
      recoverAfterMs: thresholds.recoverMs,
      summary: `${subjectText(subject)} ${why}`,
      evidence: [fieldEvidence(pod, 'spec.schedulerName', scheduler), ...evidence, fieldEvidence(pod, 'status.conditions[PodScheduled]', 'absent', sinceMs)],
    },
  ];
}

/** It has claims, and nobody lists them. */
function mayAwaitClaim(view: PodView): boolean {
  const volumes = view.pod.spec.volumes ?? [];
  return !view.inSync('persistentvolumeclaims') && volumes.some(({ persistentVolumeClaim, ephemeral }) => (persistentVolumeClaim ?? ephemeral) !== undefined);
}

type SilentWait = Pick<Signal, 'cause' | 'confidence' | 'evidence' | 'shared'> & { readonly why: string };

/**
 * The default scheduler is silent about a pod whose ResourceClaim does not exist: its plugin for them keeps the pod out of the queue
 * (DynamicResources, PreEnqueue).
 */
function missingResourceClaim(pod: Pod, scheduler: string): SilentWait | undefined {
  const claims = scheduler === 'default-scheduler' ? (pod.spec.resourceClaims ?? []).map(({ name }) => name).join(', ') : '';
  if (claims === '') return undefined;
  const evidence = [fieldEvidence(pod, 'spec.resourceClaims', claims)];
  return { cause: 'resource_claim', confidence: 'likely', why: `waits for a resource claim that is not there: ${claims}`, evidence };
}

/** Events of a claim for which a volume is to be made: with WaitForFirstConsumer, once the scheduler has chosen the node. */
const PROVISIONING: readonly string[] = ['ExternalProvisioning', 'Provisioning', 'ProvisioningFailed'];

/** The scheduler has chosen a node, says nothing of it, and waits up to 10 min for the volume (VolumeBinding, PreBind). */
function claimInProgress(view: PodView): SilentWait | undefined {
  const used = claimAtFault(view);
  if (used?.claim === undefined || used.claim.status.phase === 'Bound') return undefined;
  const told = view.eventsOf(used.claim.metadata.uid).findLast(({ reason }) => PROVISIONING.includes(reason));
  if (told === undefined) return undefined;
  return {
    cause: 'unbound_volume',
    confidence: 'certain',
    why: `waits for the volume of PersistentVolumeClaim ${used.name}: ${shortText(told.note, 200)}`,
    evidence: claimEvidence(view, used),
    shared: { claim: `${view.pod.metadata.namespace}/${used.name}` },
  };
}

/** The kubelet refused the pod that the scheduler gave it; or a scheduler failed one that it will not place (YuniKorn's ApplicationRejected). */
function refusedSignals(view: PodView): readonly Signal[] {
  const { pod, thresholds } = view;
  const reason = isBound(pod) ? nodeAdmissionReason(pod) : pod.status.phase === 'Failed' ? pod.status.reason : undefined;
  if (reason === undefined || reason === '') return [];
  const event = view.events.find((candidate) => candidate.reason === reason);
  const sinceMs = event?.firstTimeMs ?? timeOf(pod.status.startTime) ?? createdMs(pod);
  const ended = endedPodOf(view, pod, sinceMs);
  if (!ended.stands) return [];
  const subject = containerSubject(view, pod, '');
  const node = pod.spec.nodeName ?? '';
  return [
    {
      scenario: 'scheduling_failure',
      cause: isBound(pod) ? 'node_admission_rejected' : 'other',
      detail: '',
      flags: [],
      confidence: isBound(pod) ? 'certain' : 'likely',
      subject,
      track: TRACK,
      rank: 20,
      fact: { value: `status.reason=${reason}`, timeMs: sinceMs, says: `refused: ${reason}` },
      dueTimeMs: sinceMs,
      recheckTimeMs: ended.recheckTimeMs,
      recoverAfterMs: thresholds.recoverMs,
      summary: `${subjectText(subject)}: ${isBound(pod) ? `node ${node}` : `scheduler ${pod.spec.schedulerName ?? 'default-scheduler'}`} refused a pod: ${reason}: ${shortText(pod.status.message ?? '')}`,
      evidence: [
        fieldEvidence(pod, 'status.reason', reason, sinceMs),
        fieldEvidence(pod, 'status.message', pod.status.message ?? ''),
        ...(isBound(pod) ? [fieldEvidence(pod, 'spec.nodeName', node)] : []),
      ],
      ...(isBound(pod) && { shared: { node } }),
    },
  ];
}

/** Quota: no pod exists; the subject is the quota, since it refuses every controller of its namespace alike. */
function quotaSignals(view: ControllerView): readonly Signal[] {
  const failed = failedCreateOf(view);
  if (failed?.scenario !== 'scheduling_failure') return [];
  const { controller, thresholds } = view;
  const { namespace } = controller.metadata;
  const quotas = [...view.quotasIn(namespace)];
  const name = quotaNameOf(failed.message) ?? quotas[0]?.metadata.name ?? '';
  const quota = quotas.find((candidate) => candidate.metadata.name === name);
  const used = Object.entries(quota?.status.hard ?? {}).map(([resource, hard]) => `${resource} ${quota?.status.used?.[resource] ?? '0'} of ${hard}`);
  return [
    {
      scenario: 'scheduling_failure',
      cause: failed.cause,
      detail: failed.detail,
      flags: [],
      confidence: 'certain',
      subject: { kind: 'ResourceQuota', namespace, name, container: '' },
      track: TRACK,
      rank: 20,
      fact: { value: `FailedCreate ${nameOf(controller)}`, timeMs: failed.sinceMs, says: `its ${createdBy(controller)} are refused` },
      dueTimeMs: refusalDueMs(view, failed),
      recoverAfterMs: thresholds.recoverMs,
      summary: `ResourceQuota ${namespace}/${name} refuses ${createdBy(controller)} of ${nameOf(controller)}: ${shortText(failed.message, 200)}`,
      evidence: [
        ...(failed.event === undefined
          ? [fieldEvidence(controller, `status.conditions[${failed.condition?.type}]`, failed.message, failed.sinceMs)]
          : [eventEvidence(controller, failed.event)]),
        ...(quota === undefined || used.length === 0 ? [] : [fieldEvidence(quota, 'status.used', used.join(', '))]),
      ],
    },
  ];
}
