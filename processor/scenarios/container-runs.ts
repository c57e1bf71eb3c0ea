/**
 * What the status, the past and the Events of one container say of its runs: which ended how long ago, whether they make a crash
 * loop, and until when a run in between still belongs to it. Shared by the rules about containers that end.
 */
import type { Container, ContainerState, ContainerStatus, KubeObject, Pod, Workload } from '../../collector/objects.ts';
import { timeOf } from './conditions.ts';
import { isNoRun } from './exit-codes.ts';
import { oncePerView } from './remembered.ts';
import type { ClusterView, ContainerHistory, FinishedRun, PodView, SeenEvent } from './scenario.ts';

/** app, or one of the init list: run once in order, or kept running beside the app (sidecar, since 1.28). */
export type ContainerKind = 'app' | 'init' | 'sidecar' | 'ephemeral';

/** One container as the pod shows it now, with its past. */
export interface ContainerReading {
  readonly kind: ContainerKind;
  readonly name: string;
  readonly spec: Container | undefined;
  readonly status: ContainerStatus;
  readonly past: ContainerHistory;
  /** Field path of its status, e.g. `status.containerStatuses[0]`. */
  readonly path: string;
  /** Events about it, oldest first. */
  readonly events: readonly SeenEvent[];
  /** What the kubelet does when it ended. */
  readonly restartPolicy: 'Always' | 'OnFailure' | 'Never';
  /** Reason of the waiting state; '' when it does not wait, or for no reason. */
  readonly waiting: string;
  readonly runningSinceMs: number | undefined;
  readonly restartCount: number;
  /** Finished runs that are known, oldest first. */
  readonly runs: readonly FinishedRun[];
}

/** Whether the runs of a container make a crash loop. */
export interface CrashLoop {
  /** Over a threshold: backing off, restarts in the window, or the slow form. */
  readonly crossed: boolean;
  /** Times that the kubelet waited before it started the container again, as far as is known. */
  readonly backOffs: number;
  /** Runs so long that the kubelet forgets its back-off in between: CrashLoopBackOff never shows. */
  readonly slow: boolean;
}

/** The kubelet's crash back-off begins at 10 s; the times of a status have whole seconds (signals.md §18). */
const SHORTEST_BACK_OFF_MS = 9_000;
/** A run this long makes the kubelet forget its back-off (signals.md §18). */
const BACK_OFF_RESET_MS = 600_000;
/** Longest run of a slow crash loop: beyond, three alike ends are no pattern. */
const LONGEST_SLOW_RUN_MS = 3_600_000;
/** A run between two crashes belongs to the loop at least this long. */
const SHORTEST_PROBATION_MS = 60_000;

const NO_HISTORY: ContainerHistory = { runs: [], restarts: [], everStarted: false, everReady: false, longestRunMs: 0 };

/** All containers of a pod that have a status: init containers first, then those of the app, then ephemeral ones. */
export const containersOf = oncePerView(readContainers);

function readContainers(view: PodView): readonly ContainerReading[] {
  const { spec, status } = view.pod;
  return [
    ...readList(view, 'initContainerStatuses', status.initContainerStatuses, spec.initContainers, 'init'),
    ...readList(view, 'containerStatuses', status.containerStatuses, spec.containers, 'app'),
    ...readList(view, 'ephemeralContainerStatuses', status.ephemeralContainerStatuses, spec.ephemeralContainers, 'ephemeral'),
  ];
}

function readList(
  view: PodView,
  field: string,
  statuses: readonly ContainerStatus[] = [],
  specs: readonly Container[] = [],
  kind: ContainerKind,
): readonly ContainerReading[] {
  return statuses.map((status, index) => {
    const spec = specs.find(({ name }) => name === status.name);
    return readContainer(view, status, `status.${field}[${index}]`, spec, kind);
  });
}

function readContainer(view: PodView, status: ContainerStatus, path: string, spec: Container | undefined, list: ContainerKind): ContainerReading {
  const { name, state } = status;
  const past = view.history.containers[name] ?? NO_HISTORY;
  const kind = list === 'init' && spec?.restartPolicy === 'Always' ? 'sidecar' : list;
  return {
    kind,
    name,
    spec,
    status,
    past,
    path,
    events: eventsOf(view, name, list),
    restartPolicy: restartPolicyOf(view.pod, spec, kind),
    waiting: state?.waiting?.reason ?? '',
    runningSinceMs: timeOf(state?.running?.startedAt),
    restartCount: status.restartCount ?? 0,
    runs: runsOf(status, past),
  };
}

