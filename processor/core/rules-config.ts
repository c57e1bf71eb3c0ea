/**
 * Rule configuration: thresholds of design.md §4. It reaches the core as a RULES record of the log, so that a replay sees what
 * the live run saw. An invalid one is refused as a whole and the one in force stays.
 */
import { z } from 'zod';
import { DEFAULT_REQUESTED_SHAPES } from '../capacity/report.ts';
import { DEFAULT_POOL_LABELS } from '../capacity/pools.ts';
import type { ShapeConfig } from '../capacity/shape.ts';
import { buildShape, DEFAULT_SHAPES } from '../capacity/shape.ts';
import type { ScenarioId, Thresholds } from '../scenarios/scenario.ts';
import { SCENARIO_IDS } from '../scenarios/scenario.ts';

const ms = (doc: string) => z.number().min(0).max(86_400_000).describe(doc);
const times = (doc: string) => z.number().int().min(1).max(1_000).describe(doc);

/** Thresholds as configuration gives them: every key optional, times in ms. */
export const thresholdsSchema = z
  .strictObject({
    transientPullFailures: times('failed pulls with a transient error before an incident opens'),
    unschedulableMs: ms('a pod may stay unschedulable this long'),
    scaleUpMs: ms('the same while a node scale-up for it is under way'),
    dependencyMs: ms('a missing dependency may last this long'),
    createMs: ms('a failing container creation may last this long'),
    initStuckMs: ms('an init container may run this long'),
    readinessMs: ms("a container may stay unready this long beyond its probe's own budget"),
    restarts: times('restarts within the window that make an incident'),
    restartsWindowMs: ms('the window of `restarts`'),
    failedCreates: times('refused pod creations that make an incident'),
    terminatingMs: ms('a pod may outlive its deletion timestamp by this'),
    nodeNotReadyMs: ms('a node may be not ready this long'),
    recoverMs: ms('stability after which readiness, dependency, image, init, scheduling and node incidents are resolved'),
    recoverRunningMs: ms('uninterrupted running after which exits, probe kills and OOM are resolved'),
  })
  .partial();

/** design.md §4. */
export const DEFAULT_THRESHOLDS: Thresholds = {
  transientPullFailures: 2,
  unschedulableMs: 60_000,
  scaleUpMs: 600_000,
  dependencyMs: 60_000,
  createMs: 60_000,
  initStuckMs: 300_000,
  readinessMs: 30_000,
  restarts: 3,
  restartsWindowMs: 600_000,
  failedCreates: 2,
  terminatingMs: 60_000,
  nodeNotReadyMs: 0,
  recoverMs: 60_000,
  recoverRunningMs: 600_000,
};

const names = (doc: string) => z.array(z.string().min(1).max(384)).min(1).max(1_000).optional().describe(doc);

/** What an entry is about: every key given must fit, a key left out fits everything. `*` stands for any characters. */
const matchSchema = z.strictObject({
  clusters: names('names of clusters'),
  namespaces: names('namespaces'),
  workloads: names('workloads, NAME or KIND/NAME'),
  scenarios: z.array(z.enum(SCENARIO_IDS)).min(1).optional().describe('scenarios'),
  causes: names('causes'),
});

const thresholdsMatch = matchSchema.omit({ causes: true });

const shapeSchema = z
  .strictObject({
    name: z.string().min(1).max(128).optional().describe('what reports call it (default: made from the request, such as 2c4Gi)'),
    request: z.record(z.string().min(1).max(317), z.string().min(1).max(64)).describe('Kubernetes quantities by resource'),
    nodeSelector: z.record(z.string(), z.string()).optional().describe('labels of the nodes that it is for'),
    tolerations: z
      .array(z.strictObject({ key: z.string().optional(), operator: z.string().optional(), value: z.string().optional(), effect: z.string().optional() }))
      .max(100)
      .optional()
      .describe('taints that it tolerates'),
    weight: z.number().positive().max(1_000_000).optional().describe('in the weighted index (default: 1)'),
  })
  .superRefine((shape, context) => {
    const built = buildShape(shape);
    if (!built.ok) context.addIssue({ code: 'custom', path: built.problem.path.split(/\.(.*)/s).filter(Boolean), message: built.problem.reason });
  });

/** What capacity reports are about. */
export const capacitySchema = z.strictObject({
  poolLabels: z
    .array(z.string().min(1).max(317))
    .min(1)
    .max(50)
    .default([...DEFAULT_POOL_LABELS])
    .describe('the first label that a node carries names its pool'),
  shapes: z
    .array(shapeSchema)
    .max(50)
    .default(DEFAULT_SHAPES.map(({ request }) => ({ request: { ...request } })))
    .describe('pod shapes to report on'),
  requestedShapes: z.int().min(0).max(50).default(DEFAULT_REQUESTED_SHAPES).describe('how many of the shapes that most pods have are reported as well'),
});
/** Capacity reports as configured, with every default filled in. */
export interface CapacityRules {
  readonly poolLabels: readonly string[];
  readonly shapes: readonly ShapeConfig[];
  readonly requestedShapes: number;
}

