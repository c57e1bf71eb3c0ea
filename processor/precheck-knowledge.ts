/** What the store remembers of a fleet, as the pre-check asks for it. Pure. */
import type { ContainerPast, ImageFailure, Knowledge } from './capacity/history-checks.ts';
import { parseImage } from './scenarios/image-reference.ts';

/** Rows of the past; whoever reads them bounds them. */
export interface FleetPast {
  /** Incidents about pulls, by image, registry, cause and cluster. */
  readonly pulls: readonly (Omit<ImageFailure, 'same'> & { readonly registry: string })[];
  /** Incidents of the cluster about single containers. */
  readonly containers: readonly {
    readonly kind: string;
    readonly namespace: string;
    readonly name: string;
    readonly container: string;
    readonly scenario: string;
    readonly cause: string;
    readonly incidents: number;
    /** Memory limits as the evidence quotes them, oldest first. */
    readonly memoryLimits: readonly string[];
  }[];
  /** Unresolved incidents of the cluster. */
  readonly open: readonly { readonly kind: string; readonly namespace: string; readonly text: string }[];
}

const PROBES: Readonly<Record<string, string>> = { liveness_probe_failure: 'liveness', readiness_probe_failure: 'readiness' };

/** Knowledge out of rows. */
export function knowledgeOf({ pulls, containers, open }: FleetPast): Knowledge {
  return {
    imageFailures(images) {
      const registries = new Set(images.map((image) => parseImage(image).registry));
      return pulls.flatMap<ImageFailure>(({ registry, ...failure }) => {
        if (images.includes(failure.image)) return [{ ...failure, same: 'image' }];
        // What the registry did to one image it does to the others; a wrong name is that image's own.
        const isShared = registries.has(registry) && failure.cause.startsWith('registry_');
        return isShared ? [{ ...failure, image: failure.image || registry, same: 'registry' }] : [];
      });
    },
    containerPast: (kind, namespace, name) => pastOf(containers.filter((row) => row.kind === kind && row.namespace === namespace && row.name === name)),
    openIncidents: (namespace) => open.filter((row) => row.namespace === namespace || row.kind === 'Node').map(({ text }) => text),
  };
}

function pastOf(rows: FleetPast['containers']): readonly ContainerPast[] {
  return [...new Set(rows.map(({ container }) => container))].map((container) => {
    const own = rows.filter((row) => row.container === container);
    return {
      container,
      oomAtLimits: own.filter(({ scenario }) => scenario === 'oom_killed').flatMap(({ memoryLimits }) => memoryLimits),
      probeFailures: own.flatMap(({ scenario, cause, incidents }) => {
        const probe = cause === 'startup_probe_failed' ? 'startup' : PROBES[scenario];
        return probe === undefined ? [] : [{ probe, cause, incidents }];
      }),
    };
  });
}
