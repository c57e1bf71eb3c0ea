/** Mistakes that a manifest shows by itself: probe arithmetic, ports, mount paths, commands, resources that contradict each other. */
import type { Container, Pod, Probe } from '../../collector/objects.ts';
import type { CheckResult } from './check.ts';
import { failed, passed, warned } from './check.ts';
import { parseQuantity } from './quantity.ts';
import { fieldsOf, integerOf, listOf, textOf, textsOf } from './reading.ts';

/** How long a container was seen to take from start to ready, ms, by its name (startup-times.ts). */
export type StartupTimes = ReadonlyMap<string, number>;

interface Finding {
  readonly grave: boolean;
  readonly text: string;
  readonly fix: string;
}

/** Checks the pod template; the pod is one as planned, before admission. */
export function checkParameters(pod: Pod, startupMs: StartupTimes): CheckResult {
  const containers = [...listOf(pod.spec.initContainers), ...listOf(pod.spec.containers)];
  const findings = [...containers.flatMap((container) => checkContainer(pod, container, startupMs)), ...checkVolumes(pod), ...checkScheduling(pod)];
  const details = findings.map(({ text }) => text);
  const first = findings.find(({ grave }) => grave) ?? findings[0];
  if (first === undefined) return passed('parameters', 'probes, ports, mounts, commands and resources are consistent');
  const reason = findings.length === 1 ? first.text : `${first.text}, and ${findings.length - 1} more`;
  return findings.some(({ grave }) => grave) ? failed('parameters', reason, first.fix, details) : warned('parameters', reason, first.fix, details);
}

function checkContainer(pod: Pod, container: Container, startupMs: StartupTimes): readonly Finding[] {
  return [
    ...checkProbes(container, startupMs.get(container.name)),
    ...checkHooks(pod, container),
    ...checkMounts(container),
    ...checkCommand(container),
    ...checkImage(container),
    ...checkResources(container),
  ];
}

/** Probe defaults: pkg/apis/core/v1/defaults.go SetDefaults_Probe. */
function timing(probe: Probe) {
  return {
    initialDelay: integerOf(probe.initialDelaySeconds) ?? 0,
    period: integerOf(probe.periodSeconds) || 10,
    timeout: integerOf(probe.timeoutSeconds) || 1,
    failures: integerOf(probe.failureThreshold) || 3,
  };
}

/** After how long its startup probe, else its liveness probe, kills a container that does not answer, ms; undefined without either. */
export function allowedStartMs({ livenessProbe, startupProbe }: Container): number | undefined {
  const probe = fieldsOf(startupProbe) === undefined ? livenessProbe : startupProbe;
  if (probe === undefined || fieldsOf(probe) === undefined) return undefined;
  const { initialDelay, period, failures } = timing(probe);
  return (initialDelay + period * failures) * 1_000;
}

function checkProbes(container: Container, startupMs: number | undefined): readonly Finding[] {
  const findings: Finding[] = [];
  const { name, livenessProbe: liveness, startupProbe: startup, readinessProbe: readiness } = container;
  for (const [kind, probe] of [
    ['liveness', liveness],
    ['readiness', readiness],
    ['startup', startup],
  ] as const) {
    if (fieldsOf(probe) === undefined || probe === undefined) continue;
    const port = probe.httpGet?.port ?? probe.tcpSocket?.port;
    if (typeof port === 'string' && !/^\d+$/.test(port) && !listOf(container.ports).some((each) => each.name === port)) {
      findings.push({
        grave: true,
        text: `container ${name}: the ${kind} probe uses port ${port}, which no port of the container is named`,
        fix: `name a port ${port}, or probe a number`,
      });
    }
    const { period, timeout } = timing(probe);
    if (timeout > period)
      findings.push({
        grave: false,
        text: `container ${name}: the ${kind} probe's timeout of ${timeout} s is longer than its period of ${period} s`,
        fix: 'make periodSeconds at least timeoutSeconds',
      });
  }
  const allowedMs = allowedStartMs(container);
  if (allowedMs === undefined) return findings;
  const allowed = allowedMs / 1_000;
  if (startupMs !== undefined && startupMs > allowedMs) {
    const text = `container ${name}: it was seen to take ${Math.ceil(startupMs / 1_000)} s from start to ready, and the ${startup === undefined ? 'liveness' : 'startup'} probe kills it after ${allowed} s unless it answers`;
    findings.push({ grave: false, text, fix: `add a startupProbe whose failureThreshold × periodSeconds is above ${Math.ceil(startupMs / 1_000)} s` });
  } else if (startup === undefined && allowed < 30) {
    const text = `container ${name}: without a startupProbe the liveness probe kills it ${allowed} s after its start unless it answers`;
    findings.push({ grave: false, text, fix: 'add a startupProbe' });
  }
  return findings;
}

function checkHooks(pod: Pod, container: Container): readonly Finding[] {
  const grace = integerOf(pod.spec.terminationGracePeriodSeconds) ?? 30;
  const sleep = integerOf(container.lifecycle?.preStop?.sleep?.seconds) ?? 0;
  if (sleep < grace || sleep === 0) return [];
  return [
    {
      grave: false,
      text: `container ${container.name}: preStop sleeps ${sleep} s of a grace period of ${grace} s, so the process is killed at once`,
      fix: `raise terminationGracePeriodSeconds above ${sleep}`,
    },
  ];
}

