/**
 * Why a probe of a container fails: its output, then what the spec or the answer proves wrong about the probe itself, then what
 * the cluster shows of a starved node or container. Shared by the readiness and liveness rules; the last step is an inference
 * and never more than likely (design D7).
 */
import type { Container, Pod, Probe } from '../../collector/objects.ts';
import { parseQuantity } from '../capacity/quantity.ts';
import { conditionOf, conditionTimeMs } from './conditions.ts';
import type { ContainerReading } from './container-runs.ts';
import { containersOf, lastedMs } from './container-runs.ts';
import { eventEvidence, fieldEvidence, shortText, tableEvidence } from './evidence.ts';
import type { ProbeName, ProbeVerdict } from './probe-messages.ts';
import { classifyProbe, isProbeOrphan, probeKind, readUnhealthy } from './probe-messages.ts';
import type { ClusterView, Confidence, Evidence, PodView, SeenEvent } from './scenario.ts';

export interface ProbeFinding {
  readonly cause: string;
  readonly confidence: Confidence;
  readonly evidence: readonly Evidence[];
  /** What the probe printed, cut; '' where no Event tells. */
  readonly output: string;
  /** An Event told; else the cause is guessed from the kind of probe. */
  readonly told: boolean;
  /** Node that explains it, for node_overloaded. */
  readonly node?: string;
}

/** A CPU limit up to here makes a process too slow to answer within the usual second. */
const STARVED_CPU_NANO = 100_000_000n;
/** Probes of other workloads of the node that timed out this recently count as at once. */
const AT_ONCE_MS = 120_000;
/** As many other workloads make it the node. */
const STARVED_WORKLOADS = 2;

/** The spec of a probe by its name. */
export function probeSpec(container: ContainerReading, name: ProbeName): Probe | undefined {
  const { spec } = container;
  if (name === 'Readiness') return spec?.readinessProbe;
  return name === 'Liveness' ? spec?.livenessProbe : spec?.startupProbe;
}

/** Has this probe: by the spec, or, where a list was trimmed, by an Event about it. */
export function hasProbe(container: ContainerReading, name: ProbeName, nowMs: number): boolean {
  return probeSpec(container, name) !== undefined || unhealthyOf(container, name, nowMs) !== undefined;
}

/** How long a probe needs to give up for the first time after the container started, ms. Defaults: kubernetes.io, Probe v1 core. */
export function probeBudgetMs(probe: Probe | undefined): number {
  if (probe === undefined) return 0;
  const { initialDelaySeconds = 0, periodSeconds = 10, failureThreshold = 3, timeoutSeconds = 1 } = probe;
  return (initialDelaySeconds + periodSeconds * failureThreshold + timeoutSeconds) * 1_000;
}

/** The Event that shows what this probe printed: of the time up to `untilMs` if there is one, else the latest. */
export function unhealthyOf(container: ContainerReading, name: ProbeName, untilMs: number): SeenEvent | undefined {
  const events = container.events.filter(({ reason, note }) => {
    const read = reason === 'Unhealthy' ? readUnhealthy(note) : undefined;
    return read?.probe === name && !isProbeOrphan(read.output);
  });
  return events.findLast(({ lastTimeMs }) => lastTimeMs <= untilMs) ?? events.at(-1);
}

/** Times of conditions and container states are whole seconds of the same clock; Events have clocks of their own. */
const SLACK_MS = 2_000;
const EVENT_SLACK_MS = 5_000;

/** When the pod lost readiness during this run; undefined while it has not been ready since the container started. */
export function lostReadinessMs({ pod }: PodView, runningSinceMs: number): number | undefined {
  const condition = conditionOf(pod, 'ContainersReady') ?? conditionOf(pod, 'Ready');
  const atMs = condition?.status === 'False' ? conditionTimeMs(condition) : undefined;
  return atMs !== undefined && atMs > runningSinceMs + SLACK_MS ? atMs : undefined;
}

/** Every run that is known to have ended was killed as soon as the liveness probe could. */
export function neverPassedLiveness(container: ContainerReading): boolean {
  const longest = soonestKillMs(container);
  return longest > 0 && container.runs.every((run) => (lastedMs(run) ?? 0) <= longest) && container.past.longestRunMs <= longest;
}

