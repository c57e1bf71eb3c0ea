/**
 * The pods a workload would create. Names and labels follow the controllers of kube-controller-manager (pkg/controller/{deployment,
 * statefulset,job,daemon}, v1.34); names are placeholders where the controller would draw them.
 */
import type { KubeObject, LabelSelector, Node, Pod, PodSpec, PodTemplate, Toleration } from '../../collector/objects.ts';
import type { Fields } from './reading.ts';
import { fieldsOf, integerOf, listOf, textOf } from './reading.ts';
import type { Selector } from './selectors.ts';
import { compileLabelSelector, narrow } from './selectors.ts';

/** The kinds of manifest that make pods. */
export const WORKLOAD_KINDS = ['Pod', 'Deployment', 'ReplicaSet', 'ReplicationController', 'StatefulSet', 'DaemonSet', 'Job', 'CronJob'] as const;

export interface WorkloadPlan {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** Replicas wanted; `pods` has at most MAX_REPLICAS of them. */
  readonly desired: number;
  readonly pods: readonly Pod[];
  /** The pods differ in name only. */
  readonly identical: boolean;
  /** What the controller's pods are selected by: the scheduler spreads them by default. */
  readonly spreadSelector: Selector | undefined;
}

/** More replicas than this of one workload are not planned one by one: manifests are untrusted. */
export const MAX_REPLICAS = 5_000;

/** Stands for the hash a Deployment would give the ReplicaSet of this template. */
const TEMPLATE_HASH = 'new';
/** Kinds that make a ReplicaSet of each template, by the label that tells them apart; Argo's: utils/replicaset. */
const HASH_LABELS: ReadonlyMap<string, string> = new Map([
  ['Deployment', 'pod-template-hash'],
  ['Rollout', 'rollouts-pod-template-hash'],
]);

/**
 * Plans a workload in `namespace`. `replicas` overrides the number in the manifest; for a DaemonSet the nodes it may run on decide, so
 * the caller gives them. At most `limit` pods are planned. Templates without containers give pods that ask for nothing.
 */
export function planWorkload(
  object: KubeObject,
  namespace: string,
  replicas: number | undefined,
  nodes: readonly Node[] = [],
  limit = MAX_REPLICAS,
): WorkloadPlan {
  const spec = fieldsOf(fieldsOf(object)?.['spec']) ?? {};
  const base = { kind: object.kind, namespace, name: object.metadata.name };
  if (object.kind === 'Pod') {
    const desired = replicas ?? 1;
    const pods = numbered(Math.min(desired, limit), object.metadata.name).map((name) =>
      buildPod(name, namespace, { metadata: object.metadata, spec: spec as unknown as PodSpec }),
    );
    return { ...base, desired, pods, identical: true, spreadSelector: undefined };
  }
  const { template, count, owned } = templateOf(object.kind, spec);
  const desired = Math.max(0, replicas ?? count);
  if (object.kind === 'StatefulSet') {
    const start = integerOf(fieldsOf(spec['ordinals'])?.['start']) ?? 0;
    const pods = Array.from({ length: Math.min(desired, limit) }, (_, index) => statefulPod(object.metadata.name, namespace, template, start + index, spec));
    return { ...base, desired, pods, identical: listOf(spec['volumeClaimTemplates']).length === 0, spreadSelector: owned };
  }
  if (object.kind === 'DaemonSet') {
    const pods = nodes.slice(0, limit).map((node) => daemonPod(object.metadata.name, namespace, template, node.metadata.name));
    return { ...base, desired: nodes.length, pods, identical: false, spreadSelector: undefined };
  }
  const hashLabel = HASH_LABELS.get(object.kind);
  const hashed = hashLabel === undefined ? template : withLabels(template, { [hashLabel]: TEMPLATE_HASH });
  const pods = numbered(Math.min(desired, limit), object.metadata.name).map((name) => buildPod(name, namespace, hashed));
  const spreadSelector = hashLabel === undefined || owned === undefined ? owned : narrow(owned, hashLabel, 'In', TEMPLATE_HASH);
  return { ...base, desired, pods, identical: true, spreadSelector };
}

