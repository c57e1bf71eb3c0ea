/**
 * What keeps the containers of a bound pod from being created: volumes and sandbox, which leave the container statuses untouched and
 * show in Events alone, then each container's own config, creation and start. dependency_error and container_create_failure share
 * it, so that one failure is told once.
 */
import type { ContainerStatus, Pod } from '../../collector/objects.ts';
import { conditionOf, isBound, isTerminal, timeOf } from './conditions.ts';
import { endedPodOf } from './ended-pod.ts';
import { eventEvidence, fieldEvidence } from './evidence.ts';
import { oncePerView } from './remembered.ts';
import type { Evidence, PodView, SeenEvent } from './scenario.ts';
import type { StartMeaning, StartStage } from './start-messages.ts';
import { classifyStartError } from './start-messages.ts';
import type { VolumeCause } from './volume-messages.ts';
import { classifyVolumeError } from './volume-messages.ts';

export interface StartFailure extends StartMeaning {
  /** '' where the pod as a whole is kept from starting. */
  readonly container: string;
  readonly text: string;
  /** Since when it fails without having run in between. */
  readonly sinceMs: number;
  /** The text names its cause; false for a summary that only says what is awaited. */
  readonly specific: boolean;
  readonly evidence: readonly Evidence[];
  /** Of a pod that ended by it, when to look for a successor again. */
  readonly recheckTimeMs?: number;
  /** The volume at fault by the name the Event gives it (of the spec, or of the PersistentVolume), or ''. */
  readonly volume: string;
}

/** Everything that keeps containers of this pod from starting now; at most one for the pod and one for each container. */
export const startFailuresOf = oncePerView(readStartFailures);

function readStartFailures(view: PodView): readonly StartFailure[] {
  const { pod } = view;
  if (!isBound(pod) || pod.metadata.deletionTimestamp !== undefined) return [];
  const own = statusesOf(pod).flatMap(({ status, path }) => containerFailure(view, status, path) ?? []);
  if (isTerminal(pod)) return own.flatMap((failure) => endedFailure(view, failure));
  const whole = own.length === 0 && isHeldUp(pod) ? podFailure(view) : undefined;
  return whole === undefined ? own : [whole];
}

/** The object of a pod that ended stays; its failure does not, once a successor started. */
function endedFailure(view: PodView, failure: StartFailure): readonly StartFailure[] {
  const { stands, recheckTimeMs } = endedPodOf(view, view.pod, failure.sinceMs);
  return stands ? [{ ...failure, recheckTimeMs }] : [];
}

interface PlacedStatus {
  readonly status: ContainerStatus;
  readonly path: string;
}

function statusesOf({ status }: Pod): readonly PlacedStatus[] {
  return [...place(status.initContainerStatuses, 'initContainerStatuses'), ...place(status.containerStatuses, 'containerStatuses')];
}

function place(list: readonly ContainerStatus[] | undefined, field: string): readonly PlacedStatus[] {
  return (list ?? []).map((status, index) => ({ status, path: `status.${field}[${index}]` }));
}

/** Waiting reasons that carry the error themselves, and where it arose (signals.md §1.1). */
const STAGES: Readonly<Record<string, StartStage>> = {
  CreateContainerConfigError: 'config',
  CreateContainerError: 'container',
  RunContainerError: 'container',
  PreCreateHookError: 'container',
  PreStartHookError: 'container',
};
/** Terminated reasons of a container whose process never ran: containerd's, and Docker's (signals.md §10.1). */
const NEVER_RAN: readonly string[] = ['StartError', 'ContainerCannotRun'];

function containerFailure(view: PodView, status: ContainerStatus, path: string): StartFailure | undefined {
  const { state, lastState } = status;
  const waiting = state?.waiting;
  const stage = STAGES[waiting?.reason ?? ''];
  if (waiting !== undefined && stage !== undefined) {
    return failureOf(view, status, stage, waiting.message ?? '', `${path}.state.waiting.message`);
  }
  if (state?.running !== undefined) return undefined;
  const [end, where] = state?.terminated === undefined ? [lastState?.terminated, 'lastState'] : [state.terminated, 'state'];
  if (end === undefined || !NEVER_RAN.includes(end.reason ?? '')) return undefined;
  return failureOf(view, status, 'container', end.message ?? '', `${path}.${where}.terminated.message`);
}

