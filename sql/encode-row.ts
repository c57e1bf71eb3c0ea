/** Pure: rows as the processor makes them into lines as ClickHouse takes them. The only place where the two names of a column meet. */
import type { RowsByTable, TableName } from './rows.ts';

/** Largest time a row may hold, 2100-01-01: what an object claims beyond it would scatter rows over partitions nobody reads. */
const MAX_TIME_MS = 4_102_444_800_000;

/** An epoch ms within what the tables hold; anything else, such as NaN, is 0, which means none. */
function time(ms: number): number {
  return ms > 0 ? Math.trunc(Math.min(ms, MAX_TIME_MS)) : 0;
}

/** A count as UInt64 takes it: an object may claim -1, 1.5 or NaN, and one bad row would fail its whole block. */
function count(value: number): number {
  return value > 0 ? Math.trunc(Math.min(value, Number.MAX_SAFE_INTEGER)) : 0;
}

/** The same for UInt32. */
function count32(value: number): number {
  return value > 0 ? Math.trunc(Math.min(value, 4_294_967_295)) : 0;
}

/** A ratio as Float64 takes it: JSON has no NaN. */
function ratio(value: number): number {
  return Number.isFinite(value) ? value : 0;
}

interface Mapping<R> {
  /** Columns in the order of the values. `version` follows as the last. */
  readonly columns: readonly string[];
  readonly values: (row: R) => unknown[];
}

const list = (columns: string): readonly string[] => columns.trim().split(/\s+/);

