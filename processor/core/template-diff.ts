/** What differs between two pod templates, in the words of their fields (design D9). */
import type { Container, PodTemplate } from '../../collector/objects.ts';
import { sameJson } from './same-json.ts';
import { byCodeUnit } from './tables.ts';

/** One difference; '' for what was not there. */
export interface FieldChange {
  readonly path: string;
  readonly before: string;
  readonly after: string;
}

/** Characters kept of a value, and differences kept. */
const VALUE_CHARS = 200;
const MAX_CHANGES = 20;

const show = (value: unknown): string => {
  const text = value === undefined ? '' : typeof value === 'string' ? value : JSON.stringify(value);
  return text.length > VALUE_CHARS ? `${text.slice(0, VALUE_CHARS)}…` : text;
};

/** Fields of a container that decide how it starts, is judged and is limited; env by name only. */
const CONTAINER_FIELDS: Readonly<Record<string, (container: Container) => unknown>> = {
  image: (c) => c.image,
  command: (c) => c.command,
  args: (c) => c.args,
  livenessProbe: (c) => c.livenessProbe,
  readinessProbe: (c) => c.readinessProbe,
  startupProbe: (c) => c.startupProbe,
  lifecycle: (c) => c.lifecycle,
  ports: (c) => c.ports,
  volumeMounts: (c) => c.volumeMounts,
  securityContext: (c) => c.securityContext,
  envFrom: (c) => c.envFrom,
  'env names': (c) => c.env?.map((e) => e.name).sort(byCodeUnit),
};

/** Compares two templates; bounded. */
export function diffTemplates(before: PodTemplate | undefined, after: PodTemplate | undefined): FieldChange[] {
  if (sameJson(before, after)) return []; // nearly always: most versions of a workload are of its status
  const changes: FieldChange[] = [];
  const compare = (path: string, a: unknown, b: unknown): void => {
    if (!sameJson(a, b)) changes.push({ path, before: show(a), after: show(b) });
  };
  for (const list of ['initContainers', 'containers'] as const) {
    const old = new Map((before?.spec?.[list] ?? []).map((c) => [c.name, c]));
    const now = new Map((after?.spec?.[list] ?? []).map((c) => [c.name, c]));
    for (const name of [...new Set([...old.keys(), ...now.keys()])].sort(byCodeUnit)) {
      const [a, b] = [old.get(name), now.get(name)];
      if (a === undefined || b === undefined) compare(`${list}[${name}]`, a?.image, b?.image);
      else {
        for (const [field, read] of Object.entries(CONTAINER_FIELDS)) compare(`${list}[${name}].${field}`, read(a), read(b));
        for (const part of ['requests', 'limits'] as const) {
          const [from = {}, to = {}] = [a.resources?.[part], b.resources?.[part]];
          for (const resource of [...new Set([...Object.keys(from), ...Object.keys(to)])].sort(byCodeUnit))
            compare(`${list}[${name}].resources.${part}.${resource}`, from[resource], to[resource]);
        }
      }
    }
  }
  for (const field of [
    'volumes',
    'nodeSelector',
    'affinity',
    'tolerations',
    'serviceAccountName',
    'imagePullSecrets',
    'securityContext',
    'priorityClassName',
    'terminationGracePeriodSeconds',
  ] as const) {
    compare(`spec.${field}`, before?.spec?.[field], after?.spec?.[field]);
  }
  return changes.slice(0, MAX_CHANGES);
}
