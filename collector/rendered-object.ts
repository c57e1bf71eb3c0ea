/**
 * An object as a session sends it: the projection, its JSON, and a fingerprint of that. Nearly every change of a pod leaves its spec as it
 * was, so the last specs are kept as they were rendered, with the bytes that they came in.
 */
import { hash } from 'node:crypto';
import type { Pod, PodSpec, ProjectedObject, Resource } from './objects.ts';
import { projectObject } from './project.ts';
import { isRaw } from './project-fields.ts';

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

/** Renders a raw object, whose spec may be given as bytes instead: the same Buffer for the same spec (see SpecMemory). Never throws. */
export type Render = (raw: unknown, specBytes?: Buffer) => Rendered;

interface RenderedSpec {
  readonly spec: PodSpec;
  readonly json: string;
  readonly fingerprint: string;
}

export function createRender(resource: Resource): Render {
  if (resource !== 'pods') return (raw) => renderWhole(resource, raw);
  const specs = new WeakMap<Buffer, RenderedSpec>();
  return (raw, specBytes) => {
    if (specBytes === undefined) return renderPod(raw);
    const known = specs.get(specBytes);
    if (known !== undefined) return renderPod(raw, known);
    const spec = parse(specBytes);
    if (spec === undefined) return { ok: false, reason: 'spec is not JSON' };
    const rendered = renderPod(isRaw(raw) ? { ...raw, spec } : raw);
    if (rendered.ok) specs.set(specBytes, rendered.spec);
    return rendered;
  };
}

type RenderedPod = Extract<Rendered, { ok: false }> | (Extract<Rendered, { ok: true }> & { readonly spec: RenderedSpec });

/** `known` takes the place of the pod's own spec. */
function renderPod(raw: unknown, known?: RenderedSpec): RenderedPod {
  const projection = projectObject('pods', raw);
  if (!projection.ok) return projection;
  const { kind, apiVersion, metadata, spec: own, status } = projection.object as Pod;
  const spec = known ?? renderSpec(own);
  const head = JSON.stringify({ kind, apiVersion, metadata }).slice(0, -1);
  const tail = `,"status":${JSON.stringify(status)}}`;
  return {
    ok: true,
    object: { ...projection.object, spec: spec.spec } as Pod,
    json: `${head},"spec":${spec.json}${tail}`,
    fingerprint: fingerprint(head, `${spec.fingerprint}${tail}`),
    spec,
  };
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}

function renderSpec(spec: PodSpec): RenderedSpec {
  const json = JSON.stringify(spec);
  return { spec, json, fingerprint: shortHash(json) };
}

function renderWhole(resource: Resource, raw: unknown): Rendered {
  const projection = projectObject(resource, raw);
  if (!projection.ok) return projection;
  const json = JSON.stringify(projection.object);
  return { ok: true, object: projection.object, json, fingerprint: fingerprint(json, '') };
}

const RESOURCE_VERSION = ',"resourceVersion":"';

/** The first resourceVersion is the metadata's: a name in front of it can hold this text only with its quotes escaped. */
function fingerprint(json: string, rest: string): string {
  const start = json.indexOf(RESOURCE_VERSION) + RESOURCE_VERSION.length;
  const end = json.indexOf('"', start);
  return shortHash(`${json.slice(0, start)}${json.slice(end)}${rest}`);
}

/** 96 bits, so that not even a chosen pair of objects passes for one. */
function shortHash(text: string): string {
  return hash('sha256', text, 'base64').slice(0, 16);
}
