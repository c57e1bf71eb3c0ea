/**
 * VolumeRestrictions, NodeVolumeLimits, VolumeBinding and VolumeZone. Follow pkg/scheduler/framework/plugins/volumerestrictions/
 * volume_restrictions.go, nodevolumelimits/csi.go, volumebinding/{volume_binding,binder}.go and volumezone/volume_zone.go (v1.34).
 *
 * Where a table is not in sync nothing is concluded from what is missing in it: the claim then stands in nobody's way. VolumeAttachments
 * and CSIStorageCapacities are not collected, so volumes still attached for no pod and storage capacity are not counted.
 */
import type { PersistentVolumeClaim, ProjectedObject } from '../../collector/objects.ts';
import type { Filter, FilterFailure, Rejection } from './filter.ts';
import { PASSED } from './filter.ts';
import type { Claim, PodFacts } from './pod-facts.ts';
import { parseQuantity } from './quantity.ts';
import type { Fields } from './reading.ts';
import { compareText, fieldsOf, integerOf, listOf, textOf, textsOf } from './reading.ts';
import type { NodeState, SchedulingCluster, SchedulingState } from './scheduling-state.ts';
import type { NodeTerm } from './selectors.ts';
import { compileLabelSelector, compileNodeTerms, labelOf, matches, matchesNodeTerm } from './selectors.ts';

const IN_USE: readonly FilterFailure[] = [
  {
    plugin: 'VolumeRestrictions',
    reason: 'node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod',
  },
];
const NO_DISK: readonly FilterFailure[] = [{ plugin: 'VolumeRestrictions', reason: 'node(s) had no available disk' }];
const TOO_MANY: readonly FilterFailure[] = [{ plugin: 'NodeVolumeLimits', reason: 'node(s) exceed max volume count' }];
const WRONG_NODE: FilterFailure = { plugin: 'VolumeBinding', reason: "node(s) didn't match PersistentVolume's node affinity" };
const NO_VOLUME: FilterFailure = { plugin: 'VolumeBinding', reason: "node(s) didn't find available persistent volumes to bind" };
const WRONG_ZONE: readonly FilterFailure[] = [{ plugin: 'VolumeZone', reason: 'node(s) had no available volume zone' }];

/** The claims of a pod as the plugins see them. */
interface PodVolumes {
  readonly bound: readonly { readonly claim: PersistentVolumeClaim; readonly volume: ProjectedObject | undefined }[];
  readonly unbound: readonly { readonly claim: PersistentVolumeClaim; readonly storageClass: ProjectedObject | undefined }[];
}

/** The four plugins for this pod in the scheduler's order, or the first refusal that needs no node. */
export function createVolumeFilters(pod: PodFacts, state: SchedulingState): readonly Filter[] | Rejection {
  const disk = createDiskConflict(pod);
  const filters = disk === undefined ? [] : [disk];
  if (pod.claims.length === 0 || !state.cluster.inSync('persistentvolumeclaims')) return filters;
  const volumes = readVolumes(pod, state.cluster);
  if ('kind' in volumes) return volumes;
  return [
    ...filters,
    ...createReadWriteOncePod(pod, state, volumes),
    ...createLimits(pod, state.cluster),
    createBinding(state.cluster, volumes),
    createZone(volumes),
  ];
}

function claimOf(cluster: SchedulingCluster, namespace: string, name: string): PersistentVolumeClaim | undefined {
  const object = cluster.object('persistentvolumeclaims', namespace, name);
  return object?.kind === 'PersistentVolumeClaim' ? (object as PersistentVolumeClaim) : undefined;
}

function readVolumes(pod: PodFacts, cluster: SchedulingCluster): PodVolumes | Rejection {
  const bound: PodVolumes['bound'][number][] = [];
  const unbound: PodVolumes['unbound'][number][] = [];
  // VolumeRestrictions looks up every claim before VolumeBinding minds the first.
  const missing = pod.claims.find(({ name, ephemeral }) => !ephemeral && claimOf(cluster, pod.namespace, name) === undefined);
  if (missing !== undefined) return reject(refuse(missing, undefined) ?? '');
  for (const each of pod.claims) {
    const claim = claimOf(cluster, pod.namespace, each.name);
    const refusal = refuse(each, claim);
    if (refusal !== undefined || claim === undefined) return reject(refusal ?? '');
    const name = textOf(claim.spec.volumeName) ?? '';
    if (name !== '' && (claim.status.phase === 'Bound' || labelOf(claim.metadata.annotations, 'pv.kubernetes.io/bind-completed') !== undefined)) {
      bound.push({ claim, volume: cluster.object('persistentvolumes', '', name) });
      continue;
    }
    const storageClass = cluster.object('storageclasses', '', textOf(claim.spec.storageClassName) ?? '');
    if (storageClass === undefined && !cluster.inSync('storageclasses')) continue;
    const waits = fieldsOf(storageClass)?.['volumeBindingMode'] === 'WaitForFirstConsumer';
    if (name !== '' || !waits) return reject('pod has unbound immediate PersistentVolumeClaims');
    unbound.push({ claim, storageClass });
  }
  // VolumeZone's PreFilter comes before VolumeBinding could say so of each node.
  const lost = cluster.inSync('persistentvolumes') ? bound.find(({ volume }) => volume === undefined) : undefined;
  return lost === undefined ? { bound, unbound } : reject(`persistentvolume "${lost.claim.spec.volumeName}" not found`);
}