/** Paths that hide what the runtime or the image needs there. */
const RESERVED_PATHS: readonly string[] = ['/', '/proc', '/sys', '/dev', '/bin', '/usr', '/lib'];

function checkMounts(container: Container): readonly Finding[] {
  const findings: Finding[] = [];
  const seen = new Set<string>();
  for (const mount of listOf(container.volumeMounts)) {
    const path = textOf(mount.mountPath) ?? '';
    const clean = path.length > 1 ? path.replace(/\/+$/, '') : path;
    const where = `container ${container.name}: volume ${mount.name} is mounted at ${path === '' ? 'no path' : path}`;
    if (path === '' || path.includes(':'))
      findings.push({ grave: true, text: `${where}, which is not a valid path`, fix: 'use an absolute path without a colon' });
    else if (RESERVED_PATHS.includes(clean))
      findings.push({ grave: true, text: `${where}, which hides what the container needs there`, fix: 'mount it elsewhere' });
    else if (!path.startsWith('/')) findings.push({ grave: false, text: `${where}, a relative path`, fix: 'use an absolute path' });
    if (seen.has(clean) && clean !== '')
      findings.push({ grave: true, text: `container ${container.name}: two volumes are mounted at ${clean}`, fix: 'give each its own mountPath' });
    seen.add(clean);
  }
  return findings;
}

function checkCommand(container: Container): readonly Finding[] {
  const command = textsOf(container.command);
  const [first] = command;
  if (first === undefined) return [];
  if (first.trim() === '') return [{ grave: true, text: `container ${container.name}: the command is empty`, fix: 'name a program, or drop command' }];
  if (!/\s/.test(first)) return [];
  return [
    {
      grave: false,
      text: `container ${container.name}: the command "${first.slice(0, 80)}" is one word with spaces, which is looked up as one program`,
      fix: 'split it into a list, or use ["sh", "-c", "…"]',
    },
  ];
}

function checkImage(container: Container): readonly Finding[] {
  const image = textOf(container.image) ?? '';
  if (image === '') return [{ grave: true, text: `container ${container.name}: no image is named`, fix: 'set image' }];
  if (/\s|[A-Z]/.test(image.split(/[:@]/)[0]?.split('/').slice(1).join('/') ?? '')) {
    return [{ grave: true, text: `container ${container.name}: ${image} is not a valid image name`, fix: 'repository names are lower case, without spaces' }];
  }
  const tag = /:([^/:@]+)(?:@|$)/.exec(image)?.[1];
  if (image.includes('@') || (tag !== undefined && tag !== 'latest')) return [];
  return [{ grave: false, text: `container ${container.name}: ${image} names no fixed version`, fix: 'use a tag that does not move, or a digest' }];
}

/** runc needs about 6 MiB to start anything at all; below it containers die before their first instruction. */
const LEAST_MEMORY_NANO = 6n * 1_024n * 1_024n * 1_000_000_000n;

function checkResources(container: Container): readonly Finding[] {
  const resources = fieldsOf(container.resources);
  const [requests, limits] = [fieldsOf(resources?.['requests']) ?? {}, fieldsOf(resources?.['limits']) ?? {}];
  const findings: Finding[] = [];
  for (const [resource, limit] of Object.entries(limits)) {
    const [most, least] = [parseQuantity(limit), parseQuantity(requests[resource])];
    if (most.ok && least.ok && least.nano > most.nano) {
      findings.push({
        grave: true,
        text: `container ${container.name}: the request of ${requests[resource]} ${resource} is above the limit of ${limit}`,
        fix: `raise the limit or lower the request of ${resource}`,
      });
    }
    if (resource === 'memory' && most.ok && most.nano > 0n && most.nano < LEAST_MEMORY_NANO) {
      findings.push({
        grave: true,
        text: `container ${container.name}: a memory limit of ${limit} is too low to start a container`,
        fix: 'was a suffix meant, such as Mi?',
      });
    }
  }
  return findings;
}

function checkVolumes(pod: Pod): readonly Finding[] {
  const volumes = new Set(listOf(pod.spec.volumes).map(({ name }) => name));
  return [...listOf(pod.spec.initContainers), ...listOf(pod.spec.containers)].flatMap((container) =>
    listOf(container.volumeMounts)
      .filter(({ name }) => !volumes.has(name))
      .map(({ name }) => ({
        grave: true,
        text: `container ${container.name}: no volume of the pod is named ${name}`,
        fix: `add a volume ${name}, or correct the mount`,
      })),
  );
}

/** What keeps the default scheduler from placing the pod, however much fits. */
function checkScheduling({ spec }: Pod): readonly Finding[] {
  const gates = listOf(spec.schedulingGates).flatMap(({ name }) => textOf(name) ?? []);
  const scheduler = textOf(spec['schedulerName']) || DEFAULT_SCHEDULER;
  const findings: Finding[] = [];
  if (gates.length > 0) {
    const text = `the pods wait for their scheduling gates (${gates.join(', ')}): nothing places them before; the other checks are for then`;
    findings.push({ grave: false, text, fix: 'have whoever set the gates take them off' });
  }
  if (scheduler !== DEFAULT_SCHEDULER) {
    const text = `scheduler ${scheduler} places the pods; the checks follow ${DEFAULT_SCHEDULER}`;
    findings.push({ grave: false, text, fix: 'see to it that it runs, or leave schedulerName out' });
  }
  return findings;
}

const DEFAULT_SCHEDULER = 'default-scheduler';