function failureOf(view: PodView, status: ContainerStatus, stage: StartStage, said: string, path: string): StartFailure {
  const events = view.events.filter((event) => event.reason === 'Failed' && isAbout(view.pod, event, status.name));
  // A status that has lost its message (the kubelet restarted) still has the Event.
  const text = said || (events.at(-1)?.note.replace(/^Error: /, '') ?? '');
  const read = (said: string): StartMeaning => meaningOf(view.pod, status.name, stage, said);
  const meaning = read(text);
  const event = events.filter(({ note }) => read(note).cause === meaning.cause).at(-1);
  const sinceMs = failingSinceMs(view, status.name, event);
  return {
    ...meaning,
    container: status.name,
    text,
    sinceMs,
    specific: text !== '',
    volume: '',
    evidence: [fieldEvidence(view.pod, path, text, sinceMs), ...(event === undefined ? [] : [eventEvidence(view.pod, event)])],
  };
}

/** The kubelet does not say why it cannot make a subPath's directory; that the volume is mounted read-only does. */
function meaningOf(pod: Pod, container: string, stage: StartStage, text: string): StartMeaning {
  const volume = /create subPath directory for volumeMount "([^"]+)"/.exec(text)?.[1];
  if (volume !== undefined && isReadOnly(pod, volume)) return { scenario: 'dependency_error', cause: 'readonly_volume' };
  const { containers, initContainers = [] } = pod.spec;
  return classifyStartError(
    stage,
    text,
    [...containers, ...initContainers].filter(({ name }) => name === container),
  );
}

/** Whichever kind of source the volume has: all that can be read-only say so in the same field. */
function isReadOnly(pod: Pod, volume: string): boolean {
  const source = (pod.spec.volumes ?? []).find(({ name }) => name === volume) ?? {};
  return Object.values(source).some((value) => typeof value === 'object' && value !== null && (value as { readonly readOnly?: unknown }).readOnly === true);
}

/** By fieldPath; lists that people trim leave it out, which of the only container of a pod loses nothing. */
function isAbout({ spec }: Pod, { fieldPath, note }: SeenEvent, container: string): boolean {
  if (fieldPath !== '') return fieldPath.endsWith(`{${container}}`);
  return spec.containers.length === 1 && (spec.initContainers ?? []).length === 0 && note.startsWith('Error: ');
}

/** The earliest sign since the container last ran. Attempts alternate with back-off, so that the present state alone is too young. */
function failingSinceMs(view: PodView, container: string, event: SeenEvent | undefined): number {
  const past = view.history.containers[container];
  const ranUntilMs = Math.max(0, ...(past?.runs ?? []).filter(({ startedTimeMs }) => startedTimeMs > 0).map(({ finishedTimeMs }) => finishedTimeMs));
  const attempts = (past?.runs ?? []).filter(({ reason }) => NEVER_RAN.includes(reason)).map(({ finishedTimeMs }) => finishedTimeMs);
  const waiting = past?.waiting !== undefined && STAGES[past.waiting.reason] !== undefined ? [past.waiting.sinceMs] : [];
  const signs = [...attempts, ...waiting, ...(event === undefined ? [] : [event.firstTimeMs])].filter((timeMs) => timeMs > ranUntilMs);
  return signs.length > 0 ? Math.min(...signs) : Math.max(ranUntilMs, timeOf(view.pod.status.startTime) ?? 0);
}

/** Waiting reasons of a container that waits for its pod and for nothing of its own. */
export const CALM: readonly string[] = ['', 'ContainerCreating', 'PodInitializing'];

/** The sandbox is not known to be up: volumes or sandbox are what is awaited. */
function isHeldUp(pod: Pod): boolean {
  if (conditionOf(pod, 'PodReadyToStartContainers')?.status === 'True' || conditionOf(pod, 'PodHasNetwork')?.status === 'True') return false;
  return statusesOf(pod).every(({ status }) => status.state?.running === undefined && CALM.includes(status.state?.waiting?.reason ?? ''));
}

function isAwaited({ state }: ContainerStatus): boolean {
  return state?.running === undefined && state?.terminated === undefined && CALM.includes(state?.waiting?.reason ?? '');
}

/** All containers wait to be created, but for init containers that are done; also of a pod that its kubelet has not looked at yet. */
export function isNotYetCreated({ status }: Pod): boolean {
  return (
    (status.containerStatuses ?? []).every(isAwaited) &&
    (status.initContainerStatuses ?? []).every((init) => isAwaited(init) || init.state?.terminated?.exitCode === 0)
  );
}

