/**
 * What a rule may see, and what it says. A rule is a pure function of a view: the latest projected objects of one cluster, the
 * history of the pod in hand, and stream time. It is asked again whenever one of these changed or a timer of its own fell due,
 * so it never remembers anything: it says what is wrong *now*, since when, and from when on that is an incident.
 * The incident engine (core/incidents.ts) turns signals into incidents; a rule knows nothing of them.
 */
import type { PodsSince } from '../capacity/scheduling-state.ts';
import type { PodSigns } from './pod-signs.ts';
import type { Event, KubeObject, Node, Pod, ProjectedObject, Resource, ResourceQuota, Workload } from '../../collector/objects.ts';

/** The closed catalogue of scenarios, in the order of design.md §4. */
export const SCENARIO_IDS = [
  'scheduling_failure',
  'image_pull_failure',
  'dependency_error',
  'container_create_failure',
  'init_failure',
  'lifecycle_hook_failure',
  'readiness_probe_failure',
  'liveness_probe_failure',
  'container_exit',
  'oom_killed',
  'evicted',
  'node_lost',
  'stuck_terminating',
] as const;
export type ScenarioId = (typeof SCENARIO_IDS)[number];

export type Confidence = 'certain' | 'likely' | 'guess';

/** What an incident is about (design D8). container is '' unless the subject is one container of a workload. */
export interface Subject {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly container: string;
}

/** One fact that decided: where it stands and what it said. `value` is cut to 1 000 characters by the engine. */
export interface Evidence {
  /** `field` a path in an object; `event` a Kubernetes Event; `table` something counted over the tables. */
  readonly kind: 'field' | 'event' | 'table';
  /** e.g. `Pod shop/web-1` or `Node f4x8-1`. */
  readonly object: string;
  /** Field path, Event reason, or the name of what was counted. */
  readonly path: string;
  readonly value: string;
  /** Epoch ms as the object dates it, where it does. */
  readonly timeMs?: number;
}

/**
 * A stage of a pod's life. Signals about one subject in one track are one story: the stronger relabels the incident of the
 * weaker (oom over exit). Signals in different tracks never touch the same incident.
 */
export type Track = 'schedule' | 'pull' | 'create' | 'run' | 'ready' | 'evict' | 'node' | 'terminate';

/** What several workloads that fail alike may share; three or more of them get a parent incident (design D8). */
export interface Shared {
  readonly image?: string;
  readonly registry?: string;
  readonly node?: string;
  readonly claim?: string;
}

/** What a rule says of one object now. */
export interface Signal {
  readonly scenario: ScenarioId;
  /** A cause of the catalogue, for this scenario. */
  readonly cause: string;
  /** A refinement of the cause from the catalogue's list, or ''. */
  readonly detail: string;
  readonly flags: readonly string[];
  readonly confidence: Confidence;
  readonly subject: Subject;
  readonly track: Track;
  /** Within a track the higher rank relabels the lower; equal ranks: the later signal. */
  readonly rank: number;
  /**
   * The opening fact as the object itself dates it: names the incident (style N8). value e.g. `restartCount=3`; `says` is the same in
   * words, said of the object: it begins the story, and changes nothing.
   */
  readonly fact: { readonly value: string; readonly timeMs: number; readonly says: string };
  /**
   * Stream time, epoch ms, from which this is an incident (fact + threshold or grace; may be past).
   * undefined: wrong now, but below the threshold, and waiting alone does not lift it over. `explain` shows it all the same.
   */
  readonly dueTimeMs: number | undefined;
  /** Nothing has failed: only that it takes long is wrong. Until `dueTimeMs` it is a start or an end under way like any other. */
  readonly awaits?: true;
  /**
   * Stream time at which this signal may end or change although no object changes (a run grows older than its probation):
   * the rule is asked again then. A dueTimeMs still to come needs none.
   */
  readonly recheckTimeMs?: number;
  /** Stable this long without a signal in this track, ms, the member has recovered. */
  readonly recoverAfterMs: number;
  /** Said of the workload, whichever container it is: where an incident about one is open, this keeps that one open. */
  readonly ofWorkload?: true;
  /** One line in English: what happens to whom and why, names filled in. */
  readonly summary: string;
  readonly evidence: readonly Evidence[];
  readonly shared?: Shared;
}

/** An Event as the tables keep it. Latest message of the Event object, times and count normalised. */
export interface SeenEvent {
  readonly uid: string;
  readonly type: string;
  readonly reason: string;
  readonly note: string;
  readonly component: string;
  /** '' or e.g. `spec.containers{app}`. */
  readonly fieldPath: string;
  readonly firstTimeMs: number;
  readonly lastTimeMs: number;
  readonly count: number;
  /** The other object it names, as for Preempted. */
  readonly related?: Event['related'];
  /** What it is about; checkpoints of older releases do not say. */
  readonly about?: { readonly kind: string; readonly namespace: string; readonly name: string };
}

/** One finished run of a container, folded from the versions of the pod that were seen. */
export interface FinishedRun {
  /** restartCount of the status that showed it. */
  readonly restartCount: number;
  /** 0 where the runtime gives none (StartError on containerd says 1970). */
  readonly startedTimeMs: number;
  readonly finishedTimeMs: number;
  readonly exitCode: number;
  readonly reason: string;
  readonly message: string;
}

