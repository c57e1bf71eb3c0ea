/**
 * Shapes: a request vector with the constraints that decide where it may run. Pods of one shape are interchangeable for capacity; pods
 * whose rules look at other pods carry their own labels in the key, so only true copies share it.
 */
import { createHash } from 'node:crypto';
import type { Container, PodSpec, Toleration } from '../../collector/objects.ts';
import type { Amounts, QuantityProblem } from './amounts.ts';
import { CPU, EPHEMERAL_STORAGE, formatAmount, isScalarResource, MEMORY, resourcesOf, amountOf, PODS } from './amounts.ts';
import type { PodFacts } from './pod-facts.ts';
import { podFacts } from './pod-facts.ts';
import { parseQuantity } from './quantity.ts';
import { compareText, fieldsOf, listOf } from './reading.ts';

export interface Shape {
  /** `2c4Gi`, with `#` and a hash of the constraints where there are any. */
  readonly id: string;
  /** A pod of this shape: its filters are the shape's. */
  readonly facts: PodFacts;
  readonly origin: 'configured' | 'requested';
  /** Of the weighted index; > 0. */
  readonly weight: number;
}

/** A shape as configuration names it. */
export interface ShapeConfig {
  /** Absent: made from the request, e.g. `2c4Gi`. */
  readonly name?: string;
  /** Kubernetes quantities by resource. */
  readonly request: Readonly<Record<string, string>>;
  readonly nodeSelector?: Readonly<Record<string, string>>;
  readonly tolerations?: readonly Toleration[];
  readonly weight?: number;
}

/** What operators ask about first; used where configuration names none. */
export const DEFAULT_SHAPES: readonly ShapeConfig[] = [
  { request: { cpu: '500m', memory: '1Gi' } },
  { request: { cpu: '1', memory: '2Gi' } },
  { request: { cpu: '2', memory: '4Gi' } },
  { request: { cpu: '4', memory: '8Gi' } },
];

/** Builds a configured shape; a bad quantity or an unknown resource is a problem and no shape. */
export function buildShape(config: ShapeConfig): { readonly ok: true; readonly shape: Shape } | { readonly ok: false; readonly problem: QuantityProblem } {
  for (const [resource, value] of Object.entries(config.request)) {
    const quantity = parseQuantity(value);
    const reason = quantity.ok ? reasonAgainst(resource, quantity.nano) : quantity.reason;
    if (reason !== undefined) return { ok: false, problem: { path: `request.${resource}`, value: String(value), reason } };
  }
  const container: Container = { name: 'shape', resources: { requests: config.request } };
  const spec: PodSpec = { containers: [container], nodeSelector: config.nodeSelector, tolerations: config.tolerations };
  const metadata = { name: config.name ?? 'shape', namespace: '', uid: `shape/${config.name ?? ''}`, resourceVersion: '0' };
  const facts = podFacts({ kind: 'Pod', apiVersion: 'v1', metadata, spec, status: {} });
  return { ok: true, shape: { id: config.name ?? shapeId(facts), facts, origin: 'configured', weight: config.weight ?? 1 } };
}

function reasonAgainst(resource: string, nano: bigint): string | undefined {
  if (nano <= 0n) return 'must be above 0';
  return [CPU, MEMORY, EPHEMERAL_STORAGE].includes(resource) || isScalarResource(resource) ? undefined : 'is not a resource the scheduler counts';
}

/** `2c4Gi`; a constrained shape adds a hash, so that `2c4Gi` on GPU nodes and elsewhere are two. */
export function shapeId(facts: PodFacts): string {
  const constraints = constraintsOf(facts);
  const request = formatRequest(facts.request.amounts);
  return constraints === '' ? request : `${request}#${createHash('sha256').update(constraints).digest('hex').slice(0, 8)}`;
}

