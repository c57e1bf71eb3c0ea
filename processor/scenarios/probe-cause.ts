/**
 * Why a probe of a container fails: its output, then what the spec or the answer proves wrong about the probe itself, then what
 * the cluster shows of a starved node or container. Shared by the readiness and liveness rules; the last step is an inference
 * and never more than likely (design D7).
 */
import type { Pod, Probe } from '../../collector/objects.ts';
import { parseQuantity } from '../capacity/quantity.ts';
import { conditionOf } from './conditions.ts';
import type { ContainerReading } from './container-runs.ts';
import { eventEvidence, fieldEvidence, shortText, tableEvidence } from './evidence.ts';
import type { ProbeName, ProbeVerdict } from './probe-messages.ts';
import { classifyProbe, isProbeOrphan, probeKind, readUnhealthy } from './probe-messages.ts';
import type { Confidence, Evidence, PodView, SeenEvent } from './scenario.ts';

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

/** Decides the cause. `neverPassed`: nothing shows that this probe ever succeeded. */
export function findProbeCause(view: PodView, container: ContainerReading, name: ProbeName, untilMs: number, neverPassed: boolean): ProbeFinding {
  const probe = probeSpec(container, name);
  const event = unhealthyOf(container, name, untilMs);
  if (event === undefined) return guessed(probe);
  const output = readUnhealthy(event.note)?.output ?? '';
  const verdict = classifyProbe(output, probeKind(probe));
  const told = { output: shortText(output), told: true };
  const shown = eventEvidence(view.pod, event);
  const wrong = neverPassed ? wrongOf(view.pod, container, name, probe, verdict) : undefined;
  if (wrong !== undefined) return { ...told, cause: 'probe_misconfigured', confidence: verdict.wrong === '' ? 'likely' : 'certain', evidence: [shown, wrong] };
  if (verdict.cause === 'probe_timeout') {
    const starved = starvedNode(view) ?? starvedCpu(view.pod, container);
    if (starved !== undefined) return { ...told, ...starved, confidence: 'likely', evidence: [shown, ...starved.evidence] };
  }
  return { ...told, cause: verdict.cause, confidence: verdict.cause === 'other' ? 'guess' : 'certain', evidence: [shown] };
}

/** No Event: all that is known is what kind of probe it is. */
function guessed(probe: Probe | undefined): ProbeFinding {
  const kind = probeKind(probe);
  const cause = kind === 'exec' ? 'probe_exec' : kind === 'tcp' ? 'probe_connection_refused' : 'other';
  return { cause, confidence: 'guess', evidence: [], output: '', told: false };
}

/** Istio's agent, to which injection points the probes of its pods, and its own health; its container declares neither: istio.io, Ports used by Istio. */
const MESH_PORTS: readonly number[] = [15020, 15021];

/** What proves that the probe is wrong, if something does. */
function wrongOf(pod: Pod, container: ContainerReading, name: ProbeName, probe: Probe | undefined, verdict: ProbeVerdict): Evidence | undefined {
  const field = `spec.containers[${container.name}].${name.toLowerCase()}Probe`;
  if (verdict.wrong !== '') return fieldEvidence(pod, field, verdict.wrong);
  const port = probe?.httpGet?.port ?? probe?.tcpSocket?.port ?? probe?.grpc?.port;
  if (verdict.cause === 'probe_connection_refused' && port !== undefined) {
    const ports = pod.spec.containers.flatMap((each) => each.ports ?? []);
    const declared = ports.some(({ name: portName, containerPort }) => String(port) === String(containerPort) || port === portName);
    if (ports.length > 0 && !declared && !MESH_PORTS.includes(Number(port)))
      return fieldEvidence(pod, `${field}.port`, `${port}: no container of the pod declares it`);
  }
  if ((verdict.status === 404 || verdict.status === 410) && probe?.httpGet !== undefined)
    return fieldEvidence(pod, `${field}.httpGet.path`, `${probe.httpGet.path ?? '/'}: answered with ${verdict.status} from the start`);
  return undefined;
}

interface Starved {
  readonly cause: 'node_overloaded' | 'cpu_starved';
  readonly evidence: readonly Evidence[];
  readonly node?: string;
}

/** The node itself is short of something, or the probes of other workloads on it time out at the same time. */
function starvedNode(view: PodView): Starved | undefined {
  const node = view.node(view.pod.spec.nodeName ?? '');
  if (node === undefined) return undefined;
  const { name } = node.metadata;
  const pressure = ['MemoryPressure', 'PIDPressure', 'DiskPressure'].find((type) => conditionOf(node, type)?.status === 'True');
  if (pressure !== undefined) return { cause: 'node_overloaded', evidence: [fieldEvidence(node, `status.conditions[${pressure}].status`, 'True')], node: name };
  const ours = view.workloadOf(view.pod);
  const others = new Set<string>();
  for (const pod of view.podsOnNode(name)) {
    const timedOut = view.eventsOf(pod.metadata.uid).some((event) => {
      const read = event.reason === 'Unhealthy' && view.nowMs - event.lastTimeMs <= AT_ONCE_MS ? readUnhealthy(event.note) : undefined;
      return read !== undefined && classifyProbe(read.output, undefined).cause === 'probe_timeout';
    });
    if (!timedOut) continue;
    const { kind, namespace, name: owner } = view.workloadOf(pod);
    if (kind !== ours.kind || namespace !== ours.namespace || owner !== ours.name) others.add(`${kind} ${namespace}/${owner}`);
  }
  if (others.size < STARVED_WORKLOADS) return undefined;
  return { cause: 'node_overloaded', evidence: [tableEvidence(node, 'probes of other workloads timing out', [...others].join(', '))], node: name };
}

function starvedCpu(pod: Pod, container: ContainerReading): Starved | undefined {
  const text = container.spec?.resources?.limits?.['cpu'];
  const limit = parseQuantity(text);
  if (text === undefined || !limit.ok || limit.nano <= 0n || limit.nano > STARVED_CPU_NANO) return undefined;
  return { cause: 'cpu_starved', evidence: [fieldEvidence(pod, `spec.containers[${container.name}].resources.limits.cpu`, text)] };
}
