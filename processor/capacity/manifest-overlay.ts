/** The cluster as it would be with the objects of the manifests in it, and with the claims that the workloads bring along. */
import type { KubeObject, ProjectedObject, Resource } from '../../collector/objects.ts';
import type { Fields } from './reading.ts';
import { fieldsOf, listOf, textOf } from './reading.ts';
import type { SchedulingCluster } from './scheduling-state.ts';
import { labelOf } from './selectors.ts';
import type { Steps } from './steps.ts';
import { visitSteps } from './steps.ts';
import { MAX_REPLICAS, planWorkload } from './workload.ts';

/** Kinds of manifest that a check reads. */
const RESOURCE_OF_KIND: Readonly<Record<string, Resource>> = {
  ConfigMap: 'configmaps',
  Secret: 'secrets',
  ServiceAccount: 'serviceaccounts',
  PersistentVolumeClaim: 'persistentvolumeclaims',
  PersistentVolume: 'persistentvolumes',
  StorageClass: 'storageclasses',
  PriorityClass: 'priorityclasses',
  ResourceQuota: 'resourcequotas',
  LimitRange: 'limitranges',
  Namespace: 'namespaces',
  PodDisruptionBudget: 'poddisruptionbudgets',
};
const CLUSTER_SCOPED: readonly string[] = ['PersistentVolume', 'StorageClass', 'PriorityClass', 'Namespace'];

/** Objects that exist already win over those of the manifests. The namespace is for objects that name none. In steps of a few milliseconds. */
export function* withManifestsSteps(
  cluster: SchedulingCluster,
  others: readonly KubeObject[],
  workloads: readonly { readonly workload: KubeObject; readonly namespace: string }[],
  options: { readonly namespace: string; readonly replicas?: number },
): Steps<SchedulingCluster> {
  const added = new Map<Resource, Map<string, ProjectedObject>>();
  const add = (resource: Resource, object: KubeObject): void => {
    const there = added.get(resource) ?? new Map<string, ProjectedObject>();
    const key = keyOf(object.metadata.namespace ?? '', object.metadata.name);
    if (!there.has(key)) there.set(key, object as ProjectedObject);
    added.set(resource, there);
  };
  const { objects } = cluster;
  const overlaid: SchedulingCluster = {
    nodes: () => cluster.nodes(),
    pods: () => cluster.pods(),
    unorderedPods: () => (cluster.unorderedPods ?? cluster.pods).call(cluster),
    podsOnNode: (name) => cluster.podsOnNode(name),
    inSync: (resource) => cluster.inSync(resource),
    object: (resource, ns, name) => cluster.object(resource, ns, name) ?? added.get(resource)?.get(keyOf(ns, name)),
    ...(objects === undefined ? {} : { objects: (resource: Resource) => [...objects.call(cluster, resource), ...(added.get(resource)?.values() ?? [])] }),
  };
  const claims: KubeObject[] = [];
  for (const object of others) {
    const resource = RESOURCE_OF_KIND[object.kind];
    if (resource === undefined) continue;
    const own = CLUSTER_SCOPED.includes(object.kind) ? '' : object.metadata.namespace || options.namespace;
    const placed = { ...object, metadata: { ...object.metadata, namespace: own } };
    if (resource === 'persistentvolumeclaims') claims.push(placed);
    else add(resource, placed);
  }
  let left = MAX_CLAIMS;
  for (const { workload, namespace: own } of workloads) {
    const made = claimsOf(workload, own, options.replicas, left);
    left -= made.length;
    for (const claim of made) claims.push(claim);
    yield;
  }
  yield* visitSteps(claims, 100, (claim) => settleClaim(claim, overlaid, add));
  return overlaid;
}

const keyOf = (namespace: string, name: string): string => `${namespace}/${name}`;

/** Claims of all workloads together: manifests are untrusted, and more pods than this are not placed either. */
const MAX_CLAIMS = 20_000;

/** The claims that a StatefulSet's controller and ephemeral volumes create with each pod, at most `limit`. */
function claimsOf(workload: KubeObject, namespace: string, replicas: number | undefined, limit: number): readonly KubeObject[] {
  const templates = listOf(fieldsOf(fieldsOf(workload)?.['spec'])?.['volumeClaimTemplates']);
  const [sample] = planWorkload(workload, namespace, replicas, [], 1).pods;
  const perPod = templates.length + listOf(sample?.spec.volumes).filter(({ ephemeral }) => fieldsOf(ephemeral) !== undefined).length;
  if (perPod === 0) return [];
  return planWorkload(workload, namespace, replicas, [], Math.min(MAX_REPLICAS, Math.floor(limit / perPod))).pods.flatMap((pod) => [
    ...templates.map((claim) => buildClaim(`${textOf(fieldsOf(claim['metadata'])?.['name'])}-${pod.metadata.name}`, namespace, claim['spec'])),
    ...listOf(pod.spec.volumes).flatMap((volume) => {
      const template = fieldsOf(fieldsOf(volume.ephemeral)?.['volumeClaimTemplate']);
      return template === undefined ? [] : [buildClaim(`${pod.metadata.name}-${volume.name}`, namespace, template['spec'])];
    }),
  ]);
}

function buildClaim(name: string, namespace: string, spec: unknown): KubeObject & { readonly spec: Fields } {
  const metadata = { name, namespace, uid: `planned/${namespace}/${name}`, resourceVersion: '0' };
  return { kind: 'PersistentVolumeClaim', apiVersion: 'v1', metadata, spec: fieldsOf(spec) ?? {} };
}

/**
 * A claim not yet created: one that waits for its first consumer is unbound; one that a provisioner serves at once is as good as bound, to
 * a volume that any node reaches; any other stays unbound.
 */
function settleClaim(claim: KubeObject, cluster: SchedulingCluster, add: (resource: Resource, object: KubeObject) => void): void {
  const spec = fieldsOf(fieldsOf(claim)?.['spec']) ?? {};
  const className = textOf(spec['storageClassName']) ?? defaultClass(cluster);
  const storageClass = className === undefined ? undefined : fieldsOf(cluster.object('storageclasses', '', className));
  const provisioner = textOf(storageClass?.['provisioner']) ?? '';
  const atOnce = storageClass?.['volumeBindingMode'] !== 'WaitForFirstConsumer' && provisioner !== '' && provisioner !== 'kubernetes.io/no-provisioner';
  const named = { ...claim, spec: { ...spec, ...(className === undefined ? {} : { storageClassName: className }) } };
  if (!atOnce) {
    add('persistentvolumeclaims', { ...named, status: { phase: 'Pending' } } as KubeObject);
    return;
  }
  const name = `planned/${claim.metadata.namespace}/${claim.metadata.name}`;
  add('persistentvolumes', { kind: 'PersistentVolume', apiVersion: 'v1', metadata: { name, namespace: '', uid: name, resourceVersion: '0' } });
  add('persistentvolumeclaims', { ...named, spec: { ...named.spec, volumeName: name }, status: { phase: 'Bound' } } as KubeObject);
}

function defaultClass(cluster: SchedulingCluster): string | undefined {
  const classes = [...(cluster.objects?.('storageclasses') ?? [])];
  return classes.find(({ metadata }) => labelOf(metadata.annotations, 'storageclass.kubernetes.io/is-default-class') === 'true')?.metadata.name;
}
