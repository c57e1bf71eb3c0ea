/**
 * Who ended a run of a container: the decision tables of signals.md §9–§11. Every rule about containers that end asks here, so
 * that exactly one of them speaks. Of the exit code alone nothing follows: 137 has at least seven sources.
 */
import type { Probe } from '../../collector/objects.ts';
import { timeOf } from './conditions.ts';
import type { ContainerReading } from './container-runs.ts';
import { lastedMs } from './container-runs.ts';
import type { FinishedRun, PodView, SeenEvent } from './scenario.ts';

export type RunEnd =
  /** The kernel killed it for memory. `systemWide`: named by the node's SystemOOM, not by the runtime. */
  | { readonly kind: 'oom'; readonly systemWide: boolean }
  /** The runtime could not start it: container_create_failure. */
  | { readonly kind: 'never_started' }
  /** It was asked for: deletion, eviction, node shutdown, an edited image, an in-place resize. */
  | { readonly kind: 'wanted' }
  /** Killed because its postStart hook failed. */
  | { readonly kind: 'hook'; readonly message: string; readonly event?: SeenEvent }
  /** Killed because a probe failed. Not certain: inferred, the Event that says so is missing. */
  | { readonly kind: 'probe'; readonly probe: 'liveness' | 'startup'; readonly certain: boolean; readonly event?: SeenEvent }
  /** The runtime or the kubelet lost it; its exit code is invented. */
  | { readonly kind: 'lost' }
  /** Exit 0 of a container that is meant to end. */
  | { readonly kind: 'completed' }
  | { readonly kind: 'exit' };

/** Default of spec.terminationGracePeriodSeconds, s. */
const DEFAULT_GRACE_SECONDS = 30;
/** Events and statuses carry whole seconds of different clocks, and the kubelet writes them apart. */
const SLACK_MS = 10_000;
/** Both ends of a run are cut to whole seconds. */
const WHOLE_SECONDS_MS = 2_000;
/** A SystemOOM this near explains a SIGKILL (signals.md §11). */
const SYSTEM_OOM_MS = 60_000;

/** Reasons of a terminated state that mean that no process ever ran: containerd; dockershim and cri-dockerd. */
const NEVER_STARTED = new Set(['StartError', 'ContainerCannotRun']);

/** Who ended this run. */
export function endOf(view: PodView, container: ContainerReading, run: FinishedRun): RunEnd {
  if (run.reason === 'OOMKilled') return { kind: 'oom', systemWide: false };
  if (NEVER_STARTED.has(run.reason)) return { kind: 'never_started' };
  if (isWanted(view, container, run)) return { kind: 'wanted' };
  const hook = endedByHook(view, container, run);
  if (hook !== undefined) return hook;
  const probe = endedByProbe(view, container, run);
  if (probe !== undefined) return probe;
  if (run.reason === 'ContainerStatusUnknown' || run.reason === 'Unknown') return { kind: 'lost' };
  if (run.exitCode === 137 && systemOomNear(view, run) !== undefined) return { kind: 'oom', systemWide: true };
  if (run.exitCode === 0 && container.restartPolicy !== 'Always') return { kind: 'completed' };
  return { kind: 'exit' };
}

/**
 * When the deletion of the pod was asked for, at the earliest: deletionTimestamp lies a grace period later, until the kubelet is
 * done and cuts both short.
 */
export function deletionRequestedMs(view: PodView): number | undefined {
  const { deletionTimestamp, deletionGracePeriodSeconds = 0 } = view.pod.metadata;
  const at = timeOf(deletionTimestamp);
  if (at === undefined) return undefined;
  const seconds = deletionGracePeriodSeconds > 0 ? deletionGracePeriodSeconds : (view.pod.spec.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS);
  return at - seconds * 1_000;
}

