/**
 * Amounts of resources in the scheduler's integers, after framework.Resource of pkg/scheduler/framework/types.go (v1.34). cpu in
 * millicores, memory and ephemeral-storage in bytes, everything else in whole units; exact up to 2⁵³ (8 PiB on one node).
 */
import { formatBytes, formatMillis, parseQuantity, toMillis, toUnits } from './quantity.ts';
import { compareText } from './reading.ts';

export interface Amounts {
  cpu: number;
  memory: number;
  ephemeralStorage: number;
  pods: number;
  /** Extended resources, huge pages and attachable volumes by name; absent where there are none. */
  scalars?: Map<string, number>;
}

/** A quantity that could not be read; it counts as 0. */
export interface QuantityProblem {
  /** Field path within the object, e.g. `spec.containers[0].resources.requests.cpu`. */
  readonly path: string;
  readonly value: string;
  readonly reason: string;
}

export const CPU = 'cpu';
export const MEMORY = 'memory';
export const EPHEMERAL_STORAGE = 'ephemeral-storage';
export const PODS = 'pods';

export function noAmounts(): Amounts {
  return { cpu: 0, memory: 0, ephemeralStorage: 0, pods: 0 };
}

export function copyAmounts(amounts: Amounts): Amounts {
  const copy = { cpu: amounts.cpu, memory: amounts.memory, ephemeralStorage: amounts.ephemeralStorage, pods: amounts.pods };
  return amounts.scalars === undefined ? copy : { ...copy, scalars: new Map(amounts.scalars) };
}

/** Adds sign · delta to `amounts` in place. */
export function addAmounts(amounts: Amounts, delta: Amounts, sign = 1): void {
  amounts.cpu += sign * delta.cpu;
  amounts.memory += sign * delta.memory;
  amounts.ephemeralStorage += sign * delta.ephemeralStorage;
  amounts.pods += sign * delta.pods;
  if (delta.scalars === undefined) return;
  amounts.scalars ??= new Map();
  for (const [name, value] of delta.scalars) amounts.scalars.set(name, (amounts.scalars.get(name) ?? 0) + sign * value);
}

/** max(0, a − b) of every resource of `a`. */
export function subtractAmounts(a: Amounts, b: Amounts): Amounts {
  const rest = copyAmounts(a);
  addAmounts(rest, b, -1);
  rest.cpu = Math.max(0, rest.cpu);
  rest.memory = Math.max(0, rest.memory);
  rest.ephemeralStorage = Math.max(0, rest.ephemeralStorage);
  rest.pods = Math.max(0, rest.pods);
  if (rest.scalars !== undefined) for (const [name, value] of rest.scalars) rest.scalars.set(name, Math.max(0, value));
  return rest;
}

export function amountOf(amounts: Amounts, resource: string): number {
  switch (resource) {
    case CPU:
      return amounts.cpu;
    case MEMORY:
      return amounts.memory;
    case EPHEMERAL_STORAGE:
      return amounts.ephemeralStorage;
    case PODS:
      return amounts.pods;
    default:
      return amounts.scalars?.get(resource) ?? 0;
  }
}

export function setAmount(amounts: Amounts, resource: string, value: number): void {
  if (resource === CPU) amounts.cpu = value;
  else if (resource === MEMORY) amounts.memory = value;
  else if (resource === EPHEMERAL_STORAGE) amounts.ephemeralStorage = value;
  else if (resource === PODS) amounts.pods = value;
  else if (isScalarResource(resource)) {
    amounts.scalars ??= new Map();
    amounts.scalars.set(resource, value);
  }
}

/** The resources with an amount above 0: cpu, memory, ephemeral-storage, pods, then the others by name. */
export function resourcesOf(amounts: Amounts): readonly string[] {
  const named = [CPU, MEMORY, EPHEMERAL_STORAGE, PODS].filter((resource) => amountOf(amounts, resource) > 0);
  if (amounts.scalars === undefined) return named;
  const scalars = [...amounts.scalars].filter(([, value]) => value > 0).map(([name]) => name);
  return [...named, ...scalars.sort(compareText)];
}

/** Whether `need` fits into `free`, as NodeResourcesFit asks: only what is needed is compared. */
export function fitsInto(need: Amounts, free: Amounts): boolean {
  if (need.cpu > free.cpu && need.cpu > 0) return false;
  if (need.memory > free.memory && need.memory > 0) return false;
  if (need.ephemeralStorage > free.ephemeralStorage && need.ephemeralStorage > 0) return false;
  if (need.pods > free.pods && need.pods > 0) return false;
  if (need.scalars === undefined) return true;
  for (const [name, value] of need.scalars) if (value > 0 && value > (free.scalars?.get(name) ?? 0)) return false;
  return true;
}

/**
 * Resources the scheduler counts beyond the four: extended ones, huge pages, and native ones with a domain
 * (IsScalarResourceName in pkg/scheduler/util/utils.go, helpers in pkg/apis/core/v1/helper/helpers.go).
 */
export function isScalarResource(name: string): boolean {
  return isExtendedResource(name) || name.startsWith('hugepages-') || name.includes('kubernetes.io/') || name.startsWith('attachable-volumes-');
}

export function isExtendedResource(name: string): boolean {
  return name.includes('/') && !name.includes('kubernetes.io/') && !name.startsWith('requests.');
}

/** Whole scheduler units of a nano amount: millicores for cpu, units otherwise; both rounded up. */
export function unitsOf(resource: string, nano: bigint): number {
  return resource === CPU ? toMillis(nano) : toUnits(nano);
}

/** Reads a quantity map such as status.allocatable. Bad values count 0 and are reported under `path`. */
export function readAmounts(quantities: unknown, path: string, problems: QuantityProblem[]): Amounts {
  const amounts = noAmounts();
  if (typeof quantities !== 'object' || quantities === null) return amounts;
  for (const [resource, value] of Object.entries(quantities)) {
    const nano = readQuantity(value, `${path}.${resource}`, problems);
    if (nano > 0n) setAmount(amounts, resource, unitsOf(resource, nano));
  }
  return amounts;
}

/** The value in nano units; 0 and a problem where it is malformed or negative. */
export function readQuantity(value: unknown, path: string, problems: QuantityProblem[]): bigint {
  const quantity = parseQuantity(value);
  if (quantity.ok && quantity.nano >= 0n) return quantity.nano;
  const reason = quantity.ok ? 'must not be negative' : quantity.reason;
  problems.push({ path, value: String(value).slice(0, 128), reason });
  return 0n;
}

/** An amount as Kubernetes writes it: `1500m`, `2Gi`, `4`. */
export function formatAmount(resource: string, value: number): string {
  if (resource === CPU) return formatMillis(value);
  return resource === MEMORY || resource === EPHEMERAL_STORAGE || resource.startsWith('hugepages-') ? formatBytes(value) : String(value);
}
