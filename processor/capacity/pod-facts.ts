/**
 * What scheduling needs of one pod, read once per version of it. Follows PodInfo of pkg/scheduler/framework/types.go and
 * GetHostPorts of pkg/scheduler/util/utils.go (v1.34).
 */
import type { Pod } from '../../collector/objects.ts';
import type { PodRequest } from './pod-request.ts';
import { podRequest } from './pod-request.ts';
import { fieldsOf, integerOf, listOf, sameTexts, textOf, textsOf } from './reading.ts';
import { sameStatusRequests } from './resource-totals.ts';
import type { Labels, Selector } from './selectors.ts';
import { compileLabelSelector, labelOf, matches, mentions, narrow } from './selectors.ts';

export interface HostPort {
  readonly ip: string;
  readonly protocol: string;
  readonly port: number;
}

/** One pod (anti-)affinity term; weight 0 for a required one. */
export interface AffinityTerm {
  readonly topologyKey: string;
  readonly selector: Selector;
  readonly namespaces: readonly string[];
  readonly namespaceSelector: Selector;
  readonly weight: number;
  /** Equal for terms that say the same: pods of one workload share it. */
  readonly key: string;
}

export interface PodFacts {
  /** The newest version with these facts. */
  pod: Pod;
  readonly namespace: string;
  readonly name: string;
  readonly labels: Labels | undefined;
  readonly priority: number;
  /** Marked for deletion, though it still holds what it holds. */
  readonly terminating: boolean;
  readonly request: PodRequest;
  readonly ports: readonly HostPort[];
  readonly affinity: readonly AffinityTerm[];
  readonly antiAffinity: readonly AffinityTerm[];
  readonly preferredAffinity: readonly AffinityTerm[];
  readonly preferredAntiAffinity: readonly AffinityTerm[];
  /** Names of the claims its volumes use, in the pod's namespace; those of generic ephemeral volumes included. */
  readonly claims: readonly Claim[];
  /** Owned by a DaemonSet, or the mirror of a static pod: it stays on its node whatever else moves. */
  readonly stays: boolean;
  /** Filled in by shapeKey of shape.ts at first use. */
  shape: string | undefined;
}

export interface Claim {
  readonly name: string;
  readonly ephemeral: boolean;
}

const memo = new WeakMap<Pod, PodFacts>();
const NO_TERMS: readonly AffinityTerm[] = [];
const NO_PORTS: readonly HostPort[] = [];
const NO_CLAIMS: readonly Claim[] = [];

/** The facts of this version of the pod; objects are never changed in place, so the answer is kept with them. */
export function podFacts(pod: Pod): PodFacts {
  const known = memo.get(pod);
  if (known?.pod === pod) return known;
  const facts = readFacts(pod);
  memo.set(pod, facts);
  return facts;
}

/**
 * Makes the facts those of a newer version of the pod, if it says the same of all that they are made of; else false, and they are as they
 * were. All but a few versions of a pod differ in their status alone, and share one spec.
 */
export function renewFacts(facts: PodFacts, pod: Pod): boolean {
  const { metadata, spec } = pod;
  if (spec !== facts.pod.spec || (metadata.deletionTimestamp !== undefined) !== facts.terminating || staysOnNode(pod) !== facts.stays) return false;
  if (!sameTexts(metadata.labels, facts.labels) || !sameStatusRequests(pod, facts.pod)) return false;
  facts.pod = pod;
  memo.set(pod, facts);
  return true;
}

const unassigned = new WeakMap<PodFacts, PodFacts>();

/** The same pod before it was bound: what another node would be asked to take. Kept with the facts, which a sample asks of every minute. */
export function asUnassigned(facts: PodFacts): PodFacts {
  if (facts.pod.spec.nodeName === undefined) return facts;
  const known = unassigned.get(facts);
  if (known !== undefined) return known;
  const { nodeName: _nodeName, ...spec } = facts.pod.spec;
  const before = { ...facts, pod: { ...facts.pod, spec } };
  unassigned.set(facts, before);
  return before;
}