/** status.reason names what the kubelet or a controller did to the whole pod (signals.md §14, §15), except a deadline that it missed. */
function isWanted(view: PodView, container: ContainerReading, run: FinishedRun): boolean {
  const { metadata, status } = view.pod;
  if (metadata.deletionTimestamp !== undefined || run.reason === 'RestartingAllContainers') return true;
  if ((status.reason ?? '') !== '' && status.reason !== 'DeadlineExceeded') return true;
  // Of a pod that restarts nothing a failed probe ends everything, and that is all the kubelet says of it.
  const isStopped = container.restartPolicy !== 'Never' || killedAfterFailures(view, container, run) === undefined;
  const asked = isStopped ? /definition changed|resize requires restart|^Stopping container/ : /definition changed|resize requires restart/;
  const grace = graceMs(view, undefined);
  if (container.events.some((event) => event.reason === 'Killing' && asked.test(event.note) && isNear(event, run, grace))) return true;
  // The sandbox under it was replaced, as after a reboot of the node: nothing that the container did.
  return view.events.some((event) => event.reason === 'SandboxChanged' && isNear(event, run, grace));
}

/** What a container gets to end in, ms: by the probe that ends it, else by its pod. */
export function graceMs(view: PodView, probe: Probe | undefined): number {
  return (probe?.terminationGracePeriodSeconds ?? view.pod.spec.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS) * 1_000;
}

/** The Event may explain the end of the run: it was seen at that time, or before and after it. */
function isNear(event: SeenEvent, run: FinishedRun, grace: number): boolean {
  return event.firstTimeMs <= run.finishedTimeMs + SLACK_MS && event.lastTimeMs >= run.finishedTimeMs - grace - SLACK_MS;
}

/** A hook that could not run because the process was gone already is a consequence of the exit, not its cause (signals.md §7). */
const PROCESS_WAS_GONE =
  /container (?:is )?not running|stopped container|not in running state|(?:task|container|process).{0,80}not found|no running task|has stopped|already exited/i;

/** Whether a hook's error says only that there was no process left to run it in. */
export function isProcessGone(message: string): boolean {
  return PROCESS_WAS_GONE.test(message);
}

function endedByHook(view: PodView, container: ContainerReading, run: FinishedRun): RunEnd | undefined {
  const { waiting } = container.status.state ?? {};
  const { lastError } = container.past;
  const recent = lastError?.reason === 'PostStartHookError' && lastError.timeMs >= run.finishedTimeMs - SLACK_MS ? lastError.message : undefined;
  const message = waiting?.reason === 'PostStartHookError' ? (waiting.message ?? '') : recent;
  const event = container.events.findLast(
    ({ reason, note }) => reason === 'FailedPostStartHook' || (reason === 'Killing' && note.includes('FailedPostStartHook')),
  );
  // It is killed with its grace, and may use all of it.
  const told = event !== undefined && (isNear(event, run, graceMs(view, undefined)) || isHookLoop(container, run, event));
  if (message === undefined && !told) return undefined;
  if (isProcessGone(message ?? event?.note ?? '')) return undefined;
  return { kind: 'hook', message: message ?? '', ...(told && { event }) };
}

/** The hook failed again and again, and this run ended like those: its own Event was dropped (signals.md §17). */
function isHookLoop(container: ContainerReading, run: FinishedRun, event: SeenEvent): boolean {
  if (event.count < 2 || event.lastTimeMs > run.finishedTimeMs || container.spec?.lifecycle?.postStart === undefined) return false;
  return container.runs.every((other) => !isNear(event, other, SLACK_MS) || (other.exitCode === run.exitCode && other.reason === run.reason));
}

function endedByProbe(view: PodView, container: ContainerReading, run: FinishedRun): RunEnd | undefined {
  const kills = container.events.filter((event) => event.reason === 'Killing' && probeOf(event.note) !== undefined);
  const near = kills.findLast((event) => isNear(event, run, graceMs(view, specOf(container, probeOf(event.note)))));
  const probe = probeOf(near?.note ?? '');
  if (near !== undefined && probe !== undefined) return { kind: 'probe', probe, certain: true, event: near };
  const earlier = kills.at(-1);
  const before = probeOf(earlier?.note ?? '');
  const alike = earlier !== undefined && before !== undefined ? likeness(view, container, run, earlier, before) : 'none';
  if (earlier !== undefined && before !== undefined && alike !== 'none') return { kind: 'probe', probe: before, certain: alike === 'same', event: earlier };
  return killedAfterFailures(view, container, run);
}

