/**
 * The rows of every table, as the processor makes them: camelCase here, snake_case in ClickHouse, mapped only in
 * encode-row.ts (style N5). Times are epoch ms (number) and become DateTime64(3, 'UTC'); 64-bit counts are bigint or number and UInt64.
 * Every table is ReplacingMergeTree(version): the same key with a higher version replaces (design D3).
 */

/** A cluster as last heard of. Key: cluster. */
export interface ClusterRow {
  readonly cluster: string;
  readonly clusterUid: string;
  readonly serverVersion: string;
  readonly firstRecordTimeMs: number;
  readonly lastRecordTimeMs: number;
  readonly lastHeartbeatTimeMs: number;
  /** Resources in sync / not, with the note of why, as JSON: [{resource, scope, state, reason}]. */
  readonly resources: string;
}

/** One change of a pod as the cluster saw it: enough to draw it, and with `spec` to rebuild it. Key: cluster, namespace, uid, observedTimeMs, resourceVersion. */
export interface PodChangeRow {
  readonly cluster: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly observedTimeMs: number;
  readonly resourceVersion: string;
  /** ADDED | MODIFIED | DELETED | LISTED (first seen in a list) | VANISHED (absent from a list: gone no later than) | DAILY (rewritten for time travel). */
  readonly change: string;
  readonly phase: string;
  /** What kubectl prints as STATUS. */
  readonly status: string;
  readonly ready: string;
  readonly restarts: number;
  readonly node: string;
  readonly workloadKind: string;
  readonly workloadName: string;
  /** Container states as JSON: [{name, type, ready, restarts, state, reason, exitCode, image}]. */
  readonly containers: string;
  /** Conditions that are not as they should be, JSON. */
  readonly conditions: string;
  readonly createdTimeMs: number;
  /** 0 unless it is being deleted. */
  readonly deletionTimeMs: number;
  /**
   * sha256 of the spec, hex, 16 characters; `spec` holds its JSON when this row is the first with that hash, else ''. Both without
   * `nodeName`, which is `node`.
   */
  readonly specHash: string;
  readonly spec: string;
}

/** A Kubernetes Event at its latest count. Key: cluster, namespace, uid. */
export interface EventRow {
  readonly cluster: string;
  readonly namespace: string;
  readonly uid: string;
  readonly regardingKind: string;
  readonly regardingName: string;
  readonly regardingUid: string;
  readonly fieldPath: string;
  readonly type: string;
  readonly reason: string;
  readonly note: string;
  readonly component: string;
  readonly firstTimeMs: number;
  readonly lastTimeMs: number;
  readonly count: number;
}

/** The head of an incident. Key: cluster, id (and openedTimeMs, which never changes, for the partition). */
export interface IncidentRow {
  readonly cluster: string;
  readonly id: string;
  readonly scenario: string;
  readonly cause: string;
  readonly detail: string;
  readonly flags: readonly string[];
  readonly confidence: string;
  readonly severity: string;
  readonly state: string;
  /** '' while not resolved. */
  readonly resolution: string;
  readonly subjectKind: string;
  readonly subjectNamespace: string;
  readonly subjectName: string;
  readonly subjectContainer: string;
  readonly image: string;
  readonly registry: string;
  readonly node: string;
  readonly claim: string;
  /** Member pods ever, and those failing now. */
  readonly pods: number;
  readonly failingPods: number;
  /** JSON {desired, ready, affected}. */
  readonly impact: string;
  readonly openedTimeMs: number;
  readonly updatedTimeMs: number;
  /** 0 while not resolved. */
  readonly resolvedTimeMs: number;
  /** Epoch ms of the opening fact: before openedTimeMs by the threshold. */
  readonly firstSymptomTimeMs: number;
  readonly flaps: number;
  readonly summary: string;
  /** JSON Evidence[]. */
  readonly evidence: string;
  /** JSON, or '' where none was looked for. */
  readonly suspectedChange: string;
  readonly supersededBy: string;
  readonly parent: string;
}

/** A pod of an incident. Key: cluster, incidentId, podUid. */
export interface IncidentMemberRow {
  readonly cluster: string;
  readonly incidentId: string;
  readonly openedTimeMs: number;
  readonly podNamespace: string;
  readonly podName: string;
  readonly podUid: string;
  readonly node: string;
  readonly firstTimeMs: number;
  readonly lastTimeMs: number;
  /** failing | recovering | recovered | gone. */
  readonly state: string;
}

/** One entry of an incident's story. Key: cluster, incidentId, seq. */
export interface TimelineRow {
  readonly cluster: string;
  readonly incidentId: string;
  readonly openedTimeMs: number;
  readonly seq: number;
  readonly timeMs: number;
  /** symptom | change | opened | relabelled | member | recovering | flap | resolved | superseded | note. */
  readonly kind: string;
  readonly text: string;
}

