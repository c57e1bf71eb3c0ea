/** Pods, and the pod specs of workloads: kept whole, so that a vanished pod can be rebuilt, except literal env values (design D6). */
import type { Container, ContainerState, ContainerStatus, EnvVar, Pod, PodSpec, PodStatus, PodTemplate, Probe, ResourceRequirements } from './objects.ts';
import {
  annotations,
  anyObject,
  conditions,
  filled,
  flag,
  freeText,
  list,
  number,
  openShape,
  quantities,
  type Raw,
  type Reader,
  shape,
  text,
  textMap,
  texts,
} from './project-fields.ts';
import { REDACTED, redactArgv } from './redact.ts';

const argv: Reader<readonly string[]> = (value) => {
  const words = texts(value);
  return words && redactArgv(words);
};

/** A literal env value, or a header's: gone, but it shows that there was one. */
const literal: Reader<string> = (value) => (typeof value === 'string' && value !== '' ? REDACTED : undefined);

const envVar = shape<EnvVar>({ name: text, value: literal, valueFrom: anyObject }, 'name');

const exec = openShape<{ command?: unknown }>({ command: argv });
const httpHeader = shape<{ name?: string; value?: string }>({ name: text, value: literal });
const httpGet = openShape<{ httpHeaders?: unknown }>({ httpHeaders: list(httpHeader) });
/** A probe or a hook: both are handlers. */
const probe = openShape<Probe>({ exec, httpGet });

export const resourceRequirements: Reader<ResourceRequirements> = shape<ResourceRequirements>({
  requests: quantities,
  limits: quantities,
  claims: list(shape<{ readonly name: string }>({ name: text }, 'name')),
});

const container = openShape<Container>(
  {
    name: filled,
    image: text,
    command: argv,
    args: argv,
    env: list(envVar),
    resources: resourceRequirements,
    livenessProbe: probe,
    readinessProbe: probe,
    startupProbe: probe,
    lifecycle: openShape<{ postStart?: unknown; preStop?: unknown }>({ postStart: probe, preStop: probe }),
  },
  'name',
);

const openPodSpec = openShape<PodSpec>({
  containers: list(container),
  initContainers: list(container),
  ephemeralContainers: list(container),
  overhead: quantities,
  resources: resourceRequirements,
});

/** A pod spec; containers is [] if there are none to read. */
export const podSpec: Reader<PodSpec> = (value) => {
  const spec = openPodSpec(value);
  return spec && (Array.isArray(spec.containers) ? spec : { ...spec, containers: [] });
};

export const podTemplate: Reader<PodTemplate> = shape<PodTemplate>({
  metadata: shape<NonNullable<PodTemplate['metadata']>>({ labels: textMap, annotations }),
  spec: podSpec,
});

const containerState = shape<ContainerState>({
  waiting: shape<NonNullable<ContainerState['waiting']>>({ reason: filled, message: freeText }),
  running: shape<NonNullable<ContainerState['running']>>({ startedAt: filled }),
  terminated: shape<NonNullable<ContainerState['terminated']>>({
    exitCode: number,
    signal: number,
    reason: filled,
    message: freeText,
    startedAt: filled,
    finishedAt: filled,
    containerID: filled,
  }),
});

const containerStatuses = list(
  shape<ContainerStatus>(
    {
      name: filled,
      image: text,
      imageID: text,
      containerID: filled,
      ready: flag,
      started: flag,
      restartCount: number,
      state: containerState,
      lastState: containerState,
      allocatedResources: quantities,
      resources: resourceRequirements,
    },
    'name',
  ),
);

const podStatus = shape<PodStatus>({
  phase: filled,
  reason: filled,
  message: freeText,
  startTime: filled,
  podIP: filled,
  hostIP: filled,
  qosClass: filled,
  nominatedNodeName: filled,
  resize: filled,
  conditions,
  containerStatuses,
  initContainerStatuses: containerStatuses,
  ephemeralContainerStatuses: containerStatuses,
});

export function projectPod(raw: Raw): Pick<Pod, 'spec' | 'status'> {
  return { spec: podSpec(raw['spec']) ?? { containers: [] }, status: podStatus(raw['status']) ?? {} };
}
