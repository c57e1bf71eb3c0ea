/**
 * Label and node selectors, compiled once and matched often. Follow labels.Requirement of k8s.io/apimachinery pkg/labels/selector.go,
 * LabelSelectorAsSelector of pkg/apis/meta/v1/helpers.go, and component-helpers scheduling/corev1/nodeaffinity/nodeaffinity.go (v0.34).
 */
import { fieldsOf, listOf, textEntriesOf, textOf, textsOf } from './reading.ts';

export type Labels = Readonly<Record<string, string>>;

interface Requirement {
  readonly key: string;
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist' | 'Gt' | 'Lt';
  readonly values: readonly string[];
}

/** All requirements must hold; undefined selects nothing, none select everything. */
export interface Selector {
  readonly requirements: readonly Requirement[] | undefined;
}

/** What an absent or malformed selector selects (labels.Nothing). */
export const NOTHING: Selector = { requirements: undefined };
/** What an empty selector selects (labels.Everything). */
export const EVERYTHING: Selector = { requirements: [] };

/** The value of a label, or undefined: own properties only, since keys are untrusted. */
export function labelOf(labels: Labels | undefined, key: string): string | undefined {
  return labels !== undefined && Object.hasOwn(labels, key) ? labels[key] : undefined;
}

/** Compiles a metav1.LabelSelector. Absent selects nothing, empty everything, a malformed one nothing. */
export function compileLabelSelector(selector: unknown): Selector {
  const fields = fieldsOf(selector);
  if (fields === undefined) return NOTHING;
  const requirements = textEntriesOf(fields['matchLabels']).map(([key, value]) => equals(key, value));
  for (const expression of listOf(fields['matchExpressions'])) {
    const requirement = compileRequirement(expression, LABEL_OPERATORS);
    if (requirement === undefined) return NOTHING;
    requirements.push(requirement);
  }
  return requirements.length === 0 ? EVERYTHING : { requirements };
}

/** A selector of exact labels, such as spec.nodeSelector. */
export function compileLabels(labels: unknown): Selector {
  return { requirements: textEntriesOf(labels).map(([key, value]) => equals(key, value)) };
}

/** `selector` narrowed by one more requirement. */
export function narrow(selector: Selector, key: string, operator: 'In' | 'NotIn', value: string): Selector {
  if (selector.requirements === undefined) return selector;
  return { requirements: [...selector.requirements, { key, operator, values: [value] }] };
}

/** Whether a requirement names this key. */
export function mentions(selector: Selector, key: string): boolean {
  return selector.requirements?.some((requirement) => requirement.key === key) ?? false;
}

export function matches(selector: Selector, labels: Labels | undefined): boolean {
  const { requirements } = selector;
  if (requirements === undefined) return false;
  for (const requirement of requirements) if (!holds(requirement, labelOf(labels, requirement.key))) return false;
  return true;
}

function equals(key: string, value: string): Requirement {
  return { key, operator: 'In', values: [value] };
}

const LABEL_OPERATORS: readonly string[] = ['In', 'NotIn', 'Exists', 'DoesNotExist'];
const NODE_OPERATORS: readonly string[] = [...LABEL_OPERATORS, 'Gt', 'Lt'];

/** undefined where NewRequirement would refuse it. */
function compileRequirement(expression: Readonly<Record<string, unknown>>, operators: readonly string[]): Requirement | undefined {
  const key = textOf(expression['key']);
  const operator = textOf(expression['operator']);
  if (key === undefined || key === '' || operator === undefined || !operators.includes(operator)) return undefined;
  const values = textsOf(expression['values']);
  const requirement = { key, operator: operator as Requirement['operator'], values };
  return hasRightCount(requirement) ? requirement : undefined;
}

function hasRightCount({ operator, values }: Requirement): boolean {
  if (operator === 'In' || operator === 'NotIn') return values.length > 0;
  if (operator === 'Gt' || operator === 'Lt') return values.length === 1 && toInteger(values[0]) !== undefined;
  return values.length === 0;
}

function holds({ operator, values }: Requirement, value: string | undefined): boolean {
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    default: {
      const [actual, bound] = [toInteger(value), toInteger(values[0])];
      if (actual === undefined || bound === undefined) return false;
      return operator === 'Gt' ? actual > bound : actual < bound;
    }
  }
}

const INT64_MAX = 2n ** 63n - 1n;

/** strconv.ParseInt(value, 10, 64): decimal digits with an optional sign, within int64. */
function toInteger(value: string | undefined): bigint | undefined {
  if (value === undefined || value.length > 64 || !/^[+-]?\d+$/.test(value)) return undefined;
  const integer = value.startsWith('+') ? BigInt(value.slice(1)) : BigInt(value);
  return integer <= INT64_MAX && integer >= -INT64_MAX - 1n ? integer : undefined;
}

/** One nodeSelectorTerm; undefined where it cannot be parsed and so never matches. */
export interface NodeTerm {
  readonly labels: Selector;
  /** Requirements on metadata.name, the only field nodes have. */
  readonly fields: readonly { readonly key: string; readonly equal: boolean; readonly value: string }[];
}

/** Compiles nodeSelectorTerms: ORed, empty terms match no node and are left out, terms that cannot be parsed likewise. */
export function compileNodeTerms(terms: unknown): readonly NodeTerm[] {
  return listOf(terms).flatMap((term) => compileNodeTerm(term) ?? []);
}

/** undefined for an empty or malformed term, which matches no node. */
export function compileNodeTerm(term: Readonly<Record<string, unknown>>): NodeTerm | undefined {
  const [expressions, fields] = [listOf(term['matchExpressions']), listOf(term['matchFields'])];
  if (expressions.length + fields.length === 0) return undefined;
  const requirements: Requirement[] = [];
  for (const expression of expressions) {
    const requirement = compileRequirement(expression, NODE_OPERATORS);
    if (requirement === undefined) return undefined;
    requirements.push(requirement);
  }
  const compiled: NodeTerm['fields'][number][] = [];
  for (const field of fields) {
    const [key, operator, values] = [textOf(field['key']), field['operator'], textsOf(field['values'])];
    const value = values[0];
    if (key === undefined || value === undefined || values.length !== 1 || (operator !== 'In' && operator !== 'NotIn')) return undefined;
    compiled.push({ key, equal: operator === 'In', value });
  }
  return { labels: { requirements }, fields: compiled };
}

export function matchesNodeTerm(term: NodeTerm, labels: Labels | undefined, nodeName: string): boolean {
  if (!matches(term.labels, labels)) return false;
  return term.fields.every(({ key, equal, value }) => ((key === 'metadata.name' ? nodeName : '') === value) === equal);
}
