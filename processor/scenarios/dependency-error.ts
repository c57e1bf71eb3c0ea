/*
 * Opens when: a volume or a referenced ConfigMap, Secret or key keeps the containers of a bound pod from being created.
 * Updates when: a more specific Event replaces the kubelet's summary of what it awaits.
 * Resolves when: the pod got beyond it (a container was created) and stays so for recoverMs.
 * Thresholds: dependencyMs since the first failing attempt, ms (design §4).
 * Cannot see: a read-only volume that mounts and fails in the application; that an object exists, unless its names are collected.
 */
import type { PersistentVolumeClaim, Pod } from '../../collector/objects.ts';
import { containerSubject, shortText, subjectText, tableEvidence } from './evidence.ts';
import type { Evidence, PodView, Scenario, Signal } from './scenario.ts';
import type { StartFailure } from './start-failures.ts';
import { startFailuresOf } from './start-failures.ts';
import { coreOf } from './start-messages.ts';

export const dependencyError: Scenario = {
  id: 'dependency_error',
  reads: ['events'],
  concerns: ({ waits, ran, bound, leaving }) => (waits || ran) && bound && !leaving,
  pod: (view) => startFailuresOf(view).flatMap((failure) => (failure.scenario === 'dependency_error' ? [signalOf(view, failure)] : [])),
};

/** What is said of each cause; the message follows. */
const PHRASES: Readonly<Record<string, string>> = {
  missing_configmap: 'a ConfigMap it needs is missing',
  missing_secret: 'a Secret it needs is missing',
  missing_key: 'a key it needs is missing',
  missing_volume: 'a volume it needs does not exist or is not bound',
  volume_attach_failed: 'a volume cannot be attached to its node',
  mount_failed: 'a volume cannot be mounted',
  access_denied: 'access to a volume is denied',
  readonly_volume: 'a read-only volume is used for writing',
  illegal_mount_path: 'a volume is mounted where the runtime forbids it',
};

function signalOf(view: PodView, failure: StartFailure): Signal {
  const { pod, thresholds } = view;
  const { cause, text, sinceMs, specific } = failure;
  // A dependency is the pod's, whichever of its containers asks first: the workload is the subject.
  const subject = containerSubject(view, pod, '');
  const claim = claimOf(view, failure);
  return {
    scenario: 'dependency_error',
    cause,
    detail: '',
    flags: [],
    confidence: specific ? 'certain' : 'guess',
    subject,
    track: 'create',
    rank: specific ? 20 : 10,
    fact: {
      value: `${cause} ${failure.volume || failure.container}`.trim(),
      timeMs: sinceMs,
      says: failure.volume === '' ? `container ${failure.container} cannot be created` : `volume ${failure.volume} cannot be mounted`,
    },
    dueTimeMs: sinceMs + thresholds.dependencyMs,
    ...(failure.recheckTimeMs !== undefined && { recheckTimeMs: failure.recheckTimeMs }),
    recoverAfterMs: thresholds.recoverMs,
    summary: `${subjectText(subject)} cannot start: ${PHRASES[cause] ?? 'a dependency fails'}: ${shortText(coreOf(text), 200)}`,
    evidence: [...failure.evidence, ...absenceEvidence(view, failure)],
    shared: {
      ...(claim !== undefined && { claim: `${pod.metadata.namespace}/${claim}` }),
      ...(cause === 'volume_attach_failed' && { node: pod.spec.nodeName ?? '' }),
    },
  };
}

/** The claim behind the volume at fault. Events name a volume of the spec, or the PersistentVolume that a claim is bound to. */
function claimOf(view: PodView, { volume }: StartFailure): string | undefined {
  if (volume === '') return undefined;
  const { namespace } = view.pod.metadata;
  const used = claimsOf(view.pod);
  const named = used.find(({ name }) => name === volume);
  if (named !== undefined) return named.claim;
  const isBound = (claim: string): boolean =>
    (view.object('persistentvolumeclaims', namespace, claim) as PersistentVolumeClaim | undefined)?.spec.volumeName === volume;
  return used.find(({ claim }) => isBound(claim))?.claim;
}

function claimsOf(pod: Pod): readonly { readonly name: string; readonly claim: string }[] {
  return (pod.spec.volumes ?? []).flatMap(({ name, persistentVolumeClaim: source }) =>
    source?.claimName === undefined ? [] : [{ name, claim: source.claimName }],
  );
}

/** Where the names of ConfigMaps and Secrets are collected, whether the one that is missing exists by now. */
function absenceEvidence(view: PodView, { cause, text }: StartFailure): readonly Evidence[] {
  const resource = cause === 'missing_configmap' ? 'configmaps' : cause === 'missing_secret' ? 'secrets' : undefined;
  const name = /"([^"]+)" not found/.exec(text)?.[1]?.split('/').at(-1);
  if (resource === undefined || name === undefined || !view.inSync(resource)) return [];
  const exists = view.object(resource, view.pod.metadata.namespace, name) !== undefined;
  return [tableEvidence(view.pod, `${resource} named ${name} in ${view.pod.metadata.namespace}`, exists ? 1 : 0)];
}
