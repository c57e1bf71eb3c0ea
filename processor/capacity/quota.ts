/**
 * ResourceQuota admission of pods. Follows CheckRequest of k8s.io/apiserver pkg/admission/plugin/resourcequota/controller.go and
 * pkg/quota/v1/evaluator/core/pods.go (v1.34), texts included.
 */
import type { Pod, ResourceQuota } from '../../collector/objects.ts';
import { CPU, EPHEMERAL_STORAGE, formatAmount, isExtendedResource, MEMORY, unitsOf } from './amounts.ts';
import { parseQuantity } from './quantity.ts';
import type { Fields } from './reading.ts';
import { compareText, fieldsOf, integerOf, listOf, textOf, textsOf } from './reading.ts';
import type { ResourceTotals } from './resource-totals.ts';
import { isPodLevel, limitTotals, requestTotals } from './resource-totals.ts';

export interface QuotaRefusal {
  readonly quota: string;
  /** `exceeded quota: …` or `failed quota: …: must specify …`. */
  readonly message: string;
}

/** The quotas of one namespace, charged with each pod they let in. */
export interface QuotaLedger {
  /** Charges the pod to every quota that covers it, or says which refuses it and charges none. */
  charge(pod: Pod): QuotaRefusal | undefined;
  /** Gives back what a pod that goes away was charged. */
  release(pod: Pod): void;
}

interface Account {
  readonly quota: ResourceQuota;
  readonly hard: ResourceTotals;
  readonly used: Map<string, bigint>;
}

/** A ledger over the quotas given, which must be of one namespace. Bad quantities in a quota leave that resource unlimited. */
export function createQuotaLedger(quotas: Iterable<ResourceQuota>): QuotaLedger {
  const accounts = [...quotas].sort((a, b) => compareText(a.metadata.name, b.metadata.name)).map(openAccount);
  const covering = (pod: Pod): readonly Account[] => accounts.filter((account) => covers(account, pod));
  return {
    charge(pod) {
      const usage = usageOf(pod);
      const charged = covering(pod);
      for (const account of charged) {
        const missing = missingResources(pod, account.hard);
        if (missing !== '') return { quota: account.quota.metadata.name, message: `failed quota: ${account.quota.metadata.name}: must specify ${missing}` };
      }
      for (const account of charged) {
        const message = exceeded(account, usage);
        if (message !== undefined) return { quota: account.quota.metadata.name, message };
      }
      for (const account of charged) add(account, usage, 1n);
      return undefined;
    },
    release(pod) {
      for (const account of covering(pod)) add(account, usageOf(pod), -1n);
    },
  };
}

function openAccount(quota: ResourceQuota): Account {
  const hard = readTotals(quota.status?.hard ?? quota.spec.hard);
  const used = readTotals(quota.status?.used);
  return { quota, hard, used: new Map([...hard.keys()].map((resource) => [resource, used.get(resource) ?? 0n])) };
}

function readTotals(quantities: unknown): ResourceTotals {
  const totals = new Map<string, bigint>();
  for (const [resource, value] of Object.entries(fieldsOf(quantities) ?? {})) {
    const quantity = parseQuantity(value);
    if (quantity.ok) totals.set(resource, quantity.nano);
  }
  return totals;
}

/** Every matching scope, and at least one resource that pods use. */
function covers({ quota, hard }: Account, pod: Pod): boolean {
  if (![...hard.keys()].some(isPodResource)) return false;
  const selectors = listOf(fieldsOf(quota.spec.scopeSelector)?.['matchExpressions']);
  return textsOf(quota.spec.scopes).every((scope) => inScope({ scopeName: scope, operator: 'Exists' }, pod)) && selectors.every((each) => inScope(each, pod));
}

const POD_RESOURCES: ReadonlySet<string> = new Set([
  'count/pods',
  'pods',
  CPU,
  MEMORY,
  EPHEMERAL_STORAGE,
  `requests.${CPU}`,
  `requests.${MEMORY}`,
  `requests.${EPHEMERAL_STORAGE}`,
  `limits.${CPU}`,
  `limits.${MEMORY}`,
  `limits.${EPHEMERAL_STORAGE}`,
]);

function isPodResource(resource: string): boolean {
  if (POD_RESOURCES.has(resource) || resource.startsWith('hugepages-') || resource.startsWith('requests.hugepages-')) return true;
  return resource.startsWith('requests.') && isExtendedResource(resource.slice('requests.'.length));
}

function inScope(selector: Fields, pod: Pod): boolean {
  switch (selector['scopeName']) {
    case 'Terminating':
      return (integerOf(pod.spec.activeDeadlineSeconds) ?? -1) >= 0;
    case 'NotTerminating':
      return (integerOf(pod.spec.activeDeadlineSeconds) ?? -1) < 0;
    case 'BestEffort':
      return isBestEffort(pod);
    case 'NotBestEffort':
      return !isBestEffort(pod);
    case 'PriorityClass':
      return hasPriorityClass(selector, textOf(pod.spec.priorityClassName) ?? '');
    case 'CrossNamespacePodAffinity':
      return reachesOtherNamespaces(pod);
    default:
      return false;
  }
}

