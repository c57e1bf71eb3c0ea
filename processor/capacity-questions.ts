/** What is asked of the capacity of a cluster as it is now: a shape node by node, a remedy, a pre-check. Answers from its state. */
import type { Pod } from '../collector/objects.ts';
import { schedulingStateSteps } from './capacity/capacity-state.ts';
import { poolOf } from './capacity/pools.ts';
import type { PrecheckOptions, WorkloadVerdict } from './capacity/precheck.ts';
import { precheckSteps } from './capacity/precheck.ts';
import type { PodFacts } from './capacity/pod-facts.ts';
import { asUnassigned, podFacts } from './capacity/pod-facts.ts';
import type { NodePrices } from './capacity/prices.ts';
import { LIST_PRICES, priceOf } from './capacity/prices.ts';
import type { Remedy } from './capacity/remedy.ts';
import { remedySteps } from './capacity/remedy.ts';
import { describeRemedy } from './capacity/fit-checks.ts';
import { WHOLE_CLUSTER } from './capacity/report.ts';
import type { NodeState, SchedulingState } from './capacity/scheduling-state.ts';
import { freeOf, isAssigned } from './capacity/scheduling-state.ts';
import type { ShapeCount } from './capacity/shape.ts';
import { buildShape, countShape, shapeId } from './capacity/shape.ts';
import type { NodePicture } from './capacity/shape-picture.ts';
import { pictureShape } from './capacity/shape-picture.ts';
import type { ShapeFit } from './capacity/shape-fit.ts';
import { eligibleNodes, fitSteps } from './capacity/shape-fit.ts';
import type { Steps } from './capacity/steps.ts';
import { visitSteps } from './capacity/steps.ts';
import { createCycle } from './capacity/filters.ts';
import { shapesOf } from './core/capacity-samples.ts';
import type { ClusterState } from './core/state.ts';
import { nameKey } from './core/state.ts';
import { createView } from './core/view.ts';
import { blindness } from './core/why.ts';
import type { ClusterView } from './scenarios/scenario.ts';
import type { LocatedProblem } from './precheck-input.ts';
import { readManifestText } from './precheck-input.ts';
import type { FleetPast } from './precheck-knowledge.ts';
import { knowledgeOf } from './precheck-knowledge.ts';
import { runSlices } from './slices.ts';
import type { Answer, FindState, NotFound } from './states.ts';

export interface ShapeAnswer {
  readonly fit: Pick<ShapeFit, 'k' | 'kStar' | 'phi' | 'bindingResource'>;
  readonly nodes: readonly NodePicture[];
}
export interface RemedyAnswer {
  readonly remedy: Remedy;
  /** The same in one sentence. */
  readonly text: string;
}
/** For a shape (of one pool, or '' for any node), or for a pod that exists; `prices` decide which nodes are the cheapest to add. */
export type RemedyAbout = { readonly copies: number; readonly prices?: NodePrices } & (
  | { readonly shape: string; readonly pool: string }
  | { readonly namespace: string; readonly pod: string }
);
export type PrecheckAnswer =
  | { readonly problems: readonly LocatedProblem[] }
  | { readonly problems: readonly []; readonly status: WorkloadVerdict['status']; readonly workloads: readonly WorkloadVerdict[] };

export interface CapacityQuestions {
  shape(cluster: string, pool: string, shape: string): Promise<Answer<ShapeAnswer>>;
  remedy(cluster: string, about: RemedyAbout): Promise<Answer<RemedyAnswer>>;
  precheck(cluster: string, manifests: string, past: FleetPast, options: PrecheckOptions): Promise<Answer<PrecheckAnswer>>;
}

/** Pods looked at between two steps: a few milliseconds. */
const PODS_A_STEP = 2_000;
/** Node checks of one remedy: some tenths of a second. */
const MAX_CHECKS = 200_000;
/** A document is parsed in one turn of the event loop. */
const LIMITS = { text: 2 * 1_024 * 1_024, document: 256 * 1_024 };

/** Answers from the states that `find` finds. Every method rejects with StoreError. */
export function createCapacityQuestions(find: FindState): CapacityQuestions {
  const ask = async <T>(cluster: string, question: (state: ClusterState) => Steps<T | NotFound>): Promise<Answer<T>> => {
    const found = await find(cluster);
    if (found.kind !== 'state') return found;
    return inTurn(found.state, async () => {
      const asOfMs = found.state.meta.streamTimeMs;
      const answer = await tried(found.state, () => runSlices(question(found.state)));
      return isNotFound(answer) ? answer : { kind: 'answer', answer, asOfMs, checkpointTimeMs: found.checkpointTimeMs };
    });
  };
  return {
    shape: (cluster, pool, shape) => ask(cluster, (state) => shapeSteps(state, pool, shape)),
    remedy: (cluster, about) => ask(cluster, (state) => remedyOfSteps(state, about)),
    async precheck(cluster, text, past, options) {
      const manifests = await readManifestText(text, LIMITS);
      return ask<PrecheckAnswer>(cluster, function* (state) {
        if (manifests.located.length > 0) return { problems: manifests.located };
        const blind = blindness(state).flatMap(({ resource, uncollectable, reason }) => (uncollectable ? [] : [`${resource}: ${reason}`]));
        const { status, workloads } = yield* precheckSteps(manifests, createView(state), { ...knowledgeOf(past), blind }, options);
        return { problems: [], status, workloads };
      });
    },
  };
}

const views = new WeakMap<ClusterState, ClusterView>();

/**
 * The scheduling state of a cluster for questions: kept for the next one, and apart from the core's own, so that nothing that is tried out
 * for a question can show in its rows. Records may be applied between the steps: what came after a step looked is seen by the next question.
 */