/** By fieldPath; lists that people trim, and recorders that leave it out, can only mean the container of a pod that has no other, or the one that is meant. */
function eventsOf(view: PodView, name: string, list: ContainerKind): readonly SeenEvent[] {
  const { containers, initContainers = [] } = view.pod.spec;
  const alone = list === 'app' && containers.length === 1 && initContainers.length === 0;
  return view.events.filter((event) => (event.fieldPath === '' ? alone || isMeant(view.pod, name, event) : event.fieldPath.endsWith(`{${name}}`)));
}

/** Events about a container say which by its name, by an image or by a kind of probe or hook that only one of the pod has. */
function isMeant({ spec }: Pod, name: string, { reason, note }: SeenEvent): boolean {
  if (!OF_CONTAINERS.has(reason)) return false;
  const all = [...(spec.initContainers ?? []), ...spec.containers];
  const only = (has: (container: Container) => boolean): boolean => {
    const found = all.filter(has);
    return found.length === 1 && found[0]?.name === name;
  };
  const named = /container:? "?([a-z0-9][-a-z0-9]*)/i.exec(note)?.[1];
  if (all.some((container) => container.name === named)) return named === name;
  const image = /image "([^"]+)"/.exec(note)?.[1];
  if (image !== undefined) return only((container) => container.image === image);
  if (/^Readiness probe/.test(note)) return only(({ readinessProbe }) => readinessProbe !== undefined);
  if (/^Liveness probe/.test(note)) return only(({ livenessProbe }) => livenessProbe !== undefined);
  if (/^Startup probe/.test(note)) return only(({ startupProbe }) => startupProbe !== undefined);
  if (reason === 'FailedPreStopHook') return only(({ lifecycle }) => lifecycle?.preStop !== undefined);
  return /PostStartHook/.test(`${reason} ${note}`) && only(({ lifecycle }) => lifecycle?.postStart !== undefined);
}

/** Reasons that kubelets give to Events about containers (signals.md §1.2). */
const OF_CONTAINERS: ReadonlySet<string> = new Set([
  'Pulling',
  'Pulled',
  'Failed',
  'BackOff',
  'InspectFailed',
  'ErrImageNeverPull',
  'Created',
  'Started',
  'Killing',
  'Unhealthy',
  'FailedPostStartHook',
  'FailedPreStopHook',
]);

/** A container's own policy (sidecars since 1.28, all since 1.34) wins over the pod's; init containers are never run again after success. */
function restartPolicyOf(pod: Pod, spec: Container | undefined, kind: ContainerKind): ContainerReading['restartPolicy'] {
  if (kind === 'ephemeral') return 'Never';
  const policy = spec?.restartPolicy ?? pod.spec.restartPolicy ?? 'Always';
  if (kind === 'init' && policy !== 'Never') return 'OnFailure';
  return policy === 'Never' || policy === 'OnFailure' ? policy : 'Always';
}

function runsOf(status: ContainerStatus, past: ContainerHistory): readonly FinishedRun[] {
  const shown = [runOf(status.lastState, status), runOf(status.state, status)].filter((run) => run !== undefined);
  const older = past.runs.filter((run) => shown.every((other) => other.finishedTimeMs !== run.finishedTimeMs || other.startedTimeMs !== run.startedTimeMs));
  return [...older, ...shown];
}

function runOf(state: ContainerState | undefined, status: ContainerStatus): FinishedRun | undefined {
  const end = state?.terminated;
  if (end === undefined || isNoRun(end)) return undefined;
  return {
    restartCount: status.restartCount ?? 0,
    startedTimeMs: timeOf(end.startedAt) ?? 0,
    finishedTimeMs: timeOf(end.finishedAt) ?? 0,
    exitCode: end.exitCode ?? 0,
    reason: end.reason ?? '',
    message: end.message ?? '',
  };
}

