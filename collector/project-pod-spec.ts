/**
 * Pod specs, of pods and of pod templates: kept whole, so that a vanished pod can be rebuilt, except literal env values (design
 * D6). What rules read is checked by type; every other field, today's or tomorrow's, is copied as `anything`.
 */
import type {
  Affinity,
  Container,
  ContainerPort,
  EnvVar,
  LabelSelector,
  NodeSelectorTerm,
  PodAffinityTerm,
  PodSpec,
  PodTemplate,
  Probe,
  ResourceRequirements,
  SelectorRequirement,
  Toleration,
  TopologySpreadConstraint,
  Volume,
} from './objects.ts';
import {
  annotations,
  anyObject,
  filled,
  flag,
  freeText,
  list,
  number,
  numberOrText,
  openShape,
  quantities,
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

type Named = { readonly name: string };
const named = openShape<Named>({ name: text }, 'name');
const localReference = openShape<{ name?: string; optional?: boolean }>({ name: text, optional: flag });

const handler = {
  exec: openShape<NonNullable<Probe['exec']>>({ command: argv }),
  httpGet: openShape<NonNullable<Probe['httpGet']> & { httpHeaders?: unknown }>({
    path: freeText,
    port: numberOrText,
    host: text,
    scheme: text,
    httpHeaders: list(shape<{ name?: string; value?: string }>({ name: text, value: literal })),
  }),
  tcpSocket: openShape<NonNullable<Probe['tcpSocket']>>({ port: numberOrText, host: text }),
  grpc: openShape<NonNullable<Probe['grpc']>>({ port: number, service: text }),
  sleep: openShape<NonNullable<Probe['sleep']>>({ seconds: number }),
};
const probe = openShape<Probe>({
  ...handler,
  initialDelaySeconds: number,
  periodSeconds: number,
  timeoutSeconds: number,
  successThreshold: number,
  failureThreshold: number,
  terminationGracePeriodSeconds: number,
});
const hook = openShape<Probe>(handler);

export const resourceRequirements: Reader<ResourceRequirements> = openShape<ResourceRequirements>({
  requests: quantities,
  limits: quantities,
  claims: list(named),
});

const container = openShape<Container>(
  {
    name: filled,
    image: text,
    imagePullPolicy: text,
    command: argv,
    args: argv,
    workingDir: text,
    ports: list(openShape<ContainerPort>({ name: text, containerPort: number, hostPort: number, hostIP: text, protocol: text })),
    env: list(openShape<EnvVar>({ name: text, value: literal, valueFrom: anyObject }, 'name')),
    envFrom: list(openShape<NonNullable<Container['envFrom']>[number]>({ prefix: text, configMapRef: localReference, secretRef: localReference })),
    resources: resourceRequirements,
    restartPolicy: text,
    volumeMounts: list(openShape<NonNullable<Container['volumeMounts']>[number]>({ name: text, mountPath: text, readOnly: flag, subPath: text }, 'name')),
    livenessProbe: probe,
    readinessProbe: probe,
    startupProbe: probe,
    lifecycle: openShape<NonNullable<Container['lifecycle']>>({ postStart: hook, preStop: hook }),
    securityContext: anyObject,
  },
  'name',
);

const keyItems = list(openShape<{ key?: string; path?: string }>({ key: text, path: text }));
const volume = openShape<Volume>(
  {
    name: filled,
    configMap: openShape<NonNullable<Volume['configMap']>>({ name: text, optional: flag, items: keyItems }),
    secret: openShape<NonNullable<Volume['secret']>>({ secretName: text, optional: flag, items: keyItems }),
    persistentVolumeClaim: openShape<NonNullable<Volume['persistentVolumeClaim']>>({ claimName: text, readOnly: flag }),
    emptyDir: openShape<NonNullable<Volume['emptyDir']>>({ medium: text, sizeLimit: text }),
    hostPath: openShape<NonNullable<Volume['hostPath']>>({ path: text, type: text }),
    ephemeral: anyObject,
  },
  'name',
);

const requirements = list(openShape<SelectorRequirement>({ key: text, operator: text, values: texts }, 'key', 'operator'));
const selector = openShape<LabelSelector>({ matchLabels: textMap, matchExpressions: requirements });
const nodeTerm = openShape<NodeSelectorTerm>({ matchExpressions: requirements, matchFields: requirements });
const podTerm = openShape<PodAffinityTerm>(
  { topologyKey: text, labelSelector: selector, namespaces: texts, namespaceSelector: selector, matchLabelKeys: texts, mismatchLabelKeys: texts },
  'topologyKey',
);
const podAffinity = openShape<NonNullable<Affinity['podAffinity']>>({ requiredDuringSchedulingIgnoredDuringExecution: list(podTerm) });
const affinity = openShape<Affinity>({
  nodeAffinity: openShape<NonNullable<Affinity['nodeAffinity']>>({
    requiredDuringSchedulingIgnoredDuringExecution: openShape<{ nodeSelectorTerms?: readonly NodeSelectorTerm[] }>({ nodeSelectorTerms: list(nodeTerm) }),
  }),
  podAffinity,
  podAntiAffinity: podAffinity,
});
const topologySpread = openShape<TopologySpreadConstraint>(
  {
    maxSkew: number,
    topologyKey: text,
    whenUnsatisfiable: text,
    labelSelector: selector,
    minDomains: number,
    nodeAffinityPolicy: text,
    nodeTaintsPolicy: text,
    matchLabelKeys: texts,
  },
  'maxSkew',
  'topologyKey',
  'whenUnsatisfiable',
);

const openPodSpec = openShape<PodSpec>({
  nodeName: filled,
  containers: list(container),
  initContainers: list(container),
  ephemeralContainers: list(container),
  volumes: list(volume),
  restartPolicy: text,
  terminationGracePeriodSeconds: number,
  activeDeadlineSeconds: number,
  serviceAccountName: text,
  schedulerName: text,
  nodeSelector: textMap,
  affinity,
  tolerations: list(openShape<Toleration>({ key: text, operator: text, value: text, effect: text, tolerationSeconds: number })),
  topologySpreadConstraints: list(topologySpread),
  schedulingGates: list(named),
  readinessGates: list(openShape<{ conditionType: string }>({ conditionType: text }, 'conditionType')),
  imagePullSecrets: list(openShape<{ name?: string }>({ name: text })),
  priority: number,
  priorityClassName: text,
  preemptionPolicy: text,
  overhead: quantities,
  resources: resourceRequirements,
  resourceClaims: list(named),
  hostNetwork: flag,
  runtimeClassName: text,
});

/** A pod spec; containers is [] if there are none to read. */
export const podSpec: Reader<PodSpec> = (value) => {
  const spec = openPodSpec(value);
  return spec && (spec.containers === undefined ? { ...spec, containers: [] } : spec);
};

export const podTemplate: Reader<PodTemplate> = shape<PodTemplate>({
  metadata: shape<NonNullable<PodTemplate['metadata']>>({ labels: textMap, annotations }),
  spec: podSpec,
});
