/**
 * What the API server takes in fields whose type says too little: enumerations, ranges and names. After pkg/apis/core/validation and
 * pkg/apis/apps/validation (v1.34); only what a person mistypes and what would otherwise change the verdict in silence.
 */

type Rule = (value: unknown) => string | undefined;

/** An empty text stands for the default. */
function oneOf(...values: readonly string[]): Rule {
  return (value) => (typeof value !== 'string' || value === '' || values.includes(value) ? undefined : `is ${quote(value)}, not one of ${values.join(', ')}`);
}

function between(least: number, most: number): Rule {
  return (value) => {
    if (typeof value !== 'number' || (value >= least && value <= most)) return undefined;
    return most === Number.MAX_SAFE_INTEGER ? `is ${value}, below ${least}` : `is ${value}, not within ${least} and ${most}`;
  };
}

const atLeast = (least: number): Rule => between(least, Number.MAX_SAFE_INTEGER);

const LABEL = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/;
const label: Rule = (value) =>
  typeof value !== 'string' || LABEL.test(value) ? undefined : `is ${quote(value)}, not up to 63 lower case letters, digits and - between them`;

const quote = (text: string): string => (text === '' ? 'empty' : JSON.stringify(text.slice(0, 63)));

const PORT = between(1, 65_535);
const count = atLeast(0);

const RULES: ReadonlyMap<string, Rule> = new Map([
  ...['Deployment', 'ReplicaSet', 'ReplicationController', 'StatefulSet'].map((kind) => [`${kind}Spec.replicas`, count] as const),
  ...['parallelism', 'completions', 'backoffLimit'].map((field) => [`JobSpec.${field}`, count] as const),
  ['Container.name', label],
  ['Volume.name', label],
  ['Container.imagePullPolicy', oneOf('Always', 'IfNotPresent', 'Never')],
  ['Container.restartPolicy', oneOf('Always', 'OnFailure', 'Never')],
  ['ContainerPort.containerPort', PORT],
  ['ContainerPort.hostPort', between(0, 65_535)],
  ['ContainerPort.protocol', oneOf('TCP', 'UDP', 'SCTP')],
  ['PodSpec.restartPolicy', oneOf('Always', 'OnFailure', 'Never')],
  ['PodSpec.preemptionPolicy', oneOf('PreemptLowerPriority', 'Never')],
  ['PodSpec.dnsPolicy', oneOf('ClusterFirst', 'ClusterFirstWithHostNet', 'Default', 'None')],
  ['PodSpec.terminationGracePeriodSeconds', count],
  ['Probe.periodSeconds', count],
  ['Probe.timeoutSeconds', count],
  ['Probe.failureThreshold', count],
  ['Probe.initialDelaySeconds', count],
  // Lt and Gt from 1.35 on (KEP-5471).
  ['Toleration.operator', oneOf('Equal', 'Exists', 'Lt', 'Gt')],
  ['Toleration.effect', oneOf('NoSchedule', 'PreferNoSchedule', 'NoExecute')],
  ['NodeSelectorRequirement.operator', oneOf('In', 'NotIn', 'Exists', 'DoesNotExist', 'Gt', 'Lt')],
  ['LabelSelectorRequirement.operator', oneOf('In', 'NotIn', 'Exists', 'DoesNotExist')],
  ['TopologySpreadConstraint.maxSkew', atLeast(1)],
  ['TopologySpreadConstraint.minDomains', atLeast(1)],
  ['TopologySpreadConstraint.whenUnsatisfiable', oneOf('DoNotSchedule', 'ScheduleAnyway')],
  ['TopologySpreadConstraint.nodeAffinityPolicy', oneOf('Honor', 'Ignore')],
  ['TopologySpreadConstraint.nodeTaintsPolicy', oneOf('Honor', 'Ignore')],
  ['WeightedPodAffinityTerm.weight', between(1, 100)],
  ['PreferredSchedulingTerm.weight', between(1, 100)],
  ['LimitRangeItem.type', oneOf('Container', 'Pod', 'PersistentVolumeClaim')],
  ['ScopedResourceSelectorRequirement.operator', oneOf('In', 'NotIn', 'Exists', 'DoesNotExist')],
]);

/** What is wrong with a field's value, if its type is right; undefined: nothing that is known here. */
export function fieldProblem(type: string, field: string, value: unknown): string | undefined {
  return RULES.get(`${type}.${field}`)?.(value);
}

/** Lists whose items may not share a name. */
const NAMED: readonly string[] = ['[]Container', '[]Volume'];

/** Positions of items whose name an earlier one has. */
export function repeatedNames(type: string, items: readonly unknown[]): readonly number[] {
  if (!NAMED.includes(type)) return [];
  const names = items.map((item) => (typeof item === 'object' && item !== null ? (item as { readonly name?: unknown }).name : undefined));
  return [...names.entries()].flatMap(([index, name]) => (name !== undefined && names.indexOf(name) < index ? [index] : []));
}

const NAME = /^[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?$/;

/** What is wrong with the name of an object that makes pods. */
export function nameProblem(name: string): string | undefined {
  return NAME.test(name) ? undefined : `is ${quote(name)}, not up to 253 lower case letters, digits, - and .`;
}