/** Field path of the terminated state that a run is read from. */
export function runPath(container: ContainerReading): string {
  return `${container.path}.${container.status.state?.terminated === undefined ? 'lastState' : 'state'}.terminated`;
}

/** How long a run lasted, ms; undefined where the runtime gives no times. */
export function lastedMs(run: FinishedRun): number | undefined {
  return run.startedTimeMs > 0 && run.finishedTimeMs >= run.startedTimeMs ? run.finishedTimeMs - run.startedTimeMs : undefined;
}

/** Whether the restarts of a container are a crash loop. `killed`: its last run was ended from outside, so exit 0 counts as well. */
export function crashLoopOf(view: PodView, container: ContainerReading, killed: boolean): CrashLoop {
  const backOffs = backOffsOf(container);
  const slow = isSlowLoop(view, container, killed);
  return { crossed: backOffs > 0 || slow || restartsInWindow(view, container) >= view.thresholds.restarts, backOffs, slow };
}

function backOffsOf(container: ContainerReading): number {
  const { runs, restartCount, runningSinceMs, events, waiting } = container;
  // The first restart is immediate: a pause before it has another reason. A run may be shown one restart late.
  const gaps = runs.filter((run, index) => (index >= 2 || run.restartCount >= 3) && isBackOff(runs[index - 1], run.startedTimeMs)).length;
  const last = runs.at(-1);
  if (last === undefined) return gaps;
  if (restartCount >= 2 && runningSinceMs !== undefined && isBackOff(last, runningSinceMs)) return gaps + 1;
  const waits = waiting === 'CrashLoopBackOff' || events.some((event) => isBackOffEvent(event) && event.lastTimeMs >= last.finishedTimeMs);
  return waits ? gaps + 1 : gaps;
}

/** The kubelet backed off between the end of a run and this start. */
function isBackOff(before: FinishedRun | undefined, startedMs: number): boolean {
  if (before === undefined || (lastedMs(before) ?? BACK_OFF_RESET_MS) >= BACK_OFF_RESET_MS) return false;
  return startedMs - before.finishedTimeMs >= SHORTEST_BACK_OFF_MS;
}

/** `Back-off restarting failed container …`; the back-off of image pulls is of type Normal (signals.md §1). */
function isBackOffEvent(event: SeenEvent): boolean {
  return event.reason === 'BackOff' && event.type === 'Warning';
}

/** Restarts within the window that ends with the last run, or now. Counts come from restartCount, times from the objects themselves. */
function restartsInWindow(view: PodView, container: ContainerReading): number {
  // A run that the runtime lost has no times: what is known of the restarts up to now counts.
  const endMs = container.runs.at(-1)?.finishedTimeMs || view.nowMs;
  const startMs = endMs - view.thresholds.restartsWindowMs;
  const podStartMs = timeOf(view.pod.status.startTime);
  if (podStartMs !== undefined && podStartMs > startMs) return container.restartCount;
  // What happened before the pod was first seen has no time: it is taken as old.
  const knownMs = Math.max(startMs, view.history.firstSeenMs);
  const base = container.past.restarts.filter(({ timeMs }) => timeMs <= knownMs).at(-1)?.count ?? container.restartCount;
  const seen = container.runs.filter(({ finishedTimeMs }) => finishedTimeMs > startMs).length;
  return Math.max(container.restartCount - base, Math.min(seen, container.restartCount));
}

/** As many runs in a row as make an incident, each longer than the kubelet's back-off reset, that all ended in the same way. */
function isSlowLoop(view: PodView, { runs }: ContainerReading, killed: boolean): boolean {
  const tail = runs.slice(-view.thresholds.restarts);
  const last = tail.at(-1);
  if (last === undefined || tail.length < view.thresholds.restarts || (last.exitCode === 0 && !killed)) return false;
  return tail.every((run, index) => {
    const lasted = lastedMs(run) ?? 0;
    const next = tail[index + 1];
    const prompt = next === undefined || next.startedTimeMs - run.finishedTimeMs < SHORTEST_PROBATION_MS;
    return lasted >= BACK_OFF_RESET_MS && lasted <= LONGEST_SLOW_RUN_MS && prompt && run.exitCode === last.exitCode && run.reason === last.reason;
  });
}