function schedulingSteps(state: ClusterState): Steps<SchedulingState> {
  const view = views.get(state) ?? createView(state);
  views.set(state, view);
  return schedulingStateSteps(view);
}

const turns = new WeakMap<ClusterState, Promise<unknown>>();

/** One question about a cluster at a time: they try things out in one scheduling state. */
function inTurn<T>(state: ClusterState, question: () => Promise<T>): Promise<T> {
  const answer = (turns.get(state) ?? Promise.resolve()).then(question);
  turns.set(
    state,
    answer.catch(() => undefined),
  );
  return answer;
}

/** After an error in the middle of a question the scheduling state may be off: the next one builds it anew. */
async function tried<T>(state: ClusterState, question: () => Promise<T>): Promise<T> {
  try {
    return await question();
  } catch (error) {
    views.delete(state);
    throw error;
  }
}

function isNotFound(answer: unknown): answer is NotFound {
  return (answer as NotFound).kind === 'not_found';
}

const notFound = (reason: string): NotFound => ({ kind: 'not_found', reason });

/** A shape of the cluster node by node. */
function* shapeSteps(state: ClusterState, pool: string, shape: string): Steps<ShapeAnswer | NotFound> {
  const scheduling = yield* schedulingSteps(state);
  const facts = yield* findShape(state, scheduling, shape);
  if (facts === undefined) return notFound(`no pod has the shape ${shape}, and it is not one such as 2c4Gi`);
  const nodes = nodesOf(state, scheduling, pool);
  if (nodes.length === 0 && pool !== WHOLE_CLUSTER) return notFound(`the cluster has no pool ${pool}`);
  const cycle = createCycle(asUnassigned(facts), scheduling);
  const eligible = eligibleNodes(cycle, nodes);
  yield;
  const { k, kStar, phi, bindingResource } = yield* fitSteps(cycle, nodes, eligible, eligible.map(freeOf));
  return { fit: { k, kStar, phi, bindingResource }, nodes: pictureShape(facts, scheduling, nodes) };
}

/** What would make one more of a shape, or a pod, fit. */
function* remedyOfSteps(state: ClusterState, about: RemedyAbout): Steps<RemedyAnswer | NotFound> {
  const scheduling = yield* schedulingSteps(state);
  const { copies, prices = LIST_PRICES } = about;
  const { poolLabels } = state.meta.rules.capacity;
  const costOf = ({ node, allocatable }: NodeState): number => priceOf(allocatable, poolOf(node, poolLabels), prices);
  if ('pod' in about) {
    const uid = state.indexes.byName.pods.get(nameKey(about.namespace, about.pod)).at(-1);
    const pod = uid === undefined ? undefined : (state.tables.objects.pods.get(uid)?.object as Pod | undefined);
    if (pod === undefined) return notFound(`no pod ${about.namespace}/${about.pod} lives in the cluster`);
    return describe(yield* remedySteps(pod, scheduling, { copies, costOf, maxChecks: MAX_CHECKS }));
  }
  const facts = yield* findShape(state, scheduling, about.shape);
  if (facts === undefined) return notFound(`no pod has the shape ${about.shape}, and it is not one such as 2c4Gi`);
  const nodes = nodesOf(state, scheduling, about.pool);
  if (nodes.length === 0 && about.pool !== WHOLE_CLUSTER) return notFound(`the cluster has no pool ${about.pool}`);
  return describe(yield* remedySteps(facts.pod, scheduling, { copies, nodes, costOf, maxChecks: MAX_CHECKS }));
}

function describe(remedy: Remedy): RemedyAnswer {
  return { remedy, text: remedy.fit.k > 0 ? `it fits as it is, ${remedy.fit.k} times` : describeRemedy(remedy) };
}

function nodesOf(state: ClusterState, { nodes }: SchedulingState, pool: string): readonly NodeState[] {
  const { poolLabels } = state.meta.rules.capacity;
  return pool === WHOLE_CLUSTER ? nodes : nodes.filter(({ node }) => poolOf(node, poolLabels) === pool);
}

/** A shape by its id: a configured one, that of some pod, or a plain request such as `0.5c1Gi`. */
function* findShape(state: ClusterState, { nodes }: SchedulingState, id: string): Steps<PodFacts | undefined> {
  const configured = shapesOf(state.meta.rules.capacity.shapes).find((shape) => shape.id === id);
  if (configured !== undefined) return configured.facts;
  const plain = /^(\d{1,6}(?:\.\d{1,3})?)c(\d{1,15}(?:\.\d{1,3})?(?:Ki|Mi|Gi|Ti)?)$/.exec(id);
  if (plain !== null) {
    const request = { cpu: plain[1] ?? '', memory: plain[2] ?? '' };
    const built = buildShape({ request: Object.fromEntries(Object.entries(request).filter(([, value]) => Number.parseFloat(value) > 0)) });
    return built.ok ? built.shape.facts : undefined;
  }
  const counts = new Map<string, ShapeCount>();
  let pods = 0;
  for (const node of nodes) {
    for (const facts of node.pods) countShape(counts, facts);
    pods += node.pods.size;
    if (pods < PODS_A_STEP) continue;
    pods = 0;
    yield;
  }
  yield* visitSteps(state.tables.objects.pods.values(), PODS_A_STEP, ({ object }) => {
    if (!isAssigned(object as Pod)) countShape(counts, podFacts(object as Pod));
  });
  return [...counts.values()].find(({ facts }) => shapeId(facts) === id)?.facts;
}