/** Configuration of all rules; every key optional. */
export const rulesSchema = z.strictObject({
  thresholds: thresholdsSchema.default({}),
  overrides: z
    .array(z.strictObject({ match: thresholdsMatch, thresholds: thresholdsSchema }))
    .max(1_000)
    .default([])
    .describe('thresholds for some: {match: {namespaces: [batch-*]}, thresholds: {restarts: 10}}; the last one that fits wins, key by key'),
  disabled: z
    .array(z.strictObject({ match: matchSchema, reason: z.string().min(1).max(500) }))
    .max(1_000)
    .default([])
    .describe('no incident is made of what fits: {match: {causes: [ignored_signal]}, reason: known}'),
  mutes: z
    .array(z.strictObject({ match: matchSchema, reason: z.string().min(1).max(500), until: z.iso.datetime({ offset: true }) }))
    .max(1_000)
    .default([])
    .describe('incidents are made, stored and flagged muted: {match: {clusters: [dev]}, reason: migration, until: 2027-01-31T08:00:00Z}'),
  capacity: capacitySchema.prefault({}),
});
export type RulesConfig = z.output<typeof rulesSchema>;
export type RuleMatch = z.output<typeof matchSchema>;

/** Rules in force, as the state holds them. */
export interface Rules {
  readonly thresholds: Thresholds;
  readonly overrides: readonly { readonly match: Omit<RuleMatch, 'causes'>; readonly thresholds: Partial<Thresholds> }[];
  readonly disabled: RulesConfig['disabled'];
  readonly mutes: RulesConfig['mutes'];
  readonly capacity: CapacityRules;
}

/** In force until a RULES record says otherwise. */
export const DEFAULT_RULES: Rules = { thresholds: DEFAULT_THRESHOLDS, overrides: [], disabled: [], mutes: [], capacity: capacitySchema.parse({}) };

const given = (thresholds: Partial<Record<keyof Thresholds, number | undefined>>): Partial<Thresholds> =>
  Object.fromEntries(Object.entries(thresholds).filter(([, value]) => value !== undefined));

/** Reads the payload of a RULES record. Never throws. */
export function decodeRules(value: unknown): { readonly ok: true; readonly rules: Rules } | { readonly ok: false; readonly reason: string } {
  const parsed = rulesSchema.safeParse(value);
  if (!parsed.success) return { ok: false, reason: z.prettifyError(parsed.error) };
  const { overrides, disabled, mutes, thresholds, capacity } = parsed.data;
  return {
    ok: true,
    rules: {
      thresholds: { ...DEFAULT_THRESHOLDS, ...given(thresholds) },
      overrides: overrides.map(({ match, thresholds: own }) => ({ match, thresholds: given(own) })),
      disabled,
      mutes,
      capacity,
    },
  };
}

/** What an entry is matched against. */
export interface RuleTarget {
  readonly cluster: string;
  readonly namespace: string;
  readonly workload: { readonly kind: string; readonly name: string };
  readonly scenario: ScenarioId;
  readonly cause?: string;
}

function fits(pattern: string, text: string): boolean {
  if (!pattern.includes('*')) return pattern === text;
  const parts = pattern.split('*');
  let at = 0;
  for (const [index, part] of parts.entries()) {
    const found = index === 0 ? (text.startsWith(part) ? 0 : -1) : index === parts.length - 1 ? lastMatch(text, part, at) : text.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return true;
}
const lastMatch = (text: string, part: string, from: number): number =>
  text.endsWith(part) && text.length - part.length >= from ? text.length - part.length : -1;

/** True if every key of the match fits the target. */
export function matches(match: RuleMatch, { cluster, namespace, workload, scenario, cause }: RuleTarget): boolean {
  const any = (patterns: readonly string[] | undefined, ...texts: string[]): boolean =>
    patterns === undefined || patterns.some((p) => texts.some((t) => fits(p, t)));
  return (
    any(match.clusters, cluster) &&
    any(match.namespaces, namespace) &&
    any(match.workloads, workload.name, `${workload.kind}/${workload.name}`) &&
    any(match.scenarios, scenario) &&
    (match.causes === undefined || (cause !== undefined && any(match.causes, cause)))
  );
}

/** Thresholds for a target: the general ones, then every override that fits, in order. */
export function thresholdsFor(rules: Rules, target: RuleTarget): Thresholds {
  const own = rules.overrides.filter(({ match }) => matches(match, target));
  return own.length === 0 ? rules.thresholds : Object.assign({}, rules.thresholds, ...own.map(({ thresholds }) => thresholds));
}

export type Ruling =
  | { readonly kind: 'disabled'; readonly reason: string }
  /** `untilMs`: when it ends, epoch ms. */
  | { readonly kind: 'muted'; readonly reason: string; readonly untilMs: number };

/** The entry that keeps an incident from being made, or that mutes it at `nowMs`. */
export function ruling(rules: Rules, target: RuleTarget, nowMs: number): Ruling | undefined {
  const disabled = rules.disabled.find(({ match }) => matches(match, target));
  if (disabled !== undefined) return { kind: 'disabled', reason: disabled.reason };
  const mute = rules.mutes.find(({ match, until }) => Date.parse(until) > nowMs && matches(match, target));
  return mute && { kind: 'muted', reason: `${mute.reason} (until ${mute.until})`, untilMs: Date.parse(mute.until) };
}
