/**
 * What the API server makes of a pod before it exists: defaults, LimitRanges, priority and tolerations. For manifests only: pods read
 * back went through it. Follows pkg/apis/core/v1/defaults.go and plugin/pkg/admission/{limitranger,priority,defaulttolerationseconds}
 * (v1.34). RuntimeClasses are not collected, so overhead is known only where the manifest states it.
 */
import type { Container, Pod, Quantities, Toleration } from '../../collector/objects.ts';
import { parseQuantity } from './quantity.ts';
import type { Fields } from './reading.ts';
import { compareText, fieldsOf, integerOf, listOf, textOf } from './reading.ts';
import type { ResourceTotals } from './resource-totals.ts';
import { limitTotals, requestTotals } from './resource-totals.ts';
import type { SchedulingCluster } from './scheduling-state.ts';

export interface Admission {
  readonly pod: Pod;
  /** Why LimitRanger would refuse it, in its words; empty if it would not. */
  readonly refusals: readonly string[];
}

/** Applies the defaults of the API server and of the namespace's LimitRanges, and checks the latter. */
export function admitPod(pod: Pod, cluster: SchedulingCluster): Admission {
  const ranges = [...(cluster.objects?.('limitranges') ?? [])]
    .filter((range) => range.metadata.namespace === pod.metadata.namespace)
    .sort((a, b) => compareText(a.metadata.name, b.metadata.name));
  const items = ranges.flatMap((range) => listOf(fieldsOf(fieldsOf(range)?.['spec'])?.['limits']));
  const admitted = withDefaults(pod, items, cluster);
  return { pod: admitted, refusals: items.flatMap((item) => checkLimits(item, admitted)) };
}

function withDefaults(pod: Pod, items: readonly Fields[], cluster: SchedulingCluster): Pod {
  const containers = items.filter((item) => item['type'] === 'Container');
  const hostNetwork = pod.spec.hostNetwork === true;
  const admit = (container: Container): Container => defaultPorts(defaultResources(container, containers), hostNetwork);
  return {
    ...pod,
    spec: {
      ...pod.spec,
      containers: listOf(pod.spec.containers).map(admit),
      ...(pod.spec.initContainers === undefined ? {} : { initContainers: listOf(pod.spec.initContainers).map(admit) }),
      tolerations: defaultTolerations(listOf(pod.spec.tolerations)),
      ...priorityOf(pod, cluster),
    },
  };
}

/** A limit without a request is the request; then what the LimitRanges default. */
function defaultResources(container: Container, items: readonly Fields[]): Container {
  const own = fieldsOf(container.resources) ?? {};
  const [ownLimits, ownRequests] = [quantitiesOf(own['limits']), quantitiesOf(own['requests'])];
  const limits = Object.assign({}, ...items.map(defaultLimits), ownLimits);
  const requests = Object.assign({}, ...items.map(defaultRequests), ownLimits, ownRequests);
  return { ...container, resources: { ...own, limits, requests } };
}

/** SetDefaults_LimitRangeItem: without a default the maximum is; one read back from the API server says so itself. */
function defaultLimits(item: Fields): Quantities {
  return { ...quantitiesOf(item['max']), ...quantitiesOf(item['default']) };
}

function defaultRequests(item: Fields): Quantities {
  return { ...quantitiesOf(item['min']), ...defaultLimits(item), ...quantitiesOf(item['defaultRequest']) };
}

function quantitiesOf(value: unknown): Quantities {
  return (fieldsOf(value) ?? {}) as Quantities;
}

/** With hostNetwork every container port is a host port. */
function defaultPorts(container: Container, hostNetwork: boolean): Container {
  if (!hostNetwork || container.ports === undefined) return container;
  return { ...container, ports: listOf(container.ports).map((port) => ((port.hostPort ?? 0) > 0 ? port : { ...port, hostPort: port.containerPort })) };
}

/** DefaultTolerationSeconds: 300 s on nodes that stop being ready, unless the pod says otherwise. */
function defaultTolerations(tolerations: readonly Toleration[]): readonly Toleration[] {
  const missing = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'].filter(
    (key) => !tolerations.some((each) => ((each.key ?? '') === '' || each.key === key) && ((each.effect ?? '') === '' || each.effect === 'NoExecute')),
  );
  return [...tolerations, ...missing.map((key) => ({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 }))];
}