/** What a container's past says that its present status does not. */
export interface ContainerHistory {
  /** Oldest first, at most 10, one per finished run. */
  readonly runs: readonly FinishedRun[];
  /** restartCount as first seen at each value, oldest first, at most 10; begins with count 0 at the pod's start. */
  readonly restarts: readonly { readonly count: number; readonly timeMs: number }[];
  readonly everStarted: boolean;
  readonly everReady: boolean;
  /** Longest run that ended, ms. */
  readonly longestRunMs: number;
  /** The waiting reason in force and since when it is (ErrImagePull and ImagePullBackOff count as one). */
  readonly waiting?: { readonly reason: string; readonly sinceMs: number };
  /**
   * The last waiting message that names a cause (an ImagePullBackOff up to 1.31 says only that it backs off), with how many
   * distinct occurrences were seen.
   */
  readonly lastError?: { readonly reason: string; readonly message: string; readonly timeMs: number; readonly count: number };
}
export interface PodHistory {
  readonly firstSeenMs: number;
  readonly containers: Readonly<Record<string, ContainerHistory>>;
}

/** A change of a workload that podtrail saw, or that its ReplicaSets tell of. */
export interface WorkloadChange {
  readonly kind: 'rollout' | 'scale_out';
  readonly timeMs: number;
  /** One line: what was changed, of a scale-out also by whom. */
  readonly text: string;
  /** Of a rollout: the fields of the pod template that differ; '' for what was not there. */
  readonly diff?: readonly { readonly path: string; readonly before: string; readonly after: string }[];
}

/** The top controller of a pod: followed over collected owners, else what the last ownerReference names (Argo Rollout …), else the pod. */
export interface WorkloadRef {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** '' where the object was never seen. */
  readonly uid: string;
}

/** Thresholds of design.md §4, ms unless named otherwise; defaults in core/rules-config.ts, overridable by configuration. */
export interface Thresholds {
  readonly transientPullFailures: number;
  readonly unschedulableMs: number;
  readonly scaleUpMs: number;
  readonly dependencyMs: number;
  readonly createMs: number;
  readonly initStuckMs: number;
  readonly readinessMs: number;
  readonly restarts: number;
  readonly restartsWindowMs: number;
  readonly failedCreates: number;
  readonly terminatingMs: number;
  readonly nodeNotReadyMs: number;
  /** Recovery: readiness, dependency, image, init, scheduling, node. */
  readonly recoverMs: number;
  /** Recovery: exit, probe kills, OOM; of uninterrupted running. */
  readonly recoverRunningMs: number;
}

/** One cluster at one moment of stream time. Iteration order is that of the tables: sorted by key, so deterministic. */
export interface ClusterView {
  readonly nowMs: number;
  readonly thresholds: Thresholds;
  /** What is told is told at once, as by `explain`: a diagnosis is due however young the pod is. */
  readonly isSnapshot?: true;
  /** False: the table of this resource may be incomplete, so absence in it means nothing. */
  inSync(resource: Resource): boolean;
  /** The latest object by name; namespace '' for cluster-scoped ones. */
  object(resource: Resource, namespace: string, name: string): ProjectedObject | undefined;
  /** All objects of a resource. */
  objects(resource: Resource): Iterable<ProjectedObject>;
  node(name: string): Node | undefined;
  nodes(): Iterable<Node>;
  podsOnNode(name: string): Iterable<Pod>;
  podsIn(namespace: string): Iterable<Pod>;
  pods(): Iterable<Pod>;
  /** The same in no order: for what comes out the same in any. */
  unorderedPods?(): Iterable<Pod>;
  /** Which of them came, changed or went since an earlier answer. */
  podsSince?(position: number | undefined): PodsSince;
  quotasIn(namespace: string): Iterable<ResourceQuota>;
  /** Recent Events about an object, oldest first by last time. */
  eventsOf(uid: string): readonly SeenEvent[];
  /** What was seen of a pod before its present status. */
  historyOf?(uid: string): PodHistory | undefined;
  workloadOf(object: KubeObject): WorkloadRef;
  /** The collected object behind a WorkloadRef. */
  workload(ref: WorkloadRef): Workload | undefined;
  /** Its changes of the last day, oldest first. */
  changesOf?(ref: WorkloadRef): readonly WorkloadChange[];
}
export interface PodView extends ClusterView {
  readonly pod: Pod;
  readonly history: PodHistory;
  readonly events: readonly SeenEvent[];
  /** It was deleted a moment ago, and is judged for what late Events say of its end. */
  readonly isGone?: boolean;
  /** It is in no incident, and nobody asks why: what is not due yet is told to nobody, and may be an untoldSignal. */
  readonly isUntold?: boolean;
}
/** What could not create a pod, or (Deployment, CronJob) the controller of one: there is no pod to judge. */
export interface ControllerView extends ClusterView {
  readonly controller: Workload;
  readonly events: readonly SeenEvent[];
}
export interface NodeView extends ClusterView {
  readonly subjectNode: Node;
  readonly events: readonly SeenEvent[];
}

/** A family of rules: one file a scenario, registered in index.ts. Each function is pure and total over projected objects. */
export interface Scenario {
  readonly id: ScenarioId;
  /** Tables it reads besides the object in hand: it is not asked before these are in sync, unless they cannot be collected. */
  readonly reads: readonly Resource[];
  /**
   * False: whatever else there is, `pod` has nothing to say of a pod with these signs, so it is not asked. Never false where it might
   * have: test/processor/core/concerns.test.ts compares.
   */
  concerns(signs: PodSigns): boolean;
  pod?(view: PodView): readonly Signal[];
  controller?(view: ControllerView): readonly Signal[];
  node?(view: NodeView): readonly Signal[];
}
