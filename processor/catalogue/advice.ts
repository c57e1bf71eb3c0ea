/** Advice for an incident or a finding: the catalogue's text with its names filled in. */
import type { ScenarioId } from '../scenarios/scenario.ts';
import { CATALOGUE } from './catalogue.ts';
import type { CauseEntry, Names, Step } from './entry.ts';

export type Language = 'en' | 'zh';
export interface Advice {
  readonly scenario: string;
  readonly title: string;
  readonly explanation: string;
  readonly steps: Step[];
  readonly avoid: string;
  readonly links: string[];
}

/** The catalogue's entry of a cause, or that of `other` for one that this release does not know; undefined for an unknown scenario. */
export function entryOf(scenario: string, cause: string): CauseEntry | undefined {
  const causes = CATALOGUE[scenario as ScenarioId]?.causes;
  return causes?.[cause] ?? causes?.['other'];
}

/** Advice in a language, with an incident's names. Unknown names stay as `<name>`. */
export function adviceFor(scenario: string, cause: string, lang: Language, names: Names): Advice | undefined {
  const entry = entryOf(scenario, cause);
  if (entry === undefined) return undefined;
  const text = entry[lang];
  const steps = text.steps
    .filter((step) => isPossible(step, names))
    .map((step) => ({
      text: fill(step.text, names, false),
      ...(step.command !== undefined && { command: fill(step.command, names, true) }),
    }));
  return {
    scenario: CATALOGUE[scenario as ScenarioId][lang].title,
    title: text.title,
    explanation: fill(text.explanation, names, false),
    steps,
    avoid: fill(text.avoid, names, false),
    links: [...entry.links],
  };
}

/** Kinds whose revisions kubectl keeps: kubernetes.io, kubectl rollout. */
const ROLLED_OUT: readonly string[] = ['deployment', 'statefulset', 'daemonset'];

/** A pod of its own, a Job and the owners of other kinds have no rollout to look at or undo. */
function isPossible({ command = '' }: Step, { workloadKind }: Names): boolean {
  const isRollout = command.startsWith('kubectl rollout') && command.includes('{workloadKind}');
  return !isRollout || workloadKind === undefined || ROLLED_OUT.includes(workloadKind);
}

/** Names of others go into a shell line: whatever is no plain word is quoted. */
function fill(text: string, names: Names, shell: boolean): string {
  return text.replace(/\{(\w+)\}/g, (_, key: string) => {
    const name = names[key as keyof Names];
    if (name === undefined || name === '') return `<${key}>`;
    return shell && !/^[\w./:@-]+$/.test(name) ? `'${name.replaceAll("'", "'\\''")}'` : name;
  });
}

/** Subjects that no controller stands behind. */
const NO_WORKLOADS: ReadonlySet<string> = new Set(['Node', 'Image', 'Registry', 'PersistentVolumeClaim', 'ResourceQuota', 'Namespace', 'Cluster']);

/** The names of an incident or finding, from its subject, what its members share, and one of them. */
export function namesOf(of: {
  readonly subject: { readonly kind: string; readonly namespace: string; readonly name: string; readonly container: string };
  readonly shared?:
    | { readonly image?: string | null; readonly registry?: string | null; readonly node?: string | null; readonly claim?: string | null }
    | undefined;
  readonly pod?: { readonly namespace: string; readonly name: string } | undefined;
}): Names {
  const { subject, shared = {}, pod } = of;
  const isWorkload = !NO_WORKLOADS.has(subject.kind);
  const named = (kind: string, value: string | null | undefined): string | undefined => (subject.kind === kind ? subject.name : (value ?? undefined));
  const names: Record<string, string | undefined> = {
    namespace: pod?.namespace ?? (subject.namespace === '' ? undefined : subject.namespace),
    pod: pod?.name,
    container: subject.container === '' ? undefined : subject.container,
    node: named('Node', shared.node),
    workload: isWorkload ? subject.name : undefined,
    workloadKind: isWorkload ? subject.kind.toLowerCase() : undefined,
    image: named('Image', shared.image),
    registry: named('Registry', shared.registry),
    // What workloads share is named with its namespace, `shop/data`; kubectl takes that by -n.
    claim: named('PersistentVolumeClaim', shared.claim)?.split('/').at(-1),
    quota: named('ResourceQuota', undefined),
    subject: subject.name,
  };
  return Object.fromEntries(Object.entries(names).filter(([, value]) => value !== undefined));
}