function hasPriorityClass(selector: Fields, name: string): boolean {
  const values = textsOf(selector['values']);
  switch (selector['operator']) {
    case 'Exists':
      return name !== '';
    case 'DoesNotExist':
      return name === '';
    case 'In':
      return name !== '' && values.includes(name);
    case 'NotIn':
      return name === '' || !values.includes(name);
    default:
      return false;
  }
}

/** GetPodQOS: no container, and not the pod, asks for or limits cpu or memory. */
function isBestEffort(pod: Pod): boolean {
  const named = (resources: unknown): boolean =>
    ['requests', 'limits'].some((field) => {
      const list = fieldsOf(fieldsOf(resources)?.[field]) ?? {};
      return [CPU, MEMORY].some((resource) => isPositive(list[resource]));
    });
  const containers = [...listOf(pod.spec.containers), ...listOf(pod.spec.initContainers)];
  return !named(pod.spec.resources) && !containers.some((container) => named(container.resources));
}

function isPositive(value: unknown): boolean {
  const quantity = parseQuantity(value);
  return quantity.ok && quantity.nano > 0n;
}

function reachesOtherNamespaces(pod: Pod): boolean {
  const affinity = fieldsOf(pod.spec.affinity);
  return ['podAffinity', 'podAntiAffinity'].some((kind) => {
    const rules = fieldsOf(affinity?.[kind]);
    const preferred = listOf(rules?.['preferredDuringSchedulingIgnoredDuringExecution']).map((each) => fieldsOf(each['podAffinityTerm']) ?? {});
    const terms = [...listOf(rules?.['requiredDuringSchedulingIgnoredDuringExecution']), ...preferred];
    return terms.some((term) => textsOf(term['namespaces']).length > 0 || fieldsOf(term['namespaceSelector']) !== undefined);
  });
}

const ONE = 1_000_000_000n;

/** What a live pod is charged, by quota resource (PodUsageFunc). */
export function usageOf(pod: Pod): ResourceTotals {
  const usage = new Map<string, bigint>([
    ['count/pods', ONE],
    ['pods', ONE],
  ]);
  for (const [resource, nano] of requestTotals(pod)) {
    if (resource === CPU || resource === MEMORY || resource === EPHEMERAL_STORAGE || resource.startsWith('hugepages-')) usage.set(resource, nano);
    if (usage.has(resource) || isExtendedResource(resource)) usage.set(`requests.${resource}`, nano);
  }
  for (const [resource, nano] of limitTotals(pod)) {
    if (resource === CPU || resource === MEMORY || resource === EPHEMERAL_STORAGE) usage.set(`limits.${resource}`, nano);
  }
  return usage;
}

/** Whatever of cpu and memory the quota limits, every container has to name; pod-level resources lift that (Constraints). */
function missingResources(pod: Pod, hard: ResourceTotals): string {
  const podLevel = fieldsOf(pod.spec.resources);
  const named = [podLevel?.['requests'], podLevel?.['limits']].flatMap((list) => Object.keys(fieldsOf(list) ?? {}));
  if (named.some(isPodLevel)) return '';
  const required = [CPU, `limits.${CPU}`, `limits.${MEMORY}`, MEMORY, `requests.${CPU}`, `requests.${MEMORY}`].filter((resource) => hard.has(resource));
  const containers = [...listOf(pod.spec.containers), ...listOf(pod.spec.initContainers)];
  const missing = required.flatMap((resource) => {
    const [field, name] = resource.startsWith('limits.') ? ['limits', resource.slice(7)] : ['requests', resource.replace('requests.', '')];
    const without = containers.filter((container) => fieldsOf(fieldsOf(container.resources)?.[field])?.[name] === undefined).map((each) => each.name);
    return without.length === 0 ? [] : [`${resource} for: ${[...new Set(without)].sort(compareText).join(',')}`];
  });
  return missing.join('; ');
}

function exceeded({ quota, hard, used }: Account, usage: ResourceTotals): string | undefined {
  const over = [...usage].filter(([resource, nano]) => {
    const limit = hard.get(resource);
    return nano > 0n && limit !== undefined && (used.get(resource) ?? 0n) + nano > limit;
  });
  if (over.length === 0) return undefined;
  const list = (totals: ResourceTotals): string =>
    over
      .map(([resource]) => `${resource}=${formatQuota(resource, totals.get(resource) ?? 0n)}`)
      .sort(compareText)
      .join(',');
  return `exceeded quota: ${quota.metadata.name}, requested: ${list(usage)}, used: ${list(used)}, limited: ${list(hard)}`;
}

/** requests.cpu prints as cpu does. */
function formatQuota(resource: string, nano: bigint): string {
  const name = resource.replace(/^(requests|limits)\./, '');
  return formatAmount(name, unitsOf(name, nano));
}

function add({ used, hard }: Account, usage: ResourceTotals, sign: bigint): void {
  for (const [resource, nano] of usage) if (hard.has(resource)) used.set(resource, (used.get(resource) ?? 0n) + sign * nano);
}