const MAPPINGS: { readonly [T in TableName]: Mapping<RowsByTable[T]> } = {
  clusters: {
    columns: list('cluster cluster_uid server_version first_record_time last_record_time last_heartbeat_time resources'),
    values: (r) => [r.cluster, r.clusterUid, r.serverVersion, time(r.firstRecordTimeMs), time(r.lastRecordTimeMs), time(r.lastHeartbeatTimeMs), r.resources],
  },
  pod_changes: {
    columns: list(`cluster namespace name uid observed_time resource_version change phase status ready restarts node
      workload_kind workload_name containers conditions created_time deletion_time spec_hash spec`),
    values: (r) => [
      r.cluster,
      r.namespace,
      r.name,
      r.uid,
      time(r.observedTimeMs),
      r.resourceVersion,
      r.change,
      r.phase,
      r.status,
      r.ready,
      count32(r.restarts),
      r.node,
      r.workloadKind,
      r.workloadName,
      r.containers,
      r.conditions,
      time(r.createdTimeMs),
      time(r.deletionTimeMs),
      r.specHash,
      r.spec,
    ],
  },
  events: {
    columns: list(`cluster namespace uid regarding_kind regarding_name regarding_uid field_path type reason note component
      first_time last_time count`),
    values: (r) => [
      r.cluster,
      r.namespace,
      r.uid,
      r.regardingKind,
      r.regardingName,
      r.regardingUid,
      r.fieldPath,
      r.type,
      r.reason,
      r.note,
      r.component,
      time(r.firstTimeMs),
      time(r.lastTimeMs),
      count(r.count),
    ],
  },
  incidents: {
    columns: list(`cluster id scenario cause detail flags confidence severity state resolution
      subject_kind subject_namespace subject_name subject_container image registry node claim pods failing_pods impact
      opened_time updated_time resolved_time first_symptom_time flaps summary evidence suspected_change superseded_by parent`),
    values: (r) => [
      r.cluster,
      r.id,
      r.scenario,
      r.cause,
      r.detail,
      r.flags,
      r.confidence,
      r.severity,
      r.state,
      r.resolution,
      r.subjectKind,
      r.subjectNamespace,
      r.subjectName,
      r.subjectContainer,
      r.image,
      r.registry,
      r.node,
      r.claim,
      count32(r.pods),
      count32(r.failingPods),
      r.impact,
      time(r.openedTimeMs),
      time(r.updatedTimeMs),
      time(r.resolvedTimeMs),
      time(r.firstSymptomTimeMs),
      count32(r.flaps),
      r.summary,
      r.evidence,
      r.suspectedChange,
      r.supersededBy,
      r.parent,
    ],
  },
  incident_members: {
    columns: list('cluster incident_id opened_time pod_namespace pod_name pod_uid node first_time last_time state'),
    values: (r) => [
      r.cluster,
      r.incidentId,
      time(r.openedTimeMs),
      r.podNamespace,
      r.podName,
      r.podUid,
      r.node,
      time(r.firstTimeMs),
      time(r.lastTimeMs),
      r.state,
    ],
  },
  incident_timeline: {
    columns: list('cluster incident_id opened_time seq time kind text'),
    values: (r) => [r.cluster, r.incidentId, time(r.openedTimeMs), count32(r.seq), time(r.timeMs), r.kind, r.text],
  },
  coverage: {
    columns: list('cluster resource scope from_time to_time reason'),
    values: (r) => [r.cluster, r.resource, r.scope, time(r.fromTimeMs), time(r.toTimeMs), r.reason],
  },
  sessions: {
    columns: list('cluster session run resource scope first_time last_time received suppressed rejected appended applied duplicate dead_lettered'),
    values: (r) => [
      r.cluster,
      r.session,
      r.run,
      r.resource,
      r.scope,
      time(r.firstTimeMs),
      time(r.lastTimeMs),
      count(r.received),
      count(r.suppressed),
      count(r.rejected),
      count(r.appended),
      count(r.applied),
      count(r.duplicate),
      count(r.deadLettered),
    ],
  },
  disruptions: {
    columns: list('cluster namespace pod_name pod_uid node workload_kind workload_name reason message time'),
    values: (r) => [r.cluster, r.namespace, r.podName, r.podUid, r.node, r.workloadKind, r.workloadName, r.reason, r.message, time(r.timeMs)],
  },
  dead_letters: {
    columns: list('log partition offset part cluster time code reason payload'),
    values: (r) => [r.log, count32(r.partition), r.offset.toString(), r.part, r.cluster, time(r.timeMs), r.code, r.reason, r.payload],
  },
  capacity_samples: {
    columns: list(`cluster pool shape time nodes cpu_allocatable_millicores cpu_requested_millicores cpu_free_millicores
      memory_allocatable_bytes memory_requested_bytes memory_free_bytes pods_allocatable pods_requested pods_free
      k k_star phi binding origin demand cordoned_nodes not_ready_nodes virtual_nodes expected_waste_cpu_millicores expected_waste_memory_bytes
      frontier stranded_cpu_millicores stranded_memory_bytes largest_cpu_millicores largest_memory_bytes removable_nodes_min removable_nodes_max`),
    values: (r) => [
      r.cluster,
      r.pool,
      r.shape,
      time(r.timeMs),
      count32(r.nodes),
      count(r.cpuAllocatableMillicores),
      count(r.cpuRequestedMillicores),
      count(r.cpuFreeMillicores),
      count(r.memoryAllocatableBytes),
      count(r.memoryRequestedBytes),
      count(r.memoryFreeBytes),
      count32(r.podsAllocatable),
      count32(r.podsRequested),
      count32(r.podsFree),
      count32(r.k),
      count32(r.kStar),
      ratio(r.phi),
      r.binding,
      r.origin,
      ratio(r.demand),
      count32(r.cordonedNodes),
      count32(r.notReadyNodes),
      count32(r.virtualNodes),
      count(r.expectedWasteCpuMillicores),
      count(r.expectedWasteMemoryBytes),
      r.frontier,
      count(r.strandedCpuMillicores),
      count(r.strandedMemoryBytes),
      count(r.largestCpuMillicores),
      count(r.largestMemoryBytes),
      count32(r.removableNodesMin),
      count32(r.removableNodesMax),
    ],
  },
};

/** Every table that rows go to, in a fixed order. */
export const TABLE_NAMES = Object.keys(MAPPINGS) as readonly TableName[];

const COLUMNS = Object.fromEntries(TABLE_NAMES.map((table) => [table, [...MAPPINGS[table].columns, 'version']])) as unknown as Readonly<
  Record<TableName, readonly [string, ...string[]]>
>;

/** Columns of `table` in the order in which encodeRow puts them. */
export function columnsOf(table: TableName): readonly [string, ...string[]] {
  return COLUMNS[table];
}

/** A half of a surrogate pair as JSON.stringify writes it. ClickHouse refuses the escape (code 25). */
const LONE_SURROGATE = /(?<=(?:^|[^\\])(?:\\\\)*)\\ud[89a-f][0-9a-f]{2}/g;

/**
 * One row as a line of JSONCompactEachRow in the order of columnsOf, without a line break. Never throws: times and counts out of
 * range are clamped, and half characters become U+FFFD, so that no object of a cluster can fail a block of rows.
 */
export function encodeRow<T extends TableName>(table: T, row: RowsByTable[T], version: bigint): string {
  const values = MAPPINGS[table].values(row);
  values.push(version.toString());
  const line = JSON.stringify(values);
  return line.includes('\\ud') ? line.replace(LONE_SURROGATE, '\ufffd') : line;
}