const SANDBOX_REASONS: readonly string[] = ['FailedCreatePodSandBox', 'FailedCreatePodContainer', 'NetworkNotReady', 'FailedKillPod'];
/** The runtime or a device driver fails before there is a container to blame; the first two only say that the kubelet tries again. */
const RUNTIME_REASONS: readonly string[] = ['FailedSync', 'FailedPodSandBoxStatus', 'FailedPrepareDynamicResources'];
const VOLUME_REASONS: readonly string[] = ['FailedMount', 'FailedAttachVolume', 'FailedMapVolume', 'FailedMountVolume'];
/** The reasons of all Events that readEvent reads. */
const TELLING: ReadonlySet<string> = new Set([...SANDBOX_REASONS, ...RUNTIME_REASONS, ...VOLUME_REASONS, 'Failed']);
/** Steps of a start that come after the volumes. */
const AFTER_VOLUMES: readonly string[] = ['FailedCreatePodSandBox', 'FailedPrepareDynamicResources'];
/** Events of a kubelet that has got beyond volumes and sandbox. */
const PROGRESS: readonly string[] = ['Pulling', 'Pulled', 'Created', 'Started', 'BackOff', 'Failed'];

/** By what the Events say since the kubelet last got further: a cause named beats a summary, then the order of the catalogue. */
function podFailure(view: PodView): StartFailure | undefined {
  const { events } = view;
  const told = events.filter(({ reason }) => TELLING.has(reason));
  if (told.length === 0) return undefined;
  const progressMs = Math.max(
    0,
    ...events.filter(({ reason, fieldPath }) => PROGRESS.includes(reason) && fieldPath !== '').map(({ lastTimeMs }) => lastTimeMs),
  );
  // The kubelet turns to the sandbox once all volumes are mounted: what it said of one before is over.
  const mountedMs = Math.max(0, ...events.filter(({ reason }) => AFTER_VOLUMES.includes(reason)).map(({ lastTimeMs }) => lastTimeMs));
  const stands = ({ reason, lastTimeMs }: SeenEvent): boolean => lastTimeMs > progressMs && (lastTimeMs >= mountedMs || !VOLUME_REASONS.includes(reason));
  const candidates = told.filter(stands).flatMap((event) => readEvent(view, event) ?? []);
  return candidates.sort((a, b) => orderOf(a) - orderOf(b))[0];
}

function orderOf({ specific, cause }: StartFailure): number {
  return (specific ? 0 : ORDER.length + 1) + (ORDER.indexOf(cause) + 1 || ORDER.length);
}

const ORDER: readonly string[] = [
  'memory_limit_too_low',
  'rbac_forbidden',
  'missing_service_account',
  'missing_configmap',
  'missing_secret',
  'missing_key',
  'missing_volume',
  'readonly_volume',
  'access_denied',
  'illegal_mount_path',
  'volume_attach_failed',
  'mount_failed',
  'sandbox_failed',
  'runtime_error',
];

/** A kubelet that is a moment behind the API server has caught up by then. */
const MOMENT_MS = 60_000;

function readEvent(view: PodView, event: SeenEvent): StartFailure | undefined {
  const text = event.note.replace(/^\(combined from similar events\): /, '');
  const base = { container: '', text, sinceMs: event.firstTimeMs, evidence: [eventEvidence(view.pod, event)], volume: volumeNameOf(text) };
  if (SANDBOX_REASONS.includes(event.reason)) {
    return { ...base, ...classifyStartError('sandbox', text, view.pod.spec.containers), specific: event.reason !== 'NetworkNotReady' };
  }
  if (RUNTIME_REASONS.includes(event.reason))
    return { ...base, ...classifyStartError('container', text), specific: event.reason === 'FailedPrepareDynamicResources' };
  if (event.reason === 'Failed' && /making pod data dir/i.test(text)) return { ...base, scenario: 'dependency_error', cause: 'mount_failed', specific: true };
  if (!VOLUME_REASONS.includes(event.reason) || isAttachedSince(view, event, base.volume)) return undefined;
  const goesOn = event.lastTimeMs - event.firstTimeMs >= MOMENT_MS;
  const meaning = classifyVolumeError(event.reason, text) ?? (goesOn ? { cause: 'mount_failed' as const, specific: false } : undefined);
  return meaning === undefined ? undefined : { ...base, scenario: scenarioOf(meaning.cause), cause: meaning.cause, specific: meaning.specific };
}

function scenarioOf(cause: VolumeCause): StartMeaning['scenario'] {
  return cause === 'rbac_forbidden' || cause === 'missing_service_account' ? 'container_create_failure' : 'dependency_error';
}

function volumeNameOf(text: string): string {
  return /(?:for volume|Multi-Attach error for volume|unmounted volumes=\[) ?"?([^"\s\]]+)/.exec(text)?.[1] ?? '';
}

function isAttachedSince(view: PodView, { reason, lastTimeMs, note }: SeenEvent, volume: string): boolean {
  if (reason !== 'FailedAttachVolume' && !note.startsWith('AttachVolume')) return false;
  return view.events.some((event) => event.reason === 'SuccessfulAttachVolume' && event.lastTimeMs >= lastTimeMs && event.note.includes(`"${volume}"`));
}
