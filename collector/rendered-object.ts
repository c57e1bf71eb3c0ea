/** An object as a session sends it: the projection, its JSON, and a fingerprint of that. Of pods also in parts (pod-line.ts). */
import { hash } from 'node:crypto';
import type { Metadata, Pod, PodSpec, PodStatus, ProjectedObject, Resource } from './objects.ts';
import { projectObject } from './project.ts';
import { metadata as readMetadata, type Reader, TooDeepError } from './project-fields.ts';
import { podStatus } from './project-pod.ts';
import { podSpec } from './project-pod-spec.ts';

export type Rendered =
  | {
      readonly ok: true;
      readonly object: ProjectedObject;
      /** JSON.stringify(object). */
      readonly json: string;
      /** Of the JSON, but for the resourceVersion. Two runs of podtrail need not agree on it. */
      readonly fingerprint: string;
    }
  /** As in Projection. */
  | { readonly ok: false; readonly reason: string };

export interface RenderedMetadata {
  readonly value: Metadata;
  /** The JSON of the pod up to its resourceVersion, and from there to the end of its metadata. */
  readonly before: string;
  readonly after: string;
}
export interface RenderedSpec {
  readonly value: PodSpec;
  readonly json: string;
  readonly fingerprint: string;
}
export interface RenderedStatus {
  readonly value: PodStatus;
  readonly json: string;
}

/** A pod in parts that are rendered already. */
export interface PodParts {
  /** Of any of its versions. */
  readonly metadata: RenderedMetadata;
  /** Digits. */
  readonly resourceVersion: string;
  readonly spec: RenderedSpec;
  readonly status: RenderedStatus;
}

/** Renders a raw object of a resource. Never throws. */
export function renderObject(resource: Resource, raw: unknown): Rendered {
  const projection = projectObject(resource, raw);
  if (!projection.ok) return projection;
  const { object } = projection;
  if (resource === 'pods') return renderPod(object as Pod);
  const json = JSON.stringify(object);
  const { before, after } = splitAtVersion(json, object.metadata.resourceVersion);
  return { ok: true, object, json, fingerprint: shortHash(`${before}${after}`) };
}

function renderPod({ metadata, spec, status }: Pod): Rendered {
  return renderPodParts({
    metadata: renderMetadata(metadata),
    resourceVersion: metadata.resourceVersion,
    spec: renderSpec(spec),
    status: { value: status, json: JSON.stringify(status) },
  });
}

/** As renderObject of the whole pod. */
export function renderPodParts({ metadata, resourceVersion, spec, status }: PodParts): Rendered {
  const { before, after } = metadata;
  const tail = `,"status":${status.json}}`;
  return {
    ok: true,
    object: { kind: 'Pod', apiVersion: 'v1', metadata: { ...metadata.value, resourceVersion }, spec: spec.value, status: status.value },
    json: `${before}${JSON.stringify(resourceVersion)}${after},"spec":${spec.json}${tail}`,
    fingerprint: shortHash(`${before}${after}${spec.fingerprint}${tail}`),
  };
}

/** Undefined for what no pod has; then renderObject tells what is wrong with the whole. */
export function readPodMetadata(raw: unknown): RenderedMetadata | undefined {
  const value = readMetadata(raw);
  return value && renderMetadata(value);
}

/** As readPodMetadata. */
export function readPodSpec(raw: unknown): RenderedSpec | undefined {
  const value = unlessTooDeep(podSpec, raw);
  return value && renderSpec(value);
}

/** As readPodMetadata. */
export function readPodStatus(raw: unknown): RenderedStatus | undefined {
  const value = unlessTooDeep(podStatus, raw);
  return value && { value, json: JSON.stringify(value) };
}

function unlessTooDeep<T>(read: Reader<T>, raw: unknown): T | undefined {
  try {
    return read(raw);
  } catch (error) {
    if (error instanceof TooDeepError) return undefined;
    throw error;
  }
}

function renderMetadata(value: Metadata): RenderedMetadata {
  return { value, ...splitAtVersion(JSON.stringify({ kind: 'Pod', apiVersion: 'v1', metadata: value }).slice(0, -1), value.resourceVersion) };
}

function renderSpec(value: PodSpec): RenderedSpec {
  const json = JSON.stringify(value);
  return { value, json, fingerprint: shortHash(json) };
}

const RESOURCE_VERSION = ',"resourceVersion":';

/** Takes out the resourceVersion. The first is the metadata's: a name in front of it can hold this text only with its quotes escaped. */
function splitAtVersion(json: string, resourceVersion: string): { readonly before: string; readonly after: string } {
  const start = json.indexOf(RESOURCE_VERSION) + RESOURCE_VERSION.length;
  return { before: json.slice(0, start), after: json.slice(start + JSON.stringify(resourceVersion).length) };
}

/** 96 bits, so that not even a chosen pair of objects passes for one. */
function shortHash(text: string): string {
  return hash('sha256', text, 'base64').slice(0, 16);
}