function reject(reason: string): Rejection {
  return { kind: 'rejection', plugin: 'VolumeBinding', reason };
}

function refuse({ name, ephemeral }: Claim, claim: PersistentVolumeClaim | undefined): string | undefined {
  if (claim === undefined) {
    return ephemeral ? `waiting for ephemeral volume controller to create the persistentvolumeclaim "${name}"` : `persistentvolumeclaim "${name}" not found`;
  }
  if (claim.status.phase === 'Lost') return `persistentvolumeclaim "${name}" bound to non-existent persistentvolume "${claim.spec.volumeName ?? ''}"`;
  return claim.metadata.deletionTimestamp === undefined ? undefined : `persistentvolumeclaim "${name}" is being deleted`;
}

/** Only one pod of the whole cluster may use a ReadWriteOncePod claim. */
function createReadWriteOncePod(pod: PodFacts, state: SchedulingState, volumes: PodVolumes): readonly Filter[] {
  const claims = [...volumes.bound, ...volumes.unbound].map(({ claim }) => claim);
  const exclusive = new Set(claims.filter((claim) => textsOf(claim.spec.accessModes).includes('ReadWriteOncePod')).map((claim) => claim.metadata.name));
  if (exclusive.size === 0) return [];
  const uses = (other: PodFacts): number => {
    if (other.pod.metadata.uid === pod.pod.metadata.uid) return 0;
    return other.claims.filter((claim) => exclusive.has(claim.name)).length;
  };
  let conflicts = 0;
  for (const other of state.index.inNamespace(pod.namespace).keys()) conflicts += uses(other);
  const filter: Filter = {
    plugin: 'VolumeRestrictions',
    check: () => (conflicts > 0 ? IN_USE : PASSED),
    update: (other, _node, sign) => {
      conflicts += sign * other.claims.filter((claim) => other.namespace === pod.namespace && exclusive.has(claim.name)).length;
    },
  };
  return [filter];
}

/** Disks named in the pod itself that may be mounted once: GCE PD, EBS, iSCSI, RBD (isVolumeConflict). */
function createDiskConflict(pod: PodFacts): Filter | undefined {
  const disks = disksOf(pod);
  if (disks.length === 0) return undefined;
  const clashes = (other: PodFacts): boolean => disksOf(other).some((a) => disks.some((b) => a.id === b.id && !(a.shareable && b.shareable)));
  return {
    plugin: 'VolumeRestrictions',
    check: (node) => {
      for (const other of node.pods) if (clashes(other)) return NO_DISK;
      return PASSED;
    },
  };
}

/** Each disk the pod mounts by name; an RBD image once per monitor, since one shared monitor makes it the same. */
function disksOf(pod: PodFacts): readonly { readonly id: string; readonly shareable: boolean }[] {
  return listOf(pod.pod.spec.volumes).flatMap((volume) => {
    const disk = (source: string): Fields | undefined => fieldsOf(volume[source]);
    const [gce, ebs, iscsi, rbd] = [disk('gcePersistentDisk'), disk('awsElasticBlockStore'), disk('iscsi'), disk('rbd')];
    if (gce !== undefined) return [{ id: `gce/${gce['pdName']}`, shareable: gce['readOnly'] === true }];
    if (ebs !== undefined) return [{ id: `ebs/${ebs['volumeID']}`, shareable: false }];
    if (iscsi !== undefined) return [{ id: `iscsi/${iscsi['iqn']}`, shareable: iscsi['readOnly'] === true }];
    if (rbd === undefined) return [];
    const shareable = rbd['readOnly'] === true;
    return textsOf(rbd['monitors']).map((monitor) => ({ id: `rbd/${monitor}/${rbd['pool'] ?? 'rbd'}/${rbd['image']}`, shareable }));
  });
}