/**
 * Until when the container is failing: undefined while it does not run; else the end of its probation, twice the longest run it
 * ever managed, so that Running between two crashes is not taken for health.
 */
export function probationEndMs(view: PodView, container: ContainerReading, loop: CrashLoop): number | undefined {
  const { runningSinceMs, runs, past } = container;
  if (runningSinceMs === undefined) return undefined;
  const recent = runs.slice(-view.thresholds.restarts).map((run) => lastedMs(run) ?? 0);
  const longest = loop.slow ? Math.max(...recent) : Math.max(past.longestRunMs, ...recent);
  const cap = loop.slow ? 2 * LONGEST_SLOW_RUN_MS : view.thresholds.recoverRunningMs;
  return runningSinceMs + Math.min(Math.max(SHORTEST_PROBATION_MS, 2 * longest), cap);
}

/** True while the container fails: it does not run, or its run is younger than the probation. */
export function isFailing(view: PodView, probationEnd: number | undefined): boolean {
  return probationEnd === undefined || view.nowMs < probationEnd;
}

/** A container in its first run that waits for its postStart hook, and the Event that it was started. */
export interface HookedStart {
  readonly container: ContainerReading;
  readonly started: SeenEvent;
}

/**
 * The container that its postStart hook holds up. The kubelet writes no status before the hook is back: the container waits as if it were
 * being created, and only its Event says that it was started.
 */
export function hookedStartOf(view: PodView): HookedStart | undefined {
  for (const container of containersOf(view)) {
    const { kind, spec, status, waiting, restartCount, events } = container;
    const isNew = kind === 'app' && restartCount === 0 && status.lastState?.terminated === undefined;
    if (!isNew || spec?.lifecycle?.postStart === undefined || (waiting !== 'ContainerCreating' && waiting !== 'PodInitializing')) continue;
    const started = events.findLast(({ reason }) => reason === 'Started');
    return started && { container, started };
  }
  return undefined;
}

/** Whether the kubelet leaves the container ended after this run. */
export function staysEnded(container: ContainerReading, run: FinishedRun): boolean {
  // Since 1.34 rules of its own may restart a container that its policy would leave.
  if (container.waiting === 'CrashLoopBackOff' || container.runningSinceMs !== undefined) return false;
  return container.restartPolicy === 'Never' || (container.restartPolicy === 'OnFailure' && run.exitCode === 0);
}

/** The Job that made the pod, if it was collected. */
export function jobOf(view: PodView): Workload | undefined {
  const owner = view.pod.metadata.ownerReferences?.find(({ kind }) => kind === 'Job');
  const job = owner && view.object('jobs', view.pod.metadata.namespace, owner.name);
  return job !== undefined && job.metadata.uid === owner?.uid ? (job as Workload) : undefined;
}

const isTrue = (job: Workload | undefined, ...types: readonly string[]): boolean =>
  (job?.status.conditions ?? []).some(({ type, status }) => types.includes(type) && status === 'True');

/** The pod, or the Job that made it, has failed for good. */
export function hasFailed(view: PodView): boolean {
  return view.pod.status.phase === 'Failed' || isTrue(jobOf(view), 'Failed', 'FailureTarget');
}

/** What the pod was for got done by another: its Job completed, or a later pod of the workload succeeded. */
export function wasRetried(view: PodView): boolean {
  if (isTrue(jobOf(view), 'Complete', 'SuccessCriteriaMet')) return true;
  return view.pod.status.phase === 'Failed' && view.pod.metadata.ownerReferences !== undefined && hasLaterSuccess(view, view.pod);
}

/** A pod of the same workload that was created after this pod or Job has succeeded. */
export function hasLaterSuccess(view: ClusterView, object: KubeObject): boolean {
  const ours = view.workloadOf(object);
  const bornMs = timeOf(object.metadata.creationTimestamp) ?? 0;
  for (const other of view.podsIn(object.metadata.namespace)) {
    if (other.status.phase !== 'Succeeded' || (timeOf(other.metadata.creationTimestamp) ?? 0) <= bornMs) continue;
    const theirs = view.workloadOf(other);
    if (theirs.kind === ours.kind && theirs.name === ours.name) return true;
  }
  return false;
}