/** A blind interval of one resource. Key: cluster, resource, scope, fromTimeMs. */
export interface CoverageRow {
  readonly cluster: string;
  readonly resource: string;
  readonly scope: string;
  readonly fromTimeMs: number;
  /** 0 while it lasts. */
  readonly toTimeMs: number;
  readonly reason: string;
}

/** The balance of one session (promise 4). Key: cluster, session. */
export interface SessionRow {
  readonly cluster: string;
  readonly session: string;
  readonly run: string;
  readonly resource: string;
  readonly scope: string;
  readonly firstTimeMs: number;
  readonly lastTimeMs: number;
  /** As the collector counts. */
  readonly received: number;
  readonly suppressed: number;
  readonly rejected: number;
  readonly appended: number;
  /** As the processor counts: appended = applied + duplicate + deadLettered, once all is read. */
  readonly applied: number;
  readonly duplicate: number;
  readonly deadLettered: number;
}

/** A wanted disruption: preemption, drain, API eviction, taint eviction, PodGC. Not an incident. Key: cluster, podUid, reason. */
export interface DisruptionRow {
  readonly cluster: string;
  readonly namespace: string;
  readonly podName: string;
  readonly podUid: string;
  readonly node: string;
  readonly workloadKind: string;
  readonly workloadName: string;
  /** DisruptionTarget's reason. */
  readonly reason: string;
  readonly message: string;
  readonly timeMs: number;
}

/** What could not be taken: position and reason, and the record itself as far as it is text. Key: partition, offset, part. */
export interface DeadLetterRow {
  readonly log: string;
  readonly partition: number;
  readonly offset: bigint;
  /** 'record', or the rule that threw. */
  readonly part: string;
  readonly cluster: string;
  readonly timeMs: number;
  readonly code: string;
  readonly reason: string;
  readonly payload: string;
}

/**
 * One minute of a node pool (pool '': the whole cluster) for one pod shape (shape '': the pool itself; what is said of the other kind is 0
 * or ''). Key: cluster, pool, shape, timeMs.
 */
export interface CapacitySampleRow {
  readonly cluster: string;
  readonly pool: string;
  readonly shape: string;
  readonly timeMs: number;
  /** Nodes that count; of a shape: those eligible for it. */
  readonly nodes: number;
  readonly cpuAllocatableMillicores: number;
  readonly cpuRequestedMillicores: number;
  readonly cpuFreeMillicores: number;
  readonly memoryAllocatableBytes: number;
  readonly memoryRequestedBytes: number;
  readonly memoryFreeBytes: number;
  readonly podsAllocatable: number;
  readonly podsRequested: number;
  readonly podsFree: number;
  readonly k: number;
  readonly kStar: number;
  /** 0 … 1; of a pool the index weighted by demand. */
  readonly phi: number;
  /** The resource that limits kStar; '' for none. */
  readonly binding: string;
  /** configured | requested. */
  readonly origin: string;
  /** Share of the pool's pods that have the shape, 0 … 1. */
  readonly demand: number;
  readonly cordonedNodes: number;
  readonly notReadyNodes: number;
  readonly virtualNodes: number;
  readonly expectedWasteCpuMillicores: number;
  readonly expectedWasteMemoryBytes: number;
  /** JSON [{cpuMillicores, memoryBytes, nodes}]. */
  readonly frontier: string;
  readonly strandedCpuMillicores: number;
  readonly strandedMemoryBytes: number;
  readonly largestCpuMillicores: number;
  readonly largestMemoryBytes: number;
  readonly removableNodesMin: number;
  readonly removableNodesMax: number;
}

/** Rows a step may emit, by table. The shell adds the version to each. */
export interface RowsByTable {
  readonly clusters: ClusterRow;
  readonly pod_changes: PodChangeRow;
  readonly events: EventRow;
  readonly incidents: IncidentRow;
  readonly incident_members: IncidentMemberRow;
  readonly incident_timeline: TimelineRow;
  readonly coverage: CoverageRow;
  readonly sessions: SessionRow;
  readonly disruptions: DisruptionRow;
  readonly dead_letters: DeadLetterRow;
  readonly capacity_samples: CapacitySampleRow;
}
export type TableName = keyof RowsByTable;

/** A row on its way to a table: `key` is unique within the table among the rows of one step. */
export type EmittedRow = {
  readonly [T in TableName]: { readonly table: T; readonly key: string; readonly row: RowsByTable[T]; readonly version: bigint };
}[TableName];
