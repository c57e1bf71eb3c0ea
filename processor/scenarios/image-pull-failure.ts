/**
 * Opens when: a container waits because its image cannot be pulled; or pulls for long without an error, behind other pulls.
 * Updates when: the error changes; the cause follows the latest one that names a cause.
 * Resolves when: no container of the pod waits for its image for `recoverMs`.
 * Thresholds: errors that a retry does not cure at the first back-off, others at `transientPullFailures` failures, an invalid name
 *   and pull policy Never at once (design §4); a silent pull after `initStuckMs`, twice that when no other pull is in its way.
 * Cannot see: progress of a pull; on kubelets up to 1.31 the cause is gone once neither status nor Event shows it.
 */
import { conditionOf, conditionTimeMs, createdMs, isTerminal, timeOf } from './conditions.ts';
import type { ContainerReading } from './container-runs.ts';
import { containersOf } from './container-runs.ts';
import { containerSubject, eventEvidence, fieldEvidence, lastingText, nameOf, shortText, subjectText, tableEvidence } from './evidence.ts';
import type { PullVerdict } from './image-pull-messages.ts';
import { classifyPullError, namesNoCause } from './image-pull-messages.ts';
import { refinePullVerdict } from './image-pull-tables.ts';
import { parseImage } from './image-reference.ts';
import type { Evidence, PodView, Scenario, SeenEvent, Signal } from './scenario.ts';

/** Waiting reasons of a failed pull (signals.md §3). */
const PULL_REASONS = new Set([
  'ErrImagePull',
  'ImagePullBackOff',
  'ErrImageNeverPull',
  'InvalidImageName',
  'ImageInspectError',
  'RegistryUnavailable',
  'SignatureValidationFailed',
]);
/** These are final: the kubelet does not even try. */
const AT_ONCE = new Set(['ErrImageNeverPull', 'InvalidImageName']);
/** Waiting reasons of a container that is being prepared. */
const PREPARING = new Set(['', 'ContainerCreating', 'PodInitializing']);

/** Within the track: an error that stays says more than one that may pass, and that more than no error. */
const RANK = { silent: 0, other: 1, transient: 2, definite: 3 } as const;

export const imagePullFailure: Scenario = {
  id: 'image_pull_failure',
  reads: ['pods', 'nodes', 'secrets'],
  concerns: ({ waits, leaving }) => waits && !leaving,
  pod(view) {
    const { metadata, status } = view.pod;
    if (metadata.deletionTimestamp !== undefined || isTerminal(view.pod)) return [];
    const waits = [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? []), ...(status.ephemeralContainerStatuses ?? [])];
    if (waits.every(({ state }) => state?.waiting === undefined)) return [];
    return containersOf(view).flatMap((container) => {
      if (PULL_REASONS.has(container.waiting)) return [failedPull(view, container)];
      return PREPARING.has(container.waiting) ? silentPull(view, container) : [];
    });
  },
};

/** What is known of the error: the text that names a cause, where it stands, how often the pull failed. */
interface PullError {
  readonly text: string;
  readonly evidence: readonly Evidence[];
  readonly attempts: number;
  readonly backedOff: boolean;
}

function failedPull(view: PodView, container: ContainerReading): Signal {
  const { pod, thresholds } = view;
  const image = imageOf(container);
  const error = readError(view, container);
  const read = verdictOf(container.waiting, error.text, image);
  const { evidence, shared, ...verdict } = refinePullVerdict(view, image, error.text, read);
  const subject = containerSubject(view, pod, container.name);
  const sinceMs = pullSinceMs(view, container);
  const due = AT_ONCE.has(container.waiting) || (verdict.transient ? error.attempts >= thresholds.transientPullFailures : error.backedOff);
  return {
    scenario: 'image_pull_failure',
    cause: verdict.cause,
    detail: verdict.detail,
    flags: [],
    confidence: verdict.confidence,
    subject,
    track: 'pull',
    rank: verdict.cause === 'other' ? RANK.other : verdict.transient ? RANK.transient : RANK.definite,
    fact: { value: `image=${image}`, timeMs: sinceMs, says: `container ${container.name} cannot get image ${image}` },
    dueTimeMs: due ? sinceMs : undefined,
    recoverAfterMs: thresholds.recoverMs,
    summary: `image ${image} of ${subjectText(subject)} cannot be pulled: ${shortText(withoutWrappers(error.text) || container.waiting, 240)}`,
    evidence: [fieldEvidence(pod, `${container.path}.state.waiting.reason`, container.waiting), ...error.evidence, ...evidence],
    shared,
  };
}

/** The end of the chain of errors, where the cause stands, without what kubelet and runtime put before it. */
function withoutWrappers(text: string): string {
  const wrapper =
    /^(?:\(combined from similar events\)|Back-off pulling image "[^"]*"|ErrImagePull|Failed to pull image "[^"]*"|rpc error|code = \w+ desc = |failed to pull and unpack image "[^"]*"|failed to resolve reference "[^"]*"|Error response from daemon)(?:: |(?<=desc = ))/;
  let rest = text.trim();
  for (let match = wrapper.exec(rest); match !== null; match = wrapper.exec(rest)) rest = rest.slice(match[0].length);
  return rest;
}

/** Reasons that are a cause by themselves need no text. */
function verdictOf(reason: string, text: string, image: string): PullVerdict {
  const fixed = { detail: '', confidence: 'certain', transient: false, ambiguous: false } as const;
  if (reason === 'InvalidImageName') return { ...fixed, cause: 'invalid_image_name' };
  if (reason === 'ErrImageNeverPull') return { ...fixed, cause: 'image_never_pull' };
  if (reason === 'SignatureValidationFailed') return { ...fixed, cause: 'image_corrupt', detail: 'signature' };
  const verdict = classifyPullError(text, image);
  // CRI-O and cri-dockerd say with the reason what the text may not say (signals.md §3.1).
  if (reason === 'RegistryUnavailable' && verdict.cause === 'other') return { ...fixed, cause: 'registry_unavailable', transient: true };
  return verdict;
}