/** Volumes of each CSI driver on a node against CSINode spec.drivers[].allocatable.count. */
function createLimits(pod: PodFacts, cluster: SchedulingCluster): readonly Filter[] {
  const wanted = volumesByHandle(pod, cluster);
  if (wanted.size === 0) return [];
  const check = (node: NodeState): readonly FilterFailure[] => {
    const limits = limitsOf(cluster, node.name);
    if (limits.size === 0) return PASSED;
    const attached = new Map<string, string>();
    for (const other of node.pods) for (const [handle, driver] of volumesByHandle(other, cluster)) attached.set(handle, driver);
    for (const [driver, limit] of limits) {
      const used = [...attached.values()].filter((each) => each === driver).length;
      const more = [...wanted].filter(([handle, each]) => each === driver && !attached.has(handle)).length;
      if (more > 0 && used + more > limit) return TOO_MANY;
    }
    return PASSED;
  };
  return [{ plugin: 'NodeVolumeLimits', check }];
}

function limitsOf(cluster: SchedulingCluster, nodeName: string): ReadonlyMap<string, number> {
  const drivers = listOf(fieldsOf(fieldsOf(cluster.object('csinodes', '', nodeName))?.['spec'])?.['drivers']);
  const limits = new Map<string, number>();
  for (const driver of drivers) {
    const count = integerOf(fieldsOf(driver['allocatable'])?.['count']);
    const name = textOf(driver['name']);
    if (name !== undefined && count !== undefined) limits.set(name, count);
  }
  return limits;
}

/** driver by volume, for each CSI volume behind the pod's claims; an unbound claim counts by its class's provisioner. */
function volumesByHandle(pod: PodFacts, cluster: SchedulingCluster): ReadonlyMap<string, string> {
  const volumes = new Map<string, string>();
  for (const { name } of pod.claims) {
    const claim = claimOf(cluster, pod.namespace, name);
    if (claim === undefined) continue;
    const volume = cluster.object('persistentvolumes', '', textOf(claim.spec.volumeName) ?? '');
    const csi = fieldsOf(fieldsOf(fieldsOf(volume)?.['spec'])?.['csi']);
    const provisioner = fieldsOf(cluster.object('storageclasses', '', textOf(claim.spec.storageClassName) ?? ''))?.['provisioner'];
    const driver = volume === undefined ? textOf(provisioner) : textOf(csi?.['driver']);
    if (driver === undefined) continue;
    volumes.set(`${driver}/${textOf(csi?.['volumeHandle']) ?? `${pod.namespace}/${name}`}`, driver);
  }
  return volumes;
}

function createBinding(cluster: SchedulingCluster, volumes: PodVolumes): Filter {
  const bound = volumes.bound.map(({ volume }) => volumeTerms(volume));
  const offered = cluster.objects === undefined || !cluster.inSync('persistentvolumes') ? undefined : [...cluster.objects('persistentvolumes')];
  const check = (node: NodeState): readonly FilterFailure[] => {
    const failures: FilterFailure[] = [];
    if (bound.some((terms) => !acceptsNode(terms, node))) failures.push(WRONG_NODE);
    if (!canBind(volumes.unbound, node, offered)) failures.push(NO_VOLUME);
    return failures.length === 0 ? PASSED : failures;
  };
  return { plugin: 'VolumeBinding', check };
}

/** The terms of the volume's required node affinity; undefined where it may be used anywhere. */
function volumeTerms(volume: ProjectedObject | undefined): readonly NodeTerm[] | undefined {
  const required = fieldsOf(fieldsOf(fieldsOf(fieldsOf(volume)?.['spec'])?.['nodeAffinity'])?.['required']);
  return required === undefined ? undefined : compileNodeTerms(required['nodeSelectorTerms']);
}

function acceptsNode(terms: readonly NodeTerm[] | undefined, node: NodeState): boolean {
  return terms === undefined || terms.some((term) => matchesNodeTerm(term, node.labels, ''));
}

/** Claims that wait for their first consumer: the smallest matching volume that exists, else a provisioner that can serve the node. */
function canBind(unbound: PodVolumes['unbound'], node: NodeState, offered: readonly ProjectedObject[] | undefined): boolean {
  const taken = new Set<ProjectedObject>();
  const bySize = [...unbound].sort((a, b) => sizeOf(a.claim) - sizeOf(b.claim) || compareText(a.claim.metadata.name, b.claim.metadata.name));
  return bySize.every(({ claim, storageClass }) => {
    const selected = labelOf(claim.metadata.annotations, 'volume.kubernetes.io/selected-node');
    if (selected !== undefined && selected !== node.name) return false;
    const volume = selected === undefined ? findVolume(claim, node, offered ?? [], taken) : undefined;
    if (volume !== undefined) {
      taken.add(volume);
      return true;
    }
    const provisioner = textOf(fieldsOf(storageClass)?.['provisioner']) ?? '';
    if (provisioner === '' || provisioner === 'kubernetes.io/no-provisioner') return offered === undefined;
    return matchesTopologies(fieldsOf(storageClass)?.['allowedTopologies'], node);
  });
}

