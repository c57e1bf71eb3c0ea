/**
 * The effective request of a pod: what the scheduler sets aside on a node. Follows PodRequests and AggregateContainerRequests of
 * k8s.io/component-helpers resource/helpers.go (v0.34), and CalculateResource of pkg/scheduler/framework/types.go (v1.34).
 * Sums are exact and rounded up once per pod.
 */
import type { Container, ContainerStatus, Pod } from '../../collector/objects.ts';
import type { Amounts, QuantityProblem } from './amounts.ts';
import { CPU, MEMORY, noAmounts, readQuantity, setAmount, unitsOf } from './amounts.ts';
import { fieldsOf, listOf } from './reading.ts';

export interface PodRequest {
  /** What is compared with a node's free space; pods is always 1. */
  readonly amounts: Amounts;
  /** cpu and memory with 100m and 200 MiB for each container that names none: used to score nodes, never to filter them. */
  readonly scoredCpu: number;
  readonly scoredMemory: number;
  readonly problems: readonly QuantityProblem[];
}

/** DefaultMilliCPURequest and DefaultMemoryRequest of pkg/scheduler/util/pod_resources.go, in nano units. */
const UNNAMED_CPU = 100_000_000n;
const UNNAMED_MEMORY = 200n * 1_024n * 1_024n * 1_000_000_000n;

type NanoAmounts = Map<string, bigint>;

/** Computes the effective request. Never throws: bad quantities count 0 and are listed in `problems`. */
export function podRequest(pod: Pod): PodRequest {
  const problems: QuantityProblem[] = [];
  const requests = requestsOf(pod, problems, false);
  const scored = namesAll(pod) ? requests : requestsOf(pod, [], true);
  const amounts = noAmounts();
  for (const [resource, nano] of requests) if (nano > 0n) setAmount(amounts, resource, unitsOf(resource, nano));
  amounts.pods = 1;
  return {
    amounts,
    scoredCpu: unitsOf(CPU, scored.get(CPU) ?? 0n),
    scoredMemory: unitsOf(MEMORY, scored.get(MEMORY) ?? 0n),
    problems,
  };
}

function namesAll(pod: Pod): boolean {
  const containers = [...listOf(pod.spec.containers), ...listOf(pod.spec.initContainers)];
  return containers.every((container) => {
    const requests = fieldsOf(fieldsOf(container.resources)?.['requests']);
    return requests !== undefined && requests[CPU] !== undefined && requests[MEMORY] !== undefined;
  });
}

function requestsOf(pod: Pod, problems: QuantityProblem[], fill: boolean): NanoAmounts {
  const total = containerRequests(pod, problems, fill);
  applyPodLevel(pod, total, problems);
  addTo(total, readList(pod.spec.overhead, 'spec.overhead', problems));
  return total;
}

/** Per resource the larger of what runs together and what any one init container needs beside the sidecars started before it. */
function containerRequests(pod: Pod, problems: QuantityProblem[], fill: boolean): NanoAmounts {
  const statuses = statusesByName(pod);
  const total: NanoAmounts = new Map();
  listOf(pod.spec.containers).forEach((container, index) => {
    addTo(total, effective(pod, container, statuses.get(container.name), `spec.containers[${index}]`, problems, fill));
  });
  const sidecars: NanoAmounts = new Map();
  const init: NanoAmounts = new Map();
  listOf(pod.spec.initContainers).forEach((container, index) => {
    const sidecar = container.restartPolicy === 'Always';
    const status = sidecar ? statuses.get(container.name) : undefined;
    const own = effective(pod, container, status, `spec.initContainers[${index}]`, problems, fill);
    if (sidecar) {
      addTo(total, own);
      addTo(sidecars, own);
      raiseTo(init, sidecars);
    } else {
      addTo(own, sidecars);
      raiseTo(init, own);
    }
  });
  raiseTo(total, init);
  return total;
}

function statusesByName(pod: Pod): ReadonlyMap<string, ContainerStatus> {
  const status = pod.status;
  if (status === undefined || (status.containerStatuses === undefined && status.initContainerStatuses === undefined)) return NO_STATUSES;
  return new Map([...listOf(status.containerStatuses), ...listOf(status.initContainerStatuses)].map((each) => [each.name, each]));
}
const NO_STATUSES: ReadonlyMap<string, ContainerStatus> = new Map();

/** One container's request, in-place resize included (determineContainerReqs). Always a fresh map. */
function effective(pod: Pod, container: Container, status: ContainerStatus | undefined, path: string, problems: QuantityProblem[], fill: boolean): NanoAmounts {
  const own = readList(fieldsOf(container.resources)?.['requests'], `${path}.resources.requests`, problems);
  let result = own;
  if (status?.resources !== undefined) {
    result = isResizeInfeasible(pod) ? new Map() : own;
    raiseTo(result, readList(fieldsOf(status.resources)?.['requests'], 'status.containerStatuses.resources.requests', problems));
    raiseTo(result, readList(status.allocatedResources, 'status.containerStatuses.allocatedResources', problems));
  }
  if (fill) {
    if (!result.has(CPU)) result.set(CPU, UNNAMED_CPU);
    if (!result.has(MEMORY)) result.set(MEMORY, UNNAMED_MEMORY);
  }
  return result;
}

function isResizeInfeasible(pod: Pod): boolean {
  return listOf(pod.status.conditions).find((condition) => condition.type === 'PodResizePending')?.reason === 'Infeasible';
}

/** IsSupportedPodLevelResource: cpu, memory and huge pages. */
function isPodLevel(resource: string): boolean {
  return resource === CPU || resource === MEMORY || resource.startsWith('hugepages-');
}

/** spec.resources replaces the aggregate; a limit without a request leaves the aggregate, else is the request (defaults.go). */
function applyPodLevel(pod: Pod, total: NanoAmounts, problems: QuantityProblem[]): void {
  const resources = fieldsOf(pod.spec.resources);
  if (resources === undefined) return;
  const requests = readList(resources['requests'], 'spec.resources.requests', problems);
  const limits = readList(resources['limits'], 'spec.resources.limits', problems);
  for (const [resource, nano] of requests) if (isPodLevel(resource)) total.set(resource, nano);
  for (const [resource, nano] of limits) {
    if (isPodLevel(resource) && !requests.has(resource) && !total.has(resource)) total.set(resource, nano);
  }
}

function readList(quantities: unknown, path: string, problems: QuantityProblem[]): NanoAmounts {
  const list: NanoAmounts = new Map();
  const fields = fieldsOf(quantities);
  if (fields === undefined) return list;
  for (const [resource, value] of Object.entries(fields)) list.set(resource, readQuantity(value, `${path}.${resource}`, problems));
  return list;
}

function addTo(list: NanoAmounts, more: NanoAmounts): void {
  for (const [resource, nano] of more) list.set(resource, (list.get(resource) ?? 0n) + nano);
}

function raiseTo(list: NanoAmounts, other: NanoAmounts): void {
  for (const [resource, nano] of other) if (nano > (list.get(resource) ?? -1n)) list.set(resource, nano);
}
