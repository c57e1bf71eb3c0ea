/** The shape of the catalogue's data. */

/** Names an incident can fill in. Unknown ones stay as `<placeholder>` in the command. */
export const PLACEHOLDERS = ['namespace', 'pod', 'container', 'node', 'workload', 'workloadKind', 'image', 'registry', 'claim', 'quota', 'subject'] as const;
export type Placeholder = (typeof PLACEHOLDERS)[number];
export type Names = Readonly<Partial<Record<Placeholder, string>>>;

/** One thing to check or do. `command` is a complete shell line with {placeholders}. */
export interface Step {
  readonly text: string;
  readonly command?: string;
}
export interface CauseText {
  readonly title: string;
  /** One paragraph: what happens in Kubernetes, and why. */
  readonly explanation: string;
  /** In order: look first, then change. */
  readonly steps: readonly Step[];
  /** What not to do; '' if there is nothing people get wrong. */
  readonly avoid: string;
}
export interface CauseEntry {
  /** Severity before the impact is known. */
  readonly severity: 'info' | 'warning' | 'critical';
  /** Kind of the incident's subject (design D8). */
  readonly subject: 'workload' | 'node' | 'quota' | 'image' | 'registry' | 'claim' | 'cluster';
  readonly en: CauseText;
  readonly zh: CauseText;
  /** Kubernetes documentation, https. */
  readonly links: readonly string[];
}
export interface ScenarioEntry {
  readonly en: { readonly title: string };
  readonly zh: { readonly title: string };
  /** Every cause of design.md §4, and `other`. */
  readonly causes: Readonly<Record<string, CauseEntry>>;
}