/** system-node-critical and system-cluster-critical exist everywhere: pkg/apis/scheduling/types.go. */
const BUILT_IN_PRIORITIES: Readonly<Record<string, number>> = { 'system-cluster-critical': 2_000_000_000, 'system-node-critical': 2_000_001_000 };

function priorityOf(
  pod: Pod,
  cluster: SchedulingCluster,
): { readonly priority?: number; readonly priorityClassName?: string; readonly preemptionPolicy?: string } {
  if (integerOf(pod.spec.priority) !== undefined) return {};
  const name = textOf(pod.spec.priorityClassName) ?? '';
  const fallback = [...(cluster.objects?.('priorityclasses') ?? [])].find((each) => fieldsOf(each)?.['globalDefault'] === true);
  const found = fieldsOf(name === '' ? fallback : cluster.object('priorityclasses', '', name));
  const value = integerOf(found?.['value']) ?? (Object.hasOwn(BUILT_IN_PRIORITIES, name) ? BUILT_IN_PRIORITIES[name] : undefined) ?? 0;
  const policy = textOf(pod.spec['preemptionPolicy']) ?? textOf(found?.['preemptionPolicy']);
  return {
    priority: value,
    ...(name === '' && fallback !== undefined ? { priorityClassName: fallback.metadata.name } : {}),
    ...(policy === undefined ? {} : { preemptionPolicy: policy }),
  };
}

/** PodValidateLimitFunc: min, max and ratio of each container, or of the pod. */
function checkLimits(item: Fields, pod: Pod): readonly string[] {
  const type = textOf(item['type']) ?? '';
  if (type === 'Pod') return checkItem(item, type, requestTotals(pod), limitTotals(pod));
  if (type !== 'Container') return [];
  return [...listOf(pod.spec.containers), ...listOf(pod.spec.initContainers)].flatMap((container) => {
    const resources = fieldsOf(container.resources);
    return checkItem(item, type, totalsOf(resources?.['requests']), totalsOf(resources?.['limits']));
  });
}

function totalsOf(quantities: unknown): ResourceTotals {
  return new Map(quantityEntries(quantities));
}

function quantityEntries(quantities: unknown): readonly (readonly [string, bigint])[] {
  return Object.entries(fieldsOf(quantities) ?? {}).flatMap(([resource, value]) => {
    const quantity = parseQuantity(value);
    return quantity.ok ? [[resource, quantity.nano] as const] : [];
  });
}

function checkItem(item: Fields, type: string, requests: ResourceTotals, limits: ResourceTotals): readonly string[] {
  const refusals: string[] = [];
  const stated = (field: string, resource: string): string => String(fieldsOf(item[field])?.[resource]);
  for (const [resource, bound] of quantityEntries(item['min'])) {
    const [request, limit] = [requests.get(resource), limits.get(resource)];
    const rule = `minimum ${resource} usage per ${type} is ${stated('min', resource)}`;
    if (request === undefined) refusals.push(`${rule}.  No request is specified`);
    else if (request < bound) refusals.push(`${rule}, but request is lower`);
    else if (limit !== undefined && limit < bound) refusals.push(`${rule}, but limit is lower`);
  }
  for (const [resource, bound] of quantityEntries(item['max'])) {
    const [request, limit] = [requests.get(resource), limits.get(resource)];
    const rule = `maximum ${resource} usage per ${type} is ${stated('max', resource)}`;
    if (limit === undefined) refusals.push(`${rule}.  No limit is specified`);
    else if (limit > bound) refusals.push(`${rule}, but limit is higher`);
    else if (request !== undefined && request > bound) refusals.push(`${rule}, but request is higher`);
  }
  for (const [resource, bound] of quantityEntries(item['maxLimitRequestRatio'])) {
    const [request, limit] = [requests.get(resource) ?? 0n, limits.get(resource) ?? 0n];
    const rule = `${resource} max limit to request ratio per ${type} is ${stated('maxLimitRequestRatio', resource)}`;
    if (request === 0n) refusals.push(`${rule}, but no request is specified or request is 0`);
    else if (limit === 0n) refusals.push(`${rule}, but no limit is specified or limit is 0`);
    else if (limit * 1_000_000_000n > bound * request) refusals.push(`${rule}, but provided ratio is ${(Number(limit) / Number(request)).toFixed(2)}`);
  }
  return refusals;
}