/** How long a run may last in which the liveness probe never passes, ms; 0 without one. */
function soonestKillMs(container: ContainerReading): number {
  const liveness = probeSpec(container, 'Liveness');
  if (liveness === undefined) return 0;
  const grace = (liveness.terminationGracePeriodSeconds ?? 30) * 1_000;
  return probeBudgetMs(liveness) + probeBudgetMs(probeSpec(container, 'Startup')) + grace + EVENT_SLACK_MS;
}

/** The probe that failed at `failedMs` had passed before: a time-out says something of the node only then. */
function hadPassed(view: PodView, container: ContainerReading, name: ProbeName, failedMs: number): boolean {
  const { runningSinceMs, status, past } = container;
  if (name === 'Startup') return false;
  const wasReady = status.ready === true || past.everReady || (runningSinceMs !== undefined && lostReadinessMs(view, runningSinceMs) !== undefined);
  if (name === 'Readiness') return wasReady;
  if (wasReady && probeSpec(container, 'Readiness') !== undefined) return true;
  const outlasted = runningSinceMs !== undefined && failedMs - runningSinceMs > soonestKillMs(container);
  return outlasted || !neverPassedLiveness(container);
}

/** Decides the cause. `neverPassed`: nothing shows that this probe ever succeeded. */
export function findProbeCause(view: PodView, container: ContainerReading, name: ProbeName, untilMs: number, neverPassed: boolean): ProbeFinding {
  const probe = probeSpec(container, name);
  const event = unhealthyOf(container, name, untilMs);
  if (event === undefined) return guessed(probe, neverPassed ? undeclaredPort(view, container, name, probe) : undefined);
  const output = readUnhealthy(event.note)?.output ?? '';
  const verdict = classifyProbe(output, probeKind(probe));
  const told = { output: shortText(output), told: true };
  const shown = eventEvidence(view.pod, event);
  const wrong = neverPassed ? wrongOf(view, container, name, probe, verdict) : undefined;
  if (wrong !== undefined) return { ...told, cause: 'probe_misconfigured', confidence: verdict.wrong === '' ? 'likely' : 'certain', evidence: [shown, wrong] };
  if (verdict.cause === 'probe_timeout') {
    const starved = starvedNode(view) ?? starvedCpu(view.pod, container);
    if (starved !== undefined) return { ...told, ...starved, confidence: 'likely', evidence: [shown, ...starved.evidence] };
  }
  return { ...told, cause: verdict.cause, confidence: verdict.cause === 'other' ? 'guess' : 'certain', evidence: [shown] };
}

/** No Event: all that is known is what kind of probe it is, and whether it asks at a port that is nobody's. */
function guessed(probe: Probe | undefined, wrong: Evidence | undefined): ProbeFinding {
  if (wrong !== undefined) return { cause: 'probe_misconfigured', confidence: 'guess', evidence: [wrong], output: '', told: false };
  const kind = probeKind(probe);
  const cause = kind === 'exec' ? 'probe_exec' : kind === 'tcp' ? 'probe_connection_refused' : 'other';
  return { cause, confidence: 'guess', evidence: [], output: '', told: false };
}

/** Istio's agent, to which injection points the probes of its pods, and its own health; its container declares neither: istio.io, Ports used by Istio. */
const MESH_PORTS: readonly number[] = [15020, 15021];

/** What proves that the probe is wrong, if something does. */
function wrongOf(view: PodView, container: ContainerReading, name: ProbeName, probe: Probe | undefined, verdict: ProbeVerdict): Evidence | undefined {
  const { pod } = view;
  const field = fieldOf(container, name);
  if (verdict.wrong !== '') return fieldEvidence(pod, field, verdict.wrong);
  if (verdict.cause === 'probe_connection_refused') return undeclaredPort(view, container, name, probe);
  if ((verdict.status === 404 || verdict.status === 410) && probe?.httpGet !== undefined)
    return fieldEvidence(pod, `${field}.httpGet.path`, `${probe.httpGet.path ?? '/'}: answered with ${verdict.status} from the start`);
  return undefined;
}

function fieldOf({ name: container }: ContainerReading, name: ProbeName): string {
  return `spec.containers[${container}].${name.toLowerCase()}Probe`;
}

