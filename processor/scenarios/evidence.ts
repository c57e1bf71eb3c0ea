/** Small builders for what a rule shows: evidence, subjects, and the names of both in a sentence. */
import type { KubeObject, Pod } from '../../collector/objects.ts';
import type { ClusterView, Evidence, SeenEvent, Subject } from './scenario.ts';

/** `Pod shop/web-1`, `Node node-a`. */
export function nameOf(object: KubeObject): string {
  const { namespace, name } = object.metadata;
  return namespace === '' ? `${object.kind} ${name}` : `${object.kind} ${namespace}/${name}`;
}

/** What stands in a field of an object, by the path that `kubectl get -o yaml` shows. */
export function fieldEvidence(object: KubeObject, path: string, value: string | number | boolean, timeMs?: number): Evidence {
  return { kind: 'field', object: nameOf(object), path, value: String(value), ...(timeMs !== undefined && timeMs > 0 && { timeMs }) };
}

/** An Event about an object, with how often it was seen. */
export function eventEvidence(object: KubeObject, event: SeenEvent): Evidence {
  const times = event.count > 1 ? ` (${event.count} times)` : '';
  return { kind: 'event', object: nameOf(object), path: event.reason, value: `${event.note.trim()}${times}`, timeMs: event.lastTimeMs };
}

/** Something counted or compared over the tables. */
export function tableEvidence(object: KubeObject, path: string, value: string | number): Evidence {
  return { kind: 'table', object: nameOf(object), path, value: String(value) };
}

/** The subject of a cause in one container: the pod's workload and the container's name. */
export function containerSubject(view: ClusterView, pod: Pod, container: string): Subject {
  const { kind, namespace, name } = view.workloadOf(pod);
  return { kind, namespace, name, container };
}

/** `container app of Deployment shop/web`, or `Deployment shop/web` where the subject is no container. */
export function subjectText(subject: Subject): string {
  const owner = subject.namespace === '' ? `${subject.kind} ${subject.name}` : `${subject.kind} ${subject.namespace}/${subject.name}`;
  return subject.container === '' ? owner : `container ${subject.container} of ${owner}`;
}

/** `350 ms`, `12 s`, `4 min`, `3 h`, `2 d`: rounded down to the largest unit that is at least one. */
export function durationText(ms: number): string {
  const units: readonly (readonly [number, string])[] = [
    [86_400_000, 'd'],
    [3_600_000, 'h'],
    [60_000, 'min'],
    [1_000, 's'],
  ];
  for (const [size, unit] of units) if (ms >= size) return `${Math.floor(ms / size)} ${unit}`;
  return `${Math.max(0, Math.floor(ms))} ms`;
}

/** How long something that only takes long has taken: the same text once its grace is over, since what is over does not go on being told. */
export function lastingText(nowMs: number, sinceMs: number, graceMs: number): string {
  return nowMs >= sinceMs + graceMs
    ? `for more than ${durationText(graceMs)}`
    : `for ${durationText(nowMs - sinceMs)}, of ${durationText(graceMs)} that it may take`;
}

/** The first `length` characters of the first line, for a summary. */
export function shortText(text: string, length = 160): string {
  const line = text.trim().split('\n', 1)[0] ?? '';
  return line.length <= length ? line : `${line.slice(0, length - 1)}…`;
}