interface Template {
  readonly template: PodTemplate;
  readonly count: number;
  readonly owned: Selector | undefined;
}

function templateOf(kind: string, spec: Fields): Template {
  if (kind === 'CronJob') return templateOf('Job', fieldsOf(fieldsOf(spec['jobTemplate'])?.['spec']) ?? {});
  const template = (fieldsOf(spec['template']) ?? {}) as PodTemplate;
  if (kind === 'Job') {
    const parallelism = integerOf(spec['parallelism']) ?? 1;
    return { template, count: Math.min(parallelism, integerOf(spec['completions']) ?? parallelism), owned: undefined };
  }
  const selector = kind === 'ReplicationController' ? { matchLabels: spec['selector'] } : spec['selector'];
  return { template, count: integerOf(spec['replicas']) ?? 1, owned: compileLabelSelector(selector as LabelSelector | undefined) };
}

function numbered(count: number, name: string): readonly string[] {
  return Array.from({ length: Math.max(0, count) }, (_, index) => `${name}-${index}`);
}

function buildPod(name: string, namespace: string, template: PodTemplate): Pod {
  return {
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: {
      name,
      namespace,
      uid: `planned/${namespace}/${name}`,
      resourceVersion: '0',
      labels: template.metadata?.labels,
      annotations: template.metadata?.annotations,
    },
    spec: template.spec ?? { containers: [] },
    status: {},
  };
}

function withLabels(template: PodTemplate, labels: Readonly<Record<string, string>>): PodTemplate {
  return { ...template, metadata: { ...template.metadata, labels: { ...template.metadata?.labels, ...labels } } };
}

function statefulPod(name: string, namespace: string, template: PodTemplate, ordinal: number, spec: Fields): Pod {
  const podName = `${name}-${ordinal}`;
  const labels = { 'apps.kubernetes.io/pod-index': String(ordinal), 'statefulset.kubernetes.io/pod-name': podName };
  const pod = buildPod(podName, namespace, withLabels(template, labels));
  const claims = listOf(spec['volumeClaimTemplates']).flatMap((claim) => textOf(fieldsOf(claim['metadata'])?.['name']) ?? []);
  const volumes = claims.map((claim) => ({ name: claim, persistentVolumeClaim: { claimName: `${claim}-${podName}` } }));
  const others = listOf(pod.spec.volumes).filter((volume) => !claims.includes(volume.name));
  return { ...pod, spec: { ...pod.spec, volumes: [...volumes, ...others] } };
}

/** A DaemonSet's pod is bound to its node by affinity and tolerates what makes others leave (daemonset_util.go). */
function daemonPod(name: string, namespace: string, template: PodTemplate, nodeName: string): Pod {
  const pod = buildPod(`${name}-${nodeName}`, namespace, template);
  const terms = [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: [nodeName] }] }];
  const nodeAffinity = { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms } };
  return { ...pod, spec: { ...pod.spec, affinity: { ...pod.spec.affinity, nodeAffinity }, tolerations: daemonTolerations(pod.spec) } };
}

/** The tolerations that the DaemonSet controller adds to its pods. */
export function daemonTolerations(spec: PodSpec): readonly Toleration[] {
  const added = [
    ...['not-ready', 'unreachable'].map((key) => ({ key, effect: 'NoExecute' })),
    ...['disk-pressure', 'memory-pressure', 'pid-pressure', 'unschedulable'].map((key) => ({ key, effect: 'NoSchedule' })),
    ...(spec.hostNetwork === true ? [{ key: 'network-unavailable', effect: 'NoSchedule' }] : []),
  ];
  return [...listOf(spec.tolerations), ...added.map(({ key, effect }) => ({ key: `node.kubernetes.io/${key}`, operator: 'Exists', effect }))];
}