/** `500mc1Gi` reads badly, so fractions of a core are decimal: `0.5c1Gi`, `2c4Gi,example.com/gpu=1`; `0c0` for nothing at all. */
export function formatRequest(amounts: Amounts): string {
  const cpu = `${amounts.cpu / 1_000}c${formatAmount(MEMORY, amounts.memory)}`;
  const others = resourcesOf(amounts).filter((resource) => resource !== CPU && resource !== MEMORY && resource !== PODS);
  return [cpu, ...others.map((resource) => `${resource}=${formatAmount(resource, amountOf(amounts, resource))}`)].join(',');
}

/** Equal for pods that are interchangeable for capacity. Kept with the facts. */
export function shapeKey(facts: PodFacts): string {
  if (facts.shape !== undefined) return facts.shape;
  const { cpu, memory, ephemeralStorage, scalars } = facts.request.amounts;
  const extended = scalars === undefined ? '' : [...scalars].sort(([a], [b]) => compareText(a, b)).join(';');
  facts.shape = shared(`${cpu}/${memory}/${ephemeralStorage}/${extended}|${constraintsOf(facts)}`);
  return facts.shape;
}

/** More keys than clusters have shapes; what was forgotten is only slower to compare. */
const MAX_SHARED = 20_000;
const sharedKeys = new Map<string, string>();

/** One string for all pods of a shape: a map that knows it finds it without comparing a character. */
function shared(key: string): string {
  const known = sharedKeys.get(key);
  if (known !== undefined) return known;
  if (sharedKeys.size === MAX_SHARED) sharedKeys.clear();
  sharedKeys.set(key, key);
  return key;
}

/** The constraints as text, '' without any; tolerations that every pod has are not one. */
function constraintsOf(facts: PodFacts): string {
  const { spec } = facts.pod;
  const affinity = fieldsOf(spec.affinity);
  const nodeAffinity = fieldsOf(affinity?.['nodeAffinity'])?.['requiredDuringSchedulingIgnoredDuringExecution'];
  const selector = Object.entries(fieldsOf(spec.nodeSelector) ?? {}).sort(([a], [b]) => compareText(a, b));
  const tolerations = listOf(spec.tolerations).filter((toleration) => !isUsual(toleration));
  const spread = listOf(spec.topologySpreadConstraints).filter((each) => each.whenUnsatisfiable !== 'ScheduleAnyway');
  const looksAtPods = facts.affinity.length + facts.antiAffinity.length + spread.length > 0;
  if (nodeAffinity === undefined && selector.length + tolerations.length + facts.ports.length === 0 && !looksAtPods) return '';
  const labels = Object.entries(facts.labels ?? {}).sort(([a], [b]) => compareText(a, b));
  const among = looksAtPods ? [facts.namespace, labels, facts.affinity, facts.antiAffinity, spread] : [];
  return JSON.stringify([selector, nodeAffinity ?? null, tolerations, facts.ports, ...among]);
}

/** What DefaultTolerationSeconds gives to every pod; it lets nobody onto a node. */
function isUsual({ key, effect }: Toleration): boolean {
  return effect === 'NoExecute' && (key === 'node.kubernetes.io/not-ready' || key === 'node.kubernetes.io/unreachable');
}

/** How many pods have a shape, and one of them. */
export interface ShapeCount {
  readonly key: string;
  /** The pod with the lowest uid: the same whatever the order of counting. */
  facts: PodFacts;
  /** Of `facts`. */
  uid: string;
  count: number;
}

/** Counts one pod in. */
export function countShape(counts: Map<string, ShapeCount>, facts: PodFacts): void {
  addCount(counts, { key: shapeKey(facts), facts, uid: facts.pod.metadata.uid, count: 1 });
}

/** Counts in what was counted elsewhere, and leaves that as it is. */
export function addCount(counts: Map<string, ShapeCount>, { key, facts, uid, count }: ShapeCount): void {
  const known = counts.get(key);
  if (known === undefined) counts.set(key, { key, facts, uid, count });
  else {
    known.count += count;
    if (uid < known.uid) [known.facts, known.uid] = [facts, uid];
  }
}

/** Most frequent first, ties by key. */
export function sortShapes(counts: ReadonlyMap<string, ShapeCount>): readonly ShapeCount[] {
  return [...counts.values()].sort((a, b) => b.count - a.count || compareText(a.key, b.key));
}
