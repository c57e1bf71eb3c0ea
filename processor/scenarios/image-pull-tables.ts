/** What the cluster knows beyond the error of a pull: pull secrets, what other pods pulled, where the node stands. */
import type { Pod } from '../../collector/objects.ts';
import { fieldEvidence, tableEvidence } from './evidence.ts';
import type { PullVerdict } from './image-pull-messages.ts';
import { hasCredentialPlugin, isOverseas, parseImage } from './image-reference.ts';
import type { Evidence, PodView, Shared } from './scenario.ts';

export interface RefinedVerdict extends Omit<PullVerdict, 'detail' | 'ambiguous'> {
  readonly detail: string;
  readonly evidence: readonly Evidence[];
  readonly shared: Shared;
}

/** Causes that lie with one image, whatever else comes from its registry. */
const OF_IMAGE = new Set<PullVerdict['cause']>(['image_not_found', 'invalid_image_name', 'image_never_pull', 'platform_mismatch', 'image_corrupt']);
/** Causes that other pods of the node may share. */
const OF_NODE = new Set<PullVerdict['cause']>(['registry_network', 'registry_tls', 'pull_timeout', 'pull_throttled', 'no_space', 'other']);

/** Decides with the tables what the text leaves open (signals.md §3.3), and finds the detail. */
export function refinePullVerdict(view: PodView, image: string, text: string, verdict: PullVerdict): RefinedVerdict {
  const { registry } = parseImage(image);
  const refined = { ...verdict, evidence: [], ...refine(view, image, text, verdict) };
  const { cause, detail, confidence, transient, evidence } = refined;
  const node = view.pod.spec.nodeName ?? '';
  const shared: Shared = { image, ...(!OF_IMAGE.has(cause) && { registry }), ...(OF_NODE.has(cause) && node !== '' && { node }) };
  return { cause, detail, confidence, transient, evidence, shared };
}

type Refinement = Pick<RefinedVerdict, 'detail' | 'evidence'> & Partial<Pick<RefinedVerdict, 'cause'>>;

function refine(view: PodView, image: string, text: string, verdict: PullVerdict): Refinement | undefined {
  if (verdict.cause === 'registry_auth') return refineAuth(view, image, verdict);
  return verdict.cause === 'registry_network' ? refineNetwork(view, parseImage(image).registry, text, verdict.detail) : undefined;
}

/** Missing or private? Credentials that are missing explain a denial; credentials that work elsewhere do not. */
function refineAuth(view: PodView, image: string, verdict: PullVerdict): Refinement {
  const { pod } = view;
  const secrets = (pod.spec.imagePullSecrets ?? []).map(({ name }) => name ?? '').filter((name) => name !== '');
  const missing = missingSecrets(view, secrets);
  if (missing.length > 0) return { detail: 'missing_pull_secret', evidence: [tableEvidence(pod, 'imagePullSecrets that do not exist', missing.join(', '))] };
  if (verdict.detail === 'credential_plugin') return { detail: verdict.detail, evidence: [] };
  const reference = parseImage(image);
  const others = verdict.ambiguous ? othersFrom(view, reference.registry) : [];
  const sameRepository = others.find(({ repository }) => repository === reference.repository);
  if (sameRepository === undefined && verdict.ambiguous) {
    const isOfficial = reference.registry === 'docker.io' && reference.repository.startsWith('library/') && secrets.length === 0;
    const proven = others.find(({ pod: other }) => secrets.length > 0 && usesOneOf(other, secrets) && reference.registry !== 'docker.io');
    if (isOfficial) return { cause: 'image_not_found', detail: '', evidence: [tableEvidence(pod, 'an official image of Docker Hub needs no login', image)] };
    if (proven !== undefined)
      return {
        cause: 'image_not_found',
        detail: '',
        evidence: [tableEvidence(proven.pod, `pulled from ${reference.registry} with the same pull secret`, proven.image)],
      };
  }
  const exists = sameRepository === undefined ? [] : [tableEvidence(sameRepository.pod, 'pulled from the same repository', sameRepository.image)];
  const secretsText = fieldEvidence(pod, 'spec.imagePullSecrets', secrets.length === 0 ? 'none' : secrets.join(', '));
  if (secrets.length > 0) return { detail: '', evidence: [secretsText, ...exists] };
  return { detail: hasCredentialPlugin(reference.registry) ? 'credential_plugin' : 'missing_pull_secret', evidence: [secretsText, ...exists] };
}

/** Named by the kubelet's own Event (since 1.28), or absent from a complete list of Secrets. */
function missingSecrets(view: PodView, secrets: readonly string[]): readonly string[] {
  const { namespace } = view.pod.metadata;
  const told = view.events.filter(({ reason }) => reason === 'FailedToRetrieveImagePullSecret').map(({ note }) => /\(([^)]*)\)/.exec(note)?.[1] ?? '');
  const named = new Set(told.flatMap((list) => list.split(',').map((name) => name.trim())));
  return secrets.filter((name) => {
    const exists = view.object('secrets', namespace, name) !== undefined;
    return !exists && (named.has(name) || view.inSync('secrets'));
  });
}

interface Pulled {
  readonly pod: Pod;
  readonly image: string;
  readonly repository: string;
}

/** Images from this registry that pods of the namespace did get: a status with an imageID has its image. */
function othersFrom(view: PodView, registry: string): readonly Pulled[] {
  const found: Pulled[] = [];
  for (const pod of view.podsIn(view.pod.metadata.namespace)) {
    if (pod.metadata.uid === view.pod.metadata.uid) continue;
    for (const status of [...(pod.status.containerStatuses ?? []), ...(pod.status.initContainerStatuses ?? [])]) {
      const image = pod.spec.containers.find(({ name }) => name === status.name)?.image ?? status.image ?? '';
      const reference = parseImage(image);
      if ((status.imageID ?? '') !== '' && reference.registry === registry) found.push({ pod, image, repository: reference.repository });
    }
  }
  return found;
}

function usesOneOf(pod: Pod, secrets: readonly string[]): boolean {
  return (pod.spec.imagePullSecrets ?? []).some(({ name }) => secrets.includes(name ?? ''));
}

/** Private, carrier-grade, unique-local and link-local addresses: RFC 1918, 6598, 4193, 3927. */
const PRIVATE_ADDRESS =
  /^(?:10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.|169\.254\.|127\.|\[?f[cd][0-9a-f]{2}:|\[?fe80:)/i;

/** Which way is blocked: the border, or an endpoint's access list, private or public by the address that was dialled. */
function refineNetwork(view: PodView, registry: string, text: string, detail: string): Refinement {
  const node = view.node(view.pod.spec.nodeName ?? '');
  const region = node?.metadata.labels?.['topology.kubernetes.io/region'] ?? node?.metadata.labels?.['failure-domain.beta.kubernetes.io/region'];
  if (detail !== 'refused' && (region !== undefined || detail === '') && isOverseas(registry, region)) {
    const where = region === undefined || node === undefined ? [] : [fieldEvidence(node, 'metadata.labels[topology.kubernetes.io/region]', region)];
    return { detail: 'overseas', evidence: where };
  }
  if (detail !== '') return { detail, evidence: [] };
  const address = /dial (?:tcp|udp)[46]? (\[[0-9a-f:]+\]|\d+\.\d+\.\d+\.\d+):\d+/i.exec(text)?.[1];
  if (address === undefined) return { detail: '', evidence: [] };
  return { detail: PRIVATE_ADDRESS.test(address) ? 'private_endpoint_acl' : 'public_endpoint_acl', evidence: [] };
}