/** Status first; then the last waiting message that named a cause; then the Events, all that is left of it up to 1.31. */
function readError(view: PodView, container: ContainerReading): PullError {
  const { pod } = view;
  const { lastError } = container.past;
  const sinceMs = pullSinceMs(view, container);
  const failures = container.events.filter((event) => event.lastTimeMs >= sinceMs && isPullFailure(event));
  const backOff = container.events.some((event) => event.lastTimeMs >= sinceMs && /^back-off pulling image|^error: imagepullbackoff/i.test(event.note));
  const known = lastError !== undefined && PULL_REASONS.has(lastError.reason) ? lastError : undefined;
  const attempts = Math.max(
    known?.count ?? 0,
    countOf(failures),
    // One with each failed pull; of the Event that names the cause it may be all that is left.
    countOf(container.events.filter((event) => event.lastTimeMs >= sinceMs && /^error: errimagepull/i.test(event.note))),
  );
  const backedOff = container.waiting === 'ImagePullBackOff' || backOff || attempts > 1;
  const message = container.status.state?.waiting?.message ?? '';
  if (!namesNoCause(message)) return { text: message, evidence: [fieldEvidence(pod, `${container.path}.state.waiting.message`, message)], attempts, backedOff };
  const event = failures.at(-1);
  if (known !== undefined && (event === undefined || known.timeMs >= event.lastTimeMs))
    return { text: known.message, evidence: [fieldEvidence(pod, `${container.path}.state.waiting.message`, known.message, known.timeMs)], attempts, backedOff };
  if (event !== undefined) return { text: event.note, evidence: [eventEvidence(pod, event)], attempts, backedOff };
  return { text: '', evidence: [], attempts, backedOff };
}

const countOf = (events: readonly SeenEvent[]): number => events.reduce((sum, { count }) => sum + count, 0);

/** `Failed to pull image …` and `InspectFailed`, which name a cause; `Error: ErrImagePull` does not. */
function isPullFailure(event: SeenEvent): boolean {
  if (event.reason === 'InspectFailed' || event.reason === 'ErrImageNeverPull') return true;
  return event.reason === 'Failed' && /failed to pull image/i.test(event.note);
}

function imageOf(container: ContainerReading): string {
  return container.spec?.image ?? container.status.image ?? '';
}

/** Since when the image is wanted, as the objects date it: the end of the last run, else when the pod came to its node. */
function pullSinceMs(view: PodView, container: ContainerReading): number {
  const { pod, history } = view;
  const ended = container.runs.at(-1)?.finishedTimeMs ?? 0;
  if (ended > 0) return ended;
  return timeOf(pod.status.startTime) ?? conditionTimeMs(conditionOf(pod, 'PodScheduled')) ?? (createdMs(pod) || history.firstSeenMs);
}

/** A pull under way for long without an error: the Event that it began is all there is to see. */
function silentPull(view: PodView, container: ContainerReading): readonly Signal[] {
  const { pod, thresholds } = view;
  const pulling = container.events.findLast(({ reason }) => reason === 'Pulling');
  if (
    pulling === undefined ||
    container.events.some((event) => event !== pulling && event.lastTimeMs >= pulling.lastTimeMs && /^(?:Pulled|Failed|BackOff|Created)$/.test(event.reason))
  )
    return [];
  const image = imageOf(container);
  const others = pullsOnNode(view);
  const subject = containerSubject(view, pod, container.name);
  const queued = others.length > 0;
  const graceMs = thresholds.initStuckMs * (queued ? 1 : 2);
  const node = pod.spec.nodeName ?? '';
  return [
    {
      scenario: 'image_pull_failure',
      cause: queued ? 'pull_queued' : 'pull_timeout',
      detail: '',
      flags: [],
      confidence: queued ? 'likely' : 'guess',
      subject,
      track: 'pull',
      rank: RANK.silent,
      fact: { value: `image=${image}`, timeMs: pulling.lastTimeMs, says: `container ${container.name} waits for image ${image}` },
      dueTimeMs: pulling.lastTimeMs + graceMs,
      awaits: true,
      recoverAfterMs: thresholds.recoverMs,
      summary: `image ${image} of ${subjectText(subject)} has been pulled ${lastingText(view.nowMs, pulling.lastTimeMs, graceMs)} without an error${queued ? `, while ${others.length} other pods of node ${node} pull` : ''}`,
      evidence: [eventEvidence(pod, pulling), ...(queued ? [tableEvidence(pod, `other pods of node ${node} that pull`, others.slice(0, 10).join(', '))] : [])],
      shared: { image, registry: parseImage(image).registry, node },
    },
  ];
}

/** Other pods of the node with a pull that began and has not ended. */
function pullsOnNode(view: PodView): readonly string[] {
  const names: string[] = [];
  for (const pod of view.podsOnNode(view.pod.spec.nodeName ?? '')) {
    if (pod.metadata.uid === view.pod.metadata.uid || pod.status.phase !== 'Pending') continue;
    const last = view.eventsOf(pod.metadata.uid).findLast(({ reason }) => /^(?:Pulling|Pulled|Failed|BackOff)$/.test(reason));
    if (last?.reason === 'Pulling') names.push(nameOf(pod));
  }
  return names;
}