/** `Container app failed liveness probe, will be restarted`, `Init container …` of sidecars. */
function probeOf(note: string): 'liveness' | 'startup' | undefined {
  const match = /failed (liveness|startup) probe/i.exec(note);
  return match === null ? undefined : match[1]?.toLowerCase() === 'startup' ? 'startup' : 'liveness';
}

function specOf(container: ContainerReading, probe: 'liveness' | 'startup' | undefined): Probe | undefined {
  return probe === 'startup' ? container.spec?.startupProbe : container.spec?.livenessProbe;
}

/**
 * The spam filter of the kubelet's recorder drops the Events of a long loop (signals.md §17): a run that ended like the one that
 * a probe is known to have ended, not sooner than that probe can kill, was ended by it too.
 */
function likeness(view: PodView, container: ContainerReading, run: FinishedRun, kill: SeenEvent, probe: 'liveness' | 'startup'): 'same' | 'possible' | 'none' {
  const spec = specOf(container, probe);
  const known = container.runs.find((other) => other !== run && isNear(kill, other, graceMs(view, spec)));
  if (known !== undefined && (known.exitCode !== run.exitCode || known.reason !== run.reason)) return 'none';
  if (spec === undefined) return known === undefined ? 'none' : 'possible';
  const { initialDelaySeconds = 0, periodSeconds = 10, failureThreshold = 3 } = spec;
  const soonestMs = (initialDelaySeconds + periodSeconds * (failureThreshold - 1)) * 1_000;
  if ((lastedMs(run) ?? 0) < soonestMs - WHOLE_SECONDS_MS) return 'none';
  return known === undefined ? 'possible' : 'same';
}

/** Without any Killing Event: ended by a signal, right after the probe had failed often enough to kill. */
function killedAfterFailures(view: PodView, container: ContainerReading, run: FinishedRun): RunEnd | undefined {
  if (run.exitCode !== 137 && run.exitCode !== 143) return undefined;
  for (const probe of ['startup', 'liveness'] as const) {
    const spec = specOf(container, probe);
    if (spec === undefined) continue;
    const grace = graceMs(view, spec) + (spec.periodSeconds ?? 10) * 1_000;
    const failures = container.events.filter(({ reason, note }) => reason === 'Unhealthy' && new RegExp(`${probe} probe`, 'i').test(note));
    const near = failures.filter((event) => isNear(event, run, grace));
    const count = near.reduce((sum, event) => sum + event.count, 0);
    if (count >= (spec.failureThreshold ?? 3)) return { kind: 'probe', probe, certain: false, ...(near.at(-1) !== undefined && { event: near.at(-1) }) };
  }
  return undefined;
}

/** The Event of the pod's node that says that it was rebooted since this run began: what became of a container that was lost. */
export function rebootSince(view: PodView, run: FinishedRun): SeenEvent | undefined {
  return nodeEventsOf(view).findLast(({ reason, lastTimeMs }) => reason === 'Rebooted' && lastTimeMs >= run.startedTimeMs);
}

/** Kubelets up to 1.34 file Node Events under the node's name instead of its uid (signals.md §17). */
function nodeEventsOf(view: PodView): readonly SeenEvent[] {
  const name = view.pod.spec.nodeName ?? '';
  const node = view.node(name);
  return [...(node === undefined ? [] : view.eventsOf(node.metadata.uid)), ...(name === '' ? [] : view.eventsOf(name))];
}

/**
 * The Event of the pod's node that says that the kernel ran out of memory around the end of this run: the kubelet's SystemOOM, or
 * node-problem-detector's OOMKilling unless it names a memory cgroup.
 */
export function systemOomNear(view: PodView, run: FinishedRun): SeenEvent | undefined {
  return nodeEventsOf(view).findLast(({ reason, note, firstTimeMs, lastTimeMs }) => {
    const wholeNode = reason === 'SystemOOM' || (reason === 'OOMKilling' && !/memory cgroup/i.test(note));
    return wholeNode && firstTimeMs <= run.finishedTimeMs + SYSTEM_OOM_MS && lastTimeMs >= run.finishedTimeMs - SYSTEM_OOM_MS;
  });
}