function sizeOf(claim: PersistentVolumeClaim): number {
  return bytesOf(claim.spec.resources?.requests?.['storage']);
}

function bytesOf(quantity: unknown): number {
  const parsed = parseQuantity(quantity);
  return parsed.ok ? Number(parsed.nano) / 1e9 : 0;
}

/** FindMatchingVolume: a volume reserved for the claim, else the smallest available one that suits it and the node. */
function findVolume(
  claim: PersistentVolumeClaim,
  node: NodeState,
  offered: readonly ProjectedObject[],
  taken: ReadonlySet<ProjectedObject>,
): ProjectedObject | undefined {
  let best: ProjectedObject | undefined;
  for (const volume of offered) {
    if (taken.has(volume) || volume.metadata.deletionTimestamp !== undefined) continue;
    const spec = fieldsOf(fieldsOf(volume)?.['spec']) ?? {};
    const reserved = fieldsOf(spec['claimRef']);
    if (reserved !== undefined && !(reserved['name'] === claim.metadata.name && reserved['namespace'] === claim.metadata.namespace)) continue;
    if (!suits(claim, spec) || !acceptsNode(volumeTerms(volume), node)) continue;
    if (reserved !== undefined) return volume;
    if (!isAvailable(claim, volume, spec)) continue;
    if (best === undefined || capacityOf(volume) < capacityOf(best)) best = volume;
  }
  return best;
}

function capacityOf(volume: ProjectedObject): number {
  return bytesOf(fieldsOf(fieldsOf(fieldsOf(volume)?.['spec'])?.['capacity'])?.['storage']);
}

function suits(claim: PersistentVolumeClaim, spec: Fields): boolean {
  if (bytesOf(fieldsOf(spec['capacity'])?.['storage']) < sizeOf(claim)) return false;
  return (claim.spec.volumeMode ?? 'Filesystem') === (textOf(spec['volumeMode']) ?? 'Filesystem');
}

function isAvailable(claim: PersistentVolumeClaim, volume: ProjectedObject, spec: Fields): boolean {
  if (fieldsOf(fieldsOf(volume)?.['status'])?.['phase'] !== 'Available') return false;
  const selector = fieldsOf(claim.spec)?.['selector'];
  if (selector !== undefined && !matches(compileLabelSelector(selector), volume.metadata.labels)) return false;
  if ((textOf(spec['storageClassName']) ?? '') !== (claim.spec.storageClassName ?? '')) return false;
  const modes = textsOf(spec['accessModes']);
  return textsOf(claim.spec.accessModes).every((mode) => modes.includes(mode));
}

/** StorageClass allowedTopologies: ORed terms of ANDed label values; none allow every node. */
function matchesTopologies(topologies: unknown, node: NodeState): boolean {
  const terms = listOf(topologies);
  if (terms.length === 0) return true;
  return terms.some((term) => {
    const expressions = listOf(term['matchLabelExpressions']);
    return expressions.length > 0 && expressions.every((each) => textsOf(each['values']).includes(labelOf(node.labels, textOf(each['key']) ?? '') ?? ''));
  });
}

const ZONE_LABELS = [
  ['failure-domain.beta.kubernetes.io/zone', 'topology.kubernetes.io/zone'],
  ['failure-domain.beta.kubernetes.io/region', 'topology.kubernetes.io/region'],
  ['topology.kubernetes.io/zone', 'topology.kubernetes.io/zone'],
  ['topology.kubernetes.io/region', 'topology.kubernetes.io/region'],
] as const;

/** Zone and region labels of bound volumes; several zones are joined by `__` (LabelMultiZoneDelimiter). */
function createZone(volumes: PodVolumes): Filter {
  const wanted = volumes.bound.flatMap(({ volume }) =>
    ZONE_LABELS.flatMap(([key, current]) => {
      const value = labelOf(volume?.metadata.labels, key);
      return value === undefined ? [] : [{ key, current, values: value.split('__').map((zone) => zone.trim()) }];
    }),
  );
  const check = ({ labels }: NodeState): readonly FilterFailure[] => {
    if (wanted.length === 0 || !ZONE_LABELS.some(([key]) => labelOf(labels, key) !== undefined)) return PASSED;
    const fits = wanted.every(({ key, current, values }) => values.includes(labelOf(labels, key) ?? labelOf(labels, current) ?? ''));
    return fits ? PASSED : WRONG_ZONE;
  };
  return { plugin: 'VolumeZone', check };
}
