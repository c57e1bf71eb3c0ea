/**
 * Requests and limits of a pod, exact and by Kubernetes resource name: what quotas and LimitRanges count, and what pod-request.ts rounds
 * for the scheduler. Follows PodRequests and PodLimits of k8s.io/component-helpers resource/helpers.go (v0.34).
 */
import type { Container, ContainerStatus, Pod } from '../../collector/objects.ts';
import type { QuantityProblem } from './amounts.ts';
import { CPU, MEMORY, readQuantity } from './amounts.ts';
import { fieldsOf, listOf, sameTexts } from './reading.ts';

/** Amounts in nano units by resource. */
export type ResourceTotals = ReadonlyMap<string, bigint>;
type Totals = Map<string, bigint>;

/** DefaultMilliCPURequest and DefaultMemoryRequest of pkg/scheduler/util/pod_resources.go (100m, 200 MiB), in nano units. */
const UNNAMED_CPU = 100_000_000n;
const UNNAMED_MEMORY = 200n * 1_024n * 1_024n * 1_000_000_000n;

interface Reading {
  readonly pod: Pod;
  readonly field: 'requests' | 'limits';
  readonly problems: QuantityProblem[];
  /** A container that names no cpu or memory counts with the scheduler's defaults. */
  readonly fill: boolean;
}

/** The effective request. Bad quantities count 0 and are added to `problems`. */
export function requestTotals(pod: Pod, problems: QuantityProblem[] = [], fill = false): ResourceTotals {
  const reading: Reading = { pod, field: 'requests', problems, fill };
  const total = containerTotals(reading);
  const podLevel = fieldsOf(pod.spec.resources);
  if (podLevel !== undefined) {
    const requests = readList(podLevel['requests'], 'spec.resources.requests', problems);
    for (const [resource, nano] of requests) if (isPodLevel(resource)) total.set(resource, nano);
    for (const [resource, nano] of readList(podLevel['limits'], 'spec.resources.limits', problems)) {
      if (isPodLevel(resource) && !total.has(resource)) total.set(resource, nano);
    }
  }
  addTo(total, readList(pod.spec.overhead, 'spec.overhead', problems));
  return total;
}

/** The effective limit: of the resources that some container or the pod limits. */
export function limitTotals(pod: Pod): ResourceTotals {
  const problems: QuantityProblem[] = [];
  const total = containerTotals({ pod, field: 'limits', problems, fill: false });
  for (const [resource, nano] of readList(fieldsOf(pod.spec.resources)?.['limits'], 'spec.resources.limits', problems)) {
    if (isPodLevel(resource)) total.set(resource, nano);
  }
  for (const [resource, nano] of readList(pod.spec.overhead, 'spec.overhead', problems)) {
    const limit = total.get(resource) ?? 0n;
    if (limit > 0n) total.set(resource, limit + nano);
  }
  return total;
}

/** IsSupportedPodLevelResource: cpu, memory and huge pages. */
export function isPodLevel(resource: string): boolean {
  return resource === CPU || resource === MEMORY || resource.startsWith('hugepages-');
}

/** Per resource the larger of what runs together and what any one init container needs beside the sidecars started before it. */
function containerTotals(reading: Reading): Totals {
  const { pod } = reading;
  const statuses = statusesByName(pod);
  const total: Totals = new Map();
  listOf(pod.spec.containers).forEach((container, index) => {
    addTo(total, effective(reading, container, statuses.get(container.name), `spec.containers[${index}]`));
  });
  const sidecars: Totals = new Map();
  const init: Totals = new Map();
  listOf(pod.spec.initContainers).forEach((container, index) => {
    const sidecar = container.restartPolicy === 'Always';
    const own = effective(reading, container, sidecar ? statuses.get(container.name) : undefined, `spec.initContainers[${index}]`);
    addTo(sidecar ? total : own, sidecar ? own : sidecars);
    if (sidecar) addTo(sidecars, own);
    raiseTo(init, sidecar ? sidecars : own);
  });
  raiseTo(total, init);
  return total;
}

const NO_STATUSES: ReadonlyMap<string, ContainerStatus> = new Map();

function statusesByName({ status }: Pod): ReadonlyMap<string, ContainerStatus> {
  if (status.containerStatuses === undefined && status.initContainerStatuses === undefined) return NO_STATUSES;
  return new Map([...listOf(status.containerStatuses), ...listOf(status.initContainerStatuses)].map((each) => [each.name, each]));
}

/** One container's own amounts, in-place resize included (determineContainerReqs and -Limits). Always a fresh map. */
function effective({ pod, field, problems, fill }: Reading, container: Container, status: ContainerStatus | undefined, path: string): Totals {
  let result = readList(fieldsOf(container.resources)?.[field], `${path}.resources.${field}`, problems);
  if (status?.resources !== undefined) {
    if (isResizeInfeasible(pod)) result = new Map();
    raiseTo(result, readList(fieldsOf(status.resources)?.[field], `status of ${path}.resources.${field}`, problems));
    if (field === 'requests') raiseTo(result, readList(status.allocatedResources, `status of ${path}.allocatedResources`, problems));
  }
  if (fill) {
    if (!result.has(CPU)) result.set(CPU, UNNAMED_CPU);
    if (!result.has(MEMORY)) result.set(MEMORY, UNNAMED_MEMORY);
  }
  return result;
}

/** Whether what the kubelet has set aside for the containers, as their statuses tell it, is the same in both versions of a pod. */
export function sameStatusRequests(a: Pod, b: Pod): boolean {
  return (
    sameRequests(a.status.containerStatuses, b.status.containerStatuses) &&
    sameRequests(a.status.initContainerStatuses, b.status.initContainerStatuses) &&
    isResizeInfeasible(a) === isResizeInfeasible(b)
  );
}

function sameRequests(a: readonly ContainerStatus[] | undefined, b: readonly ContainerStatus[] | undefined): boolean {
  if (a === b) return true;
  const [some, others] = [withResources(a), withResources(b)];
  return some.length === others.length && some.every((status, index) => sameContainer(status, others[index]));
}

const withResources = (statuses: readonly ContainerStatus[] | undefined): readonly ContainerStatus[] =>
  listOf(statuses).filter(({ resources }) => resources !== undefined);

function sameContainer(a: ContainerStatus, b: ContainerStatus | undefined): boolean {
  if (a.name !== b?.name || !sameTexts(a.allocatedResources, b.allocatedResources)) return false;
  return sameTexts(fieldsOf(a.resources)?.['requests'], fieldsOf(b.resources)?.['requests']);
}

function isResizeInfeasible(pod: Pod): boolean {
  return listOf(pod.status.conditions).find((condition) => condition.type === 'PodResizePending')?.reason === 'Infeasible';
}

function readList(quantities: unknown, path: string, problems: QuantityProblem[]): Totals {
  const list: Totals = new Map();
  const fields = fieldsOf(quantities);
  if (fields === undefined) return list;
  for (const [resource, value] of Object.entries(fields)) list.set(resource, readQuantity(value, `${path}.${resource}`, problems));
  return list;
}

function addTo(list: Totals, more: ResourceTotals): void {
  for (const [resource, nano] of more) list.set(resource, (list.get(resource) ?? 0n) + nano);
}

function raiseTo(list: Totals, other: ResourceTotals): void {
  for (const [resource, nano] of other) if (nano > (list.get(resource) ?? -1n)) list.set(resource, nano);
}
