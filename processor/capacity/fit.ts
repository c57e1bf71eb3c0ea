/** How many copies of a request vector fit: per node, over nodes, and if their free space were one node. */
import type { Amounts } from './amounts.ts';
import { amountOf, CPU, resourcesOf } from './amounts.ts';

/** K, K* and phi of one shape, and the resource that limits it at most nodes. */
export interface Fit {
  /** Copies that fit now. */
  readonly k: number;
  /** Copies that would fit if the free space of the eligible nodes were one node; never below k. */
  readonly kStar: number;
  /** 1 − K/K*, 0 if K* is 0: the share of that space which is lost to fragmentation. */
  readonly phi: number;
  /** '' where no node is eligible. */
  readonly bindingResource: string;
}

/** ⌊f/s⌋ over the resources requested, the smallest of them. Exact: both are integers below 2⁵³. */
export function copiesIn(request: Amounts, free: Amounts): number {
  let copies = Number.POSITIVE_INFINITY;
  if (request.cpu > 0) copies = Math.floor(free.cpu / request.cpu);
  if (request.memory > 0) copies = Math.min(copies, Math.floor(free.memory / request.memory));
  if (request.ephemeralStorage > 0) copies = Math.min(copies, Math.floor(free.ephemeralStorage / request.ephemeralStorage));
  if (request.pods > 0) copies = Math.min(copies, Math.floor(free.pods / request.pods));
  if (request.scalars !== undefined) {
    for (const [name, value] of request.scalars) if (value > 0) copies = Math.min(copies, Math.floor((free.scalars?.get(name) ?? 0) / value));
  }
  return copies === Number.POSITIVE_INFINITY ? 0 : copies;
}

/** K* over the sum of the free space given. */
export function pooledCopies(request: Amounts, frees: readonly Amounts[]): number {
  const totals = resourcesOf(request).map((resource) => {
    const total = frees.reduce((sum, free) => sum + amountOf(free, resource), 0);
    return Math.floor(total / amountOf(request, resource));
  });
  return totals.length === 0 ? 0 : Math.min(...totals);
}

export function phiOf(k: number, kStar: number): number {
  return kStar === 0 ? 0 : 1 - k / kStar;
}

/** The resource with the smallest f/s at most of the nodes; ties go to the earlier of cpu, memory, ephemeral-storage, pods, others by name. */
export function bindingResource(request: Amounts, frees: readonly Amounts[]): string {
  const resources = resourcesOf(request);
  const needs = resources.map((resource) => amountOf(request, resource));
  const counts = resources.map(() => 0);
  for (const free of frees) {
    const limiting = limitingIndex(needs, free, resources);
    counts[limiting] = (counts[limiting] ?? 0) + 1;
  }
  const most = Math.max(0, ...counts);
  return most === 0 ? '' : (resources[counts.indexOf(most)] ?? CPU);
}

function limitingIndex(needs: readonly number[], free: Amounts, resources: readonly string[]): number {
  let [limiting, least] = [0, Number.POSITIVE_INFINITY];
  for (let index = 0; index < needs.length; index += 1) {
    const ratio = amountOf(free, resources[index] ?? CPU) / (needs[index] ?? 1);
    if (ratio >= least) continue;
    limiting = index;
    least = ratio;
  }
  return limiting;
}