function readFacts(pod: Pod): PodFacts {
  const affinity = fieldsOf(pod.spec.affinity);
  const [attract, repel] = [fieldsOf(affinity?.['podAffinity']), fieldsOf(affinity?.['podAntiAffinity'])];
  return {
    pod,
    namespace: pod.metadata.namespace,
    name: pod.metadata.name,
    labels: pod.metadata.labels,
    priority: integerOf(pod.spec.priority) ?? 0,
    terminating: pod.metadata.deletionTimestamp !== undefined,
    request: podRequest(pod),
    ports: hostPorts(pod),
    affinity: attract === undefined ? NO_TERMS : requiredTerms(pod, attract),
    antiAffinity: repel === undefined ? NO_TERMS : requiredTerms(pod, repel),
    preferredAffinity: attract === undefined ? NO_TERMS : preferredTerms(pod, attract),
    preferredAntiAffinity: repel === undefined ? NO_TERMS : preferredTerms(pod, repel),
    claims: claimsOf(pod),
    stays: staysOnNode(pod),
    shape: undefined,
  };
}

function staysOnNode(pod: Pod): boolean {
  return listOf(pod.metadata.ownerReferences).some((owner) => owner.kind === 'DaemonSet' || owner.kind === 'Node');
}

/** Only what runs for the pod's whole life holds a host port: containers and sidecars. */
function hostPorts(pod: Pod): readonly HostPort[] {
  const sidecars = listOf(pod.spec.initContainers).filter((container) => container.restartPolicy === 'Always');
  const ports: HostPort[] = [];
  for (const container of [...sidecars, ...listOf(pod.spec.containers)]) {
    for (const port of listOf(container.ports)) {
      const hostPort = integerOf(port.hostPort) ?? 0;
      if (hostPort > 0) ports.push({ ip: textOf(port.hostIP) || '0.0.0.0', protocol: textOf(port.protocol) || 'TCP', port: hostPort });
    }
  }
  return ports.length === 0 ? NO_PORTS : ports;
}

function requiredTerms(pod: Pod, affinity: Readonly<Record<string, unknown>>): readonly AffinityTerm[] {
  return listOf(affinity['requiredDuringSchedulingIgnoredDuringExecution']).map((term) => compileTerm(pod, term, 0));
}

function preferredTerms(pod: Pod, affinity: Readonly<Record<string, unknown>>): readonly AffinityTerm[] {
  return listOf(affinity['preferredDuringSchedulingIgnoredDuringExecution']).flatMap((weighted) => {
    const term = fieldsOf(weighted['podAffinityTerm']);
    return term === undefined ? [] : [compileTerm(pod, term, integerOf(weighted['weight']) ?? 0)];
  });
}

/** newAffinityTerm; match label keys as the API server merges them on creation (pkg/registry/core/pod/strategy.go). */
function compileTerm(pod: Pod, term: Readonly<Record<string, unknown>>, weight: number): AffinityTerm {
  const namespaces = textsOf(term['namespaces']);
  const own = namespaces.length === 0 && fieldsOf(term['namespaceSelector']) === undefined;
  const compiled = {
    topologyKey: textOf(term['topologyKey']) ?? '',
    selector: withLabelKeys(compileLabelSelector(term['labelSelector']), pod.metadata.labels, term),
    namespaces: own ? [pod.metadata.namespace] : namespaces,
    namespaceSelector: compileLabelSelector(term['namespaceSelector']),
    weight,
  };
  return { ...compiled, key: JSON.stringify(compiled) };
}

function withLabelKeys(selector: Selector, labels: Labels | undefined, term: Readonly<Record<string, unknown>>): Selector {
  let merged = selector;
  for (const [field, operator] of [
    ['matchLabelKeys', 'In'],
    ['mismatchLabelKeys', 'NotIn'],
  ] as const) {
    for (const key of textsOf(term[field])) {
      const value = labelOf(labels, key);
      if (value !== undefined && !mentions(selector, key)) merged = narrow(merged, key, operator, value);
    }
  }
  return merged;
}

/** AffinityTerm.Matches: the namespace is named or selected by its labels, and the pod's labels match. */
export function termMatches(term: AffinityTerm, pod: PodFacts, namespaceLabels: Labels | undefined): boolean {
  if (!term.namespaces.includes(pod.namespace) && !matches(term.namespaceSelector, namespaceLabels)) return false;
  return matches(term.selector, pod.labels);
}

function claimsOf(pod: Pod): readonly Claim[] {
  const claims: Claim[] = [];
  for (const volume of listOf(pod.spec.volumes)) {
    const claimName = fieldsOf(volume.persistentVolumeClaim)?.['claimName'];
    if (typeof claimName === 'string') claims.push({ name: claimName, ephemeral: false });
    else if (fieldsOf(volume.ephemeral) !== undefined) claims.push({ name: `${pod.metadata.name}-${volume.name}`, ephemeral: true });
  }
  return claims.length === 0 ? NO_CLAIMS : claims;
}