/** A port that no container of the pod declares, though they declare some, and at which no replica is ready either. */
function undeclaredPort(view: PodView, container: ContainerReading, name: ProbeName, probe: Probe | undefined): Evidence | undefined {
  const port = probe?.httpGet?.port ?? probe?.tcpSocket?.port ?? probe?.grpc?.port;
  const ports = view.pod.spec.containers.flatMap((each) => each.ports ?? []);
  if (port === undefined || ports.length === 0 || MESH_PORTS.includes(Number(port))) return undefined;
  const declared = ports.some(({ name: portName, containerPort }) => String(port) === String(containerPort) || port === portName);
  if (declared || isReadyElsewhere(view, container)) return undefined;
  return fieldEvidence(view.pod, `${fieldOf(container, name)}.port`, `${port}: no container of the pod declares it`);
}

/** A replica with the same container, probes included, is ready: what it asks for is right. */
function isReadyElsewhere(view: PodView, { name, spec }: ContainerReading): boolean {
  const ours = view.workloadOf(view.pod);
  const asked = probesOf(spec);
  for (const pod of view.podsIn(view.pod.metadata.namespace)) {
    if (!pod.status.containerStatuses?.some((status) => status.name === name && status.ready === true)) continue;
    const theirs = view.workloadOf(pod);
    if (theirs.kind === ours.kind && theirs.name === ours.name && probesOf(pod.spec.containers.find((each) => each.name === name)) === asked) return true;
  }
  return false;
}

function probesOf(spec: Container | undefined): string {
  return JSON.stringify([spec?.readinessProbe, spec?.livenessProbe, spec?.startupProbe]);
}

interface Starved {
  readonly cause: 'node_overloaded' | 'cpu_starved';
  readonly evidence: readonly Evidence[];
  readonly node?: string;
}

/** The node itself is short of something, or probes of other workloads on it that used to pass time out at the same time. */
function starvedNode(view: PodView): Starved | undefined {
  const node = view.node(view.pod.spec.nodeName ?? '');
  if (node === undefined) return undefined;
  const { name } = node.metadata;
  const pressure = ['MemoryPressure', 'PIDPressure', 'DiskPressure'].find((type) => conditionOf(node, type)?.status === 'True');
  if (pressure !== undefined) return { cause: 'node_overloaded', evidence: [fieldEvidence(node, `status.conditions[${pressure}].status`, 'True')], node: name };
  const ours = view.workloadOf(view.pod);
  const others = new Set<string>();
  for (const pod of view.podsOnNode(name)) {
    if (!timesOut(view, pod)) continue;
    const { kind, namespace, name: owner } = view.workloadOf(pod);
    if (kind !== ours.kind || namespace !== ours.namespace || owner !== ours.name) others.add(`${kind} ${namespace}/${owner}`);
  }
  if (others.size < STARVED_WORKLOADS) return undefined;
  return { cause: 'node_overloaded', evidence: [tableEvidence(node, 'probes of other workloads timing out', [...others].join(', '))], node: name };
}

/** A probe of this pod that used to pass timed out just now. */
function timesOut(view: ClusterView, pod: Pod): boolean {
  const recent = view.eventsOf(pod.metadata.uid).filter(({ reason, lastTimeMs }) => reason === 'Unhealthy' && view.nowMs - lastTimeMs <= AT_ONCE_MS);
  if (recent.length === 0) return false;
  const history = view.historyOf?.(pod.metadata.uid) ?? { firstSeenMs: 0, containers: {} };
  const itsView: PodView = Object.assign(Object.create(view) as ClusterView, { pod, history, events: recent });
  return containersOf(itsView).some((container) =>
    container.events.some(({ note, lastTimeMs }) => {
      const read = readUnhealthy(note);
      return read !== undefined && classifyProbe(read.output, undefined).cause === 'probe_timeout' && hadPassed(itsView, container, read.probe, lastTimeMs);
    }),
  );
}

function starvedCpu(pod: Pod, container: ContainerReading): Starved | undefined {
  const text = container.spec?.resources?.limits?.['cpu'];
  const limit = parseQuantity(text);
  if (text === undefined || !limit.ok || limit.nano <= 0n || limit.nano > STARVED_CPU_NANO) return undefined;
  return { cause: 'cpu_starved', evidence: [fieldEvidence(pod, `spec.containers[${container.name}].resources.limits.cpu`, text)] };
}
