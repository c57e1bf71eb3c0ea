/**
 * Raw objects as recordings keep them: in the API's own shape, so that they can be projected again by this release and the next,
 * but without what never leaves a cluster (design D6): literal env values, annotations outside the short list, managedFields,
 * data. The projection of a clean object is the projection of the object.
 */
import type { Resource } from './objects.ts';
import { NAME_ONLY_RESOURCES } from './objects.ts';
import { anything, isRaw, openShape, type Reader, TooDeepError } from './project-fields.ts';
import { podSpec } from './project-pod-spec.ts';

type Open = Record<string, unknown>;

const template = openShape<Open>({ spec: podSpec });
const withTemplate = openShape<Open>({ template });
const workload = openShape<Open>({ spec: openShape<Open>({ template, jobTemplate: openShape<Open>({ spec: withTemplate }) }) });
const nothing: Reader<unknown> = () => undefined;

const CLEANERS: { readonly [R in Resource]?: Reader<unknown> } = {
  pods: openShape<Open>({ spec: podSpec }),
  deployments: workload,
  statefulsets: workload,
  daemonsets: workload,
  replicasets: workload,
  jobs: workload,
  cronjobs: workload,
  nodes: openShape<Open>({ status: openShape<Open>({ images: nothing }) }),
  persistentvolumes: openShape<Open>({ spec: openShape<Open>({ csi: openShape<Open>({ volumeAttributes: nothing }) }) }),
  storageclasses: openShape<Open>({ parameters: nothing }),
};

/** Cleans one object of a resource; null for what no API server serves. Never throws. */
export function cleanObject(resource: Resource, raw: unknown): unknown {
  try {
    if (NAME_ONLY_RESOURCES.includes(resource))
      return isRaw(raw) ? anything({ kind: raw['kind'], apiVersion: raw['apiVersion'], metadata: raw['metadata'] }) : null;
    return (CLEANERS[resource] ?? anything)(raw) ?? null;
  } catch (error) {
    if (error instanceof TooDeepError) return null;
    throw error;
  }
}
